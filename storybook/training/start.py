"""Where a training run starts that has no state of its own: from parts, or from a model."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextModelWithProjection,
    CLIPVisionModelWithProjection,
)

from storybook.training import checkpoint, denoiser, distillation, parts, reading
from storybook.training.checkpoint import Progress
from storybook.training.stopped import TrainingStopped

_TEXT = f"{checkpoint.MODEL}text_"


def from_parts(folder: Path, state: Path) -> list[str]:
    """Take each stage from the parts in ``folder``, unless the state's own is further.

    Returns:
        The stages taken.

    Raises:
        PartsError: if a part is missing or damaged; the state is as it was then.
    """
    state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=state, prefix="parts-") as unpacked:
        found = Path(unpacked)
        parts.unpack(folder, found)
        if (found / "model_index.json").exists():
            taken = from_model(found, state)
        else:
            slim = {
                stage: checkpoint.read(found / f"{stage}.pt")
                for stage in parts.STAGES
                if (found / f"{stage}.pt").exists()
            }
            taken = _take(slim, found / "tokenizer", state)
        if "denoiser" in taken and (found / "snapshots").exists():
            shutil.copytree(found / "snapshots", state / "snapshots")
        return taken


def from_model(folder: Path, state: Path) -> list[str]:
    """Take each stage from a finished model, unless the state's own is further.

    Its autoencoder's latents are standardised already, which training leaves as it is.

    Args:
        folder: a model as ``explainer train`` writes it.
        state: the training state.

    Returns:
        The stages taken.

    Raises:
        TrainingStopped: if the folder holds no such model.
    """
    told = folder / "training.json"
    if not told.exists():
        raise TrainingStopped(
            f"Training cannot start: {folder} holds no model that `explainer train` wrote, for it "
            "has no training.json. Name such a folder after --from-weights."
        )
    record = json.loads(told.read_text())
    text = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder")
    models: dict[str, torch.nn.Module] = {
        "autoencoder": AutoencoderKL.from_pretrained(folder, subfolder="vae"),
        "clip": _pair(folder, text, record["logit_scale"]),
        "denoiser": UNet2DConditionModel.from_pretrained(folder, subfolder="unet"),
    }
    if "distillation" in record["stages"]:
        models["distillation"] = models["denoiser"]
    if "reading" in record["stages"]:
        models["reading"] = text
    if "decoder" in record["stages"]:
        models["decoder"] = models["autoencoder"]
    origins = {
        "denoiser": denoiser.origin(models["autoencoder"], models["clip"]),
        "distillation": distillation.origin(models["denoiser"]),
        "reading": reading.origin(text),
    }
    slim = {
        stage: checkpoint.slim_from_model(model, _progress(record, stage), origins.get(stage))
        for stage, model in models.items()
    }
    return _take(slim, folder / "tokenizer", state)


def _take(slim: dict[str, dict[str, Any]], tokenizer: Path, state: Path) -> list[str]:
    taken = [
        stage for stage, found in slim.items() if checkpoint.further(state / f"{stage}.pt", found)
    ]
    if "distillation" in slim:
        taken = _with_its_teacher(taken, slim, state)
    if "reading" in slim:
        taken = _with_its_text_encoder(taken, slim, state)
    if "clip" in taken or not (state / "tokenizer").exists():
        shutil.copytree(tokenizer, state / "tokenizer", dirs_exist_ok=True)
    if "denoiser" in taken:  # the snapshots show the one before it
        shutil.rmtree(state / "snapshots", ignore_errors=True)
    for stage in taken:
        checkpoint.write(state / f"{stage}.pt", slim[stage])
    return taken


def _with_its_teacher(taken: list[str], slim: dict[str, dict[str, Any]], state: Path) -> list[str]:
    """Take what was distilled with the denoiser that it was distilled of, never beside another."""
    path = state / "distillation.pt"
    if "denoiser" in taken:
        other = path.exists() and checkpoint.origin(path) != slim["distillation"]["origin"]
        return [stage for stage in slim if stage in taken or (other and stage == "distillation")]
    there = Progress.from_json(slim["denoiser"]["progress"]).step
    if checkpoint.progress(state / "denoiser.pt").step > there:
        return [stage for stage in taken if stage != "distillation"]
    return taken


def _with_its_text_encoder(
    taken: list[str], slim: dict[str, dict[str, Any]], state: Path
) -> list[str]:
    """Take a denoiser with the text encoder that leads it, and this one never beside another.

    A finished model holds one text encoder, which the pair's became by reading.
    """
    path = state / "clip.pt"
    if "clip" in taken or not path.exists():
        return taken
    own, other = checkpoint.slim(checkpoint.read(path))["stage"], slim["clip"]["stage"]
    if all(torch.equal(own[name], other[name]) for name in own if name.startswith(_TEXT)):
        return taken
    there = Progress.from_json(slim["clip"]["progress"]).step
    if "denoiser" in taken and checkpoint.progress(path).step == there:
        return [stage for stage in slim if stage in {*taken, "clip", "reading"}]
    return [stage for stage in taken if stage != "reading"]


def _pair(folder: Path, text: CLIPTextModelWithProjection, logit_scale: float) -> CLIPModel:
    vision = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder")
    pair = CLIPModel(
        CLIPConfig(
            text_config=text.config.to_dict(),
            vision_config=vision.config.to_dict(),
            projection_dim=text.config.projection_dim,
        )
    )
    pair.text_model.load_state_dict(text.text_model.state_dict())
    pair.text_projection.load_state_dict(text.text_projection.state_dict())
    pair.vision_model.load_state_dict(vision.vision_model.state_dict())
    pair.visual_projection.load_state_dict(vision.visual_projection.state_dict())
    with torch.no_grad():
        pair.logit_scale.fill_(logit_scale).log_()
    return pair


def _progress(record: dict[str, Any], stage: str) -> Progress:
    done = record["stages"][stage]
    losses = [(int(step), float(loss)) for step, loss in done["losses"]]
    return Progress(
        done["steps"],
        3600 * done["hours"],
        done["pictures"],
        losses,
        done["hardware"],
        record["preset"]["pictures"],
        done.get("note", ""),
    )
