"""Measures a model as a whole, and writes the numbers, figures and the model card."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from explainer import fingerprints
from storybook import dataset
from storybook.captions import RUNNING_EXAMPLE
from storybook.evaluation import behaviour, clip_pair, copying, examine, prompts
from storybook.evaluation.card import model_card
from storybook.evaluation.charts import charts
from storybook.evaluation.loading import parts, picture_size
from storybook.evaluation.painting import Progress, Settings, paint
from storybook.evaluation.sheets import contact_sheet
from storybook.world import STYLES, WORLD_VERSION

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from storybook.evaluation.clip_pair import ClipPair
    from storybook.evaluation.copying import Nearby
    from storybook.evaluation.examine import Drawings
    from storybook.evaluation.judge import Judge

SHEET = 24
"""Prompts on the contact sheet: the first held-out ones, not chosen."""

CLIP_PAIRS = 256
CURVE_PROMPTS = 64

Pictures = dict[str, Image.Image]
"""File name to picture."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    settings: Settings
    prompts: int
    unseen: int
    drawings: int
    curves: bool = False
    behaviour: int = 0
    """Prompts for schedulers, negative prompts and seeds; 0 leaves them out."""
    copying: int = 0
    """Pictures to hold against the training pictures; 0 leaves the test out."""
    twin: bool = False
    """Whether an overfitted twin, trained for it, takes the same test."""
    state: Path = Path("training-state")
    """Where the training pictures are, and where the twin is trained."""


def measure(
    folder: Path, pipe: StableDiffusionPipeline, judge: Judge, plan: Plan, progress: Progress
) -> tuple[dict[str, Any], Pictures]:
    """Measure a loaded model.

    Args:
        folder: where the model was loaded from.
        pipe: the model.
        judge: who looks at its pictures.
        plan: how much to measure.
        progress: told how far it is.

    Returns:
        What :func:`write` writes: numbers for JSON, and pictures by file name.
    """
    clip = clip_pair.ClipPair(folder, pipe.device)
    size = picture_size(pipe)
    drawings = examine.heldout_drawings(plan.drawings, size, progress)
    decoded = examine.reconstruct(pipe.vae, drawings.pictures)
    seen, unseen = prompts.of_seen_pairs(plan.prompts), prompts.of_unseen_pairs(plan.unseen)
    found, pictures = examine.words_to_pictures(pipe, judge, seen, plan.settings, progress)
    evaluation = {
        "world": WORLD_VERSION,
        "weights": fingerprints.of_pipeline(pipe),
        "size": size,
        "parts": parts(folder),
        "scheduler": type(pipe.scheduler).__name__,
        "settings": asdict(plan.settings),
        "machine": {
            "device": str(pipe.device), "processor": platform.machine(),
            "threads": torch.get_num_threads(), "torch": torch.__version__,
        },
        "autoencoder": examine.autoencoder_quality(drawings, decoded),
        "judge": examine.judge_quality(judge, drawings, decoded, unseen),
        "seen_pairs": found,
        "unseen_pairs": examine.words_to_pictures(
            pipe, judge, unseen, plan.settings, progress
        )[0],
        "free_wording": examine.words_to_pictures(
            pipe, judge, prompts.in_free_wording(), plan.settings, progress
        )[0],
        "photograph": examine.photograph(pipe.vae),
        "clip": clip_pair.quality(clip, drawings.first(CLIP_PAIRS)),
    }  # fmt: skip
    if plan.curves:
        evaluation["curves"] = examine.curves(
            pipe, judge, seen[:CURVE_PROMPTS], plan.settings, progress
        )
    if plan.behaviour:
        evaluation["behaviour"] = behaviour.measure(
            pipe, judge, clip, plan.behaviour, plan.settings, progress
        )
    texts = [caption.text for caption, _ in seen[:SHEET]]
    sheets = {
        "contact-sheet.webp": contact_sheet(list(pictures[:SHEET]), texts),
        "running-example.webp": _running_example(pipe, plan.settings, progress),
        "autoencoder.webp": _autoencoder_sheet(drawings, decoded),
    }
    if plan.copying:
        evaluation["copying"], nearest = _copying(folder, pipe, clip, plan, progress)
        sheets |= nearest
    return evaluation, sheets


def learned_from(folder: Path) -> int:
    """Return from how many pictures the model in a folder learned.

    Raises:
        ValueError: if the folder does not tell.
    """
    try:
        return int(json.loads((folder / "training.json").read_text())["preset"]["pictures"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder} has no training.json that tells from how many pictures the model learned, "
            "and without it nothing can be held against them. Leave --copying out"
        ) from error


