"""Looking inside the denoiser: activations and self-attention, of a whole run and of one step."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from explainer.capture import ActivationWatch, AttentionWatch, RunError, record, replay, resume
from explainer.capture import attention as attention_module
from explainer.trace import Trace, TraceError
from tests import tiny
from tests.test_capture_families import OPTIONS, PROMPT, everything_of, plain_run
from tests.test_trace import make

if TYPE_CHECKING:
    from pathlib import Path

STEPS = 4
BLOCKS = ("down_blocks", "mid_block", "up_blocks", "transformer_blocks")
PARTS = {
    "stable_diffusion": {
        "time_embedding": (32,),
        "down_blocks.0": (8, 4, 4),
        "down_blocks.1": (16, 4, 4),
        "mid_block": (16, 4, 4),
        "up_blocks.0": (16, 8, 8),
        "up_blocks.1": (8, 8, 8),
    },
    "stable_diffusion_xl": {
        "time_embedding": (32,),
        "down_blocks.0": (8, 4, 4),
        "down_blocks.1": (16, 4, 4),
        "mid_block": (16, 4, 4),
        "up_blocks.0": (16, 8, 8),
        "up_blocks.1": (8, 8, 8),
    },
    "stable_diffusion_3": {
        "time_text_embed": (16,),
        "transformer_blocks.0": (16, 4, 4),
        "transformer_blocks.1": (16, 4, 4),
    },
    "flux": {
        "time_text_embed": (16,),
        "transformer_blocks.0": (16, 4, 4),
        "single_transformer_blocks.0": (16, 4, 4),
    },
    "pixart": {"adaln_single": (16,), "transformer_blocks.0": (16, 4, 4)},
}


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    return {family: getattr(tiny, family)() for family in OPTIONS}


@pytest.fixture
def pipe(built: dict[str, Any]) -> Any:
    return built["stable_diffusion"]


def recorded(pipe: Any, family: str, **options: Any) -> Trace:
    return record(pipe, PROMPT, seed=7, steps=STEPS, previews=False, **OPTIONS[family] | options)


@pytest.mark.parametrize("family", OPTIONS)
def test_looking_inside_changes_nothing(built: dict[str, Any], family: str) -> None:
    pipe = built[family]
    _, picture, generator_state = plain_run(pipe, family)
    before = everything_of(pipe, family)
    torch.manual_seed(1)
    watch = AttentionWatch(self_attention=BLOCKS)
    trace = recorded(pipe, family, guidance_scale=5.0, attention=watch, activations=True)
    assert trace.image().tobytes() == picture.tobytes()
    assert torch.equal(torch.get_rng_state(), generator_state)
    assert everything_of(pipe, family) == before
    shapes = {name: values.shape[1:] for name, values in trace.activations.items()}
    expected = {
        name: shape if len(shape) == 1 else (4, *shape[1:]) for name, shape in PARTS[family].items()
    }
    assert shapes == expected
    assert list(shapes) == list(expected)  # in the order of the computation
    assert trace.self_attention["4x4"].shape == (trace.calls, 16, 4, 4)


@pytest.mark.parametrize("family", OPTIONS)
def test_one_step_shows_everything(built: dict[str, Any], family: str) -> None:
    pipe = built[family]
    trace = recorded(pipe, family, activations=True)
    before = everything_of(pipe, family)
    again = replay(pipe, trace, 2, activations=True, self_attention=BLOCKS, **OPTIONS[family])
    assert everything_of(pipe, family) == before
    assert {name: values.shape for name, values in again.activations.items()} == PARTS[family]
    for name, values in again.activations.items():
        kept = trace.activations[name][2].astype(np.float32)
        if values.ndim == 1:
            np.testing.assert_allclose(kept, values, rtol=1e-3, atol=1e-4)
        else:
            channels = len(values)
            np.testing.assert_allclose(kept[0], np.sqrt((values**2).mean(0)), rtol=2e-3)
            sample = values[[0, channels // 3, 2 * channels // 3]]
            np.testing.assert_allclose(kept[1:], sample, rtol=1e-3, atol=1e-4)
    blocks = [name for name in again.activations if "time" not in name and "adaln" not in name]
    for block, then in pairwise(blocks):
        np.testing.assert_array_equal(again.inputs[then], again.activations[block])
    assert again.inputs[blocks[0]].ndim == 3


def test_the_head_mean_of_self_attention_is_what_the_trace_holds(pipe: Any) -> None:
    watch = AttentionWatch((), self_attention=("mid_block",))
    trace = recorded(pipe, "stable_diffusion", attention=watch)
    assert trace.attention == {}
    again = replay(pipe, trace, 1, self_attention=("mid_block",))
    ((name, heads),) = again.self_attention.items()
    assert name.startswith("mid_block")
    assert heads.shape == (2, 16, 4, 4)
    np.testing.assert_allclose(heads.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(trace.self_attention["4x4"][1], heads.mean(0), atol=1e-3)


def test_self_attention_is_what_the_model_itself_computes(pipe: Any) -> None:
    """Against diffusers' own eager processor, which asks the layer for its probabilities."""
    from diffusers.models.attention_processor import AttnProcessor

    trace = recorded(pipe, "stable_diffusion")
    again = replay(pipe, trace, 2, self_attention=("up_blocks.0",))
    name, ours = next(iter(again.self_attention.items()))
    layer, seen = pipe.unet.get_submodule(name), []
    processor, scores = layer.processor, layer.get_attention_scores

    def keep(*args: Any, **kwargs: Any) -> torch.Tensor:
        seen.append(scores(*args, **kwargs))
        return seen[-1]

    layer.get_attention_scores = keep
    layer.set_processor(AttnProcessor())
    replay(pipe, trace, 2)
    layer.set_processor(processor)
    del layer.get_attention_scores
    theirs = seen[-1][-len(ours) :].transpose(1, 2).reshape(ours.shape)
    np.testing.assert_allclose(ours, theirs.detach(), atol=1e-6)


