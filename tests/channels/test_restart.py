"""A thousand updates at random with faults, and a kill in the middle: nothing lost, repeated or unscreened."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import messengers
import pytest
from processes import child
from synapse import Synapse
from telegram_api import LOST, ApiError, TelegramApi

from bot.evaluation.live import LiveBot, live_bot
from bot.knowledge.loader import load_knowledge

pytestmark = [pytest.mark.server, pytest.mark.model]
PHRASES = load_knowledge().phrases
UPDATES, CHATS = 1000, 60
CHEST = "crushing chest pain and my left arm is numb"
PLACES = ("calf", "neck", "foot", "hand", "thigh", "back")
SEND_FAULTS = (ApiError(429, "Too Many Requests: retry after 1", 1), ApiError(500, "x"), ApiError(502, "x"), LOST)
POLL_FAULTS = (ApiError(409, "Conflict: x"), ApiError(500, "x"), LOST)


class Crowd:
    """People on Telegram who do anything, and what each must hear."""

    def __init__(self, api: TelegramApi, seed: int) -> None:
        self.api, self.random = api, random.Random(seed)
        self.replies: Counter[int] = Counter()
        self.alarms: Counter[int] = Counter()
        self.groups = 0
        self._last: dict[str, Any] = {}
        self._kinds: dict[Callable[[int], None], int] = {
            self._text: 40, self._danger: 12, self._caption: 8, self._edit: 8, self._wordless: 10, self._service: 6,
            self._command: 4, self._press: 4, self._again: 6, self._group: 2,
        }  # fmt: skip

    def act(self) -> None:
        (kind,) = self.random.choices(list(self._kinds), list(self._kinds.values()))
        kind(self.random.randrange(1, CHATS + 1))

    def faults(self, method: str) -> ApiError | None:
        """Breaks one call in ten, and one poll in fifty."""
        chance, faults = (0.02, POLL_FAULTS) if method == "getUpdates" else (0.1, SEND_FAULTS)
        return self.random.choice(faults) if self.random.random() < chance else None

    def _push(self, chat: int, replies: int, alarms: int = 0, **update: Any) -> None:
        self.replies[chat] += replies
        self.alarms[chat] += alarms
        self._last = {"update_id": self.api.push(**update), **update}

    def _place(self) -> str:
        return f"cramp in my {self.random.choice(PLACES)}"

    def _text(self, chat: int) -> None:
        self._push(chat, 1, message=self.api.message(chat, text=self._place()))

    def _danger(self, chat: int) -> None:
        self._push(chat, 1, 1, message=self.api.message(chat, text=f"{self._place()} and {CHEST}"))

    def _caption(self, chat: int) -> None:
        danger = self.random.random() < 0.5
        photo = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
        caption = CHEST if danger else self._place()
        self._push(chat, 2, danger, message=self.api.message(chat, photo=photo, caption=caption))

    def _edit(self, chat: int) -> None:
        danger = self.random.random() < 0.5
        self._push(chat, 1, danger, edited_message=self.api.message(chat, text=CHEST if danger else self._place()))

    def _wordless(self, chat: int) -> None:
        self._push(chat, 1, message=self.api.message(chat, voice={"file_id": "f", "duration": 1}))

    def _service(self, chat: int) -> None:
        self._push(chat, 0, message=self.api.message(chat, pinned_message={}))

    def _command(self, chat: int) -> None:
        self._push(chat, 1, message=self.api.message(chat, text="/help"))

    def _press(self, chat: int) -> None:
        self.replies[chat] += 1
        self.api.person(chat)
        self.api.press_data(chat, None, "forged")

    def _again(self, _: int) -> None:
        if self._last:
            self.api.again(self._last)

    def _group(self, _: int) -> None:
        self.groups += 1
        self.api.group(-self.groups)
        self._push(-self.groups, 1, message=self.api.message(-self.groups, text=CHEST))


class Run:
    """The run, for the tests to look at."""

    crowd: Crowd
    api: TelegramApi
    matrix: messengers.MatrixPerson | None = None
    heard: list[str]
    log: str


def kill(bot: LiveBot) -> None:
    """Kills the bot as a crash would; the supervisor then stops the rest."""
    os.kill(child(bot.process.pid, "bot.rasa_cli"), signal.SIGKILL)
    bot.process.wait(timeout=30)


@pytest.fixture(scope="module")
def run(model: str, tmp_path_factory: pytest.TempPathFactory, synapse: Synapse | None) -> Iterator[Run]:
    folder: Path = tmp_path_factory.mktemp("restart")
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    with ExitStack() as stack:
        run = Run()
        run.api = stack.enter_context(TelegramApi().running())
        run.crowd = Crowd(run.api, seed)
        run.api.chaos = run.crowd.faults
        environment = run.api.environment
        if synapse:
            server = synapse.with_bot("restarted")
            environment = {**environment, **server.environment}
            people = stack.enter_context(messengers.matrix(server))
        with live_bot(folder, **environment) as bot:
            if synapse:
                run.matrix = people.person()
                run.matrix.say("!privacy")
                run.matrix.hear()
            run.api.fail("getUpdates", ApiError(409, "Conflict: terminated by other getUpdates request"))
            for _ in range(UPDATES // 2):
                run.crowd.act()
            run.api.wait(lambda: sum(len(chat.sent) for chat in run.api.chats.values()) > UPDATES // 8, 60)
            run.api.freeze()
            run.api.wait(lambda: run.api.held, 60)
            if run.matrix:
                for place in PLACES[:4]:
                    run.matrix.say(f"cramp in my {place}")
                run.matrix.hear()
            kill(bot)
            run.api.thaw()
        run.log = bot.log.read_text()
        for _ in range(UPDATES // 2):
            run.crowd.act()
        if run.matrix:
            for place in PLACES[4:]:
                run.matrix.say(f"cramp in my {place}")
        with live_bot(folder, **environment) as bot:
            expected = sum(run.crowd.replies.values())
            run.api.wait(lambda: sum(len(chat.sent) for chat in run.api.chats.values()) >= expected, 150)
            run.api.settle(2)
            if run.matrix:
                run.matrix.settle(0.5)
            run.log += bot.log.read_text()
        yield run


def test_nothing_is_lost_and_nothing_answered_twice(run: Run):
    notice = PHRASES["notice_telegram"]
    heard = {chat: [text for text in run.api.texts(chat) if text != notice] for chat in run.crowd.replies}
    wrong = {chat: (len(heard[chat]), count) for chat, count in run.crowd.replies.items() if len(heard[chat]) != count}
    assert not wrong


def test_nothing_is_unscreened(run: Run):
    alarms = {chat: sum(text.startswith("Call") for text in run.api.texts(chat)) for chat in run.crowd.alarms}
    assert alarms == dict(run.crowd.alarms) and sum(alarms.values()) > UPDATES // 20


def test_notice_comes_once_for_each_person(run: Run):
    notices = defaultdict(int, {chat: run.api.texts(chat).count(PHRASES["notice_telegram"]) for chat in run.api.chats})
    people = [chat for chat, count in run.crowd.replies.items() if chat > 0 and count]
    assert {notices[chat] for chat in people} == {1}


def test_limits_are_kept(run: Run):
    """A busy machine sends in bunches, so Telegram may say 429 now and then; that is obeyed, and nothing is lost."""
    assert not run.api.violations
    assert len(run.api.flooded) <= UPDATES // 100


def test_matrix_loses_and_repeats_nothing(run: Run):
    if run.matrix is None:
        pytest.skip("Synapse, the tests' Matrix server, could not be installed here")
    answers = [text.split("\n")[0] for text in run.matrix.said if text.startswith("I understood")]
    assert [next(place for place in PLACES if place in answer) for answer in answers] == list(PLACES)


def test_two_pollers_are_explained_in_the_log(run: Run):
    assert "another program polls with the same TELEGRAM_BOT_TOKEN" in run.log
