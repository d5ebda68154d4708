"""The noise page's widgets in a real browser, on pages with no kernel and no network."""

import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import explainer.widgets.cloud
from explainer.capture import record
from explainer.parameters import RunParameters
from explainer.recorded import Learned
from explainer.runs import RunController
from explainer.stages import inside, knobs, noise
from explainer.widgets import (
    Anatomy,
    Cloud,
    Denoiser,
    Fade,
    Guesses,
    Learning,
    Plot,
    Question,
    Swap,
    Sweep,
)
from explainer.widgets.host import static_page
from tests.browser.canvases import refreshed, repainted, sums, until
from tests.synthetic import make_trace, webp
from tests.test_noise_widgets import BASE, LOSSES, SWAPPED, made_guesses
from tests.tiny import stable_diffusion

CONFIG = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
LAST = 1000
SIZE = 32
# As large as its picture, so that a pixel of the canvas is one of the picture.
PIXELS = """canvas => {
  const { width, height } = canvas;
  return [...canvas.getContext("2d").getImageData(0, 0, width, height).data];
}"""
MODEL = "\n".join(
    Path(explainer.widgets.cloud.__file__).with_name(name).read_text("utf-8")
    for name in ("dice.js", "cloud_model.js")
)


def picture(seed=0):
    return np.random.default_rng(seed).integers(40, 216, (SIZE, SIZE, 3), dtype=np.uint8)


def fade():
    return Fade({"one": picture(), "two": picture(1)}, CONFIG)


def pixels(page, selector):
    refreshed(page)
    canvas = page.locator(selector)
    width = canvas.evaluate("canvas => canvas.width")
    return np.array(canvas.evaluate(PIXELS), float).reshape(-1, width, 4)[..., :3]


def shaded(page, selector, level):
    """Wait until a picture that is all of one grey has come."""
    until(
        page,
        lambda: pixels(page, selector)[5, 5],
        lambda shown: np.abs(shown - level).max() <= 2,
    )


def at_level(page, level):
    page.evaluate(f"models[0].set('level', {level})")
    return pixels(page, ".ex-fade-canvas")


def test_the_picture_fades_by_the_schedules_own_numbers(open_page):
    page = open_page(static_page([fade()]))
    clean, static = at_level(page, 0) / 127.5 - 1, at_level(page, LAST) / 127.5 - 1
    shares = noise.alphas_cumprod(CONFIG)
    for level in (100, 400):
        page.evaluate(f"models[0].set('level', {level})")
        shown = pixels(page, ".ex-fade-canvas") / 127.5 - 1
        inside = (np.abs(shown) < 0.98) & (np.abs(static) < 0.98)
        wanted = noise.add_noise(clean, static, shares[level - 1])
        # At the last level a little of the picture is left, and both are rounded to 8 bits.
        assert np.abs(shown - wanted)[inside].mean() < 0.06
        keep = np.sqrt(shares[level - 1])
        assert f"{keep:.3f} × picture" in page.inner_text(".ex-fade-formula")


def test_the_picture_that_is_marked_is_the_one_on_show(open_page):
    shown = fade()
    shown._pixels = picture(1).tobytes()  # chosen in another view, or before this one was made
    page = open_page(static_page([shown]))
    marked = ".ex-fade-choices [aria-pressed=true]"
    page.wait_for_selector(f"{marked}:text-is('two')")
    page.click("text=one")
    page.wait_for_selector(f"{marked}:text-is('one')")
    assert page.locator(marked).count() == 1
    ring = "button => getComputedStyle(button).boxShadow"
    looks = [one.evaluate(ring) for one in page.locator(".ex-fade-choices button").all()]
    assert [look != "none" for look in looks] == [True, False, False]


