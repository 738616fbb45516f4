"""Whole conversations with the real bot, in a real browser, on hostile and strict pages."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bot.evaluation.live import LiveBot
from bot.feedback import Feedback
from tests.web.chat_page import DESKTOP, PHONE, ChatPage
from tests.web.harness import ThreadedServer, scripted
from tests.web.site import Site

pytestmark = pytest.mark.model
STRICT = (
    "default-src 'none'; script-src {bot}; connect-src {bot} {socket}; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)
HOSTILE = (
    "<style>*{{all:unset!important;color:red!important;font-size:3px!important;display:inline!important;"
    "visibility:hidden!important;opacity:.1!important;transform:scale(.1)!important}}"
    "html{{font-size:2px!important;direction:rtl}} body,html{{visibility:visible!important;opacity:1!important;"
    "transform:none!important;display:block!important}}</style>{tag}"
)
ATTACKS = [
    '<img src=x onerror="window.pwned=1">',
    "<script>window.pwned=1</script>",
    "[x](javascript:window.pwned=1)",
    "</div><svg onload=window.pwned=1>",
    "${window.pwned=1}",
    "javascript:window.pwned=1//",
]


@pytest.mark.parametrize("look", ["desktop-light", "desktop-dark", "phone-light", "phone-dark"])
def test_a_whole_conversation(bot: LiveBot, chromium: Browser, look: str):
    device, scheme = look.split("-")
    with ChatPage(chromium, PHONE if device == "phone" else DESKTOP, color_scheme=scheme) as chat:
        chat.open(bot.url + "/chat/")
        expect(chat.log).to_contain_text("You can delete it at any time")
        expect(chat.page.locator(".disclaimer")).to_contain_text("not a doctor")
        assert chat.page.locator(".disclaimer a").first.get_attribute("href") == "tel:112"
        answer = chat.say("back cramp after lifting", "What the documents suggest")
        expect(answer).not_to_contain_text("Sources: [1]")
        answer.get_by_text("Sources (").click()
        expect(answer.locator("ol li").first).to_contain_text("Spasms in Back Muscles")
        chat.shot(f"real-{look}-answer")
        answer.get_by_role("button", name="Helpful", exact=True).click()
        expect(answer).to_contain_text("Only a count is kept")
        chat.say("my chest feels tight and my arm is numb", "heart problem")
        alert = chat.page.get_by_role("alert")
        expect(alert).to_contain_text("Call your local emergency number")
        expect(alert.get_by_role("link").first).to_be_in_viewport()
        assert alert.get_by_role("link").first.get_attribute("href") == "tel:112"
        assert chat.axe() == []
        chat.shot(f"real-{look}-emergency")
        expect(chat.button("Change country")).to_be_visible()
        chat.button("This is not happening to me").click()
        chat.wait_for("If that changes")
        chat.say("how many ibuprofen can i take", "cannot decide that for you")
        assert chat.errors == []
        assert {url.split("/")[2] for url in chat.requests} == {bot.url.split("/")[2]}
        assert [url for url in chat.requests if "page.css" not in url and not url.endswith("/chat/")] == [
            bot.url + "/chat/widget.js"
        ]
    assert [
        c
        for c in Feedback(f"sqlite:///{bot.log.parent}/feedback.db").counts()
        if (c.id, c.value) == ("describe_problem", "up")
    ]


def test_reload_keeps_the_conversation_and_a_new_tab_does_not(bot: LiveBot, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.open(bot.url + "/chat/")
        chat.say("my calf cramps at night", "calf")
        chat.input.fill("half a senten")
        before = chat.texts()
        chat.page.reload()
        expect(chat.input).to_have_value("half a senten")
        assert chat.texts() == before
        chat.say("how do I stop it coming back?", "prevent")  # still the same subject
        other = chat.context.new_page()
        other.goto(bot.url + "/chat/")
        assert other.evaluate("sessionStorage.length + localStorage.length") == 0
        assert chat.page.evaluate("localStorage.length") == 0 and not chat.context.cookies()


def test_delete_leaves_nothing_here_or_on_the_server(bot: LiveBot, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.open(bot.url + "/chat/")
        chat.say("my uniquecalfword calf cramps at night", "calf")
        sender = chat.page.evaluate("JSON.parse(sessionStorage['muscle-spasm-chat']).session").split(".")[0]
        assert _rows(bot.log.parent, sender)
        chat.button("Options").click()
        chat.button("Delete chat").click()
        chat.button("Yes, delete it").click()
        expect(chat.status).to_contain_text("deleted")
        expect(chat.log).to_contain_text("Hello.")
        assert len(chat.texts()) == 1 and not _rows(bot.log.parent, sender)
        assert "uniquecalfword" not in chat.page.evaluate("JSON.stringify(sessionStorage)")
        assert chat.page.evaluate("JSON.parse(sessionStorage['muscle-spasm-chat']).session").split(".")[0] != sender


def _rows(folder: Path, sender: str) -> int:
    with sqlite3.connect(folder / "conversations.db") as connection:
        query = "select count(*) from events where sender_id = ?"
        return int(connection.execute(query, (f"web-{sender}",)).fetchone()[0])


def test_a_strict_policy_with_trusted_types_and_integrity(bot: LiveBot, site: Site, chromium: Browser):
    policy = STRICT.format(bot=bot.url, socket=bot.url.replace("http", "ws"))
    page = site.serve(_pinned(chromium, bot.url), Content_Security_Policy=policy)
    with ChatPage(chromium) as chat:
        chat.open(page)
        expect(chat.button("Send")).to_have_css("background-color", "rgb(11, 90, 138)")
        chat.say("my chest feels tight and my arm is numb", "heart problem")
        assert [error for error in chat.errors if "favicon" not in error] == []


def _pinned(chromium: Browser, url: str) -> str:
    """The tag that the bot's own page tells to copy."""
    with ChatPage(chromium) as chat:
        chat.page.goto(url + "/chat/")
        snippet = chat.page.locator("pre").last.inner_text()
    assert 'integrity="sha384-' in snippet and "/chat/widget-" in snippet
    return "<!doctype html><html lang=en><title>x</title><body><h1>Site</h1>" + snippet.replace(
        "https://your-host", url
    )


