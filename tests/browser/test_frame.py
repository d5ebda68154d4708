"""What surrounds every served page: the pipeline, the way from page to page, the tour, bad days."""

import socket
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import axe_playwright_python
import psutil
import pytest

from explainer import look
from explainer.models import embedded_fingerprint
from tests.browser.canvases import refreshed, until
from tests.browser.test_pages import (
    STUDIO,
    fill,
    generate,
    pictures,
    shown,
    visit,
)

pytestmark = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PAGES = [name for name in look.page_names() if (NOTEBOOKS / f"{name}.ipynb").exists()]
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
SERIOUS = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter(({ impact }) => ["serious", "critical"].includes(impact))
  .map(({ id, nodes }) => [id, ...nodes.map(({ target, html }) => `${target} ${html}`)])"""
HERE = "all => all.map((node) => node.dataset.part)"
OUTSIDE = """() => [...document.querySelectorAll("body *")]
  .filter((node) => node.getBoundingClientRect().right > innerWidth + 1
    && !node.closest(".ex-spoken, [class*=scroll], .ex-names, table, pre, [hidden]")
    && getComputedStyle(node).position !== "absolute")
  .map((node) => `${node.tagName}.${node.className?.baseVal ?? node.className}`)"""
# A kernel that answers late: every message from it waits longer than Voilà does.
LATE_MS = 3000
LATE = f"""
const Plain = WebSocket;
window.WebSocket = class extends Plain {{
  set onmessage(listener) {{
    super.onmessage = (event) => setTimeout(() => listener(event), {LATE_MS});
  }}
}};
"""


def address_of(site, name):
    return f"{site}voila/render/{name}.ipynb"


@pytest.fixture(scope="module")
def latent(browser, site):
    """One page for all tests that leave it as it is."""
    with visit(browser, address_of(site, "03_latent"), ready=STUDIO) as page:
        yield page


def scroll_to(page, heading):
    page.locator(f"h2:has-text('{heading}')").evaluate("node => node.scrollIntoView()")


def here(page):
    return page.locator(".pipeline [data-here]").evaluate_all(HERE)


def test_the_pipeline_stays_in_view_and_follows_the_reader(latent):
    scroll_to(latent, "2 · ")
    latent.wait_for_function("document.querySelectorAll('[data-here]').length === 1")
    assert here(latent) == ["latent"]
    scroll_to(latent, "3 · ")
    latent.wait_for_selector("[data-part=decoder][data-here]")
    assert here(latent) == ["decoder"]
    assert latent.locator(".pipeline").bounding_box()["y"] >= 0
    assert latent.inner_text(".frame-where").startswith("Latent\n3 · ")
    ground = latent.locator(".frame").evaluate("node => getComputedStyle(node).backgroundColor")
    assert ground.startswith("rgb(")  # nothing shows through
    assert latent.locator("[aria-current=step]").count() == 1
    assert latent.text_content(".frame-list [aria-current=page] b") == "Latent"


def test_pages_follow_each_other(latent):
    turns = latent.locator(".page-turn a")
    files = [
        urlsplit(link.evaluate("link => link.href")).path.split("/")[-1] for link in turns.all()
    ]
    place = look.page_names().index("03_latent")
    names = [look.page_names()[place - 1], look.page_names()[place + 1]]
    assert files == [f"{name}.ipynb" for name in names]
    assert [turn.get_attribute("rel") for turn in turns.all()] == ["prev", "next"]


def test_the_list_of_pages_opens_and_closes_with_the_keyboard(latent):
    sheet = latent.locator(".frame-pages")
    latent.focus(".frame-pages summary")
    latent.keyboard.press("Enter")
    assert sheet.get_attribute("open") is not None
    latent.keyboard.press("Tab")
    assert latent.evaluate("document.activeElement.closest('.frame-list') !== null")
    latent.keyboard.press("Escape")
    assert sheet.get_attribute("open") is None
    assert latent.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_the_first_stop_of_the_tab_key_leads_past_the_frame(browser, site):
    with visit(browser, address_of(site, "03_latent"), ready=STUDIO) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the text"
        page.keyboard.press("Enter")
        page.wait_for_function("location.hash")
        page.keyboard.press("Tab")
        page.wait_for_function("document.activeElement.closest('.page')")


def test_a_chosen_theme_holds_on_the_next_page(browser, site):
    ground = "getComputedStyle(document.body).backgroundColor"
    with visit(browser, address_of(site, "03_latent"), ready=STUDIO, color_scheme="light") as page:
        light = page.evaluate(ground)
        page.locator(".frame-pages").evaluate("node => (node.open = true)")
        page.select_option(".frame-theme select", "dark")
        assert page.evaluate(ground) != light
        page.wait_for_selector(f"{STUDIO}[data-theme=dark]")
        page.reload(wait_until="domcontentloaded")
        page.wait_for_selector(f"{STUDIO}[data-theme=dark]")
        assert page.evaluate(ground) != light


def test_letters_are_the_pages_own(latent):
    loaded = latent.evaluate(
        "document.fonts.ready.then((all) => [...all].filter((f) => f.status === 'loaded')"
        ".map((f) => f.family.replaceAll('\"', '')))"
    )
    assert {"Literata Variable", "Atkinson Hyperlegible Next Variable"} <= set(loaded)


def test_a_run_goes_along_to_the_next_page_and_is_not_drawn_again(browser, site):
    with visit(browser, address_of(site, "03_latent"), ready=STUDIO) as page:
        generate(page, "an owl & a fox, 50 %", seed="5", steps="2", guidance="3")
        page.wait_for_selector(".frame-carried:has-text('an owl & a fox, 50 %')")
        given = parse_qs(urlsplit(page.evaluate("location.href")).query)
        assert given["prompt"] == ["an owl & a fox, 50 %"]
        assert given["steps"] == ["2"]
        before = pictures(page, STUDIO)
        page.click(".pipeline [data-part=noise] a")
        page.wait_for_url("**/02_noise.ipynb?*", wait_until="domcontentloaded")
        page.wait_for_selector(STUDIO)
        shown(page, "an owl & a fox, 50 %", "seed 5 · 2 steps · guidance 3")
        assert not page.evaluate("window.sawLive")
        until(page, lambda: pictures(page, STUDIO), before.__eq__)
        page.click(".frame-carried >> text=leave it behind")
        page.wait_for_function("!location.search.includes('prompt')")
        assert page.evaluate("document.activeElement.id") == "page", "a keyboard would start anew"
        link = page.locator(".page-turn [rel=next]").evaluate("link => link.href")
        assert "prompt" not in link


def test_the_tour_leads_through_its_pages_to_its_end(browser, site):
    with visit(browser, address_of(site, "00_overview"), ready=STUDIO) as page:
        page.click(".frame-tour")
        seen = set()
        for _ in range(40):
            page.wait_for_selector(".tour-here")
            card = page.locator(".tour")
            assert "Try: " in card.inner_text()
            box, window = page.locator(".tour-here").bounding_box(), page.viewport_size
            assert 0 <= box["y"] < window["height"] / 2
            seen.add(page.url.split("/")[-1].split(".")[0])
            step = card.locator(".tour-count").first.inner_text()
            done = card.locator(".tour-next").inner_text() == "Done"
            card.locator(".tour-next").click()
            if done:
                break
            page.wait_for_function(
                "(step) => document.querySelector('.tour-count')?.textContent"
                " && document.querySelector('.tour-count').textContent !== step",
                arg=step,
            )
        assert done
        assert seen == set(PAGES)
        assert not page.is_visible(".tour")
        page.wait_for_function("!location.search.includes('tour')")


@contextmanager
def listened(browser, address, script=""):
    """Open a page that may complain; yield it and what it said."""
    context = browser.new_context()
    context.set_default_timeout(120_000)
    context.add_init_script(script)
    page, said = context.new_page(), []
    page.on("console", lambda message: message.type == "error" and said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address, wait_until="domcontentloaded")
    try:
        yield page, said
    finally:
        context.close()


def test_widgets_of_a_kernel_that_answers_late_all_come(browser, site, latent):
    with listened(browser, address_of(site, "03_latent"), LATE) as (page, said):
        page.wait_for_selector(STUDIO)
        page.wait_for_function(
            "(count) => document.querySelectorAll('.page .ex').length === count",
            arg=latent.locator(".page .ex").count(),
        )
        assert said == []


def kernel_process(kernel):
    (process,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(kernel in word for word in process.info["cmdline"] or ())
    ]
    return process


def test_a_kernel_that_dies_in_mid_run_is_told_and_the_run_starts_again(browser, site):
    with listened(browser, address_of(site, "03_latent")) as (page, _):
        page.wait_for_selector(STUDIO)
        generate(page, "a fox", seed="1")
        fill(page, prompt="a bear", seed="2", steps="200", guidance_scale="5")
        page.click(f"{STUDIO} >> text=Generate")
        page.wait_for_selector(f"{STUDIO} >> text=/Drawing: step \\d+ of 200/")
        kernel_process(page.evaluate("jupyterapp.widgetManager.kernel.id")).kill()
        told = page.locator(".stopped")
        told.wait_for()
        assert "has stopped" in told.inner_text()
        assert "“a fox”" in page.inner_text(f"{STUDIO} .ex-player-caption")
        with page.expect_navigation(wait_until="domcontentloaded"):
            told.locator("text=Start again").click()
        page.wait_for_selector(STUDIO)
        shown(page, "a fox", "seed 1")


def test_a_prompt_of_a_megabyte_and_twenty_clicks_harm_nothing(browser, site):
    with visit(browser, address_of(site, "03_latent"), ready=STUDIO) as page:
        fill(page, prompt="fox " * 2**18, seed="7", steps="1", guidance_scale="5")
        page.click(f"{STUDIO} >> text=Generate")
        page.wait_for_selector(".ex-field-prompt .ex-field-problem:has-text('characters too many')")
        fill(page, prompt="a cat", seed="7", steps="3", guidance_scale="5")
        page.evaluate(
            "() => { for (let i = 0; i < 20; i += 1)"
            " document.querySelector('.ex-studio').requestSubmit(); }"
        )
        shown(page, "a cat", "seed 7 · 3 steps")
        generate(page, "a dog", seed="8")


# A page opens in one of these looks and takes on the others; the next page begins with the next.
LOOKS = [(400, "light"), (1600, "dark"), (400, "dark"), (1600, "light")]


@pytest.mark.parametrize("place", range(len(PAGES)), ids=PAGES)
def test_nothing_keeps_anybody_out(browser, site, place):
    first = place % len(LOOKS)
    looks = LOOKS[first:] + LOOKS[:first]
    options = {"viewport": {"width": looks[0][0], "height": 900}, "color_scheme": looks[0][1]}
    options["reduced_motion"] = "reduce"  # half-way from one look to the other, contrast is poor
    with silence("blocked" if place % 2 else "hanging") as proxy:
        options |= proxy
        with visit(browser, address_of(site, PAGES[place]), ready=".page-turn", **options) as page:
            page.wait_for_function("window.jupyterapp?.widgetManager.restoredStatus")
            page.wait_for_function("!document.body.innerText.includes('Loading widget')")
            page.wait_for_selector(".page .ex canvas:visible, .page .ex svg:visible")
            page.evaluate(f"{AXE}\n;0")
            for width, scheme in looks:
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=scheme)
                page.wait_for_selector(f".ex:not([data-theme={scheme}])", state="detached")
                refreshed(page)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert page.evaluate(OUTSIDE) == []
                assert page.evaluate(SERIOUS) == []


@contextmanager
def silence(network):
    """A network that takes every call and never says a word, where that is asked for."""
    if network == "blocked":
        yield {}
        return
    with socket.create_server(("localhost", 0)) as hole:
        address = f"http://localhost:{hole.getsockname()[1]}"
        yield {"proxy": {"server": address, "bypass": "localhost"}}
