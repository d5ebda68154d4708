"""The style page's widgets in a real browser, on pages with no kernel and no network."""

import numpy as np
import pytest

from explainer.stages import style_ways, style_words, swap
from explainer.widgets import (
    StyleMeasures,
    Styles,
    StyleTimes,
    StyleWays,
    StyleWords,
)
from explainer.widgets.host import static_page
from tests.browser.canvases import refreshed, until
from tests.synthetic import webp
from tests.test_style_widgets import (
    BASE,
    STYLES,
    eyes,
    made_grid,
    made_measures,
    make_book,
)
from tests.test_style_widgets import (
    page as book_page,
)

NARROW = {"viewport": {"width": 400, "height": 900}}
SHADE = "canvas => canvas.getContext('2d').getImageData(5, 5, 1, 1).data[0]"


def shaded(page, canvases, wanted):
    shown = page.locator(canvases)
    until(page, lambda: [one.evaluate(SHADE) for one in shown.all()], wanted.__eq__)


def narrow_enough(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def grey(level, size=16):
    return webp(np.full((size, size, 3), level), lossless=True)


def test_styles_are_slid_through_and_measured_against_the_chosen_one(listening):
    page = listening(
        lambda controller: Styles(BASE, STYLES, made_grid(), controller=controller), **NARROW
    )
    page.wait_for_selector(".ex-style-said:has-text('Finished, seed 1152921504606846976')")
    cells = page.locator(".ex-styles-choose")
    assert cells.count() == 4
    assert "measured from here" in cells.nth(0).inner_text()
    assert "1.00 away" in cells.nth(2).inner_text()
    assert "layout" in cells.nth(2).inner_text()
    same_noise = [made_grid().picture(title) for title in list(made_grid().prompts)[:3]]
    spread = np.sqrt((np.stack(same_noise).astype(float).std(axis=0) ** 2).mean(axis=-1))
    page.wait_for_selector(f"text=where they differ; white: {spread.max():.0f} of 255")
    page.focus(".ex-curve input")
    for waiting in ([{"title": "ink", "share": 0.5}], []):  # a run goes on under the hand
        page.evaluate("waiting => models[0].set('_waiting', waiting)", waiting)
    page.evaluate("models[0].set('_facts', { ...models[0].get('_facts') })")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".ex-style-said:has-text('After step 4 of 9')")
    assert "6.00 away" in cells.nth(2).inner_text()
    assert "layout" not in cells.nth(2).inner_text()
    cells.nth(2).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".ex-styles-choose >> nth=2 >> text=measured from here")
    assert "6.00 away" in page.locator(".ex-styles-choose").nth(0).inner_text()
    assert page.evaluate("document.activeElement.innerText").startswith("paper cut-out")
    page.get_by_label("Your own sentence").fill("a bear")
    page.get_by_label("Seed", exact=True).fill("8")
    page.click("text=Draw it in every style")
    assert page.evaluate("sent") == [{"type": "start", "sentence": "a bear", "seed": "8"}]
    narrow_enough(page)


def test_what_is_to_come_is_shown_with_its_progress_and_can_be_cancelled(listening):
    page = listening(lambda controller: Styles(BASE, STYLES, controller=controller))
    assert page.is_visible("text=Nothing is drawn yet")
    waiting = [{"title": "crayon", "share": 0.5}, {"title": "ink", "share": None}]
    page.evaluate("waiting => models[0].set('_waiting', waiting)", waiting)
    page.wait_for_selector(".ex-series-waiting progress")
    assert page.locator(".ex-series-waiting").count() == 2
    assert page.evaluate("document.querySelector('.ex-series-waiting progress').value") == 0.5
    assert page.is_visible("text=2 to come")
    assert page.is_disabled("text=Draw it in every style")
    page.click("text=Cancel")
    assert page.evaluate("sent") == [{"type": "cancel"}]
    page.evaluate("models[0].set('_waiting', [])")
    page.wait_for_selector("text=Cancel", state="hidden")


def test_distances_wait_for_the_guess(open_page):
    shown = Styles(BASE, STYLES, made_grid())
    shown.shown = False
    page = open_page(static_page([shown]))
    assert page.is_visible("text=Guess above to see this")
    assert "away" not in page.inner_text("body")
    low = page.locator(".ex-curve").bounding_box()["height"]
    page.evaluate("models[0].set('shown', true)")
    page.wait_for_selector("text=1.00 away")
    assert page.locator(".ex-curve").bounding_box()["height"] > 2 * low
    assert page.is_hidden("text=Guess above to see this")
    assert page.is_visible("text=Drawing a sentence of your own needs")


