"""Exported pages as a reader meets them: from a disk and from a web host, with no network."""

import shutil
from pathlib import Path

import pytest

from explainer import look, site
from explainer.models import embedded_fingerprint, embedded_folder
from explainer.serving import notebooks_folder
from explainer.site import gallery, writing
from explainer.site.notebook import Page
from explainer.stages.clip import TextEncoder
from explainer.stages.sentence import SentenceReader
from explainer.widgets import Gallery, Player, Question, Sentence, TokenLayers
from tests.browser.canvases import repainted, sums
from tests.browser.site_pages import hosted, visit
from tests.synthetic import make_trace, scene, webp

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in notebooks_folder().glob("*.ipynb"))
# (from a web host, hanging, dark, wide): any three of the four settings meet in all their ways.
SETTINGS = [(0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 0, 1), (0, 1, 1, 0)]
# Each page in one setting and in its opposite, so that it meets every value of each.
VISITS = [
    (name, [bool(one) != opposite for one in SETTINGS[i % len(SETTINGS)]])
    for i, name in enumerate(NAMES)
    for opposite in (False, True)
]

needs_weights = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The explainer's own pages as they are exported, without what needs the model."""
    folder = tmp_path_factory.mktemp("site") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        report = site.export(folder, gallery=False, live=False)
    with hosted(folder) as address:
        yield folder, report, address


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A gallery of made-up runs."""
    folder = tmp_path_factory.mktemp("runs")
    traces = [make_trace(steps=3, seed=1), make_trace(steps=5, seed=2, prompt="an <b>owl</b>")]
    page = gallery.page(traces, folder)
    look.copy_assets(folder / writing.ASSETS)
    writing._write(page, writing.frame_for([page]), writing.live_words("", page), folder)
    with hosted(folder) as address:
        yield folder, address


def scroll_through(page):
    """Bring every widget into view: large ones come only then."""
    later = page.locator("div[id^=widget-]:not(:has(> .ex))")
    for place in later.evaluate_all("all => all.map((one) => one.id)"):
        page.locator(f"#{place}").scroll_into_view_if_needed()
        # What waits for a run of the reader's own is there, but not seen.
        page.locator(f"#{place} > .ex").wait_for(state="attached")


def address_of(exported, name, *, served):
    folder, _, host = exported
    return f"{host}{name}.html" if served else (folder / f"{name}.html").as_uri()


@needs_weights
@pytest.mark.parametrize(
    ("name", "setting"), VISITS, ids=[f"{n}-{''.join('01'[s] for s in v)}" for n, v in VISITS]
)
def test_a_page_stands_whole(browser, exported, name, setting):
    served, hanging, dark, wide = setting
    width = 1600 if wide else 400
    options = {
        "hanging": hanging,
        "color_scheme": "dark" if dark else "light",
        "viewport": {"width": width, "height": 900},
    }
    with visit(browser, address_of(exported, name, served=served), **options) as page:
        assert page.locator("h1").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shown = page.locator("div[id^=widget-]").count()
        scroll_through(page)
        assert page.locator("div[id^=widget-] > .ex").count() == shown
        themes = page.locator(".ex").evaluate_all("all => all.map((one) => one.dataset.theme)")
        assert set(themes) <= {"dark" if dark else "light"}
        assert page.locator(".ex-notice[data-kind=error]:visible").count() == 0
        broken = "all => all.filter((one) => !one.complete || !one.naturalWidth).length"
        assert page.locator("img").evaluate_all(broken) == 0
        assert page.is_visible("#live-pages")
        assert "import explainer" not in page.inner_text("body")


@needs_weights
def test_no_page_is_heavy(exported):
    _, report, _ = exported
    assert {name: size for name, size in report.pages.items() if size > writing.MOST_BYTES} == {}


@needs_weights
def test_the_start_leads_to_the_first_page_and_keeps_what_the_address_says(browser, exported):
    _, _, host = exported
    with visit(browser, f"{host}index.html?prompt=a+fox#Your-turn") as page:
        assert page.url == f"{host}{NAMES[0]}.html?prompt=a+fox#Your-turn"


@needs_weights
def test_a_run_is_scrubbed_from_a_disk_and_the_latents_follow(browser, exported):
    with visit(browser, address_of(exported, "00_overview", served=False)) as page:
        scroll_through(page)
        player = page.locator(".ex:has(.ex-player):not(:has(.ex-studio))")
        latents = page.locator(".ex:has(.ex-latents)").first
        now = []
        for key, step in [("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2)]:
            player.locator(".ex-track input").press(key)
            latents.get_by_text(f"Latents after step {step} of ").wait_for()
            shown = player.locator("canvas").first
            now = repainted(page, shown, now) if now else sums(shown)


@needs_weights
def test_a_picture_is_noised_in_the_page_and_a_guess_opens_what_was_hidden(browser, exported):
    with visit(browser, address_of(exported, "02_noise", served=True)) as page:
        before = sums(page.locator(".ex-fade-canvas"))
        page.focus(".ex-curve input")
        page.keyboard.press("End")
        page.wait_for_selector("text=timestep 1000 of 1000")
        repainted(page, page.locator(".ex-fade-canvas"), before)


@needs_weights
def test_a_sentence_is_cut_into_tokens_as_it_is_typed(browser, exported):
    address = address_of(exported, "01_text", served=False)
    with visit(browser, f"{address}?prompt=an+owl+%26+a+fox&seed=7") as page:
        sentence = page.locator(".ex:has(.ex-sentence-facts)")
        assert sentence.locator("textarea").input_value() == "an owl & a fox"
        assert sentence.locator("[data-kind=word]").count() > 4
        page.wait_for_selector(".ex:has(.ex-layers) >> text=This still shows the recorded sentence")
        sentence.locator("textarea").fill("The FOX isn't here: 🦊")
        sentence.get_by_text("The", exact=True).wait_for()
        folder = embedded_folder()
        wanted = SentenceReader(folder).read("The FOX isn't here: 🦊").tokens
        words = [token.text for token in wanted if token.kind == "word"]
        chips = sentence.locator("[data-kind=word]")
        assert chips.locator(".ex-token-text").all_inner_texts() == words
        numbers = chips.locator(".ex-token-id").all_inner_texts()
        assert numbers == [str(token.id) for token in wanted if token.kind == "word"]
        page.wait_for_selector("text=This still shows the recorded sentence")
        sentence.locator("textarea").fill("fox " * 501)
        page.wait_for_selector("text=4 characters too many")
        assert chips.count() == len(words)


@needs_weights
def test_that_a_widget_stays_behind_is_said_once_and_not_at_every_letter(browser, tmp_path):
    encoder = TextEncoder(embedded_folder())
    page = Page("typing", "Typing")
    both = [Sentence(encoder.reader, "a fox"), TokenLayers(encoder.encode("a fox"))]
    for i, widget in enumerate(both):
        page.bundle.add(widget.get_state(), [f"#widget-{i}"])
    page.body = '<div id="widget-0"></div><div id="widget-1"></div>'
    writing._let_type(page, embedded_folder())
    look.copy_assets(tmp_path / writing.ASSETS)
    writing._write(page, "", "", tmp_path)
    with visit(browser, (tmp_path / "typing.html").as_uri()) as shown:
        shown.evaluate("""() => {
          window.written = 0;
          const alert = document.querySelector("#widget-1 [role=alert]");
          new MutationObserver(() => (written += 1)).observe(alert, { childList: true });
        }""")
        shown.locator("textarea").press_sequentially(" in the snow")
        shown.wait_for_selector("#widget-1 >> text=This still shows the recorded sentence")
        assert shown.evaluate("written") == 1


@needs_weights
def test_what_needs_a_kernel_says_so_and_leads_to_how_one_has_it(browser, exported):
    with visit(browser, address_of(exported, "03_latent", served=False)) as page:
        told = page.locator(".ex-only-live")
        assert told.count() >= 5
        assert told.first.locator("a").get_attribute("href") == "#live-pages"
        buttons = page.locator(".ex button:visible:not([disabled])").all_inner_texts()
        assert "Generate" not in buttons
        assert "Noise" not in buttons


@pytest.mark.parametrize("served", [False, True])
def test_a_run_of_the_gallery_is_fetched_when_it_is_chosen(browser, runs, served):
    folder, host = runs
    address = f"{host}gallery.html" if served else (folder / "gallery.html").as_uri()
    with visit(browser, address) as page:
        page.wait_for_selector("text=Step 3 of 3")
        page.click(".runs button >> nth=1")
        page.wait_for_selector("text=Step 5 of 5")
        page.wait_for_selector(".ex-player-caption >> text=“an <b>owl</b>”")
        page.wait_for_selector("text=Latents after step 5 of 5")
        assert page.get_attribute(".runs button >> nth=1", "aria-pressed") == "true"
        page.focus(".ex-track input")
        page.keyboard.press("Home")
        page.wait_for_selector("text=Latents after step 0 of 5")


def test_of_two_runs_the_one_chosen_last_is_shown_whichever_comes_last(browser, runs):
    with visit(browser, f"{runs[1]}gallery.html") as page:
        held = []
        page.route("**/runs/1.js", lambda route: held.append(route))  # noqa: PLW0108 - not a builtin
        page.click(".runs button >> nth=1")
        page.click(".runs button >> nth=0")
        page.wait_for_selector(".runs-told:empty", state="attached")
        held[0].continue_()
        page.wait_for_selector("script[src*='runs/']", state="detached")
        assert page.is_visible("text=Step 3 of 3")
        assert page.get_attribute(".runs button >> nth=0", "aria-pressed") == "true"


def test_a_run_of_another_version_or_none_is_told_and_what_was_shown_stays(browser, runs, tmp_path):
    folder, _ = runs
    for path in folder.rglob("*"):
        if path.is_file():
            new = tmp_path / path.relative_to(folder)
            new.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(path.read_bytes())
    old = (tmp_path / "runs" / "1.js").read_text()
    made = old.split(", ", 2)[1]
    (tmp_path / "runs" / "1.js").write_text(old.replace(made, '"of another time"', 1))
    (tmp_path / "runs" / "0.js").unlink()
    with visit(
        browser, (tmp_path / "gallery.html").as_uri(), allowed=["ERR_FILE_NOT_FOUND"]
    ) as page:
        page.click(".runs button >> nth=1")
        page.wait_for_selector("text=recorded for another version of this page")
        page.click(".runs button >> nth=0")
        page.wait_for_selector("text=could not be fetched")
        assert page.is_visible("text=Step 3 of 3")


@needs_weights
@pytest.mark.parametrize(
    ("name", "step", "part"),
    [("01_text", 6, ".ex-words-form"), ("06_your_own_model", 18, ".ex-only-live")],
)
def test_the_tour_comes_to_parts_that_are_far_or_only_recorded(browser, exported, name, step, part):
    address = address_of(exported, name, served=False)
    with visit(browser, f"{address}?tour={step}") as page:
        page.wait_for_selector(f".tour-here {part}")
        assert page.locator(".tour-count:visible").count() == 1  # nothing is still being made
        page.focus(".tour >> text=To this part")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.matches('.tour-here')")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.matches('.tour')")
        page.keyboard.press("Escape")
        assert not page.is_visible(".tour")
        found = page.evaluate("part => document.activeElement.matches(`:has(${part})`)", part)
        assert found, "the place is lost"


@needs_weights
def test_a_carried_run_leads_to_the_studio_that_is_made_only_when_near(browser, exported):
    address = address_of(exported, "03_latent", served=False)
    with visit(browser, f"{address}?prompt=a+fox&seed=3") as page:
        page.click(".frame-carried >> text=show it")
        page.wait_for_selector("[data-kind=Studio] .ex-studio")
        assert page.evaluate("document.activeElement.dataset.kind") == "Studio"


def test_the_tour_passes_over_pages_that_are_not_there(browser, tmp_path):
    pages = [Page("00_overview", "Overview"), Page("03_latent", "Latent")]
    look.copy_assets(tmp_path / writing.ASSETS)
    for page in pages:
        page.body = f"<h1>{page.title}</h1>"
        writing._write(page, writing.frame_for(pages), writing.live_words("", page), tmp_path)
    with visit(browser, f"{(tmp_path / '00_overview.html').as_uri()}?tour=3") as page:
        page.click(".tour-next")
        page.wait_for_url("**/03_latent.html?tour=4")
        page.wait_for_selector(".tour >> text=Channel by channel")


def write_long_page(folder):
    """A page whose only widget stands far below its beginning, its pictures beside the page."""
    page = Page("long", "Long")
    page.bundle.add(Player(make_trace(steps=4)).get_state(), ["#widget-0"])
    look.copy_assets(folder / writing.ASSETS)
    page.body = '<h1>Long</h1><div style="height: 5000px"></div><div id="widget-0"></div>'
    writing._write(page, "", writing.live_words("", page), folder)
    return (folder / "long.html").as_uri()


def test_large_data_are_fetched_when_the_reader_comes_near(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "LARGE", 1000)
    with visit(browser, write_long_page(tmp_path)) as page:
        fetched = "performance.getEntriesByType('resource').filter((one) => /data/.test(one.name))"
        assert page.evaluate(f"{fetched}.length") == 0
        assert page.locator(".ex").count() == 0
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_selector("text=Step 4 of 4")
        page.locator(".ex-track input").press("Home")
        page.wait_for_selector("text=Step 0 of 4")


def test_large_data_replace_nothing_that_came_before_them(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "LARGE", 1000)
    with visit(browser, write_long_page(tmp_path)) as page:
        page.evaluate("models[0].set('_frames', new DataView(new ArrayBuffer(5)))")
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_selector("text=Step 4 of 4")
        assert page.evaluate("models[0].get('_frames').byteLength") == 5


def test_large_data_that_are_missing_are_told(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "LARGE", 1000)
    address = write_long_page(tmp_path)
    shutil.rmtree(tmp_path / writing.DATA)
    with visit(browser, address, allowed=["ERR_FILE_NOT_FOUND"]) as page:
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_selector("text=This part could not be fetched")


@pytest.mark.parametrize("kind", ["a trait is missing", "its module is no JavaScript"])
def test_a_widget_that_fails_says_so_in_its_place_and_the_others_live(browser, tmp_path, kind):
    page = Page("broken", "Broken")
    question = Question("How many?", ["1", "2"], 1, "Two.")
    for i, widget in enumerate(
        [Player(make_trace(steps=4)), Player(make_trace(steps=5)), question]
    ):
        page.bundle.add(widget.get_state(), [f"#widget-{i}"])
    page.bundle.links.append(((0, "step"), (1, "step"), True))
    broken = page.bundle._widgets[0]
    broken["state"]["step"] = 3
    if kind == "a trait is missing":
        del broken["buffers"]["_frames"]
    else:
        broken["module"] = page.bundle._modules["this is {", ""] = len(page.bundle._modules)
    page.body = "".join(f'<div id="widget-{i}"></div>' for i in range(3))
    look.copy_assets(tmp_path / writing.ASSETS)
    writing._write(page, "", writing.live_words("", page), tmp_path)
    address = (tmp_path / "broken.html").as_uri()
    with visit(browser, address, allowed=["Cannot read", "Unexpected identifier"]) as shown:
        told = shown.locator("#widget-0")
        assert told.inner_text().startswith("This part could not be shown: ")
        assert told.locator(".ex").count() == 0
        shown.wait_for_selector("#widget-1 >> text=Step 3 of 5")
        shown.locator("#widget-1 .ex-track input").press("Home")
        shown.wait_for_selector("#widget-1 >> text=Step 0 of 5")
        shown.click("button:has-text('2')")
        shown.wait_for_selector("text=Two.")


HOST_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A blog</title>
<style>body {{ font-family: monospace; color: red; }} section {{ border: 9px solid; }}</style>
</head><body><h1>A blog</h1>{pieces}<script>document.documentElement.dataset.ready = "yes"</script>
</body></html>"""


