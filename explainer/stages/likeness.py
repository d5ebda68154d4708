"""Likeness: how far a picture is from another, measured in the two ways that papers report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOW, _SPREAD = 11, 1.5
_K1, _K2 = 0.01, 0.03
_PEAK = 255.0


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Returns the peak signal-to-noise ratio of two pictures in decibels; infinity if equal.

    Args:
        a: uint8, shape (height, width, 3).
        b: the same.

    Raises:
        ValueError: the shapes differ.
    """
    _check(a, b)
    error = float(((a.astype(np.float64) - b.astype(np.float64)) ** 2).mean())
    return float("inf") if error == 0 else float(10 * np.log10(_PEAK**2 / error))


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Returns the structural similarity of two pictures, 1 if equal (Wang et al. 2004).

    The paper's own window and constants: 11 x 11, normal with a deviation of 1.5 pixels, only where
    it lies wholly inside the picture; the mean over the colours and over all places.

    Args:
        a: uint8, shape (height, width, 3), sides of 11 pixels at least.
        b: the same.

    Raises:
        ValueError: the shapes differ, or a side is shorter than the window.
    """
    _check(a, b)
    if min(a.shape[:2]) < _WINDOW:
        raise ValueError(f"Structural similarity needs sides of {_WINDOW} pixels, not {a.shape}.")
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    spread_x = _blurred(x * x) - mean_x**2
    spread_y = _blurred(y * y) - mean_y**2
    shared = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (_K1 * _PEAK) ** 2, (_K2 * _PEAK) ** 2
    found = ((2 * mean_x * mean_y + c1) * (2 * shared + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (spread_x + spread_y + c2)
    )
    return float(found.mean())


def errors(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns the root mean square over the colours of each pixel's difference, in grey levels.

    Returns:
        float64, shape (height, width), 0 to 255.

    Raises:
        ValueError: the shapes differ.
    """
    _check(a, b)
    return np.sqrt(((a.astype(np.float64) - b.astype(np.float64)) ** 2).mean(axis=2))


def _check(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> None:
    if a.shape != b.shape:
        raise ValueError(
            f"Pictures of different shapes, {a.shape} and {b.shape}, cannot be compared."
        )


def _blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weighted mean of every window, (height - 10, width - 10, 3)."""
    places = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-(places**2) / (2 * _SPREAD**2))
    weights /= weights.sum()
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW, axis=axis)
        values = windows @ weights
    return values
