"""The plot: a few curves, read by pointing at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Plot(Widget, scripts=("plot",)):
    """Show curves on one pair of axes.

    Args:
        curves: Points of each curve in order, shape (n, 2), by its name.
        x: What the horizontal axis is.
        y: What the vertical axis is.
        percent: Write the vertical axis's shares as percent.
        log: Give the horizontal axis a logarithmic scale, where all is above 0.
        equal: Give both axes one scale, as a map has; where the curves begin and end is marked.

    Attributes:
        position: The point that is marked on every curve; linked to a step, it walks along.
        shown: Whether the curves are shown, or wait for a guess.

    Raises:
        ValueError: There is no curve, one is no list of pairs, or a logarithm is wanted of what
            is not above 0.
    """

    position = t.Int(-1, help="The marked point; -1 for none.").tag(sync=True)
    shown = t.Bool(True, help="Whether the curves are shown.").tag(sync=True)
    _curves = t.Dict().tag(sync=True)
    _words = t.Dict().tag(sync=True)

    def __init__(self, curves: Mapping[str, ArrayLike], **axes: Any) -> None:
        super().__init__()
        self.show(curves, **axes)

    def show(
        self,
        curves: Mapping[str, ArrayLike],
        *,
        x: str = "",
        y: str = "",
        percent: bool = False,
        log: bool = False,
        equal: bool = False,
    ) -> None:
        """Replace what is shown; the arguments are the class's."""
        arrays = {name: np.asarray(points, dtype=np.float64) for name, points in curves.items()}
        if not arrays:
            raise ValueError("A plot needs at least one curve.")
        for name, points in arrays.items():
            if points.ndim != 2 or points.shape[1] != 2 or not len(points):
                raise ValueError(f"The curve {name!r} is no list of pairs: {points.shape}.")
            if not np.isfinite(points).all():
                raise ValueError(f"The curve {name!r} holds numbers that are not finite.")
            if log and not (points[:, 0] > 0).all():
                raise ValueError(f"The curve {name!r} has no logarithm at 0 and below.")
        with self.hold_sync():
            self._words = {"x": x, "y": y, "percent": percent, "log": log, "equal": equal}
            self._curves = {name: points.tolist() for name, points in arrays.items()}

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        names = ", ".join(f"{name} ({len(points)} points)" for name, points in self._curves.items())
        return f"{self._words['y']} by {self._words['x']}: {names}"
