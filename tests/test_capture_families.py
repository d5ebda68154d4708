"""Every family with every scheduler that it can take: the same to the bit, x0 right, all clean."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.configuration_utils import FrozenDict
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from PIL import Image

from explainer.capture import Recorder, RunError, record, resume
from explainer.capture.families import FAMILIES
from explainer.models import usual_settings
from explainer.trace import Trace
from tests import tiny

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Should have t:UserWarning"),  # torchsde rounds
]

PROMPT = "A fox sleeps, on the beach"
STEPS = 4
OF_FAMILY = {
    "stable_diffusion_xl": tiny.SCHEDULERS,
    "pixart": tiny.SCHEDULERS,
    "stable_diffusion_3": (
        "FlowMatchEulerDiscreteScheduler",
        "FlowMatchHeunDiscreteScheduler",
        "UniPCMultistepScheduler",
        "DPMSolverMultistepScheduler",
    ),
    "flux": ("FlowMatchEulerDiscreteScheduler", "FlowMatchLCMScheduler"),
}
NEEDS = {"LMSDiscreteScheduler": "scipy", "DPMSolverSDEScheduler": "torchsde"}
MATRIX = [(family, scheduler) for family, names in OF_FAMILY.items() for scheduler in names]
# What a tiny pipeline needs beside what a large one does: no buckets of sizes, few tokens.
OPTIONS: dict[str, dict[str, Any]] = {
    "stable_diffusion": {},
    "stable_diffusion_xl": {},
    "stable_diffusion_3": {"max_sequence_length": 16},
    "flux": {"max_sequence_length": 16},
    "pixart": {
        "max_sequence_length": 16,
        "use_resolution_binning": False,
        "clean_caption": False,
    },
}
# Their x0 is of another meaning: LCM adds a boundary condition, Heun's is that of a half step.
OWN_X0 = {"LCMScheduler", "HeunDiscreteScheduler", "TCDScheduler", "DPMSolverSDEScheduler"}


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    return {family: getattr(tiny, family)() for family in OPTIONS}


@pytest.fixture
def pipes(built: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One pipeline of each family, each with its own scheduler again after the test."""
    schedulers = {family: pipe.scheduler for family, pipe in built.items()}
    yield built
    for family, pipe in built.items():
        pipe.scheduler = schedulers[family]


def with_scheduler(pipe: Any, name: str) -> Any:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason="diffusers needs it for this scheduler")
    kind, own = getattr(diffusers, name), pipe.scheduler
    if type(own).__name__.startswith("FlowMatch") and not name.startswith("FlowMatch"):
        pipe.scheduler = kind(prediction_type="flow_prediction", use_flow_sigmas=True)
    else:
        clips = "clip_sample" in inspect.signature(kind).parameters
        pipe.scheduler = kind.from_config(own.config, **({"clip_sample": False} if clips else {}))
    return pipe


