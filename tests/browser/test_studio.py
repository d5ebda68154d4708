"""The studio in a real browser: under Voilà with a kernel and a real (tiny) model, and without."""

import re
import sys

import nbformat
import numpy as np
import pytest

from explainer.runs import RunController
from explainer.sharing import parameters_of
from explainer.trace import Trace
from explainer.widgets import Player, Studio, Sweep, TokenRow, TwoRuns
from explainer.widgets.host import static_page
from tests import servers
from tests.browser.attended import attended
from tests.browser.canvases import sums, until
from tests.synthetic import make_trace, webp

PATIENCE_MS = 90_000
SOURCE = """
from pathlib import Path
from explainer.cache import TraceCache
from explainer.runs import RunController
from explainer.turns import Turns
from explainer.widgets import Studio
from tests.synthetic import make_trace
from tests.tiny import stable_diffusion

here = Path.cwd()
controller = RunController(
    stable_diffusion,
    TraceCache(here / "cache"),
    turns=Turns(here / "turns"),
    fingerprint="tiny",  # so that a run from the cache needs no model
)
Studio(
    controller,
    trace=make_trace(),
    known_words=["a", "fox", "in", "the", "snow", "watercolour", "year", "old", "4"],
    examples=["a fox in the snow, watercolour", "<script>alert(1)</script>"],
)
"""


