"""The illustrator: draws a scene as a page of a picture book, at any size up to 512 pixels."""

from __future__ import annotations

import numpy as np

from storybook.world import Scene

MAX_SIZE = 512


def draw(scene: Scene, size: int = 256) -> np.ndarray:
    """Draw a scene.

    Returns:
        uint8, shape (size, size, 3), RGB.

    Raises:
        ValueError: if the size is not between 32 and 512 pixels.
    """
    if not 32 <= size <= MAX_SIZE:
        raise ValueError(f"pictures are drawn from 32 to {MAX_SIZE} pixels wide, not {size}")
    # Skia is heavy and needs system libraries: only drawing loads it.
    from storybook.illustrator.figures import draw_figure
    from storybook.illustrator.places import draw_place, ground_level
    from storybook.illustrator.styles import medium_for
    from storybook.illustrator.weather import Light, draw_air, draw_sky

    medium = medium_for(scene.style, size, scene.dice("style"))
    light = Light(scene.time, scene.dice("light"))
    with medium.lit(light.scenery):
        draw_sky(medium, scene, light)
        draw_place(medium, scene)
    with medium.lit(light.figure):
        draw_figure(medium, scene, ground_level(scene))
    draw_air(medium, scene, light)
    return medium.finish()
