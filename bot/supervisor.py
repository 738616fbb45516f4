"""Keeps processes running: honcho starts them and shows what they print; what dies or hangs is started again."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from honcho.manager import KILL_WAIT, SIGNALS, Manager
from honcho.printer import Message, Printer

from bot import logs

PROBE_SECONDS = 1.0
# While nobody listens another copy of the part is probably on its way (bot.prefork).
COMING_SECONDS = 10.0
# A part that dies again and again is given time, so that it does not keep the machine busy with starting.
FIRST_PAUSE, LONGEST_PAUSE, STEADY_SECONDS = 0.1, 10.0, 60.0


class PatientPrinter(Printer):
    """Goes on when nothing can be printed: a full disk under the log must not end what is watched over."""

    def write(self, message: Message) -> None:
        """Prints what a process wrote (see parent)."""
        with suppress(OSError):
            self.show(message)

    def show(self, message: Message) -> None:
        """Prints it as honcho does."""
        super().write(message)


class JsonPrinter(PatientPrinter):
    """Prints lines of JSON as they are, and any other line as one."""

    def show(self, message: Message) -> None:
        """Prints it as JSON."""
        data = message.data
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        for row in text.splitlines():
            print(row if row.startswith("{") else logs.line(row, process=message.name), file=self.output, flush=True)


@dataclass
class Part:
    """A process that is kept running.

    Attributes:
        command: How a shell starts it.
        url: What it answers when it is well, whatever the answer is.
        patience: Seconds without an answer, once it has given one, after which it counts as hanging.
        pid: Its process.
        started: When it was started last.
        answered: When it answered last, or None if not since it was started.
        proven: Whether it has ever answered; if it dies before, starting it again would not help.
        pause: How long to wait before it is started again.
    """

    command: str
    url: str
    patience: float
    pid: int | None = None
    started: float = 0.0
    answered: float | None = None
    proven: bool = False
    pause: float = FIRST_PAUSE


class Supervisor(Manager):
    """Runs parts until a signal comes or one cannot be started."""

    returncode: int | None

    def __init__(self, parts: dict[str, Part], environment: dict[str, str], folder: str, json_lines: bool) -> None:
        """Keeps the parts; nothing is started yet."""
        super().__init__((JsonPrinter if json_lines else PatientPrinter)(sys.stdout))
        self._parts = parts
        for name, part in parts.items():
            self.add_process(name, part.command, env=environment, cwd=folder)

    def loop(self) -> None:
        """Runs the parts (see parent); `returncode` then holds a signal's code, or that of the part that failed."""
        for number in SIGNALS:
            signal.signal(number, lambda received, _: self._end(SIGNALS[received]["rc"]))
        for name in self._parts:
            self._begin(name)
            threading.Thread(target=self._watch, args=(self._parts[name],), daemon=True).start()
        ends: float | None = None
        while True:
            try:
                self._take(self.events.get(timeout=0.1))
                continue
            except queue.Empty:
                pass
            if not self._terminating:
                continue
            if not any(part.pid for part in self._parts.values()):
                return
            ends = ends or time.monotonic() + KILL_WAIT
            if time.monotonic() > ends:
                self._signal_all(signal.SIGKILL)

    def _begin(self, name: str) -> None:
        part = self._parts[name]
        part.started, part.answered = time.monotonic(), None
        run = self._processes[name]["obj"].run
        multiprocessing.Process(name=name, target=run, args=(self.events, True)).start()

    def _take(self, event: Any) -> None:
        if event.type == "line":
            self._printer.write(event)
        elif event.type == "start":
            self._parts[event.name].pid = event.data["pid"]
            if self._terminating:
                self._signal_all(signal.SIGTERM)
        elif event.type == "stop":
            self._stopped(event.name, event.data["returncode"])

    def _stopped(self, name: str, code: int) -> None:
        part = self._parts[name]
        part.pid = None
        if self._terminating:
            return
        if not part.proven:
            self._system_print(f"{name} could not start (code {code})\n")
            self._end(code or 1)
            return
        lasted = time.monotonic() - part.started
        part.pause = FIRST_PAUSE if lasted > STEADY_SECONDS else min(part.pause * 2, LONGEST_PAUSE)
        self._system_print(f"{name} died (code {code}) and is started again\n")
        threading.Timer(part.pause, self._begin_again, (name,)).start()

    def _begin_again(self, name: str) -> None:
        if not self._terminating:
            self._begin(name)

    def _end(self, code: int) -> None:
        if self.returncode is None:
            self.returncode = code
        self._terminating = True
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, number: signal.Signals) -> None:
        for part in self._parts.values():
            _signal(part, number)

    def _watch(self, part: Part) -> None:
        """Ends a part that hangs; `loop` then starts it again."""
        while not self._terminating:
            # Often until it answers: a part that dies before it is seen to work once counts as one that cannot start,
            # and one that hangs is known by having answered before.
            time.sleep(PROBE_SECONDS if part.answered else FIRST_PAUSE)
            asked = part.started
            patience = _asked(part)
            if patience is None:
                part.answered, part.proven = time.monotonic(), True
            elif part.answered and asked == part.started and time.monotonic() - part.answered > patience:
                part.answered = None
                _signal(part, signal.SIGKILL)


def _asked(part: Part) -> float | None:
    """Gives None when a part answers, else how many seconds without an answer are too many."""
    try:
        with urllib.request.urlopen(part.url, timeout=part.patience / 2):
            return None
    except urllib.error.HTTPError:
        return None
    except urllib.error.URLError as error:
        nobody_listens = isinstance(error.reason, ConnectionRefusedError)
        return max(part.patience, COMING_SECONDS) if nobody_listens else part.patience
    except (OSError, ValueError):
        return part.patience


def _signal(part: Part, number: signal.Signals) -> None:
    if part.pid is not None:
        try:
            os.killpg(part.pid, number)  # honcho gives each a group of its own
        except ProcessLookupError:
            part.answered = None
