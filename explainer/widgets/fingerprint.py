"""The fingerprint: what a prompt comes to in numbers, as coloured cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Fingerprint(Widget, scripts=("cells", "fingerprint")):
    """Show one vector or several of the same length, such as pooled embeddings of prompts.

    All are coloured on one scale, blue below zero and orange above, so that they can be compared
    cell by cell. Pointing at a cell, or the arrow keys, read its number in every vector.

    Args:
        vectors: (d,) numbers, or several such by their label.

    Raises:
        ValueError: There is no vector, or they differ in length or hold no finite numbers.
    """

    _labels = t.List(t.Unicode()).tag(sync=True)
    _values = t.Bytes(b"").tag(sync=True)
    _limit = t.Float(1.0).tag(sync=True)

    def __init__(self, vectors: ArrayLike | Mapping[str, ArrayLike]) -> None:
        super().__init__()
        self.show(vectors)

    def show(self, vectors: ArrayLike | Mapping[str, ArrayLike]) -> None:
        """Replace what is shown; the argument and errors are the class's."""
        named: dict[str, Any] = dict(vectors) if isinstance(vectors, Mapping) else {"": vectors}
        rows = [np.asarray(vector, dtype="<f4") for vector in named.values()]
        if not rows or any(row.ndim != 1 or row.shape != rows[0].shape for row in rows):
            shapes = ", ".join(str(row.shape) for row in rows) or "none"
            raise ValueError(f"Give vectors of one length, shape (d,) each; these are {shapes}.")
        values = np.stack(rows)
        if values.size == 0 or not np.isfinite(values).all():
            raise ValueError("The vectors must hold finite numbers, at least one each.")
        with self.hold_sync():
            self._labels = list(named)
            self._values = values.tobytes()
            # The 99th percentile: a single great number would leave all others pale.
            self._limit = float(np.quantile(np.abs(values), 0.99)) or 1.0

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        count = len(self._values) // 4 // max(1, len(self._labels))
        names = ", ".join(f"“{label}”" for label in self._labels if label) or "a vector"
        return f"{names}: {count} numbers"
