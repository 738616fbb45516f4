"""No turn is lost or stored twice while the database is away, slow or full."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rasa.core.agent import Agent
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, BotUttered, SessionStarted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from bot import tracker_store
from bot.core.turn import ERASE
from bot.evaluation.servers import Server, kept_running
from bot.outbox import Batch, Outbox
from bot.tracker_store import ConversationStore
from tests.web.harness import serving, stored_echo, visitor

pytestmark = pytest.mark.server
SLOTS = "slots: {place: {type: text, influence_conversation: false, mappings: [{type: custom}]}}"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long."""
    monkeypatch.setattr(tracker_store, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr("bot.outbox.LOOK_SECONDS", 0.1)


@pytest.fixture
def store(postgres: Server) -> Iterator[ConversationStore]:
    store = ConversationStore(Domain.from_yaml(SLOTS), postgres.url)
    yield store
    with store.engine.begin() as connection:
        connection.execute(text("delete from events"))


async def turn(
    store: ConversationStore, words: str, place: str | None = None, id: str | None = None
) -> DialogueStateTracker:
    """A turn as Rasa runs it: read or begin the conversation, say something, store it."""
    tracker = await Agent(domain=store.domain, tracker_store=store).tracker_store.get_or_create_tracker(
        "me", append_action_listen=False
    )
    if not tracker.events:
        tracker.update(ActionExecuted("action_session_start"))
        tracker.update(SessionStarted())
        tracker.update(ActionExecuted("action_listen"))
    tracker.update(UserUttered(words, metadata={"turn": id} if id else None))
    tracker.update(SlotSet("place", place or tracker.get_slot("place")))
    tracker.update(BotUttered(f"You said: {words}"))
    await store.save(tracker)
    return tracker


def spoken(tracker: DialogueStateTracker) -> list[str]:
    return [each.text for each in tracker.events if isinstance(each, UserUttered)]


async def said(store: ConversationStore) -> list[str]:
    kept = await ConversationStore(store.domain, str(store.engine.url.render_as_string(False))).retrieve_full_tracker(
        "me"
    )
    return spoken(kept) if kept else []


async def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not true():
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)


async def test_a_database_that_is_started_again_is_waited_for(store: ConversationStore, postgres: Server):
    await turn(store, "one", place="calf")
    with kept_running(postgres):
        postgres.kill()
        tracker = await turn(store, "two")
        assert tracker.get_slot("place") == "calf"
        assert await said(store) == ["one", "two"]


async def test_turns_while_it_stays_away_are_stored_afterwards_and_the_conversation_goes_on(
    store: ConversationStore, postgres: Server, quick: None
):
    await turn(store, "one", place="calf")
    postgres.kill()
    try:
        assert (await turn(store, "two")).get_slot("place") == "calf", "what this process knows is not forgotten"
        await turn(store, "two and a half", place="foot")
        started = time.monotonic()
        tracker = await turn(store, "three")
        assert time.monotonic() - started < 2, "people wait once, not for each turn"
        assert spoken(tracker) == ["two", "two and a half", "three"]
        with pytest.raises(OperationalError):
            await store.exists("me")
    finally:
        postgres.again()
    await until(lambda: not store._outbox.batches("me"))
    assert await said(store) == ["one", "two", "two and a half", "three"]
    # What was answered without knowing the conversation neither begins it anew nor changes what was known.
    tracker = await turn(store, "four")
    assert tracker.get_slot("place") == "calf" and (await said(store))[-2:] == ["three", "four"]


async def test_a_message_that_two_processes_answer_is_stored_once(store: ConversationStore, postgres: Server):
    other = ConversationStore(store.domain, postgres.url)
    await turn(store, "one", id="message-one")
    for number in range(10):
        both = (turn(each, f"two {number}", id=f"message-{number}") for each in (store, other))
        await asyncio.gather(*both)
    await turn(other, 'not "turn": "message-3"', id="message-last")
    assert await said(store) == ["one", *(f"two {number}" for number in range(10)), 'not "turn": "message-3"']


async def test_a_message_that_another_process_answers_while_this_one_waits_to_store_it_is_stored_once(
    store: ConversationStore, postgres: Server, quick: None
):
    other = ConversationStore(store.domain, postgres.url)
    await turn(store, "one", id="message-one")
    postgres.kill()
    try:
        await turn(store, "two", id="message-two")
        assert store._outbox.batches("me")
    finally:
        postgres.again()
    await turn(other, "two", id="message-two")
    await until(lambda: not store._outbox.batches("me"))
    assert await said(store) == ["one", "two"]


