"""Runs a model's parts on what training never showed, and measures what comes out."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers.utils import logging as diffusers_logging
from safetensors import safe_open
from torch.nn import functional
from transformers.utils import logging as transformers_logging

from explainer.stages import latent
from storybook import captions, dataset
from storybook.captions import Caption, captions_for, heldout_prompts
from storybook.evaluation.copying import Index, compare
from storybook.evaluation.metrics import (
    Tally,
    psnr,
    retrieval,
    score,
    tallies_as_json,
)
from storybook.illustrator import draw
from storybook.world import NEVER_TOGETHER, Scene, scene

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, StableDiffusionPipeline
    from torch import Tensor

    from storybook.evaluation.judge import Judge

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""

Prompts = list[tuple[Caption, Scene]]

GUIDANCE_SCALES = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0)
STEPS = (4, 10, 25, 50, 200)
SHOWN_NEAREST = 8
PHOTOGRAPH = 256
"""Width and height of the photograph, in pixels."""


FREE_WORDING = Path(__file__).with_name("free_wording.json")
_ANY_SCENE = scene(0)


@dataclass(frozen=True, slots=True)
class Settings:
    """How pictures are made: the pipeline's own arguments. Picture i has seed ``seed + i``."""

    steps: int = 25
    guidance_scale: float = 3.0
    seed: int = 0
    batch: int = 8


@dataclass(slots=True)
class Drawings:
    """Held-out drawings, scenes and captions, at the model's size."""

    scenes: list[Scene]
    captions: list[str]
    pictures: np.ndarray = field(repr=False)

    def first(self, count: int) -> Drawings:
        """Return the first ``count`` of them."""
        return Drawings(self.scenes[:count], self.captions[:count], self.pictures[:count])


@dataclass(frozen=True, slots=True)
class Nearby:
    """The pictures that come nearest to training pictures, nearest first.

    ``made`` and ``trained`` are uint8, shape (n, size, size, 3); ``distances`` float32, shape (n,).
    """

    made: np.ndarray
    trained: np.ndarray
    distances: np.ndarray


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
        with _quiet():
            # Its import alone already remarks that torchvision is not there.
            from diffusers import StableDiffusionPipeline

            pipe = StableDiffusionPipeline.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
            )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{folder} cannot be loaded as a Stable Diffusion pipeline: {error}"
        ) from error
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))


@contextmanager
def _quiet() -> Iterator[None]:
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


def heldout_drawings(count: int, size: int, progress: Progress) -> Drawings:
    """Draw held-out scenes, counted from the first, each with one caption."""
    scenes = [scene(number, "heldout") for number in range(count)]
    pictures = np.empty((count, size, size, 3), np.uint8)
    for i, shown in enumerate(scenes):
        pictures[i] = draw(shown, size)
        progress("held-out drawings", i + 1, count)
    return Drawings(scenes, [captions_for(shown, 1)[0].text for shown in scenes], pictures)


@torch.inference_mode()
def reconstruct(vae: AutoencoderKL, pictures: np.ndarray, batch: int = 16) -> np.ndarray:
    """Return pictures after the autoencoder: encoded to the posterior's mean, then decoded.

    Args:
        vae: any diffusers autoencoder with a Gaussian posterior.
        pictures: uint8, shape (n, height, width, 3).
        batch: how many at once.

    Returns:
        Like ``pictures``.
    """
    pieces = []
    for start in range(0, len(pictures), batch):
        x = torch.tensor(pictures[start : start + batch])
        x = x.permute(0, 3, 1, 2).to(vae.device, vae.dtype) / 127.5 - 1
        decoded = vae.decode(vae.encode(x).latent_dist.mode()).sample
        pieces.append(_as_pictures(decoded))
    return np.concatenate(pieces)


def _as_pictures(x: Tensor) -> np.ndarray:
    levels = ((x.float() / 2 + 0.5).clamp(0, 1) * 255).round()
    return levels.byte().permute(0, 2, 3, 1).cpu().numpy()


def autoencoder_quality(
    drawings: Drawings, reconstructions: np.ndarray
) -> dict[str, float | str | dict[str, float]]:
    """Return the mean PSNR in dB over drawings, each style's, and the worst style."""
    decibels = psnr(drawings.pictures, reconstructions)
    styles = np.array([shown.style for shown in drawings.scenes])
    by_style = {style: float(decibels[styles == style].mean()) for style in sorted(set(styles))}
    worst = min(by_style, key=lambda style: by_style[style])
    return {
        "psnr": float(decibels.mean()),
        "pictures": len(decibels),
        "by_style": by_style,
        "worst_style": worst,
    }


def photograph(vae: AutoencoderKL) -> dict[str, Any]:
    """Return what the autoencoder makes of a photograph, which is nothing that it ever saw.

    It is the portrait of Grace Hopper (public domain) that comes with matplotlib.
    """
    shown = latent.photograph(PHOTOGRAPH)[None]
    decibels = float(psnr(shown, reconstruct(vae, shown))[0])
    return {"of": "Grace Hopper", "size": PHOTOGRAPH, "psnr": decibels}


