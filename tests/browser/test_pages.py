"""The overview as a reader meets it: served by Voilà, with no network."""

import socket
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

import pytest

from explainer.models import embedded_fingerprint
from tests.browser.canvases import repainted, sums, until

pytestmark = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)

EXAMPLE = "a little girl with red hair and a blue dress walks through an enchanted forest"
PATIENCE_MS = 120_000
TALL = {"width": 1100, "height": 1400}

STUDIO = ".ex:has(.ex-studio)"
PLAYER = ".ex:has(.ex-player):not(:has(.ex-studio))"
LATENTS = ".ex:has(.ex-latents)"

# Remembers whether a run was ever being computed while the page was open.
NOTE_LIVE = """
new MutationObserver(() => {
  window.sawLive ||= Boolean(document.querySelector(".ex-live:not([hidden])"));
}).observe(document, { subtree: true, childList: true, attributes: true });
"""
ASK_OUTSIDE = """() => Promise.race([
  fetch("http://example.org/", { mode: "no-cors" }).then(() => "answer", () => "refusal"),
  new Promise((done) => setTimeout(done, 1000, "silence")),
])"""


@contextmanager
def visit(browser, address, *, ready, **options):
    """Open a page; at the end fail on any error in it and on any request beyond this machine."""
    # The pages' policy forbids `eval`, which Playwright waits with. That they work under the policy
    # is tested where nothing has to be waited for in this way.
    context = browser.new_context(**{"viewport": TALL, "bypass_csp": True, **options})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(NOTE_LIVE)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
    page.on("request", lambda request: beyond(request.url) and complaints.append(request.url))
    try:
        page.goto(address, wait_until="domcontentloaded")
        page.wait_for_selector(ready)
        yield page
        assert complaints == []
        if "/voila/" in page.url:  # such a page ends its kernel when it is left, not when closed
            page.goto("about:blank")
    finally:
        context.close()


def beyond(url):
    parts = urlsplit(url)
    return parts.scheme not in {"blob", "data"} and parts.hostname != "localhost"


@pytest.fixture(scope="module")
def opened(browser, site):
    """One page for all that can share it: each has a kernel of its own, which takes seconds."""
    with visit(browser, site, ready=STUDIO) as page:
        yield page


@pytest.fixture
def page(opened):
    """The page with a form that could be sent."""
    fill(opened, prompt="a fox in the snow", seed="7", steps="2", guidance_scale="5")
    return opened


def fill(page, **texts):
    for name, text in texts.items():
        page.locator(f"{STUDIO} .ex-field-{name} :is(textarea, input[type=text])").fill(text)


def generate(page, prompt, *, seed="7", steps="1", guidance="5"):
    """Ask for a run and wait until it is on show."""
    fill(page, prompt=prompt, seed=seed, steps=steps, guidance_scale=guidance)
    page.click(f"{STUDIO} >> text=Generate")
    shown(page, prompt, f"seed {seed} · {steps} steps · guidance {guidance}")


def shown(page, prompt, facts):
    caption = page.locator(f"{STUDIO} .ex-player-caption")
    caption.get_by_text(f"“{prompt.strip()}”", exact=True).wait_for()
    caption.get_by_text(facts).wait_for()
    page.wait_for_selector(f"{STUDIO} .ex-live", state="hidden")


def pictures(page, widget):
    """What the two canvases of a player show, once they are painted and at rest."""
    canvases = page.locator(f"{widget} .ex-player-canvas")
    for _ in range(100):
        before = sums(canvases)
        page.wait_for_timeout(100)
        if before == sums(canvases):
            return before
    raise AssertionError("the pictures never come to rest")


def others(page, widget, before):
    """What the two canvases of a player show, once neither shows what it did before."""
    return repainted(page, page.locator(f"{widget} .ex-player-canvas"), before)


def scrub(page, widget, key, arrives):
    """Press a key on a player's slider and wait until it says where it arrived."""
    page.focus(f"{widget} .ex-track input")
    page.keyboard.press(key)
    page.wait_for_selector(f"{widget} .ex-player-step:text-is('{arrives}')")


