"""Fixtures shared by all tests; the only conftest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from bot.environment import QUIET

os.environ.update(QUIET)

from bot.core.answering import Setting
from bot.evaluation.live import LiveBot, live_bot
from bot.knowledge.loader import Knowledge, load_knowledge
from tests.web.chat_page import browser_path
from tests.web.site import Site


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """The project's knowledge base."""
    return load_knowledge()


@pytest.fixture(scope="session")
def setting(knowledge: Knowledge) -> Setting:
    """The knowledge base with a number that is easy to look for."""
    return Setting(knowledge, "NUMBER")


@pytest.fixture(scope="session")
def model() -> str:
    """The trained model; `make test` trains it first."""
    from bot.train import current_model

    return str(current_model())


@pytest.fixture(scope="session")
def parse(model: str) -> Callable[[str], dict]:
    """Parses a text with the trained model, in process."""
    import asyncio

    from rasa.core.agent import Agent

    agent = Agent.load(model)
    return lambda text: asyncio.run(agent.parse_message(text))


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A site of somebody else's that may embed the widget of `bot`."""
    with Site() as running:
        yield running


@pytest.fixture(scope="session")
def bot(model: str, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBot]:
    """A running bot: both real processes, a store of its own."""
    with live_bot(tmp_path_factory.mktemp("bot"), WEB_ORIGINS=site.url) as running:
        yield running


@pytest.fixture
def chat(bot: LiveBot) -> Callable[[str], object]:
    """A conversation of its own with the running bot."""
    sender = bot.conversation()
    return lambda text: bot.say(text, sender)


# Not for the whole session: while it is open its event loop counts as running, and asynchronous tests cannot run.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser; `scripts/browser.sh` finds it, and `make test` installs it where it can."""
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=quiet)
        yield browser
        browser.close()
