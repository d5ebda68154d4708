"""The latent page's widgets in a real browser, on pages with no kernel and no network."""

from explainer.stages import cost
from explainer.widgets import Compression
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
