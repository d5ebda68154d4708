"""Style words at work: how much of the denoiser's attention they get, by step and by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.stages.words import read_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.parameters import RunParameters

ENDS = ("start", "end", "padding")
"""Kinds of tokens that stand for no word."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WordShares:
    """Each word's share of the attention of every cross-attention layer at each of n steps.

    Attributes:
        prompt: Of the run.
        style: Its style words.
        words: All words and marks of the prompt, in order.
        styling: Whether each of them is one of the style words.
        pieces: Tokens that each of them is made of.
        layers: Names of the layers, in the order in which they compute.
        sizes: Height and width of each layer's map, in places.
        shares: (n, layers, words) float64 from 0 to 1: the mean over all places and heads.
        ends: (n, layers, 3) float64. The same of `ENDS`: 0 where there are no such tokens. With the
            words' shares they add up to 1.
    """

    prompt: str
    style: str
    words: tuple[str, ...]
    styling: tuple[bool, ...]
    pieces: tuple[int, ...]
    layers: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    shares: NDArray[np.float64]
    ends: NDArray[np.float64]

    @property
    def lead(self) -> NDArray[np.float64]:
        """(n, layers) float64. How many times what a word of the scene gets a style word gets.

        Both are means over words, punctuation left out; NaN where the scene's words get nothing.
        """
        spoken = np.array([any(map(str.isalnum, word)) for word in self.words])
        styling = np.array(self.styling)
        own, other = (self.shares[..., spoken & chosen] for chosen in (styling, ~styling))
        with np.errstate(invalid="ignore", divide="ignore"):
            lead: NDArray[np.float64] = own.mean(axis=-1) / other.mean(axis=-1)
        return np.where(np.isfinite(lead), lead, np.nan)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        arrays = {name: np.round(getattr(self, name), 5).tolist() for name in ("shares", "ends")}
        return {**vars(self), **arrays}

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> WordShares:
        """Return what `plain` made JSON of."""
        lists = {name: tuple(plain[name]) for name in ("words", "styling", "pieces", "layers")}
        sizes = tuple((int(height), int(width)) for height, width in plain["sizes"])
        arrays = {name: np.array(plain[name], np.float64) for name in ("shares", "ends")}
        return cls(**plain | lists | arrays | {"sizes": sizes})


def read(
    pipe: Any,
    parameters: RunParameters,
    style: str,
    *,
    on_step: Callable[[int], None] = lambda _done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> WordShares | None:
    """Draws a run and keeps what each word got of the attention of each layer.

    Args:
        pipe: A pipeline of a known family.
        parameters: The run; its prompt ends with the style words.
        style: The style words.
        on_step: Called with the number of steps done.
        cancelled: Asked at every step; once it says True, None is returned.

    Raises:
        ValueError: The prompt does not end with the style words or has nothing before them, or the
            denoiser shows no attention to words.
    """
    from explainer.capture import record
    from explainer.capture.attention import AttentionWatch

    start = _start_of(parameters.prompt, style)
    watch = AttentionWatch(heads=True)
    seen: list[dict[str, NDArray[np.float64]]] = []
    shapes: dict[str, tuple[int, int]] = {}

    def keep(done: int, _total: int, _preview: bytes | None) -> None:
        maps = {name: one.cpu().double().numpy() for name, one in watch.by_layer.words.items()}
        shapes.update({name: (one.shape[-2], one.shape[-1]) for name, one in maps.items()})
        seen.append({name: one.mean(axis=(0, 2, 3)) for name, one in maps.items()})
        on_step(done)

    trace = record(
        pipe,
        **parameters.arguments(),
        previews=False,
        attention=watch,
        on_step=keep,
        cancelled=cancelled,
    )
    if cancelled():
        return None
    layers = [name for name in shapes if all(name in one for one in seen)]
    if not layers:
        raise ValueError(
            "This denoiser shows no attention to words, so that there is nothing to read."
        )
    words = read_words(trace.tokens)
    tokens = np.stack([[one[name] for name in layers] for one in seen])

    def added_up(groups: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Shares of groups of tokens; those that the model never read have none."""
        read_in = [[i for i in group if i < tokens.shape[-1]] for group in groups]
        return np.stack([tokens[..., places].sum(axis=-1) for places in read_in], axis=-1)

    spoken = added_up([word.tokens for word in words])
    kinds = [token.kind for token in trace.tokens]
    marks = added_up([[i for i, own in enumerate(kinds) if own == one] for one in ENDS[:-1]])
    # Attention to padding is not recorded: it is what is left.
    rest = np.clip(1 - spoken.sum(axis=-1) - marks.sum(axis=-1), 0, 1)
    return WordShares(
        prompt=trace.prompt,
        style=style,
        words=tuple(word.text for word in words),
        styling=tuple(word.start >= start for word in words),
        pieces=tuple(len(word.tokens) for word in words),
        layers=tuple(layers),
        sizes=tuple(shapes[name] for name in layers),
        shares=spoken,
        ends=np.concatenate([marks, rest[..., None]], axis=-1),
    )


def _start_of(prompt: str, style: str) -> int:
    """Where the style words begin."""
    words, scene = style.strip(), prompt.strip()
    if not words or not scene.endswith(words) or not scene[: -len(words)].strip(" ,.;"):
        raise ValueError(
            "The sentence must describe something and end with its style words. Write both."
        )
    return len(prompt.rstrip()) - len(words)
