"""The Python side of the style page's widgets."""

import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest
import traitlets

from explainer import bookbinding, widgets
from explainer.capture import record
from explainer.parameters import RunParameters
from explainer.recorded.style import Measured
from explainer.stages import style, style_book, style_grid, style_ways, style_words, swap
from tests.shown import frame
from tests.synthetic import square, webp
from tests.tiny import shared as pipe

SECONDS = 120
BASE = RunParameters(prompt="a fox sleeps on the beach", seed=3, steps=2, guidance_scale=3.0)
STYLES = ("soft watercolour", "paper cut-out")


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def send(widget, **content):
    widget._handle_custom_msg(content, [])


def made_grid():
    titles = [style_grid.PLAIN, *STYLES, style_grid.ANOTHER]
    apart = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))[..., None] * np.array([3.0, 0.5])
    return style_grid.StyleGrid(
        sentence="a fox",
        prompts=dict.fromkeys(titles, "a fox"),
        seed=2**60,
        steps=9,
        moments=np.array([4, 9]),
        frames={
            title: (webp(square(i)), webp(square(i + 9), lossless=True))
            for i, title in enumerate(titles)
        },
        apart=apart,
    )


def test_styles_show_the_distances_of_the_grid():
    grid = made_grid()
    shown = widgets.Styles(BASE, STYLES, grid)
    assert shown._facts["apart"] == grid.apart.tolist()
    assert shown._facts["seed"] == str(2**60)  # JavaScript rounds such numbers
    np.testing.assert_array_equal(frame(shown, "1", 1), grid.picture("soft watercolour"))
    first, second = grid.picture(style_grid.PLAIN), grid.picture("paper cut-out")
    assert shown._facts["alike"][0][2] == pytest.approx(
        style.layout([first, second])[0, 1], abs=1e-3
    )
    assert shown.position == 1
    shown.position, shown.chosen = 99, 99
    assert (shown.position, shown.chosen) == (1, 3)
    assert "soft watercolour, paper cut-out" in repr(shown)
    assert "not drawn yet" in repr(widgets.Styles(BASE, STYLES))


def test_the_readers_sentence_is_drawn_in_every_style_one_by_one(controller):
    shown = widgets.Styles(BASE, STYLES, made_grid(), controller=controller)
    counts = []
    shown.observe(lambda change: counts.append(len(change.new["titles"])), "_facts")
    send(shown, type="start", sentence="an old bear", seed="5")
    assert [one["title"] for one in shown._waiting][-1] == style_grid.ANOTHER
    wait_for(lambda: not shown._waiting and len(shown._facts["titles"]) == 4)
    assert counts == [1, 2, 3, 4]
    wanted = record(
        pipe(),
        "an old bear, paper cut-out",
        seed=5,
        steps=2,
        guidance_scale=3.0,
        previews=False,
    )
    np.testing.assert_allclose(shown.grid.apart[2, 2], 0)
    np.testing.assert_array_equal(shown._traces["paper cut-out"].latents[-1], wanted.latents[-1])
    assert shown.trace is shown._traces[style_grid.ANOTHER]
    assert shown.trace.seed == 6
    assert shown._form["sentence"] == "an old bear"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sentence": " ", "seed": "1"}, "prompt is empty"),
        ({"sentence": "a fox", "seed": "one"}, "not “one”"),
        ({"sentence": "a fox", "seed": "-1"}, "from 0"),
        ({"sentence": "x" * 3000, "seed": "1"}, "2,000"),
    ],
)
def test_a_sentence_that_cannot_be_drawn_is_told_and_the_styles_stay(controller, content, message):
    shown = widgets.Styles(BASE, STYLES, made_grid(), controller=controller)
    before = shown._facts
    send(shown, type="start", **content)
    assert message in shown.notice
    assert (shown._facts, shown._waiting) == (before, [])
    with pytest.raises(RuntimeError, match="controller"):
        widgets.Styles(BASE, STYLES).draw("a fox")


def test_what_was_drawn_before_a_cancel_stays(controller):
    shown = widgets.Styles(replace(BASE, steps=60), STYLES, controller=controller)
    shown.draw("a fox")
    wait_for(lambda: shown._facts)
    send(shown, type="cancel")
    assert shown._waiting == []
    count = len(shown._facts["titles"])
    assert 1 <= count < 4
    shown._current = None
    controller.close()
    assert len(shown._facts["titles"]) == count
    assert shown.notice == ""


def made_measures():
    cuts = {"soft watercolour": [1.0, 2.0, 3.0], "crayon": [-4.0, 5.0, 6.0]}
    return {
        one.name: Measured(0.25, cuts, {name: [1.5, 9.0] for name in cuts})
        for one in style.MEASURES
    }


