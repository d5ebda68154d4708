"""What drawing costs in other ways: the time of a picture over that of plain diffusers in float32.

    python benchmarks/sampling.py                 the embedded model
    options: [--model FOLDER] [--rounds 5] [--judged 32] [--threads N] [--variants ...]

Plain is 25 DDPM steps, guided in batches of two as diffusers does it, decoded, on two threads where
there are two processors. Every round draws one picture by each variant, in turn, so that a machine
whose speed drifts favours none; each has drawn one before, which is where torch.compile compiles.
The ratios are those of a round, and their median is printed with the smallest and largest.

Beside it stands in how many of the first held-out prompts' pictures, with the same seeds, the
judge finds who, place, time and style right (95 % interval), and how far the pictures are from
plain's, in levels of 255. A variant of few steps, made by distillation say, pays where it is
faster than the few steps of a better scheduler, and as faithful.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import numpy as np
import torch

from explainer.capture.run import scheduled
from storybook.evaluation import behaviour, judge
from storybook.evaluation.command import WEIGHTS
from storybook.evaluation.loading import load_pipeline
from storybook.evaluation.metrics import score
from storybook.evaluation.painting import Settings, paint
from storybook.evaluation.prompts import Prompts, of_seen_pairs


class Variant(NamedTuple):
    """A way to draw: the pipeline, the settings, and what surrounds a call."""

    pipe: Any
    settings: Settings
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


def main() -> None:
    """Print a line for each variant."""
    options = _options()
    torch.set_num_threads(options.threads)
    diffusers.utils.logging.set_verbosity_error()
    plain = load_pipeline(options.model, "cpu")
    prompts = of_seen_pairs(options.judged)
    print(
        f"{options.model}, guidance {Settings().guidance_scale:g}, cpu, "
        f"{options.threads} threads, torch {torch.__version__}, bfloat16 instructions: "
        f"{'yes' if _has_bfloat16() else 'no'}"
    )
    built = {name: VARIANTS[name](plain) for name in dict.fromkeys(["plain", *options.variants])}
    ready = {name: variant for name, variant in built.items() if _draws(name, variant, prompts)}
    rounds = [
        {name: _seconds(variant, prompts[i % len(prompts)]) for name, variant in ready.items()}
        for i in range(options.rounds)
    ]
    eyes, first = judge.load(), None
    for name, variant in ready.items():
        pictures = _pictures(variant, prompts)
        first = pictures if first is None else first
        _report(name, rounds, _right(eyes, pictures, prompts), _apart(pictures, first))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=WEIGHTS, help="folder of the model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--judged", type=int, default=32, help="held-out prompts for the judge")
    parser.add_argument("--threads", type=int, default=min(2, _processors()))
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    return parser.parse_args()


def _processors() -> int:
    ours = getattr(os, "sched_getaffinity", None)  # where the system lets a program have only some
    return len(ours(0)) if ours else os.cpu_count() or 1


def _has_bfloat16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001


def _as_is(plain: Any) -> Variant:
    return Variant(plain, Settings(batch=1))


def _channels_last(plain: Any) -> Variant:
    pipe = _copy(plain)
    pipe.unet.to(memory_format=torch.channels_last)
    pipe.vae.to(memory_format=torch.channels_last)
    return Variant(pipe, Settings(batch=1))


def _autocast(plain: Any) -> Variant:
    return Variant(plain, Settings(batch=1), lambda: torch.autocast("cpu", torch.bfloat16))


def _bfloat16(plain: Any) -> Variant:
    return Variant(_copy(plain).to(torch.bfloat16), Settings(batch=1))


def _bfloat16_channels_last(plain: Any) -> Variant:
    return _channels_last(_bfloat16(plain).pipe)


def _compiled(plain: Any) -> Variant:
    pipe = _copy(plain)
    pipe.unet = torch.compile(pipe.unet)
    return Variant(pipe, Settings(batch=1))


def _fewer(plain: Any, steps: int = 10) -> Variant:
    return Variant(plain, Settings(steps=steps, batch=1))


def _dpm(plain: Any, steps: int = 10) -> Variant:
    kind = behaviour.SCHEDULERS["DPM++ 2M"]
    return Variant(plain, Settings(steps=steps, batch=1), lambda: scheduled(plain, kind))


VARIANTS: dict[str, Callable[[Any], Variant]] = {
    "plain": _as_is,
    "channels last": _channels_last,
    "bfloat16 autocast": _autocast,
    "bfloat16 weights": _bfloat16,
    "bfloat16, channels last": _bfloat16_channels_last,
    "compiled UNet": _compiled,
    "DDPM, 10 steps": _fewer,
    "DPM++ 2M, 10 steps": _dpm,
    "DPM++ 2M, 5 steps": lambda plain: _dpm(plain, 5),
}


def _copy(pipe: Any) -> Any:
    """Copy the networks that a variant changes; the rest is shared."""
    changed = {name: copy.deepcopy(getattr(pipe, name)) for name in ("unet", "vae", "text_encoder")}
    made = type(pipe)(**{**pipe.components, **changed}, requires_safety_checker=False)
    made.set_progress_bar_config(disable=True)
    return made


def _draws(name: str, variant: Variant, prompts: Prompts) -> bool:
    """Draw one picture; say so where that does not work on this machine."""
    try:
        _seconds(variant, prompts[0])
    except Exception as error:  # noqa: BLE001 - a machine without a compiler is a finding
        print(f"{name:26} not measured: {type(error).__name__}: {str(error).splitlines()[0]}")
        return False
    return True


def _seconds(variant: Variant, prompt: Any) -> float:
    began = time.perf_counter()
    _pictures(variant, [prompt])
    return time.perf_counter() - began


def _pictures(variant: Variant, prompts: Prompts) -> np.ndarray:
    texts = [caption.text for caption, _ in prompts]
    with variant.around():
        return paint(variant.pipe, texts, variant.settings, lambda *_: None)


def _right(eyes: judge.Judge, pictures: np.ndarray, prompts: Prompts) -> dict[str, Any]:
    names = [caption.names for caption, _ in prompts]
    return score(eyes.look(pictures), [shown for _, shown in prompts], names)["main"].as_json()


def _apart(pictures: np.ndarray, others: np.ndarray) -> float:
    return float(np.abs(pictures.astype(np.int16) - others).mean())


def _report(name: str, rounds: list[dict[str, float]], right: dict[str, Any], apart: float) -> None:
    seconds = [one[name] for one in rounds]
    ratios = [one[name] / one["plain"] for one in rounds]
    reach = f"{right['low']:.0%} to {right['high']:.0%} of {right['of']}"
    print(
        f"{name:26} {statistics.median(seconds):7.2f} s   "
        f"× {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})   "
        f"right {right['share']:4.0%} ({reach})   "
        f"{apart:.1f} levels from plain"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
