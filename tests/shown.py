"""What a widget shows, read back from what it sends."""

import io

import numpy as np
from PIL import Image


def frame(widget, name, place=0):
    """(height, width, 3) uint8: the pixels of one of the frames that go by a name."""
    start, end = widget._frame_index[name][place : place + 2]
    return np.asarray(Image.open(io.BytesIO(widget._frames[start:end])).convert("RGB"))
