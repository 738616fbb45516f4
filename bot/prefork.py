"""Serves in a forked copy of a process that has loaded everything, so that another is there at once when one is killed.

A bot takes a dozen seconds of a processor to load, in which it would answer nobody and slow down what else runs there.
A copy takes half a second and shares the memory of what was loaded.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from bot import discretion

# Copies that are killed again and again say that something is wrong with what is copied.
MOST, WITHIN_SECONDS = 3, 60.0
STOPPING = {signal.SIGTERM, signal.SIGINT}
AWAITED = STOPPING | {signal.SIGCHLD}
_TASKS = Path("/proc/self/task")
_PR_SET_PDEATHSIG = 1


def serve(work: Callable[[], None], most: int = MOST) -> None:
    """Does the work in a copy of this process, and in another when one is killed.

    No connection may be open yet, as copies would share it. Where there are other threads, which copies would not have
    (TensorFlow starts some), this process does the work itself.

    Args:
        work: What a copy does; it ends with it.
        most: How many copies within a minute are replaced.

    Raises:
        SystemExit: A copy ended otherwise, or this process was told to; with the copy's code, as a shell gives it.
    """
    discretion.forbid_dumps()
    if not _is_alone():
        return work()
    gc.collect()
    gc.freeze()  # else a copy's garbage collector writes to every page, which is then shared no more
    killed: deque[float] = deque(maxlen=most)
    while True:
        code, told = _run(work)
        too_many = len(killed) == most and time.monotonic() - killed[0] < WITHIN_SECONDS
        if told or code >= 0 or too_many:
            sys.exit(code if code >= 0 else 128 - code)
        killed.append(time.monotonic())
        with suppress(OSError):
            print(f"killed by signal {-code}; a copy takes its place", flush=True)


def _is_alone() -> bool:
    """Tells whether this process has a single thread; where that cannot be seen, it counts as having several."""
    return _TASKS.is_dir() and len(list(_TASKS.iterdir())) == 1


def _run(work: Callable[[], None]) -> tuple[int, bool]:
    """Lets a copy do the work; gives its code when it has ended, and whether this process was told to stop."""
    # Taken one by one, not handled: a handler that ran just before a wait began would leave this process waiting.
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    origin, copy = os.getpid(), os.fork()
    if not copy:
        _do(work, origin)
    told = False
    while True:
        number = signal.sigwait(AWAITED)
        if number in STOPPING:
            told = True
            os.kill(copy, number)
            continue
        pid, status = os.waitpid(copy, os.WNOHANG)  # none where it was only stopped, or another's end is told late
        if pid:
            return os.waitstatus_to_exitcode(status), told


def _do(work: Callable[[], None], origin: int) -> NoReturn:
    """Does the work in this process, a copy, and ends with it, or when the one that it was copied from dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != origin:
        os._exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
    work()
    sys.exit()
