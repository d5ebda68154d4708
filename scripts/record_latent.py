"""What the latent page opens with: pictures through the autoencoder, and its still picture.

Part of `make assets`.
"""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from explainer import models, recorded
from explainer.look import PAPER
from explainer.stages import latent, originality, walk
from explainer.widgets import pixels

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from numpy.typing import NDArray

    from explainer.parameters import RunParameters
    from explainer.trace import Trace

STILL = Path(__file__).resolve().parent.parent / "notebooks" / "images" / "latent.jpg"
OTHER_PROMPT = "a dragon reads a book in the city at night, flat vector"
"""Where the walk between two sentences ends."""
ENLARGED = 3
GAP = 6
BELOW, ZERO, ABOVE = (33, 102, 172), (247, 244, 238), (184, 89, 11)
"""Colours of numbers; the same as the widgets' (explainer/widgets/cells.js)."""


def pictures(trace: Trace) -> dict[str, NDArray[np.uint8]]:
    """Return what the page sends through the autoencoder, by title."""
    return {
        "an unseen drawing": originality.unseen(0, trace.width),
        "a generated picture": np.asarray(trace.image(), np.uint8),
        "a photograph": latent.photograph(trace.width),
    }


def trips(pipe: DiffusionPipeline, trace: Trace) -> dict[str, dict[str, str]]:
    """Send each picture through the autoencoder."""
    found = {title: latent.round_trip(pipe, one) for title, one in pictures(trace).items()}
    return {
        title: {"before": _text(trip.before), "after": _text(trip.after)}
        for title, trip in found.items()
    }


def walks(
    pipe: DiffusionPipeline, trace: Trace, other: Trace, base: RunParameters
) -> dict[str, dict[str, object]]:
    """Walk every way that the page offers."""
    ends = [one.latents[-1].astype(np.float32) for one in (trace, other)]
    found = {
        "noise": walk.into_noise(pipe, np.asarray(trace.image(), np.uint8)),
        "latents": walk.between_latents(pipe, ends[0], ends[1]),
        "noises": walk.between_noises(pipe, base, base.seed + 1),
        "prompts": walk.between_prompts(pipe, base, OTHER_PROMPT),
    }
    return {kind: one.plain() for kind, one in found.items() if one is not None}


def _text(picture: NDArray[np.uint8]) -> str:
    return base64.b64encode(pixels.lossless(picture)).decode("ascii")


def still(trace: Trace) -> Image.Image:
    """Lay a picture and all channels of its latents out at one scale: a number is a square."""
    picture = np.asarray(trace.image(), np.uint8)
    latents = trace.latents[-1].astype(np.float64)
    depth, rows, columns = latents.shape
    tallest = max(1, (picture.shape[0] + GAP) // (rows + GAP))
    beside = max(math.ceil(math.sqrt(depth)), math.ceil(depth / tallest))
    stacked = math.ceil(depth / beside)
    width = picture.shape[1] + 2 * GAP + beside * (columns + GAP)
    sheet = Image.new("RGB", (ENLARGED * width, ENLARGED * picture.shape[0]), PAPER)
    sheet.paste(_enlarged(Image.fromarray(picture), Image.Resampling.BICUBIC), (0, 0))
    top = (picture.shape[0] - stacked * (rows + GAP) + GAP) // 2
    for place in range(depth):
        across, down = place % beside, place // beside
        corner = (picture.shape[1] + 2 * GAP + across * (columns + GAP), top + down * (rows + GAP))
        channel = coloured(latents[place], pixels.limit_of(latents))
        at = (ENLARGED * corner[0], ENLARGED * corner[1])
        sheet.paste(_enlarged(channel, Image.Resampling.NEAREST), at)
    return sheet


def _enlarged(picture: Image.Image, way: Image.Resampling) -> Image.Image:
    return picture.resize((ENLARGED * picture.width, ENLARGED * picture.height), way)


def coloured(values: NDArray[np.float64], limit: float) -> Image.Image:
    """Draw a table of numbers, a pixel each: blue below zero, orange above, strongest at limit."""
    levels = np.clip(values / limit, -1, 1)[..., None]
    ends = np.where(levels < 0, np.array(BELOW), np.array(ABOVE))
    colours = np.array(ZERO) + np.abs(levels) * (ends - np.array(ZERO))
    return Image.fromarray(colours.astype(np.uint8))


def write(pipe: DiffusionPipeline, trace: Trace, other: Trace, base: RunParameters) -> None:
    """Write all of it where the page looks for it."""
    content = {
        "fingerprint": models.fingerprint(pipe),
        "trips": trips(pipe, trace),
        "walks": walks(pipe, trace, other, base),
    }
    recorded.LATENT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    STILL.parent.mkdir(parents=True, exist_ok=True)
    still(trace).save(STILL, quality=90)
