"""The studio: the reader's own run, asked for, watched, cancelled and shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer import sharing
from explainer.parameters import (
    MAX_GUIDANCE_SCALE,
    MAX_PROMPT,
    MAX_SEED,
    MAX_STEPS,
    ParameterError,
    RunParameters,
)
from explainer.widgets.addressed import Addressed
from explainer.widgets.player import Player
from explainer.widgets.prompting import Prompting

if TYPE_CHECKING:
    from explainer.runs import Run, RunController
    from explainer.trace import Trace

_REPORT_SECONDS = 0.1
# Seeds travel as text: JavaScript cannot hold every whole number of 64 bits.
_LIMITS = {
    "prompt": MAX_PROMPT,
    "negative_prompt": MAX_PROMPT,
    "seed": ["0", str(MAX_SEED)],
    "steps": [1, MAX_STEPS],
    "guidance_scale": [0, MAX_GUIDANCE_SCALE],
}
_IDLE = {"state": "idle", "step": 0, "total": 0, "place": 0, "elapsed": 0.0}


class Studio(Prompting, Addressed, Player, scripts=("saving", "curve", "player", "form", "studio")):
    """A player whose runs the reader makes: prompt, seed, steps, guidance, Generate and Cancel.

    Whatever goes wrong, the run on show stays. A page whose address holds a run's parameters, as
    "Copy link" writes them, opens that run at once if it was made before.

    Args:
        controller: Carries out the runs.
        trace: The run to show at first; its parameters fill the form.
        known_words: All words that training showed the model; others are marked as they are
            typed. Empty marks none.
        examples: Prompts to offer.
        step: Where to stand at first; the end of the run by default.
        start: What fills the form at first; the run's own parameters by default.

    Attributes:
        known_words: As above; may be replaced at any time.
        examples: As above.
        query: The query of the page's address, see `Addressed`, as is `opens_address`.
    """

    examples = t.List(t.Unicode(), help="Prompts to offer.").tag(sync=True)
    # No echo, here as in the player: an echo of old text would undo what was typed since.
    _form = t.Dict().tag(sync=True, echo_update=False)
    _limits = t.Dict(_LIMITS).tag(sync=True)
    _problem = t.Dict().tag(sync=True)
    _status = t.Dict(_IDLE).tag(sync=True)
    _preview = t.Bytes(b"").tag(sync=True)
    _current: Run | None = None

    def __init__(
        self,
        controller: RunController,
        *,
        trace: Trace | None = None,
        known_words: Sequence[str] = (),
        examples: Sequence[str] = (),
        step: int | None = None,
        start: RunParameters | None = None,
    ) -> None:
        self._controller = controller
        self._began = self._told = 0.0
        self._reporting = threading.RLock()
        super().__init__(trace, step=step, known_words=known_words)
        self.examples = list(examples)
        self._limits = _LIMITS | {"steps": [1, controller.limits.steps]}
        self._form = _form_texts(start or _parameters_of(trace))
        self.on_msg(self._on_message)

    @property
    def run(self) -> Run | None:
        """The run that was asked for last, or None before the first."""
        return self._current

    def generate(self, parameters: RunParameters) -> Run:
        """Ask for a run and show it when it is done; it takes the place of a former one.

        Returns:
            The run, which goes on in the background: `run.wait()` waits for its end.
        """
        self.notify("")
        self._problem = {}
        self._form = _form_texts(parameters)
        run = self._controller.submit(parameters, reader=f"Studio {id(self)}")
        with self._reporting:
            self._current, self._began = run, 0.0
        run.observe(self._report)
        return run

    def close(self) -> None:
        """Close the widget, and cancel its run: nobody would see it."""
        self.cancel()
        super().close()

    def cancel(self) -> None:
        """Stop the run that is waiting or being drawn; what is on show stays."""
        if self._current is not None:
            self._current.cancel()

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("type") == "cancel":
            self.cancel()
        elif content.get("type") == "generate":
            self._open(str(content.get("query", "")))

    def _open(self, query: str) -> None:
        try:
            self.generate(RunParameters.from_query(query))
        except ParameterError as error:
            # A fresh dictionary every time, so that asking the same twice is answered twice.
            self._problem = {"parameter": error.parameter, "text": str(error), "at": time.time()}
            if error.parameter not in self._form:
                self.notify(str(error), error=True)

    def _report(self, run: Run) -> None:
        """Show how a run stands; called from the controller's thread at every change."""
        with self._reporting:
            now = time.monotonic()
            if run is not self._current or self._too_soon(run, now):
                return
            self._told = now
            if run.state == "running" and not self._began:
                self._began = now
            with self.hold_sync():
                self._show_state(run, now)

    def _too_soon(self, run: Run, now: float) -> bool:
        same = (run.state, run.place) == (self._status["state"], self._status["place"])
        return same and not run.ended and now - self._told < _REPORT_SECONDS

    def _show_state(self, run: Run, now: float) -> None:
        self._status = {
            "state": run.state,
            "step": run.step,
            "total": run.total,
            "place": run.place,
            "elapsed": round(now - self._began, 2) if self._began else 0.0,
            # Fresh every time, so that asking for a kept run twice is answered twice.
            "at": now,
        }
        self._preview = b"" if run.ended else run.preview or b""
        if run.state == "done":
            self.trace = run.trace
            self.notify(run.notice)
        elif run.state == "failed":
            self.notify(run.error, error=True)
        elif run.state == "cancelled":
            self.notify(f"Stopped after {run.step} of {run.total} steps.")


def _parameters_of(trace: Trace | None) -> RunParameters | None:
    """What asks for a run; None where nothing can, see `explainer.sharing`."""
    try:
        return None if trace is None else sharing.parameters_of(trace)
    except ParameterError:
        return None


def _form_texts(parameters: RunParameters | None) -> dict[str, str]:
    """Give a form's texts for these parameters, or for the defaults with an empty prompt."""
    filled = parameters or RunParameters(prompt="-")
    return {
        "prompt": parameters.prompt if parameters else "",
        "negative_prompt": filled.negative_prompt,
        "seed": str(filled.seed),
        "steps": str(filled.steps),
        "guidance_scale": f"{filled.guidance_scale:g}",
    }
