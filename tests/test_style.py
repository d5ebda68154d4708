"""Style: measures against closed forms, runs against plain ones, ways against their known ends."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from explainer.capture import record
from explainer.parameters import ParameterError, RunParameters
from explainer.pictures import webp
from explainer.stages import style, style_book, style_grid, style_ways, style_words, swap, walk
from tests import tiny
from tests.synthetic import make_trace

BASE = RunParameters(prompt="a fox sleeps on the beach", seed=3, steps=2, guidance_scale=3.0)
DONOR = "a little girl walks through the forest"


@pytest.fixture(scope="module")
def pipe():
    return tiny.stable_diffusion()


def flat(*colour, size=32):
    return np.full((size, size, 3), colour, np.uint8)


def noise(seed=0, size=32):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


# From the tables of Bruce Lindbloom's colour calculator, sRGB under D65.
@pytest.mark.parametrize(
    ("colour", "wanted"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_colours_in_lab_are_those_of_the_tables(colour, wanted):
    np.testing.assert_allclose(style.lab(flat(*colour))[0, 0], wanted, atol=0.02)


def test_edges_of_a_ramp_are_its_steepness_and_flat_paint_has_none():
    ramp = np.repeat(np.arange(0, 128, 4, dtype=np.uint8)[None, :, None], 32, 0).repeat(3, 2)
    light = style.lab(ramp)[0, :, 0]
    wanted = (light[2:] - light[:-2]) / 2
    np.testing.assert_allclose(style.edges(ramp), np.tile(wanted, (30, 1)), atol=1e-9)
    np.testing.assert_allclose(style.edges(ramp.transpose(1, 0, 2)), np.tile(wanted, (30, 1)).T)
    assert style.edges(flat(90, 10, 200)).max() == pytest.approx(0, abs=1e-9)


def test_layers_count_the_colours_that_cover_nine_tenths():
    picture = np.concatenate([flat(0, 0, 0)[:16], flat(255, 0, 0)[:13], flat(0, 0, 255)[:3]])
    assert style.tones(picture) == 2  # blue is a tenth less a little
    assert style.tones(flat(17, 30, 4)) == 1
    assert style.tones(noise()) > 700


def test_warmth_lightness_and_strength_of_colour():
    yellow, blue, grey = flat(255, 230, 60), flat(40, 60, 200), flat(128, 128, 128)
    assert style.warmth(yellow) > 50
    assert style.warmth(blue) < -50
    assert style.warmth(grey) == pytest.approx(0, abs=0.01)
    assert style.strength(grey) == pytest.approx(0, abs=0.01)
    assert style.strength(yellow) == pytest.approx(np.hypot(*style.lab(yellow)[0, 0, 1:]))
    assert style.lightness(flat(255, 255, 255)) == pytest.approx(100)
    half = np.concatenate([flat(0, 0, 0), flat(255, 255, 255)])
    assert style.lightness(half) == pytest.approx(50)
    assert style.hardness(half) == pytest.approx(50)  # one step of 100 over two places
    assert style.measured(grey).keys() == {one.name for one in style.MEASURES}


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match="uint8"):
        style.lab(np.zeros((4, 4, 3)))


def test_the_share_between_groups_is_fishers():
    assert style.between([[1, 1], [3, 3]]) == 1
    assert style.between([[1, 3], [3, 1]]) == 0
    # Means 1 and 3 about 2 give 4; within the groups are 1 + 1 + 1 + 1.
    assert style.between([[0, 2], [2, 4]]) == pytest.approx(0.5)
    for groups in ([[1, 2]], [[1], []], [[2, 2], [2]]):
        with pytest.raises(ValueError, match=r"Give two groups|All values"):
            style.between(groups)


def test_equal_pages_are_one_book_and_others_are_apart():
    one = style.coherence([noise(), noise()], [[1, 0], [1, 0]])
    assert (one.clip, one.colours) == (1, 0)
    assert set(one.spread.values()) == {0}
    black, white = flat(0, 0, 0), flat(255, 255, 255)
    other = style.coherence([black, white, white], [[1, 0], [0, 1], [0, 1]])
    assert other.clip == pytest.approx(1 / 3)
    assert other.colours == pytest.approx(200 / 3, rel=1e-4)
    assert other.spread["lightness"] == pytest.approx(np.std([0, 100, 100]))
    assert style.coherence([black, white]).clip is None
    with pytest.raises(ValueError, match="two pages"):
        style.coherence([black])


def test_the_layout_is_where_light_and_dark_are_whatever_the_paint():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 32:] = 200
    tinted = np.where(picture, np.array([200, 180, 90]), np.array([20, 0, 60])).astype(np.uint8)
    others = [tinted, 200 - picture, picture.transpose(1, 0, 2), flat(7, 7, 7, size=64)]
    found = style.layout([picture, *others])
    np.testing.assert_allclose(found[0], [1, 1, -1, 0, np.nan], atol=1e-9)
    np.testing.assert_array_equal(found, found.T)


def test_a_grid_holds_the_runs_as_they_were_and_how_far_they_are_apart(pipe):
    runs = style_grid.runs(BASE, ("soft watercolour", "crayon"))
    assert [run.prompt for run in runs.values()] == [
        BASE.prompt,
        f"{BASE.prompt}, soft watercolour",
        f"{BASE.prompt}, crayon",
        BASE.prompt,
    ]
    assert [run.seed for run in runs.values()] == [3, 3, 3, 4]
    traces = {title: record(pipe, **run.arguments()) for title, run in runs.items()}
    found = style_grid.grid(traces)
    assert found.moments.tolist() == [1, 2]
    first, second = traces[style_grid.PLAIN], traces["crayon"]
    for moment, (a, b) in enumerate([(first.x0[0], second.x0[0])]):
        wanted = np.sqrt(((a.astype(float) - b.astype(float)) ** 2).mean())
        assert found.apart[0, 2, moment] == pytest.approx(wanted)
    apart = first.latents[-1].astype(float) - second.latents[-1]
    assert found.apart[2, 0, 1] == pytest.approx(np.sqrt((apart**2).mean()))
    assert not found.apart[range(4), range(4)].any()
    again = style_grid.StyleGrid.of_plain(json.loads(json.dumps(found.plain())))
    assert again.frames == found.frames
    assert again.prompts == found.prompts
    np.testing.assert_allclose(again.apart, found.apart, atol=1e-4)
    assert found.picture("crayon").shape == (16, 16, 3)


def test_a_grid_of_runs_that_do_not_belong_together_is_refused():
    with pytest.raises(ValueError, match="previews"):
        style_grid.grid({"one": make_trace(frames={})})
    with pytest.raises(ValueError, match="differ"):
        style_grid.grid({"one": make_trace(), "two": make_trace(steps=5)})
    with pytest.raises(ParameterError):
        style_grid.runs(BASE, ("x" * 3000,))


def test_word_shares_are_those_of_the_recorded_attention(pipe):
    run = replace(BASE, prompt=f"{BASE.prompt}, soft watercolour")
    seen = []
    found = style_words.read(pipe, run, "soft watercolour", on_step=seen.append)
    assert seen == [1, 2]
    assert found.words[-3:] == (",", "soft", "watercolour")
    assert found.styling == (False,) * 7 + (True, True)
    assert found.shares.shape == (2, len(found.layers), 9)
    trace = record(pipe, **run.arguments(), previews=False, attention=True)
    for size, maps in trace.attention.items():
        layers = [f"{h}x{w}" == size for h, w in found.sizes]
        mean = found.shares[:, layers].mean(axis=1).sum(axis=-1)
        words = [i for i, token in enumerate(trace.tokens) if token.kind == "word"]
        np.testing.assert_allclose(maps[:, words].mean((2, 3)).sum(-1), mean, atol=2e-3)
    ends = [i for i, token in enumerate(trace.tokens) if token.kind in {"start", "end"}]
    np.testing.assert_allclose(found.shares.sum(-1) + found.ends.sum(-1), 1, atol=1e-5)
    for size, maps in trace.attention.items():
        layers = [f"{h}x{w}" == size for h, w in found.sizes]
        wanted = found.ends[:, layers, :2].mean(axis=1)
        np.testing.assert_allclose(maps[:, ends].mean((2, 3)), wanted, atol=2e-3)
    scene, own = found.shares[..., :6].mean(-1), found.shares[..., 7:].mean(-1)
    np.testing.assert_allclose(found.lead, own / scene)
    again = style_words.WordShares.of_plain(json.loads(json.dumps(found.plain())))
    assert (again.words, again.layers, again.sizes) == (found.words, found.layers, found.sizes)
    np.testing.assert_allclose(again.shares, found.shares, atol=1e-5)
    np.testing.assert_allclose(again.ends, found.ends, atol=1e-5)


@pytest.mark.parametrize("prompt", ["soft watercolour", "a fox", ", soft watercolour"])
def test_a_sentence_without_scene_or_style_cannot_be_read(pipe, prompt):
    with pytest.raises(ValueError, match="Write both"):
        style_words.read(pipe, replace(BASE, prompt=prompt), "soft watercolour")


@pytest.mark.parametrize("family", ["stable_diffusion_xl", "stable_diffusion_3", "flux"])
def test_the_words_of_other_families_are_read_too(family):
    run = replace(BASE, prompt=f"{BASE.prompt}, pencil sketch")
    found = style_words.read(getattr(tiny, family)(), run, "pencil sketch")
    assert found.shares.shape[:2] == (2, len(found.layers))
    assert (found.shares >= 0).all()
    assert 0 < found.shares.sum(axis=-1).max() <= 1.001


def test_a_story_has_a_line_a_page_and_is_bounded():
    assert style_book.lines_of(" a fox \n\n a bear\n") == ("a fox", "a bear")
    assert style_book.lines_of("a fox") == ("a fox",)
    with pytest.raises(ParameterError, match="empty"):
        style_book.lines_of(" \n ")
    with pytest.raises(ParameterError, match="100 pages; at most 24"):
        style_book.lines_of("a fox\n" * 100)


def test_pages_differ_in_seed_and_books_in_style():
    lines, styles = ("a fox", "a bear", "an owl"), ("crayon", "pixel art")
    wanted = {
        "phrase": ["a fox, ink", "a bear, ink", "an owl, ink"],
        "without": list(lines),
        "mixture": ["a fox, crayon", "a bear, pixel art", "an owl, crayon"],
    }
    for mode, prompts in wanted.items():
        runs = style_book.runs(lines, mode, " ink ", styles, BASE)
        assert [run.prompt for run in runs] == prompts
        assert [run.seed for run in runs] == [3, 4, 5]
    with pytest.raises(ParameterError, match="style phrase is empty"):
        style_book.runs(lines, "phrase", " ", styles, BASE)
    last = style_book.runs(lines, "without", "", styles, replace(BASE, seed=2**64 - 1))
    assert [run.seed for run in last] == [2**64 - 1, 0, 1]


def looking(row, column):
    """A run whose places look for "fox" at one spot, but for a single bright cell elsewhere."""
    maps = np.full((10, 7, 16, 16), 0.01, np.float16)
    maps[:, 2, row - 1 : row + 2, column - 1 : column + 2] = 0.2
    maps[:, 2, 15, 15] = 0.5
    maps[:, 2, 0, 0] = 0.0
    return make_trace(attention={"16x16": maps})


def test_the_head_is_where_the_word_is_looked_up():
    found = style_book.face_of(looking(5, 8), "Fox")
    assert found.left + found.side / 2 == pytest.approx(8.5 / 16)
    assert found.top + found.side / 2 == pytest.approx(5.5 / 16)
    edge = style_book.face_of(looking(1, 14), "fox")
    assert edge.top == 0
    assert edge.left == pytest.approx(1 - style_book.FACE)
    assert style_book.face_of(looking(5, 8), "bear") is None
    assert style_book.face_of(make_trace(), "fox") is None


def test_a_page_keeps_what_it_was_asked_for_and_cuts_out_the_head():
    trace = looking(5, 8)
    page = style_book.page("a fox", trace, "fox")
    assert (page.prompt, page.seed, page.text) == (trace.prompt, trace.seed, "a fox")
    side = round(style_book.FACE * trace.width)
    left, top = (round(value * trace.width) for value in page.face[:2])
    whole = page.pixels()
    np.testing.assert_array_equal(page.cut_out(), whole[top : top + side, left : left + side])
    again = style_book.Page.of_plain(json.loads(json.dumps(page.plain())))
    assert again.picture == page.picture
    np.testing.assert_allclose(again.face, page.face, atol=1e-4)
    bare = replace(page, face=None)
    assert bare.cut_out() is None
    assert style_book.Page.of_plain(bare.plain()).face is None
    assert style_book.faces_apart([page, page]) == 0
    assert style_book.faces_apart([page, bare]) is None


def plain_run(pipe, prompt, base=BASE):
    run = replace(base, prompt=prompt).arguments()
    return webp(record(pipe, **run, previews=False).image())


def test_a_mix_begins_and_ends_with_the_styles_themselves(pipe):
    seen = []
    found = style_ways.mix(
        pipe, BASE, "soft watercolour", "pencil sketch", watch=walk.Watch(on_step=seen.append)
    )
    assert max(seen) == style_ways.steps_of_mix(2) == 2 * len(found.places)
    for place, words in ((0, "soft watercolour"), (-1, "pencil sketch")):
        assert found.pictures[place] == plain_run(pipe, f"{BASE.prompt}, {words}")
    assert found.places[3] == "50 % soft watercolour, 50 % pencil sketch"
    assert (found.pixels[0], found.pixels[-1]) == (0, 1)
    assert np.isnan(found.clip).all()
    again = style_ways.StyleWay.of_plain(json.loads(json.dumps(found.plain())))
    assert (again.places, again.pictures, again.ends) == (found.places, found.pictures, found.ends)
    assert np.isnan(again.clip).all()
    assert again.goal is None


@pytest.mark.parametrize(
    "asked", [{"scheduler": "EulerDiscreteScheduler"}, {"weights": (("fox", 0.0),)}]
)
def test_ways_keep_what_their_run_was_asked_for(pipe, asked):
    base = replace(BASE, **asked)
    plain, written = (plain_run(pipe, base.prompt + one, base) for one in ("", ", crayon"))
    mixed = style_ways.mix(pipe, base, "crayon", "pencil sketch")
    carried = style_ways.transfer(pipe, base, DONOR, "crayon")
    apart = style_ways.carriers(pipe, base, "crayon")
    assert mixed.pictures[0] == written
    assert mixed.pictures[-1] == plain_run(pipe, f"{base.prompt}, pencil sketch", base)
    assert carried.pictures[style_ways.STRENGTHS.index(0.0)] == plain
    assert carried.goal == written
    assert (apart.pictures[0], apart.pictures[-1]) == (plain, written)


def test_a_weight_whose_word_the_readers_sentence_lacks_is_passed_over(pipe):
    base = replace(BASE, prompt=DONOR)
    weighed = replace(base, weights=(("fox", 0.0),))
    for draw, words in (
        (style_ways.mix, ("crayon", "ink comic")),
        (style_ways.carriers, ("crayon",)),
    ):
        assert draw(pipe, weighed, *words).pictures == draw(pipe, base, *words).pictures


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("crayon", " Crayon ", "nothing to mix"),
        ("soft  watercolour", "soft watercolour", "nothing to mix"),
        ("", "crayon", "words for both"),
    ],
)
def test_styles_that_cannot_be_mixed_are_told(pipe, first, second, message):
    with pytest.raises(ParameterError, match=message):
        style_ways.mix(pipe, BASE, first, second)


def rows(pipe, sentence):
    with torch.no_grad():
        return pipe.encode_prompt(sentence, "cpu", 1, False)[0][0]


def test_style_words_add_nothing_before_themselves(pipe):
    """The fact that a direction stands on: tokens of CLIP's see only those before them."""
    plain, written = rows(pipe, DONOR), rows(pipe, f"{DONOR}, crayon")
    with torch.no_grad():
        added = style_ways.direction(pipe, DONOR, "crayon")
    before = len(plain) - len(added)
    torch.testing.assert_close(written[:before], plain[:before])
    torch.testing.assert_close(written[before:], plain[before:] + added)
    assert added.norm() > 0


