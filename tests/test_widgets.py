"""The Python side of the widgets; what happens in the page is tested in tests/browser."""

import io
import re
from itertools import product

import ipywidgets
import numpy as np
import pytest
import traitlets
from PIL import Image

from explainer import widgets
from explainer.cache import TraceCache
from explainer.runs import RunController, RunParameters
from explainer.turns import Turns
from explainer.widgets.base import Widget, pack_frames
from explainer.widgets.host import static_page
from explainer.widgets.player import noise_shares
from tests.synthetic import make_trace
from tests.tiny import stable_diffusion

BOXES = {"Views"}
"""They show widgets of ours, and have no front end of their own."""
DRAWN = set(widgets.__all__) - BOXES

SECONDS = 120


@pytest.fixture
def studio(controller):
    return widgets.Studio(controller, trace=make_trace(), known_words=["fox", "a"])


def click_generate(studio, **texts):
    query = "&".join(f"{name}={text}" for name, text in texts.items())
    studio._handle_custom_msg({"type": "generate", "query": query}, [])


def test_packed_frames_come_back_by_their_offsets():
    data, index = pack_frames({"a": [b"one", b"three"], "b": [], "c": [b"x"]})
    assert data[index["a"][1] : index["a"][2]] == b"three"
    assert index["b"] == [8]
    assert data[index["c"][0] : index["c"][1]] == b"x"


def test_every_public_widget_is_there_and_a_misspelt_one_is_named():
    assert all(issubclass(getattr(widgets, name), Widget) for name in DRAWN)
    assert all(issubclass(getattr(widgets, name), ipywidgets.VBox) for name in BOXES)
    with pytest.raises(AttributeError, match=r"'Playr'; it offers .*Player"):
        widgets.Playr  # noqa: B018


@pytest.mark.parametrize("name", sorted(DRAWN - {"Widget"}))
def test_front_ends_are_whole_and_import_nothing(name):
    widget = getattr(widgets, name)
    assert (
        len(re.findall(r"^export default asWidget\(\w+\);$", str(widget._esm), re.MULTILINE)) == 1
    )
    assert not re.search(
        r"^\s*import\b|import\s*\(|https?://(?!www\.w3\.org)", str(widget._esm), re.MULTILINE
    )
    assert "url(" not in str(widget._css)
    assert "innerHTML" not in str(widget._esm)


