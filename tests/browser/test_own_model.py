"""A model of one's own: its widgets in a real browser, then the page as a reader meets it."""

import pytest

from explainer import measuring, memory
from explainer.memory import Machine
from explainer.widgets import ModelPicker, TraceFile, ViewMenu
from explainer.widgets.host import static_page
from explainer.widgets.model_picker import _facts
from explainer.widgets.offers import VIEWS, named
from explainer.widgets.subjects import Subject
from tests import tiny
from tests.browser.attended import attended
from tests.browser.test_pages import STUDIO, fill, visit
from tests.servers import ROOT
from tests.synthetic import make_trace

NARROW = {"viewport": {"width": 400, "height": 900}}
DARK = {**NARROW, "color_scheme": "dark"}
PICKER, MENU = ".ex:has(.ex-picker-form)", ".ex:has(.ex-menu-stages)"
FILE = ".ex:has(.ex-trace-drop)"


def sent(page):
    return page.evaluate("(window.sent ?? []).map(({ bytes, ...rest }) => rest)")


def picker_of(needs, here):
    picker = ModelPicker()
    picker._facts = _facts(needs, here, memory.ways(needs, here))
    return picker


def test_a_hub_id_is_asked_about_only_after_a_click(open_page):
    picker = ModelPicker()
    page = open_page(attended(picker), **NARROW)
    page.click("text=stabilityai/sdxl-turbo")
    assert page.input_value(".ex-picker-box") == "stabilityai/sdxl-turbo"
    page.keyboard.press("Enter")
    page.wait_for_function("window.sent")
    assert sent(page) == [{"type": "look", "source": "stabilityai/sdxl-turbo"}]
    page.evaluate("models[0].set('_facts', { ask_hub: 'stabilityai/sdxl-turbo' })")
    page.wait_for_selector("text=no weights are fetched")
    page.click("text=Ask the hub")
    assert sent(page)[1] == {"type": "look", "source": "stabilityai/sdxl-turbo", "hub": True}
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_what_a_model_takes_stands_beside_what_is_free(open_page):
    sdxl = measuring.PUBLISHED[1]
    here = Machine(16 * 10**9, 9 * 10**9, "cuda", "Some card")
    page = open_page(attended(picker_of(sdxl, here)), **DARK)
    assert page.locator(".ex-picker-parts tr").count() == 4
    assert page.inner_text(".ex-picker-parts tr >> nth=0").startswith("unet")
    verdicts = page.locator(".ex-picker-ways strong").all_inner_texts()
    assert verdicts == ["✗ too big", "✗ too big", "✗ too big", "✓ fits"]
    first = page.inner_text(".ex-picker-ways li >> nth=0")
    needed = memory.ways(sdxl, here)[0]
    assert f"GPU memory: takes {memory.gigabytes(needed.gpu)} of 9.0 GB free" in first
    share = """row => {
      const [room, needs] = row.querySelectorAll(".ex-picker-free span");
      return needs.getBoundingClientRect().width / room.getBoundingClientRect().width;
    }"""
    drawn = page.locator(".ex-picker-ways li >> nth=0").evaluate(share)
    assert drawn == pytest.approx(needed.gpu / here.gpu, rel=0.03)
    assert page.locator(".ex-picker-ways button:disabled").count() == 3
    page.focus(".ex-picker-ways li >> nth=3 >> button")
    page.keyboard.press("Enter")
    assert sent(page) == [{"type": "load", "way": 3}]
    assert "null" not in page.inner_text(".ex")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_what_is_too_big_says_where_to_record_it(open_page):
    page = open_page(attended(picker_of(measuring.PUBLISHED[3], Machine(10**9))))
    page.wait_for_selector("text=It is too big for this computer. Record it on another one")
    assert "torch sees no GPU" in page.inner_text(".ex")
    page.evaluate("models[0].set('_status', { state: 'loading', share: 0.25, seconds: 90 })")
    page.wait_for_selector("text=Loading… 25 % fetched 90 s")
    page.click("text=Cancel")
    assert sent(page) == [{"type": "cancel"}]


def test_a_file_is_sent_in_parts_and_can_be_stopped(open_page, tmp_path):
    path = tmp_path / "fox.trace"
    path.write_bytes(bytes(2_500_000))
    page = open_page(attended(TraceFile({"an example": path})), **NARROW)
    page.set_input_files("input[type=file]", path)
    page.wait_for_function("window.sent?.length === 2")
    assert sent(page)[0] == {"type": "begin", "name": "fox.trace", "size": 2_500_000}
    assert page.evaluate("window.sent[1].bytes") == 2**20
    page.evaluate("models[0].set('_received', 2 ** 20)")
    page.wait_for_function("window.sent.length === 3")
    assert page.evaluate("document.querySelector('progress').value") == pytest.approx(
        2**20 / 2_500_000
    )
    page.click("text=Cancel")
    page.evaluate("models[0].set('_received', 2 ** 21)")
    page.wait_for_timeout(100)
    assert page.evaluate("window.sent.length") == 3

    path.write_bytes(b"")
    page.set_input_files("input[type=file]", path)
    page.wait_for_selector("text=fox.trace: traces have from 1 byte to 512 MB")
    page.fill(".ex-trace-path input", "/tmp/fox.trace")
    page.keyboard.press("Enter")
    page.click("text=an example")
    assert sent(page)[3:] == [
        {"type": "open", "path": "/tmp/fox.trace"},
        {"type": "shelf", "title": "an example"},
    ]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_what_is_said_of_the_file_before_sends_no_part_twice(open_page):
    page = open_page(attended(TraceFile()), **NARROW)
    page.evaluate("models[0].set('_received', 7)")  # all of a file that came before
    page.evaluate("""size => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(size)], "fox.trace"));
      const dropped = new DragEvent("drop", { dataTransfer: data });
      document.querySelector(".ex-trace-drop").dispatchEvent(dropped);
      models[0].set("_received", 0);  // Python forgets that file while this one is being read
    }""", 1_500_000)  # fmt: skip
    page.wait_for_function("window.sent?.length >= 2")
    page.wait_for_timeout(100)
    assert [one["type"] for one in sent(page)] == ["begin", "part"]
    page.evaluate("models[0].set('_received', 2 ** 20)")
    page.wait_for_function("window.sent.length === 3")
    assert page.evaluate("window.sent[2].bytes") == 1_500_000 - 2**20


