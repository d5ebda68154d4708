"""Words: what the denoiser looks up in each of them, and what happens without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.trace import Token, Trace

__all__ = [
    "Word",
    "agreement",
    "attention_of",
    "change",
    "clearest",
    "read_words",
    "spread",
    "without",
]


class Word(NamedTuple):
    """A word of a prompt as the model read it.

    Attributes:
        text: Its characters.
        tokens: Positions of its pieces among the trace's tokens.
        start: Where it begins in the prompt.
        end: Where it ends.
    """

    text: str
    tokens: tuple[int, ...]
    start: int
    end: int


def read_words(tokens: Sequence[Token]) -> tuple[Word, ...]:
    """Puts the pieces of each word together again; punctuation counts as words."""
    words: list[Word] = []
    for index, token in enumerate(tokens):
        if token.word is None:
            continue
        last = words[-1] if words else None
        # A piece that touches the piece before it and shares its word goes on with that word.
        if last and last.text.lower() == token.word.lower() and token.start <= last.end:
            words[-1] = last._replace(tokens=(*last.tokens, index), end=token.end)
        else:
            words.append(Word(token.word, (index,), token.start, token.end))
    return tuple(words)


def without(prompt: str, word: Word) -> str:
    """Returns the prompt without one word, and without the gap that this would leave."""
    before, after = prompt[: word.start].rstrip(), prompt[word.end :].lstrip()
    gap = "" if not before or after[:1] in {"", ",", ".", ";", "!", "?"} else " "
    return before + gap + after


def attention_of(trace: Trace) -> dict[str, NDArray[np.float32]]:
    """Adds up the attention to the pieces of each word.

    Every place of the picture shares its attention out among all tokens, in every layer of
    cross-attention (Rombach et al. 2022, section 3.3); the pieces of a word add up (Tang et al.
    2022).

    Returns:
        By the size of the map, such as "16x16", the largest first: (n, words + 1, h, w) from 0 to
        1, in the order of `read_words`. Last stands what goes to no word, but to the start and the
        end of the text and to padding, so that the shares of a place add up to 1. Empty for a
        trace that was recorded without attention.
    """
    words = read_words(trace.tokens)
    found = {}
    for size, maps in sorted(trace.attention.items(), key=lambda item: -item[1][0, 0].size):
        shares = maps.astype(np.float32)
        read = [[i for i in word.tokens if i < shares.shape[1]] for word in words]
        own = [shares[:, places].sum(axis=1) for places in read]
        # Half precision rounds each share: their sum may lie a little above one.
        own.append(np.clip(1 - sum(own, np.zeros_like(shares[:, 0])), 0, 1))
        found[size] = np.stack(own, axis=1)
    return found


def clearest(found: Mapping[str, NDArray[np.float32]], step: int) -> tuple[str, int]:
    """Finds the map on which one place gives one word the largest share.

    The largest maps need not be it: their layers may look at words but little.

    Args:
        found: What `attention_of` returned; one size at least.
        step: A step of the run.

    Returns:
        Its size, and the word's place in the order of `read_words`.
    """
    most = {size: maps[step, :-1].max(axis=(1, 2)) for size, maps in found.items()}
    size = max(most, key=lambda one: float(most[one].max()))
    return size, int(most[size].argmax())


def change(trace: Trace, other: Trace) -> NDArray[np.float32]:
    """Measures where two runs predict different pictures, step by step.

    Returns:
        (n, h, w): the root mean square over the channels of the difference between the predicted
        clean latents, for as many steps as both have.

    Raises:
        ValueError: Their latents have different shapes.
    """
    if trace.x0.shape[1:] != other.x0.shape[1:]:
        raise ValueError(
            f"These runs cannot be compared: their latents are {trace.x0.shape[1:]} and "
            f"{other.x0.shape[1:]}. Record both with the same model at the same size."
        )
    steps = min(len(trace.x0), len(other.x0))
    apart = trace.x0[:steps].astype(np.float32) - other.x0[:steps].astype(np.float32)
    result: NDArray[np.float32] = np.sqrt((apart**2).mean(axis=1))
    return result


def agreement(attention: NDArray[np.floating], changed: NDArray[np.floating]) -> float | None:
    """Correlates where a word is looked up with where the picture changes without it.

    Args:
        attention: (h, w).
        changed: (H, W), as large or larger; the smaller map is spread over it.

    Returns:
        Pearson's correlation over all places, from -1 to 1; None where a map is the same
        everywhere.
    """
    looked = spread(attention, changed.shape).ravel().astype(np.float64)
    moved = changed.ravel().astype(np.float64)
    looked, moved = looked - looked.mean(), moved - moved.mean()
    lengths = np.linalg.norm(looked) * np.linalg.norm(moved)
    return None if lengths < 1e-12 else float(looked @ moved / lengths)


def spread(values: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.floating]:
    """Returns a map (h, w) on a finer grid (H, W): each place takes the cell that it lies in."""
    rows, columns = (
        np.arange(large) * small // large for large, small in zip(shape, values.shape, strict=True)
    )
    return values[np.ix_(rows, columns)]
