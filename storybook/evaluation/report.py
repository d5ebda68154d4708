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
from storybook.evaluation import examine
from storybook.evaluation.card import ATTRIBUTE_NAMES, model_card
from storybook.evaluation.copying import QUANTILES
from storybook.evaluation.sheets import contact_sheet
from storybook.world import STYLES, WORLD_VERSION

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from storybook.evaluation.examine import Drawings, Progress, Settings
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
    prompts: int = 128
    unseen: int = 64
    drawings: int = 512
    curves: bool = False
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
    clip = examine.ClipPair(folder, pipe.device)
    size = examine.picture_size(pipe)
    drawings = examine.heldout_drawings(plan.drawings, size, progress)
    decoded = examine.reconstruct(pipe.vae, drawings.pictures)
    seen, unseen = (
        examine.prompts_of_seen_pairs(plan.prompts),
        examine.prompts_of_unseen_pairs(plan.unseen),
    )
    found, pictures = examine.words_to_pictures(pipe, judge, seen, plan.settings, progress)
    evaluation = {
        "world": WORLD_VERSION,
        "weights": fingerprints.of_pipeline(pipe),
        "size": size,
        "parts": examine.parts(folder),
        "settings": asdict(plan.settings),
        "machine": {
            "device": str(pipe.device), "processor": platform.machine(),
            "threads": torch.get_num_threads(), "torch": torch.__version__,
        },
        "autoencoder": examine.autoencoder_quality(drawings, decoded),
        "judge": examine.judge_quality(judge, drawings, decoded),
        "seen_pairs": found,
        "unseen_pairs": examine.words_to_pictures(
            pipe, judge, unseen, plan.settings, progress
        )[0],
        "free_wording": examine.words_to_pictures(
            pipe, judge, examine.free_prompts(), plan.settings, progress
        )[0],
        "photograph": examine.photograph(pipe.vae),
        "clip": examine.clip_quality(clip, drawings.first(CLIP_PAIRS)),
    }  # fmt: skip
    if plan.curves:
        evaluation["curves"] = examine.curves(
            pipe, judge, seen[:CURVE_PROMPTS], plan.settings, progress
        )
    texts = [caption.text for caption, _ in seen[:SHEET]]
    sheets = {
        "contact-sheet.webp": contact_sheet(list(pictures[:SHEET]), texts),
        "running-example.webp": _running_example(pipe, plan.settings, progress),
        "autoencoder.webp": _autoencoder_sheet(drawings, decoded),
    }
    if plan.copying:
        evaluation["copying"], nearest = _copying(folder, pipe, clip, drawings, plan, progress)
        sheets |= nearest
    return evaluation, sheets


def _copying(
    folder: Path,
    pipe: StableDiffusionPipeline,
    clip: examine.ClipPair,
    drawings: Drawings,
    plan: Plan,
    progress: Progress,
) -> tuple[dict[str, Any], Pictures]:
    """Let the model, and its twin if it is wanted, take the test of copying."""
    size = examine.picture_size(pipe)
    count = json.loads((folder / "training.json").read_text())["preset"]["pictures"]
    takers = {"model": (pipe, count)}
    if plan.twin:
        # Training is imported only where something is trained.
        from storybook.evaluation import twin

        takers["twin"] = (twin.overfitted(pipe, plan.state / "twin"), twin.PICTURES)
    report, sheets = {}, {}
    for name, (taker, learned) in takers.items():
        trained = dataset.pictures(plan.state, size=size, count=learned)
        report[name], made, near = examine.copying(
            taker, clip, trained, drawings, plan.copying, plan.settings, progress
        )
        sheets[f"nearest-{name}.webp"] = contact_sheet(
            [*made, *near], [""] * len(made) + ["nearest"] * len(near), columns=len(made)
        )
    return report, sheets