def test_the_page_opens_with_its_pictures_and_without_code(opened):
    assert opened.title() == "From a sentence to a picture"
    assert EXAMPLE in opened.inner_text("blockquote")
    still = opened.locator("img").first
    assert still.evaluate("image => image.complete && image.naturalWidth > 0")
    assert not opened.is_visible(".jp-InputArea-editor")
    assert not opened.is_visible("text=Run All Cells")
    text = opened.inner_text("body")
    assert "import explainer" not in text
    assert "Traceback" not in text
    assert opened.locator("h2").count() == 6
    assert opened.locator(".ex").count() == 11


def test_the_page_is_found_by_its_headings_and_landmarks(opened):
    assert opened.locator("h1").count() == 1
    unnamed = "all => all.filter((one) => !one.ariaLabel).length"
    assert opened.locator("canvas[role=img]").evaluate_all(unnamed) == 0
    assert opened.locator("img:not([alt])").count() == 0
    assert opened.get_attribute("html", "lang") == "en"


def test_scrubbing_changes_the_pictures_and_the_latents_follow(opened):
    latents = opened.locator(LATENTS).first
    first = now = pictures(opened, PLAYER), sums(latents.locator("canvas"))
    for key, step in [("ArrowRight", 1), ("End", 25)]:
        scrub(opened, PLAYER, key, f"Step {step} of 25")
        latents.get_by_text(f"Latents after step {step} of 25").wait_for()
        now = others(opened, PLAYER, now[0]), repainted(opened, latents.locator("canvas"), now[1])
    scrub(opened, PLAYER, "Home", "Step 0 of 25")
    until(opened, lambda: (pictures(opened, PLAYER), sums(latents.locator("canvas"))), first.__eq__)


def test_a_word_that_training_never_showed_is_marked(page):
    fill(page, prompt="a fox on a bicycle in the snow")
    page.focus(f"{STUDIO} .ex-field-seed input")
    assert page.locator(f"{STUDIO} .ex-unknown").all_inner_texts() == ["bicycle"]
    assert page.inner_text(".ex-unknown-note") == "Not met in training: bicycle"


def test_a_prompt_becomes_another_picture_and_is_taken_apart(page):
    before = pictures(page, STUDIO)
    page.evaluate("window.sawLive = false")
    fill(page, prompt="an owl reads in the rain", seed="11", steps="3")
    page.click(f"{STUDIO} >> text=Generate")
    shown(page, "an owl reads in the rain", "seed 11 · 3 steps")
    assert page.evaluate("window.sawLive")
    assert page.inner_text(f"{STUDIO} .ex-player-step") == "Step 3 of 3"
    others(page, STUDIO, before)

    words = page.locator(".ex:has(.ex-tokens)").last.locator("[data-kind=word] .ex-token-text")
    page.locator(LATENTS).last.get_by_text("Latents after step 3 of 3").wait_for()
    assert "".join(words.all_inner_texts()) == "anowlreadsintherain"
    labels = page.locator(".ex:has(.ex-fingerprints)").last.locator("figcaption")
    assert labels.all_inner_texts() == ["your sentence", "our example"]
    scrub(page, STUDIO, "Home", "Step 0 of 3")
    page.locator(LATENTS).last.get_by_text("Latents after step 0 of 3").wait_for()


def test_another_seed_gives_another_picture(page):
    now = pictures(page, STUDIO)
    for seed in ("1", "2"):
        generate(page, "a bear", seed=seed, steps="2")
        now = others(page, STUDIO, now)


def test_a_long_run_can_be_cancelled_and_what_was_on_screen_stays(page):
    before = page.inner_text(f"{STUDIO} .ex-player"), pictures(page, STUDIO)
    fill(page, prompt="a cat in the city", steps="200")
    page.click(f"{STUDIO} >> text=Generate")
    page.wait_for_selector(f"{STUDIO} >> text=/Drawing: step \\d+ of 200/")
    page.click("text=Cancel")
    page.wait_for_selector(f"{STUDIO} >> text=/Stopped after \\d+ of 200 steps/")
    page.wait_for_selector(".ex-live", state="hidden")
    assert (page.inner_text(f"{STUDIO} .ex-player"), pictures(page, STUDIO)) == before


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("prompt", "", "The prompt is empty"),
        ("prompt", "fox " * 501, "4 characters too many"),
        ("steps", "0", "from 1 to 200"),
        ("steps", "10000", "from 1 to 200"),
        ("guidance_scale", "-5", "from 0 to 50"),
        ("guidance_scale", "abc", "from 0 to 50"),
        ("seed", str(2**70), "from 0 to 18446744073709551615"),
    ],
)
def test_bad_input_is_answered_and_the_picture_stays(page, field, text, message):
    before = page.inner_text(f"{STUDIO} .ex-player"), pictures(page, STUDIO)
    fill(page, **{field: text})
    page.click(f"{STUDIO} >> text=Generate")
    page.wait_for_selector(f".ex-field-{field} .ex-field-problem:has-text('{message}')")
    assert not page.is_visible(".ex-live")
    assert (page.inner_text(f"{STUDIO} .ex-player"), pictures(page, STUDIO)) == before


