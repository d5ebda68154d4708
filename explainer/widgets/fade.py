"""The fade: a picture sinks into static along the schedule that the model was trained with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer.stages import noise
from explainer.widgets import pixels
from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Fade(Widget, scripts=("cells", "curve", "upload", "dice", "fade")):
    """Slide a picture, drawn or the reader's own, from clean to static.

    Everything happens in the browser. A picture that the reader opens is cut to a square and scaled
    there; only its pixels reach Python, never the file or what else is in it.

    Args:
        pictures: uint8 arrays of shape (size, size, 3), all of one size, by their title.
        scheduler_config: Configuration of the scheduler whose schedule is followed.

    Attributes:
        level: Noise added, 0 (none) to the number of training timesteps: at level t the share of
            signal is `signal_left(scheduler_config)[t - 1]`. Numbers outside are moved to the
            nearer end.
        picture: The picture on show: uint8, shape (size, size, 3).

    Raises:
        ValueError: There is no picture, they differ in size, or the schedule has no formula.
    """

    level = t.Int(0, help="Noise added, from 0 to all of it.").tag(sync=True, echo_update=False)
    _pixels = pixels.Pixels("_size")
    _choices = t.Bytes(b"").tag(sync=True)
    _titles: t.List[str] = t.List().tag(sync=True)
    _size = t.Int(1).tag(sync=True)
    _signal: t.List[float] = t.List().tag(sync=True)

    def __init__(
        self, pictures: Mapping[str, NDArray[np.uint8]], scheduler_config: Mapping[str, Any]
    ) -> None:
        super().__init__()
        arrays = _checked(list(pictures.values()))
        with self.hold_sync():
            self._size = arrays[0].shape[0]
            self._titles = list(pictures)
            self._choices = b"".join(array.tobytes() for array in arrays)
            self._pixels = arrays[0].tobytes()
            self._signal = [1.0, *map(float, noise.signal_left(scheduler_config))]

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The picture on show: uint8, shape (size, size, 3)."""
        return pixels.square(self._pixels)

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        share = self._signal[self.level]
        return (
            f"a picture at noise level {self.level} of {len(self._signal) - 1}, signal {share:.1%}"
        )

    @t.validate("level")
    def _stay_inside(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 0), len(self._signal) - 1)


def _checked(arrays: Sequence[NDArray[np.uint8]]) -> Sequence[NDArray[np.uint8]]:
    if not arrays:
        raise ValueError("Fade needs at least one picture.")
    size = arrays[0].shape[0]
    for array in arrays:
        if array.shape != (size, size, 3) or array.dtype != np.uint8:
            raise ValueError(
                f"Pictures are squares of one size, uint8, shape ({size}, {size}, 3), "
                f"not {array.dtype} {array.shape}."
            )
    return arrays
