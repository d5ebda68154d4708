"""The gallery: pictures side by side, each with its caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.widgets.base import Widget, pack_frames
from explainer.widgets.pixels import webp

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    Picture = bytes | np.ndarray | Image.Image


class Gallery(Widget, scripts=("gallery",)):
    """Show pictures side by side.

    Args:
        pictures: WebP bytes, PIL images, or uint8 arrays of shape (height, width, 3).
        titles: A line below each picture, which is its text alternative too.
        details: A second, smaller line below each picture; none by default.

    Raises:
        ValueError: There are not as many titles or details as pictures.
    """

    _captions: t.List[Any] = t.List().tag(sync=True)

    def __init__(
        self, pictures: Sequence[Picture], titles: Sequence[str], details: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.show(pictures, titles, details)

    def show(
        self, pictures: Sequence[Picture], titles: Sequence[str], details: Sequence[str] = ()
    ) -> None:
        """Replace what is shown; the arguments are the class's."""
        details = list(details) or [""] * len(pictures)
        if not len(pictures) == len(titles) == len(details):
            raise ValueError(
                f"{len(pictures)} pictures need as many titles and details, "
                f"not {len(titles)} and {len(details)}"
            )
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames(
                {"pictures": [one if isinstance(one, bytes) else webp(one) for one in pictures]}
            )
            self._captions = [list(pair) for pair in zip(titles, details, strict=True)]

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        return f"{len(self._captions)} pictures: " + ", ".join(title for title, _ in self._captions)
