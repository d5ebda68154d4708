"""Learning: the error while a model was trained, and what it drew at that time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import traitlets as t

from explainer.widgets.base import Widget, pack_frames

if TYPE_CHECKING:
    from explainer.recorded import Learned

PICTURED = "denoiser"
"""The stage whose checkpoints drew the pictures."""


class Learning(Widget, scripts=("curve", "learning")):
    """Slide along a training: its error, and the same prompts and seeds drawn at that time.

    Args:
        losses: (step, loss) in the order of the steps, by the name of what was trained.
        learned: What was drawn at kept checkpoints of the denoiser; None where none were kept.

    Attributes:
        stage: What was trained, one of `losses`.
        position: Which of the stage's losses the slider stands at, from 0.

    Raises:
        ValueError: There are no losses at all.
    """

    stage = t.Unicode(help="What was trained.").tag(sync=True)
    position = t.Int(0, help="Where the slider stands.").tag(sync=True)
    _losses = t.Dict().tag(sync=True)
    _steps = t.List(t.Int()).tag(sync=True)
    _prompts = t.List(t.Unicode()).tag(sync=True)
    _pictured = t.Unicode(PICTURED).tag(sync=True)

    def __init__(
        self,
        losses: Mapping[str, Sequence[tuple[int, float]]],
        learned: Learned | None = None,
    ) -> None:
        known = {name: [list(pair) for pair in pairs] for name, pairs in losses.items() if pairs}
        if not known:
            raise ValueError("There are no losses to show. Train with a record of them.")
        super().__init__()
        self._losses = known
        self.stage = PICTURED if PICTURED in known else next(iter(known))
        if learned is not None:
            self._steps = list(learned.steps)
            self._prompts = list(learned.prompts)
            self._frames, self._frame_index = pack_frames(
                {f"pictures-{i}": pictures for i, pictures in enumerate(learned.pictures)}
            )
        self.position = len(known[self.stage]) - 1

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        step, loss = self._losses[self.stage][self.position]
        return f"the {self.stage} after {step} steps of training, error {loss:.3f}"

    @t.validate("stage")
    def _check_stage(self, proposal: dict[str, str]) -> str:
        if proposal["value"] not in self._losses:
            raise t.TraitError(
                f"There is no stage {proposal['value']!r}, only {', '.join(self._losses)}."
            )
        return proposal["value"]

    @t.observe("stage")
    def _stand_at_the_end(self, _change: object) -> None:
        self.position = len(self._losses[self.stage]) - 1

    @t.validate("position")
    def _stay_inside(self, proposal: dict[str, int]) -> int:
        last = len(self._losses.get(self.stage, ())) - 1
        return min(max(int(proposal["value"]), 0), max(last, 0))
