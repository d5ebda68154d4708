"""Walks: their ends are the known pictures, their lengths follow the closed forms."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, LCMScheduler
from PIL import Image

from explainer.capture import record
from explainer.parameters import RunParameters
from explainer.stages import latent, walk
from explainer.stages.walk import BLENDED, IN_LATENTS, IN_PIXELS, SPHERICAL, STRAIGHT, Watch
from tests import tiny

BASE = RunParameters(prompt="a fox on the beach", seed=3, steps=2, guidance_scale=3.0)
ASKED = [{}, {"scheduler": "EulerDiscreteScheduler"}, {"weights": (("fox", 0.0), ("beach", 2.0))}]
"""What a run may be asked for besides, which its walks keep."""


@pytest.fixture(scope="module")
def pipe():
    return tiny.stable_diffusion()


def noises():
    return [
        np.random.default_rng(seed).normal(size=(8, 8, 8)).astype(np.float32) for seed in (1, 2)
    ]


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)


def near(data, picture):
    """The same picture but for what WebP at this quality loses of noise."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=85)
    np.testing.assert_array_equal(pixels(data), pixels(file.getvalue()))


def picture_of(pipe, parameters):
    return np.asarray(record(pipe, **parameters.arguments(), previews=False).image())


def test_between_latents_lengths_and_ends(pipe):
    a, b = noises()
    seen = []
    found = walk.between_latents(pipe, a, b, Watch(on_step=seen.append))
    assert seen == list(range(1, walk.steps_of("latents", 9) + 1))
    for way in (STRAIGHT, SPHERICAL):
        near(found.pictures[way][0], latent.decode(pipe, a))
        near(found.pictures[way][-1], latent.decode(pipe, b))
    middle = walk.PLACES // 2
    near(found.pictures[STRAIGHT][middle], latent.decode(pipe, (a + b) / 2))
    size = [float(np.sqrt((one**2).mean())) for one in (a, b)]
    assert found.lengths[STRAIGHT][middle] == pytest.approx(np.sqrt((((a + b) / 2) ** 2).mean()))
    # Two noises are nearly at right angles: half-way the straight line lost nearly 30 %.
    assert found.lengths[STRAIGHT][middle] < 0.8 * min(size)
    assert found.lengths[SPHERICAL][middle] > 0.95 * min(size)


@pytest.mark.parametrize("asked", ASKED)
def test_between_noises_ends_are_the_runs_of_the_seeds(pipe, asked):
    seen, base = [], replace(BASE, **asked)
    found = walk.between_noises(pipe, base, 4, Watch(on_step=seen.append))
    assert max(seen) == walk.steps_of("noises", BASE.steps)
    assert sorted(set(seen)) == list(range(1, max(seen) + 1))
    for place, seed in ((0, 3), (-1, 4)):
        near(found.pictures[STRAIGHT][place], picture_of(pipe, replace(base, seed=seed)))
    with pytest.raises(ValueError, match="another seed"):
        walk.between_noises(pipe, BASE, 3)


@pytest.mark.parametrize("asked", [None, "EulerAncestralDiscreteScheduler"])
def test_a_walk_between_noises_adds_none_on_the_way_where_the_model_can_do_without(asked):
    pipe = tiny.stable_diffusion()
    pipe.scheduler = DDPMScheduler.from_config(pipe.scheduler.config)
    found = walk.between_noises(pipe, replace(BASE, scheduler=asked), 4)
    assert type(pipe.scheduler) is DDPMScheduler
    for place, seed in ((0, 3), (-1, 4)):
        asked = {"seed": seed, "steps": 2, "guidance_scale": 3.0, "scheduler": "DDIMScheduler"}
        run = record(pipe, BASE.prompt, previews=False, **asked)
        near(found.pictures[STRAIGHT][place], np.asarray(run.image()))


