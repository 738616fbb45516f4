"""A client that is not ours and knows nothing of us, unmodified from npm, talks to the same channel."""

from __future__ import annotations

import base64
import hashlib
import tarfile

import pytest
from playwright.sync_api import Browser, Page, expect

from bot.evaluation.live import LiveBot
from tests.web.npm import npm
from tests.web.site import Site

pytestmark = pytest.mark.model
PACKAGE = "rasa-webchat@1.0.1"
INTEGRITY = "sha512-Ld1zVJvTAaTrs6A5p8t70agNNrKYRyXlvqXZRgBoDvKKUXbA0jhJKECi5bdPGlaR6jsmqWtVylHS+YqIqo0x8w=="
PAGE = """<!doctype html><html lang="en"><title>rasa-webchat</title><body>
<script src="{script}"></script>
<script>WebChat.default({{socketUrl: "{bot}", socketPath: "/socket.io/", initPayload: "hello", title: "Other client",
  customData: {{language: "en"}}, params: {{storage: "session"}}, customMessageDelay: () => 0}}, null);</script>"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The client's own bundle, checked against the registry's hash."""
    folder = tmp_path_factory.mktemp("rasa-webchat")
    npm(folder, "pack", PACKAGE)
    packed = next(folder.glob("*.tgz"))
    digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    assert f"sha512-{digest}" == INTEGRITY
    with tarfile.open(packed) as archive:
        stream = archive.extractfile("package/lib/index.js")
        assert stream
        return stream.read().decode()


def messages(page: Page) -> list[str]:
    return page.locator(".rw-response").all_inner_texts()


def test_rasa_webchat_talks_to_the_channel(bundle: str, bot: LiveBot, site: Site, chromium: Browser):
    script = site.serve(bundle, Content_Type="text/javascript")
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(site.serve(PAGE.format(script=script, bot=bot.url)))
    page.locator(".rw-launcher").click()
    expect(page.locator(".rw-response").first).to_contain_text("Hello. Tell me what hurts")
    page.get_by_text("Causes", exact=True).click()  # a quick reply
    _heard(page, "Causes the documents list")
    _say(page, "back cramp after lifting")
    _heard(page, "What the documents suggest")
    _heard(page, "Sources:")  # the text is complete by itself
    _say(page, "my chest feels tight and my arm is numb")
    _heard(page, "Do not drive yourself")  # in no reply before it
    before = messages(page)
    page.reload()
    _heard(page, "Do not drive yourself")
    assert messages(page) == before  # the session outlived the reload, and nothing came twice
    _say(page, "This is not happening to me")
    _heard(page, "If that changes")  # it remembers the alarm
    _say(page, "x" * 5000)
    _heard(page, "too long")
    context.close()


def _heard(page: Page, words: str) -> None:
    """Waits for a reply; this client shows them with a pause that grows with their length."""
    expect(page.locator(".rw-response", has_text=words).last).to_be_visible(timeout=20_000)


def _say(page: Page, text: str) -> None:
    box = page.locator(".rw-new-message")
    box.fill(text)
    box.press("Enter")
