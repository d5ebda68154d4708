"""Focus: which part of a denoiser call is about the prompt itself, and the first picture of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Focus:
    """Finds the first picture's conditional prediction among all that the denoiser is asked.

    Attributes:
        skips: Whether the present denoiser call is none for the prompt itself: guidance may ask for
            its two predictions in two calls.
    """

    def __init__(self) -> None:
        self.skips = False
        self._batch = 1
        self._conditional: torch.Tensor | None = None

    def begin(self, embeddings: torch.Tensor) -> None:
        """Takes note of a run's prompt, as (B, tokens, width)."""
        self._batch = len(embeddings)
        self._conditional = embeddings[:1]

    def row(self, count: int) -> int:
        """Where it stands in a batch of so many; the unconditional half comes first."""
        return self._batch if count >= 2 * self._batch else 0

    @contextmanager
    def following(self, denoiser: torch.nn.Module) -> Iterator[None]:
        """Looks at what each call of the block is given."""
        handle = denoiser.register_forward_pre_hook(self._see_call, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()

    def _see_call(self, _module: Any, _args: Any, given: dict[str, Any]) -> None:
        text = given.get("encoder_hidden_states")
        self.skips = bool(
            self._conditional is not None
            and text is not None
            and len(text) == 1
            and text.shape == self._conditional.shape
            and not (text == self._conditional).all()
        )
