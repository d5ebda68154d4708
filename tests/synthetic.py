"""A trace made by hand: a small scene that comes out of noise, through the real constructor."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from explainer.trace import Token, Trace

WORDS = ("a", "fox", "in", "the", "snow")
CONTEXT = 12


def webp(pixels, **options):
    """WebP of a (height, width, 3) array, 0 to 255."""
    buffer = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(buffer, "WEBP", **options)
    return buffer.getvalue()


def square(seed=0, size=16):
    """(size, size, 3) uint8: noise, another for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def scene(size):
    """(size, size, 3) float: two trees and a fox-red figure under an evening sky."""
    large = 4 * size
    image = Image.new("RGB", (large, large), (250, 226, 180))
    draw = ImageDraw.Draw(image)

    def at(*share):
        return tuple(int(large * part) for part in share)

    draw.rectangle(at(0, 0.68, 1, 1), fill=(228, 234, 240))
    draw.ellipse(at(0.74, 0.08, 0.88, 0.22), fill=(246, 168, 84))
    for x in (0.16, 0.86):
        draw.polygon([at(x, 0.2), at(x - 0.14, 0.74), at(x + 0.14, 0.74)], fill=(50, 95, 85))
    draw.polygon([at(0.5, 0.46), at(0.36, 0.84), at(0.64, 0.84)], fill=(196, 92, 40))
    draw.ellipse(at(0.36, 0.26, 0.64, 0.54), fill=(214, 112, 52))
    for x in (0.4, 0.6):
        draw.polygon([at(x, 0.18), at(x - 0.06, 0.34), at(x + 0.06, 0.34)], fill=(196, 92, 40))
        draw.ellipse(at(x + 0.02 * (x < 0.5) - 0.01, 0.38, x + 0.05, 0.42), fill=(40, 28, 28))
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS), dtype=float)


def tokens():
    """The tokens of `WORDS` between start, end and padding."""
    prompt, found, start = " ".join(WORDS), [], 0
    for i, word in enumerate(WORDS):
        start = prompt.index(word, start)
        found.append(Token(100 + i, word, word, start, start + len(word), "word"))
        start += len(word)
    padding = CONTEXT - len(found) - 2
    return (
        Token(1, "<start>", None, 0, 0, "start"),
        *found,
        Token(2, "<end>", None, start, start, "end"),
        *(Token(2, "<end>", None, start, start, "padding") for _ in range(padding)),
    )


def make_trace(*, steps=10, calls=None, size=64, **changes):
    """A run of `steps` steps, cancelled after `calls` of them if given."""
    calls = calls or steps
    dice = np.random.default_rng(changes.get("seed", 7))
    clean, noise = scene(size), dice.normal(size=(size, size, 3))
    signal = np.cos(np.linspace(0.98, 0, steps + 1) * np.pi / 2) ** 2
    states = [127 + np.sqrt(s) * (clean - 127) + 60 * np.sqrt(1 - s) * noise for s in signal]
    picture = Image.fromarray(clean.astype(np.uint8))
    guesses = [
        np.asarray(picture.filter(ImageFilter.GaussianBlur(size / 9 * float(1 - s))))
        for s in signal[:-1]
    ]
    latents = np.stack(
        [
            np.sqrt(s) * dice.normal(size=(4, 1, 1)) + np.sqrt(1 - s) * dice.normal(size=(4, 8, 8))
            for s in signal
        ]
    ).astype(np.float32)
    zeros = np.zeros((calls, 4, 8, 8), np.float16)
    values = {
        "prompt": " ".join(WORDS),
        "negative_prompt": "",
        "seed": 7,
        "steps": steps,
        "guidance_scale": 5.0,
        "scheduler": "DDIMScheduler",
        "scheduler_config": {"prediction_type": "epsilon"},
        "model": "storybook-128",
        "fingerprint": "0" * 16,
        "pipeline": "StableDiffusionPipeline",
        "versions": {},
        "width": size,
        "height": size,
        "scaling_factor": 1.0,
        "shift_factor": 0.0,
        "complete": calls == steps,
        "tokens": tokens(),
        "truncated": "",
        "hidden_states": np.zeros((3, CONTEXT, 8), np.float16),
        "pooled_embedding": dice.normal(size=96).astype(np.float32),
        "timesteps": np.linspace(999, 20, steps)[:calls].astype(np.float32),
        "sigmas": np.sqrt(1 / signal[:calls] - 1).astype(np.float32),
        "signal": signal[:calls].astype(np.float32),
        "latents": latents[: calls + 1],
        "noise_uncond": zeros.copy(),
        "noise_cond": zeros.copy(),
        "noise": zeros.copy(),
        "x0": zeros.copy(),
        "frames": {
            "noisy": tuple(webp(state, quality=80) for state in states[: calls + 1]),
            "x0": tuple(webp(guess, quality=80) for guess in guesses[:calls]),
        },
        "picture": webp(clean if calls == steps else guesses[calls - 1], lossless=True),
    }
    return Trace(**(values | changes))