def test_the_menu_offers_what_applies_and_says_why_not(open_page):
    subject = Subject(make_trace())
    page = open_page(attended(ViewMenu(subject)), **DARK)
    offered = [view.name for view in VIEWS if not view.why_not(subject)]
    assert page.locator(".ex-menu-view").all_inner_texts() == offered
    words = page.inner_text(".ex-menu-stages")
    for view in VIEWS:
        if view.name not in offered:
            assert view.name in words
            assert view.why_not(subject) in words
    page.focus(f"text={offered[1]}")
    page.keyboard.press("Enter")
    assert sent(page) == [{"type": "ask", "view": offered[1]}]
    page.evaluate(
        "models[0].set('_asking', 'Step by step'); "
        "models[0].set('_status', { state: 'running', step: 2, total: 4 })"
    )
    page.wait_for_selector("text=Step by step: 2 of 4")
    pressed = page.locator(".ex-menu-view[aria-pressed=true]").all_inner_texts()
    assert pressed == ["Step by step"]
    page.click("text=Cancel")
    assert sent(page)[1] == {"type": "cancel"}
    assert "null" not in page.inner_text(".ex")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_without_a_kernel_it_is_said_what_needs_one(open_page):
    page = open_page(static_page([ModelPicker(), TraceFile(), ViewMenu(Subject(make_trace()))]))
    words = page.inner_text("body")
    for control in ("Loading a model of your own", "Opening a trace file", "Another view"):
        assert f"{control} needs a live page" in words
    assert page.locator(".ex-menu-view:not(:disabled)").count() == 0


@pytest.fixture(scope="module")
def page(browser, site):
    with visit(browser, f"{site}voila/render/06_your_own_model.ipynb", ready=MENU) as page:
        yield page


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "tiny-three"
    tiny.stable_diffusion_3().save_pretrained(folder)
    return folder


def test_the_page_opens_on_the_embedded_model(page):
    assert page.title() == "Your own model"
    assert page.locator("h2").count() == 5
    assert page.locator("img").first.evaluate("image => image.naturalWidth > 0")
    page.wait_for_selector(".ex-menu-view[aria-pressed=true]")
    assert "Traceback" not in page.inner_text("body")


def test_a_model_is_measured_loaded_and_drawn_with(page, model):
    page.fill(".ex-picker-box", str(model))
    page.click("text=What does it take?")
    page.wait_for_selector(f"{PICKER} >> text=181 thousand numbers")
    page.locator(f"{PICKER} .ex-picker-ways button").first.click()
    page.wait_for_selector(f"{PICKER} .ex-notice:has-text('is loaded')")
    page.wait_for_selector(f"{STUDIO} .ex-field-steps input[type=text]")
    assert page.input_value(f"{STUDIO} .ex-field-guidance_scale input[type=text]") == "7"
    fill(page, prompt="a fox in the snow", steps="3", seed="5")
    page.click(f"{STUDIO} >> text=Generate")
    page.wait_for_selector(f"{MENU} .ex-menu-prompt:has-text('a fox in the snow')")
    words = page.inner_text(MENU)
    assert "Its denoiser is a transformer" in words
    assert "tiny-three · 16 × 16 · seed 5 · 3 steps" in words


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("A step taken apart", ".ex-panels-grid"),
        ("Layer by layer", ".ex-layers"),
        ("Paint on the latents", ".ex-brush-grid"),
    ],
)
def test_a_view_appears_below_the_menu(page, view, shown):
    page.click(f"{MENU} .ex-menu-view:text-is('{view}')")
    page.wait_for_selector(f"{MENU} .ex-menu-view[aria-pressed=true]:text-is('{view}')")
    page.wait_for_selector(f".ex:has({shown})")


def test_a_file_from_elsewhere_opens_and_a_wrong_one_is_named(page, tmp_path):
    wrong = tmp_path / "holiday.trace"
    wrong.write_bytes(bytes(3_000_000))
    page.set_input_files(f"{FILE} input[type=file]", wrong)
    page.wait_for_selector(f"{FILE} .ex-notice:has-text('holiday.trace: ')")
    path = tmp_path / "carried.trace"
    make_trace().save(path)
    page.set_input_files(f"{FILE} input[type=file]", path)
    page.wait_for_selector(f"{FILE} .ex-notice:has-text('carried.trace: “a fox in the snow”')")
    page.wait_for_selector(f"{MENU} >> text=load the model (")
    assert page.locator(STUDIO).count() == 0
    assert (
        named("Paint on the latents").name
        not in page.locator(f"{MENU} .ex-menu-view").all_inner_texts()
    )
    page.set_input_files(
        f"{FILE} input[type=file]", ROOT / "explainer/recorded/ordinary_forest.trace"
    )
    page.wait_for_selector(f"{MENU} .ex-menu-prompt:has-text('through a forest')")
    page.wait_for_selector(STUDIO)
