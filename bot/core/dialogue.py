"""The moves of the conversation: each takes a turn and the state, and gives a reply and the state after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.core import checks
from bot.core import turn as t
from bot.core.answering import (
    CAUSES,
    DESCRIBE,
    SEE_DOCTOR,
    TREATMENT,
    Request,
    Setting,
    answer,
    bar_self_care,
    bars,
    understood,
    without_self_care,
)
from bot.core.compose import Draft, goal_buttons, join, place_buttons, section_name
from bot.core.select import choose, safe
from bot.core.turn import Answer, Button, Focus, State, Turn, unique
from bot.knowledge.loader import Knowledge
from bot.knowledge.numbers import countries

Reply = tuple[Answer, State]
STARTERS = (CAUSES, TREATMENT, "prevention", SEE_DOCTOR)
CORRECTION = "correction"
CERTAINTY, PRIVACY = "certainty", "privacy"
# What the person says about the course; these make a doctor the next thing to speak of.
WORRYING = frozenset({"weeks", "months", "years", "recurrent", "severe"})
# Likeness from which a fact on what was just talked of is taken as what a follow-up question means, when nothing else
# is understood of it, when the sources are asked for, and when a question is. Chosen on evaluation/dialogues.jsonl.
HINT_IN_CONTEXT, ASKED_IN_CONTEXT, NEAR_IN_CONTEXT = 0.3, 0.35, 0.4


def ask(turn: Turn, state: State, setting: Setting) -> Reply:
    """Answers a described problem or one or two questions."""
    k = setting.k
    state = _remember(turn, state, k)
    if not turn.facts and not _subjects(turn):
        turn = replace(turn, facts=_in_context(turn, state, k, NEAR_IN_CONTEXT))
    goals = _goals(turn.intents, k)
    if t.SET_ASIDE in turn.ids(t.CUE):
        goals, state = _set_aside(turn, goals, state, k)
    goals = _compared(turn, goals, k)
    focus = _focus(turn, state, goals, k)
    missing = _follow_up(turn, state, k) if turn.facts else _not_covered(turn, k) or _follow_up(turn, state, k)
    if missing:
        reply = _answer_not_covered(missing, turn, goals, focus, state, setting)
        return _unserved(reply, t.NOT_COVERED, missing, state)
    if goals == (DESCRIBE,) and not focus.body_parts and not state.asked_place:
        return _ask_place(turn, goals, focus, state, setting)
    if _check_first(goals, focus, state, k):
        return _ask_check(turn, goals, focus, state, setting)
    if DESCRIBE in goals and len(goals) == 1:
        echo = understood(focus, k)
        opening = k.phrases["understood"].format(what=echo) if echo else ""
        return answer(Request(turn.intents, goals, focus, opening), state, setting)
    opening = _ordinal_opening(turn, state, k)
    repeated = goals == state.goals and focus == state.focus
    if repeated:
        return _continue(turn.intents, goals, state, setting)
    if goals == ("diagnosis",):
        opening = k.phrases["no_diagnosis"]
    elif turn.silent and not _subjects(turn):
        request = Request(turn.intents, goals, focus, k.phrases["silent"], found=turn.facts)
        return _unserved(answer(request, state, setting), t.UNANSWERED, turn.nearest, state)
    return answer(Request(turn.intents, goals, focus, opening, found=turn.facts), state, setting)


def inform(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes a bare detail ("lower back", "since Tuesday") and goes on where the talk left off."""
    k = setting.k
    before = state
    if state.checking and checks.DENIES_SIGNS in turn.ids(t.CUE) and not turn.ids(t.BODY_PART):
        return check_denied(turn, state, setting)
    if _listed(turn, state, k) or t.SET_ASIDE in turn.ids(t.CUE):
        return ask(replace(turn, intents=_intents(state.goals or ("about",), k)), state, setting)
    state = _remember(turn, state, k)
    goals = state.pending or before.goals
    named = turn.ids(t.BODY_PART) or turn.ids(t.TRIGGER)
    if named or state.pending:
        goals = goals or (DESCRIBE,)
        focus = _focus(turn, state, goals, k)
        if goals == (DESCRIBE,):
            return ask(replace(turn, intents=("describe_problem",)), replace(state, asked_place=True), setting)
        return answer(Request(_intents(goals, k), goals, focus), state, setting)
    noted = join(_measures(turn, k))
    if noted and state.goals:
        opening = k.phrases["noted"].format(what=noted)
        goals = (SEE_DOCTOR,) if WORRYING & {m.id for m in turn.mentions} else state.goals
        return answer(Request(turn.intents, goals, state.focus, opening, skip=state.said), state, setting)
    if turn.ids(t.CONDITION) or turn.ids(t.MEDICINE) or turn.ids(t.NOT_COVERED):
        named_goal = "medication" if turn.ids(t.MEDICINE) else "condition"
        return ask(replace(turn, intents=_intents((named_goal,), k)), state, setting)
    if turn.ids(t.TOPIC):
        return ask(replace(turn, intents=_intents(_with_place(state.goals) or ("about",), k)), state, setting)
    if followed := _follow(turn, before, setting):
        return followed
    if state.goals and not noted:
        return _continue(turn.intents, state.goals, state, setting)
    return _offer(turn, "ask_what", state, setting)


