"""Contact sheets: many pictures with their captions on one page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_GAP = 10
_PAPER = (250, 248, 243)
_INK = (58, 54, 50)


def contact_sheet(
    images: Sequence[Image.Image | np.ndarray],
    captions: Sequence[str] | None = None,
    columns: int = 6,
    width: int = 160,
) -> Image.Image:
    """Lay pictures out in rows, each with its caption below.

    Args:
        images: pictures or uint8 arrays of shape (height, width, 3); all square ones alike.
        captions: one a picture, wrapped to its width; None or "" leaves the space out.
        columns: pictures a row.
        width: width of each picture on the sheet, in pixels.

    Raises:
        ValueError: if there are no pictures, or captions of another number.
    """
    if not images:
        raise ValueError("a contact sheet needs at least one picture")
    texts = list(captions) if captions is not None else [""] * len(images)
    if len(texts) != len(images):
        raise ValueError(f"{len(images)} pictures, but {len(texts)} captions")
    points = max(9, width // 14)
    font, line = ImageFont.load_default(points), points * 1.25
    wrapped = [_wrapped(text, font, width) for text in texts]
    rows = [range(i, min(i + columns, len(images))) for i in range(0, len(images), columns)]
    heights = [width + _GAP + round(line * max(len(wrapped[i]) for i in row)) for row in rows]
    sheet = Image.new(
        "RGB",
        (_GAP + min(columns, len(images)) * (width + _GAP), _GAP + sum(heights) + _GAP * len(rows)),
        _PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    top = _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            left = _GAP + column * (width + _GAP)
            sheet.paste(_fitted(images[i], width), (left, top))
            for number, text in enumerate(wrapped[i]):
                draw.text((left, top + width + 4 + number * line), text, _INK, font)
        top += height + _GAP
    return sheet


def _fitted(image: Image.Image | np.ndarray, width: int) -> Image.Image:
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image.convert("RGB")
    if picture.size == (width, width):
        return picture
    return picture.resize((width, width), Image.Resampling.LANCZOS)


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
