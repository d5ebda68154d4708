"""What a reader sees and touches: one idea a module, all widgets on one base."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explainer.widgets.again import Again as Again
    from explainer.widgets.base import Widget as Widget
    from explainer.widgets.brush import Brush as Brush
    from explainer.widgets.channels import Channels as Channels
    from explainer.widgets.cloud import Cloud as Cloud
    from explainer.widgets.combinations import Combinations as Combinations
    from explainer.widgets.compression import Compression as Compression
    from explainer.widgets.denoiser import Denoiser as Denoiser
    from explainer.widgets.fade import Fade as Fade
    from explainer.widgets.fingerprint import Fingerprint as Fingerprint
    from explainer.widgets.gallery import Gallery as Gallery
    from explainer.widgets.latent_grid import LatentGrid as LatentGrid
    from explainer.widgets.learning import Learning as Learning
    from explainer.widgets.model_picker import ModelPicker as ModelPicker
    from explainer.widgets.nearest import Nearest as Nearest
    from explainer.widgets.nearness import Nearness as Nearness
    from explainer.widgets.panels import Anatomy as Anatomy
    from explainer.widgets.panels import Guesses as Guesses
    from explainer.widgets.phrases import Phrases as Phrases
    from explainer.widgets.picture_book import PictureBook as PictureBook
    from explainer.widgets.picture_names import PictureNames as PictureNames
    from explainer.widgets.player import Player as Player
    from explainer.widgets.plot import Plot as Plot
    from explainer.widgets.question import Question as Question
    from explainer.widgets.round_trips import RoundTrips as RoundTrips
    from explainer.widgets.sentence import Sentence as Sentence
    from explainer.widgets.sketch import Sketch as Sketch
    from explainer.widgets.studio import Studio as Studio
    from explainer.widgets.style_measures import StyleMeasures as StyleMeasures
    from explainer.widgets.style_times import StyleTimes as StyleTimes
    from explainer.widgets.style_ways import StyleWays as StyleWays
    from explainer.widgets.style_words import StyleWords as StyleWords
    from explainer.widgets.styles import Styles as Styles
    from explainer.widgets.swap import Swap as Swap
    from explainer.widgets.sweep import Sweep as Sweep
    from explainer.widgets.token_layers import TokenLayers as TokenLayers
    from explainer.widgets.token_row import TokenRow as TokenRow
    from explainer.widgets.trace_file import TraceFile as TraceFile
    from explainer.widgets.twins import Twins as Twins
    from explainer.widgets.two_runs import TwoRuns as TwoRuns
    from explainer.widgets.two_sentences import TwoSentences as TwoSentences
    from explainer.widgets.view_menu import ViewMenu as ViewMenu
    from explainer.widgets.view_menu import Views as Views
    from explainer.widgets.walks import Walks as Walks
    from explainer.widgets.word_maps import WordMaps as WordMaps

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

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"explainer.widgets has no {name!r}; it offers {', '.join(sorted(_HOMES))}"
        )
    return getattr(import_module(f"explainer.widgets.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
