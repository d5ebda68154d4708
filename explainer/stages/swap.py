"""Swap: the prompt exchanged in the middle of a run, to see when it decides the picture."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.pictures import webp

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from explainer.parameters import RunParameters
    from explainer.trace import Trace

    Judge = Callable[[Sequence[Image.Image], tuple[str, str]], NDArray[np.float64]]

SWITCHES = 9


@dataclass(frozen=True, kw_only=True, eq=False)
class Swap:
    """Runs from one noise that change from a first prompt to a second, each at another step.

    Attributes:
        first: The prompt that every run begins with.
        second: The prompt that it ends with.
        seed: The seed of the noise.
        steps: Denoiser calls of each run.
        fingerprint: Hash of the weights, see `explainer.models.fingerprint`.
        switches: (n,) int64. Calls made for the first prompt, rising from 0 to `steps`.
        pixels: (n,) float64. How far the picture follows the first prompt, by pixels: its distance
            to the second prompt's own picture, as a share of its distances to both.
        clip: (n,) float64. The same by CLIP: the first prompt's share of a softmax over both; NaN
            where there was no judge.
        pictures: The finished picture of each run, as WebP.
    """

    first: str
    second: str
    seed: int
    steps: int
    fingerprint: str
    switches: NDArray[np.int64]
    pixels: NDArray[np.float64]
    clip: NDArray[np.float64]
    pictures: tuple[bytes, ...]

    def plain(self) -> dict[str, Any]:
        """Returns it as JSON can hold it."""
        return {
            "first": self.first,
            "second": self.second,
            "seed": self.seed,
            "steps": self.steps,
            "fingerprint": self.fingerprint,
            "switches": self.switches.tolist(),
            "pixels": plain_shares(self.pixels),
            "clip": plain_shares(self.clip),
            "pictures": [base64.b64encode(one).decode("ascii") for one in self.pictures],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes it as JSON."""
        text = json.dumps(self.plain(), indent=1)
        Path(path).write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Swap:
        """Reads what `save` wrote."""
        return cls.of_plain(json.loads(Path(path).read_text(encoding="utf-8")))

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Swap:
        """Returns what `plain` made JSON of."""
        return cls(
            **plain
            | {
                "switches": np.array(plain["switches"], np.int64),
                "pixels": np.array(plain["pixels"], np.float64),
                "clip": np.array(plain["clip"], np.float64),
                "pictures": tuple(base64.b64decode(one) for one in plain["pictures"]),
            }
        )


def plain_shares(values: NDArray[np.float64]) -> list[float | None]:
    """Returns shares as JSON can hold them: to four places, None where one is not known."""
    return [None if np.isnan(value) else round(value, 4) for value in values.tolist()]


def calls_in_all(calls: int) -> int:
    """Returns how many denoiser calls `swap` makes if a run takes so many."""
    return calls + int((calls - _switches(calls)[:-1]).sum())