def test_measures_are_shown_as_they_were_measured_and_the_readers_beside():
    shown = widgets.StyleMeasures(made_measures())
    assert shown._facts["layers"]["drawings"]["crayon"] == [-4, 5, 6]
    assert shown._facts["edges"]["meaning"] == style.MEASURES[0].meaning
    shown.measure = "warmth"
    assert repr(shown).startswith("<StyleMeasures: warmth (mean b*")
    shown.add("mine", square())
    assert shown._own == {"name": "mine", "values": style.measured(square())}
    with pytest.raises(traitlets.TraitError, match="no measure 'beauty'"):
        shown.measure = "beauty"
    with pytest.raises(ValueError, match="make assets"):
        widgets.StyleMeasures({})


def test_the_words_of_the_readers_sentence_are_read(controller):
    shown = widgets.StyleWords(BASE, "crayon", controller=controller)
    assert "not read yet" in repr(shown)
    send(shown, type="ask", sentence="an old bear", style=" pencil sketch ")
    assert shown._task.wait(SECONDS)
    assert shown._status == {"state": "done", "step": 2, "total": 2}
    run = replace(BASE, prompt="an old bear, pencil sketch")
    wanted = style_words.read(pipe(), run, "pencil sketch")
    everything = np.concatenate([wanted.shares, wanted.ends], axis=-1)
    sent = np.frombuffer(shown._shares, "<f4").reshape(everything.shape)
    np.testing.assert_allclose(sent, everything, atol=1e-6)
    facts = shown._facts
    assert facts["words"][-3:] == ["(start)", "(end)", "(padding)"]
    assert facts["count"] == len(wanted.words) == len(facts["words"]) - 3
    np.testing.assert_allclose(facts["lead"], wanted.lead, atol=1e-4)
    assert next(one["title"] for one in facts["layers"]).startswith("down, ")
    shown.word, shown.step = 99, 99
    assert (shown.word, shown.step) == (len(facts["words"]) - 1, 1)
    mean = np.nanmean(wanted.lead)
    assert f"{mean:.2f} times" in repr(shown)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sentence": "a fox", "style": " "}, "style words are empty"),
        ({"sentence": "", "style": "crayon"}, "prompt is empty"),
    ],
)
def test_words_that_cannot_be_asked_for_are_told(controller, content, message):
    for shown in (
        widgets.StyleWords(BASE, "crayon", controller=controller),
        widgets.StyleTimes(BASE, "crayon", controller=controller),
    ):
        send(shown, type="ask", **content)
        assert message in shown.notice
        assert shown._facts == {}


def test_early_and_late_are_drawn_and_follow_the_styled_sentence(controller):
    shown = widgets.StyleTimes(BASE, "crayon", controller=controller)
    assert "not drawn yet" in repr(shown)
    send(shown, type="ask", sentence="an old bear", style="pencil sketch")
    assert shown._task.wait(SECONDS)
    assert shown._status["step"] == shown._status["total"] == 2 * swap.calls_in_all(2)
    facts = shown._facts
    assert (facts["with"], facts["without"]) == ("an old bear, pencil sketch", "an old bear")
    assert facts["switches"] == [0, 1, 2]
    assert (facts["early"]["pixels"][0], facts["early"]["pixels"][-1]) == (0, 1)
    assert (facts["late"]["pixels"][0], facts["late"]["pixels"][-1]) == (1, 0)
    early = swap.swap(pipe(), replace(BASE, prompt="an old bear, pencil sketch"), "an old bear")
    assert facts["early"]["pixels"] == swap.plain_shares(early.pixels)
    assert facts["early"]["clip"] == [None] * 3
    # Style words from the start in the one is none at the end in the other.
    np.testing.assert_array_equal(frame(shown, "early", 2), frame(shown, "late", 0))
    np.testing.assert_array_equal(frame(shown, "early", 0), frame(shown, "late", 2))
    assert "first 1 of 2" in repr(shown)


