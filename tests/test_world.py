"""The world's numbers: the same scene everywhere, forever; unseen pairs really unseen."""

import pytest

from storybook.dice import Dice
from storybook.world import (
    ACTIONS,
    COLOURS,
    HAIR,
    MOODS,
    NEVER_TOGETHER,
    PEOPLE,
    PLACES,
    STYLES,
    TIMES,
    WHO,
    WORLD_VERSION,
    Scene,
    scene,
)


def test_dice_fall_as_they_always_did():
    dice = Dice("golden")
    assert [round(dice.uniform(), 6) for _ in range(2)] == [0.811302, 0.486018]
    assert round(dice.normal(), 6) == 0.678472
    rolls = dice.integer(1, 6), dice.pick("abcdef"), dice.weighted("xyz", (1, 2, 3))
    assert (*rolls, dice.chance(0.5)) == (3, "f", "y", True)


def test_split_dice_are_their_own():
    rolled, unrolled = Dice("golden"), Dice("golden")
    rolled.uniform()
    first = unrolled.split("a").uniform()
    assert round(first, 6) == 0.67868
    assert first == rolled.split("a").uniform() != rolled.split("b").uniform()


def test_dice_keep_to_their_bounds_and_weights():
    dice = Dice("bounds")
    rolls = [dice.integer(1, 6) for _ in range(6000)]
    assert set(rolls) == set(range(1, 7))
    assert all(850 < rolls.count(side) < 1150 for side in range(1, 7))
    picks = [dice.weighted("ab", (0.9, 0.1)) for _ in range(5000)]
    assert 0.88 < picks.count("a") / 5000 < 0.92
    assert all(-2 <= dice.uniform(-2, 3) <= 3 for _ in range(100))
    normals = [dice.normal(5, 2) for _ in range(5000)]
    assert sum(normals) / 5000 == pytest.approx(5, abs=0.15)
    assert sum((x - 5) ** 2 for x in normals) / 5000 == pytest.approx(4, abs=0.4)


GOLDEN = (
    (0, "train", Scene(0, "girl", "green", "dress", "walks", "harbour", "day", "oil painting",
                       "plain", "blonde", "plaits", "dark")),
    (7, "train", Scene(14, "woman", "black", "cape", "waves", "forest", "snow", "watercolour",
                       "picturesque", "blonde", "long", "light")),
    (99_999, "train", Scene(199_998, "penguin", "pink", "jumper", "walks", "city", "fog",
                            "pencil sketch")),
    (0, "heldout", Scene(1, "grandmother", "purple", "dress", "jumps", "harbour", "fog",
                         "watercolour", "plain", "grey", "short", "tan")),
)  # fmt: skip


@pytest.mark.parametrize(("number", "split", "expected"), GOLDEN)
def test_a_number_stands_for_the_same_scene_forever(number, split, expected):
    assert WORLD_VERSION == 2, "another version needs other golden scenes"
    assert scene(number, split) == expected


def test_no_training_scene_holds_an_unseen_pair():
    shown = [scene(number) for number in range(3000)]
    for (a, x), (b, y) in NEVER_TOGETHER:
        assert not any(getattr(s, a) == x and getattr(s, b) == y for s in shown), (x, y)
        # Both halves are there, so that the model can be asked to combine them.
        assert any(getattr(s, a) == x for s in shown)
        assert any(getattr(s, b) == y for s in shown)


def test_held_out_scenes_hold_unseen_pairs():
    shown = [scene(number, "heldout") for number in range(600)]
    assert 0.03 < sum(s.is_unseen() for s in shown) / 600 < 0.2


def test_held_out_numbers_are_no_training_numbers():
    trained = {scene(number).number for number in range(500)}
    heldout = {scene(number, "heldout").number for number in range(500)}
    assert len(trained) == len(heldout) == 500
    assert not trained & heldout


def test_everything_in_the_world_is_shown():
    shown = [scene(number) for number in range(1500)]
    for name, options in (
        ("who", WHO), ("colour", COLOURS), ("action", ACTIONS), ("place", PLACES),
        ("time", TIMES), ("style", STYLES), ("mood", MOODS),
    ):  # fmt: skip
        assert {getattr(s, name) for s in shown} == set(options)
    assert {s.hair for s in shown if s.who in PEOPLE} == set(HAIR)


def test_animals_have_neither_hair_nor_skin_and_people_have_both():
    for shown in map(scene, range(300)):
        looks = shown.hair, shown.hairstyle, shown.skin
        assert all(looks) if shown.who in PEOPLE else not any(looks)


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="start at 0, got -1"):
        scene(-1)
