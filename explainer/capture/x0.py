"""Noise level and predicted clean latents, for any scheduler.

Whatever a scheduler calls its quantities, a noisy state is x = alpha * x0 + sigma * noise. The two
numbers are read before `scheduler.step` advances its index; with them the denoiser's prediction
turns into x0. Schedulers that report their own x0 are believed instead: they may clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainer.capture.errors import RunError
from explainer.trace import predicted_by

if TYPE_CHECKING:
    import torch


PREDICTIONS = ("epsilon", "v_prediction", "flow_prediction", "sample")


class UnknownSchedulerError(RunError):
    """A scheduler, or what it predicts, that we have no formula for."""


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """How much signal (`alpha`) and noise (`sigma`) make up a state."""

    alpha: float
    sigma: float

    @property
    def ratio(self) -> float:
        """Noise to signal; infinite for pure noise."""
        return self.sigma / self.alpha if self.alpha else math.inf

    @property
    def scale(self) -> float:
        """Standard deviation of the state; 1 for variance-preserving schedulers."""
        return math.hypot(self.alpha, self.sigma)


def check(scheduler: Any) -> None:
    """Refuses a scheduler that there is no formula for, before a run begins.

    Raises:
        UnknownSchedulerError: There is none.
    """
    name, better = type(scheduler).__name__, "Use another one, such as DPMSolverMultistepScheduler."
    if all(getattr(scheduler, kept, None) is None for kept in ("sigmas", "alphas_cumprod")):
        raise UnknownSchedulerError(
            f"{name} keeps neither sigmas nor alphas_cumprod, so its noise level is unknown. "
            + better
        )
    if hasattr(scheduler, "precondition_outputs"):
        raise UnknownSchedulerError(
            f"{name} rescales what the denoiser says (Karras et al. 2022), which cannot be "
            f"recorded. {better}"
        )
    if prediction_type(scheduler) not in PREDICTIONS:
        raise UnknownSchedulerError(
            f"Prediction type {prediction_type(scheduler)!r} is unknown. Known are: "
            f"{', '.join(PREDICTIONS)}."
        )


def noise_level(scheduler: Any, timestep: Any = None) -> NoiseLevel:
    """Level of the state that `scheduler.step` is to be given next.

    Args:
        scheduler: A diffusers scheduler after `set_timesteps`.
        timestep: The next timestep; may be left out after the first step by schedulers that keep
            an index, that is, all that do not preserve the variance.
    """
    if getattr(scheduler, "sigmas", None) is not None:
        return _from_sigma(scheduler, _next_sigma(scheduler, timestep))
    signal = float(scheduler.alphas_cumprod[int(timestep)])
    return NoiseLevel(math.sqrt(signal), math.sqrt(1 - signal))


def state_scale(scheduler: Any) -> float:
    """Standard deviation of the state that the last step led to."""
    if getattr(scheduler, "sigmas", None) is None:
        return 1.0
    return noise_level(scheduler).scale


def _next_sigma(scheduler: Any, timestep: Any) -> float:
    index = scheduler.step_index
    if index is None:
        index = scheduler.begin_index
    if index is None:
        index = scheduler.index_for_timestep(timestep)
    sigmas = scheduler.sigmas
    if not getattr(scheduler, "state_in_first_order", True):
        # KDPM2 and DPM-Solver SDE evaluate the denoiser once more, between two of their sigmas.
        if getattr(scheduler, "mid_point_sigma", None) is not None:
            return float(scheduler.mid_point_sigma)
        if getattr(scheduler, "sigmas_interpol", None) is not None:
            sigmas = scheduler.sigmas_interpol
            index -= "Ancestral" in type(scheduler).__name__  # counts its midpoints from one
    return float(sigmas[min(index, len(sigmas) - 1)])


def _from_sigma(scheduler: Any, sigma: float) -> NoiseLevel:
    convert = getattr(scheduler, "_sigma_to_alpha_sigma_t", None)
    if convert is not None:
        import torch

        alpha, sigma = convert(torch.tensor(sigma, dtype=torch.float64))
        return NoiseLevel(float(alpha), float(sigma))
    if type(scheduler).__name__.startswith("FlowMatch"):
        return NoiseLevel(1 - sigma, sigma)
    return NoiseLevel(1.0, sigma)


def clean_latents(
    prediction: torch.Tensor, sample: torch.Tensor, level: NoiseLevel, prediction_type: str
) -> torch.Tensor:
    """The x0 that a prediction amounts to, in float32.

    Args:
        prediction: (B, C, h, w) What the denoiser predicts.
        sample: (B, C, h, w) The state, in the scheduler's own scale.
        level: Level of that state.
        prediction_type: One of `PREDICTIONS`: "epsilon" (Ho et al. 2020), "v_prediction" (Salimans
            & Ho 2022), "flow_prediction" (Lipman et al. 2023) or "sample".
    """
    prediction, sample = prediction.float(), sample.float()
    alpha, sigma = level.alpha, level.sigma
    if prediction_type == "epsilon":
        return (sample - sigma * prediction) / alpha
    if prediction_type == "v_prediction":
        return (alpha * sample / level.scale - sigma * prediction) / level.scale
    if prediction_type == "flow_prediction":
        return sample - sigma * prediction
    return prediction


def prediction_type(scheduler: Any) -> str:
    """What the denoiser is asked for, by the scheduler's configuration."""
    return predicted_by(type(scheduler).__name__, scheduler.config)


def reported_x0(output: Any) -> torch.Tensor | None:
    """The x0 that a scheduler's step itself reports, if it does."""
    for name in ("pred_original_sample", "denoised"):
        value: torch.Tensor | None = getattr(output, name, None)
        if value is not None:
            return value
    return None
