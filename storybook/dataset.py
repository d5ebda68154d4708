"""The training set: numbered pictures with captions, drawn, never downloaded."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from explainer import processes
from storybook.captions import Caption, captions_of
from storybook.everyday import wordings_of
from storybook.illustrator import draw
from storybook.world import WORLD_VERSION, Scene, scene

PICTURES = 100_000
"""How many pictures a training can have: numbers 0 to 99,999. A preset takes the first of them."""

Progress = Callable[[int, int], None]
_CHUNK = 64
_APART = 400  # more than the held-out scenes that a dozen takes of one caption look through
_ANEW = 10_000_000  # beyond the held-out scenes that a judge learns from or a report tells of
_TOLD_AT_ONCE = 1024
_Found = TypeVar("_Found")


def picture(number: int, size: int) -> np.ndarray:
    """Draw training picture ``number``: uint8, shape (size, size, 3), RGB."""
    return draw(scene(number), size)


def anew(number: int, size: int, take: int = 0) -> np.ndarray:
    """Draw once more what training picture ``number``'s first caption says; no training saw it.

    Args:
        number: of the training picture.
        size: width and height in pixels.
        take: another drawing of the same caption for each.

    Returns:
        uint8, shape (size, size, 3), RGB.
    """
    # Each number has held-out scenes of its own, so that no two drawings share what is left open.
    first = _ANEW + _APART * number
    return draw(retold(captions_of(number, 1)[0], scene(number), first, take), size)


def retold(told: Caption, shown: Scene, first: int, take: int = 0) -> Scene:
    """Return another scene that a caption fits as well, one that no training saw.

    Whatever the caption leaves open is that of a held-out scene with the same figure.

    Args:
        told: the caption.
        shown: the scene that it is a caption of.
        first: the number of the first held-out scene that may give the rest.
        take: another scene for each.
    """
    heldout = (scene(i, "heldout") for i in itertools.count(first))
    alike = (one for one in heldout if one.who == shown.who)
    open_things = next(itertools.islice(alike, take, None))
    return replace(open_things, **{name: getattr(shown, name) for name in told.names})


def pictures(
    folder: Path,
    *,
    size: int,
    count: int = PICTURES,
    workers: int | None = None,
    progress: Progress | None = None,
    scenes: Callable[[int], Scene] = scene,
) -> np.ndarray:
    """Return the first ``count`` pictures, drawing those that the folder lacks.

    They are kept in ``pictures-<size>.npy``. An interrupted call is taken up where it stopped;
    pictures of another version of the world are drawn anew.

    Args:
        folder: where they are kept. Other scenes need another folder.
        size: width and height in pixels.
        count: how many.
        workers: processes that draw; None for one a processor core.
        progress: told after every few pictures how many are drawn, and of how many.
        scenes: a module's own function, since those processes call it, too: the scene that a
            number stands for. By default the training pictures'.

    Returns:
        A read-only memory map, uint8, shape (count, size, size, 3).

    Raises:
        OSError: if the disk cannot hold them (``3 * count * size**2`` bytes), or a process that
            draws was ended from outside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, note = _files(folder, size)
    there = drawn(folder, size)
    if there < count:
        _draw_missing(path, note, size, there, count, workers, progress, scenes)
    return np.load(path, mmap_mode="r")[:count]


def drawn(folder: Path, size: int) -> int:
    """Return how many pictures of this world and this size the folder has."""
    path, note = _files(folder, size)
    if not (note.exists() and path.exists()):
        return 0
    found = json.loads(note.read_text())
    there: int = found["drawn"] if found["world"] == WORLD_VERSION else 0
    return there


def captions(count: int, per_picture: int, *, workers: int | None = None) -> Iterator[list[str]]:
    """Yield the captions of the first ``count`` pictures in order, many pictures at a time."""
    yield from _told(_caption_chunk, count, per_picture, workers)


def wordings(count: int, takes: int, *, workers: int | None = None) -> Iterator[list[str]]:
    """Yield the first ``count`` pictures' pairs of wordings in order, many pictures at a time.

    An everyday one is followed by a caption that names the same, see :mod:`storybook.everyday`.
    """
    yield from _told(_wording_chunk, count, takes, workers)