def luminance(colour):
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [r"\.ex \{", r'\.ex\[data-theme="dark"\] \{'])
def test_text_can_be_read_in_both_themes(theme):
    style = str(widgets.Player._css)
    block = re.search(rf"^{theme}(.*?)^\}}", style, re.MULTILINE | re.DOTALL)[1]
    tokens = {
        name: luminance(colour) for name, colour in re.findall(r"--([a-z-]+): (#\w{6});", block)
    }
    texts = ("ink", "ink-soft", "accent", "unknown", "error")
    pairs = [*product(texts, ("paper", "paper-sunk")), *product(texts[:3], ("accent-soft",))]
    for text, ground in [*pairs, ("on-accent", "accent"), ("error", "error-soft")]:
        low, high = sorted((tokens[text], tokens[ground]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


def test_a_subclass_keeps_the_front_end():
    class Mine(widgets.Player):
        pass

    assert Mine(make_trace())._esm == widgets.Player._esm


def test_player_opens_at_the_end_and_its_frames_are_the_traces():
    trace = make_trace(steps=10)
    player = widgets.Player(trace)
    assert player.step == player.last_step == 10
    start, end = player._frame_index["x0"][3:5]
    assert player._frames[start:end] == trace.frames["x0"][3]
    start, end = player._frame_index["noisy"][10:12]
    assert player._frames[start:end] == trace.frames["noisy"][10]


@pytest.mark.parametrize(("asked", "shown"), [(-1, 0), (0, 0), (7, 7), (10, 10), (999, 10)])
def test_step_stays_inside_the_run(asked, shown):
    player = widgets.Player(make_trace(steps=10))
    player.step = asked
    assert player.step == shown


def test_step_refuses_what_is_no_number():
    with pytest.raises(traitlets.TraitError, match="int"):
        widgets.Player(make_trace()).step = "seven"


def test_noise_shares_fall_to_none_of_it():
    shares = noise_shares(make_trace(steps=10))
    assert len(shares) == 11
    assert shares[0] > 0.99
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0


def test_a_stopped_run_says_so_and_has_no_last_noise_level():
    player = widgets.Player(make_trace(steps=10, calls=4))
    assert player.step == 4
    assert player._run["complete"] is False
    assert player._run["total"] == 10
    assert player._run["noise"][-1] is None


def test_a_new_trace_replaces_the_run_in_one_message_and_tells_observers():
    player = widgets.Player(make_trace(steps=10), step=3)
    player.playing = True
    sent, seen = [], []
    player.send_state = lambda key=None: sent.append(set(key or ()))
    player.observe(lambda change: seen.append(change["new"]), "trace")
    other = make_trace(steps=5, seed=8)
    player.trace = other
    assert seen == [other]
    assert player.step == 5
    assert not player.playing
    assert {"_frames", "_frame_index", "_run", "step"} <= sent[0]
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [("fox.trace", "Trace.load"), (make_trace(frames={}), "previews=True")],
)
def test_player_says_what_to_do_with_what_it_cannot_show(wrong, message):
    player = widgets.Player(make_trace())
    before = player.trace
    with pytest.raises(traitlets.TraitError, match=re.escape(message)):
        player.trace = wrong
    assert player.trace is before


def test_seeds_of_64_bits_reach_the_browser_whole():
    assert widgets.Player(make_trace(seed=2**64 - 1))._run["seed"] == "18446744073709551615"


def test_the_text_alternative_names_the_run_and_the_step():
    player = widgets.Player(make_trace(steps=10), step=4)
    assert repr(player) == "<Player: “a fox in the snow”, seed 7, step 4 of 10>"
    assert repr(widgets.Player()) == "<Player: no run yet>"


def test_a_step_follows_another_widgets():
    trace = make_trace(steps=10)
    player, grid = widgets.Player(trace), widgets.LatentGrid(trace)
    ipywidgets.link((player, "step"), (grid, "step"))
    player.step = 2
    assert grid.step == 2


def test_studio_draws_what_was_asked_for_and_shows_it(studio):
    states = []
    studio.observe(lambda change: states.append(change["new"]["state"]), "_status")
    click_generate(studio, prompt="a fox on the beach", seed=3, steps=4, guidance_scale=2.5)
    assert studio.run.wait(SECONDS)
    assert states[-1] == "done"
    assert studio.trace.prompt == "a fox on the beach"
    assert (studio.trace.seed, studio.trace.steps, studio.trace.guidance_scale) == (3, 4, 2.5)
    assert studio.step == 4
    assert studio._preview == b""


def test_studio_answers_also_whoever_asks_for_a_kept_run_again(studio):
    for _ in range(2):
        click_generate(studio, prompt="a fox", steps=1)
        assert studio.run.wait(SECONDS)
    told = []
    studio.observe(lambda change: told.append(change["new"]["state"]), "_status")
    click_generate(studio, prompt="a fox", steps=1)
    assert told == ["done"]


def test_studio_opens_the_run_of_a_link_at_once_if_it_was_made(studio, controller):
    made = studio.generate(RunParameters(prompt="a fox", seed=5, steps=2))
    assert made.wait(SECONDS)
    other = widgets.Studio(controller)
    other.query = "?prompt=a%20fox&seed=5&steps=2"
    assert other.run.state == "done"
    assert other.trace.prompt == "a fox"
    assert other._form["seed"] == "5"


def test_a_query_without_a_prompt_is_some_other_pages(studio):
    studio.query = "?reset&seed=3"
    assert studio.run is None


@pytest.mark.parametrize(
    ("texts", "parameter", "message"),
    [
        ({"prompt": "+"}, "prompt", "The prompt is empty"),
        ({"prompt": "a" * 2001}, "prompt", "Shorten it"),
        ({"prompt": "fox", "seed": str(2**64)}, "seed", "whole number from 0"),
        ({"prompt": "fox", "steps": "0"}, "steps", "from 1 to 200"),
        ({"prompt": "fox", "steps": "10000"}, "steps", "from 1 to 200"),
        ({"prompt": "fox", "guidance_scale": "-5"}, "guidance_scale", "from 0 to 50"),
        ({"prompt": "fox", "guidance_scale": "abc"}, "guidance_scale", "not 'abc'"),
    ],
)
def test_bad_input_is_answered_beside_its_control_and_changes_nothing(
    studio, texts, parameter, message
):
    before = studio.trace
    click_generate(studio, **texts)
    assert studio._problem["parameter"] == parameter
    assert message in studio._problem["text"]
    assert studio.run is None
    assert studio.trace is before


def test_a_problem_with_no_control_of_its_own_is_in_the_notice_area(studio):
    studio.query = "?prompt=fox&scheduler=%3Cscript%3E"
    assert "is no scheduler" in studio.notice


def test_a_failed_run_is_told_and_what_was_on_screen_stays(tmp_path):
    def no_model():
        raise ValueError("No model is there. Run: explainer train")

    controller = RunController(
        no_model, TraceCache(tmp_path / "cache"), turns=Turns(tmp_path / "turns")
    )
    studio = widgets.Studio(controller, trace=make_trace())
    before = studio.trace
    assert studio.generate(RunParameters(prompt="a fox")).wait(SECONDS)
    assert studio.notice == "No model is there. Run: explainer train"
    assert studio._status["state"] == "failed"
    assert studio.trace is before
    controller.close()


def test_a_run_that_cannot_be_kept_is_shown_and_told(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    controller = RunController(
        stable_diffusion, TraceCache(tmp_path / "cache"), turns=Turns(tmp_path / "turns")
    )
    studio = widgets.Studio(controller, trace=make_trace())
    assert studio.generate(RunParameters(prompt="an owl", steps=1)).wait(SECONDS)
    assert studio.trace.prompt == "an owl"
    assert studio.notice.startswith("This run could not be kept for later.")
    assert "Choose another folder" in studio.notice
    controller.close()


def test_cancel_stops_the_run_and_keeps_the_picture(studio):
    before = studio.trace
    run = studio.generate(RunParameters(prompt="a fox", steps=200))
    studio._handle_custom_msg({"type": "cancel"}, [])
    assert run.wait(SECONDS)
    assert run.state == "cancelled"
    assert studio.trace is before
    assert studio.notice.startswith("Stopped after")


def test_what_a_closed_widget_asked_for_is_cancelled(studio, controller):
    swap = widgets.Swap(RunParameters(prompt="a fox", steps=50), "a bear", controller=controller)
    sweep = widgets.Sweep(controller, RunParameters(prompt="a fox", steps=200), knob="Seeds")
    asked = [studio.generate(RunParameters(prompt="a fox", steps=200)), swap.ask("an owl", "a cat")]
    sweep.start()
    asked.append(sweep._current)
    for widget in (studio, swap, sweep):
        widget.close()
    assert all(job.wait(SECONDS) and job.state == "cancelled" for job in asked)
    assert sweep._waiting == []


def test_the_last_click_wins(studio):
    former = studio.generate(RunParameters(prompt="a fox", steps=200))
    latter = studio.generate(RunParameters(prompt="an owl", steps=2))
    assert former.wait(SECONDS)
    assert latter.wait(SECONDS)
    assert former.state == "cancelled"
    assert studio.trace.prompt == "an owl"
    assert studio.notice == ""


def test_fingerprint_holds_its_vectors_and_refuses_others():
    vector = np.linspace(-2, 2, 8)
    shown = widgets.Fingerprint({"fox": vector, "owl": -vector})
    values = np.frombuffer(shown._values, "<f4").reshape(2, 8)
    np.testing.assert_allclose(values[1], -vector, rtol=1e-6)
    for wrong in ({}, {"a": [1.0], "b": [1.0, 2.0]}, [[1.0]], [np.nan], []):
        with pytest.raises(ValueError, match="vectors"):
            widgets.Fingerprint(wrong)


def test_latent_levels_stand_for_the_latents_to_a_255th_of_the_scale():
    trace = make_trace(steps=6)
    grid = widgets.LatentGrid(trace, step=2)
    levels = np.frombuffer(grid._levels, np.uint8).reshape(trace.latents.shape)
    spread = np.array(grid._spreads)[:, None, None, None]
    back = (levels / 127.5 - 1) * grid._limit * spread
    inside = np.abs(trace.latents) < grid._limit * spread
    assert inside.mean() > 0.98
    # Half a level of rounding, and a little for the rounded spreads.
    assert np.abs(back - trace.latents)[inside].max() < 0.52 * grid._limit / 127.5 * spread.max()
    assert "4 channels of 8 × 8" in grid.describe()


def test_token_row_holds_every_token():
    row = widgets.TokenRow(make_trace().tokens, truncated="and more")
    assert [token["id"] for token in row._tokens][:3] == [1, 100, 101]
    assert "12 tokens, 5 of them words" in row.describe()


def test_gallery_sends_its_pictures_as_they_are_or_as_webp():
    trace = make_trace()
    pixels = np.full((8, 12, 3), (200, 40, 90), np.uint8)
    gallery = widgets.Gallery(
        [trace.picture, pixels, Image.fromarray(pixels)], ["a fox", "an array", "an image"]
    )
    ends = gallery._frame_index["pictures"]
    sent = [gallery._frames[ends[i] : ends[i + 1]] for i in range(3)]
    assert sent[0] == trace.picture
    for webp in sent[1:]:
        image = Image.open(io.BytesIO(webp))
        assert (image.format, image.size) == ("WEBP", (12, 8))
        assert np.abs(np.asarray(image).astype(int) - pixels).max() < 12
    assert gallery._captions == [["a fox", ""], ["an array", ""], ["an image", ""]]


def test_gallery_names_its_pictures_and_replaces_them():
    gallery = widgets.Gallery([b"x"], ["a fox"])
    gallery.show([b"y", b"zz"], ["an owl", "a bear"], ["seed 1", "seed 2"])
    assert gallery._frames == b"yzz"
    assert gallery._captions[1] == ["a bear", "seed 2"]
    assert repr(gallery) == "<Gallery: 2 pictures: an owl, a bear>"


@pytest.mark.parametrize(
    ("titles", "details"), [(["one"], ()), (["one", "two"], ["only one"]), ([], ())]
)
def test_gallery_refuses_pictures_without_their_words(titles, details):
    gallery = widgets.Gallery([b"x"], ["a fox"])
    with pytest.raises(ValueError, match="2 pictures need as many titles and details"):
        gallery.show([b"a", b"b"], titles, details)
    assert gallery._captions == [["a fox", ""]]


def test_a_static_page_cannot_be_broken_out_of():
    page = static_page([widgets.Player(make_trace(prompt="</script><script>alert(1)</script>"))])
    assert "<script>alert" not in page
    assert page.count("</script>") == 2


def test_words_are_offered_only_where_the_model_knows_them(controller):
    box = widgets.Studio(controller, trace=make_trace(), known_words=["fox", "snow"])
    box._look_up(box, {"type": "nearest", "words": ["foxes", "frosty", "tiger", "fox"]}, [])
    assert box._nearest == {"foxes": "fox", "frosty": "snow", "tiger": "", "fox": ""}


def test_no_message_has_more_words_looked_up_than_a_prompt_can_hold(controller):
    box = widgets.Studio(controller, trace=make_trace(), known_words=["fox"])
    words = [f"word{number}" for number in range(61)]
    box._look_up(box, {"type": "nearest", "words": words}, [])
    assert box._nearest == {}
    box._look_up(box, {"type": "nearest", "words": words[:60]}, [])
    assert list(box._nearest) == words[:60]
