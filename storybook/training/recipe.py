"""The whole recipe in order: draw, six stages of training, one folder of weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import groupby
from math import ceil
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from transformers import CLIPModel, CLIPTokenizer

from explainer.parameters import GUIDANCE_SCALE, STEPS
from storybook import dataset
from storybook.captions import RUNNING_EXAMPLE
from storybook.illustrator import draw
from storybook.training import (
    ahead,
    autoencoder,
    checkpoint,
    clip,
    decoder,
    denoiser,
    devices,
    distillation,
    emphasis,
    export,
    naming,
    parts,
    perception,
    reading,
    tokenizer,
)
from storybook.training.checkpoint import Progress
from storybook.training.data import (
    ids,
    keep,
    named,
    named_by_wordings,
    resident,
    texts,
    tokens,
    wordings,
)
from storybook.training.loop import Budget, Stage, Trainer, seed
from storybook.training.presets import Preset
from storybook.training.stopped import TrainingStopped
from storybook.world import WORLD_VERSION, scene

SHOWN_PROMPTS = (
    RUNNING_EXAMPLE,
    "a fox in a green coat sits on a farm in the rain, crayon",
    "a dragon reads a book in the city at night, flat vector",
    "a robot in a yellow cape waves at the beach at sunset, paper cut-out",
)
"""The same prompts at every snapshot of the denoiser, so that it can be seen learning."""
FIRST_PICTURES = 4096
"""On a GPU the autoencoder may learn from so few, while processor cores draw the others.

