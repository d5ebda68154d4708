"""The main figure: described first (:class:`Figure`), then drawn from back to front."""

from __future__ import annotations

from dataclasses import dataclass, replace

import skia

from storybook.dice import Dice
from storybook.illustrator import animals, clothes, people, props
from storybook.illustrator.animal_heads import draw_head as draw_animal_head
from storybook.illustrator.animals import Animal
from storybook.illustrator.clothes import Outfit, Under
from storybook.illustrator.faces import Face
from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import Colour, darker, hexed
from storybook.illustrator.pen import Limb, Pen, Point
from storybook.illustrator.people import Person
from storybook.illustrator.poses import Build, Pose, book_place, pose
from storybook.world import PEOPLE, Scene

MARGIN = 0.03
STICK = hexed("7a5230")
BEAK = hexed("f0962e")
WINGED = ("owl", "penguin")
BREADTH = {"dragon": 0.27, "elephant": 0.24}
"""How far wings and ears reach to either side, where it is more than hair does."""
ROOM_ABOVE = {
    "rabbit": 0.17,
    "girl": 0.075,
    "boy": 0.08,
    "woman": 0.09,
    "man": 0.1,
    "robot": 0.07,
    "grandmother": 0.09,
    "lion": 0.08,
    "dragon": 0.07,
    "fox": 0.07,
    "cat": 0.07,
    "owl": 0.07,
}
"""How far ears, horns and buns rise over the crown, where it is more than a head of hair."""


@dataclass(frozen=True, slots=True)
class Figure:
    """All that is known of a figure before it is drawn."""

    action: str
    build: Build
    pose: Pose
    face: Face
    outfit: Outfit
    looks: Person | Animal
    skin: Colour
    """Of bare limbs."""
    thing: Colour
    """Of the balloon, the book or the blanket."""
    x: float
    scale: float
    faces_left: bool
    balloon: Point

    @classmethod
    def of(cls, scene: Scene, ground: float) -> Figure:
        """Return the figure of a scene that stands on ``ground``, in page units."""
        dice = scene.dice("figure")
        person = scene.who in PEOPLE
        builds = people.BUILDS if person else animals.BUILDS
        build = builds[scene.who].varied(dice.split("build"))
        held = pose(scene.action, build, dice.split("pose"))
        if scene.garment == "cape" and scene.action == "walks":
            far, near = held.arms  # both come out from under the cape
            held = replace(held, arms=(far, replace(near, front=False)))
        looks: Person | Animal
        if person:
            looks = Person.rolled(
                scene.who, scene.skin, scene.hair, scene.hairstyle, dice.split("looks")
            )
            skin = looks.skin
        else:
            looks = Animal.rolled(scene.who, dice.split("looks"))
            skin = looks.main
        place = dice.split("place")
        hand = held.arms[1].end
        balloon = (
            hand[0] + place.uniform(-0.01, 0.05),
            held.head[1] - build.head_ry - place.uniform(0.03, 0.09),
        )
        extent = _extent(scene, build, held, balloon)
        scale = _fitting(scene.action, extent, held, ground, place.uniform(1.02, 1.2))
        left = place.chance(0.5)
        return cls(
            action=scene.action,
            build=build,
            pose=held,
            face=Face.rolled(held, dice.split("face")),
            outfit=Outfit.rolled(scene.colour, scene.garment, person, dice.split("outfit")),
            looks=looks,
            skin=skin,
            thing=props.other_colour(scene.colour, dice.split("thing")),
            x=_across(extent, scale, left, place.uniform(0.38, 0.62)),
            scale=scale,
            faces_left=left,
            balloon=balloon,
        )

    def on_page(self, ground: float) -> skia.Matrix:
        """Return what takes the figure's own coordinates to the page's, with feet at ``ground``."""
        matrix = skia.Matrix.Translate(self.x, ground)
        matrix.preScale(-self.scale if self.faces_left else self.scale, self.scale)
        return matrix


def _extent(scene: Scene, build: Build, held: Pose, balloon: Point) -> skia.Rect:
    """Return about how much room the figure takes, at scale 1, from its feet."""
    rise = ROOM_ABOVE.get(scene.who, 0.04)
    (x, y), lying = held.head, held.stance == "lying"
    wide = build.head_rx * 1.35 if lying else BREADTH.get(scene.who, 0.2)
    joints = [limb.end for limb in (*held.arms, *held.legs)]
    left = min(x - wide, *(joint[0] - 0.05 for joint in joints))
    right = max(x + wide + (0.9 * rise if lying else 0.0), *(joint[0] + 0.05 for joint in joints))
    top = y - build.head_ry - rise
    if scene.action == "holds a balloon":
        top, right = min(top, balloon[1] - 0.1), max(right, balloon[0] + 0.095)
    return skia.Rect(left, top - held.lift, right, 0)


