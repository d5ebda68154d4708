"""The Python side of the latent page's widgets."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import traitlets

from explainer import widgets
from explainer.capture import record
from explainer.sharing import parameters_of
from explainer.stages import cost, latent, sketch, walk
from tests.shown import frame
from tests.synthetic import make_trace, square, webp
from tests.tiny import stable_diffusion

SECONDS = 120


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


def test_round_trips_show_what_was_measured():
    trip = latent.RoundTrip(square(), square(1))
    shown = widgets.RoundTrips({"one": square(), "two": square(2)}, {"one": trip})
    one, two = shown._facts["rows"]
    assert one == {
        "title": "one",
        "done": True,
        "psnr": trip.psnr,
        "ssim": trip.ssim,
        "most": trip.errors.max(),
    }
    assert two == {"title": "two", "done": False}
    np.testing.assert_array_equal(frame(shown, "before-0"), trip.before)
    np.testing.assert_array_equal(frame(shown, "after-0"), trip.after)
    wanted = np.rint(trip.errors / trip.errors.max() * 255)
    np.testing.assert_array_equal(frame(shown, "error-0")[..., 0], wanted)
    assert f"PSNR {trip.psnr:.1f} dB, SSIM {trip.ssim:.3f}" in repr(shown)
    shown.chosen = "two"
    assert "not sent" in repr(shown)


def test_a_perfect_round_trip_can_be_told():
    shown = widgets.RoundTrips({"one": square()}, {"one": latent.RoundTrip(square(), square())})
    json.dumps(shown._facts, allow_nan=False)
    assert shown._facts["rows"][0]["psnr"] is None
    assert frame(shown, "error-0").max() == 0


def test_the_readers_picture_goes_through_the_pipeline(controller):
    shown = widgets.RoundTrips({"one": square()}, controller=controller)
    own = square(5)
    shown.set_state({"_pixels": memoryview(own.tobytes())})
    assert shown.chosen == "your own"
    shown._handle_custom_msg({"type": "ask", "title": "your own"}, [])
    assert shown._task.wait(SECONDS)
    wanted = latent.round_trip(stable_diffusion(), own)
    np.testing.assert_array_equal(frame(shown, "after-1"), wanted.after)
    assert shown._facts["rows"][1]["psnr"] == wanted.psnr
    shown.set_state({"_pixels": memoryview(square(6).tobytes())})
    assert not shown._facts["rows"][1]["done"]


def test_round_trips_refuse_what_is_no_picture(controller):
    with pytest.raises(ValueError, match="squares"):
        widgets.RoundTrips({})
    with pytest.raises(ValueError, match="squares"):
        widgets.RoundTrips({"one": square(), "two": square(size=24)})
    shown = widgets.RoundTrips({"one": square(size=15)}, controller=controller)
    with pytest.raises(traitlets.TraitError, match="5 bytes"):
        shown._pixels = b"12345"
    assert shown.ask("one").wait(SECONDS)
    assert "multiple of 2" in shown.notice
    shown._handle_custom_msg({"type": "ask", "title": "gone"}, [])
    assert "no such picture" in shown.notice


def test_channels_are_decoded_as_the_reader_wants_them(controller):
    trace, other = tiny_trace(), tiny_trace(seed=8)
    shown = widgets.Channels(trace, other, controller=controller)
    assert "none changed" in repr(shown)
    shown.set_state({"gains": [0, 9] + [1] * 6, "swapped": [False] * 7 + [True]})
    assert shown.gains == [0, 4] + [1] * 6
    # The traits may be those of a moment before: what comes with the question counts.
    late = {"gains": [1, 0, 9] + [1] * 5, "swapped": [True] + [False] * 7}
    shown._handle_custom_msg({"type": "ask", **late}, [])
    assert shown._task.wait(SECONDS)
    bounded = {**late, "gains": [1, 0, 4] + [1] * 5}
    assert shown._facts["shown"] == bounded
    wanted = latent.mixed(trace.latents[-1], other.latents[-1], *bounded.values())
    np.testing.assert_array_equal(frame(shown, "result"), latent.decode(stable_diffusion(), wanted))
    assert shown.gains == [0, 4] + [1] * 6, "the hand may have gone on since"
    assert shown.ask().wait(SECONDS)
    wanted = latent.mixed(trace.latents[-1], other.latents[-1], shown.gains, shown.swapped)
    np.testing.assert_array_equal(frame(shown, "result"), latent.decode(stable_diffusion(), wanted))
    assert shown._facts["shown"] == {"gains": shown.gains, "swapped": shown.swapped}
    assert "channel 1 × 0, channel 2 × 4, channel 8 of the other picture × 1" in repr(shown)


def test_channels_send_their_own_levels():
    trace, other = tiny_trace(), tiny_trace(seed=8)
    shown = widgets.Channels(trace, other)
    both = np.stack([trace.latents[-1], other.latents[-1]])
    limit = 3 * both.std()
    assert shown._facts["limit"] == pytest.approx(limit)
    wanted = np.clip(np.rint(127.5 + 127.5 * both / limit), 0, 255)
    sent = np.frombuffer(shown._levels, np.uint8).reshape(both.shape)
    assert np.abs(sent - wanted).max() <= 1


def test_what_cannot_be_decoded_leaves_the_picture(controller):
    wrong = make_trace(size=16)
    shown = widgets.Channels(wrong, wrong, controller=controller)
    before = shown._frames
    assert shown.ask().wait(SECONDS)
    assert "8 channels" in shown.notice
    assert shown._frames == before
    shown._handle_custom_msg({"type": "ask", "gains": [1.0], "swapped": [False]}, [])
    assert "one size" in shown.notice
    shown._handle_custom_msg({"type": "ask", "gains": ["nan"] * 4, "swapped": [False] * 4}, [])
    assert "finite" in shown.notice
    shown._handle_custom_msg({"type": "ask"}, [])
    assert "of each channel" in shown.notice
    with pytest.raises(traitlets.TraitError, match="finite"):
        shown.gains = [float("nan")] * 4
    with pytest.raises(ValueError, match="one size"):
        widgets.Channels(wrong, tiny_trace())


def stroke(**changes):
    told = {"tool": "shift", "cells": [[2, 3], [99, 0]], "channel": 1, "amount": 2}
    return {"type": "ask", "what": "paint", **told, **changes}


def test_what_was_painted_is_decoded(controller):
    trace = tiny_trace()
    shown = widgets.Brush(trace, controller=controller)
    shown._handle_custom_msg(stroke(), [])
    assert shown._task.wait(SECONDS)
    wanted = trace.latents[-1].copy()
    wanted[1, 2, 3] += 2
    np.testing.assert_array_equal(shown.latents, wanted)
    np.testing.assert_array_equal(frame(shown, "after"), latent.decode(stable_diffusion(), wanted))
    assert shown._facts["strokes"] == 1
    shown._handle_custom_msg(stroke(tool="noise", channel=None), [])
    shown._handle_custom_msg({"type": "ask", "what": "undo"}, [])
    np.testing.assert_array_equal(shown.latents, wanted)
    shown._handle_custom_msg({"type": "ask", "what": "reset"}, [])
    assert shown._task.wait(SECONDS)
    np.testing.assert_array_equal(shown.latents, trace.latents[-1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": [[-1, 0], [8, 8]]}, "outside the picture"),
        ({"cells": []}, "outside the picture"),
        ({"cells": [[1]]}, "not enough values"),
        ({"cells": None}, "could not be read"),
        ({"cells": [[float("inf"), 0]]}, "could not be read"),
        ({"tool": "erase"}, "no brush"),
        ({"amount": float("nan")}, "strength between"),
        ({"channel": 12}, "no channel 13 of 8"),
        ({"what": "reach", "row": 8, "column": 0}, "outside the picture"),
        ({"what": "reach", "row": 1}, "could not be read"),
    ],
)
def test_a_brush_that_cannot_paint_says_so_and_nothing_is_lost(controller, changes, message):
    shown = widgets.Brush(tiny_trace(), controller=controller)
    before = shown._frames
    shown._handle_custom_msg(stroke(**changes), [])
    assert message in shown.notice
    assert shown.strokes == ()
    assert shown._frames == before


def test_the_reach_of_a_cell_is_shown_as_measured(controller):
    trace = tiny_trace()
    shown = widgets.Brush(trace, controller=controller)
    shown._handle_custom_msg({"type": "ask", "what": "reach", "row": 3, "column": 4}, [])
    assert shown._task.wait(SECONDS)
    assert shown._status["step"] == shown._status["total"] == 8
    found = latent.reach(stable_diffusion(), trace.latents[-1], 3, 4)
    told = shown._facts["reach"]
    assert told["most"] == found.max()
    assert told["pixels"] == (found >= 1).sum()
    assert told["own"] == pytest.approx((found[6:8, 8:10] ** 2).sum() / (found**2).sum())
    wanted = np.rint(found / found.max() * 255)
    np.testing.assert_array_equal(frame(shown, "reach")[..., 0], wanted)


def test_what_was_asked_of_the_former_run_is_dropped(controller):
    trace, other = tiny_trace(), tiny_trace(seed=8)
    brush = widgets.Brush(trace, controller=controller)
    channels = widgets.Channels(trace, other, controller=controller)
    tasks = {brush: brush.paint(latent.Stroke("noise", ((0, 0),))), channels: channels.ask()}
    brush.show(other)
    channels.show(other, trace)
    for shown, task in tasks.items():
        before = shown._frames
        assert task.wait(SECONDS)
        assert task.state == "cancelled"
        shown._answer(task.work(stable_diffusion(), task))
        assert shown._frames == before


def test_without_a_controller_nothing_is_painted():
    shown = widgets.Brush(tiny_trace())
    for act in (
        lambda: shown.paint(latent.Stroke("noise", ((0, 0),))),
        shown.undo,
        lambda: shown.reach(0, 0),
    ):
        with pytest.raises(RuntimeError, match="controller"):
            act()
    assert shown.strokes == ()


def test_the_sketch_is_redrawn_through_the_controller(controller):
    shown = widgets.Sketch({"one": square()}, "a fox", controller=controller, steps=4)
    assert "not redrawn" in repr(shown)
    own = square(9)
    # The pixels come with the question: the trait may still be the sketch of a moment before.
    drawn = [memoryview(own.tobytes())]
    shown._handle_custom_msg({"type": "ask", "prompt": "a bear", "strength": 0.5}, drawn)
    assert shown._task.wait(SECONDS)
    assert shown._status == {"state": "done", "step": 2, "total": 2}
    wanted = sketch.redraw(stable_diffusion(), own, "a bear", strength=0.5, steps=4)
    np.testing.assert_array_equal(frame(shown, "picture"), wanted.picture)
    np.testing.assert_array_equal(frame(shown, "noised"), wanted.noised)
    np.testing.assert_array_equal(frame(shown, "sketch"), own)
    assert shown._result == {"prompt": "a bear", "strength": 0.5, "steps": 2}
    assert "“a bear”, 2 of 4 steps" in repr(shown)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"prompt": "x" * 5000}, "2000 characters"),
        ({"strength": 0}, "Choose a strength"),
        ({"strength": "nan"}, "Choose a strength"),
        ({"strength": None}, "are numbers"),
    ],
)
def test_a_sketch_that_cannot_be_redrawn_is_told(controller, content, message):
    shown = widgets.Sketch({"one": square()}, "a fox", controller=controller)
    shown._handle_custom_msg({"type": "ask", **content}, [memoryview(square().tobytes())])
    assert message in shown.notice
    shown._handle_custom_msg({"type": "ask"}, [memoryview(b"12345")])
    assert "has 16 × 16 pixels" in shown.notice
    assert shown.redrawn is None
    with pytest.raises(ValueError, match="squares"):
        widgets.Sketch({}, "a fox")
    with pytest.raises(traitlets.TraitError, match="5 bytes"):
        shown._pixels = b"12345"


def made_walk(lengths=True):
    pictures = tuple(webp(np.full((16, 16, 3), 30 * i)) for i in range(walk.PLACES))
    return walk.Walk(
        tuple(f"place {i}" for i in range(walk.PLACES)),
        {walk.STRAIGHT: pictures, walk.SPHERICAL: pictures[::-1]},
        {walk.STRAIGHT: (1.0, 0.9, 0.8, 0.7, 0.8, 0.9, 1.0)} if lengths else {},
    )


def test_walks_show_what_was_walked_and_walk_on(controller):
    trace, other = tiny_trace(), tiny_trace(seed=8)
    shown = widgets.Walks(trace, other, "a bear", {"noise": made_walk()}, controller=controller)
    assert "place 3" in repr(shown)
    assert shown._facts["walks"]["noise"]["lengths"][walk.STRAIGHT][3] == 0.7
    shown._handle_custom_msg({"type": "ask", "kind": "latents"}, [])
    assert shown._task.wait(SECONDS)
    assert shown.kind == "latents"
    assert shown._status["step"] == shown._status["total"]
    wanted = walk.between_latents(stable_diffusion(), trace.latents[-1], other.latents[-1])
    assert shown.walks["latents"].pictures == wanted.pictures
    told = shown._facts["walks"]["latents"]
    assert told["lengths"] == {way: list(values) for way, values in wanted.lengths.items()}
    start, end = shown._frame_index["latents-1"][3:5]
    assert shown._frames[start:end] == wanted.pictures[walk.SPHERICAL][3]
    assert "noise" in shown._facts["walks"]


def test_a_walk_to_the_readers_own_sentence(controller):
    trace = replace(tiny_trace(), steps=2)
    shown = widgets.Walks(trace, trace, "a bear", controller=controller)
    assert "not walked" in repr(shown)
    shown._handle_custom_msg({"type": "ask", "kind": "prompts", "second": "an owl"}, [])
    assert shown._task.wait(SECONDS)
    assert shown._facts["second"] == "an owl"
    assert list(shown.walks["prompts"].pictures) == [walk.BLENDED]


def test_a_walk_keeps_what_its_run_was_asked_for(controller):
    asked = {"steps": 2, "scheduler": "EulerDiscreteScheduler", "weights": {"fox": 0.0}}
    trace = replace(tiny_trace(), **asked)
    shown = widgets.Walks(trace, trace, "an owl", controller=controller)
    assert shown.ask("prompts").wait(SECONDS)
    wanted = record(stable_diffusion(), **parameters_of(trace).arguments(), previews=False)
    assert shown.walks["prompts"].pictures[walk.BLENDED][0] == webp(wanted.image(), quality=85)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "moon"}, "no such walk"),
        ({"kind": "prompts", "second": "x" * 5000}, "2000|2,000"),
    ],
)
def test_a_walk_that_cannot_be_asked_for_is_told(controller, content, message):
    shown = widgets.Walks(tiny_trace(), tiny_trace(), "a bear", controller=controller)
    shown._handle_custom_msg({"type": "ask", **content}, [])
    assert re.search(message, shown.notice)


def test_a_walk_that_fails_leaves_those_that_were_walked(controller):
    trace = tiny_trace()
    shown = widgets.Walks(trace, trace, trace.prompt, {"noise": made_walk()}, controller=controller)
    assert shown.ask("prompts").wait(SECONDS)
    assert "are the same" in shown.notice
    assert list(shown.walks) == ["noise"]
    assert shown.kind == "noise"
