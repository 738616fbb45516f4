"""The last word of the pipeline: a verdict of the screen overrides classifier and fallback."""

from __future__ import annotations

from typing import Any, Dict, List

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.constants import (
    ENTITIES,
    ENTITY_ATTRIBUTE_TYPE,
    ENTITY_ATTRIBUTE_VALUE,
    EXTRACTOR,
    INTENT,
    PREDICTED_CONFIDENCE_KEY,
)
from rasa.shared.nlu.training_data.message import Message

from bot.core.checks import region_of
from bot.nlu.components import ConfiguredComponent
from bot.nlu.intent_classifier import QUESTIONS, RANKING
from bot.nlu.language_guesser import LANGUAGE
from bot.nlu.learned_screen import LEARNED, PROBABILITY, learned
from bot.nlu.safety_screen import REPLY, RULE

RED_FLAG = "red_flag"
# The key under which a question to ask first travels to the action server; the message keeps its intent, so that it is
# answered once the danger is denied.
QUESTION = "screen_question"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class SafetyGate(ConfiguredComponent):
    """Turns a verdict into the intent `red_flag` and the entities that choose the reply."""

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Gives the options; the reasons for the values stand in config.yml."""
        return {"foreign_sure": 0.6}

    def process(self, messages: List[Message]) -> List[Message]:
        """Applies the verdict on each message."""
        for message in messages:
            verdict = learned(message)
            if not verdict or self._unread(message, verdict):
                continue
            if region_of(verdict[REPLY]):
                message.set(QUESTION, verdict, add_to_output=True)
            else:
                self._override(message, verdict)
        return messages

    def _unread(self, message: Message, verdict: Dict[str, str]) -> bool:
        """Tells whether the sentence in the person's own language, which has the number, serves better.

        A question in English helps nobody who does not read it, and the learned screen knows little of other languages.
        """
        unsure = verdict[RULE] == LEARNED and float(message.get(PROBABILITY) or 0) < self._config["foreign_sure"]
        return bool(message.get(LANGUAGE)) and (unsure or region_of(verdict[REPLY]) is not None)

    def _override(self, message: Message, verdict: Dict[str, str]) -> None:
        intent = {"name": RED_FLAG, PREDICTED_CONFIDENCE_KEY: 1.0}
        message.set(INTENT, intent, add_to_output=True)
        # The ranking's head is what the SDK takes for the intent.
        message.set(RANKING, [intent, *(message.get(RANKING) or [])], add_to_output=True)
        message.set(QUESTIONS, [RED_FLAG], add_to_output=True)
        chosen = {"safety_rule": verdict[RULE], "safety_reply": verdict[REPLY]}
        entities = [
            {
                ENTITY_ATTRIBUTE_TYPE: name,
                ENTITY_ATTRIBUTE_VALUE: value,
                "start": 0,
                "end": 0,
                EXTRACTOR: type(self).__name__,
            }
            for name, value in chosen.items()
        ]
        message.set(ENTITIES, [*(message.get(ENTITIES) or []), *entities], add_to_output=True)
