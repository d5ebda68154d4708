"""Bookbinding: pages of a picture book as one PDF, with what each was asked for."""

from __future__ import annotations

import io
import json
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PIL import Image

import explainer
from explainer.look import INK, PAPER, SOFT
from explainer.pictures import opened
from explainer.sharing import slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from explainer.stages.style_book import Page

__all__ = ["bind", "file_name"]

SIDE = 8.0
"""Of a page, in inches."""
PICTURE = (0.13, 0.2, 0.74, 0.74)
"""Left, bottom, width and height of the picture, as shares of the page."""
_ENLARGED = 4


def bind(title: str, pages: Sequence[Page], about: Mapping[str, str]) -> bytes:
    """Returns a book as PDF: a cover, the pages, and at the end what each was asked for.

    Prompts and seeds are printed below the pictures, and stand as JSON in the file's keywords too.

    Args:
        title: Of the book.
        pages: In order, one at least.
        about: What else to print at the end, by its name.

    Raises:
        ValueError: There is no page.
    """
    if not pages:
        raise ValueError("No page is drawn yet. Draw the book first.")
    from matplotlib import rc_context
    from matplotlib.backends.backend_pdf import PdfPages

    asked = [{"prompt": page.prompt, "seed": page.seed} for page in pages]
    facts = {
        "Title": title,
        "Subject": "A picture book made by a diffusion model, page by page",
        "Keywords": json.dumps(asked),
        "Creator": f"storybook-explainer {explainer.__version__}",
        "CreationDate": None,
    }
    file = io.BytesIO()
    # Letters that the font lacks are printed as boxes; that is no reason to lose the book.
    with (
        warnings.catch_warnings(action="ignore", category=UserWarning),
        rc_context({"pdf.fonttype": 42, "font.family": "DejaVu Serif"}),
        PdfPages(file, metadata=facts) as book,
    ):
        book.savefig(_cover(title, pages[0]))
        for number, page in enumerate(pages, start=1):
            book.savefig(_leaf(page, number))
        book.savefig(_colophon(pages, about))
    return file.getvalue()


def file_name(title: str) -> str:
    """Returns a name for the file of a book."""
    return f"{slug(title, 48, empty='book')}.pdf"


def _paper() -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(SIDE, SIDE), facecolor=PAPER)


def _cover(title: str, page: Page) -> Figure:
    sheet = _paper()
    _paste(sheet, page, (0.25, 0.34, 0.5, 0.5))
    _write(sheet, 0.2, title, size=26, width=28)
    _write(sheet, 0.07, "drawn page by page by a diffusion model", size=10, colour=SOFT)
    return sheet


def _leaf(page: Page, number: int) -> Figure:
    sheet = _paper()
    _paste(sheet, page, PICTURE)
    _write(sheet, 0.155, page.text, size=14, width=58)
    _write(sheet, 0.07, f"“{page.prompt}”, seed {page.seed}", size=7, width=120, colour=SOFT)
    _write(sheet, 0.025, str(number), size=9, colour=SOFT)
    return sheet


def _colophon(pages: Sequence[Page], about: Mapping[str, str]) -> Figure:
    sheet = _paper()
    lines = [f"{name}: {value}" for name, value in about.items()]
    lines += ["", "Each page was drawn on its own, from its own seed:"]
    lines += [f"{i}. seed {page.seed}" for i, page in enumerate(pages, start=1)]
    _write(sheet, 0.9, "How it was made", size=16)
    text = "\n".join(textwrap.fill(line, 84) for line in lines)
    sheet.text(0.13, 0.82, text, fontsize=9, color=INK, va="top", linespacing=1.6, parse_math=False)
    return sheet


def _paste(sheet: Figure, page: Page, place: tuple[float, float, float, float]) -> None:
    image = opened(page.picture)
    size = (_ENLARGED * image.width, _ENLARGED * image.height)
    axes = sheet.add_axes(place)
    axes.imshow(image.resize(size, Image.Resampling.BICUBIC), interpolation="none")
    axes.set_axis_off()


def _write(
    sheet: Figure, top: float, text: str, *, size: float, width: int = 90, colour: str = INK
) -> None:
    """Centred lines; a reader's dollar signs are no formulas."""
    lines = "\n".join(textwrap.wrap(text, width)[:4])
    sheet.text(
        0.5, top, lines, fontsize=size, color=colour, ha="center", va="top", parse_math=False
    )
