"""The walks: pictures between two latents, two noises or two prompts, and into noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.parameters import MAX_PROMPT
from explainer.sharing import parameters_of
from explainer.stages import walk
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from explainer.runs import RunController, Task
    from explainer.trace import Trace

KINDS = {
    "noise": "Into noise, in pixels and in latents",
    "latents": "Between two pictures",
    "noises": "Between two noises",
    "prompts": "Between two sentences",
}


class Walks(Asking, scripts=("curve", "asking", "walks")):
    """Slide along ways through pixels, latents, noise and sentences, straight and on the sphere.

    Args:
        trace: A finished run; where every walk begins.
        other: Another of the same size; where the walk between two pictures ends.
        second: The sentence that the walk between two sentences ends at.
        walks: What was walked before, by kind: "noise", "latents", "noises", "prompts".
        controller: Walks others; None for a page that only shows.

    Attributes:
        kind: Which walk is on show.
        position: Which of its places.
        walks: All walks so far, by kind.
    """

    kind = t.Enum(list(KINDS), "noise", help="The walk on show.").tag(sync=True)
    position = t.Int(0, help="The place on show, from 0.").tag(sync=True, echo_update=False)
    _facts = t.Dict().tag(sync=True)

    def __init__(
        self,
        trace: Trace,
        other: Trace,
        second: str,
        walks: Mapping[str, walk.Walk] | None = None,
        *,
        controller: RunController | None = None,
    ) -> None:
        super().__init__()
        self._trace, self._other, self._second = trace, other, second
        self.walks = dict(walks or {})
        self._tell()
        self.position = walk.PLACES // 2
        self._serve(controller)

    def ask(self, kind: str, *, second: str | None = None, seed: int | None = None) -> Task:
        """Have a walk walked, and show it.

        Args:
            kind: Which.
            second: The sentence to end at; the one given before by default.
            seed: The seed whose noise to end at; the next one by default.

        Raises:
            ParameterError: The sentence, the seed or the trace's own run cannot be asked for.
            KeyError: There is no such kind.
            RuntimeError: There is no controller.
        """
        base = parameters_of(self._trace)
        end = replace(
            base,
            prompt=self._second if second is None else second,
            seed=(base.seed + 1) % 2**32 if seed is None else seed,
        )
        ways: dict[str, Callable[[Any, walk.Watch], walk.Walk | None]] = {
            "noise": lambda pipe, watch: walk.into_noise(
                pipe, np.asarray(self._trace.image(), np.uint8), watch
            ),
            "latents": lambda pipe, watch: walk.between_latents(
                pipe,
                self._trace.latents[-1].astype(np.float32),
                self._other.latents[-1].astype(np.float32),
                watch,
            ),
            "noises": lambda pipe, watch: walk.between_noises(pipe, base, end.seed, watch),
            "prompts": lambda pipe, watch: walk.between_prompts(pipe, base, end.prompt, watch),
        }
        chosen = ways[kind]

        def work(pipe: Any, task: Task) -> tuple[str, str, walk.Walk | None]:
            watch = walk.Watch(lambda done: task.update(step=done), task.asked_to_stop)
            return kind, end.prompt, chosen(pipe, watch)

        drawn = base.steps if kind in {"noises", "prompts"} else 0
        return self._begin(work, walk.steps_of(kind, base.steps), steps=drawn)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        shown = self.walks.get(self.kind)
        name = KINDS[self.kind].lower()
        return f"{name}, {shown.places[self.position] if shown else 'not walked yet'}"

    @t.validate("position")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 0), walk.PLACES - 1)

    def _tell(self) -> None:
        frames = {
            f"{kind}-{row}": pictures
            for kind, one in self.walks.items()
            for row, pictures in enumerate(one.pictures.values())
        }
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames(frames)
            self._facts = {
                "kinds": KINDS,
                "second": self._second,
                "longest": MAX_PROMPT,
                "count": walk.PLACES,
                "walks": {
                    kind: {
                        "places": list(one.places),
                        "ways": list(one.pictures),
                        "lengths": {way: list(values) for way, values in one.lengths.items()},
                    }
                    for kind, one in self.walks.items()
                },
            }

    def _asked(self, content: dict[str, Any]) -> None:
        kind = str(content.get("kind", self.kind))
        if kind not in KINDS:
            raise ValueError("There is no such walk. Choose one of those above.")
        self.ask(kind, second=str(content["second"]) if "second" in content else None)

    def _answer(self, result: Any) -> None:
        kind, second, walked = result
        if kind == "prompts":
            self._second = second
        self.walks = {**self.walks, kind: walked}
        self._tell()
        self.kind = kind
