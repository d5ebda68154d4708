"""The noise stages, against closed forms, the trace and diffusers' own values."""

import numpy as np
import pytest

from explainer.parameters import ParameterError, RunParameters
from explainer.stages import guesses, knobs, noise
from tests.synthetic import make_trace
from tests.tiny import stable_diffusion

SCHEDULES = [
    {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    {"beta_schedule": "squaredcos_cap_v2"},
    {"trained_betas": [0.1, 0.2, 0.4], "num_train_timesteps": 3},
    {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    | {"rescale_betas_zero_snr": True},
]


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def run(pipe):
    """A real run of a tiny model."""
    from explainer.capture import record

    return record(pipe, "a fox sleeps on the beach", seed=3, steps=6, guidance_scale=4.0)


@pytest.mark.parametrize("options", SCHEDULES, ids=lambda options: "-".join(map(str, options)))
def test_the_schedule_is_the_one_that_diffusers_computes(options):
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(**options)
    ours = noise.alphas_cumprod(scheduler.config)
    np.testing.assert_allclose(ours, scheduler.alphas_cumprod.numpy(), rtol=2e-4, atol=1e-7)


def test_a_schedule_without_a_formula_is_refused_by_name():
    with pytest.raises(ValueError, match="None"):
        noise.alphas_cumprod({"shift": 3.0})
    with pytest.raises(ValueError, match="'sigmoid'"):
        noise.alphas_cumprod({"beta_schedule": "sigmoid"})


def test_noise_is_added_as_diffusers_adds_it(pipe):
    import torch

    clean, static = np.random.default_rng(0).normal(size=(2, 1, 8, 8, 8)).astype(np.float32)
    for timestep in (0, 400, 999):
        theirs = pipe.scheduler.add_noise(
            torch.from_numpy(clean), torch.from_numpy(static), torch.tensor([timestep])
        )
        signal = noise.alphas_cumprod(pipe.scheduler.config)[timestep]
        np.testing.assert_allclose(noise.add_noise(clean, static, signal), theirs, atol=1e-5)


def test_decibels_are_zero_where_there_is_as_much_of_each():
    np.testing.assert_allclose(noise.decibels([0.5, 10 / 11, 1 / 101]), [0, 10, -20], atol=1e-12)


def test_anatomy_is_the_traces_own_numbers(run):
    parts = noise.anatomy(run)
    np.testing.assert_array_equal(parts.state, run.latents[:-1])
    np.testing.assert_array_equal(parts.unconditional, run.noise_uncond)
    np.testing.assert_array_equal(parts.conditional, run.noise_cond)
    np.testing.assert_array_equal(parts.guided, run.noise)
    np.testing.assert_array_equal(parts.expected, run.x0)
    np.testing.assert_allclose(parts.state - parts.removed, run.latents[1:], atol=1e-6)


def test_guidance_adds_the_enlarged_difference(run):
    parts = noise.anatomy(run)
    guided = parts.unconditional + run.guidance_scale * parts.difference
    np.testing.assert_allclose(guided, parts.guided, atol=0.02)  # all three are kept as float16
    assert np.abs(parts.difference).max() > 0


def test_a_step_leads_where_the_formula_of_ddim_says(run):
    parts = noise.anatomy(run)
    shares = [*run.signal[1:].astype(np.float64)]
    for k, share in enumerate(shares):
        after = np.sqrt(share) * parts.expected[k] + np.sqrt(1 - share) * parts.guided[k]
        np.testing.assert_allclose(parts.state[k] - parts.removed[k], after, atol=0.03)


def test_changes_and_distances_of_x0():
    x0 = np.zeros((3, 4, 8, 8), np.float16)
    x0[1], x0[2] = 3, 1
    latents = np.zeros((4, 4, 8, 8), np.float32)
    latents[-1] = 1
    parts = noise.anatomy(make_trace(steps=3, x0=x0, latents=latents))
    np.testing.assert_array_equal(parts.changes, [np.nan, 3, 2])
    np.testing.assert_array_equal(parts.distances, [1, 2, 0])


def test_without_guidance_there_is_no_difference():
    parts = noise.anatomy(make_trace(steps=3, noise_uncond=None, noise_cond=None))
    assert parts.unconditional is parts.conditional is parts.difference is None


@pytest.mark.parametrize(
    ("distances", "step"), [([4, 3, 1, 0], 2), ([4, 1, 3, 1], 3), ([0, 0], 0), ([2, 2], 2)]
)
def test_settled_is_the_step_after_the_last_far_one(distances, step):
    assert noise.settled(np.array(distances, float)) == step


def test_the_route_of_a_walk_in_a_plane_keeps_its_lengths():
    dice = np.random.default_rng(2)
    axes = np.linalg.qr(dice.normal(size=(256, 2)))[0].T
    walk = dice.normal(size=(6, 2)).cumsum(axis=0) * (3, 1)
    latents = (walk @ axes).reshape(6, 4, 8, 8).astype(np.float32)
    route = noise.route(make_trace(steps=5, latents=latents))
    assert sum(route.shares) == pytest.approx(1)
    assert route.shares[0] > route.shares[1]
    ours, theirs = (np.linalg.norm(np.diff(way, axis=0), axis=1) for way in (route.states, walk))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert route.expected.shape == (5, 2)


def test_one_step_has_no_plane():
    with pytest.raises(ValueError, match="at least two steps"):
        noise.route(make_trace(steps=1))


@pytest.fixture(scope="module")
def guessed(pipe):
    picture = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    levels = []
    found = guesses.ask(
        pipe,
        picture,
        "a fox",
        timesteps=(10, 500, 990),
        seed=4,
        on_level=lambda done, of: levels.append((done, of)),
    )
    assert levels == [(1, 3), (2, 3), (3, 3)]
    return picture, found


def test_the_guess_is_what_the_unet_says_of_the_noisy_latents(pipe, guessed):
    import torch
    from diffusers.image_processor import VaeImageProcessor

    picture, found = guessed
    with torch.no_grad():
        pixels = VaeImageProcessor().preprocess(picture[None] / 255.0).float()
        clean = pipe.vae.encode(pixels).latent_dist.mode() * pipe.vae.config.scaling_factor
        static = torch.randn(clean.shape, generator=torch.Generator().manual_seed(4))
        text = pipe.encode_prompt("a fox", "cpu", 1, do_classifier_free_guidance=False)[0]
        for i, timestep in enumerate((10, 500, 990)):
            noisy = pipe.scheduler.add_noise(clean, static, torch.tensor([timestep]))
            theirs = pipe.unet(noisy, timestep, encoder_hidden_states=text).sample[0]
            np.testing.assert_allclose(found.guess[i], theirs, atol=0.01)
            error = float(((theirs - static[0]) ** 2).mean())
            assert found.errors[i] == pytest.approx(error, rel=0.01)
    np.testing.assert_allclose(found.noise, static[0], atol=0.002)


def test_velocities_are_read_as_noise():
    pipe = stable_diffusion(prediction_type="v_prediction")
    found = guesses.ask(pipe, np.full((16, 16, 3), 90, np.uint8), timesteps=(300, 700))
    assert found.guess.shape == (2, 8, 8, 8)
    assert np.isfinite(found.guess).all()


def test_guesses_come_back_from_their_file(guessed, tmp_path):
    _, found = guessed
    found.save(tmp_path / "guesses.npz")
    again = guesses.Guesses.load(tmp_path / "guesses.npz")
    assert (again.prompt, again.fingerprint) == (found.prompt, found.fingerprint)
    assert (again.picture, again.noisy, again.expected) == (
        found.picture,
        found.noisy,
        found.expected,
    )
    for name in ("timesteps", "signal", "noise", "guess", "errors"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


def test_asking_stops_when_it_is_told_to(pipe):
    picture = np.zeros((16, 16, 3), np.uint8)
    assert guesses.ask(pipe, picture, timesteps=(10, 20), cancelled=lambda: True) is None


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((16, 16), np.uint8), "height, width, 3"),
        (np.zeros((16, 16, 3)), "uint8"),
        (np.zeros((15, 16, 3), np.uint8), "multiple of 2"),
    ],
)
def test_what_is_no_picture_is_refused(pipe, picture, message):
    with pytest.raises(ValueError, match=message):
        guesses.ask(pipe, picture)


