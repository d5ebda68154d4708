"""Widgets under a finger, under keys alone and in a contrast theme, on pages with no kernel."""

from dataclasses import replace

import numpy as np
import pytest

from explainer.stages.knobs import experiments
from explainer.widgets import (
    Brush,
    Cloud,
    Fingerprint,
    LatentGrid,
    ModelPicker,
    Plot,
    Sketch,
    StyleMeasures,
    Sweep,
    TraceFile,
    TwoRuns,
    WordMaps,
)
from explainer.widgets.host import static_page
from tests.browser.attended import attended
from tests.browser.canvases import refreshed
from tests.browser.test_text_widgets import attentive
from tests.synthetic import make_trace, webp
from tests.test_latent_widgets import tiny_trace
from tests.test_style_widgets import BASE, made_measures

TOUCH = {"viewport": {"width": 400, "height": 800}, "has_touch": True}
FOCUSED = "document.activeElement.textContent"
RUNNING = "models[0].set('_status', { state: 'running', step: 1, total: 2, place: 0, elapsed: 0 })"


PAPER = np.full((32, 32, 3), 240, np.uint8)


def strips():
    return Fingerprint({name: np.linspace(-1, 1, 64).astype(np.float32) for name in "ab"})


def curves():
    return Plot({"a": [(0, 0), (1, 1)], "b": [(0, 3), (1, 2)]}, x="x", y="y")


@pytest.mark.parametrize(
    ("make", "picture", "reading", "x"),
    [
        (lambda: LatentGrid(make_trace()), ".ex-latents canvas", ".ex-cells-foot p", 140),
        (strips, ".ex-fingerprints canvas", ".ex-cells-foot p", 140),
        (curves, ".ex-plot", ".ex-plot-reading", 300),
    ],
    ids=["cells", "strips", "curves"],
)
def test_what_a_finger_has_read_stays_until_the_next_tap(open_page, make, picture, reading, x):
    page = open_page(static_page([make()]), **TOUCH)
    told = [page.inner_text(reading)]
    last = page.locator(picture).count() - 1
    for number, across in ((0, 60), (last, x)):
        page.locator(picture).nth(number).tap(position={"x": across, "y": 20})
        refreshed(page)
        told.append(page.inner_text(reading))
    assert len(set(told)) == 3
    page.evaluate("document.activeElement.blur()")
    refreshed(page)
    assert page.inner_text(reading) == told[0]


def test_pictures_to_read_are_no_mere_images(open_page):
    page = open_page(static_page([LatentGrid(make_trace()), strips(), curves()]))
    roles = """[...document.querySelectorAll(".ex [tabindex='0']")]
      .map((node) => [node.getAttribute("role"), node.getAttribute("aria-roledescription")])"""
    assert page.evaluate(roles) == [["application", "picture to read"]] * (4 + 2 + 1)


def test_a_recording_of_the_brush_lets_the_page_scroll(open_page, listening):
    touched = "getComputedStyle(document.querySelector('.ex-brush-grid')).touchAction"
    assert open_page(static_page([Brush(tiny_trace())])).evaluate(touched) == "auto"
    page = listening(lambda controller: Brush(tiny_trace(), controller=controller))
    assert page.evaluate(touched) == "none"


def test_a_sketch_is_drawn_with_keys_alone(open_page):
    page = open_page(static_page([Sketch({"light": PAPER}, "a fox")]))
    page.focus("button[aria-label=red]")
    page.keyboard.press("Enter")
    page.focus(".ex-sketch-paper")
    for key in (*["ArrowLeft"] * 10, *["ArrowUp"] * 11, "Enter"):
        page.keyboard.press(key)
    assert page.is_visible(".ex-sketch-cursor")
    page.wait_for_selector(".ex-spoken:text('Row 1, column 1')", state="attached")
    read = page.evaluate("[...new Uint8Array(models[0].get('_pixels').buffer)]")
    drawn = np.array(read).reshape(PAPER.shape)
    assert drawn[0, 0].tolist() != [240] * 3
    np.testing.assert_array_equal(drawn[16], PAPER[16])


def test_points_are_put_with_keys_alone(open_page):
    page = open_page(static_page([Cloud([])]))
    page.focus(".ex-cloud-draw")
    for key in (*["ArrowRight"] * 12, "Enter"):
        page.keyboard.press(key)
    points = np.array(page.evaluate("models[0].get('points')"))
    assert points.shape == (3, 2)
    np.testing.assert_allclose(points.mean(0), [1.35 * 0.95, -1.35 * 0.05], atol=0.1)


