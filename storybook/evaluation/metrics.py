"""The numbers that an evaluation reports, from verdicts, pictures and embeddings."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from storybook.evaluation.judge import Verdict
    from storybook.world import Scene

MAIN = ("who", "place", "time", "style")
"""What makes a picture right at first sight."""


def wilson(right: int, total: int) -> tuple[float, float]:
    """Return the score interval of a share at 95 % (Wilson 1927).

    Unlike the textbook interval it stays within 0 and 1 and is honest for few trials.

    Raises:
        ValueError: unless ``0 <= right <= total``.
    """
    if not 0 <= right <= total:
        raise ValueError(f"{right} right out of {total} is no share")
    if total == 0:
        return 0.0, 1.0
    z = 1.959963984540054
    share, weight = right / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    return max(0.0, middle - reach), min(1.0, middle + reach)


@dataclass(slots=True)
class Tally:
    """How many were right, of how many."""

    right: int = 0
    total: int = 0

    def add(self, right: bool) -> None:
        """Count one more."""
        self.right += right
        self.total += 1

    def as_json(self) -> dict[str, Any]:
        """Return the counts, the share (None where nothing was counted) and its 95 % interval."""
        low, high = wilson(self.right, self.total)
        share = self.right / self.total if self.total else None
        return {"right": self.right, "of": self.total, "share": share, "low": low, "high": high}


def score(
    verdicts: Sequence[Verdict],
    scenes: Sequence[Scene],
    names: Sequence[Collection[str]] | None = None,
) -> dict[str, Tally]:
    """Compare what the judge saw with what was asked for.

    Args:
        verdicts: what the judge saw, one a picture.
        scenes: what was asked for.
        names: the attributes that each prompt names; only these count. None counts all that a
            scene has: an animal has no hair to be right about.

    Returns:
        A tally an attribute; under ``main`` the pictures in which everything named of
        :data:`MAIN` is right, under ``all`` those in which everything named is. Pictures whose
        prompt names nothing of it are not counted there.
    """
    tallies = {name: Tally() for name in (*(verdicts[0] if verdicts else ()), "main", "all")}
    asked = names if names is not None else [_had(scene, tallies) for scene in scenes]
    for verdict, scene, named in zip(verdicts, scenes, asked, strict=True):
        right = {k: seen == getattr(scene, k) for k, seen in verdict.items() if k in named}
        for name, fine in right.items():
            tallies[name].add(fine)
        for group, members in (("main", set(MAIN)), ("all", set(right))):
            if members & set(right):
                tallies[group].add(all(right[name] for name in members & set(right)))
    return tallies


def _had(scene: Scene, attributes: Collection[str]) -> list[str]:
    return [name for name in attributes if getattr(scene, name, "")]


def tallies_as_json(tallies: Mapping[str, Tally]) -> dict[str, Any]:
    """Return all tallies in a form that JSON can hold."""
    return {name: tally.as_json() for name, tally in tallies.items()}


def psnr(pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return each picture's peak signal-to-noise ratio in dB, float64 of shape (n,).

    Args:
        pictures: uint8, shape (n, height, width, 3).
        others: of the same shape and type. Equal pictures give infinity.

    Raises:
        ValueError: if shapes or types differ.
    """
    if pictures.shape != others.shape or not pictures.dtype == others.dtype == np.uint8:
        raise ValueError("PSNR compares uint8 pictures of one shape")
    error = (pictures.astype(np.float64) - others) ** 2
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / error.reshape(len(error), -1).mean(1))


def retrieval(queries: np.ndarray, answers: np.ndarray) -> Tally:
    """Count the queries whose own answer is the nearest of all.

    Args:
        queries: float, shape (n, width), unit vectors.
        answers: float, shape (n, width), unit vectors; answer i belongs to query i.
    """
    nearest = (queries @ answers.T).argmax(1)
    return Tally(int((nearest == np.arange(len(queries))).sum()), len(queries))
