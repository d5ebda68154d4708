"""See, step by step, how a text-to-image diffusion model turns a sentence into a picture.

Names are imported when they are first used: `import explainer` costs no torch, and neither does
showing a recorded trace.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explainer import (
        gallery,
        models,
        recorded,
        runs,
        sharing,
        site,
        stages,
        vocabulary,
        widgets,
    )
    from explainer.capture import (
        ActivationWatch,
        AttentionWatch,
        Recorder,
        Replayed,
        RunError,
        record,
        replay,
        resume,
    )
    from explainer.models import ModelError, load
    from explainer.parameters import ParameterError, RunParameters
    from explainer.stages.compare import Comparison, compare
    from explainer.trace import Token, Trace, TraceError

__version__ = "0.1.0"

__all__ = [
    "ActivationWatch",
    "AttentionWatch",
    "Comparison",
    "ModelError",
    "ParameterError",
    "Recorder",
    "Replayed",
    "RunError",
    "RunParameters",
    "Token",
    "Trace",
    "TraceError",
    "compare",
    "gallery",
    "load",
    "models",
    "record",
    "recorded",
    "replay",
    "resume",
    "runs",
    "sharing",
    "site",
    "stages",
    "vocabulary",
    "widgets",
]

_HOMES = {
    "ActivationWatch": "capture",
    "AttentionWatch": "capture",
    "Comparison": "stages.compare",
    "ModelError": "models",
    "ParameterError": "parameters",
    "Recorder": "capture",
    "Replayed": "capture",
    "RunError": "capture",
    "RunParameters": "parameters",
    "Token": "trace",
    "Trace": "trace",
    "TraceError": "trace",
    "compare": "stages.compare",
    "load": "models",
    "record": "capture",
    "replay": "capture",
    "resume": "capture",
}
_MODULES = frozenset(__all__) - _HOMES.keys()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"explainer.{name}")
    if name in _HOMES:
        return getattr(import_module(f"explainer.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'explainer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