def test_only_the_main_button_of_one_pointer_draws(open_page):
    page = open_page(static_page([Cloud([])]))
    count = "models[0].get('points').length"
    page.click(".ex-cloud-draw", button="right")
    assert page.evaluate(count) == 0
    # A second finger comes and goes while the first one draws, which leaves the square for a while.
    page.evaluate(
        """const canvas = document.querySelector(".ex-cloud-draw");
        canvas.setPointerCapture = () => {};
        const { left, top, width } = canvas.getBoundingClientRect();
        const touch = (name, pointerId, at) => canvas.dispatchEvent(new PointerEvent(name, {
          pointerId, button: 0, buttons: 1, clientX: left + at * width, clientY: top + 40 }));
        for (const [name, finger, at] of [["down", 7, 0.3], ["down", 8, 0.3], ["move", 8, 0.4],
          ["up", 8, 0.4], ["move", 7, 1.2], ["move", 7, -0.1], ["move", 7, 0.5], ["up", 7, 0.5],
          ["move", 7, 0.5]]) touch(`pointer${name}`, finger, at);"""
    )
    assert page.evaluate(count) == 6


def test_the_chosen_pencil_and_the_focus_look_different(open_page):
    # The sheet of a widget that comes after must not take the rings away.
    page = open_page(static_page([Sketch({"light": PAPER}, "a fox"), LatentGrid(make_trace())]))
    page.focus("button[aria-label=blue]")
    page.keyboard.press("Tab")
    outline = "node => getComputedStyle(node).outlineStyle"
    assert page.locator("button[aria-label=blue]").evaluate(outline) == "none"
    assert page.locator("button[aria-label=sky]").evaluate(outline) == "solid"
    ring = "node => getComputedStyle(node).boxShadow"
    assert page.locator("button[aria-label=blue]").evaluate(ring).endswith("0px 0px 0px 3px inset")
    assert page.locator("button[aria-label=sky]").evaluate(ring) == "none"


COLOUR = "node => getComputedStyle(node).backgroundColor"


def test_a_contrast_theme_shows_what_is_pressed_and_how_long_bars_are(listening):
    page = listening(lambda controller: WordMaps(controller, attentive()), forced_colors="active")
    system = """name => {
      const node = document.body.appendChild(document.createElement("i"));
      node.style.background = name;
      return getComputedStyle(node).backgroundColor;
    }"""
    chosen, other = (page.locator(f".ex-words-chip:has-text('{word}')") for word in ("fox", "snow"))
    chosen.focus()
    page.wait_for_selector(".ex-words-chip[aria-pressed=true]:has-text('fox')")
    highlight = page.evaluate(system, "Highlight")
    assert chosen.evaluate(COLOUR) == highlight != other.evaluate(COLOUR)
    assert other.locator(".ex-token-bar > span").evaluate(COLOUR) == highlight
    assert chosen.locator(".ex-token-bar > span").evaluate(COLOUR) != highlight


def test_a_contrast_theme_leaves_pencils_and_scales_their_colours(open_page):
    shown = [Sketch({"light": PAPER}, "a fox"), LatentGrid(make_trace())]
    page = open_page(static_page(shown), forced_colors="active")
    pencils = page.locator(".ex-sketch-colour")
    assert len({pencil.evaluate(COLOUR) for pencil in pencils.all()}) == pencils.count()
    bar = "getComputedStyle(document.querySelector('.ex-legend-bar')).forcedColorAdjust"
    assert page.evaluate(bar) == "none"


def test_the_band_of_a_measure_has_an_edge(open_page):
    page = open_page(static_page([StyleMeasures(made_measures())]))
    band = page.locator(".ex-style-measures-track .ex-style-measures-band").first
    assert band.evaluate("node => getComputedStyle(node).borderTopWidth") == "1px"


def test_whoever_cancels_keeps_the_focus_and_hears_it(listening):
    page = listening(lambda controller: Brush(tiny_trace(), controller=controller))
    page.evaluate(RUNNING)
    page.focus("text=Cancel")
    page.evaluate("models[0].set('_status', { state: 'cancelled', step: 1, total: 2 })")
    assert page.evaluate(FOCUSED) == "Take everything back"
    page.wait_for_selector(".ex-spoken:text('Stopped.')", state="attached")


