"""The widgets of the page about copies in a real browser, with no kernel and no network."""

import numpy as np
import pytest

from explainer.stages.originality import Neighbour
from explainer.widgets import Again, Combinations, Nearest, Nearness, Twins
from explainer.widgets.host import static_page
from tests.copies import SIZE, make_findings, make_twin, trained_folder
from tests.synthetic import make_trace

NARROW = {"viewport": {"width": 400, "height": 900}}
NO_WIDER = "document.documentElement.scrollWidth <= 400"
PIXEL = """canvas => {
  const { width, height } = canvas;
  return [...canvas.getContext("2d").getImageData(width >> 1, height >> 1, 1, 1).data.slice(0, 3)];
}"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return trained_folder(tmp_path_factory.mktemp("weights"))


def test_the_nearest_are_shown_and_one_is_put_beside_the_picture(open_page, weights):
    shown = Nearest(make_trace(size=SIZE), make_findings(), weights)
    page = open_page(static_page([shown]), **NARROW)
    assert page.locator(".ex-nearest-pick").count() == 10
    assert "Training picture 2" in page.inner_text(".ex-nearest")
    assert "Of 100 such drawings, 25 come nearer" in page.inner_text(".ex-nearest-rows")
    assert "suspicious" not in page.inner_text(".ex-nearest-rows section:first-child")
    page.focus(".ex-nearest-pick[aria-label^='Training picture 11,']")
    page.keyboard.press("Enter")
    page.wait_for_selector(".ex-nearest strong:has-text('Training picture 11')")
    assert page.evaluate("models[0].get('chosen')") == ["pixels", 4]
    assert page.get_attribute(".ex-nearest-pick >> nth=9", "aria-pressed") == "true"
    assert page.evaluate("document.activeElement.ariaPressed") == "true"
    assert page.evaluate(NO_WIDER)


def test_how_near_unseen_drawings_come_waits_for_the_guess(open_page, weights):
    shown = Nearest(make_trace(size=SIZE), make_findings(), weights)
    shown.shown = False
    page = open_page(static_page([shown]))
    assert page.locator(".ex-nearest-pick").count() == 10
    assert page.locator("text=Guess above to see this").count() == 2
    assert page.locator(".ex-nearest-scale").count() == 0
    assert page.locator(".ex-nearest-verdict").count() == 0
    page.evaluate("models[0].set('shown', true)")
    page.wait_for_selector("text=Of 100 such drawings, 25 come nearer")
    assert page.locator(".ex-nearest-scale").count() == 2


def test_where_two_pictures_differ_is_black_where_they_do_not(open_page, weights):
    shown = Nearest(make_trace(size=SIZE), make_findings(), weights)
    own = shown._frames[slice(*shown._frame_index["own"])]
    shown._frames = own + own
    shown._frame_index = {"own": [0, len(own)], "clip": [len(own), 2 * len(own)]}
    page = open_page(static_page([shown]))
    canvas = page.locator("canvas.ex-nearest-apart")
    page.wait_for_function("document.querySelector('canvas.ex-nearest-apart').width > 200")
    assert canvas.evaluate(PIXEL) == [0, 0, 0]


def test_a_copy_is_called_suspicious(open_page, weights):
    near = make_findings().nearest | {"clip": (Neighbour(3, 0.01),)}
    shown = Nearest(make_trace(size=SIZE), make_findings(nearest=near), weights)
    page = open_page(static_page([shown]))
    page.wait_for_selector("text=That is suspicious: look whether it is a copy.")


def test_without_an_index_the_reader_is_told_what_a_search_takes(
    listening, weights, monkeypatch, tmp_path
):
    monkeypatch.setattr("explainer.widgets.nearest.index_folder", lambda: tmp_path / "none")

    def make(controller):
        shown = Nearest(make_trace(size=SIZE), make_findings(), weights, controller=controller)
        shown.set_state({"_pixels": memoryview(bytes(3 * SIZE**2))})
        return shown

    page = listening(make, **NARROW)
    page.wait_for_selector("text=first draws all 150 training pictures again")
    assert page.locator(".ex-nearest figure:visible").count() == 1
    assert page.get_attribute(".ex-nearest-yours", "aria-label").startswith("The picture: ")
    page.click("text=Find its nearest")
    assert page.evaluate("window.sent") == [{"type": "ask"}]
    page.evaluate("models[0].set('_status', { state: 'running', step: 64, total: 150 })")
    page.wait_for_selector("text=drawing 64 of 150")
    page.click("button:text-is('Cancel')")
    assert page.evaluate("window.sent[1]") == {"type": "cancel"}
    assert page.evaluate(NO_WIDER)


def test_dots_wait_for_a_guess_and_the_pairs_follow_the_row(open_page):
    shown = Nearness(make_findings(), make_twin())
    shown.shown = False
    page = open_page(static_page([shown]), **NARROW)
    page.wait_for_selector("text=The nearest of the drawings that training never saw")
    rows = page.locator(".ex-nearness-rows >> nth=0").locator("circle")
    assert rows.count() == 4 + 2
    assert page.locator(".ex-nearness-pick:disabled").count() == 2
    page.evaluate("models[0].set('shown', true)")
    page.wait_for_selector("text=The nearest of the pictures by the model")
    assert rows.count() == 4 + 2 + 2 + 2
    assert "2 of 2 left of the dashed line" in page.inner_text("[data-group=twin]")
    page.focus(".ex-nearness-row[data-group=twin] button")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The nearest of the pictures by the twin")
    assert page.evaluate("document.activeElement.ariaPressed") == "true"
    assert page.locator(".ex-nearness-pairs li").count() == 2
    page.click("text=By pixels")
    page.wait_for_function("document.querySelectorAll('.ex-nearness-pairs li').length === 1")
    assert page.evaluate("models[0].get('measure')") == "pixels"
    assert page.evaluate(NO_WIDER)


def test_the_same_picture_is_told_to_be_the_same(open_page):
    page = open_page(static_page([Again(make_trace(size=SIZE), make_findings())]), **NARROW)
    page.wait_for_selector("text=The same prompt and seed: the same picture, to the bit.")
    assert page.locator(".ex-again [data-same=true]").count() == 1
    assert "2,000 of 3,072 numbers differ, 65 %" in page.inner_text("[data-picture=other]")
    assert page.inner_text("[data-picture=second] code") == "a" * 16
    assert page.locator("canvas").nth(2).evaluate("canvas => canvas.width") > 0
    page.wait_for_selector("text=needs a live page")
    assert page.evaluate(NO_WIDER)
    page.evaluate("models[0].set('shown', false)")
    page.wait_for_selector("text=Guess above to see this")
    assert page.is_hidden(".ex-again-verdict")
    assert page.locator(".ex-again figure:visible").count() == 1


def test_what_was_drawn_here_is_held_against_what_was_shown(listening):
    def make(controller):
        return Again(make_trace(size=SIZE), make_findings(), controller=controller)

    page = listening(make)
    page.click("text=Draw all three here")
    assert page.evaluate("window.sent") == [{"type": "ask"}]
    facts = "{ ...models[0].get('_facts'), where: 'here', shown: { values: 12, most: 1 } }"
    page.evaluate(f"models[0].set('_facts', {facts})")
    page.wait_for_selector("text=12 numbers differ, by 1 of 255 levels at most")
    page.wait_for_selector("text=All three were drawn on this computer.")


def test_pictures_that_come_after_their_words_are_shown(open_page):
    shown, full = (Again(make_trace(size=SIZE), found) for found in (None, make_findings()))
    page = open_page(static_page([shown, full]))
    assert page.locator(".ex >> nth=0").locator("figure:visible").count() == 1
    for name in ("_facts", "_frame_index", "_frames"):
        page.evaluate(f"models[0].set('{name}', models[1].get('{name}'))")
    assert page.locator(".ex >> nth=0").locator("figure:visible").count() == 3


def test_a_pair_is_chosen_and_its_counts_are_told(open_page):
    page = open_page(static_page([Combinations(make_findings().combinations, SIZE)]), **NARROW)
    page.wait_for_selector("text=“a fox on the beach”")
    label = "10 training pictures show “fox”, 20 “beach”, 0 both"
    assert page.get_attribute("svg[role=img]", "aria-label") == label
    page.focus("text=bear + beach")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=“a bear on the beach”")
    told = page.inner_text("[data-picture=picture]")
    assert "finds “bear” in it, but not “beach”" in told
    page.wait_for_selector(".ex-spoken:text('training pictures show “bear”')", state="attached")
    assert page.locator("[data-picture=own]").is_hidden()
    page.evaluate("models[0].set('_own', { 1: '5' })")
    page.wait_for_selector("text=seed 5, drawn here")
    assert page.evaluate(NO_WIDER)


def test_the_copy_is_told_after_the_guess(open_page):
    page = open_page(static_page([Twins(make_twin(), SIZE)]), **NARROW)
    assert "twin" not in page.inner_text("body")
    page.click("text=Next")
    page.wait_for_selector("text=2 of 3")
    # Here the twin's picture, all of one grey, stands on the left.
    page.wait_for_function("document.querySelectorAll('canvas')[1].width > 50")
    np.testing.assert_allclose(page.locator("canvas").nth(1).evaluate(PIXEL), 2, atol=1)
    page.click("text=This is the copy >> nth=1")
    page.wait_for_selector("text=No, it is the other one.")
    assert page.locator("[data-copy=true]").count() == 1
    assert "By its twin" in page.inner_text(".ex-twins-side >> nth=0")
    assert page.evaluate("models[0].get('guessed')") == [1]
    assert page.evaluate("document.activeElement.textContent") == "Next"
    assert page.evaluate(NO_WIDER)