def test_a_direction_given_back_to_its_own_sentence_is_the_words(pipe):
    """Added to the sentence it was taken from, it gives the rows that the words give."""
    base = replace(BASE, prompt=DONOR)
    found = style_ways.transfer(pipe, base, DONOR, "crayon")
    place = style_ways.STRENGTHS.index(1.0)
    got, wanted = (pixels(one).astype(int) for one in (found.pictures[place], found.goal))
    assert np.abs(got - wanted).max() <= 2
    assert found.pixels[place] > 0.95
    assert found.pictures[style_ways.STRENGTHS.index(0.0)] == plain_run(pipe, DONOR)
    assert found.goal == plain_run(pipe, f"{DONOR}, crayon")


def test_a_direction_is_carried_over_to_another_sentence(pipe):
    asked = []

    def judge(images, prompts):
        asked.append((len(images), prompts))
        return np.full(len(images), 0.25)

    seen = []
    watch = walk.Watch(on_step=seen.append)
    found = style_ways.transfer(pipe, BASE, DONOR, "crayon", judge=judge, watch=watch)
    assert max(seen) == style_ways.steps_of_transfer(2)
    assert asked == [(7, (BASE.prompt, f"{BASE.prompt}, crayon"))]
    assert found.clip.tolist() == [0.75] * 7
    assert found.places[0] == "the direction × −1"
    assert found.pixels[style_ways.STRENGTHS.index(0.0)] == 0
    again = style_ways.StyleWay.of_plain(json.loads(json.dumps(found.plain())))
    assert (again.goal, again.pictures) == (found.goal, found.pictures)
    with pytest.raises(ParameterError, match="Write a sentence"):
        style_ways.transfer(pipe, BASE, " ", "crayon")


