"""Eight styles draw one scene in eight ways."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from storybook.dice import Dice
from storybook.illustrator import draw
from storybook.illustrator.styles import medium_for
from storybook.world import STYLES, scene


@cache
def drawn(style, size=128, number=4):
    return draw(replace(scene(number), style=style), size)


def reduced(page, size):
    """Return the page with every square of pixels averaged."""
    factor = len(page) // size
    return page.reshape(size, factor, size, factor, 3).mean(axis=(1, 3))


def chroma(page):
    """Return how far the pixels are from grey, on average."""
    return float((page.max(axis=-1).astype(float) - page.min(axis=-1)).mean())


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [32, 100, 512])
def test_every_style_fills_a_page_of_any_size(style, size):
    page = drawn(style, size)
    assert page.shape == (size, size, 3)
    assert page.dtype == np.uint8
    assert page.std() > 15


def test_no_two_styles_draw_alike():
    for i, one in enumerate(STYLES):
        for other in STYLES[i + 1 :]:
            assert np.abs(drawn(one).astype(float) - drawn(other)).mean() > 4, (one, other)


@pytest.mark.parametrize("style", STYLES)
def test_one_number_is_one_picture(style):
    again = draw(replace(scene(4), style=style), 128)
    np.testing.assert_array_equal(again, drawn(style))


@pytest.mark.parametrize("style", STYLES)
def test_a_small_picture_is_a_large_one_reduced(style):
    # Coarser than a halftone dot or a hatching line, of which small pages can show less.
    small, large = (reduced(drawn(style, size), 32) for size in (128, 256))
    assert np.abs(small - large).mean() < 6


def test_two_pictures_of_one_style_differ_in_more_than_the_scene():
    pages = []
    for name in ("one", "two"):
        medium = medium_for("watercolour", 64, Dice(name))
        medium.sky((0.3, 0.5, 0.9), (0.8, 0.9, 1.0), 0.6)
        pages.append(medium.finish())
    assert (pages[0] != pages[1]).any()


@pytest.mark.parametrize("size", [128, 256])
def test_pixel_art_is_square_blocks_of_few_colours(size):
    medium = medium_for("pixel art", size, scene(4).dice("style"))
    page = drawn("pixel art", size)
    assert len(np.unique(page.reshape(-1, 3), axis=0)) <= 30
    sideways = (page[:, 1:] != page[:, :-1]).any(axis=(0, 2))
    edges = np.flatnonzero(sideways) + 1
    assert len(set(edges % medium.block)) == 1


def test_pencil_hints_at_colours_that_flat_vector_shows():
    pencil, flat = chroma(drawn("pencil sketch")), chroma(drawn("flat vector"))
    assert 0.1 * flat < pencil < 0.6 * flat


def test_an_unknown_style_is_named_together_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'fresco'.*watercolour"):
        medium_for("fresco", 64, Dice("any"))
