"""Who is answered first when many write."""

from __future__ import annotations

import asyncio

import pytest

from bot.channels.fairness import CROWD, HALF_LIFE_SECONDS, MOST_TYPED, WAITS_SECONDS, Crowded, FairQueue, Usage


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Crowd:
    """People who write to one queue; `done` tells who was answered, in order."""

    def __init__(self, **limits: int) -> None:
        self.queue = FairQueue(at_once=1, **limits)
        self.done: list[str] = []
        self.gate = asyncio.Event()

    async def turn(self, sender: str, address: str | None = None) -> str:
        async with self.queue.turn(sender, address):
            await self.gate.wait()
            self.done.append(sender)
        return sender


async def test_who_wrote_least_is_answered_first():
    crowd = Crowd()
    flood = [asyncio.ensure_future(crowd.turn("flooder")) for _ in range(20)]
    await settle()
    person = asyncio.ensure_future(crowd.turn("person"))
    await settle()
    crowd.gate.set()
    await asyncio.gather(*flood, person)
    assert crowd.done.index("person") == 1  # right after the turn that was under way


async def test_who_was_in_conversation_goes_before_a_crowd_of_strangers():
    crowd = Crowd()
    crowd.gate.set()
    for _ in range(5):
        await crowd.turn("person")
    crowd.gate.clear()
    strangers = [asyncio.ensure_future(crowd.turn(f"stranger {n}", f"10.0.0.{n}")) for n in range(5 * CROWD)]
    await settle()
    person = [asyncio.ensure_future(crowd.turn("person")) for _ in range(2)]
    await settle()
    crowd.gate.set()
    await asyncio.gather(*strangers, *person)
    places = [place for place, who in enumerate(crowd.done[5:]) if who == "person"]
    # Whoever waited before there was a crowd is no stranger.
    assert places[0] <= CROWD + 1 and places[1] == places[0] + 1
    assert len(crowd.queue._known) <= 2 + CROWD + CROWD  # one of the crowd is no acquaintance


async def test_in_a_crowd_a_flooder_is_a_stranger_and_overtakes_not_even_itself():
    crowd, many = Crowd(), int(MOST_TYPED) + 10
    crowd.gate.set()
    for _ in range(many):
        await crowd.turn("flooder")
    await crowd.turn("person")
    crowd.gate.clear()
    strangers = [asyncio.ensure_future(crowd.turn(f"stranger {n}")) for n in range(CROWD + 5)]
    await settle()
    flood = [asyncio.ensure_future(crowd.turn("flooder")) for _ in range(3)]
    person = asyncio.ensure_future(crowd.turn("person"))
    await settle()
    crowd.gate.set()
    await asyncio.gather(*flood, *strangers, person)
    after = crowd.done[many + 1 :]
    assert after.index("person") < after.index(f"stranger {CROWD + 4}") < after.index("flooder")


async def test_many_sessions_of_one_address_count_together():
    crowd = Crowd()
    flood = [asyncio.ensure_future(crowd.turn(f"session {n}", "203.0.113.1")) for n in range(60)]
    await settle()
    known = [asyncio.ensure_future(crowd.turn("person", "203.0.113.2")) for _ in range(2)]
    await settle()
    crowd.gate.set()
    await asyncio.gather(*flood, *known)
    assert max(i for i, who in enumerate(crowd.done) if who == "person") < 15


async def test_whoever_talks_longest_is_not_kept_waiting_by_ever_new_people():
    clock = Clock()
    queue, done = FairQueue(at_once=1, clock=clock), []
    gate = asyncio.Semaphore(0)

    async def turn(sender: str) -> None:
        async with queue.turn(sender):
            await gate.acquire()
            done.append(sender)

    turns = [asyncio.ensure_future(turn("talker")) for _ in range(5)]
    await settle()
    for number in range(40):
        turns.append(asyncio.ensure_future(turn(f"new {number}")))
        clock.now += 0.1
        gate.release()
        await settle()
    assert done.count("talker") == 5
    for _ in turns:
        gate.release()
    await asyncio.gather(*turns)


