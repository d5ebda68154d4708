"""A picture book: pages of one story, drawn one by one, and what holds them together."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from explainer.parameters import MAX_SEED, ParameterError
from explainer.pictures import opened, webp
from explainer.stages.style_grid import styled
from explainer.stages.words import attention_of, read_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.parameters import RunParameters
    from explainer.trace import Trace

MODES = {
    "phrase": "One style phrase on every page",
    "without": "No style words",
    "mixture": "Another style on every page",
}
MOST_PAGES = 24
"""Of one book: it takes minutes to draw them."""
FACE = 0.34
"""Of the picture's side: how much around the figure's head is cut out."""
_QUALITY = 85


class Box(NamedTuple):
    """A square cut-out of a picture, as shares of its sides from the upper left."""

    left: float
    top: float
    side: float


@dataclass(frozen=True, eq=False)
class Page:
    """A finished page.

    Attributes:
        text: Its line of the story.
        prompt: What was asked for.
        seed: Of its noise.
        picture: WebP bytes.
        face: Where the model looked for the figure most; None where that is not known.
    """

    text: str
    prompt: str
    seed: int
    picture: bytes
    face: Box | None

    def pixels(self) -> NDArray[np.uint8]:
        """Return the picture: uint8, shape (height, width, 3)."""
        return np.asarray(opened(self.picture))

    def cut_out(self) -> NDArray[np.uint8] | None:
        """Return what lies in the face's box: uint8, shape (side, side, 3); None without a box."""
        if self.face is None:
            return None
        picture = self.pixels()
        height, width = picture.shape[:2]
        top, left = round(self.face.top * height), round(self.face.left * width)
        side = round(self.face.side * min(height, width))
        return picture[top : top + side, left : left + side]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        text = base64.b64encode(self.picture).decode("ascii")
        face = None if self.face is None else [round(value, 4) for value in self.face]
        return {**vars(self), "picture": text, "face": face}

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Page:
        """Return what `plain` made JSON of."""
        face = None if plain["face"] is None else Box(*plain["face"])
        return cls(**plain | {"picture": base64.b64decode(plain["picture"]), "face": face})


def lines_of(story: str) -> tuple[str, ...]:
    """Returns the pages of a story that has a line for each.

    Raises:
        ParameterError: There is no line, or there are more than a book takes.
    """
    lines = tuple(line.strip() for line in story.splitlines() if line.strip())
    if not lines:
        raise ParameterError("prompt", "The story is empty. Write a line for each page.")
    if len(lines) > MOST_PAGES:
        raise ParameterError(
            "prompt",
            f"This story has {len(lines)} pages; at most {MOST_PAGES} are drawn in one go, for "
            "each takes its time. Take some lines out.",
        )
    return lines


def runs(
    lines: Sequence[str], mode: str, phrase: str, styles: Sequence[str], base: RunParameters
) -> list[RunParameters]:
    """Returns the run of every page, each with a seed of its own.

    Args:
        lines: What each page shows.
        mode: One of `MODES`.
        phrase: The style words for all pages.
        styles: The style words that a mixture takes in turn, one at least.
        base: Its first seed, steps and guidance serve for all.

    Raises:
        ParameterError: A page cannot be run, or the style phrase is missing.
        KeyError: There is no such mode.
    """
    if mode == "phrase" and not phrase.strip():
        raise ParameterError(
            "prompt", "The style phrase is empty. Write one, or choose the book without."
        )
    in_turn = cycle({"phrase": (phrase.strip(),), "without": ("",), "mixture": styles}[mode])
    return [
        replace(base, prompt=styled(line, style), seed=(base.seed + place) % (MAX_SEED + 1))
        for place, (line, style) in enumerate(zip(lines, in_turn, strict=False))
    ]


def page(text: str, trace: Trace, figure: str) -> Page:
    """Makes a page of a finished run.

    Args:
        text: Its line of the story.
        trace: The run; with attention its figure can be found.
        figure: The word for who is on the page.
    """
    picture = webp(trace.image(), _QUALITY)
    return Page(text, trace.prompt, trace.seed or 0, picture, face_of(trace, figure))


def face_of(trace: Trace, figure: str) -> Box | None:
    """Finds where a word was looked up most in the second half of a run.

    Of the maps' sizes it takes the one on which a place gives the word the largest share. For
    "girl" that is her head, in the embedded model's pictures.

    Returns:
        A square around that place, inside the picture; None where the run was recorded without
        attention or the prompt lacks the word.
    """
    wanted = figure.strip().casefold()
    places = [
        i for i, word in enumerate(read_words(trace.tokens)) if word.text.casefold() == wanted
    ]
    found = attention_of(trace)
    if not found or not places:
        return None
    later = [maps[len(maps) // 2 :, places].astype(np.float64) for maps in found.values()]
    seen = max(later, key=lambda maps: float(maps.max())).mean(axis=(0, 1))
    row, column = np.unravel_index(int(_smoothed(seen).argmax()), seen.shape)
    top, left = (
        min(max((at + 0.5) / count - FACE / 2, 0), 1 - FACE)
        for at, count in zip((row, column), seen.shape, strict=True)
    )
    return Box(float(left), float(top), FACE)


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of every place and its eight neighbours: one bright cell is no head."""
    around = np.pad(values, 1, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3))
    return np.asarray(windows.mean(axis=(2, 3)))


def faces_apart(pages: Sequence[Page]) -> float | None:
    """Returns how unlike the cut-out faces are: see `explainer.stages.style.Coherence.colours`.

    None where fewer than two pages have one.
    """
    from explainer.stages import style

    cut = [found for one in pages if (found := one.cut_out()) is not None]
    return style.coherence(cut).colours if len(cut) > 1 else None
