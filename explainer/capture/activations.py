"""Activations: what comes out of the parts of a denoiser, reduced while the run goes on."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from explainer.capture.errors import RunError
from explainer.capture.hooks import calls_of, is_compiled
from explainer.capture.shares import side

if TYPE_CHECKING:
    import torch

    from explainer.capture.families import Family
    from explainer.capture.focus import Focus

SAMPLE = 3
"""So many channels of a part are kept beside their root mean square, evenly spaced."""


class ActivationWatch:
    """Watches what comes out of parts of a denoiser for the first picture's conditional prediction.

    Args:
        parts: Names of modules, such as "time_embedding", "down_blocks.0", "mid_block" or
            "transformer_blocks.3". None for the time embedding and all blocks.
        whole: Keep all channels of the latest step as well, of what went in too.

    Attributes:
        inputs: With `whole`, what went into each part in the latest step, in the order of the
            computation: (C, h, w), (width,) or, where the places make no picture, (places, width).
        outputs: With `whole`, the same of what came out.
    """

    def __init__(self, parts: Collection[str] | None = None, *, whole: bool = False) -> None:
        self._parts = parts
        self._whole = whole
        self._seen: dict[str, torch.Tensor] = {}
        self._entered: dict[str, torch.Tensor] = {}
        self._told: set[str] = set()
        self.inputs: dict[str, torch.Tensor] = {}
        self.outputs: dict[str, torch.Tensor] = {}

    @contextmanager
    def watching(self, pipe: Any, family: Family, focus: Focus) -> Iterator[None]:
        """Watches for the block; warns where there is nothing to see.

        Raises:
            RunError: The denoiser has no part of that name.
        """
        denoiser = getattr(pipe, family.denoiser)
        parts = family.parts(pipe) if self._parts is None else tuple(self._parts)
        self._seen, self._entered = {}, {}
        with ExitStack() as stack:
            if is_compiled(denoiser):
                warnings.warn(
                    "A compiled denoiser shows no activations: the run is recorded without. Record "
                    "with the uncompiled one to see them.",
                    stacklevel=4,
                )
                parts = ()
            for name in parts:
                module = _part(denoiser, name)
                stack.enter_context(calls_of(module, partial(self._see, name, focus)))
            yield

    def taken(self, size: Collection[int]) -> dict[str, torch.Tensor]:
        """What was seen since the last step: part -> (1 + channels, h, w), or (width,) of a vector.

        Args:
            size: Height and width of the latents.
        """
        seen, self._seen = self._seen, {}
        entered, self._entered = self._entered, {}
        seen = {name: _shaped(values, size) for name, values in seen.items()}
        if self._whole:
            self.outputs = seen
            self.inputs = {name: _shaped(values, size) for name, values in entered.items()}
            seen = {name: reduced(values) for name, values in seen.items()}
        for name in [name for name, values in seen.items() if values.ndim == 2]:
            del seen[name]
            self._tell(name)
        return seen

    def _see(self, name: str, focus: Focus, args: Any, given: dict[str, Any], output: Any) -> None:
        # Blocks that put out words beside the picture put them first.
        values = _tensor(reversed(output) if isinstance(output, tuple) else (output,))
        if focus.skips or values is None or name in self._seen:
            return
        row = focus.row(len(values))
        came = _channels_first(values.detach()[row])
        self._seen[name] = came.float().clone() if self._whole else reduced(came)
        went = _tensor((*args, *given.values()))
        if self._whole and went is not None and went.ndim > 1:
            self._entered[name] = _channels_first(went.detach()[row]).float().clone()

    def _tell(self, name: str) -> None:
        if not self._whole and name not in self._told:
            self._told.add(name)
            warnings.warn(
                f"What comes out of {name!r} is no picture: the run is recorded without. Replay "
                "one step to see it.",
                stacklevel=4,
            )


def reduced(values: torch.Tensor) -> torch.Tensor:
    """Root mean square over all channels, then `SAMPLE` channels, evenly spaced.

    Args:
        values: (C, ...); a vector, (C,), stays as it is.

    Returns:
        (1 + channels, ...) float32.
    """
    import torch

    values = values.float()
    if values.ndim == 1:
        return values.clone()
    count = min(SAMPLE, len(values))
    sample = [len(values) * index // count for index in range(count)]
    strength = values.square().mean(0, keepdim=True).sqrt()
    return torch.cat([strength, values[sample]])


def _part(denoiser: Any, name: str) -> Any:
    known = dict(denoiser.named_modules())
    if not name or name not in known:
        parts = ", ".join(part for part in known if part and "." not in part)
        raise RunError(f"The denoiser has no part {name!r}. It has: {parts}, and their parts.")
    return known[name]


def _tensor(values: Iterable[Any]) -> torch.Tensor | None:
    import torch

    return next((value for value in values if isinstance(value, torch.Tensor)), None)


def _channels_first(values: torch.Tensor) -> torch.Tensor:
    return values.T if values.ndim == 2 else values


def _shaped(values: torch.Tensor, size: Collection[int]) -> torch.Tensor:
    """Of (C, places): a map, if the places make one; otherwise (places, C)."""
    if values.ndim != 2:
        return values
    shape = side(values.shape[-1], *size)
    return values.T if shape is None else values.unflatten(-1, shape)
