"""Two runs side by side: where they part, and what was changed."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.stages.words import read_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.trace import Trace

__all__ = ["Comparison", "WordChange", "compare"]


@dataclass(frozen=True, slots=True)
class WordChange:
    """Words of the first prompt that stand against other words, or none, in the second.

    Attributes:
        before: Words of the first prompt; empty where words were added.
        after: Words of the second prompt; empty where words were left out.
        before_tokens: Positions of `before` among the first trace's tokens.
        after_tokens: Positions of `after` among the second trace's tokens.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    before_tokens: tuple[int, ...]
    after_tokens: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """How two runs differ.

    Steps are compared by number: n is the smaller number of denoiser calls. RMS is the root mean
    square of the difference over all values; cosine is 1 for the same direction, and NaN where a
    state is all zeros.

    Attributes:
        latents_rms: (n + 1,) float64. Between the states of each step, and the results.
        latents_cosine: (n + 1,) float64.
        x0_rms: (n,) float64. Between the predicted clean latents of each step.
        x0_cosine: (n,) float64.
        words: What differs between the prompts.
        parameters: Name -> (first, second) of each parameter that differs.
        picture_rms: Between the pictures, in grey levels of 255.
        difference: (height, width) float32. RMS over the colours of each pixel, in grey levels.
    """

    latents_rms: NDArray[np.float64]
    latents_cosine: NDArray[np.float64]
    x0_rms: NDArray[np.float64]
    x0_cosine: NDArray[np.float64]
    words: tuple[WordChange, ...]
    parameters: dict[str, tuple[Any, Any]]
    picture_rms: float
    difference: NDArray[np.float32]


def compare(a: Trace, b: Trace) -> Comparison:
    """Compares two traces of pictures of one size.

    Raises:
        ValueError: Their latents or pictures have different shapes.
    """
    if a.latents.shape[1:] != b.latents.shape[1:] or (a.width, a.height) != (b.width, b.height):
        raise ValueError(
            f"These runs cannot be compared: their latents are {a.latents.shape[1:]} and "
            f"{b.latents.shape[1:]}, their pictures {a.width} x {a.height} and {b.width} x "
            f"{b.height}. Record both with the same model at the same size."
        )
    difference = _picture_difference(a, b)
    return Comparison(
        latents_rms=_rms(*_paired(a.latents, b.latents)),
        latents_cosine=_cosine(*_paired(a.latents, b.latents)),
        x0_rms=_rms(*_paired(a.x0, b.x0)),
        x0_cosine=_cosine(*_paired(a.x0, b.x0)),
        words=_changed_words(a, b),
        parameters=_changed_parameters(a, b),
        picture_rms=float(np.sqrt(np.mean(difference.astype(np.float64) ** 2))),
        difference=difference,
    )


def _paired(
    a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both flattened to (steps, values), as many steps as both have."""
    steps = min(len(a), len(b))
    return (
        a[:steps].reshape(steps, -1).astype(np.float64),
        b[:steps].reshape(steps, -1).astype(np.float64),
    )


def _rms(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(((a - b) ** 2).mean(axis=1))


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    with np.errstate(invalid="ignore"):
        return (a * b).sum(axis=1) / norms


def _changed_words(a: Trace, b: Trace) -> tuple[WordChange, ...]:
    before, after = read_words(a.tokens), read_words(b.tokens)
    old, new = ([word.text.lower() for word in words] for words in (before, after))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return tuple(
        WordChange(
            before=tuple(old[i:j]),
            after=tuple(new[k:m]),
            before_tokens=tuple(index for word in before[i:j] for index in word.tokens),
            after_tokens=tuple(index for word in after[k:m] for index in word.tokens),
        )
        for operation, i, j, k, m in matcher.get_opcodes()
        if operation != "equal"
    )


def _changed_parameters(a: Trace, b: Trace) -> dict[str, tuple[Any, Any]]:
    theirs = b.parameters
    return {
        name: (value, theirs[name]) for name, value in a.parameters.items() if value != theirs[name]
    }


def _picture_difference(a: Trace, b: Trace) -> NDArray[np.float32]:
    first, second = (np.asarray(trace.image(), np.float32) for trace in (a, b))
    difference: NDArray[np.float32] = np.sqrt(((first - second) ** 2).mean(axis=-1))
    return difference
