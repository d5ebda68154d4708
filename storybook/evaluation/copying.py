"""Whether a model copies: how near its pictures come to the pictures it was trained on.

Near and far have no scale of their own. So captions of training pictures are drawn anew, and these
drawings, which training never saw, are held against the same training pictures: they come as near
as a picture must that shows what the caption says. What is nearer than all but one in a hundred of
them is called suspicious. A model that makes nothing but new pictures is suspicious about once in a
hundred, one that learned its pictures by heart nearly always.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.stages import originality
from explainer.stages.originality import Described
from storybook import dataset
from storybook.evaluation.metrics import Tally
from storybook.evaluation.painting import Progress, Settings, paint

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from storybook.evaluation.clip_pair import ClipPair

SUSPICIOUS = 0.01
"""Share of new drawings that come so near by chance."""
FLAGGED = 0.05
"""A model copies if surely more than this share of its pictures is suspicious."""
BINS = {"pixels": np.linspace(0, 0.4, 41), "clip": np.linspace(0, 0.8, 41)}
"""Edges of the histograms; what lies beyond the last counts in the last bin."""
SHOWN_NEAREST = 8
_CHUNK = 512

Done = Callable[[int, int], None]
"""Told how many training pictures have been looked at, and how many there are."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """For each of n pictures the nearest training picture: numbers int64, distances float32.

    Distances by pixels are root mean squared differences of thumbnails, from 0 to 1; distances by
    CLIP are 1 minus the cosine of the two image embeddings, from 0 to 2.
    """

    numbers: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True, slots=True)
class Nearby:
    """The pictures that come nearest to training pictures, nearest first.

    ``made`` and ``trained`` are uint8, shape (n, size, size, 3); ``distances`` float32, shape (n,).
    """

    made: np.ndarray
    trained: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True, slots=True)
class Index:
    """All training pictures, as they are compared: see :mod:`explainer.stages.originality`."""

    described: Described

    @classmethod
    def of(cls, pictures: np.ndarray, clip: ClipPair, done: Done = lambda *_: None) -> Index:
        """Index pictures: uint8, shape (n, height, width, 3), which may be a memory map."""
        pixels, vectors = [], []
        for start in range(0, len(pictures), _CHUNK):
            some = np.asarray(pictures[start : start + _CHUNK])
            pixels.append(originality.thumbnails(list(some)))
            vectors.append(clip.embed_pictures(some))
            done(start + len(some), len(pictures))
        return cls(Described(np.concatenate(vectors), np.concatenate(pixels)))

    def nearest(self, others: Index) -> dict[str, Nearest]:
        """Find for each of ``others`` the nearest picture here, by ``pixels`` and by ``clip``."""
        return _nearest(originality.distances(others.described, self.described))

    def among(self) -> dict[str, Nearest]:
        """Find for each picture the nearest other one here; there must be two at least."""
        apart = originality.distances(self.described, self.described)
        for distances in apart.values():
            np.fill_diagonal(distances, np.inf)
        return _nearest(apart)


def _nearest(apart: dict[str, np.ndarray]) -> dict[str, Nearest]:
    return {kind: Nearest(apart[kind].argmin(1), apart[kind].min(1)) for kind in ("pixels", "clip")}


def measure(
    pipe: StableDiffusionPipeline,
    clip: ClipPair,
    trained: np.ndarray,
    drawings: int,
    count: int,
    settings: Settings,
    progress: Progress,
) -> tuple[dict[str, Any], dict[str, Nearby]]:
    """Measure how near a model's pictures come to the pictures that it was trained on.

    It is prompted with the training pictures' own captions: that is where a copy is likeliest.

    Args:
        pipe: the model.
        clip: whose eyes to compare with.
        trained: the training pictures: uint8, shape (n, size, size, 3).
        drawings: how many drawings, made anew from training captions, are the measure of how
            near is near.
        count: how many pictures to make.
        settings: how to make them.
        progress: told how far it is.

    Returns:
        What :func:`compare` found; and the pictures that come nearest by ``pixels`` and by
        ``clip``.
    """
    index = Index.of(trained, clip, lambda done, of: progress("training pictures", done, of))
    count = min(count, len(trained))
    told = [text for some in dataset.captions(count, 1) for text in some]
    made = paint(pipe, told, settings, progress)
    found = index.nearest(Index.of(made, clip))
    size = trained.shape[1]
    takes = [divmod(i, len(trained)) for i in range(drawings)]
    drawn = np.stack([dataset.anew(number, size, take) for take, number in takes])
    unseen = Index.of(drawn, clip)
    report = compare(found, index.nearest(unseen), unseen.among())
    nearby = {}
    for kind, nearest in found.items():
        rows = np.argsort(nearest.distances)[:SHOWN_NEAREST]
        near = np.stack([trained[number] for number in nearest.numbers[rows]])
        nearby[kind] = Nearby(made[rows], near, nearest.distances[rows])
    return {"training": len(trained), **report}, nearby


def compare(
    found: dict[str, Nearest], drawings: dict[str, Nearest], among: dict[str, Nearest]
) -> dict[str, Any]:
    """Hold a model's pictures against drawings made anew from training captions.

    Args:
        found: nearest training pictures of the model's pictures, by kind of distance.
        drawings: the same of the drawings.
        among: for each of these drawings the nearest other one of them.

    Returns:
        By kind of distance: histograms, over :data:`BINS`, of the ``model``'s and the
        ``drawings``' distances and of those ``among`` drawings, the distance below which a
        picture is ``suspicious``, the tally of the model's pictures that are, whether the model
        is ``flagged`` for it, and the ``least`` and ``median`` distance of the model's pictures.
    """
    report = {}
    for kind, nearest in found.items():
        usual = drawings[kind].distances
        limit = float(np.quantile(usual, SUSPICIOUS))
        near = Tally(int((nearest.distances < limit).sum()), len(nearest.distances)).as_json()
        report[kind] = {
            "model": _histogram(kind, nearest.distances),
            "drawings": _histogram(kind, usual),
            "among": _histogram(kind, among[kind].distances),
            "limit": round(limit, 4),
            "suspicious": near,
            "flagged": near["low"] > FLAGGED,
            "least": round(float(nearest.distances.min()), 4),
            "median": round(float(np.median(nearest.distances)), 4),
        }
    return report


def _histogram(kind: str, values: np.ndarray) -> list[int]:
    edges = BINS[kind]
    # Rounding can make the distance of equal pictures a little less than 0.
    return [int(n) for n in np.histogram(values.clip(edges[0], edges[-1]), edges)[0]]