def silhouettes(count: int, cells: int, *, workers: int | None = None) -> Iterator[np.ndarray]:
    """Yield where the figures of the first ``count`` pictures are, many pictures at a time.

    Args:
        count: of how many pictures.
        cells: across and down.
        workers: processes that look; None for one a processor core.

    Returns:
        float16, shape (n, 2, cells, cells), see
        :func:`~storybook.illustrator.silhouette.silhouette`.
    """
    yield from _told(_silhouette_chunk, count, cells, workers)


def _told(
    chunk: Callable[[tuple[int, int, int]], _Found],
    count: int,
    argument: int,
    workers: int | None,
) -> Iterator[_Found]:
    """Yield what ``chunk`` tells of all pictures, in order; other processes help if it pays."""
    starts = range(0, count, _TOLD_AT_ONCE)
    jobs = [(start, min(start + _TOLD_AT_ONCE, count), argument) for start in starts]
    if len(jobs) <= 2:  # sooner done than other processes are started
        yield from map(chunk, jobs)
        return
    with processes.shared_out(chunk, jobs, workers) as done:
        yield from done


def _files(folder: Path, size: int) -> tuple[Path, Path]:
    """Where the pictures lie, and the note that tells how many of them are drawn."""
    return folder / f"pictures-{size}.npy", folder / f"pictures-{size}.json"


def _write(note: Path, content: dict[str, int]) -> None:
    fresh = note.with_suffix(".json.part")
    fresh.write_text(json.dumps(content))
    fresh.replace(note)


def _draw_missing(
    path: Path,
    note: Path,
    size: int,
    drawn: int,
    count: int,
    workers: int | None,
    progress: Progress | None,
    scenes: Callable[[int], Scene],
) -> None:
    array = _room_for(path, drawn, count, size)
    # Until the first chunk stands, a note left by another world would vouch for empty pictures.
    _write(note, {"world": WORLD_VERSION, "drawn": drawn})
    starts = range(drawn, count, _CHUNK)
    jobs = ((scenes, start, min(start + _CHUNK, count), size) for start in starts)
    with processes.shared_out(_draw_chunk, jobs, workers) as chunks:
        for start, chunk in zip(starts, chunks, strict=True):
            array[start : start + len(chunk)] = chunk
            done = start + len(chunk)
            if done == count or (start // _CHUNK) % 16 == 15:
                array.flush()
                _write(note, {"world": WORLD_VERSION, "drawn": done})
            if progress:
                progress(done, count)


def _room_for(path: Path, drawn: int, count: int, size: int) -> np.memmap:
    """Open an array of ``count`` pictures that keeps the first ``drawn`` ones."""
    shape = (count, size, size, 3)
    if drawn and np.load(path, mmap_mode="r").shape[0] >= count:
        return np.lib.format.open_memmap(path, mode="r+")
    fresh = path.with_suffix(".part")
    try:
        array = np.lib.format.open_memmap(fresh, mode="w+", dtype=np.uint8, shape=shape)
        _claim(fresh)
        if drawn:
            array[:drawn] = np.load(path, mmap_mode="r")[:drawn]
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        needed = 3 * count * size**2 / 1e9
        raise OSError(
            error.errno, f"no room for {needed:.2f} GB of pictures ({error.strerror})", str(path)
        ) from error
    return array


def _claim(path: Path) -> None:
    """Take a sparse file's whole space now: a disk that fills up later would kill the process."""
    size = path.stat().st_size
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    elif shutil.disk_usage(path.parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _draw_chunk(job: tuple[Callable[[int], Scene], int, int, int]) -> np.ndarray:
    scenes, start, stop, size = job
    return np.stack([draw(scenes(number), size) for number in range(start, stop)])


def _caption_chunk(job: tuple[int, int, int]) -> list[str]:
    start, stop, per_picture = job
    return [
        caption.text
        for number in range(start, stop)
        for caption in captions_of(number, per_picture)
    ]


def _wording_chunk(job: tuple[int, int, int]) -> list[str]:
    start, stop, takes = job
    return [
        wording.text
        for number in range(start, stop)
        for pair in wordings_of(number, takes)
        for wording in pair
    ]


def _silhouette_chunk(job: tuple[int, int, int]) -> np.ndarray:
    from storybook.illustrator.silhouette import silhouette  # Skia is loaded by drawing alone

    start, stop, cells = job
    return np.stack([silhouette(scene(number), cells) for number in range(start, stop)])
