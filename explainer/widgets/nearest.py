"""The nearest: a picture beside the training pictures that come nearest to it, drawn again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer import recorded
from explainer.cache import TraceCache
from explainer.stages import originality, originality_index
from explainer.stages.clip import ImageEncoder
from explainer.stages.originality import MEASURES, Neighbour
from explainer.widgets import pixels
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.runs import RunController, Task
    from explainer.stages.originality_findings import Findings
    from explainer.stages.originality_index import Index
    from explainer.trace import Trace

COUNT = 5
OWN = "your own picture"
MARKS = 128
"""As many unseen drawings are marked on a scale, evenly taken by their distance."""


def index_folder() -> Path:
    """Return where an index is kept that a reader had built."""
    return TraceCache().folder / "index"


class Nearest(Asking, scripts=("upload", "asking", "nearest")):
    """Look for a picture's nearest training pictures, by CLIP and by pixels.

    Args:
        trace: The run whose picture is shown at first.
        findings: What was measured on the weights that made it: its neighbours, and how near
            drawings come by chance.
        weights: The folder of the weights, which tells what they were trained on.
        controller: Searches for other pictures; None for a page that only shows.

    Attributes:
        chosen: The neighbour that stands beside the picture: its measure and its place.
        neighbours: By measure, the nearest training pictures; empty before the search.
        shown: Whether they are compared with unseen drawings, or that waits for a guess.
    """

    chosen = t.List([MEASURES[0], 0], help="The neighbour beside the picture.").tag(
        sync=True, echo_update=False
    )
    shown = t.Bool(True, help="Whether unseen drawings are compared.").tag(sync=True)
    _pixels = pixels.Pixels("_findings.size")
    _facts = t.Dict().tag(sync=True)

    def __init__(
        self,
        trace: Trace,
        findings: Findings,
        weights: Path,
        *,
        controller: RunController | None = None,
    ) -> None:
        super().__init__()
        self._findings, self._weights = findings, weights
        self._folders = (recorded.FOLDER, index_folder())
        self._index: Index | None = None
        self.neighbours: dict[str, Sequence[Neighbour]] = {}
        self._serve(controller)
        self._put(np.asarray(trace.image(), np.uint8), trace.prompt, findings.nearest)

    def show(self, trace: Trace) -> None:
        """Show another run's picture, and look for its neighbours where somebody can be asked."""
        self.cancel()
        self._put(np.asarray(trace.image(), np.uint8), trace.prompt, {})
        if self._controller is not None and self._has_index():
            self.ask()

    def ask(self) -> Task:
        """Look for the neighbours of the picture on show; without an index, build it first.

        Raises:
            RuntimeError: There is no controller.
        """
        picture, title = self._picture, self._title

        def work(_pipe: Any, task: Task) -> Any:
            index = self._take_index(task)
            found = index and originality_index.find(
                picture,
                index,
                ImageEncoder(self._weights),
                self._findings.size,
                COUNT,
                progress=lambda done, total: task.update(step=done, total=total),
                cancelled=task.asked_to_stop,
            )
            return picture, title, found

        return self._begin(work, 1)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        if not self.neighbours:
            return f"“{self._title}”, whose nearest training pictures were not looked for yet"
        told = "; ".join(
            f"by {_NAMES[measure]} number {found[0].number}, {found[0].distance:.3f} away"
            for measure, found in self.neighbours.items()
        )
        return f"“{self._title}” beside its nearest training pictures: {told}"

    def _take_index(self, task: Task) -> Index | None:
        index = self._index or originality_index.available(self._weights, *self._folders)
        if index is None:
            index = originality_index.build(
                self._weights,
                self._folders[-1],
                progress=lambda done, total: task.update(step=done, total=total),
                cancelled=task.asked_to_stop,
            )
        self._index = index
        return index

    def _has_index(self) -> bool:
        self._index = self._index or originality_index.available(self._weights, *self._folders)
        return self._index is not None

    def _put(
        self,
        picture: NDArray[np.uint8],
        title: str,
        neighbours: Mapping[str, Sequence[Neighbour]],
    ) -> None:
        self._picture, self._title = picture, title
        self.neighbours = {m: list(neighbours[m][:COUNT]) for m in MEASURES if m in neighbours}
        size = self._findings.size
        frames = {"own": [pixels.lossless(picture)]}
        for measure, found in self.neighbours.items():
            drawn = [originality.redraw(one.number, size) for one in found]
            frames[measure] = [*map(pixels.lossless, drawn)]
        with self.hold_sync():
            self.chosen = [MEASURES[0], 0]
            self._frames, self._frame_index = pack_frames(frames)
            self._facts = {
                "title": title,
                "size": size,
                "trained": self._findings.trained,
                "indexed": self._controller is None or self._has_index(),
                "scales": {m: self._scale(m) for m in self.neighbours},
            }

    def _scale(self, measure: str) -> dict[str, Any]:
        usual = np.array(self._findings.drawings.nearest[measure])
        found = self.neighbours[measure]
        return {
            "found": [
                {
                    "number": one.number,
                    "distance": round(one.distance, 4),
                    "caption": originality.caption(one.number),
                }
                for one in found
            ],
            "marks": np.quantile(usual, np.linspace(0, 1, MARKS)).round(4).tolist(),
            "suspicious": self._findings.suspicious[measure],
            "nearer": round(float((usual < found[0].distance).mean()), 4),
        }

    @t.validate("chosen")
    def _check_chosen(self, proposal: dict[str, Any]) -> list[Any]:
        measure, place = proposal["value"]
        if measure not in MEASURES:
            raise t.TraitError(f"There is no measure {measure!r}, only {', '.join(MEASURES)}.")
        return [measure, min(max(int(place), 0), COUNT - 1)]

    @t.observe("_pixels")
    def _take(self, _change: Any) -> None:
        self.cancel()
        self._put(pixels.square(self._pixels), OWN, {})

    def _asked(self, _content: dict[str, Any]) -> None:
        self.ask()

    def _answer(self, result: Any) -> None:
        picture, title, found = result
        # Another picture may have come meanwhile.
        if picture is self._picture:
            self._put(picture, title, found)


_NAMES = {"clip": "CLIP", "pixels": "pixels"}
