"""Token layers: one token's vector on its way through the text encoder."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.stages.text import turned
from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from explainer.stages.clip import EncodedText


class TokenLayers(Widget, scripts=("cells", "token_row", "token_layers")):
    """Show a token's vector as a strip a layer, and where the layer's attention looked.

    The first strips are the token's row of the embedding table, what is added for its place, and
    their sum; then the output of each layer. All happens in the browser. Padding is left out.

    Args:
        encoded: The sentence.
        token: Position of the token to stand on at first.

    Attributes:
        token: Position of the token on show; moved to the nearest one that there is.
        layer: Layer whose attention is on show, from 1.
        shown: Whether the attention is shown, or waits for a guess.
    """

    token = t.Int(1, help="Position of the token on show.").tag(sync=True)
    layer = t.Int(1, help="Layer whose attention is shown.").tag(sync=True)
    shown = t.Bool(True, help="Whether the attention is shown.").tag(sync=True)
    _tokens: t.List[Any] = t.List().tag(sync=True)
    _values = t.Bytes(b"").tag(sync=True)
    _attention = t.Bytes(b"").tag(sync=True)
    _turned: t.List[Any] = t.List().tag(sync=True)
    _limits = t.List(t.Float()).tag(sync=True)

    def __init__(self, encoded: EncodedText, *, token: int = 1) -> None:
        super().__init__()
        self.show(encoded)
        self.token = token

    def show(self, encoded: EncodedText) -> None:
        """Replace the sentence; the argument is the class's."""
        count = sum(token.kind != "padding" for token in encoded.tokens)
        rows = np.stack([encoded.token_rows, encoded.position_rows, *encoded.hidden_states])
        rows = rows[:, :count].astype("<f4")
        shares = encoded.attention[:, :, :count, :count].mean(axis=1).astype("<f4")
        with self.hold_sync():
            self._tokens = [asdict(token) for token in encoded.tokens[:count]]
            self._values = rows.tobytes()
            self._attention = shares.tobytes()
            self._turned = turned(encoded.hidden_states[:, :count]).round(2).tolist()
            # As in the fingerprint: one great number would leave all others pale.
            self._limits = [float(np.quantile(np.abs(row), 0.99)) or 1.0 for row in rows]
            self.token = min(self.token, count - 1)
            self.layer = len(shares)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        text = self._tokens[self.token]["text"]
        return f"the vector of “{text}”, token {self.token}, through {len(self._turned)} layers"

    @t.validate("token")
    def _stay_in_the_sentence(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 0), max(0, len(self._tokens) - 1))

    @t.validate("layer")
    def _stay_in_the_encoder(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 1), max(1, len(self._turned)))