def test_a_series_says_how_it_ended_and_leaves_the_focus(listening):
    page = listening(lambda controller: Sweep(controller, BASE))
    page.focus("text=Draw them")
    page.evaluate("models[0].set('_waiting', [{ title: '1', share: null }])")
    assert page.evaluate(FOCUSED) == "Draw them"
    page.keyboard.press("Enter")
    page.focus("[aria-label=Prompt]")
    page.keyboard.press("Enter")
    assert page.evaluate("window.sent") is None
    page.focus("text=Cancel")
    page.evaluate("models[0].update({ _ending: 'Stopped. What is drawn stays.', _waiting: [] })")
    assert page.evaluate(FOCUSED) == "Draw them"
    page.wait_for_selector(".ex-spoken:text('Stopped. What is drawn stays.')", state="attached")


def test_a_measure_that_is_asked_for_is_read_out(open_page):
    base = replace(BASE, guidance_scale=2.0)
    runs = experiments(base)["Guidance"]
    grey = {label: webp(np.full((8, 8, 3), 40 + 20 * i)) for i, label in enumerate(runs)}
    page = open_page(static_page([Sweep(None, base, {"Guidance": grey})]))
    page.focus("text=Measure how far they are apart")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.className") == "ex-sweep"
    told = ".ex-spoken:text('guidance 2: the others are measured against this one')"
    page.wait_for_selector(told, state="attached")


def test_a_guess_leads_to_its_answer(listening):
    page = listening(lambda controller: WordMaps(controller, attentive()))
    page.focus("text=all over the picture")
    page.keyboard.press("Enter")
    page.evaluate(RUNNING)
    assert page.evaluate("document.activeElement.ariaLabel") == "Reading and guess"
    page.focus("text=Cancel")
    page.evaluate("models[0].set('_status', { state: 'idle' })")
    assert page.evaluate(FOCUSED) == "Draw this sentence"
    page.evaluate(RUNNING)
    assert page.evaluate(FOCUSED) == "Draw this sentence"


def test_answers_outlive_a_drawing_that_fails_and_the_focus_a_new_one(listening):
    def make(controller):
        other = attentive(seed=8, x0=np.zeros((3, 4, 8, 8), np.float16))
        shown = WordMaps(controller, attentive(), missing={"fox": other})
        shown.word = 1
        return shown

    page = listening(make)
    page.click("text=somewhere else")
    page.wait_for_selector(".ex-words-verdict:has-text('You said')")
    page.click("text=Draw this sentence")
    page.evaluate("models[0].set('_notice', { kind: 'error', text: 'No.' })")
    page.evaluate("models[0].set('step', 2)")
    page.wait_for_selector("text=/At step 2, looking up/")
    page.focus(".ex-words-chip:has-text('fox')")
    page.evaluate("models[0].set('_changes', new DataView(new ArrayBuffer(0)))")
    refreshed(page)
    assert "fox" in page.evaluate(FOCUSED)
    page.evaluate("models[0].update({ _prompt: 'another', _missing: [] })")
    page.wait_for_selector("text=Take “fox” away")


def test_a_word_that_is_undone_passes_the_focus_on(listening):
    def make(controller):
        shown = TwoRuns(controller, make_trace(), make_trace(seed=8))
        shown._weights = {"fox": 2.0, "snow": 0.5}
        return shown

    page = listening(make)
    page.focus("text=“fox” counts × 2")
    page.keyboard.press("Enter")
    assert "“snow”" in page.evaluate(FOCUSED)
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUSED) == "Draw both"
    page.evaluate(RUNNING)
    assert page.evaluate(FOCUSED) == "Draw both"


def test_loading_keeps_the_focus_of_whoever_asked(open_page):
    page = open_page(attended(ModelPicker()))
    page.focus("text=What does it take?")
    page.evaluate("models[0].set('_status', { state: 'measuring', share: null, seconds: 0 })")
    assert page.evaluate(FOCUSED) == "What does it take?"
    page.keyboard.press("Enter")
    assert page.evaluate("window.sent") is None
    page.focus("text=Cancel")
    page.evaluate("models[0].set('_status', { state: 'idle', share: null, seconds: 0 })")
    assert page.evaluate(FOCUSED) == "What does it take?"


def test_a_file_that_is_stopped_gives_the_focus_back(open_page):
    page = open_page(attended(TraceFile()))
    given = {"name": "a.trace", "mimeType": "", "buffer": b"0" * 100}
    page.set_input_files("input[type=file]", files=[given])
    page.focus("text=Cancel")
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUSED) == "Open a trace file…"
