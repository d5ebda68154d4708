"""Noise: how training hides a picture, and what each step of a run takes away again and puts in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from explainer.trace import Trace

_MAX_BETA = 0.999
"""diffusers' own bound on the betas of the cosine schedule."""
MOST_TIMESTEPS = 100_000
BANDS = {"coarse shapes": (0.0, 0.25), "middling": (0.25, 0.5), "fine details": (0.5, np.inf)}
"""Bands of spatial frequency by name, as shares of the highest along a row or a column."""


def alphas_cumprod(config: Mapping[str, Any]) -> NDArray[np.float64]:
    """Returns the share of signal that is left at every timestep of training.

    A noisy state is x_t = sqrt(a_t) * x_0 + sqrt(1 - a_t) * noise (Ho et al. 2020, equation 4).

    Args:
        config: a scheduler's configuration, such as a trace's `scheduler_config`.

    Returns:
        shape (timesteps,), falling from nearly 1 to nearly 0.

    Raises:
        ValueError: the configuration names no schedule of betas, or one without a formula here.
    """
    alphas: NDArray[np.float64] = np.multiply.accumulate(1 - _betas(config))
    if config.get("rescale_betas_zero_snr"):
        # Lin et al. 2024, algorithm 1: shifted so that the last timestep is noise alone.
        roots: NDArray[np.float64] = np.sqrt(alphas)
        roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
        alphas = roots**2
    return alphas


def _betas(config: Mapping[str, Any]) -> NDArray[np.float64]:
    if config.get("trained_betas") is not None:
        return _trained_betas(config["trained_betas"])
    kind, count = config.get("beta_schedule"), _timesteps(config)
    if kind in {"linear", "scaled_linear"}:
        power = 1 if kind == "linear" else 2
        start, end = (_beta(config, name) ** (1 / power) for name in ("beta_start", "beta_end"))
        return np.linspace(start, end, count) ** power
    if kind == "squaredcos_cap_v2":
        times = np.arange(count + 1) / count
        signal = np.cos((times + 0.008) / 1.008 * np.pi / 2) ** 2  # Nichol & Dhariwal 2021
        return np.minimum(1 - signal[1:] / signal[:-1], _MAX_BETA)
    raise ValueError(
        f"There is no formula here for the noise schedule {kind!r}. Use a model whose scheduler "
        "has the beta schedule linear, scaled_linear or squaredcos_cap_v2."
    )


def _trained_betas(given: Any) -> NDArray[np.float64]:
    if isinstance(given, list | tuple | np.ndarray) and 1 <= len(given) <= MOST_TIMESTEPS:
        return np.array([_share(beta, "a trained beta of") for beta in given])
    raise ValueError(f"Its noise schedule lists from 1 to {MOST_TIMESTEPS:,} trained betas.")


def _timesteps(config: Mapping[str, Any]) -> int:
    """How many there are; a file from elsewhere may claim anything."""
    count = config.get("num_train_timesteps", 1000)
    if not isinstance(count, int) or not 1 <= count <= MOST_TIMESTEPS:
        raise ValueError(
            f"Its noise schedule has from 1 to {MOST_TIMESTEPS:,} timesteps, not {count!r}."
        )
    return count


def _beta(config: Mapping[str, Any], name: str) -> float:
    return _share(config.get(name), name)


def _share(value: Any, what: str) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"Its noise schedule has {what} {value!r}, which is no share.")
    return float(value)