It never sees these in the same call. Where earlier calls drew more, it learns from all of them.
"""
READ_PICTURES = 8192
"""The text encoder learns everyday words of so many pictures: wordings differ more than these."""
_FIRST = ("autoencoder", "clip")
_NEEDS = {
    "denoiser": _FIRST,
    **dict.fromkeys(("distillation", "reading", "decoder"), (*_FIRST, "denoiser")),
}
"""What must have been learned before a stage."""


@dataclass(slots=True)
class Recipe:
    """One training run over all stages.

    Args:
        preset: sizes and rates.
        state: an ignored folder for pictures, latents and checkpoints.
        out: the folder for the finished model.
        budgets: for each stage, how long; a stage without one is left as its checkpoint has it.
        seed: fixes initial weights, the order of pictures and each call's noise.
        rate: a factor on all learning rates.
        workers: processes that draw.
        parts: if given, a folder that is kept holding all that was learned, in small files.
        compiled: compile the networks before training them.
        accelerator: the devices to train on and the precision; by default all that are found.
    """

    preset: Preset
    state: Path
    out: Path
    budgets: dict[str, Budget]
    seed: int = 0
    rate: float = 1.0
    workers: int | None = None
    parts: Path | None = None
    compiled: bool = False
    accelerator: Accelerator = field(default_factory=devices.accelerator)

    def run(self) -> None:
        """Go through the stages, and write the model if none of them is still missing.

        Raises:
            TrainingStopped: when training cannot go on; what was learned so far is safe.
            OSError: when the disk cannot hold the pictures or the model.
        """
        self._refuse_to_skip_stages()
        # Found out before the first process draws more, so that all processes find the same.
        enough = self._enough_to_start()
        with self.accelerator.main_process_first():
            words = self._tokenizer()
            pictures = resident(self._pictures(enough), self.accelerator.device)
        with self._compiling_ahead(), self._preparing_the_rest(enough):
            vae, vae_progress = self._autoencoder(pictures)
        if not self._wanted("clip"):
            return
        with self.accelerator.main_process_first():
            pictures = resident(self._pictures(), self.accelerator.device)
            tokens = resident(self._tokens(words), self.accelerator.device)
        pair, pair_progress = self._clip(pictures, tokens, words)
        if not self._wanted("denoiser"):
            return
        origin = denoiser.origin(vae, pair)
        self._refuse_denoiser_of_other_encoders(origin)
        with self.accelerator.main_process_first():
            version = autoencoder.fingerprint(vae, self.preset.pictures)
            latents = self._latents(vae, pictures, version)
        latents = autoencoder.standardise(vae, latents)
        latents = resident(latents.numpy(), self.accelerator.device)
        eye = self._perception(latents, version)
        stage = self._denoiser_stage(vae, pair, eye, latents, tokens, words, origin)
        progress = {"autoencoder": vae_progress, "clip": pair_progress}
        progress["denoiser"] = self._train(stage, len(latents))
        self._drop_outdated_distillation(stage.model)
        if self._wanted("distillation"):
            stage, progress["distillation"] = self._distillation(stage)
        self._drop_outdated_reading(pair)
        if self._wanted("reading"):
            pair, progress["reading"] = self._reading(pair, stage, words)
        self._drop_outdated_decoder(vae)
        if self._wanted("decoder"):
            vae, progress["decoder"] = self._decoder(vae, stage, pictures, latents, tokens, version)
        self._save(vae, stage.model, pair, words, progress)

    def _refuse_to_skip_stages(self) -> None:
        """Stop where a stage would learn by networks that never learned anything."""
        needed = dict.fromkeys(one for stage in self.budgets for one in _NEEDS.get(stage, ()))
        missing = [stage for stage in needed if not self._wanted(stage)]
        if missing:
            raise TrainingStopped(
                f"Training cannot start: {', '.join(missing)} would have to come first, and "
                f"{self.state} holds none. Name all of them after --stages, or start from a "
                "finished model with --from-weights."
            )

    def _wanted(self, stage: str) -> bool:
        """Tell whether the stage is to be trained now or was trained before."""
        return stage in self.budgets or (self.state / f"{stage}.pt").exists()

    def _seed_weights(self, stage: str) -> None:
        """Fix a stage's initial weights, however many dice the stages before it threw."""
        torch.manual_seed(seed(self.seed, stage, "weights"))

    def _enough_to_start(self) -> int:
        """Return how many pictures must be drawn before the training starts.

        A GPU need not wait for them all: the autoencoder can learn from crops of a few.
        """
        enough = self.preset.pictures
        if self.accelerator.device.type == "cuda" and self._trains("autoencoder"):
            enough = min(enough, max(FIRST_PICTURES, dataset.drawn(self.state, self.preset.size)))
        return enough

    @contextmanager
    def _preparing_the_rest(self, drawn: int) -> Iterator[None]:
        """Draw all pictures and word them in a process of its own, unless ``drawn`` are all.

        Should it fail, what comes after does the same in this process, and says why.
        """
        if drawn == self.preset.pictures or not self.accelerator.is_main_process:
            yield
            return
        process = get_context("spawn").Process(
            target=_prepare, args=(self.preset, self.state, self.workers)
        )
        process.start()
        try:
            yield
            process.join()
        finally:
            process.terminate()

    def _compiles_ahead(self) -> bool:
        # One of several processes would take a child of its own for a member of its group.
        alone = self.accelerator.num_processes == 1
        gpu = self.accelerator.device.type == "cuda" and alone
        return gpu and self.compiled and self._trains("denoiser")

    @contextmanager
    def _compiling_ahead(self) -> Iterator[None]:
        """Let a process of its own compile the denoiser for a GPU while the autoencoder learns.

        Should it fail or be late, the denoiser's stage compiles for itself.
        """
        if not self._compiles_ahead():
            yield
            return
        process = get_context("spawn").Process(
            target=ahead.compile_denoiser, args=(self.preset, self.state / "tokenizer")
        )
        process.start()
        try:
            yield
        finally:
            process.terminate()

    def _pictures(self, count: int | None = None) -> np.ndarray:
        return dataset.pictures(
            self.state,
            size=self.preset.size,
            count=count or self.preset.pictures,
            workers=self.workers,
            progress=self._drawn,
        )

    def _drawn(self, done: int, of: int) -> None:
        if done == of or done % 2048 == 0:
            self._say(f"drawing: {done:,} of {of:,}")

    def _tokenizer(self) -> CLIPTokenizer:
        folder = self.state / "tokenizer"
        if not (folder / "tokenizer_config.json").exists():
            learned = tokenizer.learn(texts(5000, 4), self.preset.vocabulary)
            learned.save_pretrained(folder)
        return CLIPTokenizer.from_pretrained(folder)

    def _tokens(self, words: CLIPTokenizer) -> np.ndarray:
        count, captions = self.preset.pictures, self.preset.captions_per_picture
        return tokens(self.state, words, count, captions, self.workers)

    def _autoencoder(self, pictures: torch.Tensor) -> tuple[AutoencoderKL, Progress]:
        self._seed_weights("autoencoder")
        vae = autoencoder.build(self.preset).to(memory_format=torch.channels_last)
        stage = autoencoder.AutoencoderStage(vae, pictures, self.preset)
        progress = self._train(stage, len(pictures))
        self._say_quality(stage)
        return vae, progress

    def _say_quality(self, stage: autoencoder.AutoencoderStage | decoder.DecoderStage) -> None:
        heldout = np.stack([draw(scene(i, "heldout"), self.preset.size) for i in range(32)])
        found = autoencoder.psnr(stage.model, heldout)
        self._say(f"{stage.name}: {found:.2f} dB on held-out drawings")

    def _clip(
        self, pictures: torch.Tensor, tokens: torch.Tensor, words: CLIPTokenizer
    ) -> tuple[CLIPModel, Progress]:
        self._seed_weights("clip")
        pair = clip.build(self.preset, words)
        labels = self._labels(len(pictures)) if self._trains("clip") else None
        stage = clip.ClipStage(pair, pictures, tokens, labels, self.preset)
        progress = self._train(stage, len(pictures))
        return pair.eval(), progress

    def _labels(self, count: int) -> clip.Labels:
        """Return what so many pictures show and their captions name."""
        with self.accelerator.main_process_first():
            names = named(self.state, count, self.preset.captions_per_picture)
        device = self.accelerator.device
        return clip.Labels(resident(naming.shown(count), device), resident(names, device))

    def _perception(self, latents: torch.Tensor, version: str) -> perception.Perception | None:
        """Return the eye that the denoiser learns by, if it learns; it is no part of the model."""
        if not self._trains("denoiser"):
            return None
        shown = resident(naming.shown(len(latents)), self.accelerator.device)
        self._seed_weights("perception")
        stage = perception.PerceptionStage(latents, shown, version)
        budget = Budget(steps=self.preset.perception_steps, in_all=True)
        self._train(stage, len(latents), budget)
        return stage.model

    def _emphasis(self, stage: str, latents: torch.Tensor) -> torch.Tensor | None:
        """Return how much each place counts for a stage, if it learns."""
        if not self._trains(stage):
            return None
        with self.accelerator.main_process_first():
            counts = emphasis.of_pictures(self.state, len(latents), latents.shape[-1], self.workers)
        return resident(counts, self.accelerator.device)

    def _trains(self, stage: str) -> bool:
        """Tell whether the stage has anything left of its budget."""
        if (budget := self.budgets.get(stage)) is None:
            return False
        path, done = self.state / f"{stage}.pt", Progress()
        if budget.in_all and path.exists():
            done = checkpoint.progress(path)
        return budget.share_spent(done.seconds, done.step) < 1

    def _denoiser_stage(
        self,
        vae: AutoencoderKL,
        pair: CLIPModel,
        eye: perception.Perception | None,
        latents: torch.Tensor,
        tokens: torch.Tensor,
        words: CLIPTokenizer,
        origin: str,
    ) -> denoiser.DenoiserStage:
        encoder = export.text_encoder(pair)
        self._seed_weights("denoiser")
        unet = denoiser.build(self.preset).to(memory_format=torch.channels_last)
        return denoiser.DenoiserStage(
            unet,
            denoiser.Captioned(latents, tokens, torch.from_numpy(ids(words, [""])[0]), encoder),
            self.preset,
            emphasis=self._emphasis("denoiser", latents),
            perception=eye,
            show=lambda step: self._show(export.pipeline(vae, unet, encoder, words), step),
            origin=origin,
        )

    def _refuse_denoiser_of_other_encoders(self, origin: str) -> None:
        """Stop where a denoiser would draw latents, or read states, that it never learned."""
        path = self.state / "denoiser.pt"
        if self._trains("denoiser") or not path.exists():
            return
        learned_by = checkpoint.origin(path)
        if learned_by not in {origin, None}:  # earlier versions did not tell
            raise TrainingStopped(
                "Training stopped: the autoencoder or the text encoder is no longer the one that "
                "the denoiser learned by. What was learned is safe. Train the denoiser on, too: "
                "--stages denoiser,distillation,reading,decoder"
            )

    def _drop_outdated_distillation(self, teacher: UNet2DConditionModel) -> None:
        """Forget what was learned from a denoiser that is another by now."""
        path = self.state / "distillation.pt"
        with self.accelerator.main_process_first():
            if path.exists() and checkpoint.origin(path) != distillation.origin(teacher):
                self._say("distillation: the denoiser has changed, so it starts anew")
                path.unlink()

    def _distillation(
        self, teacher: denoiser.DenoiserStage
    ) -> tuple[distillation.DistillationStage, Progress]:
        path = self.state / "distillation.pt"
        if (
            self._trains("distillation")
            and path.exists()
            and not distillation.learned_here(path, teacher.model)
        ):
            raise TrainingStopped(
                "Training stopped: a finished model holds what its denoiser became by "
                "distillation, not the one that taught it. Train the denoiser on first: "
                "--stages denoiser,distillation"
            )
        stage = distillation.DistillationStage(teacher, self.preset)
        return stage, self._train(stage, self.preset.pictures)

    def _drop_outdated_reading(self, pair: CLIPModel) -> None:
        """Forget what a text encoder became that is another by now."""
        path = self.state / "reading.pt"
        with self.accelerator.main_process_first():
            teacher = reading.origin(export.projected_text_encoder(pair))
            if path.exists() and checkpoint.origin(path) != teacher:
                self._say("reading: the text encoder has changed, so it starts anew")
                path.unlink()

    def _reading(
        self, pair: CLIPModel, denoising: denoiser.DenoiserStage, words: CLIPTokenizer
    ) -> tuple[CLIPModel, Progress]:
        pairs = self._wordings(words) if self._trains("reading") else None
        encoder = export.projected_text_encoder(pair)
        self._seed_weights("reading")
        stage = reading.ReadingStage(encoder, denoising, pairs, self.preset)
        progress = self._train(stage, _read(self.preset))
        return export.with_text_encoder(pair, stage.model), progress

    def _wordings(self, words: CLIPTokenizer) -> reading.Wordings:
        count, takes = _read(self.preset), self.preset.wordings_per_picture
        with self.accelerator.main_process_first():
            tokens = wordings(self.state, words, count, takes, self.workers)
            names = named_by_wordings(self.state, count, takes)
        device = self.accelerator.device
        return reading.Wordings(resident(tokens, device), resident(names, device))

    def _drop_outdated_decoder(self, vae: AutoencoderKL) -> None:
        """Forget a decoder that was made for another encoder's latents."""
        path = self.state / "decoder.pt"
        with self.accelerator.main_process_first():
            if path.exists() and not decoder.belongs(path, vae):
                self._say("decoder: the encoder has changed, so it starts anew")
                path.unlink()

    def _decoder(
        self,
        vae: AutoencoderKL,
        denoising: denoiser.DenoiserStage,
        pictures: torch.Tensor,
        latents: torch.Tensor,
        tokens: torch.Tensor,
        version: str,
    ) -> tuple[AutoencoderKL, Progress]:
        redrawn = None
        if self._trains("decoder"):
            with self.accelerator.main_process_first():
                redrawn = self._redrawn(denoising, latents, tokens, version)
        counts = self._emphasis("decoder", latents)
        self._seed_weights("decoder")
        fresh = autoencoder.build(self.preset).to(memory_format=torch.channels_last)
        fresh.load_state_dict(vae.state_dict())
        stage = decoder.DecoderStage(fresh, pictures, latents, redrawn, counts, self.preset)
        progress = self._train(stage, len(pictures))
        self._say_quality(stage)
        return fresh, progress

    def _redrawn(
        self,
        denoising: denoiser.DenoiserStage,
        latents: torch.Tensor,
        tokens: torch.Tensor,
        version: str,
    ) -> decoder.Redrawn:
        """Let the denoiser draw some pictures again, or take what this very one made before."""
        path = self.state / f"redrawn-{decoder.version(denoising, version)}.npy"
        numbers = decoder.redrawn_numbers(len(latents))
        if not path.exists():
            with self.accelerator.autocast():
                found = decoder.redraw(denoising, numbers, latents, tokens, self._drawn_again)
            for outdated in self.state.glob("redrawn-*.npy"):
                outdated.unlink()
            keep(path, found.numpy())
        return decoder.Redrawn(numbers, torch.from_numpy(np.load(path)))

    def _drawn_again(self, done: int, of: int) -> None:
        self._say(f"drawing again with the denoiser: {done:,} of {of:,}")

    def _save(
        self,
        vae: AutoencoderKL,
        unet: UNet2DConditionModel,
        pair: CLIPModel,
        words: CLIPTokenizer,
        progress: dict[str, Progress],
    ) -> None:
        if not self.accelerator.is_main_process:
            return
        export.save(self.out, vae, unet, pair, words, self._record(progress))
        self._say(f"saved the model to {self.out}; `explainer evaluate` measures it")
        if self.parts:
            parts.pack(self.out, self.parts, snapshots=self.state / "snapshots")

    def _train(self, stage: Stage, pictures: int, budget: Budget | None = None) -> Progress:
        trainer = Trainer(
            stage,
            self.state,
            self.accelerator,
            seed=self.seed,
            rate=self.rate,
            say=self._say,
            saved=self._pack,
        )
        if self.compiled:
            stage.compile()
        if budget is None:
            budget = self.budgets.get(stage.name, Budget(minutes=0))
        done = trainer.fit(pictures, budget)
        self._say(f"{stage.name}: {done.step:,} steps, {done.seconds / 60:.1f} min in all")
        return done

    def _pack(self) -> None:
        if self.parts:
            parts.pack(self.state, self.parts)

    def _latents(self, vae: AutoencoderKL, pictures: torch.Tensor, version: str) -> torch.Tensor:
        """Encode all pictures, or take what this very encoder made of them before."""
        path = self.state / f"latents-{version}.npy"
        if not path.exists():
            self._say("encoding all pictures")
            with self.accelerator.autocast():
                latents = autoencoder.encode_all(vae, pictures, self.accelerator.device)
            for outdated in self.state.glob("latents-*.npy"):
                outdated.unlink()
            keep(path, latents.numpy())
        return torch.from_numpy(np.load(path))

    def _show(self, pipe: StableDiffusionPipeline, step: int) -> None:
        folder = self.state / "snapshots"
        folder.mkdir(parents=True, exist_ok=True)
        for later in folder.glob("*.webp"):
            if int(later.stem) > step:  # of another denoiser, or of steps that were lost
                later.unlink()
        generators = [torch.Generator().manual_seed(7) for _ in SHOWN_PROMPTS]
        shown = pipe(list(SHOWN_PROMPTS), generator=generators, num_inference_steps=STEPS,
                     guidance_scale=GUIDANCE_SCALE, output_type="np").images  # fmt: skip
        strip = (np.concatenate(list(shown), axis=1) * 255).round().astype(np.uint8)
        Image.fromarray(strip).save(folder / f"{step:08d}.webp", quality=85)

    def _record(self, progress: dict[str, Progress]) -> dict[str, object]:
        # Copies are looked for among so many: what an earlier call learned from counts for ever.
        pictures = max(self.preset.pictures, *(done.among for done in progress.values()))
        # Batches and rates are this call's, and stages may have been trained by others.
        sizes = {k: v for k, v in asdict(self.preset).items() if not k.endswith(("batch", "rate"))}
        return {
            "world": WORLD_VERSION,
            "preset": sizes | {"pictures": pictures},
            "seed": self.seed,
            "stages": {
                name: {
                    "steps": done.step,
                    "pictures": done.pictures,
                    "hours": round(done.seconds / 3600, 3),
                    "hardware": done.hardware,
                    "losses": _thinned(done.losses),
                }
                | ({"note": done.note} if done.note else {})
                for name, done in progress.items()
            },
        }

    def _say(self, line: str) -> None:
        if self.accelerator.is_main_process:
            print(line, flush=True)


