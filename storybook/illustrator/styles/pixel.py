"""Pixel art: a few dozen large square pixels a side, in a few colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import skia

from storybook.dice import Dice
from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import Colour, darker, saturated

FINE = 4
"""Samples a side that vote on one pixel's colour."""
SKY_STEPS = 5
BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16

Bytes = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]


class PixelArt(Medium):
    """A page of an old computer game.

    It is drawn on a fine grid of its own (``canvas`` is several samples a pixel), so that
    ``pixels`` returns that grid and only ``finish`` returns the page.
    """

    def __init__(self, size: int, dice: Dice) -> None:
        # 43 and 64 cells make whole blocks of pages of 128, 256 and 512 pixels.
        self.block = max(1, round(size / dice.weighted((43, 64), (0.2, 0.8))))
        self.cells = -(-size // self.block)
        super().__init__(self.cells * FINE, dice)
        self.page_size = size
        self.colours = dice.integer(20, 30)

    def seen(self, colour: Colour) -> Colour:
        """Return the colour as the present light and a bright screen show it."""
        return saturated(super().seen(colour), 1.15)

    def shape(
        self, path: skia.Path, colour: Colour, *, outline: bool = True, alpha: float = 1.0
    ) -> None:
        """Fill a path; things that are large enough get a contour one pixel wide."""
        body = self.seen(colour)
        box = path.getBounds()
        if max(box.width(), box.height()) < 4.6 / self.cells:
            self._snap(path, box, body, alpha)
            return
        self.fill(path, body, alpha)
        extent = min(box.width(), box.height())
        if outline and alpha == 1 and extent > 3.2 / self.cells:
            self.line(path, darker(body, 0.45), 1.0 / self.cells)

    def _snap(self, path: skia.Path, box: skia.Rect, body: Colour, alpha: float) -> None:
        """Fill the whole pixels nearest to a small thing."""
        n = self.cells
        if max(box.width(), box.height()) * n < 0.45:
            return
        # Odd sizes have a middle pixel: what lies in the middle of a thing stays there, and no
        # eye squints.
        wide, high = (2 * round((extent * n - 1) / 2) + 1 for extent in (box.width(), box.height()))
        wide, high = max(wide, 1), max(high, 1)
        left, top = (
            int(middle * n) - extent // 2
            for middle, extent in ((box.centerX(), wide), (box.centerY(), high))
        )
        square = skia.Path()
        # A hair inside the pixels, so that no neighbour gets a share.
        square.addRect(skia.Rect(left, top, left + wide, top + high).makeInset(0.02, 0.02))
        if wide > 2 and high > 2:
            # A star is a cross; anything else only loses its corners, if it is large enough.
            x, ys = box.left() + 0.2 * box.width(), (0.2, 0.8)
            star = not any(path.contains(x, box.top() + y * box.height()) for y in ys)
            across, down = ((wide - 1) // 2, (high - 1) // 2) if star else (wide > 3, high > 3)
            square.reset()
            square.addRect(skia.Rect(left + across, top, left + wide - across, top + high))
            square.addRect(skia.Rect(left, top + down, left + wide, top + high - down))
        square.transform(skia.Matrix.Scale(1 / n, 1 / n))
        self.fill(square, body, alpha)

    def sky(self, top: Colour, bottom: Colour, horizon: float) -> None:
        """Fill the page with a few colours, dithered into each other."""
        n = self.cells
        rows = np.clip((np.arange(n) + 0.5) / n / max(horizon, 1e-3), 0, 1)[:, None]
        dither = np.tile(BAYER, (n // 4 + 1, n // 4 + 1))[:n, :n]
        step = np.floor(rows * SKY_STEPS * 0.999 + dither) / SKY_STEPS
        first, last = (np.array(self.seen(c)) * 255 for c in (top, bottom))
        rgba = np.full((n, n, 4), 255, np.uint8)
        rgba[..., :3] = np.round(first + (last - first) * step[..., None])
        image = skia.Image.fromarray(rgba, colorType=skia.kRGBA_8888_ColorType)
        self.canvas.drawImageRect(image, skia.Rect(0, 0, 1, 1))

    def stroke(self, path: skia.Path, colour: Colour, width: float) -> None:
        """Draw a line at least one pixel wide."""
        # What cannot be finer is fainter instead: spectacles must not hide the eyes.
        faint = min(max((width / 0.0078) ** 3, 0.35), 1.0)
        self.line(path, self.seen(colour), max(width, 1.05 / self.cells), alpha=faint)

    def finish(self) -> np.ndarray:
        """Return the page in square blocks of few colours, uint8, shape (size, size, 3)."""
        fine = self.pixels()
        cells = _vote(fine, self.cells)
        few = _few_colours(cells, self.colours)
        blocks = np.repeat(np.repeat(few, self.block, axis=0), self.block, axis=1)
        start = (len(blocks) - self.page_size) // 2
        stop = start + self.page_size
        return np.ascontiguousarray(blocks[start:stop, start:stop])


def _vote(fine: Bytes, cells: int) -> Bytes:
    """Return the colour that most of each cell's samples share.

    So no colour appears that nobody painted, as it would from averaging.
    """
    samples = fine.reshape(cells, FINE, cells, FINE, 3).swapaxes(1, 2).reshape(-1, FINE * FINE, 3)
    # Ballots are cast from the middle outwards: among equals, the middle wins.
    samples = samples[:, [5, 10, 6, 9, 0, 3, 12, 15]]
    ballots = (samples >> 3).astype(np.int32) @ np.array([1024, 32, 1], np.int32)
    votes = (ballots[:, :, None] == ballots[:, None, :]).sum(axis=-1)
    return samples[np.arange(len(samples)), votes.argmax(axis=-1)].reshape(cells, cells, 3)


def _few_colours(cells: Bytes, count: int) -> Bytes:
    """Return the cells in at most ``count`` colours, found by k-means.

    It begins with the colours that lie farthest apart, so that a small bright thing keeps its own.
    """
    points = cells.reshape(-1, 3).astype(np.float64)
    codes = (cells.reshape(-1, 3) >> 3).astype(np.int32) @ np.array([1024, 32, 1], np.int32)
    _, members = np.unique(codes, return_inverse=True)
    weight = np.bincount(members).astype(np.float64)
    tones = _means(points, members, np.ones(len(points)), len(weight))
    chosen = [int(weight.argmax())]
    gap = np.full(len(tones), np.inf)
    for _ in range(min(count, len(tones)) - 1):
        gap = np.minimum(gap, ((tones - tones[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int((gap * np.sqrt(weight)).argmax()))
    palette = tones[chosen]
    for _ in range(3):
        palette = _means(tones, _nearest(tones, palette), weight, len(palette))
    few = np.round(palette).astype(np.uint8)[_nearest(tones, palette)]
    return few[members].reshape(cells.shape)


def _nearest(tones: Doubles, palette: Doubles) -> npt.NDArray[np.intp]:
    """Return which colour of the palette is nearest to each tone."""
    return ((palette**2).sum(axis=1) - 2 * tones @ palette.T).argmin(axis=1)


def _means(points: Doubles, group: npt.NDArray[np.intp], weight: Doubles, groups: int) -> Doubles:
    """Return each group's weighted mean, shape (groups, 3)."""
    total = np.maximum(np.bincount(group, weight, groups), 1e-9)
    sums = [np.bincount(group, weight * channel, groups) for channel in points.T]
    return np.stack(sums, axis=1) / total[:, None]
