"""The moves of the conversation: each takes a turn and the state, and gives a reply and the state after it."""

from __future__ import annotations

from dataclasses import replace

from bot.core import asides, checks
from bot.core import turn as t
from bot.core.answering import (
    CAUSES,
    DESCRIBE,
    SEE_DOCTOR,
    TREATMENT,
    Request,
    Setting,
    advises,
    answer,
    bar_self_care,
    bars,
    understood,
    without_self_care,
)
from bot.core.asides import capital, certainty
from bot.core.compose import join, place_buttons, section_name
from bot.core.meant import (
    DECISION,
    asked_besides,
    compared,
    focus_of,
    followed_up,
    goal_on,
    goals_of,
    has_details,
    has_subjects,
    in_context,
    intents_of,
    lasting,
    listed_fact,
    measures_said,
    names_something,
    not_covered,
    of_last,
    on_remedy,
    questions_of,
    remember,
    set_aside,
    with_place,
)
from bot.core.replies import (
    STARTERS,
    Reply,
    dated,
    finished,
    introduce,
    offer,
    source_list,
    unserved,
)
from bot.core.select import choose, safe
from bot.core.turn import Focus, State, Turn, unique
from bot.knowledge.loader import Knowledge
from bot.knowledge.schema import FACTS_ONLY

CERTAINTY, PRIVACY = "certainty", "privacy"
# What the person says about the course; these make a doctor the next thing to speak of.
WORRYING = frozenset({"weeks", "months", "years", "recurrent", "severe"})
# Likeness from which a fact on what was just talked of is taken as what a follow-up question means, when nothing else
# is understood of it, when the sources are asked for, and when a question is. Chosen on evaluation/dialogues.jsonl.
HINT_IN_CONTEXT, ASKED_IN_CONTEXT, NEAR_IN_CONTEXT = 0.3, 0.35, 0.4


def ask(turn: Turn, state: State, setting: Setting) -> Reply:
    """Answers a described problem or one or two questions."""
    k = setting.k
    if state.kind == "decline" and turn.ids(t.MEDICINE) and t.INSTEAD in turn.ids(t.CUE):
        return decline(turn, state, setting)
    state = remember(turn, state, k)
    goals = goals_of(turn.intents, k)
    if meant := on_remedy(turn, goals, state, k):
        opening = "" if goals == (CAUSES,) else k.phrases["silent"]
        request = Request(turn.intents, state.goals, state.focus, opening, found=meant, differ=False)
        return answer(request, state, setting)
    if not turn.facts and not has_subjects(turn):
        turn = replace(turn, facts=in_context(turn, state, k, NEAR_IN_CONTEXT))
    if t.SET_ASIDE in turn.ids(t.CUE):
        goals, state = set_aside(turn, goals, state, k)
    goals = compared(turn, goals, k)
    focus = focus_of(turn, state, goals, k)
    missing = followed_up(turn, state, k) if turn.facts else not_covered(turn, k) or followed_up(turn, state, k)
    if missing:
        reply = _answer_not_covered(missing, turn, goals, focus, state, setting)
        return unserved(reply, t.NOT_COVERED, missing, state)
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
    if repeated and not turn.facts:
        return _continue(turn.intents, goals, state, setting)
    if goals == ("diagnosis",):
        opening = k.phrases["no_diagnosis"]
    elif t.IS_IT in turn.ids(t.CUE) and ("condition",) in (goals, state.goals if goals == (CAUSES,) else ()):
        opening = k.phrases["not_mine_to_say"]
    elif turn.silent and not has_subjects(turn):
        request = Request(turn.intents, goals, focus, k.phrases["silent"], found=turn.facts)
        return unserved(answer(request, state, setting), t.UNANSWERED, turn.nearest, state)
    return answer(Request(turn.intents, goals, focus, opening, found=turn.facts), state, setting)