def _fitting(action: str, extent: skia.Rect, held: Pose, ground: float, scale: float) -> float:
    """Return the scale, smaller if the figure would not fit on the page."""
    if held.stance in ("floor", "seated"):
        scale *= 1.08  # who sits is nearer to us
    if action == "sleeps":
        scale *= 1.05
    return min(scale, (ground - MARGIN) / -extent.top(), (1 - 2 * MARGIN) / extent.width())


def _across(extent: skia.Rect, scale: float, left: bool, middle: float) -> float:
    """Return where the feet stand so that the figure's middle is at ``middle``, room given."""
    half = extent.width() * scale / 2
    middle = min(max(middle, half + MARGIN), 1 - half - MARGIN)
    return middle - (-1 if left else 1) * extent.centerX() * scale


def draw_figure(medium: Medium, scene: Scene, ground: float) -> None:
    """Draw the scene's main figure with its feet at height ``ground``, in page units."""
    figure = Figure.of(scene, ground)
    pen = Pen(medium, figure.on_page(ground))
    props.draw_shadow(pen, figure.pose, figure.build)
    if figure.action == "walks":
        props.draw_footprints(pen, figure.pose, scene.dice("footprints"), MARGIN)
    _draw_seat(pen, figure, scene.dice("seat"))
    raised = pen.at(0, -figure.pose.lift)
    _draw_behind(raised, figure, scene.dice("behind"))
    _draw_body(raised, figure)
    _draw_head(raised, figure)
    _draw_in_front(raised, figure, scene.dice("props"))


def _draw_seat(pen: Pen, figure: Figure, dice: Dice) -> None:
    if figure.pose.stance == "seated":
        props.draw_stump(pen, figure.pose, figure.build, dice)
    elif figure.pose.stance == "lying":
        props.draw_pillow(pen, figure.pose, figure.build, figure.thing)


def _torso_pen(pen: Pen, figure: Figure) -> Pen:
    held = figure.pose
    return pen.at(*held.hip, held.lean(), held.narrow)


def _head_pen(pen: Pen, figure: Figure) -> Pen:
    held, build = figure.pose, figure.build
    return pen.at(*held.head, held.tilt, build.head_rx, build.head_ry)


def _draw_behind(pen: Pen, figure: Figure, dice: Dice) -> None:
    torso = _torso_pen(pen, figure)
    if isinstance(figure.looks, Animal):
        sway = dice.uniform(-1, 1)
        lying = figure.pose.stance == "lying"
        animals.draw_wings(torso, figure.looks, figure.build, lying=lying)
        # A sleeper's tail lies towards the feet.
        tail = torso.at(0, 0, 0, 1, -1) if lying else torso
        animals.draw_tail(tail, figure.looks, figure.build, sway)
    if figure.outfit.garment == "cape":
        clothes.draw_cape_behind(torso, figure.outfit, figure.pose, figure.build)
    if isinstance(figure.looks, Person):
        lying = figure.pose.stance == "lying"
        people.draw_hair_behind(_head_pen(pen, figure), figure.looks, figure.pose.turn, lying=lying)


def _draw_body(pen: Pen, figure: Figure) -> None:
    for arm, side in zip(figure.pose.arms, (-1, 1), strict=True):
        if not arm.front:
            _draw_arm(pen, figure, arm, side)
    for leg, toe in zip(figure.pose.legs, figure.pose.toes, strict=True):
        _draw_leg(pen, figure, leg, toe)
    clothes.draw_thighs(pen, figure.outfit, figure.pose, figure.build)
    torso = _torso_pen(pen, figure)
    clothes.draw_torso(torso, figure.outfit, figure.pose, figure.build, _under(figure))
    clothes.draw_collar(torso, figure.outfit, figure.build)
    if isinstance(figure.looks, Person) and figure.looks.who == "grandmother":
        people.draw_shawl(torso, figure.looks, figure.build)
    props.draw_chin_shadow(torso, figure.build)


def _under(figure: Figure) -> Under:
    """Return what shows beneath the garment: a person's shirt, an animal's own coat."""
    if isinstance(figure.looks, Animal):
        return Under(figure.looks.main, figure.looks.pale)
    return Under(figure.outfit.shirt or figure.skin, None)


def _draw_leg(pen: Pen, figure: Figure, leg: Limb, toe: float) -> None:
    w, outfit = figure.build.leg_width, figure.outfit
    cloth = outfit.leg_colour()
    trousers = cloth is not None
    end = w * (0.95 if trousers else 0.75)
    pen.shape(leg.outline((w * 1.05, w, end), 0.0, 0.8), cloth or figure.skin)
    x, y = leg.end
    foot = outfit.shoes or _foot_colour(figure)
    wide = (
        1.25
        if isinstance(figure.looks, Animal) and figure.looks.who in ("penguin", "owl", "frog")
        else 1.0
    )
    if figure.pose.stance in ("floor", "lying"):
        direction = 1 if toe > 0 else -1
        pen.at(x + direction * 0.012, y - 0.016).oval(0, 0, 0.026, 0.042 * wide, foot)
    else:
        pen.oval(x + 0.018 * toe, y - 0.004, (0.044 if outfit.shoes else 0.046) * wide, 0.026, foot)


