"""The widget as a person uses it: by names and roles, in a real browser."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

DESKTOP, PHONE, SMALLEST = (1200, 800), (360, 740), (320, 480)
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SHOTS = Path(__file__).resolve().parents[2] / "results" / "screenshots"


def browser_path() -> str:
    """Where Chromium is."""
    command = [str(Path(__file__).resolve().parents[2] / "scripts" / "browser.sh")]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


class ChatPage:
    """One page with the widget."""

    def __init__(self, browser: Browser, size: tuple[int, int] = DESKTOP, **options: Any) -> None:
        width, height = size
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.set_default_timeout(15_000)

    def __enter__(self) -> ChatPage:
        return self

    def __exit__(self, *_: Any) -> None:
        self.context.close()

    def open(self, url: str) -> ChatPage:
        """Goes to a page, opens the chat and waits for the greeting."""
        self.page.goto(url)
        self.launcher.click()
        expect(self.log).to_contain_text("Hello.")
        return self

    @property
    def launcher(self) -> Locator:
        """The button that opens the chat."""
        return self.page.get_by_role("button", name="Chat about muscle spasms")

    @property
    def log(self) -> Locator:
        """The conversation."""
        return self.page.get_by_role("log")

    @property
    def input(self) -> Locator:
        """Where one types."""
        return self.page.get_by_role("textbox", name="Your message")

    @property
    def status(self) -> Locator:
        """What the widget says of itself."""
        return self.page.get_by_role("status")

    def button(self, name: str) -> Locator:
        """The newest button of a name."""
        return self.page.get_by_role("button", name=name, exact=True).last

    def type(self, text: str) -> None:
        """Types a message and sends it."""
        self.input.fill(text)
        self.input.press("Enter")

    def say(self, text: str, answer: str) -> Locator:
        """Sends a message and waits for words of its answer."""
        self.type(text)
        return self.wait_for(answer)

    def wait_for(self, answer: str) -> Locator:
        """Waits until the newest message holds some words."""
        newest = self.log.locator(".entry.bot").last
        expect(newest).to_contain_text(answer)
        return newest

    def texts(self) -> list[str]:
        """All bubbles and cards, in order, as a person reads them."""
        return [text.strip() for text in self.log.locator(".bubble, .card").all_inner_texts()]

    def axe(self) -> list[str]:
        """What axe-core finds wrong, in words."""
        found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": STANDARDS}}).response["violations"]
        return [f"{v['id']}: {[node['html'][:200] for node in v['nodes']]}" for v in found]

    def shot(self, name: str) -> None:
        """Keeps a picture, to be looked at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")