def judge_quality(judge: Judge, drawings: Drawings, reconstructions: np.ndarray) -> dict[str, Any]:
    """Return how often the judge itself is right, on drawings as they are and autoencoded."""
    return {
        name: tallies_as_json(score(judge.look(pictures), drawings.scenes))
        for name, pictures in (
            ("drawings", drawings.pictures),
            ("reconstructions", reconstructions),
        )
    }


def prompts_of_seen_pairs(count: int) -> Prompts:
    """Return held-out prompts whose scenes hold only pairs that training shows."""
    return heldout_prompts(count, unseen=False)


def free_prompts() -> Prompts:
    """Return the prompts in free wording: written by somebody who had not seen any caption.

    Each with the scene that it means; what it leaves open counts for nothing.
    """
    written = json.loads(FREE_WORDING.read_text())
    return [
        (Caption(one["text"], frozenset(one["names"])), replace(_ANY_SCENE, **one["names"]))
        for one in written
    ]


def prompts_of_unseen_pairs(count: int) -> Prompts:
    """Return held-out prompts that name both halves of a pair that training never shows."""
    tries = count
    while len(found := [p for p in heldout_prompts(tries, unseen=True) if _names_pair(p)]) < count:
        tries *= 2
    return found[:count]


def _names_pair(prompt: tuple[Caption, Scene]) -> bool:
    caption, shown = prompt
    return any(
        getattr(shown, a) == x and getattr(shown, b) == y and {a, b} <= caption.names
        for (a, x), (b, y) in NEVER_TOGETHER
    )


def paint(
    pipe: StableDiffusionPipeline,
    prompts: Sequence[str],
    settings: Settings,
    progress: Progress,
    negatives: Sequence[str] | None = None,
) -> np.ndarray:
    """Make one picture a prompt.

    Args:
        pipe: the model.
        prompts: what to show.
        settings: how to make them.
        progress: told how far it is.
        negatives: a negative prompt for each prompt; None for none.

    Returns:
        uint8, shape (n, height, width, 3). Seeds are drawn on the CPU, so that every device
        starts from the same noise.
    """
    pictures: list[np.ndarray] = []
    for start in range(0, len(prompts), settings.batch):
        texts = list(prompts[start : start + settings.batch])
        unwanted = list(negatives[start : start + settings.batch]) if negatives else None
        seeds = range(settings.seed + start, settings.seed + start + len(texts))
        made = pipe(
            texts,
            negative_prompt=unwanted,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        ).images
        pictures += [np.asarray(image.convert("RGB")) for image in made]
        progress("pictures from prompts", len(pictures), len(prompts))
    return np.stack(pictures)


