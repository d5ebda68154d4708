"""Findings: what was measured once about copies, because it takes longer than a page may."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from explainer.stages.originality import Neighbour

__all__ = ["Combination", "Findings", "Group", "Lesson", "Pair", "Twin"]


@dataclass(frozen=True)
class Pair:
    """A picture and its nearest.

    Attributes:
        distance: How far the two are apart.
        number: The training picture that is nearest.
        anew: Which training caption was drawn anew; None where the picture was generated.
        picture: The generated picture as WebP; empty for a drawing.
        prompt: What was asked for; empty for a drawing.
    """

    distance: float
    number: int
    anew: int | None = None
    picture: bytes = b""
    prompt: str = ""


@dataclass(frozen=True)
class Group:
    """Pictures of one kind, and how near each comes to its nearest, by measure.

    Attributes:
        nearest: Distances to the nearest training picture.
        among: Distances to the nearest of the same group; empty where it was not asked.
        closest: The pairs that are nearest of all.
    """

    nearest: dict[str, tuple[float, ...]]
    among: dict[str, tuple[float, ...]]
    closest: dict[str, tuple[Pair, ...]]


@dataclass(frozen=True)
class Lesson:
    """A training picture, and what two models make of its caption with one seed.

    Attributes:
        number: The training picture.
        prompt: Its caption.
        seed: The seed.
        model: The model's picture as WebP.
        twin: The twin's.
        distances: By measure, how far the model's and the twin's are from the training picture.
    """

    number: int
    prompt: str
    seed: int
    model: bytes
    twin: bytes
    distances: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Twin:
    """What came of the overfitted twin.

    Attributes:
        fingerprint: Of the model that it is the twin of.
        learned: How many pictures it was trained on at the end.
        times: How often it saw each of them.
        group: How near its pictures come.
        lessons: Some of them beside the model's.
    """

    fingerprint: str
    learned: int
    times: int
    group: Group
    lessons: tuple[Lesson, ...]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        _write(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Twin:
        """Read what `save` wrote."""
        found = _read(path)
        lessons = tuple(
            Lesson(
                **_decoded(one, "model", "twin")
                | {"distances": {m: tuple(pair) for m, pair in one["distances"].items()}}
            )
            for one in found.pop("lessons")
        )
        return cls(group=_group(found.pop("group")), lessons=lessons, **found)


@dataclass(frozen=True)
class Combination:
    """Two things that training never showed together, and a picture of both.

    Attributes:
        halves: The two, in words.
        counts: How many training pictures show the first, the second, and both.
        prompt: What was asked for.
        seed: The seed.
        picture: WebP.
        seen: Whether the judge, a network trained apart, finds each half in the picture.
        nearest: The nearest training picture by CLIP.
    """

    halves: tuple[str, str]
    counts: tuple[int, int, int]
    prompt: str
    seed: int
    picture: bytes
    seen: tuple[bool, bool]
    nearest: Neighbour


@dataclass(frozen=True)
class Findings:
    """All that the page about copies opens with.

    Attributes:
        fingerprint: Of the weights.
        trained: How many pictures the model was trained on.
        size: Their width and height, in pixels.
        recall: By measure, the share of pictures whose nearest of all the index brings up.
        suspicious: By measure, the distance that one in a hundred new drawings stays below.
        nearest: By measure, the neighbours of the running example.
        drawings: Held-out drawings: how near pictures of this world come by chance.
        generated: The model's pictures, prompted with training captions.
        copies: Training pictures sent through the autoencoder: as near as a copy could come, for
            the decoder cannot draw any sharper.
        again: Digests of one run's picture, of the same drawn anew, of the next seed's.
        first: The first of these as lossless WebP. It is drawn beside the other two: on another
            computer, which rounds in other places, the running example may come out a bit other.
        other: The last of these, as lossless WebP.
        apart: How many numbers of these two are not the same.
        combinations: What training never showed together.
    """

    fingerprint: str
    trained: int
    size: int
    recall: dict[str, float]
    suspicious: dict[str, float]
    nearest: dict[str, tuple[Neighbour, ...]]
    drawings: Group
    generated: Group
    copies: Group
    again: tuple[str, str, str]
    first: bytes
    other: bytes
    apart: int
    combinations: tuple[Combination, ...]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        _write(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Findings:
        """Read what `save` wrote."""
        found = _decoded(_read(path), "first", "other")
        combinations = tuple(
            Combination(
                **_decoded(one, "picture")
                | {part: tuple(one[part]) for part in ("halves", "counts", "seen")}
                | {"nearest": Neighbour(*one["nearest"])}
            )
            for one in found["combinations"]
        )
        return cls(
            **found
            | {
                "nearest": _tuples(found["nearest"], lambda one: Neighbour(*one)),
                "drawings": _group(found["drawings"]),
                "generated": _group(found["generated"]),
                "copies": _group(found["copies"]),
                "again": tuple(found["again"]),
                "combinations": combinations,
            }
        )


def _write(path: Path, content: dict[str, Any]) -> None:
    def text(value: object) -> str:
        if isinstance(value, bytes):
            return base64.b64encode(value).decode("ascii")
        raise TypeError(f"{type(value).__name__} has no place in this file")

    path.write_text(json.dumps(content, default=text) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _decoded(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return found | {name: base64.b64decode(found[name]) for name in names}


def _tuples(found: dict[str, list[Any]], make: Any) -> dict[str, tuple[Any, ...]]:
    return {measure: tuple(map(make, values)) for measure, values in found.items()}


def _group(found: dict[str, Any]) -> Group:
    return Group(
        _tuples(found["nearest"], float),
        _tuples(found["among"], float),
        _tuples(found["closest"], lambda one: Pair(**_decoded(one, "picture"))),
    )
