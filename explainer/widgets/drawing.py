"""Drawing: what every widget shares that has runs drawn and shows them once all are done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.parameters import RunParameters
from explainer.widgets.live import Live
from explainer.widgets.saving import Saving

if TYPE_CHECKING:
    from explainer.runs import Run, RunController
    from explainer.trace import Trace


class Drawing(Live, Saving):
    """A widget that asks for runs. Whatever goes wrong, what is on show stays.

    Args:
        controller: Carries out the runs; None for a widget that only shows.
    """

    _status = t.Dict({"state": "idle"}).tag(sync=True)
    _runs: tuple[Run, ...] = ()

    def __init__(self, controller: RunController | None) -> None:
        super().__init__()
        self._then: Callable[..., None] = lambda *_: None
        self._telling = threading.RLock()
        self._serve(controller)

    def cancel(self) -> None:
        """Stop what is being drawn; what is on show stays."""
        for run in self._runs:
            run.cancel()

    def _have_drawn(
        self, wanted: Sequence[RunParameters], then: Callable[..., None]
    ) -> tuple[Run, ...]:
        """Ask for runs, in place of those asked for before; call `then(*traces)` with all.

        Raises:
            ParameterError: One is longer than the limits allow; the former ones go on.
            RuntimeError: There is no controller.
        """
        controller = self._at_work()
        for one in wanted:
            controller.limits.check_steps(one.steps)
        self.notify("")
        with self._telling:  # their end is not told any more
            former, self._runs = self._runs, ()
        for run in former:
            run.cancel()
        runs = tuple(
            controller.submit(one, reader=f"{self._reader}, {place}")
            for place, one in enumerate(wanted)
        )
        with self._telling:
            self._runs, self._then = runs, then
        for run in runs:
            run.observe(self._report)
        return runs

    def _report(self, run: Run) -> None:
        """Show how the runs stand; called from the controller's thread at every change."""
        with self._telling:
            if run not in self._runs:
                return
            runs = self._runs
            states = [one.state for one in runs]
            if "failed" in states:
                self._end(next(one.error for one in runs if one.state == "failed"), error=True)
            elif "cancelled" in states:
                self._end("Stopped. What was there before is still on show.")
            elif set(states) == {"done"}:
                self._show_done(runs)
            else:
                self._status = _progress(runs)

    def _show_done(self, runs: tuple[Run, ...]) -> None:
        traces: list[Trace] = [run.trace for run in runs if run.trace is not None]
        if len(traces) < len(runs):
            return
        try:
            self._then(*traces)
        except ValueError as error:
            self._end(str(error), error=True)
        else:
            self._end("".join(dict.fromkeys(run.notice for run in runs)))

    def _end(self, text: str, *, error: bool = False) -> None:
        runs, self._runs = self._runs, ()
        for run in runs:
            run.cancel()
        self._status = {"state": "idle"}
        self.notify(text, error=error)


def _progress(runs: tuple[Run, ...]) -> dict[str, Any]:
    begun = any(run.state in {"running", "done"} for run in runs)
    return {
        "state": "running" if begun else "queued",
        "place": min(run.place for run in runs),
        "step": sum(run.step for run in runs),
        "total": sum(run.total for run in runs),
    }
