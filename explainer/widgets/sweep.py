"""The sweep: one knob turned from run to run, the pictures side by side as they are drawn."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t
from PIL import Image

from explainer.parameters import MAX_PROMPT, ParameterError, RunParameters
from explainer.stages import broken
from explainer.stages.knobs import SCHEDULERS, Runs, experiments
from explainer.widgets.base import Widget, pack_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.runs import Job, RunController, Task
    from explainer.trace import Trace


class Sweep(Widget, scripts=("sweep",)):
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

    Attributes:
        knob: The name of the experiment on show; see `explainer.stages.knobs`.
        trace: The run that the reader chose last by clicking on its picture, or None.
    """

    knob = t.Unicode("Guidance", help="The experiment on show.").tag(sync=True)
    trace = t.Any(None, allow_none=True, help="The run that was chosen last.")
    _knobs: t.List[str] = t.List().tag(sync=True)
    _cells: t.List[Any] = t.List().tag(sync=True)
    _form = t.Dict().tag(sync=True, echo_update=False)
    _apart: t.List[Any] = t.List().tag(sync=True)
    _beside = t.Unicode("").tag(sync=True)
    _busy = t.Bool(False).tag(sync=True)
    _longest = t.Int(MAX_PROMPT).tag(sync=True)

    def __init__(
        self,
        controller: RunController,
        base: RunParameters,
        recorded: Mapping[str, Mapping[str, bytes]] | None = None,
        *,
        knob: str = "Guidance",
        schedulers: tuple[str, ...] = SCHEDULERS,
    ) -> None:
        super().__init__()
        self._controller = controller
        self._own_base = self._base = base
        self._recorded = recorded or {}
        self._lock = threading.RLock()
        self._waiting: list[int] = []
        self._current: Job | None = None
        self._pictures: list[bytes] = []
        self._traces: list[Trace | None] = []
        self._form = {"prompt": base.prompt, "seed": str(base.seed)}
        self._schedulers = schedulers
        self._knobs = list(experiments(base, schedulers))
        self._runs: Runs = {}
        self.knob = knob
        self._lay_out()
        self.on_msg(self._on_message)

    def start(self) -> None:
        """Draw every run of the experiment on show, from the first to the last."""
        self.cancel()
        with self._lock:
            self.notify("")
            self._lay_out(recorded=False)
            self._waiting = list(range(len(self._cells)))
            self._busy = True
        self._next()

    def cancel(self) -> None:
        """Stop after the picture that is being drawn; those that are done stay."""
        with self._lock:
            run, self._current, self._waiting = self._current, None, []
            self._busy = False
            self._cells = [
                cell if cell["state"] == "done" else {**cell, "state": "empty"}
                for cell in self._cells
            ]
        if run is not None:
            run.cancel()

    @property
    def apart(self) -> dict[str, float]:
        """How far each picture on show is from the base's own: root mean square in grey levels."""
        found = zip(self._runs, self._apart, strict=True)
        return {label: levels for label, levels in found if levels is not None}

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        done = sum(cell["state"] == "done" for cell in self._cells)
        return f"{self.knob}, {done} of {len(self._cells)} pictures of “{self._base.prompt}”"

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
        self._runs = experiments(self._base, self._schedulers)[self.knob]
        known = self._recorded.get(self.knob, {}) if recorded and self._is_own() else {}
        self._pictures = [known.get(label, b"") for label in self._runs]
        self._traces = [None] * len(self._runs)
        with self.hold_sync():
            self._cells = [
                {"label": label, "state": "done" if known.get(label) else "empty", "share": 0.0}
                for label in self._runs
            ]
            self._send_pictures()

    def _is_own(self) -> bool:
        return self._base == self._own_base

    def _send_pictures(self) -> None:
        # In one message: a browser that has new frames and old offsets decodes nonsense.
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames({"pictures": self._pictures})
            self._measure()

    def _measure(self) -> None:
        """Compare every picture with the base's own, or with the first where that is not shown."""
        runs = list(self._runs.values())
        whole = runs.index(self._base) if self._base in runs else 0
        self._beside = list(self._runs)[whole]
        arrays = [_pixels(picture) for picture in self._pictures]
        self._apart = [_apart(array, arrays[whole]) for array in arrays]

    def _next(self) -> None:
        """Ask for the next run, or stop; called again by each run that ends."""
        with self._lock:
            if not self._waiting:
                self._current, self._busy = None, False
                return
            place = self._waiting.pop(0)
            run = self._current = self._ask_for(list(self._runs.values())[place])
        run.observe(lambda run: self._follow(run, place))

    def _ask_for(self, wanted: RunParameters | broken.Broken) -> Job:
        reader = f"sweep {id(self)}"
        if isinstance(wanted, RunParameters):
            return self._controller.submit(wanted, reader=reader)
        return self._controller.ask(
            lambda pipe, task: _broken(pipe, wanted, task),
            total=wanted.parameters.steps,
            reader=reader,
        )

    def _follow(self, run: Job, place: int) -> None:
        """Show how a run stands; called from the controller's thread at every change."""
        with self._lock:
            if run is not self._current:
                return
            if run.state == "failed":
                self.notify(f"{self._cells[place]['label']}: {run.error}", error=True)
            trace = _trace_of(run)
            if trace is not None:
                self._traces[place] = trace
                self._pictures[place] = _small(trace)
                self._send_pictures()
            states = {"done": "done", "failed": "empty", "cancelled": "empty"}
            self._tell(place, states.get(run.state, "drawing"), run.step / run.total)
            if run.ended:
                self._current = None
        if run.ended:
            self._next()

    def _tell(self, place: int, state: str, share: float) -> None:
        cells: Sequence[dict[str, Any]] = self._cells
        self._cells = [
            {**cell, "state": state, "share": round(share, 3)} if i == place else cell
            for i, cell in enumerate(cells)
        ]

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("type") == "cancel":
            self.cancel()
        elif content.get("type") == "start":
            self._start_with(str(content.get("prompt", "")), str(content.get("seed", "")))
        elif content.get("type") == "open":
            self._open(content.get("place"))

    def _start_with(self, prompt: str, seed: str) -> None:
        try:
            number = int(seed)
        except ValueError:
            self.notify(f"The seed is a whole number, not “{seed}”.", error=True)
            return
        try:
            base = replace(self._base, prompt=prompt, seed=number)
        except ParameterError as error:
            self.notify(str(error), error=True)
            return
        self._base = base
        self._form = {"prompt": prompt, "seed": str(number)}
        self.start()

    def _open(self, place: Any) -> None:
        if isinstance(place, int) and 0 <= place < len(self._traces) and self._traces[place]:
            self.trace = self._traces[place]


def _broken(pipe: Any, wanted: broken.Broken, task: Task) -> Trace:
    return broken.record(
        pipe,
        wanted,
        # As for whole runs, so that the steps of these can be looked at too.
        previews={"x0": "full", "noisy": "linear"},
        on_step=lambda step, total, _preview: task.update(step=step, total=total),
        cancelled=task.asked_to_stop,
    )


def _trace_of(job: Job) -> Trace | None:
    trace: Trace | None = getattr(job, "trace", None) or getattr(job, "result", None)
    return trace


def _pixels(picture: bytes) -> NDArray[np.float64] | None:
    return np.asarray(Image.open(io.BytesIO(picture)), np.float64) if picture else None


def _apart(one: NDArray[np.float64] | None, other: NDArray[np.float64] | None) -> float | None:
    """Root mean square of the difference in grey levels of 255; None where one is not there."""
    if one is None or other is None or one.shape != other.shape:
        return None
    return round(float(np.sqrt(((one - other) ** 2).mean())), 1)


def _small(trace: Trace) -> bytes:
    file = io.BytesIO()
    trace.image().save(file, "WEBP", quality=90)
    return file.getvalue()
