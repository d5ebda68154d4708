"""Prompts for scenes that training never showed: of seen pairs, of others, in free wording."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from storybook.captions import Caption, heldout_prompts
from storybook.world import NEVER_TOGETHER, Scene, scene

Prompts = list[tuple[Caption, Scene]]

REPORTED = 10_000
"""Held-out scenes from this number on are for the report alone.

Whatever was chosen, a setting, a loss, a checkpoint, was chosen by scenes before it.
"""

JUDGES = 1_000_000
"""Held-out scenes from this number on are the judge's to learn from.

Like all held-out scenes they hold the pairs, too, that training never shows: a judge who had never
seen them either would blame a model that draws them well.
"""

FREE_WORDING = Path(__file__).with_name("free_wording.json")
_ANY_SCENE = scene(0)


def judges_scene(number: int) -> Scene:
    """Return the scene of the judge's drawing ``number``, counted from 0."""
    return scene(JUDGES + number, "heldout")


def of_seen_pairs(count: int) -> Prompts:
    """Return held-out prompts whose scenes hold only pairs that training shows."""
    return heldout_prompts(count, first=REPORTED, unseen=False)


def of_unseen_pairs(count: int) -> Prompts:
    """Return held-out prompts that name both halves of a pair that training never shows."""
    tries = count
    while True:
        tried = heldout_prompts(tries, first=REPORTED, unseen=True)
        found = [prompt for prompt in tried if names_pair(prompt)]
        if len(found) >= count:
            return found[:count]
        tries *= 2


def names_pair(prompt: tuple[Caption, Scene]) -> bool:
    """Tell whether a prompt names both halves of a pair that training never shows."""
    caption, shown = prompt
    return any(
        getattr(shown, a) == x and getattr(shown, b) == y and {a, b} <= caption.names
        for (a, x), (b, y) in NEVER_TOGETHER
    )


def in_free_wording() -> Prompts:
    """Return the prompts in free wording: written by somebody who had not seen any caption.

    Each with the scene that it means; what it leaves open counts for nothing.
    """
    written = json.loads(FREE_WORDING.read_text())
    return [
        (Caption(one["text"], frozenset(one["names"])), replace(_ANY_SCENE, **one["names"]))
        for one in written
    ]