@pytest.mark.parametrize("family", ["stable_diffusion_3", "flux"])
def test_joint_attention_is_shared_by_words_and_places(built: dict[str, Any], family: str) -> None:
    """Of one encoder and a prompt without padding, all shares add up to one."""
    pipe, prompt = built[family], " ".join(["fox"] * 40)
    if family == "stable_diffusion_3":
        pipe = type(pipe)(**pipe.components | {"text_encoder_3": None, "tokenizer_3": None})
        pipe.set_progress_bar_config(disable=True)
    watch = AttentionWatch(("transformer_blocks.0",), self_attention=("transformer_blocks.0",))
    options = OPTIONS[family] | {"attention": watch, "previews": False}
    trace = record(pipe, prompt, seed=7, steps=1, **options)
    words, places = (
        maps["4x4"].astype(np.float32).sum(1) for maps in (trace.attention, trace.self_attention)
    )
    assert words.min() > 0.1
    if family == "stable_diffusion_3":  # in T5's stead stand rows of zeros
        assert (words + places < 1).all()
    else:
        np.testing.assert_allclose(words + places, 1, atol=0.01)


def test_guidance_in_two_calls_shows_the_one_for_the_prompt(built: dict[str, Any]) -> None:
    options = {"activations": ("transformer_blocks.0",), "steps": 1, "previews": False}
    options |= OPTIONS["flux"]
    pipe = built["flux"]
    alone = record(pipe, PROMPT, seed=7, **options)
    guided = record(pipe, PROMPT, seed=7, negative_prompt="a robot", true_cfg_scale=4.0, **options)
    assert guided.noise_cond is not None
    name = "transformer_blocks.0"
    np.testing.assert_array_equal(guided.activations[name], alone.activations[name])


def test_of_a_batch_it_is_the_first_picture(pipe: Any) -> None:
    from explainer.capture import Recorder

    seen = []
    for guidance_scale in (1.0, 5.0):
        for prompts in ([PROMPT], [PROMPT, "a robot"]):
            with Recorder(pipe, previews=False, activations="mid_block") as recorder:
                pipe(
                    prompts,
                    guidance_scale=guidance_scale,
                    num_inference_steps=1,
                    latents=torch.ones(len(prompts), 8, 8, 8),
                )
            seen.append(recorder.trace.activations["mid_block"].astype(np.float32))
    for one in seen[1:]:
        np.testing.assert_allclose(one, seen[0], atol=2e-3)


