"""The examiner: measures the embedded model on what it never saw, and writes its model card."""

from __future__ import annotations

from storybook.evaluation.command import main

__all__ = ["main"]
