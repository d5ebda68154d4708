"""Series: what every widget shares that has runs drawn one after another and shows each at once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.parameters import ParameterError, RunParameters
from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from explainer.runs import Run, RunController
    from explainer.trace import Trace


class Series(Widget):
    """A widget whose runs go through the controller one by one; what was drawn stays.

    Others' runs may come between two of them. A subclass says in `_asked` what its reader's
    messages ask for, and shows in `_arrived` each run that is done; "cancel" is answered here.
    """

    _waiting: t.List[Any] = t.List(help="What is still to come.").tag(sync=True)
    _live = t.Bool(False).tag(sync=True)
    _controller: RunController | None = None
    _current: Run | None = None

    def _serve(self, controller: RunController | None) -> None:
        """Begin to listen to the reader; without a controller the widget only shows."""
        self._controller = controller
        self._live = controller is not None
        self._lock = threading.RLock()
        self._wanted: dict[str, RunParameters] = {}
        self.on_msg(self._on_message)

    def cancel(self) -> None:
        """Stop after the picture that is being drawn; those that are done stay."""
        if self._controller is None:
            return
        with self._lock:
            run, self._current, self._wanted = self._current, None, {}
            self._waiting = []
        if run is not None:
            run.cancel()

    def _draw_all(self, wanted: Mapping[str, RunParameters]) -> None:
        """Have runs drawn in place of those asked for before.

        Args:
            wanted: The runs by their titles, in order.

        Raises:
            RuntimeError: There is no controller.
        """
        if self._controller is None:
            raise RuntimeError(f"Nobody can be asked: give {type(self).__name__} a controller.")
        self.cancel()
        with self._lock:
            self.notify("")
            self._wanted = dict(wanted)
            self._waiting = [{"title": title, "share": None} for title in wanted]
        self._next()

    def _arrived(self, title: str, trace: Trace) -> None:
        """Show a run that is done.

        Raises:
            ValueError: It cannot be shown; the reader is told why.
        """
        raise NotImplementedError

    def _asked(self, content: dict[str, Any]) -> None:
        """Do what a message of the reader's asks for.

        Raises:
            ParameterError: It cannot be done; the reader is told why.
        """
        raise NotImplementedError

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("type") == "cancel":
            self.cancel()
            return
        try:
            self._asked(content)
        except ParameterError as error:
            self.notify(str(error), error=True)

    def _next(self) -> None:
        """Ask for the next run; called again by each run that ends."""
        with self._lock:
            if not self._wanted or self._controller is None:
                self._current = None
                return
            title = next(iter(self._wanted))
            run = self._current = self._controller.submit(
                self._wanted.pop(title), reader=f"series {id(self)}"
            )
        run.observe(lambda run: self._follow(run, title))

    def _follow(self, run: Run, title: str) -> None:
        """Show how a run stands; called from the controller's thread at every change."""
        with self._lock:
            if run is not self._current:
                return
            if not run.ended:
                share = run.step / run.total if run.state == "running" else None
                first, *others = self._waiting
                self._waiting = [{**first, "share": share}, *others]
                return
            self._current = None
            with self.hold_sync():
                self._waiting = self._waiting[1:]
                self._show(run, title)
        self._next()

    def _show(self, run: Run, title: str) -> None:
        if run.state == "failed":
            self.notify(f"{title}: {run.error}", error=True)
        elif run.trace is not None:
            try:
                self._arrived(title, run.trace)
            except ValueError as error:
                self.notify(f"{title}: {error}", error=True)
