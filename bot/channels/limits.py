"""Limits of the web channel: how fast, how many, from where."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Clock = Callable[[], float]


@dataclass
class Bucket:
    """A token bucket: `burst` at once, then `rate` a second."""

    rate: float
    burst: float
    clock: Clock = time.monotonic
    tokens: float = field(init=False)
    filled: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens, self.filled = self.burst, self.clock()

    def take(self) -> bool:
        """Takes one token, if there is one."""
        now = self.clock()
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Sockets:
    """How many sockets each address has open here.

    Several people can share an address (a clinic, a mobile network), so its limits are far above a person's.
    """

    def __init__(self, most: int) -> None:
        """Keeps the most that an address may have."""
        self._most = most
        self._open: dict[str, int] = {}

    def connect(self, address: str | None) -> bool:
        """Counts a socket, or refuses it; an unknown address (None) is never refused."""
        if address is None:
            return True
        if self._open.get(address, 0) >= self._most:
            return False
        self._open[address] = self._open.get(address, 0) + 1
        return True

    def disconnect(self, address: str | None) -> None:
        """Counts a socket out."""
        if address is None:
            return
        left = self._open.get(address, 0) - 1
        if left > 0:
            self._open[address] = left
        else:
            self._open.pop(address, None)


def client_address(peer: str, headers: Mapping[str, Any], proxies: Iterable[str]) -> str | None:
    """Gives the address of the visitor, or None when a proxy does not tell.

    Only what proxies of ours appended to X-Forwarded-For counts: anyone can write the rest. Without that header
    all visitors of a proxy would share its address and lock each other out, so there is then no address at all.
    """
    trusted = [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]
    hops = [hop.strip() for hop in str(headers.get("x-forwarded-for") or "").split(",") if hop.strip()]
    for address in [peer, *reversed(hops)]:
        if not _within(address, trusted):
            return address[:64]
    return None


def _within(address: str, networks: Iterable[Any]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
