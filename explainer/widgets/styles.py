"""The styles: one scene in every style from one noise, and how far the runs part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.parameters import MAX_PROMPT, RunParameters, read_seed
from explainer.stages import style, style_grid, swap
from explainer.widgets.base import pack_frames
from explainer.widgets.series import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explainer.runs import RunController
    from explainer.trace import Trace


class Styles(Series, scripts=("curve", "asking", "series", "style_parts", "styles")):
    """Draw one sentence with several style words, all else equal, and follow how they part.

    The reader slides through the steps, and clicks on a picture to measure all others against it.
    Their own sentence can be drawn too; each picture appears once it is done.

    Args:
        base: The run without style words; its seed, steps and guidance serve for all.
        words: The style words.
        grid: What was drawn before; None to begin with nothing.
        controller: Draws others; None for a page that only shows.

    Attributes:
        position: Which moment is on show, from 0.
        chosen: Which picture the others are measured against, from 0.
        shown: Whether the distances are shown, or wait for a guess.
        grid: What is on show, or None.
        trace: The run that came last, or None.
    """

    position = t.Int(0, help="Which moment is on show.").tag(sync=True, echo_update=False)
    chosen = t.Int(0, help="What the others are measured against.").tag(
        sync=True, echo_update=False
    )
    shown = t.Bool(True, help="Whether the distances are shown.").tag(sync=True)
    grid = t.Any(None, allow_none=True, help="What is on show.")
    trace = t.Any(None, allow_none=True, help="The run that came last.")
    _facts = t.Dict().tag(sync=True)
    _form = t.Dict().tag(sync=True, echo_update=False)

    def __init__(
        self,
        base: RunParameters,
        words: Sequence[str],
        grid: style_grid.StyleGrid | None = None,
        *,
        controller: RunController | None = None,
    ) -> None:
        super().__init__()
        self._base, self._words = base, tuple(words)
        self._traces: dict[str, Trace] = {}
        self._form = {"sentence": base.prompt, "seed": str(base.seed), "longest": MAX_PROMPT}
        if grid is not None:
            self.show(grid)
        self._serve(controller)

    def show(self, grid: style_grid.StyleGrid) -> None:
        """Replace what is shown; the slider goes to the finished pictures."""
        titles = list(grid.prompts)
        alike = style.layout([grid.picture(title) for title in titles])
        with self.hold_sync():
            self.grid = grid
            frames = {str(place): grid.frames[title] for place, title in enumerate(titles)}
            self._frames, self._frame_index = pack_frames(frames)
            self._facts = {
                "sentence": grid.sentence,
                "seed": str(grid.seed),
                "steps": grid.steps,
                "moments": grid.moments.tolist(),
                "titles": titles,
                "another": style_grid.ANOTHER,
                "apart": grid.apart.round(4).tolist(),
                "alike": [swap.plain_shares(row) for row in alike],
            }
            self.chosen = min(self.chosen, len(titles) - 1)
            self.position = len(grid.moments) - 1

    def draw(self, sentence: str, seed: int | None = None) -> None:
        """Have a sentence drawn without style words, in every style, and from another seed.

        Raises:
            ParameterError: It cannot be run.
            RuntimeError: There is no controller.
        """
        base = replace(self._base, prompt=sentence, seed=self._base.seed if seed is None else seed)
        wanted = style_grid.runs(base, self._words)
        self.cancel()  # so that no former picture comes in between
        self._traces = {}
        self._form = {**self._form, "sentence": sentence, "seed": str(base.seed)}
        self._draw_all(wanted)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        if not self._facts:
            return f"“{self._base.prompt}”, not drawn yet"
        titles = ", ".join(self._facts["titles"])
        return f"“{self._facts['sentence']}” from one noise: {titles}"

    @t.validate("position")
    def _stay_in_the_run(self, proposal: dict[str, Any]) -> int:
        count = len(self._facts["moments"]) if self._facts else 1
        return min(max(int(proposal["value"]), 0), count - 1)

    @t.validate("chosen")
    def _stay_in_the_grid(self, proposal: dict[str, Any]) -> int:
        count = len(self._facts["titles"]) if self._facts else 1
        return min(max(int(proposal["value"]), 0), count - 1)

    def _asked(self, content: dict[str, Any]) -> None:
        seed = read_seed(str(content.get("seed", "")))
        self.draw(str(content.get("sentence", "")), seed)

    def _arrived(self, title: str, trace: Trace) -> None:
        self._traces[title] = self.trace = trace
        self.show(style_grid.grid(self._traces))
