"""A sketch through diffusers' own image-to-image pipelines, of every family that has one."""

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionImg2ImgPipeline
from PIL import Image

from explainer.stages import latent, sketch
from tests import tiny

PROMPT = "a fox on the beach"
OPTIONS = {"steps": 4, "strength": 0.5, "guidance_scale": 3.0, "seed": 5}


def drawing(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def pipe():
    return tiny.stable_diffusion()


def test_it_is_the_picture_of_diffusers_own_pipeline(pipe):
    found = sketch.redraw(pipe, drawing(), PROMPT, **OPTIONS)
    theirs = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    theirs.set_progress_bar_config(disable=True)
    wanted = theirs(
        prompt=PROMPT,
        image=Image.fromarray(drawing()),
        strength=0.5,
        num_inference_steps=4,
        guidance_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(5),
    ).images[0]
    np.testing.assert_array_equal(found.picture, np.asarray(wanted))
    assert found.steps == 2


def test_the_state_to_begin_with_is_noised_as_the_schedule_says(pipe):
    found = sketch.redraw(pipe, drawing(), PROMPT, **OPTIONS)
    dice = torch.Generator("cpu").manual_seed(5)
    pixels = torch.from_numpy(drawing()).permute(2, 0, 1)[None].float() / 127.5 - 1
    clean = pipe.vae.encode(pixels).latent_dist.sample(dice) * pipe.vae.config.scaling_factor
    pipe.scheduler.set_timesteps(4)
    noise = torch.randn(clean.shape, generator=dice)
    state = pipe.scheduler.add_noise(clean, noise, pipe.scheduler.timesteps[2:3])
    shown = latent.decode(pipe, state[0].detach())
    np.testing.assert_allclose(found.noised, shown, atol=1)


@pytest.mark.parametrize("family", ["stable_diffusion_xl", "stable_diffusion_3", "flux"])
def test_other_families_redraw_too(family):
    found = sketch.redraw(getattr(tiny, family)(), drawing(), PROMPT, **OPTIONS)
    assert found.picture.shape == found.noised.shape == (16, 16, 3)


def test_a_family_without_one_says_so():
    with pytest.raises(ValueError, match="PixArtSigmaPipeline"):
        sketch.redraw(tiny.pixart(), drawing(), PROMPT, **OPTIONS)


def test_schedulers_that_hold_larger_states_show_what_the_denoiser_sees():
    pipe = tiny.stable_diffusion()
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    whole = sketch.redraw(pipe, drawing(), PROMPT, **{**OPTIONS, "strength": 1.0})
    assert whole.steps == 4
    # All noise, of unit variance: far from the 14 times larger state that Euler holds.
    static = latent.decode(pipe, np.random.default_rng(0).normal(size=(8, 8, 8)))
    assert abs(whole.noised.astype(float).std() - static.astype(float).std()) < 12


@pytest.mark.parametrize(("strength", "steps"), [(0.0, 25), (0.1, 5), (1.5, 25), (float("nan"), 4)])
def test_a_strength_that_leaves_nothing_to_do_is_told(pipe, strength, steps):
    with pytest.raises(ValueError, match="Choose a strength"):
        sketch.redraw(pipe, drawing(), PROMPT, strength=strength, steps=steps)


def test_a_run_can_be_watched_and_stopped(pipe):
    seen = []
    sketch.redraw(pipe, drawing(), PROMPT, on_step=lambda *done: seen.append(done), **OPTIONS)
    assert seen == [(1, 2), (2, 2)]
    seen.clear()
    stopped = sketch.redraw(
        pipe,
        drawing(),
        PROMPT,
        on_step=lambda *done: seen.append(done),
        cancelled=lambda: True,
        **OPTIONS,
    )
    assert stopped is None
    assert seen == [(1, 2)]
