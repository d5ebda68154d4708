"""The Python side of the noise page's widgets."""

import re
import threading
from dataclasses import replace
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import traitlets

from explainer import widgets
from explainer.cache import TraceCache
from explainer.capture import record
from explainer.limits import Limits
from explainer.parameters import ParameterError, RunParameters
from explainer.recorded import Learned
from explainer.runs import RunController
from explainer.stages import broken, guesses, inside, knobs, noise, swap
from explainer.stages.guesses import Guesses
from explainer.turns import Turns
from explainer.widgets import curves
from storybook.training import SHARES
from tests.synthetic import make_trace, webp
from tests.tiny import stable_diffusion

CONFIG = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
SECONDS = 120


def made_guesses(levels=3):
    dice = np.random.default_rng(0)
    shade = webp(np.full((16, 16, 3), 120))
    return Guesses(
        prompt="a fox",
        fingerprint="0" * 16,
        timesteps=np.linspace(10, 990, levels).astype(np.int64),
        signal=np.linspace(0.99, 0.01, levels),
        noise=dice.normal(size=(4, 8, 8)).astype(np.float16),
        guess=dice.normal(size=(levels, 4, 8, 8)).astype(np.float16),
        picture=shade,
        noisy=(shade,) * levels,
        expected=(shade,) * levels,
    )


def ended(sweep):
    """Wait until a sweep rests."""
    rest = threading.Event()
    sweep.observe(lambda change: change["new"] or rest.set(), "_waiting")
    assert not sweep._waiting or rest.wait(SECONDS)


def states(sweep):
    return ["done" if cell["done"] else "empty" for cell in sweep._cells]


def test_fade_sends_the_schedule_with_a_clean_start():
    fade = widgets.Fade({"grey": np.full((8, 8, 3), 90, np.uint8)}, CONFIG)
    assert fade._signal == [1, *noise.alphas_cumprod(CONFIG)]
    fade.level = 2000
    assert fade.level == 1000
    assert "noise level 1000 of 1000" in repr(fade)


def test_fade_gives_the_readers_picture_as_an_array():
    fade = widgets.Fade({"grey": np.full((2, 2, 3), 90, np.uint8)}, CONFIG)
    fade.set_state({"_pixels": memoryview(bytes(range(12)))})
    np.testing.assert_array_equal(fade.picture.ravel(), range(12))
    with pytest.raises(traitlets.TraitError, match="5 bytes"):
        fade._pixels = b"12345"


@pytest.mark.parametrize(
    "pictures",
    [{}, {"a": np.zeros((8, 9, 3), np.uint8)}, {"a": np.zeros((8, 8, 3))}],
)
def test_fade_refuses_what_is_no_square_picture(pictures):
    with pytest.raises(ValueError, match=r"[Pp]icture"):
        widgets.Fade(pictures, CONFIG)


def panel(widget, place):
    count, *shape = widget._layout["shape"]
    size = count * int(np.prod(shape))
    values = np.frombuffer(widget._values, "<f2")[place * size : (place + 1) * size]
    return values.reshape(count, *shape)


def test_anatomy_sends_the_traces_arrays():
    dice = np.random.default_rng(1)
    arrays = {
        name: dice.normal(size=(5, 4, 8, 8)).astype(np.float16)
        for name in ("noise_uncond", "noise_cond", "noise", "x0")
    }
    trace = make_trace(steps=5, **arrays)
    anatomy = widgets.Anatomy(trace, position=2)
    parts = noise.anatomy(trace)
    wanted = (
        parts.state,
        parts.unconditional,
        parts.conditional,
        parts.difference,
        parts.guided,
        parts.removed,
        parts.expected,
    )
    for place, values in enumerate(wanted):
        np.testing.assert_array_equal(panel(anatomy, place), values.astype(np.float16))
        sizes = anatomy._layout["panels"][place]["rms"]
        np.testing.assert_allclose(sizes, noise.rms(values))
    assert anatomy._layout["curve"] == [None, *parts.changes[1:]]
    assert repr(anatomy).startswith("<Anatomy: Step 3 of 5: timestep")


def test_anatomy_of_a_run_without_guidance_or_frames_shows_what_there_is():
    trace = make_trace(steps=4, noise_uncond=None, noise_cond=None, frames={})
    layout = widgets.Anatomy(trace)._layout
    names = [panel["name"] for panel in layout["panels"]]
    assert names == ["Noisy state", "Predicted", "Removed", "Clean latents predicted now"]
    assert layout["pictures"] == []


