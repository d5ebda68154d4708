"""The Python side of the text page's widgets."""

import re

import numpy as np
import pytest
import traitlets

from explainer import widgets
from explainer.cache import TraceCache
from explainer.models import embedded_fingerprint, embedded_folder
from explainer.runs import RunController
from explainer.stages import clip, text, words
from explainer.stages.compare import compare
from explainer.turns import Turns
from explainer.widgets import two_runs, word_maps
from explainer.widgets.phrases import MAX_LETTERS, MAX_PHRASES
from tests.synthetic import make_trace
from tests.tiny import stable_diffusion

SECONDS = 120

pytestmark = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)


@pytest.fixture(scope="module")
def encoder():
    return clip.TextEncoder(embedded_folder())


def test_what_is_typed_is_taken_apart(encoder):
    box = widgets.Sentence(encoder.reader, "a fox", known_words=["fox", "a"])
    before = box._tokens
    box.sentence = "an owl reads"
    assert next(token["word"] for token in box._tokens if token["kind"] == "word") == "an"
    assert box._tokens != before
    assert box.notice == ""


def test_a_sentence_of_5000_letters_is_refused_and_the_last_one_stays(encoder):
    box = widgets.Sentence(encoder.reader, "a fox")
    before = box._tokens
    box.sentence = "a" * 5000
    assert "3000 characters too many" in box.notice
    assert box._tokens == before
    box.sentence = "an owl"
    assert box.notice == ""


def test_the_run_that_the_address_names_stands_in_the_box(encoder):
    box = widgets.Sentence(encoder.reader, "a fox")
    box.query = "?tour=1"
    assert box.sentence == "a fox"
    box.query = "?prompt=an+owl+%26+a+fox&seed=7"
    assert box.sentence == "an owl & a fox"
    assert [token["text"] for token in box._tokens if token["kind"] == "word"][1] == "owl"


def test_layers_hold_the_encoders_own_numbers(encoder):
    encoded = encoder.encode("a fox in the snow")
    shown = widgets.TokenLayers(encoded, token=2)
    count = len(shown._tokens)
    assert [token["kind"] for token in shown._tokens].count("padding") == 0
    rows = np.frombuffer(shown._values, "<f4").reshape(len(encoded.hidden_states) + 2, count, -1)
    np.testing.assert_array_equal(rows[0], encoded.token_rows[:count])
    np.testing.assert_array_equal(rows[2:], encoded.hidden_states[:, :count])
    shares = np.frombuffer(shown._attention, "<f4").reshape(-1, count, count)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, rtol=1e-5)
    assert "token 2" in shown.describe()


@pytest.mark.parametrize(("asked", "shown"), [(-3, 0), (2, 2), (99, 3)])
def test_a_token_outside_the_sentence_is_the_nearest_inside(encoder, asked, shown):
    layers = widgets.TokenLayers(encoder.encode("a fox"))
    layers.token = asked
    assert layers.token == shown


def test_two_sentences_show_both_vectors_and_their_difference(encoder):
    pair = widgets.TwoSentences(encoder, [("one", "a fox", "an owl"), ("two", "a", "b")])
    pair.second = "A  FOX"
    assert pair._alike == {"cosine": pytest.approx(1), "same": True, "same_tokens": True}
    pair.second = "a frog"
    a, b = encoder.embed(["a fox", "a frog"])
    rows = np.frombuffer(pair._values, "<f4").reshape(3, -1)
    np.testing.assert_array_equal(rows, np.stack([a, b, b - a]))
    assert pair._alike["cosine"] == pytest.approx(text.similarity(a, b))
    assert not pair._alike["same"]
    with pytest.raises(ValueError, match="at least one experiment"):
        widgets.TwoSentences(encoder, [])


@pytest.fixture
def phrases(encoder):
    axes = (("by day", "at night"), ("pencil", "watercolour"))
    return widgets.Phrases(encoder, ["a fox", "an owl", "a castle"], axes)


