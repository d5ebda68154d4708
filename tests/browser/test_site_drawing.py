"""A run drawn in the browser by an exported page, held against the same run by torch."""

import json
import shutil
import threading

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

import explainer
from explainer import look
from explainer.capture.timesteps import exact
from explainer.models import embedded_fingerprint
from explainer.parameters import MAX_STEPS, RunParameters
from explainer.runs import RunController
from explainer.site import drawing, model, runtime, writing
from explainer.site.notebook import Page, SiteError
from explainer.widgets import (
    Anatomy,
    Brush,
    Channels,
    Fingerprint,
    LatentGrid,
    Plot,
    Studio,
    TokenRow,
    curves,
    pixels,
)
from tests.browser.site_pages import Quiet, hosted, visit
from tests.tiny import stable_diffusion

STUDIO = ".ex:has(.ex-studio)"
SECONDS = 30
# Single precision here and there, in another order; x0 at the first step is magnified by the noise.
BUFFERS = {"_frames", "_levels", "_values"}
READ_AS = {"_levels": np.uint8, "_values": "<f2"}
TOLERANCE = {"latents": 2e-3, "noise_cond": 2e-3, "noise_uncond": 2e-3, "pooled_embedding": 1e-4}

WALK = """async ([facts, start, predictions]) => {
    const live = new URL("live/", document.baseURI);
    const [{ plan, step }, { normals }] = await Promise.all(
        ["scheduler.js", "noise.js"].map((name) => import(new URL(name, live)))
    );
    const dice = normals(6n);
    let state = Float32Array.from(start);
    return plan(facts, predictions.length).map((at, i) => {
        state = step(facts, at, state, predictions[i], dice).after;
        return [...state];
    });
}"""
"""Takes the page's own steps from a state, each with a prediction that is given."""

PLANS = """async ([facts, most]) => {
    const { plan } = await import(new URL("live/scheduler.js", document.baseURI));
    const counts = Array.from({ length: most }, (_, i) => i + 1);
    return counts.map((steps) => plan(facts, steps).map(({ timestep }) => timestep));
}"""
"""The page's own timesteps for every number of steps."""

pytestmark = [
    pytest.mark.skipif(
        not runtime.kept_package().is_file(),
        reason="onnxruntime-web is not here: python -m explainer.site.runtime fetches it by npm",
    ),
    pytest.mark.timeout(900),
]


def curves_of(trace):
    """The plots of a run on the page about noise."""
    return [Plot(**curves.settling(trace)), Plot(**curves.route(trace))]


def write_site(folder, pipe, trace):
    """An exported page with a studio and all that follows it, above and below."""
    widgets = [
        Channels(trace, trace),
        Brush(trace),
        Anatomy(trace),
        Studio(RunController(), trace=trace),
        TokenRow(trace.tokens),
        Fingerprint({"our example": trace.pooled_embedding}),
        LatentGrid(trace),
        Anatomy(trace),
        *curves_of(trace),
        Plot({"loss": [(0, 1.0), (1, 0.5)]}, x="step", y="loss"),
    ]
    widgets[7].ready = False  # as long as there is no run of the reader's own
    page = Page("draw", "Draw")
    for i, widget in enumerate(widgets):
        page.bundle.add(widget.get_state(), [f"#widget-{i}"])
        page.kinds.append(type(widget).__name__)
    page.body = "".join(f'<div id="widget-{i}"></div>' for i in range(len(widgets)))
    kinds = page.kinds
    page.bundle.links.append(((kinds.index("Studio"), "step"), (kinds.index("LatentGrid"), "step")))
    writing._let_draw(page, drawing.write(folder, lambda _text: None, pipe))
    look.copy_assets(folder / writing.ASSETS)
    writing._write(page, "", writing.live_words("", page), folder)


@pytest.fixture(scope="module")
def pipe():
    """Latents of another count, size and kind of prediction than the embedded model's."""
    pipe = stable_diffusion(channels=4, sample_size=16, prediction_type="v_prediction")
    pipe.scheduler = diffusers.DDPMScheduler.from_config(pipe.scheduler.config)
    return pipe


