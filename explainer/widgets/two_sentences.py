"""Two sentences: their fingerprints and the difference, after a guess."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.parameters import MAX_PROMPT
from explainer.stages.text import similarity
from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from explainer.stages.clip import TextEncoder


class TwoSentences(Widget, scripts=("form", "cells", "fingerprint", "two_sentences")):
    """Ask how alike two sentences are to the encoder, then show it.

    The reader guesses a number, reveals the truth, and goes on to change a letter here or there.

    Args:
        encoder: Turns sentences into vectors of length 1.
        experiments: (title, first, second) of pairs to offer; the first one is on show at first.

    Attributes:
        first: The first sentence.
        second: The second sentence.

    Raises:
        ValueError: There is no experiment.
    """

    first = t.Unicode("", help="The first sentence.").tag(sync=True, echo_update=False)
    second = t.Unicode("", help="The second sentence.").tag(sync=True, echo_update=False)
    _experiments: t.List[Any] = t.List().tag(sync=True)
    _labels = t.List(t.Unicode()).tag(sync=True)
    _values = t.Bytes(b"").tag(sync=True)
    _limit = t.Float(1.0).tag(sync=True)
    _alike = t.Dict().tag(sync=True)

    def __init__(self, encoder: TextEncoder, experiments: Sequence[tuple[str, str, str]]) -> None:
        if not experiments:
            raise ValueError("Give at least one experiment: (title, first sentence, second).")
        super().__init__()
        self._encoder = encoder
        self._experiments = [list(one) for one in experiments]
        with self.hold_trait_notifications():
            _, self.first, self.second = experiments[0]

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        return f"“{self.first}” and “{self.second}”: cosine {self._alike['cosine']:.3f}"

    @t.observe("first", "second")
    def _compare(self, _change: dict[str, Any]) -> None:
        if max(len(self.first), len(self.second)) > MAX_PROMPT:
            self.notify(f"A sentence may have {MAX_PROMPT} characters: shorten it.", error=True)
            return
        self.notify("")
        a, b = self._encoder.embed([self.first, self.second])
        tokens = [self._encoder.reader.read(one).tokens for one in (self.first, self.second)]
        rows = np.stack([a, b, b - a]).astype("<f4")
        with self.hold_sync():
            self._labels = ["the first", "the second", "the second minus the first"]
            self._values = rows.tobytes()
            self._limit = float(np.quantile(np.abs(rows[:2]), 0.99))
            self._alike = {
                "cosine": similarity(a, b),
                "same": bool((a == b).all()),
                "same_tokens": [one.id for one in tokens[0]] == [one.id for one in tokens[1]],
            }
