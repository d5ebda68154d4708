"""The training loop that all three stages share: budget, averaging, checkpoints, progress."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel

WARMUP_STEPS = 200
COOLDOWN_SHARE = 0.25
CHECKPOINT_SECONDS = 120.0
REPORT_SECONDS = 10.0
LOG_STEPS = 25
SNAPSHOTS = 12
"""How often in one call a stage is asked to show what it has learned so far."""


class TrainingStopped(RuntimeError):
    """Training cannot go on; the message says what is safe and how to take it up again."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a stage trains in this call: whichever of the two ends first."""

    minutes: float = math.inf
    steps: int = sys.maxsize

    def share_spent(self, seconds: float, steps: int) -> float:
        """Return how much of the budget is used up: 1 or more when it is spent."""
        by_time = seconds / (60 * self.minutes) if self.minutes > 0 else 1.0
        return max(by_time, steps / self.steps if self.steps else 1.0)


@dataclass(slots=True)
class Progress:
    """What a stage has behind it, over all calls."""

    step: int = 0
    seconds: float = 0.0
    pictures: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)


class Stage(torch.nn.Module):
    """A model with its objective: ``forward(indices)`` returns the loss on those pictures."""

    name: str
    batch_size: int
    learning_rate: float
    model: torch.nn.Module
    """The part that training is for, whose averaged weights are the result."""

    def snapshot(self, step: int) -> None:
        """Show what the model, now holding its averaged weights, has learned so far."""


class Trainer:
    """Trains one stage within a budget, from its checkpoint if there is one.

    Args:
        stage: what to train.
        folder: where the checkpoint lives, as ``<stage name>.pt``.
        accelerator: the devices to train on.
        seed: fixes which pictures come when.
        say: receives a line of progress every ten seconds.
    """

    def __init__(
        self,
        stage: Stage,
        folder: Path,
        accelerator: Accelerator,
        *,
        seed: int = 0,
        say: Callable[[str], None] = print,
    ) -> None:
        self.stage, self.accelerator, self.seed, self.say = stage, accelerator, seed, say
        self.checkpoint = folder / f"{stage.name}.pt"
        stage.to(accelerator.device)
        self.optimizer = torch.optim.AdamW(
            stage.parameters(), lr=stage.learning_rate, betas=(0.9, 0.99), weight_decay=1e-3
        )
        self.ema = EMAModel(
            stage.model.parameters(), decay=0.9995, use_ema_warmup=True, power=0.8, foreach=True
        )
        self.done = self._resume()
        self.ema.to(accelerator.device)
        self.prepared, self.optimizer = accelerator.prepare(stage, self.optimizer)

    def fit(self, pictures: int, budget: Budget) -> Progress:
        """Train on picture numbers below ``pictures`` until the budget is spent.

        On return the stage's model holds the exponential moving average of its weights.

        Raises:
            TrainingStopped: when the loss is no number, the disk is full or the device fails.
        """
        try:
            self._spend(pictures, budget)
        except (torch.AcceleratorError, torch.OutOfMemoryError) as error:
            raise self._stopped(f"the device failed ({error})") from error
        self._save()
        self.ema.copy_to(self.stage.model.parameters())
        return self.done

    def _spend(self, pictures: int, budget: Budget) -> None:
        done, stage = self.done, self.stage
        began, first_step, earlier = time.monotonic(), done.step, done.seconds
        reported = saved = began
        snapshots = 0
        recent: list[torch.Tensor] = []
        while (share := budget.share_spent(done.seconds - earlier, done.step - first_step)) < 1:
            recent.append(self._step(pictures, _rate(done.step - first_step, share)))
            now = time.monotonic()
            done.seconds = earlier + now - began
            if len(recent) == LOG_STEPS:
                done.losses.append((done.step, self._finite(torch.stack(recent).mean().item())))
                recent.clear()
            if now - reported > REPORT_SECONDS and done.losses:
                reported = now
                self.say(self._line(share, (done.step - first_step) / (now - began), now - began))
            if now - saved > CHECKPOINT_SECONDS:
                saved = now
                self._save()
            if share * SNAPSHOTS >= snapshots:
                snapshots += 1
                self._snapshot(stage)

    def _step(self, pictures: int, rate: float) -> torch.Tensor:
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.learning_rate * rate
        loss = self.prepared(self._indices(pictures))
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.stage.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.step(self.stage.model.parameters())
        self.done.step += 1
        self.done.pictures += self.stage.batch_size * self.accelerator.num_processes
        return loss.detach()

    def _indices(self, pictures: int) -> torch.Tensor:
        """Draw a batch's picture numbers: the same at the same step, others on each process."""
        stream = (self.seed * 1009 + self.done.step) * 64 + self.accelerator.process_index
        generator = torch.Generator().manual_seed(stream)
        return torch.randint(0, pictures, (self.stage.batch_size,), generator=generator)

    def _snapshot(self, stage: Stage) -> None:
        if not self.accelerator.is_main_process:
            return
        self.ema.store(stage.model.parameters())
        self.ema.copy_to(stage.model.parameters())
        with torch.no_grad():
            stage.snapshot(self.done.step)
        self.ema.restore(stage.model.parameters())

    def _line(self, share: float, steps_per_second: float, seconds: float) -> str:
        rate = steps_per_second * self.stage.batch_size * self.accelerator.num_processes
        left = seconds / max(share, 1e-9) * (1 - share) / 60
        step, loss = self.done.losses[-1]
        return (
            f"{self.stage.name}: step {step:,}, loss {loss:.4f}, {rate:.0f} pictures/s, "
            f"{left:.0f} min left"
        )

    def _finite(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise self._stopped(f"the loss became {loss}")
        return loss

    def _stopped(self, reason: str) -> TrainingStopped:
        return TrainingStopped(
            f"Training stopped: {reason}. The last good checkpoint is {self.checkpoint}; the same "
            "command goes on from there. If the loss blew up, try a smaller --rate."
        )

    def _save(self) -> None:
        """Write a checkpoint beside the old one, then exchange them: one is always whole."""
        if not self.accelerator.is_main_process:
            return
        done = self.done
        state = {
            "stage": self.stage.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict(),
            "progress": json.dumps([done.step, done.seconds, done.pictures, done.losses]),
        }
        fresh = self.checkpoint.with_suffix(".part")
        try:
            self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, fresh)
            fresh.replace(self.checkpoint)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
            fresh.unlink(missing_ok=True)
            raise self._stopped(f"saving failed ({error})") from error

    def _resume(self) -> Progress:
        if not self.checkpoint.exists():
            return Progress()
        state = torch.load(
            self.checkpoint, map_location=self.accelerator.device, weights_only=True
        )
        self.stage.load_state_dict(state["stage"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.load_state_dict(state["ema"])
        step, seconds, pictures, losses = json.loads(state["progress"])
        return Progress(step, seconds, pictures, [(int(s), float(x)) for s, x in losses])


def _rate(steps: int, share: float) -> float:
    """Return the learning rate's factor: a short warm-up, then flat, then down to a tenth."""
    cooling = max(0.0, (share - (1 - COOLDOWN_SHARE)) / COOLDOWN_SHARE)
    return min(1.0, (steps + 1) / WARMUP_STEPS) * (1.0 - 0.9 * min(cooling, 1.0))
