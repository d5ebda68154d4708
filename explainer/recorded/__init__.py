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
    import numpy as np
    from numpy.typing import NDArray

    from explainer.stages.guesses import Guesses
    from explainer.stages.inside import Look
    from explainer.stages.latent import RoundTrip
    from explainer.stages.originality import Neighbour
    from explainer.stages.originality_findings import Findings, Twin
    from explainer.stages.swap import Swap
    from explainer.stages.walk import Walk
    from explainer.trace import Trace

FOLDER = Path(__file__).parent
STILLS = FOLDER / "stills.json"
TEXT = FOLDER / "text.json"
GUESSES = FOLDER / "guesses.npz"
NOISE = FOLDER / "noise.json"
LEARNED = FOLDER / "learned.json"
SWAP = FOLDER / "swap.json"
INSIDE = FOLDER / "inside.npz"
LATENT = FOLDER / "latent.json"
ORIGINALITY = FOLDER / "originality.json"
TWIN = FOLDER / "originality_twin.json"
_JUDGED = ("who", "place", "style")
"""What is shown of it: a plot tells three curves apart."""
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


class Learned(NamedTuple):
    """The same prompts and seeds, drawn at kept checkpoints of a training.

    Attributes:
        prompts: What was drawn.
        steps: Steps of training at each checkpoint, rising.
        pictures: For each prompt, its picture at each checkpoint, as WebP.
    """

    prompts: tuple[str, ...]
    steps: tuple[int, ...]
    pictures: tuple[tuple[bytes, ...], ...]


class Accuracy(NamedTuple):
    """How often a classifier, trained apart from the model, saw in pictures what was asked for.

    Attributes:
        shares: By what was asked for, pairs of a knob's value and the share from 0 to 1.
        pictures: How many it saw at each value.
    """

    shares: dict[str, list[tuple[float, float]]]
    pictures: int


class TextFacts(NamedTuple):
    """What was measured once with the CLIP pair, because it takes longer than a page may.

    Attributes:
        sentences: How many captions were compared, no two of them the same tokens.
        fingerprints: How many different vectors they gave.
        nearest: The two of them that lie nearest to each other.
        nearest_cosine: The cosine of these two.
        pictures: How many held-out drawings were named.
        named_rightly: Share of them whose right name was the best of all names.
        threshold: The cosine that the right name of 95 in 100 of them reaches.
        abstained: Share of them left unnamed with the right name taken off the list.
    """

    sentences: int
    fingerprints: int
    nearest: tuple[str, str]
    nearest_cosine: float
    pictures: int
    named_rightly: float
    threshold: float
    abstained: float


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
    """Return the training pictures nearest to the running example by CLIP, the nearest first."""
    return list(originality().nearest["clip"])


def originality() -> Findings:
    """Return what was measured about copies.

    Raises:
        ValueError: It is missing.
    """
    from explainer.stages.originality_findings import Findings

    if not ORIGINALITY.is_file():
        raise ValueError(_MISSING)
    return Findings.load(ORIGINALITY)


def twin() -> Twin | None:
    """Return what came of the overfitted twin of the embedded weights; None if not recorded."""
    from explainer.stages.originality_findings import Twin

    found = Twin.load(TWIN) if TWIN.is_file() else None
    return found if found is not None and found.fingerprint == originality().fingerprint else None


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


def learned() -> Learned | None:
    """Return what was drawn at kept checkpoints; None where none were kept in training."""
    if not LEARNED.is_file():
        return None
    found = json.loads(LEARNED.read_text(encoding="utf-8"))
    return Learned(
        tuple(found["prompts"]),
        tuple(found["steps"]),
        tuple(tuple(map(base64.b64decode, pictures)) for pictures in found["pictures"]),
    )


def swap() -> Swap | None:
    """Return the running example with its prompt exchanged on the way; None if not recorded."""
    from explainer.stages.swap import Swap

    return Swap.load(SWAP) if SWAP.is_file() else None


def inside() -> Look | None:
    """Return what came out of the denoiser's parts in the running example; None if not recorded."""
    from explainer.stages.inside import Look

    return Look.load(INSIDE) if INSIDE.is_file() else None


def round_trips() -> dict[str, RoundTrip]:
    """Return pictures before and after the autoencoder, by title; empty where none were recorded.

    They are kept without loss: what is measured on them is what was measured when they were made.
    """
    from explainer.stages.latent import RoundTrip

    if not LATENT.is_file():
        return {}
    found = json.loads(LATENT.read_text(encoding="utf-8"))["trips"]
    return {
        title: RoundTrip(_pixels(trip["before"]), _pixels(trip["after"]))
        for title, trip in found.items()
    }


def walks() -> dict[str, Walk]:
    """Return what was walked through latents and noise, by kind; empty where none was recorded."""
    from explainer.stages.walk import Walk

    if not LATENT.is_file():
        return {}
    found = json.loads(LATENT.read_text(encoding="utf-8"))["walks"]
    return {kind: Walk.of_plain(plain) for kind, plain in found.items()}


def _pixels(text: str) -> NDArray[np.uint8]:
    import numpy as np

    from explainer.pictures import opened

    return np.asarray(opened(base64.b64decode(text)))


def losses() -> dict[str, list[tuple[int, float]]]:
    """Return the loss by training step of everything that was trained, by its name.

    Empty where the weights came without it.
    """
    from explainer.models import embedded_folder

    path = embedded_folder() / "training.json"
    stages = json.loads(path.read_text(encoding="utf-8")).get("stages", {})
    return {
        name: [(int(step), float(loss)) for step, loss in stage["losses"]]
        for name, stage in stages.items()
        if stage.get("losses")
    }


def accuracy(over: str) -> Accuracy | None:
    """Return how much of what was asked for pictures show; None where none were judged.

    Those of other weights tell nothing of the ones that are here.

    Args:
        over: the knob that was turned, ``guidance_scale`` or ``steps``.
    """
    from explainer.models import embedded_fingerprint, embedded_folder

    path = embedded_folder() / "evaluation.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if found.get("weights") != embedded_fingerprint():
        return None
    rows = [row for curve in found.get("curves", {}).values() for row in curve if over in row]
    if not rows:
        return None
    named = {
        name: [(float(row[over]), float(row[name]["share"])) for row in rows] for name in _JUDGED
    }
    return Accuracy(named, int(rows[0]["main"]["of"]))


def fingerprint() -> str:
    """Return the fingerprint of the weights that all this was recorded with."""
    return str(_stills()["fingerprint"])


def text_facts() -> TextFacts:
    """Return what was measured with the CLIP pair.

    Raises:
        ValueError: It is missing.
    """
    if not TEXT.is_file():
        raise ValueError(_MISSING)
    found = json.loads(TEXT.read_text(encoding="utf-8"))
    del found["fingerprint"]
    return TextFacts(**{**found, "nearest": tuple(found["nearest"])})


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
