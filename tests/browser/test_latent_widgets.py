"""The latent page's widgets in a real browser, on pages with no kernel and no network."""

import numpy as np

from explainer.stages import cost, latent
from explainer.widgets import Compression, RoundTrips
from explainer.widgets.host import static_page
from tests.synthetic import make_trace

NARROW = {"viewport": {"width": 400, "height": 900}}


def test_the_compression_is_drawn_to_scale_and_told(open_page):
    shown = Compression(make_trace(size=64), cost.PUBLISHED[0].unet)
    shown._seconds = {"latents": 0.25, "pixels": 2.5}
    page = open_page(static_page([shown]), **NARROW)
    page.wait_for_selector("text=12,288 numbers for the picture, 256 for its latents: 48 × fewer")
    assert "250 ms on latents and 2.5 s on pixels, 10 × as long" in page.inner_text(
        ".ex-compression-timed"
    )
    rows = page.locator(".ex-compression-table tbody tr").all_inner_texts()
    assert len(rows) == 1 + len(cost.PUBLISHED)
    assert "64 × 64 × 3" in rows[0]
    assert "8 × 8 × 4" in rows[0]
    assert "48 ×" in rows[0]
    assert "12 ×" in rows[3]
    # Three planes of 64 and two gaps of 3 across, 64 + 3 + 8 + 3 down, two canvas pixels a number.
    page.wait_for_function("document.querySelector('canvas').width === 2 * (3 * 64 + 6)")
    assert page.evaluate("document.querySelector('canvas').height") == 2 * (64 + 3 + 8 + 3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def square(level, size=32):
    return np.full((size, size, 3), level, np.uint8)


def test_the_wipe_shows_before_on_the_left_and_after_on_the_right(open_page):
    trip = latent.RoundTrip(square(40), square(200))
    shown = RoundTrips({"grey": square(40), "other": square(90)}, {"grey": trip})
    page = open_page(static_page([shown]), **NARROW)
    page.wait_for_selector(f"text=grey: PSNR {trip.psnr:.1f} dB, SSIM {trip.ssim:.3f}")
    row = """canvas => {
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, height >> 1, width, 1);
      return [0.1, 0.6, 0.9].map((share) => data[4 * Math.floor(share * width)]);
    }"""
    canvas = page.locator(".ex-trips-wipe canvas")
    page.wait_for_function(
        "() => document.querySelector('.ex-trips-wipe canvas').getContext('2d')"
        ".getImageData(290, 100, 1, 1).data[0] === 200"
    )
    assert canvas.evaluate(row) == [40, 200, 200]
    page.focus(".ex-trips-wipe input")
    for _ in range(2):
        page.keyboard.press("PageUp")
    page.wait_for_selector("[aria-valuetext='70 % before']")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert canvas.evaluate(row) == [40, 40, 200]
    assert "white 160 of 255" in page.inner_text(".ex-trips")
    page.click("text=other")
    page.wait_for_selector("text=other: not sent through yet")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
