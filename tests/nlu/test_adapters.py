"""The encoder's adapters: fitted when examples change, kept, and committed with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.language.adapter import Adapter
from bot.language.encoder import SentenceEncoder, weights_folder
from bot.nlu import adapters, fitting, intent_training
from bot.nlu.adapters import EXAMPLES, SHIPPED, Plan, stored_or_fitted
from bot.nlu.fit_adapters import write

TEXTS = {
    "causes": ["why does it cramp", "what causes cramps", "how come it spasms", "what brings this on"],
    "relief": ["what helps a cramp", "how do i stop it", "how can i ease it", "what do i do about it"],
}
EXAMPLE = [(text, name) for name, texts in TEXTS.items() for text in texts]
PLAN = Plan(tuple(TEXTS), rank=2, rounds=12, batch=4, calibrate_every=8, misspelt=0.5, smoothing=0.05, balance=0.5)


def test_committed_intent_adapter_is_that_of_the_phrases():
    about = Adapter.load(SHIPPED / intent_training.FILE).about
    digest = intent_training.digest(intent_training.phrases())
    assert about[EXAMPLES] == digest, "the training phrases changed: run `make adapters` and commit its result"


def test_digest_knows_phrases_in_any_order_and_the_plan():
    assert intent_training.digest(EXAMPLE) == intent_training.digest(reversed(EXAMPLE))
    assert intent_training.digest(EXAMPLE) != intent_training.digest(EXAMPLE[1:])
    assert PLAN.digest(EXAMPLE) != Plan(PLAN.classes).digest(EXAMPLE)


def test_a_fit_tells_its_texts_apart_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(adapters, "CACHE", tmp_path)
    asked = []

    def examples():
        asked.append(1)
        return EXAMPLE

    def fitted() -> Adapter:
        return stored_or_fitted("some.npz", PLAN.digest(EXAMPLE), PLAN, 0, examples, "fitting")

    adapter = fitted()
    encoder = SentenceEncoder(weights_folder(), cache=tmp_path, adapter=adapter)
    found = adapter.probabilities(encoder.pool([text for text, _ in EXAMPLE]))
    right = [
        adapter.classes[int(place)] == name for place, (_, name) in zip(found.argmax(axis=1), EXAMPLE, strict=True)
    ]
    assert sum(right) >= len(EXAMPLE) - 1
    assert fitted().classes == tuple(TEXTS) and len(asked) == 1


def test_texts_are_misspelt_as_often_as_planned():
    reader = fitting._Reader(Plan(("a",), misspelt=0.5), seed=0)
    text = "my calf cramps at night when i lie down"
    plain = reader.tokens([text])[0]
    changed = np.mean([ids != plain for ids in reader.misspelt([text] * 400)])
    assert 0.35 < changed < 0.6
    assert fitting._Reader(Plan(("a",)), seed=0).misspelt([text]) == [plain]
    assert reader.misspelt(["", "5", "?"])


def test_an_adapter_is_written_only_when_its_numbers_changed(tmp_path: Path):
    file = tmp_path / "some.npz"
    adapter = Adapter.load(SHIPPED / intent_training.FILE)
    write(adapter, file)
    file.touch()
    before = file.stat().st_mtime_ns
    write(Adapter.load(file), file)
    assert file.stat().st_mtime_ns == before
    write(replace(adapter, bias=adapter.bias + 1), file)
    assert Adapter.load(file).digest != adapter.digest
