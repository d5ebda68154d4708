"""Channels: the latents one by one, to be switched off, turned up, or exchanged, and decoded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.stages import latent
from explainer.widgets import pixels
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from explainer.runs import RunController, Task
    from explainer.trace import Trace

MOST = 4.0
"""How far a channel can be turned up."""


class Channels(Asking, scripts=("cells", "asking", "channels")):
    """Change the channels of a picture's latents and see what the decoder makes of them.

    Args:
        trace: A finished run, whose picture is changed.
        other: Another run of the same size, whose channels can take the place of the first's.
        controller: Decodes; None for a page that only shows.

    Attributes:
        gains: What each channel is multiplied by, 0 (off) to 4.
        swapped: Whether each channel is the other picture's.

    Raises:
        ValueError: The two runs differ in size.
    """

    gains: t.List[float] = t.List(help="What each channel is multiplied by.").tag(sync=True)
    swapped: t.List[bool] = t.List(help="Whether each is the other's.").tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _levels = t.Bytes(b"").tag(sync=True)

    def __init__(
        self, trace: Trace, other: Trace, *, controller: RunController | None = None
    ) -> None:
        super().__init__()
        self.show(trace, other)
        self._serve(controller)

    def show(self, trace: Trace, other: Trace) -> None:
        """Replace the runs on show; every channel is as it was made.

        Raises:
            ValueError: They differ in size.
        """
        first, second = (one.latents[-1].astype(np.float32) for one in (trace, other))
        channels, height, width = first.shape
        latent.mixed(first, second, [1.0] * channels, [False] * channels)
        self.cancel()
        self._first, self._second = first, second
        limit = pixels.limit_of(np.stack([first, second]))
        self._pictures = [trace.picture, other.picture]
        with self.hold_sync():
            self.gains, self.swapped = [1.0] * channels, [False] * channels
            self._levels = pixels.levels(np.stack([first, second]), limit)
            self._draw(trace.picture)
            self._facts = {
                "shape": [channels, height, width],
                "limit": limit,
                "prompts": [trace.prompt, other.prompt],
                "shown": {"gains": self.gains, "swapped": self.swapped},
            }

    def ask(self) -> Task:
        """Have the channels decoded as `gains` and `swapped` say.

        Raises:
            RuntimeError: There is no controller.
        """
        return self._decode(list(self.gains), list(self.swapped))

    def _decode(self, gains: list[float], swapped: list[bool]) -> Task:
        first = self._first
        wanted = latent.mixed(first, self._second, gains, swapped)

        def work(pipe: Any, task: Task) -> tuple[latent.Latents, list[float], list[bool], bytes]:
            picture = pixels.lossless(latent.decode(pipe, wanted))
            task.update(step=1)
            return first, gains, swapped, picture

        return self._begin(work, 1)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        changed = [
            f"channel {place + 1} {'of the other picture ' if swapped else ''}× {gain:g}"
            for place, (gain, swapped) in enumerate(zip(self.gains, self.swapped, strict=True))
            if gain != 1 or swapped
        ]
        return f"{len(self.gains)} channels: {', '.join(changed) or 'none changed'}"

    def _draw(self, picture: bytes) -> None:
        frames = {"pictures": self._pictures, "result": [picture]}
        self._frames, self._frame_index = pack_frames(frames)

    @t.validate("gains")
    def _check_gains(self, proposal: dict[str, Any]) -> list[float]:
        try:
            return _bounded(proposal["value"])
        except ValueError as error:
            raise t.TraitError(str(error)) from error

    def _asked(self, content: dict[str, Any]) -> None:
        # Not from the traits: they may come after the question.
        try:
            gains = _bounded(content["gains"])
            swapped = [bool(one) for one in content["swapped"]]
        except (KeyError, TypeError) as error:
            raise ValueError("Say how much of each channel, and of which picture.") from error
        self._decode(gains, swapped)

    def _answer(self, result: Any) -> None:
        first, gains, swapped, picture = result
        if first is not self._first:  # done at the moment when other runs came
            return
        with self.hold_sync():
            self._draw(picture)
            self._facts = {**self._facts, "shown": {"gains": gains, "swapped": swapped}}


def _bounded(gains: Iterable[float]) -> list[float]:
    numbers = [float(gain) for gain in gains]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("A channel can be multiplied by finite numbers only.")
    return [min(max(number, 0.0), MOST) for number in numbers]