@pytest.mark.parametrize(
    ("kind", "texts", "make"),
    [
        (
            "mix",
            {"sentence": "an old bear", "first": "soft watercolour", "second": "pencil sketch"},
            lambda pipe, base: style_ways.mix(pipe, base, "soft watercolour", "pencil sketch"),
        ),
        (
            "transfer",
            {"donor": "a robot", "style": "soft watercolour", "sentence": "an old bear"},
            lambda pipe, base: style_ways.transfer(pipe, base, "a robot", "soft watercolour"),
        ),
        (
            "carriers",
            {"sentence": "an old bear", "style": "soft watercolour"},
            lambda pipe, base: style_ways.carriers(pipe, base, "soft watercolour"),
        ),
    ],
)
def test_ways_between_styles_are_drawn_and_measured(controller, kind, texts, make):
    shown = widgets.StyleWays(BASE, kind, dict.fromkeys(texts, "words"), controller=controller)
    assert "no way" in repr(shown)
    send(shown, type="ask", **texts)
    assert shown._task.wait(SECONDS)
    assert shown.notice == ""
    assert shown._status["step"] == shown._status["total"]
    wanted = make(pipe(), replace(BASE, prompt="an old bear"))
    assert shown.way.pictures == wanted.pictures
    facts = shown._facts
    assert facts["places"] == list(wanted.places)
    assert facts["pixels"] == swap.plain_shares(wanted.pixels)
    middle = frame(shown, "pictures", 1)
    assert facts["measures"]["layers"][1] == style.tones(middle)
    assert ("goal" in shown._frame_index) == (kind == "transfer")
    shown.position = -3
    assert wanted.places[0] in repr(shown)


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("mix", {"sentence": "a fox", "first": "crayon", "second": "Crayon"}, "nothing to mix"),
        ("mix", {"sentence": "a fox", "first": "", "second": "crayon"}, "words for both"),
        ("mix", {"sentence": " ", "first": "ink", "second": "crayon"}, "prompt is empty"),
        ("transfer", {"sentence": "a fox", "donor": "", "style": "crayon"}, "take the style from"),
        ("carriers", {"sentence": "a fox"}, "and its words"),
    ],
)
def test_ways_that_lead_nowhere_are_told_and_what_was_drawn_stays(
    controller, kind, content, message
):
    pictures = tuple(webp(square(i)) for i in range(4))
    way = style_ways.StyleWay(
        "a fox", ("one", "two"), ("a", "b", "c", "d"), pictures, np.ones(4), np.full(4, np.nan)
    )
    form = dict.fromkeys(("sentence", "first", "second", "donor", "style"), "words")
    shown = widgets.StyleWays(BASE, kind, form, way, controller=controller)
    before = shown._frames, shown._facts
    send(shown, type="ask", **content)
    assert message in shown.notice
    assert (shown._frames, shown._facts) == before
    json.dumps(shown._facts, allow_nan=False)
    with pytest.raises(KeyError):
        widgets.StyleWays(BASE, "moon", form)


def page(seed, face=True):
    box = style_book.Box(0.25, 0.25, 0.5) if face else None
    picture = webp(square(seed), lossless=True)
    return style_book.Page(f"line {seed}", f"line {seed}, crayon", seed, picture, box)


def eyes(pictures):
    return np.stack([np.array([1, 0]) if i else np.array([0.6, 0.8]) for i in range(len(pictures))])


def pages_of(book, mode):
    """How many pages the browser was told of."""
    return len(book._facts["books"].get(mode, ()))


def make_book(controller=None, books=None, **options):
    return widgets.PictureBook(
        BASE, STYLES, "The fox", ["a fox", "a bear"], "fox", books, controller=controller, **options
    )


def test_a_book_is_measured_as_the_stage_measures():
    pages = (page(1), page(2), page(3))
    shown = make_book(books={"phrase": pages, "mixture": pages[:1]}, eyes=eyes)
    pictures = [one.pixels() for one in pages]
    wanted = style.coherence(pictures, eyes(pictures))
    found = shown.coherence["phrase"]
    assert found["clip"] == wanted.clip == pytest.approx((0.6 + 0.6 + 1) / 3)
    assert (found["colours"], found["spread"]) == (wanted.colours, wanted.spread)
    heads = [one[4:12, 4:12] for one in pictures]
    assert found["faces"] == style.coherence(heads).colours
    assert "mixture" not in shown.coherence  # a single page has nothing to be like
    np.testing.assert_array_equal(frame(shown, "phrase", 1), pictures[1])
    assert "3 pages, colours" in repr(shown)
    shown.mode = "mixture"
    assert repr(shown).endswith("1 pages>")


