"""What a stage leaves on disk, whole and slim.

A whole checkpoint, ``<stage name>.pt``, holds weights, optimizer, average and progress. A slim
one holds the averaged weights in half precision and the progress: an eighth of the size. Training
goes on from either; from a slim one with a fresh optimizer. Both tell by which other networks a
stage learned, if it is worth nothing beside others.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import torch

MODEL = "model."
"""How a stage calls the part that training is for."""


@dataclass(slots=True)
class Progress:
    """What a stage has behind it, over all calls."""

    step: int = 0
    seconds: float = 0.0
    pictures: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    hardware: list[str] = field(default_factory=list)
    """What it was trained on, in order."""
    among: int = 0
    """Its pictures were chosen from so many, in the call that had most; 0 where none tells."""
    note: str = ""
    """What was done to its weights by hand."""

    def to_json(self) -> str:
        """Return the text that :meth:`from_json` reads."""
        return json.dumps(astuple(self))

    @classmethod
    def from_json(cls, text: str) -> Progress:
        """Read what :meth:`to_json` wrote."""
        # Earlier versions did not tell the last ones.
        step, seconds, pictures, losses, hardware, *rest = json.loads(text)
        curve = [(int(s), float(x)) for s, x in losses]
        return cls(step, seconds, pictures, curve, hardware, *rest)


def write(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint beside the old one, then exchange them: one is always whole.

    Raises:
        OSError: if the disk cannot hold it; the old one stays.
    """
    fresh = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, fresh)
        fresh.replace(path)
    except RuntimeError as error:  # torch's own way to report a full disk
        raise OSError(str(error)) from error
    finally:
        fresh.unlink(missing_ok=True)


def read(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Return a checkpoint, whole or slim, its tensors on ``device``."""
    return torch.load(path, map_location=device, weights_only=True)


def fingerprint(made: str, *of: torch.nn.Module, halved: bool = False) -> str:
    """Name what was made of some networks by all that it depends on: 12 hexadecimal digits.

    Args:
        made: what it is.
        of: the networks, whose weights count.
        halved: by their weights in half precision, which a slim checkpoint has, too.
    """
    digest = hashlib.sha256(made.encode())
    for module in of:
        for weight in module.state_dict().values():
            digest.update((weight.half() if halved else weight).cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def progress(path: Path) -> Progress:
    """Return how far the checkpoint at ``path`` is, without reading its tensors."""
    return Progress.from_json(_outline(path)["progress"])


def origin(path: Path) -> str | None:
    """Return what names the networks that the stage at ``path`` learned by, if it tells."""
    return _outline(path).get("origin")


def _outline(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return state


def slim(state: dict[str, Any]) -> dict[str, Any]:
    """Return the slim form of a checkpoint.

    Raises:
        ValueError: if its average is not that of its weights.
    """
    # What only the training needs, such as heads, is left out.
    weights = {k: weight for k, weight in state["stage"].items() if k.startswith(MODEL)}
    if "ema" in state:
        averages = state["ema"]["shadow_params"]
        for name, average in zip(weights, averages, strict=True):
            if weights[name].shape != average.shape:
                raise ValueError(f"the average of {name} has another shape than its weights")
            weights[name] = average
    return _slim(weights, state["progress"], state.get("origin"))


def slim_from_model(
    model: torch.nn.Module, done: Progress, origin: str | None = None
) -> dict[str, Any]:
    """Return the slim checkpoint of a finished model."""
    weights = {MODEL + name: weight for name, weight in model.state_dict().items()}
    return _slim(weights, done.to_json(), origin)


def _slim(weights: dict[str, torch.Tensor], done: str, origin: str | None) -> dict[str, Any]:
    return {
        "stage": {name: weight.half().contiguous() for name, weight in weights.items()},
        "progress": done,
        "origin": origin,
    }


def further(path: Path, state: dict[str, Any]) -> bool:
    """Tell whether ``state`` has more steps behind it than the checkpoint at ``path``, if any."""
    return not path.exists() or Progress.from_json(state["progress"]).step > progress(path).step
