"""One fit of an adapter in TensorFlow, which Rasa installs (`bot.nlu.adapters` says when)."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from string import ascii_lowercase as LETTERS
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from bot.language.adapter import Adapter
from bot.language.encoder import DIMENSIONS, HEADS, LAYERS, weights_folder
from bot.language.pipeline import plain, read
from bot.nlu.adapters import EXAMPLES, Labelled, Plan

# Spreads the mean token vector, whose numbers are small, so that the head learns as fast as the rest.
SPREAD = 3.0
# One slip of the finger every so many letters of a text that is misspelt.
SLIP_EVERY = 18
Texts = npt.NDArray[np.object_]
LINEARS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)


def fit(examples: Sequence[Labelled], plan: Plan, digest: str, seed: int) -> Adapter:
    """Fits an adapter on labelled texts.

    Args:
        examples: Texts with their class.
        plan: How to fit.
        digest: What to record as their digest.
        seed: Makes the random start, the order, and the choice of texts to calibrate on.
    """
    tf.keras.utils.set_random_seed(seed + 1)
    read_as = _Reader(plan, seed)
    texts = np.array([plain(read(text)) for text, _ in examples], dtype=object)
    labels = np.array([plan.classes.index(name) for _, name in examples], dtype=np.int32)
    aside = np.arange(len(texts)) % plan.calibrate_every == seed
    model = _Classifier(plan, seed)
    _train(model, read_as, texts[~aside], labels[~aside], plan, seed)
    temperature = _temperature(_logits(model, read_as.tokens(texts[aside]), plan), labels[aside])
    about = {EXAMPLES: digest, "texts": len(texts), "temperature": temperature, "seed": seed}
    return Adapter(model.factors(), model.head.numpy() * SPREAD, model.bias.numpy(), plan.classes, about)


class _Reader:
    """Turns texts into tokens, some of them misspelt."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self._share, self._random = plan.misspelt, random.Random(seed)
        self._tokenizer = Tokenizer.from_file(str(weights_folder() / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(plan.max_tokens)

    def tokens(self, texts: Iterable[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def misspelt(self, texts: Iterable[str]) -> list[list[int]]:
        return self.tokens(self._slipped(text) if self._random.random() < self._share else text for text in texts)

    def _slipped(self, text: str) -> str:
        """Drops, swaps, doubles or replaces a letter here and there."""
        letters = list(text)
        for _ in range(max(1, len(letters) // SLIP_EVERY)):
            place = self._random.randrange(len(letters)) if letters else 0
            if not letters or not letters[place].isalpha():
                continue
            slip = self._random.choice("drop swap double replace".split())
            if slip == "swap" and place + 1 < len(letters):
                letters[place], letters[place + 1] = letters[place + 1], letters[place]
            else:
                other = self._random.choice(LETTERS)
                letters[place] = {"drop": "", "double": letters[place] * 2}.get(slip, other)
        return "".join(letters)


class _Linear(tf.Module):
    """A frozen linear layer with a low-rank change."""

    def __init__(
        self, name: str, weights: dict[str, npt.NDArray[np.float32]], rank: int, start: np.random.Generator
    ) -> None:
        super().__init__()
        self.full_name = name
        self._weight, self._bias = tf.constant(weights[f"{name}.weight"].T), tf.constant(weights[f"{name}.bias"])
        inputs, outputs = self._weight.shape
        self.a = tf.Variable(start.normal(0, inputs**-0.5, (inputs, rank)).astype(np.float32))
        self.b = tf.Variable(np.zeros((rank, outputs), np.float32))

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        # Twice: the usual scale of LoRA (alpha = 2 * rank).
        change = tf.linalg.matmul(tf.linalg.matmul(values, self.a), self.b) * 2.0
        return tf.linalg.matmul(values, self._weight) + self._bias + change


class _Classifier(tf.Module):
    """BERT's encoder with changed linear layers, the mean over tokens, and a head."""

    def __init__(self, plan: Plan, seed: int) -> None:
        super().__init__()
        weights = load_file(str(weights_folder() / "model.safetensors"))
        start = np.random.default_rng(seed)
        self._weights = {name: tf.constant(value) for name, value in weights.items() if "LayerNorm" in name}
        self._words = tf.constant(weights["embeddings.word_embeddings.weight"])
        types = weights["embeddings.token_type_embeddings.weight"][0]
        self._places = tf.constant(weights["embeddings.position_embeddings.weight"] + types)
        self.linears = [
            {part: _Linear(f"encoder.layer.{n}.{part}", weights, plan.rank, start) for part in LINEARS}
            for n in range(LAYERS)
        ]
        self.head = tf.Variable(start.normal(0, 0.02, (DIMENSIONS, len(plan.classes))).astype(np.float32))
        self.bias = tf.Variable(np.zeros(len(plan.classes), np.float32))

    def logits(self, ids: tf.Tensor, mask: tf.Tensor, dropout: float) -> tf.Tensor:
        """Gives the classes' logits for a padded batch."""
        x = self._norm(tf.gather(self._words, ids) + self._places[None, : tf.shape(ids)[1]], "embeddings.LayerNorm")
        hidden = (1.0 - mask)[:, None, None, :] * -1e9
        for number, layer in enumerate(self.linears):
            base = f"encoder.layer.{number}."
            seen = layer["attention.output.dense"](_attend(layer, x, hidden))
            x = self._norm(x + _drop(seen, dropout), f"{base}attention.output.LayerNorm")
            wide = tf.nn.gelu(layer["intermediate.dense"](x), approximate=False)
            x = self._norm(x + _drop(layer["output.dense"](wide), dropout), f"{base}output.LayerNorm")
        mean = tf.reduce_sum(x * mask[:, :, None], 1) / tf.reduce_sum(mask, 1, keepdims=True)
        return tf.matmul(_drop(mean, dropout) * SPREAD, self.head) + self.bias

    def factors(self) -> dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Gives the changes by layer, the scale within B."""
        return {
            line.full_name: (line.a.numpy(), line.b.numpy() * 2.0) for parts in self.linears for line in parts.values()
        }

    def _norm(self, values: tf.Tensor, name: str) -> tf.Tensor:
        mean, variance = tf.nn.moments(values, [-1], keepdims=True)
        scaled = (values - mean) * tf.math.rsqrt(variance + 1e-12)
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _attend(layer: dict[str, _Linear], x: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(x)
    size = DIMENSIONS // HEADS

    def heads(part: str) -> tf.Tensor:
        split = tf.reshape(layer[f"attention.self.{part}"](x), (shape[0], shape[1], HEADS, size))
        return tf.transpose(split, (0, 2, 1, 3))

    scores = tf.matmul(heads("query"), heads("key"), transpose_b=True) / size**0.5 + hidden
    seen = tf.matmul(tf.nn.softmax(scores), heads("value"))
    return tf.reshape(tf.transpose(seen, (0, 2, 1, 3)), (shape[0], shape[1], DIMENSIONS))


def _drop(values: tf.Tensor, rate: float) -> tf.Tensor:
    return tf.nn.dropout(values, rate) if rate else values


def _train(
    model: _Classifier, read_as: _Reader, texts: Texts, labels: npt.NDArray[np.int32], plan: Plan, seed: int
) -> None:
    optimizer = tf.keras.optimizers.Adam(plan.learning_rate)
    variables, count = model.trainable_variables, len(plan.classes)
    weights = _weights(labels, count, plan.balance)
    spec = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None]), tf.TensorSpec([None], tf.int32)]

    @tf.function(input_signature=spec, autograph=False)
    def step(batch: tf.Tensor, mask: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model.logits(batch, mask, plan.dropout)
            spread = tf.one_hot(wanted, count) * (1 - plan.smoothing) + plan.smoothing / count
            losses = tf.nn.softmax_cross_entropy_with_logits(spread, logits)
            loss = tf.reduce_mean(losses * tf.gather(weights, wanted))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    order = np.random.default_rng(seed)
    total = plan.rounds * -(-len(texts) // plan.batch)
    done, started, losses = 0, time.monotonic(), []
    for _ in range(plan.rounds):
        for rows, batch, mask in _batches(read_as.misspelt(texts), plan.batch, order):
            # A short rise, then a straight fall to nearly nothing.
            rate = min(1.0, done / 50, max(0.02, 1 - done / total))
            optimizer.learning_rate.assign(plan.learning_rate * rate)
            losses.append(float(step(batch, mask, labels[rows])))
            done += 1
            if done % 50 == 0:
                left = (time.monotonic() - started) / done * (total - done) / 60
                print(f"    step {done} of {total}, loss {np.mean(losses[-50:]):.3f}, {left:.0f} min left", flush=True)


def _weights(labels: npt.NDArray[np.int32], count: int, balance: float) -> tf.Tensor:
    """Gives what each class's texts weigh."""
    sizes = np.maximum(1, np.bincount(labels, minlength=count))
    return tf.constant((sizes.mean() / sizes) ** balance, tf.float32)


def _logits(model: _Classifier, ids: list[list[int]], plan: Plan) -> npt.NDArray[np.float32]:
    out = np.zeros((len(ids), len(plan.classes)), np.float32)
    for rows, batch, mask in _batches(ids, plan.batch, None):
        out[rows] = model.logits(tf.constant(batch), tf.constant(mask), 0.0).numpy()
    return out


def _batches(ids: list[list[int]], size: int, order: np.random.Generator | None) -> Iterator[tuple[Any, Any, Any]]:
    """Gives (rows, padded ids, mask); texts of like length share a batch, so that padding costs little."""
    lengths = np.array([len(i) for i in ids], dtype=np.float32)
    by_length = np.argsort(lengths + (order.uniform(0, 3, len(ids)) if order else 0), kind="stable")
    batches = [by_length[start : start + size] for start in range(0, len(ids), size)]
    for number in order.permutation(len(batches)) if order else range(len(batches)):
        rows = batches[number]
        width = max(len(ids[row]) for row in rows)
        padded = np.zeros((len(rows), width), np.int32)
        mask = np.zeros((len(rows), width), np.float32)
        for place, row in enumerate(rows):
            padded[place, : len(ids[row])] = ids[row]
            mask[place, : len(ids[row])] = 1
        yield rows, padded, mask


def _temperature(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> float:
    """Gives the temperature at which the probabilities fit texts that the model was not fitted on.

    Guo et al., "On Calibration of Modern Neural Networks" (2017).
    """
    if not len(labels):
        return 1.0

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        top = scaled.max(axis=1)
        logs = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float(np.mean(logs - scaled[np.arange(len(labels)), labels]))

    return float(min(np.arange(0.5, 5.01, 0.05), key=loss))
