"""The latent grid: the numbers that the denoiser really works on, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from explainer.trace import Trace

_SPREADS_SHOWN = 3.0


class LatentGrid(Widget, scripts=("cells", "latent_grid")):
    """Show the latents of a run as one small picture a channel.

    Each state is divided by its own standard deviation, since some schedulers begin with latents
    many times larger than they end; the colours run from −3 to +3 of it. A slider moves through the
    steps, together with a player's: `ipywidgets.jslink((player, "step"), (grid, "step"))`.

    Args:
        trace: The run to show.
        step: Steps done; the end of the run by default.

    Attributes:
        step: Steps done, 0 to n, as in `Player`; numbers outside are moved to the nearer end.
    """

    # No echo: an echo of an older step would call the slider back.
    step = t.Int(0, help="Steps done, from 0 to the number of steps.").tag(
        sync=True, echo_update=False
    )
    _levels = t.Bytes(b"").tag(sync=True)
    _spreads = t.List(t.Float()).tag(sync=True)
    _shape = t.Dict().tag(sync=True)
    _limit = t.Float(_SPREADS_SHOWN).tag(sync=True)

    def __init__(self, trace: Trace, *, step: int | None = None) -> None:
        super().__init__()
        self.show(trace)
        if step is not None:
            self.step = step

    def show(self, trace: Trace) -> None:
        """Replace the run on show and move to its end."""
        states = trace.latents.astype(np.float32)
        spreads = states.std(axis=(1, 2, 3), keepdims=True)
        levels = 127.5 + 127.5 / _SPREADS_SHOWN * states / np.maximum(spreads, 1e-12)
        count, channels, height, width = states.shape
        with self.hold_sync():
            self._shape = {
                "states": count,
                "channels": channels,
                "height": height,
                "width": width,
                "total": count - 1 if trace.complete else max(trace.steps, count - 1),
            }
            self._spreads = [round(float(spread), 5) for spread in spreads.ravel()]
            self._levels = np.clip(np.rint(levels), 0, 255).astype(np.uint8).tobytes()
            self.step = count - 1

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        shape = self._shape
        size = f"{shape['channels']} channels of {shape['height']} × {shape['width']}"
        return f"latents after step {self.step} of {shape['total']}, {size}"

    @t.validate("step")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 0), self._shape.get("states", 1) - 1)
