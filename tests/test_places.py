"""Landscapes: each place is its own, each time changes the light, each number its details."""

from __future__ import annotations

import colorsys
import dataclasses

import numpy as np
import pytest

from storybook.illustrator.medium import Medium
from storybook.illustrator.places import draw_place, ground_level
from storybook.illustrator.weather import Light, draw_air, draw_sky
from storybook.world import PLACES, TIMES, Scene, scene


def landscape(number: int, *, size: int = 64, **words: str) -> np.ndarray:
    """Draw a page without a figure, uint8 (size, size, 3)."""
    shown = _scene(number, **words)
    medium = Medium(size, shown.dice("style"))
    light = Light(shown.time, shown.dice("light"))
    with medium.lit(light.scenery):
        draw_sky(medium, shown, light)
        draw_place(medium, shown)
    draw_air(medium, shown, light)
    return medium.finish()


def _scene(number: int, **words: str) -> Scene:
    return dataclasses.replace(scene(number), **{"mood": "plain", **words})


def _mean_hue(image: np.ndarray) -> float:
    red, green, blue = (float(x) for x in image[16:].mean(axis=(0, 1)) / 255)
    return colorsys.rgb_to_hsv(red, green, blue)[0]


@pytest.mark.parametrize("place", PLACES)
def test_each_time_of_day_changes_the_page(place: str) -> None:
    pages = {time: landscape(3, place=place, time=time).astype(float) for time in TIMES}
    for time in TIMES:
        for other in TIMES:
            if time < other:
                assert np.abs(pages[time] - pages[other]).mean() > 12, (time, other)
    assert pages["night"].mean() < 0.65 * pages["day"].mean()


@pytest.mark.parametrize("time", TIMES)
def test_no_two_places_look_alike(time: str) -> None:
    pages = [landscape(5, place=place, time=time).astype(float) for place in PLACES]
    gaps = [np.abs(a - b).mean() for i, a in enumerate(pages) for b in pages[:i]]
    assert min(gaps) > 6


@pytest.mark.parametrize("number", range(0, 40, 8))
def test_the_enchanted_forest_is_violet_where_the_ordinary_one_is_green(number: int) -> None:
    ordinary = _mean_hue(landscape(number, place="forest", time="day"))
    enchanted = _mean_hue(landscape(number, place="enchanted forest", time="day"))
    assert 0.17 < ordinary < 0.45
    assert 0.52 < enchanted < 0.85


@pytest.mark.parametrize("place", PLACES)
def test_a_number_fixes_every_pixel_and_no_other_number_gives_them(place: str) -> None:
    page = landscape(12, place=place, time="day")
    assert np.array_equal(page, landscape(12, place=place, time="day"))
    assert np.abs(page.astype(float) - landscape(14, place=place, time="day")).mean() > 4


def test_the_figure_stands_low_on_the_page_and_not_always_at_one_height() -> None:
    levels = [ground_level(scene(number)) for number in range(50)]
    assert 0.84 <= min(levels) < max(levels) <= 0.92
    assert len(set(levels)) == len(levels)


@pytest.mark.parametrize("time", TIMES)
def test_a_lamp_keeps_its_colour_in_every_light(time: str) -> None:
    light = Light(time, _scene(1).dice("light"))
    lamp = (0.9, 0.8, 0.3)
    assert light.scenery(light.shining(lamp)) == pytest.approx(lamp)


@pytest.mark.parametrize("time", TIMES)
def test_the_light_tints_a_figure_less_than_the_land(time: str) -> None:
    light = Light(time, _scene(1).dice("light"))
    red = np.array((0.85, 0.25, 0.2))
    on_land = np.abs(np.array(light.scenery(tuple(red))) - red).max()
    on_figure = np.abs(np.array(light.figure(tuple(red))) - red).max()
    assert on_figure <= 0.4 * on_land + 1e-9
