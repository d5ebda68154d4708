"""Why training stops before its time: all who call it can tell, without torch or accelerate."""

from __future__ import annotations


class TrainingStopped(RuntimeError):  # noqa: N818 - what happened, not what was done wrong
    """Training cannot go on; the message says what is safe and how to take it up again."""
