"""The view menu: every view that a run can be seen in, and why it cannot in the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets as t

from explainer.widgets.asking import Asking
from explainer.widgets.offers import STAGES, VIEWS, Subject, View, named, paired

if TYPE_CHECKING:
    from pathlib import Path

    from explainer.runs import RunController, Task
    from explainer.trace import Trace

FIRST = "Step by step"


class ViewMenu(Asking, scripts=("asking", "view_menu")):
    """Choose a view. What a view asks of the model is computed first, with progress and Cancel.

    Args:
        subject: What is to be shown.

    Attributes:
        chosen: The name of the view that was made last; "" before the first.
        made: Its widget.
    """

    chosen = t.Unicode("", help="The view on show.").tag(sync=True)
    made = t.Any(None, allow_none=True, help="Its widget.")
    _asking = t.Unicode("").tag(sync=True)
    _stages: t.List[Any] = t.List().tag(sync=True)
    _facts = t.Dict().tag(sync=True)

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.subject = subject
        self._serve(subject.controller)
        self._live = True  # views of the file alone ask nobody
        self._tell()

    def show(self, subject: Subject) -> None:
        """Replace what is to be shown; the view on show is made again if it applies."""
        self.cancel()
        self.subject = subject
        self._controller = subject.controller
        self._tell()
        again = self.chosen or FIRST
        if named(again).why_not(subject):
            again = next(view.name for view in VIEWS if not view.why_not(subject))
        self.choose(again)

    def choose(self, name: str) -> Task | None:
        """Show a view.

        Returns:
            What the model is asked first; None if it is asked nothing.

        Raises:
            ValueError: There is no such view, or it does not apply; the message says why not.
        """
        view, subject = named(name), self.subject
        reason = view.why_not(subject)
        if reason:
            raise ValueError(f"{name}: {reason}")
        self._asking = name
        if view.ask is None:
            self.cancel()
            self._task = None
            self._status = {"state": "idle", "step": 0, "total": 0}
            self._make(view, subject, None)
            return None
        ask = view.ask
        return self._begin(
            lambda pipe, task: (view, subject, ask(pipe, task, subject)), view.steps(subject)
        )

    def describe(self) -> str:
        """Say in a sentence what is offered."""
        offered = [view for view in VIEWS if not view.why_not(self.subject)]
        shown = f"; {self.chosen} is on show" if self.chosen else ""
        return f"{len(offered)} of {len(VIEWS)} views for “{self.subject.trace.prompt}”{shown}"

    def _make(self, view: View, subject: Subject, found: Any) -> None:
        try:
            made = view.make(subject, found)
        except (ValueError, t.TraitError) as error:
            self.notify(f"{view.name}: {error}", error=True)
            return
        self.notify("")
        with self.hold_sync():
            self.made, self.chosen = made, view.name

    def _tell(self) -> None:
        trace = self.subject.trace
        seed = "no seed" if trace.seed is None else f"seed {trace.seed}"
        with self.hold_sync():
            self._facts = {
                "prompt": trace.prompt or "(embeddings)",
                "about": f"{trace.model or 'a model without a name'} · {trace.width} × "
                f"{trace.height} · {seed} · {trace.calls} steps",
            }
            self._stages = [
                {
                    "name": stage,
                    "views": [_row(view, self.subject) for view in VIEWS if view.stage == stage],
                }
                for stage in STAGES
            ]

    def _asked(self, content: dict[str, Any]) -> None:
        try:
            self.choose(str(content.get("view", "")))
        except ValueError as error:
            self.notify(str(error), error=True)

    def _answer(self, result: Any) -> None:
        view, subject, found = result
        if subject is self.subject:
            self._make(view, subject, found)


def _row(view: View, subject: Subject) -> dict[str, str]:
    return {"name": view.name, "why_not": view.why_not(subject)}


class Views(ipywidgets.VBox):
    """The menu, and below it the view that was chosen.

    Args:
        trace: A run.
        controller: Computes with its model; None where only the file is here.
        folder: The model's folder on this machine, where it has one.

    Attributes:
        menu: The menu.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        controller: RunController | None = None,
        folder: Path | None = None,
    ) -> None:
        self.menu = ViewMenu(Subject(trace, None, controller, folder))
        super().__init__([self.menu])
        self.menu.observe(self._place, "made")
        self.menu.show(self.menu.subject)

    def show(self, trace: Trace) -> None:
        """Show another run of the same model; two that are alike are set beside each other."""
        self.menu.show(paired(self.menu.subject, trace))

    def use(
        self, trace: Trace, *, controller: RunController | None, folder: Path | None = None
    ) -> None:
        """Show a run of another model; the arguments are the class's."""
        self.menu.show(Subject(trace, None, controller, folder))

    def _place(self, change: dict[str, Any]) -> None:
        former, made = change["old"], change["new"]
        self.children = (self.menu, made)
        if former is not None:
            former.close()