def test_a_measure_is_laid_out_to_scale(open_page):
    shown = StyleMeasures(made_measures())
    shown._own = {"name": "mine", "values": dict.fromkeys(made_measures(), 2.5)}
    page = open_page(static_page([shown]), **NARROW)
    page.click("button:text-is('warmth')")
    page.wait_for_selector("text=mean b*")
    rows = page.locator(".ex-style-measures-row")
    assert rows.nth(1).get_attribute("aria-label") == "crayon: drawings 5, generated 5.3"
    lefts = """row => [...row.querySelectorAll('.ex-style-measures-track > *')]
      .map((node) => node.offsetLeft + node.offsetWidth / 2)"""
    band, median, low, high, own = rows.nth(0).evaluate(lefts)
    assert median == pytest.approx(band, abs=2)  # 2 of 1 to 3
    # From -4 to 9 the track has so many pixels; values lie in proportion.
    scale = (high - low) / (9.0 - 1.5)
    assert own == pytest.approx(low + scale * 1.0, abs=2)
    assert median == pytest.approx(low + scale * 0.5, abs=2)
    assert "25 % of what differs" in page.inner_text("body")
    assert "in soft watercolour are lowest of all styles" in page.inner_text("body")
    assert "The line: mine, 2.5" in page.inner_text("body")
    page.evaluate("models[0].set('shown', false)")
    page.wait_for_selector(".ex-style-measures", state="hidden")
    narrow_enough(page)


def made_shares():
    shares = np.zeros((3, 2, 4))
    shares[:] = [0.1, 0.3, 0.05, 0.4]
    shares[2, 1, 3] = 0.8
    return style_words.WordShares(
        prompt="a fox, crayon",
        style="crayon",
        words=("a", "fox", ",", "crayon"),
        styling=(False, False, False, True),
        pieces=(1,) * 4,
        layers=("down_blocks.0.attn2", "up_blocks.1.attn2"),
        sizes=((16, 16), (8, 8)),
        shares=shares,
        ends=np.full((3, 2, 3), 0.05),
    )


def test_the_words_attention_is_read_by_layer_and_step(open_page):
    page = open_page(static_page([StyleWords(BASE, "crayon", made_shares())]), **NARROW)
    told = page.locator(".ex-style-words > .ex-number")
    page.wait_for_selector("text=up, 8 × 8")
    assert told.all_inner_texts() == ["2.00 ×", "2.00 ×", "2.00 ×"]
    page.focus(".ex-style-words-range")
    page.keyboard.press("End")
    page.wait_for_selector(".ex-style-words >> text=4.00 ×")
    assert told.all_inner_texts() == ["2.00 ×", "4.00 ×", "3.00 ×"]
    page.click("button:text-is('fox')")
    page.wait_for_selector(".ex-style-said:has-text('“fox” gets 1.50 ×')")
    page.click("button:text-is('(end)')")
    page.wait_for_selector(".ex-style-said:has-text('ends the text gets 0.25 ×')")
    label = page.get_attribute(".ex-style-words canvas", "aria-label")
    assert label == "down, 16 × 16: 0.25 × at step 3, 0.25 × on average"
    narrow_enough(page)


def test_what_the_words_get_waits_for_the_guess(open_page):
    shown = StyleWords(BASE, "crayon", made_shares())
    shown.shown = False
    page = open_page(static_page([shown]))
    assert page.is_visible("text=Guess above to see this")
    assert page.is_hidden(".ex-style-words")
    assert " × " not in page.inner_text(".ex")
    page.evaluate("models[0].set('shown', true)")
    page.wait_for_selector("text=up, 8 × 8")
    assert page.is_hidden("text=Guess above to see this")


def test_the_colours_of_attention_reach_as_far_as_it_does(open_page):
    page = open_page(static_page([StyleWords(BASE, "crayon", made_shares())]))
    legend = page.locator(".ex-style-words-key .ex-legend")
    legend.get_by_text("1 ×").wait_for()
    assert legend.inner_text().split("\n") == ["1 ×", "4 ×"]
    page.focus(".ex-style-words-range")
    page.keyboard.press("End")
    page.wait_for_selector(".ex-style-words >> text=4.00 ×")
    colour = "canvas => [...canvas.getContext('2d').getImageData(9, 9, 1, 1).data.slice(0, 3)]"
    page.click("button:text-is('(end)')")
    page.wait_for_selector(".ex-style-words-key >> text=1/4 ×")
    assert legend.inner_text().split("\n") == ["1/4 ×", "1 ×"]
    canvas = page.locator(".ex-style-words canvas").first
    until(page, lambda: canvas.evaluate(colour), [5, 48, 97].__eq__)  # the lowest of all


def made_swap(levels, shares):
    return swap.Swap(
        first="a fox, crayon",
        second="a fox",
        seed=3,
        steps=9,
        fingerprint="",
        switches=np.array([0, 4, 9]),
        pixels=np.array(shares),
        clip=np.full(3, np.nan),
        pictures=tuple(grey(level) for level in levels),
    )


