"""Nearness: how near each picture of several kinds comes to its nearest, and the nearest of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.stages import originality
from explainer.stages.originality import MEASURES
from explainer.widgets import pixels
from explainer.widgets.base import Widget, pack_frames

if TYPE_CHECKING:
    from explainer.stages.originality_findings import Findings, Pair, Twin


class Nearness(Widget, scripts=("nearness",)):
    """Hold a model's pictures against drawings that training never saw, and against copies.

    Each dot is a picture; how far right it stands is how far it is from its nearest.

    Args:
        findings: What was measured on the model.
        twin: What was measured on its overfitted twin; None where none was trained.

    Attributes:
        measure: By what the pictures are compared: "clip" or "pixels".
        group: The kind of pictures whose nearest pairs are on show.
        shown: Whether the dots of generated pictures are shown, or wait for a guess.
    """

    measure = t.Enum(MEASURES, MEASURES[0], help="What pictures are compared by.").tag(sync=True)
    group = t.Unicode("generated", help="Whose nearest pairs are on show.").tag(sync=True)
    shown = t.Bool(True, help="Whether generated pictures are shown.").tag(sync=True)
    _rows: t.List[Any] = t.List().tag(sync=True)
    _among: t.List[Any] = t.List().tag(sync=True)
    _pairs = t.Dict().tag(sync=True)
    _limits = t.Dict().tag(sync=True)

    def __init__(self, findings: Findings, twin: Twin | None = None) -> None:
        super().__init__()
        self._groups = {"drawings": findings.drawings, "generated": findings.generated}
        titles = {
            "drawings": "drawings that training never saw",
            "generated": "pictures by the model",
        }
        if twin is not None:
            self._groups["twin"] = twin.group
            titles["twin"] = f"pictures by the twin, which went on with {twin.learned} pictures"
        self._groups["copies"] = findings.copies
        titles["copies"] = "training pictures through the autoencoder, the best copies it can draw"
        self._size, self._titles = findings.size, titles
        self._limits = findings.suspicious
        self._rows = [self._row(name, one.nearest) for name, one in self._groups.items()]
        self._among = [
            self._row(name, one.among) for name, one in self._groups.items() if one.among["clip"]
        ]
        self._lay_out()

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        told = ", ".join(
            f"{row['title']} {sorted(row[self.measure])[len(row[self.measure]) // 2]:.3f}"
            for row in self._rows
            if self.shown or row["name"] not in {"generated", "twin"}
        )
        return (
            f"Distances to the nearest training picture by {self.measure}, the middle ones: {told}"
        )

    @t.validate("group")
    def _check_group(self, proposal: dict[str, Any]) -> str:
        name = str(proposal["value"])
        known = getattr(self, "_groups", None)
        if known and name not in known:
            raise t.TraitError(f"There is no group {name!r}, only {', '.join(known)}.")
        return name

    def _row(self, name: str, distances: Mapping[str, tuple[float, ...]]) -> dict[str, Any]:
        return {"name": name, "title": self._titles[name]} | {
            measure: list(distances[measure]) for measure in MEASURES
        }

    def _lay_out(self) -> None:
        frames, told = {}, {}
        for name, group in self._groups.items():
            for measure in MEASURES:
                pairs = group.closest[measure]
                key = f"{name}-{measure}"
                frames[key] = [self._picture(pair) for pair in pairs]
                frames[f"{key}-near"] = [
                    pixels.lossless(originality.redraw(pair.number, self._size)) for pair in pairs
                ]
                told[key] = [_told(pair) for pair in pairs]
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames(frames)
            self._pairs = told

    def _picture(self, pair: Pair) -> bytes:
        if pair.anew is None:
            return pair.picture
        return pixels.lossless(originality.anew(pair.anew, self._size))


def _told(pair: Pair) -> dict[str, Any]:
    return {
        "distance": pair.distance,
        "number": pair.number,
        "title": pair.prompt if pair.anew is None else f"caption {pair.anew:,}, drawn anew",
        "caption": originality.caption(pair.number),
    }
