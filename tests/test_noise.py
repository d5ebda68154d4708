"""The noise stages, against closed forms, the trace and diffusers' own values."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from explainer.models import embedded_fingerprint, embedded_folder
from explainer.parameters import ParameterError, RunParameters
from explainer.pictures import webp
from explainer.stages import broken, guesses, inside, knobs, latent, noise, swap
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
    usual = {"beta_schedule": "linear", "beta_start": 0.001, "beta_end": 0.02}
    for wrong in ({"num_train_timesteps": 10**12}, {"beta_start": "x"}, {"beta_end": None}):
        with pytest.raises(ValueError, match="Its noise schedule has"):
            noise.alphas_cumprod(usual | wrong)
    for wrong in ({}, [], ["x"], [2.0], 0.5):
        with pytest.raises(ValueError, match=r"Its noise schedule .*trained beta"):
            noise.signal_left({"trained_betas": wrong})
    for wrong in (None, "x", 0, float("inf")):
        with pytest.raises(ValueError, match="the shift"):
            noise.signal_left({"shift": wrong})


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_matching_leaves_the_share_that_its_own_noising_leaves(shift):
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    shares = noise.signal_left(scheduler.config)
    assert len(shares) == 1000
    clean, dice = torch.ones(1, 1), torch.zeros(1, 1)
    for k in (0, 400, 999):  # the scheduler counts from noise to clean
        timestep = scheduler.timesteps[k : k + 1]
        alpha = scheduler.scale_noise(clean, timestep, dice).item()
        wanted = alpha**2 / (alpha**2 + (1 - alpha) ** 2)
        assert shares[999 - k] == pytest.approx(wanted, abs=1e-5)


def test_other_schedules_leave_alphas_cumprod():
    for options in SCHEDULES:
        config = options | {"shift": 1.0} if "beta_schedule" in options else options
        np.testing.assert_array_equal(noise.signal_left(config), noise.alphas_cumprod(config))
    with pytest.raises(ValueError, match="no formula"):
        noise.signal_left({"beta_schedule": "sigmoid"})


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


def test_of_ddpm_what_is_put_in_is_told_from_what_is_removed(pipe):
    import torch
    from diffusers import DDPMScheduler

    from explainer.capture import record

    own = pipe.scheduler
    pipe.scheduler = DDPMScheduler.from_config(own.config, timestep_spacing="trailing")
    try:
        run = record(pipe, "a fox", seed=3, steps=6, guidance_scale=4.0, previews=False)
        variances = [pipe.scheduler._get_variance(int(t)).item() for t in run.timesteps]
    finally:
        pipe.scheduler = own
    parts, dice = noise.anatomy(run), torch.Generator().manual_seed(3)
    np.testing.assert_allclose(
        parts.state - parts.removed + parts.added, run.latents[1:], atol=1e-5
    )
    size = (1, *run.latents.shape[1:])
    np.testing.assert_array_equal(torch.randn(size, generator=dice)[0], run.latents[0])
    for variance, added in zip(variances, parts.added, strict=True):
        fresh = variance**0.5 * torch.randn(size, generator=dice)[0].numpy()
        np.testing.assert_allclose(added, fresh, atol=0.03)  # x0 is kept as float16
    assert noise.rms(parts.added)[0] > 0.1 > noise.rms(parts.added)[-1]


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


def wave(cycles, size=8):
    """A picture of so many cycles from left to right."""
    return np.cos(2 * np.pi * cycles * np.arange(size) / size) * np.ones((4, size, 1))


def test_a_wave_is_in_the_band_of_its_frequency():
    x0 = np.stack([wave(1) + 9, wave(1) + wave(2), wave(1) + wave(2) - 2 * wave(3)])
    latents = np.zeros((4, 4, 8, 8), np.float32)
    latents[-1] = 2 * wave(1) + wave(2) + wave(3)
    found = noise.likeness(make_trace(steps=3, x0=x0.astype(np.float16), latents=latents))
    np.testing.assert_allclose(found["coarse shapes"], [1, 1, 1], atol=1e-3)
    np.testing.assert_allclose(found["middling"][1:], [1, 1], atol=1e-3)
    assert found["fine details"][2] == pytest.approx(-1, abs=1e-3)


def test_what_is_finished_is_like_the_end_in_every_band(run):
    end = np.repeat(run.latents[-1:], run.calls, axis=0).astype(run.x0.dtype)
    for values in noise.likeness(replace(run, x0=end)).values():
        np.testing.assert_allclose(values, 1, atol=1e-4)


@pytest.mark.parametrize(
    ("likeness", "step"),
    [([0.2, 0.95, 1], 1), ([0.95, 0.2, 1], 2), ([1, 1], 0), ([0.5, 0.5], 2), ([np.nan], 1)],
)
def test_a_band_is_reached_where_it_stays(likeness, step):
    assert noise.reached(np.array(likeness)) == step


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


def test_xl_is_told_the_pictures_size_as_its_own_pipeline_tells_it():
    """A guess from pure noise at the first timestep is the first prediction of a run."""
    from diffusers import DDIMScheduler

    from explainer.capture import record
    from tests.tiny import stable_diffusion_xl

    pipe = stable_diffusion_xl()
    options = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    pipe.scheduler = DDIMScheduler(**options, timestep_spacing="trailing", clip_sample=False)
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    found = guesses.ask(pipe, picture, "a fox", timesteps=(999,))
    signal = float(noise.alphas_cumprod(pipe.scheduler.config)[999])
    state = np.sqrt(signal) * latent.encode(pipe, picture) + np.sqrt(1 - signal) * found.noise
    run = record(
        pipe,
        "a fox",
        seed=0,
        steps=1,
        guidance_scale=1.0,
        previews=False,
        latents=torch.from_numpy(state[None].astype(np.float32)),
    )
    np.testing.assert_allclose(found.guess[0], run.noise[0], atol=5e-3)


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
            assert isinstance(parameters, RunParameters)
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


def test_schedulers_are_offered_where_they_fit():
    base = RunParameters(prompt="a fox")
    for flow in ("FlowMatchEulerDiscreteScheduler", "LCMScheduler", "TCDScheduler"):
        assert "Scheduler" not in knobs.experiments(base, knobs.schedulers_for(flow))
    fitting = knobs.schedulers_for("EulerDiscreteScheduler")
    assert len(knobs.experiments(base, fitting)["Scheduler"]) == len(knobs.SCHEDULERS)


def test_knobs_go_as_far_as_they_turn():
    found = knobs.experiments(RunParameters(prompt="a fox"))
    scales = [one.guidance_scale for one in found["Guidance"].values()]
    steps = [one.steps for one in found["Steps"].values()]
    assert (min(scales), max(scales), min(steps), max(steps)) == (1, 20, 1, 200)


BASE = RunParameters(prompt="a fox sleeps on the beach", seed=3, steps=6, guidance_scale=4.0)
PROMPT = "an old bear reads a book"


@pytest.fixture(scope="module")
def swapped(pipe):
    seen = []
    found = swap.swap(pipe, BASE, PROMPT, on_step=lambda done, total: seen.append((done, total)))
    return found, seen


def test_a_swapped_run_is_that_of_a_pipeline_whose_prompt_changes_midway(pipe, swapped):
    import torch

    found, _ = swapped
    place = 3
    assert found.switches[place] == 3
    second = pipe.encode_prompt(PROMPT, "cpu", 1, True, negative_prompt="")

    def exchange(pipe, step, _timestep, given):
        if step == place - 1:
            given["prompt_embeds"] = torch.cat([second[1], second[0]])
        return given

    theirs = pipe(
        BASE.prompt,
        num_inference_steps=6,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(3),
        callback_on_step_end=exchange,
        callback_on_step_end_tensor_inputs=["prompt_embeds"],
    ).images[0]
    ours = Image.open(io.BytesIO(found.pictures[place]))
    assert webp(theirs) == found.pictures[place]
    assert ours.size == theirs.size


def test_a_swap_goes_from_the_second_prompt_to_the_first(pipe, swapped):
    found, seen = swapped
    assert found.switches.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert (found.pixels[0], found.pixels[-1]) == (0, 1)
    assert np.isnan(found.clip).all()
    total = swap.calls_in_all(6)
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_swap_counts_calls_where_a_scheduler_makes_two_a_step(pipe):
    seen = []
    twice = replace(BASE, steps=3, scheduler="HeunDiscreteScheduler")
    found = swap.swap(pipe, twice, PROMPT, on_step=lambda *told: seen.append(told))
    assert found.steps == 5
    assert found.switches.tolist() == [0, 1, 2, 3, 4, 5]
    assert (found.pixels[0], found.pixels[-1]) == (0, 1)
    assert seen[-1] == (swap.calls_in_all(5), swap.calls_in_all(5))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_shares_by_pixels_are_shares_of_both_distances():
    shades = [np.full((2, 2, 3), level, float) for level in (0, 25, 80, 100)]
    np.testing.assert_allclose(swap.shares_by_pixels(shades), [0, 0.25, 0.8, 1])
    with pytest.raises(ValueError, match="same picture"):
        swap.shares_by_pixels([shades[0], shades[0]])


@pytest.mark.parametrize(
    ("shares", "switch"),
    [([0, 0.4, 0.6, 1], 6), ([0, 0.7, 0.3, 1], 9), ([0, 0.1, 0.2, 0.3], None), ([np.nan], None)],
)
def test_the_scene_is_decided_where_it_stays_with_the_first_prompt(shares, switch):
    assert swap.decided(np.array([0, 3, 6, 9])[: len(shares)], np.array(shares)) == switch


def test_a_swap_says_between_which_steps_each_was_decided():
    measured = swap.Swap(
        first="a fox",
        second="an owl",
        seed=7,
        steps=8,
        fingerprint="0" * 16,
        switches=np.array([0, 3, 6, 8]),
        pixels=np.array([0, 0.7, 0.9, 1]),
        clip=np.array([0, 0.7, 0.3, 0.9]),
        pictures=(b"",) * 4,
    )
    assert swap.in_words(measured) == (
        "Which of the two the picture is nearer to, pixel by pixel, was decided between step 0 and "
        "step 3 of 8; which of the two CLIP sees in it, between step 6 and step 8."
    )
    by_clip = replace(measured, pixels=np.array([0, 0.1, 0.2, 0.3]))
    assert "CLIP sees in it, was decided between step 6 and step 8 of 8." in swap.in_words(by_clip)
    judged_wrongly = np.array([0.6, 0.7, 0.8, 0.9])
    assert swap.in_words(replace(by_clip, clip=judged_wrongly)) == ""


def test_a_swap_comes_back_from_its_file(swapped, tmp_path):
    found, _ = swapped
    found.save(tmp_path / "swap.json")
    again = swap.Swap.load(tmp_path / "swap.json")
    assert (again.first, again.second, again.seed, again.steps) == (BASE.prompt, PROMPT, 3, 6)
    assert (again.pictures, again.fingerprint) == (found.pictures, found.fingerprint)
    np.testing.assert_array_equal(again.switches, found.switches)
    np.testing.assert_allclose(again.pixels, found.pixels, atol=1e-4)
    assert np.isnan(again.clip).all()


def test_a_swap_stops_when_it_is_told_to(pipe):
    assert swap.swap(pipe, BASE, PROMPT, cancelled=lambda: True) is None


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_clip_judges_by_the_softmax_of_its_own_cosines():
    from explainer.stages import clip

    folder = embedded_folder()
    images = [Image.new("RGB", (40, 40), colour) for colour in ("navy", "orange")]
    prompts = ("a fox at night", "an owl by day")
    cosines = clip.ImageEncoder(folder).embed(images) @ clip.TextEncoder(folder).embed(prompts).T
    raised = np.exp(clip.logit_scale(folder) * cosines.astype(np.float64))
    wanted = raised[:, 0] / raised.sum(axis=1)
    np.testing.assert_allclose(swap.clip_judge(folder)(images, prompts), wanted, rtol=1e-4)


def whole(pipe):
    from explainer.capture import record

    return record(pipe, BASE.prompt, seed=3, steps=6, guidance_scale=4.0, previews=False)


def broken_run(pipe, part):
    return broken.record(pipe, broken.Broken(BASE, part), previews=False)


@pytest.mark.parametrize("part", broken.PARTS)
def test_a_pipeline_is_whole_again_after_a_broken_run(pipe, part):
    before = whole(pipe)
    trace = broken_run(pipe, part)
    assert (trace.prompt, trace.seed) == (BASE.prompt, 3)
    np.testing.assert_array_equal(whole(pipe).latents, before.latents)


def test_without_text_the_run_is_that_of_an_empty_prompt(pipe):
    import torch

    theirs = pipe(
        "",
        num_inference_steps=6,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(3),
        output_type="latent",
    ).images[0]
    np.testing.assert_array_equal(broken_run(pipe, "text").latents[-1], theirs)


def test_the_order_of_the_vectors_means_nothing_to_the_denoiser(pipe):
    trace = broken_run(pipe, "order of the vectors")
    np.testing.assert_allclose(trace.latents[-1], whole(pipe).latents[-1], atol=1e-3)


def test_with_a_stopped_clock_the_denoiser_hears_the_first_timestep_only(pipe):
    heard = []
    handle = pipe.unet.time_proj.register_forward_hook(
        lambda _module, args, _output: heard.append(float(args[0][0]))
    )
    try:
        trace = broken_run(pipe, "timestep")
    finally:
        handle.remove()
    assert set(heard) == {float(trace.timesteps[0])}
    assert len(set(trace.timesteps)) == 6


def test_weak_noise_has_half_the_scale(pipe):
    trace = broken_run(pipe, "scale of the latents")
    np.testing.assert_array_equal(trace.latents[0], 0.5 * whole(pipe).latents[0])


def test_a_part_that_nobody_can_break_is_told():
    with pytest.raises(ValueError, match=r"'gravity'.*break one of: text"):
        broken.Broken(BASE, "gravity")


@pytest.fixture(scope="module")
def look(pipe):
    return inside.look(pipe, whole(pipe))


def test_the_blueprint_is_the_unets_own_shape(pipe):
    from explainer.capture import replay

    parts = inside.blueprint(pipe.unet.config)
    again = replay(pipe, whole(pipe), 2, activations=[part.name for part in parts])
    assert list(again.activations) == [part.name for part in parts]
    for part in parts:
        shape = again.activations[part.name].shape
        assert shape == ((part.channels,) if part.kind == "time" else (part.channels, *part.size))


def test_the_embedded_unet_has_every_part_that_the_blueprint_names():
    from diffusers import UNet2DConditionModel

    config = json.loads((embedded_folder() / "unet" / "config.json").read_text())
    with torch_on_paper():
        unet = UNet2DConditionModel.from_config(config)
    names = dict(unet.named_modules())
    parts = inside.blueprint(config)
    assert {part.name for part in parts} <= set(names)
    attention = [name for name in names if name.endswith(("attn1", "attn2"))]
    shown = [part.name for part in parts if part.kind.endswith("attention")]
    assert {name.split(".attentions")[0] for name in attention} == {
        name.split(".attentions")[0] for name in shown
    }


def torch_on_paper():
    import torch

    return torch.device("meta")


@pytest.mark.parametrize(
    "config", [{"_class_name": "FluxTransformer2DModel"}, {"down_block_types": ["AttnDownBlock2D"]}]
)
def test_a_denoiser_that_is_no_such_unet_is_refused(config):
    with pytest.raises(ValueError, match="only UNets of these blocks"):
        inside.blueprint(config)


def test_a_look_keeps_what_a_replay_says(pipe, look):
    from explainer.capture import replay

    assert look.steps.tolist() == [0, 2, 3, 5]
    part = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
    again = replay(pipe, whole(pipe), 3, activations=[part, "conv_in"])
    came = again.activations[part]
    assert look.output_sizes[part][2] == pytest.approx(np.sqrt((came**2).mean()), rel=1e-5)
    kept = look.outputs[part][2].astype(np.float32)
    for channel in kept:
        assert np.abs(came - channel).max(axis=(1, 2)).min() < 2e-3
    shares = again.attention[part].mean(axis=(0, 2, 3))
    np.testing.assert_allclose(look.reads[part][2], shares, rtol=1e-4)
    assert look.words == ("(start)", *BASE.prompt.split(), "(end)")
    np.testing.assert_allclose(
        look.input_sizes["conv_in"][0], noise.rms(whole(pipe).latents[:1])[0], rtol=1e-5
    )


def test_a_look_comes_back_from_its_file(look, tmp_path):
    look.save(tmp_path / "look.npz")
    again = inside.Look.load(tmp_path / "look.npz")
    assert (again.parts, again.words, again.calls) == (look.parts, look.words, look.calls)
    for kind in ("inputs", "outputs", "input_sizes", "output_sizes", "reads"):
        ours, theirs = getattr(again, kind), getattr(look, kind)
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_looking_stops_when_it_is_told_to(pipe):
    from explainer.capture import RunError, replay

    trace, called = whole(pipe), []
    assert inside.look(pipe, trace, cancelled=lambda: True) is None
    handle = pipe.unet.register_forward_hook(lambda *_: called.append(True))
    try:
        with pytest.raises(RunError, match="stopped before the step"):
            replay(pipe, trace, trace.calls - 1, cancelled=lambda: True)
        stopped = len(called)
        replay(pipe, trace, trace.calls - 1)
    finally:
        handle.remove()
    assert stopped <= 1 <= len(called) - stopped