def signal_left(config: Mapping[str, Any]) -> NDArray[np.float64]:
    """Returns the share of signal that is left at every timestep of training, flow matching too.

    A flow-matching state is (1 - s) * x_0 + s * noise (Lipman et al. 2023; Esser et al. 2024); its
    share of signal is that of the same state brought to unit variance. The schedule's shift is
    applied as the scheduler applies it to its own steps.

    Args:
        config: a scheduler's configuration, such as a trace's `scheduler_config`.

    Returns:
        shape (timesteps,), falling.

    Raises:
        ValueError: there is no formula for this schedule.
    """
    if "shift" not in config or config.get("beta_schedule"):
        return alphas_cumprod(config)
    count = _timesteps(config)
    shares = np.arange(1, count + 1) / count
    if not config.get("use_dynamic_shifting"):  # otherwise it depends on the picture's size
        shift = config["shift"]
        if not isinstance(shift, int | float) or not 0 < shift < np.inf:
            raise ValueError(f"Its noise schedule has the shift {shift!r}, not a number above 0.")
        shares = shift * shares / (1 + (shift - 1) * shares)
    return (1 - shares) ** 2 / ((1 - shares) ** 2 + shares**2)


def add_noise(clean: ArrayLike, noise: ArrayLike, signal: float) -> NDArray[np.float64]:
    """Returns a clean state with as much noise in it as training has where `signal` is left.

    Args:
        clean: any shape; of unit variance if the result is to be.
        noise: the same shape, drawn from a normal distribution.
        signal: share of signal, 0 to 1: DDPM's alpha-bar.
    """
    return np.sqrt(signal) * np.asarray(clean) + np.sqrt(1 - signal) * np.asarray(noise)


def decibels(signal: ArrayLike) -> NDArray[np.float64]:
    """Returns the signal-to-noise ratio in decibels: 0 where there is as much of each.

    Args:
        signal: share of signal, any shape, from 0 to 1 exclusive.
    """
    share = np.asarray(signal, dtype=np.float64)
    return 10 * np.log10(share / (1 - share))


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What went on in each of the n denoiser calls of a run.

    Arrays are float32 where no other dtype is named.

    Attributes:
        state: (n, C, h, w) The latents that went in.
        unconditional: (n, C, h, w) Prediction without the text; None with guidance off.
        conditional: (n, C, h, w) Prediction with the text; None with guidance off.
        difference: (n, C, h, w) Conditional less unconditional; None with guidance off.
        guided: (n, C, h, w) Prediction that the scheduler was given.
        removed: (n, C, h, w) What the step takes away: latents before it less those after it,
            without what was put in where that is known.
        added: (n, C, h, w) New noise that the step puts in; None but for whole runs of DDPM.
            Others that do so keep too little to tell it.
        expected: (n, C, h, w) Clean latents that the prediction amounts to, x0.
        changes: (n,) float64. RMS change of x0 since the step before; NaN at the first.
        distances: (n,) float64. RMS from x0 to the latents that the run ended with.
    """

    state: NDArray[np.float32]
    unconditional: NDArray[np.float32] | None
    conditional: NDArray[np.float32] | None
    difference: NDArray[np.float32] | None
    guided: NDArray[np.float32]
    removed: NDArray[np.float32]
    added: NDArray[np.float32] | None
    expected: NDArray[np.float32]
    changes: NDArray[np.float64]
    distances: NDArray[np.float64]


def anatomy(trace: Trace) -> Anatomy:
    """Takes a run apart, step by step."""
    latents = trace.latents.astype(np.float32)
    expected = trace.x0.astype(np.float32)
    without = _float32(trace.noise_uncond)
    with_text = _float32(trace.noise_cond)
    added = None
    # Of a run that was cut short, nothing tells how noisy its last state is meant to be.
    if trace.scheduler == "DDPMScheduler" and trace.complete:
        added = latents[1:] - _without_dice(trace, latents[:-1], expected)
    removed = latents[:-1] - latents[1:]
    return Anatomy(
        state=latents[:-1],
        unconditional=without,
        conditional=with_text,
        difference=None if without is None or with_text is None else with_text - without,
        guided=trace.noise.astype(np.float32),
        removed=removed if added is None else removed + added,
        added=added,
        expected=expected,
        changes=np.concatenate([[np.nan], rms(np.diff(expected, axis=0))]),
        distances=rms(expected - latents[-1]),
    )


def _without_dice(
    trace: Trace, state: NDArray[np.float32], expected: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Where DDPM's steps lead but for the noise that they put in (Ho et al. 2020, eq. 7)."""
    signal = trace.signal.astype(np.float64)[:, None, None, None]
    after = np.concatenate([signal[1:], np.ones((1, 1, 1, 1))])
    kept = signal / after  # of the signal's share, by the noise of this step alone
    clean = np.sqrt(after) * (1 - kept) * expected + np.sqrt(kept) * (1 - after) * state
    return (clean / (1 - signal)).astype(np.float32)


