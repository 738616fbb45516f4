"""Answers to questions: which facts, in which sections, within a readable length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.core.compose import WORD_BUDGET, Draft, goal_buttons, join
from bot.core.select import Selection, choose
from bot.core.turn import Answer, Button, Focus, State, unique
from bot.knowledge.loader import Knowledge
from bot.knowledge.schema import Goal

DESCRIBE = "describe"
SEE_DOCTOR, TREATMENT, CAUSES = "see_doctor", "treatment", "causes"
MAX_BUTTONS = 4


@dataclass(frozen=True)
class Setting:
    """What every reply needs: the knowledge base and the emergency number as text."""

    k: Knowledge
    emergency_number: str

    def draft(self) -> Draft:
        """Gives an empty answer to write."""
        return Draft(self.k, self.emergency_number)


@dataclass(frozen=True)
class Request:
    """A question to be answered.

    Attributes:
        intents: The intents that asked it, for the reply's `intents`.
        goals: Ids of goals, or `describe`.
        focus: What it is about.
        opening: A sentence of ours to begin with.
        closing: A sentence of ours to end with.
        skip: Facts not to tell again.
    """

    intents: tuple[str, ...]
    goals: tuple[str, ...]
    focus: Focus
    opening: str = ""
    closing: str = ""
    skip: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Section:
    goal: Goal
    selection: Selection
    limit: int


def answer(request: Request, state: State, setting: Setting) -> tuple[Answer, State]:
    """Answers a question from the facts and gives the state after it.

    The answer is cut to a readable length: facts are left for "more" until it fits.
    """
    k = setting.k
    goals = _without_self_care(request, setting)
    sections = [_section(goal, limit, request, k) for goal, limit in goals]
    longest = max((min(s.limit, len(s.selection.leads)) for s in sections), default=0)
    draft = _write(sections, longest, request, state, setting)
    for cut in range(longest - 1, 0, -1):
        if draft.words <= WORD_BUDGET + _extra_words(draft, state):
            break
        draft = _write(sections, cut, request, state, setting)
    return _finish(draft, sections, request, state, setting)


def understood(focus: Focus, k: Knowledge) -> str | None:
    """Says in a few words what the question was taken to be about, or None."""
    places = join(k.body_parts[part].name for part in focus.body_parts)
    when = " ".join(k.triggers[trigger].phrase for trigger in focus.triggers[:1])
    if not places and not when:
        return None
    key = "problem_with_place" if places else "problem"
    return k.phrases[key].format(place=places, when=when).strip()


def _without_self_care(request: Request, setting: Setting) -> list[tuple[str, int]]:
    """Gives goals with limits; self-care is left out where a person must not try it."""
    k = setting.k
    wanted: list[tuple[str, int]] = []
    for goal in request.goals:
        if goal == DESCRIBE:
            wanted.extend((part.goal, part.limit) for part in k.describe)
        else:
            wanted.append((goal, k.goals[goal].limit))
    if len(request.goals) > 1:
        wanted = [(goal, min(limit, 2)) for goal, limit in wanted]
    if _barred(request.focus, k):
        kept = [(goal, limit) for goal, limit in wanted if not k.goals[goal].treats]
        wanted = kept if any(goal == SEE_DOCTOR for goal, _ in kept) else [*kept, (SEE_DOCTOR, 2)]
    return wanted


def _barred(focus: Focus, k: Knowledge) -> bool:
    unsafe_place = any(not k.body_parts[part].self_care for part in focus.body_parts)
    return unsafe_place or bool(_held_back(focus, k))


def _held_back(focus: Focus, k: Knowledge) -> tuple[str, ...]:
    return tuple(c for c in focus.conditions if c in k.conditions and k.conditions[c].hold_back)


def _section(goal_id: str, limit: int, request: Request, k: Knowledge) -> _Section:
    goal = k.goals[goal_id]
    return _Section(goal, choose(goal, request.focus, k, request.skip), limit)


def _write(sections: Sequence[_Section], most: int, request: Request, state: State, setting: Setting) -> Draft:
    draft = setting.draft()
    k, focus = setting.k, request.focus
    draft.say(request.opening)
    _write_bars(draft, request)
    told: set[str] = set()
    for section in sections:
        leads = [lead for lead in section.selection.leads if lead not in told][: min(section.limit, most)]
        told.update(leads)
        differing = _differences(section, request)
        if not leads and not differing:
            continue
        draft.gap()
        draft.say(_heading(section, focus, k))
        for difference in differing:
            draft.differ(difference)
        # What the disagreement told already needs no bullet of its own.
        draft.tell([lead for lead in leads if lead not in draft.facts], focus.body_parts)
    if not told and not draft.facts:
        draft.say(draft.phrase("all_said" if request.skip else "nothing"))
    _write_closing(draft, sections, request, state)
    return draft


def _write_bars(draft: Draft, request: Request) -> None:
    """Says why self-care is left out, if it is."""
    k, focus = draft.k, request.focus
    if held := _held_back(focus, k):
        draft.say(draft.phrase("hold_back", what=join(k.conditions[c].name for c in held)))
    treats = DESCRIBE in request.goals or any(k.goals[g].treats for g in request.goals if g in k.goals)
    for part in focus.body_parts:
        if treats and not k.body_parts[part].self_care:
            draft.say(draft.phrase(f"no_self_care_{part}"))


def _differences(section: _Section, request: Request) -> tuple[str, ...]:
    named = request.focus.conditions or request.focus.medicines
    return () if request.skip or named else section.goal.disagreements[:1]


def _heading(section: _Section, focus: Focus, k: Knowledge) -> str:
    selection, heading = section.selection, section.goal.heading
    about_named = selection.subject_matched and (focus.topics or focus.conditions or focus.medicines)
    if focus.triggers and not selection.trigger_matched and section.goal.id == CAUSES and not about_named:
        return k.phrases["heading_trigger"].format(
            heading=heading, trigger=k.triggers[focus.triggers[0]].name
        )
    if focus.body_parts and not selection.place_matched and not about_named:
        places = join(k.body_parts[part].name for part in focus.body_parts)
        return k.phrases["heading_place"].format(heading=heading, place=places)
    return k.phrases["heading"].format(heading=heading)


def _write_closing(draft: Draft, sections: Sequence[_Section], request: Request, state: State) -> None:
    k = draft.k
    draft.gap()
    if any(section.goal.safety_net for section in sections) or _barred(request.focus, k):
        draft.say(draft.fill(_safety_net(request.focus, k)))
    draft.say(request.closing)
    if any(section.goal.treats for section in sections):
        draft.say(draft.phrase("disclaimer"))
    if not state.introduced:
        draft.say(draft.phrase("assistant"))


def _safety_net(focus: Focus, k: Knowledge) -> str:
    region = k.body_parts[focus.body_parts[0]].region if focus.body_parts else "any"
    return k.safety_nets[region].text


def _extra_words(draft: Draft, state: State) -> int:
    """Words that are said once a conversation and do not count against the length of an answer."""
    return 0 if state.introduced else len(draft.phrase("assistant").split())


def _finish(
    draft: Draft, sections: Sequence[_Section], request: Request, state: State, setting: Setting
) -> tuple[Answer, State]:
    k, focus = setting.k, request.focus
    waiting = any(
        lead not in draft.facts for section in sections for lead in section.selection.leads[: section.limit + 4]
    )
    offers = _offers(request.goals, k)
    reply = Answer(
        kind="answer",
        text=draft.text,
        intents=request.intents,
        buttons=((*_more(k),) if waiting else ()) + goal_buttons(offers, k)[: MAX_BUTTONS - 1],
        body_part=focus.body_parts[0] if focus.body_parts else None,
        trigger=focus.triggers[0] if focus.triggers else None,
        facts=tuple(draft.facts),
        sources=draft.sources,
        understood=understood(focus, k),
        disclaimer=k.phrases["disclaimer"],
        cautions=tuple(draft.cautions),
        disagreements=tuple(draft.disagreements),
    )
    after = replace(
        state.with_focus(focus),
        goals=request.goals,
        offers=offers,
        said=unique((*state.said, *draft.facts)),
        last=tuple(draft.facts) or state.last,
        listed=tuple(draft.listed),
        pending=(),
        introduced=True,
        kind=reply.kind,
    )
    return reply, after


def _offers(goals: tuple[str, ...], k: Knowledge) -> tuple[str, ...]:
    told = {part.goal for part in k.describe} if DESCRIBE in goals else set(goals)
    follow = ("heat_or_cold", "prevention", "exercise") if DESCRIBE in goals else ()
    named = (goal for name in goals if name in k.goals for goal in k.goals[name].next)
    return tuple(goal for goal in unique((*follow, *named)) if goal not in told)[: MAX_BUTTONS - 1]


def _more(k: Knowledge) -> tuple[Button, ...]:
    return (Button(k.phrases["button_more"], k.phrases["payload_more"]),)
