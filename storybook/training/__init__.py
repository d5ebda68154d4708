"""Training the storybook model from nothing: one command, on two cores or many GPUs."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from storybook.dataset import PICTURES
from storybook.training.presets import PRESETS

if TYPE_CHECKING:
    from storybook.training.loop import Budget
    from storybook.training.recipe import Recipe

WEIGHTS = Path(__file__).parents[1] / "weights"
"""Where the model that comes with this package lives."""
MOST_RATE = 10.0
SHARES = {
    "autoencoder": 0.22,
    "clip": 0.08,
    "denoiser": 0.42,
    "distillation": 0.09,
    "reading": 0.07,
    "decoder": 0.12,
}
"""How a total time is divided among the stages."""

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
"""Keeps glibc from returning memory after every step: measured at +40 % pictures/s on CPUs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``explainer train``; return the exit status."""
    options = _parser().parse_args(argv)
    _check(options)
    _use_allocator(argv)
    # torch reads its settings when it is first imported, so not before this point.
    from storybook.training.export import may_replace
    from storybook.training.parts import PartsError
    from storybook.training.stopped import TrainingStopped

    if not may_replace(options.out):
        raise SystemExit(
            f"{options.out} holds something other than a model, and the finished model would "
            "replace it. Choose another folder with --out."
        )
    try:
        recipe = _recipe(options)
        if recipe.accelerator.is_main_process:
            _start(options)
        recipe.accelerator.wait_for_everyone()
        recipe.run()
    except (TrainingStopped, PartsError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"Training stopped: {error}. What {options.state} holds is safe; the same command goes "
            "on from there.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print(
            "\nInterrupted. The same command goes on from the last checkpoint; with --in-all added "
            "it does only what is left.",
            file=sys.stderr,
        )
        return 130
    return 0


def _start(options: argparse.Namespace) -> None:
    """Put into the state what the run starts from, if another place was named."""
    from storybook.training import start

    taken: list[str] = []
    if options.from_parts:
        taken += start.from_parts(options.from_parts, options.state)
    if options.from_weights:
        taken += start.from_model(options.from_weights, options.state)
    if options.from_parts or options.from_weights:
        print(
            f"taken from there: {', '.join(taken) or 'nothing, the state is further'}", flush=True
        )


def _recipe(options: argparse.Namespace) -> Recipe:
    from storybook.training.recipe import Recipe

    preset = PRESETS[options.preset]
    if options.pictures:
        preset = replace(preset, pictures=options.pictures)
    return Recipe(
        preset=preset,
        state=options.state,
        out=options.out,
        budgets=budgets(options),
        seed=options.seed,
        rate=options.rate,
        workers=options.workers,
        parts=options.parts,
        compiled=options.compile,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="explainer train", description=__doc__)
    parser.add_argument("--preset", choices=tuple(PRESETS), default="128")
    parser.add_argument("--pictures", type=int, help="how many to train on; default: the preset's")
    parser.add_argument("--minutes", type=float, help="time for all stages together; default 240")
    parser.add_argument("--steps", type=int, help="instead of a time: steps of each stage")
    parser.add_argument(
        "--in-all",
        action="store_true",
        help="count what earlier calls did: a call that takes up another does only what is left",
    )
    parser.add_argument(
        "--stages",
        default=",".join(SHARES),
        help="which stages to train, separated by commas; the others stay, but for what was "
        "learned from one of these",
    )
    parser.add_argument(
        "--rate", type=float, default=1.0, help="a factor on all learning rates, such as 0.5"
    )
    parser.add_argument("--state", type=Path, default=Path("training-state"))
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument(
        "--parts", type=Path, metavar="FOLDER", help="also keep all that was learned in small files"
    )
    parser.add_argument(
        "--from-parts", type=Path, metavar="FOLDER", help="go on from such files, where further"
    )
    parser.add_argument(
        "--from-weights",
        type=Path,
        metavar="FOLDER",
        nargs="?",
        const=WEIGHTS,
        help="go on from a finished model, where further; without a folder: from the one here",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help="processes that draw pictures")
    parser.add_argument(
        "--compile", action="store_true", help="compile the networks first: for long runs on a GPU"
    )
    return parser


def _check(options: argparse.Namespace) -> None:
    """Refuse senseless options before anything expensive starts."""
    names = options.stages.split(",")
    if unknown := sorted(set(names) - set(SHARES)):
        raise SystemExit(f"no such stage: {', '.join(unknown)}; choose from {', '.join(SHARES)}")
    if not 0 < options.rate <= MOST_RATE:
        raise SystemExit(f"--rate is a factor above 0 and at most {MOST_RATE}, got {options.rate}")
    if options.pictures is not None and not 0 < options.pictures <= PICTURES:
        raise SystemExit(f"--pictures is a number from 1 to {PICTURES:,}")
    if options.workers is not None and options.workers < 1:
        raise SystemExit(f"--workers cannot be {options.workers}; 1 or more")
    for name in ("minutes", "steps"):
        value = getattr(options, name)
        if value is not None and not value >= 0:
            raise SystemExit(f"--{name} cannot be {value}; 0 or more")
    out = options.out.resolve()
    for name in ("state", "parts"):
        folder = getattr(options, name)
        if folder is not None and out in (folder.resolve(), *folder.resolve().parents):
            raise SystemExit(
                f"the finished model replaces all of {options.out}, and --{name} lies there. "
                "Choose another folder for one of them."
            )


def budgets(options: argparse.Namespace) -> dict[str, Budget]:
    """Divide the time among the stages asked for; steps are each stage's own."""
    from storybook.training.loop import Budget

    minutes = options.minutes
    if minutes is None:
        minutes = 240.0 if options.steps is None else math.inf
    names = options.stages.split(",")
    total = sum(SHARES[name] for name in names)
    return {
        name: Budget(
            minutes=minutes * (SHARES[name] / total),
            steps=sys.maxsize if options.steps is None else options.steps,
            in_all=options.in_all,
        )
        for name in names
    }


def _use_allocator(argv: Sequence[str] | None) -> None:
    """Start again with the allocator's settings, which glibc reads only at a program's start."""
    if sys.platform != "linux" or "MALLOC_TOP_PAD_" in os.environ:
        return
    arguments = sys.argv[1:] if argv is None else list(argv)
    os.execve(  # noqa: S606 - this very program
        sys.executable,
        [sys.executable, "-m", "storybook.training", *arguments],
        {**ALLOCATOR, **os.environ},
    )
