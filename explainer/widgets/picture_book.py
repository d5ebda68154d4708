"""The picture book: pages of one story made one by one, and how much they look like one book."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import traitlets as t
from PIL import Image

from explainer import bookbinding
from explainer.parameters import MAX_PROMPT, ParameterError, RunParameters, read_seed
from explainer.stages import style, style_book
from explainer.widgets.base import pack_frames
from explainer.widgets.series import Series

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from explainer.runs import RunController
    from explainer.stages.style_book import Page
    from explainer.trace import Trace

    Eyes = Callable[[Sequence[Image.Image]], ArrayLike]


class PictureBook(Series, scripts=("asking", "series", "saving", "style_parts", "picture_book")):
    """Draw the pages of a story, each on its own, and measure how much they belong together.

    Three books can be made of one story: with one style phrase, without any, and with another on
    every page. Pages appear as they are done. A book is saved as PDF, with prompts and seeds.

    Args:
        base: Its seed is the first page's; its steps and guidance serve for all.
        styles: The style words that the mixed book takes in turn; the first is the phrase.
        title: Of the book.
        lines: The story, a line a page.
        figure: The word for who is on every page.
        books: Pages that were drawn before, by `explainer.stages.style_book.MODES`.
        controller: Draws others; None for a page that only shows.
        eyes: Turns pictures into CLIP vectors of length 1; None measures colours alone.

    Attributes:
        mode: Which of the books is on show.
        faces: Whether only what is around the figure's head is shown.
        shown: Whether what was measured is shown, or waits for a guess.
        books: All pages so far, by mode.
    """

    mode = t.Enum(list(style_book.MODES), "phrase", help="The book on show.").tag(
        sync=True, echo_update=False
    )
    faces = t.Bool(False, help="Whether only the heads are shown.").tag(
        sync=True, echo_update=False
    )
    shown = t.Bool(True, help="Whether the measures are shown.").tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _form = t.Dict().tag(sync=True, echo_update=False)

    def __init__(
        self,
        base: RunParameters,
        styles: Sequence[str],
        title: str,
        lines: Sequence[str],
        figure: str,
        books: Mapping[str, Sequence[Page]] | None = None,
        *,
        controller: RunController | None = None,
        eyes: Eyes | None = None,
    ) -> None:
        super().__init__()
        self._base, self._styles, self._eyes = base, tuple(styles), eyes
        self._lines, self._figure = tuple(lines), figure
        self._drawing: tuple[str, dict[str, str]] = ("phrase", {})
        self._form = {
            "title": title,
            "story": "\n".join(lines),
            "phrase": self._styles[0],
            "figure": figure,
            "seed": str(base.seed),
            "longest": MAX_PROMPT * style_book.MOST_PAGES,
        }
        self.books: dict[str, tuple[Page, ...]] = {
            mode: tuple(pages) for mode, pages in (books or {}).items()
        }
        self._measured: dict[str, dict[str, Any]] = {}
        for mode in self.books:
            self._measure(mode)
        self._tell()
        self._serve(controller)

    def draw(
        self, mode: str, story: str, *, phrase: str, figure: str, seed: int, title: str = ""
    ) -> None:
        """Have the pages of a story drawn.

        Args:
            mode: Which book, of `explainer.stages.style_book.MODES`.
            story: A line a page.
            phrase: The style words of all pages.
            figure: The word for who is on every page.
            seed: Of the first page; each page has the next one.
            title: Of the book; as before if not given.

        Raises:
            ParameterError: There are no pages, too many, or one cannot be run.
            RuntimeError: There is no controller.
        """
        lines = style_book.lines_of(story)
        base = replace(self._base, prompt=lines[0], seed=seed)
        runs = style_book.runs(lines, mode, phrase, self._styles, base)
        titles = [f"page {number}" for number in range(1, len(lines) + 1)]
        self.cancel()  # so that no former page comes in between
        with self._lock:
            changed = (lines, figure, seed) != (self._lines, self._figure, self._base.seed)
            self._lines, self._figure, self._base = lines, figure, base
            kept = {} if changed else self.books
            self.books = {**kept, mode: ()}
            self._measured = {one: found for one, found in self._measured.items() if one in kept}
            self._measured.pop(mode, None)
            self._drawing = mode, dict(zip(titles, lines, strict=True))
            self._form = {
                **self._form,
                "story": story,
                "phrase": phrase,
                "figure": figure,
                "seed": str(seed),
                "title": title or self._form["title"],
            }
            self.mode = mode
            self._tell()
        self._draw_all(dict(zip(titles, runs, strict=True)))

    @property
    def coherence(self) -> dict[str, dict[str, Any]]:
        """What was measured, by mode: see `explainer.stages.style.Coherence`, and "faces" beside.

        A book of fewer than two pages has no measures.
        """
        return self._measured

    def pdf(self) -> bytes:
        """Return the book on show as PDF, with prompts and seeds.

        Raises:
            ValueError: None of its pages is drawn yet.
        """
        found = self._measured.get(self.mode, {})
        about = {
            "Book": style_book.MODES[self.mode],
            "Steps": f"{self._base.steps} a page, guidance {self._base.guidance_scale:g}",
        }
        if found.get("clip") is not None:
            about["Alike by CLIP"] = f"{found['clip']:.3f}, the mean cosine of all pairs of pages"
        if "colours" in found:
            about["Colours apart"] = f"{found['colours']:.1f}, the mean over all pairs of pages"
        return bookbinding.bind(str(self._form["title"]), self.books.get(self.mode, ()), about)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        pages = len(self.books.get(self.mode, ()))
        found = self._measured.get(self.mode, {})
        alike = f", colours {found['colours']:.1f} apart" if "colours" in found else ""
        return f"{self._form['title']}, {style_book.MODES[self.mode].lower()}: {pages} pages{alike}"

    def _arrived(self, title: str, trace: Trace) -> None:
        mode, lines = self._drawing
        page = style_book.page(lines[title], trace, self._figure)
        self.books = {**self.books, mode: (*self.books[mode], page)}
        self._measure(mode)
        self._tell()

    def _measure(self, mode: str) -> None:
        """Measure how alike the pages of a book are; one page alone has nothing to be like."""
        pages = self.books[mode]
        if len(pages) < 2:
            self._measured.pop(mode, None)
            return
        pictures = [page.pixels() for page in pages]
        seen = None if self._eyes is None else self._eyes([*map(Image.fromarray, pictures)])
        found = style.coherence(pictures, seen)
        self._measured[mode] = {**asdict(found), "faces": style_book.faces_apart(pages)}

    def _tell(self) -> None:
        frames = {mode: [page.picture for page in pages] for mode, pages in self.books.items()}
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames(frames)
            self._facts = {
                "modes": style_book.MODES,
                "books": {
                    mode: [
                        {
                            "text": page.text,
                            "prompt": page.prompt,
                            "seed": str(page.seed),
                            "face": None if page.face is None else list(page.face),
                        }
                        for page in pages
                    ]
                    for mode, pages in self.books.items()
                },
                "measured": self._measured,
                "figure": self._figure,
            }

    def _asked(self, content: dict[str, Any]) -> None:
        if content.get("type") == "save":
            self._save()
            return
        seed = read_seed(str(content.get("seed", "")))
        mode = str(content.get("mode", ""))
        if mode not in style_book.MODES:
            raise ParameterError("mode", "There is no such book. Choose one of the three.")
        told = {name: str(content.get(name, "")) for name in ("phrase", "figure", "title")}
        self.draw(mode, str(content.get("story", "")), seed=seed, **told)

    def _save(self) -> None:
        try:
            data = self.pdf()
        except ValueError as error:
            self.send({"type": "unsaved", "text": str(error)})
            return
        name = bookbinding.file_name(str(self._form["title"]))
        self.send({"type": "file", "name": name, "mime": "application/pdf"}, [data])
