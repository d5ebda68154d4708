"""Guesses: a model is shown a picture behind known noise, and asked what the noise was.

This is what training did, a million times over; here it is done a few times, to look at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.pictures import webp
from explainer.stages import latent, noise

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

TIMESTEPS = (20, 80, 160, 260, 360, 460, 560, 660, 760, 860, 950, 999)
"""Levels to ask at, of a schedule of 1,000."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Guesses:
    """What a model made of one picture at m levels of noise, always the same noise.

    Attributes:
        prompt: What the model was told about the picture.
        fingerprint: Hash of the weights, see `explainer.models.fingerprint`.
        timesteps: (m,) int64. The levels, rising.
        signal: (m,) float64. Share of signal at each: alpha-bar.
        noise: (C, h, w) float16. The noise that was added.
        guess: (m, C, h, w) float16. The noise that the model predicted.
        picture: The picture that was hidden, as WebP.
        noisy: Each noisy state, decoded, as WebP.
        expected: The picture that each guess implies, as WebP.
    """

    prompt: str
    fingerprint: str
    timesteps: NDArray[np.int64]
    signal: NDArray[np.float64]
    noise: NDArray[np.float16]
    guess: NDArray[np.float16]
    picture: bytes
    noisy: tuple[bytes, ...]
    expected: tuple[bytes, ...]

    @property
    def errors(self) -> NDArray[np.float64]:
        """(m,) Mean squared error of each guess: 0 is perfect, 1 is what guessing zero gets."""
        return noise.rms(self.missed) ** 2

    @property
    def missed(self) -> NDArray[np.float32]:
        """(m, C, h, w) float32. Each guess less the noise."""
        return self.guess.astype(np.float32) - self.noise.astype(np.float32)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the guesses to one compressed file of plain arrays."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        pictures = {
            f"{name}_{i:02d}": np.frombuffer(picture, np.uint8)
            for name in ("noisy", "expected")
            for i, picture in enumerate(values.pop(name))
        }
        values["picture"] = np.frombuffer(self.picture, np.uint8)
        values |= pictures
        np.savez_compressed(path, **values)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Guesses:
        """Reads what `save` wrote; nothing in the file is ever executed."""
        with np.load(Path(path), allow_pickle=False) as file:
            stored: dict[str, Any] = {name: file[name] for name in file.files}
        frames = {
            kind: tuple(stored.pop(name).tobytes() for name in sorted(stored) if kind in name)
            for kind in ("noisy_", "expected_")
        }
        words: dict[str, Any] = {name: str(stored.pop(name)) for name in ("prompt", "fingerprint")}
        picture = stored.pop("picture").tobytes()
        return cls(
            **words,
            **stored,
            picture=picture,
            noisy=frames["noisy_"],
            expected=frames["expected_"],
        )


def ask(
    pipe: Any,
    picture: NDArray[np.uint8],
    prompt: str = "",
    *,
    timesteps: Sequence[int] = TIMESTEPS,
    seed: int = 0,
    on_level: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Guesses | None:
    """Hides a picture behind known noise and asks a pipeline for it, level by level.

    Args:
        pipe: a pipeline with a UNet: Stable Diffusion, SDXL, LCM.
        picture: uint8, shape (height, width, 3), sides a multiple of `pipe.vae_scale_factor`.
        prompt: what to tell the model about the picture.
        timesteps: the levels.
        seed: names the noise.
        on_level: called after each level with the number of levels done and their total.
        cancelled: asked before each level; once it says True, None is returned.

    Raises:
        ValueError: the picture is no such array, or the schedule has no formula.
    """
    import torch

    from explainer.capture import previews
    from explainer.models import fingerprint

    pixels = latent.pixels_of(pipe, picture)
    signals = noise.alphas_cumprod(pipe.scheduler.config)[np.asarray(timesteps)]
    guesses, expected, states = [], [], []
    with torch.no_grad():
        clean = previews.encode(pipe, pixels).to(pipe.unet.dtype)
        added = _drawn(clean, seed)
        told = _told(pipe, prompt, picture.shape[:2], clean.device)
        for done, (timestep, signal) in enumerate(zip(timesteps, signals, strict=True)):
            if cancelled is not None and cancelled():
                return None
            alpha, sigma = float(np.sqrt(signal)), float(np.sqrt(1 - signal))
            state = alpha * clean + sigma * added
            found = pipe.unet(state, timestep, **told).sample
            guess, implied = _read(pipe, found, state, alpha, sigma)
            guesses.append(guess)
            expected.append(implied)
            states.append(state)
            if on_level is not None:
                on_level(done + 1, len(timesteps))
    return Guesses(
        prompt=prompt,
        fingerprint=fingerprint(pipe),
        timesteps=np.asarray(timesteps, np.int64),
        signal=signals,
        noise=added[0].half().cpu().numpy(),
        guess=torch.cat(guesses).half().cpu().numpy(),
        picture=webp(picture),
        noisy=_decoded(pipe, torch.cat(states)),
        expected=_decoded(pipe, torch.cat(expected)),
    )


def _decoded(pipe: Any, latents: torch.Tensor) -> tuple[bytes, ...]:
    """Decodes latents of unit variance, (B, C, h, w), one by one: memory stays small."""
    from explainer.capture import previews

    return tuple(
        webp(picture) for one in latents.split(1) for picture in previews.decode(pipe, one)
    )


def _told(pipe: Any, prompt: str, size: tuple[int, ...], device: torch.device) -> dict[str, Any]:
    """What the UNet is told about the picture: SDXL's is told its size, too."""
    given = {"num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    text, _, *pooled = pipe.encode_prompt(prompt, device=device, **given)
    if not pooled:
        return {"encoder_hidden_states": text}
    width = int(pipe.text_encoder_2.config.projection_dim)
    sizes = pipe._get_add_time_ids(  # noqa: SLF001 - diffusers' own order of these numbers
        size, (0, 0), size, dtype=text.dtype, text_encoder_projection_dim=width
    )
    added = {"text_embeds": pooled[0], "time_ids": sizes.to(device)}
    return {"encoder_hidden_states": text, "added_cond_kwargs": added}


def _drawn(like: torch.Tensor, seed: int) -> torch.Tensor:
    import torch

    dice = torch.Generator("cpu").manual_seed(seed)
    return torch.randn(like.shape, generator=dice).to(like.device, like.dtype)


def _read(
    pipe: Any, found: torch.Tensor, state: torch.Tensor, alpha: float, sigma: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns noise and clean latents that a prediction amounts to, whatever is predicted."""
    from explainer.capture.x0 import NoiseLevel, clean_latents, prediction_type

    clean = clean_latents(found, state, NoiseLevel(alpha, sigma), prediction_type(pipe.scheduler))
    return (state.float() - alpha * clean) / sigma, clean.to(state.dtype)
