"""CLIP: both encoders of a pair (Radford et al. 2021) in numpy, for pages that answer as one types.

A sentence takes milliseconds on one core, and torch, whose import takes seconds and hundreds of
megabytes in every reader's kernel, is not needed. The results are those of transformers'
`CLIPTextModelWithProjection` and `CLIPVisionModelWithProjection` to float32's precision: tested.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from explainer.stages.sentence import SentenceReader

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from explainer.trace import Token

    Array = NDArray[np.float32]

__all__ = ["EncodedText", "ImageEncoder", "TextEncoder", "logit_scale"]

KEPT = 4096
UNTRAINED_LOGIT_SCALE = 1 / 0.07
"""What the logit scale starts from (Radford et al. 2021, section 2.5)."""


class EncodedText(NamedTuple):
    """A sentence on its way through the text encoder.

    Attributes:
        tokens: The tokens, padding included.
        truncated: The end of the sentence that was cut off.
        token_rows: (tokens, width) float32. Each token's row of the embedding table.
        position_rows: (tokens, width) float32. What is added for the place in the sentence.
        hidden_states: (layers + 1, tokens, width) float32, as in `Trace`.
        attention: (layers, heads, tokens, tokens) float32. How much the token of the row takes from
            the token of the column; every row adds up to 1.
        embedding: (d,) float32. The sentence's one vector in the space of pictures, of length 1.
    """

    tokens: tuple[Token, ...]
    truncated: str
    token_rows: Array
    position_rows: Array
    hidden_states: Array
    attention: Array
    embedding: Array


class TextEncoder:
    """A CLIP text encoder.

    Args:
        folder: A model in diffusers' layout, with `tokenizer` and a projected `text_encoder`.

    Raises:
        ValueError: Its text encoder is none of CLIP's, or lacks what is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.reader = SentenceReader(folder)
        self._weights, config = _load(folder / "text_encoder", "text_model.")
        self._blocks = _Blocks(self._weights, config)
        self._tokens = self._weights["embeddings.token_embedding.weight"]
        self._positions = self._weights["embeddings.position_embedding.weight"]
        self._embeddings: OrderedDict[str, Array] = OrderedDict()

    def encode(self, sentence: str) -> EncodedText:
        """Encodes a sentence, its padding included, as the denoiser gets it."""
        tokens, truncated = self.reader.read(sentence)
        token_rows, position_rows = self._rows(tokens)
        states, attention = self._blocks.run(token_rows + position_rows, causal=True)
        states[-1] = self._final(states[-1])
        return EncodedText(
            tokens=tokens,
            truncated=truncated,
            token_rows=token_rows,
            position_rows=position_rows,
            hidden_states=np.stack(states),
            attention=np.stack(attention),
            embedding=self._project(states[-1][_end(tokens)]),
        )

    def embed(self, sentences: Sequence[str]) -> Array:
        """Returns one vector of length 1 a sentence: float32, shape (n, d)."""
        return np.stack([self._embedding(sentence) for sentence in sentences])

    def _embedding(self, sentence: str) -> Array:
        if sentence not in self._embeddings:
            tokens = self.reader.read(sentence).tokens
            # No token sees a later one, so what follows the end changes nothing: it is left out.
            read = tokens[: _end(tokens) + 1]
            states, _ = self._blocks.run(np.add(*self._rows(read)), causal=True)
            self._embeddings[sentence] = self._project(self._final(states[-1][-1]))
        self._embeddings.move_to_end(sentence)
        if len(self._embeddings) > KEPT:
            self._embeddings.popitem(last=False)
        return self._embeddings[sentence]

    def _rows(self, tokens: Sequence[Token]) -> tuple[Array, Array]:
        return self._tokens[[token.id for token in tokens]], self._positions[: len(tokens)]

    def _final(self, state: Array) -> Array:
        return self._blocks.norm(state, "final_layer_norm")

    def _project(self, pooled: Array) -> Array:
        return _unit(pooled @ self._weights["text_projection.weight"].T)