def follow_up(turn: Turn, state: State, setting: Setting) -> Reply | None:
    """Takes a bare question on the last answer ("how hard?" on massage), whatever its intent by itself."""
    k = setting.k
    if t.OF_THESE in turn.ids(t.CUE) and of_last(turn, state, k) and not asked_besides(turn, k):
        if state.checking and t.SEVERAL in turn.ids(t.CUE) and not has_subjects(turn):
            return check_again(turn, state, setting, state.checking)
        opening = k.phrases["not_mine_to_say" if t.IS_IT in turn.ids(t.CUE) else "silent"]
        request = Request(intents_of(state.goals, k), state.goals, state.focus, opening, found=state.listed)
        return unserved(answer(request, state, setting), t.UNANSWERED, turn.nearest, state)
    if not followed_up(turn, state, k) or asked_besides(turn, k) or goals_of(turn.intents, k) != (DESCRIBE,):
        return None
    return ask(replace(turn, intents=intents_of(state.goals, k)), state, setting)


def inform(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes a bare detail ("lower back", "since Tuesday") and goes on where the talk left off."""
    k = setting.k
    before = state
    if state.checking and checks.DENIES_SIGNS in turn.ids(t.CUE) and not turn.ids(t.BODY_PART):
        return check_denied(turn, state, setting)
    if listed_fact(turn, state, k) or t.SET_ASIDE in turn.ids(t.CUE):
        return ask(replace(turn, intents=intents_of(state.goals or ("about",), k)), state, setting)
    state = remember(turn, state, k)
    goals = state.pending or before.goals
    named = turn.ids(t.BODY_PART) or turn.ids(t.TRIGGER)
    if named or state.pending:
        goals = goals or (DESCRIBE,)
        focus = focus_of(turn, state, goals, k)
        if goals == (DESCRIBE,):
            return ask(replace(turn, intents=("describe_problem",)), replace(state, asked_place=True), setting)
        return answer(Request(intents_of(goals, k), goals, focus), state, setting)
    noted = join(measures_said(turn, k))
    if noted and state.goals:
        opening = k.phrases["noted"].format(what=noted)
        goals = (SEE_DOCTOR,) if WORRYING & {m.id for m in turn.mentions} else state.goals
        return answer(Request(turn.intents, goals, state.focus, opening, skip=state.said), state, setting)
    if turn.ids(t.CONDITION) or turn.ids(t.MEDICINE) or turn.ids(t.NOT_COVERED):
        named_goal = "medication" if turn.ids(t.MEDICINE) else "condition"
        return ask(replace(turn, intents=intents_of((named_goal,), k)), state, setting)
    if turn.ids(t.TOPIC):
        return ask(replace(turn, intents=intents_of(with_place(state.goals) or ("about",), k)), state, setting)
    if followed := _follow(turn, before, setting):
        return followed
    if state.goals and not noted:
        return _continue(turn.intents, state.goals, state, setting)
    return offer(turn, "ask_what", state, setting)


def more(turn: Turn, state: State, setting: Setting) -> Reply:
    """Tells what the last answer left out, then what else there is beside its subject, or says that it was all."""
    k = setting.k
    if not state.goals:
        return offer(turn, "ask_what", state, setting)
    if set(_tellable(Request(turn.intents, state.goals, state.focus), setting)) <= set(state.said):
        state = replace(state, conditions=lasting(state, k), medicines=(), topics=())
    return _continue(turn.intents, state.goals, state, setting)


def affirm(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes up the first thing offered."""
    if asked := asked_besides(turn, setting.k):
        return ask(asked, state, setting)
    if has_details(turn) or state.pending:
        return inform(turn, state, setting)
    if state.offers:
        goals = state.offers[:1]
        return answer(Request(turn.intents, goals, state.focus), state, setting)
    return offer(turn, "affirm", state, setting, kind="smalltalk")


def deny(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes a "no": to a safety question, a correction, "no, X did nothing", or the end of a subject."""
    if asked := asked_besides(turn, setting.k):
        return ask(asked, checks.denied(state, state.checking) if state.checking else state, setting)
    if state.checking and (not turn.ids(t.BODY_PART) or checks.DENIES_SIGNS in turn.ids(t.CUE)):
        return check_denied(turn, state, setting)
    if turn.ids(t.TOPIC) and not turn.ids(t.BODY_PART) and state.goals:
        return negative_feedback(turn, state, setting)
    if t.SET_ASIDE in turn.ids(t.CUE) and state.goals:
        return negative_feedback(turn, state, setting)
    if has_details(turn) or state.pending:
        return inform(turn, state, setting)
    if state.missing and t.NOTHING_AT_ALL in turn.ids(t.CUE):
        return _still_not_covered(turn, state, setting)
    return offer(turn, "deny", state, setting, kind="smalltalk")


def negative_feedback(turn: Turn, state: State, setting: Setting) -> Reply:
    """Offers something else after "that did not help"."""
    k = setting.k
    if state.kind == "decline":
        return decline(turn, state, setting)
    if listed_fact(turn, state, k):
        return ask(replace(turn, intents=intents_of(state.goals or ("about",), k)), state, setting)
    if turn.ids(t.NOT_COVERED) and not turn.ids(t.TOPIC):
        return ask(replace(turn, intents=intents_of(with_place(state.goals) or ("about",), k)), state, setting)
    goals = state.goals or ((TREATMENT,) if turn.ids(t.BODY_PART) or turn.ids(t.TOPIC) else ())
    if not goals:
        return offer(turn, "sorry_which", state, setting)
    state = replace(state, goals=goals)
    treated = DESCRIBE in state.goals or any(k.goals[goal].treats for goal in state.goals)
    if not treated and (followed := _follow(turn, state, setting)):
        return followed
    goals = (TREATMENT,) if treated else state.goals
    # What was tried, and named as such, is not offered again in other words.
    tried = (fact for topic in turn.ids(t.TOPIC) for fact in k.by_topic.get(topic, ()))
    focus = replace(focus_of(turn, state, goals, k), topics=(), conditions=(), medicines=())
    skip = unique((*state.said, *tried))
    request = Request(turn.intents, goals, focus, k.phrases["try_next"], k.phrases["try_doctor"], skip)
    return answer(request, state, setting)


def decline(turn: Turn, state: State, setting: Setting) -> Reply:
    """Declines a personal medical decision, says who takes it, and helps with what the documents say."""
    k = setting.k
    if not turn.ids(t.MEDICINE) and followed_up(turn, state, k):
        return ask(replace(turn, intents=intents_of(state.goals, k)), state, setting)
    again = state.kind == "decline"
    other = t.INSTEAD in turn.ids(t.CUE) and DECISION not in turn.intents
    bare = t.INSTEAD in turn.ids(t.CUE) and not names_something(turn) and not state.medicines
    if bare and state.kind == "answer":
        return ask(replace(turn, intents=intents_of((TREATMENT,), k)), state, setting)
    if again and not turn.ids(t.MEDICINE) and (other or t.SET_ASIDE in turn.ids(t.CUE)):
        goal = goal_on(turn, k) if turn.ids(t.TOPIC) else TREATMENT
        return ask(replace(turn, intents=intents_of((goal,), k)), replace(state, medicines=()), setting)
    draft = setting.draft()
    draft.say(k.phrases["decline_again" if again else "decline"])
    goals = ("medication",)
    focus = focus_of(turn, state, goals, k)
    on_medicine = choose(k.goals["medication"], focus, k).leads[:2] if focus.medicines and not again else ()
    if not again and not on_medicine:
        draft.say(k.phrases["decline_activity"])
    if not again and (missing := not_covered(turn, k)):
        draft.say(draft.phrase("nothing_for", what=_name_of(missing, k)))
    chosen = on_medicine or (() if again or focus.medicines else _beside_decision(turn, state, k))
    if chosen:
        draft.gap()
        draft.say(k.phrases["heading"].format(heading=k.phrases["decline_more"]))
        draft.tell(chosen, focus.body_parts)
    introduce(draft, state)
    return finished("decline", draft, turn, replace(state.with_focus(focus), introduced=True), (SEE_DOCTOR, TREATMENT))


def _beside_decision(turn: Turn, state: State, k: Knowledge) -> tuple[str, ...]:
    """Gives the facts on what a declined decision is about, where a question of fact is about as likely meant.

    None before the safety question of that part of the body was asked: a declined decision does not ask it.
    """
    goals = goals_of((turn.second,), k)
    focus = focus_of(turn, state, goals, k)
    if not_covered(turn, k) or bars(focus, k) or checks.due(focus, state, k):
        return ()
    asked = (lead for goal in goals if goal in k.goals for lead in choose(k.goals[goal], focus, k).leads)
    return tuple(lead for lead in turn.facts or unique(asked) if safe(k.facts[lead], focus.body_parts, k))[:2]


def sources(turn: Turn, state: State, setting: Setting) -> Reply:
    """Lists the documents and sections behind the last answer, or says how sure it is."""
    k = setting.k
    if CERTAINTY in turn.ids(t.CUE) and state.last:
        return certainty(turn, state, setting)
    if followed := _follow(turn, state, setting, ASKED_IN_CONTEXT):
        return followed
    if turn.ids(t.NOT_COVERED):
        return ask(replace(turn, intents=intents_of(("about",), k)), state, setting)
    if t.CONTENT in turn.ids(t.CUE) and (asked := _second_guess(turn, k) or intents_of(state.goals, k)):
        return ask(replace(turn, intents=asked), state, setting)
    if (has_subjects(turn) or turn.ids(t.BODY_PART)) and not state.last:
        return ask(replace(turn, intents=intents_of((goal_on(turn, k),), k)), state, setting)
    draft = setting.draft()
    cited = unique(f"{k.facts[f].doc}|{k.facts[f].section}" for f in state.last if f in k.facts)
    draft.say(k.phrases["heading"].format(heading=k.phrases["source_last" if cited else "source_none"]))
    if cited:
        for item in cited:
            doc, _, section = item.partition("|")
            draft.say(f"• {k.documents[doc].title}, {section_name(section)}{dated(k, doc)}")
    else:
        for document in k.documents.values():
            draft.say(f"• {document.title}{dated(k, document.id)}")
    draft.gap()
    draft.say(k.phrases["source_quality"])
    reply, after = finished("answer", draft, turn, replace(state, introduced=True), state.offers or STARTERS)
    return replace(reply, facts=state.last, sources=source_list(state, setting)), after


def meaning(turn: Turn, state: State, setting: Setting) -> Reply:
    """Explains a word; a word that is not in the glossary is answered like a question about it."""
    k = setting.k
    terms = [k.glossary[term] for term in turn.ids(t.TERM)]
    if not terms:
        return ask(replace(turn, intents=("ask_about_spasms",)), state, setting)
    draft = setting.draft()
    for term in terms[:2]:
        draft.say(k.phrases["term"].format(term=capital(term.name), meaning=term.meaning))
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
    return finished("answer", draft, turn, after, state.offers or STARTERS)


def _did_you_mean(turn: Turn, state: State, setting: Setting) -> Reply | None:
    """Offers the likeliest questions the first time that a message is not understood."""
    k = setting.k
    goals = [goal.id for intent in turn.guesses for goal in k.goals.values() if goal.intent == intent][:3]
    if state.kind == "fallback" or not goals or "out_of_scope" in turn.intents:
        return None
    draft = setting.draft()
    draft.say(k.phrases["did_you_mean"])
    return unserved(finished("fallback", draft, turn, state, goals), t.NOT_UNDERSTOOD, turn.nearest, state)


def fallback(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says what the bot knows, after a message that it did not understand or that is out of scope."""
    if turn.language in setting.k.languages:
        draft = setting.draft()
        draft.say(draft.fill(setting.k.languages[turn.language].text))
        return unserved(finished("fallback", draft, turn, state, ()), t.LANGUAGE, turn.language, state)
    if turn.ids(t.NOT_COVERED) or listed_fact(turn, state, setting.k):
        return ask(replace(turn, intents=intents_of(with_place(state.goals) or ("about",), setting.k)), state, setting)
    if state.kind == "decline" and not turn.ids(t.BODY_PART) and not has_subjects(turn):
        return decline(turn, state, setting)
    if (state.pending or "out_of_scope" not in turn.intents) and turn.ids(t.BODY_PART):
        return inform(turn, state, setting)
    if state.pending:
        return inform(turn, state, setting)
    if "out_of_scope" not in turn.intents and has_subjects(turn):
        return ask(replace(turn, intents=intents_of(with_place(state.goals) or ("about",), setting.k)), state, setting)
    outside = "out_of_scope" in turn.intents
    about = replace(turn, facts=()) if outside and not has_subjects(turn) else turn
    if followed := _follow(about, state, setting, NEAR_IN_CONTEXT if outside else HINT_IN_CONTEXT):
        return followed
    if guessed := _did_you_mean(turn, state, setting):
        return guessed
    draft = setting.draft()
    draft.say(setting.k.phrases["fallback"], setting.k.phrases["fallback_help"])
    return unserved(finished("fallback", draft, turn, state, STARTERS), t.NOT_UNDERSTOOD, turn.nearest, state)


def small_talk(turn: Turn, state: State, setting: Setting) -> Reply:
    """Answers a greeting, thanks, a goodbye or "are you a person?" in a line; an emergency is not chatted away."""
    if not turn.alarmed and (asked := asked_besides(turn, setting.k)):
        return ask(asked, state, setting)
    if not turn.alarmed and turn.intents[0] == "greet" and names_something(turn):
        return inform(turn, state, setting)
    if not turn.alarmed and turn.facts and (meant := questions_of((turn.second,), setting.k)):
        return ask(replace(turn, intents=meant), state, setting)
    keys = {"greet": "greet", "thank": "thank", "goodbye": "goodbye", "bot_challenge": "bot"}
    key = "privacy" if PRIVACY in turn.ids(t.CUE) else keys.get(turn.intents[0], "greet")
    draft = setting.draft()
    draft.say(setting.k.phrases[key])
    if key == "greet":
        introduce(draft, state)
    offers = STARTERS if key in ("greet", "bot") else ()
    return finished("smalltalk", draft, turn, replace(state, introduced=True), offers)


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
    asked = questions_of(turn.intents, k)
    about = replace(turn, intents=asked) if asked else flagged
    if questions_of(about.intents, k):
        for part in about.ids(t.BODY_PART):
            state = checks.answered(state, k.body_parts[part].region)
        reply, after = ask(about, state, setting)
        return replace(reply, text=f"{opening}\n\n{reply.text}"), after
    about = flagged if has_details(flagged) else turn
    goals = (DESCRIBE,) if about.ids(t.BODY_PART) else state.goals
    if not goals:
        draft = setting.draft()
        draft.say(opening)
        return finished("smalltalk", draft, turn, state, STARTERS)
    focus = focus_of(about, state, goals, k)
    return answer(Request(turn.intents, goals, focus, opening), state, setting)


def check_denied(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes "no" to a safety question: gives the advice that waited for it, if any did."""
    state = checks.denied(state, state.checking)
    if state.pending:
        opening = setting.draft().phrase("false_alarm")
        return answer(
            Request(intents_of(state.pending, setting.k), state.pending, state.focus, opening), state, setting
        )
    draft = setting.draft()
    draft.say(draft.phrase("check_no"))
    return finished("smalltalk", draft, turn, state, state.offers or STARTERS)


def plain_yes(turn: Turn, k: Knowledge) -> bool:
    """Tells whether a message that has a yes says nothing that may mean a no, and asks nothing."""
    asks = any(intent != "describe_problem" for intent in questions_of(turn.intents, k))
    return not asks and not {t.ALL_WELL, checks.DENIES_SIGNS} & set(turn.ids(t.CUE))


def check_again(turn: Turn, state: State, setting: Setting, region: str) -> Reply:
    """Asks a region's safety question once more, after an answer that may mean yes."""
    return _safety_question(turn, state, setting, region, setting.k.phrases["yes_or_no"])


def not_sure(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes "I don't know" to a question that is none of safety."""
    if asked := asked_besides(turn, setting.k):
        return ask(asked, state, setting)
    if has_details(turn):
        return inform(turn, state, setting)
    if state.pending:
        return answer(Request(turn.intents, state.pending, state.focus, setting.k.phrases["not_sure"]), state, setting)
    if state.missing:
        return _still_not_covered(turn, state, setting)
    return offer(turn, "not_sure_help", state, setting)


def why_asking(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says why the last question was asked; a safety question stays open."""
    k = setting.k
    asked = checks.question(state.checking, k)
    if not asked and state.kind == "decline":
        return decline(turn, state, setting)
    if not asked and not state.pending and (followed := _follow(turn, state, setting)):
        return followed
    if not asked and not state.pending and (state.last or has_details(turn)):
        return ask(replace(turn, intents=intents_of((CAUSES,), k)), state, setting)
    draft = setting.draft()
    if asked:
        draft.say(draft.fill(asked.why), draft.fill(asked.ask))
    else:
        draft.say(k.phrases["why_place" if state.pending else "why_nothing"])
    reply, after = finished("answer", draft, turn, state, state.offers or STARTERS)
    if not asked:
        return reply, after
    reply = replace(reply, safety_question=state.checking, buttons=checks.buttons(k))
    return reply, checks.asked(after, state.checking)


def no_alarm(turn: Turn, state: State, setting: Setting) -> Reply:
    """Takes "no alarm" when there was none: a description, or the end of a subject."""
    if state.kind == "decline":
        return decline(turn, state, setting)
    if asked := asked_besides(turn, setting.k):
        return ask(asked, state, setting)
    if state.checking:
        return check_denied(turn, state, setting)
    if state.pending:
        return inform(turn, state, setting)
    # There is no alarm, so the next best guess is the likelier one.
    if second := _second_guess(turn, setting.k):
        return ask(replace(turn, intents=second), state, setting)
    if turn.ids(t.BODY_PART):
        return ask(replace(turn, intents=("describe_problem",)), state, setting)
    if turn.ids(t.TRIGGER):
        return inform(turn, state, setting)
    if followed := _follow(turn, state, setting):
        return followed
    return offer(turn, "false_alarm_none", state, setting, kind="smalltalk")


def shorter(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says the last answer again in its main points; with none before, what is named is asked about."""
    if not state.last and has_subjects(turn) and (second := _second_guess(turn, setting.k)):
        return ask(replace(turn, intents=second), state, setting)
    return asides.shorter(turn, state, setting)


def hand_off(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says who can help in person; a question on such help ("physio?") that is as likely meant is answered."""
    if has_subjects(turn) and (meant := questions_of((turn.second,), setting.k)):
        return ask(replace(turn, intents=meant), state, setting)
    return asides.handoff(turn, state, setting)


def _second_guess(turn: Turn, k: Knowledge) -> tuple[str, ...]:
    """Gives the next best guess at what a message asks, if it is a question."""
    return questions_of(tuple(intent for intent in turn.guesses if intent != turn.intents[0])[:1], k)


def recalled(flagged: Turn, state: State, k: Knowledge) -> State:
    """Gives the state with what a message named that raised an alarm, so that the talk can go on about it."""
    if not flagged.ids(t.BODY_PART) and not flagged.ids(t.TRIGGER):
        return state
    focus = focus_of(flagged, state, (DESCRIBE,), k)
    return remember(flagged, state, k).with_focus(focus)


def _follow(turn: Turn, state: State, setting: Setting, least: float = HINT_IN_CONTEXT) -> Reply | None:
    """Answers a message that says nothing by itself as a follow-up to the last answer, if it is near enough to it."""
    k = setting.k
    found = turn.facts or in_context(turn, state, k, least)
    if not found:
        return None
    goals = ("about",)
    return answer(Request(intents_of(goals, k), goals, focus_of(turn, state, goals, k), found=found), state, setting)


def _ordinal_opening(turn: Turn, state: State, k: Knowledge) -> str:
    listed = listed_fact(turn, state, k)
    return k.phrases["first_one"].format(what=k.topics[listed.topics[0]].name) if listed else ""


def _check_first(goals: tuple[str, ...], focus: Focus, state: State, k: Knowledge) -> bool:
    """Tells whether advice must wait for a region's safety question."""
    due = checks.due(focus, state, k)
    return advises(goals, k) and due is not None and due[1].first


def _ask_check(turn: Turn, goals: tuple[str, ...], focus: Focus, state: State, setting: Setting) -> Reply:
    """Asks a region's safety question before any advice."""
    region = setting.k.body_parts[focus.body_parts[0]].region
    return _safety_question(turn, replace(state.with_focus(focus), pending=goals), setting, region)


def _safety_question(turn: Turn, state: State, setting: Setting, region: str, opening: str = "") -> Reply:
    k, draft = setting.k, setting.draft()
    asked = checks.question(region, k)
    assert asked is not None
    draft.say(opening, draft.fill(asked.ask))
    introduce(draft, state)
    reply, after = finished("safety_check", draft, turn, replace(state, introduced=True), ())
    extra = {"rule": checks.CHECK + region, "emergency_number": setting.emergency_number}
    reply = replace(reply, safety_question=region, buttons=checks.buttons(k), extra=extra)
    return reply, checks.asked(after, region)


def _ask_place(turn: Turn, goals: tuple[str, ...], focus: Focus, state: State, setting: Setting) -> Reply:
    k = setting.k
    draft = setting.draft()
    echo = understood(focus, k)
    draft.say(k.phrases["understood"].format(what=echo) if echo else "")
    draft.say(k.phrases["ask_place"], "" if focus.triggers else k.phrases["ask_place_more"])
    introduce(draft, state)
    after = replace(state.with_focus(focus), pending=goals, asked_place=True, introduced=True)
    reply, after = finished("clarify", draft, turn, after, ())
    return replace(reply, buttons=place_buttons(k), understood=echo), after


def _continue(intents: tuple[str, ...], goals: tuple[str, ...], state: State, setting: Setting) -> Reply:
    """Tells what was not said yet of the same goals, or says that it was all."""
    k = setting.k
    wider = (CAUSES, TREATMENT) if DESCRIBE in goals else goals
    request = Request(intents, wider, state.focus, k.phrases["again"])
    every = _tellable(request, setting)
    if any(lead not in state.said for lead in every):
        skip = tuple(lead for lead in every if lead in state.said)
        return answer(replace(request, skip=skip), state, setting)
    return answer(replace(request, opening=k.phrases["all_said_again"]), state, setting)


def _tellable(request: Request, setting: Setting) -> tuple[str, ...]:
    """Gives all that may be told of a request's goals, best first."""
    k = setting.k
    told = (goal for goal, _ in without_self_care(request, setting))
    return unique(lead for goal in told for lead in choose(k.goals[goal], request.focus, k).leads)


def _answer_not_covered(
    missing: str, turn: Turn, goals: tuple[str, ...], focus: Focus, state: State, setting: Setting
) -> Reply:
    k = setting.k
    item = k.not_covered.get(missing)
    refer = (item.refer if item else None) or k.phrases["refer_default"]
    draft = setting.draft()
    nothing = draft.phrase("nothing_for", what=_name_of(missing, k))
    opening = nothing + " " + draft.phrase("refer", who=refer[0].upper() + refer[1:])
    caution = k.cautions[item.caution] if item and item.caution else None
    if item and (item.general is True or (item.general == FACTS_ONLY and not advises(goals, k))):
        if caution and item.general == FACTS_ONLY:
            opening += " " + draft.fill(caution.caveat or "")
        reply, after = answer(Request(turn.intents, goals, replace(focus, topics=()), opening), state, setting)
        return reply, replace(after, missing=missing)
    draft.say(opening)
    if caution:
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
    introduce(draft, state)
    kind = "answer" if draft.facts or barred else "fallback"
    reply, after = finished(kind, draft, turn, replace(state.with_focus(focus), introduced=True), STARTERS)
    return reply, replace(after, missing=missing)


def _name_of(missing: str, k: Knowledge) -> str:
    return k.not_covered[missing].name if missing in k.not_covered else k.conditions[missing].name


def _still_not_covered(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says again what the documents do not cover, after "nothing at all?"."""
    goals = state.goals or (CAUSES,)
    return _answer_not_covered(state.missing, turn, goals, state.focus, state, setting)
