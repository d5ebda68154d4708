"""What tests about copies share: weights that tell what they were trained on, and findings."""

import json

import numpy as np

from explainer.stages.originality import Neighbour
from explainer.stages.originality_findings import (
    Combination,
    Findings,
    Group,
    Lesson,
    Pair,
    Twin,
)
from storybook import world
from tests.synthetic import webp

PICTURES, SIZE = 150, 32


def trained_folder(folder):
    """A folder as training leaves it: a tiny image encoder, and what it was trained on."""
    import torch
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=SIZE,
        patch_size=8,
        projection_dim=30,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = CLIPVisionModelWithProjection(config)
    encoder.save_pretrained(folder / "image_encoder")
    CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size=SIZE).save_pretrained(
        folder / "feature_extractor"
    )
    trained = {"world": world.WORLD_VERSION, "preset": {"pictures": PICTURES, "size": SIZE}}
    (folder / "training.json").write_text(json.dumps(trained))
    return folder


def picture(level=0):
    return webp(np.full((SIZE, SIZE, 3), level, np.uint8))


def make_group(*distances, anew=False, among=(0.3, 0.2)):
    pairs = tuple(
        Pair(one, number, anew=number)
        if anew
        else Pair(one, number, prompt=f"prompt {number}", picture=picture(number))
        for number, one in enumerate(sorted(distances)[:2])
    )
    return Group(
        {"clip": distances, "pixels": tuple(2 * one for one in distances)},
        {"clip": among, "pixels": among},
        {"clip": pairs, "pixels": pairs[:1]},
    )


def make_findings(**changes):
    values = {
        "fingerprint": "abc",
        "trained": 150,
        "size": SIZE,
        "recall": {"clip": 1.0, "pixels": 1.0},
        "suspicious": {"clip": 0.15, "pixels": 0.3},
        "nearest": {
            "clip": tuple(Neighbour(number, 0.1 * number) for number in range(2, 7)),
            "pixels": tuple(Neighbour(number, 0.05 * number) for number in range(7, 12)),
        },
        "drawings": make_group(0.2, 0.4, 0.1, 0.3, anew=True),
        "generated": make_group(0.25, 0.35),
        "copies": make_group(0.02, 0.03, among=()),
        "again": ("a" * 16, "a" * 16, "b" * 16),
        "first": picture(30),
        "other": picture(90),
        "apart": 2000,
        "combinations": tuple(
            Combination(
                (who, "beach"),
                (10, 20, 0),
                f"a {who} on the beach",
                number,
                picture(number),
                (True, False),
                Neighbour(number, 0.5),
            )
            for number, who in enumerate(("fox", "bear"))
        ),
    }
    return Findings(**{**values, **changes})


def make_twin():
    lessons = tuple(
        Lesson(n, f"prompt {n}", n, picture(1), picture(2), {"clip": (0.5, 0.1), "pixels": (1, 0)})
        for n in range(3)
    )
    return Twin("abc", 32, 600, make_group(0.01, 0.02, among=()), lessons)
