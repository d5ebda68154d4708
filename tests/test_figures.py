"""Figures: everybody does everything, on the page, in the colour that the caption names."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from storybook.dice import Dice
from storybook.illustrator.clothes import CLOTH
from storybook.illustrator.figures import draw_figure
from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import hexed
from storybook.illustrator.places import ground_level
from storybook.illustrator.silhouette import silhouette
from storybook.world import ACTIONS, COLOURS, GARMENTS, HAIR, PEOPLE, WHO, Scene, scene

PAPER = hexed("00ff00")
"""A colour that nothing in the world has."""


def figure(shown: Scene, *, size: int = 64, ground: float = 0.88) -> np.ndarray:
    medium = Medium(size, Dice("style"))
    medium.sky(PAPER, PAPER, 1.0)
    draw_figure(medium, shown, ground)
    return medium.finish().astype(int)


def told(number: int, **words: str) -> Scene:
    looks = {"hair": "", "hairstyle": "", "skin": ""}
    if words["who"] in PEOPLE:
        looks = {"hair": "brown", "hairstyle": "short", "skin": "tan"}
    return dataclasses.replace(scene(number), **{**looks, **words})


def covered(page: np.ndarray) -> np.ndarray:
    return np.abs(page - np.array([0, 255, 0])).sum(axis=2) > 30


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float((np.abs(a - b).sum(axis=2) > 60).mean())


@pytest.mark.parametrize("who", WHO)
def test_each_action_is_another_picture_on_the_page(who: str) -> None:
    pages = {action: figure(told(5, who=who, action=action)) for action in ACTIONS}
    for action, page in pages.items():
        mask = covered(page)
        assert 0.08 < mask.mean() < 0.5, action
        edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert not edge.any(), action
    for one, other in itertools.combinations(ACTIONS, 2):
        assert difference(pages[one], pages[other]) > 0.03, (one, other)


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_looks_like_somebody_else(action: str) -> None:
    pages = {who: figure(told(8, who=who, action=action, garment="coat")) for who in WHO}
    for one, other in itertools.combinations(WHO, 2):
        assert difference(pages[one], pages[other]) > 0.02, (one, other)


def nearest_cloth(page: np.ndarray) -> np.ndarray:
    """Name the cloth nearest to every pixel, as an index into COLOURS."""
    cloths = np.array([CLOTH[colour] for colour in COLOURS]) * 255
    return np.linalg.norm(page[:, :, None, :] - cloths, axis=3).argmin(axis=2)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("garment", GARMENTS)
def test_the_garment_has_the_colour_named(garment: str, colour: str) -> None:
    other = "turquoise" if colour != "turquoise" else "red"
    shares = []
    for shown in (colour, other):
        page = figure(
            told(12, who="elephant", action="walks", garment=garment, colour=shown), size=128
        )
        named = nearest_cloth(page) == COLOURS.index(colour)
        shares.append((named & covered(page)).sum() / covered(page).sum())
    worn, unworn = shares
    assert worn - unworn > 0.1


def test_hair_has_the_colour_named() -> None:
    pages = {
        hair: figure(dataclasses.replace(told(4, who="woman", action="waves"), hair=hair))
        for hair in HAIR
    }
    for one, other in itertools.combinations(HAIR, 2):
        assert difference(pages[one], pages[other]) > 0.01, (one, other)


def test_the_same_number_gives_the_same_pixels_and_another_number_others() -> None:
    shown = told(20, who="fox", action="jumps")
    np.testing.assert_array_equal(figure(shown), figure(shown))
    assert difference(figure(shown), figure(dataclasses.replace(shown, number=42))) > 0.02


def test_a_figure_keeps_to_the_page_wherever_the_ground_is() -> None:
    for number in range(60):
        page = covered(figure(scene(number), ground=0.85 + 0.065 * number / 60))
        edge = np.concatenate([page[0], page[-1], page[:, 0], page[:, -1]])
        assert not edge.any(), scene(number)


def test_a_silhouette_lies_where_the_figure_is_drawn() -> None:
    for who, action in itertools.product(WHO, ACTIONS):
        shown = told(11, who=who, action=action)
        painted = covered(figure(shown, ground=ground_level(shown))).reshape(16, 4, 16, 4)
        painted = painted.mean((1, 3))
        whole, head = silhouette(shown, 16).astype(float)
        assert (whole >= head - 0.01).all()
        assert whole.min() == 0
        assert whole.max() <= 1
        assert (whole * painted).sum() > 0.62 * painted.sum(), (who, action)
        assert (whole * painted).sum() > 0.7 * whole.sum(), (who, action)
        assert (head * painted).sum() > 0.7 * head.sum(), (who, action)
        assert 0.2 < head.sum() / whole.sum() < 0.75, (who, action)
