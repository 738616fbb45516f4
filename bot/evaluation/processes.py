"""What running processes take, from Linux's /proc: memory and processor time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Gives a process and all its descendants; of one that ends meanwhile, what is still there."""
    children: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    return [pid, *(each for child in children for each in tree(child))]


def of_module(pid: int, module: str) -> list[int]:
    """Gives those of a process's descendants that run a Python module."""
    return [each for each in tree(pid)[1:] if module in _command(each)]


def _command(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return []


def memory_mb(pids: Iterable[int]) -> float:
    """Gives the resident memory of processes, pages that several share counted once between them (PSS)."""
    rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in pids)
    return sum(int(line.split()[1]) for rollup in rollups for line in rollup if line.startswith("Pss:")) / 1024


def cpu_seconds(pids: Iterable[int]) -> float:
    """Gives the processor time that processes have used since they started."""
    # The name, in brackets, may hold blanks; the 14th and 15th fields are user and system time.
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(field[11]) + int(field[12]) for field in fields) / _TICKS