def test_anatomy_of_ddpm_shows_the_noise_that_is_put_in():
    trace = make_trace(steps=4, scheduler="DDPMScheduler")
    names = [panel["name"] for panel in widgets.Anatomy(trace)._layout["panels"]]
    assert names[-3:] == ["Removed", "Put in", "Clean latents predicted now"]
    cut = noise.anatomy(make_trace(steps=4, scheduler="DDPMScheduler", complete=False))
    assert cut.added is None


def test_anatomy_follows_to_a_shorter_run():
    anatomy = widgets.Anatomy(make_trace(steps=10), position=99)
    assert anatomy.position == 9
    anatomy.show(make_trace(steps=3))
    assert anatomy.position == 2


def test_a_band_that_latents_have_nothing_in_is_left_out():
    trace = make_trace(steps=3)
    stripes = np.tile([1, -1], 4)  # the finest wave that there is, and no other
    latents = np.broadcast_to(stripes, trace.latents.shape).astype(np.float32)
    x0 = latents[:-1].astype(np.float16)
    x0[0] = 0
    shown = widgets.Plot(**curves.settling(replace(trace, latents=latents, x0=x0)))
    assert shown._curves == {"fine details": [[2, pytest.approx(1)], [3, pytest.approx(1)]]}


def test_a_step_moves_the_mark_on_the_route():
    trace = make_trace(steps=5)
    anatomy, plot = widgets.Anatomy(trace), widgets.Plot({"way": noise.route(trace).states})
    ipywidgets.link((anatomy, "position"), (plot, "position"))
    anatomy.position = 4
    assert plot.position == 4


def test_guesses_have_the_same_noise_at_every_level():
    found = made_guesses()
    shown = widgets.Guesses(found)
    assert shown.position == 1
    np.testing.assert_array_equal(panel(shown, 0), np.stack([found.noise] * 3))
    np.testing.assert_array_equal(panel(shown, 1), found.guess)
    assert shown._layout["curve"] == pytest.approx(list(found.errors))


def test_the_model_is_asked_about_the_readers_own_picture(controller):
    picture = np.random.default_rng(5).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    shown = widgets.Guesses(made_guesses(), controller=controller, source=lambda: picture)
    shown._handle_custom_msg({"type": "ask", "prompt": "a bear"}, [])
    assert shown._task.wait(SECONDS)
    assert shown._status == {"state": "done", "step": 12, "total": 12}
    assert shown.guesses.prompt == "a bear"
    wanted = guesses.ask(stable_diffusion(), picture, "a bear")
    np.testing.assert_array_equal(shown.guesses.guess, wanted.guess)
    np.testing.assert_array_equal(panel(shown, 1), wanted.guess)


def test_asking_can_be_cancelled_and_what_is_shown_stays(controller):
    first = made_guesses()
    shown = widgets.Guesses(
        first, controller=controller, source=lambda: np.zeros((16, 16, 3), np.uint8)
    )
    task = shown.ask()
    shown._handle_custom_msg({"type": "cancel"}, [])
    assert task.wait(SECONDS)
    assert shown._status["state"] == "cancelled"
    assert shown.guesses is first


def test_what_cannot_be_asked_is_told(controller):
    shown = widgets.Guesses(
        made_guesses(), controller=controller, source=lambda: np.zeros((15, 15, 3), np.uint8)
    )
    assert shown.ask("a fox").wait(SECONDS)
    assert "multiple of 2" in shown.notice
    shown._handle_custom_msg({"type": "ask", "prompt": "x" * 5000}, [])
    assert "2000 characters" in shown.notice
    with pytest.raises(RuntimeError, match="controller"):
        widgets.Guesses(made_guesses()).ask()
    with pytest.raises(RuntimeError, match="controller"):
        widgets.Guesses(made_guesses(), source=lambda: np.zeros((16, 16, 3), np.uint8)).ask()


def test_cloud_takes_points_and_refuses_what_is_none():
    assert widgets.Cloud(np.zeros((3, 2))).points == [[0, 0]] * 3
    for wrong, message in [
        ([[1, 2, 3]], "pairs"),
        ([[np.nan, 1]], "finite"),
        (np.zeros((5001, 2)), "At most 5,000"),
    ]:
        with pytest.raises(traitlets.TraitError, match=message):
            widgets.Cloud(wrong)
    with pytest.raises(traitlets.TraitError, match="1 to 20,000 steps"):
        widgets.Cloud(steps=0)


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "at least one"),
        ({"a": [1, 2]}, "no list of pairs"),
        ({"a": [[0, np.inf]]}, "not finite"),
    ],
)
def test_a_plot_says_what_it_cannot_show(curves, message):
    with pytest.raises(ValueError, match=message):
        widgets.Plot(curves)


