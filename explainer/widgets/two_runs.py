"""Two runs: the same noise, one changed sentence, and where the pictures part."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t
from PIL import Image

from explainer.parameters import ParameterError, RunParameters
from explainer.stages.compare import compare
from explainer.widgets.base import Widget, pack_frames

if TYPE_CHECKING:
    from explainer.runs import Run, RunController
    from explainer.stages.compare import Comparison
    from explainer.trace import Trace

NAMES = ("first", "second")


class TwoRuns(Widget, scripts=("form", "two_runs")):
    """Show two runs side by side, step by step, with what was changed and how far they part.

    The reader may change both sentences and have them drawn from the same noise. Whatever goes
    wrong, the runs on show stay.

    Args:
        controller: Carries out the runs.
        first: The run to start from; its seed, steps and guidance serve for all others.
        second: The run to compare it with.
        known_words: All words that training showed; others are marked. Empty marks none.

    Attributes:
        comparison: What `explainer.compare` says of the runs on show.
        step: Step on show: 0 to n - 1 for the predictions, n for the finished pictures.
    """

    step = t.Int(0, help="Step on show.").tag(sync=True, echo_update=False)
    known_words = t.List(t.Unicode(), help="All words that training showed.").tag(sync=True)
    _prompts: t.List[Any] = t.List().tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _status = t.Dict({"state": "idle"}).tag(sync=True)
    _problem = t.Dict().tag(sync=True)

    def __init__(
        self,
        controller: RunController,
        first: Trace,
        second: Trace,
        *,
        known_words: tuple[str, ...] | list[str] = (),
    ) -> None:
        super().__init__()
        self._controller = controller
        self._like = RunParameters(
            prompt=first.prompt,
            negative_prompt=first.negative_prompt,
            seed=first.seed or 0,
            steps=first.steps,
            guidance_scale=first.guidance_scale,
        )
        self._asked: tuple[Run, ...] = ()
        self._telling = threading.RLock()
        self.known_words = sorted(known_words)
        self.show(first, second)
        self.on_msg(self._on_message)

    def show(self, first: Trace, second: Trace) -> None:
        """Replace both runs.

        Raises:
            ValueError: They cannot be compared, or were recorded without previews.
        """
        if "x0" not in first.frames or "x0" not in second.frames:
            raise ValueError("These runs hold no frames to show. Record them with previews=True.")
        self.comparison: Comparison = compare(first, second)
        frames = {
            f"{name}/{part}": pictures
            for name, trace in zip(NAMES, (first, second), strict=True)
            for part, pictures in (("x0", trace.frames["x0"]), ("picture", (trace.picture,)))
        }
        frames["difference"] = (_heat(self.comparison.difference),)
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames(frames)
            self._prompts = [first.prompt, second.prompt]
            self._facts = _facts(first, second, self.comparison)
            self.step = self._facts["count"]

    def draw(self, first: str, second: str) -> tuple[Run, ...]:
        """Ask for runs of two sentences from the same noise; they are shown when both are done.

        Raises:
            ParameterError: A sentence cannot be run.
        """
        wanted = [replace(self._like, prompt=prompt) for prompt in (first, second)]
        self.notify("")
        self._problem = {}
        runs = tuple(
            self._controller.submit(one, reader=f"{id(self)}-{name}")
            for name, one in zip(NAMES, wanted, strict=True)
        )
        with self._telling:
            self._asked = runs
        for run in runs:
            run.observe(self._report)
        return runs

    def cancel(self) -> None:
        """Stop what is being drawn; what is on show stays."""
        for run in self._asked:
            run.cancel()

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        first, second = self._prompts
        return f"“{first}” beside “{second}”, {self.comparison.picture_rms:.1f} grey levels apart"

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("type") == "cancel":
            self.cancel()
        elif content.get("type") == "draw":
            try:
                self.draw(str(content.get("first", "")), str(content.get("second", "")))
            except ParameterError as error:
                self.notify(str(error), error=True)

    def _report(self, run: Run) -> None:
        with self._telling:
            if run not in self._asked:
                return
            runs = self._asked
            states = [one.state for one in runs]
            if "failed" in states:
                self._end(next(one.error for one in runs if one.state == "failed"), error=True)
            elif "cancelled" in states:
                self._end("Stopped. The former runs are still on show.")
            elif states == ["done", "done"]:
                self._show_done(runs)
            else:
                self._status = _progress(runs)

    def _show_done(self, runs: tuple[Run, ...]) -> None:
        first, second = (run.trace for run in runs)
        if first is None or second is None:
            return
        try:
            self.show(first, second)
        except ValueError as error:
            self._end(str(error), error=True)
        else:
            self._end("".join(dict.fromkeys(run.notice for run in runs)))

    def _end(self, text: str, *, error: bool = False) -> None:
        runs, self._asked = self._asked, ()
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


def _facts(first: Trace, second: Trace, found: Comparison) -> dict[str, Any]:
    return {
        "count": min(first.calls, second.calls),
        "seed": None if first.seed is None else str(first.seed),
        "width": first.width,
        "height": first.height,
        "words": [[" ".join(one.before), " ".join(one.after)] for one in found.words],
        "apart": [round(float(value), 5) for value in found.x0_rms],
        "picture_rms": round(found.picture_rms, 2),
    }


def _heat(difference: np.ndarray[Any, Any]) -> bytes:
    """The difference as a picture from black (none) to white (the greatest there is)."""
    levels = difference / max(1e-6, float(difference.max())) * 255
    file = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8)).convert("RGB").save(file, "WEBP", quality=90)
    return file.getvalue()
