"""The brush: paint on the latents, and see what the decoder makes of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.stages import latent
from explainer.widgets import pixels
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from explainer.runs import RunController, Task
    from explainer.trace import Trace

MOST_CELLS = 4096
"""In one stroke; a reader's hand never gets there."""
MOST_AMOUNT = 10.0


class Brush(Asking, scripts=("cells", "asking", "brush")):
    """Paint noise, a shift or a copied patch on a picture's latents, or ask what a cell reaches.

    Args:
        trace: A finished run, whose latents are painted on.
        controller: Decodes; None for a page that only shows.

    Attributes:
        strokes: What was painted so far, the first first.
    """

    strokes: t.Any = t.Any((), help="What was painted so far.")
    _facts = t.Dict().tag(sync=True)
    _levels = t.Bytes(b"").tag(sync=True)

    def __init__(self, trace: Trace, *, controller: RunController | None = None) -> None:
        super().__init__()
        self.show(trace)
        self._serve(controller)

    def show(self, trace: Trace) -> None:
        """Replace the run on show by another; nothing is painted on it."""
        self.cancel()
        self._clean = trace.latents[-1].astype(np.float32)
        self._limit = pixels.limit_of(self._clean)
        self._before = self._after = trace.picture
        self._reach: tuple[bytes, ...] = ()
        self._told: dict[str, Any] = {}
        self.strokes = ()
        self._tell()

    @property
    def latents(self) -> latent.Latents:
        """The latents with all strokes: float32, shape (C, h, w)."""
        return latent.painted(self._clean, self.strokes)

    def paint(self, stroke: latent.Stroke) -> Task:
        """Add a stroke and have the picture decoded; cells outside the latents do nothing.

        Raises:
            ValueError: No cell of the stroke is inside, or it cannot be painted.
            RuntimeError: There is no controller.
        """
        self._at_work()
        if not any(latent.inside(self._clean, *cell) for cell in stroke.cells):
            raise ValueError("That was outside the picture. Paint on the coloured cells.")
        latent.painted(self._clean, [stroke])
        self.strokes = (*self.strokes, stroke)
        return self._decode()

    def undo(self, *, everything: bool = False) -> Task:
        """Take the last stroke back, or everything.

        Raises:
            RuntimeError: There is no controller.
        """
        self._at_work()
        self.strokes = () if everything else self.strokes[:-1]
        return self._decode()

    def reach(self, row: int, column: int) -> Task:
        """Measure which pixels depend on a cell, counted from 0, and show it.

        Raises:
            ValueError: There is no such cell.
            RuntimeError: There is no controller.
        """
        clean, values = self._clean, self.latents
        if not latent.inside(values, row, column):
            raise ValueError("That was outside the picture. Ask one of the coloured cells.")

        def work(pipe: Any, task: Task) -> tuple[latent.Latents, str, Any]:
            found = latent.reach(
                pipe,
                values,
                row,
                column,
                on_channel=lambda done: task.update(step=done),
                cancelled=task.asked_to_stop,
            )
            return clean, "reach", (row, column, found)

        return self._begin(work, len(values))

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        channels, height, width = self._clean.shape
        count = len(self.strokes)
        painted = f"{count} {'stroke' if count == 1 else 'strokes'} painted"
        return f"latents of {channels} channels, {height} × {width} cells, {painted}"

    def _decode(self) -> Task:
        clean, values = self._clean, self.latents
        self._tell()

        def work(pipe: Any, task: Task) -> tuple[latent.Latents, str, Any]:
            picture = pixels.lossless(latent.decode(pipe, values))
            task.update(step=1)
            return clean, "picture", picture

        return self._begin(work, 1)

    def _tell(self) -> None:
        frames = {"before": [self._before], "after": [self._after], "reach": self._reach}
        with self.hold_sync():
            self._levels = pixels.levels(self.latents, self._limit)
            self._frames, self._frame_index = pack_frames(frames)
            self._facts = {
                "shape": list(self._clean.shape),
                "limit": self._limit,
                "strokes": len(self.strokes),
                "reach": self._told,
            }

    def _asked(self, content: dict[str, Any]) -> None:
        what = content.get("what")
        try:
            if what == "paint":
                self.paint(_stroke(content, seed=len(self.strokes)))
            elif what == "reach":
                self.reach(int(content["row"]), int(content["column"]))
            else:
                self.undo(everything=what == "reset")
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError("This stroke could not be read. Paint again.") from error

    def _answer(self, result: Any) -> None:
        clean, kind, found = result
        if clean is not self._clean:  # done at the moment when another run came
            return
        if kind == "picture":
            self._after = found
        else:
            row, column, moved = found
            picture, most = pixels.heat(moved)
            self._reach = (picture,)
            self._told = {"row": row, "column": column, "most": most} | _shares(
                moved, row, column, self._clean.shape
            )
        self._tell()


def _stroke(content: dict[str, Any], seed: int) -> latent.Stroke:
    cells = tuple((int(row), int(column)) for row, column in content["cells"][:MOST_CELLS])
    amount = float(content.get("amount", 1.0))
    if not math.isfinite(amount) or abs(amount) > MOST_AMOUNT:
        raise ValueError(f"Choose a strength between −{MOST_AMOUNT:g} and {MOST_AMOUNT:g}.")
    channel = content.get("channel")
    row, column = content.get("source", (0, 0))
    return latent.Stroke(
        str(content["tool"]),
        cells,
        channel=None if channel is None else int(channel),
        amount=amount,
        source=(int(row), int(column)),
        seed=seed,
    )


def _shares(
    moved: np.ndarray[Any, Any], row: int, column: int, shape: tuple[int, ...]
) -> dict[str, Any]:
    """How much of the effect is on the cell's own pixels, and how many pixels move visibly."""
    height, width = (side // cells for side, cells in zip(moved.shape, shape[1:], strict=True))
    own = moved[row * height : (row + 1) * height, column * width : (column + 1) * width]
    energy = float((moved**2).sum())
    return {
        "own": float((own**2).sum()) / energy if energy else 0.0,
        "side": [height, width],
        "pixels": int((moved >= 1).sum()),
    }