def test_a_site_that_is_not_listed_cannot_talk(bot: LiveBot, chromium: Browser):
    with Site() as stranger, ChatPage(chromium) as chat:
        chat.page.goto(stranger.serve(f'<script src="{bot.url}/chat/widget.js"></script>'))
        chat.launcher.click()
        chat.type("hello")
        expect(chat.log).to_contain_text("Waiting to be sent")
        expect(chat.status).to_contain_text("In an emergency, call your local emergency number")
        chat.page.wait_for_timeout(1500)
        assert chat.log.locator(".bot").count() == 0


def test_a_hostile_page_cannot_restyle_or_hide_it(bot: LiveBot, site: Site, chromium: Browser):
    hostile = site.serve(HOSTILE.format(tag=f'<script src="{bot.url}/chat/widget.js"></script>'))
    looks = []
    for url in (bot.url + "/chat/", hostile):
        with ChatPage(chromium) as chat:
            chat.open(url)
            chat.say("my chest feels tight and my arm is numb", "heart problem")
            expect(chat.page.get_by_role("alert")).to_be_visible()
            looks.append(
                chat.page.locator(".card").evaluate(
                    "e => { const s = getComputedStyle(e), r = e.getBoundingClientRect();"
                    " return [s.color, s.fontSize, s.fontFamily, s.visibility, s.textAlign, r.width, r.height]; }"
                )
            )
            chat.shot("hostile" if url == hostile else "own-page")
    assert looks[0][:5] == looks[1][:5] and abs(looks[0][5] - looks[1][5]) < 1


def test_markup_stays_text_wherever_it_comes_from(chromium: Browser, tmp_path: Path):
    evil = ATTACKS[0]
    replies = {
        attack: (
            f"{attack}\n• {attack}\n\n{attack}",
            [{"title": attack, "payload": attack}],
            {
                "kind": kind, "facts": [attack], "understood": attack, "differences": [attack],
                "sources": [{"ref": 1, "doc": "d", "title": attack, "section": attack}],
                "why": {"rule": attack, "source": attack, "date": attack},
                "links": [{"title": attack, "url": "javascript:window.pwned=1"}, {"title": attack, "url": attack}],
            },
        )
        for attack, kind in zip(ATTACKS, ["answer", "emergency", "urgent", "crisis", "summary", "clarify"], strict=True)
    }  # fmt: skip
    server = ThreadedServer(tmp_path, scripted(replies)).start()
    try:
        with ChatPage(chromium) as chat:
            chat.open(server.url + "/chat/")
            for attack in ATTACKS:
                chat.say(attack, attack.split("\n")[0])
                for summary in chat.page.locator("summary").all():
                    summary.click()
            chat.page.wait_for_timeout(300)
            assert chat.page.evaluate("window.pwned") is None and chat.errors == []
            assert chat.page.locator("img, script[src=''], svg[onload], a[href^=javascript]").count() == 0
            assert evil in chat.log.inner_text()
    finally:
        server.stop()


