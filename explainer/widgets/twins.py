"""Twins: a training picture, and what two models make of its caption; one knows it by heart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.stages import originality
from explainer.widgets import pixels
from explainer.widgets.base import Widget, pack_frames

if TYPE_CHECKING:
    from explainer.stages.originality_findings import Twin


class Twins(Widget, scripts=("twins",)):
    """Find the copy: two pictures from one caption and one seed, beside the training picture.

    Args:
        twin: What was recorded of the twin.
        size: Width and height of the training pictures, in pixels.

    Attributes:
        chosen: The place of the training picture on show, from 0.
        guessed: The places where the reader has said which of the two is the copy.
    """

    chosen = t.Int(0, help="The training picture on show, from 0.").tag(
        sync=True, echo_update=False
    )
    guessed = t.List(t.Int(), help="Where the reader has guessed.").tag(
        sync=True, echo_update=False
    )
    _told: t.List[Any] = t.List().tag(sync=True)

    def __init__(self, twin: Twin, size: int) -> None:
        super().__init__()
        self._count = len(twin.lessons)
        frames = {
            "training": [pixels.lossless(originality.redraw(x.number, size)) for x in twin.lessons],
            "model": [one.model for one in twin.lessons],
            "twin": [one.twin for one in twin.lessons],
        }
        self._frames, self._frame_index = pack_frames(frames)
        self._told = [
            {
                "number": one.number,
                "prompt": one.prompt,
                "seed": str(one.seed),
                "distances": one.distances,
                # The twin's picture stands now on the left, now on the right.
                "left": "twin" if one.number % 3 == 1 else "model",
            }
            for one in twin.lessons
        ]

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        one = self._told[self.chosen]
        return (
            f"Training picture {one['number']} and what the model and its twin make of "
            f"“{one['prompt']}”"
        )

    @t.validate("chosen")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 0), self._count - 1)
