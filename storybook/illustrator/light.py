"""What a time of day or a weather does to the colours of things."""

from __future__ import annotations

from storybook.dice import Dice
from storybook.illustrator.palette import Colour

# How much colour greys, then what each of red, green and blue is multiplied by, then what is
# added. A tint of this form can be undone, which is how a lamp at night keeps its own colour.
_TINTS: dict[str, tuple[float, Colour, Colour]] = {
    "day": (0.0, (1.0, 1.0, 0.98), (0.0, 0.0, 0.0)),
    "sunset": (0.05, (0.92, 0.76, 0.60), (0.15, 0.04, 0.05)),
    "night": (0.15, (0.38, 0.45, 0.58), (0.02, 0.04, 0.13)),
    "rain": (0.40, (0.72, 0.78, 0.84), (0.0, 0.01, 0.03)),
    "snow": (0.22, (0.92, 0.95, 1.0), (0.03, 0.03, 0.04)),
    "fog": (0.40, (0.74, 0.75, 0.76), (0.18, 0.19, 0.20)),
}
_FIGURE_SHARE = 0.22


class Light:
    """The light of a scene.

    Args:
        time: one of :data:`storybook.world.TIMES`.
        dice: decides how strong the light's own colour is.
    """

    def __init__(self, time: str, dice: Dice) -> None:
        self.time = time
        self._grey, gain, self._added = _TINTS[time]
        strength = dice.uniform(0.88, 1.08)
        self._gain = tuple(1 - (1 - x) * strength for x in gain)

    def scenery(self, colour: Colour) -> Colour:
        """Return how a colour of the landscape looks in this light."""
        return self._tinted(colour, 1.0)

    def figure(self, colour: Colour) -> Colour:
        """Return how a colour of the main figure looks: tinted so little that it keeps its name."""
        return self._tinted(colour, _FIGURE_SHARE)

    def shining(self, colour: Colour) -> Colour:
        """Return what :meth:`scenery` turns into ``colour``: the paint for what shines by itself.

        Its parts may lie outside 0 to 1.
        """
        scaled = [(x - a) / g for x, g, a in zip(colour, self._gain, self._added, strict=True)]
        grey = _luminance(scaled[0], scaled[1], scaled[2])
        red, green, blue = ((x - grey * self._grey) / (1 - self._grey) for x in scaled)
        return red, green, blue

    def _tinted(self, colour: Colour, share: float) -> Colour:
        grey = _luminance(*colour)
        red, green, blue = (
            (x + (grey - x) * self._grey * share) * (1 - (1 - g) * share) + a * share
            for x, g, a in zip(colour, self._gain, self._added, strict=True)
        )
        return red, green, blue


def _luminance(red: float, green: float, blue: float) -> float:
    return 0.299 * red + 0.587 * green + 0.114 * blue
