"""What people do with their pipelines beside the plain call: it is all recorded as it is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.models.attention_dispatch import attention_backend
from PIL import Image

from explainer.capture import Recorder, RunError, linear
from explainer.capture.x0 import UnknownSchedulerError
from explainer.stages.words import read_words
from explainer.trace import Trace
from tests import tiny
from tests.test_capture_families import OPTIONS, PROMPT, everything_of

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

FAMILIES = tuple(OPTIONS)


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    return {family: getattr(tiny, family)() for family in FAMILIES}


@pytest.fixture
def pipe(built: dict[str, Any]) -> Any:
    return built["stable_diffusion"]


def run_twice(
    pipe: Any, family: str, prompt: Any = PROMPT, *, attention: bool = True, **options: Any
) -> Trace:
    """Runs without and with a recorder; the pictures must be the same, and nothing left behind."""
    options = {"num_inference_steps": 3, "guidance_scale": 5.0} | OPTIONS[family] | options
    made = options.pop("generator", lambda: torch.Generator().manual_seed(7))
    torch.manual_seed(1)
    plain = pipe(prompt, generator=made(), **options).images
    state, before = torch.get_rng_state(), everything_of(pipe, family)
    torch.manual_seed(1)
    with Recorder(pipe, attention=attention, previews="linear") as recorder:
        images = pipe(prompt, generator=made(), **options).images
    assert torch.equal(torch.get_rng_state(), state)
    assert everything_of(pipe, family) == before
    assert [image.tobytes() for image in images] == [image.tobytes() for image in plain]
    assert recorder.trace.image().tobytes() == plain[0].tobytes()
    assert recorder.trace.complete
    return recorder.trace


@pytest.mark.parametrize("family", FAMILIES)
def test_lists_of_prompts_with_several_pictures_and_generators(
    built: dict[str, Any], family: str
) -> None:
    def generators() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in (5, 6, 7, 8)]

    options = {"num_images_per_prompt": 2, "generator": generators}
    trace = run_twice(built[family], family, [PROMPT, "a bear"], **options)
    assert trace.seed == 5
    alone = run_twice(built[family], family, generator=lambda: torch.Generator().manual_seed(5))
    # A batch is summed in another order than one picture: equal, but not to the bit.
    np.testing.assert_allclose(trace.latents, alone.latents, atol=1e-2)
    np.testing.assert_allclose(trace.attention["4x4"], alone.attention["4x4"], atol=1e-2)


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_that_are_not_square(built: dict[str, Any], family: str) -> None:
    trace = run_twice(built[family], family, width=24, height=16)
    assert trace.image().size == (trace.width, trace.height) == (24, 16)
    assert trace.latents.shape[-2:] == (8, 12)
    assert list(trace.attention) == ["4x6"]


def test_a_picture_that_is_drawn_larger_and_cut() -> None:
    """PixArt draws at a size that it was trained at; the frames have the shape of the picture."""
    pipe = tiny.pixart()
    pipe.transformer.register_to_config(sample_size=32)  # its sizes lie around 256 pixels
    options = {"use_resolution_binning": True, "num_inference_steps": 1, "guidance_scale": 1.0}
    trace = run_twice(pipe, "pixart", attention=False, width=48, height=32, **options)
    assert trace.image().size == (trace.width, trace.height) == (48, 32)
    assert min(trace.latents.shape[-2:]) > 64
    frames = [one for ones in trace.frames.values() for one in ones]
    assert {Image.open(io.BytesIO(one)).size for one in frames} == {(48, 32)}


@pytest.mark.parametrize("family", ["stable_diffusion", "stable_diffusion_xl"])
def test_a_learned_word_of_several_vectors(family: str) -> None:
    """Textual inversion: the pipeline writes all its vectors out, where the prompt has one word."""
    pipe = getattr(tiny, family)()
    for end in ("", "_2") if family == "stable_diffusion_xl" else ("",):
        parts = {name: getattr(pipe, name + end) for name in ("text_encoder", "tokenizer")}
        pipe.load_textual_inversion(torch.randn(3, 32), token="<sty>", **parts)
    prompt = "a fox, <sty>, in the snow"
    trace = run_twice(pipe, family, prompt)
    for read in (trace.tokens, *(reading.tokens for reading in trace.readings)):
        learned = [token for token in read if token.word == "<sty>"]
        assert [token.text for token in learned] == ["<sty>", "<sty>_1", "<sty>_2"]
        assert all(prompt[token.start : token.end] == "<sty>" for token in learned)
        snow = [token for token in read if token.word == "snow"]
        assert prompt[snow[0].start : snow[-1].end] == "snow"
    assert [word.text for word in read_words(trace.tokens)].count("<sty>") == 1
    count = sum(token.kind != "padding" for token in trace.tokens)
    assert trace.attention["4x4"].shape[1] == count
    if family == "stable_diffusion":
        said = pipe.encode_prompt(prompt, "cpu", 1, False)[0]
        np.testing.assert_array_equal(trace.hidden_states[-1], said[0].detach().half().numpy())


def test_the_end_that_is_cut_off_behind_a_learned_word() -> None:
    pipe = tiny.stable_diffusion()
    pipe.load_textual_inversion(torch.randn(3, 32), token="<sty>")
    prompt = "<sty> " + "fox " * 40
    with Recorder(pipe, previews=False) as recorder:
        pipe(prompt, num_inference_steps=1)
    read = [token for token in recorder.trace.tokens if token.kind == "word"]
    assert prompt[read[-1].end :].strip() == recorder.trace.truncated.strip()


def test_a_vector_of_a_learned_word_that_is_typed_alone() -> None:
    pipe = tiny.stable_diffusion()
    pipe.load_textual_inversion(torch.randn(3, 32), token="<sty>")
    prompt = "<sty>_1 fox"
    with Recorder(pipe, previews=False) as recorder:
        pipe(prompt, num_inference_steps=1)
    read = [token for token in recorder.trace.tokens if token.kind == "word"]
    assert [prompt[token.start : token.end] for token in read] == ["<sty>_1", "fox"]


def test_embeddings_in_place_of_a_prompt(built: dict[str, Any]) -> None:
    """Whatever `encode_prompt` gives can be given in its place, in every family."""
    for family, pipe in built.items():
        given = embeddings_of(pipe, family)
        trace = run_twice(pipe, family, None, **given)
        spoken = run_twice(pipe, family)
        assert trace.latents.tobytes() == spoken.latents.tobytes()
        assert (trace.prompt, trace.tokens, trace.readings) == ("", (), ())
        np.testing.assert_array_equal(
            trace.hidden_states[0], given["prompt_embeds"][0].half().numpy()
        )
        assert trace.attention


def embeddings_of(pipe: Any, family: str) -> dict[str, torch.Tensor | None]:
    with torch.no_grad():
        match family:
            case "stable_diffusion":
                names = ("prompt_embeds", "negative_prompt_embeds")
                found = pipe.encode_prompt(PROMPT, "cpu", 1, True)
            case "stable_diffusion_xl" | "stable_diffusion_3":
                names = (
                    "prompt_embeds",
                    "negative_prompt_embeds",
                    "pooled_prompt_embeds",
                    "negative_pooled_prompt_embeds",
                )
                more = {} if family[-1] == "l" else {"prompt_3": None, "max_sequence_length": 16}
                found = pipe.encode_prompt(prompt=PROMPT, prompt_2=None, **more)
            case "flux":
                names = ("prompt_embeds", "pooled_prompt_embeds")
                found = pipe.encode_prompt(PROMPT, None, max_sequence_length=16)
            case _:
                names = (
                    "prompt_embeds",
                    "prompt_attention_mask",
                    "negative_prompt_embeds",
                    "negative_prompt_attention_mask",
                )
                found = pipe.encode_prompt(PROMPT, max_sequence_length=16)
        given = dict(zip(names, found, strict=False))
    # PixArt's default negative prompt is "", which cannot be given beside embeddings.
    return given | ({"negative_prompt": None} if family == "pixart" else {})


@pytest.mark.parametrize("family", ["flux", "pixart", "stable_diffusion_3"])
def test_what_t5_never_read_is_told(built: dict[str, Any], family: str) -> None:
    prompt = "  A fox sleeps, " + "on the beach " * 8 + "in the rain"
    trace = run_twice(built[family], family, prompt)
    last = trace.readings[-1] if family == "stable_diffusion_3" else trace
    tokens, truncated = last.tokens, last.truncated
    assert len(tokens) == 16
    assert not any(token.kind == "padding" for token in tokens)
    words = [token for token in tokens if token.kind == "word"]
    read = prompt[words[0].start : words[-1].end]
    assert read.startswith("A fox sleeps, on")
    assert all(token.text.lower() == prompt[token.start : token.end].lower() for token in words)
    rest = prompt[words[-1].end :].strip()
    assert truncated.strip() == (rest.lower() if family == "pixart" else rest)
    assert [token.word for token in words if token.text == ","] == [","]


@pytest.mark.parametrize("how", ["module", "function"])
def test_a_compiled_denoiser_is_recorded_without_its_attention(how: str) -> None:
    pipe = tiny.stable_diffusion()
    plain = run_twice(pipe, "stable_diffusion", attention=False)
    if how == "module":
        pipe.unet.compile(backend="eager")
    else:
        pipe.unet = torch.compile(pipe.unet, backend="eager")
    trace = run_twice(pipe, "stable_diffusion", attention=False)
    assert trace.latents.tobytes() == plain.latents.tobytes()
    np.testing.assert_array_equal(trace.noise_cond, plain.noise_cond)
    assert trace.fingerprint == plain.fingerprint
    with pytest.warns(UserWarning, match="compiled denoiser shows no attention"):
        assert run_twice(pipe, "stable_diffusion").attention == {}


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("family", ["stable_diffusion", "flux"])
def test_a_denoiser_of_compiled_blocks_is_recorded_without_its_attention(
    family: str, warm: bool
) -> None:
    torch._dynamo.reset()
    pipe = getattr(tiny, family)()
    options = {"num_inference_steps": 2} | OPTIONS[family]
    plain = pipe(PROMPT, generator=torch.Generator().manual_seed(7), **options).images[0]
    denoiser = getattr(pipe, "unet", None) or pipe.transformer
    denoiser.compile_repeated_blocks(backend="eager", fullgraph=True)
    if warm:
        pipe(PROMPT, **options)
    with (
        pytest.warns(UserWarning, match="compiled denoiser shows no attention"),
        Recorder(pipe, previews=False, attention=True, activations=True) as recorder,
    ):
        pipe(PROMPT, generator=torch.Generator().manual_seed(7), **options)
    assert recorder.trace.attention == {}
    assert recorder.trace.activations
    assert recorder.trace.image().tobytes() == plain.tobytes()


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_attention_that_cannot_be_seen_is_told() -> None:
    pipe = tiny.flux()
    with (
        pytest.warns(UserWarning, match="show nothing of how they attend") as warned,
        attention_backend("flex"),
    ):
        trace = run_twice(pipe, "flux")
    assert trace.attention == {}
    assert sum("show nothing" in str(one.message) for one in warned) == 1


def test_fused_projections_change_nothing_else() -> None:
    pipe = tiny.stable_diffusion()
    pipe.fuse_qkv_projections(vae=False)
    with pytest.warns(UserWarning, match="fused projections"):
        trace = run_twice(pipe, "stable_diffusion")
    assert trace.attention == {}
    pipe.unfuse_qkv_projections(vae=False)
    assert run_twice(pipe, "stable_diffusion").attention


@pytest.mark.parametrize("how", ["whole parts", "layer by layer"])
def test_offloaded_pipelines(how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """To the processor itself or the disk: accelerate wraps every part as it does for a GPU."""
    accelerate = pytest.importorskip("accelerate", reason="offloading is accelerate's")
    pipe = tiny.stable_diffusion()
    plain = run_twice(pipe, "stable_diffusion")
    if how == "whole parts":
        monkeypatch.setattr("diffusers.pipelines.pipeline_utils.get_device", lambda: "cpu")
        pipe.enable_model_cpu_offload(device="cpu")
    else:  # what enable_sequential_cpu_offload does, which refuses to lend to a processor
        for name in ("unet", "vae"):
            part, cpu = getattr(pipe, name), torch.device("cpu")
            accelerate.disk_offload(part, tmp_path / name, execution_device=cpu)
        assert pipe.unet.device.type == "meta"
    monkeypatch.setattr(linear, "_known", {})  # the matrix is fitted anew, offloaded
    monkeypatch.setenv("EXPLAINER_CACHE", str(tmp_path))
    trace = run_twice(pipe, "stable_diffusion")
    assert trace.attention
    assert trace.latents.tobytes() == plain.latents.tobytes()
    np.testing.assert_array_equal(trace.hidden_states, plain.hidden_states)
    assert trace.fingerprint == plain.fingerprint


def test_image_to_image_of_a_distilled_model() -> None:
    parts = tiny.stable_diffusion(time_cond_proj_dim=16).components
    parts["scheduler"] = diffusers.LCMScheduler.from_config(parts["scheduler"].config)
    pipe = diffusers.LatentConsistencyModelImg2ImgPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    picture = Image.new("RGB", (16, 16), (200, 80, 40))
    trace = run_twice(pipe, "stable_diffusion", image=picture, strength=0.5, num_inference_steps=4)
    assert trace.noise_cond is None


def test_one_recorder_after_another_and_within(pipe: Any) -> None:
    first, second = (run_twice(pipe, "stable_diffusion") for _ in range(2))
    assert first.latents.tobytes() == second.latents.tobytes()
    before = everything_of(pipe, "stable_diffusion")
    outer = Recorder(pipe, attention=True, previews=False)
    inner = Recorder(pipe, attention=True, activations=True, previews=False)
    with outer:
        with pytest.raises(KeyError), inner:
            raise KeyError("within")
        with inner:
            pipe(PROMPT, num_inference_steps=2, generator=torch.Generator().manual_seed(7))
    assert everything_of(pipe, "stable_diffusion") == before
    assert outer.trace.latents.tobytes() == inner.trace.latents.tobytes()
    np.testing.assert_array_equal(outer.trace.attention["4x4"], inner.trace.attention["4x4"])


def test_a_callback_of_the_callers_own_that_raises(pipe: Any) -> None:
    before = everything_of(pipe, "stable_diffusion")

    def fail(_pipe: Any, step: int, _time: Any, tensors: Any) -> Any:
        if step == 1:
            raise ZeroDivisionError("of the caller's own")
        return tensors

    recorder = Recorder(pipe, attention=True, previews="linear")
    with pytest.raises(ZeroDivisionError, match="of the caller's own"), recorder:
        pipe(PROMPT, num_inference_steps=4, callback_on_step_end=fail)
    assert everything_of(pipe, "stable_diffusion") == before
    assert (recorder.trace.calls, recorder.trace.complete) == (2, False)


def test_a_callback_of_the_callers_own_that_changes_the_latents(pipe: Any) -> None:
    """What goes into a step is what the caller made of it, not what the last one led to."""

    def double(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        return {"latents": 2 * tensors["latents"]}

    trace = run_twice(pipe, "stable_diffusion", callback_on_step_end=double)
    plain = run_twice(pipe, "stable_diffusion")
    np.testing.assert_allclose(trace.latents[1], 2 * plain.latents[1], rtol=1e-5)


def test_a_scheduler_without_formulas_is_refused_before_the_run() -> None:
    pipe = tiny.stable_diffusion()
    for scheduler, reason in (
        (diffusers.IPNDMScheduler(), "IPNDMScheduler keeps neither sigmas nor alphas_cumprod"),
        (diffusers.EDMEulerScheduler(), "EDMEulerScheduler rescales what the denoiser says"),
    ):
        pipe.scheduler = scheduler
        before = everything_of(pipe, "stable_diffusion")
        with pytest.raises(UnknownSchedulerError, match=reason), Recorder(pipe):
            pytest.fail("the block was entered")
        assert everything_of(pipe, "stable_diffusion") == before


def test_a_denoiser_of_another_aim_is_refused_before_the_run() -> None:
    pipe = tiny.stable_diffusion()
    pipe.scheduler.register_to_config(prediction_type="score")
    with pytest.raises(UnknownSchedulerError, match="'score' is unknown"), Recorder(pipe):
        pytest.fail("the block was entered")
    assert issubclass(UnknownSchedulerError, RunError)


def test_a_pipeline_of_another_task_is_refused(pipe: Any) -> None:
    unet = diffusers.UNet2DModel(
        sample_size=8,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
    )
    other = diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler())
    with pytest.raises(RunError, match=r"A DDPMPipeline cannot be recorded. These can: Stable"):
        Recorder(other)


def test_a_mistake_in_the_call_passes_through(pipe: Any) -> None:
    before = everything_of(pipe, "stable_diffusion")
    recorder = Recorder(pipe)
    with pytest.raises(ValueError, match="divisible by 8"), recorder:
        pipe(PROMPT, width=17, height=16)
    assert everything_of(pipe, "stable_diffusion") == before
    with pytest.raises(RunError, match="Nothing is recorded"):
        _ = recorder.trace


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16(family: str) -> None:
    pipe = getattr(tiny, family)().to(torch.bfloat16)
    trace = run_twice(pipe, family)
    assert trace.latents.dtype == np.float32
    latents = torch.from_numpy(trace.latents.copy())
    assert torch.equal(latents, latents.bfloat16().float())
    assert np.isfinite(trace.x0.astype(np.float32)).all()
    assert trace.attention


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_on_a_gpu(family: str, dtype: torch.dtype) -> None:
    pipe = getattr(tiny, family)().to("cuda", dtype)
    trace = run_twice(pipe, family)
    assert trace.latents.dtype == (np.float16 if dtype == torch.float16 else np.float32)
    assert trace.attention


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("how", ["model", "sequential"])
def test_offloaded_from_a_gpu(how: str) -> None:
    pipe = tiny.stable_diffusion()
    getattr(pipe, f"enable_{how}_cpu_offload")()
    assert run_twice(pipe, "stable_diffusion").attention
