"""What the style page opens with: one scene in all styles, measures, a book, ways between styles.

Part of `make assets`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import explainer
from explainer import models
from explainer.recorded import style as recorded
from explainer.stages import style, style_book, style_grid, style_ways, style_words, swap
from storybook import dataset, world

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from explainer.parameters import RunParameters
    from explainer.trace import Trace

STILL = Path(__file__).resolve().parent.parent / "notebooks" / "images" / "style.jpg"
STORY = (
    "a little girl with red hair and a blue dress walks through an enchanted forest",
    "a little girl with red hair and a blue dress jumps in a village",
    "a little girl with red hair and a blue dress sits in a meadow at sunset",
    "a little girl with red hair and a blue dress reads a book on the beach",
    "a little girl with red hair and a blue dress walks in the mountains in the snow",
    "a little girl with red hair and a blue dress waves at a castle at night",
)
"""A line a page."""
FIGURE = "girl"
"""The word for who is on every page."""
MIXED_WITH = "pencil sketch"
TARGET = "a fox in a green coat sits on a farm"
"""What the style is carried over to, which it was taken from the running example for."""
DRAWINGS = 40
"""Of each style, to be measured."""
ENLARGED, GAP = 2, 4


def styles(first: str) -> tuple[str, ...]:
    """Return the words for every style; the running example's own come first."""
    return (first, *(one for one in world.STYLES if one != "watercolour"))


def drawn_in_every_style(
    pipe: DiffusionPipeline, base: RunParameters, words: tuple[str, ...]
) -> style_grid.StyleGrid:
    """Draw the sentence without style words, in every style, and from another seed."""
    runs = style_grid.runs(base, words)
    return style_grid.grid({title: _record(pipe, one, "x0") for title, one in runs.items()})


def story(
    pipe: DiffusionPipeline, base: RunParameters, words: tuple[str, ...]
) -> dict[str, list[style_book.Page]]:
    """Draw every page in every style, and without any ("")."""
    return {
        phrase: [
            style_book.page(line, _record(pipe, run, attention=True), FIGURE)
            for line, run in zip(STORY, _runs(phrase, base), strict=True)
        ]
        for phrase in ("", *words)
    }


def _runs(phrase: str, base: RunParameters) -> list[RunParameters]:
    mode = "phrase" if phrase else "without"
    return style_book.runs(STORY, mode, phrase, (), base)


def books(
    pages: dict[str, list[style_book.Page]], words: tuple[str, ...]
) -> dict[str, list[style_book.Page]]:
    """Bind the three books: one phrase, no phrase, another phrase on every page."""
    return {
        "phrase": pages[words[0]],
        "without": pages[""],
        "mixture": [pages[words[place % len(words)]][place] for place in range(len(STORY))],
    }


def measures(
    pages: dict[str, list[style_book.Page]], words: tuple[str, ...], size: int
) -> dict[str, Any]:
    """Measure drawings and generated pictures of every style."""
    drawn = dict(zip(words, _drawings(size), strict=True))
    values: dict[str, dict[str, list[float]]] = {
        one.name: {title: [one.of(picture) for picture in drawn[title]] for title in words}
        for one in style.MEASURES
    }
    return {
        one.name: {
            "between": round(style.between(list(values[one.name].values())), 4),
            "drawings": {
                title: [round(float(cut), 2) for cut in np.quantile(found, (0.25, 0.5, 0.75))]
                for title, found in values[one.name].items()
            },
            "generated": {
                title: [round(one.of(page.pixels()), 2) for page in pages[title]] for title in words
            },
        }
        for one in style.MEASURES
    }


