"""The store of conversations, the counts and the locks on SQLite, PostgreSQL and Redis alike."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rasa.core.lock_store import LockError
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered, SessionStarted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from bot.channels.inbox import Event, Inbox, Part
from bot.channels.sessions import read_key
from bot.core.turn import ERASE
from bot.database import check_database
from bot.errors import ConfigError
from bot.evaluation.servers import PASSWORD, Server
from bot.feedback import Count, Feedback, Vote
from bot.lock_store import ConversationLocks
from bot.retention import DAY_SECONDS, SESSION_SECONDS
from bot.settings import read_settings
from bot.shared import TIMEOUT_SECONDS, Shared, check_redis, outage_of
from bot.tracker_store import RECENT_MESSAGES, ConversationStore

pytestmark = pytest.mark.server
DOMAIN = Domain.empty()
Make = Callable[..., ConversationStore]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state.db"
        return
    server: Server = request.getfixturevalue("postgres")
    yield server.url
    with ConversationStore(DOMAIN, server.url).engine.begin() as connection:
        connection.execute(text("drop table if exists events, feedback, secrets"))


def tracker(sender: str, *words: str, age: float = 0.0) -> DialogueStateTracker:
    made = DialogueStateTracker(sender, [])
    for said in words:
        made.update(UserUttered(said, timestamp=time.time() - age))
    return made


def words(store: ConversationStore, sender: str) -> list[str]:
    kept = asyncio.run(store.retrieve_full_tracker(sender))
    return [event.text for event in kept.events] if kept else []


def test_a_turn_reads_its_own_conversation_and_little_of_the_others(postgres: Server):
    store = ConversationStore(DOMAIN, postgres.url)
    people, turns = 100, 60
    events = [SessionStarted(), UserUttered("hi"), SlotSet("one", 1), SlotSet("other", 2), BotUttered("hello")]
    with store.engine.begin() as connection:
        rows = [
            {"sender": f"person {number}", "kind": said.type_name, "slot": place, "data": json.dumps(said.as_dict())}
            for turn in range(turns)
            for number in range(people)
            for place, said in enumerate(events if turn == 0 else events[1:])
        ]
        into = "insert into events (sender_id, type_name, timestamp, action_name, data)"
        connection.execute(text(f"{into} values (:sender, :kind, 1, :slot, :data)"), rows)
        connection.execute(text("analyze events"))  # as PostgreSQL does by itself after a while
    asked: list[tuple[str, Any]] = []
    event.listen(store.engine, "before_cursor_execute", lambda *call: asked.append(call[2:4]))
    made = tracker("person 7")
    made.update(UserUttered("one more", metadata={"turn": "its id"}))
    asyncio.run(store.retrieve("person 7"))
    asyncio.run(store.save(made))
    reads = [(sql, values) for sql, values in asked if sql.lower().startswith("select") and " events" in sql]
    assert len(reads) == 3
    with store.engine.begin() as connection:
        for sql, values in reads:
            explained = connection.exec_driver_sql(f"explain (analyze, format json) {sql}", values).scalar_one()
            assert _rows_read(explained[0]["Plan"]) <= 2 * turns * len(events), sql  # at most twice its own
        connection.execute(text("drop table events"))


def _rows_read(plan: dict[str, Any]) -> int:
    dropped = sum(plan.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    below = plan.get("Plans", [])
    return (0 if below else plan["Actual Loops"] * plan["Actual Rows"]) + dropped + sum(map(_rows_read, below))


def test_turns_are_kept_in_order_and_once(url: str):
    store = ConversationStore(DOMAIN, url)
    for number in range(3):
        made = asyncio.run(store.retrieve("me")) or tracker("me")
        made.update(UserUttered(f"message {number}"))
        asyncio.run(store.save(made))
    assert words(ConversationStore(DOMAIN, url), "me") == ["message 0", "message 1", "message 2"]


def test_a_turn_is_given_the_last_messages_and_every_slot(url: str):
    slot = "{type: text, influence_conversation: false, mappings: [{type: custom}]}"
    store = ConversationStore(Domain.from_yaml(f"slots: {{early: {slot}, each: {slot}}}"), url)
    count = RECENT_MESSAGES + 3
    for number in range(count):
        made = asyncio.run(store.retrieve("me")) or DialogueStateTracker("me", store.domain.slots)
        made.update(UserUttered(f"message {number}"))
        made.update(SlotSet("each", f"{number}"))
        if number < 2:
            made.update(SlotSet("early", f"{number}"))
        asyncio.run(store.save(made))
    given = asyncio.run(store.retrieve("me"))
    said = [event.text for event in given.events if isinstance(event, UserUttered)]
    assert said == [f"message {number}" for number in range(3, count)]
    assert (given.get_slot("early"), given.get_slot("each")) == ("1", f"{count - 1}")
    kept = asyncio.run(store.retrieve_full_tracker("me"))
    assert [event.text for event in kept.events if isinstance(event, UserUttered)] == [
        f"message {number}" for number in range(count)
    ]


def test_deleting_leaves_nothing_of_one_person_and_all_of_another(url: str, tmp_path: Path):
    store = ConversationStore(DOMAIN, url)
    for sender in ("leaves", "stays"):
        asyncio.run(store.save(tracker(sender, f"xyzzy of the one who {sender}")))
    made = asyncio.run(store.retrieve("leaves"))
    made.update(UserUttered("delete my data"))
    made.update(BotUttered("Deleted.", {"custom": {ERASE: True}}))
    asyncio.run(store.save(made))
    assert words(store, "leaves") == [] and words(store, "stays") == ["xyzzy of the one who stays"]
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"leaves" not in on_disk and (b"stays" in on_disk) == url.startswith("sqlite")


def test_what_has_expired_is_deleted_and_nothing_else(url: str, tmp_path: Path):
    store = ConversationStore(DOMAIN, url)
    asyncio.run(store.save(tracker("old", *["plugh"] * 1200, age=31 * DAY_SECONDS)))
    asyncio.run(store.save(tracker("young", "hello", age=29 * DAY_SECONDS)))
    assert words(store, "old") and store._sweeper.sweep() == 0
    kept = ConversationStore(DOMAIN, url, retention_days="30")
    _until(lambda: not words(store, "old"))
    assert words(kept, "young") == ["hello"] and kept._sweeper.sweep() == 0
    _until(lambda: b"plugh" not in b"".join(path.read_bytes() for path in tmp_path.iterdir()))


def test_a_clock_that_is_put_forward_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog):
    store = ConversationStore(DOMAIN, f"sqlite:///{tmp_path}/state.db")
    asyncio.run(store.save(tracker("me", "hello")))
    store._sweeper._keep_seconds = 30 * DAY_SECONDS
    today = time.time
    monkeypatch.setattr("bot.retention.time.time", lambda: today() + 31 * DAY_SECONDS)
    assert store._sweeper.sweep() == 0 and words(store, "me") == ["hello"] and "put forward" in caplog.text


def _until(true: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_turns_do_not_wait_for_the_deletion_of_many(url: str):
    store = ConversationStore(DOMAIN, url)
    asyncio.run(store.save(tracker("old", *["x" * 500] * 8_000, age=99 * DAY_SECONDS)))
    store._sweeper._keep_seconds = DAY_SECONDS
    sweeping = threading.Thread(target=store._sweeper.sweep)
    sweeping.start()
    times = []
    while sweeping.is_alive() and len(times) < 200:
        started = time.monotonic()
        asyncio.run(store.save(tracker(f"new {len(times)}", "hello")))
        times.append(time.monotonic() - started)
        time.sleep(0.01)
    sweeping.join()
    # One deletion of everything would let no turn, or a single one, through.
    assert len(times) > 10 and sorted(times)[len(times) // 2] < 0.3 and max(times) < 2
    assert not words(store, "old") and words(store, "new 0") == ["hello"]


def test_several_stores_may_sweep_at_once(url: str):
    asyncio.run(ConversationStore(DOMAIN, url).save(tracker("old", *["x"] * 5000, age=9 * DAY_SECONDS)))
    stores = [ConversationStore(DOMAIN, url) for _ in range(3)]
    deleted = []
    for store in stores:
        store._sweeper._keep_seconds = DAY_SECONDS
    threads = [threading.Thread(target=lambda s=s: deleted.append(s._sweeper.sweep())) for s in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(deleted) == 3 and sum(deleted) == 5000 and not words(stores[0], "old")


def test_without_retention_nothing_is_on_disk_and_silence_ends_a_conversation(tmp_path: Path):
    settings = read_settings({"RETENTION_DAYS": "0", "STATE_FOLDER": str(tmp_path)})
    store = ConversationStore(DOMAIN, settings.conversations_url, retention_days=settings.retention_days)
    asyncio.run(store.save(tracker("me", "hello")))
    asyncio.run(store.save(tracker("silent", "hello", age=SESSION_SECONDS + 1)))
    assert words(store, "me") == ["hello"] and not list(tmp_path.iterdir())
    assert store._sweeper.sweep() == 1 and words(store, "me") == ["hello"] and not words(store, "silent")


def test_a_deletion_that_fails_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog):
    monkeypatch.setattr("bot.retention.LOOK_SECONDS", 0.05)
    store = ConversationStore(DOMAIN, f"sqlite:///{tmp_path}/state.db")
    asyncio.run(store.save(tracker("me", "xyzzy")))
    whole, failures = store._delete, iter([True, True, False])

    def delete(*args: object) -> None:
        if next(failures, False):
            raise OperationalError("delete", {"words": "xyzzy"}, Exception("database is locked"))
        whole(*args)

    monkeypatch.setattr(store, "_delete", delete)
    monkeypatch.setattr(store._sweeper, "_delete_one", delete)
    made = asyncio.run(store.retrieve("me"))
    made.update(BotUttered("Deleted.", {"custom": {ERASE: True}}))
    asyncio.run(store.save(made))
    _until(lambda: not words(store, "me"))
    assert "xyzzy" not in caplog.text and "not stored" in caplog.text


def test_counts_are_shared_and_can_be_taken_back(url: str):
    one, other = Feedback(url), Feedback(url)
    threads = [
        threading.Thread(target=lambda f=f: [f.count(["b", "a"], ["c"], Vote("up")) for _ in range(50)])
        for f in (one, other, one, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.take_back(["a"], [], Vote("up"))
    assert one.counts() == [
        Count("fact", "c", "up", "", 200), Count("intent", "a", "up", "", 199), Count("intent", "b", "up", "", 200)
    ]  # fmt: skip


def test_processes_with_one_database_sign_with_one_key(url: str, tmp_path: Path):
    if url.startswith("sqlite"):
        pytest.skip("SQLite's key is in a file")
    folders = (read_settings({"DATABASE_URL": url, "STATE_FOLDER": str(tmp_path / name)}) for name in "ab")
    first, second = map(read_key, folders)
    assert first == second and len(first) == 64


@pytest.fixture(params=["memory", "redis"])
def two(request: pytest.FixtureRequest) -> tuple[Shared, Shared]:
    """What two processes share; without Redis there is only one."""
    if request.param == "memory":
        alone = Shared(None)
        return alone, alone
    server: Server = request.getfixturevalue("redis")
    return Shared(server.url), Shared(server.url)


async def test_a_lock_is_given_to_one_at_a_time_in_the_order_of_asking(two: tuple[Shared, Shared]):
    inside, order = 0, []

    async def turn(number: int) -> None:
        nonlocal inside
        async with two[number % 3 % 2].lock("conversation", 20):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.02)
            order.append(number)
            inside -= 1

    for shared in set(two):
        await shared.noted("x")  # opens the connection, which takes longer than the pause between two askers
    tasks = []
    for number in range(15):
        tasks.append(asyncio.create_task(turn(number)))
        await asyncio.sleep(0.01)
    await asyncio.gather(*tasks)
    assert order == list(range(15))


async def test_messages_of_one_process_keep_their_order_even_at_the_same_moment(two: tuple[Shared, Shared]):
    order = []

    async def turn(number: int) -> None:
        async with two[0].lock("conversation", 20):
            order.append(number)

    await asyncio.gather(*(turn(number) for number in range(30)))
    assert order == list(range(30))


async def test_a_lock_that_is_not_free_in_time_is_an_error_and_hurts_nobody(two: tuple[Shared, Shared]):
    async with two[0].lock("conversation", 5):
        with pytest.raises(asyncio.TimeoutError):
            async with two[1].lock("conversation", 0.1):
                raise AssertionError
    async with two[1].lock("conversation", 1):
        pass


async def test_a_lock_lasts_longer_than_its_lease_and_lapses_when_its_process_dies(redis: Server, monkeypatch):
    monkeypatch.setattr("bot.shared.LEASE_SECONDS", 0.3)
    alive, other = Shared(redis.url), Shared(redis.url)
    async with alive.lock("long", 5):
        await asyncio.sleep(0.7)
        with pytest.raises(asyncio.TimeoutError):
            async with other.lock("long", 0.1):
                raise AssertionError
    dead = alive.lock("dead", 5)
    await dead.__aenter__()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()  # nobody renews, nobody leaves
    started = time.monotonic()
    async with other.lock("dead", 5):
        assert 0.1 < time.monotonic() - started < 1


async def test_rates_and_notes_are_shared(two: tuple[Shared, Shared]):
    name = f"someone {time.time()}"
    taken = [await two[n % 2].take(name, 0.5, 4) for n in range(6)]
    assert taken == [True] * 4 + [False] * 2
    await two[0].note(name, {"a": [1]}, 60)
    assert await two[1].noted(name) == {"a": [1]}
    await two[1].forget(name)
    assert await two[0].noted(name) is None
    await two[0].note(name, "brief", 0.05)
    await asyncio.sleep(0.1)
    assert await two[1].noted(name) is None


async def test_a_process_goes_on_alone_without_redis_and_comes_back(redis: Server, monkeypatch, caplog):
    monkeypatch.setattr("bot.shared.LEFT_ALONE_SECONDS", 0.2)
    shared = Shared(redis.url)
    await shared.note("kept", 1, 60)
    redis.kill()
    try:
        async with shared.lock("conversation", 5):
            assert await shared.noted("kept") == 1
            assert await shared.take("someone", 1, 1) and not await shared.take("someone", 1, 1)
        assert "this process goes on alone" in caplog.text and PASSWORD not in caplog.text
    finally:
        redis.again()
    await asyncio.sleep(0.3)
    assert await shared.noted("kept") is None  # Redis keeps nothing over a start


async def test_who_asks_the_same_redis_waits_for_it_once(redis: Server):
    everybody = [Shared(redis.url) for _ in range(4)]
    redis.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        for shared in everybody:
            assert await shared.take("someone", 1, 1)
        assert time.monotonic() - started < 3 * TIMEOUT_SECONDS
    finally:
        redis.send_signal(signal.SIGCONT)
        outage_of(redis.url).until = 0


async def test_rasas_lock_store_is_ours(redis: Server):
    one, other = (ConversationLocks(EndpointConfig(redis.url)) for _ in range(2))
    async with one.lock("conversation"):
        with pytest.raises(LockError, match="not free in time"):
            async with other.lock("conversation", 0.1):
                raise AssertionError
    with pytest.raises(asyncio.TimeoutError):
        async with one.lock("conversation"):
            raise asyncio.TimeoutError  # the turn's own error stays what it is


def test_wrong_addresses_are_told_without_the_password(postgres: Server, redis: Server):
    for check, url in ((check_database, postgres.url), (check_redis, redis.url)):
        check(url)
        for wrong in (url.replace(PASSWORD, "wrong-p4ss"), url.replace("@127.0.0.1:", "@127.0.0.1:1", 1)[:-9] + "1/0"):
            with pytest.raises(ConfigError) as told:
                check(wrong)
            message = str(told.value)
            assert "wrong-p4ss" not in message and PASSWORD not in message and "\n" not in message
            assert "_URL" in message and "127.0.0.1" in message and "correct" in message


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
@pytest.mark.parametrize("value", ["x", "mysql://u:s3cret@h/d", "postgresql:/u:s3cret@h", "redis://h:s3cret:x"])
def test_what_is_no_address_is_told_without_the_password(name: str, value: str):
    with pytest.raises(ConfigError, match=name) as told:
        read_settings({name: value})
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "9999"])
def test_impossible_retention_is_told(value: str):
    with pytest.raises(ConfigError, match=r"RETENTION_DAYS is .* number of days"):
        read_settings({"RETENTION_DAYS": value})


def test_memory_cannot_be_shared():
    with pytest.raises(ConfigError, match="memory of one process"):
        read_settings({"RETENTION_DAYS": "0", "DATABASE_URL": "postgres://h/d"})
    assert read_settings({"DATABASE_URL": "postgres://u:p@h/d"}).conversations_url == "postgresql://u:p@h/d"


def test_a_channels_inbox_forgets_words_at_once_and_chats_with_time(tmp_path: Path):
    inbox = Inbox(tmp_path, "sms")
    event = Event("1", "chat xyzzy", "text", "my words xyzzy")
    assert inbox.accept(event) and b"xyzzy" in on_disk(tmp_path)
    inbox.plan(event, [Part("reply xyzzy")], {"1": "More"}, first=True)
    inbox.done(event)
    assert b"words xyzzy" not in on_disk(tmp_path) and b"reply xyzzy" not in on_disk(tmp_path)
    assert inbox.knows("chat xyzzy") and inbox.is_done(event)
    inbox.tidy(DAY_SECONDS)
    assert inbox.knows("chat xyzzy")
    time.sleep(0.01)
    inbox.tidy(0)
    assert not inbox.knows("chat xyzzy") and not inbox.accept(event)


def test_without_retention_a_channels_inbox_is_in_memory(tmp_path: Path):
    inbox = Inbox(None, "sms")
    assert inbox.accept(Event("1", "chat", "text", "words")) and inbox.waiting()[0].words == "words"
    assert not list(tmp_path.iterdir())


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
