"""The index: every training picture in a few bytes, to find those that may be nearest.

Turned onto the axes along which the training pictures differ most, a picture's vector needs few
numbers, and of each a byte is enough to tell near from far. What is found this way are candidates:
they are drawn again, and how near they are is measured on the pictures themselves.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer import fingerprints, processes
from explainer.files import whole
from explainer.stages import originality
from explainer.stages.originality import MEASURES, Described, Neighbour

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.stages.clip import ImageEncoder

    Array = NDArray[np.float32]

__all__ = ["Index", "Reduced", "available", "build", "described", "find", "identity"]

WIDTHS = {"clip": 24, "pixels": 64}
"""How many numbers, of a byte each, are kept of a picture."""
NAME = "originality"
"""What the files of the embedded model's index begin with."""
CANDIDATES = {"clip": 20, "pixels": 100}
"""How many are drawn again. Thumbnails differ along more axes than are kept."""
_FITTED = 8000
_ROUNDS = 6
_CHUNK = 64

Progress = Callable[[int, int], None]
"""Told how many pictures are done, and how many there are."""
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class Reduced:
    """Vectors on the axes along which they differ most, a byte a number.

    Attributes:
        mean: (d,) float32. Where the axes cross.
        axes: (k, d) float16. Each of length 1, at right angles to each other.
        scales: (k,) float32. What a step of a code is worth.
        codes: (n, k) int8.
    """

    mean: Array
    axes: NDArray[np.float16]
    scales: Array
    codes: NDArray[np.int8]

    @classmethod
    def of(cls, vectors: NDArray[Any], width: int) -> Reduced:
        """Reduces vectors, shape (n, d), to `width` numbers each."""
        step = max(1, len(vectors) // _FITTED)
        sample = vectors[::step].astype(np.float32)
        mean = sample.mean(0)
        axes = _principal_axes(sample - mean, width)
        chunks = np.array_split(vectors, max(1, len(vectors) // 4096))
        points = np.concatenate([(chunk.astype(np.float32) - mean) @ axes.T for chunk in chunks])
        scales = np.maximum(np.abs(points).max(0), 1e-9) / 127
        codes = np.rint(points / scales).astype(np.int8)
        return cls(mean, axes.astype(np.float16), scales.astype(np.float32), codes)

    @cached_property
    def points(self) -> Array:
        """(n, k) float32. What the codes stand for."""
        return self.codes * self.scales

    def candidates(self, vector: NDArray[Any], count: int) -> list[int]:
        """Returns the rows that are nearest to a vector, shape (d,), the nearest first."""
        from usearch.index import MetricKind, search

        query = (vector.astype(np.float32) - self.mean) @ self.axes.astype(np.float32).T
        found = search(self.points, query, count, MetricKind.L2sq, exact=True)
        return [int(row) for row in found.keys]


def _principal_axes(centred: Array, width: int) -> Array:
    """Finds the subspace of greatest variance by subspace iteration (Halko et al. 2011, 4.4)."""
    axes = np.random.default_rng(0).normal(size=(centred.shape[1], width)).astype(np.float32)
    for _ in range(_ROUNDS):
        axes, _ = np.linalg.qr(centred.T @ (centred @ axes))
    return np.ascontiguousarray(axes.T)


@dataclass(frozen=True)
class Index:
    """All training pictures of one model, reduced, by measure.

    Attributes:
        clip: By CLIP; it belongs to the image encoder that made it.
        pixels: By pixels; it belongs to the training pictures alone, whatever learned from them.
    """

    clip: Reduced
    pixels: Reduced

    @classmethod
    def of(cls, pictures: Described) -> Index:
        """Indexes pictures by their numbers, from 0."""
        return cls(*(Reduced.of(getattr(pictures, m), WIDTHS[m]) for m in MEASURES))

    def __len__(self) -> int:
        """Returns how many pictures are in it."""
        return len(self.pixels.codes)

    def candidates(self, picture: Described, measure: str) -> list[int]:
        """Returns the numbers of the pictures that may be nearest to a single one."""
        reduced: Reduced = getattr(self, measure)
        return reduced.candidates(
            getattr(picture, measure)[0], min(CANDIDATES[measure], len(reduced.codes))
        )

    def save(self, folder: Path, name: str, of: dict[str, dict[str, str]]) -> None:
        """Writes a file a measure, whole or not at all; a part that is there already stays.

        Args:
            folder: Where to.
            name: What the files' names begin with.
            of: What each measure's part belongs to; see `identity`.

        Raises:
            OSError: It cannot be written.
        """
        for measure in MEASURES:
            reduced: Reduced = getattr(self, measure)
            arrays = {part: getattr(reduced, part) for part in Reduced.__dataclass_fields__}
            path = _path(folder, name, measure)
            if _load(path, of[measure]) is not None:
                continue
            with whole(path) as file:
                np.savez_compressed(file, of=np.array(json.dumps(of[measure])), **arrays)

    @classmethod
    def load(cls, folder: Path, name: str, of: dict[str, dict[str, str]]) -> Index | None:
        """Reads an index; None where there is none, or where it belongs to something else."""
        parts = {m: _load(_path(folder, name, m), of[m]) for m in MEASURES}
        return cls(**parts) if all(parts.values()) else None  # type: ignore[arg-type]


def _path(folder: Path, name: str, measure: str) -> Path:
    return folder / f"{name}_{measure}.npz"


def _load(path: Path, of: dict[str, str]) -> Reduced | None:
    try:
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as opened, np.load(opened) as file:
            if json.loads(str(file["of"])) != of:
                return None
            return Reduced(**{part: file[part] for part in Reduced.__dataclass_fields__})
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def find(
    picture: NDArray[np.uint8],
    index: Index,
    eyes: ImageEncoder,
    size: int,
    count: int,
    *,
    progress: Progress = lambda *_: None,
    cancelled: Cancelled = lambda: False,
) -> dict[str, list[Neighbour]] | None:
    """Finds the training pictures that are nearest to a picture.

    Args:
        picture: uint8, shape (height, width, 3).
        index: Of the training pictures.
        eyes: The image encoder that the index was made with.
        size: Width and height of the training pictures, in pixels.
        count: How many to return.
        progress: Told how many candidates are drawn again.
        cancelled: Asked after each whether to stop.

    Returns:
        By measure, the nearest first; distances are measured on the pictures, not on the index.
        None if it was cancelled.

    Raises:
        ValueError: The index holds fewer pictures than are wanted.
    """
    mine = originality.describe([picture], eyes)
    numbers = sorted({number for m in MEASURES for number in index.candidates(mine, m)})
    drawings = []
    for number in numbers:
        if cancelled():
            return None
        drawings.append(originality.redraw(number, size))
        progress(len(drawings), len(numbers))
    apart = originality.distances(mine, originality.describe(drawings, eyes))
    return {
        measure: [
            Neighbour(numbers[row], distance)
            for row, distance in originality.nearest(apart[measure][0], count)
        ]
        for measure in MEASURES
    }


def identity(weights: Path) -> dict[str, dict[str, str]]:
    """Tells what each part of a model's index belongs to.

    Args:
        weights: A folder that this project's training wrote.

    Returns:
        By measure: the training set (how many pictures, of which version of the world, of what
        size) and, for CLIP, a digest of the image encoder.

    Raises:
        ValueError: The folder does not tell what it was trained on.
    """
    path = weights / "training.json"
    if not path.is_file():
        raise ValueError(
            f"{weights} does not tell what it was trained on (no training.json), so its training "
            "pictures cannot be drawn again. Use weights that `explainer train` made."
        )
    record = json.loads(path.read_text("utf-8"))
    preset = record["preset"]
    pictures = {
        "pictures": str(preset["pictures"]),
        "world": str(record["world"]),
        "size": str(preset["size"]),
    }
    encoder = fingerprints.of_file(weights / "image_encoder" / "model.safetensors")
    return {
        "clip": pictures | {"image_encoder": encoder},
        "pixels": pictures,
    }


def available(weights: Path, *folders: Path) -> Index | None:
    """Reads the index of a model's training pictures from the first folder that has it.

    Raises:
        ValueError: The weights do not tell what they were trained on.
    """
    of = identity(weights)
    found = (Index.load(folder, NAME, of) for folder in folders)
    return next((index for index in found if index is not None), None)


def build(
    weights: Path,
    folder: Path,
    *,
    progress: Progress = lambda *_: None,
    cancelled: Cancelled = lambda: False,
) -> Index | None:
    """Draws and indexes all pictures that a model was trained on, and keeps the index.

    Args:
        weights: A folder that this project's training wrote.
        folder: Where the index is kept; a call that was stopped is gone on with from there.
        progress: Told how far it is.
        cancelled: Asked after every 64 pictures whether to stop.

    Returns:
        None if it was cancelled.

    Raises:
        ValueError: The weights do not tell what they were trained on.
        OSError: The folder cannot be written, or the disk is full.
    """
    of = identity(weights)
    count, size = (int(of["pixels"][part]) for part in ("pictures", "size"))
    # What was described for other weights must not be gone on with.
    kept = folder / hashlib.sha256(json.dumps(of).encode()).hexdigest()[:16]
    found = described(weights, count, size, kept=kept, progress=progress, cancelled=cancelled)
    if found is None:
        return None
    index = Index.of(found)
    index.save(folder, NAME, of)
    shutil.rmtree(kept, ignore_errors=True)
    return index


def described(
    weights: Path,
    count: int,
    size: int,
    *,
    drawn: Path | None = None,
    kept: Path | None = None,
    workers: int | None = None,
    progress: Progress = lambda *_: None,
    cancelled: Cancelled = lambda: False,
) -> Described | None:
    """Describes the first `count` training pictures, drawing them, in several processes.

    Args:
        weights: The folder with the image encoder.
        count: How many pictures.
        size: Their width and height.
        drawn: A file of pictures that were drawn before (`storybook.dataset.pictures`).
        kept: A folder for what is done, from which a later call goes on; nothing is kept if None.
        workers: How many processes; one for each processor by default.
        progress: Told how far it is.
        cancelled: Asked after every 64 pictures whether to stop.

    Returns:
        None if it was cancelled.

    Raises:
        OSError: What is done cannot be kept, or a process was ended from outside.
    """
    parts = _Parts(kept)
    jobs = [
        (start, min(start + _CHUNK, count), size, weights, drawn)
        for start in range(parts.done, count, _CHUNK)
    ]
    with _described_parts(jobs, workers) as found:
        for part in found:
            parts.add(part)
            progress(parts.done, count)
            if cancelled():
                parts.keep()
                return None
    return parts.whole(count)


def _described_parts(
    jobs: list[Any], workers: int | None
) -> AbstractContextManager[Iterator[Described]]:
    workers = workers or processes.as_many_as_fit()
    if workers == 1 or len(jobs) <= 2:  # sooner done than other processes are started
        return nullcontext(map(_describe_chunk, jobs))
    return processes.shared_out(_describe_chunk, jobs, workers)


def _describe_chunk(job: tuple[int, int, int, Path, Path | None]) -> Described:
    start, stop, size, weights, drawn = job
    if drawn is None:
        pictures = [originality.redraw(number, size) for number in range(start, stop)]
    else:
        pictures = list(np.load(drawn, mmap_mode="r")[start:stop])
    return originality.describe(pictures, _eyes(weights))


_encoders: dict[Path, ImageEncoder] = {}


def _eyes(weights: Path) -> ImageEncoder:
    from explainer.stages.clip import ImageEncoder

    if weights not in _encoders:
        _encoders[weights] = ImageEncoder(weights)
    return _encoders[weights]


class _Parts:
    """What is described so far, kept now and then so that an interrupted call is taken up again."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "described.npz" if folder else None
        self._parts: list[Described] = []
        self.done = self._kept = 0
        if self._path and self._path.is_file():
            try:
                with self._path.open("rb") as opened, np.load(opened) as file:
                    self.add(Described(file["clip"], file["pixels"]))
            except (OSError, ValueError, KeyError, zipfile.BadZipFile):
                return  # damaged: it is described anew
            self._kept = self.done

    def add(self, part: Described) -> None:
        self._parts.append(part)
        self.done += len(part.pixels)
        if self.done - self._kept >= 4096:
            self.keep()

    def keep(self) -> None:
        if self._path is None:
            return
        with whole(self._path) as file:
            np.savez(file, **self.whole(self.done)._asdict())
        self._kept = self.done

    def whole(self, count: int) -> Described:
        clip, pixels = (np.concatenate(rows) for rows in zip(*self._parts, strict=True))
        return Described(clip[:count], pixels[:count])
