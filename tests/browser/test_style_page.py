"""The style page as a reader meets it: every view touched, under Voilà."""

import pytest

from explainer import recorded
from explainer.models import embedded_fingerprint
from tests.browser.canvases import repainted, sums
from tests.browser.test_pages import fill, generate, visit

pytestmark = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)

STUDIO = ".ex:has(.ex-studio)"
STYLES, MEASURES = ".ex:has(.ex-styles)", ".ex:has(.ex-style-measures)"
WORDS, BOOK = ".ex:has(.ex-style-words)", ".ex:has(.ex-book)"
CARRIERS, TIMES = ".ex:has(.ex-style-four) >> nth=0", ".ex:has(.ex-style-four) >> nth=1"
MIX, TRANSFER = ".ex:has(.ex-style-ways) >> nth=0", ".ex:has(.ex-style-ways) >> nth=1"


@pytest.fixture(scope="module")
def page(browser, site):
    with visit(browser, f"{site}voila/render/04_style.ipynb", ready=STUDIO) as page:
        yield page


def told_after_a_guess(page, question):
    box = page.locator(f".ex-question:has-text('{question}')")
    box.locator("button").first.click()
    box.locator(".ex-question-told").wait_for()
    return box.locator(".ex-question-told").inner_text()


def slide(page, widget, key):
    page.locator(f"{widget} >> .ex-curve input").focus()
    page.keyboard.press(key)


def test_the_page_opens_with_its_pictures_and_without_code(page):
    assert page.title() == "One look for many pictures"
    assert page.locator("h2").count() == 7
    assert page.locator("img").first.evaluate("image => image.naturalWidth > 0")
    assert not page.is_visible(".jp-InputArea-editor")
    assert "Traceback" not in page.inner_text("body")
    unnamed = "all => all.filter((one) => !one.ariaLabel && one.checkVisibility()).length"
    assert page.locator("canvas[role=img]").evaluate_all(unnamed) == 0


def test_distances_and_measures_come_after_the_guess(page):
    assert page.is_visible(f"{STYLES} >> text=Guess above to see this")
    assert "another seed by" in told_after_a_guess(page, "moves the finished latents farther")
    page.locator(f"{STYLES} >> text=/\\d away/").first.wait_for()
    second = page.locator(f"{STYLES} canvas").nth(1)
    before = sums(second)
    slide(page, STYLES, "Home")
    page.locator(f"{STYLES} >> text=/^After step 1 of/").wait_for()
    repainted(page, second, before)
    assert "lies between the styles" in told_after_a_guess(page, "Which of the three tells most")
    page.click(f"{MEASURES} >> button:text-is('layers')")
    page.wait_for_selector(f"{MEASURES} >> text=colours that cover nine tenths")


def test_words_are_read_by_step_and_their_rows_are_given_apart(page):
    assert "Of all attention" in told_after_a_guess(page, "How much attention does a style word")
    page.focus(f"{WORDS} .ex-style-words-range")
    page.keyboard.press("End")
    page.locator(f"{WORDS} >> text=/at step 25 of 25/").wait_for()
    page.click(f"{WORDS} >> button:text-is('(padding)')")
    page.locator(f"{WORDS} >> text=/All padding together gets/").wait_for()
    assert "with the rows after them" in told_after_a_guess(page, "What carries the style")
    page.locator(f"{CARRIERS} >> text=/only the rows after them: \\d+ % by pixels/").wait_for()


def test_early_and_late_the_mix_and_the_direction_are_slid_along(page):
    assert "in the second half only" in told_after_a_guess(page, "Which half gives more style")
    slide(page, TIMES, "Home")
    page.locator(f"{TIMES} >> text=/only in the last 25 steps: 100 % by pixels/").wait_for()
    assert "CLIP gives" in told_after_a_guess(page, "Half-way between the two")
    slide(page, MIX, "End")
    page.locator(f"{MIX} >> text=/^100 % by pixels/").first.wait_for()
    assert "have a cosine of" in told_after_a_guess(page, "the same direction to every")
    slide(page, TRANSFER, "End")
    page.locator(f"{TRANSFER} >> figcaption:text-is('the direction × 2')").wait_for()


def test_styles_that_are_the_same_and_a_story_of_a_hundred_pages_are_answered(page):
    mix = page.locator(MIX)
    mix.get_by_label("to this one").fill("soft watercolour")
    mix.get_by_text("Mix these two").click()
    mix.locator(".ex-notice:has-text('there is nothing to mix')").wait_for()
    assert "pages differ this much" in told_after_a_guess(page, "hold together least")
    page.locator(f"{BOOK} td").first.wait_for()
    page.click(f"{BOOK} >> text=Write your own story")
    page.locator(BOOK).get_by_label("The story, a line").fill("a fox\n" * 100)
    page.click(f"{BOOK} >> text=Draw this book")
    page.wait_for_selector(f"{BOOK} .ex-notice:has-text('at most 24 are drawn')")
    assert page.locator(f"{BOOK} .ex-book > li").count() == 6


def test_a_book_of_the_readers_own_is_drawn_page_by_page_and_saved(page):
    page.locator(BOOK).get_by_label("The story, a line").fill(
        "a fox walks in the forest\na fox reads on the beach"
    )
    page.locator(BOOK).get_by_label("Who is on every page").fill("fox")
    page.locator(BOOK).get_by_label("Title").fill("The fox")
    page.click(f"{BOOK} >> text=Draw this book")
    page.wait_for_selector(f"{BOOK} .ex-series-waiting")
    second = recorded.trace("running_example").seed + 1
    page.wait_for_selector(f"{BOOK} >> text=soft watercolour, seed {second}")
    page.wait_for_selector(f"{BOOK} .ex-series-waiting", state="detached")
    assert page.locator(f"{BOOK} .ex-book > li").count() == 2
    assert page.is_visible(f"{BOOK} >> text=Show only where the model looked for “fox”")
    with page.expect_download() as waiting:
        page.click(f"{BOOK} >> text=Save this book as PDF")
    assert waiting.value.suggested_filename == "the-fox.pdf"
    assert waiting.value.path().read_bytes().startswith(b"%PDF")


def test_the_readers_picture_is_measured_among_the_styles(page):
    fill(page, prompt="a fox in the snow", seed="7", steps="2", guidance_scale="5")
    generate(page, "an owl reads in the rain, crayon", seed="3", steps="2")
    page.wait_for_selector(f"{MEASURES} >> text=The line: “an owl reads in the rain, crayon”")
