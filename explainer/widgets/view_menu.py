"""The view menu: every view that a run can be seen in, and why it cannot in the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets as t

from explainer.models import embedded_folder
from explainer.widgets.asking import Asking
from explainer.widgets.offers import STAGES, VIEWS, View, named
from explainer.widgets.studio import Studio
from explainer.widgets.subjects import Subject, paired

if TYPE_CHECKING:
    from explainer.runs import Task
    from explainer.trace import Trace
    from explainer.widgets.model_picker import Loaded

FIRST = "Step by step"
FIRST_LIVE = "Where each word is looked up"
"""Where a studio above the menu shows the run step by step already."""


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
        again = self.chosen or (FIRST if subject.controller is None else FIRST_LIVE)
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
        self.choose(str(content.get("view", "")))

    def _answer(self, result: Any) -> None:
        view, subject, found = result
        if subject is self.subject:
            self._make(view, subject, found)


def _row(view: View, subject: Subject) -> dict[str, str]:
    return {"name": view.name, "why_not": view.why_not(subject)}


class Views(ipywidgets.VBox):
    """A run in every view: the studio that draws others, the menu, and the view that was chosen.

    Args:
        trace: A run.
        model: The model that it was made with; None where only the file is here.

    Attributes:
        menu: The menu.
        studio: Draws with the model, or None.
    """

    def __init__(self, trace: Trace, model: Loaded | None = None) -> None:
        self._models = [model] if model is not None else []
        self.studio: Studio | None = None
        self.menu = ViewMenu(_subject(trace, model))
        super().__init__([])
        self.menu.observe(lambda change: self._place(change["old"]), "made")
        self._set_up(trace, model)

    def __repr__(self) -> str:
        """Return the text alternative, so short that ipywidgets does not cut it."""
        studio = "" if self.studio is None else "a studio, "
        return f"<Views: {studio}a menu, and “{self.menu.chosen}”>"

    def show(self, trace: Trace) -> None:
        """Show another run of the same model; two that are alike are set beside each other."""
        self.menu.show(paired(self.menu.subject, trace))

    def use(self, model: Loaded | None) -> None:
        """Draw with another model from now on; what is on show stays until it has drawn.

        A model that is let go, None, leaves the file of its run.
        """
        known = [one for one in self._models if one.folder == embedded_folder()]
        self._models = known if model is None else [*known, model]
        if model is None:
            self._set_up(self.menu.subject.trace, self._model_of(self.menu.subject.trace))
        else:
            self._draw_with(model, None)

    def open_run(self, trace: Trace) -> None:
        """Show a run from a file, live where its model is loaded."""
        self._set_up(trace, self._model_of(trace))

    def _model_of(self, trace: Trace) -> Loaded | None:
        return next((one for one in self._models if one.fingerprint == trace.fingerprint), None)

    def _set_up(self, trace: Trace, model: Loaded | None) -> None:
        self._draw_with(model, trace)
        self.menu.show(_subject(trace, model))

    def _draw_with(self, model: Loaded | None, trace: Trace | None) -> None:
        former, self.studio = self.studio, None
        if model is not None:
            framed = trace is not None and {"x0", "noisy"} <= trace.frames.keys()
            shown = trace if framed else None
            self.studio = Studio(
                model.controller,
                trace=shown,
                start=model.start if shown is None else None,
                known_words=sorted(model.known_words),
            )
            # The first one opens the page's own run; what the reader opened since is not replaced.
            self.studio.opens_address = self.menu.made is None
            self.studio.observe(lambda change: self._drawn(change["new"], model), "trace")
        self._place(None)
        if former is not None:
            former.close()

    def _drawn(self, trace: Trace | None, model: Loaded) -> None:
        if trace is None:
            return
        same = self.menu.subject.controller is model.controller
        self.menu.show(paired(self.menu.subject, trace) if same else _subject(trace, model))

    def _place(self, former: Any) -> None:
        shown = (self.studio, self.menu, self.menu.made)
        self.children = tuple(one for one in shown if one is not None)
        if former is not None:
            former.close()


def _subject(trace: Trace, model: Loaded | None) -> Subject:
    if model is None:
        return Subject(trace)
    return Subject(trace, None, model.controller, model.folder)