def _foot_colour(figure: Figure) -> Colour:
    looks = figure.looks
    if isinstance(looks, Animal) and looks.who in WINGED:
        return BEAK
    if isinstance(looks, Animal) and looks.who in ("fox", "robot"):
        return looks.dark
    return darker(figure.skin, 0.06)


def _draw_arm(pen: Pen, figure: Figure, arm: Limb, side: int) -> None:
    w = figure.build.arm_width
    who = figure.looks.who
    if who in WINGED:
        pen.shape(arm.outline((w * 0.8, w * 1.5, w * 1.35, w * 0.4), 0.0, 1.12), figure.skin)
        clothes.draw_sleeve(pen, figure.outfit, arm, figure.build)
        if arm.front:
            _draw_arm_edge(pen, figure, arm)
        return
    pen.shape(arm.outline((w, w * 0.95, w * 0.85)), figure.skin)
    clothes.draw_sleeve(pen, figure.outfit, arm, figure.build)
    if arm.front:
        _draw_arm_edge(pen, figure, arm)
    _draw_hand(pen, figure, arm, open_hand=figure.pose.open_hand and side > 0)


def _draw_arm_edge(pen: Pen, figure: Figure, arm: Limb) -> None:
    """Set an arm off from the body of the same colour behind it."""
    sleeve = figure.outfit.sleeve()
    bare = sleeve is None or sleeve[1] < 0.5
    if bare and figure.looks.who in WINGED:
        return
    colour = figure.skin if sleeve is None or bare else sleeve[0]
    edge = figure.outfit.shade if colour == figure.outfit.cloth else darker(colour, 0.18)
    w = figure.build.arm_width * (0.93 if bare else 1.17)
    for side in (-w, w):
        points = []
        for t in (0.55, 0.7, 0.85) if bare else (0.3, 0.5, 0.8):
            (x, y), (nx, ny) = arm.at(t), arm.normal(t)
            points.append((x + nx * side, y + ny * side))
        pen.line(points, edge, 0.005)


def _draw_hand(pen: Pen, figure: Figure, arm: Limb, *, open_hand: bool) -> None:
    (x, y), size = arm.end, figure.build.arm_width
    hand = pen.at(x, y, arm.degrees() + 90)
    colour = _hand_colour(figure)
    if open_hand:
        for degrees in (-62, -22, 8, 38):
            finger = hand.at(0, 0, degrees)
            finger.oval(0, -size * 1.25, size * 0.36, size * 0.72, colour)
    hand.oval(0, 0, size * 1.02, size * 1.02, colour)


def _hand_colour(figure: Figure) -> Colour:
    looks = figure.looks
    if isinstance(looks, Animal) and looks.who in ("fox", "robot"):
        return looks.dark
    return figure.skin


def _draw_head(pen: Pen, figure: Figure) -> None:
    head = _head_pen(pen, figure)
    if isinstance(figure.looks, Animal):
        draw_animal_head(head, figure.looks, figure.face)
        return
    if figure.looks.style == "plaits":
        people.draw_plaits(head, figure.looks, lying=figure.pose.stance == "lying")
    people.draw_head(head, figure.looks, figure.face)


def _draw_in_front(pen: Pen, figure: Figure, dice: Dice) -> None:
    held = figure.pose
    if figure.action == "sleeps":
        if figure.outfit.garment not in ("cape", "dungarees") and dice.chance(0.4):
            props.draw_blanket(pen, held, figure.build, figure.thing)
        if dice.chance(0.6):
            props.draw_snores(pen, held.head, figure.build, mirrored=figure.faces_left)
    if figure.action == "holds a balloon":
        props.draw_balloon(pen, held.arms[1].end, figure.balloon, figure.thing, dice)
        _draw_hand(pen, figure, held.arms[1], open_hand=False)
    if figure.action == "waves":
        props.draw_waving(pen, held.arms[1].end)
    if figure.action == "jumps":
        props.draw_leaping(pen, held)
    if (
        figure.looks.who == "grandfather"
        and held.stance == "standing"
        and figure.action in ("walks", "waves")
    ):
        _draw_stick(pen, held.arms[0].end)
    for arm, side in zip(held.arms, (-1, 1), strict=True):
        if arm.front:
            _draw_arm(pen, figure, arm, side)
    if figure.action == "reads":
        props.draw_book(pen, *book_place(held, figure.build), figure.thing, dice)
        for arm in held.arms:
            _draw_hand(pen, figure, arm, open_hand=False)


def _draw_stick(pen: Pen, hand: Point) -> None:
    x, y = hand
    pen.line([
        (x, 0.0), (x, 0.0), (x, y - 0.03), (x + 0.02, y - 0.055), (x + 0.042, y - 0.035),
    ], STICK, 0.014)  # fmt: skip
