"""Finds the processes that a test started."""

from __future__ import annotations

from pathlib import Path


def child(parent: int, part: str) -> int:
    """Gives the process of a part that its others were copied from."""
    return running(parent, part)[0]


def running(parent: int, part: str) -> list[int]:
    """Gives the processes of a part, each before those that were copied from it."""
    return [pid for pid in children(parent) if part in command(pid)]


def children(parent: int) -> list[int]:
    found, level = [], [parent]
    while level:
        level = [pid for up in level for pid in _direct(up)]
        found += level
    return found


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _direct(parent: int) -> list[int]:
    pids = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                pids.append(int(path.parent.name))
        except (OSError, IndexError):
            continue
    return pids