def test_widgets_work_in_somebody_elses_page(browser, tmp_path):
    pieces = [
        site.embed(Player(make_trace(steps=4, prompt="</script><script>alert(1)</script>"))),
        site.embed(Gallery([webp(scene(32))], ["one"])),
        site.embed(Question("How many?", ["1", "2"], 1, "Two.")),
    ]
    (tmp_path / "blog.html").write_text(HOST_PAGE.format(pieces="\n".join(pieces)))
    with visit(browser, (tmp_path / "blog.html").as_uri()) as page:
        page.wait_for_selector("text=Step 4 of 4")
        page.focus(".ex-track input")
        page.keyboard.press("Home")
        page.wait_for_selector("text=Step 0 of 4")
        page.click("button:has-text('2')")
        page.wait_for_selector("text=Two.")
        assert page.locator("script:not([type])").count() == 1


def test_the_policy_of_a_page_stops_what_gets_into_it(browser, runs, tmp_path):
    folder, _ = runs
    (tmp_path / "spy.png").write_bytes((folder / "gallery.html").read_bytes())
    text = (folder / "gallery.html").read_text()
    with hosted(tmp_path) as elsewhere:
        spying = f'<img src="{elsewhere}spy.png" alt=""><main'
        (tmp_path / "page.html").write_text(text.replace("<main", spying, 1))
        came = []
        with visit(
            browser, (tmp_path / "page.html").as_uri(), allowed=["violates", "ERR_FILE_NOT_FOUND"]
        ) as page:
            page.on("response", lambda response: came.append(response.url))
            page.reload()
            page.wait_for_selector("html[data-ready]")
        assert came != []
        assert not [url for url in came if "spy" in url]
