"""What capture costs: the time of a recorded run over the time of plain diffusers, in one run.

    python benchmarks/capture.py [--model FOLDER | --sd15] [--steps 25] [--rounds 5] [--threads 1]

Every round does each kind of run once, in turn, so that a machine whose speed drifts favours none.
The ratios are those of a round, and their median is printed with the smallest and largest. Runs
with capture go from the call to the trace in a file. `--sd15` measures a UNet of Stable Diffusion
1.5's size with random weights, at 512 x 512: 860 million parameters, which take 3.5 GB.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

import explainer

PROMPT = (
    "a little girl with red hair and a blue dress walks through an enchanted forest, "
    "soft watercolour"
)
KINDS: dict[str, dict[str, Any]] = {
    "latents, noise, x0": {"previews": False},
    "with attention": {"previews": False, "attention": True},
    "with linear previews": {"previews": "linear"},
    "x0 decoded, noisy linear": {"previews": {"x0": "full", "noisy": "linear"}},
    "all decoded": {"previews": True},
}
OTHERS = ("daam", "attention_map_diffusers", "nnsight")


def main() -> None:
    """Print a line for each kind of run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", help="hub id or folder; the embedded model if not given")
    model.add_argument("--sd15", action="store_true", help="random weights of that size")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="torch's; its own choice if not given")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    pipe = stable_diffusion_15() if options.sd15 else explainer.load(options.model)
    print(
        f"{pipe.name_or_path or 'random weights'}, {options.steps} steps, guidance 5, "
        f"{pipe.device.type}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.trace"
        runs = {"plain": _plain(pipe, options.steps)} | {
            kind: _captured(pipe, options.steps, path, KINDS[kind]) for kind in options.kinds
        }
        sizes = {name: _warm_up(run, path) for name, run in runs.items()}
        rounds = [
            {name: _seconds(run) for name, run in runs.items()} for _ in range(options.rounds)
        ]
    for name in runs:
        seconds = [one[name] for one in rounds]
        _report(name, seconds, [one[name] / one["plain"] for one in rounds], sizes[name])
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _unit():.0f} MiB")
    print("not installed here: " + ", ".join(n for n in OTHERS if find_spec(n) is None))


def stable_diffusion_15() -> Any:
    """The embedded pipeline with a UNet and latents of Stable Diffusion 1.5's size."""
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    small = explainer.load()
    words = small.tokenizer
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=768,
            num_hidden_layers=12,
            num_attention_heads=12,
            intermediate_size=3072,
            max_position_embeddings=words.model_max_length,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    )
    # The decoder is smaller than the real one: it takes part in no step.
    vae = AutoencoderKL(
        block_out_channels=(16, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=16,
        sample_size=512,
    )
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    pipe = StableDiffusionPipeline(
        vae=vae.eval(),
        text_encoder=encoder.eval(),
        tokenizer=words,
        unet=unet.eval(),
        scheduler=small.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(small.device)


def _plain(pipe: Any, steps: int) -> Callable[[], object]:
    def run() -> object:
        generator = torch.Generator("cpu").manual_seed(7)
        return pipe(PROMPT, num_inference_steps=steps, guidance_scale=5.0, generator=generator)

    return run


def _captured(pipe: Any, steps: int, path: Path, options: dict[str, Any]) -> Callable[[], object]:
    def run() -> None:
        explainer.record(pipe, PROMPT, seed=7, steps=steps, guidance_scale=5.0, **options).save(
            path
        )

    return run


def _warm_up(run: Callable[[], object], path: Path) -> int:
    """Does a run once; returns the bytes of the trace that it wrote."""
    path.unlink(missing_ok=True)
    run()
    return path.stat().st_size if path.exists() else 0


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _report(name: str, seconds: list[float], ratios: list[float], size: int) -> None:
    print(
        f"{name:24} {statistics.median(seconds):7.2f} s   "
        f"× {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        + (f"   {size / 2**20:.2f} MiB" if size else "")
    )


def _unit() -> int:
    """Return what divides the system's peak memory to MiB: kilobytes on Linux, bytes on macOS."""
    return 2**20 if sys.platform == "darwin" else 2**10


if __name__ == "__main__":
    main()