def test_options_of_the_script_tag(bot: LiveBot, site: Site, chromium: Browser):
    page = site.serve(
        f'<!doctype html><html lang="en"><body><script src="{bot.url}/chat/widget.js" data-title="Cramp helper" '
        'data-color="#ffe100" data-theme="dark" data-lang="ar" data-country="gb" data-position="left" data-open="true" '
        'data-privacy="/privacy"></script>'
    )
    with ChatPage(chromium) as chat:
        chat.page.goto(page)
        expect(chat.page.get_by_role("dialog", name="Cramp helper")).to_be_visible()
        expect(chat.page.locator(".disclaimer a")).to_have_attribute("href", "tel:999")
        root = chat.page.locator(".root")
        expect(root).to_have_attribute("dir", "rtl")
        expect(root).to_have_attribute("lang", "en")  # the labels are English, whatever the page's language
        send = chat.button("Send")
        expect(send).to_have_css("background-color", "rgb(255, 225, 0)")
        expect(send).to_have_css("color", "rgb(0, 0, 0)")
        box = chat.input.bounding_box(), send.bounding_box()
        assert box[1]["x"] < box[0]["x"]  # mirrored
        assert chat.page.locator(".panel").bounding_box()["x"] > 600  # the start of a line is on the right
        chat.say("crushing chest pain and my arm is numb", "Call 999 now")
        assert chat.axe() == [] or all("page-has-heading" in f or "document-title" in f for f in chat.axe())
        chat.button("Options").click()
        link = chat.page.get_by_role("link", name="Privacy notice")
        expect(link).to_have_attribute("href", site.url + "/privacy")
        chat.shot("options-rtl")


def test_changing_the_country_changes_every_number(bot: LiveBot, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.open(bot.url + "/chat/")
        chat.say("crushing chest pain and my arm is numb", "heart problem")
        chat.button("Change country").click()
        chat.page.wait_for_timeout(500)
        chat.say("I am in Ireland", "112 or 999")
        expect(chat.page.locator(".disclaimer")).to_contain_text("112 or 999")
        assert not chat.errors


def test_about_says_the_intended_purpose_word_for_word(bot: LiveBot, chromium: Browser):
    from bot.channels.web_texts import about

    with ChatPage(chromium) as chat:
        chat.open(bot.url + "/chat/")
        chat.button("Options").click()
        chat.button("About this assistant").click()
        words = about().replace("#", " ").replace("**", "").split()
        expect(chat.page.locator(".about")).to_contain_text(words[0])
        assert chat.page.locator(".about").inner_text().split() == words


def test_copy_and_print_hold_the_conversation_alone(bot: LiveBot, chromium: Browser, tmp_path: Path):
    with ChatPage(chromium, permissions=["clipboard-read", "clipboard-write"]) as chat:
        chat.page.add_init_script("window.print = () => { window.printed = document.querySelector('muscle-spasm-chat')"
                                  ".shadowRoot.querySelector('.sheet').textContent; }")  # fmt: skip
        chat.open(bot.url + "/chat/")
        chat.say("back cramp after lifting", "What the documents suggest")
        chat.button("Options").click()
        chat.button("Copy chat").click()
        expect(chat.status).to_contain_text("Copied.")
        copied = chat.page.evaluate("navigator.clipboard.readText()")
        assert "You:\nback cramp after lifting" in copied and "Sources: [1]" in copied
        chat.button("Options").click()
        chat.button("Print chat").click()
        chat.page.wait_for_function("window.printed")
        assert chat.page.evaluate("window.printed") == copied
        chat.page.emulate_media(media="print")
        expect(chat.page.locator(".sheet")).to_be_visible()
        expect(chat.page.locator("main")).to_be_hidden()
        expect(chat.page.locator(".panel")).to_be_hidden()
        chat.page.evaluate("dispatchEvent(new Event('afterprint'))")
        chat.page.emulate_media(media="screen")
        expect(chat.page.locator("main")).to_be_visible()


def test_the_launcher_costs_little(bot: LiveBot, chromium: Browser):
    """The browser reports tasks of over 50 ms; other work on the machine can cause one, so the best of five counts."""
    assert [] in [_long_tasks(bot, chromium) for _ in range(5)]


def _long_tasks(bot: LiveBot, chromium: Browser) -> list[float]:
    with ChatPage(chromium) as chat:
        chat.page.add_init_script(
            "window.tasks = []; new PerformanceObserver(list => tasks.push(...list.getEntries().map(e => e.duration)))"
            ".observe({type: 'longtask', buffered: true});"
        )
        chat.page.goto(bot.url + "/chat/")
        expect(chat.launcher).to_be_visible()
        chat.page.wait_for_timeout(300)
        assert not [url for url in chat.requests if "socket.io" in url]  # nothing connects before it is opened
        return chat.page.evaluate("window.tasks")
