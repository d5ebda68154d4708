"""How a figure holds itself: the joints for every action, before anything is drawn.

Coordinates are the figure's own: x to where it faces, y down, the ground at 0, in page units
for a figure of scale 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from storybook.dice import Dice
from storybook.illustrator.pen import Limb, Point


@dataclass(frozen=True, slots=True)
class Build:
    """Proportions: lengths of leg, torso and arm, half widths of all else."""

    leg: float
    torso: float
    arm: float
    shoulder: float
    hip: float
    head_rx: float
    head_ry: float
    arm_width: float = 0.029
    leg_width: float = 0.036

    def varied(self, dice: Dice) -> Build:
        """Return a build that differs a little, as people do."""
        wide, tall, head = (1 + dice.uniform(-0.07, 0.07) for _ in range(3))
        return replace(
            self,
            leg=self.leg * tall,
            torso=self.torso * tall,
            shoulder=self.shoulder * wide,
            hip=self.hip * wide,
            head_rx=self.head_rx * (1 + (head - 1) * 0.5),
            head_ry=self.head_ry * (1 - (head - 1) * 0.3),
        )


@dataclass(frozen=True, slots=True)
class Pose:
    """The joints, and what the action asks of face, feet and hands."""

    hip: Point
    neck: Point
    head: Point
    tilt: float
    """Of the head, in degrees, clockwise."""
    turn: float
    """Of the face: 0 looks at us, 1 in the direction it faces."""
    arms: tuple[Limb, Limb]
    """The far arm and the near one."""
    legs: tuple[Limb, Limb]
    stance: str = "standing"
    """Standing, seated (on something), floor (on the ground) or lying."""
    toes: tuple[float, float] = (-1.0, 1.0)
    """Where the feet point: -1 left, 1 right, between them towards us."""
    lift: float = 0.0
    """How high the figure is off the ground."""
    narrow: float = 1.0
    """How wide the body is seen: 1 from the front, less from the side."""
    mouth: str = "smile"
    eyes: str = "open"
    open_hand: bool = False

    def lean(self) -> float:
        """Return the turn of the torso, in degrees, clockwise from upright."""
        return math.degrees(math.atan2(self.neck[0] - self.hip[0], self.hip[1] - self.neck[1]))


def pose(action: str, build: Build, dice: Dice) -> Pose:
    """Return how a figure of this build does one of :data:`storybook.world.ACTIONS`."""
    return _POSES[action](build, dice)


def _reach(start: Point, degrees: float, length: float, bow: float, front: bool = False) -> Limb:
    """Return a limb that leaves ``start`` at an angle (0 down, 90 ahead) and bows sideways."""
    dx, dy = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    end = (start[0] + dx * length, start[1] + dy * length)
    bend = (start[0] + dx * length / 2 + dy * bow, start[1] + dy * length / 2 - dx * bow)
    return Limb(start, bend, end, front)


def _span(start: Point, end: Point, bow: Point, front: bool = False) -> Limb:
    """Return a limb from point to point whose middle is pulled by ``bow``."""
    bend = ((start[0] + end[0]) / 2 + bow[0], (start[1] + end[1]) / 2 + bow[1])
    return Limb(start, bend, end, front)


def _spine(build: Build, hip: Point, lean: float) -> tuple[Point, Point, Point, Point]:
    """Return neck, head centre and both shoulders of a torso leaning by ``lean`` degrees."""
    ux, uy = math.sin(math.radians(lean)), -math.cos(math.radians(lean))
    neck = (hip[0] + ux * build.torso, hip[1] + uy * build.torso)
    rise = build.head_ry * 0.84
    head = (neck[0] + ux * rise, neck[1] + uy * rise)
    base = (neck[0] - ux * 0.034, neck[1] - uy * 0.034)
    reach = build.shoulder * 0.80
    far = (base[0] + uy * reach, base[1] - ux * reach)
    near = (base[0] - uy * reach, base[1] + ux * reach)
    return neck, head, far, near


def _standing_legs(build: Build, hip: Point, dice: Dice) -> tuple[Limb, Limb]:
    spread = build.hip * dice.uniform(0.52, 0.75)
    root = build.hip * 0.48
    left = _span((hip[0] - root, hip[1]), (hip[0] - spread, -0.016), (0, 0))
    right = _span((hip[0] + root, hip[1]), (hip[0] + spread, -0.016), (0, 0))
    return left, right


def _stand(build: Build, dice: Dice) -> Pose:
    hip = (0.0, -build.leg)
    neck, head, far, near = _spine(build, hip, dice.uniform(-3, 3))
    return Pose(
        hip=hip, neck=neck, head=head,
        tilt=dice.normal(0, 5), turn=dice.uniform(-0.3, 0.7),
        arms=(
            _reach(far, dice.uniform(-42, -20), build.arm, dice.uniform(-0.02, 0.0)),
            _reach(near, dice.uniform(20, 42), build.arm, dice.uniform(0.0, 0.02)),
        ),
        legs=_standing_legs(build, hip, dice),
    )  # fmt: skip


def _walks(build: Build, dice: Dice) -> Pose:
    hip = (0.0, -build.leg * 0.94)
    neck, head, far, near = _spine(build, hip, dice.uniform(5, 12))
    stride = build.leg * dice.uniform(0.68, 0.88) + 0.02
    swing = dice.uniform(38, 62)
    back = _span((-0.018, hip[1]), (-stride, -0.034), (0.022, 0.0))
    ahead = _span((0.018, hip[1]), (stride, -0.018), (0.022, -0.016))
    # Seen from three quarters, the near shoulder is the one behind.
    far, near = (
        (near[0] - build.shoulder * 0.1, near[1]),
        (far[0] + build.shoulder * 0.25, far[1] + 0.006),
    )
    return Pose(
        hip=hip, neck=neck, head=head,
        tilt=dice.normal(0, 4), turn=dice.uniform(0.8, 1.1),
        arms=(
            _reach(far, swing + 8, build.arm, 0.03),
            _reach(near, -swing, build.arm, 0.035, front=True),
        ),
        legs=(back, ahead), toes=(0.85, 1.0), narrow=0.88,
        mouth="open" if dice.chance(0.25) else "smile",
    )  # fmt: skip


def _beside(head: Point, build: Build, side: int, dice: Dice) -> Point:
    """Return where a hand is seen that is thrown up beside the head."""
    x = head[0] + side * build.head_rx * dice.uniform(1.3, 1.6)
    return x, head[1] - build.head_ry * dice.uniform(-0.3, 0.45)


def _waves(build: Build, dice: Dice) -> Pose:
    base = _stand(build, dice)
    shoulder = base.arms[1].start
    hand = _beside(base.head, build, 1, dice)
    raised = _span(shoulder, hand, (dice.uniform(0.06, 0.08), 0.06), front=True)
    return replace(
        base, arms=(base.arms[0], raised), open_hand=True, tilt=dice.uniform(-9, 2),
        turn=dice.uniform(-0.2, 0.4), mouth="open" if dice.chance(0.6) else "smile",
    )  # fmt: skip


def _jumps(build: Build, dice: Dice) -> Pose:
    hip = (0.0, -build.leg)
    neck, head, far, near = _spine(build, hip, dice.uniform(-5, 9))
    knee = build.leg * dice.uniform(0.5, 0.7)
    wide = build.hip * dice.uniform(1.15, 1.5)
    up = dice.uniform(0.35, 0.6) * build.leg
    back = _span((-build.hip * 0.5, hip[1]), (-wide, hip[1] + up + 0.03), (-0.035, knee * 0.5))
    ahead = _span((build.hip * 0.5, hip[1]), (wide * 0.9, hip[1] + up + 0.045), (0.045, knee * 0.3))
    return Pose(
        hip=hip, neck=neck, head=head,
        tilt=dice.normal(0, 6), turn=dice.uniform(-0.2, 0.6),
        arms=(
            _span(far, _beside(head, build, -1, dice), (-0.05, 0.05)),
            _span(near, _beside(head, build, 1, dice), (0.05, 0.05)),
        ),
        legs=(back, ahead), lift=dice.uniform(0.09, 0.13) - build.leg * 0.25, mouth="open",
        toes=(-0.9, 0.9),
    )  # fmt: skip


def _sits(build: Build, dice: Dice) -> Pose:
    if dice.chance(0.45):
        return _seated(build, dice)
    hip = (-0.05, -0.055)
    neck, head, far, near = _spine(build, hip, dice.uniform(-8, 0))
    reach = build.leg * 0.75 + 0.10
    legs = (
        _span(
            (hip[0] + 0.02, hip[1]), (hip[0] + reach + 0.02, -0.052), (0, -dice.uniform(0.0, 0.05))
        ),
        _span(
            (hip[0] + 0.01, hip[1] + 0.01),
            (hip[0] + reach - 0.01, -0.03),
            (0, -dice.uniform(0.0, 0.07)),
        ),
    )
    return Pose(
        hip=hip, neck=neck, head=head,
        tilt=dice.normal(0, 5), turn=dice.uniform(0.2, 0.9),
        arms=(
            _reach(far, dice.uniform(-40, -25), build.arm, -0.02),
            _span(near, (hip[0] + build.hip + 0.02, hip[1] - 0.04), (0.03, 0), front=True),
        ),
        legs=legs, toes=(0.35, 0.35), stance="floor",
    )  # fmt: skip


def _seated(build: Build, dice: Dice) -> Pose:
    height = build.leg * 0.55 + 0.055
    hip = (0.0, -height)
    neck, head, far, near = _spine(build, hip, dice.uniform(-4, 4))
    spread = build.hip * dice.uniform(0.5, 0.8)
    legs = (
        _span((-build.hip * 0.45, hip[1] - 0.01), (-spread, -0.016), (-0.028, -0.02)),
        _span((build.hip * 0.45, hip[1] - 0.01), (spread, -0.016), (0.028, -0.02)),
    )
    lap = (build.hip * 0.62, hip[1] - 0.03)
    return Pose(
        hip=hip, neck=neck, head=head,
        tilt=dice.normal(0, 5), turn=dice.uniform(-0.4, 0.7),
        arms=(
            _span(far, (-lap[0], lap[1]), (-0.05, 0.0), front=True),
            _span(near, lap, (0.05, 0.0), front=True),
        ),
        legs=legs, stance="seated",
    )  # fmt: skip


def _reads(build: Build, dice: Dice) -> Pose:
    base = _seated(build, dice) if dice.chance(0.4) else _stand(build, dice)
    book = book_place(base, build)
    far, near = (arm.start for arm in base.arms)
    return replace(
        base,
        tilt=dice.uniform(-5, 7),
        turn=dice.uniform(-0.15, 0.25),
        arms=(
            _span(far, (book[0] - 0.1, book[1] + 0.03), (-0.05, 0.03), front=True),
            _span(near, (book[0] + 0.1, book[1] + 0.03), (0.05, 0.03), front=True),
        ),
        eyes="down",
    )


def book_place(pose: Pose, build: Build) -> Point:
    """Return where a reader holds the middle of the book."""
    return pose.neck[0], pose.neck[1] + build.head_ry * 0.16 + 0.084


def _sleeps(build: Build, dice: Dice) -> Pose:
    thick = build.hip * 0.92
    hip = (-0.07, -thick)
    neck, head, far, near = _spine(build, hip, 90 - dice.uniform(2, 10))
    head = (head[0] - 0.005, min(head[1], -build.head_rx * 0.98) - 0.02)
    knee = dice.uniform(0.02, 0.06)
    reach = build.leg + 0.05
    legs = (
        _span((hip[0], hip[1] - thick * 0.3), (hip[0] - reach, -0.05), (0.0, -knee)),
        _span((hip[0], hip[1] + thick * 0.35), (hip[0] - reach * 0.94, -0.032), (0.0, -knee * 0.4)),
    )
    middle = (hip[0] + build.torso * 0.35, hip[1] + dice.uniform(-0.01, 0.03))
    return Pose(
        hip=hip, neck=neck, head=head,
        tilt=dice.uniform(46, 66), turn=dice.uniform(-0.1, 0.3),
        arms=(
            _span(far, (middle[0] + 0.03, middle[1] - 0.015), (0.0, -0.03), front=True),
            _span(near, (middle[0], middle[1] + 0.03), (0.02, 0.02), front=True),
        ),
        legs=legs, toes=(-0.2, -0.2), stance="lying", eyes="closed",
        mouth="open" if dice.chance(0.15) else "sleepy",
    )  # fmt: skip


def _holds_a_balloon(build: Build, dice: Dice) -> Pose:
    base = _stand(build, dice)
    shoulder = base.arms[1].start
    raised = _reach(shoulder, dice.uniform(92, 122), build.arm * 1.02, dice.uniform(0.02, 0.05))
    return replace(base, arms=(base.arms[0], raised), turn=dice.uniform(0.0, 0.6))


_POSES: dict[str, Callable[[Build, Dice], Pose]] = {
    "walks": _walks,
    "waves": _waves,
    "jumps": _jumps,
    "sits": _sits,
    "reads": _reads,
    "sleeps": _sleeps,
    "holds a balloon": _holds_a_balloon,
}
