"""Answers to questions: which facts, in which sections, within a readable length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot.core import checks
from bot.core.compose import WORD_BUDGET, Draft, goal_buttons, join
from bot.core.select import Selection, choose, safe
from bot.core.turn import MAX_BUTTONS, Answer, Button, Focus, State, unique
from bot.knowledge.loader import Knowledge
from bot.knowledge.schema import Goal, SafetyNet, SafetyQuestion

DESCRIBE = "describe"
SEE_DOCTOR, TREATMENT, CAUSES = "see_doctor", "treatment", "causes"
HOLD_BACK = "hold_back"
# Offered after the answer to a described problem.
FOLLOW_DESCRIPTION = ("heat_or_cold", "prevention", "exercise", SEE_DOCTOR)
# After so many answers there is enough to write down.
ANSWERS_BEFORE_NOTE = 4


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
        found: Facts that the retriever found for the very question.
        differ: Whether to show where the sources differ.
    """

    intents: tuple[str, ...]
    goals: tuple[str, ...]
    focus: Focus
    opening: str = ""
    closing: str = ""
    skip: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    differ: bool = True


@dataclass(frozen=True)
class _Section:
    goal: Goal
    selection: Selection
    limit: int

    @property
    def told(self) -> int:
        """How many facts it tells."""
        return min(self.limit, len(self.selection.leads))


def answer(request: Request, state: State, setting: Setting) -> tuple[Answer, State]:
    """Answers a question from the facts and gives the state after it.

    The answer is cut to a readable length: facts are left for "more" until it fits.
    """
    k = setting.k
    sections = [_section(goal, limit, request, k) for goal, limit in without_self_care(request, setting)]
    draft = _write(sections, request, state, setting)
    while draft.words > WORD_BUDGET and (shorter := _shortened(sections)):
        sections = shorter
        draft = _write(sections, request, state, setting)
    return _finish(draft, sections, request, state, setting)


def _shortened(sections: list[_Section]) -> list[_Section] | None:
    """Takes one fact off the longest section (of equals the last), or gives None when each tells but one."""
    longest = max(reversed(sections), key=lambda section: section.told, default=None)
    if longest is None or longest.told <= 1:
        return None
    return [replace(s, limit=s.told - 1) if s is longest else s for s in sections]


def understood(focus: Focus, k: Knowledge) -> str | None:
    """Says in a few words what the question was taken to be about, or None."""
    places = join(k.body_parts[part].name for part in focus.body_parts)
    when = " ".join(k.triggers[trigger].phrase for trigger in focus.triggers[:1])
    if not places and not when:
        return None
    key = "problem_with_place" if places else "problem"
    return k.phrases[key].format(place=places, when=when).strip()


def without_self_care(request: Request, setting: Setting) -> list[tuple[str, int]]:
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
    if _bars(request, k):
        kept = [(goal, limit) for goal, limit in wanted if not k.goals[goal].treats]
        wanted = kept if any(goal == SEE_DOCTOR for goal, _ in kept) else [*kept, (SEE_DOCTOR, 2)]
    return wanted


def _bars(request: Request, k: Knowledge) -> tuple[str, ...]:
    """Gives the bars to self-care that apply when self-care is asked for."""
    return bars(request.focus, k) if advises(request.goals, k) else ()


def advises(goals: Iterable[str], k: Knowledge) -> bool:
    """Tells whether an answer to goals has advice on what to do."""
    return any(goal == DESCRIBE or k.goals[goal].treats for goal in goals)


def bars(focus: Focus, k: Knowledge) -> tuple[str, ...]:
    """Gives the bars to self-care for a place or an illness."""
    places = tuple(part for part in focus.body_parts if not k.body_parts[part].self_care)
    return (*places, HOLD_BACK) if _held_back(focus, k) else places


def bar_self_care(draft: Draft, focus: Focus, which: Sequence[str]) -> None:
    """Says in an answer why it names no self-care."""
    k = draft.k
    for bar in which:
        draft.cautions.extend(k.bars[bar].carries)
        draft.warn(k.bars[bar], what=join(k.conditions[c].name for c in _held_back(focus, k)))


