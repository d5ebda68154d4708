"""The player: a run seen step by step, noisy state beside predicted picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.widgets.base import pack_frames
from explainer.widgets.saving import Saving

if TYPE_CHECKING:
    from explainer.trace import Trace


def noise_shares(trace: Trace) -> list[float | None]:
    """Give the share of noise in each state of a run: one minus its signal share.

    Returns:
        n + 1 numbers from 0 to 1 for a run of n denoiser calls. The last is 0 for a finished run,
        and None for a run that was stopped, whose last state has no recorded level.
    """
    shares: list[float | None] = [round(1 - float(signal), 4) for signal in trace.signal]
    return [*shares, 0.0 if trace.complete else None]


class Player(Saving, scripts=("saving", "curve", "player")):
    """Slide through a run: what the state is after each step, and what the model makes of it.

    All of it happens in the browser, with or without a kernel. The arrow keys, Page Up and Page
    Down, Home and End move; space plays and pauses.

    Args:
        trace: The run to show, recorded with frames; None shows nothing until `player.trace` is
            set.
        step: Where to stand at first; the end of the run by default.
        pixelated: Show the pixels as squares instead of smoothing them.

    Attributes:
        trace: The run on show. Setting it replaces the run and moves to its end.
        step: Steps done, 0 (pure noise) to n (finished): `trace.timesteps[step]` belongs to the
            prediction on the right. Numbers outside are moved to the nearer end.
        playing: Whether it plays now.
        pixelated: Whether pixels are shown as squares.
    """

    trace = t.Any(None, allow_none=True, help="The run on show.")
    # No echo: the browser moves on sixty times a second, and an echo would call it back.
    step = t.Int(0, help="Steps done, from 0 to n.").tag(sync=True, echo_update=False)
    playing = t.Bool(False, help="Whether it plays now.").tag(sync=True, echo_update=False)
    pixelated = t.Bool(False, help="Whether pixels are shown as squares.").tag(sync=True)
    _run = t.Dict().tag(sync=True)

    def __init__(
        self, trace: Trace | None = None, *, step: int | None = None, pixelated: bool = False
    ) -> None:
        super().__init__()
        self.pixelated = pixelated
        self.trace = trace
        if step is not None:
            self.step = step

    @property
    def last_step(self) -> int:
        """The greatest value of `step`: the number of steps that were recorded."""
        return int(self._run.get("count", 0))

    def describe(self) -> str:
        """Say in a sentence which run is on show and where it stands."""
        if self.trace is None:
            return "no run yet"
        where = f"step {self.step} of {self._run['total']}"
        seed = "no seed" if self.trace.seed is None else f"seed {self.trace.seed}"
        return f"“{self.trace.prompt}”, {seed}, {where}"

    @t.validate("trace")
    def _check_trace(self, proposal: dict[str, Any]) -> Trace | None:
        from explainer.trace import Trace

        trace = proposal["value"]
        if trace is not None and not isinstance(trace, Trace):
            raise t.TraitError(
                f"Player shows a Trace, not {type(trace).__name__}: "
                "record one with explainer.record(...) or open one with Trace.load(path)"
            )
        if trace is not None and not {"x0", "noisy"} <= trace.frames.keys():
            raise t.TraitError(
                "This trace holds no frames to show. Record it with previews=True, or look at its "
                "picture alone with trace.image()"
            )
        return trace

    @t.validate("step")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 0), self.last_step)

    @t.observe("trace")
    def _show_trace(self, change: dict[str, Any]) -> None:
        trace = change["new"]
        with self.hold_sync():
            self.playing = False
            if trace is None:
                self._frames, self._frame_index, self._run = b"", {}, {}
            else:
                self._frames, self._frame_index = pack_frames(
                    trace.frames | {"picture": (trace.picture,)}
                )
                self._run = _run_facts(trace)
            self._offer(trace)
            self.step = self.last_step


def _run_facts(trace: Trace) -> dict[str, Any]:
    return {
        "prompt": trace.prompt,
        "negative_prompt": trace.negative_prompt,
        # As text: JavaScript cannot hold every seed of 64 bits as a number.
        "seed": None if trace.seed is None else str(trace.seed),
        "steps": trace.steps,
        "count": trace.calls,
        # Some schedulers call the denoiser more often than there are steps.
        "total": trace.calls if trace.complete else max(trace.steps, trace.calls),
        "guidance_scale": trace.guidance_scale,
        "model": trace.model,
        "width": trace.width,
        "height": trace.height,
        "complete": trace.complete,
        "truncated": trace.truncated.strip(),
        "timesteps": [round(float(timestep), 2) for timestep in trace.timesteps],
        "noise": noise_shares(trace),
    }
