"""The question: a guess that the reader makes before the answer, which was measured, is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets as t

from explainer.widgets.base import Widget


class Question(Widget, scripts=("question",)):
    """Ask, let the reader guess, then tell.

    Args:
        question: What is asked.
        choices: Two answers or more.
        right: The place of the right one, from 0.
        because: What was measured, in a sentence or two.

    Attributes:
        choice: The place of the reader's guess; -1 before it.
        answered: Whether there was a guess. Linked to a plot's `shown` in the browser, it keeps the
            answer out of sight till then.

    Raises:
        ValueError: There are fewer than two choices, or the right one is not among them.
    """

    choice = t.Int(-1, help="The reader's guess.").tag(sync=True, echo_update=False)
    answered = t.Bool(False, help="Whether there was a guess.").tag(sync=True, echo_update=False)
    _question = t.Unicode().tag(sync=True)
    _choices: t.List[str] = t.List().tag(sync=True)
    _right = t.Int(0).tag(sync=True)
    _because = t.Unicode().tag(sync=True)

    def __init__(self, question: str, choices: Sequence[str], right: int, because: str) -> None:
        if len(choices) < 2 or not 0 <= right < len(choices):
            raise ValueError(
                f"A question needs at least two choices, and the right one among them: not "
                f"number {right} of {len(choices)}."
            )
        super().__init__()
        self._question, self._choices = question, list(choices)
        self._right, self._because = right, because

    def describe(self) -> str:
        """Say what is asked, and the answer once there was a guess."""
        told = f" {self._because}" if self.choice >= 0 else ""
        return f"{self._question} ({', '.join(self._choices)}){told}"

    @t.observe("choice")
    def _note_answer(self, change: dict[str, Any]) -> None:
        self.answered = change["new"] >= 0

    @t.validate("choice")
    def _among_them(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), -1), len(self._choices) - 1)
