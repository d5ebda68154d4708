"""Panels: latents of several kinds beside each other, along one slider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import traitlets as t

from explainer.parameters import MAX_PROMPT
from explainer.stages import noise
from explainer.widgets.asking import Asking
from explainer.widgets.base import Widget, pack_frames
from explainer.widgets.player import noise_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.runs import RunController, Task
    from explainer.stages.guesses import Guesses as Guessed
    from explainer.trace import Trace


class _Panel(NamedTuple):
    """One kind of latents: shape (n, C, h, w), its name, what it is, and the group of its scale."""

    values: NDArray[np.floating[Any]]
    name: str
    meaning: str
    scale: str


class _Panels(Widget, scripts=("cells", "curve", "panels")):
    """What both widgets below share; panels of one scale have the same colours."""

    position = t.Int(0, help="Where the slider stands.").tag(sync=True)
    shown = t.Bool(True, help="Whether the curve is shown, or waits for a guess.").tag(sync=True)
    _values = t.Bytes(b"").tag(sync=True)
    _layout = t.Dict().tag(sync=True)

    def _lay_out(
        self,
        panels: Sequence[_Panel],
        pictures: Sequence[tuple[str, Sequence[bytes]]],
        **layout: Any,
    ) -> None:
        """Send panels of n positions, pictures of n positions or one, and words for them."""
        count, channels, height, width = panels[0].values.shape
        limits: dict[str, float] = {}
        for panel in panels:
            here = float(3 * np.sqrt(np.mean(panel.values.astype(np.float64) ** 2)))
            limits[panel.scale] = max(limits.get(panel.scale, 0.0), here, 1e-6)
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames(
                {f"pictures-{i}": frames for i, (_, frames) in enumerate(pictures)}
            )
            # float16, little-endian: what a trace itself keeps its predictions in.
            self._values = b"".join(panel.values.astype("<f2").tobytes() for panel in panels)
            self._layout = {
                "shape": [count, channels, height, width],
                "panels": [
                    {
                        "name": panel.name,
                        "meaning": panel.meaning,
                        "limit": limits[panel.scale],
                        "rms": [float(size) for size in noise.rms(panel.values)],
                    }
                    for panel in panels
                ],
                "pictures": [title for title, _ in pictures],
                **layout,
            }
            self.position = min(self.position, count - 1)

    @t.validate("position")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        last = self._layout["shape"][0] - 1 if self._layout else 0
        return min(max(int(proposal["value"]), 0), last)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        return ": ".join(self._layout["positions"][self.position])


class Anatomy(_Panels):
    """Take each step of a run apart: what went in, what was predicted, what was removed and put in.

    Args:
        trace: The run to show, with or without frames.
        position: Which denoiser call to stand at, from 0; the first by default.
    """

    def __init__(self, trace: Trace, *, position: int = 0) -> None:
        super().__init__()
        self.show(trace)
        self.position = position

    def show(self, trace: Trace) -> None:
        """Replace the run on show."""
        parts = noise.anatomy(trace)
        kind = "noise" if trace.prediction_type == "epsilon" else "prediction"
        panels = [_Panel(parts.state, "Noisy state", "what goes in", "state")]
        if (
            parts.unconditional is not None
            and parts.conditional is not None
            and parts.difference is not None
        ):
            without = "with the negative prompt" if trace.negative_prompt else "without the text"
            panels += [
                _Panel(parts.unconditional, f"Predicted {without}", kind, "prediction"),
                _Panel(parts.conditional, "Predicted with the text", kind, "prediction"),
                _Panel(parts.difference, "Their difference", "what the text says", "difference"),
            ]
        guided, how = "Predicted", kind
        if len(panels) > 1:
            guided, how = "Guided", f"without, plus {trace.guidance_scale:g} × the difference"
        panels += [
            _Panel(parts.guided, guided, how, "prediction"),
            _Panel(parts.removed, "Removed", "what this step takes away", "step"),
            *([] if parts.added is None else [_Panel(parts.added, "Put in", "new noise", "step")]),
            _Panel(parts.expected, "Clean latents predicted now", "x0", "state"),
        ]
        titles = {"noisy": "Noisy state", "x0": "The picture predicted now"}
        pictures = [
            (title, trace.frames[name][: trace.calls])
            for name, title in titles.items()
            if name in trace.frames
        ]
        changes = [None, *map(float, parts.changes[1:])]
        self._lay_out(
            panels,
            pictures,
            slider={"label": "Step of the run", "from": "first step", "to": "last step"},
            curve=changes,
            curve_words="How much the predicted picture changed since the step before (RMS of x0)",
            positions=_steps_in_words(trace, parts.distances, changes),
        )


def _steps_in_words(
    trace: Trace, distances: NDArray[np.float64], changes: Sequence[float | None]
) -> list[tuple[str, str]]:
    """Name each step, and say what was measured there."""
    shares = noise_shares(trace)
    words = []
    for k in range(trace.calls):
        share = shares[k]
        facts = [
            f"timestep {trace.timesteps[k]:.0f}",
            "" if share is None else f"{100 * share:.1f} % noise",
            "" if changes[k] is None else f"prediction changed by {changes[k]:.3f}",
            f"{distances[k]:.3f} from the end",
        ]
        words.append((f"Step {k + 1} of {trace.calls}", " · ".join(filter(None, facts))))
    return words


class Guesses(Asking, _Panels, scripts=("cells", "curve", "panels", "asking", "guesses")):
    """Show the noise that was added beside the noise that a model guessed, level by level.

    Args:
        guesses: What the model made of one picture.
        position: Which level to stand at, from 0; the middle one by default.
        controller: Asks the model about another picture; None for a page that only shows.
        source: Gives that picture: uint8, shape (size, size, 3).

    Attributes:
        guesses: What is on show.
    """

    guesses = t.Any(None, help="What is on show.")

    def __init__(
        self,
        guesses: Guessed,
        *,
        position: int | None = None,
        controller: RunController | None = None,
        source: Callable[[], NDArray[np.uint8]] | None = None,
    ) -> None:
        super().__init__()
        self._source = source
        self.show(guesses)
        self.position = len(guesses.timesteps) // 2 if position is None else position
        self._serve(None if source is None else controller)

    def ask(self, prompt: str = "") -> Task:
        """Ask the model about the source's picture and show what it says.

        Args:
            prompt: What to tell the model about the picture.

        Raises:
            RuntimeError: There is no controller or no source.
        """
        from explainer.stages import guesses

        if self._source is None:
            raise self._nobody()
        picture = self._source().copy()

        def work(pipe: Any, task: Task) -> Guessed | None:
            return guesses.ask(
                pipe,
                picture,
                prompt,
                on_level=lambda done, total: task.update(step=done, total=total),
                cancelled=task.asked_to_stop,
            )

        return self._begin(work, len(guesses.TIMESTEPS))

    def _asked(self, content: dict[str, Any]) -> None:
        prompt = str(content.get("prompt", ""))
        if len(prompt) > MAX_PROMPT:
            raise ValueError(f"Shorten the text to {MAX_PROMPT} characters.")
        self.ask(prompt)

    def _answer(self, result: Any) -> None:
        self.show(result)

    def show(self, guesses: Guessed) -> None:
        """Replace what is shown."""
        self.guesses = guesses
        added = np.broadcast_to(guesses.noise, guesses.guess.shape)
        errors = [float(error) for error in guesses.errors]
        self._lay_out(
            [
                _Panel(added, "Noise added", "known, since we added it", "noise"),
                _Panel(
                    guesses.guess,
                    "The model's guess",
                    "from the noisy state and the caption",
                    "noise",
                ),
                _Panel(guesses.missed, "What it got wrong", "guess less truth", "noise"),
            ],
            [
                ("The picture", [guesses.picture]),
                ("Hidden in noise", guesses.noisy),
                ("What the guess implies", guesses.expected),
            ],
            slider={"label": "Noise level", "from": "little noise", "to": "noise alone"},
            curve=errors,
            curve_words="Mean squared error of the guess by noise level; guessing nothing gets 1",
            positions=[
                (
                    f"Timestep {timestep}",
                    f"{100 * (1 - signal):.1f} % noise · error {error:.3f}",
                )
                for timestep, signal, error in zip(
                    guesses.timesteps, guesses.signal, errors, strict=True
                )
            ],
        )
