"""The whole recipe in order: draw, autoencoder, CLIP pair, denoiser, one folder of weights."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL
from transformers import CLIPModel, CLIPTokenizer

from storybook import dataset
from storybook.captions import RUNNING_EXAMPLE
from storybook.illustrator import draw
from storybook.training import autoencoder, clip, denoiser, export, tokenizer
from storybook.training.data import ids, resident, texts, tokenise
from storybook.training.loop import Budget, Progress, Stage, Trainer
from storybook.training.presets import Preset
from storybook.world import WORLD_VERSION, scene

STAGES = ("autoencoder", "clip", "denoiser")
SHOWN_PROMPTS = (
    RUNNING_EXAMPLE,
    "a fox in a green coat sits on a farm in the rain, crayon",
    "a dragon reads a book in the city at night, flat vector",
    "a robot in a yellow cape waves at the beach at sunset, paper cut-out",
)
"""The same prompts at every snapshot of the denoiser, so that it can be seen learning."""


@dataclass(slots=True)
class Recipe:
    """One training run over all stages.

    Args:
        preset: sizes and rates.
        state: an ignored folder for pictures, latents and checkpoints.
        out: the folder for the finished model.
        budgets: for each stage, how long; a stage without one is left as its checkpoint has it.
        seed: fixes initial weights and the order of pictures.
        workers: processes that draw.
    """

    preset: Preset
    state: Path
    out: Path
    budgets: dict[str, Budget]
    seed: int = 0
    workers: int | None = None
    accelerator: Accelerator = field(default_factory=lambda: Accelerator(mixed_precision=_mixed()))

    def run(self) -> None:
        """Go through all stages and write the model."""
        preset, device = self.preset, self.accelerator.device
        torch.manual_seed(self.seed)
        words = self._tokenizer()
        drawn = dataset.pictures(
            self.state,
            size=preset.size,
            count=preset.pictures,
            workers=self.workers,
            progress=_every(2000, lambda done, of: print(f"drawing: {done:,} of {of:,}", flush=True)),
        )
        pictures = resident(drawn, device)
        vae, vae_progress = self._autoencoder(pictures)
        pair, pair_progress = self._clip(pictures, words)
        self._denoiser(vae, pair, pictures, words, [vae_progress, pair_progress])

    def _tokenizer(self) -> CLIPTokenizer:
        folder = self.state / "tokenizer"
        if not (folder / "tokenizer_config.json").exists():
            learned = tokenizer.learn(texts(5000, 4), self.preset.vocabulary)
            learned.save_pretrained(folder)
        return CLIPTokenizer.from_pretrained(folder)

    def _autoencoder(self, pictures: torch.Tensor) -> tuple[AutoencoderKL, Progress]:
        vae = autoencoder.build(self.preset).to(memory_format=torch.channels_last)
        stage = autoencoder.AutoencoderStage(vae, pictures, self.preset)
        progress = self._train(stage)
        heldout = np.stack([draw(scene(i, "heldout"), self.preset.size) for i in range(32)])
        self._say(f"autoencoder: {autoencoder.psnr(vae, heldout):.2f} dB on held-out drawings")
        return vae, progress

    def _clip(self, pictures: torch.Tensor, words: CLIPTokenizer) -> tuple[CLIPModel, Progress]:
        pair = clip.build(self.preset, words)
        progress = self._train(
            clip.ClipStage(pair, pictures, self._tokens(words), self.preset)
        )
        return pair.eval(), progress

    def _denoiser(
        self,
        vae: AutoencoderKL,
        pair: CLIPModel,
        pictures: torch.Tensor,
        words: CLIPTokenizer,
        before: list[Progress],
    ) -> None:
        device = self.accelerator.device
        latents = autoencoder.standardise(vae, self._latents(vae, pictures, before[0].step))
        encoder = export.text_encoder(pair)
        unet = denoiser.build(self.preset).to(memory_format=torch.channels_last)
        stage = denoiser.DenoiserStage(
            unet,
            encoder,
            resident(latents.numpy(), device),
            self._tokens(words).to(device),
            ids(words, [""])[0],
            self.preset,
            show=lambda step: self._show(export.pipeline(vae, unet, encoder, words), step),
        )
        progress = self._train(stage)
        if self.accelerator.is_main_process:
            record = self._record(dict(zip(STAGES, [*before, progress], strict=True)))
            export.save(self.out, vae, unet, pair, words, record)
            self._say(f"saved the model to {self.out}")

    def _train(self, stage: Stage) -> Progress:
        trainer = Trainer(stage, self.state, self.accelerator, seed=self.seed, say=self._say)
        return trainer.fit(self.preset.pictures, self.budgets.get(stage.name, Budget(minutes=0)))

    def _tokens(self, words: CLIPTokenizer) -> torch.Tensor:
        return tokenise(words, self.preset.pictures, self.preset.captions_per_picture)

    def _latents(self, vae: AutoencoderKL, pictures: torch.Tensor, step: int) -> torch.Tensor:
        """Encode all pictures, or take what this very autoencoder made of them before."""
        path = self.state / f"latents-{step}.npy"
        if not path.exists():
            self._say("encoding all pictures")
            latents = autoencoder.encode_all(vae, pictures, self.accelerator.device)
            for outdated in self.state.glob("latents-*.npy"):
                outdated.unlink()
            np.save(path, latents.numpy())
        return torch.from_numpy(np.load(path))

    def _show(self, pipe: object, step: int) -> None:
        folder = self.state / "snapshots"
        folder.mkdir(parents=True, exist_ok=True)
        generators = [torch.Generator().manual_seed(7) for _ in SHOWN_PROMPTS]
        shown = pipe(list(SHOWN_PROMPTS), generator=generators, num_inference_steps=25,
                     guidance_scale=5.0, output_type="np").images  # fmt: skip
        from PIL import Image

        strip = (np.concatenate(list(shown), axis=1) * 255).round().astype(np.uint8)
        Image.fromarray(strip).save(folder / f"{step:08d}.webp", quality=85)

    def _record(self, progress: dict[str, Progress]) -> dict[str, object]:
        return {
            "world": WORLD_VERSION,
            "preset": asdict(self.preset),
            "seed": self.seed,
            "hardware": _hardware(),
            "torch": torch.__version__,
            "stages": {
                name: {
                    "steps": done.step,
                    "pictures": done.pictures,
                    "hours": round(done.seconds / 3600, 3),
                    "losses": _thinned(done.losses),
                }
                for name, done in progress.items()
            },
        }

    def _say(self, line: str) -> None:
        if self.accelerator.is_main_process:
            print(line, flush=True)


def _mixed() -> str:
    return "bf16" if torch.cuda.is_available() else "no"


def _hardware() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} processor cores ({platform.machine()})"


def _every(step: int, say):  # type: ignore[no-untyped-def]
    return lambda done, of: say(done, of) if done == of or done % step < 64 else None


def _thinned(losses: list[tuple[int, float]], most: int = 200) -> list[tuple[int, float]]:
    """Return at most ``most`` points of a curve, each the mean of its stretch."""
    width = max(1, -(-len(losses) // most))
    stretches = [losses[i : i + width] for i in range(0, len(losses), width)]
    return [(s[-1][0], round(sum(x for _, x in s) / len(s), 5)) for s in stretches]
