"""What capture costs: the time of a recorded run over the time of plain diffusers, in one run.

    python benchmarks/capture.py [--model FOLDER] [--steps 25] [--rounds 5]

Every round does each kind of run once, in turn, so that a machine whose speed drifts favours none.
The ratios are those of a round, and their median is printed with the smallest and largest. Runs
with capture include writing the trace to a file.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import explainer

PROMPT = (
    "a little girl with red hair and a blue dress walks through an enchanted forest, "
    "soft watercolour"
)


def main() -> None:
    """Print a line for each kind of run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="hub id or folder; the embedded model if not given")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    pipe = explainer.load(options.model)
    print(
        f"{pipe.name_or_path or 'model'}, {options.steps} steps, guidance 5, {pipe.device.type}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as folder:
        kinds = _kinds(pipe, options.steps, Path(folder) / "run.trace")
        for run in kinds.values():
            run()  # warm-up
        rounds = [
            {name: _seconds(run) for name, run in kinds.items()} for _ in range(options.rounds)
        ]
    for name in kinds:
        _report(name, [one[name] for one in rounds], [one[name] / one["plain"] for one in rounds])
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _unit():.0f} MiB")


def _kinds(pipe: object, steps: int, path: Path) -> dict[str, Callable[[], object]]:
    def plain() -> object:
        generator = torch.Generator("cpu").manual_seed(7)
        return pipe(  # type: ignore[operator]
            PROMPT, num_inference_steps=steps, guidance_scale=5.0, generator=generator
        )

    def captured(*, previews: bool) -> None:
        explainer.record(
            pipe, PROMPT, seed=7, steps=steps, guidance_scale=5.0, previews=previews
        ).save(path)

    return {
        "plain": plain,
        "capture": lambda: captured(previews=False),
        "capture and previews": lambda: captured(previews=True),
    }


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _report(name: str, seconds: list[float], ratios: list[float]) -> None:
    print(
        f"{name:22} {statistics.median(seconds):7.2f} s   "
        f"× {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
    )


def _unit() -> int:
    """Return what divides the system's peak memory to MiB: kilobytes on Linux, bytes on macOS."""
    return 2**20 if sys.platform == "darwin" else 2**10


if __name__ == "__main__":
    main()
