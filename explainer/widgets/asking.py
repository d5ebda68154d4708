"""Asking: what every widget shares that has the pipeline answer something while one waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.widgets.live import Live

if TYPE_CHECKING:
    from explainer.runs import Task


class Asking(Live):
    """A widget that asks a pipeline through the run controller and shows how that stands.

    What is on show stays until there is an answer, also where the work fails or is cancelled.
    A subclass says in `_asked` what to do with its reader's questions, and in `_answer` what to do
    with a result.
    """

    _status = t.Dict({"state": "idle", "step": 0, "total": 0}).tag(sync=True)
    _task: Task | None = None

    def cancel(self) -> None:
        """Stop what is being computed; what is on show stays."""
        if self._task is not None:
            self._task.cancel()

    def _begin(self, work: Callable[[Any, Task], Any], total: int, *, steps: int = 0) -> Task:
        """Have work done, in place of what this widget asked for before.

        Args:
            work: What to do.
            total: Steps that it will report.
            steps: Of the longest run that it draws, if it draws any.

        Raises:
            ParameterError: Its run is longer than the limits allow.
            RuntimeError: There is no controller.
        """
        controller = self._at_work()
        self.notify("")
        self._task = controller.ask(work, total=total, steps=steps, reader=self._reader)
        self._task.observe(self._report)
        return self._task

    def _report(self, task: Task) -> None:
        """Show how the work stands; called from the controller's thread at every change."""
        if task is not self._task:
            return
        self._status = {"state": task.state, "step": task.step, "total": task.total}
        if task.state == "failed":
            self.notify(task.error, error=True)
        elif task.state == "done":
            try:
                self._answer(task.result)
            except ValueError as error:
                self.notify(str(error), error=True)

    def _on_message(self, widget: Any, content: Any, buffers: Any) -> None:
        if content.get("type") in {"ask", "cancel"}:
            super()._on_message(widget, content, buffers)

    def _answer(self, result: Any) -> None:
        """Show what was found.

        Raises:
            ValueError: It cannot be shown; the reader is told why.
        """
        raise NotImplementedError