def copying(
    pipe: StableDiffusionPipeline,
    clip: ClipPair,
    trained: np.ndarray,
    drawings: int,
    count: int,
    settings: Settings,
    progress: Progress,
) -> tuple[dict[str, Any], dict[str, Nearby]]:
    """Measure how near a model's pictures come to the pictures that it was trained on.

    It is prompted with the training pictures' own captions: that is where a copy is likeliest.

    Args:
        pipe: the model.
        clip: whose eyes to compare with.
        trained: the training pictures: uint8, shape (n, size, size, 3).
        drawings: how many drawings, made anew from the same captions, are the measure of how
            near is near.
        count: how many pictures to make.
        settings: how to make them.
        progress: told how far it is.

    Returns:
        What :func:`storybook.evaluation.copying.compare` found; and the pictures that come
        nearest by ``pixels`` and by ``clip``.
    """
    index = Index.of(trained, clip, lambda done, of: progress("training pictures", done, of))
    count = min(count, len(trained))
    told = [text for some in dataset.captions(count, 1) for text in some]
    made = paint(pipe, told, settings, progress)
    found = index.nearest(Index.of(made, clip))
    size = trained.shape[1]
    drawn = np.stack([dataset.anew(i % count, size, i // count) for i in range(drawings)])
    unseen = Index.of(drawn, clip)
    report = compare(found, index.nearest(unseen), unseen.among())
    nearby = {}
    for kind, nearest in found.items():
        rows = np.argsort(nearest.distances)[:SHOWN_NEAREST]
        near = np.stack([trained[number] for number in nearest.numbers[rows]])
        nearby[kind] = Nearby(made[rows], near, nearest.distances[rows])
    return {"training": len(trained), **report}, nearby


def words_to_pictures(
    pipe: StableDiffusionPipeline,
    judge: Judge,
    prompts: Prompts,
    settings: Settings,
    progress: Progress,
) -> tuple[dict[str, Any], np.ndarray]:
    """Return what the judge finds of what prompts name, and the pictures.

    Beside the tallies there is ``seconds``, the time one picture took in its batch.
    """
    began = time.perf_counter()
    pictures = paint(pipe, [caption.text for caption, _ in prompts], settings, progress)
    seconds = (time.perf_counter() - began) / len(prompts)
    tallies = score(
        judge.look(pictures),
        [shown for _, shown in prompts],
        [caption.names for caption, _ in prompts],
    )
    return {**tallies_as_json(tallies), "seconds": seconds}, pictures


def curves(
    pipe: StableDiffusionPipeline,
    judge: Judge,
    prompts: Prompts,
    settings: Settings,
    progress: Progress,
) -> dict[str, list[dict[str, Any]]]:
    """Return the same measurement over guidance scales and over numbers of steps."""
    guidances = [
        Settings(settings.steps, scale, settings.seed, settings.batch) for scale in GUIDANCE_SCALES
    ]
    lengths = [
        Settings(steps, settings.guidance_scale, settings.seed, settings.batch) for steps in STEPS
    ]
    found: dict[str, list[dict[str, Any]]] = {}
    for name, key, rows in (
        ("guidance", "guidance_scale", guidances),
        ("steps", "steps", lengths),
    ):
        found[name] = [
            {key: getattr(row, key), **words_to_pictures(pipe, judge, prompts, row, progress)[0]}
            for row in rows
        ]
    return found


class ClipPair:
    """The model's text encoder and its image encoder, which share one space.

    Args:
        folder: the weights folder; both encoders, the tokenizer and the picture's preparation
            are read from it.
        device: where to compute.

    Raises:
        FileNotFoundError: if the folder lacks one of these.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        from transformers import (
            AutoTokenizer,
            CLIPTextModelWithProjection,
            CLIPVisionModelWithProjection,
        )

        for part in ("image_encoder", "text_encoder", "tokenizer", "feature_extractor"):
            if not (folder / part).is_dir():
                raise FileNotFoundError(f"{folder} has no {part}/, so its CLIP pair is incomplete")
        with _quiet():
            self.tokenizer = AutoTokenizer.from_pretrained(
                folder / "tokenizer", local_files_only=True
            )
            self.text, self.vision = (
                kind.from_pretrained(folder / part, local_files_only=True, dtype=torch.float32)
                .to(device)
                .eval()
                for kind, part in (
                    (CLIPTextModelWithProjection, "text_encoder"),
                    (CLIPVisionModelWithProjection, "image_encoder"),
                )
            )
        preparation = json.loads(
            (folder / "feature_extractor" / "preprocessor_config.json").read_text()
        )
        self.mean, self.deviation = (
            torch.tensor(preparation[key], device=device).view(3, 1, 1)
            for key in ("image_mean", "image_std")
        )
        self.device = device

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, float32, shape (n, projection width)."""
        tokens = self.tokenizer(
            list(texts), padding="max_length", truncation=True, return_tensors="pt",
            max_length=self.text.config.max_position_embeddings,
        ).to(self.device)  # fmt: skip
        # Stable Diffusion's pipeline gives its text encoder no attention mask either.
        return _units(self.text(tokens.input_ids).text_embeds)

    @torch.inference_mode()
    def embed_pictures(self, pictures: np.ndarray, batch: int = 64) -> np.ndarray:
        """Return unit vectors, float32, shape (n, projection width), of uint8 pictures."""
        size = self.vision.config.image_size
        pieces = []
        for start in range(0, len(pictures), batch):
            x = torch.tensor(pictures[start : start + batch])
            x = x.permute(0, 3, 1, 2).to(self.device).float() / 255
            if x.shape[-2:] != (size, size):
                x = functional.interpolate(x, (size, size), mode="bicubic", antialias=True)
            pieces.append(_units(self.vision((x - self.mean) / self.deviation).image_embeds))
        return np.concatenate(pieces)


def _units(x: Tensor) -> np.ndarray:
    return functional.normalize(x.float(), dim=-1).cpu().numpy()


def clip_quality(clip: ClipPair, drawings: Drawings) -> dict[str, Any]:
    """Return how well the pair matches held-out drawings with their captions, and with words.

    Zero-shot classes are the means of all wordings that captions have for a place or a style.
    """
    pictures, texts = clip.embed_pictures(drawings.pictures), clip.embed_texts(drawings.captions)
    places = {
        place: tuple(f"{where} {words}" for where in captions.WHERE[place] for words in wordings)
        for place, wordings in captions.PLACE.items()
    }
    return {
        "pairs": len(pictures),
        "picture_to_caption": retrieval(pictures, texts).as_json(),
        "caption_to_picture": retrieval(texts, pictures).as_json(),
        "zero_shot_place": _zero_shot(
            clip, pictures, [shown.place for shown in drawings.scenes], places
        ).as_json(),
        "zero_shot_style": _zero_shot(
            clip, pictures, [shown.style for shown in drawings.scenes], captions.STYLE
        ).as_json(),
    }


def _zero_shot(
    clip: ClipPair, pictures: np.ndarray, truth: list[str], wordings: captions.Table
) -> Tally:
    classes = np.stack([clip.embed_texts(texts).mean(0) for texts in wordings.values()])
    classes /= np.linalg.norm(classes, axis=1, keepdims=True)
    answers = [list(wordings)[i] for i in (pictures @ classes.T).argmax(1)]
    right = sum(seen == shown for seen, shown in zip(answers, truth, strict=True))
    return Tally(right, len(truth))
