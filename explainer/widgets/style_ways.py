"""Style ways: two styles mixed, or one carried over to another sentence as a direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.parameters import MAX_PROMPT, RunParameters
from explainer.stages import style, style_ways, walk
from explainer.stages.swap import plain_shares
from explainer.widgets import pixels
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from explainer.runs import RunController, Task
    from explainer.stages.swap import Judge

FIELDS = {
    "mix": {
        "sentence": "What the pictures show",
        "first": "From this style",
        "second": "to this one",
    },
    "transfer": {
        "donor": "Take from this sentence",
        "style": "what these words add to it",
        "sentence": "and give it to this one",
    },
    "carriers": {"sentence": "Your own sentence", "style": "Style words"},
}
"""Kind of way -> what the reader fills in: name and label of each field."""
_WORK: dict[str, tuple[Callable[..., style_ways.StyleWay | None], Callable[[int], int]]] = {
    "mix": (style_ways.mix, style_ways.steps_of_mix),
    "transfer": (style_ways.transfer, style_ways.steps_of_transfer),
    "carriers": (style_ways.carriers, style_ways.steps_of_carriers),
}
"""Kind of way -> what draws it, and how many steps that takes."""


class StyleWays(Asking, scripts=("curve", "asking", "style_parts", "style_ways")):
    """Slide along a way between styles, with what is measured on each picture.

    Args:
        base: All of it but its prompt serves for every run.
        kind: "mix", "transfer" or "carriers", a function of `explainer.stages.style_ways`.
        form: What the fields hold at first, by their names; see `FIELDS`.
        way: What was drawn before; None to begin with nothing.
        controller: Draws others; None for a page that only shows.
        judge: Measures by CLIP, see `explainer.stages.swap`; None measures by pixels alone.

    Attributes:
        position: Which place is on show, from 0.
        shown: Whether curve and measures are shown, or wait for a guess.
        way: What is on show, or None.

    Raises:
        KeyError: There is no such kind of way, or a field lacks its text.
    """

    position = t.Int(0, help="Which place is on show.").tag(sync=True, echo_update=False)
    shown = t.Bool(True, help="Whether the measures are shown.").tag(sync=True)
    way = t.Any(None, allow_none=True, help="What is on show.")
    _kind = t.Unicode().tag(sync=True)
    _fields: t.List[Any] = t.List().tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _longest = t.Int(MAX_PROMPT).tag(sync=True)

    def __init__(
        self,
        base: RunParameters,
        kind: str,
        form: Mapping[str, str],
        way: style_ways.StyleWay | None = None,
        *,
        controller: RunController | None = None,
        judge: Judge | None = None,
    ) -> None:
        labels = FIELDS[kind]
        super().__init__()
        self._base, self._judge, self._kind = base, judge, kind
        self._fields = [
            {"name": name, "label": label, "text": form[name]} for name, label in labels.items()
        ]
        if way is not None:
            self.show(way)
        self._serve(controller)

    def show(self, way: style_ways.StyleWay) -> None:
        """Replace what is shown; the slider begins in the middle."""
        frames = {"pictures": way.pictures}
        if way.goal is not None:
            frames["goal"] = (way.goal,)
        with self.hold_sync():
            self.way = way
            self._frames, self._frame_index = pack_frames(frames)
            self._facts = {
                "sentence": way.sentence,
                "ends": list(way.ends),
                "places": list(way.places),
                "pixels": plain_shares(way.pixels),
                "clip": plain_shares(way.clip),
                "measures": {
                    one.name: [round(one.of(pixels.opened(picture)), 2) for picture in way.pictures]
                    for one in style.MEASURES
                },
            }
            self.position = len(way.places) // 2

    def ask(self, **texts: str) -> Task:
        """Have another way drawn.

        Args:
            **texts: What the fields hold, by their names; see `FIELDS`.

        Raises:
            ParameterError: A text is missing or cannot be run, or both styles are the same.
            RuntimeError: There is no controller.
        """
        base = replace(self._base, prompt=texts["sentence"])
        # What each kind takes besides the sentence, and what is wrong with it before it is queued.
        if self._kind == "mix":
            given: tuple[str, ...] = texts["first"], texts["second"]
            style_ways.check_mix(*given)
        elif self._kind == "transfer":
            given = texts["donor"], texts["style"]
            style_ways.check_transfer(*given)
        else:
            given = (texts["style"],)
            style_ways.check_transfer(base.prompt, *given)
        draw, steps = _WORK[self._kind]

        def work(pipe: Any, task: Task) -> style_ways.StyleWay | None:
            watch = walk.Watch(lambda done: task.update(step=done), task.asked_to_stop)
            return draw(pipe, base, *given, judge=self._judge, watch=watch)

        return self._begin(work, steps(base.steps), steps=base.steps)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        if not self._facts:
            return "no way between styles drawn yet"
        start, end = self._facts["ends"]
        place = self._facts["places"][self.position]
        return f"“{self._facts['sentence']}”, from {start} to {end}: {place}"

    @t.validate("position")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        last = len(self._facts["places"]) - 1 if self._facts else 0
        return min(max(int(proposal["value"]), 0), last)

    def _asked(self, content: dict[str, Any]) -> None:
        self.ask(**{one["name"]: str(content.get(one["name"], "")) for one in self._fields})

    def _answer(self, result: Any) -> None:
        self.show(result)
