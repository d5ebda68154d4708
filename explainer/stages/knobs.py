"""Knobs: experiments that turn one parameter of a run and leave the others as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from explainer.parameters import MAX_SEED, RunParameters
from explainer.stages.broken import Broken

GUIDANCE = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0)
STEPS = (1, 2, 4, 8, 16, 32, 64, 200)
SCHEDULERS = (
    "DDIMScheduler",
    "DDPMScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "PNDMScheduler",
)
SEEDS = 12

Runs = dict[str, RunParameters | Broken]


def schedulers_for(scheduler: str) -> tuple[str, ...]:
    """Returns which of `SCHEDULERS` can take the place of one; none if it is trained otherwise.

    Flow matching and latent consistency models go together with their own schedulers alone.
    """
    return () if scheduler.startswith(("FlowMatch", "LCM", "TCD")) else SCHEDULERS


def experiments(
    base: RunParameters, schedulers: tuple[str, ...] = SCHEDULERS, *, avoids: bool = True
) -> dict[str, Runs]:
    """Returns the runs of every experiment, by its name and then by what is turned in each.

    Args:
        base: The run whose knobs are turned.
        schedulers: Those that fit its model; without any that experiment is left out.
        avoids: Whether its model heeds a negative prompt.

    Raises:
        ParameterError: the base cannot be run.
    """
    found: dict[str, Runs] = {
        "Guidance": {f"guidance {g:g}": replace(base, guidance_scale=g) for g in GUIDANCE},
        "Steps": {_counted(s): replace(base, steps=s) for s in STEPS},
        "Scheduler": {
            name.removesuffix("Scheduler"): replace(base, scheduler=name) for name in schedulers
        },
        "Seeds": {
            f"seed {seed}": replace(base, seed=seed)
            for seed in ((base.seed + i) % (MAX_SEED + 1) for i in range(SEEDS))
        },
        "Break it": _broken(base, avoids),
    }
    return {name: runs for name, runs in found.items() if runs}


def _counted(steps: int) -> str:
    return f"{steps} step" if steps == 1 else f"{steps} steps"


def _broken(base: RunParameters, avoids: bool) -> Runs:
    own = replace(base, negative_prompt=base.prompt)
    return {
        "whole": base,
        "no text": Broken(base, "text"),
        "words shuffled": replace(base, prompt=shuffled(base.prompt, base.seed)),
        "vectors shuffled": Broken(base, "order of the vectors"),
        "words it never met": replace(base, prompt="xyzzy plugh qwrt"),
        "guidance off": replace(base, guidance_scale=1.0),
        **({"told to avoid its own prompt": own} if avoids else {}),
        "told the wrong timestep": Broken(base, "timestep"),
        "latents at half their scale": Broken(base, "scale of the latents"),
        "one single step": replace(base, steps=1),
    }


def shuffled(prompt: str, seed: int) -> str:
    """Returns the words of a prompt in another order, the same for the same seed."""
    words = prompt.replace(",", " ").split()
    return " ".join(words[i] for i in np.random.default_rng(seed).permutation(len(words)))
