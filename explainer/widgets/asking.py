"""Asking: what every widget shares that has the pipeline answer something while one waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from explainer.runs import RunController, Task


class Asking(Widget):
    """A widget that asks a pipeline through the run controller and shows how that stands.

    What is on show stays until there is an answer, also where the work fails or is cancelled.
    A subclass says in `_asked` what to do with its reader's messages, and in `_answer` what to do
    with a result.
    """

    _status = t.Dict({"state": "idle", "step": 0, "total": 0}).tag(sync=True)
    _live = t.Bool(False).tag(sync=True)
    _controller: RunController | None = None
    _task: Task | None = None

    def _serve(self, controller: RunController | None) -> None:
        """Begin to listen to the reader; without a controller the widget only shows."""
        self._controller = controller
        self._live = controller is not None
        self.on_msg(self._on_message)

    def cancel(self) -> None:
        """Stop what is being computed; what is on show stays."""
        if self._task is not None:
            self._task.cancel()

    def _begin(self, work: Callable[[Any, Task], Any], total: int) -> Task:
        """Have work done, in place of what this widget asked for before.

        Raises:
            RuntimeError: There is no controller.
        """
        if self._controller is None:
            raise self._nobody()
        self.notify("")
        self._task = self._controller.ask(
            work, total=total, reader=f"{type(self).__name__} {id(self)}"
        )
        self._task.observe(self._report)
        return self._task

    def _nobody(self) -> RuntimeError:
        needs = "a controller, and whatever it is to ask about"
        return RuntimeError(f"Nobody can be asked: give {type(self).__name__} {needs}.")

    def _report(self, task: Task) -> None:
        """Show how the work stands; called from the controller's thread at every change."""
        if task is not self._task:
            return
        self._status = {"state": task.state, "step": task.step, "total": task.total}
        if task.state == "failed":
            self.notify(task.error, error=True)
        elif task.state == "done":
            self._answer(task.result)

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("type") == "cancel":
            self.cancel()
        elif content.get("type") == "ask":
            self._asked(content)

    def _asked(self, content: dict[str, Any]) -> None:
        """Do what the reader asks for, or say why not."""
        raise NotImplementedError

    def _answer(self, result: Any) -> None:
        """Show what was found."""
        raise NotImplementedError
