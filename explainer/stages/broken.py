"""Broken: runs with one part of the machine put out of order, to see what the part was for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.capture.hooks import Method, wrapped

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from explainer.parameters import RunParameters
    from explainer.trace import Trace

WEAK = 0.5
"""What the starting noise is multiplied by where its scale is wrong."""
SHUFFLE_SEED = 1


@dataclass(frozen=True)
class Broken:
    """A run in which one part is out of order.

    Attributes:
        parameters: The run as it would be.
        part: What is out of order: one of `PARTS`.

    Raises:
        ValueError: There is no such part.
    """

    parameters: RunParameters
    part: str

    def __post_init__(self) -> None:
        """Refuse a part that nobody knows how to break."""
        if self.part not in PARTS:
            raise ValueError(
                f"Nothing here is called {self.part!r}; break one of: {', '.join(PARTS)}."
            )


def record(pipe: DiffusionPipeline, run: Broken, **options: Any) -> Trace:
    """Draws a broken run and records it; the pipeline is whole again afterwards.

    Args:
        pipe: A text-to-image pipeline of a known family.
        run: What to draw, and what is out of order.
        **options: As for `explainer.record`.
    """
    from explainer.capture import record as record_whole

    wanted = run.parameters
    with PARTS[run.part](pipe):
        return record_whole(
            pipe,
            **wanted.arguments(),
            **options,
        )


@contextmanager
def _no_text(pipe: Any) -> Iterator[None]:
    """The encoder is given an empty sentence, whatever the prompt."""

    def emptied(encode_prompt: Method) -> Method:
        def encode(*args: Any, **kwargs: Any) -> Any:
            given = inspect.signature(encode_prompt).bind(*args, **kwargs).arguments
            empty = dict.fromkeys({"prompt", "prompt_2", "prompt_3"} & given.keys(), "")
            return encode_prompt(**_flat(given) | empty)

        return encode

    with wrapped(pipe, "encode_prompt", emptied):
        yield


@contextmanager
def _mixed_vectors(pipe: Any) -> Iterator[None]:
    """The encoder's vectors reach the denoiser in another order, the same at every call."""

    def mixed(encode_prompt: Method) -> Method:
        def encode(*args: Any, **kwargs: Any) -> Any:
            vectors, *others = encode_prompt(*args, **kwargs)
            order = np.random.default_rng(SHUFFLE_SEED).permutation(vectors.shape[1])
            return (vectors[:, order], *others)

        return encode

    with wrapped(pipe, "encode_prompt", mixed):
        yield


@contextmanager
def _stopped_clock(pipe: Any) -> Iterator[None]:
    """The denoiser is told at every step that it is still the first."""
    from explainer.capture.families import family_of

    def stopped(forward: Method) -> Method:
        first: list[Any] = []

        def told(*args: Any, **kwargs: Any) -> Any:
            given = inspect.signature(forward).bind(*args, **kwargs).arguments
            first[:] = first or [given["timestep"]]
            return forward(**_flat(given) | {"timestep": first[0]})

        return told

    family = family_of(pipe)
    if family is None:
        raise ValueError(f"Nobody knows the denoiser of a {type(pipe).__name__}.")
    with wrapped(getattr(pipe, family.denoiser), "forward", stopped):
        yield


@contextmanager
def _weak_noise(pipe: Any) -> Iterator[None]:
    """The run starts from latents of half the scale that the schedule promises."""

    def weakened(prepare_latents: Method) -> Method:
        def prepare(*args: Any, **kwargs: Any) -> Any:
            result = prepare_latents(*args, **kwargs)
            if isinstance(result, tuple):
                return (WEAK * result[0], *result[1:])
            return WEAK * result

        return prepare

    with wrapped(pipe, "prepare_latents", weakened):
        yield


def _flat(given: dict[str, Any]) -> dict[str, Any]:
    """Bound arguments as keywords, those of `**kwargs` among them."""
    return {name: value for name, value in given.items() if name != "kwargs"} | given.get(
        "kwargs", {}
    )


PARTS = {
    "text": _no_text,
    "order of the vectors": _mixed_vectors,
    "timestep": _stopped_clock,
    "scale of the latents": _weak_noise,
}
"""Context managers by the part that each puts out of order."""
