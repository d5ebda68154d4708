"""What is taken away of a run holds the run."""

import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from explainer import models, sharing, widgets
from explainer.parameters import ParameterError, RunParameters
from explainer.trace import Trace
from explainer.widgets import subjects
from tests.synthetic import make_trace, webp


def test_a_still_is_the_picture_and_tells_how_to_make_it_again():
    trace = make_trace(prompt="a fox 🦊 & 雪", seed=2**64 - 1, weights={"fox": 2.0})
    with Image.open(io.BytesIO(sharing.still(trace))) as found:
        assert found.format == "PNG"
        np.testing.assert_array_equal(np.asarray(found), np.asarray(trace.image()))
        assert found.text["prompt"] == "a fox 🦊 & 雪"
        told = {name: json.loads(found.text[name]) for name in ("seed", "steps", "weights")}
        assert told == {"seed": 2**64 - 1, "steps": 10, "weights": {"fox": 2.0}}
        assert found.text["fingerprint"] == trace.fingerprint
        assert found.text["Software"].startswith("storybook-explainer")


@pytest.mark.parametrize("kind", ["WEBP", "GIF"])
@pytest.mark.parametrize(("steps", "frames"), [(1, 2), (10, 11), (100, 61)])
def test_an_animation_has_its_steps_and_the_picture_at_the_end(kind, steps, frames):
    trace = make_trace(steps=steps, size=32)
    with Image.open(io.BytesIO(sharing.animation(trace, kind))) as found:
        assert (found.format, found.n_frames) == (kind, frames)
        found.seek(frames - 1)
        last = np.asarray(found.convert("RGB").crop((0, 0, 256, 256)), float)
        found.load()
        assert found.info["duration"] > 2000
    whole = np.asarray(trace.image().resize((256, 256), Image.Resampling.BICUBIC), float)
    assert np.sqrt(((last - whole) ** 2).mean()) < 12


def test_a_large_run_moves_in_small():
    """All frames are in memory at once."""
    flat = webp(np.full((64, 2048, 3), 200))
    frames = {"x0": (flat,) * 2, "noisy": (flat,) * 3}
    trace = make_trace(steps=2, width=2048, height=64, frames=frames, picture=flat)
    with Image.open(io.BytesIO(sharing.animation(trace))) as found:
        assert found.width == 2 * 512 + sharing.GAP


def test_the_caption_names_prompt_step_and_noise():
    trace = make_trace(steps=10)
    assert sharing._words(trace, 0) == (
        "seed 7 · step 0 of 10 · 100 % noise · what the model predicts now →"
    )
    assert sharing._words(trace, None) == "seed 7 · 10 steps · guidance 5 · finished"
    white = tuple([webp(np.full((64, 64, 3), 255), quality=80)] * 10)
    frames = {"x0": white, "noisy": (*white, white[0])}
    sheets = [sharing._step(make_trace(prompt=p, frames=frames), 3) for p in ("a fox", "an owl")]
    first, second = (np.asarray(sheet) for sheet in sheets)
    changed = np.nonzero((first != second).any(axis=(1, 2)))[0]
    assert changed.min() >= 256, "the prompt stands below the pictures"


def test_a_long_prompt_is_cut_to_three_lines():
    short, long = make_trace(prompt="fox " * 400), make_trace(prompt="fox")
    heights = [sharing._step(trace, 0).height for trace in (short, long)]
    assert heights[0] - heights[1] == 2 * sharing.LINE


def test_a_run_without_frames_cannot_move():
    with pytest.raises(ValueError, match="previews=True"):
        sharing.animation(make_trace(frames={}))


def test_a_run_that_no_link_can_ask_for_is_shown_all_the_same():
    trace = make_trace(guidance_scale=80.0)
    assert widgets.Player(trace)._link == sharing.query(trace) == ""
    with pytest.raises(ParameterError, match="guidance scale"):
        sharing.parameters_of(trace)


def test_a_run_without_a_seed_is_not_taken_for_that_of_seed_0():
    trace = make_trace(seed=None)
    assert widgets.Player(trace)._link == sharing.query(trace) == ""
    with pytest.raises(ParameterError, match="without a seed"):
        sharing.parameters_of(trace)


