"""What a reader sees and touches: one widget a module, on one base."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explainer.widgets.again import Again
    from explainer.widgets.base import Widget
    from explainer.widgets.brush import Brush
    from explainer.widgets.channels import Channels
    from explainer.widgets.cloud import Cloud
    from explainer.widgets.combinations import Combinations
    from explainer.widgets.compression import Compression
    from explainer.widgets.denoiser import Denoiser
    from explainer.widgets.fade import Fade
    from explainer.widgets.fingerprint import Fingerprint
    from explainer.widgets.gallery import Gallery
    from explainer.widgets.latent_grid import LatentGrid
    from explainer.widgets.learning import Learning
    from explainer.widgets.model_picker import ModelPicker
    from explainer.widgets.nearest import Nearest
    from explainer.widgets.nearness import Nearness
    from explainer.widgets.panels import Anatomy, Guesses
    from explainer.widgets.phrases import Phrases
    from explainer.widgets.picture_book import PictureBook
    from explainer.widgets.picture_names import PictureNames
    from explainer.widgets.player import Player
    from explainer.widgets.plot import Plot
    from explainer.widgets.question import Question
    from explainer.widgets.round_trips import RoundTrips
    from explainer.widgets.sentence import Sentence
    from explainer.widgets.sketch import Sketch
    from explainer.widgets.studio import Studio
    from explainer.widgets.style_measures import StyleMeasures
    from explainer.widgets.style_times import StyleTimes
    from explainer.widgets.style_ways import StyleWays
    from explainer.widgets.style_words import StyleWords
    from explainer.widgets.styles import Styles
    from explainer.widgets.swap import Swap
    from explainer.widgets.sweep import Sweep
    from explainer.widgets.token_layers import TokenLayers
    from explainer.widgets.token_row import TokenRow
    from explainer.widgets.trace_file import TraceFile
    from explainer.widgets.twins import Twins
    from explainer.widgets.two_runs import TwoRuns
    from explainer.widgets.two_sentences import TwoSentences
    from explainer.widgets.view_menu import ViewMenu, Views
    from explainer.widgets.walks import Walks
    from explainer.widgets.word_maps import WordMaps

_HOMES = {
    "Again": "again",
    "Anatomy": "panels",
    "Brush": "brush",
    "Channels": "channels",
    "Cloud": "cloud",
    "Combinations": "combinations",
    "Compression": "compression",
    "Denoiser": "denoiser",
    "Fade": "fade",
    "Fingerprint": "fingerprint",
    "Gallery": "gallery",
    "Guesses": "panels",
    "LatentGrid": "latent_grid",
    "Learning": "learning",
    "ModelPicker": "model_picker",
    "Nearest": "nearest",
    "Nearness": "nearness",
    "Phrases": "phrases",
    "PictureBook": "picture_book",
    "PictureNames": "picture_names",
    "Player": "player",
    "Plot": "plot",
    "Question": "question",
    "RoundTrips": "round_trips",
    "Sentence": "sentence",
    "Sketch": "sketch",
    "Studio": "studio",
    "StyleMeasures": "style_measures",
    "StyleTimes": "style_times",
    "StyleWays": "style_ways",
    "StyleWords": "style_words",
    "Styles": "styles",
    "Swap": "swap",
    "Sweep": "sweep",
    "TokenLayers": "token_layers",
    "TokenRow": "token_row",
    "TraceFile": "trace_file",
    "Twins": "twins",
    "TwoRuns": "two_runs",
    "TwoSentences": "two_sentences",
    "ViewMenu": "view_menu",
    "Views": "view_menu",
    "Walks": "walks",
    "Widget": "base",
    "WordMaps": "word_maps",
}

__all__ = [
    "Again",
    "Anatomy",
    "Brush",
    "Channels",
    "Cloud",
    "Combinations",
    "Compression",
    "Denoiser",
    "Fade",
    "Fingerprint",
    "Gallery",
    "Guesses",
    "LatentGrid",
    "Learning",
    "ModelPicker",
    "Nearest",
    "Nearness",
    "Phrases",
    "PictureBook",
    "PictureNames",
    "Player",
    "Plot",
    "Question",
    "RoundTrips",
    "Sentence",
    "Sketch",
    "Studio",
    "StyleMeasures",
    "StyleTimes",
    "StyleWays",
    "StyleWords",
    "Styles",
    "Swap",
    "Sweep",
    "TokenLayers",
    "TokenRow",
    "TraceFile",
    "Twins",
    "TwoRuns",
    "TwoSentences",
    "ViewMenu",
    "Views",
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