def _read(preset: Preset) -> int:
    """Return of how many pictures the text encoder reads everyday wordings."""
    return min(preset.pictures, READ_PICTURES)


def _prepare(preset: Preset, state: Path, workers: int | None) -> None:
    """Leave in ``state`` all that needs no training, words first, for they are quick."""
    words = CLIPTokenizer.from_pretrained(state / "tokenizer")
    count, captions = preset.pictures, preset.captions_per_picture
    tokens(state, words, count, captions, workers)
    named(state, count, captions)
    wordings(state, words, _read(preset), preset.wordings_per_picture, workers)
    named_by_wordings(state, _read(preset), preset.wordings_per_picture)
    emphasis.of_pictures(state, count, preset.size // autoencoder.FACTOR, workers)
    dataset.pictures(state, size=preset.size, count=count, workers=workers)


def _thinned(losses: list[tuple[int, float]], most: int = 200) -> list[tuple[int, float]]:
    """Return at most ``most`` points of a curve, each the mean of its stretch of steps.

    The stretches are equally long, since points of earlier calls are means already: by their
    number, what was learned first would be thinned once more in every call.
    """
    if not losses:
        return []
    width = losses[-1][0] / most

    def stretch(point: tuple[int, float]) -> int:
        return min(ceil(point[0] / width), most)  # a rounding error could make it one more

    stretches = [list(points) for _, points in groupby(losses, key=stretch)]
    return [(s[-1][0], round(sum(x for _, x in s) / len(s), 5)) for s in stretches]