def test_a_link_holds_what_names_the_run():
    trace = make_trace(scheduler="EulerDiscreteScheduler", weights={"fox": 0.5}, seed=3)
    assert RunParameters.from_query(sharing.query(trace)) == RunParameters(
        prompt="a fox in the snow",
        seed=3,
        steps=10,
        guidance_scale=trace.guidance_scale,
        scheduler="EulerDiscreteScheduler",
        weights=(("fox", 0.5),),
    )
    own = make_trace(fingerprint=models.embedded_fingerprint(), scheduler="DDPMScheduler", size=128)
    assert "scheduler" not in sharing.query(own)
    # Another model may draw with another one of itself.
    assert "scheduler=DDIMScheduler" in sharing.query(make_trace())
    assert sharing.query(make_trace(seed=None)) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fingerprint": models.embedded_fingerprint()}, "64 × 64 pixels large; of itself"),
        ({"pipeline": "StableDiffusionImg2ImgPipeline"}, "was given a picture"),
        ({"settings": {"eta": 1.0}}, "drawn with eta=1.0, which cannot be asked for"),
        ({"settings": {"negative_prompt": ""}}, "drawn with negative_prompt=''"),
        ({"missing": ("ip_adapter_image",)}, "drawn with ip_adapter_image, which"),
    ],
)
def test_a_run_that_would_come_out_otherwise_is_not_asked_for(changes, reason):
    trace = make_trace(size=64, **changes)
    assert sharing.query(trace) == ""
    assert reason in subjects.no_prompt(subjects.Subject(trace))
    if trace.missing:
        assert "was given ip_adapter_image" in subjects.not_replayable(subjects.Subject(trace))


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A fox, in the snow!", "a-fox-in-the-snow-seed-7.png"),
        ("../../etc/passwd", "etc-passwd-seed-7.png"),
        ("🦊", "run-seed-7.png"),
        ("x" * 500, "x" * 48 + "-seed-7.png"),
    ],
)
def test_files_have_names_that_any_system_takes(prompt, name):
    assert sharing.file_name(make_trace(prompt=prompt), ".png") == name


def asked(player, kind):
    sent = []
    player.send = lambda content, buffers=None: sent.append((content, buffers))
    player._handle_custom_msg({"type": "save", "kind": kind}, [])
    finished()
    return [one for one in sent if one[0]["type"] != "making"]


def finished():
    """Wait until no file is being made."""
    for thread in threading.enumerate():
        if thread.name == "saving":
            thread.join()


def test_a_player_hands_over_its_run(tmp_path):
    trace = make_trace(steps=3)
    ((content, buffers),) = asked(widgets.Player(trace), "trace")
    assert content["name"] == "a-fox-in-the-snow-seed-7.trace"
    (tmp_path / "fox.trace").write_bytes(buffers[0])
    again = Trace.load(tmp_path / "fox.trace")
    assert again.parameters == trace.parameters
    np.testing.assert_array_equal(again.latents, trace.latents)


@pytest.mark.parametrize(
    ("kind", "start"), [("picture", b"\x89PNG"), ("webp", b"RIFF"), ("gif", b"GIF8")]
)
def test_a_player_makes_pictures_of_its_run(kind, start):
    ((content, buffers),) = asked(widgets.Player(make_trace(steps=2)), kind)
    assert content["type"] == "file"
    assert buffers[0].startswith(start)


@pytest.mark.parametrize("kind", ["webp", "gif"])
@pytest.mark.parametrize("ended", ["stopped", "closed", "wished for otherwise"])
def test_an_animation_is_made_beside_the_page_with_progress_until_it_is_stopped(kind, ended):
    """The widget answers while it is being made: here, after the second of its pictures."""
    player, sent = widgets.Player(make_trace(steps=9)), []
    second, go_on = threading.Event(), threading.Event()

    def send(content, buffers=None):
        sent.append(content)
        if content.get("step") == 2:
            second.set()
            assert go_on.wait(60)

    player.send = send
    player._handle_custom_msg({"type": "save", "kind": kind}, [])
    assert second.wait(60), "the message is answered before the file is there"
    if ended == "stopped":
        player._handle_custom_msg({"type": "stop saving"}, [])
    elif ended == "closed":
        player.close()
    else:
        player._handle_custom_msg({"type": "save", "kind": "picture"}, [])
    go_on.set()
    finished()
    told = [one for one in sent if one["type"] == "making"]
    assert told == [{"type": "making", "step": step, "total": 10} for step in (1, 2)]
    files = [one["name"] for one in sent if one["type"] == "file"]
    assert files == (["a-fox-in-the-snow-seed-7.png"] if ended == "wished for otherwise" else [])


def test_nothing_is_made_of_no_run_or_of_no_kind():
    assert asked(widgets.Player(), "picture") == []
    assert asked(widgets.Player(make_trace(steps=2)), "exe") == []
