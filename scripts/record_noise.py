"""What the noise page opens with: experiments, guesses, checkpoints and its still picture.

Part of `make assets`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import explainer
from explainer import models, recorded
from explainer.parameters import RunParameters
from explainer.pictures import webp
from explainer.stages import broken, guesses, inside, knobs, noise, swap
from storybook import captions, dataset
from storybook.training import recipe

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from numpy.typing import NDArray

    from explainer.trace import Trace

FADE = Path(__file__).resolve().parent.parent / "notebooks" / "images" / "fade.jpg"
DRAWING = 6057
"""The training picture that is hidden in noise."""
SHARES = (1.0, 0.9, 0.6, 0.25, 0.05, 0.0)
"""Of the picture's variance, from left to right in the still."""
CHECKPOINTS = 12
SNAPSHOT_QUALITY = 70
"""Of WebP: most of what is kept of a training is noise, which takes much room."""
OTHER_PROMPT = "a dragon reads a book in the city at night, flat vector"
"""What the running example turns into on the way."""
GAP = 4


def experiments(pipe: DiffusionPipeline, base: RunParameters) -> dict[str, dict[str, str]]:
    """Draw every run of every experiment; equal runs once."""
    drawn: dict[RunParameters | broken.Broken, str] = {}
    for runs in knobs.experiments(base).values():
        for wanted in runs.values():
            if wanted not in drawn:
                drawn[wanted] = _text(_drawn(pipe, wanted))
    return {
        knob: {label: drawn[wanted] for label, wanted in runs.items()}
        for knob, runs in knobs.experiments(base).items()
    }


def _drawn(pipe: DiffusionPipeline, wanted: RunParameters | broken.Broken) -> Image.Image:
    if isinstance(wanted, broken.Broken):
        return broken.record(pipe, wanted, previews=False).image()
    return _record(pipe, wanted).image()


def _record(pipe: DiffusionPipeline, parameters: RunParameters) -> Trace:
    return explainer.record(
        pipe,
        **parameters.arguments(),
        previews=False,
    )


def _text(image: Image.Image, quality: int = 90) -> str:
    return base64.b64encode(webp(image, quality)).decode("ascii")


def learned(snapshots: Path, steps: int) -> dict[str, object] | None:
    """Take the strips that training kept apart, some of them, evenly over their order.

    Args:
        snapshots: The folder of the strips, each named by its step.
        steps: How long the denoiser was trained. A training ends with a strip, so others were left
            by another training.
    """
    strips = sorted(snapshots.glob("*.webp"))
    if not strips or int(strips[-1].stem) != steps:
        return None
    chosen = np.linspace(0, len(strips) - 1, min(CHECKPOINTS, len(strips))).round().astype(int)
    kept = [strips[i] for i in chosen]
    rows = [_cut(Image.open(strip).convert("RGB")) for strip in kept]
    return {
        "prompts": list(recipe.SHOWN_PROMPTS),
        "steps": [int(strip.stem) for strip in kept],
        "pictures": [list(pictures) for pictures in zip(*rows, strict=True)],
    }


def denoiser(weights: Path) -> str:
    """Name a model's denoiser by how it was trained: whatever was learned later, it was seen so."""
    return hashlib.sha256(json.dumps(_training(weights)).encode()).hexdigest()[:16]


def _training(weights: Path) -> dict[str, Any]:
    record = json.loads((weights / "training.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = record["stages"]["denoiser"]
    return found


def _keep_learned(snapshots: Path, weights: Path) -> None:
    """Write what training showed; where nothing is at hand, what is of this denoiser stays."""
    kept, learner = learned(snapshots, _training(weights)["steps"]), denoiser(weights)
    if kept is not None:
        _write(recorded.LEARNED, {"denoiser": learner} | kept)
    elif recorded.LEARNED.is_file():
        told = json.loads(recorded.LEARNED.read_text(encoding="utf-8"))
        if told["denoiser"] != learner:
            recorded.LEARNED.unlink()


def _cut(strip: Image.Image) -> list[str]:
    """A picture for every prompt that training showed."""
    side = strip.width // len(recipe.SHOWN_PROMPTS)
    return [
        _text(strip.crop((i * side, 0, (i + 1) * side, strip.height)), SNAPSHOT_QUALITY)
        for i in range(len(recipe.SHOWN_PROMPTS))
    ]


def guessed(pipe: DiffusionPipeline, size: int) -> guesses.Guesses:
    """Hide a drawing in noise, and ask the model for it with the drawing's own caption."""
    caption = captions.captions_of(DRAWING, 1)[0].text
    found = guesses.ask(pipe, dataset.picture(DRAWING, size), caption)
    assert found is not None  # noqa: S101 - it was not cancelled
    return found


def fading(picture: NDArray[np.uint8]) -> Image.Image:
    """Lay a picture out as it fades, from clean to static."""
    clean = picture / 127.5 - 1
    static = np.random.default_rng(0).standard_normal(clean.shape)
    side = picture.shape[0]
    sheet = Image.new("RGB", (len(SHARES) * (side + GAP) - GAP, side), "white")
    for place, share in enumerate(SHARES):
        state = np.clip(127.5 * (1 + noise.add_noise(clean, static, share)), 0, 255)
        sheet.paste(Image.fromarray(state.round().astype(np.uint8)), (place * (side + GAP), 0))
    return sheet


def swapped(pipe: DiffusionPipeline, base: RunParameters) -> swap.Swap:
    """Exchange the running example's prompt at some of its steps, and ask CLIP what it sees."""
    judge = swap.clip_judge(models.embedded_folder())
    found = swap.swap(pipe, base, OTHER_PROMPT, judge=judge)
    assert found is not None  # noqa: S101 - it was not cancelled
    return found


def looked(pipe: DiffusionPipeline, base: RunParameters) -> inside.Look:
    """Look into the denoiser at some steps of the running example."""
    found = inside.look(pipe, _record(pipe, base))
    assert found is not None  # noqa: S101 - it was not cancelled
    return found


def write(pipe: DiffusionPipeline, base: RunParameters, size: int, snapshots: Path) -> None:
    """Write all of it where the page looks for it."""
    made_with = {"fingerprint": models.fingerprint(pipe)}
    _write(recorded.NOISE, made_with | {"experiments": experiments(pipe, base)})
    _keep_learned(snapshots, models.embedded_folder())
    swapped(pipe, base).save(recorded.SWAP)
    looked(pipe, base).save(recorded.INSIDE)
    guessed(pipe, size).save(recorded.GUESSES)
    FADE.parent.mkdir(parents=True, exist_ok=True)
    fading(dataset.picture(DRAWING, size)).save(FADE, quality=90)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
