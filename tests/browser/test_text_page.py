"""The text page as a reader meets it: every view touched, under Voilà."""

import pytest

from explainer import recorded
from explainer.models import embedded_fingerprint, embedded_folder
from explainer.stages import clip
from tests.browser.canvases import repainted, sums
from tests.browser.test_pages import visit

pytestmark = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)

SENTENCE, LAYERS = ".ex:has(.ex-shelves)", ".ex:has(.ex-layers)"
PAIR, PHRASES, NAMES = ".ex:has(.ex-two-boxes)", ".ex:has(.ex-phrases)", ".ex:has(.ex-names)"
MAPS, RUNS = ".ex:has(.ex-words)", ".ex:has(.ex-runs-form)"


@pytest.fixture(scope="module")
def page(browser, site):
    with visit(browser, f"{site}voila/render/01_text.ipynb", ready=RUNS) as page:
        yield page


def answer(page, question, choice):
    """Guess, and return what is told then."""
    box = page.locator(f".ex-question:has-text('{question}')")
    box.locator(f"button:text-is('{choice}')").click()
    box.locator(".ex-question-told").wait_for()
    return box.locator(".ex-question-told").inner_text()


def test_the_page_opens_with_its_pictures_and_without_code(page):
    assert page.title() == "Text: what the model gets instead of your sentence"
    assert page.locator("h2").count() == 8
    assert not page.is_visible(".jp-InputArea-editor")
    text = page.inner_text("body")
    assert "import explainer" not in text
    assert "Traceback" not in text
    unnamed = "all => all.filter((one) => !one.ariaLabel).length"
    assert page.locator("canvas[role=img]").evaluate_all(unnamed) == 0


def test_a_sentence_is_taken_apart_as_it_is_typed_and_goes_on_down_the_page(page):
    page.fill(f"{SENTENCE} textarea", "an owl reads")
    page.wait_for_selector(f"{SENTENCE} .ex-sentence-facts:has-text('tokens of yours')")
    page.wait_for_selector(f"{LAYERS} .ex-layers-token:has-text('owl')")
    page.wait_for_function(
        "document.querySelector('.ex-words-form textarea').value.includes('owl')"
    )
    first = page.locator(f"{LAYERS} canvas").first
    before = sums(first)
    page.click(f"{LAYERS} .ex-layers-token:has-text('owl')")
    repainted(page, first, before)


def test_the_page_asks_before_it_tells(page):
    assert page.locator(".ex-question-told:visible").count() == 0
    pieces = clip.TextEncoder(embedded_folder()).reader.read("spaceship").tokens
    count = sum(token.word is not None for token in pieces)
    assert f"It is cut into {count}:" in answer(page, "spaceship", "1")
    facts = recorded.text_facts()
    assert f"{facts.fingerprints:,} different" in answer(page, "share their fingerprint", "none")


def test_answers_that_a_widget_shows_wait_for_the_guess(page):
    bars = page.locator(f"{LAYERS} .ex-layers-looked")
    assert "wait for your guess" in bars.inner_text()
    answer(page, "“forest” take most", "itself")
    page.wait_for_selector(f"{LAYERS} .ex-layers-looked:has-text('takes most from')")
    assert not page.is_visible(f"{PHRASES} table")
    answer(page, "more like that of “a fox at night”", "that of “a fox by day”")
    page.wait_for_selector(f"{PHRASES} table")
    assert not page.is_visible(f"{RUNS} .ex-runs-plot")
    assert "half of the difference" not in page.inner_text(RUNS)
    told = answer(page, "“An enchanted forest” became", "in the last")
    page.wait_for_selector(f"{RUNS} .ex-runs-plot")
    steps = told.partition("after ")[2].partition(":")[0]
    assert f"(dashed) was in after {steps}" in page.inner_text(RUNS)


def test_fingerprints_phrases_and_names_answer(page):
    page.click(f"{PAIR} >> text=CAPITALS")
    page.click(f"{PAIR} >> text=Show me")
    page.wait_for_selector(f"{PAIR} >> text=/Cosine 1.000 .*so to the model they are one sentence/")
    answer(page, "more like that of “a fox at night”", "that of “a fox by day”")
    page.fill(f"{PHRASES} textarea", "a fox\na castle")
    page.wait_for_function("document.querySelectorAll('.ex-phrases-table td').length === 4")
    page.fill(f"{PHRASES} textarea", "a\n" * 3 + "\n".join(map(str, range(100))))
    page.wait_for_selector(f"{PHRASES} .ex-notice:has-text('there is room for')")
    page.click(f"{NAMES} >> text=Let it name them")
    assert "?" not in page.locator(f"{NAMES} tbody td").all_inner_texts()


def test_a_word_is_pointed_at_and_taken_away_by_a_guess(page):
    page.click(f"{MAPS} .ex-words-chip:has-text('enchanted')")
    page.click(f"{MAPS} >> text=somewhere else")
    page.wait_for_selector(f"{MAPS} .ex-words-verdict:has-text('You said: somewhere else.')")
    other = page.locator(f"{MAPS} canvas[data-part=other]")
    before = sums(other)
    page.focus(f"{MAPS} .ex-words-scrub input")
    page.keyboard.press("Home")
    page.wait_for_selector(f"{MAPS} >> text=/Step 0 of 25/")
    repainted(page, other, before)


def test_a_weighed_word_is_drawn_from_the_same_noise(page):
    page.fill(f"{RUNS} textarea >> nth=0", "a fox")
    page.fill(f"{RUNS} textarea >> nth=1", "a fox")
    page.click(f"{RUNS} .ex-runs-words .ex-chip:text-is('fox')")
    page.fill(f"{RUNS} .ex-runs-change input[type=range]", "2")
    page.click(f"{RUNS} >> text=Draw both")
    page.wait_for_selector(f"{RUNS} >> text=/Drawing: step \\d+ of 50/")
    page.wait_for_selector(f"{RUNS} .ex-runs-changed:has-text('“fox” counts × 2')")
