"""The ordinary forest and the enchanted one."""

from __future__ import annotations

from storybook.illustrator.forms import limb
from storybook.illustrator.palette import Colour, darker, hexed, lighter
from storybook.illustrator.scenery import (
    BARK,
    LEAVES,
    bush,
    grove,
    hills,
    mushroom,
    pine,
    stone,
    tree,
    tuft,
    twisted_tree,
)
from storybook.illustrator.stage import Stage

_CAPS = (hexed("ff5fa2"), hexed("3fe0d0"), hexed("ffae42"), hexed("b06bff"))


def forest(stage: Stage) -> None:
    """Draw green trees with straight brown trunks, near and far."""
    dice = stage.dice
    horizon = dice.uniform(0.55, 0.62)
    grove(stage, horizon, 0.17, LEAVES, 0.5)
    _trunks(stage, horizon)
    stage.mist(horizon)
    floor = hills(stage, horizon + 0.03, hexed("86a84e"), swing=0.015)
    for x in (0.46, 0.60, 0.92, 0.74):
        across = x + dice.uniform(-0.06, 0.06)
        kind = pine if dice.chance(0.4) else tree
        kind(stage, (across, floor(across) + 0.02), dice.uniform(0.32, 0.42), distance=0.28)
    middle = hills(stage, 0.73, hexed("6f9a45"), swing=0.012)
    for x, height in ((dice.uniform(0.70, 0.78), 0.54), (dice.uniform(0.16, 0.23), 0.40)):
        tree(
            stage,
            (x, middle(x) + 0.02),
            height * dice.uniform(0.9, 1.1),
            hexed("58a046"),
            distance=0.1,
            width=0.25,
        )
    _tall_tree(stage, dice.uniform(0.89, 0.96), dice.uniform(0.82, 0.88), dice.uniform(0.88, 0.97))
    _tall_tree(stage, dice.uniform(0.02, 0.07), dice.uniform(0.80, 0.86), dice.uniform(0.60, 0.70))
    bush(stage, (dice.uniform(0.70, 0.78), 0.82), 0.16, hexed("5d9a3f"))
    stone(stage, (dice.uniform(0.18, 0.26), 0.86), 0.10)
    for x, height in ((0.05, 0.12), (0.24, 0.07), (0.78, 0.07), (0.95, 0.11)):
        spot = (x + dice.uniform(-0.04, 0.04), 1.0)
        tuft(stage, spot, height * dice.uniform(0.9, 1.2), stage.land(hexed("4f8236"), 0.45))


def _trunks(stage: Stage, horizon: float) -> None:
    for index in range(7):
        x = (index + stage.dice.uniform(0.2, 0.8)) / 7
        trunk = limb([(x, horizon + 0.08), (x, horizon - 0.10)], 0.022, 0.016)
        stage.detail(trunk, stage.far(BARK, 0.35))


def _tall_tree(stage: Stage, x: float, foot: float, height: float) -> None:
    tree(stage, (x, foot), height, hexed("458a3b"), width=stage.dice.uniform(0.24, 0.29))


def enchanted_forest(stage: Stage) -> None:
    """Draw winding violet and teal trees, curling branches and glowing toadstools."""
    dice = stage.dice
    horizon = dice.uniform(0.54, 0.62)
    violet, teal = stage.shade(hexed("6a45a8"), 1.5), stage.shade(hexed("2fa7a0"), 1.5)
    grove(stage, horizon, 0.20, hexed("7f6fd0"), 0.35, count=7)
    stage.glow((0.5, horizon), 0.45, hexed("b8fff0"), 0.55)
    stage.mist(horizon)
    hills(stage, horizon + 0.05, hexed("4f86b0"), swing=0.03)
    for x in (dice.uniform(0.22, 0.30), dice.uniform(0.66, 0.74)):
        _wizard(stage, x, horizon + 0.12, dice.uniform(0.34, 0.40), lighter(violet, 0.25), teal)
    hills(stage, 0.76, hexed("3f6f9a"), swing=0.02)
    _wizard(stage, dice.uniform(0.84, 0.92), 0.86, dice.uniform(0.70, 0.78), violet, teal)
    pink = stage.shade(hexed("b35fd0"), 1.5)
    _wizard(
        stage, dice.uniform(0.04, 0.12), 0.84, dice.uniform(0.46, 0.54), darker(violet, 0.15), pink
    )
    for x, size in ((0.26, 0.11), (0.72, 0.13), (0.12, 0.09), (0.93, 0.08)):
        across = x + dice.uniform(-0.04, 0.04)
        mushroom(
            stage,
            (across, dice.uniform(0.86, 0.95)),
            size * dice.uniform(0.85, 1.15),
            stage.shade(dice.pick(_CAPS)),
        )


def _wizard(
    stage: Stage, x: float, foot: float, height: float, bark: Colour, leaves: Colour
) -> None:
    swing = height * stage.dice.uniform(0.12, 0.2) * (1 if stage.dice.chance(0.5) else -1)
    twisted_tree(stage, (x, foot), height, bark, leaves, lean=swing)
