"""Curves: what `Plot` is given to show of a run, as its keyword arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.stages import noise

if TYPE_CHECKING:
    from explainer.trace import Trace


def settling(trace: Trace) -> dict[str, Any]:
    """How like x0 already is to the finished latents, by step, for each band of frequency.

    Latents can be empty in a band, which then has no point at that step, or no curve: see
    `noise.likeness`.
    """
    found = {
        band: [(k + 1, value) for k, value in enumerate(values) if np.isfinite(value)]
        for band, values in noise.likeness(trace).items()
    }
    return {
        "curves": {band: points for band, points in found.items() if points},
        "x": "step",
        "y": "correlation of the predicted latents with the finished ones, 1 for equal",
    }


def route(trace: Trace) -> dict[str, Any]:
    """The way of a run through the space of latents: see `noise.route`.

    Raises:
        ValueError: the run has fewer than two steps.
    """
    way = noise.route(trace)
    first, second = way.shares
    return {
        "curves": {"noisy state": way.states, "predicted now (x0)": way.expected},
        "x": f"component 1 ({first:.0%} of the states' variance)",
        "y": f"component 2 ({second:.0%})",
        "equal": True,
    }