def test_what_is_stopped_gives_nothing(pipe):
    stop = walk.Watch(cancelled=lambda: True)
    assert style_ways.mix(pipe, BASE, "crayon", "ink comic", watch=stop) is None
    assert style_ways.transfer(pipe, BASE, DONOR, "crayon", watch=stop) is None
    run = replace(BASE, prompt=f"{BASE.prompt}, crayon")
    assert style_words.read(pipe, run, "crayon", cancelled=lambda: True) is None


@pytest.mark.parametrize("family", ["stable_diffusion_xl", "stable_diffusion_3", "flux"])
def test_other_families_mix_styles_and_say_why_they_cannot_transfer_them(family):
    pipe = getattr(tiny, family)()
    mixed = style_ways.mix(pipe, BASE, "crayon", "ink comic")
    assert len(mixed.pictures) == len(mixed.places) > 2
    with pytest.raises(ValueError, match="one text encoder"):
        style_ways.transfer(pipe, BASE, DONOR, "crayon")


def test_swaps_are_kept_as_json(pipe):
    found = swap.swap(pipe, BASE, "a robot and a rabbit dance")
    again = swap.Swap.of_plain(json.loads(json.dumps(found.plain())))
    assert again.pictures == found.pictures
    assert np.isnan(again.clip).all()


def test_the_rows_that_style_words_change_are_given_apart(pipe):
    asked, drawn = [], walk.drawn

    def seen(*args, **given):
        asked.append(given["prompt_embeds"][0])
        return drawn(*args, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "drawn", seen)
        found = style_ways.carriers(pipe, BASE, "crayon")
    plain, own, after, whole = asked
    end = next(i for i in range(len(plain)) if not torch.equal(plain[i], whole[i]))
    styling = slice(end, len(plain) - len(plain[end:]) + len(pipe.tokenizer.tokenize(", crayon")))
    torch.testing.assert_close(own[styling], whole[styling])
    torch.testing.assert_close(own[styling.stop], plain[end])
    torch.testing.assert_close(after[styling.stop :], whole[styling.stop :])
    torch.testing.assert_close(after[styling], rows(pipe, "")[styling])
    assert found.places == style_ways.CARRIERS
    assert (found.pixels[0], found.pixels[-1]) == (0, 1)
    assert found.pictures[-1] == plain_run(pipe, f"{BASE.prompt}, crayon")
    with pytest.raises(ParameterError):
        style_ways.carriers(pipe, BASE, "")
