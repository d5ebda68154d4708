"""The sweep: one knob turned from run to run, the pictures side by side as they are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.parameters import MAX_PROMPT, RunParameters, read_seed
from explainer.stages import broken
from explainer.stages.knobs import SCHEDULERS, Runs, experiments
from explainer.widgets import pixels
from explainer.widgets.base import pack_frames
from explainer.widgets.series import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.runs import Job, RunController, Task
    from explainer.trace import Trace


class Sweep(Series, scripts=("series", "sweep")):
    """Turn one knob, all else equal: guidance, steps, scheduler, seed, or something broken.

    Runs go through the controller one after another; each picture appears once it is drawn, and
    what was drawn stays after a cancel.

    Args:
        controller: Carries out the runs.
        base: The run whose knobs are turned.
        recorded: Pictures of the base's experiments that were drawn before, as WebP, by the
            experiment's name and then by the run's.
        knob: The experiment to show at first.
        schedulers: Those that fit the model; without any they are not offered.
        avoids: Whether the model heeds a negative prompt.

    Attributes:
        knob: The name of the experiment on show; see `explainer.stages.knobs`.
        trace: The run that the reader chose last by clicking on its picture, or None.
        shown: Whether the pictures are shown, or wait for a guess.
    """

    knob = t.Unicode("Guidance", help="The experiment on show.").tag(sync=True)
    trace = t.Any(None, allow_none=True, help="The run that was chosen last.")
    shown = t.Bool(True, help="Whether the pictures are shown.").tag(sync=True)
    _knobs: t.List[str] = t.List().tag(sync=True)
    _cells: t.List[Any] = t.List(help="Label of each run, and whether it is drawn.").tag(sync=True)
    _form = t.Dict().tag(sync=True, echo_update=False)
    _apart: t.List[Any] = t.List().tag(sync=True)
    _beside = t.Unicode("").tag(sync=True)
    _longest = t.Int(MAX_PROMPT).tag(sync=True)

    def __init__(
        self,
        controller: RunController,
        base: RunParameters,
        recorded: Mapping[str, Mapping[str, bytes]] | None = None,
        *,
        knob: str = "Guidance",
        schedulers: tuple[str, ...] = SCHEDULERS,
        avoids: bool = True,
    ) -> None:
        super().__init__()
        self._own_base = self._base = base
        self._recorded = recorded or {}
        self._pictures: dict[str, bytes] = {}
        self._traces: dict[str, Trace] = {}
        self._form = {"prompt": base.prompt, "seed": str(base.seed)}
        self._experiments = partial(experiments, schedulers=schedulers, avoids=avoids)
        self._knobs = list(self._experiments(base))
        self._runs: Runs = {}
        self.knob = knob
        self._lay_out()
        self._serve(controller)

    def start(self) -> None:
        """Draw every run of the experiment on show, from the first to the last."""
        self.cancel()  # so that no former picture comes in between
        self._lay_out(recorded=False)
        self._draw_all(self._runs)

    @property
    def apart(self) -> dict[str, float]:
        """How far each picture on show is from the base's own: root mean square in grey levels."""
        found = zip(self._runs, self._apart, strict=True)
        return {label: levels for label, levels in found if levels is not None}

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        done = len(self._pictures)
        return f"{self.knob}, {done} of {len(self._runs)} pictures of “{self._base.prompt}”"

    @t.validate("knob")
    def _check_knob(self, proposal: dict[str, Any]) -> str:
        knob = str(proposal["value"])
        if self._knobs and knob not in self._knobs:
            raise t.TraitError(f"There is no experiment {knob!r}, only {', '.join(self._knobs)}.")
        return knob

    @t.observe("knob")
    def _change_knob(self, _change: dict[str, Any]) -> None:
        if self._runs:
            self.cancel()
            self._lay_out()

    def _lay_out(self, *, recorded: bool = True) -> None:
        """Show the experiment's runs, with the pictures that were drawn before."""
        self._runs = self._experiments(self._base)[self.knob]
        known = self._recorded.get(self.knob, {}) if recorded and self._is_own() else {}
        self._pictures = {label: known[label] for label in self._runs if known.get(label)}
        self._traces = {}
        self._tell()

    def _is_own(self) -> bool:
        return self._base == self._own_base

    def _tell(self) -> None:
        """Send the pictures, and how far each is from the base's own, or else from the first."""
        runs = list(self._runs.values())
        whole = runs.index(self._base) if self._base in runs else 0
        pictures = [self._pictures.get(label, b"") for label in self._runs]
        arrays = [pixels.opened(picture) if picture else None for picture in pictures]
        # In one message: a browser that has new frames and old offsets decodes nonsense.
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames({"pictures": pictures})
            self._cells = [
                {"label": label, "done": label in self._pictures} for label in self._runs
            ]
            self._beside = list(self._runs)[whole]
            self._apart = [_apart(array, arrays[whole]) for array in arrays]

    def _submit(self, wanted: RunParameters | broken.Broken) -> Job:
        if isinstance(wanted, RunParameters):
            return super()._submit(wanted)
        return self._at_work().ask(
            lambda pipe, task: _broken(pipe, wanted, task),
            total=wanted.parameters.steps,
            steps=wanted.parameters.steps,
            reader=self._reader,
        )

    def _arrived(self, title: str, trace: Trace) -> None:
        self._traces[title] = trace
        self._pictures[title] = pixels.webp(trace.image())
        self._tell()

    def _asked(self, content: dict[str, Any]) -> None:
        if content.get("type") == "start":
            self._start_with(str(content.get("prompt", "")), str(content.get("seed", "")))
        elif content.get("type") == "open":
            self.trace = self._traces.get(str(content.get("label", "")), self.trace)

    def _start_with(self, prompt: str, seed: str) -> None:
        # Another sentence need not have the words that have weights in this one.
        weights = self._base.weights if prompt == self._base.prompt else ()
        self._base = replace(self._base, prompt=prompt, seed=read_seed(seed), weights=weights)
        self._form = {"prompt": prompt, "seed": str(self._base.seed)}
        self.start()


def _broken(pipe: Any, wanted: broken.Broken, task: Task) -> Trace:
    return broken.record(
        pipe,
        wanted,
        # As for whole runs, so that the steps of these can be looked at too.
        previews={"x0": "full", "noisy": "linear"},
        on_step=lambda step, total, _preview: task.update(step=step, total=total),
        cancelled=task.asked_to_stop,
    )


def _apart(one: NDArray[np.uint8] | None, other: NDArray[np.uint8] | None) -> float | None:
    """Root mean square of the difference in grey levels of 255; None where one is not there."""
    if one is None or other is None or one.shape != other.shape:
        return None
    return round(float(np.sqrt(((one.astype(np.float64) - other) ** 2).mean())), 1)
