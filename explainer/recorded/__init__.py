"""What was recorded with the embedded model, so that pages open at once.

`make assets` records it again after every change of the weights.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from explainer.stages.originality import Neighbour
    from explainer.trace import Trace

FOLDER = Path(__file__).parent
STILLS = FOLDER / "stills.json"
_MISSING = (
    "The recorded runs are missing from this installation. Install the package again; in a clone, "
    "run `make assets` once the weights are there."
)


class Still(NamedTuple):
    """A finished picture and what it was asked for.

    Attributes:
        title: What it is shown for, such as its style.
        prompt: The whole prompt.
        seed: The seed of its noise.
        picture: WebP bytes.
    """

    title: str
    prompt: str
    seed: int
    picture: bytes


def trace(name: str) -> Trace:
    """Return a recorded run.

    Raises:
        ValueError: No run of this name was recorded, or none at all.
    """
    from explainer.trace import Trace

    names = sorted(path.stem for path in FOLDER.glob("*.trace"))
    if not names:
        raise ValueError(_MISSING)
    if name not in names:
        raise ValueError(f"No run called {name!r} was recorded; there are: {', '.join(names)}")
    return Trace.load(FOLDER / f"{name}.trace")


def styles() -> list[Still]:
    """Return the running example in every style, all from the same noise."""
    return [
        Still(one["title"], one["prompt"], one["seed"], base64.b64decode(one["picture"]))
        for one in _stills()["styles"]
    ]


def neighbours() -> list[Neighbour]:
    """Return the training pictures that are nearest to the running example, the nearest first."""
    from explainer.stages.originality import Neighbour

    return [Neighbour(**one) for one in _stills()["neighbours"]]


def fingerprint() -> str:
    """Return the fingerprint of the weights that all this was recorded with."""
    return str(_stills()["fingerprint"])


@cache
def _stills() -> dict[str, Any]:
    if not STILLS.is_file():
        raise ValueError(_MISSING)
    return dict(json.loads(STILLS.read_text(encoding="utf-8")))
