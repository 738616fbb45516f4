"""Copies that take the place of a killed process, in real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import os, signal, sys, threading, time
from bot import prefork

def work():
    {first}
    print("works", os.getpid(), flush=True)
    {then}

{before}
prefork.serve(work, most={most})
"""

# In short sleeps: Python notices a signal that came just before a sleep began only after it.
WAITING = "while True: time.sleep(0.05)"


@contextmanager
def _serving(
    then: str = WAITING, most: int = 2, before: str = "", first: str = "pass"
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SCRIPT.format(then=then, most=most, before=before, first=first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _copy(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    for line in process.stdout:
        if line.startswith("works"):
            return int(line.split()[1])
    raise AssertionError("no copy works")


def _gone(pid: int) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_another_takes_the_place_of_one_that_is_killed():
    with _serving() as process:
        first = _copy(process)
        assert first != process.pid
        os.kill(first, signal.SIGKILL)
        second = _copy(process)
        os.kill(second, signal.SIGSEGV)
        third = _copy(process)
        assert len({process.pid, first, second, third}) == 4 and process.poll() is None


def test_what_is_killed_again_and_again_is_left_to_the_supervisor():
    with _serving("os.kill(os.getpid(), signal.SIGSEGV)") as process:
        assert process.wait(timeout=10) == 128 + signal.SIGSEGV
        assert process.stdout and process.stdout.read().count("works") == 3


def test_a_process_with_threads_serves_itself():
    with _serving(before="threading.Thread(target=time.sleep, args=(60,), daemon=True).start()") as process:
        assert _copy(process) == process.pid


@pytest.mark.parametrize(("then", "code"), [("sys.exit(3)", 3), ("pass", 0), ("1 / 0", 1)])
def test_a_copy_that_ends_by_itself_ends_all(then: str, code: int):
    with _serving(then) as process:
        assert process.wait(timeout=10) == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_passed_on(number: signal.Signals):
    with _serving(first="signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))") as process:
        copy = _copy(process)
        process.send_signal(number)
        assert process.wait(timeout=10) == (5 if number == signal.SIGTERM else 128 + number)
        assert _gone(copy)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_copy_ends_with_the_process_that_made_it(stopped: bool):
    with _serving() as process:
        copy = _copy(process)
        if stopped:
            os.kill(copy, signal.SIGSTOP)
        process.kill()
        assert _gone(copy)
