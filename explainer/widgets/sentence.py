"""The sentence: taken apart into tokens while the reader types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import traitlets as t

from explainer.parameters import MAX_PROMPT
from explainer.widgets.addressed import Addressed
from explainer.widgets.prompting import Prompting
from explainer.widgets.token_row import TokenRow

if TYPE_CHECKING:
    from explainer.stages.sentence import SentenceReader


class Sentence(Prompting, Addressed, TokenRow, scripts=("form", "token_row", "sentence")):
    """A box to type in, and below it what the tokenizer makes of it at every keystroke.

    Args:
        reader: Cuts the sentence.
        sentence: What stands in the box at first.
        known_words: All words that training showed; others are underlined. Empty marks none.
        shelves: Phrases to build a sentence from, by the name of their shelf.

    Attributes:
        sentence: What stands in the box. One that is too long is refused with a notice, and the
            tokens of the former one stay.
        query: The query of the page's address, see `Addressed`, as is `opens_address`.
    """

    sentence = t.Unicode("", help="What stands in the box.").tag(sync=True, echo_update=False)
    _shelves = t.Dict().tag(sync=True)
    _limit = t.Int(MAX_PROMPT).tag(sync=True)

    def __init__(
        self,
        reader: SentenceReader,
        sentence: str = "",
        *,
        known_words: Sequence[str] = (),
        shelves: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._reader = reader
        tokens, truncated = reader.read(sentence)
        super().__init__(tokens, truncated=truncated, known_words=known_words)
        self._shelves = {name: list(phrases) for name, phrases in (shelves or {}).items()}
        self.sentence = sentence

    def _open(self, query: str) -> None:
        self.sentence = parse_qs(query.removeprefix("?"), keep_blank_values=True)["prompt"][0]

    @t.observe("sentence")
    def _read(self, change: dict[str, Any]) -> None:
        over = len(change["new"]) - MAX_PROMPT
        if over > 0:
            self.notify(f"{over} characters too many: shorten the sentence.", error=True)
            return
        self.notify("")
        tokens, truncated = self._reader.read(change["new"])
        self.show(tokens, truncated=truncated)
