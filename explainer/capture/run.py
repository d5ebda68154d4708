"""record(): one prompt, one picture, one trace; what the reader typed is checked first."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explainer.capture.activations import ActivationWatch
from explainer.capture.attention import AttentionWatch
from explainer.capture.errors import RunError
from explainer.capture.recorder import OnStep, Recorder
from explainer.capture.timesteps import exact
from explainer.capture.weights import weighted
from explainer.parameters import check

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from explainer.trace import Trace


def record(
    pipe: DiffusionPipeline,
    prompt: str,
    *,
    seed: int,
    steps: int | None = None,
    guidance_scale: float | None = None,
    negative_prompt: str = "",
    scheduler: str | None = None,
    width: int | None = None,
    height: int | None = None,
    previews: Any = True,
    attention: bool | AttentionWatch = False,
    activations: bool | Collection[str] | ActivationWatch = False,
    weights: Mapping[str, float] | None = None,
    on_step: OnStep | None = None,
    cancelled: Callable[[], bool] | None = None,
    **options: Any,
) -> Trace:
    """Draws one picture and records how.

    The same call without us is `pipe(prompt, num_inference_steps=steps, guidance_scale=...,
    generator=torch.Generator("cpu").manual_seed(seed))`, with `negative_prompt=...` if given;
    latents and picture are the same to the bit. The generator lives on the CPU on every machine, so
    that a seed means the same starting noise everywhere.

    Args:
        pipe: A text-to-image pipeline of a known family.
        prompt: What to draw.
        seed: Names the starting noise; see `explainer.parameters` for the bounds.
        steps: Number of inference steps; None for what the model was made for, as
            `explainer.models.usual_settings` tells.
        guidance_scale: Weight of classifier-free guidance, up to 1 means off; None for what the
            model was made for.
        negative_prompt: What to steer away from.
        scheduler: Class name of a diffusers scheduler to use for this run instead of the
            pipeline's own.
        width: Width of the picture in pixels; None for the model's own.
        height: Height of the picture in pixels; None for the model's own.
        previews: Which frames to decode: "x0", "noisy", both (True) or none (False). "linear" or a
            tiny autoencoder (TAESD and its kin) decodes both fast and roughly, "full" as the
            pipeline does; ("x0", "linear") combines the two, and {"x0": "full", "noisy": "linear"}
            says it for each. All but linear ones cost a decoder call a step.
        attention: Whether to record the attention from places of the picture to words; an
            `AttentionWatch` chooses layers, and tells what it costs in joint attention (Stable
            Diffusion 3, Flux) and from place to place.
        activations: Which parts of the denoiser to look into: their names, such as
            ("down_blocks.0", "mid_block"), or True for the time embedding and all blocks. Of each
            the trace keeps the strength at every place and a few channels; `replay` shows all of
            one step.
        weights: Word of the prompt -> how much of what it says reaches the denoiser: 0 silences
            it, 1 leaves it as it is; see `explainer.capture.weights`.
        on_step: Called after each step with the number of steps done, their total, and the
            picture predicted so far as WebP (None without "x0" previews).
        cancelled: Asked after each step; once it says True, the run ends and the trace that is
            returned has `complete=False`.
        **options: Handed on to the pipeline, such as `image` and `strength` for image-to-image.

    Raises:
        ParameterError: A parameter is out of its bounds; the message names them.
        RunError: The pipeline cannot be recorded, the size or scheduler does not suit it, it would
            not read the negative prompt, or the prompt lacks a word that has a weight.
    """
    import torch

    from explainer.models import usual_settings

    recorder = Recorder(
        pipe,
        previews=previews,
        attention=attention,
        activations=activations,
        on_step=on_step,
        cancelled=cancelled,
    )
    usual_steps, usual_guidance = usual_settings(pipe)
    steps = usual_steps if steps is None else steps
    guidance_scale = usual_guidance if guidance_scale is None else guidance_scale
    check(
        prompt=prompt,
        seed=seed,
        steps=steps,
        guidance_scale=guidance_scale,
        negative_prompt=negative_prompt,
        scheduler=scheduler,
        weights=tuple((weights or {}).items()),
    )
    _check_size(pipe, width, height)
    if negative_prompt:
        _check_heeds_negative_prompt(pipe, options)
        options["negative_prompt"] = negative_prompt
    if width is not None:
        options |= {"width": width, "height": height}
    with scheduled(pipe, scheduler), weighted(pipe, weights or {}), recorder:
        pipe(
            prompt,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=torch.Generator("cpu").manual_seed(seed),
            **options,
        )
    trace = replace(recorder.trace, weights=dict(weights or {}))
    if hasattr(pipe, "guidance_scale"):
        return trace
    # Off two predictions that are equal, as with the prompt itself to avoid, no scale can be read.
    return replace(trace, guidance_scale=float(guidance_scale))


def _check_heeds_negative_prompt(pipe: Any, options: Mapping[str, Any]) -> None:
    """Refuses a negative prompt that a pipeline, called with these options, would not read.

    Raises:
        RunError: It would not.
    """
    takes = inspect.signature(type(pipe).__call__).parameters
    if "negative_prompt" not in takes:
        raise RunError(f"A {type(pipe).__name__} takes no negative prompt. Leave it empty.")
    if "true_cfg_scale" in takes:
        scale = options.get("true_cfg_scale", takes["true_cfg_scale"].default)
        if scale is None or scale <= 1:
            raise RunError(
                f"A {type(pipe).__name__} heeds a negative prompt only with a true_cfg_scale above "
                "1. Give one, or leave the negative prompt empty."
            )


def _check_size(pipe: Any, width: int | None, height: int | None) -> None:
    if (width is None) != (height is None):
        # diffusers would silently fall back to the model's own size.
        raise RunError("Give both width and height, or neither.")
    for name, side in (("width", width), ("height", height)):
        if side is not None and (side < 1 or side % pipe.vae_scale_factor):
            raise RunError(f"The {name} must be a multiple of {pipe.vae_scale_factor}, not {side}.")


@contextmanager
def scheduled(pipe: Any, name: str | None) -> Iterator[None]:
    """Gives the pipeline another scheduler, trained the same way, for the block."""
    if name is None:
        yield
        return
    before = pipe.scheduler
    compatible = {cls.__name__: cls for cls in before.compatibles} | {
        type(before).__name__: type(before)
    }
    if name not in compatible:
        raise RunError(
            f"Scheduler {name!r} does not fit this pipeline. These do: "
            f"{', '.join(sorted(compatible))}."
        )
    pipe.scheduler = exact(compatible[name].from_config(before.config))
    try:
        yield
    finally:
        pipe.scheduler = before
