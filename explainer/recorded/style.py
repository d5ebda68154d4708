"""What the style page opens with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from explainer.recorded import FOLDER

if TYPE_CHECKING:
    from explainer.stages.style_book import Page
    from explainer.stages.style_grid import StyleGrid
    from explainer.stages.style_ways import StyleWay
    from explainer.stages.style_words import WordShares
    from explainer.stages.swap import Swap

STYLES = FOLDER / "style.json"
BOOKS = FOLDER / "style_books.json"


class Measured(NamedTuple):
    """One measure of drawings and of generated pictures in every style.

    Attributes:
        between: Share of the drawings' variance that lies between styles, 0 to 1.
        drawings: Style -> lower quartile, median and upper quartile of its training drawings.
        generated: Style -> what was measured on each generated picture.
    """

    between: float
    drawings: dict[str, list[float]]
    generated: dict[str, list[float]]


def grid() -> StyleGrid | None:
    """Return the running example in every style; None if not recorded."""
    from explainer.stages.style_grid import StyleGrid

    found = _content(STYLES)
    return StyleGrid.of_plain(found["grid"]) if found else None


def measures() -> dict[str, Measured]:
    """Return what was measured, by the measure's name; empty where nothing was recorded."""
    found = _content(STYLES)
    return {name: Measured(**one) for name, one in found["measures"].items()} if found else {}


def words() -> WordShares | None:
    """Return what each word of the running example got of the attention; None if not recorded."""
    from explainer.stages.style_words import WordShares

    found = _content(STYLES)
    return WordShares.of_plain(found["words"]) if found else None


def books() -> dict[str, tuple[Page, ...]]:
    """Return the pages of the three books, by mode; empty where none was recorded."""
    from explainer.stages.style_book import Page

    found = _content(BOOKS)
    return (
        {mode: tuple(map(Page.of_plain, pages)) for mode, pages in found["books"].items()}
        if found
        else {}
    )


def times() -> dict[str, Swap]:
    """Return the style words given "early" and "late"; empty where nothing was recorded."""
    from explainer.stages.swap import Swap

    found = _content(BOOKS)
    return {name: Swap.of_plain(one) for name, one in found["times"].items()} if found else {}


def ways() -> dict[str, StyleWay]:
    """Return the "mix" of two styles and the "transfer" of one; empty where none was recorded."""
    from explainer.stages.style_ways import StyleWay

    found = _content(BOOKS)
    return {name: StyleWay.of_plain(one) for name, one in found["ways"].items()} if found else {}


@cache
def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    return dict(json.loads(path.read_text(encoding="utf-8")))
