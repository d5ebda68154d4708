"""Two runs: the same noise, one changed sentence, and where the pictures part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.sharing import parameters_of
from explainer.stages.compare import compare
from explainer.widgets import pixels
from explainer.widgets.base import pack_frames
from explainer.widgets.drawing import Drawing
from explainer.widgets.prompting import Prompting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.runs import Run, RunController
    from explainer.stages.compare import Comparison
    from explainer.trace import Trace

NAMES = ("first", "second")


class TwoRuns(Prompting, Drawing, scripts=("saving", "form", "two_runs")):
    """Show two runs side by side, step by step, with what was changed and how far they part.

    The reader may change both sentences, let words of the second count more or less, tell it what
    to avoid, and have both drawn from the same noise. Whatever goes wrong, the runs on show stay.

    Args:
        controller: Carries out the runs; None for a widget that only shows.
        first: The run to start from; its seed, steps and guidance serve for all others.
        second: The run to compare it with.
        known_words: All words that training showed; others are marked. Empty marks none.

    Attributes:
        comparison: What `explainer.compare` says of the runs on show.
        step: Step on show: 0 to n - 1 for the predictions, n for the finished pictures.
        shown: Whether the curves are shown, or wait for a guess.
    """

    step = t.Int(0, help="Step on show.").tag(sync=True, echo_update=False)
    shown = t.Bool(True, help="Whether the curves are shown.").tag(sync=True)
    _prompts: t.List[Any] = t.List().tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _negative = t.Unicode("").tag(sync=True)
    _weights = t.Dict().tag(sync=True)

    def __init__(
        self,
        controller: RunController | None,
        first: Trace,
        second: Trace,
        *,
        known_words: tuple[str, ...] | list[str] = (),
    ) -> None:
        super().__init__(controller, known_words=known_words)
        self._start = first
        self.show(first, second)

    def show(self, first: Trace, second: Trace) -> None:
        """Replace both runs.

        Raises:
            ValueError: They cannot be compared, or were recorded without previews.
        """
        if "x0" not in first.frames or "x0" not in second.frames:
            raise ValueError("These runs hold no frames to show. Record them with previews=True.")
        self.comparison: Comparison = compare(first, second)
        frames = {
            f"{name}/{part}": pictures
            for name, trace in zip(NAMES, (first, second), strict=True)
            for part, pictures in (("x0", trace.frames["x0"]), ("picture", (trace.picture,)))
        }
        frames["difference"] = (pixels.heat(self.comparison.difference)[0],)
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames(frames)
            self._prompts = [first.prompt, second.prompt]
            self._offer(second)
            self._negative = second.negative_prompt
            self._weights = dict(second.weights)
            self._facts = _facts(first, second, self.comparison)
            self.step = self._facts["count"]

    def draw(
        self,
        first: str,
        second: str,
        *,
        negative_prompt: str | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> tuple[Run, ...]:
        """Ask for runs of two sentences from the same noise; they are shown when both are done.

        Args:
            first: The first sentence.
            second: The second one.
            negative_prompt: What the second run is told to avoid; as in the first if not given.
            weights: Word of the second sentence -> how much it counts.

        Raises:
            ParameterError: A sentence cannot be run, or the run to start from cannot be made again.
        """
        like = replace(parameters_of(self._start), prompt=first, weights=())
        changed = replace(like, prompt=second, weights=tuple((weights or {}).items()))
        if negative_prompt is not None:
            changed = replace(changed, negative_prompt=negative_prompt)
        return self._have_drawn([like, changed], self.show)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        first, second = self._prompts
        return f"“{first}” beside “{second}”, {self.comparison.picture_rms:.1f} grey levels apart"

    def _asked(self, content: dict[str, Any]) -> None:
        if content.get("type") == "draw":
            weights = content.get("weights", {})
            self.draw(
                str(content.get("first", "")),
                str(content.get("second", "")),
                negative_prompt=str(content.get("negative", "")),
                weights=weights if isinstance(weights, dict) else {},
            )


def _facts(first: Trace, second: Trace, found: Comparison) -> dict[str, Any]:
    return {
        "count": min(first.calls, second.calls),
        "seed": None if first.seed is None else str(first.seed),
        "width": first.width,
        "height": first.height,
        "words": [[_written(one.before), _written(one.after)] for one in found.words],
        "others": _others(second, found),
        "half": _half(found.latents_rms),
        "apart": found.x0_rms.round(5).tolist(),
        "unfinished": found.latents_rms.round(5).tolist(),
        "picture_rms": round(found.picture_rms, 2),
    }


def _others(second: Trace, found: Comparison) -> list[str]:
    """What else was changed than words, in words."""
    told = [f"“{word}” counts × {weight:g}" for word, weight in second.weights.items()]
    if "negative_prompt" in found.parameters:
        negative = second.negative_prompt
        told.append(f"told to avoid “{negative}”" if negative else "not told to avoid anything")
    return told


def _half(apart: NDArray[np.float64]) -> int | None:
    """After how many steps half of the final difference is there; None if there is none."""
    if not apart[-1] > 0:
        return None
    return int(np.argmax(apart >= apart[-1] / 2))


def _written(words: Sequence[str]) -> str:
    """Write words side by side, with no blanks around what joins or ends them."""
    text = re.sub(r"(?<=\w) ([-'’]) (?=\w)", r"\1", " ".join(words))
    return re.sub(r" ([,.;:!?])", r"\1", text)