def test_early_and_late_lie_side_by_side(listening):
    swaps = {
        "early": made_swap([10, 40, 90], [0, 0.75, 1]),
        "late": made_swap([90, 60, 10], [0, 0.8, 1]),
    }
    page = listening(
        lambda controller: StyleTimes(BASE, "crayon", swaps, controller=controller), **NARROW
    )
    page.wait_for_selector("text=only in the first 4 steps: 75 % by pixels")
    assert page.is_visible("text=only in the last 5 steps: 20 % by pixels")
    shaded(page, ".ex-style-four canvas", [90, 40, 60, 10])
    page.focus(".ex-curve input")
    page.keyboard.press("Home")
    page.wait_for_selector("text=only in the last 9 steps: 100 % by pixels")
    page.get_by_label("Style words", exact=True).fill("ink")
    page.click("text=Draw it early and late")
    assert page.evaluate("sent") == [{"type": "ask", "sentence": BASE.prompt, "style": "ink"}]
    narrow_enough(page)


def made_way(places, goal=None):
    count = len(places)
    return style_ways.StyleWay(
        "a fox",
        ("from here", "to there"),
        places,
        tuple(grey(20 * i) for i in range(count)),
        np.linspace(0, 1, count),
        np.full(count, np.nan),
        goal=goal,
    )


def test_a_mix_is_slid_along(listening):
    way = made_way(("start", "middle", "end"))
    form = {"sentence": "a fox", "first": "crayon", "second": "ink"}
    page = listening(
        lambda controller: StyleWays(BASE, "mix", form, way, controller=controller), **NARROW
    )
    page.wait_for_selector(".ex-style-said:has-text('50 % by pixels')")
    assert page.get_by_text("middle", exact=True).count() == 1  # below its picture, and not again
    page.focus(".ex-curve input")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".ex-style-said:has-text('100 % by pixels')")
    assert page.get_attribute(".ex-curve input", "aria-valuetext") == "end: 100 % by pixels"
    shaded(page, ".ex-style-ways canvas", [0, 40, 40])
    lightness = page.locator("strong[data-measure=lightness]").inner_text()
    assert float(lightness) == pytest.approx(16, abs=1)  # L* of grey 40
    page.get_by_label("to this one").fill("crayon")
    page.click("text=Mix these two")
    assert page.evaluate("sent") == [
        {"type": "ask", "sentence": "a fox", "first": "crayon", "second": "crayon"}
    ]
    narrow_enough(page)


def test_a_direction_has_a_goal_and_carriers_stand_side_by_side(open_page):
    transfer = made_way(("less", "the sentence as it is", "more"), goal=grey(200))
    form = {"sentence": "a fox", "donor": "a bear", "style": "ink"}
    carriers = made_way(style_ways.CARRIERS)
    pages = [
        StyleWays(BASE, "transfer", form, transfer),
        StyleWays(BASE, "carriers", form, carriers),
    ]
    page = open_page(static_page(pages), **NARROW)
    page.wait_for_selector("text=the words written: “…, to there”")
    shaded(page, ".ex-style-ways canvas", [20, 20, 200])
    page.wait_for_selector("text=only the rows after them: 67 % by pixels")
    assert page.locator(".ex >> nth=1 >> input[type=range]").count() == 0
    narrow_enough(page)


def test_a_book_is_turned_over_and_its_heads_are_cut_out(listening):
    pages = tuple(book_page(i) for i in (1, 2, 3))
    books = {"phrase": pages, "mixture": pages[:1]}
    page = listening(
        lambda controller: make_book(controller, books, eyes=eyes),
        **NARROW,
    )
    assert page.locator(".ex-book > li").count() == 3
    assert page.is_visible("text=crayon, seed 2")
    page.wait_for_selector("td:text-is('0.733')")
    refreshed(page)
    canvas = page.locator(".ex-book canvas").first
    whole = canvas.evaluate("canvas => canvas.width")
    page.click("text=Show only where the model looked for “fox”")
    page.wait_for_selector("text=Show the whole pages")
    until(page, lambda: canvas.evaluate("canvas => canvas.width"), lambda now: now < whole)
    page.click("text=Another style on every page")
    page.wait_for_selector("text=A single page has nothing to be like")
    page.click("text=No style words")
    page.wait_for_selector("text=This book is not drawn yet")
    page.click("text=Save this book as PDF")
    page.click("text=Write your own story")
    page.get_by_label("The story, a line").fill("a bear\na fox")
    page.click("text=Draw this book")
    asked = page.evaluate("sent")
    assert asked[0] == {"type": "save"}
    assert asked[1] == {
        "type": "start", "mode": "without", "title": "The fox", "story": "a bear\na fox",
        "phrase": STYLES[0], "figure": "fox", "seed": "3",
    }  # fmt: skip
    narrow_enough(page)


def test_a_book_keeps_its_measures_until_the_guess(open_page):
    shown = make_book(books={"phrase": (book_page(1), book_page(2))})
    shown.shown = False
    page = open_page(static_page([shown]))
    assert page.is_visible("text=The measures wait for your guess")
    assert page.is_hidden(".ex-book-table")
    page.evaluate("models[0].set('shown', true)")
    page.wait_for_selector(".ex-book-table")
    assert page.is_visible("text=Drawing a story of your own, and saving it as PDF, needs")