def test_experiments_turn_one_knob_at_a_time():
    base = RunParameters(prompt="a fox, crayon", seed=7, steps=10)
    found = knobs.experiments(base)
    turned = {"Guidance": "guidance_scale", "Steps": "steps", "Scheduler": "scheduler"}
    for knob, name in (turned | {"Seeds": "seed"}).items():
        values = [getattr(parameters, name) for parameters in found[knob].values()]
        assert len(set(values)) == len(values) > 4
        for parameters in found[knob].values():
            others = set(RunParameters.__dataclass_fields__) - {name}
            assert all(getattr(parameters, other) == getattr(base, other) for other in others)
    assert len(found["Seeds"]) == 12
    assert found["Break it"]["whole"] == base


def test_seeds_go_round_at_their_end():
    runs = knobs.experiments(RunParameters(prompt="a fox", seed=2**64 - 2))["Seeds"]
    assert [parameters.seed for parameters in runs.values()][:3] == [2**64 - 2, 2**64 - 1, 0]


def test_shuffled_words_are_the_same_words():
    prompt = "a fox in a green coat, crayon"
    mixed = knobs.shuffled(prompt, 1)
    assert sorted(mixed.split()) == sorted(prompt.replace(",", "").split())
    assert mixed != prompt
    assert mixed == knobs.shuffled(prompt, 1)


def test_a_base_that_cannot_be_run_is_refused():
    with pytest.raises(ParameterError):
        knobs.experiments(RunParameters(prompt=" "))


def test_every_scheduler_of_the_experiment_suits_the_model(pipe):
    able = {kind.__name__ for kind in pipe.scheduler.compatibles}
    assert set(knobs.SCHEDULERS) <= able
