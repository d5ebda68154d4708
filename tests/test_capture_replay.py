"""A recorded run can be taken up again at any step, to the bit, and made to end differently."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from explainer.capture import Recorder, RunError, record, replay, resume
from explainer.trace import Trace
from tests import tiny
from tests.test_capture_families import OPTIONS, PROMPT, everything_of, with_scheduler

if TYPE_CHECKING:
    from pathlib import Path

    import torch

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

STEPS = 7


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    return {family: getattr(tiny, family)() for family in OPTIONS}


def recorded(pipe: Any, family: str, **options: Any) -> Trace:
    return record(pipe, PROMPT, seed=7, steps=STEPS, previews=False, **OPTIONS[family] | options)


@pytest.mark.parametrize(
    ("family", "scheduler"),
    [
        *(
            ("stable_diffusion", name)
            for name in (
                "DDIMScheduler",
                "PNDMScheduler",
                "EulerAncestralDiscreteScheduler",
                "HeunDiscreteScheduler",
                "KDPM2DiscreteScheduler",
                "DPMSolverMultistepScheduler",
                "UniPCMultistepScheduler",
                "LCMScheduler",
            )
        ),
        ("stable_diffusion_xl", "LMSDiscreteScheduler"),
        ("stable_diffusion_3", "FlowMatchHeunDiscreteScheduler"),
        ("flux", "FlowMatchEulerDiscreteScheduler"),
        ("pixart", "DPMSolverMultistepScheduler"),
    ],
)
def test_going_on_with_nothing_changed_gives_the_same_bits(
    built: dict[str, Any], family: str, scheduler: str
) -> None:
    pipe = with_scheduler(built[family], scheduler)
    trace = recorded(pipe, family)
    before = everything_of(pipe, family)
    step = trace.calls - 2
    again = resume(pipe, trace, step, **OPTIONS[family])
    assert again.latents.tobytes() == trace.latents.tobytes()
    assert again.image().tobytes() == trace.image().tobytes()
    np.testing.assert_array_equal(again.noise, trace.noise)
    np.testing.assert_array_equal(again.noise_cond, trace.noise_cond)
    assert everything_of(pipe, family) == before


SETTINGS = [
    ("stable_diffusion", "DDIMScheduler", {"eta": 1.0}),
    ("stable_diffusion", "EulerAncestralDiscreteScheduler", {"num_images_per_prompt": 2}),
    ("stable_diffusion", "EulerAncestralDiscreteScheduler", {"prompt": [PROMPT, "a bear"]}),
    ("stable_diffusion_xl", "EulerDiscreteScheduler", {"negative_prompt": ""}),
    ("stable_diffusion_xl", "EulerDiscreteScheduler", {"guidance_rescale": 0.7}),
    ("stable_diffusion_xl", "EulerDiscreteScheduler", {"prompt_2": "a bear"}),
    ("stable_diffusion_xl", "EulerDiscreteScheduler", {"original_size": (4, 4)}),
    ("stable_diffusion_xl", "EulerDiscreteScheduler", {"clip_skip": 1}),
    ("flux", "FlowMatchEulerDiscreteScheduler", {"negative_prompt": "", "true_cfg_scale": 4.0}),
    (
        "flux",
        "FlowMatchEulerDiscreteScheduler",
        {"negative_prompt": "a bear", "guidance_scale": 2.0, "true_cfg_scale": 4.0},
    ),
    ("flux", "FlowMatchEulerDiscreteScheduler", {"sigmas": np.linspace(1, 0.3, STEPS)}),
    ("flux", "FlowMatchEulerDiscreteScheduler", {"prompt_2": "a bear in the rain"}),
]


@pytest.mark.parametrize(
    ("family", "scheduler", "asked"), SETTINGS, ids=[" ".join(asked) for *_, asked in SETTINGS]
)
def test_all_that_a_call_asked_for_is_asked_for_again(
    built: dict[str, Any], family: str, scheduler: str, asked: dict[str, Any], tmp_path: Path
) -> None:
    import diffusers
    import torch

    pipe = with_scheduler(built[family], scheduler)
    asked = {"prompt": PROMPT} | OPTIONS[family] | asked
    asked |= {"width": 16, "height": 16, "num_inference_steps": STEPS}
    with Recorder(pipe, previews=False) as recorder:
        pipe(**asked, generator=torch.Generator().manual_seed(7))
    assert type(pipe) is getattr(diffusers, type(pipe).__name__)
    recorder.trace.save(tmp_path / "fox.trace")
    trace = Trace.load(tmp_path / "fox.trace")
    assert trace.parameters == recorder.trace.parameters
    assert trace.latents.tobytes() == resume(pipe, trace, 2).latents.tobytes()
    np.testing.assert_array_equal(replay(pipe, trace, 3).noise, trace.noise[3])
    other = resume(pipe, trace, 2, prompt="a robot", negative_prompt="snow", guidance_scale=2.0)
    assert other.guidance_scale == 2.0
    np.testing.assert_array_equal(other.latents[:3], trace.latents[:3])


def test_what_a_call_takes_of_itself_is_not_told(built: dict[str, Any]) -> None:
    for family in OPTIONS:
        trace = recorded(built[family], family)
        assert trace.settings == {
            name: value
            for name, value in OPTIONS[family].items()
            if (name, value) != ("clean_caption", True)
        }
        assert trace.missing == ()


def test_a_step_that_comes_out_otherwise_is_told(built: dict[str, Any]) -> None:
    """As of a file that is older than the settings."""
    pipe = with_scheduler(built["stable_diffusion"], "DDIMScheduler")
    trace = replace(recorded(pipe, "stable_diffusion", eta=1.0), settings={})
    with pytest.warns(UserWarning, match="Step 2 comes out otherwise than it was recorded"):
        replay(pipe, trace, 2)
    resume(pipe, trace, 2, eta=1.0)
    resume(pipe, trace, 2, guidance_scale=3.0)


def test_another_scheduler_where_the_noise_levels_are_known_late(built: dict[str, Any]) -> None:
    """Stable Diffusion 3 prepares its latents before its timesteps."""
    pipe = with_scheduler(built["stable_diffusion_3"], "UniPCMultistepScheduler")
    trace = recorded(pipe, "stable_diffusion_3")
    again = resume(pipe, trace, 3, scheduler="DPMSolverMultistepScheduler")
    np.testing.assert_allclose(again.sigmas[1:4], trace.sigmas[1:4], rtol=0.01)
    np.testing.assert_allclose(again.latents[:4], trace.latents[:4], rtol=0.01, atol=1e-3)


@pytest.fixture
def pipe(built: dict[str, Any]) -> Any:
    return with_scheduler(built["stable_diffusion"], "DPMSolverMultistepScheduler")


def test_image_to_image_goes_on_too(pipe: Any) -> None:
    import diffusers
    from PIL import Image

    other = diffusers.StableDiffusionImg2ImgPipeline(
        **pipe.components, requires_safety_checker=False
    )
    other.set_progress_bar_config(disable=True)
    options = {"image": Image.new("RGB", (16, 16), (200, 80, 40)), "strength": 0.5}
    trace = record(other, PROMPT, seed=7, steps=8, previews=False, **options)
    assert (trace.steps, trace.calls) == (8, 4)
    assert (trace.settings, trace.missing) == ({"strength": 0.5}, ("image",))
    with pytest.raises(RunError, match="was given image, which the trace does not hold"):
        resume(other, trace, 2)
    again = resume(other, trace, 2, **options)
    assert again.latents.tobytes() == trace.latents.tobytes()
    np.testing.assert_array_equal(replay(other, trace, 3, **options).latents, trace.latents[4])
    bear = resume(other, trace, 2, prompt="a bear", **options)
    np.testing.assert_array_equal(bear.latents[:3], trace.latents[:3])
    assert np.abs(bear.latents[-1] - trace.latents[-1]).max() > 1e-4


def test_only_the_steps_that_matter_are_computed(pipe: Any) -> None:
    trace = recorded(pipe, "stable_diffusion")
    calls = []
    handle = pipe.unet.conv_in.register_forward_hook(lambda *_: calls.append(1))
    resume(pipe, trace, STEPS - 1, prompt="a bear")
    handle.remove()
    assert len(calls) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a robot and a rabbit dance in the rain"},
        {"negative_prompt": "snowy village"},
        {"guidance_scale": 9.0},
        {"without": "fox"},
        {"scheduler": "EulerDiscreteScheduler"},
        {"scheduler": "DDIMScheduler"},
    ],
    ids=lambda change: next(iter(change.values())),
)
def test_going_on_differently(pipe: Any, change: dict[str, Any]) -> None:
    trace, own = recorded(pipe, "stable_diffusion"), pipe.scheduler
    again = resume(pipe, trace, 3, **change)
    assert pipe.scheduler is own
    assert again.calls == trace.calls
    if "scheduler" in change:
        assert again.scheduler == change["scheduler"]
        distances = np.log(again.sigmas[:2, None]) - np.log(trace.sigmas[None])
        nearest = np.abs(distances).argmin(1)
        scales = again.latents[:2].std((1, 2, 3)) / trace.latents[nearest].std((1, 2, 3))
        exploding = np.sqrt(1 + again.sigmas[:2] ** 2) if "Euler" in again.scheduler else 1
        np.testing.assert_allclose(scales, exploding, rtol=0.1)
    else:
        np.testing.assert_array_equal(again.latents[:4], trace.latents[:4])
        np.testing.assert_array_equal(again.noise[:3], trace.noise[:3])
    assert np.abs(again.latents[-1] - trace.latents[-1]).max() > 1e-4


def test_predictions_that_nobody_made_are_not_there(pipe: Any) -> None:
    trace = recorded(pipe, "stable_diffusion", guidance_scale=1.0)
    again = resume(pipe, trace, 3, guidance_scale=5.0)
    assert again.guidance_scale == 5.0
    assert again.noise_cond is None
    assert again.noise_uncond is None
    np.testing.assert_array_equal(again.noise[:3], trace.noise[:3])


def test_guidance_is_known_though_the_first_step_was_not_computed(built: dict[str, Any]) -> None:
    pipe = with_scheduler(built["pixart"], "DPMSolverMultistepScheduler")
    trace = recorded(pipe, "pixart")
    again = resume(pipe, trace, 5, guidance_scale=3.0, **OPTIONS["pixart"])
    assert again.guidance_scale == 3.0


def test_attention_of_the_steps_taken_over_is_the_recorded_one(pipe: Any) -> None:
    trace = recorded(pipe, "stable_diffusion", attention=True)
    same = resume(pipe, trace, 5, attention=True).attention["4x4"]
    np.testing.assert_array_equal(same, trace.attention["4x4"])
    other = resume(pipe, trace, 5, prompt="a bear", attention=True).attention["4x4"]
    assert not other[:5].any()
    assert other[5:].all()


@pytest.mark.parametrize(
    ("family", "asked"), [("stable_diffusion", 1), ("stable_diffusion", 3), ("pixart", 2)]
)
def test_a_run_can_be_cancelled_on_its_way_to_the_step(
    built: dict[str, Any], family: str, asked: int
) -> None:
    pipe = with_scheduler(built[family], "DPMSolverMultistepScheduler")
    trace = recorded(pipe, family)
    calls = iter(range(1, STEPS + 1))
    again = resume(
        pipe, trace, 5, prompt="a bear", cancelled=lambda: next(calls) >= asked, **OPTIONS[family]
    )
    assert (again.calls, again.complete) == (asked, False)
    np.testing.assert_array_equal(again.noise, trace.noise[:asked])


def test_edited_latents_and_another_seed(pipe: Any) -> None:
    trace = recorded(pipe, "stable_diffusion")
    flipped = trace.latents[4][:, :, ::-1]
    again = resume(pipe, trace, 4, latents=flipped)
    np.testing.assert_array_equal(again.latents[4], flipped)
    other = resume(pipe, trace, 0, seed=8)
    fresh = record(pipe, PROMPT, seed=8, steps=STEPS, previews=False)
    assert other.latents.tobytes() == fresh.latents.tobytes()


def test_one_step_with_every_head(pipe: Any) -> None:
    trace = recorded(pipe, "stable_diffusion", attention=True)
    again = replay(pipe, trace, 5)
    assert again.latents.tobytes() == trace.latents[6].tobytes()
    np.testing.assert_array_equal(again.noise, trace.noise[5])
    layers = [name for name, _ in pipe.unet.named_modules() if name.endswith("attn2")]
    assert sorted(again.attention) == sorted(layers)
    mean = np.mean([maps.mean(0) for maps in again.attention.values()], axis=0)
    np.testing.assert_allclose(trace.attention["4x4"][5], mean, atol=1e-3)


def test_parts_of_the_denoiser_on_request(pipe: Any) -> None:
    trace = recorded(pipe, "stable_diffusion")
    parts = ("time_embedding", "down_blocks.1", "mid_block", "conv_out")
    before = everything_of(pipe, "stable_diffusion")
    seen = replay(pipe, trace, 5, activations=parts).activations
    assert everything_of(pipe, "stable_diffusion") == before
    assert {name: values.ndim for name, values in seen.items()} == {
        "time_embedding": 1,
        "down_blocks.1": 3,
        "mid_block": 3,
        "conv_out": 3,
    }
    np.testing.assert_array_equal(seen["conv_out"].astype(np.float16), trace.noise_cond[5])
    with pytest.raises(RunError, match=r"no part 'attic'. It has: conv_in, "):
        replay(pipe, trace, 5, activations=["attic"])


def test_attention_is_what_the_model_itself_computes(pipe: Any) -> None:
    """Against diffusers' own eager processor, which keeps its probabilities in a variable."""
    trace = recorded(pipe, "stable_diffusion")
    again = replay(pipe, trace, 2)
    name, ours = next(iter(again.attention.items()))
    layer, seen = pipe.unet.get_submodule(name), []
    softmax = layer.get_attention_scores

    def keep(*args: Any, **kwargs: Any) -> torch.Tensor:
        seen.append(softmax(*args, **kwargs))
        return seen[-1]

    from diffusers.models.attention_processor import AttnProcessor

    processor = layer.processor
    layer.get_attention_scores = keep
    layer.set_processor(AttnProcessor())
    replay(pipe, trace, 2)
    layer.set_processor(processor)
    del layer.get_attention_scores
    heads, read = ours.shape[:2]
    theirs = seen[-1][-heads:, :, :read].transpose(1, 2).reshape(ours.shape)
    np.testing.assert_allclose(ours, theirs.detach(), atol=1e-6)


def test_what_cannot_be_replayed(pipe: Any) -> None:
    trace = recorded(pipe, "stable_diffusion")
    with pytest.raises(RunError, match=r"no step 7"):
        resume(pipe, trace, STEPS)
    with pytest.raises(RunError, match=r"no word 'zebra'. It has: A, fox"):
        resume(pipe, trace, 2, without="zebra")
    with pytest.raises(RunError, match="shape"):
        resume(pipe, trace, 2, latents=np.zeros((1, 2, 3)))
    with pytest.raises(RunError, match="other weights"):
        resume(tiny.stable_diffusion(seed=1), trace, 2)