class ImageEncoder:
    """A CLIP image encoder.

    Args:
        folder: A model's folder with a projected `image_encoder` and its `feature_extractor`.

    Attributes:
        size: Width and height of the pictures that it reads, in pixels.

    Raises:
        ValueError: The folder holds no such encoder.
    """

    def __init__(self, folder: Path) -> None:
        self._weights, config = _load(folder / "image_encoder", "vision_model.")
        self._blocks = _Blocks(self._weights, config)
        self.size = int(config["image_size"])
        self._patch = int(config["patch_size"])
        path = folder / "feature_extractor" / "preprocessor_config.json"
        settings = json.loads(path.read_text("utf-8"))
        self._mean = np.array(settings["image_mean"], np.float32)
        self._spread = np.array(settings["image_std"], np.float32)

    def embed(self, pictures: Sequence[Image.Image]) -> Array:
        """Returns one vector of length 1 a picture: float32, shape (n, d)."""
        return np.stack([self._embedding(picture) for picture in pictures])

    def _embedding(self, picture: Image.Image) -> Array:
        pixels = (np.asarray(self._fitted(picture), np.float32) / 255 - self._mean) / self._spread
        kernel = self._weights["embeddings.patch_embedding.weight"]
        patches = self._cut(pixels) @ kernel.reshape(len(kernel), -1).T
        first = self._weights["embeddings.class_embedding"][None]
        state = np.concatenate([first, patches])
        state = state + self._weights["embeddings.position_embedding.weight"]
        states, _ = self._blocks.run(self._blocks.norm(state, "pre_layrnorm"), causal=False)
        pooled = self._blocks.norm(states[-1][0], "post_layernorm")
        return _unit(pooled @ self._weights["visual_projection.weight"].T)

    def _fitted(self, picture: Image.Image) -> Image.Image:
        """The middle square, as CLIP's image processor cuts it out."""
        from PIL import Image

        width, height = picture.size
        scale = self.size / min(width, height)
        wide, high = (max(self.size, int(side * scale)) for side in (width, height))
        fitted = picture.convert("RGB").resize((wide, high), Image.Resampling.BICUBIC)
        left, top = (wide - self.size) // 2, (high - self.size) // 2
        return fitted.crop((left, top, left + self.size, top + self.size))

    def _cut(self, pixels: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Patches row by row, flattened as (channel, y, x): (patches, values)."""
        side, patch = self.size // self._patch, self._patch
        grid = pixels.reshape(side, patch, side, patch, 3).transpose(0, 2, 4, 1, 3)
        return grid.reshape(side * side, -1)


def logit_scale(folder: Path) -> float:
    """Returns what training multiplied cosines by before the softmax over phrases."""
    record = json.loads((folder / "training.json").read_text("utf-8"))
    return float(record.get("logit_scale", UNTRAINED_LOGIT_SCALE))


class _Blocks:
    """The transformer blocks that both encoders have: attention, then a small network."""

    def __init__(self, weights: dict[str, Array], config: dict[str, Any]) -> None:
        self._weights = weights
        self._layers = int(config["num_hidden_layers"])
        self._heads = int(config["num_attention_heads"])
        self._eps = float(config["layer_norm_eps"])

    def run(self, state: Array, *, causal: bool) -> tuple[list[Array], list[Array]]:
        """Returns the input and every layer's output, and every layer's attention.

        Args:
            state: (tokens, width).
            causal: Whether a token sees only itself and those before it.
        """
        states, maps = [state], []
        for layer in range(self._layers):
            name = f"encoder.layers.{layer}"
            mixed, attention = self._attend(self.norm(state, f"{name}.layer_norm1"), name, causal)
            state = state + mixed
            inner = self._linear(self.norm(state, f"{name}.layer_norm2"), f"{name}.mlp.fc1")
            state = state + self._linear(_quick_gelu(inner), f"{name}.mlp.fc2")
            states.append(state)
            maps.append(attention)
        return states, maps

    def norm(self, state: Array, name: str) -> Array:
        """Layer norm (Ba et al. 2016)."""
        centred = state - state.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self._eps)
        weight, bias = (self._weights[f"{name}.{part}"] for part in ("weight", "bias"))
        result: Array = centred / spread * weight + bias
        return result

    def _attend(self, state: Array, name: str, causal: bool) -> tuple[Array, Array]:
        count, width = state.shape
        query, key, value = (
            self._linear(state, f"{name}.self_attn.{part}_proj")
            .reshape(count, self._heads, -1)
            .transpose(1, 0, 2)
            for part in "qkv"
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(np.float32(width // self._heads))
        if causal:
            scores = np.where(np.tri(count, dtype=bool), scores, -np.inf)
        shares = _softmax(scores)
        mixed = (shares @ value).transpose(1, 0, 2).reshape(count, width)
        return self._linear(mixed, f"{name}.self_attn.out_proj"), shares

    def _linear(self, state: Array, name: str) -> Array:
        result: Array = state @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return result


def _load(folder: Path, prefix: str) -> tuple[dict[str, Array], dict[str, Any]]:
    from safetensors.numpy import load_file

    path = folder / "model.safetensors"
    if not path.is_file():
        raise ValueError(f"{path} is missing. Train the model again, or install the package again.")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if not str(config.get("model_type", "")).startswith("clip_") or (
        config.get("hidden_act") != "quick_gelu"
    ):
        raise ValueError(
            f"{folder} is no encoder of the first CLIP's kind ({config.get('model_type')}, "
            f"{config.get('hidden_act')}). Use `explainer.record`, which reads any."
        )
    weights = {
        name.removeprefix(prefix): array.astype(np.float32)
        for name, array in load_file(path).items()
    }
    return weights, config


def _end(tokens: Sequence[Token]) -> int:
    """Where the first end-of-text token stands, from which CLIP takes the whole sentence."""
    last = next(token for token in reversed(tokens) if token.kind in {"end", "padding"})
    return next(i for i, token in enumerate(tokens) if token.id == last.id)


def _unit(vector: Array) -> Array:
    result: Array = vector / np.linalg.norm(vector)
    return result


def _softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Array = raised / raised.sum(axis=-1, keepdims=True)
    return result


def _quick_gelu(state: Array) -> Array:
    result: Array = state / (1 + np.exp(-1.702 * state))
    return result