def test_noise_that_the_scheduler_adds_is_the_first_runs_at_every_place():
    pipe = tiny.stable_diffusion()
    pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
    run = record(pipe, BASE.prompt, seed=3, steps=2, guidance_scale=3.0, previews=False)
    walks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        walks.append(walk.between_noises(pipe, BASE, 4))
    assert walks[0].pictures == walks[1].pictures
    near(walks[0].pictures[STRAIGHT][0], np.asarray(run.image()))


@pytest.mark.parametrize("asked", ASKED)
def test_between_prompts_ends_are_the_runs_of_the_prompts(pipe, asked):
    base, second = replace(BASE, **asked), "an old bear on the beach reads a book"
    found = walk.between_prompts(pipe, base, second)
    (pictures,) = found.pictures.values()
    kept = tuple((word, weight) for word, weight in base.weights if word in second.split())
    near(pictures[0], picture_of(pipe, base))
    near(pictures[-1], picture_of(pipe, replace(base, prompt=second, weights=kept)))
    assert found.places[3] == "50% of the second sentence"
    with pytest.raises(ValueError, match="are the same"):
        walk.between_prompts(pipe, BASE, BASE.prompt + " ")


def test_the_same_share_of_noise_in_pixels_and_in_latents(pipe):
    picture = np.random.default_rng(0).integers(96, 160, (16, 16, 3), dtype=np.uint8)
    found = walk.into_noise(pipe, picture)
    near(found.pictures[IN_PIXELS][0], picture)
    near(found.pictures[IN_LATENTS][0], latent.round_trip(pipe, picture).after)
    assert found.places[4] == "50% noise"
    # Noise is added at the picture's own strength, so that its contrast stays.
    spreads = [pixels(one).std() for one in found.pictures[IN_PIXELS]]
    assert max(spreads) < 1.5 * min(spreads)


def test_a_walk_is_kept_as_json(pipe):
    found = walk.between_latents(pipe, *noises())
    again = walk.Walk.of_plain(json.loads(json.dumps(found.plain())))
    assert (again.places, again.pictures, again.lengths) == (
        found.places,
        found.pictures,
        found.lengths,
    )


def test_a_walk_can_be_stopped(pipe):
    stop = Watch(cancelled=lambda: True)
    picture = np.zeros((16, 16, 3), np.uint8)
    assert walk.between_latents(pipe, *noises(), stop) is None
    assert walk.between_noises(pipe, BASE, 4, stop) is None
    assert walk.between_prompts(pipe, BASE, "a bear", stop) is None
    assert walk.into_noise(pipe, picture, stop) is None


@pytest.mark.parametrize("family", ["stable_diffusion_xl", "stable_diffusion_3", "flux"])
def test_other_families_walk_from_run_to_run_too(family):
    pipe = getattr(tiny, family)()

    def run(prompt, seed):
        trace = record(pipe, prompt, seed=seed, steps=2, guidance_scale=3.0, previews=False)
        return np.asarray(trace.image())

    found = walk.between_noises(pipe, BASE, 4)
    prompts = walk.between_prompts(pipe, BASE, "a bear")
    for place, seed, prompt in ((0, 3, BASE.prompt), (-1, 4, "a bear")):
        near(found.pictures[STRAIGHT][place], run(BASE.prompt, seed))
        near(prompts.pictures[BLENDED][place], run(prompt, 3))
    channels = pipe.vae.config.latent_channels
    ends = torch.randn(2, channels, 8, 8).numpy()
    assert walk.between_latents(pipe, *ends) is not None


def test_masks_let_through_what_either_sentence_has():
    one, other = torch.tensor([1, 1, 0, 0]), torch.tensor([1, 1, 1, 0])
    assert walk._blend(one, other, 0.5).tolist() == [1, 1, 1, 0]
    assert walk._blend(None, None, 0.5) is None
    half = walk._blend(torch.zeros(2, dtype=torch.bfloat16), torch.ones(2), 0.5)
    assert half.dtype == torch.bfloat16
    assert half.tolist() == [0.5, 0.5]


def test_a_pipeline_that_nobody_knows_is_told():
    with pytest.raises(ValueError, match="Nobody knows the denoiser"):
        walk.between_noises(object(), BASE, 4)
