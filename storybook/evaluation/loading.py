"""Loads a model's folder, and says what is in it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers.utils import logging as diffusers_logging
from safetensors import safe_open
from transformers.utils import logging as transformers_logging

from explainer.capture.timesteps import exact

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


def load_pipeline(folder: Path, device: str | None = None) -> StableDiffusionPipeline:
    """Load a weights folder in single precision.

    Raises:
        FileNotFoundError: if the folder holds no diffusers pipeline.
        ValueError: if what it holds cannot be loaded as a Stable Diffusion pipeline.
    """
    if not (folder / "model_index.json").is_file():
        raise FileNotFoundError(
            f"{folder} holds no diffusers pipeline (no model_index.json): train one with "
            "`explainer train`, or name another folder with --weights"
        )
    try:
        with quiet():
            # Its import alone already remarks that torchvision is not there.
            from diffusers import StableDiffusionPipeline

            pipe = StableDiffusionPipeline.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
            )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{folder} cannot be loaded as a Stable Diffusion pipeline: {error}"
        ) from error
    exact(pipe.scheduler)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep remarks on what is right here to oneself: no safety checker, a projection unused."""
    libraries = (diffusers_logging, transformers_logging)
    levels = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, level in zip(libraries, levels, strict=True):
            library.set_verbosity(level)
            library.enable_progress_bar()


def picture_size(pipe: StableDiffusionPipeline) -> int:
    """Return the width of the pictures that a pipeline makes by default, in pixels."""
    return pipe.unet.config.sample_size * pipe.vae_scale_factor


def parts(folder: Path) -> dict[str, dict[str, Any]]:
    """Return each part's class, number of parameters and size on disk in bytes."""
    found = {}
    for config in sorted(folder.glob("*/config.json")):
        files = sorted(config.parent.glob("*.safetensors"))
        described = json.loads(config.read_text())
        kind = described.get("_class_name") or described.get("architectures", ["?"])[0]
        found[config.parent.name] = {
            "class": kind,
            "parameters": sum(_parameters(path) for path in files),
            "bytes": sum(path.stat().st_size for path in files),
        }
    return found


def _parameters(path: Path) -> int:
    with safe_open(path, "np") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
