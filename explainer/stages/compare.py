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
    """

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """How two runs differ.

    Steps are compared by number: n is the smaller number of denoiser calls. RMS is the root mean
    square of the difference over all values.

    Attributes:
        latents_rms: (n + 1,) float64. Between the states of each step, and the results.
        x0_rms: (n,) float64. Between the predicted clean latents of each step.
        words: What differs between the prompts.
        parameters: Name -> (first, second) of each parameter that differs.
        picture_rms: Between the pictures, in grey levels of 255.
        difference: (height, width) float32. RMS over the colours of each pixel, in grey levels.
    """

    latents_rms: NDArray[np.float64]
    x0_rms: NDArray[np.float64]
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
        x0_rms=_rms(*_paired(a.x0, b.x0)),
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


def _changed_words(a: Trace, b: Trace) -> tuple[WordChange, ...]:
    old, new = ([word.text.lower() for word in read_words(one.tokens)] for one in (a, b))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return tuple(
        WordChange(tuple(old[i:j]), tuple(new[k:m]))
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
