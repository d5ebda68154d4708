"""The eight styles: each does the same strokes in its own way."""

from __future__ import annotations

from storybook.dice import Dice
from storybook.illustrator.medium import Medium
from storybook.illustrator.styles.crayon import Crayon
from storybook.illustrator.styles.cutout import PaperCutOut
from storybook.illustrator.styles.flat import FlatVector
from storybook.illustrator.styles.ink import InkComic
from storybook.illustrator.styles.oil import OilPainting
from storybook.illustrator.styles.pencil import PencilSketch
from storybook.illustrator.styles.pixel import PixelArt
from storybook.illustrator.styles.watercolour import Watercolour

__all__ = ["MEDIA", "medium_for"]

MEDIA: dict[str, type[Medium]] = {
    "watercolour": Watercolour,
    "pencil sketch": PencilSketch,
    "flat vector": FlatVector,
    "oil painting": OilPainting,
    "pixel art": PixelArt,
    "paper cut-out": PaperCutOut,
    "crayon": Crayon,
    "ink comic": InkComic,
}


def medium_for(style: str, size: int, dice: Dice) -> Medium:
    """Return an empty page in one of the world's styles.

    Args:
        style: one of :data:`storybook.world.STYLES`.
        size: width and height of the page in pixels.
        dice: the chances of the medium's own marks.

    Raises:
        ValueError: if nobody here draws in that style.
    """
    if style not in MEDIA:
        raise ValueError(f"no style is called {style!r}; choose one of: {', '.join(MEDIA)}")
    return MEDIA[style](size, dice)
