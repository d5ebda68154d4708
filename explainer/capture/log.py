"""Log: what the hooks saw of one run, and the Trace that it becomes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

import explainer
from explainer.capture import previews, tokens
from explainer.models import fingerprint
from explainer.trace import Trace

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from PIL import Image

    from explainer.capture.families import Family
    from explainer.capture.x0 import NoiseLevel


@dataclass
class Step:
    """One denoiser call. Tensors are of the first picture of the batch, (C, h, w), on device."""

    timestep: torch.Tensor | float
    level: NoiseLevel
    halves: tuple[torch.Tensor, torch.Tensor] | None
    noise: torch.Tensor
    x0: torch.Tensor


@dataclass
class Log:
    """What one call of a pipeline did, as far as it has come.

    Attributes:
        prompt: First prompt of the call; None where embeddings were given.
        negative_prompt: Its negative prompt.
        embeddings: (tokens, width) What the pipeline made of the prompt.
        seed: Seed of the generator, if that names the starting noise.
        steps: The denoiser calls.
        states: Latents that went into each step, (C, h, w), and those that came out of the last.
        scales: Standard deviation of each state.
        frames: Predicted pictures that were decoded while the run went on.
        picture: What the pipeline returned.
    """

    prompt: str | None
    negative_prompt: str
    embeddings: torch.Tensor
    seed: int | None
    steps: list[Step] = field(default_factory=list)
    states: list[torch.Tensor] = field(default_factory=list)
    scales: list[float] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    picture: Image.Image | None = None


def to_trace(log: Log, pipe: Any, family: Family, kinds: frozenset[str]) -> Trace:
    """Reads the text encoder, decodes the previews and gathers all that the log holds.

    Args:
        log: A log of at least one step.
        pipe: The pipeline, as it was during the run.
        family: Its family.
        kinds: Names of the frames to decode.
    """
    picture = log.picture or _decoded(log, pipe, family)
    vae = pipe.vae.config
    return Trace(
        prompt=log.prompt or "",
        negative_prompt=log.negative_prompt,
        seed=log.seed,
        steps=int(pipe.scheduler.num_inference_steps),
        guidance_scale=float(pipe.guidance_scale),
        scheduler=type(pipe.scheduler).__name__,
        scheduler_config=json.loads(json.dumps(dict(pipe.scheduler.config), default=str)),
        model=_model_name(pipe),
        fingerprint=fingerprint(pipe),
        pipeline=type(pipe).__name__,
        versions=_versions(),
        width=picture.width,
        height=picture.height,
        scaling_factor=float(vae.scaling_factor),
        shift_factor=float(vae.get("shift_factor") or 0.0),
        complete=len(log.steps) == pipe.num_timesteps,
        frames=_frames(log, pipe, family, kinds),
        picture=previews.webp(picture, lossless=True),
        **_text(log, pipe, family),
        **_numbers(log),
    )


def _model_name(pipe: Any) -> str:
    """Hub id or name of the folder; never a whole path, which would tell who recorded it."""
    source = PurePath(pipe.config.get("_name_or_path") or "")
    return source.name if source.is_absolute() else str(source)


def _versions() -> dict[str, str]:
    libraries = ("diffusers", "transformers", "torch")
    return {"explainer": explainer.__version__} | {name: version(name) for name in libraries}


def _text(log: Log, pipe: Any, family: Family) -> dict[str, Any]:
    if log.prompt is None:
        return {
            "tokens": (),
            "truncated": "",
            "hidden_states": _half(log.embeddings[None]),
            "pooled_embedding": np.zeros(0, np.float32),
        }
    tokenizer, text_encoder = (getattr(pipe, name) for name in family.readers[0])
    words, truncated = tokens.read_tokens(tokenizer, log.prompt)
    device = pipe._execution_device  # noqa: SLF001 - where offloaded models run
    hidden, pooled = tokens.encode(tokenizer, text_encoder, log.prompt, device)
    return {
        "tokens": words,
        "truncated": truncated,
        "hidden_states": _half(hidden),
        "pooled_embedding": pooled.float().cpu().numpy(),
    }


def _numbers(log: Log) -> dict[str, Any]:
    import torch

    latents = torch.stack(log.states)
    if latents.dtype == torch.bfloat16:
        latents = latents.float()
    sigmas = np.array([step.level.ratio for step in log.steps], np.float32)
    guided = log.steps[0].halves is not None
    halves = [step.halves for step in log.steps if step.halves is not None]
    return {
        "timesteps": np.array([float(step.timestep) for step in log.steps], np.float32),
        "sigmas": sigmas,
        "signal": 1 / (1 + sigmas**2),
        "latents": latents.cpu().numpy(),
        "noise_uncond": _half(torch.stack([half[0] for half in halves])) if guided else None,
        "noise_cond": _half(torch.stack([half[1] for half in halves])) if guided else None,
        "noise": _half(torch.stack([step.noise for step in log.steps])),
        "x0": _half(torch.stack([step.x0 for step in log.steps])),
    }


def _half(tensor: torch.Tensor) -> NDArray[np.float16]:
    half: NDArray[np.float16] = tensor.half().cpu().numpy()
    return half


def _frames(
    log: Log, pipe: Any, family: Family, kinds: frozenset[str]
) -> dict[str, tuple[bytes, ...]]:
    import torch

    frames: dict[str, tuple[bytes, ...]] = {}
    if "x0" in kinds:
        predicted = torch.stack([step.x0 for step in log.steps])
        frames["x0"] = tuple(log.frames) or previews.frames(pipe, family, predicted)
    if "noisy" in kinds:
        states = [state / scale for state, scale in zip(log.states, log.scales, strict=True)]
        frames["noisy"] = previews.frames(pipe, family, torch.stack(states))
    return frames


def _decoded(log: Log, pipe: Any, family: Family) -> Image.Image:
    """The final picture, where the caller asked the pipeline for latents only."""
    return previews.decode(pipe, family, log.states[-1][None])[0]
