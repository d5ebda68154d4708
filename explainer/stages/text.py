"""Text: what the numbers of two sentences say about each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


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


class Projection(NamedTuple):
    """Vectors seen on a plane.

    Attributes:
        points: (n, 2) float64.
        share: How much of the squared distances from the middle the plane shows, 0 to 1.
    """

    points: NDArray[np.float64]
    share: float


def similarities(vectors: ArrayLike) -> NDArray[np.float64]:
    """Returns the cosine of every vector with every other: (n, n) for vectors (n, d).

    Raises:
        ValueError: there are no such vectors, or one is zero.
    """
    rows = _rows(vectors)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError("a vector of zeros has no direction to compare")
    units = rows / lengths
    return np.clip(units @ units.T, -1, 1)


def principal_plane(vectors: ArrayLike) -> Projection:
    """Finds the plane that shows most of how vectors differ (principal component analysis).

    The singular value decomposition of the centred vectors (Pearson 1901; Jolliffe 2002). Each
    axis points where the greatest of its loadings is positive, so that the picture does not flip.

    Args:
        vectors: (n, d), at least two that differ.

    Raises:
        ValueError: all vectors are the same, or there is only one.
    """
    rows = _rows(vectors)
    centred = rows - rows.mean(axis=0)
    left, spreads, axes = np.linalg.svd(centred, full_matrices=False)
    # Rounding leaves a little of nothing: relative to the vectors, not to the differences.
    if len(rows) < 2 or spreads[0] <= 1e-6 * np.linalg.norm(rows):
        raise ValueError("a map needs at least two phrases that differ")
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    points = np.zeros((len(rows), 2))
    used = min(2, len(spreads))
    points[:, :used] = (left * spreads * signs)[:, :used]
    return Projection(points, float((spreads[:2] ** 2).sum() / (spreads**2).sum()))


def along(vectors: ArrayLike, start: ArrayLike, end: ArrayLike) -> NDArray[np.float64]:
    """Measures vectors along the straight line from one to another.

    Args:
        vectors: (n, d).
        start: (d,). What lies here gets 0.
        end: (d,). What lies here gets 1.

    Returns:
        (n,), also below 0 and above 1: how far along the line each vector's foot lies.

    Raises:
        ValueError: both ends are the same.
    """
    first, last = (np.asarray(vector, dtype=np.float64) for vector in (start, end))
    way = last - first
    if not way @ way > 1e-12 * (first @ first):
        raise ValueError("an axis needs two ends that differ")
    return np.asarray((_rows(vectors) - first) @ way / (way @ way))


def probabilities(cosines: ArrayLike, logit_scale: float) -> NDArray[np.float64]:
    """Turns cosines into shares that add up to 1, as CLIP does (Radford et al. 2021, figure 1).

    Args:
        cosines: (..., phrases).
        logit_scale: what cosines are multiplied by before the softmax.
    """
    logits = logit_scale * np.asarray(cosines, dtype=np.float64)
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def turned(hidden_states: ArrayLike) -> NDArray[np.float64]:
    """Measures how far each layer turned each token's vector: the angle in degrees.

    Args:
        hidden_states: (layers + 1, tokens, width), such as a trace's.

    Returns:
        (layers, tokens), from 0 to 180.
    """
    states = np.asarray(hidden_states, dtype=np.float64)
    units = states / np.linalg.norm(states, axis=-1, keepdims=True)
    return np.degrees(np.arccos(np.clip((units[1:] * units[:-1]).sum(axis=-1), -1, 1)))


def _rows(vectors: ArrayLike) -> NDArray[np.float64]:
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ValueError(
            f"vectors of shape (n, d) with finite numbers are needed, not {rows.shape}"
        )
    return rows
