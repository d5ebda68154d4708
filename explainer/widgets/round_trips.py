"""Round trips: pictures through encoder and decoder, before and after under one wipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.stages import latent
from explainer.widgets import pixels
from explainer.widgets.asking import Asking
from explainer.widgets.base import pack_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.runs import RunController, Task

OWN = "your own"


class RoundTrips(Asking, scripts=("cells", "upload", "asking", "round_trips")):
    """Wipe between a picture and what the autoencoder makes of it, with error map and measures.

    Args:
        pictures: What can be sent through: uint8 of shape (size, size, 3), all of one size, by
            title.
        trips: What was sent through before, by title.
        controller: Sends others through; None for a page that only shows.

    Attributes:
        chosen: The title of the picture on show.
        shown: Whether the measures are shown, or wait for a guess.
        trips: All round trips so far, by title.

    Raises:
        ValueError: There is no picture, or they are no squares of one size.
    """

    chosen = t.Unicode(help="The picture on show.").tag(sync=True, echo_update=False)
    shown = t.Bool(True, help="Whether the measures are shown.").tag(sync=True)
    _pixels = pixels.Pixels("_size")
    _facts = t.Dict().tag(sync=True)

    def __init__(
        self,
        pictures: Mapping[str, NDArray[np.uint8]],
        trips: Mapping[str, latent.RoundTrip] | None = None,
        *,
        controller: RunController | None = None,
    ) -> None:
        self._pictures = dict(pictures)
        shapes = {picture.shape for picture in self._pictures.values()}
        if len(shapes) != 1 or (shape := shapes.pop())[0] != shape[1] or shape[2:] != (3,):
            raise ValueError("Give at least one picture, all squares of one size with 3 colours.")
        super().__init__()
        self._size = int(shape[0])
        self.trips = {name: trip for name, trip in (trips or {}).items() if name in pictures}
        self.chosen = next(iter(self._pictures))
        self._tell()
        self._serve(controller)

    def ask(self, title: str) -> Task:
        """Send a picture through encoder and decoder, and show what comes out.

        Raises:
            RuntimeError: There is no controller.
            KeyError: There is no picture of this title.
        """
        picture = self._pictures[title]

        def work(pipe: Any, task: Task) -> tuple[str, latent.RoundTrip]:
            trip = latent.round_trip(pipe, picture)
            task.update(step=1)
            return title, trip

        return self._begin(work, 1)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        trip = self.trips.get(self.chosen)
        if trip is None:
            return f"{self.chosen}, not sent through the autoencoder yet"
        measured = f"PSNR {trip.psnr:.1f} dB, SSIM {trip.ssim:.3f}"
        return f"{self.chosen}, before and after the autoencoder: {measured}"

    def _tell(self) -> None:
        rows, frames = [], {}
        for place, (title, picture) in enumerate(self._pictures.items()):
            trip = self.trips.get(title)
            row: dict[str, Any] = {"title": title, "done": trip is not None}
            frames[f"before-{place}"] = [pixels.lossless(picture)]
            if trip is not None:
                error, most = pixels.heat(trip.errors)
                frames |= {
                    f"after-{place}": [pixels.lossless(trip.after)],
                    f"error-{place}": [error],
                }
                # JSON knows no infinity, which equal pictures have.
                psnr = trip.psnr if np.isfinite(trip.psnr) else None
                row |= {"psnr": psnr, "ssim": trip.ssim, "most": most}
            rows.append(row)
        with self.hold_sync():
            self._frames, self._frame_index = pack_frames(frames)
            self._facts = {"size": self._size, "rows": rows}

    @t.observe("_pixels")
    def _take(self, _change: Any) -> None:
        self._pictures[OWN] = pixels.square(self._pixels)
        self.trips = {name: trip for name, trip in self.trips.items() if name != OWN}
        self._tell()
        self.chosen = OWN

    def _asked(self, content: dict[str, Any]) -> None:
        title = str(content.get("title", ""))
        if title not in self._pictures:
            raise ValueError("There is no such picture any more. Choose one.")
        self.ask(title)

    def _answer(self, result: Any) -> None:
        title, trip = result
        # A newer picture of the reader's own may have come meanwhile.
        if np.array_equal(self._pictures[title], trip.before):
            self.trips = {**self.trips, title: trip}
            self._tell()