def test_a_plot_has_no_logarithm_of_what_is_not_above_0():
    with pytest.raises(ValueError, match="no logarithm"):
        widgets.Plot({"a": [[0, 1], [1, 1]]}, log=True)


def test_a_sweep_draws_every_run_of_its_experiment(controller):
    base = RunParameters(prompt="a fox", seed=2, steps=2)
    sweep = widgets.Sweep(controller, base, knob="Guidance")
    assert set(states(sweep)) == {"empty"}
    sweep._handle_custom_msg({"type": "start", "prompt": "a bear", "seed": "5"}, [])
    ended(sweep)
    assert set(states(sweep)) == {"done"}
    assert sweep._ending == "All that was asked for is drawn."
    sweep._handle_custom_msg({"type": "open", "label": "guidance 20"}, [])
    assert (sweep.trace.prompt, sweep.trace.seed) == ("a bear", 5)
    assert sweep.trace.guidance_scale == knobs.GUIDANCE[6]
    start, end = sweep._frame_index["pictures"][6:8]
    assert end > start
    assert len(set(sweep._frame_index["pictures"])) == len(knobs.GUIDANCE) + 1


def test_a_sweep_of_another_sentence_is_drawn_without_the_weights_of_the_first(controller):
    base = RunParameters(prompt="a fox", steps=1, weights=(("fox", 2.0),))
    sweep = widgets.Sweep(controller, base, knob="Guidance")
    for prompt, weights in (("a fox", {"fox": 2.0}), ("a bear", {})):
        sweep._handle_custom_msg({"type": "start", "prompt": prompt, "seed": "5"}, [])
        ended(sweep)
        assert set(states(sweep)) == {"done"}, sweep.notice
        assert all(trace.weights == weights for trace in sweep._traces.values())


def test_pictures_and_where_they_begin_travel_together(controller):
    sweep = widgets.Sweep(controller, RunParameters(prompt="a fox", steps=1), knob="Guidance")
    sent = []
    sweep.send_state = lambda key=None: sent.append({key} if isinstance(key, str) else set(key))
    sweep.start()
    ended(sweep)
    with_frames = [keys for keys in sent if "_frames" in keys]
    assert len(with_frames) >= len(knobs.GUIDANCE)
    assert all("_frame_index" in keys for keys in with_frames)


def test_a_cancelled_sweep_keeps_what_is_drawn(controller):
    sweep = widgets.Sweep(controller, RunParameters(prompt="a fox", steps=3), knob="Seeds")
    third = threading.Event()
    sweep.observe(lambda change: change["new"][2]["done"] and third.set(), "_cells")
    sweep.start()
    assert third.wait(SECONDS)
    sweep.cancel()
    assert not sweep._waiting
    assert sweep._ending == "Stopped. What is drawn stays."
    assert states(sweep)[:3] == ["done"] * 3
    assert states(sweep)[-1] == "empty"


def test_another_knob_shows_its_own_recorded_pictures(controller):
    recorded = {"Steps": {"1 step": webp(np.zeros((8, 8, 3)))}}
    sweep = widgets.Sweep(controller, RunParameters(prompt="a fox"), recorded)
    assert "done" not in states(sweep)
    sweep.knob = "Steps"
    assert states(sweep) == ["done", *["empty"] * (len(knobs.STEPS) - 1)]
    with pytest.raises(traitlets.TraitError, match="no experiment 'Volume'"):
        sweep.knob = "Volume"


@pytest.mark.parametrize(
    ("prompt", "seed", "message"),
    [("", "1", "prompt"), ("a fox", "seven", "whole number"), ("a fox", "-1", "seed")],
)
def test_a_sweep_says_what_it_cannot_run(controller, prompt, seed, message):
    sweep = widgets.Sweep(controller, RunParameters(prompt="a fox"))
    sweep._handle_custom_msg({"type": "start", "prompt": prompt, "seed": seed}, [])
    assert re.search(message, sweep.notice, re.IGNORECASE)
    assert not sweep._waiting


def test_a_run_that_fails_is_told_and_the_others_go_on(tmp_path):
    def broken():
        raise ValueError("no weights here")

    controller = RunController(
        broken, TraceCache(tmp_path / "cache"), turns=Turns(tmp_path / "turns")
    )
    sweep = widgets.Sweep(controller, RunParameters(prompt="a fox"), knob="Steps")
    sweep.start()
    ended(sweep)
    assert "no weights here" in sweep.notice
    assert set(states(sweep)) == {"empty"}
    controller.close()