def test_pages_come_one_by_one_and_each_is_its_own_run(controller):
    shown = make_book(controller, {"mixture": (page(1), page(2))}, eyes=eyes)
    counts = []
    shown.observe(lambda change: counts.append(len(change.new["books"]["phrase"])), "_facts")
    story = "an old bear reads\n\na fox walks\nan old fox"
    send(
        shown, type="start", mode="phrase", story=story, phrase="crayon", figure="fox", seed="9",
        title="Another",
    )  # fmt: skip
    wait_for(lambda: not shown._waiting and pages_of(shown, "phrase") == 3)
    assert sorted(set(counts)) == [0, 1, 2, 3]
    assert list(shown.books) == ["phrase"]  # the other book was of another story
    found = shown.books["phrase"]
    assert [one.seed for one in found] == [9, 10, 11]
    assert [one.prompt for one in found] == [
        "an old bear reads, crayon", "a fox walks, crayon", "an old fox, crayon",
    ]  # fmt: skip
    assert [one.face is None for one in found] == [True, False, False]
    assert shown.coherence["phrase"]["clip"] is not None
    assert shown._form["title"] == "Another"
    draw = {"story": story, "phrase": "crayon", "figure": "fox", "seed": 9}
    shown.draw("without", **draw)
    wait_for(lambda: not shown._waiting and pages_of(shown, "without") == 3)
    assert list(shown.books) == ["phrase", "without"]
    shown.draw("mixture", **draw)
    wait_for(lambda: not shown._waiting and pages_of(shown, "mixture") == 3)
    assert [one.prompt.rpartition(", ")[2] for one in shown.books["mixture"]] == [
        "soft watercolour", "paper cut-out", "soft watercolour",
    ]  # fmt: skip


def test_a_story_of_one_page_is_drawn_and_has_nothing_to_be_like(controller):
    shown = make_book(controller)
    shown.draw("phrase", "a fox walks", phrase="crayon", figure="fox", seed=1)
    wait_for(lambda: not shown._waiting and pages_of(shown, "phrase"))
    assert shown.coherence == {}
    assert shown.notice == ""
    assert shown.pdf().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"story": "a fox\n" * 100}, "100 pages; at most 24"),
        ({"story": "\n"}, "story is empty"),
        ({"phrase": ""}, "style phrase is empty"),
        ({"seed": "x"}, "not “x”"),
        ({"mode": "novel"}, "no such book"),
        ({"story": "a fox\n" + "x" * 2000}, "2,000"),
    ],
)
def test_a_story_that_cannot_be_drawn_is_told_and_the_book_stays(controller, changes, message):
    shown = make_book(controller, {"phrase": (page(1), page(2))})
    before = shown.books, shown._facts
    told = {"mode": "phrase", "story": "a bear", "phrase": "crayon", "figure": "bear", "seed": "1"}
    send(shown, type="start", **{**told, **changes})
    assert message in shown.notice
    assert (shown.books, shown._facts) == before
    assert shown._waiting == []


def test_the_book_is_saved_as_pdf_with_prompts_and_seeds():
    shown = make_book(books={"phrase": (page(1), page(2))})
    sent = []
    shown.send = lambda content, buffers=None: sent.append((content, buffers))
    send(shown, type="save")
    ((message, (data,)),) = sent
    assert message == {"type": "file", "name": "the-fox.pdf", "mime": "application/pdf"}
    assert data.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", data)) == 4  # cover, two pages, how it was made
    keywords = re.search(rb"/Keywords \((.*?)(?<!\\)\)", data, re.DOTALL)[1].decode()
    wanted = [{"prompt": f"line {i}, crayon", "seed": i} for i in (1, 2)]
    assert json.loads(keywords) == wanted
    shown.mode = "without"
    send(shown, type="save")
    assert sent[-1][0]["type"] == "unsaved"
    assert "Draw the book first" in sent[-1][0]["text"]


def test_any_words_can_be_bound():
    odd = replace(
        page(1), text="costs $5 and $6 & 雪 🦊", prompt="\\frac{1} (a) $x$ " + "long " * 300
    )
    data = bookbinding.bind("$Title$ {\\", [odd], {"Model": "100 % $"})
    assert data.startswith(b"%PDF")
    assert bookbinding.file_name("$$$") == "book.pdf"
    assert bookbinding.file_name("The Fox, and the Bear!") == "the-fox-and-the-bear.pdf"
    with pytest.raises(ValueError, match="No page"):
        bookbinding.bind("Empty", [], {})


def test_a_page_that_fails_is_named_and_the_others_go_on(controller):
    shown = make_book(controller)
    arrived = shown._arrived

    def fail_once(title, trace):
        if title == "page 1":
            raise ValueError("the paper tore")
        arrived(title, trace)

    shown._arrived = fail_once
    shown.draw("without", "a fox\na bear", phrase="", figure="fox", seed=1)
    wait_for(lambda: not shown._waiting and shown.books["without"])
    assert shown.notice == "page 1: the paper tore"
    assert [one.text for one in shown.books["without"]] == ["a bear"]
