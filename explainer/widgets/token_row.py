"""The token row: the sentence as the text encoder reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from explainer.trace import Token


class TokenRow(Widget, scripts=("token_row",)):
    """Show tokens as chips with their numbers; pieces of one word touch, padding is folded.

    Args:
        tokens: The tokens, as `trace.tokens` has them.
        truncated: The end of the sentence that the model never read.
    """

    _tokens: t.List[Any] = t.List().tag(sync=True)
    _truncated = t.Unicode("").tag(sync=True)

    def __init__(self, tokens: Sequence[Token], *, truncated: str = "") -> None:
        super().__init__()
        self.show(tokens, truncated=truncated)

    def show(self, tokens: Sequence[Token], *, truncated: str = "") -> None:
        """Replace what is shown; the arguments are the class's."""
        with self.hold_sync():
            self._tokens = [asdict(token) for token in tokens]
            self._truncated = truncated

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        words = [token["text"] for token in self._tokens if token["kind"] == "word"]
        return f"{len(self._tokens)} tokens, {len(words)} of them words: {' | '.join(words)}"