def _running_example(
    pipe: StableDiffusionPipeline, settings: Settings, progress: Progress
) -> Image.Image:
    pictures = examine.paint(pipe, [RUNNING_EXAMPLE] * 6, settings, progress)
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

    Returns:
        The files written.
    """
    images.mkdir(parents=True, exist_ok=True)
    charts = {"accuracy.png": accuracy_chart(evaluation)}
    if "curves" in evaluation:
        charts["curves.png"] = curves_chart(evaluation["curves"])
    if "copying" in evaluation:
        charts["copying.png"] = copying_chart(evaluation["copying"])
    written = []
    for name, picture in pictures.items():
        picture.save(images / name, quality=82, method=6)
        written.append(images / name)
    for name, chart in charts.items():
        chart.savefig(images / name, dpi=110, metadata={"Software": None})
        written.append(images / name)
    numbers = folder / "evaluation.json"
    numbers.write_text(json.dumps(evaluation, indent=1) + "\n")
    return [*written, numbers, write_card(folder, images)]


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


def accuracy_chart(evaluation: Mapping[str, Any]) -> Figure:
    """Draw each attribute's accuracy with its interval, beside the judge's own."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    series = (
        ("prompts with pairs seen in training", evaluation["seen_pairs"], "#2f6f8f", "o"),
        ("prompts with a pair never seen", evaluation["unseen_pairs"], "#d98032", "s"),
        ("the judge's own accuracy, on drawings", evaluation["judge"]["drawings"], "#9a9a9a", "|"),
    )
    for place, (label, tallies, colour, marker) in enumerate(series):
        _points(axes, tallies, (1 - place) * 0.2, label, colour, marker)
    axes.set_yticks(range(len(ATTRIBUTE_NAMES)), ATTRIBUTE_NAMES.values())
    axes.invert_yaxis()
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_xlabel("pictures that show what the prompt names (95 % interval)")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, fontsize=7, frameon=False)
    return figure


def _points(
    axes: Axes, tallies: Mapping[str, Any], shift: float, label: str, colour: str, marker: str
) -> None:
    rows = [
        (height, tallies[name])
        for height, name in enumerate(ATTRIBUTE_NAMES)
        if tallies[name]["share"] is not None
    ]
    shares = [tally["share"] for _, tally in rows]
    reach = [
        [tally["share"] - tally["low"] for _, tally in rows],
        [tally["high"] - tally["share"] for _, tally in rows],
    ]
    axes.errorbar(
        shares, [height - shift for height, _ in rows], xerr=np.abs(reach), label=label,
        color=colour, fmt=marker, markersize=5, elinewidth=1.2, capsize=2,
    )  # fmt: skip


def curves_chart(curves: Mapping[str, list[dict[str, Any]]]) -> Figure:
    """Draw accuracy over the guidance scale and over the number of steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (rows, key, title) in zip(
        panels,
        (
            (curves["guidance"], "guidance_scale", "guidance scale"),
            (curves["steps"], "steps", "steps"),
        ),
        strict=True,
    ):
        for name in ("who", "place", "time", "style", "colour"):
            axes.plot(
                [row[key] for row in rows],
                [row[name]["share"] for row in rows],
                marker="o",
                markersize=3,
                label=ATTRIBUTE_NAMES[name],
            )
        axes.set_xlabel(title)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(0, 1)
    panels[0].yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    panels[0].legend(fontsize=7, frameon=False)
    return figure


def copying_chart(copying: Mapping[str, Any]) -> Figure:
    """Draw how many pictures lie how near to a training picture, by pixels and by CLIP."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    lines = [("drawings never seen in training", copying["model"], "drawings", "#9a9a9a", "-"),
             ("the model's pictures", copying["model"], "model", "#2f6f8f", "-")]  # fmt: skip
    if "twin" in copying:
        lines.append(("the overfitted twin's", copying["twin"], "model", "#d98032", "--"))
    for axes, (kind, title) in zip(
        panels, (("pixels", "RMS difference of thumbnails"), ("clip", "CLIP distance")), strict=True
    ):
        for label, found, who, colour, dashes in lines:
            axes.plot(found[kind][who], QUANTILES, dashes, color=colour, label=label)
        axes.set_xlabel(f"{title} to the nearest training picture")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    panels[0].set_ylabel("pictures that are as near")
    panels[0].legend(fontsize=7, frameon=False)
    return figure
