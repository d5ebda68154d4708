"""Again: one prompt and seed drawn twice, and the next seed once, number by number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.sharing import parameters_of
from explainer.stages import originality_again
from explainer.widgets import pixels
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from explainer.runs import RunController, Task
    from explainer.stages.originality_again import Again as Pictures
    from explainer.stages.originality_findings import Findings
    from explainer.trace import Trace


class Again(Asking, scripts=("asking", "again")):
    """Compare what one prompt and seed gave twice, and what the next seed gave.

    Args:
        trace: A run.
        findings: What its second time and the next seed gave when they were recorded; None where
            they were not.
        controller: Draws all three anew; None for a page that only shows.

    Attributes:
        pictures: What was drawn here; None before.
        shown: Whether the second time and the next seed are shown, or wait for a guess.
    """

    shown = t.Bool(True, help="Whether the other two are shown.").tag(sync=True)
    _facts = t.Dict().tag(sync=True)

    def __init__(
        self,
        trace: Trace,
        findings: Findings | None = None,
        *,
        controller: RunController | None = None,
    ) -> None:
        super().__init__()
        self._serve(controller)
        self.show(trace, findings)

    def show(self, trace: Trace, findings: Findings | None = None) -> None:
        """Show another run; the arguments are the class's."""
        self.cancel()
        self._trace, self.pictures = trace, None
        shown = trace.picture if findings is None else findings.first
        self._first = pixels.opened(shown)
        frames = {"first": [shown]}
        facts: dict[str, Any] = {"where": "recorded"}
        if findings is not None:
            first, second, other = findings.again
            if first == second:
                frames["second"] = [shown]
            frames["other"] = [findings.other]
            facts |= {
                "digests": [first, second, other],
                # Two different digests say no more than that.
                "second": {"values": 0, "most": 0} if first == second else None,
                "other": {"values": findings.apart},
            }
        self._tell(frames, facts)

    def ask(self) -> Task:
        """Draw the run twice and the next seed once; nothing is taken from the cache.

        Raises:
            ParameterError: The run is longer than the limits allow.
            RuntimeError: There is no controller.
        """
        trace, base = self._trace, parameters_of(self._trace)

        def work(pipe: Any, task: Task) -> tuple[Trace, Pictures | None]:
            return trace, originality_again.draw(
                pipe,
                base,
                on_step=lambda done: task.update(step=done),
                cancelled=task.asked_to_stop,
            )

        return self._begin(work, originality_again.RUNS * base.steps, steps=base.steps)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        seed = self._trace.seed
        if not self.shown or "digests" not in self._facts:
            return f"“{self._trace.prompt}” with seed {seed}, not shown a second time yet"
        same = self._facts["digests"][0] == self._facts["digests"][1]
        return (
            f"“{self._trace.prompt}” with seed {seed}, drawn twice: "
            f"{'the same to the bit' if same else 'not the same'}; with the next seed: "
            f"{self._facts['other']['values']:,} of {self._first.size:,} numbers differ"
        )

    def _tell(self, frames: dict[str, list[bytes]], facts: dict[str, Any]) -> None:
        seed = self._trace.seed or 0
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames(frames)
            # Seeds travel as text: JavaScript cannot hold every whole number of 64 bits.
            self._facts = facts | {
                "prompt": self._trace.prompt,
                "seeds": [str(seed), str(originality_again.other_seed(seed))],
                "numbers": self._first.size,
            }

    def _asked(self, _content: dict[str, Any]) -> None:
        self.ask()

    def _answer(self, result: Any) -> None:
        trace, pictures = result
        if trace is not self._trace:  # another run may have come meanwhile
            return
        self.pictures = pictures
        second, other, shown = (
            originality_again.difference(pictures.first, one)._asdict()
            for one in (pictures.second, pictures.other, self._first)
        )
        frames = {name: [pixels.lossless(picture)] for name, picture in pictures._asdict().items()}
        self._tell(
            frames,
            {
                "where": "here",
                "digests": [originality_again.digest(one) for one in pictures],
                "second": second,
                "other": other,
                "shown": shown,
            },
        )
