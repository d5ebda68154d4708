"""The compression: a picture and its latents drawn at one scale, and what a step on each costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.stages import cost
from explainer.widgets import pixels
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from explainer.runs import RunController, Task
    from explainer.trace import Trace


class Compression(Asking, scripts=("cells", "asking", "compression")):
    """Show all numbers of a picture beside all numbers of its latents, each as one dot of one size.

    Args:
        trace: A finished run; its picture and its last latents are drawn.
        unet: Configuration of its denoiser, where that is a UNet: its cost is computed.
        published: Other models to set beside it.
        controller: Times a step on both; None for a page that only shows.

    Attributes:
        timing: What was timed, or None.
        shown: Whether both are shown, or wait for a guess.
    """

    timing = t.Any(None, allow_none=True, help="What was timed.")
    shown = t.Bool(True, help="Whether both are shown.").tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _latents = t.Bytes(b"").tag(sync=True)
    _seconds: t.Dict[str, float] = t.Dict().tag(sync=True)

    def __init__(
        self,
        trace: Trace,
        unet: Mapping[str, Any] | None = None,
        published: Sequence[cost.Compression] = cost.PUBLISHED,
        *,
        controller: RunController | None = None,
    ) -> None:
        super().__init__()
        self._published = tuple(published)
        self.show(trace, unet)
        self._serve(controller)

    def show(self, trace: Trace, unet: Mapping[str, Any] | None = None) -> None:
        """Replace the run on show."""
        self._compression = cost.of_trace(trace, unet)
        values = trace.latents[-1]
        limit = pixels.limit_of(values)
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames({"picture": [trace.picture]})
            self._latents = pixels.levels(values, limit)
            self._seconds, self.timing = {}, None
            self._facts = {
                "limit": limit,
                "rows": [_row(one) for one in (self._compression, *self._published)],
            }

    def ask(self) -> Task:
        """Time a step on latents and one on pixels, and show both.

        Raises:
            RuntimeError: There is no controller.
        """
        compression = self._compression

        def work(pipe: Any, task: Task) -> cost.Timing | None:
            return cost.timed(
                pipe,
                compression,
                on_part=lambda done, total: task.update(step=done, total=total),
                cancelled=task.asked_to_stop,
            )

        return self._begin(work, 1)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        picture, latents = self._compression.numbers
        told = f"a picture of {picture:,} numbers, its latents of {latents:,}"
        return f"{told}: {self._compression.factor:g} times fewer"

    def _asked(self, _content: dict[str, Any]) -> None:
        self.ask()

    def _answer(self, result: Any) -> None:
        with self.hold_sync():
            self.timing = result
            self._seconds = {"latents": result.latents, "pixels": result.pixels}


def _row(one: cost.Compression) -> dict[str, Any]:
    picture, latents = one.numbers
    return {
        "model": one.model,
        "picture": list(one.picture),
        "latents": list(one.latents),
        "numbers": [picture, latents],
        "factor": one.factor,
        "flop": None if one.flop is None else list(map(float, one.flop)),
    }
