"""Series: what every widget shares that has runs drawn one after another and shows each at once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.widgets.live import Live

if TYPE_CHECKING:
    from explainer.runs import Job, RunController
    from explainer.trace import Trace


class Series(Live):
    """A widget whose runs go through the controller one by one; what was drawn stays.

    Others' runs may come between two of them; one that fails or is refused is told, and the others
    go on. A subclass shows in `_arrived` each run that is done.
    """

    _waiting: t.List[Any] = t.List(help="What is still to come.").tag(sync=True)
    _ending = t.Unicode("", help="How it ended, once nothing is to come.").tag(sync=True)
    _current: Job | None = None

    def _serve(self, controller: RunController | None) -> None:
        self._lock = threading.RLock()
        self._wanted: dict[str, Any] = {}
        self._missed: list[str] = []
        super()._serve(controller)

    def cancel(self) -> None:
        """Stop after the picture that is being drawn; those that are done stay."""
        if self._controller is None:
            return
        with self._lock:
            run, self._current, self._wanted = self._current, None, {}
            self._ending = "Stopped. What is drawn stays."
            self._waiting = []
        if run is not None:
            run.cancel()

    def _draw_all(self, wanted: Mapping[str, Any]) -> None:
        """Have runs drawn in place of those asked for before.

        Args:
            wanted: What `_submit` takes, by their titles, in order.

        Raises:
            RuntimeError: There is no controller.
        """
        self._at_work()
        self.cancel()
        with self._lock:
            self.notify("")
            self._wanted, self._missed = dict(wanted), []
            self._waiting = [{"title": title, "share": None} for title in wanted]
        self._next()

    def _submit(self, wanted: Any) -> Job:
        """Ask the controller for a run.

        Raises:
            ParameterError: It is longer than the limits allow.
        """
        return self._at_work().submit(wanted, reader=self._reader)

    def _arrived(self, title: str, trace: Trace) -> None:
        """Show a run that is done.

        Raises:
            ValueError: It cannot be shown; the reader is told why.
        """
        raise NotImplementedError

    def _next(self) -> None:
        """Ask for the next run; called again by each run that ends."""
        with self._lock:
            self._current = None
            while self._wanted and self._current is None:
                title = next(iter(self._wanted))
                try:
                    self._current = self._submit(self._wanted.pop(title))
                except (ValueError, RuntimeError) as error:
                    self._miss(title, error)
                    self._pass_on()
            run = self._current
        if run is not None:
            run.observe(lambda run: self._follow(run, title))

    def _follow(self, run: Job, title: str) -> None:
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
                self._show(run, title)
                self._pass_on()
        self._next()

    def _pass_on(self) -> None:
        """Strike out the first that was to come; with the last, tell first how all of it ended."""
        missed = ", ".join(self._missed)
        self._ending = f"Not drawn: {missed}." if missed else "All that was asked for is drawn."
        self._waiting = self._waiting[1:]

    def _miss(self, title: str, error: object) -> None:
        self._missed.append(title)
        self.notify(f"{title}: {error}", error=True)

    def _show(self, run: Job, title: str) -> None:
        if run.state == "failed":
            self._miss(title, run.error)
            return
        trace = getattr(run, "trace", None) or getattr(run, "result", None)
        if trace is None:
            self._missed.append(title)
            return
        try:
            self._arrived(title, trace)
        except ValueError as error:
            self._miss(title, error)
