"""Phrases: which of the reader's own phrases lie near to each other, as a table and as maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.stages.text import along, principal_plane, similarities
from explainer.widgets.base import Widget

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from explainer.stages.clip import TextEncoder

MAX_PHRASES = 24
MAX_LETTERS = 200


def read_phrases(text: str) -> list[str]:
    """Return the phrases of a text, one a line; empty lines and repeated phrases are left out.

    Raises:
        ValueError: There is no phrase, there are too many, or one is too long.
    """
    phrases = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if not phrases:
        raise ValueError("There is no phrase yet. Write one a line.")
    if len(phrases) > MAX_PHRASES:
        raise ValueError(
            f"These are {len(phrases)} phrases; there is room for {MAX_PHRASES}. Take some away."
        )
    longest = max(phrases, key=len)
    if len(longest) > MAX_LETTERS:
        raise ValueError(
            f"“{longest[:30]}…” has {len(longest)} letters; a phrase may have {MAX_LETTERS}."
        )
    return phrases


class Phrases(Widget, scripts=("form", "cells", "phrases")):
    """Compare phrases in a table of cosines, on a map, and on axes that the reader makes.

    What is wrong with the reader's phrases is said below them; what was on show stays.

    Args:
        encoder: Turns phrases into vectors of length 1.
        phrases: What stands in the box at first.
        axes: Two pairs of words, each (from, to): the horizontal axis and the vertical one.

    Attributes:
        text: The phrases, one a line.
        ends: The words of the axes: left, right, bottom, top.
        shown: Whether table and maps are shown, or wait for a guess.
    """

    text = t.Unicode("", help="The phrases, one a line.").tag(sync=True, echo_update=False)
    ends = t.List(t.Unicode(), help="Left, right, bottom, top.").tag(sync=True, echo_update=False)
    shown = t.Bool(True, help="Whether table and maps are shown.").tag(sync=True)
    _phrases = t.List(t.Unicode()).tag(sync=True)
    _cosines: t.List[Any] = t.List().tag(sync=True)
    _map = t.Dict().tag(sync=True)
    _axes = t.Dict().tag(sync=True)

    def __init__(
        self,
        encoder: TextEncoder,
        phrases: Sequence[str],
        axes: tuple[tuple[str, str], tuple[str, str]],
    ) -> None:
        super().__init__()
        self._encoder = encoder
        with self.hold_trait_notifications():
            self.text = "\n".join(phrases)
            self.ends = [end for axis in axes for end in axis]

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        return f"{len(self._phrases)} phrases compared: {', '.join(self._phrases)}"

    @t.observe("text", "ends")
    def _compare(self, _change: dict[str, Any]) -> None:
        try:
            phrases = read_phrases(self.text)
        except ValueError as error:
            self.notify(str(error), error=True)
            return
        self.notify("")
        vectors = self._encoder.embed(phrases)
        with self.hold_sync():
            self._phrases = phrases
            self._cosines = similarities(vectors).round(4).tolist()
            self._map = _plane(vectors)
            self._axes = self._on_axes(vectors)

    def _on_axes(self, vectors: NDArray[np.float32]) -> dict[str, Any]:
        if any(not end.strip() or len(end) > MAX_LETTERS for end in self.ends):
            return {"problem": f"Each end of an axis needs a word of up to {MAX_LETTERS} letters."}
        left, right, bottom, top = self._encoder.embed(self.ends)
        try:
            x, y = along(vectors, left, right), along(vectors, bottom, top)
        except ValueError:
            return {"problem": "An axis needs two ends that differ to the encoder."}
        return {"points": [[float(a), float(b)] for a, b in zip(x, y, strict=True)]}


def _plane(vectors: NDArray[np.float32]) -> dict[str, Any]:
    try:
        points, share = principal_plane(vectors)
    except ValueError:
        return {"problem": "A map needs at least two phrases that differ to the encoder."}
    return {"points": points.tolist(), "share": share}