def test_in_a_low_window_the_new_picture_is_brought_into_view(page):
    page.set_viewport_size({"width": 1200, "height": 800})
    for prompt in ("an owl reads", "a castle by the sea", "an owl reads"):  # drawn, drawn, kept
        page.evaluate("scrollTo(0, 0)")
        generate(page, prompt)
        until(page, lambda: in_sight(page), True.__eq__)
    page.set_viewport_size(TALL)


def in_sight(page):
    """Whether the studio's pictures, and the slider below them, are in the window."""
    top = page.locator(f"{STUDIO} .ex-player-pictures").bounding_box()["y"]
    slider = page.locator(f"{STUDIO} .ex-track").bounding_box()
    return top > 0 and slider["y"] + slider["height"] <= page.viewport_size["height"]


@pytest.mark.parametrize("prompt", ["<script>alert(1)</script> fox", "🦊 在雪地里 雪"])
def test_any_text_is_drawn_and_shown_as_text(page, prompt):
    generate(page, prompt)
    assert page.locator(".ex script").count() == 0
    assert page.locator(".ex:has(.ex-tokens)").last.locator("[data-kind=word]").count() > 2


def test_a_prompt_longer_than_the_model_reads_is_drawn_and_what_was_cut_is_told(page):
    generate(page, "a fox " * 45 + "and a lighthouse")
    note = page.locator(f"{STUDIO} >> text=/never saw: “.*and a lighthouse”/")
    note.wait_for()
    page.wait_for_selector("text=/Never read, because the sentence is too long: .*lighthouse/")


def test_a_link_opens_its_run_at_once_in_another_kernel(browser, page):
    prompt, seed = "a dragon & a fox, 50 % ink", str(2**64 - 1)
    generate(page, prompt, seed=seed, steps="2", guidance="2.5")
    address = page.url.split("?")[0]  # it names the run that is on show
    link = f"{address}?prompt={quote(prompt)}&seed={seed}&steps=2&guidance_scale=2.5"
    with visit(browser, link, ready=STUDIO) as other:
        shown(other, prompt, f"seed {seed} · 2 steps · guidance 2.5")
        assert other.input_value(f"{STUDIO} textarea") == prompt
        assert not other.evaluate("window.sawLive")
        wanted = pictures(page, STUDIO)
        until(other, lambda: pictures(other, STUDIO), wanted.__eq__)


def test_a_link_with_bad_values_is_answered_and_the_example_stays(browser, site):
    with visit(
        browser, f"{site}voila/render/00_overview.ipynb?prompt=fox&steps=0", ready=STUDIO
    ) as page:
        page.wait_for_selector(".ex-field-steps .ex-field-problem:has-text('from 1 to 200')")
        assert EXAMPLE in page.inner_text(f"{STUDIO} .ex-player-prompt")


def test_a_phone_scrolls_nothing_sideways(browser, site):
    with visit(browser, site, ready=STUDIO, viewport={"width": 400, "height": 800}) as page:
        widths = """() => [document.documentElement, ...document.querySelectorAll("body *")]
          .filter((node) => node.scrollWidth > node.clientWidth + 1 && node.checkVisibility()
            && ["auto", "scroll"].includes(getComputedStyle(node).overflowX))
          .map((node) => node.className)"""
        assert page.evaluate(widths) == []
        page.click(".frame-pages summary")
        assert page.evaluate(widths) == []


def test_a_network_that_never_answers_costs_no_time(browser, site):
    with socket.create_server(("localhost", 0)) as hole:  # takes every call, and never says a word
        proxy = {"server": f"http://localhost:{hole.getsockname()[1]}", "bypass": "localhost"}
        with visit(browser, site, ready=STUDIO, proxy=proxy) as page:
            scrub(page, PLAYER, "End", "Step 25 of 25")
            assert page.context.new_page().evaluate(ASK_OUTSIDE) == "silence"
