"""Settings: what a call asks of a pipeline beside what a trace tells by names of its own.

A run comes out the same only if all of it is asked for again: a second prompt, one's own sigmas,
the size that SDXL is told, how many pictures share a generator. What no file of a run holds, such
as a picture or embeddings, is named.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from explainer.capture.errors import RunError

if TYPE_CHECKING:
    from explainer.trace import Trace

_TOLD = ("num_inference_steps", "guidance_scale", "width", "height", "generator", "latents")
_WITHOUT_EFFECT = ("output_type", "return_dict", "callback")
_MOST_LETTERS = 2**16


class Settings(NamedTuple):
    """What was asked for otherwise than a pipeline does of itself.

    Attributes:
        kept: Argument -> its value, as JSON holds it.
        missing: Names of arguments whose values JSON does not hold.
    """

    kept: dict[str, Any]
    missing: tuple[str, ...]


@contextmanager
def calls_heard(pipe: Any, hear: Callable[[Settings], None]) -> Iterator[None]:
    """Tells `hear` the settings of every call of a pipeline in the block, before it begins.

    Python looks for `__call__` in the class, so that the pipeline is of one of its own for the
    block, with the same name and behaviour.
    """
    own: Any = type(pipe)

    @functools.wraps(own.__call__)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        hear(settings_of(own.__call__, (self, *args), kwargs))
        return own.__call__(self, *args, **kwargs)

    names = {"__call__": call, "__module__": own.__module__, "__qualname__": own.__qualname__}
    pipe.__class__ = heard = type(own)(own.__name__, (own,), names)
    try:
        yield
    finally:
        pipe.__class__ = own
        # A class stays until the next collection, and must not keep all that `hear` holds on to.
        del heard.__call__


def settings_of(
    call: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Settings:
    """What a call asks for; nothing where its arguments do not fit, which it will say itself.

    Args:
        call: The `__call__` of a pipeline's class.
        args: What it is called with, the pipeline first.
        kwargs: What it is called with by name.
    """
    signature = inspect.signature(call)
    try:
        _pipe, *given = signature.bind(*args, **kwargs).arguments.items()
    except TypeError:
        return Settings({}, ())
    kept: dict[str, Any] = {}
    missing = []
    for name, value in _one_by_one(signature, dict(given)):
        if name in _TOLD or name.startswith(_WITHOUT_EFFECT):
            continue
        try:
            plain, usual = _plain(name, value), _plain(name, _default(signature, name))
        except (TypeError, ValueError, RuntimeError):
            missing.append(name)
        else:
            if plain != usual and not _is_told(name, plain):
                kept[name] = plain
    if "true_cfg_scale" in kept and (scale := dict(given).get("guidance_scale")) is not None:
        kept["guidance_scale"] = float(scale)  # of both, the trace tells the other one
    return Settings(kept, tuple(missing))


def asked_again(pipe: Any, trace: Trace, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that ask a pipeline for a recorded run again, beside those that the trace names.

    Args:
        pipe: The pipeline.
        trace: The run.
        given: What to ask for in place of what was recorded.

    Raises:
        RunError: The run was given something that the trace does not hold, and `given` neither.
    """
    lost = [name for name in trace.missing if name not in given]
    if lost:
        raise RunError(
            f"The run was given {', '.join(lost)}, which the trace does not hold. Give it again: "
            f"{', '.join(f'{name}=…' for name in lost)}."
        )
    asked: dict[str, Any] = (
        {"negative_prompt": trace.negative_prompt} if trace.negative_prompt else {}
    )
    parameters = inspect.signature(type(pipe).__call__).parameters
    for name, value in trace.settings.items():
        pair = name in parameters and "tuple" in str(parameters[name].annotation).lower()
        asked[name] = tuple(value) if pair and isinstance(value, list) else value
    return asked | dict(given)


def _one_by_one(signature: inspect.Signature, given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()
        else:
            yield name, value


def _default(signature: inspect.Signature, name: str) -> Any:
    parameter = signature.parameters.get(name)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def _is_told(name: str, value: Any) -> bool:
    """Whether the trace's own field says it: of a negative prompt, "" there says nothing."""
    return isinstance(value, str) and (
        name == "prompt" or (name == "negative_prompt" and value != "")
    )


def _plain(name: str, value: Any) -> Any:
    """A value as it comes back from a file.

    Raises:
        TypeError: JSON does not hold it.
        ValueError: It is too large for a file's header.
    """
    if "prompt" in name and isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = json.dumps(value, default=_row)
    if len(text) > _MOST_LETTERS:
        raise ValueError(f"{name} has {len(text)} letters as JSON.")
    return json.loads(text)


def _row(value: Any) -> Any:
    """Numbers of numpy or torch, such as sigmas; what has more dimensions is a picture or such."""
    if getattr(value, "ndim", 2) < 2:
        return value.tolist()
    raise TypeError(f"JSON holds no {type(value).__name__}.")