def plain_run(pipe: Any, family: str, **options: Any) -> tuple[list[torch.Tensor], Any, Any]:
    """Latents that each step led to, the picture, the global generator's state, without us."""
    latents: list[torch.Tensor] = []
    if family == "pixart":
        seen = {"callback": lambda _step, _time, state: latents.append(state.clone())}
    else:

        def keep(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            latents.append(tensors["latents"].clone())
            return tensors

        seen = {"callback_on_step_end": keep}
    torch.manual_seed(1)
    picture = pipe(
        PROMPT,
        num_inference_steps=STEPS,
        generator=torch.Generator("cpu").manual_seed(7),
        **{"guidance_scale": 5.0} | seen | OPTIONS[family] | options,
    ).images[0]
    return latents, picture, torch.get_rng_state()


def everything_of(pipe: Any, family: str) -> list[Any]:
    has_unet = family in {"stable_diffusion", "stable_diffusion_xl"}
    denoiser = pipe.unet if has_unet else pipe.transformer
    hooks = [
        (len(m._forward_hooks), len(m._forward_pre_hooks), "forward" in vars(m))
        for m in denoiser.modules()
    ]
    names = [set(vars(part)) for part in (pipe, pipe.scheduler, pipe.image_processor, pipe.vae)]
    return [hooks, *names]


@pytest.mark.parametrize(("family", "scheduler"), MATRIX)
def test_the_run_is_the_same_to_the_bit(pipes: dict[str, Any], family: str, scheduler: str) -> None:
    pipe = with_scheduler(pipes[family], scheduler)
    latents, picture, generator_state = plain_run(pipe, family)
    before = everything_of(pipe, family)
    torch.manual_seed(1)

    trace = record(
        pipe,
        PROMPT,
        seed=7,
        steps=STEPS,
        guidance_scale=5.0,
        attention=True,
        previews="linear",
        **OPTIONS[family],
    )

    assert torch.equal(torch.get_rng_state(), generator_state)
    assert everything_of(pipe, family) == before
    assert trace.image().tobytes() == picture.tobytes()
    states = torch.cat(latents)
    if family == "flux":
        states = pipe._unpack_latents(states, 16, 16, pipe.vae_scale_factor)
    ours = trace.latents[1:]
    if len(states) != len(ours):  # PixArt's callback is silent between the steps of Heun and KDPM2
        assert family == "pixart"
        ours, states = ours[-1:], states[-1:]
    assert ours.tobytes() == states.numpy().tobytes()
    assert trace.complete
    assert trace.guidance_scale == pytest.approx(5.0, abs=1e-3)
    assert_x0_is_right(trace)
    assert {len(frames) for frames in trace.frames.values()} == {trace.calls, trace.calls + 1}
    (maps,) = trace.attention.values()
    real = sum(token.kind != "padding" for token in trace.tokens)
    assert maps.shape == (trace.calls, real, 4, 4)
    shares = maps.astype(np.float32).sum(1)
    assert (shares > 0.05).all()
    assert (shares < 1.01).all()


def assert_x0_is_right(trace: Trace) -> None:
    """Against the closed form; alpha and sigma of the state follow from their ratio."""
    ratio = trace.sigmas[:, None, None, None].astype(np.float64)
    state, prediction = trace.latents[:-1].astype(np.float64), trace.noise.astype(np.float64)
    if trace.scheduler in OWN_X0:
        return
    if trace.prediction_type == "flow_prediction":
        sigma = np.divide(1, 1 + 1 / ratio)  # of pure noise the ratio is infinite
        expected = state - sigma * prediction
    elif trace.scheduler.startswith(("Euler", "KDPM2", "LMS")):
        expected = state - ratio * prediction
    else:
        expected = (state * np.sqrt(1 + ratio**2)) - ratio * prediction
    np.testing.assert_allclose(trace.x0, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("family", OPTIONS)
def test_guidance_off(pipes: dict[str, Any], family: str) -> None:
    pipe = pipes[family]
    _, picture, _ = plain_run(pipe, family, guidance_scale=1.0)
    torch.manual_seed(1)
    trace = record(
        pipe,
        PROMPT,
        seed=7,
        steps=STEPS,
        guidance_scale=1.0,
        attention=True,
        previews=False,
        **OPTIONS[family],
    )
    assert trace.noise_cond is None
    assert trace.image().tobytes() == picture.tobytes()
    assert trace.attention


@pytest.mark.parametrize("family", ["stable_diffusion", "stable_diffusion_xl", "pixart"])
def test_guidance_is_what_the_paper_says(pipes: dict[str, Any], family: str) -> None:
    trace = record(pipes[family], PROMPT, seed=7, steps=2, previews=False, **OPTIONS[family])
    uncond, cond = trace.noise_uncond.astype(np.float32), trace.noise_cond.astype(np.float32)
    np.testing.assert_allclose(
        trace.noise, uncond + trace.guidance_scale * (cond - uncond), atol=0.05
    )


def test_guidance_is_known_where_it_changes_nothing(pipes: dict[str, Any]) -> None:
    options = {"guidance_scale": 4.0, "negative_prompt": PROMPT, "previews": False}
    trace = record(pipes["pixart"], PROMPT, seed=7, steps=2, **options, **OPTIONS["pixart"])
    assert trace.guidance_scale == 4.0


def test_guidance_in_two_calls(pipes: dict[str, Any]) -> None:
    """Flux asks for the prompt first and for the negative one second."""
    pipe = with_scheduler(pipes["flux"], "FlowMatchEulerDiscreteScheduler")
    options = {"negative_prompt": "a robot", "true_cfg_scale": 4.0, "previews": False}
    trace = record(pipe, PROMPT, seed=7, steps=2, attention=True, **options, **OPTIONS["flux"])
    alone = record(pipe, PROMPT, seed=7, steps=2, attention=True, previews=False, **OPTIONS["flux"])
    assert trace.negative_prompt == "a robot"
    assert (trace.guidance_scale, alone.guidance_scale) == (4.0, usual_settings(pipe)[1])
    uncond, cond = trace.noise_uncond.astype(np.float32), trace.noise_cond.astype(np.float32)
    np.testing.assert_array_equal(trace.noise_cond[0], alone.noise[0])
    np.testing.assert_allclose(trace.noise, uncond + 4 * (cond - uncond), atol=0.02)
    (maps,), (maps_alone,) = trace.attention.values(), alone.attention.values()
    np.testing.assert_array_equal(maps[0], maps_alone[0])


@pytest.mark.parametrize(
    ("family", "encoders"),
    [
        ("stable_diffusion", ()),
        ("stable_diffusion_xl", ("text_encoder_2",)),
        ("stable_diffusion_3", ("text_encoder_2", "text_encoder_3")),
        ("flux", ("text_encoder",)),
        ("pixart", ()),
    ],
)
def test_every_text_encoder_is_read(
    pipes: dict[str, Any], family: str, encoders: tuple[str, ...], tmp_path: Any
) -> None:
    trace = record(pipes[family], PROMPT, seed=7, steps=1, previews=False, **OPTIONS[family])
    trace.save(tmp_path / "a.trace")
    trace = Trace.load(tmp_path / "a.trace")
    assert tuple(reading.encoder for reading in trace.readings) == encoders
    for tokens in (trace.tokens, *(reading.tokens for reading in trace.readings)):
        words = [token for token in tokens if token.kind == "word"]
        assert list(dict.fromkeys(token.word.lower() for token in words)) == [
            "a", "fox", "sleeps", ",", "on", "the", "beach",
        ]  # fmt: skip
        assert all(PROMPT[t.start : t.end].lower() == t.text.lower() for t in words)
        assert [t.kind for t in tokens if t.kind in {"end", "padding"}][:2] == ["end", "padding"]
    assert all(r.embeddings.shape[0] == len(r.tokens) for r in trace.readings)


@pytest.mark.parametrize("family", ["stable_diffusion", "stable_diffusion_xl", "flux"])
def test_what_the_encoder_says_is_what_the_denoiser_reads(
    pipes: dict[str, Any], family: str
) -> None:
    pipe, seen = pipes[family], []
    denoiser = pipe.transformer if family == "flux" else pipe.unet
    handle = denoiser.register_forward_hook(
        lambda _m, _a, kwargs, _o: seen.append(kwargs["encoder_hidden_states"]), with_kwargs=True
    )
    trace = record(pipe, PROMPT, seed=7, steps=1, previews=False, **OPTIONS[family])
    handle.remove()
    layer = -2 if family == "stable_diffusion_xl" else -1
    read = seen[0][-1][:, : trace.hidden_states.shape[-1]]
    np.testing.assert_array_equal(trace.hidden_states[layer], read.half().numpy())


IMAGE_TO_IMAGE = {
    "stable_diffusion": "StableDiffusionImg2ImgPipeline",
    "stable_diffusion_xl": "StableDiffusionXLImg2ImgPipeline",
    "stable_diffusion_3": "StableDiffusion3Img2ImgPipeline",
    "flux": "FluxImg2ImgPipeline",
}


@pytest.mark.parametrize("family", IMAGE_TO_IMAGE)
def test_image_to_image(pipes: dict[str, Any], family: str) -> None:
    kind = getattr(diffusers, IMAGE_TO_IMAGE[family])
    more = {"requires_safety_checker": False} if family == "stable_diffusion" else {}
    pipe = kind(**pipes[family].components, **more)
    pipe.set_progress_bar_config(disable=True)
    options = {"image": Image.new("RGB", (16, 16), (200, 80, 40)), "strength": 0.5}
    options |= {"num_inference_steps": 4} | OPTIONS[family]
    if family == "flux":
        options |= {"width": 16, "height": 16}

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(7)

    plain = pipe(PROMPT, generator=generator(), **options).images[0]
    with Recorder(pipe, previews="linear", attention=True) as recorder:
        pipe(PROMPT, generator=generator(), **options)
    trace = recorder.trace
    assert trace.image().tobytes() == plain.tobytes()
    assert trace.complete
    assert trace.calls == 2
    assert trace.steps == 4


def led_by_a_picture(name: str) -> tuple[Any, dict[str, Any]]:
    """A pipeline of that class, and what it is given beside the prompt."""
    xl = "XL" in name
    parts = dict(
        (tiny.stable_diffusion_xl() if xl else tiny.stable_diffusion(channels=4)).components
    )
    given: dict[str, Any] = {"image": Image.new("RGB", (16, 16), (200, 80, 40))}
    if "ControlNet" in name:
        sizes = {"conditioning_embedding_out_channels": (8, 16)}
        net = diffusers.ControlNetModel.from_unet(parts["unet"], **sizes).eval()
        torch.nn.init.ones_(net.controlnet_mid_block.weight)  # new ones say nothing
        parts["controlnet"] = net
    else:
        given["mask_image"] = Image.fromarray(np.eye(16, dtype=np.uint8) * 255)
    given |= {"width": 16, "height": 16} if "Inpaint" in name else {}
    more = {"add_watermarker": False} if xl else {"requires_safety_checker": False}
    pipe = getattr(diffusers, name)(**parts, **more)
    pipe.set_progress_bar_config(disable=True)
    return pipe, given


@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "EulerAncestralDiscreteScheduler"])
@pytest.mark.parametrize(
    "name",
    [
        f"StableDiffusion{kind}{task}Pipeline"
        for kind in ("", "XL")
        for task in ("Inpaint", "ControlNet")
    ],
)
def test_led_by_a_picture(name: str, scheduler: str) -> None:
    pipe, given = led_by_a_picture(name)
    pipe = with_scheduler(pipe, scheduler)
    latents: list[torch.Tensor] = []

    def keep(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        latents.append(tensors["latents"].clone())
        return tensors

    def drawn(**more: Any) -> Image.Image:
        generator = torch.Generator().manual_seed(7)
        options = {"num_inference_steps": 4, "strength": 1.0} if "Inpaint" in name else {}
        options = {"num_inference_steps": 4} | options | given | more
        return pipe(PROMPT, generator=generator, **options).images[0]

    plain = drawn(callback_on_step_end=keep)
    before = everything_of(pipe, "stable_diffusion")
    with Recorder(pipe, previews="linear", attention=True) as recorder:
        assert drawn().tobytes() == plain.tobytes()
    trace = recorder.trace
    assert everything_of(pipe, "stable_diffusion") == before
    assert trace.image().tobytes() == plain.tobytes()
    assert trace.latents[1:-1].tobytes() == torch.cat(latents)[:-1].numpy().tobytes()
    assert (trace.complete, trace.calls, list(trace.attention)) == (True, 4, ["4x4"])
    assert "image" in trace.missing
    with pytest.raises(RunError, match="was given image"):
        resume(pipe, trace, 2)
    again = resume(pipe, trace, 2, **given)
    assert again.latents.tobytes() == trace.latents.tobytes()
    assert again.image().tobytes() == plain.tobytes()


@pytest.mark.parametrize("setting", ["sliced", "channels_last", "tiled", "prompts", "wide"])
def test_settings_that_people_use(setting: str) -> None:
    pipe = tiny.stable_diffusion()
    prompt, options = PROMPT, {"num_inference_steps": 3, "guidance_scale": 5.0}
    match setting:
        case "sliced":
            pipe.enable_attention_slicing(1)
        case "channels_last":
            pipe.unet.to(memory_format=torch.channels_last)
        case "tiled":
            pipe.vae.enable_tiling()
        case "prompts":
            prompt = [PROMPT, "a bear"]
            options |= {"num_images_per_prompt": 2, "guidance_rescale": 0.5}
        case "wide":
            options |= {"width": 48, "height": 16}

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(7)

    plain = pipe(prompt, generator=generator(), **options).images
    with Recorder(pipe, attention=True, previews="linear") as recorder:
        images = pipe(prompt, generator=generator(), **options).images
    trace = recorder.trace
    assert [image.tobytes() for image in images] == [image.tobytes() for image in plain]
    assert trace.image().tobytes() == plain[0].tobytes()
    (name,) = trace.attention
    assert name == ("4x12" if setting == "wide" else "4x4")


def test_attention_is_that_of_the_first_picture(pipes: dict[str, Any]) -> None:
    """With guidance off there are no halves, and the batch is of pictures alone."""
    pipe, maps = pipes["stable_diffusion"], []
    for guidance_scale in (1.0, 5.0):
        for prompts in (PROMPT, [PROMPT, "a robot"]):
            with Recorder(pipe, attention=True, previews=False) as recorder:
                pipe(
                    prompts,
                    guidance_scale=guidance_scale,
                    num_inference_steps=1,
                    latents=torch.ones(1 if prompts is PROMPT else 2, 8, 8, 8),
                )
            maps.append(recorder.trace.attention["4x4"].astype(np.float32))
    for one in maps[1:]:
        np.testing.assert_allclose(one, maps[0], atol=1e-3)


def test_cancelling_a_pipeline_without_a_cancel_button(pipes: dict[str, Any]) -> None:
    pipe = with_scheduler(pipes["pixart"], "DDIMScheduler")
    before = everything_of(pipe, "pixart")
    asked = iter([False, True])
    trace = record(
        pipe, PROMPT, seed=7, steps=4, cancelled=lambda: next(asked), **OPTIONS["pixart"]
    )
    assert not trace.complete
    assert trace.calls == 2
    assert trace.image().size == (16, 16)
    assert everything_of(pipe, "pixart") == before


def test_fused_projections_are_told_and_the_run_goes_on() -> None:
    pipe = tiny.stable_diffusion()
    pipe.fuse_qkv_projections(vae=False)
    with pytest.warns(UserWarning, match="fused projections"):
        trace = record(pipe, PROMPT, seed=7, steps=1, previews=False, attention=True)
    assert trace.attention == {}
    assert trace.complete


def test_a_compiled_denoiser_shows_no_attention_and_that_is_told() -> None:
    pipe = tiny.stable_diffusion()
    pipe.unet.compile(backend="eager")
    before = everything_of(pipe, "stable_diffusion")
    with (
        pytest.warns(UserWarning, match="compiled denoiser shows no attention"),
        Recorder(pipe, attention=True),
    ):
        pass
    assert everything_of(pipe, "stable_diffusion") == before


def test_two_threads_cannot_record_one_pipeline(pipes: dict[str, Any]) -> None:
    import threading

    pipe, errors = pipes["stable_diffusion"], []

    def other() -> None:
        try:
            record(pipe, PROMPT, seed=7, steps=1, previews=False)
        except RunError as error:
            errors.append(str(error))

    with Recorder(pipe, previews=False):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert "Another thread is recording" in errors[0]


def test_a_failed_run_leaves_its_steps(pipes: dict[str, Any]) -> None:
    def fail(step: int, *_: object) -> None:
        if step == 3:
            raise KeyError("of the caller's own")

    recorder = Recorder(pipes["stable_diffusion"], previews=False, on_step=fail)
    with pytest.raises(KeyError, match="of the caller's own"), recorder:
        pipes["stable_diffusion"](PROMPT, num_inference_steps=5)
    assert recorder.trace.calls == 3
    assert not recorder.trace.complete


def test_the_linear_matrix_is_fitted_once_for_an_autoencoder(
    pipes: dict[str, Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from explainer.capture import linear

    monkeypatch.setenv("EXPLAINER_CACHE", str(tmp_path))
    monkeypatch.setattr(linear, "_known", {})
    pipe = pipes["stable_diffusion_xl"]
    fitted = linear.matrix(pipe)
    assert fitted.shape == (pipe.vae.config.latent_channels + 1, 3)
    assert len(list((tmp_path / "previews").iterdir())) == 1
    monkeypatch.setattr(linear, "_known", {})
    monkeypatch.setattr(linear, "_fitted", lambda _pipe: pytest.fail("fitted twice"))
    np.testing.assert_array_equal(linear.matrix(pipe), fitted)


class Mixer(torch.nn.Module):
    """An autoencoder whose latents are mixed colours, which a matrix can sort out again."""

    config = FrozenDict(latent_channels=4, scaling_factor=0.5, shift_factor=0.1)
    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.mix = torch.nn.Parameter(torch.randn(4, 3, generator=generator))

    def encode(self, pictures: torch.Tensor) -> Any:
        means = torch.nn.functional.avg_pool2d(pictures, 2)
        return AutoencoderTinyOutput(latents=torch.einsum("lc,bchw->blhw", self.mix, means))


def test_the_linear_matrix_sorts_the_colours_out() -> None:
    from explainer.capture import linear
    from explainer.capture.previews import scaled

    vae, side = Mixer(), 32
    ramp = torch.linspace(0, 1, side).expand(side, side)
    picture = torch.stack([ramp, ramp.T, 1 - ramp])[None]
    with torch.no_grad():
        latents = scaled(vae.config, vae.encode(picture * 2 - 1).latents)
    pipe = SimpleNamespace(vae=vae, vae_scale_factor=2, _execution_device=vae.device)
    (shown,) = linear.pictures(pipe, latents, (side, side))
    assert shown.size == (side, side)
    ours = np.asarray(shown, np.float32).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(ours, picture[0], atol=0.05)


def test_the_linear_matrix_is_fitted_in_a_precision_that_does_not_overflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from explainer.capture import linear

    seen = []

    class Delicate(Mixer):
        """As SDXL's autoencoder in half precision, which its pipeline makes single to encode."""

        config = FrozenDict(Mixer.config | {"force_upcast": True})

        @property
        def dtype(self) -> torch.dtype:
            return self.mix.dtype

        def encode(self, pictures: torch.Tensor) -> Any:
            seen.append(pictures.dtype)
            return super().encode(pictures)

    monkeypatch.setattr(linear, "_known", {})
    monkeypatch.setattr(linear, "_kept", lambda *_: None)
    monkeypatch.setattr(linear, "_keep", lambda *_: None)
    vae = Delicate().half()
    linear.matrix(SimpleNamespace(vae=vae, vae_scale_factor=2, _execution_device="cpu"))
    assert set(seen) == {torch.float32}
    assert vae.dtype == torch.float16


def test_latents_scale_there_and_back() -> None:
    from explainer.capture.previews import scaled, unscaled

    latents = torch.randn(2, 3, 4, 4)
    for config in (
        {"scaling_factor": 0.5, "shift_factor": 0.1},
        {"scaling_factor": 0.5, "latents_mean": [1.0, 2.0, 3.0], "latents_std": [2.0, 3.0, 4.0]},
    ):
        frozen = FrozenDict(config)
        torch.testing.assert_close(scaled(frozen, unscaled(frozen, latents)), latents)


def test_a_tiny_autoencoder_shows_previews(pipes: dict[str, Any]) -> None:
    from diffusers import AutoencoderTiny

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny_vae = AutoencoderTiny(
            latent_channels=4,
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
        )
    trace = record(pipes["stable_diffusion_xl"], PROMPT, seed=7, steps=2, previews=tiny_vae)
    assert {name: len(frames) for name, frames in trace.frames.items()} == {"x0": 2, "noisy": 3}


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_who_heeds_a_negative_prompt_is_known(name: str) -> None:
    takes = inspect.signature(getattr(diffusers, name).__call__).parameters
    heeds = "negative_prompt" in takes and "true_cfg_scale" not in takes
    assert FAMILIES[name].avoids == heeds
