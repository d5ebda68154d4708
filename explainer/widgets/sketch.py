"""The sketch: drawn in the page, noised to a chosen strength, and denoised with a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.parameters import GUIDANCE_SCALE, MAX_PROMPT, STEPS
from explainer.stages import sketch
from explainer.widgets import pixels
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from explainer.runs import RunController, Task


class Sketch(Asking, scripts=("cells", "asking", "sketch")):
    """Draw with a few colours, or take a drawn example, and have the model make a picture of it.

    Args:
        examples: Pictures to begin with, by title: uint8, shape (size, size, 3), all of one size.
        prompt: What the picture is to be, to begin with.
        controller: Draws; None for a page that only shows.
        steps: Of a whole run.
        guidance_scale: Of every run.

    Attributes:
        redrawn: What became of the last sketch, or None.

    Raises:
        ValueError: There is no example, or they are no squares of one size.
    """

    redrawn = t.Any(None, allow_none=True, help="What became of the last sketch.")
    _pixels = pixels.Pixels("_size")
    _choices = t.Bytes(b"").tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _result = t.Dict().tag(sync=True)

    def __init__(
        self,
        examples: Mapping[str, NDArray[np.uint8]],
        prompt: str,
        *,
        controller: RunController | None = None,
        steps: int = STEPS,
        guidance_scale: float = GUIDANCE_SCALE,
    ) -> None:
        shapes = {picture.shape for picture in examples.values()}
        if len(shapes) != 1 or (shape := shapes.pop())[0] != shape[1] or shape[2:] != (3,):
            raise ValueError("Give at least one example, all squares of one size with 3 colours.")
        super().__init__()
        self._size, self._steps, self._guidance = int(shape[0]), steps, guidance_scale
        with self.hold_sync():
            self._facts = {
                "size": self._size,
                "titles": list(examples),
                "prompt": prompt,
                "longest": MAX_PROMPT,
                "steps": steps,
            }
            self._choices = b"".join(picture.tobytes() for picture in examples.values())
            self._pixels = next(iter(examples.values())).tobytes()
        self._serve(controller)

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The sketch on show: uint8, shape (size, size, 3)."""
        return pixels.square(self._pixels)

    def ask(self, prompt: str, *, strength: float = 0.6, seed: int = 0) -> Task:
        """Have the sketch redrawn with a prompt.

        Raises:
            ValueError: The prompt is too long, or the strength leaves no step to take, or more
                than the limits allow.
            RuntimeError: There is no controller.
        """
        return self._redraw(self._pixels, prompt, strength, seed)

    def _redraw(self, drawn: bytes, prompt: str, strength: float, seed: int) -> Task:
        if len(drawn) != 3 * self._size**2:
            raise ValueError(f"A sketch has {self._size} × {self._size} pixels. Draw it again.")
        if len(prompt) > MAX_PROMPT:
            raise ValueError(f"Shorten the text to {MAX_PROMPT} characters.")
        total = sketch.steps_taken(self._steps, strength) if 0 < strength <= 1 else 0
        if total < 1:
            raise ValueError(f"Choose a strength from {1 / self._steps:g} to 1.")
        picture = pixels.square(drawn).copy()

        def work(pipe: Any, task: Task) -> sketch.Redrawn | None:
            return sketch.redraw(
                pipe,
                picture,
                prompt,
                strength=strength,
                steps=self._steps,
                guidance_scale=self._guidance,
                seed=seed,
                on_step=lambda done, _total: task.update(step=done),
                cancelled=task.asked_to_stop,
            )

        return self._begin(work, total, steps=total)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        if self.redrawn is None:
            return f"a sketch of {self._size} × {self._size} pixels, not redrawn yet"
        made = self.redrawn
        return f"a sketch redrawn as “{made.prompt}”, {made.steps} of {self._steps} steps"

    def _on_message(self, widget: Any, content: Any, buffers: Any) -> None:
        # With the question, since the trait may come after it.
        super()._on_message(widget, {**content, "sketch": b"".join(buffers)}, buffers)

    def _asked(self, content: dict[str, Any]) -> None:
        try:
            self._redraw(
                content["sketch"],
                str(content.get("prompt", "")),
                float(content.get("strength", 0.6)),
                int(content.get("seed", 0)),
            )
        except (TypeError, OverflowError) as error:
            raise ValueError("Strength and seed are numbers. Set them again.") from error

    def _answer(self, result: Any) -> None:
        frames = {
            name: [pixels.lossless(getattr(result, name))]
            for name in ("sketch", "noised", "picture")
        }
        with self.hold_sync():
            self.redrawn = result
            self._frames, self._frame_index = pack_frames(frames)
            self._result = {
                "prompt": result.prompt,
                "strength": result.strength,
                "steps": result.steps,
            }