def test_phrases_are_compared_by_the_stages(encoder, phrases):
    vectors = encoder.embed(["a fox", "an owl", "a castle"])
    np.testing.assert_allclose(phrases._cosines, text.similarities(vectors), atol=1e-4)
    np.testing.assert_allclose(phrases._map["points"], text.principal_plane(vectors).points)
    day, night = encoder.embed(["by day", "at night"])
    np.testing.assert_allclose(
        np.array(phrases._axes["points"])[:, 0], text.along(vectors, day, night)
    )
    phrases.ends = ["at night", "by day", "pencil", "watercolour"]
    np.testing.assert_allclose(
        np.array(phrases._axes["points"])[:, 0], 1 - text.along(vectors, day, night), atol=1e-6
    )


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (" \n ", "no phrase yet"),
        ("\n".join(map(str, range(100))), f"100 phrases; there is room for {MAX_PHRASES}"),
        ("a fox\n" + "a" * 5000, f"5000 letters; a phrase may have {MAX_LETTERS}"),
    ],
)
def test_phrases_that_cannot_be_compared_leave_the_former_ones(phrases, typed, message):
    before = phrases._cosines
    phrases.text = typed
    assert message in phrases.notice
    assert phrases._cosines == before
    phrases.text = "a bear\na cat"
    assert phrases.notice == ""
    assert phrases._phrases == ["a bear", "a cat"]


@pytest.mark.parametrize("typed", ["a fox", "a fox\na fox\n a fox ", "a fox\nA FOX"])
def test_phrases_on_one_spot_have_a_table_but_no_map(phrases, typed):
    phrases.text = typed
    assert "at least two phrases that differ" in phrases._map["problem"]
    assert phrases._cosines[0][0] == pytest.approx(1)


@pytest.mark.parametrize("ends", [["", "a", "b", "c"], ["fox", "FOX", "a", "b"]])
def test_an_axis_without_two_ends_says_so(phrases, ends):
    phrases.ends = ends
    assert "end" in phrases._axes["problem"]
    assert phrases.notice == ""


@pytest.fixture
def names(encoder):
    eyes = clip.ImageEncoder(embedded_folder())
    dice = np.random.default_rng(0)
    pictures = {name: dice.integers(0, 256, (40, 40, 3), np.uint8) for name in ("one", "two")}
    return widgets.PictureNames(
        encoder, eyes, pictures, ["a fox", "an owl"], logit_scale=20, threshold=-1
    )


def test_pictures_are_shared_out_among_the_names(names):
    assert np.sum(names._shares, axis=1) == pytest.approx([1, 1], abs=1e-3)
    np.testing.assert_allclose(names._shares, text.probabilities(names._cosines, 20), atol=2e-3)
    assert "nothing I know" not in names.describe()
    names._threshold = 1.0
    assert names.describe().count("nothing I know") == 2


def test_the_readers_picture_is_named_too_and_replaced_by_the_next(names):
    size = names._size
    names.own = bytes(3 * size**2)
    names.own = b"\xff" * (3 * size**2)
    assert names._titles == ["one", "two", "yours"]
    assert np.shape(names._cosines) == (3, 2)
    names.own = b""
    assert names._titles == ["one", "two"]
    with pytest.raises(traitlets.TraitError, match="no picture"):
        names.own = b"GIF89a"


def test_a_picture_comes_from_the_browser_as_a_buffer(names):
    pixels = np.random.default_rng(5).integers(0, 256, 3 * names._size**2, np.uint8).tobytes()
    names.set_state({"own": memoryview(pixels)})
    assert names.own == pixels
    assert names._titles[-1] == "yours"


def test_names_that_cannot_be_read_are_told(names):
    names.text = ""
    assert "no phrase yet" in names.notice
    assert names._phrases == ["a fox", "an owl"]


@pytest.fixture
def pair(tmp_path):
    controller = RunController(
        stable_diffusion, TraceCache(tmp_path / "cache"), turns=Turns(tmp_path / "turns")
    )
    yield widgets.TwoRuns(controller, make_trace(steps=4), make_trace(steps=4, seed=8))
    controller.close()


def test_two_runs_show_what_compare_says(pair):
    expected = compare(make_trace(steps=4), make_trace(steps=4, seed=8))
    np.testing.assert_allclose(pair._facts["apart"], expected.x0_rms, atol=1e-5)
    np.testing.assert_allclose(pair._facts["unfinished"], expected.latents_rms, atol=1e-5)
    assert pair._facts["picture_rms"] == round(expected.picture_rms, 2)
    assert pair.step == pair._facts["count"] == 4


