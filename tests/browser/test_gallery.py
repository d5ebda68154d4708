"""The gallery in a real browser, on a page with no kernel and no network."""

import numpy as np

from explainer.widgets import Gallery
from explainer.widgets.host import static_page

SHADES = {"red": (220, 30, 40), "green": (30, 180, 60), "blue": (40, 60, 210)}
MIDDLE = """canvas => {
  const { width, height } = canvas;
  return [...canvas.getContext("2d").getImageData(width / 2, height / 2, 1, 1).data];
}"""


def gallery():
    pictures = [np.full((32, 32, 3), shade, np.uint8) for shade in SHADES.values()]
    return Gallery(pictures, ["red", "<b>green</b>", "blue"], ["", "seed 7", ""])


def painted(page):
    page.wait_for_function(
        """() => [...document.querySelectorAll("canvas")].every((canvas) =>
          canvas.getContext("2d").getImageData(2, 2, 1, 1).data[3])"""
    )
    return page.locator("canvas").all()


def test_every_picture_is_painted_above_its_own_words(open_page):
    page = open_page(static_page([gallery()]))
    canvases = painted(page)
    for canvas, shade in zip(canvases, SHADES.values(), strict=True):
        assert np.abs(np.array(canvas.evaluate(MIDDLE)) - (*shade, 255)).max() < 12
    assert page.locator("figcaption").all_inner_texts() == ["red", "<b>green</b>\nseed 7", "blue"]
    assert page.locator("figcaption b").count() == 0


def test_a_screen_reader_hears_the_titles(open_page):
    page = open_page(static_page([gallery()]))
    names = page.locator("[role=img]").evaluate_all("all => all.map((one) => one.ariaLabel)")
    assert names == ["red", "<b>green</b>", "blue"]


def test_a_phone_shows_two_in_a_row(open_page):
    page = open_page(static_page([gallery()]), viewport={"width": 400, "height": 800})
    boxes = [canvas.bounding_box() for canvas in painted(page)]
    assert boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
