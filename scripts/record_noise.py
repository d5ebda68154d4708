"""What the noise page opens with: experiments, guesses, checkpoints and its still picture.

Part of `make assets`.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import explainer
from explainer import models, recorded
from explainer.parameters import RunParameters
from explainer.stages import guesses, knobs, noise
from storybook import captions, dataset

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from numpy.typing import NDArray

FADE = Path(__file__).resolve().parent.parent / "notebooks" / "images" / "fade.jpg"
DRAWING = 37
"""The training picture that is hidden in noise."""
SHARES = (1.0, 0.9, 0.6, 0.25, 0.05, 0.0)
"""Of the picture's variance, from left to right in the still."""
CHECKPOINTS = 6
GAP = 4


def experiments(pipe: DiffusionPipeline, base: RunParameters) -> dict[str, dict[str, str]]:
    """Draw every run of every experiment; equal runs once."""
    drawn: dict[RunParameters, str] = {}
    for runs in knobs.experiments(base).values():
        for parameters in runs.values():
            if parameters not in drawn:
                drawn[parameters] = _text(_drawn(pipe, parameters))
    return {
        knob: {label: drawn[parameters] for label, parameters in runs.items()}
        for knob, runs in knobs.experiments(base).items()
    }


def _drawn(pipe: DiffusionPipeline, parameters: RunParameters) -> Image.Image:
    return explainer.record(
        pipe,
        parameters.prompt,
        seed=parameters.seed,
        steps=parameters.steps,
        guidance_scale=parameters.guidance_scale,
        negative_prompt=parameters.negative_prompt,
        scheduler=parameters.scheduler,
        previews=False,
    ).image()


def _text(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=90)
    return base64.b64encode(file.getvalue()).decode("ascii")


def learning(snapshots: Path) -> list[tuple[int, str]]:
    """Take the first picture of some of the strips that training kept, evenly over their order."""
    strips = sorted(snapshots.glob("*.webp"))
    chosen = np.linspace(0, len(strips) - 1, min(CHECKPOINTS, len(strips))).round().astype(int)
    found = []
    for strip in (strips[i] for i in chosen):
        image = Image.open(strip).convert("RGB")
        found.append((int(strip.stem), _text(image.crop((0, 0, image.height, image.height)))))
    return found


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


def write(pipe: DiffusionPipeline, base: RunParameters, size: int, snapshots: Path) -> None:
    """Write all of it where the page looks for it."""
    content = {
        "fingerprint": models.fingerprint(pipe),
        "experiments": experiments(pipe, base),
        "learning": learning(snapshots),
    }
    recorded.NOISE.write_text(json.dumps(content, indent=1) + "\n")
    guessed(pipe, size).save(recorded.GUESSES)
    FADE.parent.mkdir(parents=True, exist_ok=True)
    fading(dataset.picture(DRAWING, size)).save(FADE, quality=90)
