"""The cloud: a diffusion model of points on a plane, trained in the page while one watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

SHAPES = ("heart", "ring", "two moons", "spiral")
MAX_POINTS = 5000
MAX_STEPS = 20_000


class Cloud(Widget, scripts=("cells", "dice", "cloud_model", "cloud")):
    """Train a small diffusion model on points, drawn or chosen, and follow noise into their shape.

    All of it is computed in the browser, with or without a kernel.

    Args:
        points: Where the points are, shape (n, 2), from -1 to 1 with y upwards; a heart if not
            given.
        steps: Steps of training, 1 to 20,000.

    Attributes:
        points: The points on show, as pairs; whatever the reader draws arrives here.
        steps: Steps of training.
        samples: Where 300 points of noise ended after the last training, as pairs.

    Raises:
        TraitError: The points are not pairs of finite numbers, or too many.
    """

    points: t.List[Any] = t.List(help="The points, as pairs.").tag(sync=True, echo_update=False)
    steps = t.Int(2000, help="Steps of training.").tag(sync=True)
    samples: t.List[Any] = t.List(help="Where noise ended.").tag(sync=True, echo_update=False)
    _most = t.Int(MAX_POINTS).tag(sync=True)
    _shapes: t.List[str] = t.List(list(SHAPES)).tag(sync=True)
    _shape = t.Unicode("").tag(sync=True)

    def __init__(self, points: ArrayLike | None = None, *, steps: int = 2000) -> None:
        super().__init__()
        self.steps = steps
        if points is None:
            self._shape = SHAPES[0]
        else:
            self.points = np.asarray(points, dtype=np.float64).tolist()

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        shown = f"{len(self.points)} points" if self.points else f"the shape {self._shape}"
        return f"a small diffusion model that learns {shown} in the page"

    @t.validate("steps")
    def _check_steps(self, proposal: dict[str, Any]) -> int:
        if not 1 <= proposal["value"] <= MAX_STEPS:
            raise t.TraitError(f"Train for 1 to {MAX_STEPS:,} steps, not {proposal['value']:,}.")
        return int(proposal["value"])

    @t.validate("points")
    def _check_points(self, proposal: dict[str, Any]) -> list[list[float]]:
        points = np.asarray(proposal["value"] or np.zeros((0, 2)), dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            raise t.TraitError(f"Points are pairs of finite numbers, not {points.shape}.")
        if len(points) > MAX_POINTS:
            raise t.TraitError(f"At most {MAX_POINTS:,} points, not {len(points):,}.")
        return points.tolist()
