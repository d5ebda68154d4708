"""Style times: the style words given only in a run's first steps, or only in its last."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.parameters import MAX_PROMPT, ParameterError, RunParameters
from explainer.stages import swap
from explainer.stages.style_grid import styled
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from explainer.runs import RunController, Task


class StyleTimes(Asking, scripts=("curve", "asking", "style_parts", "style_times")):
    """Give the style words for a part of the steps only, and see how much style there is.

    Args:
        base: The run without style words; its seed, steps and guidance serve for all.
        style: The style words.
        swaps: What was drawn before: "early", style words first and then none, and "late", none
            first. Empty to begin with nothing.
        controller: Draws others; None for a page that only shows.
        judge: Measures by CLIP, see `explainer.stages.swap`; None measures by pixels alone.

    Attributes:
        position: Which change is on show, from 0.
        shown: Whether the curves are shown, or wait for a guess.
        swaps: What is on show.
    """

    position = t.Int(0, help="Which change is on show.").tag(sync=True, echo_update=False)
    shown = t.Bool(True, help="Whether the curves are shown.").tag(sync=True)
    swaps = t.Dict(help="What is on show.")
    _facts = t.Dict().tag(sync=True)
    _form = t.Dict().tag(sync=True, echo_update=False)

    def __init__(
        self,
        base: RunParameters,
        style: str,
        swaps: dict[str, swap.Swap] | None = None,
        *,
        controller: RunController | None = None,
        judge: swap.Judge | None = None,
    ) -> None:
        super().__init__()
        self._base, self._judge = base, judge
        self._form = {"sentence": base.prompt, "style": style, "longest": MAX_PROMPT}
        if swaps:
            self.show(swaps)
        self._serve(controller)

    def show(self, swaps: dict[str, swap.Swap]) -> None:
        """Replace what is shown; the slider begins in the middle."""
        early, late = swaps["early"], swaps["late"]
        with self.hold_sync():
            self.swaps = dict(swaps)
            self._frames, self._frame_index = pack_frames(
                {"early": early.pictures, "late": late.pictures}
            )
            self._facts = {
                "with": early.first,
                "without": early.second,
                "seed": str(early.seed),
                "steps": early.steps,
                "switches": early.switches.tolist(),
                # How far each picture follows the sentence with its style words.
                "early": {
                    "pixels": swap.plain_shares(early.pixels),
                    "clip": swap.plain_shares(early.clip),
                },
                "late": {
                    "pixels": swap.plain_shares(1 - late.pixels),
                    "clip": swap.plain_shares(1 - late.clip),
                },
            }
            self.position = len(early.switches) // 2

    def ask(self, sentence: str, style: str) -> Task:
        """Have another sentence drawn with other style words, early and late.

        Raises:
            ParameterError: A sentence cannot be run, or there are no style words.
            RuntimeError: There is no controller.
        """
        if not style.strip():
            raise ParameterError("prompt", "The style words are empty. Write some.")
        plain = replace(self._base, prompt=sentence.strip())
        written = replace(plain, prompt=styled(sentence, style.strip()))

        def work(pipe: Any, task: Task) -> dict[str, swap.Swap] | None:
            found: dict[str, swap.Swap] = {}
            ways = {"early": (written, plain), "late": (plain, written)}
            for place, (name, (first, second)) in enumerate(ways.items()):
                one = swap.swap(
                    pipe,
                    first,
                    second.prompt,
                    judge=self._judge,
                    on_step=partial(_tell, task, place),
                    cancelled=task.asked_to_stop,
                )
                if one is None:
                    return None
                found[name] = one
            return found

        return self._begin(work, 2 * swap.calls_in_all(plain.steps), steps=plain.steps)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        if not self._facts:
            return f"“{self._form['style']}” early and late, not drawn yet"
        switch, steps = self._facts["switches"][self.position], self._facts["steps"]
        return (
            f"“{self._facts['with']}”: its style words only in the first {switch} of {steps} "
            f"steps, and only in the last {steps - switch}"
        )

    @t.validate("position")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        last = len(self._facts["switches"]) - 1 if self._facts else 0
        return min(max(int(proposal["value"]), 0), last)

    def _asked(self, content: dict[str, Any]) -> None:
        self.ask(str(content.get("sentence", "")), str(content.get("style", "")))

    def _answer(self, result: Any) -> None:
        self.show(result)


def _tell(task: Task, place: int, done: int, total: int) -> None:
    """Say how far two runs of so many steps each are; the one at ``place`` is being drawn."""
    task.update(step=place * total + done, total=2 * total)