def more(turn: Turn, state: State, setting: Setting) -> Reply:
    """Tells what the last answer left out, or says that it was all."""
    if not state.goals:
        return _offer(turn, "ask_what", state, setting)
    return _continue(turn.intents, state.goals, state, setting)


def affirm(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes up the first thing offered."""
    if asked := _asked_besides(turn, setting.k):
        return ask(asked, state, setting)
    if _details(turn) or state.pending:
        return inform(turn, state, setting)
    if state.offers:
        goals = state.offers[:1]
        return answer(Request(turn.intents, goals, state.focus), state, setting)
    return _offer(turn, "affirm", state, setting, kind="smalltalk")


def deny(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes a "no": to a safety question, a correction, "no, X did nothing", or the end of a subject."""
    if asked := _asked_besides(turn, setting.k):
        return ask(asked, checks.denied(state, state.checking) if state.checking else state, setting)
    if state.checking and (not turn.ids(t.BODY_PART) or checks.DENIES_SIGNS in turn.ids(t.CUE)):
        return check_denied(turn, state, setting)
    if turn.ids(t.TOPIC) and not turn.ids(t.BODY_PART) and state.goals:
        return negative_feedback(turn, state, setting)
    if t.SET_ASIDE in turn.ids(t.CUE) and state.goals:
        return negative_feedback(turn, state, setting)
    if _details(turn) or state.pending:
        return inform(turn, state, setting)
    return _offer(turn, "deny", state, setting, kind="smalltalk")


def negative_feedback(turn: Turn, state: State, setting: Setting) -> Reply:
    """Offers something else after "that did not help"."""
    k = setting.k
    if state.kind == "decline":
        return decline(turn, state, setting)
    if _listed(turn, state, k):
        return ask(replace(turn, intents=_intents(state.goals or ("about",), k)), state, setting)
    if turn.ids(t.NOT_COVERED) and not turn.ids(t.TOPIC):
        return ask(replace(turn, intents=_intents(_with_place(state.goals) or ("about",), k)), state, setting)
    if not state.goals:
        return _offer(turn, "sorry_which", state, setting)
    treated = DESCRIBE in state.goals or any(k.goals[goal].treats for goal in state.goals)
    if not treated and (followed := _follow(turn, state, setting)):
        return followed
    goals = (TREATMENT,) if treated else state.goals
    # What was tried, and named as such, is not offered again in other words.
    tried = (fact for topic in turn.ids(t.TOPIC) for fact in k.by_topic.get(topic, ()))
    focus = replace(_focus(turn, state, goals, k), topics=(), conditions=(), medicines=())
    skip = unique((*state.said, *tried))
    request = Request(turn.intents, goals, focus, k.phrases["try_next"], k.phrases["try_doctor"], skip)
    return answer(request, state, setting)


def decline(turn: Turn, state: State, setting: Setting) -> Reply:
    """Declines a personal medical decision, says who takes it, and helps with what the documents say."""
    k = setting.k
    if not turn.ids(t.MEDICINE) and _follow_up(turn, state, k):
        return ask(replace(turn, intents=_intents(state.goals, k)), state, setting)
    draft = setting.draft()
    again = state.kind == "decline"
    draft.say(k.phrases["decline_again" if again else "decline"])
    goals = ("medication",)
    focus = _focus(turn, state, goals, k)
    chosen = choose(k.goals["medication"], focus, k).leads[:2] if focus.medicines and not again else ()
    if chosen:
        draft.gap()
        draft.say(k.phrases["heading"].format(heading=k.phrases["decline_more"]))
        draft.tell(chosen, focus.body_parts)
    elif not again:
        draft.say(k.phrases["decline_activity"])
    _introduce(draft, state)
    return _reply("decline", draft, turn, replace(state.with_focus(focus), introduced=True), (SEE_DOCTOR, TREATMENT))


def sources(turn: Turn, state: State, setting: Setting) -> Reply:
    """Lists the documents and sections behind the last answer, or says how sure it is."""
    k = setting.k
    if CERTAINTY in turn.ids(t.CUE) and state.last:
        return certainty(turn, state, setting)
    if followed := _follow(turn, state, setting, ASKED_IN_CONTEXT):
        return followed
    if _subjects(turn) and not state.last:
        return ask(replace(turn, intents=_intents((_goal_on(turn, k),), k)), state, setting)
    draft = setting.draft()
    cited = unique(f"{k.facts[f].doc}|{k.facts[f].section}" for f in state.last if f in k.facts)
    draft.say(k.phrases["heading"].format(heading=k.phrases["source_last" if cited else "source_none"]))
    if cited:
        for item in cited:
            doc, _, section = item.partition("|")
            draft.say(f"• {k.documents[doc].title}, {section_name(section)}{_dated(k, doc)}")
    else:
        for document in k.documents.values():
            draft.say(f"• {document.title}{_dated(k, document.id)}")
    draft.gap()
    draft.say(k.phrases["source_quality"])
    reply, after = _reply("answer", draft, turn, replace(state, introduced=True), state.offers or STARTERS)
    return replace(reply, facts=state.last, sources=_source_list(state, setting)), after


def _goal_on(turn: Turn, k: Knowledge) -> str:
    """Gives the goal that a named subject belongs to."""
    if turn.ids(t.CONDITION):
        return "condition"
    if turn.ids(t.MEDICINE):
        return "medication"
    themes = (goal.id for topic in turn.ids(t.TOPIC) for goal in k.goals.values() if topic in goal.theme)
    return next(themes, TREATMENT if turn.ids(t.TOPIC) else CAUSES)


def certainty(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says how many documents stand behind the last answer, and where they differ."""
    k = setting.k
    draft = setting.draft()
    groups = {lead: {k.facts[fact].doc for fact in _supporting(lead, k)} for lead in unique(map(k.lead, state.last))}
    several = [lead for lead, docs in groups.items() if len(docs) > 1]
    single = [lead for lead, docs in groups.items() if len(docs) == 1]
    for leads, key in ((several[:3], "several_sources"), (single[:3], "one_source")):
        if leads:
            draft.say(k.phrases[key])
        for lead in leads:
            draft.tell_with(lead, _supporting(lead, k))
    topics = {k.facts[lead].topic for lead in groups}
    for difference in [d.id for d in k.disagreements.values() if d.topic in topics][:1]:
        draft.differ(difference)
    draft.gap()
    draft.say(k.phrases["source_quality"])
    return _reply("answer", draft, turn, state, state.offers or STARTERS)


def _supporting(lead: str, k: Knowledge) -> tuple[str, ...]:
    """Gives all facts that say what a leading fact says, in whatever document."""
    said = (claim.facts for claim in k.claims.values() if lead in claim.facts)
    return unique((*k.group(lead), *(fact for facts in said for fact in facts)))


def summary(turn: Turn, state: State, setting: Setting) -> Reply:
    """Writes the note for a doctor: what the person said, what was asked, what the documents suggested."""
    k = setting.k
    state = _remember(turn, state, k)
    names = {concept.id: concept.name for table in k.measures.values() for concept in table}
    suggested = [f for f in state.said if k.facts[f].kind in ("treatment", "prevention")]
    rows = {
        "note_where": [k.body_parts[part].name for part in state.body_parts],
        "note_side": [names[side] for side in state.sides],
        "note_since": [names[duration] for duration in state.durations],
        "note_how_bad": [names[severity] for severity in state.severities],
        "note_trigger": [k.triggers[trigger].name for trigger in state.triggers],
        "note_medicines": [k.medicines[m].name for m in state.medicines if m in k.medicines],
        "note_conditions": [k.conditions[c].name for c in state.conditions if c in k.conditions],
        "note_denied": [region for region in state.denied if region != checks.ANYWHERE],
        "note_open": [region for region in state.checked if region not in (*state.denied, checks.ANYWHERE)],
        "note_suggested": [k.topics[topic].name for topic in unique(k.facts[f].topic for f in suggested)],
    }
    draft = setting.draft()
    if not any(rows.values()):
        draft.say(k.phrases["note_empty"])
        return _reply("summary", draft, turn, state, STARTERS)
    draft.say(k.phrases["note_title"])
    for key, values in rows.items():
        if values:
            draft.say(f"• {k.phrases[key]}: {join(values)}")
    draft.gap()
    draft.say(k.phrases["note_end"])
    return _reply("summary", draft, turn, state, state.offers or STARTERS)


def shorter(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says the last answer again in its main points, and explains the words that need it."""
    k = setting.k
    if not state.last:
        return _offer(turn, "ask_what", state, setting)
    draft = setting.draft()
    simpler = "ask_simpler" in turn.intents
    draft.say(k.phrases["simply" if simpler else "in_short"])
    leads = unique(k.lead(fact) for fact in state.last)[: 3 if simpler else 2]
    draft.tell([lead for lead in leads if safe(k.facts[lead], state.body_parts, k)], state.body_parts)
    if simpler:
        told = " ".join(k.facts[lead].text.lower() for lead in leads)
        terms = [term for term in k.glossary.values() if any(alias in told for alias in term.aliases)]
        for term in terms[:3]:
            draft.say(k.phrases["term"].format(term=_capital(term.name), meaning=term.meaning))
    return _reply("answer", draft, turn, state, state.offers or STARTERS)


def meaning(turn: Turn, state: State, setting: Setting) -> Reply:
    """Explains a word; a word that is not in the glossary is answered like a question about it."""
    k = setting.k
    terms = [k.glossary[term] for term in turn.ids(t.TERM)]
    if not terms:
        return ask(replace(turn, intents=("ask_about_spasms",)), state, setting)
    draft = setting.draft()
    for term in terms[:2]:
        draft.say(k.phrases["term"].format(term=_capital(term.name), meaning=term.meaning))
        leads = unique(k.lead(fact) for fact in term.facts)[:1]
        draft.tell([lead for lead in leads if safe(k.facts[lead], state.body_parts, k)], state.body_parts)
    # "How is that different from a cramp?" then means the word that was explained.
    explained = [k.facts[fact] for term in terms[:1] for fact in term.facts[:1]]
    focus = replace(
        state.focus,
        conditions=unique(c for fact in explained for c in fact.conditions),
        medicines=unique(m for fact in explained for m in fact.medicines),
        topics=unique(fact.topic for fact in explained),
    )
    after = replace(state.with_focus(focus), goals=state.goals or ("about",))
    return _reply("answer", draft, turn, after, state.offers or STARTERS)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _did_you_mean(turn: Turn, state: State, setting: Setting) -> Reply | None:
    """Offers the likeliest questions the first time that a message is not understood."""
    k = setting.k
    goals = [goal.id for intent in turn.guesses for goal in k.goals.values() if goal.intent == intent][:3]
    if state.kind == "fallback" or not goals or "out_of_scope" in turn.intents:
        return None
    draft = setting.draft()
    draft.say(k.phrases["did_you_mean"])
    return _unserved(_reply("fallback", draft, turn, state, goals), t.NOT_UNDERSTOOD, turn.nearest, state)


def fallback(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says what the bot knows, after a message that it did not understand or that is out of scope."""
    if turn.language in setting.k.languages:
        draft = setting.draft()
        draft.say(draft.fill(setting.k.languages[turn.language].text))
        return _unserved(_reply("fallback", draft, turn, state, ()), t.LANGUAGE, turn.language, state)
    if turn.ids(t.NOT_COVERED) or _listed(turn, state, setting.k):
        return ask(replace(turn, intents=_intents(_with_place(state.goals) or ("about",), setting.k)), state, setting)
    if state.kind == "decline" and not turn.ids(t.BODY_PART) and not _subjects(turn):
        return decline(turn, state, setting)
    if (state.pending or "out_of_scope" not in turn.intents) and turn.ids(t.BODY_PART):
        return inform(turn, state, setting)
    if state.pending:
        return inform(turn, state, setting)
    if "out_of_scope" not in turn.intents and _subjects(turn):
        return ask(replace(turn, intents=_intents(_with_place(state.goals) or ("about",), setting.k)), state, setting)
    outside = "out_of_scope" in turn.intents
    about = replace(turn, facts=()) if outside else turn
    if followed := _follow(about, state, setting, NEAR_IN_CONTEXT if outside else HINT_IN_CONTEXT):
        return followed
    if guessed := _did_you_mean(turn, state, setting):
        return guessed
    draft = setting.draft()
    draft.say(setting.k.phrases["fallback"], setting.k.phrases["fallback_help"])
    return _unserved(_reply("fallback", draft, turn, state, STARTERS), t.NOT_UNDERSTOOD, turn.nearest, state)


def small_talk(turn: Turn, state: State, setting: Setting) -> Reply:
    """Answers a greeting, thanks, a goodbye or "are you a person?" in a line; an emergency is not chatted away."""
    if not turn.alarmed and (asked := _asked_besides(turn, setting.k)):
        return ask(asked, state, setting)
    keys = {"greet": "greet", "thank": "thank", "goodbye": "goodbye", "bot_challenge": "bot"}
    key = "privacy" if PRIVACY in turn.ids(t.CUE) else keys.get(turn.intents[0], "greet")
    draft = setting.draft()
    draft.say(setting.k.phrases[key])
    if key == "greet":
        _introduce(draft, state)
    offers = STARTERS if key in ("greet", "bot") else ()
    return _reply("smalltalk", draft, turn, replace(state, introduced=True), offers)


def handoff(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says who can help in person."""
    draft = setting.draft()
    draft.say(draft.phrase("handoff"))
    return _reply("handoff", draft, turn, state, STARTERS)


def restart(turn: Turn, state: State, setting: Setting) -> Reply:
    """Forgets the conversation; the reply tells the store and the channel to delete what they keep."""
    draft = setting.draft()
    draft.say(setting.k.phrases["restart"])
    reply, after = _reply("smalltalk", draft, turn, State(introduced=True), ())
    return replace(reply, extra={t.ERASE: True}), after


def stand_down(turn: Turn, flagged: Turn, state: State, setting: Setting, region: str | None = None) -> Reply:
    """Takes back an alarm and resumes what was being talked about, with a safety net.

    Args:
        turn: The message that takes it back.
        flagged: The message that raised it; what it named is what the talk goes on about.
        state: The state before the alarm.
        setting: Knowledge base and numbers.
        region: Region whose safety question was answered with no, if it was one.
    """
    k = setting.k
    opening = setting.draft().phrase("false_alarm")
    if region:
        state = checks.denied(state, region)
    asked = _questions(turn.intents, k)
    about = replace(turn, intents=asked) if asked else flagged
    if _questions(about.intents, k):
        for part in about.ids(t.BODY_PART):
            state = checks.answered(state, k.body_parts[part].region)
        reply, after = ask(about, state, setting)
        return replace(reply, text=f"{opening}\n\n{reply.text}"), after
    about = flagged if _details(flagged) else turn
    goals = (DESCRIBE,) if about.ids(t.BODY_PART) else state.goals
    if not goals:
        draft = setting.draft()
        draft.say(opening)
        return _reply("smalltalk", draft, turn, state, STARTERS)
    focus = _focus(about, state, goals, k)
    return answer(Request(turn.intents, goals, focus, opening), state, setting)


def check_denied(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes "no" to a safety question: gives the advice that waited for it, if any did."""
    state = checks.denied(state, state.checking)
    if state.pending:
        opening = setting.draft().phrase("false_alarm")
        return answer(Request(_intents(state.pending, setting.k), state.pending, state.focus, opening), state, setting)
    draft = setting.draft()
    draft.say(draft.phrase("check_no"))
    return _reply("smalltalk", draft, turn, state, state.offers or STARTERS)


def not_sure(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes "I don't know" to a question that is none of safety."""
    if asked := _asked_besides(turn, setting.k):
        return ask(asked, state, setting)
    if _details(turn):
        return inform(turn, state, setting)
    if state.pending:
        return answer(Request(turn.intents, state.pending, state.focus, setting.k.phrases["not_sure"]), state, setting)
    return _offer(turn, "not_sure_help", state, setting)


def why_asking(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says why the last question was asked; a safety question stays open."""
    k = setting.k
    asked = checks.question(state.checking, k)
    if not asked and state.kind == "decline":
        return decline(turn, state, setting)
    if not asked and not state.pending and (followed := _follow(turn, state, setting)):
        return followed
    draft = setting.draft()
    if asked:
        draft.say(draft.fill(asked.why), draft.fill(asked.ask))
    else:
        draft.say(k.phrases["why_place" if state.pending else "why_nothing"])
    reply, after = _reply("answer", draft, turn, state, state.offers or STARTERS)
    if not asked:
        return reply, after
    reply = replace(reply, safety_question=state.checking, buttons=checks.buttons(k))
    return reply, checks.asked(after, state.checking)


def ask_country(turn: Turn, state: State, setting: Setting) -> Reply:
    """Asks which country's numbers to give."""
    draft = setting.draft()
    draft.say(draft.phrase("ask_country"))
    reply, after = _reply("clarify", draft, turn, state, ())
    places = tuple(Button(c.name, setting.k.phrases["payload_country"].format(country=c.name)) for c in countries())
    return replace(reply, buttons=places), after


def country_set(turn: Turn, state: State, setting: Setting) -> Reply:
    """Gives the numbers of the country that was named; `setting` holds them."""
    draft = setting.draft()
    draft.say(draft.phrase("country_set"))
    reply, after = _reply("answer", draft, turn, state, state.offers or STARTERS)
    return replace(reply, extra={"emergency_number": setting.emergency_number}), after


def no_alarm(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes "no alarm" when there was none: a description, or the end of a subject."""
    if state.kind == "decline":
        return decline(turn, state, setting)
    if asked := _asked_besides(turn, setting.k):
        return ask(asked, state, setting)
    if state.checking:
        return check_denied(turn, state, setting)
    # There is no alarm, so the next best guess is the likelier one.
    second = _questions(tuple(intent for intent in turn.guesses if intent != turn.intents[0])[:1], setting.k)
    if second:
        return ask(replace(turn, intents=second), state, setting)
    if turn.ids(t.BODY_PART):
        return ask(replace(turn, intents=("describe_problem",)), state, setting)
    if turn.ids(t.TRIGGER):
        return inform(turn, state, setting)
    if followed := _follow(turn, state, setting):
        return followed
    return _offer(turn, "false_alarm_none", state, setting, kind="smalltalk")


def recalled(flagged: Turn, state: State, k: Knowledge) -> State:
    """Gives the state with what a message named that raised an alarm, so that the talk can go on about it."""
    if not flagged.ids(t.BODY_PART) and not flagged.ids(t.TRIGGER):
        return state
    focus = _focus(flagged, state, (DESCRIBE,), k)
    return _remember(flagged, state, k).with_focus(focus)


# --- pieces


def _goals(intents: tuple[str, ...], k: Knowledge) -> tuple[str, ...]:
    """Gives the goals of the intents; a description gives way to a question asked with it."""
    by_intent = {goal.intent: goal.id for goal in k.goals.values()}
    asked = unique(by_intent[intent] for intent in intents if intent in by_intent)
    return asked or (DESCRIBE,)


def _questions(intents: tuple[str, ...], k: Knowledge) -> tuple[str, ...]:
    """Gives the intents that ask for facts."""
    known = {goal.intent for goal in k.goals.values()} | {"describe_problem"}
    return tuple(intent for intent in intents if intent in known)


def _asked_besides(turn: Turn, k: Knowledge) -> Turn | None:
    """Gives what a message asks besides answering the bot ("no, I have none now. How do I avoid the next?")."""
    asked = _questions(turn.intents[1:], k)
    return replace(turn, intents=asked) if asked else None


def _set_aside(turn: Turn, goals: tuple[str, ...], state: State, k: Knowledge) -> tuple[tuple[str, ...], State]:
    """Takes "besides tablets": neither what is set aside nor what was talked of so far is asked about."""
    guessed = _goals(turn.guesses, k)
    wider = next((goal for goal in (*goals, *guessed) if goal in (TREATMENT, CAUSES, "prevention")), TREATMENT)
    return (wider,), replace(state, topics=(), medicines=())


def _compared(turn: Turn, goals: tuple[str, ...], k: Knowledge) -> tuple[str, ...]:
    """Takes "stretching or massage?" as a question about both, whichever of the two its intent is about."""
    topics = {topic for topic in turn.ids(t.TOPIC) if not k.topics[topic].overview}
    goal = k.goals.get(goals[0]) if len(goals) == 1 else None
    narrow = goal and goal.treats and goal.topics and len(topics) > 1 and topics - set(goal.topics)
    return (TREATMENT,) if narrow else goals


def _in_context(turn: Turn, state: State, k: Knowledge, least: float) -> tuple[str, ...]:
    """Gives the fact that a follow-up question means: the nearest one on what the last answer was about."""
    if turn.silent:
        return ()
    topics = {k.facts[fact].topic for fact in state.last if fact in k.facts}
    near = (fact for fact, likeness in turn.near if likeness >= least and k.facts[fact].topic in topics)
    return tuple(near)[:1]


def _follow(turn: Turn, state: State, setting: Setting, least: float = HINT_IN_CONTEXT) -> Reply | None:
    """Answers a message that says nothing by itself as a follow-up to the last answer, if it is near enough to it."""
    k = setting.k
    found = turn.facts or _in_context(turn, state, k, least)
    if not found:
        return None
    goals = ("about",)
    return answer(Request(_intents(goals, k), goals, _focus(turn, state, goals, k), found=found), state, setting)


def _with_place(goals: tuple[str, ...]) -> tuple[str, ...]:
    """Gives the goals that a new subject is taken up with: after a description, what helps."""
    return goals if DESCRIBE not in goals else (TREATMENT,)


def _intents(goals: tuple[str, ...], k: Knowledge) -> tuple[str, ...]:
    return tuple("describe_problem" if goal == DESCRIBE else k.goals[goal].intent for goal in goals)


def _focus(turn: Turn, state: State, goals: tuple[str, ...], k: Knowledge) -> Focus:
    """Merges what the message names with what the conversation is about."""
    said = turn.ids(t.BODY_PART)
    moved = bool(said) and bool(state.body_parts) and said[0] not in state.body_parts
    corrects = CORRECTION in turn.ids(t.CUE)
    triggers = turn.ids(t.TRIGGER) or (() if moved and not corrects else state.triggers)
    lasting = tuple(c for c in state.conditions if c in k.conditions and k.conditions[c].hold_back)
    focus = Focus(
        body_parts=said or state.body_parts,
        triggers=triggers,
        conditions=unique((*turn.ids(t.CONDITION), *lasting)),
        medicines=turn.ids(t.MEDICINE),
        topics=turn.ids(t.TOPIC) if DESCRIBE not in goals else (),
    )
    listed = _listed(turn, state, k)
    if listed:
        return replace(focus, triggers=listed.triggers or focus.triggers, conditions=listed.conditions)
    named = any(turn.ids(kind) for kind in (t.CONDITION, t.MEDICINE, t.TOPIC, t.TRIGGER))
    if named or DESCRIBE in goals or (said and t.REFERS_BACK not in turn.ids(t.CUE)):
        return focus
    carried = replace(focus, conditions=state.conditions, medicines=state.medicines, topics=state.topics)
    return carried if _serves(carried, goals, k) else focus


def _serves(focus: Focus, goals: Iterable[str], k: Knowledge) -> bool:
    """Tells whether some fact of a goal's kinds is about the subject that would be carried over."""
    return all(
        any(k.facts[lead].kind in k.goals[goal].kinds for lead in found.leads) and found.subject_matched
        for goal in goals
        if goal in k.goals
        for found in [choose(k.goals[goal], focus, k)]
    )


def _listed(turn: Turn, state: State, k: Knowledge) -> Focus | None:
    """Gives the subject of "the first one": what the n-th fact of the last answer is about."""
    for ordinal in turn.ids(t.ORDINAL):
        index = -1 if ordinal == "last" else int(ordinal) - 1 if ordinal.isdigit() else len(state.listed)
        if -len(state.listed) <= index < len(state.listed):
            fact = k.facts.get(state.listed[index])
            if fact:
                return Focus(triggers=fact.triggers[:1], conditions=fact.conditions[:1], topics=(fact.topic,))
    return None


def _ordinal_opening(turn: Turn, state: State, k: Knowledge) -> str:
    listed = _listed(turn, state, k)
    return k.phrases["first_one"].format(what=k.topics[listed.topics[0]].name) if listed else ""


def _remember(turn: Turn, state: State, k: Knowledge) -> State:
    """Keeps how long, how bad and which side, the newest first, and which signs of danger need no question."""
    if checks.DENIES_SIGNS in turn.ids(t.CUE):
        for part in turn.ids(t.BODY_PART)[:1] or state.body_parts[:1]:
            state = checks.answered(state, k.body_parts[part].region)
    return replace(
        state,
        durations=unique((*turn.ids(t.DURATION), *state.durations)),
        severities=unique((*turn.ids(t.SEVERITY), *state.severities)),
        sides=unique((*turn.ids(t.SIDE), *state.sides)),
    )


def _measures(turn: Turn, k: Knowledge) -> list[str]:
    """Gives in our words how long, how bad and which side a message says."""
    names = {concept.id: concept.name for table in k.measures.values() for concept in table}
    return [names[measure] for kind in (t.DURATION, t.SEVERITY, t.SIDE) for measure in turn.ids(kind)]


def _details(turn: Turn) -> bool:
    return any(m.kind in t.SUBJECTS or m.kind in (t.DURATION, t.SEVERITY, t.SIDE) for m in turn.mentions)


def _subjects(turn: Turn) -> bool:
    """Tells whether a message names something that the documents speak of, besides a place."""
    return any(m.kind in (t.TRIGGER, t.CONDITION, t.MEDICINE, t.TOPIC) for m in turn.mentions)


def _check_first(goals: tuple[str, ...], focus: Focus, state: State, k: Knowledge) -> bool:
    """Tells whether advice must wait for a region's safety question."""
    due = checks.due(focus, state, k)
    advises = DESCRIBE in goals or any(k.goals[goal].treats for goal in goals)
    return advises and due is not None and due[1].first


def _ask_check(turn: Turn, goals: tuple[str, ...], focus: Focus, state: State, setting: Setting) -> Reply:
    """Asks a region's safety question before any advice."""
    k = setting.k
    region = k.body_parts[focus.body_parts[0]].region
    asked = k.safety_nets[region].question
    assert asked is not None
    draft = setting.draft()
    draft.say(draft.fill(asked.ask))
    _introduce(draft, state)
    after = replace(state.with_focus(focus), pending=goals, introduced=True)
    reply, after = _reply("safety_check", draft, turn, after, ())
    extra = {"rule": checks.CHECK + region, "emergency_number": setting.emergency_number}
    reply = replace(reply, safety_question=region, buttons=checks.buttons(k), extra=extra)
    return reply, checks.asked(after, region)


def _ask_place(turn: Turn, goals: tuple[str, ...], focus: Focus, state: State, setting: Setting) -> Reply:
    k = setting.k
    draft = setting.draft()
    echo = understood(focus, k)
    draft.say(k.phrases["understood"].format(what=echo) if echo else "")
    draft.say(k.phrases["ask_place"], "" if focus.triggers else k.phrases["ask_place_more"])
    _introduce(draft, state)
    after = replace(state.with_focus(focus), pending=goals, asked_place=True, introduced=True)
    reply, after = _reply("clarify", draft, turn, after, ())
    return replace(reply, buttons=place_buttons(k), understood=echo), after


def _continue(intents: tuple[str, ...], goals: tuple[str, ...], state: State, setting: Setting) -> Reply:
    """Tells what was not said yet of the same goals, or says that it was all."""
    k = setting.k
    focus = state.focus
    wider = (CAUSES, TREATMENT) if DESCRIBE in goals else goals
    request = Request(intents, wider, focus, k.phrases["again"])
    told = (goal for goal, _ in without_self_care(request, setting))
    every = unique(lead for goal in told for lead in choose(k.goals[goal], focus, k).leads)
    if any(lead not in state.said for lead in every):
        skip = tuple(lead for lead in every if lead in state.said)
        return answer(replace(request, skip=skip), state, setting)
    return answer(replace(request, opening=k.phrases["all_said_again"]), state, setting)


def _not_covered(turn: Turn, k: Knowledge) -> str | None:
    """Gives what is asked about and not in the documents.

    In a description it is a side remark, and so is an illness unless the question is about illness.
    """
    if turn.intents == ("describe_problem",):
        return None
    named = turn.ids(t.CONDITION) if "ask_about_condition" in turn.intents else ()
    other = (c for c in named if c in k.conditions and not k.conditions[c].covered)
    return next(iter((*turn.ids(t.NOT_COVERED), *other)), None)


def _follow_up(turn: Turn, state: State, k: Knowledge) -> str | None:
    """Gives what a bare question means after an answer ("how long?" on heat: to apply it; "how much?" on drinks)."""
    if any(m.kind in t.SUBJECTS and m.kind != t.TOPIC for m in turn.mentions):
        return None
    named = (*turn.ids(t.TOPIC), *turn.ids(t.CUE))
    meant = (k.goals[goal].follow_ups.get(item) for goal in state.goals if goal in k.goals for item in named)
    return next((item for item in meant if item), None)


def _answer_not_covered(
    missing: str, turn: Turn, goals: tuple[str, ...], focus: Focus, state: State, setting: Setting
) -> Reply:
    k = setting.k
    item = k.not_covered.get(missing)
    name = item.name if item else k.conditions[missing].name
    refer = (item.refer if item else None) or k.phrases["refer_default"]
    draft = setting.draft()
    opening = draft.phrase("nothing_for", what=name) + " " + draft.phrase("refer", who=refer[0].upper() + refer[1:])
    if item and item.general:
        return answer(Request(turn.intents, goals, replace(focus, topics=()), opening), state, setting)
    draft.say(opening)
    if item and item.caution:
        caution = k.cautions[item.caution]
        draft.cautions.append(caution.id)
        draft.say(draft.fill(caution.caveat or ""))
    barred = bars(focus, k)
    if barred:
        bar_self_care(draft, focus, barred)
    elif item and item.instead:
        draft.gap()
        draft.say(k.phrases["covered_nearby"])
        draft.tell(unique(k.lead(fact) for fact in item.instead), focus.body_parts)
    else:
        draft.say(k.phrases["offers"])
    _introduce(draft, state)
    kind = "answer" if draft.facts or barred else "fallback"
    return _reply(kind, draft, turn, replace(state.with_focus(focus), introduced=True), STARTERS)


def _offer(turn: Turn, key: str, state: State, setting: Setting, kind: str = "clarify") -> Reply:
    draft = setting.draft()
    draft.say(setting.k.phrases[key])
    return _reply(kind, draft, turn, state, state.offers or STARTERS)


def _unserved(reply: Reply, why: str, label: str, state: State) -> Reply:
    """Notes in a reply, in words of ours, what was asked and not answered; the editor's report counts it."""
    given, after = reply
    note = {"why": why, "label": label, "introduced": state.introduced}
    return replace(given, extra={**given.extra, t.UNSERVED: note}), after


def _introduce(draft: Draft, state: State) -> None:
    if not state.introduced:
        draft.footer(draft.phrase("assistant"))


def _dated(k: Knowledge, doc: str) -> str:
    date = k.documents[doc].date
    return f" ({date})" if date else ""


def _source_list(state: State, setting: Setting) -> tuple[t.Source, ...]:
    draft = setting.draft()
    draft.tell(unique(setting.k.lead(fact) for fact in state.last if fact in setting.k.facts))
    return draft.sources


def _reply(kind: str, draft: Draft, turn: Turn, state: State, offers: Iterable[str]) -> Reply:
    """Makes a reply of a finished draft and the state after it."""
    k = draft.k
    buttons: tuple[Button, ...] = goal_buttons(offers, k)
    facts = tuple(draft.facts)
    reply = Answer(
        kind=kind,
        text=draft.text,
        intents=turn.intents,
        buttons=buttons,
        body_part=state.body_parts[0] if state.body_parts else None,
        trigger=state.triggers[0] if state.triggers else None,
        facts=facts,
        sources=draft.sources,
        understood=understood(state.focus, k),
        disclaimer=k.phrases["disclaimer"],
        cautions=tuple(draft.cautions),
    )
    after = replace(
        state,
        offers=tuple(offers),
        said=unique((*state.said, *facts)),
        last=facts or state.last,
        listed=tuple(draft.listed) or state.listed,
        kind=kind,
        checking="",
    )
    return reply, after