def swap(
    pipe: Any,
    parameters: RunParameters,
    second: str,
    *,
    judge: Judge | None = None,
    on_step: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Swap | None:
    """Draws a prompt, then goes on from some of its steps with another prompt.

    Args:
        pipe: A pipeline that can be replayed.
        parameters: The run with the first prompt.
        second: The other prompt.
        judge: Says how far pictures show the first of two sentences rather than the second; see
            `clip_judge`.
        on_step: Called after each denoiser call with the number made and their total.
        cancelled: Asked after each call; once it says True, None is returned.

    Raises:
        ValueError: Both prompts give one picture, so that there is nothing to follow.
    """
    from explainer.capture import record, resume

    done = 0

    def counted(taken: int) -> Callable[[int, int, bytes | None], None]:
        return lambda call, calls, _preview: (
            on_step(done + max(0, call - taken), calls_in_all(calls)) if on_step else None
        )

    whole = record(
        pipe,
        **parameters.arguments(),
        previews=False,
        on_step=counted(0),
        cancelled=cancelled,
    )
    if cancelled is not None and cancelled():
        return None
    # Some schedulers call the denoiser more than once a step.
    done, stops = whole.calls, _switches(whole.calls)
    traces: list[Trace] = []
    for stop in map(int, stops[:-1]):
        if cancelled is not None and cancelled():
            return None
        changed = resume(
            pipe,
            whole,
            stop,
            prompt=second,
            previews=False,
            on_step=counted(stop),
            cancelled=cancelled,
        )
        traces.append(changed)
        done += whole.calls - stop
    if cancelled is not None and cancelled():
        return None
    return _measured([*traces, whole], second, stops, judge)


def _switches(calls: int) -> NDArray[np.int64]:
    """Where to change: after few of the many calls, before the first and after the last, too."""
    return np.unique(np.linspace(0, calls, SWITCHES).round().astype(np.int64))


def _measured(
    traces: Sequence[Trace], second: str, stops: NDArray[np.int64], judge: Judge | None
) -> Swap:
    whole = traces[-1]
    images = [trace.image() for trace in traces]
    unknown = np.full(len(images), np.nan)
    return Swap(
        first=whole.prompt,
        second=second,
        seed=whole.seed or 0,
        steps=whole.calls,
        fingerprint=whole.fingerprint,
        switches=stops,
        pixels=shares_by_pixels([np.asarray(image, np.float64) for image in images]),
        clip=unknown if judge is None else judge(images, (whole.prompt, second)),
        pictures=tuple(map(webp, images)),
    )


def shares_by_pixels(pictures: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Returns how far each picture is on the way from the first one, 0, to the last one, 1.

    Raises:
        ValueError: The first and the last picture are the same.
    """
    stack = np.stack([picture.ravel() for picture in pictures])
    from_first, from_last = (
        np.sqrt(((stack - end) ** 2).mean(axis=1)) for end in (stack[0], stack[-1])
    )
    if not from_first[-1]:
        raise ValueError("Both prompts give the same picture. Choose two that differ more.")
    shares: NDArray[np.float64] = from_first / (from_first + from_last)
    return shares


def clip_judge(folder: Path) -> Judge:
    """Returns a judge that asks the CLIP pair of a model folder, loaded at its first use."""
    from explainer.stages import clip

    images, texts = cache(clip.ImageEncoder), cache(clip.TextEncoder)

    def judge(pictures: Sequence[Image.Image], prompts: tuple[str, str]) -> NDArray[np.float64]:
        seen = images(folder).embed(pictures).astype(np.float64)
        cosines = seen @ texts(folder).embed(prompts).T
        margins = clip.logit_scale(folder) * (cosines[:, 0] - cosines[:, 1])
        shares: NDArray[np.float64] = 1 / (1 + np.exp(-margins))
        return shares

    return judge


def decided(switches: NDArray[np.int64], shares: NDArray[np.float64]) -> int | None:
    """Returns the first switch from which on the picture stays nearer to the first prompt's.

    None where it never does.
    """
    strayed = np.flatnonzero(~(shares > 0.5))  # a comparison with NaN is False
    after = int(strayed[-1]) + 1 if len(strayed) else 0
    return int(switches[after]) if after < len(switches) else None


def in_words(swapped: Swap) -> str:
    """Says between which steps it was decided, by pixels and by CLIP; nothing if by neither."""
    measured = {
        "which of the two the picture is nearer to, pixel by pixel,": swapped.pixels,
        "which of the two CLIP sees in it,": swapped.clip,
    }
    clauses: list[str] = []
    for what, shares in measured.items():
        after = decided(swapped.switches, shares)
        if after:  # at 0 even the second prompt's own picture passed for the first's
            before = swapped.switches[swapped.switches < after].max()
            verb = "" if clauses else " was decided"
            of = "" if clauses else f" of {swapped.steps}"
            clauses.append(f"{what}{verb} between step {before} and step {after}{of}")
    if not clauses:
        return ""
    told = "; ".join(clauses)
    return f"{told[0].upper()}{told[1:]}."