def _held_back(focus: Focus, k: Knowledge) -> tuple[str, ...]:
    return tuple(c for c in focus.conditions if c in k.conditions and k.conditions[c].hold_back)


def _section(goal_id: str, limit: int, request: Request, k: Knowledge) -> _Section:
    goal = k.goals[goal_id]
    # With two questions a found fact belongs to the one whose kind it is.
    found = request.found
    if len(request.goals) > 1:
        found = tuple(fact for fact in found if k.facts[fact].kind in goal.kinds)
    return _Section(goal, choose(goal, request.focus, k, request.skip, found), limit)


def _write(sections: Sequence[_Section], request: Request, state: State, setting: Setting) -> Draft:
    draft = setting.draft()
    k, focus = setting.k, request.focus
    net = _safety_net(sections, request, k)
    # What the safety net will say at the end needs no caveat of its own before.
    draft.cautions.extend(net.carries if net else ())
    draft.say(request.opening)
    bar_self_care(draft, focus, _bars(request, k))
    told: set[str] = set()
    for section in sections:
        leads = [lead for lead in section.selection.leads if lead not in told][: section.limit]
        told.update(leads)
        differing = [d for d in _differences(section, request, k) if d not in draft.disagreements]
        if not leads and not differing:
            continue
        draft.gap()
        if len(sections) < 3 or section.goal.id != SEE_DOCTOR:
            draft.say(_heading(section, leads, request, draft))
        for difference in differing:
            draft.differ(difference)
        draft.tell([lead for lead in leads if _untold(lead, draft, focus, k)], focus.body_parts)
    if not draft.facts:
        draft.say(draft.phrase("all_said" if request.skip else "nothing"))
    draft.gap()
    check = _riding_check(request, state, k) if net else None
    if check:
        region, question = check
        draft.checking = region
        draft.say(draft.fill(question.ask))
    elif net:
        draft.warn(net)
    draft.say(request.closing)
    if any(section.goal.treats for section in sections):
        draft.footer(draft.phrase("disclaimer"))
    if not state.introduced:
        draft.footer(draft.phrase("assistant"))
    return draft


def _untold(lead: str, draft: Draft, focus: Focus, k: Knowledge) -> bool:
    """Tells whether a fact needs a bullet after a disagreement that rests on it: if it has a medicine asked about."""
    asked = set(focus.medicines) & {medicine for fact in k.group(lead) for medicine in k.facts[fact].medicines}
    return bool(asked) or not set(k.group(lead)) <= set(draft.facts)


def _differences(section: _Section, request: Request, k: Knowledge) -> tuple[str, ...]:
    """Gives the disagreement to show: of the topic that was named, else the goal's own; only the first time."""
    if request.skip or not request.differ:
        return ()
    focus = request.focus
    named = [d.id for d in k.disagreements.values() if d.when_asked and d.topic in focus.topics]
    specific = focus.conditions or focus.medicines or _beside(request.found, section.goal, k)
    own = () if specific else section.goal.disagreements
    fitting = [d for d in (*own, *named) if _may_show(d, focus, k)]
    return tuple(fitting[:1]) if section.goal.id != SEE_DOCTOR else ()


def _beside(found: Sequence[str], goal: Goal, k: Knowledge) -> bool:
    """Tells whether a specific question was asked that is not about what the goal's sources differ on."""
    topics = {k.disagreements[difference].topic for difference in goal.disagreements}
    return bool(found) and all(k.facts[fact].topic not in topics for fact in found)


def _may_show(disagreement_id: str, focus: Focus, k: Knowledge) -> bool:
    """Tells whether a disagreement speaks of nothing that must not be told for the place."""
    difference = k.disagreements[disagreement_id]
    facts = (k.facts[fact] for side in difference.sides for fact in side.facts)
    unsuited = any(difference.topic in k.body_parts[part].unsuited for part in focus.body_parts)
    return not unsuited and all(safe(fact, focus.body_parts, k) for fact in facts)