def _drawings(size: int) -> list[list[np.ndarray[Any, np.dtype[np.uint8]]]]:
    """Training pictures of every style, in the order of `styles`."""
    found: defaultdict[str, list[np.ndarray[Any, np.dtype[np.uint8]]]] = defaultdict(list)
    number = 0
    while any(len(found[one]) < DRAWINGS for one in world.STYLES):
        own = world.scene(number).style
        if len(found[own]) < DRAWINGS:
            found[own].append(dataset.picture(number, size))
        number += 1
    return [found["watercolour"], *(found[one] for one in world.STYLES if one != "watercolour")]


def times(pipe: DiffusionPipeline, base: RunParameters, words: str) -> dict[str, swap.Swap]:
    """Give the style words only in the first steps, and only in the last."""
    judge = swap.clip_judge(models.embedded_folder())
    written = style_grid.styled(base.prompt, words)
    found = {
        "early": swap.swap(pipe, replace(base, prompt=written), base.prompt, judge=judge),
        "late": swap.swap(pipe, base, written, judge=judge),
    }
    return {name: one for name, one in found.items() if one is not None}


def ways(
    pipe: DiffusionPipeline, base: RunParameters, words: str
) -> dict[str, style_ways.StyleWay]:
    """Mix two styles, carry one over to another sentence, and see which rows carry it."""
    judge = swap.clip_judge(models.embedded_folder())
    target = replace(base, prompt=TARGET)
    found = {
        "mix": style_ways.mix(pipe, base, words, MIXED_WITH, judge=judge),
        "transfer": style_ways.transfer(pipe, target, base.prompt, words, judge=judge),
        "carriers": style_ways.carriers(pipe, base, words, judge=judge),
    }
    return {name: one for name, one in found.items() if one is not None}


def still(found: style_grid.StyleGrid) -> Image.Image:
    """Lay the finished pictures of all styles out in two rows."""
    titles = [one for one in found.prompts if one not in {style_grid.PLAIN, style_grid.ANOTHER}]
    pictures = [Image.fromarray(found.picture(title)) for title in titles]
    side, across = pictures[0].width, -(-len(pictures) // 2)
    sheet = Image.new("RGB", (across * (side + GAP) - GAP, 2 * (side + GAP) - GAP), "white")
    for place, picture in enumerate(pictures):
        row, column = divmod(place, across)
        sheet.paste(picture, (column * (side + GAP), row * (side + GAP)))
    size = (ENLARGED * sheet.width, ENLARGED * sheet.height)
    return sheet.resize(size, Image.Resampling.LANCZOS)


def _record(
    pipe: DiffusionPipeline,
    wanted: RunParameters,
    previews: Any = False,
    *,
    attention: bool = False,
) -> Trace:
    return explainer.record(pipe, **wanted.arguments(), previews=previews, attention=attention)


def write(pipe: DiffusionPipeline, base: RunParameters, phrase: str) -> None:
    """Write all of it where the page looks for it.

    Args:
        pipe: The embedded model.
        base: The run of the running example, without its style words.
        phrase: Its style words.
    """
    words = styles(phrase)
    fingerprint = models.fingerprint(pipe)
    shown = drawn_in_every_style(pipe, base, words)
    styled = replace(base, prompt=style_grid.styled(base.prompt, phrase))
    read = style_words.read(pipe, styled, phrase)
    assert read is not None  # noqa: S101 - it was not cancelled
    pages = story(pipe, base, words)
    size = shown.picture(phrase).shape[0]
    _write(
        recorded.STYLES,
        {
            "fingerprint": fingerprint,
            "grid": shown.plain(),
            "measures": measures(pages, words, size),
            "words": read.plain(),
        },
    )
    _write(
        recorded.BOOKS,
        {
            "fingerprint": fingerprint,
            "books": {
                mode: [page.plain() for page in book] for mode, book in books(pages, words).items()
            },
            "times": {name: one.plain() for name, one in times(pipe, base, phrase).items()},
            "ways": {name: one.plain() for name, one in ways(pipe, base, phrase).items()},
        },
    )
    STILL.parent.mkdir(parents=True, exist_ok=True)
    still(shown).save(STILL, quality=88)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
