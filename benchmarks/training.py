"""What a training step costs in other ways: pictures a second over those of the eager step.

    python benchmarks/training.py              all stages but CLIP's, on what torch sees
    options: [--preset 128-gpu] [--stages denoiser ...] [--variants compiled ...]
             [--batches 256 ...] [--seconds 5] [--rounds 3] [--profile]

Steps are those of `explainer train`: batch, loss, gradient, clipping, AdamW, average. Weights and
data are random numbers, for they cost the same. Each variant trains for three steps first, which is
where it is compiled; then for so many seconds a round, in turn, so that a machine whose speed
drifts favours none. Ratios are those of a round: their median, with the smallest and largest.

``--profile`` also prints which kernels or operators the time of ten steps goes to, and, on a GPU,
how much of that time it computes at all: where that is little, the processor is late in telling it
what to do, and larger batches, a compiled step or recorded graphs help.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile
from transformers import CLIPTokenizer

from storybook.evaluation.command import WEIGHTS
from storybook.training import ahead, devices
from storybook.training.loop import Stage, Trainer
from storybook.training.presets import PRESETS, Preset

WARM_UP = 3
PROFILED = 10
SHOWN = 20


class Case(NamedTuple):
    """A stage, a variant and a batch, ready to train."""

    name: str
    trainer: Trainer


def main() -> None:
    """Print a line for each stage, batch and variant."""
    options = _options()
    preset, accelerator = PRESETS[options.preset], devices.accelerator()
    print(f"{accelerator.device}, {accelerator.mixed_precision}, torch {torch.__version__}")
    for stage in options.stages:
        for batch in options.batches or [_batch(stage, preset)]:
            cases = _ready(stage, batch, preset, accelerator, options.variants)
            seconds = [
                {case.name: _seconds_a_step(case, options.seconds) for case in cases}
                for _ in range(options.rounds)
            ]
            for case in cases:
                _report(f"{stage}, batch {batch}, {case.name}", case, seconds, batch)
                if options.profile:
                    _profile(case)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    gpu = torch.cuda.is_available()
    parser.add_argument("--preset", choices=PRESETS, default="128-gpu" if gpu else "128")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--batches", nargs="+", type=int, help="instead of the preset's")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    return parser.parse_args()


def _batch(stage: str, preset: Preset) -> int:
    batches = {
        "autoencoder": preset.vae_batch,
        "denoiser": preset.unet_batch,
        "distillation": preset.distillation_batch,
        "reading": preset.reading_batch,
        "decoder": preset.decoder_batch,
    }
    return batches[stage]


def _words() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(WEIGHTS / "tokenizer")


STAGES: dict[str, Callable[[Preset, torch.device], Stage]] = {
    "denoiser": lambda preset, device: ahead.denoiser_stage(preset, _words(), device),
    "distillation": lambda preset, device: ahead.distillation_stage(preset, _words(), device),
    "reading": lambda preset, device: ahead.reading_stage(preset, _words(), device),
    "autoencoder": ahead.autoencoder_stage,
    "decoder": ahead.decoder_stage,
}


def _as_is(stage: Stage) -> None:
    """Leave it eager."""


def _compiled(stage: Any) -> None:
    stage.compile()


def _recorded(stage: Any) -> None:
    """Compile, and let a GPU replay recorded graphs, which spares the processor the launches."""
    vae = hasattr(stage.model, "encoder")  # its halves are called, never the whole
    networks = (stage.model.encoder, stage.model.decoder) if vae else (stage.model,)
    for network in networks:
        network.compile(mode="reduce-overhead")


def _whole(stage: Any) -> None:
    """Compile all of a step's forward half, from picking captions to the loss."""
    stage.forward = torch.compile(stage.forward)


LEFT_EAGER = ("distillation", "reading", "decoder")
"""Training compiles nothing of these stages."""
VARIANTS: dict[str, Callable[[Any], None]] = {
    "compiled": _compiled,
    "recorded": _recorded,
    "whole": _whole,
}


def _ready(
    name: str, batch: int, preset: Preset, accelerator: Any, variants: list[str]
) -> list[Case]:
    """Build and warm up the eager step and all variants that work on this machine."""
    sized = replace(
        preset,
        vae_batch=batch,
        unet_batch=batch,
        distillation_batch=batch,
        reading_batch=batch,
        reading_led_batch=max(batch // 16, 1),
        decoder_batch=batch,
    )
    cases = []
    for variant, prepare in {"eager": _as_is, **{v: VARIANTS[v] for v in variants}}.items():
        if variant == "compiled" and name in LEFT_EAGER:
            continue
        stage = STAGES[name](sized, accelerator.device)
        with tempfile.TemporaryDirectory() as empty:
            trainer = Trainer(stage, Path(empty), accelerator)
        try:
            prepare(stage)
            began = time.monotonic()
            _train(trainer, WARM_UP)
        except Exception as error:  # noqa: BLE001 - a machine without a compiler is a finding
            reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            print(f"{name}, batch {batch}, {variant}: not measured: {reason}")
            continue
        print(f"{name}, batch {batch}, {variant}: ready in {time.monotonic() - began:.0f} s")
        cases.append(Case(variant, trainer))
    return cases


def _train(trainer: Trainer, steps: int) -> None:
    for _ in range(steps):
        trainer.step(ahead.DATA, rate=1.0)
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _seconds_a_step(case: Case, seconds: float) -> float:
    """Train for about so many seconds, and tell how many each step took."""
    began = time.perf_counter()
    _train(case.trainer, 1)
    steps = max(1, round(seconds / (time.perf_counter() - began)))
    began = time.perf_counter()
    _train(case.trainer, steps)
    return (time.perf_counter() - began) / steps


def _report(line: str, case: Case, seconds: list[dict[str, float]], batch: int) -> None:
    own = statistics.median(one[case.name] for one in seconds)
    ratios = [one["eager"] / one[case.name] for one in seconds if "eager" in one]
    faster = ""
    if ratios:  # the eager step may not fit this machine
        faster = f"× {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    speed = f"{1000 * own:8.1f} ms a step {batch / own:8.0f} a second"
    print(f"{line:40} {speed}   {faster}", flush=True)


def _profile(case: Case) -> None:
    """Print what ten steps' time goes to."""
    gpu = torch.cuda.is_available()
    began = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * gpu]) as found:
        _train(case.trainer, PROFILED)
    wall = time.perf_counter() - began
    averages = found.key_averages()
    if gpu:
        busy = sum(one.self_device_time_total for one in averages) / 1e6
        print(f"the GPU computes {busy:.2f} of {wall:.2f} s, profiling included")
    by = "self_device_time_total" if gpu else "self_cpu_time_total"
    print(averages.table(sort_by=by, row_limit=SHOWN, max_name_column_width=60))


if __name__ == "__main__":
    main()
