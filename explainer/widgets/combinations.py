"""Combinations: what training never showed together, asked for and drawn all the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.parameters import MAX_SEED, RunParameters
from explainer.stages import originality
from explainer.widgets import pixels
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.runs import RunController, Task
    from explainer.stages.originality_findings import Combination


class Combinations(Asking, scripts=("asking", "combinations")):
    """Choose a pair that no training picture shows, and see what the model made of it.

    Args:
        combinations: The pairs, each with its picture; one at least.
        size: Width and height of the training pictures, in pixels.
        controller: Draws a pair with other seeds; None for a page that only shows.

    Attributes:
        chosen: The place of the pair on show, from 0.

    Raises:
        ValueError: There is no pair.
    """

    chosen = t.Int(0, help="The pair on show, from 0.").tag(sync=True, echo_update=False)
    _told: t.List[Any] = t.List().tag(sync=True)
    _own = t.Dict().tag(sync=True)

    def __init__(
        self,
        combinations: Sequence[Combination],
        size: int,
        *,
        controller: RunController | None = None,
    ) -> None:
        if not combinations:
            raise ValueError("Give at least one combination.")
        super().__init__()
        self._combinations = list(combinations)
        self._near = [
            pixels.lossless(originality.redraw(one.nearest.number, size)) for one in combinations
        ]
        self._drawn: dict[int, tuple[int, NDArray[np.uint8]]] = {}
        self._told = [_told(one) for one in combinations]
        self._lay_out()
        self._serve(controller)

    def ask(self, place: int | None = None) -> Task:
        """Draw a pair with the seed after the last one.

        Args:
            place: Which; the one on show by default.

        Raises:
            ParameterError: The run is longer than the limits allow.
            RuntimeError: There is no controller.
        """
        place = self.chosen if place is None else place
        one = self._combinations[place]
        last = self._drawn[place][0] if place in self._drawn else one.seed
        wanted = RunParameters(prompt=one.prompt, seed=(last + 1) % (MAX_SEED + 1))

        def work(pipe: Any, task: Task) -> Any:
            import explainer

            trace = explainer.record(
                pipe,
                **wanted.arguments(),
                previews=False,
                on_step=lambda step, total, _preview: task.update(step=step, total=total),
                cancelled=task.asked_to_stop,
            )
            return place, wanted.seed, np.asarray(trace.image(), np.uint8)

        return self._begin(work, wanted.steps, steps=wanted.steps)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        one = self._combinations[self.chosen]
        return (
            f"{one.halves[0]} and {one.halves[1]}, in {one.counts[2]} training pictures together: "
            f"“{one.prompt}”"
        )

    @t.validate("chosen")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 0), len(self._combinations) - 1)

    def _lay_out(self) -> None:
        frames = {
            "picture": [one.picture for one in self._combinations],
            "near": self._near,
        } | {f"own-{place}": [pixels.lossless(one)] for place, (_, one) in self._drawn.items()}
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames(frames)
            self._own = {str(place): str(seed) for place, (seed, _) in self._drawn.items()}

    def _asked(self, _content: dict[str, Any]) -> None:
        self.ask()

    def _answer(self, result: Any) -> None:
        place, seed, picture = result
        self._drawn[place] = seed, picture
        self._lay_out()


def _told(one: Combination) -> dict[str, Any]:
    return {
        "halves": one.halves,
        "counts": one.counts,
        "prompt": one.prompt,
        "seed": str(one.seed),
        "seen": one.seen,
        "number": one.nearest.number,
        "distance": round(one.nearest.distance, 4),
        "caption": originality.caption(one.nearest.number),
    }