def _float32(array: NDArray[np.float16] | None) -> NDArray[np.float32] | None:
    return None if array is None else array.astype(np.float32)


def rms(arrays: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Returns the root mean square of each array of a stack: shape (n, ...) to (n,)."""
    flat = arrays.reshape(len(arrays), -1).astype(np.float64)
    return np.sqrt((flat**2).mean(axis=1))


class Route(NamedTuple):
    """The way of a run through the space of latents, seen on two axes.

    Attributes:
        states: (n + 1, 2) float64. Where the latents were.
        expected: (n, 2) float64. Where x0 was, on the same axes.
        shares: Share of the states' variance on each axis, from 0 to 1.
    """

    states: NDArray[np.float64]
    expected: NDArray[np.float64]
    shares: tuple[float, float]


def route(trace: Trace) -> Route:
    """Projects a run on the first two principal components of its own states.

    Raises:
        ValueError: the run has fewer than two steps, so that there is no plane to see it on.
    """
    if trace.calls < 2:
        raise ValueError("A route needs a run of at least two steps. Record a longer one.")
    states = trace.latents.reshape(trace.calls + 1, -1).astype(np.float64)
    expected = trace.x0.reshape(trace.calls, -1).astype(np.float64)
    middle = states.mean(axis=0)
    _, sizes, axes = np.linalg.svd(states - middle, full_matrices=False)
    shares = sizes**2 / np.maximum((sizes**2).sum(), np.finfo(float).tiny)
    plane = axes[:2].T
    return Route(
        (states - middle) @ plane,
        (expected - middle) @ plane,
        (float(shares[0]), float(shares[1])),
    )


def settled(distances: NDArray[np.float64]) -> int:
    """Returns the first step from which x0 stays within half its first distance to the end.

    Args:
        distances: shape (n,), as in `Anatomy`.
    """
    far = np.flatnonzero(distances > distances[0] / 2)
    return int(far[-1]) + 1 if len(far) else 0


def likeness(trace: Trace) -> dict[str, NDArray[np.float64]]:
    """Returns how like x0 already is to the finished latents, step by step and band by band.

    The correlation of the two within each band of spatial frequency: 1 where they differ in
    strength at most, 0 where they have nothing to do with each other. The mean of a channel
    belongs to no band.

    Returns:
        name as in `BANDS` -> (n,) float64, -1 to 1; NaN where one of the two is empty.
    """
    finished = np.fft.fft2(trace.latents[-1].astype(np.float64))
    expected = np.fft.fft2(trace.x0.astype(np.float64))
    height, width = finished.shape[-2:]
    radius = 2 * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    found = {}
    for name, (low, high) in BANDS.items():
        inside = (radius > low) & (radius <= high)
        ours, theirs = expected[:, :, inside], finished[:, inside]
        shared = (ours * theirs.conj()).real.sum(axis=(1, 2))
        energies = (np.abs(ours) ** 2).sum(axis=(1, 2)) * (np.abs(theirs) ** 2).sum()
        with np.errstate(invalid="ignore"):
            found[name] = shared / np.sqrt(energies)
    return found


def reached(likeness: NDArray[np.float64]) -> int:
    """Returns the first step from which on a likeness stays at 0.9 or above; n if never.

    Args:
        likeness: shape (n,), one band of what `likeness` returns.
    """
    below = np.flatnonzero(~(likeness >= 0.9))  # a comparison with NaN is False
    return int(below[-1]) + 1 if len(below) else 0
