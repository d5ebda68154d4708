"""Again: the same prompt and seed drawn twice, and another seed, compared number by number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from explainer.parameters import MAX_SEED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.parameters import RunParameters

    Picture = NDArray[np.uint8]

RUNS = 3


class Again(NamedTuple):
    """Three pictures, uint8, shape (height, width, 3).

    Attributes:
        first: What a prompt and a seed gave.
        second: What the same gave when it was drawn anew, from nothing but them.
        other: What the next seed gave.
    """

    first: Picture
    second: Picture
    other: Picture


class Difference(NamedTuple):
    """How two pictures differ.

    Attributes:
        values: How many of their numbers are not the same.
        most: By how many grey levels, at most.
    """

    values: int
    most: int


def difference(a: Picture, b: Picture) -> Difference:
    """Compares two pictures number by number.

    Raises:
        ValueError: their sizes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"Pictures of shapes {a.shape} and {b.shape} have no numbers in common.")
    apart = np.abs(a.astype(np.int16) - b.astype(np.int16))
    return Difference(int(np.count_nonzero(apart)), int(apart.max()))


def digest(picture: Picture) -> str:
    """Names a picture by its values: 16 hexadecimal digits of their SHA-256."""
    return hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()[:16]


def other_seed(seed: int) -> int:
    """Returns the next seed; after the last comes the first."""
    return (seed + 1) % (MAX_SEED + 1)


def draw(
    pipe: Any,
    base: RunParameters,
    *,
    on_step: Callable[[int], None] = lambda _done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Again | None:
    """Draws a run twice, and once with the next seed; nothing is taken from a cache.

    Args:
        pipe: A diffusers pipeline.
        base: The run.
        on_step: Told how many steps of `RUNS` times the run's are done.
        cancelled: Asked at every step whether to stop.

    Returns:
        None if it was cancelled.
    """
    import explainer

    pictures: list[Picture] = []

    def tell(step: int, _total: int, _preview: object) -> None:
        on_step(len(pictures) * base.steps + step)

    for seed in (base.seed, base.seed, other_seed(base.seed)):
        trace = explainer.record(
            pipe,
            **replace(base, seed=seed).arguments(),
            previews=False,
            on_step=tell,
            cancelled=cancelled,
        )
        if cancelled():
            return None
        pictures.append(np.asarray(trace.image(), np.uint8))
    return Again(*pictures)
