"""One scene in several styles, from one noise: how far the runs part, step by step."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.parameters import MAX_SEED, RunParameters
from explainer.pictures import opened, webp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.trace import Trace

PLAIN = "no style words"
ANOTHER = "no style words, another seed"
MOMENTS = 14
"""At most so many steps of each run are kept."""
_QUALITY = 80


@dataclass(frozen=True, eq=False)
class StyleGrid:
    """Runs of k sentences that differ in their style words alone, at m moments.

    Attributes:
        sentence: What all of them show.
        prompts: Title -> whole prompt, in the order of the runs.
        seed: Of the noise that all but `ANOTHER` start from.
        steps: Denoiser calls of each run.
        moments: (m,) int64. Steps done at each moment, rising; the last one is `steps`.
        frames: Title -> picture predicted at each moment, as WebP; the last is the finished one.
        apart: (k, k, m) float64. Root mean square of the difference between two runs' predicted
            clean latents at each moment; at the last, between their finished latents.
    """

    sentence: str
    prompts: dict[str, str]
    seed: int
    steps: int
    moments: NDArray[np.int64]
    frames: dict[str, tuple[bytes, ...]]
    apart: NDArray[np.float64]

    def picture(self, title: str) -> NDArray[np.uint8]:
        """Return a finished picture: uint8, shape (height, width, 3)."""
        return np.asarray(opened(self.frames[title][-1]))

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "sentence": self.sentence,
            "prompts": self.prompts,
            "seed": self.seed,
            "steps": self.steps,
            "moments": self.moments.tolist(),
            "frames": {
                title: [base64.b64encode(one).decode("ascii") for one in frames]
                for title, frames in self.frames.items()
            },
            "apart": np.round(self.apart, 4).tolist(),
        }

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> StyleGrid:
        """Return what `plain` made JSON of."""
        return cls(
            **plain
            | {
                "moments": np.array(plain["moments"], np.int64),
                "frames": {
                    title: tuple(map(base64.b64decode, frames))
                    for title, frames in plain["frames"].items()
                },
                "apart": np.array(plain["apart"], np.float64),
            }
        )


def styled(sentence: str, style: str) -> str:
    """Returns a sentence with style words at its end."""
    return f"{sentence.strip().rstrip('.,;')}, {style}" if style else sentence.strip()


def runs(base: RunParameters, styles: tuple[str, ...]) -> dict[str, RunParameters]:
    """Returns the runs of a grid by their titles.

    The sentence without style words comes first, then every style, and last the sentence without
    style words from another seed: the yardstick for all other distances.

    Args:
        base: The run of the sentence without style words.
        styles: The style words.

    Raises:
        ParameterError: One of them cannot be run.
    """
    other = (base.seed + 1) % (MAX_SEED + 1)
    in_styles = {style: replace(base, prompt=styled(base.prompt, style)) for style in styles}
    return {PLAIN: base, **in_styles, ANOTHER: replace(base, seed=other)}


def grid(traces: Mapping[str, Trace]) -> StyleGrid:
    """Lays finished runs side by side.

    Args:
        traces: The runs of `runs`, by their titles, recorded with "x0" previews.

    Raises:
        ValueError: One holds no frames, or they differ in size or number of steps.
    """
    every = list(traces.values())
    if any("x0" not in trace.frames for trace in every):
        raise ValueError("These runs hold no frames to show. Record them with previews=True.")
    if len({trace.x0.shape for trace in every}) != 1:
        raise ValueError("These runs differ in size or steps. Record them with the same settings.")
    first = every[0]
    done = np.unique(np.linspace(1, first.calls, MOMENTS).round().astype(np.int64))
    return StyleGrid(
        sentence=first.prompt,
        prompts={title: trace.prompt for title, trace in traces.items()},
        seed=first.seed or 0,
        steps=first.calls,
        moments=done,
        frames={title: _frames(trace, done) for title, trace in traces.items()},
        apart=_apart(every, done),
    )


def _frames(trace: Trace, done: NDArray[np.int64]) -> tuple[bytes, ...]:
    early = [trace.frames["x0"][step - 1] for step in done[:-1]]
    return tuple(webp(one, _QUALITY) for one in (*map(opened, early), trace.image()))


def _apart(traces: list[Trace], done: NDArray[np.int64]) -> NDArray[np.float64]:
    """Between every two runs, at every moment."""
    states = np.stack(
        [np.concatenate([trace.x0[done[:-1] - 1], trace.latents[-1:]]) for trace in traces]
    ).astype(np.float64)
    flat = states.reshape(*states.shape[:2], -1)
    return np.sqrt(((flat[:, None] - flat[None]) ** 2).mean(axis=-1))
