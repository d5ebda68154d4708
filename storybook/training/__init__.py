"""Training the storybook model from nothing: one command, on two cores or many GPUs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

SHARES = {"autoencoder": 0.33, "clip": 0.09, "denoiser": 0.58}
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
    _use_allocator(argv)
    # torch reads its settings when it is first imported, so not before this point.
    from storybook.training.loop import TrainingStopped
    from storybook.training.presets import PRESETS
    from storybook.training.recipe import Recipe

    recipe = Recipe(
        preset=PRESETS[options.preset],
        state=options.state,
        out=options.out,
        budgets=_budgets(options),
        seed=options.seed,
        workers=options.workers,
    )
    try:
        recipe.run()
    except (TrainingStopped, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from the last checkpoint.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="explainer train", description=__doc__)
    parser.add_argument("--preset", choices=("128", "256", "rehearsal"), default="128")
    parser.add_argument("--minutes", type=float, help="time for all stages together")
    parser.add_argument("--steps", type=int, help="instead of a time: steps of each stage")
    parser.add_argument(
        "--stages",
        default=",".join(SHARES),
        help="which stages to train, separated by commas; the others stay as they are",
    )
    parser.add_argument("--state", type=Path, default=Path("training-state"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help="processes that draw pictures")
    return parser


def _budgets(options: argparse.Namespace) -> dict:
    from storybook.training.loop import Budget

    names = [name for name in options.stages.split(",") if name]
    if unknown := set(names) - set(SHARES):
        raise SystemExit(f"no such stage: {', '.join(sorted(unknown))}; choose from {', '.join(SHARES)}")
    if options.minutes is None and options.steps is None:
        options.minutes = 240.0
    total = sum(SHARES[name] for name in names) or 1.0
    return {
        name: Budget(
            minutes=options.minutes * SHARES[name] / total if options.minutes else float("inf"),
            steps=options.steps or sys.maxsize,
        )
        for name in names
    }


def _use_allocator(argv: Sequence[str] | None) -> None:
    """Start again with the allocator's settings, which glibc reads only at a program's start."""
    if sys.platform != "linux" or "MALLOC_TOP_PAD_" in os.environ:
        return
    arguments = sys.argv[1:] if argv is None else list(argv)
    os.execve(
        sys.executable,
        [sys.executable, "-m", "storybook.training", *arguments],
        {**ALLOCATOR, **os.environ},
    )
