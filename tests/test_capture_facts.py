"""What the recorder takes for granted of diffusers and transformers, fact by fact."""

from __future__ import annotations

import inspect
import io
from functools import partial
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from explainer.capture import AttentionWatch, Recorder, linear, record, replay
from explainer.capture.hooks import wrapped
from explainer.capture.previews import decode, webp
from explainer.capture.x0 import clean_latents, noise_level, prediction_type, reported_x0
from tests import tiny
from tests.test_capture_families import OPTIONS, PROMPT, everything_of, with_scheduler

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    return {family: getattr(tiny, family)() for family in OPTIONS}


@pytest.fixture
def pipe(built: dict[str, Any]) -> Any:
    return with_scheduler(built["stable_diffusion"], "DDIMScheduler")


@pytest.mark.parametrize(
    ("scheduler", "calls"),
    [
        ("DDIMScheduler", 10),
        ("PNDMScheduler", 11),
        ("HeunDiscreteScheduler", 19),
        ("KDPM2DiscreteScheduler", 19),
    ],
)
def test_some_schedulers_call_the_denoiser_more_often(
    pipe: Any, scheduler: str, calls: int
) -> None:
    pipe = with_scheduler(pipe, scheduler)
    if scheduler == "PNDMScheduler":  # as Stable Diffusion has it
        pipe.scheduler = type(pipe.scheduler).from_config(
            pipe.scheduler.config, skip_prk_steps=True
        )
    trace = record(pipe, PROMPT, seed=7, steps=10, previews=False)
    assert (trace.steps, trace.calls, len(trace.latents)) == (10, calls, calls + 1)


def test_pipelines_read_the_signature_of_what_is_wrapped(pipe: Any) -> None:
    own = inspect.signature(pipe.scheduler.step)
    with wrapped(pipe.scheduler, "step", partial):
        assert inspect.signature(pipe.scheduler.step) == own
        assert "eta" in pipe.prepare_extra_step_kwargs(None, 0.0)
        assert "generator" in pipe.prepare_extra_step_kwargs(None, 0.0)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(
    "name",
    [
        "DDIMScheduler",
        "DDPMScheduler",
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "LMSDiscreteScheduler",
        "KDPM2DiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler",
    ],
)
def test_the_closed_form_is_what_schedulers_report_themselves(name: str, kind: str) -> None:
    scheduler = getattr(diffusers, name)(prediction_type=kind)
    if "clip_sample" in scheduler.config:
        scheduler = type(scheduler).from_config(scheduler.config, clip_sample=False)
    scheduler.set_timesteps(6)
    sample = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    sample = sample * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        scheduler.scale_model_input(sample, timestep)
        noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
        level = noise_level(scheduler, timestep)
        ours = clean_latents(noise, sample, level, prediction_type(scheduler))
        output = scheduler.step(noise, timestep, sample)
        theirs = reported_x0(output)
        assert theirs is not None
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * float(theirs.abs().max()))
        sample = output.prev_sample


def test_x0_of_a_scheduler_that_clips_is_clipped(pipe: Any) -> None:
    assert diffusers.DDIMScheduler().config.clip_sample
    pipe.scheduler = diffusers.DDIMScheduler.from_config(
        pipe.scheduler.config, clip_sample=True, clip_sample_range=0.5
    )
    trace = record(pipe, PROMPT, seed=7, steps=2, previews=False)
    assert np.abs(trace.x0).max() == 0.5


def test_timesteps_that_the_caller_names_are_counted(pipe: Any) -> None:
    """DDPM does not count them itself: it tells what an earlier run left, or nothing."""
    pipe.scheduler = diffusers.DDPMScheduler.from_config(pipe.scheduler.config)
    for _ in range(2):
        with Recorder(pipe, previews=False) as recorder:
            pipe(PROMPT, timesteps=[900, 500, 100])
        trace = recorder.trace
        assert (trace.steps, trace.calls, trace.complete) == (3, 3, True)
        assert trace.timesteps.tolist() == [900, 500, 100]
        assert record(pipe, PROMPT, seed=7, steps=8, previews=False).steps == 8