def test_both_sentences_are_drawn_from_the_same_noise(pair):
    runs = pair.draw("a fox in the snow", "a bear in the snow")
    assert all(run.wait(SECONDS) for run in runs)
    assert [run.trace.seed for run in runs] == [7, 7]
    assert pair._prompts == ["a fox in the snow", "a bear in the snow"]
    assert pair._facts["words"] == [["fox", "bear"]]
    assert pair._facts["apart"][-1] > 0
    assert pair._status == {"state": "idle"}


def test_the_same_sentence_twice_is_nowhere_apart(pair):
    for run in pair.draw("a fox", "a fox"):
        assert run.wait(SECONDS)
    assert pair._facts["picture_rms"] == 0
    assert pair._facts["words"] == []


def test_cancel_stops_both_and_keeps_what_is_on_show(pair):
    before = pair._prompts
    runs = pair.draw("a fox " * 5, "an owl")
    pair._handle_custom_msg({"type": "cancel"}, [])
    assert all(run.wait(SECONDS) for run in runs)
    assert pair._prompts == before
    assert pair.notice.startswith("Stopped")
    assert pair._status == {"state": "idle"}


def test_an_empty_sentence_is_answered_and_changes_nothing(pair):
    before, told = pair._prompts, []
    pair.observe(lambda change: told.append(change["new"].get("text", "")), "_notice")
    for _ in range(2):  # the page closes the notice at each new wish
        pair._handle_custom_msg({"type": "draw", "first": "a fox", "second": " "}, [])
        assert "empty" in pair.notice
    assert sum("empty" in text for text in told) == 2
    assert pair._prompts == before


def test_the_second_run_is_told_what_to_avoid_and_how_much_words_count(pair):
    pair._handle_custom_msg(
        {
            "type": "draw",
            "first": "a fox in the snow",
            "second": "a fox in the snow",
            "negative": "trees",
            "weights": {"fox": 2},
        },
        [],
    )
    runs = pair._runs
    assert all(run.wait(SECONDS) for run in runs)
    assert runs[0].trace.weights == {}
    assert (runs[1].trace.negative_prompt, runs[1].trace.weights) == ("trees", {"fox": 2.0})
    assert pair._facts["words"] == []
    assert pair._facts["others"] == ["“fox” counts × 2", "told to avoid “trees”"]
    assert pair._facts["picture_rms"] > 0


@pytest.mark.parametrize(
    ("weights", "message"), [({"zebra": 2}, "no word 'zebra'"), ({"fox": 99}, "from 0 to 10")]
)
def test_weights_that_cannot_be_are_answered(pair, weights, message):
    before = pair._prompts
    pair._handle_custom_msg(
        {"type": "draw", "first": "a fox", "second": "a fox", "weights": weights}, []
    )
    for run in pair._runs:
        run.wait(SECONDS)
    assert message in pair.notice
    assert pair._prompts == before


def test_half_of_the_difference_is_at_the_first_step_that_has_it():
    states = np.zeros((5, 4, 8, 8), np.float32)
    other = states + np.array([0, 1, 2, 3, 4], np.float32)[:, None, None, None]
    one, two = make_trace(steps=4, latents=states), make_trace(steps=4, latents=other)
    shown = widgets.TwoRuns(RunController(fingerprint="none"), one, two)
    assert shown._facts["half"] == 2
    shown.show(one, one)
    assert shown._facts["half"] is None


@pytest.fixture
def maps(tmp_path):
    controller = RunController(
        stable_diffusion, TraceCache(tmp_path / "cache"), turns=Turns(tmp_path / "turns")
    )
    shown = widgets.WordMaps(controller, make_trace(steps=3))
    assert "recorded without attention" in shown.describe()
    yield shown
    controller.close()


def test_a_drawn_sentence_has_maps_and_its_words_can_be_taken_away(maps):
    run = maps.draw("a fox and a robot")
    assert run.wait(SECONDS)
    assert maps._words == ["a", "fox", "and", "a", "robot"]
    found = words.attention_of(run.trace)
    levels = np.concatenate([one.ravel() for one in found.values()])
    sent = np.frombuffer(maps._attention, "<u2") / word_maps.LEVELS
    np.testing.assert_allclose(sent, levels, atol=1e-5)
    maps._handle_custom_msg({"type": "remove", "word": 1}, [])
    (less,) = maps._runs or (None,)
    assert less is None or less.wait(SECONDS)
    (missing,) = maps._missing
    assert (missing["word"], missing["prompt"]) == (1, "a and a robot")
    assert len(maps._changes) == 4 * 3 * np.prod(run.trace.x0.shape[2:])
    np.testing.assert_array_equal(
        np.frombuffer(maps._changes, "<f4").reshape(3, *run.trace.x0.shape[2:]),
        words.change(run.trace, maps._removed[1].trace),
    )
    assert set(missing["agreement"]) == set(found)
    maps.word = 99
    assert "no word" in maps.describe()


