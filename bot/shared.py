"""What the bot's processes share in Redis: locks, rates and short notes. Nobody's words are among them.

Without REDIS_URL, and while Redis does not answer, the process goes on with its own memory: a person's reply matters
more than a rate that is counted twice.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakValueDictionary

from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from bot.channels.limits import Bucket
from bot.errors import ConfigError

_log = logging.getLogger(__name__)

# Redis is near and quick; what takes longer than this is broken, and left alone for a while.
TIMEOUT_SECONDS, LEFT_ALONE_SECONDS = 1.0, 5.0
# A place in a queue lapses when its process has not been heard of for so long.
LEASE_SECONDS = 5.0
# How often a process that waits looks whether it is its turn.
LOOK_SECONDS = 0.02
# More rates or notes than this are never remembered; the longest unused goes first.
MAX_REMEMBERED = 20_000
ALONE = object()

# KEYS: queue of tokens, time until which each is alive. ARGV: token, lease in seconds. Gives 1 to the first in the
# queue; those before it whose process died are taken out.
_LINE_UP = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then redis.call('RPUSH', KEYS[1], ARGV[1]) end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.6f', now + ARGV[2]))
local first = redis.call('LINDEX', KEYS[1], 0)
while first ~= ARGV[1] and tonumber(redis.call('HGET', KEYS[2], first) or 0) < now do
  redis.call('LPOP', KEYS[1]); redis.call('HDEL', KEYS[2], first)
  first = redis.call('LINDEX', KEYS[1], 0)
end
redis.call('EXPIRE', KEYS[1], 60); redis.call('EXPIRE', KEYS[2], 60)
return first == ARGV[1] and 1 or 0
"""
# KEYS and ARGV as above; one that has left stays away.
_RENEW = """
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return end
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.6f', now + ARGV[2]))
redis.call('EXPIRE', KEYS[1], 60); redis.call('EXPIRE', KEYS[2], 60)
"""
# KEYS as above. ARGV: token.
_LEAVE = "redis.call('LREM', KEYS[1], 0, ARGV[1]); redis.call('HDEL', KEYS[2], ARGV[1])"
# A token bucket. KEYS: its key. ARGV: rate, burst.
_TAKE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'filled')
local tokens = math.min(burst, (tonumber(kept[1]) or burst) + (now - (tonumber(kept[2]) or now)) * rate)
local enough = tokens >= 1 and 1 or 0
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - enough), 'filled', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 1)
return enough
"""


@dataclass
class Outage:
    """Whether a Redis is left alone for now; everybody in this process who asks it shares one, and waits once."""

    until: float = 0.0

    @property
    def lasts(self) -> bool:
        """Tells whether it is left alone."""
        return time.monotonic() < self.until

    def begin(self, error: BaseException) -> None:
        """Leaves it alone for a while."""
        if not self.lasts:
            _log.warning("Redis does not answer (%s): this process goes on alone", type(error).__name__)
        self.until = time.monotonic() + LEFT_ALONE_SECONDS


@cache
def outage_of(url: str) -> Outage:
    """Gives the outage of a Redis."""
    return Outage()


class Shared:
    """Locks, rates and notes."""

    def __init__(self, url: str | None) -> None:
        """Keeps the address; nothing is opened before it is needed."""
        timeouts = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
        self._redis: Redis | None = Redis.from_url(url, decode_responses=True, **timeouts) if url else None
        self._outage = outage_of(url) if url else Outage()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._notes: OrderedDict[str, tuple[float, Any]] = OrderedDict()

    @asynccontextmanager
    async def lock(self, name: str, patience: float) -> AsyncIterator[None]:
        """Holds a lock; those who wait get it in the order in which they came, over all processes.

        Raises:
            asyncio.TimeoutError: It was not free in time.
        """
        until = time.monotonic() + patience
        door, local = (self._locks.setdefault(f"{kind} {name}", asyncio.Lock()) for kind in ("door", "lock"))
        keys, token = (f"lock:{name}", f"alive:{name}"), uuid.uuid4().hex

        def line_up(redis: Redis) -> Awaitable[Any]:
            return redis.eval(_LINE_UP, 2, *keys, token, LEASE_SECONDS)

        renewal: asyncio.Task[None] | None = None
        try:
            async with door:  # Redis might read two connections in another order than they were written to
                first = await self._ask(line_up)
            if self._redis:
                renewal = asyncio.create_task(self._renew(keys, token))
            while first == 0:
                if time.monotonic() > until:
                    raise asyncio.TimeoutError
                await asyncio.sleep(LOOK_SECONDS)
                first = await self._ask(line_up)
            # Free at once, unless Redis is away.
            await asyncio.wait_for(local.acquire(), max(0.0, until - time.monotonic()))
            try:
                yield
            finally:
                local.release()
        finally:
            if renewal:
                renewal.cancel()
            await asyncio.shield(self._ask(lambda redis: redis.eval(_LEAVE, 2, *keys, token)))

    async def take(self, name: str, rate: float, burst: float) -> bool:
        """Takes one from an allowance of `burst` at once, then `rate` a second; False when it is used up."""
        taken = await self._ask(lambda redis: redis.eval(_TAKE, 1, f"rate:{name}", rate, burst))
        if taken is not ALONE:
            return bool(taken)
        bucket = self._buckets.setdefault(name, Bucket(rate, burst))
        _use(self._buckets, name)
        return bucket.take()

    async def note(self, name: str, value: Any, seconds: float) -> None:
        """Keeps a value that JSON can hold, for a while."""
        self._notes[name] = (time.monotonic() + seconds, value)
        _use(self._notes, name)
        await self._ask(lambda redis: redis.set(f"note:{name}", json.dumps(value), px=int(seconds * 1000)))

    async def noted(self, name: str) -> Any:
        """Gives a value that was kept, else None."""
        found = await self._ask(lambda redis: redis.get(f"note:{name}"))
        if found is not ALONE:
            return None if found is None else json.loads(found)
        until, value = self._notes.get(name, (0.0, None))
        return value if time.monotonic() < until else None

    async def forget(self, name: str) -> None:
        """Drops a value."""
        self._notes.pop(name, None)
        await self._ask(lambda redis: redis.delete(f"note:{name}"))

    async def _renew(self, keys: tuple[str, str], token: str) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            await self._ask(lambda redis: redis.eval(_RENEW, 2, *keys, token, LEASE_SECONDS))

    async def _ask(self, command: Callable[[Redis], Awaitable[Any]]) -> Any:
        """Gives what Redis answers, or ALONE when it does not."""
        if self._redis is None or self._outage.lasts:
            return ALONE
        try:
            try:
                return await command(self._redis)
            except (RedisTimeout, asyncio.TimeoutError):
                # This process itself may have been busy, with its first turn for example: then the answer is there.
                return await command(self._redis)
        except (RedisError, OSError, asyncio.TimeoutError) as error:
            self._outage.begin(error)
            return ALONE


def _use(remembered: OrderedDict[str, Any], name: str) -> None:
    remembered.move_to_end(name)
    while len(remembered) > MAX_REMEMBERED:
        remembered.popitem(last=False)


def check_redis(url: str) -> None:
    """Checks that Redis answers.

    Raises:
        ConfigError: It does not; the message says why, without the password.
    """
    try:
        client = BlockingRedis.from_url(
            url, socket_timeout=TIMEOUT_SECONDS * 3, socket_connect_timeout=TIMEOUT_SECONDS * 3
        )
        client.ping()
    except (RedisError, OSError) as error:
        where = url.rsplit("@", 1)[-1]
        raise ConfigError(
            f"The Redis of REDIS_URL ({where}) cannot be used: {error}. Start it, correct REDIS_URL, or unset it to "
            "run one process alone."
        ) from error
    client.close()
