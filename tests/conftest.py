"""Fixtures shared by all tests; the only conftest."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from bot.environment import QUIET

os.environ.update(QUIET)
# Turns that run in this process must not write into the state of a bot that somebody uses.
os.environ.setdefault("STATE_FOLDER", tempfile.mkdtemp(prefix="state-"))

import messengers
from gateway import Gateway
from synapse import NotInstallable, Synapse, running_synapse
from telegram_api import TelegramApi

from bot.core.answering import Setting
from bot.evaluation import servers
from bot.evaluation.live import LiveBot, live_bot
from bot.knowledge.loader import Knowledge, load_knowledge
from bot.train import ROOT
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Server]:
    """A real PostgreSQL."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(servers.postgres("fsync=off"))
        except servers.NotInstalled as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def redis() -> Iterator[servers.Server]:
    """A real Redis."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(servers.redis())
        except servers.NotInstalled as error:
            pytest.skip(str(error))


@pytest.fixture
def chat(bot: LiveBot) -> Callable[[str], object]:
    """A conversation of its own with the running bot."""
    sender = bot.conversation()
    return lambda text: bot.say(text, sender)


@pytest.fixture(scope="session")
def telegram_api() -> Iterator[TelegramApi]:
    """Telegram's Bot API, emulated."""
    with TelegramApi().running() as api:
        yield api


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse | None]:
    """A Matrix home server; None where it can neither be found nor installed."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(running_synapse(tmp_path_factory.mktemp("synapse")))
        except NotInstallable as error:
            print(error)
            yield None


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """The gateway of the example channel."""
    with Gateway().running() as running:
        yield running


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory, gateway: Gateway) -> dict[str, str]:
    """The environment that adds the example channel of docs/adding-a-channel.md."""
    folder = tmp_path_factory.mktemp("example")
    (folder / "sms_example.py").write_text(code_block(ROOT / "docs" / "adding-a-channel.md"))
    credentials = folder / "credentials.yml"
    credentials.write_text((ROOT / "credentials.yml").read_text() + "sms_example.Sms:\n")
    path = os.pathsep.join([str(folder), str(ROOT)])
    return {"CREDENTIALS": str(credentials), "PYTHONPATH": path, "SMS_GATEWAY": gateway.url}


def code_block(page: Path) -> str:
    """Gives the Python of a page of the documentation."""
    return page.read_text().split("```python\n", 1)[1].split("```", 1)[0]


@pytest.fixture(scope="session")
def reachable(
    model: str,
    tmp_path_factory: pytest.TempPathFactory,
    telegram_api: TelegramApi,
    synapse: Synapse | None,
    example: dict[str, str],
) -> Iterator[LiveBot]:
    """A running bot with all messaging channels on."""
    environment = {**example, **telegram_api.environment, **(synapse.environment if synapse else {})}
    with live_bot(tmp_path_factory.mktemp("reachable"), **environment) as running:
        yield running


@pytest.fixture
def matrix_people(synapse: Synapse | None) -> Iterator[messengers.Matrix]:
    """People on Matrix; they leave after the test, since each one's client keeps the home server busy."""
    if synapse is None:
        pytest.skip("Synapse, the tests' Matrix server, could not be installed here")
    with messengers.matrix(synapse) as people:
        yield people


@pytest.fixture
def web_people(reachable: LiveBot) -> Iterator[messengers.Web]:
    """Visitors of the bot's own page."""
    with messengers.web(reachable) as people:
        yield people


@pytest.fixture(params=["rest", "web", "telegram", "matrix", "sms"])
def channel(request: pytest.FixtureRequest, reachable: LiveBot, telegram_api: TelegramApi) -> messengers.Channel:
    """Each channel in turn."""
    makers = {
        "rest": lambda: messengers.Rest(reachable),
        "web": lambda: request.getfixturevalue("web_people"),
        "telegram": lambda: messengers.Telegram(telegram_api),
        "sms": lambda: messengers.Sms(request.getfixturevalue("gateway")),
        "matrix": lambda: request.getfixturevalue("matrix_people"),
    }
    return makers[request.param]()


# Not for the whole session: while it is open its event loop counts as running, and asynchronous tests cannot run.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser; `scripts/browser.sh` finds it, and `make test` installs it where it can."""
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=quiet)
        yield browser
        browser.close()
