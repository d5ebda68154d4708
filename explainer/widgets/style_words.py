"""Style words: what they get of every layer's attention at every step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.parameters import MAX_PROMPT, ParameterError, RunParameters
from explainer.stages import style_words
from explainer.stages.style_grid import styled
from explainer.widgets.asking import Asking

if TYPE_CHECKING:
    from explainer.runs import RunController, Task


class StyleWords(Asking, scripts=("cells", "asking", "style_parts", "style_words")):
    """Compare what style words and other words get of the attention, layer by layer.

    Args:
        base: The run without style words; its seed, steps and guidance serve for all.
        style: The style words.
        shares: What was read before; None to begin with nothing.
        controller: Reads others; None for a page that only shows.

    Attributes:
        step: Which step is on show, from 0.
        word: Which word is on show, from 0; -1 for all style words together. After the words come
            the tokens that stand for none, see `explainer.stages.style_words.ENDS`.
        read: What is on show, or None.
        shown: Whether it is shown, or waits for a guess.
    """

    step = t.Int(0, help="Step on show.").tag(sync=True, echo_update=False)
    word = t.Int(-1, help="Word on show; -1 for the style words.").tag(sync=True, echo_update=False)
    read = t.Any(None, allow_none=True, help="What is on show.")
    shown = t.Bool(True, help="Whether the shares are shown.").tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _shares = t.Bytes(b"").tag(sync=True)
    _form = t.Dict().tag(sync=True, echo_update=False)

    def __init__(
        self,
        base: RunParameters,
        style: str,
        shares: style_words.WordShares | None = None,
        *,
        controller: RunController | None = None,
    ) -> None:
        super().__init__()
        self._base = base
        self._form = {"sentence": base.prompt, "style": style, "longest": MAX_PROMPT}
        if shares is not None:
            self.show(shares)
        self._serve(controller)

    def show(self, shares: style_words.WordShares) -> None:
        """Replace what is shown."""
        lead = shares.lead
        with self.hold_sync():
            self.read = shares
            everything = np.concatenate([shares.shares, shares.ends], axis=-1)
            self._shares = everything.astype("<f4").tobytes()
            self._facts = {
                "prompt": shares.prompt,
                "style": shares.style,
                "words": [*shares.words, *(f"({name})" for name in style_words.ENDS)],
                "styling": list(shares.styling),
                "count": len(shares.words),
                "layers": [
                    {"name": name, "title": _title(name, size)}
                    for name, size in zip(shares.layers, shares.sizes, strict=True)
                ],
                "steps": len(shares.shares),
                "lead": [
                    [None if np.isnan(value) else round(float(value), 4) for value in row]
                    for row in lead
                ],
            }
            self.word = -1
            self.step = len(shares.shares) // 2

    def ask(self, sentence: str, style: str) -> Task:
        """Have a sentence with style words drawn, and read what its words get.

        Raises:
            ParameterError: It cannot be run, or has no style words.
            RuntimeError: There is no controller.
        """
        if not style.strip():
            raise ParameterError("prompt", "The style words are empty. Write some.")
        replace(self._base, prompt=sentence)
        wanted = replace(self._base, prompt=styled(sentence, style.strip()))

        def work(pipe: Any, task: Task) -> style_words.WordShares | None:
            return style_words.read(
                pipe,
                wanted,
                style.strip(),
                on_step=lambda done: task.update(step=done),
                cancelled=task.asked_to_stop,
            )

        return self._begin(work, wanted.steps, steps=wanted.steps)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        if self.read is None:
            return "not read yet"
        lead = np.nanmean(self.read.lead)
        return (
            f"a word of “{self.read.style}” gets {lead:.2f} times the attention that a word of the "
            "scene gets, the mean over all steps and layers"
        )

    @t.validate("step")
    def _stay_in_the_run(self, proposal: dict[str, Any]) -> int:
        count = self._facts["steps"] if self._facts else 1
        return min(max(int(proposal["value"]), 0), count - 1)

    @t.validate("word")
    def _stay_in_the_sentence(self, proposal: dict[str, Any]) -> int:
        count = len(self._facts["words"]) if self._facts else 0
        return min(max(int(proposal["value"]), -1), count - 1)

    def _asked(self, content: dict[str, Any]) -> None:
        self.ask(str(content.get("sentence", "")), str(content.get("style", "")))

    def _answer(self, result: Any) -> None:
        self.show(result)


def _title(name: str, size: tuple[int, int]) -> str:
    """Where in the denoiser a layer is, and how fine its map."""
    side = {"down": "down", "mid": "middle", "up": "up"}.get(name.partition("_")[0], name)
    return f"{side}, {size[0]} × {size[1]}"
