"""Prompting: what every widget shares that has a box for the reader's own words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import traitlets as t

from explainer import vocabulary
from explainer.widgets.base import Widget

MOST_ASKED = 60
"""Words looked up for one message: more than any prompt can be read to."""


class Prompting(Widget):
    """A widget whose prompt box marks the words that training never showed.

    While there is a kernel, the box also names what the model knows that is nearest to them.

    Attributes:
        known_words: All words that training showed; others are marked. Empty marks none.
    """

    known_words = t.List(t.Unicode(), help="All words that training showed.").tag(sync=True)
    _nearest = t.Dict(help="Nearest known wording of the words asked for so far.").tag(sync=True)

    def __init__(self, *args: Any, known_words: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known_words = sorted(known_words)
        self.on_msg(self._look_up)

    def _look_up(self, _widget: Any, content: Any, _buffers: Any) -> None:
        asked = content.get("words") if content.get("type") == "nearest" else None
        if not isinstance(asked, list) or len(asked) > MOST_ASKED:
            return
        self._nearest = {**self._nearest, **{str(word): self._near(str(word)) for word in asked}}

    def _near(self, word: str) -> str:
        near = vocabulary.nearest_wording(word) or ""
        # Another model's readers are offered nothing that their own model does not know.
        return near if near != word and set(near.split()) <= set(self.known_words) else ""
