"""The pages in JupyterLab: opened folded, run as a whole, and touched, with no network."""

from contextlib import contextmanager
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from explainer.models import embedded_fingerprint
from tests.browser.canvases import repainted, sums
from tests.browser.test_pages import PLAYER, STUDIO, generate, others, pictures, scrub, visit

pytestmark = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)

TALL = {"width": 1200, "height": 2400}
IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
# JupyterLab ends at the last cell. Until then it moves the focus along, away from a slider.
AT_THE_END = "[...document.querySelectorAll('.jp-Cell')].at(-1).matches('.jp-mod-active')"

SENTENCE, RUNS = ".ex:has(.ex-shelves)", ".ex:has(.ex-runs-form)"
ANATOMY = ".ex:has(.ex-panels-grid):not(:has(.ex-ask)) >> nth=0"
CHANNELS, STYLES = ".ex:has(.ex-channels)", ".ex:has(.ex-styles)"
NEAREST, MENU, CARRIED = ".ex:has(.ex-nearest)", ".ex:has(.ex-menu-view)", ".ex:has(.ex-trace-drop)"


@contextmanager
def all_run(browser, lab, name, *, last=STUDIO):
    """Open a page in a workspace of its own and run it, up to its last widget; end its kernel."""
    # Of a workspace that was left JupyterLab opens the notebooks again, in hidden tabs that come
    # before this one.
    address = lab.replace("/lab/tree/00_overview", f"/lab/workspaces/{name}/tree/{name}")
    ready = ".jp-Notebook .jp-MarkdownOutput img"
    with visit(browser, f"{address}&reset", ready=ready, viewport=TALL) as page:
        page.wait_for_function("document.querySelector('.jp-Notebook img').naturalWidth > 0")
        page.wait_for_selector(".jp-CodeCell")
        assert page.locator(".jp-CodeCell .cm-editor:visible").count() == 0
        assert page.locator(".ex").count() == 0
        page.wait_for_selector(IDLE)  # what is asked of a kernel that still starts may get lost
        page.click(".lm-MenuBar-itemLabel:text-is('Run')")
        page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
        page.wait_for_selector(last, state="attached")
        page.wait_for_selector(IDLE)
        page.wait_for_function(AT_THE_END)
        yield page
        assert page.locator(".jp-CodeCell .cm-editor:visible").count() == 0
        assert page.locator("[data-mime-type*='jupyter.std']").count() == 0
        assert page.locator(".jp-Dialog").all_inner_texts() == []
        end_kernels(page, lab)


def end_kernels(page, lab):
    """End what runs there: a kernel takes some hundred megabytes, and nobody comes back to it."""
    header = {"Authorization": f"token {parse_qs(urlsplit(lab).query)['token'][0]}"}
    for session in page.request.get(urljoin(lab, "/api/sessions"), headers=header).json():
        address = urljoin(lab, f"/api/sessions/{session['id']}")
        assert page.request.delete(address, headers=header).ok


def press(page, slider, key, said):
    """Press a key on a slider and wait for what is said then."""
    page.locator(slider).press(key)
    page.locator(said).first.wait_for()


def test_the_overview(browser, lab):
    with all_run(browser, lab, "00_overview") as page:
        before = pictures(page, PLAYER)
        scrub(page, PLAYER, "ArrowRight", "Step 1 of 25")
        others(page, PLAYER, before)

        page.locator(STUDIO).scroll_into_view_if_needed()
        before = pictures(page, STUDIO)
        generate(page, "an owl reads in the rain", seed="3")
        others(page, STUDIO, before)
        assert not page.is_visible("text=official Jupyter news")

        # The arrow keys are not taken for the notebook's own.
        steps = page.locator(f"{STUDIO} .ex-slider").first
        before = steps.input_value()
        steps.press("ArrowRight")
        assert steps.input_value() != before


def test_a_sentence_is_taken_apart(browser, lab):
    with all_run(browser, lab, "01_text", last=RUNS) as page:
        page.fill(f"{SENTENCE} textarea", "an owl reads")
        page.wait_for_selector(f"{SENTENCE} .ex-token-text:text-is('owl')")


def test_a_step_is_taken_apart(browser, lab):
    with all_run(browser, lab, "02_noise") as page:
        taken = page.locator(f"{ANATOMY} >> canvas").first
        before = sums(taken)
        press(page, f"{ANATOMY} >> .ex-curve input", "End", f"{ANATOMY} >> text=Step 25 of 25")
        repainted(page, taken, before)


def test_a_channel_is_switched_off_and_decoded(browser, lab):
    with all_run(browser, lab, "03_latent") as page:
        decoded = page.locator(f"{CHANNELS} canvas").nth(1)
        before = sums(decoded)
        off = f"{CHANNELS} output:text-is('1: off')"
        press(page, f"{CHANNELS} input >> nth=0", "Home", off)
        repainted(page, decoded, before)


def test_styles_are_slid_back_to_the_first_step(browser, lab):
    with all_run(browser, lab, "04_style") as page:
        second = page.locator(f"{STYLES} canvas").nth(1)
        before = sums(second)
        press(page, f"{STYLES} .ex-curve input", "Home", f"{STYLES} >> text=/^After step 1 of/")
        repainted(page, second, before)


def test_another_of_the_nearest_is_put_beside_the_picture(browser, lab):
    with all_run(browser, lab, "05_is_it_a_copy") as page:
        theirs = page.locator(f"{NEAREST} .ex-nearest-theirs")
        before = sums(theirs)
        page.click(f"{NEAREST} .ex-nearest-pick >> nth=1")
        repainted(page, theirs, before)


def test_another_view_is_chosen(browser, lab):
    with all_run(browser, lab, "06_your_own_model", last=CARRIED) as page:
        assert page.locator(".ex:has(.ex-layers)").count() == 0
        page.click(f"{MENU} .ex-menu-view:text-is('Layer by layer')")
        page.wait_for_selector(".ex:has(.ex-layers)")
