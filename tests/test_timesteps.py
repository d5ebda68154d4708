"""Every number of steps that may be asked for gets that many timesteps, each one of the model's."""

from __future__ import annotations

import numpy as np
import pytest
from diffusers import DPMSolverMultistepScheduler

from explainer import models
from explainer.capture.run import record, scheduled
from explainer.capture.timesteps import exact
from explainer.parameters import MAX_STEPS
from storybook.training.denoiser import noise_scheduler
from tests import tiny

OF_ONE_CALL_A_STEP = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "LMSDiscreteScheduler",
    "UniPCMultistepScheduler",
)
OF_SEVERAL = ("HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler")
ONE_TOO_MANY = (61, 103, 121, 122)
"""Where diffusers' own has a timestep of -1."""


def timesteps(scheduler, steps):
    scheduler.set_timesteps(steps)
    return scheduler.timesteps.numpy()


@pytest.fixture(scope="module")
def pipe():
    made = tiny.stable_diffusion()
    made.scheduler = exact(noise_scheduler())
    return made


@pytest.mark.parametrize("name", OF_ONE_CALL_A_STEP)
def test_there_are_as_many_as_asked_for_and_none_below_zero(pipe, name):
    with scheduled(pipe, name):
        for steps in range(1, MAX_STEPS + 1):
            found = timesteps(pipe.scheduler, steps)
            assert len(found) == steps
            assert found.min() >= 0
            assert (np.diff(found) < 0).all()
            if hasattr(pipe.scheduler, "sigmas"):
                assert len(pipe.scheduler.sigmas) == steps + 1


@pytest.mark.filterwarnings("ignore:__array_wrap__")  # KDPM2's, in diffusers itself
@pytest.mark.parametrize("name", OF_SEVERAL)
def test_schedulers_that_ask_twice_a_step_have_none_below_zero(pipe, name):
    with scheduled(pipe, name):
        for steps in ONE_TOO_MANY:
            found = timesteps(pipe.scheduler, steps)
            assert len(found) == 2 * steps - 1
            assert found.min() >= 0


def test_where_diffusers_is_right_nothing_changes():
    plain, mended = noise_scheduler(), exact(noise_scheduler())
    for steps in set(range(1, MAX_STEPS + 1)).difference(ONE_TOO_MANY):
        np.testing.assert_array_equal(timesteps(mended, steps), timesteps(plain, steps))
    for steps in ONE_TOO_MANY:
        np.testing.assert_array_equal(timesteps(mended, steps), timesteps(plain, steps)[:-1])


def test_a_call_may_name_its_own_timesteps():
    scheduler = exact(DPMSolverMultistepScheduler.from_config(noise_scheduler().config))
    scheduler.set_timesteps(timesteps=[900, 500, 100])
    assert scheduler.timesteps.tolist() == [900, 500, 100]


def test_a_model_that_is_loaded_has_as_many(tmp_path):
    pipe = tiny.stable_diffusion()
    pipe.scheduler = noise_scheduler()
    pipe.save_pretrained(tmp_path)
    loaded = models.load(tmp_path, device="cpu")
    assert len(timesteps(loaded.scheduler, 61)) == 61


def test_a_pipeline_of_the_readers_own_stays_as_it_is():
    pipe = tiny.stable_diffusion()
    pipe.scheduler = noise_scheduler()
    own = record(pipe, "a fox", seed=1, steps=61, previews=False)
    assert own.timesteps[-1] == -1, "as diffusers draws it"
    other = record(pipe, "a fox", seed=1, steps=61, scheduler="DDIMScheduler", previews=False)
    assert len(other.timesteps) == 61
