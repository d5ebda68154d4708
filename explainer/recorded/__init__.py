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
    from explainer.stages.guesses import Guesses
    from explainer.stages.originality import Neighbour
    from explainer.trace import Trace

FOLDER = Path(__file__).parent
STILLS = FOLDER / "stills.json"
GUESSES = FOLDER / "guesses.npz"
NOISE = FOLDER / "noise.json"
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


def guesses() -> Guesses:
    """Return what the model guessed behind one drawing, at many levels of noise."""
    from explainer.stages.guesses import Guesses

    if not GUESSES.is_file():
        raise ValueError(_MISSING)
    return Guesses.load(GUESSES)


def experiments() -> dict[str, dict[str, bytes]]:
    """Return the pictures of the running example's experiments, as WebP.

    They come by the experiment's name and then by the run's, as in `explainer.stages.knobs`.
    """
    return {
        knob: {label: base64.b64decode(picture) for label, picture in pictures.items()}
        for knob, pictures in _noise()["experiments"].items()
    }


def learning() -> list[tuple[int, bytes]]:
    """Return pictures of one prompt and seed at kept checkpoints, as WebP, by training step.

    Empty where none were kept when the weights were trained.
    """
    return [(step, base64.b64decode(picture)) for step, picture in _noise()["learning"]]


def losses() -> list[tuple[int, float]]:
    """Return the denoiser's loss by training step; empty where the weights came without it."""
    from explainer.models import embedded_folder

    path = embedded_folder() / "training.json"
    stages = json.loads(path.read_text(encoding="utf-8")).get("stages", {})
    return [(int(step), float(loss)) for step, loss in stages.get("denoiser", {}).get("losses", [])]


def noise_fingerprint() -> str:
    """Return the fingerprint of the weights that the experiments were drawn with."""
    return str(_noise()["fingerprint"])


def fingerprint() -> str:
    """Return the fingerprint of the weights that all this was recorded with."""
    return str(_stills()["fingerprint"])


@cache
def _stills() -> dict[str, Any]:
    if not STILLS.is_file():
        raise ValueError(_MISSING)
    return dict(json.loads(STILLS.read_text(encoding="utf-8")))


@cache
def _noise() -> dict[str, Any]:
    if not NOISE.is_file():
        raise ValueError(_MISSING)
    return dict(json.loads(NOISE.read_text(encoding="utf-8")))
