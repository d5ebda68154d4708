"""The Python side of the latent page's widgets."""

import numpy as np
import pytest

from explainer import widgets
from explainer.cache import TraceCache
from explainer.runs import RunController
from explainer.stages import cost
from explainer.turns import Turns
from tests.synthetic import make_trace
from tests.tiny import stable_diffusion

SECONDS = 120


@pytest.fixture
def controller(tmp_path):
    """A real controller on a tiny pipeline."""
    controller = RunController(
        stable_diffusion, TraceCache(tmp_path / "cache"), turns=Turns(tmp_path / "turns")
    )
    yield controller
    controller.close()


def tiny_trace(seed=7):
    """A trace that fits the tiny pipeline: 8 channels of 8 x 8, pictures of 16 x 16."""
    dice = np.random.default_rng(seed)
    states = dice.normal(size=(11, 8, 8, 8)).astype(np.float32)
    parts = {
        name: np.zeros((10, 8, 8, 8), np.float16)
        for name in ("noise_uncond", "noise_cond", "noise", "x0")
    }
    return make_trace(size=16, seed=seed, latents=states, **parts)


def test_compression_tells_what_was_counted():
    unet = {**cost.PUBLISHED[0].unet, "cross_attention_dim": 8}
    shown = widgets.Compression(make_trace(size=64), unet)
    first, *others = shown._facts["rows"]
    wanted = cost.of_trace(make_trace(size=64), unet)
    assert first["numbers"] == [12288, 256]
    assert first["factor"] == wanted.factor == 48
    assert first["flop"] == list(wanted.flop)
    assert [row["model"] for row in others] == [one.model for one in cost.PUBLISHED]
    assert "12,288 numbers, its latents of 256: 48 times fewer" in repr(shown)


def test_both_steps_are_timed_through_the_controller(controller):
    unet = dict(stable_diffusion().unet.config)
    shown = widgets.Compression(tiny_trace(), unet, controller=controller)
    shown._handle_custom_msg({"type": "ask"}, [])
    assert shown._task.wait(SECONDS)
    assert shown.notice == ""
    assert shown._seconds == {"latents": shown.timing.latents, "pixels": shown.timing.pixels}
    assert shown._status["step"] == shown._status["total"] > 1


def test_a_step_that_cannot_be_timed_leaves_the_table(controller):
    shown = widgets.Compression(tiny_trace(), controller=controller)
    rows = shown._facts["rows"]
    assert shown.ask().wait(SECONDS)
    assert "transformer" in shown.notice
    assert shown._facts["rows"] == rows
    with pytest.raises(RuntimeError, match="controller"):
        widgets.Compression(tiny_trace()).ask()
