"""The learned screen beside the rules: danger in wordings that no rule foresaw."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Dict, List, Optional, Tuple, Type

import numpy as np
import numpy.typing as npt
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from spacy.tokens import Doc

from bot.core.checks import ANYWHERE, CHECK
from bot.language.adapter import Adapter
from bot.language.encoder import SentenceEncoder, aside, weights_folder
from bot.language.pipeline import plain
from bot.nlu.components import StoredComponent
from bot.nlu.language_reader import DOC
from bot.nlu.safety_screen import BESIDE, FAILED, FIRM, REPLY, RULE, SAFETY
from bot.nlu.screen_training import CLASSES, HARMLESS, SEEDS, current_adapters, examples_digest, file_name

LEARNED = "learned-screen"
# The key under which the probabilities travel, for evaluation.
PROBABILITY = "danger_probability"
# The key of what waits for the verdict: long messages are looked at while the other components read them.
LOOKING = "looking"
# The fixed reply for each urgency that the screen finds by itself.
REPLIES = {"emergency": "emergency-now", "crisis": "crisis", "urgent": "see-today", "soon": "doctor-soon"}


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LearnedScreen(StoredComponent):
    """A sentence encoder fitted to tell danger from harm's look-alikes, and how urgent it is.

    Sure: it acts. Unsure: one yes/no question is asked. It never silences a rule: where it finds no danger in what a
    rule caught, the question is asked beside the answer instead of an alarm raised (all 46 such messages of
    evaluation/redflags_dev.jsonl are harmless). Nor need the answer wait if the doubt is about nothing urgent.
    """

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Gives the options; the reasons for the values stand in config.yml."""
        return {"sure": 0.5, "unsure": 0.35, "doubt": 0.05, "settled": 0.02, "window": 60}

    def __init__(self, config: Dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        """Makes an untrained component (see parent)."""
        super().__init__(config, storage, resource)
        self._members: List[Tuple[Adapter, SentenceEncoder]] = []

    @classmethod
    def required_components(cls) -> List[Type]:
        """Names what must stand before it in the pipeline."""
        return [Tokenizer]

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Makes Rasa train again when the examples changed."""
        return examples_digest()

    def train(self, training_data: TrainingData) -> Resource:
        """Stores the adapters of the current examples; they are fitted now only when these changed."""
        with self._storage.write_to(self._resource) as folder:
            for seed, adapter in zip(SEEDS, current_adapters(), strict=True):
                adapter.save(folder / file_name(seed))
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> LearnedScreen:
        """Reads the trained component from the model (see parent)."""
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            adapters = [Adapter.load(folder / file_name(seed)) for seed in SEEDS]
        component._members = [(one, SentenceEncoder(weights_folder(), adapter=one)) for one in adapters]
        return component

    def process(self, messages: List[Message]) -> List[Message]:
        """Begins to look at each message; `learned` waits for the end."""
        for message in messages:
            doc = message.get(DOC)
            message.set(LOOKING, aside(partial(self._look, message), len(doc) if doc is not None else 0))
        return messages

    def _look(self, message: Message) -> Tuple[float, Dict[str, str]]:
        """Gives the probability of danger and the verdict, the rules' joined with its own."""
        doc = message.get(DOC)
        rule = message.get(SAFETY) or {}
        # Before it doubts a rule, all members are heard.
        found = self._probabilities(doc, thorough=bool(rule)) if doc is not None else _CALM
        danger = 1.0 - float(found[0])
        return danger, self._verdict(rule, danger, found)

    def _verdict(self, rule: Dict[str, str], danger: float, found: npt.NDArray[np.float32]) -> Dict[str, str]:
        """Joins the rules' verdict and the learned one."""
        if rule:
            sure = danger >= self._config["doubt"] or rule[RULE] == FAILED or FIRM in rule
            return rule if sure else {**rule, REPLY: CHECK + ANYWHERE, BESIDE: BESIDE}
        if danger >= self._config["sure"]:
            return {RULE: LEARNED, REPLY: REPLIES[urgency(found)]}
        if danger < self._config["unsure"]:
            return {}
        beside = {BESIDE: BESIDE} if urgency(found) == "soon" else {}
        return {RULE: LEARNED, REPLY: CHECK + ANYWHERE, **beside}

    def _probabilities(self, doc: Doc, thorough: bool = False) -> npt.NDArray[np.float32]:
        """Gives the probabilities of the classes; those of a long message are averaged with those of its worst part.

        The whole of a long story says little, as what matters is one sentence of it; but a part torn from its story
        sounds dangerous when it is not. With the rules, the worst part by itself raises an alarm on every second
        harmless story of evaluation/redflags_dev_stories.jsonl, the average on a fifth, and neither misses a danger.
        """
        if not any(token.is_alpha for token in doc) or not self._members:
            return _CALM
        size = self._config["window"]
        texts = [plain(doc)]
        if len(doc) > 1.5 * size:
            texts += [plain(doc[start : start + size]) for start in range(0, len(doc) - size // 2, size // 2)]
        whole, *parts = self._average(texts, thorough)
        worst = min(parts, key=lambda part: float(part[0]), default=whole)
        return average([whole[None], worst[None]])[0]

    def _average(self, texts: List[str], thorough: bool) -> npt.NDArray[np.float32]:
        """Gives the members' average; where the first finds all texts quite harmless, the other need not be asked."""
        (one, other) = self._members
        first = _ask(*one, texts)
        calm = not thorough and 1.0 - float(first[:, 0].min()) < self._config["settled"]
        return average([first] if calm else [first, _ask(*other, texts)])


def learned(message: Message) -> Dict[str, str]:
    """Gives the verdict on a message, the rules' joined with the learned one, and writes it down for evaluation."""
    waiting = message.get(LOOKING)
    if waiting is None:  # no learned screen in the pipeline
        return message.get(SAFETY) or {}
    danger, verdict = waiting()
    message.set(LOOKING, None)
    message.set(PROBABILITY, round(danger, 3), add_to_output=True)
    message.set(SAFETY, verdict, add_to_output=True)
    return verdict


def _ask(adapter: Adapter, encoder: SentenceEncoder, texts: List[str]) -> npt.NDArray[np.float32]:
    return adapter.probabilities(encoder.pool(texts))


_CALM = np.eye(len(CLASSES), dtype=np.float32)[CLASSES.index(HARMLESS)]


def average(members: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Averages probabilities as logarithms (a geometric mean), so that one doubtful member is heard."""
    logs = np.mean([np.log(np.clip(member, 1e-6, 1.0)) for member in members], axis=0)
    powers = np.exp(logs)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def urgency(found: npt.NDArray[np.float32]) -> str:
    """Gives the urgency to answer with: the worst class that holds a fair share of the danger.

    A third of the danger is enough for an emergency: being sent too early does less harm than too late.
    """
    share = dict(zip(CLASSES, found / max(1e-9, 1.0 - float(found[0])), strict=True))
    if share["crisis"] >= 0.5:
        return "crisis"
    if share["emergency"] + share["crisis"] >= 1 / 3:
        return "emergency"
    return "urgent" if share["emergency"] + share["urgent"] >= 1 / 3 else "soon"
