"""What recorded runs weigh, measured on files of the true shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

import explainer
from explainer.capture import record
from explainer.trace import Trace
from tests import tiny

PROMPT = "a little girl with red hair and a blue dress walks in snow"  # 16 tokens with its ends


def test_25_steps_of_the_embedded_model_stay_under_2_megabytes() -> None:
    path = Path(explainer.__file__).parent / "recorded" / "running_example.trace"
    trace = Trace.load(path)
    assert (trace.calls, trace.width, trace.height) == (25, 128, 128)
    assert len(trace.frames["x0"]) == 25
    assert path.stat().st_size < 2 * 2**20


@pytest.fixture(scope="module")
def large() -> Any:
    """SDXL's shapes at 1024 x 1024, narrow within: latents of 128 x 128, attention at 64 and 32."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _large()


def _large() -> Any:
    pipe = tiny.stable_diffusion_xl()
    unet = diffusers.UNet2DConditionModel(
        **{
            **pipe.unet.config,
            "sample_size": 128,
            "block_out_channels": (8, 8, 8),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "attention_head_dim": 2,
        }
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(4,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        sample_size=1024,
        mid_block_add_attention=False,
    )
    pipe = type(pipe)(
        **pipe.components | {"unet": unet.eval(), "vae": vae.eval()}, add_watermarker=False
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_50_steps_of_sdxl_stay_under_64_megabytes(large: Any, tmp_path: Path) -> None:
    """Of two short runs each step's weight; to them comes what narrow text encoders leave out."""
    sizes = {}
    for steps in (1, 3):
        trace = record(large, PROMPT, seed=7, steps=steps, attention=True)
        assert trace.latents.shape[1:] == (4, 128, 128)
        assert trace.latents.dtype == "float32"
        assert {maps.shape[1:] for maps in trace.attention.values()} == {
            (16, 64, 64),
            (16, 32, 32),
        }
        assert trace.image().size == (1024, 1024)
        trace.save(tmp_path / "a.trace")
        sizes[steps] = (tmp_path / "a.trace").stat().st_size
    each = (sizes[3] - sizes[1]) / 2
    text = 2 * 77 * (13 * 768 + 1280)  # CLIP's thirteen states, and the last of OpenCLIP's
    whole = sizes[1] + 49 * each + text
    assert each > 2 * 128 * 128 * 4 * 6  # a float32 state, and noises and x0 of half as much each
    assert whole < 64 * 2**20
