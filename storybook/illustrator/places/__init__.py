"""The twelve places of the picture-book world."""

from __future__ import annotations

from storybook.illustrator.medium import Medium
from storybook.illustrator.places import country, settled, shore, woods
from storybook.illustrator.scenery import puddles
from storybook.illustrator.stage import Stage
from storybook.world import Scene

_PLACES = {
    "forest": woods.forest,
    "enchanted forest": woods.enchanted_forest,
    "meadow": country.meadow,
    "mountains": country.mountains,
    "desert": country.desert,
    "farm": country.farm,
    "village": settled.village,
    "castle": settled.castle,
    "city": settled.city,
    "beach": shore.beach,
    "lake": shore.lake,
    "harbour": shore.harbour,
}


def ground_level(scene: Scene) -> float:
    """Return the height on the page (0 is its top, 1 its foot) at which the figure stands."""
    return scene.dice("ground").uniform(0.85, 0.915)


def draw_place(medium: Medium, scene: Scene) -> None:
    """Draw the land, from the horizon to the page's foot, in front of the sky.

    Args:
        medium: the page, lit by the scene's light, with the sky on it.
        scene: what the page shows.
    """
    stage = Stage(medium, scene, "place")
    _PLACES[scene.place](stage)
    if scene.time == "rain":
        puddles(stage)