def test_rescaled_guidance_is_not_the_plain_formula(pipe: Any) -> None:
    trace = record(pipe, PROMPT, seed=7, steps=2, previews=False, guidance_rescale=0.7)
    uncond, cond = trace.noise_uncond.astype(np.float32), trace.noise_cond.astype(np.float32)
    plain = uncond + 5 * (cond - uncond)
    assert np.abs(trace.noise - plain).max() > 0.05


@pytest.mark.parametrize(
    "family", ["stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3"]
)
def test_the_unconditional_half_is_the_one_of_the_negative_prompt(
    built: dict[str, Any], family: str
) -> None:
    """Whatever the order in which a pipeline encodes its prompts."""
    options = {"seed": 7, "steps": 1, "previews": False} | OPTIONS[family]
    one = record(built[family], PROMPT, negative_prompt="a robot", **options)
    other = record(built[family], "a robot", negative_prompt=PROMPT, **options)
    np.testing.assert_allclose(one.noise_cond, other.noise_uncond, atol=2e-3)
    np.testing.assert_allclose(one.noise_uncond, other.noise_cond, atol=2e-3)
    assert np.abs(one.noise_cond - one.noise_uncond).max() > 1e-3


@pytest.mark.parametrize("family", OPTIONS)
def test_a_run_ends_within_the_step_in_which_it_is_cancelled(
    built: dict[str, Any], family: str
) -> None:
    pipe, calls = built[family], []
    record(pipe, PROMPT, seed=7, steps=1, **OPTIONS[family])  # pipelines note their own settings
    before = everything_of(pipe, family)
    handle = getattr(pipe, "unet", getattr(pipe, "transformer", None)).register_forward_hook(
        lambda *_: calls.append(1)
    )
    asked = iter([False, True])
    trace = record(pipe, PROMPT, seed=7, steps=5, cancelled=lambda: next(asked), **OPTIONS[family])
    handle.remove()
    assert (len(calls), trace.calls, trace.complete) == (2, 2, False)
    assert everything_of(pipe, family) == before


@pytest.mark.parametrize("family", OPTIONS)
def test_decoded_latents_are_the_pipelines_own_picture(built: dict[str, Any], family: str) -> None:
    """Scaled, shifted and unpacked as the family's autoencoder wants it."""
    trace = record(built[family], PROMPT, seed=7, steps=2, previews=False, **OPTIONS[family])
    (ours,) = decode(built[family], torch.from_numpy(trace.latents[-1:].copy()))
    difference = np.asarray(ours, np.int16) - np.asarray(trace.image(), np.int16)
    assert np.abs(difference).max() <= 1


def test_what_is_kept_keeps_no_batch_alive(pipe: Any) -> None:
    def look(*_: object) -> None:
        log = recorder._log
        assert log is not None
        step = log.steps[-1]
        for tensor in (step.noise, step.x0, *step.halves, *log.states):
            assert tensor.untyped_storage().nbytes() == tensor.nbytes

    recorder = Recorder(pipe, previews=False, on_step=look)
    with recorder:
        pipe([PROMPT, "a bear"], num_inference_steps=2)
    assert recorder.trace.calls == 2


def test_a_run_that_leaves_noise_for_another_shows_it(built: dict[str, Any]) -> None:
    """SDXL's base model ends early, and hands its latents to the refiner."""
    pipe = built["stable_diffusion_xl"]
    with Recorder(pipe, previews="linear") as recorder:
        pipe(PROMPT, num_inference_steps=10, denoising_end=0.5, output_type="latent")
    trace = recorder.trace
    assert (trace.calls, trace.complete) == (5, True)
    scale = float(np.hypot(1, pipe.scheduler.sigmas[5]))
    assert scale > 1.1
    state = torch.from_numpy(trace.latents[-1:].copy()) / scale
    assert trace.image().tobytes() == decode(pipe, state)[0].tobytes()
    assert trace.frames["noisy"][-1] == webp(linear.pictures(pipe, state, (16, 16))[0])


