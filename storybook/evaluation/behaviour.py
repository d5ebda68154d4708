"""How a model behaves: with other schedulers, with negative prompts, from one seed to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.capture.run import scheduled
from explainer.stages import originality
from explainer.stages.originality import MEASURES
from storybook import captions
from storybook.dataset import retold
from storybook.evaluation.copying import Index
from storybook.evaluation.examine import words_to_pictures
from storybook.evaluation.loading import picture_size
from storybook.evaluation.metrics import Tally
from storybook.evaluation.painting import Progress, Settings, paint
from storybook.evaluation.prompts import REPORTED, Prompts, of_seen_pairs
from storybook.illustrator import draw

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from storybook.evaluation.clip_pair import ClipPair
    from storybook.evaluation.judge import Judge

SCHEDULERS = {
    "DDPM": "DDPMScheduler",
    "DDIM": "DDIMScheduler",
    "Euler": "EulerDiscreteScheduler",
    "Euler ancestral": "EulerAncestralDiscreteScheduler",
    "DPM++ 2M": "DPMSolverMultistepScheduler",
    "UniPC": "UniPCMultistepScheduler",
}
"""The scheduler's usual name, and its class in diffusers."""

LENGTHS = (25, 10)
"""The numbers of steps to try."""

LEFT_OPEN: dict[str, captions.Table] = {"style": captions.STYLE, "time": captions.TIME}
"""What a prompt may leave open, and the words that a negative prompt takes for it."""

SEEDS = 16
"""Pictures of one prompt that are compared with each other."""


def measure(
    pipe: StableDiffusionPipeline,
    judge: Judge,
    clip: ClipPair,
    count: int,
    settings: Settings,
    progress: Progress,
) -> dict[str, Any]:
    """Measure all of it.

    Args:
        pipe: the model.
        judge: who looks at its pictures.
        clip: whose eyes measure how far pictures are apart.
        count: prompts for each scheduler and for negative prompts; an eighth, at least two, are
            drawn with many seeds.
        settings: how to make pictures.
        progress: told how far it is.
    """
    prompts = of_seen_pairs(count)
    return {
        "schedulers": schedulers(pipe, judge, prompts, settings, progress),
        "negative": {
            name: negative_prompts(pipe, judge, name, count, settings, progress)
            for name in LEFT_OPEN
        },
        "seeds": seeds(pipe, clip, max(2, count // 8), settings, progress),
    }


def schedulers(
    pipe: StableDiffusionPipeline,
    judge: Judge,
    prompts: Prompts,
    settings: Settings,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Return what the judge finds of what prompts name, by scheduler and number of steps."""
    rows = []
    for name, kind in SCHEDULERS.items():
        for steps in LENGTHS:
            so_many = replace(settings, steps=steps)
            with scheduled(pipe, kind):
                found, _ = words_to_pictures(pipe, judge, prompts, so_many, progress)
            rows.append({"scheduler": name, "steps": steps, **found})
    return rows


def open_prompts(name: str, count: int) -> Prompts:
    """Return held-out prompts of seen pairs that leave an attribute open."""
    tries = 4 * count
    while len(found := _leaving_open(name, tries)) < count:
        tries *= 2
    return found[:count]


def _leaving_open(name: str, tries: int) -> Prompts:
    prompts = of_seen_pairs(tries)
    return [
        (caption, shown)
        for caption, shown in prompts
        # "Snowy mountains" name a place, and yet they tell the weather.
        if name not in caption.names and not (name == "time" and "snowy" in caption.text)
    ]


def negative_prompts(
    pipe: StableDiffusionPipeline,
    judge: Judge,
    name: str,
    count: int,
    settings: Settings,
    progress: Progress,
) -> dict[str, Any]:
    """Return how often a picture still shows what the negative prompt names.

    Prompts that leave ``name`` open are drawn without a negative prompt, and the judge says what
    each shows. Then each is drawn twice more, with the same seed: with a negative prompt that
    names what was shown, and with one that names another value. The latter tells how much any
    negative prompt changes.

    Returns:
        The tallies ``named`` and ``another``: pictures that still show what the first one showed;
        and for each value in ``values``, as counts, the pictures that showed it (``drawn``) and
        those that still do.
    """
    words = LEFT_OPEN[name]
    values = list(words)
    texts = [caption.text for caption, _ in open_prompts(name, count)]

    def seen(negatives: list[str] | None) -> list[str]:
        pictures = paint(pipe, texts, settings, progress, negatives)
        return [verdict[name] for verdict in judge.look(pictures)]

    first = seen(None)
    others = [values[(values.index(value) + 1) % len(values)] for value in first]
    kept = {
        key: [a == b for a, b in zip(first, seen([words[value][0] for value in told]), strict=True)]
        for key, told in (("named", first), ("another", others))
    }
    by_value = {
        value: {
            "drawn": first.count(value),
            **{
                key: sum(still for still, was in zip(row, first, strict=True) if was == value)
                for key, row in kept.items()
            },
        }
        for value in values
    }
    return {**{k: Tally(sum(row), count).as_json() for k, row in kept.items()}, "values": by_value}


def telling_prompts(count: int) -> Prompts:
    """Return held-out prompts of seen pairs that name all that the judge can see."""
    told = {"who", "place", "time", "style", "colour", "action"}
    tries = 4 * count
    while True:
        found = [
            (caption, shown)
            for caption, shown in of_seen_pairs(tries)
            if caption.names >= (told | {"hair"} if shown.hair else told)
        ]
        if len(found) >= count:
            return found[:count]
        tries *= 2


def seeds(
    pipe: StableDiffusionPipeline,
    clip: ClipPair,
    prompts: int,
    settings: Settings,
    progress: Progress,
) -> dict[str, Any]:
    """Return how far pictures of one prompt are apart that differ in nothing but the seed.

    Held against drawings of what the prompt says that differ in all that it leaves open, and
    against pictures of different prompts.

    Args:
        pipe: the model.
        clip: whose eyes to compare with.
        prompts: how many prompts, each drawn with :data:`SEEDS` seeds.
        settings: how to make pictures.
        progress: told how far it is.

    Returns:
        By ``clip`` and by ``pixels``, see :mod:`explainer.stages.originality`, for the pairs of
        ``seeds``, ``drawings`` and ``prompts`` the mean distance, the quantiles at 5 and 95 in
        100, and the least.
    """
    told = telling_prompts(prompts)
    texts = [caption.text for caption, _ in told for _ in range(SEEDS)]
    made = paint(pipe, texts, settings, progress)
    size = picture_size(pipe)
    drawn = np.stack(
        [draw(retold(*one, REPORTED, take), size) for one in told for take in range(SEEDS)]
    )
    model, drawings = (Index.of(pictures, clip).described for pictures in (made, drawn))
    which = np.repeat(np.arange(prompts), SEEDS)
    same = which[:, None] == which
    once = np.triu(np.ones_like(same), 1)
    apart, usual = originality.distances(model, model), originality.distances(drawings, drawings)
    compared = {
        measure: {
            "seeds": _spread(apart[measure][same & once]),
            "drawings": _spread(usual[measure][same & once]),
            "prompts": _spread(apart[measure][~same & once]),
        }
        for measure in MEASURES
    }
    return {"of": prompts, "each": SEEDS, **compared}


def _spread(distances: np.ndarray) -> dict[str, float]:
    low, high = np.quantile(distances, (0.05, 0.95))
    found = {"mean": distances.mean(), "low": low, "high": high, "least": distances.min()}
    return {name: round(float(value), 4) for name, value in found.items()}
