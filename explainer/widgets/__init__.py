"""What a reader sees and touches: one widget a module, on one base."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explainer.widgets.base import Widget
    from explainer.widgets.brush import Brush
    from explainer.widgets.channels import Channels
    from explainer.widgets.cloud import Cloud
    from explainer.widgets.compression import Compression
    from explainer.widgets.denoiser import Denoiser
    from explainer.widgets.fade import Fade
    from explainer.widgets.fingerprint import Fingerprint
    from explainer.widgets.gallery import Gallery
    from explainer.widgets.latent_grid import LatentGrid
    from explainer.widgets.learning import Learning
    from explainer.widgets.panels import Anatomy, Guesses
    from explainer.widgets.phrases import Phrases
    from explainer.widgets.picture_names import PictureNames
    from explainer.widgets.player import Player
    from explainer.widgets.plot import Plot
    from explainer.widgets.question import Question
    from explainer.widgets.round_trips import RoundTrips
    from explainer.widgets.sentence import Sentence
    from explainer.widgets.sketch import Sketch
    from explainer.widgets.studio import Studio
    from explainer.widgets.swap import Swap
    from explainer.widgets.sweep import Sweep
    from explainer.widgets.token_layers import TokenLayers
    from explainer.widgets.token_row import TokenRow
    from explainer.widgets.two_runs import TwoRuns
    from explainer.widgets.two_sentences import TwoSentences
    from explainer.widgets.walks import Walks
    from explainer.widgets.word_maps import WordMaps

_HOMES = {
    "Anatomy": "panels",
    "Brush": "brush",
    "Channels": "channels",
    "Cloud": "cloud",
    "Compression": "compression",
    "Denoiser": "denoiser",
    "Fade": "fade",
    "Fingerprint": "fingerprint",
    "Gallery": "gallery",
    "Guesses": "panels",
    "LatentGrid": "latent_grid",
    "Learning": "learning",
    "Phrases": "phrases",
    "PictureNames": "picture_names",
    "Player": "player",
    "Plot": "plot",
    "Question": "question",
    "RoundTrips": "round_trips",
    "Sentence": "sentence",
    "Sketch": "sketch",
    "Studio": "studio",
    "Swap": "swap",
    "Sweep": "sweep",
    "TokenLayers": "token_layers",
    "TokenRow": "token_row",
    "TwoRuns": "two_runs",
    "TwoSentences": "two_sentences",
    "Walks": "walks",
    "Widget": "base",
    "WordMaps": "word_maps",
}

__all__ = [
    "Anatomy",
    "Brush",
    "Channels",
    "Cloud",
    "Compression",
    "Denoiser",
    "Fade",
    "Fingerprint",
    "Gallery",
    "Guesses",
    "LatentGrid",
    "Learning",
    "Phrases",
    "PictureNames",
    "Player",
    "Plot",
    "Question",
    "RoundTrips",
    "Sentence",
    "Sketch",
    "Studio",
    "Swap",
    "Sweep",
    "TokenLayers",
    "TokenRow",
    "TwoRuns",
    "TwoSentences",
    "Walks",
    "Widget",
    "WordMaps",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"explainer.widgets has no {name!r}; it offers {', '.join(sorted(_HOMES))}"
        )
    return getattr(import_module(f"explainer.widgets.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
