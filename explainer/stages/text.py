"""Text: what the numbers of two sentences say about each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def similarity(a: ArrayLike, b: ArrayLike) -> float:
    """Returns the cosine of the angle between two vectors, as CLIP compares embeddings.

    Args:
        a: shape (d,), such as a trace's `pooled_embedding`.
        b: shape (d,).

    Returns:
        From -1 to 1; 1 for vectors of one direction.

    Raises:
        ValueError: the shapes differ, or a vector is zero.
    """
    first, second = (np.asarray(vector, dtype=np.float64) for vector in (a, b))
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f"two vectors of one length are compared, not {first.shape} and {second.shape}"
        )
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    if lengths == 0:
        raise ValueError("a vector of zeros has no direction to compare")
    return float(first @ second / lengths)