async def test_a_reply_that_another_process_has_yet_to_store_is_not_made_anew(
    store: ConversationStore, postgres: Server, redis: Server, tmp_path: Path, quick: None, monkeypatch
):
    monkeypatch.setattr("bot.outbox.LOOK_SECONDS", 3.0)
    other = ConversationStore(store.domain, postgres.url)
    shared = {
        "REDIS_URL": redis.url,
        "DATABASE_URL": postgres.url,
        "WEB_SECRET": "a key of more than thirty-two letters",
    }
    async with (
        serving(tmp_path, stored_echo(store, "one"), kept=store, **shared) as url,
        serving(tmp_path, stored_echo(other, "other"), kept=other, **shared) as other_url,
        visitor(url) as here,
        visitor(other_url, begun=False) as there,
    ):
        postgres.kill()
        await here.say("calf cramp", id="the-same-turn")
        assert (await here.reply())["text"] == "one: calf cramp"
        await asyncio.to_thread(postgres.again)
        await there.begin(session_id=here.session)
        await there.say("calf cramp", id="the-same-turn", again=True)
        assert (await there.reply())["text"] == "one: calf cramp"


async def test_a_conversation_that_began_while_it_was_away_is_stored_whole(
    store: ConversationStore, postgres: Server, quick: None
):
    postgres.kill()
    try:
        await turn(store, "one", place="calf")
    finally:
        postgres.again()
    await until(lambda: not store._outbox.batches("me"))
    assert (await turn(store, "two")).get_slot("place") == "calf" and await said(store) == ["one", "two"]


@pytest.mark.parametrize("taken", [True, False])
async def test_a_turn_whose_storing_breaks_off_is_stored_once(
    store: ConversationStore, monkeypatch: pytest.MonkeyPatch, taken: bool
):
    """The connection breaks as the turn is stored, after the database has taken it or before."""
    broken = iter([True])
    commit = store.sessionmaker.class_.commit

    def breaks(session: object) -> None:
        if next(broken, False):
            if taken:
                commit(session)
            raise OperationalError("commit", {}, Exception("server closed the connection"))
        commit(session)

    monkeypatch.setattr(store.sessionmaker.class_, "commit", breaks)
    await turn(store, "one")
    assert await said(store) == ["one"] and not store._outbox.batches("me")


async def test_a_turn_that_is_given_up_while_it_is_stored_is_stored_once(
    store: ConversationStore, postgres: Server, quick: None
):
    await turn(store, "one")
    with store.engine.begin() as connection:
        connection.execute(text("lock table events in exclusive mode"))  # can be read, not written
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(turn(store, "two"), 0.1)
    await until(lambda: not store._outbox.batches("me"))
    assert await said(store) == ["one", "two"]


async def test_what_waits_is_deleted_with_its_conversation(store: ConversationStore, postgres: Server, quick: None):
    postgres.kill()
    try:
        tracker = await turn(store, "one")
        tracker.update(BotUttered("Deleted.", {"custom": {ERASE: True}}))
        await store.save(tracker)
    finally:
        postgres.again()
    await asyncio.sleep(0.5)
    assert await said(store) == []


async def test_a_full_disk_loses_nothing(tmp_path: Path, quick: None):
    """SQLite without room: what is stored can be read, nothing can be added."""
    store = ConversationStore(Domain.from_yaml(SLOTS), f"sqlite:///{tmp_path}/state.db")
    await turn(store, "one", place="calf")
    room = [1]  # SQLite takes the size that the file has for the least

    @event.listens_for(store.engine, "checkout")
    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"pragma max_page_count = {room[0]}")

    for number in range(40):
        tracker = await turn(store, f"{number} " + "x" * 1000)
    assert tracker.get_slot("place") == "calf" and store._outbox.batches("me")
    room[0] = 100_000
    tracker = await turn(store, "last")
    assert len(await said(store)) == 42 and not store._outbox.batches("me")


async def test_what_a_database_will_never_take_holds_up_nothing(store: ConversationStore):
    too_long = {"sender_id": "me", "type_name": "x" * 300, "timestamp": 1.0, "data": "{}"}
    store._outbox.add("me", Batch([too_long], unread=False))
    await turn(store, "one")
    assert not store._outbox.batches("me") and await said(store) == ["one"]


def test_clocks_do_not_order_a_conversation(tmp_path: Path):
    """A clock that is put back makes what is said later look earlier than the session's start."""
    store = ConversationStore(Domain.from_yaml(SLOTS), f"sqlite:///{tmp_path}/state.db")
    now = time.time()
    tracker = DialogueStateTracker("me", store.domain.slots)
    tracker.update(SessionStarted(timestamp=now))
    tracker.update(UserUttered("one", timestamp=now))
    asyncio.run(store.save(tracker))
    tracker.update(UserUttered("two", timestamp=now - 3000))
    asyncio.run(store.save(tracker))
    given = asyncio.run(store.retrieve("me"))
    assert spoken(given) == ["one", "two"]


def test_an_outbox_stores_each_turn_once_however_many_try():
    stored: list[str] = []

    def store(_: str, batches: list[Batch]) -> None:
        time.sleep(0.02)
        stored.extend(batch.rows[0]["n"] for batch in batches)

    outbox = Outbox(store)
    for number in range(20):
        outbox.add("me", Batch([{"n": number}], unread=False))
    threads = [threading.Thread(target=outbox.flush, args=("me",)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored == list(range(20)) and not outbox.batches("me")
