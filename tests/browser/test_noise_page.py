"""The noise page as a reader meets it: every view touched, under Voilà."""

import pytest

from explainer import recorded
from explainer.models import embedded_fingerprint
from explainer.stages import swap
from tests.browser.canvases import repainted, sums
from tests.browser.test_pages import (
    NOTE_LIVE,
    fill,
    generate,
    visit,
)

pytestmark = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)

STUDIO = ".ex:has(.ex-studio)"
FADE, GUESSES = ".ex:has(.ex-fade-canvas)", ".ex:has(.ex-panels-grid):has(.ex-ask)"
LEARNING, CLOUD = ".ex:has(.ex-learning)", ".ex:has(.ex-cloud)"
ANATOMY = ".ex:has(.ex-panels-grid):not(:has(.ex-ask))"
DENOISER, SWEEP, SWAP = ".ex:has(.ex-unet)", ".ex:has(.ex-sweep)", ".ex:has(.ex-swap)"


@pytest.fixture(scope="module")
def page(browser, site):
    with visit(browser, f"{site}voila/render/02_noise.ipynb", ready=STUDIO) as page:
        yield page


def slide(page, widget, key, selector=".ex-curve input"):
    """Press a key on a widget's slider."""
    page.focus(f"{widget} {selector} >> nth=0")
    page.keyboard.press(key)


def answer(page, question, choice):
    """Guess, and return what is told then."""
    box = page.locator(f".ex-question:has-text('{question}')")
    box.locator(f"button:text-is('{choice}')").click()
    box.locator(".ex-question-told").wait_for()
    return box.locator(".ex-question-told").inner_text()


def test_the_page_opens_with_its_pictures_and_without_code(page):
    assert page.title() == "A picture found in static"
    assert page.locator("h2").count() == 8
    assert page.locator("img").first.evaluate("image => image.naturalWidth > 0")
    assert not page.is_visible(".jp-InputArea-editor")
    assert "Traceback" not in page.inner_text("body")
    unnamed = "all => all.filter((one) => !one.ariaLabel && one.checkVisibility()).length"
    assert page.locator("canvas[role=img]").evaluate_all(unnamed) == 0


def test_a_picture_fades_and_the_model_is_asked_about_it(page):
    faded = page.locator(f"{FADE} canvas").first
    before = sums(faded)
    slide(page, FADE, "End")
    page.wait_for_selector(f"{FADE} >> text=timestep 1000 of 1000")
    repainted(page, faded, before)
    page.click(f"{FADE} >> text=another")
    assert page.is_visible(f"{GUESSES} >> text=Guess above to see this")
    assert "with an error of" in answer(page, "Where is the noise hardest", "where there is much")
    page.wait_for_selector(f"{GUESSES} >> text=Mean squared error")
    guessed = page.locator(f"{GUESSES} canvas").first
    before = sums(guessed)
    page.click(f"{GUESSES} >> text=Ask about the picture above")
    page.wait_for_selector(f"{GUESSES} >> text=/level \\d+ of 12/")
    page.wait_for_selector(f"{GUESSES} progress", state="hidden")
    repainted(page, guessed, before)


def test_the_training_is_slid_along_and_points_are_learned(page):
    slide(page, LEARNING, "Home")
    page.wait_for_selector(f"{LEARNING} >> text=/^Step [\\d,]+ · error/")
    page.click(f"{LEARNING} >> button:text-is('autoencoder')")
    page.wait_for_selector(f"{LEARNING} >> text=reconstruction loss")
    page.click(f"{CLOUD} >> text=heart")
    page.click(f"{CLOUD} >> text=Train")
    page.wait_for_selector(f"{CLOUD} >> text=/step [1-9]\\d* of 2000/")
    page.click(f"{CLOUD} >> text=Stop")
    page.wait_for_selector(f"{CLOUD} >> text=Train again")


def test_a_step_moves_the_marks_of_the_curves_below(page):
    answer(page, "When does the predicted picture", "late")
    assert "The correlation stays above 0.9" in answer(page, "What is settled first", "middling")
    marks = page.locator(".ex-plot-mark").first
    before = marks.get_attribute("cx")
    slide(page, ANATOMY, "End")
    page.wait_for_selector(f"{ANATOMY} >> text=Step 25 of 25")
    page.wait_for_function(
        "before => document.querySelector('.ex-plot-mark').getAttribute('cx') !== before",
        arg=before,
    )


def test_a_knob_and_a_part_are_chosen_and_the_prompt_is_swapped(page):
    page.click(f"{SWEEP} >> nth=0 >> button:text-is('Seeds')")
    last = recorded.trace("running_example").seed + 11
    page.wait_for_selector(f"{SWEEP} >> nth=0 >> text=seed {last}")
    assert "grey levels" in page.locator(".ex-question-told").last.inner_text() or answer(
        page, "leaves the picture as it was", "guidance off"
    )
    page.click(f"{DENOISER} >> [data-part=mid_block]")
    page.wait_for_selector(f"{DENOISER} >> text=where each place has seen the whole picture")
    assert page.is_visible(f"{SWAP} >> text=Draw these two")
    page.click(f"{SWAP} >> text=My guess: it is decided here")
    told = page.inner_text(f"{SWAP} .ex-swap-verdict")
    assert swap.in_words(recorded.swap()) in told
    assert swap.in_words(recorded.swap()) in page.locator("h2").last.evaluate(
        "node => node.closest('main').innerText.slice(-2000)"
    )
    page.fill(f"{SWAP} [aria-label='Second sentence']", "")
    page.click(f"{SWAP} >> text=Draw these two")
    page.wait_for_selector(f"{SWAP} .ex-notice:has-text('The prompt is empty')")


def test_the_readers_own_run_goes_through_all_of_it(page):
    page.evaluate(NOTE_LIVE)
    fill(page, prompt="a fox in the snow", seed="7", steps="2", guidance_scale="5")
    generate(page, "an owl reads in the rain", seed="3", steps="2")
    page.wait_for_selector(f"{ANATOMY} >> nth=1 >> text=of 2")
    page.click(f"{DENOISER} >> text=Look into this run")
    page.wait_for_selector(f"{DENOISER} >> text=step 1 of 2")
    page.locator(f"{DENOISER} .ex-unet-flow canvas").first.wait_for()