def _copying(
    folder: Path,
    pipe: StableDiffusionPipeline,
    clip: ClipPair,
    plan: Plan,
    progress: Progress,
) -> tuple[dict[str, Any], Pictures]:
    """Let the model, and its twin if it is wanted, take the test of copying."""
    size = picture_size(pipe)
    takers = {"model": (pipe, learned_from(folder))}
    if plan.twin:
        # Training is imported only where something is trained.
        from storybook.evaluation import twin

        learned = twin.PICTURES
        copier = twin.overfitted(pipe, plan.state / "twin", count=learned, steps=twin.STEPS)
        takers["twin"] = (copier, learned)
    report, sheets = {}, {}
    for name, (taker, learned) in takers.items():
        trained = dataset.pictures(plan.state, size=size, count=learned)
        report[name], nearby = copying.measure(
            taker, clip, trained, plan.drawings, plan.copying, plan.settings, progress
        )
        sheets[f"nearest-{name}.webp"] = _worst_cases(nearby)
    return report, sheets


def _worst_cases(nearby: Mapping[str, Nearby]) -> Image.Image:
    """Show the pictures that come nearest above what they come near to, by each distance."""
    pictures: list[np.ndarray] = []
    told: list[str] = []
    for kind, name in (("pixels", "pixels"), ("clip", "CLIP")):
        found = nearby[kind]
        pictures += [*found.made, *found.trained]
        told += [""] * len(found.made) + [f"{name} {far:.3f}" for far in found.distances]
    return contact_sheet(pictures, told, columns=len(nearby["clip"].made))


def _running_example(
    pipe: StableDiffusionPipeline, settings: Settings, progress: Progress
) -> Image.Image:
    pictures = paint(pipe, [RUNNING_EXAMPLE] * 6, settings, progress)
    return contact_sheet(list(pictures), [f"seed {settings.seed + i}" for i in range(6)])


def _autoencoder_sheet(drawings: Drawings, decoded: np.ndarray) -> Image.Image:
    """Show the first drawing of every style above what the autoencoder makes of it."""
    styles = [shown.style for shown in drawings.scenes]
    first = [styles.index(style) for style in STYLES if style in styles]
    return contact_sheet(
        [*drawings.pictures[first], *decoded[first]],
        [""] * len(first) + [styles[i] for i in first],
        columns=len(first),
        width=drawings.pictures.shape[1],
    )


def write(
    evaluation: Mapping[str, Any], pictures: Pictures, folder: Path, images: Path
) -> list[Path]:
    """Write ``evaluation.json`` and the model card into ``folder``, figures into ``images``.

    What an earlier report there tells about copies by the same model stays, if this one tells
    nothing about them.

    Returns:
        The files written.
    """
    images.mkdir(parents=True, exist_ok=True)
    numbers = folder / "evaluation.json"
    evaluation = {**_still_true(numbers, evaluation), **evaluation}
    written = []
    for name, picture in pictures.items():
        picture.save(images / name, quality=82, method=6)
        written.append(images / name)
    for name, chart in charts(evaluation).items():
        chart.savefig(images / name, dpi=110, metadata={"Software": None})
        written.append(images / name)
    numbers.write_text(json.dumps(evaluation, indent=1) + "\n")
    return [*written, numbers, write_card(folder, images)]


def _still_true(path: Path, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an earlier report tells about copies, if it is of the same pictures.

    No judge takes part in that test, the longest of all, so a new one changes nothing in it.
    """
    if not path.is_file():
        return {}
    earlier = json.loads(path.read_text())
    same = _measured_on(earlier) == _measured_on(evaluation)
    return {"copying": earlier["copying"]} if same and "copying" in earlier else {}


def _measured_on(evaluation: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the model, how it made its pictures, and how many drawings they are held against."""
    # Reports of earlier versions name no scheduler, and it was another one.
    made = (evaluation["weights"], evaluation.get("scheduler"), evaluation["settings"])
    return *made, evaluation["autoencoder"]["pictures"]


def write_card(folder: Path, images: Path) -> Path:
    """Write the model card from ``evaluation.json`` and, where there is one, ``training.json``.

    Raises:
        FileNotFoundError: if the folder has not been measured.
    """
    numbers, history = folder / "evaluation.json", folder / "training.json"
    if not numbers.is_file():
        raise FileNotFoundError(f"{numbers} is missing: run `explainer evaluate` first")
    card = model_card(
        json.loads(numbers.read_text()),
        json.loads(history.read_text()) if history.is_file() else None,
        Path(os.path.relpath(images, folder)).as_posix(),
    )
    path = folder / "README.md"
    path.write_text(card)
    return path