@pytest.fixture(scope="module")
def folder(pipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawing")
    trace = explainer.record(pipe, "a fox sleeps", seed=1, steps=2)
    write_site(folder, pipe, trace)
    return folder


@pytest.fixture(scope="module")
def host(folder):
    with hosted(folder) as address:
        yield address


@pytest.fixture(scope="module")
def page(browser, host):
    """One page for all that can share it: waking the model takes seconds."""
    with visit(browser, f"{host}draw.html") as page:
        yield page


def ask(page, prompt, *, seed="7", steps="4", guidance="5"):
    fields = {"prompt": prompt, "seed": seed, "steps": steps, "guidance_scale": guidance}
    for name, text in fields.items():
        page.fill(f"{STUDIO} .ex-field-{name} :is(textarea, input[type=text])", text)
    page.click(f"{STUDIO} >> text=/^Generate/")


def drawn(page, prompt, **settings):
    """Draw, and wait until that is what is on show."""
    ask(page, prompt, **settings)
    arrived(page, prompt, settings.get("seed", "7"), settings.get("steps", "4"))


def arrived(page, prompt, seed, steps):
    caption = page.locator(f"{STUDIO} .ex-player-caption")
    caption.get_by_text(f"“{prompt}”", exact=True).wait_for(timeout=240_000)
    caption.get_by_text(f"seed {seed} · {steps} steps").wait_for()
    page.wait_for_selector(f"{STUDIO} >> text=/Drawn in your browser with/")


def saved(page, path, kind="The whole run"):
    page.locator(f"{STUDIO} .ex-save").evaluate("node => (node.open = true)")
    with page.expect_download() as download:
        # By keyboard: what else arrives with a run may move the button from under a mouse.
        button = page.locator(f"{STUDIO} .ex-save").get_by_role("button", name=kind, exact=True)
        button.press("Enter")
    download.value.save_as(path)
    return download.value.suggested_filename


def shown(page, kind, place=-1):
    """All that a widget has on show, bytes as bytes; the last one of its class, or another."""
    own = f"models.filter((one) => one.get('_anywidget_id').endsWith('.{kind}')).at({place}).state"
    state = page.evaluate(f"JSON.parse(JSON.stringify({own}))")
    for name in BUFFERS & state.keys():
        state[name] = bytes(page.evaluate(f"[...new Uint8Array({own}.{name}.buffer)]"))
    return state


def assert_shown(own, wanted, *, pictures):
    """What a page made of a run is what Python makes of it."""
    for name in ("_levels", "_values"):
        if hasattr(wanted, name):
            here = np.frombuffer(own[name], READ_AS[name]).astype(float)
            there = np.frombuffer(getattr(wanted, name), READ_AS[name]).astype(float)
            np.testing.assert_allclose(here, there, atol=1.01 if name == "_levels" else 2e-3)
    for name in ("_facts", "_layout"):
        if hasattr(wanted, name):
            assert own[name] == like(getattr(wanted, name))
    index, frames = own["_frame_index"], own["_frames"]
    assert {name: len(places) for name, places in index.items()} == {
        name: len(places) for name, places in wanted._frame_index.items()
    }
    for name, picture in pictures.items():
        assert frames[index[name][0] : index[name][1]] == picture


def like(facts):
    """Facts whose numbers need not be quite equal: two ways of adding up give them."""
    if isinstance(facts, dict):
        return {name: like(value) for name, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [like(one) for one in facts]
    return pytest.approx(facts, rel=1e-3, abs=1e-4) if isinstance(facts, float) else facts


def assert_same(own, wanted):
    for name, tolerance in TOLERANCE.items():
        here, there = getattr(own, name), getattr(wanted, name)
        if there is None:
            assert here is None
            continue
        np.testing.assert_allclose(
            here.astype(float), there.astype(float), atol=tolerance, rtol=2e-3
        )
    np.testing.assert_array_equal(own.timesteps, wanted.timesteps)
    np.testing.assert_allclose(own.signal, wanted.signal, rtol=1e-5)
    assert own.tokens == wanted.tokens
    assert own.truncated == wanted.truncated
    apart = np.abs(np.asarray(own.image(), int) - np.asarray(wanted.image(), int))
    assert apart.max() <= 2
    assert own.parameters == wanted.parameters


@pytest.mark.parametrize(
    ("prompt", "settings"),
    [
        ("a Fox, sleeping on the BEACH", {"seed": "7"}),
        ("an old bear " * 12 + "<|endoftext|> İ 🦊 雪", {"seed": str(2**64 - 1), "guidance": "1"}),
        ("a robot", {"seed": "12345", "steps": "7", "guidance": "2.5"}),
        ("a 🦊 and 𝔞 bear, é 👩‍🚀 at night", {"steps": "1"}),
    ],
)
def test_the_same_seed_gives_the_same_run_as_torch(page, pipe, tmp_path, prompt, settings):
    drawn(page, prompt, **settings)
    saved(page, tmp_path / "own.trace")
    own = explainer.Trace.load(tmp_path / "own.trace")
    wanted = explainer.record(
        pipe,
        prompt,
        seed=int(settings.get("seed", 7)),
        steps=int(settings.get("steps", 4)),
        guidance_scale=float(settings.get("guidance", 5)),
        previews=False,
    )
    assert_same(own, wanted)


def test_the_widgets_show_the_run_that_was_drawn(page):
    drawn(page, "a robot and a rabbit dance", seed="3", steps="3")
    page.wait_for_selector(f"{STUDIO} >> text=“a robot and a rabbit dance”")
    page.locator(f"{STUDIO} .ex-player-step", has_text="Step 3 of 3").wait_for()
    words = page.locator(".ex:has(.ex-tokens) [data-kind=word] .ex-token-text").all_inner_texts()
    assert "".join(words) == "arobotandarabbitdance"
    labels = page.locator(".ex:has(.ex-fingerprints) figcaption").all_inner_texts()
    assert labels == ["your sentence", "our example"]
    page.locator(".ex:has(.ex-panels-grid)").nth(1).get_by_text("of 3").first.wait_for()
    page.wait_for_selector("text=Latents after step 3 of 3")
    page.focus(f"{STUDIO} .ex-track input")
    page.keyboard.press("Home")
    page.wait_for_selector("text=Latents after step 0 of 3")
    behind = page.locator("text=This still shows the recorded run")
    assert (
        behind.locator("xpath=ancestor::section").locator(".ex-plot").count() == behind.count() == 1
    )


@pytest.mark.parametrize("settings", [{"guidance": "5"}, {"guidance": "1"}])
def test_what_is_shown_of_a_run_is_what_python_shows(page, tmp_path, settings):
    recorded = shown(page, "Anatomy", 0)
    drawn(page, "a fox in the rain", **settings)
    saved(page, tmp_path / "own.trace")
    own = explainer.Trace.load(tmp_path / "own.trace")
    picture = {"pictures-0": own.frames["noisy"][0], "pictures-1": own.frames["x0"][0]}
    assert_shown(shown(page, "Anatomy"), Anatomy(own), pictures=picture)
    assert_shown(shown(page, "Brush"), Brush(own), pictures={"after": own.picture})
    likeness, route = (shown(page, "Plot", place) for place in (-3, -2))
    wanted_likeness, wanted_route = curves_of(own)
    assert likeness["_curves"] == like(wanted_likeness._curves)
    assert route["_words"] == wanted_route._words
    for name, points in wanted_route._curves.items():  # an axis may point either way
        here, there = np.abs(route["_curves"][name]), np.abs(points)
        np.testing.assert_allclose(here, there, atol=2e-3 * there.max())
    channels = shown(page, "Channels")
    first = np.frombuffer(channels["_levels"], np.uint8).reshape(2, *own.latents.shape[1:])[0]
    wanted = pixels.levels(own.latents[-1], channels["_facts"]["limit"])
    np.testing.assert_allclose(first.ravel(), np.frombuffer(wanted, np.uint8), atol=1.01)
    assert channels["_facts"]["prompts"] == ["a fox in the rain", "a fox sleeps"]
    page.wait_for_selector("canvas[aria-label='As it was made: a fox in the rain']")
    # What the page tells of its example stays an example.
    assert shown(page, "Anatomy", 0) == recorded


def test_a_run_of_one_step_has_no_route_and_the_page_says_so(page):
    drawn(page, "an owl", steps="1")
    page.wait_for_selector("text=needs a run of at least two steps")


def test_a_run_is_cancelled_and_another_takes_its_place(page):
    drawn(page, "a fox", steps="1")
    ask(page, "an old bear", steps="200")
    page.wait_for_selector(f"{STUDIO} >> text=/step \\d+ of 200/")
    page.click(f"{STUDIO} >> text=Cancel")
    page.wait_for_selector(f"{STUDIO} >> text=/Stopped after \\d+ of 200 steps/")
    assert page.is_visible(f"{STUDIO} >> text=“a fox”")
    ask(page, "an old bear", steps="200")
    for _ in range(20):
        ask(page, "a robot", seed="2", steps="2")
    arrived(page, "a robot", "2", "2")


def test_the_page_stays_quick_while_it_draws(page):
    drawn(page, "a fox", steps="1")
    ask(page, "a fox", steps="100")
    page.wait_for_selector(f"{STUDIO} >> text=/step \\d+ of 100/")
    gaps = page.evaluate(
        """async () => {
          const gaps = [];
          for (let i = 0, last = performance.now(); i < 30; i += 1) {
            await new Promise(requestAnimationFrame);
            const now = performance.now();
            gaps.push(now - last);
            last = now;
          }
          return gaps;
        }"""
    )
    # In milliseconds; a machine that is busy besides may hold up two of them longer.
    assert sorted(gaps)[-3] < 500
    page.click(f"{STUDIO} >> text=Cancel")
    page.wait_for_selector(f"{STUDIO} >> text=/Stopped after/")


def test_the_picture_is_saved_and_an_animation_says_what_it_needs(page, tmp_path):
    drawn(page, "a 🦊 fox <b> ../..", steps="1")
    assert saved(page, tmp_path / "own.png", "Picture") == "a-fox-b-seed-7.png"
    with Image.open(tmp_path / "own.png") as image:
        assert image.text == {
            "prompt": "a 🦊 fox <b> ../..", "negative_prompt": "", "seed": "7", "steps": "1",
            "guidance_scale": "5", "model": "",
        }  # fmt: skip
    page.locator(f"{STUDIO} .ex-save").get_by_role("button", name="Animation", exact=True).click()
    page.wait_for_selector("text=An animation is made by a live page")


def test_an_address_that_names_a_run_fills_the_form_and_fetches_nothing(browser, host):
    with visit(browser, f"{host}draw.html?prompt=an+owl&seed=5&steps=9") as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        assert page.input_value(f"{STUDIO} textarea") == "an owl"
        assert page.input_value(f"{STUDIO} .ex-field-steps input[type=text]") == "9"
        page.wait_for_selector(".ex-studio-offer:has-text('MB')")
        page.wait_for_timeout(500)
        assert asked == []


def test_what_an_address_leaves_out_is_what_is_usual(browser, host):
    with visit(browser, f"{host}draw.html?prompt=an+owl") as page:
        names = ("negative_prompt", "seed", "steps", "guidance_scale")
        fields = [f"{STUDIO} .ex-field-{name} :is(textarea, input[type=text])" for name in names]
        assert [page.input_value(field) for field in fields] == ["", "0", "25", "3"]
        assert page.is_hidden(f"{STUDIO} .ex-notice")


def test_an_address_that_asks_for_more_than_is_drawn_here_is_told_so(browser, host):
    query = RunParameters(prompt="an owl", scheduler="DDIMScheduler", weights=(("owl", 2.0),))
    with visit(browser, f"{host}draw.html?{query.to_query()}") as page:
        told = page.inner_text(f"{STUDIO} .ex-notice")
        assert "a scheduler of its own and words that count more or less" in told


def test_what_is_missing_on_the_host_is_told_and_the_run_on_show_stays(browser, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "site")
    (tmp_path / "site" / "live" / "model" / "denoiser.onnx").unlink()
    with (
        hosted(tmp_path / "site") as address,
        visit(browser, f"{address}draw.html", allowed=["404"]) as page,
    ):
        ask(page, "a robot")
        page.wait_for_selector("text=/denoiser.onnx could not be fetched .404./")
        assert page.is_visible(f"{STUDIO} >> text=“a fox sleeps”")


def test_a_connection_that_breaks_is_told(browser, folder):
    class Breaking(Quiet):
        def copyfile(self, source, outputfile):
            broken = self.path.endswith("denoiser.onnx")
            outputfile.write(source.read(1000 if broken else -1))

    with (
        hosted(folder, Breaking) as address,
        visit(browser, f"{address}draw.html", allowed=["ERR_CONTENT_LENGTH"]) as page,
    ):
        ask(page, "a robot")
        page.wait_for_selector("text=/denoiser.onnx could not be fetched. Is the network there/")


def test_cancelling_stops_the_models_download_and_it_can_begin_anew(browser, folder):
    begun, gone, quick = threading.Event(), threading.Event(), threading.Event()

    class Slow(Quiet):
        def copyfile(self, source, outputfile):
            if quick.is_set() or not self.path.endswith("denoiser.onnx"):
                return super().copyfile(source, outputfile)
            begun.set()
            try:
                while not quick.wait(0.02):
                    outputfile.write(source.read(1))
            except OSError:
                gone.set()

    with hosted(folder, Slow) as address, visit(browser, f"{address}draw.html") as page:
        ask(page, "a robot")
        assert begun.wait(SECONDS)
        page.click(f"{STUDIO} >> text=Cancel")
        page.wait_for_selector(f"{STUDIO} >> text=Stopped.")
        assert gone.wait(SECONDS)
        quick.set()
        drawn(page, "a robot", steps="1")


def test_no_page_waits_for_the_graphics_processor(browser, host):
    context = browser.new_context()
    silent = "{ value: { requestAdapter: () => new Promise(() => {}) } }"
    context.add_init_script(f"Object.defineProperty(navigator, 'gpu', {silent})")
    page = context.new_page()
    page.goto(f"{host}draw.html")
    page.wait_for_selector("html[data-ready]", timeout=1000 * SECONDS)
    assert page.is_enabled(f"{STUDIO} >> text=Generate")
    context.close()


def test_a_browser_without_vectors_is_told(browser, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "site")
    worker = tmp_path / "site" / "live" / "worker.js"
    # Such a browser is not to be had; what it would answer is.
    worker.write_text("WebAssembly.validate = () => false;\n" + worker.read_text())
    with hosted(tmp_path / "site") as address, visit(browser, f"{address}draw.html") as page:
        ask(page, "a robot")
        page.wait_for_selector("text=it has no WebAssembly with vectors")


def test_from_a_disk_the_page_says_why_it_cannot_draw(browser, folder):
    with visit(browser, (folder / "draw.html").as_uri()) as page:
        page.wait_for_selector("text=opened from a disk it cannot")
        assert not page.is_visible(f"{STUDIO} >> text=Generate")


@pytest.mark.parametrize("clip_sample", [False, True])
@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
@pytest.mark.parametrize("kind", ["DDPMScheduler", "DDIMScheduler"])
def test_steps_lead_where_those_of_diffusers_lead(page, pipe, kind, spacing, clip_sample):
    scheduler = getattr(diffusers, kind).from_config(
        pipe.scheduler.config, timestep_spacing=spacing, clip_sample=clip_sample
    )
    other = stable_diffusion(channels=4, sample_size=16, prediction_type="v_prediction")
    other.scheduler = scheduler
    facts = model.facts(other)["scheduler"]
    for count in (1, 7, 25):
        scheduler.set_timesteps(count)
        dice = torch.Generator().manual_seed(5)
        state = torch.randn((1, 4, 4, 4), generator=dice)
        states, predictions = [state], torch.randn((count, 1, 4, 4, 4), generator=dice)
        dice.manual_seed(6)
        options = {"generator": dice} if kind == "DDPMScheduler" else {}
        for t, prediction in zip(scheduler.timesteps, predictions, strict=True):
            states.append(scheduler.step(prediction, t, states[-1], **options).prev_sample)
        found = page.evaluate(
            WALK, [facts, state.flatten().tolist(), predictions.flatten(1).tolist()]
        )
        wanted = torch.stack(states[1:]).flatten(1).numpy()
        np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
@pytest.mark.parametrize("kind", ["DDPMScheduler", "DDIMScheduler"])
def test_every_number_of_steps_has_the_timesteps_of_diffusers(page, pipe, kind, spacing):
    other = stable_diffusion(channels=4, sample_size=16, prediction_type="v_prediction")
    other.scheduler = scheduler = exact(
        getattr(diffusers, kind).from_config(pipe.scheduler.config, timestep_spacing=spacing)
    )
    facts = model.facts(other)["scheduler"]
    wanted = []
    for steps in range(1, MAX_STEPS + 1):
        scheduler.set_timesteps(steps)
        wanted.append(scheduler.timesteps.tolist())
    assert page.evaluate(PLANS, [facts, MAX_STEPS]) == wanted


def test_another_pipeline_is_refused_when_it_is_exported(pipe, tmp_path):
    other = stable_diffusion()
    other.scheduler = diffusers.EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    with pytest.raises(SiteError, match="drawn with EulerDiscreteScheduler"):
        model.write(other, tmp_path)


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_embedded_model_draws_in_the_browser_what_it_draws_here(browser, tmp_path):
    pipe = explainer.load(device="cpu")
    prompt = "a fox in a green coat sits on a farm in the rain, crayon"
    wanted = explainer.record(pipe, prompt, seed=11, steps=4, guidance_scale=5, previews=False)
    write_site(tmp_path / "site", pipe, explainer.record(pipe, "a fox sleeps", seed=1, steps=2))
    facts = json.loads((tmp_path / "site" / "live" / "model" / "model.json").read_text())
    assert facts["fingerprint"] == embedded_fingerprint()
    with hosted(tmp_path / "site") as address, visit(browser, f"{address}draw.html") as page:
        drawn(page, prompt, seed="11", steps="4")
        saved(page, tmp_path / "own.trace")
    assert_same(explainer.Trace.load(tmp_path / "own.trace"), wanted)