def test_a_run_that_the_server_refuses_is_told_and_the_others_are_drawn(tmp_path):
    controller = RunController(
        stable_diffusion,
        TraceCache(tmp_path / "cache"),
        turns=Turns(tmp_path / "turns"),
        limits=Limits(steps=4),
    )
    sweep = widgets.Sweep(controller, RunParameters(prompt="a fox", steps=1), knob="Steps")
    sweep.start()
    ended(sweep)
    assert states(sweep) == ["done"] * 3 + ["empty"] * (len(knobs.STEPS) - 3)
    assert "at most 4 steps" in sweep.notice
    assert sweep._ending == f"Not drawn: {', '.join(list(sweep._runs)[3:])}."
    controller.close()


def test_broken_runs_are_drawn_as_their_stage_draws_them(controller):
    base = RunParameters(prompt="a fox in the snow", seed=2, steps=2)
    sweep = widgets.Sweep(controller, base, knob="Break it")
    sweep.start()
    ended(sweep)
    assert set(states(sweep)) == {"done"}
    sweep._handle_custom_msg({"type": "open", "label": "no text"}, [])
    wanted = broken.record(stable_diffusion(), broken.Broken(base, "text"), previews=False)
    np.testing.assert_array_equal(sweep.trace.latents, wanted.latents)
    assert set(sweep.trace.frames) == {"noisy", "x0"}


def test_pictures_are_measured_against_the_bases_own(controller):
    greys = [webp(np.full((8, 8, 3), level), lossless=True) for level in (100, 130, 100)]
    labels = ["guidance 1", "guidance 5", "guidance 7.5"]
    base = RunParameters(prompt="a fox", guidance_scale=5)
    sweep = widgets.Sweep(controller, base, {"Guidance": dict(zip(labels, greys, strict=True))})
    assert sweep._beside == "guidance 5"
    assert sweep._apart == [30, None, None, 0, 30, None, None]
    assert sweep.apart == {"guidance 1": 30, "guidance 5": 0, "guidance 7.5": 30}


SWAPPED = swap.Swap(
    first="a fox",
    second="an owl",
    seed=7,
    steps=8,
    fingerprint="0" * 16,
    switches=np.array([0, 4, 8]),
    pixels=np.array([0, 0.7, 1]),
    clip=np.array([0.1, 0.2, np.nan]),
    pictures=(webp(np.zeros((8, 8, 3))),) * 3,
)
BASE = RunParameters(prompt="a fox", seed=3, steps=3)


def test_a_swap_sends_what_was_measured():
    shown = widgets.Swap(BASE, "an owl", SWAPPED)
    assert shown._facts["pixels"] == [0, 0.7, 1]
    assert shown._facts["clip"] == [0.1, 0.2, None]
    assert shown._facts["decided"] == {"pixels": 4, "clip": None}
    assert repr(shown) == "<Swap: “a fox” for 4 of 8 steps, then “an owl”>"
    shown.position = 99
    assert shown.position == 2
    assert "not drawn yet" in repr(widgets.Swap(BASE, "an owl"))


def test_two_other_sentences_are_drawn_and_shown(controller):
    shown = widgets.Swap(BASE, "an owl", SWAPPED, controller=controller)
    shown._handle_custom_msg({"type": "ask", "first": "a bear", "second": "a robot"}, [])
    assert shown._task.wait(SECONDS)
    assert shown._status["state"] == "done"
    assert shown._status["step"] == swap.calls_in_all(3)
    wanted = swap.swap(
        stable_diffusion(), RunParameters(prompt="a bear", seed=3, steps=3), "a robot"
    )
    assert shown._facts["pixels"] == pytest.approx(list(wanted.pixels), abs=1e-4)
    assert shown.swapped.pictures == wanted.pictures
    assert shown._form == {"first": "a bear", "second": "a robot"}


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [("a fox", " a fox", "the same"), ("", "an owl", "empty"), ("a fox", "x" * 5000, "Shorten")],
)
def test_a_swap_says_what_it_cannot_draw_and_keeps_what_it_shows(
    controller, first, second, message
):
    shown = widgets.Swap(BASE, "an owl", SWAPPED, controller=controller)
    shown._handle_custom_msg({"type": "ask", "first": first, "second": second}, [])
    assert message in shown.notice
    assert shown.swapped is SWAPPED
    with pytest.raises(ParameterError):
        shown.ask(first, second)


