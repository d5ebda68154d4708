"""The picture-book world: what can be in a picture, and which scene a number stands for.

A :class:`Scene` says in words what a picture shows. Everything that words do not say (where
exactly the figure stands, how the hills run, how red the red is) is rolled by the illustrator
from the scene's number, so that one number always gives one picture and no two numbers give the
same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from storybook.dice import Dice

WORLD_VERSION = 2
"""Changes whenever a number stands for another picture than it did before."""

PEOPLE = ("girl", "boy", "woman", "man", "grandmother", "grandfather")
ANIMALS = (
    "fox", "rabbit", "bear", "cat", "dog", "owl", "dragon", "robot", "penguin", "frog",
    "elephant", "lion",
)  # fmt: skip
WHO = PEOPLE + ANIMALS
"""The main figure. The robot counts as an animal here: it has no hair and no skin."""

HAIR = ("red", "blonde", "brown", "black", "grey")
HAIRSTYLES = ("long", "plaits", "short", "curly")
SKINS = ("light", "tan", "brown", "dark")
COLOURS = (
    "red", "blue", "green", "yellow", "orange", "purple", "pink", "turquoise", "white", "black",
)  # fmt: skip
GARMENTS = ("dress", "coat", "jumper", "dungarees", "cape")
ACTIONS = ("walks", "waves", "jumps", "sits", "reads", "sleeps", "holds a balloon")
PLACES = (
    "forest", "enchanted forest", "meadow", "beach", "mountains", "village", "castle", "city",
    "desert", "farm", "lake", "harbour",
)  # fmt: skip
TIMES = ("day", "sunset", "night", "rain", "snow", "fog")
"""Time of day or weather. A sunset is also what "warm light" means."""
STYLES = (
    "watercolour", "pencil sketch", "flat vector", "oil painting", "pixel art",
    "paper cut-out", "crayon", "ink comic",
)  # fmt: skip
MOODS = ("plain", "picturesque", "dreamy")
"""A picturesque scene is framed by blossom and crossed by birds or butterflies; a dreamy one
floats in soft light and sparkles."""

Split = Literal["train", "heldout"]

NEVER_TOGETHER: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = (
    (("who", "fox"), ("place", "beach")),
    (("who", "bear"), ("place", "city")),
    (("who", "penguin"), ("place", "desert")),
    (("who", "dragon"), ("place", "farm")),
    (("who", "owl"), ("place", "harbour")),
    (("who", "grandmother"), ("place", "mountains")),
    (("who", "cat"), ("colour", "green")),
    (("who", "elephant"), ("colour", "pink")),
    (("who", "girl"), ("style", "pixel art")),
    (("who", "robot"), ("style", "oil painting")),
    (("who", "frog"), ("time", "snow")),
    (("who", "lion"), ("time", "night")),
    (("place", "castle"), ("time", "fog")),
    (("place", "enchanted forest"), ("style", "ink comic")),
    (("hair", "blonde"), ("colour", "turquoise")),
    (("action", "sleeps"), ("place", "village")),
)
"""Pairs that no training picture shows, kept to ask later whether the model can combine what it
learned apart."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What one picture shows, in the world's words, and the number that fixes the rest.

    ``hair``, ``hairstyle`` and ``skin`` are empty strings for animals.
    """

    number: int
    who: str
    colour: str
    garment: str
    action: str
    place: str
    time: str
    style: str
    mood: str = "plain"
    hair: str = ""
    hairstyle: str = ""
    skin: str = ""

    def dice(self, stream: str) -> Dice:
        """Return this scene's own dice for one purpose, independent of every other purpose's."""
        return Dice(f"storybook/{WORLD_VERSION}/{self.number}/{stream}")

    def is_unseen(self) -> bool:
        """Tell whether the scene holds a pair from :data:`NEVER_TOGETHER`."""
        return any(
            getattr(self, a) == x and getattr(self, b) == y for (a, x), (b, y) in NEVER_TOGETHER
        )


def scene(number: int, split: Split = "train") -> Scene:
    """Return the scene that ``number`` stands for.

    Training scenes never hold a pair of :data:`NEVER_TOGETHER`; held-out scenes are counted
    apart, so that no held-out picture is a training picture, and may hold one.

    Raises:
        ValueError: if ``number`` is negative.
    """
    if number < 0:
        raise ValueError(f"picture numbers start at 0, got {number}")
    # Even numbers are training pictures, odd ones held out: one number, one picture, ever.
    own = 2 * number + (split == "heldout")
    dice = Dice(f"storybook/{WORLD_VERSION}/{own}/scene")
    while (found := _roll(own, dice)).is_unseen() and split == "train":
        pass
    return found


def _roll(number: int, dice: Dice) -> Scene:
    who = dice.pick(WHO)
    person = who in PEOPLE
    hair = hairstyle = skin = ""
    if person:
        elder = who.startswith("grand")
        hair = "grey" if elder and dice.chance(0.85) else dice.pick(HAIR)
        hairstyle = dice.pick(HAIRSTYLES if who in ("girl", "woman") else ("short", "curly"))
        skin = dice.pick(SKINS)
    return Scene(
        number=number,
        who=who,
        colour=dice.pick(COLOURS),
        garment=_garment(who, dice),
        action=dice.pick(ACTIONS),
        place=dice.pick(PLACES),
        time=dice.pick(TIMES),
        style=dice.pick(STYLES),
        mood=dice.weighted(MOODS, (0.8, 0.1, 0.1)),
        hair=hair,
        hairstyle=hairstyle,
        skin=skin,
    )


def _garment(who: str, dice: Dice) -> str:
    if who in ("boy", "man", "grandfather"):
        return dice.pick(("coat", "jumper", "dungarees", "cape"))
    if who in ("girl", "woman", "grandmother"):
        return dice.weighted(GARMENTS, (0.4, 0.15, 0.15, 0.15, 0.15))
    return dice.pick(GARMENTS)