async def test_turns_that_were_given_up_take_no_place_among_those_that_wait():
    crowd = Crowd(most_waiting=3)
    running = asyncio.ensure_future(crowd.turn("running"))
    await settle()
    given_up = [asyncio.ensure_future(crowd.turn(f"gone {number}")) for number in range(3)]
    await settle()
    for task in given_up:
        task.cancel()
    # They have not left yet when the next ones come.
    people = [asyncio.ensure_future(crowd.turn(f"person {number}")) for number in range(3)]
    await settle()
    crowd.gate.set()
    await asyncio.gather(running, *people)
    assert crowd.queue._free == 1 and not crowd.queue._waiting


async def test_one_persons_turns_keep_their_order():
    queue, done = FairQueue(at_once=1), []

    async def turn(number: int) -> None:
        async with queue.turn("person"):
            done.append(number)

    await asyncio.gather(*(turn(number) for number in range(10)))
    assert done == list(range(10))


async def test_one_sender_never_holds_more_than_one_place():
    crowd = Crowd()
    crowd.queue = FairQueue(at_once=2)
    flood = [asyncio.ensure_future(crowd.turn("flooder")) for _ in range(3)]
    await settle()
    assert crowd.queue._free == 1  # for somebody else
    person = asyncio.ensure_future(crowd.turn("person"))
    await settle()
    assert crowd.queue._free == 0
    crowd.gate.set()
    await asyncio.gather(*flood, person)
    assert crowd.done.count("flooder") == 3 and crowd.queue._free == 2 and not crowd.queue._under_way


async def test_too_many_are_told_and_those_who_wrote_least_stay():
    crowd = Crowd(most_waiting=10)
    flood = [asyncio.ensure_future(crowd.turn("flooder")) for _ in range(30)]
    await settle()
    people = [asyncio.ensure_future(crowd.turn(f"person {n}")) for n in range(5)]
    await settle()
    crowd.gate.set()
    answers = await asyncio.gather(*flood, *people, return_exceptions=True)
    assert not [answer for answer in answers[30:] if isinstance(answer, Crowded)]
    assert sum(isinstance(answer, Crowded) for answer in answers[:30]) == 30 + 5 - 11


async def test_a_turn_that_waits_for_something_else_holds_up_nobody():
    queue, forever = FairQueue(at_once=1), asyncio.Event()

    async def hangs() -> None:
        async with queue.turn("one"):
            await forever.wait()

    task = asyncio.ensure_future(hangs())
    await settle()

    async def quick() -> None:
        async with queue.turn("other"):
            pass

    await asyncio.wait_for(quick(), WAITS_SECONDS * 10)
    forever.set()
    await task
    await asyncio.wait_for(asyncio.gather(quick(), quick()), 1)
    assert queue._free == 1


@pytest.mark.parametrize("running", [False, True])
async def test_a_turn_that_is_given_up_leaves_no_hole(running: bool):
    crowd = Crowd()
    first = asyncio.ensure_future(crowd.turn("first"))
    await settle()
    second = asyncio.ensure_future(crowd.turn("second"))
    await settle()
    (first if running else second).cancel()
    await settle()
    crowd.gate.set()
    await asyncio.gather(first, second, return_exceptions=True)
    await asyncio.wait_for(crowd.turn("third"), 1)
    assert crowd.queue._free == 1


async def test_long_messages_of_one_address_are_refused_after_some_and_short_ones_are_not():
    queue = FairQueue()

    async def turn(number: int, address: str, length: int) -> bool:
        try:
            async with queue.turn(f"session {number}", address, length):
                return True
        except Crowded:
            return False

    taken = [await turn(number, "203.0.113.1", 4000) for number in range(20)]
    assert taken[:3] == [True] * 3 and not any(taken[6:])
    assert await turn(99, "203.0.113.1", 40)
    assert await turn(99, "203.0.113.2", 4000)


def test_what_somebody_wrote_is_forgotten():
    clock = Clock()
    usage = Usage(clock)
    for _ in range(8):
        usage.add("one")
    clock.now = HALF_LIFE_SECONDS * 3
    assert usage.add("one") == pytest.approx(1.0)
    assert usage.add("other") == 0