def test_the_maps_begin_with_the_word_and_the_size_that_show_most():
    attention = {
        "4x4": np.full((3, 7, 4, 4), 0.1, np.float16),
        "2x2": np.full((3, 7, 2, 2), 0.1, np.float16),
    }
    attention["4x4"][0, 2] = 0.4  # at another step than the one on show
    attention["2x2"][1, 2, 1, 1] = 0.3  # "fox", behind the start and "a"
    shown = widgets.WordMaps(
        RunController(fingerprint="none"), make_trace(steps=3, attention=attention)
    )
    assert (shown.size, shown._words[shown.word], shown.step) == ("2x2", "fox", 1)


def test_an_empty_prompt_has_maps_of_no_word():
    trace = make_trace(steps=3)
    wordless = tuple(token for token in trace.tokens if token.word is None)
    attention = {"4x4": np.full((3, len(wordless), 4, 4), 0.1, np.float16)}
    told = {"hidden_states": trace.hidden_states[:, : len(wordless)]}
    empty = make_trace(steps=3, prompt="", tokens=wordless, attention=attention, **told)
    shown = widgets.WordMaps(RunController(fingerprint="none"), empty)
    assert (shown.size, shown._words) == ("4x4", [])
    assert "no word" in shown.describe()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"type": "draw", "prompt": " "}, "empty"),
        ({"type": "draw", "prompt": "x" * 5000}, "5,000 characters"),
        ({"type": "remove", "word": 99}, "from 1 to 5"),
    ],
)
def test_what_cannot_be_drawn_leaves_the_maps(maps, content, message):
    before = maps._prompt
    maps._handle_custom_msg(content, [])
    assert message in maps.notice
    assert maps._prompt == before


def test_a_run_that_comes_in_erases_nothing_that_was_typed_since_it_was_asked_for(maps):
    maps.sentence = "an owl"  # typed and drawn
    run = maps.draw("an owl")
    maps.sentence = "an owl in the s"
    assert run.wait(SECONDS)
    assert (maps._prompt, maps.sentence) == ("an owl", "an owl in the s")
    maps.sentence = "an owl"
    assert maps.draw("a bear").wait(SECONDS)
    assert (maps._prompt, maps.sentence) == ("a bear", "a bear")


def test_what_counts_more_does_so_without_another_word_too(maps):
    maps.query = "?prompt=a+cut-out+robot&seed=3&steps=2&weights=cut-out:2"
    (run,) = maps._runs
    assert run.wait(SECONDS)
    place = maps._words.index("robot")
    assert maps.take_away(place).parameters.weights == (("cut-out", 2.0),)
    place = maps._words.index("a") + 1  # the whole of it or its first piece
    assert maps.take_away(place).parameters.weights == ()


def test_what_changed_is_written_as_it_was():
    for written in ("paper cut-out", "a girl's hat, red", "soft", ""):
        assert two_runs._written(re.findall(r"\w+|[^\w\s]", written)) == written


def test_the_only_word_cannot_be_taken_away(maps):
    assert maps.draw("fox").wait(SECONDS)
    maps._handle_custom_msg({"type": "remove", "word": 0}, [])
    assert "the only word" in maps.notice


def test_a_link_opens_its_run_in_the_maps(maps):
    maps.query = "?prompt=a+robot&seed=3&steps=2&weights=robot:2"
    (run,) = maps._runs
    assert run.wait(SECONDS)
    assert (maps._prompt, maps._count) == ("a robot", 2)
    assert maps._link == "prompt=a+robot&seed=3&steps=2&scheduler=DDIMScheduler&weights=robot%3A2"
    maps.query = "?prompt=fox&steps=0"
    assert "from 1 to 200" in maps.notice
    assert maps._prompt == "a robot"
