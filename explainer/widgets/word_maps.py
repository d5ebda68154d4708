"""Word maps: where each word is looked up, step by step, and what really changes without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import traitlets as t

from explainer.capture.weights import found_in
from explainer.parameters import ParameterError, RunParameters
from explainer.sharing import parameters_of
from explainer.stages.compare import compare
from explainer.stages.words import (
    agreement,
    attention_of,
    change,
    clearest,
    read_words,
    without,
)
from explainer.widgets.addressed import Addressed
from explainer.widgets.base import pack_frames
from explainer.widgets.drawing import Drawing
from explainer.widgets.prompting import Prompting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.runs import Run, RunController
    from explainer.trace import Trace

LEVELS = 2**16 - 1
"""Shares of attention travel as whole numbers of two bytes."""


class _Missing(NamedTuple):
    """A run without one word: its trace, and (n, h, w) float32 where its predictions differ."""

    trace: Trace
    change: NDArray[np.float32]
    picture_rms: float


class WordMaps(
    Prompting,
    Addressed,
    Drawing,
    scripts=("saving", "form", "cells", "token_row", "word_maps"),
):
    """Lay each word's attention over the picture predicted at a step, beside its true effect.

    The reader points at words, moves through the steps, guesses where the picture will change
    without a word, and has it drawn from the same noise. Their own sentence can be drawn, too.

    Args:
        controller: Carries out the runs; None for a widget that only shows.
        trace: The run to start from, recorded with previews and attention; its seed, steps and
            guidance serve for all others.
        missing: Runs from the same noise without a word, by that word.
        known_words: All words that training showed; others are marked. Empty marks none.

    Attributes:
        word: Which word is on show, counted from 0; the last number stands for no word.
        step: Step on show, from 0 to n - 1.
        size: Which layers are on show, by the size of their maps, such as "16x16".
        sentence: What stands in the box, to be drawn next.
        query: The query of the page's address, see `Addressed`, as is `opens_address`.
    """

    word = t.Int(0, help="Which word is on show.").tag(sync=True, echo_update=False)
    step = t.Int(0, help="Step on show.").tag(sync=True, echo_update=False)
    size = t.Unicode("", help="Layers on show, by the size of their maps.").tag(
        sync=True, echo_update=False
    )
    sentence = t.Unicode("", help="What stands in the box.").tag(sync=True, echo_update=False)
    _prompt = t.Unicode("").tag(sync=True)
    _words = t.List(t.Unicode()).tag(sync=True)
    _sizes: t.List[Any] = t.List().tag(sync=True)
    _count = t.Int(0).tag(sync=True)
    _attention = t.Bytes(b"").tag(sync=True)
    _grid = t.List(t.Int()).tag(sync=True)
    _changes = t.Bytes(b"").tag(sync=True)
    _missing: t.List[Any] = t.List().tag(sync=True)

    def __init__(
        self,
        controller: RunController | None,
        trace: Trace,
        *,
        missing: Mapping[str, Trace] | None = None,
        known_words: Sequence[str] = (),
    ) -> None:
        super().__init__(controller, known_words=known_words)
        self.show(trace)
        for word, other in (missing or {}).items():
            self._add(self._words.index(word), other)

    def show(self, trace: Trace) -> None:
        """Replace the run.

        Raises:
            ValueError: It was recorded without previews.
        """
        if "x0" not in trace.frames:
            raise ValueError("This run holds no frames to show. Record it with previews=True.")
        self._trace, self._found = trace, attention_of(trace)
        self._removed: dict[int, _Missing] = {}
        levels = [np.rint(maps * LEVELS).astype("<u2") for maps in self._found.values()]
        with self.hold_sync():
            self._offer(trace)
            if self.sentence == self._prompt:  # else the reader has begun another one since
                self.sentence = trace.prompt
            self._prompt = trace.prompt
            self._words = [word.text for word in read_words(trace.tokens)]
            self._count = trace.calls
            self._sizes = [[name, *maps.shape[2:]] for name, maps in self._found.items()]
            self._attention = b"".join(one.tobytes() for one in levels)
            self._grid = list(trace.x0.shape[2:])
            self.step = int(0.6 * trace.calls)
            self.size, self.word = next(iter(self._found), ""), 0
            if self._found and self._words:
                self.size, self.word = clearest(self._found, self.step)
            self._tell_missing()

    def draw(self, prompt: str) -> Run:
        """Ask for a run of another sentence from the same noise.

        Raises:
            ParameterError: The sentence cannot be run.
        """
        wanted = replace(parameters_of(self._trace), prompt=prompt, weights=())
        return self._have_drawn([wanted], self.show)[0]

    def take_away(self, word: int) -> Run:
        """Ask for the run without one word, from the same noise.

        Args:
            word: Its place among the words.

        Raises:
            ParameterError: There is no such word, or no other.
        """
        words = read_words(self._trace.tokens)
        if not 0 <= word < len(words):
            raise ParameterError("word", f"Choose a word from 1 to {len(words)}.")
        prompt = without(self._trace.prompt, words[word])
        if not prompt.strip(" ,.;!?"):
            raise ParameterError("word", "This is the only word: without it there is no sentence.")
        like, taken = parameters_of(self._trace), words[word].tokens
        left = [token for i, token in enumerate(self._trace.tokens) if i not in taken]
        weights = tuple(one for one in like.weights if found_in(left, one[0]))
        wanted = replace(like, prompt=prompt, weights=weights)
        return self._have_drawn([wanted], lambda other: self._add(word, other))[0]

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        word = [*self._words, "no word"][self.word]
        seen = "where it is looked up" if self._found else "recorded without attention"
        return f"“{word}” in “{self._prompt}”, {seen}, step {self.step} of {self._count}"

    @t.validate("word")
    def _stay_in_the_sentence(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 0), len(self._words))

    @t.validate("step")
    def _stay_in_the_run(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 0), max(0, self._count - 1))

    def _open(self, query: str) -> None:
        if self._controller is None:
            return
        try:
            self._have_drawn([RunParameters.from_query(query)], self.show)
        except ParameterError as error:
            self.notify(str(error), error=True)

    def _asked(self, content: dict[str, Any]) -> None:
        if content.get("type") == "draw":
            self.draw(str(content.get("prompt", "")))
        elif content.get("type") == "remove" and isinstance(content.get("word"), int):
            self.take_away(content["word"])

    def _add(self, word: int, other: Trace) -> None:
        found = compare(self._trace, other)
        self._removed[word] = _Missing(other, change(self._trace, other), found.picture_rms)
        with self.hold_sync():
            self._tell_missing()

    def _tell_missing(self) -> None:
        frames = {"x0": self._trace.frames["x0"]}
        frames |= {f"without-{i}": one.trace.frames["x0"] for i, one in self._removed.items()}
        self._frames, self._frame_index = pack_frames(frames)
        changes = [one.change.astype("<f4").tobytes() for one in self._removed.values()]
        self._changes = b"".join(changes)
        self._missing = [
            {
                "word": word,
                "prompt": one.trace.prompt,
                "count": len(one.change),
                "picture_rms": round(one.picture_rms, 2),
                "agreement": self._agreements(word, one.change),
            }
            for word, one in self._removed.items()
        ]

    def _agreements(self, word: int, changed: NDArray[np.float32]) -> dict[str, Any]:
        """By size, how well the word's map and its effect agree at each step."""
        return {
            name: [agreement(maps[k, word], one) for k, one in enumerate(changed)]
            for name, maps in self._found.items()
        }
