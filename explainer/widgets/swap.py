"""The swap: the prompt exchanged at a step of the reader's choice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.parameters import MAX_PROMPT, ParameterError, RunParameters
from explainer.stages import swap
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from explainer.runs import RunController, Task


class Swap(Asking, scripts=("curve", "asking", "swap")):
    """Change the prompt after some of a run's steps, and see which of the two the picture follows.

    The reader says first when the scene is decided; then the measured curves are shown. Two other
    sentences can be drawn and measured too; whatever goes wrong, what is on show stays.

    Args:
        base: The run with the first prompt; its seed, steps and guidance serve for all.
        second: The other prompt.
        swapped: What was drawn before; None to begin with nothing.
        controller: Draws other prompts; None for a page that only shows.
        judge: Measures by CLIP, see `explainer.stages.swap`; None measures by pixels alone.

    Attributes:
        position: Which of the drawn changes is on show, from 0 (the second prompt alone); the
            slider runs the other way, so that the first sentence comes first.
        swapped: What is on show, or None.
    """

    position = t.Int(0, help="Which change is on show.").tag(sync=True, echo_update=False)
    swapped = t.Any(None, allow_none=True, help="What is on show.")
    _facts = t.Dict().tag(sync=True)
    _form = t.Dict().tag(sync=True)
    _longest = t.Int(MAX_PROMPT).tag(sync=True)

    def __init__(
        self,
        base: RunParameters,
        second: str,
        swapped: swap.Swap | None = None,
        *,
        controller: RunController | None = None,
        judge: swap.Judge | None = None,
    ) -> None:
        super().__init__()
        self._base, self._judge = base, judge
        self._form = {"first": base.prompt, "second": second}
        if swapped is not None:
            self.show(swapped)
        self._serve(controller)

    def show(self, swapped: swap.Swap) -> None:
        """Replace what is shown; the slider begins in the middle."""
        by_pixels = swap.decided(swapped.switches, swapped.pixels)
        by_clip = swap.decided(swapped.switches, swapped.clip)
        with self.hold_sync():
            self.swapped = swapped
            self._form = {"first": swapped.first, "second": swapped.second}
            self._frames, self._frame_index = pack_frames({"pictures": swapped.pictures})
            self._facts = {
                "first": swapped.first,
                "second": swapped.second,
                "seed": str(swapped.seed),
                "steps": swapped.steps,
                "switches": swapped.switches.tolist(),
                "pixels": swap.plain_shares(swapped.pixels),
                "clip": swap.plain_shares(swapped.clip),
                "told": swap.in_words(swapped),
                "decided": {"pixels": by_pixels, "clip": by_clip},
                "judged": bool(np.isfinite(swapped.clip).any()),
            }
            self.position = len(swapped.switches) // 2

    def ask(self, first: str, second: str) -> Task:
        """Draw two other prompts, changed at some steps, and show them.

        Raises:
            ParameterError: A prompt cannot be run, or both are the same.
            RuntimeError: There is no controller.
        """
        wanted = replace(self._base, prompt=first)
        replace(self._base, prompt=second)
        if first.strip() == second.strip():
            raise ParameterError("prompt", "Both sentences are the same. Change one of them.")

        def work(pipe: Any, task: Task) -> swap.Swap | None:
            return swap.swap(
                pipe,
                wanted,
                second,
                judge=self._judge,
                on_step=lambda done, total: task.update(step=done, total=total),
                cancelled=task.asked_to_stop,
            )

        return self._begin(work, swap.calls_in_all(wanted.steps), steps=wanted.steps)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        form = self._form
        if not self._facts:
            return f"“{form['first']}” changed to “{form['second']}”, not drawn yet"
        switch = self._facts["switches"][self.position]
        return (
            f"“{form['first']}” for {switch} of {self._facts['steps']} steps, "
            f"then “{form['second']}”"
        )

    @t.validate("position")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        last = len(self._facts["switches"]) - 1 if self._facts else 0
        return min(max(int(proposal["value"]), 0), last)

    def _asked(self, content: dict[str, Any]) -> None:
        self.ask(str(content.get("first", "")), str(content.get("second", "")))

    def _answer(self, result: Any) -> None:
        self.show(result)
