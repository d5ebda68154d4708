"""Style measures: what was measured on drawings and on generated pictures of every style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.stages import style
from explainer.widgets.base import Widget

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from explainer.recorded.style import Measured


class StyleMeasures(Widget, scripts=("style_measures",)):
    """Lay out one measure for all styles: the middle half of the drawings, and each picture.

    Args:
        measures: What was measured, by the measure's name.

    Attributes:
        measure: The name of the measure on show.
        shown: Whether the values are shown, or wait for a guess.

    Raises:
        ValueError: Nothing was measured.
    """

    measure = t.Unicode("", help="The measure on show.").tag(sync=True, echo_update=False)
    shown = t.Bool(True, help="Whether the values are shown.").tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _own = t.Dict().tag(sync=True)

    def __init__(self, measures: Mapping[str, Measured]) -> None:
        if not measures:
            raise ValueError("Nothing was measured. Run `make assets` once the weights are there.")
        super().__init__()
        meanings = {one.name: one.meaning for one in style.MEASURES}
        self._facts = {
            name: {"meaning": meanings.get(name, ""), **one._asdict()}
            for name, one in measures.items()
        }
        self.measure = next(iter(measures))

    def add(self, name: str, picture: NDArray[np.uint8]) -> None:
        """Measure a picture of the reader's too, in place of the one before.

        Args:
            name: What it is called.
            picture: uint8, shape (height, width, 3).
        """
        self._own = {"name": name, "values": style.measured(picture)}

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        one = self._facts[self.measure]
        medians = ", ".join(f"{title} {cuts[1]:g}" for title, cuts in one["drawings"].items())
        return f"{self.measure} ({one['meaning']}), median of the drawings: {medians}"

    @t.validate("measure")
    def _check_measure(self, proposal: dict[str, Any]) -> str:
        name = str(proposal["value"])
        if name not in self._facts:
            raise t.TraitError(f"There is no measure {name!r}, only {', '.join(self._facts)}.")
        return name
