"""Teaches the judge from drawings; can be stopped at any time and goes on where it was."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from storybook.evaluation.judge import WIDTHS, Judge, as_input, labels
from storybook.evaluation.wear import worn
from storybook.training.devices import multiplies_bfloat16
from storybook.world import WORLD_VERSION

if TYPE_CHECKING:
    from storybook.world import Scene


@dataclass(frozen=True, slots=True)
class Lessons:
    """How the judge is taught.

    Attributes:
        steps: batches in all.
        batch: drawings a batch.
        rate: the highest learning rate of AdamW; it rises for a tenth of the steps and falls
            to nothing along half a cosine.
        smoothing: share of the label that goes to the wrong answers.
        save_every: steps between two saved states.
        widths: the judge's channels.
    """

    steps: int = 5000
    batch: int = 64
    rate: float = 4e-3
    smoothing: float = 0.03
    save_every: int = 100
    widths: tuple[int, ...] = WIDTHS

    def rate_at(self, step: int) -> float:
        """Return the learning rate of one step, counted from 0."""
        warm = max(1, self.steps // 10)
        if step < warm:
            return self.rate * (step + 1) / warm
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / (self.steps - warm)))


Report = Callable[[int, float], None]
"""Called after each step with the number of steps done and the step's loss."""


def teach(
    drawings: np.ndarray,
    scenes: Sequence[Scene],
    lessons: Lessons,
    state: Path | None = None,
    report: Report | None = None,
    *,
    wear: bool = True,
) -> Judge:
    """Teach a judge, from the saved state if there is one of the same lessons on as many drawings.

    Args:
        drawings: uint8, shape (n, height, width, 3); may be a memory map.
        scenes: what they show, n of them.
        lessons: how.
        state: where the state is kept between runs; None keeps none.
        report: told about every step.
        wear: whether to make the drawings look a little generated.

    Raises:
        ValueError: if the drawings are fewer than a batch.
    """
    if len(drawings) < lessons.batch:
        raise ValueError(
            f"a judge learns from {lessons.batch} drawings at a time, so give it as many at least, "
            f"not {len(drawings)}"
        )
    torch.manual_seed(0)
    judge = Judge(lessons.widths)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=lessons.rate, weight_decay=0.02)
    # What another world taught, or fewer drawings, must not pass as what these did.
    course = f"world {WORLD_VERSION}, {len(drawings)} drawings, wear {wear}, {lessons}"
    done = _resume(judge, optimiser, course, state)
    answers, quick = labels(scenes), multiplies_bfloat16()
    judge.train()
    for step in range(done, lessons.steps):
        # Each step has chances of its own, so that a resumed run sees what an unbroken one sees.
        rng = np.random.default_rng([lessons.steps, step])
        chosen = np.sort(rng.choice(len(drawings), lessons.batch, replace=False))
        pictures = as_input(drawings[chosen])
        shown = worn(pictures, rng) if wear else pictures
        with torch.autocast("cpu", torch.bfloat16, enabled=quick):
            logits = judge(shown)
        loss = sum(
            (
                functional.cross_entropy(
                    values.float(), answers[name][chosen], label_smoothing=lessons.smoothing
                )
                for name, values in logits.items()
            ),
            start=torch.zeros(()),
        )
        for group in optimiser.param_groups:
            group["lr"] = lessons.rate_at(step)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if state and (step + 1) % lessons.save_every == 0:
            _keep(judge, optimiser, course, step + 1, state)
        if report:
            report(step + 1, loss.item())
    return judge.eval()


def _keep(
    judge: Judge, optimiser: torch.optim.Optimizer, course: str, done: int, state: Path
) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    unfinished = state.with_suffix(".part")
    torch.save(
        {
            "judge": judge.state_dict(),
            "optimiser": optimiser.state_dict(),
            "course": course,
            "done": done,
        },
        unfinished,
    )
    unfinished.replace(state)


def _resume(judge: Judge, optimiser: torch.optim.Optimizer, course: str, state: Path | None) -> int:
    if state is None or not state.is_file():
        return 0
    saved = torch.load(state, weights_only=True)
    if saved.get("course") != course:
        return 0
    judge.load_state_dict(saved["judge"])
    optimiser.load_state_dict(saved["optimiser"])
    done: int = saved["done"]
    return done
