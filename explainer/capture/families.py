"""What differs between pipeline families, one small description each.

To add a family: say which component predicts the noise, which pairs of tokenizer and text encoder
read the prompt, and how its latents reach the autoencoder; then map its pipeline classes to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Family:
    """How to watch the pipelines of one family.

    Attributes:
        denoiser: Component whose forward pass predicts the noise.
        readers: Tokenizer and text encoder components, in the order that the pipeline uses them.
        halves: From pipeline and prediction to (unconditional, conditional), or None where the
            run is not guided by two predictions.
        for_decoder: From pipeline and latents of unit variance to the autoencoder's input.
    """

    denoiser: str
    readers: tuple[tuple[str, str], ...]
    halves: Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor] | None]
    for_decoder: Callable[[Any, torch.Tensor], torch.Tensor]


def batched_halves(pipe: Any, prediction: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Splits the batch [unconditional..., conditional...] of classifier-free guidance."""
    # The pipeline's own word: guidance_scale > 1 alone does not tell, distilled UNets embed it.
    if not pipe.do_classifier_free_guidance:
        return None
    unconditional, conditional = prediction.chunk(2)
    return unconditional, conditional


def unscaled(pipe: Any, latents: torch.Tensor) -> torch.Tensor:
    """Undoes the scaling that keeps latents near unit variance (Rombach et al. 2022)."""
    config = pipe.vae.config
    return latents / config.scaling_factor + (config.get("shift_factor") or 0.0)


STABLE_DIFFUSION = Family(
    denoiser="unet",
    readers=(("tokenizer", "text_encoder"),),
    halves=batched_halves,
    for_decoder=unscaled,
)

FAMILIES = {
    "StableDiffusionPipeline": STABLE_DIFFUSION,
    "LatentConsistencyModelPipeline": STABLE_DIFFUSION,
}


def family_of(pipe: object) -> Family | None:
    """The family that a pipeline, or the nearest class it derives from, belongs to."""
    names = (cls.__name__ for cls in type(pipe).__mro__)
    return next((FAMILIES[name] for name in names if name in FAMILIES), None)