def test_fitting_the_linear_matrix_draws_no_numbers(
    pipe: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(linear, "_known", {})
    monkeypatch.setenv("EXPLAINER_CACHE", str(tmp_path))
    state = torch.get_rng_state()
    linear.matrix(pipe)
    assert torch.equal(torch.get_rng_state(), state)


def test_attention_backends_show_the_same(pipe: Any) -> None:
    options = {"seed": 7, "steps": 1, "previews": False, "attention": True}
    before = record(pipe, PROMPT, **options)
    processors = dict(pipe.unet.attn_processors)
    pipe.unet.set_attention_backend("native")
    after = record(pipe, PROMPT, **options)
    pipe.unet.reset_attention_backend()
    pipe.unet.set_attn_processor(processors)
    np.testing.assert_array_equal(after.attention["4x4"], before.attention["4x4"])
    assert after.latents.tobytes() == before.latents.tobytes()


def test_the_picture_stands_before_the_text_in_stable_diffusion_3(built: dict[str, Any]) -> None:
    """Against its projections: without norms, keys are what they put out."""
    pipe, seen = built["stable_diffusion_3"], {}
    layer = pipe.transformer.transformer_blocks[0].attn
    handles = [
        getattr(layer, name).register_forward_hook(
            lambda _m, _a, output, name=name: seen.update({name: output})
        )
        for name in ("to_q", "to_k", "add_k_proj")
    ]
    options = OPTIONS["stable_diffusion_3"]
    trace = record(pipe, PROMPT, seed=7, steps=1, previews=False, **options)
    ours = replay(pipe, trace, 0, **options).attention["transformer_blocks.0.attn"]
    for handle in handles:
        handle.remove()
    query, picture, text = (
        seen[name][1].unflatten(-1, (layer.heads, -1)).transpose(0, 1)
        for name in ("to_q", "to_k", "add_k_proj")
    )
    keys = torch.cat([picture, text], 1)
    shares = (query @ keys.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(-1)
    words = shares[..., picture.shape[1] :][..., : ours.shape[1]]
    np.testing.assert_allclose(ours, words.transpose(1, 2).reshape(ours.shape).detach(), atol=1e-5)


def test_the_text_stands_before_the_picture_in_flux(
    built: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text is at place zero, where rotating changes nothing."""
    pipe, keys, texts = built["flux"], [], []
    attention = torch.nn.functional.scaled_dot_product_attention

    def keep(query: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        keys.append(key)
        return attention(query, key, *args, **kwargs)

    layer = pipe.transformer.transformer_blocks[0].attn
    handle = layer.norm_added_k.register_forward_hook(lambda _m, _a, out: texts.append(out))
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", keep)
    with Recorder(pipe, previews=False):
        pipe(PROMPT, num_inference_steps=1, guidance_scale=5.0, **OPTIONS["flux"])
    handle.remove()
    (text,) = texts
    key = next(key for key in keys if key.shape[-2] == text.shape[1] + 16)
    torch.testing.assert_close(key[:, :, : text.shape[1]], text.transpose(1, 2))


def test_a_layer_chosen_by_one_word_is_no_list_of_letters(pipe: Any) -> None:
    watch = AttentionWatch("mid_block")
    trace = record(pipe, PROMPT, seed=7, steps=1, previews=False, attention=watch)
    chosen = AttentionWatch(["mid_block"])
    same = record(pipe, PROMPT, seed=7, steps=1, previews=False, attention=chosen)
    every = record(pipe, PROMPT, seed=7, steps=1, previews=False, attention=True)
    np.testing.assert_array_equal(trace.attention["4x4"], same.attention["4x4"])
    assert np.abs(trace.attention["4x4"] - every.attention["4x4"]).max() > 0


def test_frames_of_a_large_picture_are_shrunk() -> None:
    from explainer.capture.previews import frame

    shown = Image.open(io.BytesIO(frame(Image.new("RGB", (1024, 768)))))
    assert shown.size == (512, 384)
