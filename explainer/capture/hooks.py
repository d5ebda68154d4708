"""Putting ourselves between a pipeline and its parts, and getting out again without a trace."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Method = Callable[..., Any]

_ABSENT = object()


@contextmanager
def wrapped(owner: object, name: str, wrap: Callable[[Method], Method]) -> Iterator[None]:
    """Puts `wrap(method)` in place of a method, on this one object, for the block.

    `functools.wraps` is essential: pipelines read the signature of `scheduler.step` to decide
    whether to pass `generator` and `eta`, and a bare wrapper changes the picture.
    """
    attributes = vars(owner)
    before = attributes.get(name, _ABSENT)
    method = getattr(owner, name)
    attributes[name] = functools.wraps(method)(wrap(method))
    try:
        yield
    finally:
        if before is _ABSENT:
            del attributes[name]
        else:
            attributes[name] = before


@contextmanager
def calls_of(
    module: torch.nn.Module, see: Callable[[tuple[Any, ...], dict[str, Any], Any], None]
) -> Iterator[None]:
    """Shows `see` the arguments and the output of a module's every call in the block.

    The output itself stays as it is.
    """

    def hook(_module: torch.nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        see(args, kwargs, output)

    handle = module.register_forward_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def is_compiled(module: Any) -> bool:
    """Whether `torch.compile` keeps the parts of a module from being watched."""
    return hasattr(module, "_orig_mod") or module._compiled_call_impl is not None  # noqa: SLF001
