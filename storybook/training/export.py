"""From trained parts to a folder that plain diffusers and transformers load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors import SafetensorError
from transformers import (
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    PreTrainedModel,
)

from storybook.training.denoiser import noise_scheduler

Net = TypeVar("Net", AutoencoderKL, UNet2DConditionModel)


def text_encoder(clip: CLIPModel) -> CLIPTextModel:
    """Return the pair's text encoder as pipelines use it, with its own copy of the weights."""
    encoder = CLIPTextModel(clip.config.text_config)
    encoder.load_state_dict(clip.text_model.state_dict())
    return encoder.to(clip.device).eval()


def projected_text_encoder(clip: CLIPModel) -> CLIPTextModelWithProjection:
    """Return the pair's text encoder with its projection, with its own copy of the weights."""
    encoder = CLIPTextModelWithProjection(clip.config.text_config)
    encoder.text_model.load_state_dict(clip.text_model.state_dict())
    encoder.text_projection.load_state_dict(clip.text_projection.state_dict())
    return encoder.to(clip.device).eval()


def with_text_encoder(clip: CLIPModel, encoder: CLIPTextModelWithProjection) -> CLIPModel:
    """Return a copy of the pair with another text encoder."""
    pair = CLIPModel(clip.config)
    pair.load_state_dict(clip.state_dict())
    pair.text_model.load_state_dict(encoder.text_model.state_dict())
    pair.text_projection.load_state_dict(encoder.text_projection.state_dict())
    return pair.to(clip.device).eval()


def pipeline(
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> StableDiffusionPipeline:
    """Put the parts together as a Stable Diffusion pipeline."""
    pipe = StableDiffusionPipeline(
        vae=vae,
        unet=unet,
        text_encoder=encoder,
        tokenizer=tokenizer,
        scheduler=noise_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def save(
    folder: Path,
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    clip: CLIPModel,
    tokenizer: CLIPTokenizer,
    record: dict[str, object],
) -> None:
    """Write the whole model to ``folder``, float16, and only then replace the one that stood there.

    The text encoder's file holds its projection too, and the image encoder stands beside it, so
    that transformers loads the CLIP pair from the same folder.

    Raises:
        OSError: when the disk cannot hold it, or something else has come to stand at ``folder``.
    """
    halved = pipeline(_copy(vae).half(), _copy(unet).half(), text_encoder(clip).half(), tokenizer)
    text, vision = _projected(clip)
    record = {**record, "logit_scale": round(clip.logit_scale.exp().item(), 4)}
    with _whole_or_gone(folder.with_name(folder.name + ".part")) as fresh:
        halved.save_pretrained(fresh)
        _save_halved(text, fresh / "text_encoder")
        _save_halved(vision, fresh / "image_encoder")
        _image_processor(clip).save_pretrained(fresh / "feature_extractor")
        (fresh / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    if not may_replace(folder):
        raise FileExistsError(f"{folder} holds something else by now; the model lies in {fresh}")
    _replace(folder, fresh)


@contextmanager
def _whole_or_gone(fresh: Path) -> Iterator[Path]:
    """Leave a folder with all that the block writes, or none.

    Raises:
        OSError: when the disk cannot hold it.
    """
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        yield fresh
    except (OSError, SafetensorError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise OSError(f"the model could not be written to {fresh} ({error})") from error


def _replace(folder: Path, fresh: Path) -> None:
    """Put ``fresh`` where the former model is; what was told of that one stays until measured."""
    for kept in ("README.md", "evaluation.json"):
        if (folder / kept).exists():
            shutil.copy2(folder / kept, fresh / kept)
    former = folder.with_name(folder.name + ".former")
    shutil.rmtree(former, ignore_errors=True)
    if folder.exists():
        folder.replace(former)
    fresh.replace(folder)
    shutil.rmtree(former, ignore_errors=True)


def may_replace(folder: Path) -> bool:
    """Tell whether nothing stands at ``folder`` but a model, which a new one may replace."""
    if not folder.is_dir():
        return not folder.exists()
    return (folder / "model_index.json").exists() or not any(folder.iterdir())


def _save_halved(encoder: PreTrainedModel, folder: Path) -> None:
    """Store float16, but have it loaded as float32 unless the caller names a type.

    transformers would otherwise load what is stored, and the rest of a pipeline float32.
    """
    encoder.half().save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "dtype": "float32"}, indent=2))


def _copy(module: Net) -> Net:
    """Return a copy on the CPU: halving a module changes it in place."""
    twin: Net = type(module).from_config(module.config)
    twin.load_state_dict(module.state_dict())
    return twin


def _projected(clip: CLIPModel) -> tuple[PreTrainedModel, PreTrainedModel]:
    vision = CLIPVisionModelWithProjection(clip.config.vision_config)
    vision.vision_model.load_state_dict(clip.vision_model.state_dict())
    vision.visual_projection.load_state_dict(clip.visual_projection.state_dict())
    return projected_text_encoder(clip).cpu(), vision


def _image_processor(clip: CLIPModel) -> CLIPImageProcessorPil:
    size = clip.config.vision_config.image_size
    half = [0.5, 0.5, 0.5]
    return CLIPImageProcessorPil(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        image_mean=half,
        image_std=half,
    )
