"""Serves in a forked copy of a process that has loaded everything, so that another is there at once when one dies.

A bot takes a dozen seconds of a processor to load, in which it would answer nobody and slow down what else runs there.
A copy takes half a second and shares the memory of what was loaded.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

# What dies sooner than this is not replaced by a copy: something may be wrong with what is copied.
STEADY_SECONDS = 5.0
STOPPING = {signal.SIGTERM, signal.SIGINT}


def serve(work: Callable[[], None], steady: float = STEADY_SECONDS) -> None:
    """Does the work in a copy of this process, and in another whenever one is killed that had run for a while.

    No other thread and no connection may be there yet: copies do not have the one and would share the other.

    Args:
        work: What a copy does; it ends with it.
        steady: Seconds that a copy must have run to be replaced.

    Raises:
        SystemExit: A copy ended otherwise, or this process was told to; with the copy's code, as a shell gives it.
    """
    gc.collect()
    gc.freeze()  # else a copy's garbage collector writes to every page, which is then shared no more
    while True:
        began = time.monotonic()
        code, told = _run(work)
        if told or code >= 0 or time.monotonic() - began < steady:
            sys.exit(code if code >= 0 else 128 - code)
        print(f"killed by signal {-code}; a copy takes its place", flush=True)


def _run(work: Callable[[], None]) -> tuple[int, bool]:
    """Lets a copy do the work; gives its code when it has ended, and whether this process was told to stop."""
    told = False

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal told
        told = True
        os.kill(copy, number)

    # While there is no copy to pass a signal on to, it waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    end, held = os.pipe()
    copy = os.fork()
    if not copy:
        os.close(held)
        _do(work, end)
    os.close(end)
    for number in STOPPING:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    os.waitid(os.P_PID, copy, os.WEXITED | os.WNOWAIT)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    code = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
    os.close(held)
    return code, told


def _do(work: Callable[[], None], end: int) -> NoReturn:
    """Does the work in this process, a copy, and ends with it, or when whoever holds a pipe's other end is dead."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    threading.Thread(target=_end_with, args=(end,), daemon=True).start()
    work()
    sys.exit()


def _end_with(end: int) -> None:
    os.read(end, 1)
    os._exit(1)