def test_what_is_too_large_or_no_picture_is_told_and_the_run_goes_on(
    pipe: Any, built: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention_module, "_MOST_BYTES", 1000)
    watch = AttentionWatch(self_attention="mid_block")
    with pytest.warns(UserWarning, match=r"from 16 to 16 places would take 0 MB a step") as told:
        trace = recorded(pipe, "stable_diffusion", attention=watch)
    assert len(told) == 1
    assert trace.complete
    assert trace.self_attention == {}
    assert trace.attention
    short = {"max_sequence_length": 12}
    with pytest.warns(UserWarning, match="out of 'context_embedder' is no picture"):
        trace = recorded(built["flux"], "flux", activations=("context_embedder",), **short)
    assert trace.complete
    assert trace.activations == {}
    again = replay(built["flux"], trace, 1, activations=["context_embedder"], **short)
    assert again.activations["context_embedder"].shape == (12, 16)


def test_an_unknown_part_is_named_and_nothing_stays_behind(pipe: Any) -> None:
    before = everything_of(pipe, "stable_diffusion")
    with pytest.raises(RunError, match=r"no part 'attic'. It has: conv_in, .*mid_block"):
        recorded(pipe, "stable_diffusion", activations=("mid_block", "attic"))
    assert everything_of(pipe, "stable_diffusion") == before


def test_a_compiled_denoiser_shows_no_activations_and_that_is_told() -> None:
    from explainer.capture import Recorder

    pipe = tiny.stable_diffusion()
    pipe.unet.compile(backend="eager")
    with (
        pytest.warns(UserWarning, match="compiled denoiser shows no activations"),
        Recorder(pipe, activations=True),
    ):
        pass


def test_activations_beyond_half_precision_stay_finite() -> None:
    pipe = tiny.stable_diffusion()
    with torch.no_grad():
        pipe.unet.conv_in.weight.mul_(1e7)
    trace = record(pipe, PROMPT, seed=7, steps=1, previews=False, activations=("conv_in",))
    assert trace.activations["conv_in"].max() == np.finfo(np.float16).max


def test_steps_that_are_taken_over_keep_what_was_seen(pipe: Any) -> None:
    options = {"activations": ActivationWatch(("mid_block",))}
    watch = AttentionWatch(self_attention=("mid_block",))
    trace = recorded(pipe, "stable_diffusion", attention=watch, **options)
    again = resume(pipe, trace, 3, prompt="a bear", attention=watch, **options)
    for group in ("activations", "self_attention"):
        ((_, before),), ((_, after),) = (getattr(t, group).items() for t in (trace, again))
        np.testing.assert_array_equal(after[:3], before[:3])
        assert np.abs(after[3].astype(float) - before[3]).max() > 0


def test_a_file_holds_it_all_in_order(pipe: Any, tmp_path: Path) -> None:
    watch = AttentionWatch(self_attention=("mid_block",))
    before = recorded(pipe, "stable_diffusion", attention=watch, activations=True)
    before.save(tmp_path / "a.trace")
    after = Trace.load(tmp_path / "a.trace")
    assert list(after.activations) == list(before.activations)
    for group in ("activations", "self_attention", "attention"):
        for name, values in getattr(before, group).items():
            np.testing.assert_array_equal(getattr(after, group)[name], values)
            assert not getattr(after, group)[name].flags.writeable


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activations": {"mid_block": np.zeros((2, 4, 4, 4))}}, "activation mid_block has shape"),
        ({"activations": {"mid_block": np.zeros((3, 4, 4))}}, "activation mid_block has shape"),
        ({"activations": {"mid_block": np.zeros(3, np.int8)}}, "floating-point"),
        ({"self_attention": {"2x2": np.zeros((3, 5, 2, 2))}}, "self_attention 2x2 has shape"),
        ({"self_attention": {"2x3": np.zeros((3, 4, 2, 2))}}, "self_attention 2x3 has shape"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        make(**changes)