def _heading(section: _Section, leads: Sequence[str], request: Request, draft: Draft) -> str:
    """Gives the heading, which says once an answer that the facts are not about the place or trigger."""
    selection, heading, focus, k = section.selection, section.goal.heading, request.focus, draft.k
    if leads and all(lead in request.found and k.facts[lead].kind not in section.goal.kinds for lead in leads):
        # The retriever knows better than the intent what is asked.
        return k.phrases["heading"].format(heading=k.phrases["heading_found"])
    about_named = selection.subject_matched and (focus.topics or focus.conditions or focus.medicines)
    if not about_named and not draft.generalised:
        if focus.triggers and not selection.trigger_matched and section.goal.id == CAUSES:
            draft.generalised = True
            trigger = k.triggers[focus.triggers[0]].name
            return k.phrases["heading_trigger"].format(heading=heading, trigger=trigger)
        if focus.body_parts and not selection.place_matched and section.goal.id != SEE_DOCTOR:
            draft.generalised = True
            places = join(k.body_parts[part].name for part in focus.body_parts)
            return k.phrases["heading_place"].format(heading=heading, place=places)
    return k.phrases["heading"].format(heading=heading)


def _safety_net(sections: Sequence[_Section], request: Request, k: Knowledge) -> SafetyNet | None:
    """Gives the warning signs for the place, unless a bar has said them."""
    barred = _bars(request, k)
    if (HOLD_BACK not in barred and barred) or not any(section.goal.safety_net for section in sections):
        return None
    places = request.focus.body_parts
    return k.safety_nets[k.body_parts[places[0]].region if places else "any"]


def _riding_check(request: Request, state: State, k: Knowledge) -> tuple[str, SafetyQuestion] | None:
    """Gives the safety question that rides along with the first advice for a region."""
    advises = DESCRIBE in request.goals or any(k.goals[goal].treats for goal in request.goals)
    return checks.due(request.focus, state, k) if advises else None


def _finish(
    draft: Draft, sections: Sequence[_Section], request: Request, state: State, setting: Setting
) -> tuple[Answer, State]:
    k, focus = setting.k, request.focus
    heard = {*state.said, *draft.facts}
    waiting = any(lead not in heard for section in sections for lead in section.selection.leads)
    offers = _offers(request, k)
    reply = Answer(
        kind="answer",
        text=draft.text,
        intents=request.intents,
        buttons=_buttons(draft, waiting, offers, state.answers + 1 == ANSWERS_BEFORE_NOTE),
        body_part=focus.body_parts[0] if focus.body_parts else None,
        trigger=focus.triggers[0] if focus.triggers else None,
        facts=tuple(draft.facts),
        sources=draft.sources,
        understood=understood(focus, k),
        disclaimer=k.phrases["disclaimer"],
        cautions=tuple(draft.cautions),
        disagreements=tuple(draft.disagreements),
        safety_question=draft.checking or None,
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
        missing="",
        checking="",
        answers=state.answers + 1,
    )
    return reply, checks.asked(after, draft.checking) if draft.checking else after


def _buttons(draft: Draft, waiting: bool, offers: Sequence[str], note: bool) -> tuple[Button, ...]:
    """Gives the answers to the safety question if one rides along, then "more" and questions to go on with.

    Args:
        draft: The answer as written.
        waiting: Whether there is more to tell.
        offers: Goals to offer.
        note: Whether to offer the note for the doctor.
    """
    k = draft.k
    first = checks.buttons(k) if draft.checking else ()
    more = _more(k) if waiting else ()
    summary = (Button(k.phrases["button_note"], k.phrases["button_note"]),) if note else ()
    return (*first, *summary, *more, *goal_buttons(offers, k))[:MAX_BUTTONS]


def _offers(request: Request, k: Knowledge) -> tuple[str, ...]:
    """Gives the goals to offer next; none that treats where self-care is barred."""
    goals = request.goals
    told = {part.goal for part in k.describe} if DESCRIBE in goals else set(goals)
    follow = FOLLOW_DESCRIPTION if DESCRIBE in goals else ()
    named = (goal for name in goals if name in k.goals for goal in k.goals[name].next)
    barred = bool(bars(request.focus, k))
    open_goals = (goal for goal in unique((*follow, *named)) if not (barred and k.goals[goal].treats))
    return tuple(goal for goal in open_goals if goal not in told)[: MAX_BUTTONS - 1]


def _more(k: Knowledge) -> tuple[Button, ...]:
    return (Button(k.phrases["button_more"], k.phrases["payload_more"]),)
