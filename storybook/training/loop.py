"""The training loop that all stages share: budget, averaging, checkpoints, progress."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from diffusers.training_utils import EMAModel

from storybook.dice import Dice
from storybook.training import checkpoint, devices
from storybook.training.checkpoint import Progress
from storybook.training.stopped import TrainingStopped

WARMUP_STEPS = 200
COOLDOWN_SHARE = 0.25
CHECKPOINT_SECONDS = 120.0
REPORT_SECONDS = 10.0
LOG_STEPS = 25
SNAPSHOTS = 12
"""How often in one call a stage is asked to show what it has learned so far, the end included."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a stage trains: whichever of the two ends first.

    Args:
        minutes: time on the clock.
        steps: optimizer steps.
        in_all: earlier calls' time and steps count too, so that a call that takes up an
            interrupted one does only what is left.
    """

    minutes: float = math.inf
    steps: int = sys.maxsize
    in_all: bool = False

    def share_spent(self, seconds: float, steps: int) -> float:
        """Return how much of the budget is used up: 1 or more when it is spent."""
        by_time = seconds / (60 * self.minutes) if self.minutes > 0 else 1.0
        return max(by_time, steps / self.steps if self.steps else 1.0)


class Stage(torch.nn.Module):
    """A model with its objective: ``forward(indices)`` returns the loss on those pictures."""

    name: str
    batch_size: int
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.99)
    """Of AdamW."""
    model: torch.nn.Module
    """The part that training is for, whose averaged weights are the result."""
    origin: str | None = None
    """Names the other networks that it learns by, if it is worth nothing beside others."""

    def __init__(self) -> None:
        super().__init__()
        self.register_load_state_dict_post_hook(_forgive_what_only_training_needs)

    def snapshot(self, step: int) -> None:
        """Show what the model, now holding its averaged weights, has learned so far."""


def seed(*of: object) -> int:
    """Return torch's seed for what is named so, which has no likeness to that of anything else.

    It has 32 bits: torch's generator on the CPU looks at no more.
    """
    return Dice("/".join(map(str, of))).integer(0, 2**32 - 1)


def _forgive_what_only_training_needs(_: torch.nn.Module, keys: Any) -> None:
    """Let heads or a critic be missing, which learn anew, but nothing of the model.

    A finished model comes without them.
    """
    keys.missing_keys[:] = [k for k in keys.missing_keys if k.startswith(checkpoint.MODEL)]


class Trainer:
    """Trains one stage within a budget, from its checkpoint if there is one.

    Args:
        stage: what to train.
        folder: where the checkpoint lives, as ``<stage name>.pt``.
        accelerator: the devices to train on.
        seed: fixes which pictures come when, and the noise of a call.
        rate: a factor on the stage's learning rate.
        say: receives a line of progress every ten seconds.
        saved: called after each checkpoint.

    Raises:
        TrainingStopped: when the checkpoint is that of another model.
    """

    def __init__(
        self,
        stage: Stage,
        folder: Path,
        accelerator: Accelerator,
        *,
        seed: int = 0,
        rate: float = 1.0,
        say: Callable[[str], None] = print,
        saved: Callable[[], None] = lambda: None,
    ) -> None:
        self.stage, self.accelerator, self.seed = stage, accelerator, seed
        self.say, self.saved = say, saved
        self.learning_rate = stage.learning_rate * rate
        self.checkpoint = folder / f"{stage.name}.pt"
        stage.to(accelerator.device)
        self.optimizer = torch.optim.AdamW(
            stage.parameters(),
            lr=self.learning_rate,
            betas=stage.betas,
            weight_decay=1e-3,
            fused=accelerator.device.type == "cuda",
        )
        self.done = Progress()
        self.ema = self._average()
        if self.checkpoint.exists():
            self._resume()
        self.ema.to(accelerator.device)
        self.prepared, self.optimizer = accelerator.prepare(stage, self.optimizer)

    def fit(self, pictures: int, budget: Budget) -> Progress:
        """Train on picture numbers below ``pictures`` until the budget is spent.

        On return the stage's model holds the exponential moving average of its weights.

        Raises:
            TrainingStopped: when the loss is no number, the disk is full or the device fails.
        """
        began = self.done.step
        try:
            self._spend(pictures, budget)
            if self.done.step > began:
                self._save()
                self._snapshot()
        except (torch.AcceleratorError, torch.OutOfMemoryError) as error:
            raise self._stopped(
                f"the device failed ({error}). Where memory ran out, a smaller batch in the "
                "preset helps"
            ) from error
        self.ema.copy_to(self.stage.model.parameters())
        return self.done

    def _spend(self, pictures: int, budget: Budget) -> None:
        done = self.done
        began, first_step, earlier = time.monotonic(), done.step, done.seconds
        from_step, from_seconds = (0, 0.0) if budget.in_all else (first_step, earlier)
        reported = saved = began
        share = self._agreed(budget, done.seconds - from_seconds, done.step - from_step)
        first_share, snapshots = share, math.ceil(share * (SNAPSHOTS - 1))
        recent: list[torch.Tensor] = []
        if share < 1:
            # It goes by the step, or a call that takes up another would repeat the other's noise.
            torch.manual_seed(self._seed("noise"))
            done.among = max(done.among, pictures)
            if (hardware := devices.hardware(self.accelerator)) not in done.hardware:
                done.hardware.append(hardware)
        while share < 1:
            if share * (SNAPSHOTS - 1) >= snapshots:
                snapshots += 1
                self._snapshot()
            recent.append(self.step(pictures, _rate(done.step - first_step, share)))
            now = time.monotonic()
            done.seconds = earlier + now - began
            if len(recent) == LOG_STEPS:
                self._log(recent)
            share = self._agreed(budget, done.seconds - from_seconds, done.step - from_step, share)
            if now - reported > REPORT_SECONDS and done.losses and share > first_share:
                reported = now
                left = (now - began) / (share - first_share) * max(0.0, 1 - share) / 60
                self.say(self._line((done.step - first_step) / (now - began), left))
            if now - saved > CHECKPOINT_SECONDS:
                saved = now
                self._save()
        if recent:
            self._log(recent)

    def _agreed(
        self, budget: Budget, seconds: float, steps: int, before: float | None = None
    ) -> float:
        """Return the share spent, the same in all processes, so that all stop at the same step.

        They count the same steps. Whose clock goes, the first one's, they agree on now and then.
        """
        share = budget.share_spent(seconds, steps)
        if self.accelerator.num_processes == 1:
            return share
        if before is not None and self.done.step % LOG_STEPS:
            return max(before, budget.share_spent(0.0, steps))
        return broadcast(torch.tensor(share, device=self.accelerator.device)).item()

    def _log(self, recent: list[torch.Tensor]) -> None:
        """Take the losses off the device, which waits for it, hence only now and then."""
        loss = torch.stack(recent).mean().item()
        recent.clear()
        if not math.isfinite(loss):
            raise self._stopped(f"the loss became {loss}; try --rate 0.5")
        self.done.losses.append((self.done.step, loss))

    def step(self, pictures: int, rate: float) -> torch.Tensor:
        """Train on one batch, at ``rate`` times the learning rate; return its loss, shape ()."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * rate
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
        # Drawn on the device itself: to copy them there would make the processor wait for it.
        device = self.accelerator.device
        generator = torch.Generator(device).manual_seed(self._seed("pictures"))
        return torch.randint(
            0, pictures, (self.stage.batch_size,), generator=generator, device=device
        )

    def _seed(self, what: str) -> int:
        """Return the seed of what is random from this step on, another on each process."""
        process = self.accelerator.process_index
        return seed(self.seed, self.stage.name, what, self.done.step, process)

    def _snapshot(self) -> None:
        if not self.accelerator.is_main_process:
            return
        parameters = list(self.stage.model.parameters())
        self.ema.store(parameters)
        self.ema.copy_to(parameters)
        # A compiled model would be compiled once more for the sizes of a snapshot.
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            self.stage.snapshot(self.done.step)
        self.ema.restore(parameters)

    def _line(self, steps_per_second: float, minutes_left: float) -> str:
        rate = steps_per_second * self.stage.batch_size * self.accelerator.num_processes
        step, loss = self.done.losses[-1]
        return (
            f"{self.stage.name}: step {step:,}, loss {loss:.4f}, {rate:.0f} pictures/s, "
            f"{minutes_left:.0f} min left"
        )

    def _stopped(self, reason: str) -> TrainingStopped:
        safe = (
            f"{self.checkpoint} holds the last good checkpoint, and the same command goes on from "
            "there"
            if self.checkpoint.exists()
            else "No checkpoint of this stage had been written yet; earlier stages are safe, and "
            "the same command starts this one again"
        )
        return TrainingStopped(f"Training stopped: {reason}. {safe}.")

    def _save(self) -> None:
        if not self.accelerator.is_main_process:
            return
        weights = torch.stack([p.isfinite().all() for p in self.stage.parameters()])
        if not weights.all():
            raise self._stopped("the weights are no longer numbers; try --rate 0.5")
        state = {
            "stage": self.stage.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict(),
            "progress": self.done.to_json(),
            "origin": self.stage.origin,
        }
        try:
            checkpoint.write(self.checkpoint, state)
            self.saved()
        except OSError as error:
            raise self._stopped(f"saving failed ({error}); free some space") from error

    def _average(self) -> EMAModel:
        return EMAModel(
            self.stage.model.parameters(),
            decay=0.9995,
            use_ema_warmup=True,
            power=0.8,
            foreach=True,
        )

    def _resume(self) -> None:
        state = checkpoint.read(self.checkpoint, self.accelerator.device)
        self.done = Progress.from_json(state["progress"])
        try:
            self.stage.load_state_dict(state["stage"])
            if "optimizer" in state:
                self.optimizer.load_state_dict(state["optimizer"])
                self.ema.load_state_dict(state["ema"])
            else:
                # It starts from these weights, and its window grows with this call alone.
                self.ema = self._average()
        # torch lists every tensor that does not fit; its optimizer knows only how many there are.
        except (RuntimeError, ValueError) as error:
            raise TrainingStopped(
                f"{self.checkpoint} does not fit this preset: it was trained with another. Choose "
                "that one, or another folder with --state."
            ) from error


def _rate(steps: int, share: float) -> float:
    """Return the learning rate's factor: a short warm-up, then flat, then down to a tenth."""
    cooling = max(0.0, (share - (1 - COOLDOWN_SHARE)) / COOLDOWN_SHARE)
    return min(1.0, (steps + 1) / WARMUP_STEPS) * (1.0 - 0.9 * min(cooling, 1.0))
