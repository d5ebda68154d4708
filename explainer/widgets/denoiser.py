"""The denoiser: a UNet drawn from its own config, every part of it open to look into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.stages import inside
from explainer.widgets.asking import Asking

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.runs import RunController, Task
    from explainer.trace import Trace


class Denoiser(Asking, scripts=("cells", "asking", "denoiser")):
    """Draw a UNet, and show of each part what goes in and what comes out, step by step.

    Args:
        config: Configuration of the UNet, see `explainer.stages.inside.blueprint`.
        look: What came out of its parts; None to begin with the drawing alone.
        controller: Looks into another run; None for a page that only shows.
        trace: The run to look into when the reader asks for it.

    Attributes:
        part: The module name of the part on show.
        position: Which of the steps that were looked at, from 0.
        look: What is on show, or None.
        trace: The run to look into next; set it to another as the reader goes on.

    Raises:
        ValueError: The config is of no UNet that can be drawn.
    """

    part = t.Unicode(help="The part on show.").tag(sync=True, echo_update=False)
    position = t.Int(0, help="Which step is on show.").tag(sync=True, echo_update=False)
    look = t.Any(None, allow_none=True, help="What is on show.")
    trace = t.Any(None, allow_none=True, help="The run to look into next.")
    _next = t.Unicode("", help="The run to look into next, in words.").tag(sync=True)
    _parts: t.List[Any] = t.List().tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _maps = t.Bytes(b"").tag(sync=True)

    def __init__(
        self,
        config: Mapping[str, Any],
        look: inside.Look | None = None,
        *,
        controller: RunController | None = None,
        trace: Trace | None = None,
    ) -> None:
        super().__init__()
        self.trace = trace
        self._draw(inside.blueprint(config))
        doors = [part["name"] for part in self._parts if part["kind"] == "cross-attention"]
        self.part = doors[-1] if doors else self._parts[0]["name"]
        if look is not None:
            self.show(look)
        self._serve(None if trace is None else controller)

    def show(self, look: inside.Look) -> None:
        """Replace what came out of the parts."""
        pieces: list[bytes] = []
        parts = {
            part.name: {
                "in": _packed(look.inputs, look.input_sizes, part.name, pieces),
                "out": _packed(look.outputs, look.output_sizes, part.name, pieces),
                "reads": [
                    [round(float(share), 4) for share in shares]
                    for shares in look.reads.get(part.name, ())
                ],
            }
            for part in look.parts
        }
        with self.hold_sync():
            self.look = look
            self._draw(list(look.parts))
            self._maps = b"".join(pieces)
            self._facts = {
                "prompt": look.prompt,
                "words": list(look.words),
                "steps": [
                    f"step {step + 1} of {look.calls}, timestep {timestep:.0f}"
                    for step, timestep in zip(look.steps, look.timesteps, strict=True)
                ],
                "parts": parts,
            }
            self.position = min(self.position, len(look.steps) - 1)

    def ask(self) -> Task:
        """Look into the run that `trace` names.

        Raises:
            RuntimeError: There is no controller or no run.
        """
        trace = self.trace
        if trace is None:
            raise self._nobody()

        def work(pipe: Any, task: Task) -> inside.Look | None:
            return inside.look(
                pipe,
                trace,
                on_step=lambda done, _total: task.update(step=done),
                cancelled=task.asked_to_stop,
            )

        return self._begin(work, len(inside.moments(trace.calls)))

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        steps = self._facts.get("steps")
        moment = f", {steps[self.position]}" if steps else ", not looked into yet"
        return f"a UNet of {len(self._parts)} parts, {self.part}{moment}"

    def _draw(self, parts: list[inside.Part]) -> None:
        self._parts = [part._asdict() for part in parts]
        if self.part and self.part not in {part.name for part in parts}:
            self.part = parts[0].name

    @t.observe("trace")
    def _name_next(self, _change: dict[str, Any]) -> None:
        if self.trace is None:
            self._next = ""
            return
        seed = "" if self.trace.seed is None else f", seed {self.trace.seed}"
        self._next = f"“{self.trace.prompt}”{seed}"

    @t.validate("part")
    def _check_part(self, proposal: dict[str, Any]) -> str:
        names = [part["name"] for part in self._parts]
        if proposal["value"] not in names:
            raise t.TraitError(
                f"This denoiser has no part {proposal['value']!r}. It has: {', '.join(names)}."
            )
        return str(proposal["value"])

    @t.validate("position")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        last = len(self._facts["steps"]) - 1 if self._facts else 0
        return min(max(int(proposal["value"]), 0), last)

    def _asked(self, _content: dict[str, Any]) -> None:
        self.ask()

    def _answer(self, result: Any) -> None:
        self.show(result)


def _packed(
    maps: Mapping[str, NDArray[np.float16]],
    sizes: Mapping[str, NDArray[np.float64]],
    name: str,
    pieces: list[bytes],
) -> dict[str, Any] | None:
    """Append a part's maps to what is sent, and tell where they are; None where there are none."""
    if name not in maps:
        return None
    values = maps[name].astype("<f2")
    start = sum(map(len, pieces)) // values.itemsize
    pieces.append(values.tobytes())
    return {
        "start": start,
        "shape": list(values.shape),
        "limit": max(1e-6, float(3 * np.sqrt((values.astype(np.float64) ** 2).mean()))),
        "rms": [float(size) for size in sizes[name]],
    }
