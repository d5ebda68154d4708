"""Sketch: a picture in place of noise to begin with, and how far a run goes away from it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.parameters import GUIDANCE_SCALE, STEPS
from explainer.stages import latent

if TYPE_CHECKING:
    from explainer.stages.latent import Picture


@dataclass(frozen=True, eq=False)
class Redrawn:
    """What became of a sketch.

    Attributes:
        sketch: (height, width, 3) uint8. What it began with.
        noised: (height, width, 3) uint8. The state that the first step was given, decoded.
        picture: (height, width, 3) uint8. What came out.
        prompt: What it was told.
        strength: Share of the steps that were taken, from 0 to 1.
        steps: How many that were.
    """

    sketch: Picture
    noised: Picture
    picture: Picture
    prompt: str
    strength: float
    steps: int


def steps_taken(steps: int, strength: float) -> int:
    """Returns how many of the steps a sketch goes through: the last ones, less noisy."""
    return min(int(steps * strength), steps)


def redraw(
    pipe: Any,
    sketch: Picture,
    prompt: str,
    *,
    strength: float = 0.6,
    steps: int = STEPS,
    guidance_scale: float = GUIDANCE_SCALE,
    seed: int = 0,
    on_step: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Redrawn | None:
    """Encodes a sketch, adds noise to it, and takes it away again with a prompt (Meng et al. 2022).

    diffusers' own image-to-image pipeline does it, with the components of the pipeline given.

    Args:
        pipe: a pipeline for which diffusers has such a one.
        sketch: uint8, shape (height, width, 3), sides a multiple of `pipe.vae_scale_factor`.
        prompt: what the picture is to be.
        strength: how much of the noise of a whole run is added, above 0 to 1 (all).
        steps: of a whole run.
        guidance_scale: as for any run.
        seed: names the noise.
        on_step: called after each step with the number of steps done and their total.
        cancelled: asked after each step; once it says True, None is returned.

    Raises:
        ValueError: there is no such pipeline for this model, or the strength leaves no step.
    """
    import torch
    from PIL import Image

    total = steps_taken(steps, strength) if 0 < strength <= 1 else 0
    if total < 1:
        raise ValueError(
            f"Strength {strength:g} of {steps} steps leaves none to take. Choose a strength from "
            f"{1 / steps:g} to 1."
        )
    made = _image_to_image(pipe)
    states = _note_first_state(made)
    done = 0

    def after_step(running: Any, _step: int, _timestep: Any, kept: dict[str, Any]) -> Any:
        nonlocal done
        done += 1
        if on_step is not None:
            on_step(min(done, total), total)
        if cancelled is not None and cancelled():
            running._interrupt = True  # noqa: SLF001 - diffusers' documented way to stop
        return kept

    height, width = sketch.shape[:2]
    sizes = {} if hasattr(pipe, "unet") else {"height": height, "width": width}
    with torch.no_grad():
        picture = made(
            prompt=prompt,
            image=Image.fromarray(sketch),
            strength=strength,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=torch.Generator("cpu").manual_seed(seed),
            callback_on_step_end=after_step,
            **sizes,
        ).images[0]
    if cancelled is not None and cancelled():
        return None
    noised = latent.decode(pipe, _image_shaped(made, states[0], (height, width)))
    return Redrawn(sketch, noised, np.asarray(picture), prompt, strength, total)


def _image_to_image(pipe: Any) -> Any:
    from diffusers import AutoPipelineForImage2Image

    try:
        made = AutoPipelineForImage2Image.from_pipe(pipe)
    except ValueError as error:
        raise ValueError(
            f"diffusers has no way from picture to picture for a {type(pipe).__name__}. Load a "
            "Stable Diffusion, SDXL, SD 3 or Flux model."
        ) from error
    made.set_progress_bar_config(disable=True)
    return made


def _note_first_state(made: Any) -> list[Any]:
    """Keep the noised latents as the denoiser will be given them, once they are prepared."""
    kept: list[Any] = []
    prepare = made.prepare_latents

    def noting(image: Any, timestep: Any, *rest: Any, **options: Any) -> Any:
        prepared = prepare(image, timestep, *rest, **options)
        state = prepared[0] if isinstance(prepared, tuple) else prepared
        if hasattr(made.scheduler, "scale_model_input"):
            # A copy: schedulers count the steps that they are asked for.
            state = copy.deepcopy(made.scheduler).scale_model_input(state, timestep[0])
        kept.append(state)
        return prepared

    made.prepare_latents = noting
    return kept


def _image_shaped(made: Any, state: Any, size: tuple[int, int]) -> Any:
    """The state of one picture as (C, h, w)."""
    from explainer.capture.families import family_of

    family = family_of(made)
    image = state if family is None else family.to_image(made, state, size)
    return image[0].float().cpu().numpy()
