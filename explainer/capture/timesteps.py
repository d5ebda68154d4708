"""As many timesteps as were asked for, whichever scheduler of diffusers lays them out."""

from __future__ import annotations

import functools
import math
from typing import Any


class _Count(int):
    """A number of steps; what is divided by it is rounded up, not to the nearest number."""

    def __rtruediv__(self, trained: float) -> float:
        return math.nextafter(trained / int(self), math.inf)


def exact(scheduler: Any) -> Any:
    """Keeps a scheduler of diffusers from laying out one step too many, and returns it.

    Spaced "trailing", its timesteps are `np.arange(1000, 0, -1000 / steps)`. For 61 steps and a few
    other counts the quotient is rounded down, and one value more fits in: a timestep of -1, which
    is read as the noisiest of all and ruins the picture at its last step. With the next larger
    number for a quotient there are as many as asked for, and the others stay the same.
    """
    lay_out = scheduler.set_timesteps

    @functools.wraps(lay_out)  # pipelines read its signature
    def set_timesteps(num_inference_steps: int | None = None, *args: Any, **kwargs: Any) -> None:
        lay_out(num_inference_steps, *args, **kwargs)
        if num_inference_steps is not None and scheduler.timesteps.min() < 0:
            lay_out(_Count(num_inference_steps), *args, **kwargs)

    scheduler.set_timesteps = set_timesteps
    return scheduler