def test_fields_look_alike_and_keep_apart_from_their_names(open_page):
    controller, trace = RunController(fingerprint="none"), make_trace()
    sweep = Sweep(controller, parameters_of(trace))
    page = open_page(attended(Studio(controller, trace=trace), sweep))
    # As ipywidgets' own style sheet has it, which comes with every kernel.
    page.add_style_tag(content=".jupyter-widgets label { margin-bottom: initial; }")
    page.evaluate("document.body.classList.add('jupyter-widgets')")
    gap = "all => all.map((node) => getComputedStyle(node).marginBottom)"
    assert set(page.locator(".ex-field-title").evaluate_all(gap)) == {"6.4px"}
    look = """all => all.map((node) => {
      const { backgroundColor, fontFamily, borderRadius } = getComputedStyle(node);
      return [backgroundColor, fontFamily, borderRadius].join();
    })"""
    names = ".ex-input", ".ex-text-field"
    assert len({one for name in names for one in page.locator(name).evaluate_all(look)}) == 1
    paper = page.locator(".ex").first.evaluate("node => getComputedStyle(node).backgroundColor")
    colour = "node => getComputedStyle(node).backgroundColor"
    assert page.locator(".ex-prompt").first.evaluate(colour) == paper


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Address of a page that Voilà serves."""
    folder = tmp_path_factory.mktemp("served")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(SOURCE)],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}
        },
    )
    nbformat.write(notebook, folder / "page.ipynb")
    port = servers.free_port()
    page = str(folder / "page.ipynb")
    command = [sys.executable, "-m", "voila", page, "--no-browser", f"--port={port}"]
    with servers.serving(
        folder, command, r"http://localhost:\d+/", JUPYTER_PREFER_ENV_PATH="1"
    ) as address:
        yield address


# One page for all: each has a kernel of its own, which takes seconds to start.
@pytest.fixture(scope="module")
def opened(browser, served):
    context = browser.new_context(viewport={"width": 1000, "height": 1200})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(served, wait_until="domcontentloaded")
    page.wait_for_selector(".ex-studio")
    yield page
    assert errors == []
    context.close()


@pytest.fixture
def page(opened):
    """The page with a form that could be sent."""
    fill(opened, prompt="a fox", seed="7", steps="10", guidance_scale="5")
    return opened


def fill(page, **texts):
    for name, text in texts.items():
        page.locator(f".ex-field-{name} :is(textarea, input[type=text])").fill(text)


def shown_prompt(page, prompt):
    page.wait_for_selector(f".ex-player-prompt:text-is('“{prompt}”')", timeout=PATIENCE_MS)


def test_a_prompt_is_drawn_and_its_link_opens_it_again(page, served):
    fill(page, prompt="a fox in snow", seed="11", steps="3", guidance_scale="2.5")
    page.click("text=Generate")
    shown_prompt(page, "a fox in snow")
    assert "seed 11 · 3 steps · guidance 2.5" in page.inner_text(".ex-player-caption")
    assert page.inner_text(".ex-player-step") == "Step 3 of 3"
    page.wait_for_selector(".ex-live", state="hidden")

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("text=Copy link")
    page.wait_for_selector("text=The link to this run is copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(served)
    page.goto(link, wait_until="domcontentloaded")
    shown_prompt(page, "a fox in snow")
    assert page.input_value("textarea") == "a fox in snow"


@pytest.mark.parametrize(
    ("text", "suffix", "start"),
    [
        ("Picture", ".png", b"\x89PNG"),
        ("Animation", ".webp", b"RIFF"),
        ("The whole run", ".trace", None),
    ],
)
def test_a_run_is_saved_by_the_browser(page, tmp_path, text, suffix, start):
    if not page.is_visible(".ex-save .ex-chips"):
        page.click("summary:text-is('Save this run')")
    with page.expect_download() as waiting:
        page.click(f".ex-save button:text-is('{text}')")
    assert waiting.value.suggested_filename.endswith(suffix)
    page.wait_for_selector(f"text=Saved as {waiting.value.suggested_filename}")
    path = tmp_path / "saved"
    waiting.value.save_as(path)
    if start is None:
        assert f"“{Trace.load(path).prompt}”" == page.inner_text(".ex-player-prompt")
    else:
        assert path.read_bytes().startswith(start)


def test_a_long_run_shows_progress_and_can_be_cancelled(page):
    before = page.inner_text(".ex-player")
    fill(page, prompt="a fox", steps="200")
    page.focus("textarea")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("text=/Drawing: step \\d+ of 200/")
    page.click("text=Cancel")
    page.wait_for_selector("text=/Stopped after \\d+ of 200 steps/")
    assert not page.is_visible(".ex-live")
    assert page.inner_text(".ex-player") == before


def test_in_a_low_window_the_picture_comes_to_the_reader(page):
    page.set_viewport_size({"width": 1000, "height": 500})
    fill(page, prompt="a fox on a farm", steps="2")
    page.evaluate("scrollTo(0, 0)")
    page.click("text=Generate")
    shown_prompt(page, "a fox on a farm")
    page.wait_for_function(
        """() => {
            const box = document.querySelector(".ex-player-pictures").getBoundingClientRect();
            return box.top < innerHeight / 3 || box.bottom <= innerHeight;
        }"""
    )
    page.set_viewport_size({"width": 1000, "height": 1200})


def test_nothing_that_is_typed_quickly_gets_lost(page):
    text = "a fox in the snow, a fox in the snow, a fox in the snow, a fox in the snow"
    fill(page, prompt="")
    page.focus("textarea")
    page.keyboard.type(text, delay=15)
    page.wait_for_timeout(1000)  # for answers from the kernel that are still on their way
    assert page.input_value("textarea") == text


def test_words_that_training_never_showed_are_marked(page):
    fill(page, prompt="A Fox, a 4-year-old Fox's spaceship, 雪 and")
    marked = page.locator(".ex-unknown")
    assert marked.all_inner_texts() == ["spaceship", "雪"]
    page.locator(".ex-field-seed input").focus()
    assert page.inner_text(".ex-unknown-note") == "Not met in training: spaceship, 雪, and"
    note = page.locator(".ex-unknown-note").get_attribute("id")
    assert note in page.get_attribute("textarea", "aria-describedby")


def test_the_nearest_known_wording_is_offered_and_taken(page):
    # Straight from the box, where the last word is not judged as long as the caret is behind it.
    fill(page, prompt="a fox while frosty, watercolour zzyzx")
    page.click(".ex-unknown-note button:text-is('snow')")
    assert page.input_value("textarea") == "a fox while snow, watercolour zzyzx"
    assert page.inner_text(".ex-unknown-note") == "Not met in training: while, zzyzx"
    fill(page, prompt="a frosty fox zzyzx")
    page.wait_for_selector(".ex-unknown-note button:text-is('snow')")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.input_value("textarea") == "a snow fox zzyzx"


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("prompt", "  ", "The prompt is empty"),
        ("steps", "0", "Give a whole number from 1 to 200"),
        ("steps", "10000", "Give a whole number from 1 to 200"),
        ("guidance_scale", "abc", "Give a number from 0 to 50"),
        ("guidance_scale", "-5", "Give a number from 0 to 50"),
        ("seed", "18446744073709551616", "Give a whole number from 0 to 18446744073709551615"),
        ("seed", "", "Give a whole number from 0"),
    ],
)
def test_bad_input_is_told_beside_its_control(page, field, text, message):
    before = page.inner_text(".ex-player")
    fill(page, **{field: text})
    page.click("text=Generate")
    page.wait_for_selector(f".ex-field-{field} .ex-field-problem:has-text('{message}')")
    assert page.get_attribute(":focus", "aria-invalid") == "true"
    assert page.inner_text(".ex-player") == before


def test_an_example_fills_the_prompt_as_plain_text(page):
    page.click(".ex-chip >> nth=1")
    assert page.input_value("textarea") == "<script>alert(1)</script>"
    assert page.locator(".ex script").count() == 0


def test_the_dice_give_another_seed(page):
    before = page.input_value(".ex-field-seed input")
    page.click("[aria-label='Another seed']")
    assert re.fullmatch(r"\d+", page.input_value(".ex-field-seed input"))
    assert page.input_value(".ex-field-seed input") != before


def test_a_widget_looks_the_same_beside_others(open_page):
    trace = make_trace()
    studio = Studio(RunController(fingerprint="none"), trace=trace)
    looks = []
    for widgets in ([studio], [studio, TokenRow(trace.tokens, truncated="more")]):
        page = open_page(static_page(widgets))
        looks.append(
            page.evaluate(
                """() => [...document.querySelectorAll("#widget-0 *")].map((node) => {
                  const style = getComputedStyle(node);
                  return ["margin", "padding", "outline", "minHeight", "border", "fontFamily",
                    "fontSize", "fontStyle", "fontWeight", "fontVariantNumeric", "lineHeight",
                    "color", "textAlign", "display"].map((name) => style[name]).join();
                })"""
            )
        )
    assert looks[0] == looks[1]


def test_without_a_kernel_the_page_says_so_and_the_player_works(open_page):
    studio = Studio(RunController(fingerprint="none"), trace=make_trace(), step=4)
    page = open_page(static_page([studio]), viewport={"width": 400, "height": 800})
    assert page.is_visible("text=this one is a recording")
    assert page.is_disabled("textarea")
    assert page.locator("text=Generate").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.focus(".ex-track input")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".ex-player-step:text-is('Step 5 of 10')")


def previewed(page, k, of=0):
    """Have a picture of widget `of`, after k steps, stand for that of a run that is being drawn."""
    page.evaluate(
        """([k, of]) => {
          const { buffer, byteOffset } = models[of].get("_frames");
          const [from, to] = models[of].get("_frame_index").x0.slice(k);
          models[0].set("_status", { state: "running", step: k, total: 10, elapsed: k });
          models[0].set("_preview", new DataView(buffer, byteOffset + from, to - from));
        }""",
        [k, of],
    )


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_the_picture_to_come_takes_the_place_of_the_last_until_it_ends(open_page, end):
    page = open_page(attended(Studio(RunController(fingerprint="none"), trace=make_trace())))
    titles = page.locator(".ex-player-picture figcaption")
    canvases = page.locator(".ex-player-canvas")
    painted = "canvas => canvas.getContext('2d').getImageData(9, 9, 1, 1).data[3]"
    until(page, lambda: [one.evaluate(painted) for one in canvases.all()], [255, 255].__eq__)
    last, words = sums(canvases), page.inner_text(".ex-player")
    page.focus(".ex-play")

    previewed(page, 2)
    page.wait_for_selector(".ex-player-step:text-is('Step 2 of 10')")
    assert titles.all_inner_texts() == ["The last one", "What the model predicts now"]
    left, right = until(page, lambda: sums(canvases), lambda now: now[1] != last[1])
    assert left == last[1]  # the finished picture
    assert page.evaluate("document.activeElement.textContent") == "Cancel"
    assert page.locator(".ex-player-former").evaluate("node => node.inert")
    assert not page.is_visible(".ex-live-picture")
    previewed(page, 3)
    page.wait_for_selector(".ex-player-step:text-is('Step 3 of 10')")
    until(page, lambda: sums(canvases), lambda now: now[1] not in (right, last[1]))

    page.evaluate(
        """state => {
          models[0].set("_status", { state, step: 3, total: 10, elapsed: 3 });
          models[0].set("_preview", new DataView(new ArrayBuffer(0)));
        }""",
        end,
    )
    until(page, lambda: sums(canvases), last.__eq__)
    assert page.inner_text(".ex-player") == words
    assert not page.locator(".ex-player-former").evaluate("node => node.inert")


def test_the_first_picture_of_all_is_shown_large_as_it_comes(open_page):
    shown = [Studio(RunController(fingerprint="none")), Player(make_trace())]
    page = open_page(static_page(shown))
    previewed(page, 1, of=1)
    page.wait_for_selector(".ex-live-picture")
    assert page.locator(".ex-live-picture").bounding_box()["width"] > 300


RUNNING = "models[0].set('_status', { state: 'running', step: 1, total: 9, elapsed: 1 })"


def test_what_is_asked_for_in_place_of_a_cancelled_run_can_be_cancelled_too(open_page):
    page = open_page(attended(Studio(RunController(fingerprint="none"), trace=make_trace())))
    page.evaluate(RUNNING)
    page.click("text=Cancel")
    page.click("text=Generate this instead")
    assert page.is_enabled("text=Cancel")
    assert [one["type"] for one in page.evaluate("sent")] == ["cancel", "generate"]


def test_whoever_answers_at_once_is_not_said_to_be_silent(open_page):
    page = open_page(attended(Studio(RunController(fingerprint="none"), trace=make_trace())))
    page.evaluate(f"void (models[0].send = () => {RUNNING})")
    page.clock.install()
    page.click("text=Generate")
    page.wait_for_selector("text=Drawing: step 1 of 9")
    page.clock.run_for(10_000)
    assert not page.is_visible("text=Python has not answered")


def test_every_label_leads_to_the_field_of_its_own_widget(open_page):
    trace = make_trace()
    shown = [Studio(RunController(fingerprint="none"), trace=trace), TwoRuns(None, trace, trace)]
    page = open_page(static_page(shown))
    ids = page.eval_on_selector_all(".ex [id]", "nodes => nodes.map(node => node.id)")
    assert len(ids) > 10
    assert len(set(ids)) == len(ids)


def test_wide_pictures_keep_their_shape(open_page):
    wide = webp(np.zeros((32, 64, 3), np.uint8))
    frames = {"x0": (wide,) * 10, "noisy": (wide,) * 11}
    trace = make_trace(width=64, height=32, picture=wide, frames=frames)
    page = open_page(static_page([TwoRuns(None, trace, trace)]))
    for canvas in page.query_selector_all(".ex-runs-canvas"):
        box = canvas.bounding_box()
        assert box["width"] / box["height"] == pytest.approx(2, rel=0.02)