def test_the_slider_moves_the_level_and_the_guess_is_answered(open_page):
    page = open_page(static_page([fade()]))
    page.focus(".ex-curve input")
    page.keyboard.press("End")
    page.wait_for_selector("text=timestep 1000 of 1000")
    assert page.evaluate("models[0].get('level')") == LAST
    page.evaluate("models[0].set('level', 300)")
    page.click("text=Here I lose it")
    page.wait_for_selector("text=700 of 1000 training timesteps are noisier")


def test_the_readers_own_picture_is_cut_square_and_only_pixels_are_kept(open_page, tmp_path):
    image = Image.new("RGBA", (300, 120), (200, 20, 20, 255))
    image.paste((0, 0, 0, 0), (100, 0, 150, 120))
    image.save(tmp_path / "own.png")
    page = open_page(static_page([fade()]))
    page.set_input_files("input[type=file]", tmp_path / "own.png")
    page.wait_for_selector("button[aria-pressed=true]:has-text('Your own')")
    own = at_level(page, 0)
    width = own.shape[1]
    np.testing.assert_allclose(own[5, width // 8], (255, 255, 255), atol=2)
    np.testing.assert_allclose(own[5, -width // 8], (200, 20, 20), atol=2)
    assert page.evaluate("models[0].get('_pixels').byteLength") == 3 * SIZE**2


@pytest.mark.parametrize("kind", ["CMYK", "animation"])
def test_unusual_pictures_open(open_page, tmp_path, kind):
    path = tmp_path / ("own.jpg" if kind == "CMYK" else "own.gif")
    if kind == "CMYK":
        Image.new("CMYK", (64, 64), (0, 255, 255, 0)).save(path)
    else:
        frames = [Image.new("P", (64, 64), i) for i in range(3)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
    page = open_page(static_page([fade()]))
    page.set_input_files("input[type=file]", path)
    page.wait_for_selector("button[aria-pressed=true]:has-text('Your own')")


def test_a_file_that_is_no_picture_is_told_and_the_page_lives_on(open_page, tmp_path):
    (tmp_path / "words.png").write_text("no picture")
    page = open_page(static_page([fade()]))
    page.set_input_files("input[type=file]", tmp_path / "words.png")
    page.wait_for_selector(".ex-notice:has-text('no picture that the browser can open')")
    page.click("text=two")
    assert page.is_hidden(".ex-notice")
    assert np.abs(at_level(page, 0).mean() - picture(1).mean()) < 2


def test_a_huge_file_is_refused_before_it_is_read(open_page, tmp_path):
    page = open_page(static_page([fade()]))
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(41 * 2**20)
    page.set_input_files("input[type=file]", tmp_path / "huge.png")
    page.wait_for_selector(".ex-notice:has-text('larger than 40 MB')")


def test_a_hundred_megapixels_are_refused_before_they_fill_the_memory(open_page, tmp_path):
    Image.new("1", (10_000, 10_000)).save(tmp_path / "wide.png")
    assert (tmp_path / "wide.png").stat().st_size < 2**20
    page = open_page(static_page([fade()]))
    page.evaluate("window.before = models[0].get('_pixels')")
    page.set_input_files("input[type=file]", tmp_path / "wide.png")
    page.wait_for_selector(".ex-notice:has-text('100 million pixels; at most 64 million')")
    assert page.evaluate("models[0].get('_pixels') === before")
    assert page.get_attribute("button:has-text('one')", "aria-pressed") == "true"


def test_where_a_picture_was_taken_never_leaves_its_file(open_page, tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "SECRET-PLACE"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 11.5)
    Image.new("RGB", (64, 48), (20, 120, 200)).save(tmp_path / "own.jpg", exif=exif)
    assert b"SECRET-PLACE" in (tmp_path / "own.jpg").read_bytes()
    page = open_page(static_page([fade()]))
    page.set_input_files("input[type=file]", tmp_path / "own.jpg")
    page.wait_for_selector("button[aria-pressed=true]:has-text('Your own')")
    traits = page.evaluate(
        """() => Object.values(models[0].state)
          .map((value) => new TextDecoder().decode(value instanceof DataView
            ? value : new TextEncoder().encode(JSON.stringify(value))))
          .join("")"""
    )
    assert "SECRET" not in traits
    assert "Exif" not in traits
    assert page.evaluate("models[0].get('_pixels').byteLength") == 3 * SIZE**2
    assert page.evaluate("document.body.innerText").count("SECRET") == 0


def test_the_anatomy_reads_out_the_traces_numbers(open_page):
    dice = np.random.default_rng(3)
    trace = make_trace(
        steps=4,
        **{
            name: dice.normal(size=(4, 4, 8, 8)).astype(np.float16)
            for name in ("noise_uncond", "noise_cond", "noise", "x0")
        },
    )
    page = open_page(static_page([Anatomy(trace)]))
    parts = noise.anatomy(trace)
    page.focus(".ex-curve input")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=Step 2 of 4")
    assert f"prediction changed by {parts.changes[1]:.3f}" in page.inner_text(".ex-panels-readout")
    shown = page.locator(".ex-panels-grid figure").all_inner_texts()
    for text, values in zip(
        shown,
        (
            parts.state,
            parts.unconditional,
            parts.conditional,
            parts.difference,
            parts.guided,
            parts.removed,
            parts.expected,
        ),
        strict=True,
    ):
        assert f"RMS {noise.rms(values)[1]:.3f}" in text
    page.click(".ex-panels-channels button:text-is('3')")
    box = page.locator(".ex-cells").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 5.5 / 8, box["y"] + box["height"] * 2.5 / 8)
    page.wait_for_selector("text=Row 3, column 6")
    value = parts.difference[1, 2, 2, 5]
    assert f"Their difference {'−' if value < 0 else '+'}{abs(value):.2f}" in page.inner_text(
        ".ex-panels-reading"
    )
    page.focus(".ex-cells >> nth=0")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=Row 3, column 7")


def test_the_guesses_stand_beside_the_noise(open_page):
    found = made_guesses()
    page = open_page(
        static_page([Guesses(found, position=0)]), viewport={"width": 400, "height": 900}
    )
    page.focus(".ex-curve input")
    page.keyboard.press("End")
    page.wait_for_selector(f"text=error {found.errors[-1]:.3f}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    names = page.locator(".ex-panels-name").all_inner_texts()
    assert names == ["Noise added", "The model's guess", "What it got wrong"]


def in_the_model(page, script):
    """Run a script beside the cloud's model, in the page."""
    source = f"const clamp = (v, a, b) => Math.min(b, Math.max(a, v));\n{MODEL}\n{script}"
    return page.evaluate("source => new Function(source)()", source)


@pytest.fixture
def blank(open_page):
    return open_page(static_page([]))


def test_the_gradients_are_those_of_finite_differences(blank):
    worst = in_the_model(
        blank,
        """
        const net = new PointDenoiser(1);
        const dice = diceOf(2);
        const draw = () => Float64Array.from({ length: 16 }, () => dice.normal());
        const [points, wanted] = [draw(), draw()];
        const levels = Float64Array.from({ length: 8 }, (_, i) => 1 + 12 * i);
        net.loss(points, levels, wanted);
        const slopes = net.parameters().map(([, slope]) => slope.slice());
        let worst = 0;
        net.parameters().forEach(([values], p) => {
          for (const i of [0, Math.floor(values.length / 2), values.length - 1]) {
            const before = values[i];
            values[i] = before + 1e-5;
            const above = net.loss(points, levels, wanted);
            values[i] = before - 1e-5;
            const below = net.loss(points, levels, wanted);
            values[i] = before;
            worst = Math.max(worst, Math.abs((above - below) / 2e-5 - slopes[p][i]));
          }
        });
        return worst;
        """,
    )
    assert worst < 1e-7


def test_the_clouds_schedule_and_steps_are_diffusers_own(blank):
    import torch
    from diffusers import DDIMScheduler

    shares = np.array(
        in_the_model(blank, "return Array.from({ length: 100 }, (_, i) => cloudSignal(i + 1));")
    )
    betas = 1 - shares / np.array([1, *shares[:-1]])
    scheduler = DDIMScheduler(
        num_train_timesteps=100,
        trained_betas=betas,
        clip_sample=False,
        timestep_spacing="trailing",
        set_alpha_to_one=True,
    )
    scheduler.set_timesteps(20)
    states = in_the_model(
        blank,
        """
        const net = new PointDenoiser(1);
        net.predict = (points, levels) => points.slice();
        return net.sample(Float64Array.from([0.3, -0.7]), 20).map((state) => [...state]);
        """,
    )
    state = torch.tensor([0.3, -0.7], dtype=torch.float64)
    for timestep, shown in zip(scheduler.timesteps, states[1:], strict=True):
        state = scheduler.step(state, timestep, state).prev_sample
        np.testing.assert_allclose(shown, state, rtol=1e-4, atol=1e-5)


def test_the_cloud_learns_where_the_points_are(open_page):
    points = [[x, y] for x in (-0.6, 0.6) for y in np.linspace(-0.02, 0.02, 20)]
    page = open_page(static_page([Cloud(points, steps=250)]))
    page.click("text=Train")
    page.wait_for_selector("text=Train again", timeout=90_000)
    samples = np.array(page.evaluate("models[0].get('samples')"))
    assert samples.shape == (300, 2)
    assert np.median(np.abs(np.abs(samples[:, 0]) - 0.6)) < 0.1
    assert 0.25 < (samples[:, 0] > 0).mean() < 0.75
    page.wait_for_selector("text=step 50 of 50")
    page.focus(".ex-cloud-range")
    page.keyboard.press("Home")
    page.wait_for_selector("text=step 0 of 50")


def test_training_can_be_stopped(open_page):
    page = open_page(static_page([Cloud(steps=20_000)]))
    page.click("text=Train")
    page.wait_for_selector("text=error of the guessed noise")
    page.click("text=Stop")
    page.wait_for_selector("text=Train again")
    before = page.inner_text(".ex-cloud-bar-row >> nth=1")
    page.wait_for_timeout(300)
    assert page.inner_text(".ex-cloud-bar-row >> nth=1") == before


def test_points_on_one_spot_or_none_are_told_and_the_page_lives_on(open_page):
    page = open_page(static_page([Cloud([[0.2, 0.2]] * 30, steps=5)]))
    page.click("text=Train")
    page.wait_for_selector(".ex-notice:has-text('All points lie on one spot')")
    page.click("text=Clear")
    page.click("text=Train")
    page.wait_for_selector(".ex-notice:has-text('no points to learn from')")
    page.evaluate("models[0].set('points', [[0, 0], [0.5, 0.1], [-0.3, 0.4]])")
    page.click("text=Train")
    page.wait_for_selector(".ex-notice:has-text('3 points make no shape yet. Draw at least 10')")
    page.click("text=ring")
    assert page.is_hidden(".ex-notice")
    page.click("text=Train")
    page.wait_for_selector("text=Train again", timeout=60_000)


def test_the_clouds_colours_follow_the_theme(open_page):
    page = open_page(static_page([Cloud([[0, 0]] * 20)]), color_scheme="light")
    drawn = page.locator(".ex-cloud-draw")
    refreshed(page)
    before = sums(drawn)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    repainted(page, drawn, before)


def test_points_can_be_drawn(open_page):
    page = open_page(static_page([Cloud([[5, 5]], steps=5)]))
    page.click("text=Clear")
    box = page.locator(".ex-cloud-draw").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2, steps=10)
    page.mouse.up()
    drawn = np.array(page.evaluate("models[0].get('points')"))
    assert len(drawn) >= 30
    assert np.abs(drawn[:, 1]).max() < 0.2
    assert drawn[:, 0].max() > 0.9
    assert page.is_visible(f"text={len(drawn)} points")


def test_a_plot_marks_and_reads_its_points(open_page):
    curve = [[0, 0], [1, 10], [2, 5]]
    page = open_page(static_page([Plot({"loss": curve}, x="step", y="error")]))
    page.evaluate("models[0].set('position', 1)")
    page.wait_for_selector(".ex-plot-mark")
    mark = page.locator(".ex-plot-mark").bounding_box()
    page.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2)
    page.wait_for_selector("text=loss, point 2: 1, 10")
    page.mouse.move(0, 0)
    page.focus(".ex-plot")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=loss, point 3: 2, 5")
    ticks = [
        float(text)
        for text in page.locator(".ex-plot text[text-anchor=end]").all_text_contents()[:-1]
    ]
    assert all(after > before for before, after in pairwise(ticks))


def test_shares_are_in_percent_and_written_where_they_were_measured(open_page):
    curve = [[1, 0.845], [2, 0.95], [20, 1]]
    shown = Plot({"style": curve}, x="guidance scale", y="share", percent=True, log=True)
    page = open_page(static_page([shown]))
    page.wait_for_selector(".ex-plot .ex-plot-line-0")
    texts = page.locator(".ex-plot text").all_text_contents()
    assert texts == ["80 %", "85 %", "90 %", "95 %", "100 %", "1", "2", "20", "guidance scale →"]
    assert page.inner_text(".ex-plot-title") == "↑ share"
    places = [float(one.get_attribute("cx")) for one in page.locator(".ex-plot-point").all()]
    twice, tenfold = np.diff(places)
    assert tenfold / twice == pytest.approx(np.log(10) / np.log(2))
    page.focus(".ex-plot")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=style, point 2: 2, 95 %")


def test_a_way_is_marked_where_it_begins_and_ends(open_page):
    ways = {"noisy state": [[0, 0], [2, 3], [9, 1]], "predicted now": [[7, 3], [9, 1]]}
    page = open_page(static_page([Plot(ways, equal=True)]))
    page.wait_for_selector(".ex-plot-end")
    assert page.locator(".ex-plot-end").all_text_contents() == ["start", "start", "end"]
    line = page.get_attribute(".ex-plot .ex-plot-line-0", "d")
    for words, point in ((0, line[1:].split("L")[0]), (2, line.split("L")[-1])):
        assert page.locator(".ex-plot-end").nth(words).get_attribute("x") == point.split()[0]


def test_what_is_not_ready_is_not_seen(open_page):
    plot = Plot({"loss": [[0, 1], [1, 2]]})
    plot.ready = False
    page = open_page(static_page([plot]))
    assert page.locator(".ex").is_hidden()
    page.evaluate("models[0].set('ready', true)")
    page.wait_for_selector(".ex-plot .ex-plot-line-0")


def test_the_pictures_of_a_sweep_wait_for_the_guess(open_page):
    recorded = {"Steps": {"1 step": shade(30), "8 steps": shade(200)}}
    base = RunParameters(prompt="a fox")
    sweep = Sweep(RunController(fingerprint="none"), base, recorded, knob="Steps")
    sweep.shown = False
    page = open_page(static_page([sweep]))
    assert page.is_visible("text=Guess above to see this")
    assert page.locator("canvas:visible").count() == 0
    assert page.is_hidden("text=Measure how far they are apart")
    page.evaluate("models[0].set('shown', true)")
    shaded(page, ".ex-sweep canvas >> nth=0", 30)
    assert page.is_visible("text=Measure how far they are apart")
    assert page.is_hidden("text=Guess above to see this")


def test_a_sweep_without_a_kernel_shows_what_was_recorded(open_page):
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (30, 160, 60)).save(file, "WEBP")
    recorded = {"Steps": {"1 step": file.getvalue(), "8 steps": webp(np.full((16, 16, 3), 200))}}
    sweep = Sweep(
        RunController(fingerprint="none"), RunParameters(prompt="a fox"), recorded, knob="Steps"
    )
    page = open_page(static_page([sweep]), viewport={"width": 400, "height": 900})
    assert page.locator(".ex-sweep li").count() == len(knobs.STEPS)
    assert page.locator(".ex-sweep canvas:not([aria-label$='not drawn yet'])").count() == 2
    assert page.locator(".ex-sweep button").count() == 0  # there is no run to open
    assert page.locator(".ex-sweep-apart:visible").count() == 0
    page.click("text=Measure how far they are apart")
    page.wait_for_selector(f"text={sweep._apart[3]} grey levels away")
    assert page.is_visible("text=this one is a recording")
    shade = pixels(page, ".ex-sweep canvas >> nth=0")
    np.testing.assert_allclose(shade[8, 8], (30, 160, 60), atol=6)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def shade(level):
    return webp(np.full((16, 16, 3), level), lossless=True)


def test_the_swap_shows_its_curves_after_the_guess(open_page):
    swapped = replace(SWAPPED, pictures=(shade(20), shade(120), shade(220)))
    page = open_page(
        static_page([Swap(BASE, "an owl", swapped)]), viewport={"width": 400, "height": 900}
    )
    assert page.get_attribute(".ex-curve .ex-curve-line", "d") == ""
    assert page.is_visible("text=The first 4 of 8 steps for the first sentence, the other 4")
    assert page.locator(".ex-swap figcaption").first.inner_text() == "First sentence alone: “a fox”"
    page.focus(".ex-curve input")
    page.keyboard.press("Home")
    page.wait_for_selector("text=Changed after step 8")
    shaded(page, ".ex-swap canvas >> nth=1", 220)
    shaded(page, ".ex-swap canvas >> nth=0", 220)
    shaded(page, ".ex-swap canvas >> nth=2", 20)
    page.click("text=My guess: it is decided here")
    verdict = page.inner_text(".ex-swap-verdict")
    assert "You said: after 8 of 8 steps" in verdict
    assert "once it had 4 of 8 steps; CLIP finds" in verdict
    assert "never for good" in verdict
    assert "was decided between step 0 and step 4 of 8" in verdict
    assert page.get_attribute(".ex-curve .ex-curve-line", "d").startswith("M0 0L50 30")
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "document.querySelector('.ex-curve input').ariaValueText.includes('70 % by pixels, 20 %')"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_swap_that_nobody_drew_says_so(open_page):
    page = open_page(static_page([Swap(BASE, "an owl")]))
    assert page.is_visible("text=Nothing is drawn yet")
    assert page.is_hidden(".ex-swap")


def test_a_part_of_the_denoiser_opens_on_a_click(open_page):
    run = record(stable_diffusion(), "a fox in the snow", seed=3, steps=5, previews=False)
    look = inside.look(stable_diffusion(), run)
    shown = Denoiser(stable_diffusion().unet.config, look)
    page = open_page(static_page([shown]), viewport={"width": 400, "height": 900})
    assert page.locator(".ex-unet-part").count() == len(look.parts)
    name = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
    page.click(f"[data-part='{name}']")
    assert page.evaluate("models[0].get('part')") == name
    page.focus(".ex-unet-range")
    page.keyboard.press("End")
    page.wait_for_selector("text=step 5 of 5")
    told = page.locator(".ex-unet-flow p").all_inner_texts()
    assert f"4 × 4 places, RMS {look.input_sizes[name][-1]:.2f}" in told[0]
    assert f"4 × 4 places, RMS {look.output_sizes[name][-1]:.2f}" in told[1]
    most = int(np.argmax(look.reads[name][-1]))
    share = round(100 * float(look.reads[name][-1][most]))
    assert f"Looks most at: {look.words[most]} {share} %" in page.inner_text(".ex-unet-panel")
    above, below = (
        page.locator(f"[data-part='{one}']").bounding_box()["y"]
        for one in ("up_blocks.1.resnets.0", "up_blocks.0")
    )
    assert above < below, "the finest level is on top"
    page.click("[data-part=time_embedding]")
    page.wait_for_selector("text=32 numbers")
    assert page.locator(".ex-unet-flow canvas").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_denoiser_is_drawn_where_nobody_looked_into_it(open_page):
    page = open_page(static_page([Denoiser(stable_diffusion().unet.config)]))
    assert page.is_visible("text=Nobody has looked into it yet")
    assert page.is_hidden(".ex-unet-range")


def test_learning_links_its_pictures_to_its_error(open_page):
    learned = Learned(("a fox", "an owl"), (6, 14), ((shade(30), shade(200)),) * 2)
    page = open_page(
        static_page([Learning(LOSSES, learned)]), viewport={"width": 400, "height": 900}
    )
    assert page.is_visible("text=Step 15 · error 0.200 · drawn after step 14")
    shaded(page, ".ex-learning canvas >> nth=1", 200)
    page.focus(".ex-curve input")
    page.keyboard.press("Home")
    page.wait_for_selector("text=Step 5 · error 1.00 · drawn after step 6")
    shaded(page, ".ex-learning canvas >> nth=1", 30)
    page.click("button:text-is('autoencoder')")
    page.wait_for_selector("text=Step 20 · error 0.500")
    assert page.is_hidden(".ex-learning")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_errors_fall_by_powers_of_ten(open_page):
    page = open_page(static_page([Learning({"denoiser": [(1, 10.0), (2, 1.0), (3, 0.1)]})]))
    assert page.locator(".ex-curve-mark").all_inner_texts() == ["0.1", "0.3", "1", "3", "10"]
    path = page.get_attribute(".ex-curve-line", "d")
    first, second, third = (float(point.split()[1]) for point in path[1:].split("L"))
    assert second - first == pytest.approx(third - second)


def test_learning_without_pictures_says_so(open_page):
    page = open_page(static_page([Learning(LOSSES)]))
    assert page.is_visible("text=No pictures of this training were kept")
    assert page.is_hidden(".ex-learning")


def test_a_question_waits_for_the_guess(open_page):
    page = open_page(static_page([Question("When?", ["early", "late"], 0, "At step 2 of 25.")]))
    assert page.is_hidden("text=At step 2 of 25.")
    page.focus("button:text-is('late')")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=No: early. At step 2 of 25.")
    assert page.evaluate("models[0].get('choice')") == 1
    page.click("button:text-is('early')")
    page.wait_for_selector("text=Yes. At step 2 of 25.")


def test_curves_wait_for_the_guess_that_they_would_answer(open_page):
    trace = make_trace(steps=4)
    x0 = np.random.default_rng(0).normal(size=trace.x0.shape).astype(np.float16)
    question = Question("When?", ["early", "late"], 0, "At step 2 of 4.")
    anatomy = Anatomy(replace(trace, x0=x0))
    page = static_page(
        [question, anatomy, Plot({"way": [[0, 1], [1, 2]]})],
        links=[((0, "answered"), (place, "shown")) for place in (1, 2)],
    )
    page = open_page(page)
    waits = page.locator("#widget-1 .ex-ghost")
    assert waits.is_visible()
    low = page.locator("#widget-1 .ex-curve").bounding_box()["height"]
    assert page.get_attribute(".ex-curve-line", "d") == ""
    assert page.is_hidden(".ex-plot")
    page.click("button:text-is('late')")
    page.wait_for_selector(".ex-plot:visible .ex-plot-line")
    assert page.get_attribute(".ex-curve-line", "d").startswith("M")
    assert waits.is_hidden()
    assert page.locator("#widget-1 .ex-curve").bounding_box()["height"] > 2 * low
