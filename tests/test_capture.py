"""Recording leaves a run as it is, to the bit, and writes down what really happened."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from explainer.capture import Recorder, RunError, linear, record, resume
from explainer.capture import log as log_module
from explainer.capture import recorder as recorder_module
from explainer.capture.previews import decode, webp
from explainer.capture.x0 import clean_latents, noise_level
from explainer.models import usual_settings
from explainer.parameters import ParameterError
from explainer.stages.compare import WordChange, compare
from tests import tiny

if TYPE_CHECKING:
    from explainer.trace import Trace

# Some of diffusers' schedulers turn tensors into arrays in a way that numpy will drop one day.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Should have t:UserWarning"),  # torchsde rounds
]

PROMPT = "a fox sleeps on the beach"
STEPS = 4
NOTED = 6
"""Tensors noted of each guided step: both halves, what they amount to, x0, and the states."""


@pytest.fixture(scope="module")
def pipes() -> dict[str, Any]:
    """One tiny pipeline for each kind of prediction."""
    return {kind: tiny.stable_diffusion(prediction_type=kind) for kind in KINDS}


KINDS = ("epsilon", "v_prediction")


@pytest.fixture
def pipe(pipes: dict[str, Any]) -> Any:
    return pipes["epsilon"]


def with_scheduler(pipe: Any, name: str) -> Any:
    parts = pipe.components | {
        "scheduler": getattr(diffusers, name).from_config(pipe.scheduler.config)
    }
    fresh = type(pipe)(**parts, requires_safety_checker=False)
    fresh.set_progress_bar_config(disable=True)
    return fresh


def plain_run(pipe: Any, **options: Any) -> tuple[list[torch.Tensor], Image.Image, torch.Tensor]:
    """Latents after each step, the picture and the global generator's state, without us."""
    latents: list[torch.Tensor] = []

    def keep(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        latents.append(tensors["latents"].clone())
        return tensors

    options = {
        "guidance_scale": usual_settings(pipe)[1],
        "num_inference_steps": STEPS,
    } | options
    generator = torch.Generator("cpu").manual_seed(7)
    torch.manual_seed(1)
    picture = pipe(PROMPT, generator=generator, callback_on_step_end=keep, **options).images[0]
    return latents, picture, torch.get_rng_state()


def bits(picture: Image.Image) -> bytes:
    return picture.tobytes()


def assert_untouched(pipe: Any, before: tuple[set[str], set[str]]) -> None:
    assert (set(vars(pipe)), set(vars(pipe.scheduler))) == before
    assert not any(module._forward_hooks for module in pipe.unet.modules())
    assert "postprocess" not in vars(pipe.image_processor)
    assert not pipe._interrupt


def attributes(pipe: Any) -> tuple[set[str], set[str]]:
    return set(vars(pipe)), set(vars(pipe.scheduler))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheduler", tiny.SCHEDULERS)
def test_the_run_is_the_same_to_the_bit(pipes: dict[str, Any], kind: str, scheduler: str) -> None:
    pipe = with_scheduler(pipes[kind], scheduler)
    latents, picture, generator_state = plain_run(pipe)
    before = attributes(pipe)
    torch.manual_seed(1)

    trace = record(pipe, PROMPT, seed=7, steps=STEPS)

    assert torch.equal(torch.get_rng_state(), generator_state)
    assert trace.calls == len(latents)
    assert trace.latents[1:].tobytes() == torch.cat(latents).numpy().tobytes()
    assert bits(trace.image()) == bits(picture)
    assert trace.complete
    assert_untouched(pipe, before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheduler", tiny.SCHEDULERS)
def test_levels_and_x0_agree_with_the_schedulers_own(
    pipes: dict[str, Any], kind: str, scheduler: str
) -> None:
    pipe = with_scheduler(pipes[kind], scheduler)
    trace = record(pipe, PROMPT, seed=7, steps=STEPS, previews=False)

    cumulative = pipes["epsilon"].scheduler.alphas_cumprod.numpy()
    expected = np.interp(trace.timesteps, np.arange(len(cumulative)), cumulative)
    np.testing.assert_allclose(trace.signal, expected, atol=0.01)
    np.testing.assert_allclose(trace.signal, 1 / (1 + trace.sigmas**2), rtol=1e-6)
    assert trace.sigmas.dtype == trace.signal.dtype == np.float32

    # A state is sqrt(signal) x0 + sqrt(1 - signal) noise, once scaled to unit variance.
    share = trace.signal[:, None, None, None]
    variance = (
        1 + trace.sigmas[:, None, None, None] ** 2
        if scheduler.startswith(("Euler", "Heun", "KDPM2", "LMS", "DPMSolverSDE"))
        else 1
    )
    states = trace.latents[:-1] / np.sqrt(variance)
    noise = trace.noise.astype(np.float32)
    if kind == "v_prediction":
        x0 = np.sqrt(share) * states - np.sqrt(1 - share) * noise
    else:
        x0 = (states - np.sqrt(1 - share) * noise) / np.sqrt(share)
    # Of another meaning: LCM adds a boundary condition, the others' is that of a half step.
    if scheduler not in {"LCMScheduler", "HeunDiscreteScheduler", "DPMSolverSDEScheduler"}:
        np.testing.assert_allclose(trace.x0, x0, rtol=0.02, atol=0.02 * np.abs(x0).max())


def test_guidance_is_what_the_paper_says(pipe: Any) -> None:
    trace = record(pipe, PROMPT, seed=7, steps=STEPS, guidance_scale=3.0, previews=False)
    assert trace.noise_cond is not None
    assert trace.noise_uncond is not None
    uncond, cond = trace.noise_uncond.astype(np.float32), trace.noise_cond.astype(np.float32)
    assert np.abs(cond - uncond).max() > 1e-3
    np.testing.assert_allclose(trace.noise, uncond + 3 * (cond - uncond), atol=0.02)


def test_without_guidance_there_is_one_prediction(pipe: Any) -> None:
    latents, picture, _ = plain_run(pipe, guidance_scale=1.0)
    trace = record(pipe, PROMPT, seed=7, steps=STEPS, guidance_scale=1.0, previews=False)
    assert trace.noise_cond is None
    assert trace.noise_uncond is None
    assert trace.latents[-1].tobytes() == latents[-1][0].numpy().tobytes()
    assert bits(trace.image()) == bits(picture)


def test_a_distilled_unet_with_a_guidance_embedding(pipe: Any) -> None:
    from diffusers import LatentConsistencyModelPipeline

    parts = tiny.stable_diffusion(time_cond_proj_dim=16).components
    distilled = LatentConsistencyModelPipeline(**parts, requires_safety_checker=False)
    distilled = with_scheduler(distilled, "LCMScheduler")
    _, picture, _ = plain_run(distilled, guidance_scale=8.0)
    trace = record(distilled, PROMPT, seed=7, steps=STEPS, guidance_scale=8.0)
    assert trace.noise_cond is None
    assert bits(trace.image()) == bits(picture)
    with pytest.raises(RunError, match=r"takes no negative prompt\. Leave it empty"):
        record(distilled, PROMPT, seed=7, steps=STEPS, negative_prompt="rain")


def test_a_negative_prompt_that_nobody_would_read_is_refused() -> None:
    options = {"seed": 7, "steps": 1, "previews": False, "negative_prompt": "rain"}
    with pytest.raises(RunError, match="only with a true_cfg_scale above 1"):
        record(tiny.flux(), PROMPT, **options)
    assert record(tiny.flux(), PROMPT, true_cfg_scale=2.0, **options).negative_prompt == "rain"


def test_the_last_hidden_state_is_what_the_denoiser_reads(pipe: Any) -> None:
    seen = []
    handle = pipe.unet.register_forward_hook(
        lambda _m, _a, kwargs, _o: seen.append(kwargs["encoder_hidden_states"]), with_kwargs=True
    )
    trace = record(pipe, PROMPT, seed=7, steps=1, previews=False)
    handle.remove()
    layers = pipe.text_encoder.config.num_hidden_layers
    assert trace.hidden_states.shape == (layers + 1, tiny.MAX_TOKENS, 32)
    np.testing.assert_array_equal(trace.hidden_states[-1], seen[0][1].half().numpy())


def test_tokens_say_which_characters_they_stand_for(pipe: Any) -> None:
    prompt = "A zebra, 🦊 sleeps"
    tokens = record(pipe, prompt, seed=0, steps=1, previews=False).tokens
    words = [token for token in tokens if token.kind == "word"]
    assert len(tokens) == tiny.MAX_TOKENS
    assert [token.kind for token in tokens if token.kind != "word"][:3] == [
        "start",
        "end",
        "padding",
    ]
    assert all(token.text == prompt[token.start : token.end] for token in words)
    assert list(dict.fromkeys(token.word for token in words)) == ["A", "zebra", ",", "🦊", "sleeps"]
    assert "".join(token.text for token in words if token.word == "zebra") == "zebra"
    assert {token.text for token in words if token.word == "🦊"} == {"🦊"}
    padding = [token for token in tokens if token.kind != "word"]
    assert all(token.word is None and token.start == token.end for token in padding)


def test_what_the_model_never_read_is_told(pipe: Any) -> None:
    prompt = " ".join(["fox"] * 20 + ["the", "bear", "in", "the", "snowy", "village"])
    trace = record(pipe, prompt, seed=0, steps=1, previews=False)
    read = tiny.MAX_TOKENS - 2
    assert trace.truncated == " ".join(prompt.split()[read:])
    assert not any(token.kind == "padding" for token in trace.tokens)
    assert record(pipe, "a fox", seed=0, steps=1, previews=False).truncated == ""


def test_frames_show_the_way_from_noise_to_the_picture(pipe: Any) -> None:
    trace = record(pipe, PROMPT, seed=7, steps=STEPS)
    assert {name: len(frames) for name, frames in trace.frames.items()} == {
        "x0": STEPS,
        "noisy": STEPS + 1,
    }
    assert mean_difference(trace.frames["noisy"][-1], webp(trace.image())) < 2
    assert mean_difference(trace.frames["noisy"][0], webp(trace.image())) > 10


def mean_difference(a: bytes, b: bytes) -> float:
    one, other = (
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32) for data in (a, b)
    )
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize("scheduler", ["EulerDiscreteScheduler", "DDIMScheduler"])
def test_noisy_frames_have_unit_variance(
    pipe: Any, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = with_scheduler(pipe, scheduler)
    decoded = []
    decode = pipe.vae.decode
    with monkeypatch.context() as patch:
        patch.setattr(pipe.vae, "decode", lambda z, **kw: (decoded.append(z), decode(z, **kw))[1])
        record(pipe, PROMPT, seed=7, steps=STEPS, previews="noisy")
    deviations = (decoded[-1] * pipe.vae.config.scaling_factor).flatten(1).std(1)
    assert len(deviations) == STEPS + 1
    assert 0.8 < deviations[0] < 1.2


def test_recorder_records_any_call(pipe: Any) -> None:
    options = {
        "negative_prompt": ["blurred", "dark"],
        "num_images_per_prompt": 2,
        "width": 32,
        "height": 16,
        "guidance_rescale": 0.5,
        "num_inference_steps": 3,
    }
    generators = [torch.Generator().manual_seed(seed) for seed in (5, 6, 7, 8)]
    with Recorder(pipe, previews=False) as recorder:
        images = pipe([PROMPT, "a bear"], generator=generators, **options).images
    trace = recorder.trace
    assert bits(trace.image()) == bits(images[0])
    assert (trace.prompt, trace.negative_prompt, trace.seed) == (PROMPT, "blurred", 5)
    assert (trace.width, trace.height, trace.steps) == (32, 16, 3)
    assert trace.latents.shape == (4, 8, 8, 16)


def test_a_generator_that_was_used_before_names_no_run(pipe: Any) -> None:
    generator = torch.Generator().manual_seed(5)
    torch.rand(1, generator=generator)
    with Recorder(pipe, previews=False) as recorder:
        pipe(PROMPT, generator=generator, num_inference_steps=1)
    assert recorder.trace.seed is None


def test_a_generator_on_a_gpu_names_no_run() -> None:
    generator = SimpleNamespace(device=torch.device("cuda"), initial_seed=lambda: 5)
    assert recorder_module._seed(generator) is None


def test_embeddings_and_latents_instead_of_words_and_pictures(pipe: Any) -> None:
    embeddings = torch.randn(1, 5, 32)
    with Recorder(pipe, previews=False) as recorder:
        latents = pipe(
            prompt_embeds=embeddings,
            negative_prompt_embeds=torch.zeros(1, 5, 32),
            num_inference_steps=2,
            output_type="latent",
        ).images
    trace = recorder.trace
    assert (trace.prompt, trace.tokens) == ("", ())
    np.testing.assert_array_equal(trace.hidden_states[0], embeddings[0].half())
    np.testing.assert_array_equal(trace.latents[-1], latents[0])
    assert trace.image().size == (16, 16)


def test_nested_recorders_both_record(pipe: Any) -> None:
    before = attributes(pipe)
    with Recorder(pipe, previews=False) as outer, Recorder(pipe, previews=False) as inner:
        pipe(PROMPT, num_inference_steps=2)
    assert outer.trace.latents.tobytes() == inner.trace.latents.tobytes()
    assert_untouched(pipe, before)


def test_steps_are_handed_over_as_they_happen(pipe: Any) -> None:
    calls: list[tuple[int, int, bytes | None]] = []
    trace = record(pipe, PROMPT, seed=7, steps=STEPS, on_step=lambda *call: calls.append(call))
    assert [call[:2] for call in calls] == [(step, STEPS) for step in range(1, STEPS + 1)]
    assert tuple(call[2] for call in calls) == trace.frames["x0"]


def test_a_cancelled_run_ends_within_a_step_and_leaves_a_valid_trace(pipe: Any) -> None:
    before = attributes(pipe)
    asked = iter([False, True])
    trace = record(pipe, PROMPT, seed=7, steps=STEPS, cancelled=lambda: next(asked))
    assert not trace.complete
    assert (trace.calls, len(trace.latents), len(trace.frames["noisy"])) == (2, 3, 3)
    assert_untouched(pipe, before)
    assert record(pipe, PROMPT, seed=7, steps=STEPS, previews=False).complete


def test_nothing_stays_behind_after_an_error(pipe: Any) -> None:
    pipe(PROMPT, num_inference_steps=1)  # sets attributes of the pipeline's own
    before = attributes(pipe)

    def fail(*_: object) -> None:
        raise KeyError("of the caller's own")

    with pytest.raises(KeyError, match="of the caller's own"):
        record(pipe, PROMPT, seed=7, steps=STEPS, on_step=fail)
    assert_untouched(pipe, before)


def no_room(*_: Any, **__: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory.")


def decodes_once(pipe: Any, monkeypatch: pytest.MonkeyPatch, then: Callable[..., None]) -> None:
    own = pipe.vae.decode

    def once(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(pipe.vae, "decode", then)
        return own(*args, **kwargs)

    monkeypatch.setattr(pipe.vae, "decode", once)


@pytest.mark.parametrize("previews", [True, ("x0", "linear"), False])
def test_the_steps_are_kept_where_the_decoder_fails_in_the_end(
    pipe: Any, previews: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = record(pipe, PROMPT, seed=7, steps=STEPS, previews=False)
    recorder = Recorder(pipe, previews=previews)
    monkeypatch.setattr(pipe.vae, "decode", no_room)
    with (
        pytest.warns(UserWarning, match=r"could not be decoded \(OutOfMemoryError: CUDA"),
        pytest.raises(torch.OutOfMemoryError),
        recorder,
    ):
        pipe(PROMPT, num_inference_steps=STEPS, generator=torch.Generator().manual_seed(7))
    trace = recorder.trace
    assert (trace.calls, trace.complete) == (STEPS, False)
    assert trace.latents.tobytes() == whole.latents.tobytes()
    assert trace.image().size == (16, 16)
    assert set(trace.frames) == {True: {"x0", "noisy"}, False: set()}.get(previews, {"x0"})


def test_a_run_is_kept_whose_latents_cannot_be_decoded(
    pipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe.vae, "decode", no_room)
    with (
        pytest.warns(UserWarning, match="The picture could not be decoded"),
        Recorder(pipe, previews=False) as recorder,
    ):
        latents = pipe(PROMPT, num_inference_steps=2, output_type="latent").images
    trace = recorder.trace
    assert trace.complete
    np.testing.assert_array_equal(trace.latents[-1], latents[0])
    assert trace.image().size == (16, 16)


def test_a_run_is_kept_whose_frames_cannot_be_decoded(
    pipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    decodes_once(pipe, monkeypatch, then=no_room)
    with (
        pytest.warns(UserWarning, match="The frames could not be decoded"),
        Recorder(pipe) as recorder,
    ):
        picture = pipe(PROMPT, num_inference_steps=2).images[0]
    trace = recorder.trace
    assert trace.complete
    assert bits(trace.image()) == bits(picture)
    assert {name: len(frames) for name, frames in trace.frames.items()} == {"x0": 2, "noisy": 3}


def test_a_run_is_kept_that_cannot_be_shown_at_all(
    pipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe.vae, "decode", no_room)
    monkeypatch.setattr(linear, "matrix", no_room)
    with pytest.warns(UserWarning, match="could") as warned, Recorder(pipe) as recorder:
        pipe(PROMPT, num_inference_steps=2, output_type="latent")
    assert [str(one.message).partition(" (")[0] for one in warned] == [
        "The picture could not be decoded",
        "Nor could it be shown roughly",
        "The frames could not be decoded",
        "Nor could they be shown roughly",
    ]
    trace = recorder.trace
    assert (trace.complete, trace.calls, trace.frames) == (True, 2, {})
    assert trace.image().size == (16, 16)


def test_a_run_is_kept_whose_text_encoder_has_no_room_for_a_second_reading(
    pipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_pipe: Any, _step: int, _time: Any, tensors: Any) -> Any:
        monkeypatch.setattr(pipe.text_encoder, "forward", no_room)
        return tensors

    with (
        pytest.warns(UserWarning, match="text encoders could not be read"),
        Recorder(pipe, previews=False) as recorder,
    ):
        pipe(PROMPT, num_inference_steps=2, callback_on_step_end=fill)
    trace = recorder.trace
    assert trace.complete
    assert (trace.prompt, trace.tokens) == (PROMPT, ())
    assert trace.hidden_states.shape == (1, tiny.MAX_TOKENS, 32)


def test_a_run_is_kept_whose_weights_cannot_be_named(
    pipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "of_pipeline", no_room)
    with pytest.warns(UserWarning, match="weights could not be named"):
        trace = record(pipe, PROMPT, seed=7, steps=2, previews=False)
    assert (trace.complete, trace.fingerprint) == (True, "")
    with pytest.raises(RunError, match="recorded with other weights"):
        resume(pipe, trace, 1)


def test_a_run_that_is_stopped_by_hand_keeps_its_steps(
    pipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_pipe: Any, step: int, _time: Any, tensors: Any) -> Any:
        if step == 1:
            raise KeyboardInterrupt
        return tensors

    def decode(*_: Any, **__: Any) -> None:
        pytest.fail("whoever stops a run must not wait for the decoder")

    monkeypatch.setattr(pipe.vae, "decode", decode)
    recorder = Recorder(pipe)
    with pytest.raises(KeyboardInterrupt), recorder:
        pipe(PROMPT, num_inference_steps=STEPS, callback_on_step_end=stop)
    trace = recorder.trace
    assert (trace.calls, trace.complete) == (2, False)
    assert {name: len(frames) for name, frames in trace.frames.items()} == {"x0": 2, "noisy": 3}


def test_a_run_that_is_over_is_kept_when_its_frames_take_too_long(
    pipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    whole = record(pipe, PROMPT, seed=7, steps=STEPS, guidance_scale=7.5, previews=False)
    recorder = Recorder(pipe)
    decodes_once(pipe, monkeypatch, then=stop)
    generator = torch.Generator().manual_seed(7)
    with pytest.raises(KeyboardInterrupt), recorder:
        pipe(PROMPT, num_inference_steps=STEPS, generator=generator)
    assert recorder.trace.complete
    assert bits(recorder.trace.image()) == bits(whole.image())
    assert set(recorder.trace.frames) == {"x0", "noisy"}


def test_a_step_that_was_stopped_half_way_is_left_out(pipe: Any) -> None:
    def stop(done: int, *_: object) -> None:
        if done == 2:
            log = recorder._log
            assert log is not None
            log.steps.append(log.steps[-1])  # its latents are not there yet
            raise KeyboardInterrupt

    recorder = Recorder(pipe, previews=False, on_step=stop)
    with pytest.raises(KeyboardInterrupt), recorder:
        pipe(PROMPT, num_inference_steps=STEPS)
    assert (recorder.trace.calls, len(recorder.trace.latents)) == (2, 3)


@pytest.mark.parametrize("taken", range(2 * NOTED, 3 * NOTED))
def test_the_steps_before_one_that_memory_ran_out_in_are_kept(pipe: Any, taken: int) -> None:
    def out(_pipe: Any, latents: Any, _size: Any) -> Any:
        nonlocal taken
        if not taken:
            raise MemoryError
        taken -= 1
        return latents

    whole = record(pipe, PROMPT, seed=7, steps=STEPS, guidance_scale=7.5, previews=False)
    recorder = Recorder(pipe, previews=False)
    recorder._family = replace(recorder._family, to_image=out)
    generator = torch.Generator().manual_seed(7)
    with pytest.raises(MemoryError), recorder:
        pipe(PROMPT, num_inference_steps=STEPS, generator=generator)
    trace = recorder.trace
    assert (trace.calls, trace.complete) == (2, False)
    assert trace.latents.tobytes() == whole.latents[:3].tobytes()


def test_what_names_a_run_is_read_while_it_runs(pipe: Any) -> None:
    pipe = with_scheduler(pipe, "DDIMScheduler")
    with Recorder(pipe, previews=False) as recorder:
        pipe(PROMPT, num_inference_steps=STEPS)
        pipe.scheduler = diffusers.EulerDiscreteScheduler.from_config(pipe.scheduler.config)
        pipe._guidance_scale = 1.0
    trace = recorder.trace
    assert (trace.scheduler, trace.steps, trace.complete) == ("DDIMScheduler", STEPS, True)
    assert trace.guidance_scale == 7.5


def image_to_image(pipe: Any) -> Any:
    other = diffusers.AutoPipelineForImage2Image.from_pipe(pipe)
    other.set_progress_bar_config(disable=True)
    assert other.unet is pipe.unet
    assert other.scheduler is pipe.scheduler
    return other


def test_a_pipeline_that_shares_the_denoiser_is_not_mixed_in(pipe: Any) -> None:
    other = image_to_image(pipe)
    with Recorder(pipe, previews=False) as first, Recorder(other, previews=False) as second:
        picture = pipe(PROMPT, num_inference_steps=STEPS).images[0]
        other("a bear", image=picture, strength=0.5, num_inference_steps=STEPS)
    assert (first.trace.prompt, first.trace.calls, first.trace.complete) == (PROMPT, STEPS, True)
    assert bits(first.trace.image()) == bits(picture)
    assert (second.trace.prompt, second.trace.calls, second.trace.complete) == ("a bear", 2, True)


def test_nor_is_one_after_a_run_that_was_cancelled(pipe: Any) -> None:
    other = image_to_image(pipe)
    with Recorder(pipe, previews=False, cancelled=lambda: True) as recorder:
        picture = pipe(PROMPT, num_inference_steps=STEPS).images[0]
        other("a bear", image=picture, strength=0.5, num_inference_steps=STEPS)
    assert (recorder.trace.calls, recorder.trace.complete) == (1, False)


def test_a_picture_that_a_callback_decodes_is_not_the_last(pipe: Any) -> None:
    def show(_pipe: Any, step: int, _time: Any, tensors: Any) -> Any:
        if step == 1:
            raise ZeroDivisionError
        shown = pipe.vae.decode(tensors["latents"] / pipe.vae.config.scaling_factor).sample
        pipe.image_processor.postprocess(shown, output_type="pil")
        return tensors

    recorder = Recorder(pipe, previews=False)
    with pytest.raises(ZeroDivisionError), recorder:
        pipe(PROMPT, num_inference_steps=STEPS, callback_on_step_end=show)
    trace = recorder.trace
    last = torch.from_numpy(trace.latents[-1:].copy())
    assert bits(trace.image()) == bits(decode(pipe, last)[0])


def test_what_the_caller_encodes_is_no_prompt_of_the_run(pipe: Any) -> None:
    with Recorder(pipe, previews=False) as recorder:
        pipe.encode_prompt("a fox", "cpu", 1, False)
        bear, _ = pipe.encode_prompt("a bear", "cpu", 1, False)
        pipe(prompt_embeds=bear, num_inference_steps=1, guidance_scale=1.0)
    trace = recorder.trace
    assert (trace.prompt, trace.negative_prompt, trace.tokens) == ("", "", ())
    np.testing.assert_array_equal(trace.hidden_states[0], bear[0].detach().half())


def test_guidance_that_ends_early_is_told_as_it_began(pipe: Any) -> None:
    def end(pipe: Any, step: int, _time: Any, tensors: Any) -> Any:
        if step == 1:
            pipe._guidance_scale = 0.0
            return {"prompt_embeds": tensors["prompt_embeds"].chunk(2)[-1]}
        return tensors

    with Recorder(pipe, previews=False) as recorder:
        pipe(
            PROMPT,
            num_inference_steps=STEPS,
            guidance_scale=7.0,
            callback_on_step_end=end,
            callback_on_step_end_tensor_inputs=["prompt_embeds"],
        )
    assert recorder.trace.guidance_scale == 7.0
    assert recorder.trace.noise_cond is None


def test_what_an_unfinished_run_shows_is_scaled(pipe: Any) -> None:
    """States of Euler's have the noise's own scale, many times that of a picture's latents."""
    pipe = with_scheduler(pipe, "EulerDiscreteScheduler")
    before = record(pipe, PROMPT, seed=7, steps=STEPS, previews=False)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    recorder = Recorder(pipe, previews="noisy")
    with pytest.raises(ZeroDivisionError), recorder:
        pipe(PROMPT, num_inference_steps=STEPS, callback_on_step_end=fail)
    trace = recorder.trace
    scale = np.hypot(1, before.sigmas[1])
    assert scale > 1.5
    state = torch.from_numpy(trace.latents[-1:] / scale)
    difference = np.asarray(decode(pipe, state)[0], np.int16) - np.asarray(trace.image(), np.int16)
    assert np.abs(difference).max() <= 1
    assert mean_difference(trace.frames["noisy"][-1], webp(trace.image())) < 2


def test_a_run_that_failed_after_its_last_step_is_not_complete(pipe: Any) -> None:
    def fail(_pipe: Any, step: int, _time: Any, tensors: Any) -> Any:
        if step == STEPS - 1:
            raise ZeroDivisionError
        return tensors

    recorder = Recorder(pipe, previews=False)
    with pytest.raises(ZeroDivisionError), recorder:
        pipe(PROMPT, num_inference_steps=STEPS, callback_on_step_end=fail)
    assert (recorder.trace.calls, recorder.trace.complete) == (STEPS, False)


def test_a_run_that_was_over_before_anything_failed_is_complete(pipe: Any) -> None:
    recorder = Recorder(pipe, previews=False)
    with pytest.raises(IndexError), recorder:
        pipe(PROMPT, num_inference_steps=STEPS).images[9]
    assert recorder.trace.complete


def test_another_scheduler_for_one_run(pipe: Any) -> None:
    own = pipe.scheduler
    trace = record(
        pipe, PROMPT, seed=7, steps=2, scheduler="EulerDiscreteScheduler", previews=False
    )
    assert trace.scheduler == "EulerDiscreteScheduler"
    assert pipe.scheduler is own
    with pytest.raises(RunError, match=r"These do: .*DDIMScheduler"):
        record(pipe, PROMPT, seed=7, scheduler="FluxScheduler")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": "  "}, "prompt is empty"),
        ({"steps": 0}, "from 1 to"),
        ({"steps": 10_000}, "from 1 to"),
        ({"guidance_scale": -5}, "from 0 to 50"),
        ({"guidance_scale": "abc"}, "number from 0 to 50"),
        ({"guidance_scale": float("nan")}, "number from 0 to 50"),
        ({"seed": 2**65}, "seed must be a whole number from 0"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": 1.5}, "seed must be a whole number"),
    ],
)
def test_parameters_that_cannot_be_run(pipe: Any, changes: dict[str, Any], message: str) -> None:
    call = {"prompt": PROMPT, "seed": 7} | changes
    with pytest.raises(ParameterError, match=message):
        record(pipe, **call)


def test_a_size_that_does_not_divide(pipe: Any) -> None:
    with pytest.raises(RunError, match="multiple of 2, not 17"):
        record(pipe, PROMPT, seed=7, width=17, height=16)
    with pytest.raises(RunError, match="both width and height"):
        record(pipe, PROMPT, seed=7, width=16)


def test_what_cannot_be_recorded_is_refused_at_once(pipe: Any) -> None:
    with pytest.raises(
        RunError, match=r"str cannot be recorded. These can: StableDiffusionPipeline"
    ):
        Recorder("no pipeline")
    with pytest.raises(RunError, match="previews must be"):
        Recorder(pipe, previews="x1")
    with pytest.raises(RunError, match="holds no weights"):
        Recorder(tiny.stable_diffusion().to("meta"))
    with Recorder(pipe) as recorder, pytest.raises(RunError, match="Nothing is recorded"):
        _ = recorder.trace
    for part in ("unet", "vae"):
        lacking = tiny.stable_diffusion()
        setattr(lacking, part, None)
        with pytest.raises(RunError, match=f"has no {part}. Load it with"):
            Recorder(lacking)


def test_a_recorder_that_is_used_again_forgets_the_first_run(pipe: Any) -> None:
    recorder = Recorder(pipe, previews=False)
    with recorder:
        pipe(PROMPT, num_inference_steps=1)
    assert recorder.trace.complete
    with recorder:
        pass
    with pytest.raises(RunError, match="Nothing is recorded"):
        _ = recorder.trace


def test_a_scheduler_that_is_replaced_before_the_call_is_named_as_the_reason(pipe: Any) -> None:
    pipe = with_scheduler(pipe, "DDIMScheduler")
    with Recorder(pipe, previews=False) as recorder:
        pipe.scheduler = diffusers.EulerDiscreteScheduler.from_config(pipe.scheduler.config)
        pipe(PROMPT, num_inference_steps=1)
    with pytest.raises(RunError, match="another scheduler inside the `with` block"):
        _ = recorder.trace


def test_a_pipeline_that_was_built_for_inference_alone() -> None:
    plain = record(tiny.stable_diffusion(), PROMPT, seed=7, steps=1, previews=False).fingerprint
    with torch.inference_mode():
        pipe = tiny.stable_diffusion()
        trace = record(pipe, PROMPT, seed=7, steps=2, guidance_scale=5, previews=False)
        # Another pipeline of the same weights lies otherwise in memory, and sums otherwise.
        own = pipe(
            PROMPT,
            generator=torch.Generator().manual_seed(7),
            num_inference_steps=2,
            guidance_scale=5,
            output_type="latent",
        ).images
        np.testing.assert_array_equal(trace.latents[-1], own[0].numpy())
        assert trace.fingerprint == plain
        next(pipe.vae.parameters()).view(-1)[0] += 1
        assert record(pipe, PROMPT, seed=7, steps=1).fingerprint != plain


def test_formulas_for_flow_matching() -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(4)
    level = noise_level(scheduler, scheduler.timesteps[1])
    x0, noise = torch.randn(2, 1, 4, 2, 2)
    state = level.alpha * x0 + level.sigma * noise
    torch.testing.assert_close(clean_latents(noise - x0, state, level, "flow_prediction"), x0)


def test_compare_finds_what_differs(pipe: Any) -> None:
    def run(prompt: str, seed: int = 7) -> Trace:
        return record(pipe, prompt, seed=seed, steps=STEPS, previews=False)

    a = run("a fox sleeps on the beach")
    same, other = compare(a, a), compare(a, run("a bear sleeps on the snowy beach", seed=8))
    assert same.picture_rms == 0
    assert (same.words, same.parameters) == ((), {})
    np.testing.assert_array_equal(same.latents_rms, 0)
    np.testing.assert_array_equal(same.x0_rms, 0)
    assert [(word.before, word.after) for word in other.words] == [
        (("fox",), ("bear",)),
        ((), ("snowy",)),
    ]
    assert isinstance(other.words[0], WordChange)
    assert other.parameters["seed"] == (7, 8)
    assert set(other.parameters) == {"seed", "prompt"}
    difference = a.latents[0].astype(float) - run("a fox", seed=8).latents[0]
    assert other.latents_rms[0] == pytest.approx(np.sqrt((difference**2).mean()))
    assert other.difference.shape == (16, 16)
    assert other.picture_rms > 0
    assert other.latents_rms.shape == (STEPS + 1,)


def test_pictures_of_other_sizes_are_not_compared(pipe: Any) -> None:
    a = record(pipe, PROMPT, seed=7, steps=1, previews=False)
    b = record(pipe, PROMPT, seed=7, steps=1, width=32, height=16, previews=False)
    with pytest.raises(ValueError, match="Record both with the same model at the same size"):
        compare(a, b)
