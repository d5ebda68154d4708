"""What can go wrong with recording, told so that one knows what to change."""

from __future__ import annotations


class RunError(ValueError):
    """A run that cannot be started or recorded as asked; the message says what to change."""
