"""The store keeps what Rasa's own store keeps, each event once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy import text

from bot.tracker_store import ConversationStore


@pytest.fixture
def domain() -> Domain:
    """A domain with one slot."""
    return Domain.from_dict({"slots": {"body_part": {"type": "text", "mappings": [{"type": "custom"}]}}})


def talk(store: SQLTrackerStore, domain: Domain) -> list[tuple[str, str]]:
    """Stores three turns and gives the type and the text or value of the rows."""

    async def turns() -> None:
        tracker = DialogueStateTracker("someone", domain.slots)
        for number in range(3):
            tracker.update(UserUttered(f"message {number}", timestamp=float(number)), domain)
            tracker.update(SlotSet("body_part", f"part {number}", timestamp=float(number)), domain)
            tracker.update(BotUttered(f"reply {number}", timestamp=float(number)), domain)
            await store.save(tracker)
            tracker = await store.retrieve("someone")

    asyncio.run(turns())
    with store.engine.connect() as connection:
        rows = connection.execute(text("select type_name, data from events order by id"))
        return [(name, json.loads(data).get("text") or json.loads(data).get("value")) for name, data in rows]


def test_rows_are_those_of_rasas_own_store(tmp_path: Path, domain: Domain) -> None:
    ours = talk(ConversationStore(domain, db=str(tmp_path / "ours.db")), domain)
    theirs = talk(SQLTrackerStore(domain, db=str(tmp_path / "theirs.db")), domain)
    assert len(ours) == 9
    assert ours == theirs


def test_two_people_at_once_lose_nothing(tmp_path: Path, domain: Domain) -> None:
    store = ConversationStore(domain, db=str(tmp_path / "store.db"))

    async def person(name: str) -> int:
        for number in range(5):
            tracker = await store.retrieve(name) or DialogueStateTracker(name, domain.slots)
            tracker.update(UserUttered(f"message {number}"), domain)
            await asyncio.to_thread(asyncio.run, store.save(tracker))
        return len((await store.retrieve(name)).events)

    async def everybody() -> list[int]:
        return list(await asyncio.gather(*(person(f"person {n}") for n in range(8))))

    assert asyncio.run(everybody()) == [5] * 8


def test_erase_leaves_nothing_of_one_person_and_all_of_another(tmp_path: Path, domain: Domain) -> None:
    store = ConversationStore(domain, db=str(tmp_path / "store.db"))

    async def scenario() -> tuple[object, object]:
        for name in ("leaves", "stays"):
            tracker = DialogueStateTracker(name, domain.slots)
            tracker.update(UserUttered(f"words of who {name}"), domain)
            await store.save(tracker)
        await store.erase("leaves")
        return await store.retrieve_full_tracker("leaves"), await store.retrieve_full_tracker("stays")

    gone, kept = asyncio.run(scenario())
    assert gone is None
    assert kept is not None
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"words of who stays" in written and b"words of who leaves" not in written
