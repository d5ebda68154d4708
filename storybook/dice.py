"""Random choices that are the same on every machine and in every Python release."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of random choices, named by a string.

    Python promises that ``random.Random(string).random()`` never changes; it promises less for
    its other methods, and NumPy promises nothing across releases. So all else is built on it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._next = random.Random(name).random

    def split(self, name: str) -> Dice:
        """Return dice of their own, so that rolls added here leave rolls made there unchanged."""
        return Dice(f"{self._name}/{name}")

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return a number from ``low`` to ``high``."""
        return low + (high - low) * self._next()

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        """Return a normally distributed number (Box and Muller's transform)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self._next()))
        return mean + deviation * radius * math.cos(2.0 * math.pi * self._next())

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self._next() < probability

    def integer(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""
        return low + min(int(self._next() * (high - low + 1)), high - low)

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options, each as likely as the others."""
        return options[self.integer(0, len(options) - 1)]

    def weighted(self, options: Sequence[T], weights: Sequence[float]) -> T:
        """Return one of the options, as likely as its weight says."""
        threshold = self._next() * sum(weights)
        for option, weight in zip(options, weights, strict=True):
            threshold -= weight
            if threshold < 0:
                return option
        return options[-1]
