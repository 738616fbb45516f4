"""The encoder: right weights or a clear error, and vectors near the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.errors import EncoderError
from bot.language import encoder
from bot.language.encoder import SentenceEncoder, load_encoder, weights_folder


def test_vectors_have_unit_length_and_are_the_same_alone_and_in_a_batch():
    texts = ["back cramp after lifting", "why", "what can I do about a calf that cramps every single night in bed"]
    together = load_encoder().encode(texts)
    alone = np.vstack([load_encoder().encode([text]) for text in texts])
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert ((together * alone).sum(axis=1) > 0.99).all()


def test_meaning_is_nearer_than_words():
    a, b, c = load_encoder().encode(["my calf cramps", "charley horse in my lower leg", "will it rain tomorrow"])
    assert a @ b > a @ c + 0.2


def test_eight_bit_vectors_are_near_the_reference():
    """The reference: the same weights in plain NumPy arithmetic, 32-bit."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = weights_folder()
    weights = load_file(str(folder / "model.safetensors"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    for text in ("back cramp after lifting", "does magnesium help with cramps at night"):
        reference = _numpy_encode(weights, tokenizer.encode(text).ids)
        assert float(load_encoder().encode([text])[0] @ reference) > 0.99


def _numpy_encode(w: dict, ids: list[int]) -> np.ndarray:
    from scipy.special import erf

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    n = len(ids)
    embedded = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:n]
    x = norm(embedded + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(encoder.LAYERS):
        base = f"encoder.layer.{layer}."
        q, k, v = (
            linear(x, f"{base}attention.self.{name}").reshape(n, encoder.HEADS, -1).transpose(1, 0, 2)
            for name in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        attended = (weights @ v).transpose(1, 0, 2).reshape(n, -1)
        x = norm(linear(attended, f"{base}attention.output.dense") + x, f"{base}attention.output.LayerNorm")
        hidden = linear(x, f"{base}intermediate.dense")
        hidden = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
        x = norm(linear(hidden, f"{base}output.dense") + x, f"{base}output.LayerNorm")
    mean = x.mean(axis=0)
    return mean / np.linalg.norm(mean)


def test_missing_weights_are_told(tmp_path: Path):
    with pytest.raises(EncoderError, match=r"missing.*make setup"):
        SentenceEncoder(tmp_path, tmp_path / "cache")


def test_wrong_weights_are_told(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"not the weights")
    with pytest.raises(EncoderError, match=r"not the expected ones.*make setup"):
        SentenceEncoder(tmp_path, tmp_path / "cache")


def test_uninstalled_package_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(encoder, "PACKAGE", "no_such_package")
    with pytest.raises(EncoderError, match="not installed"):
        weights_folder()