def test_a_swap_can_be_cancelled(controller):
    shown = widgets.Swap(BASE, "an owl", SWAPPED, controller=controller)
    task = shown.ask("a bear", "a robot")
    shown._handle_custom_msg({"type": "cancel"}, [])
    assert task.wait(SECONDS)
    assert shown._status["state"] == "cancelled"
    assert shown.swapped is SWAPPED


@pytest.fixture(scope="module")
def run():
    return record(stable_diffusion(), "a fox in the snow", seed=3, steps=5, previews=False)


@pytest.fixture(scope="module")
def look(run):
    return inside.look(stable_diffusion(), run)


def test_the_denoiser_is_drawn_before_anybody_looked_into_it():
    config = stable_diffusion().unet.config
    shown = widgets.Denoiser(config)
    assert [part["name"] for part in shown._parts] == [
        part.name for part in inside.blueprint(config)
    ]
    assert shown.part == "up_blocks.0.attentions.0.transformer_blocks.0.attn2"
    assert "not looked into yet" in repr(shown)
    with pytest.raises(traitlets.TraitError, match="no part 'attic'"):
        shown.part = "attic"
    with pytest.raises(RuntimeError, match="controller"):
        shown.ask()


def test_the_denoiser_sends_what_went_in_and_out(look):
    shown = widgets.Denoiser(
        stable_diffusion().unet.config,
        look,
    )
    values = np.frombuffer(shown._maps, "<f2")
    for part in look.parts:
        for direction, maps, sizes in (
            ("in", look.inputs, look.input_sizes),
            ("out", look.outputs, look.output_sizes),
        ):
            told = shown._facts["parts"][part.name][direction]
            assert told["shape"] == list(maps[part.name].shape)
            count = int(np.prod(told["shape"]))
            sent = values[told["start"] : told["start"] + count].reshape(told["shape"])
            np.testing.assert_array_equal(sent, maps[part.name])
            assert told["rms"] == list(sizes[part.name])
    shown.position = 99
    assert shown.position == len(look.steps) - 1


def test_a_run_of_the_readers_own_is_looked_into(controller, run, look):
    shown = widgets.Denoiser(stable_diffusion().unet.config, controller=controller, trace=run)
    shown._handle_custom_msg({"type": "ask"}, [])
    assert shown._task.wait(SECONDS)
    assert shown._status == {"state": "done", "step": 4, "total": 4}
    np.testing.assert_array_equal(shown.look.outputs["mid_block"], look.outputs["mid_block"])


def test_a_run_of_another_model_is_told_and_the_drawing_stays(controller, look):
    shown = widgets.Denoiser(
        stable_diffusion().unet.config, look, controller=controller, trace=make_trace()
    )
    assert shown.ask().wait(SECONDS)
    assert "other weights" in shown.notice
    assert shown.look is look


LOSSES = {"autoencoder": [(10, 0.9), (20, 0.5)], "denoiser": [(5, 1.0), (10, 0.4), (15, 0.2)]}


def test_learning_begins_at_the_end_of_the_denoisers_training():
    shade = webp(np.zeros((8, 8, 3)))
    shown = widgets.Learning(LOSSES, Learned(("a fox", "an owl"), (4, 15), ((shade,) * 2,) * 2))
    assert (shown.stage, shown.position) == ("denoiser", 2)
    assert repr(shown) == "<Learning: the denoiser after 15 steps of training, error 0.200>"
    assert shown._frame_index.keys() == {"pictures-0", "pictures-1"}
    shown.stage = "autoencoder"
    assert shown.position == 1
    with pytest.raises(traitlets.TraitError, match="no stage 'cook'"):
        shown.stage = "cook"
    with pytest.raises(ValueError, match="no losses"):
        widgets.Learning({"denoiser": []})


def test_each_stage_of_training_has_words_for_its_error():
    words = Path(widgets.__file__).with_name("learning.js").read_text("utf-8")
    told = words.partition("STAGE_WORDS = {")[2].partition("};")[0]
    for stage in SHARES:
        assert f"{stage}: " in told


def test_a_question_tells_its_answer_after_the_guess():
    question = widgets.Question("When?", ["early", "late"], 0, "At step 2.")
    assert repr(question) == "<Question: When? (early, late)>"
    assert not question.answered
    question.choice = 7
    assert question.choice == 1
    assert question.answered
    assert "At step 2." in repr(question)
    with pytest.raises(ValueError, match="number 2 of 2"):
        widgets.Question("When?", ["early", "late"], 2, "At step 2.")
