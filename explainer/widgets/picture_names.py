"""Picture names: which phrase fits which picture, and when none does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t
from PIL import Image

from explainer.stages.text import probabilities
from explainer.widgets import pixels
from explainer.widgets.base import Widget, pack_frames
from explainer.widgets.phrases import read_phrases

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.stages.clip import ImageEncoder, TextEncoder


class PictureNames(Widget, scripts=("form", "upload", "picture_names")):
    """Let a CLIP pair name pictures with phrases that the reader may change (zero-shot).

    A picture whose best phrase fits worse than `threshold` is not named. A picture of the reader's
    own is cut and scaled in the browser; only its pixels reach Python, and nothing of it is kept
    when the page is closed.

    Args:
        text_encoder: Turns phrases into vectors of length 1.
        image_encoder: Turns pictures into vectors of length 1 in the same space.
        pictures: uint8 arrays of shape (height, width, 3) by their title.
        phrases: The names to choose from at first.
        logit_scale: What cosines are multiplied by before the softmax.
        threshold: The least cosine that a name needs.

    Attributes:
        text: The phrases, one a line.
        own: The reader's picture: RGB bytes of as many pixels as the image encoder reads; empty
            for none.
    """

    text = t.Unicode("", help="The phrases, one a line.").tag(sync=True, echo_update=False)
    own = pixels.Pixels("_size")
    _phrases = t.List(t.Unicode()).tag(sync=True)
    _titles = t.List(t.Unicode()).tag(sync=True)
    _cosines: t.List[Any] = t.List().tag(sync=True)
    _shares: t.List[Any] = t.List().tag(sync=True)
    _threshold = t.Float(-1.0).tag(sync=True)
    _size = t.Int(1).tag(sync=True)

    def __init__(
        self,
        text_encoder: TextEncoder,
        image_encoder: ImageEncoder,
        pictures: Mapping[str, NDArray[np.uint8]],
        phrases: Sequence[str],
        *,
        logit_scale: float,
        threshold: float,
    ) -> None:
        super().__init__()
        self._texts, self._images = text_encoder, image_encoder
        self._logit_scale = logit_scale
        self._shown = {title: Image.fromarray(one) for title, one in pictures.items()}
        self._vectors = list(image_encoder.embed(list(self._shown.values())))
        self._given = len(self._vectors)
        self._threshold, self._size = threshold, image_encoder.size
        self._show_pictures()
        self.text = "\n".join(phrases)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        answers = map(self._answer, self._cosines)
        named = [f"{title}: {name}" for title, name in zip(self._titles, answers, strict=True)]
        return f"{len(named)} pictures and their names: {'; '.join(named)}"

    def _answer(self, cosines: list[float]) -> str:
        best = int(np.argmax(cosines))
        return self._phrases[best] if cosines[best] >= self._threshold else "nothing I know"

    @t.observe("own")
    def _take_own(self, change: dict[str, Any]) -> None:
        self._shown = dict(list(self._shown.items())[: self._given])
        del self._vectors[self._given :]
        if change["new"]:
            self._shown["yours"] = Image.fromarray(pixels.square(change["new"]))
            self._vectors.extend(self._images.embed([self._shown["yours"]]))
        with self.hold_sync():
            self._show_pictures()
            self._compare({})

    @t.observe("text")
    def _compare(self, _change: dict[str, Any]) -> None:
        try:
            phrases = read_phrases(self.text)
        except ValueError as error:
            self.notify(str(error), error=True)
            return
        self.notify("")
        cosines = np.stack(self._vectors) @ self._texts.embed(phrases).T
        with self.hold_sync():
            self._phrases = phrases
            self._cosines = cosines.round(4).tolist()
            self._shares = probabilities(cosines, self._logit_scale).round(4).tolist()

    def _show_pictures(self) -> None:
        self._titles = list(self._shown)
        packed = pack_frames({"pictures": [pixels.webp(one) for one in self._shown.values()]})
        self._frames, self._frame_index = packed
