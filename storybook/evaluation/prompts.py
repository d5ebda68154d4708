"""Prompts that training never showed: of pairs that it showed, of others, and in free wording."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from storybook.captions import Caption, heldout_prompts
from storybook.world import NEVER_TOGETHER, Scene, scene

Prompts = list[tuple[Caption, Scene]]

FREE_WORDING = Path(__file__).with_name("free_wording.json")
_ANY_SCENE = scene(0)


def of_seen_pairs(count: int) -> Prompts:
    """Return held-out prompts whose scenes hold only pairs that training shows."""
    return heldout_prompts(count, unseen=False)


def of_unseen_pairs(count: int) -> Prompts:
    """Return held-out prompts that name both halves of a pair that training never shows."""
    tries = count
    while len(found := [p for p in heldout_prompts(tries, unseen=True) if _names_pair(p)]) < count:
        tries *= 2
    return found[:count]


def _names_pair(prompt: tuple[Caption, Scene]) -> bool:
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
