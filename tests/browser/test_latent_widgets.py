"""The latent page's widgets in a real browser, on pages with no kernel and no network."""

import numpy as np
import pytest

from explainer.stages import cost, latent
from explainer.widgets import Brush, Channels, Compression, RoundTrips, Sketch, Walks
from explainer.widgets.host import static_page
from tests.browser.canvases import refreshed, until
from tests.synthetic import make_trace
from tests.test_latent_widgets import made_walk, tiny_trace

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


def test_what_the_compression_saves_waits_for_the_guess(open_page):
    shown = Compression(make_trace(size=64), cost.PUBLISHED[0].unet)
    shown.shown = False
    page = open_page(static_page([shown]))
    assert page.is_visible("text=Guess above to see this")
    assert page.is_hidden("text=fewer")
    assert page.locator("canvas:visible").count() == 0
    page.evaluate("models[0].set('shown', true)")
    page.wait_for_selector("text=48 × fewer")
    assert page.is_hidden("text=Guess above to see this")


def test_a_table_that_is_cut_off_has_a_shadow_at_its_edge(open_page):
    shown = Compression(make_trace(size=64), cost.PUBLISHED[0].unet)
    page = open_page(static_page([shown]), **NARROW)
    table = page.locator(".ex-compression-table")
    assert table.evaluate("node => node.scrollWidth > node.clientWidth")
    attached = table.evaluate("node => getComputedStyle(node).backgroundAttachment")
    assert attached == "local, local, scroll, scroll"


def test_only_news_is_read_out(listening):
    def make(controller):
        shown = Compression(make_trace(), cost.PUBLISHED[0].unet, controller=controller)
        shown._seconds = {"latents": 0.25, "pixels": 2.5}
        shown._status = {"state": "done", "step": 2, "total": 2}
        return shown

    page = listening(make)
    page.wait_for_timeout(600)  # longer than whatever is said is put off
    assert page.text_content(".ex-spoken") == ""
    page.evaluate("models[0].set('_seconds', { latents: 0.5, pixels: 2.5 })")
    page.wait_for_selector(".ex-spoken:text('one step took 500 ms')", state="attached")
    page.evaluate("models[0].set('_status', { state: 'running', step: 1, total: 2 })")
    page.evaluate("models[0].set('_status', { state: 'done', step: 2, total: 2 })")
    page.wait_for_selector(".ex-spoken:text('Both steps were timed.')", state="attached")


def test_whoever_asks_keeps_the_focus_and_asks_once(listening):
    page = listening(
        lambda controller: Compression(make_trace(), cost.PUBLISHED[0].unet, controller=controller)
    )
    page.focus("text=Time a step on both, here")
    page.keyboard.press("Enter")
    page.evaluate("models[0].set('_status', { state: 'running', step: 1, total: 2 })")
    refreshed(page)
    assert page.evaluate("document.activeElement.textContent") == "Time a step on both, here"
    page.keyboard.press("Enter")
    assert page.evaluate("sent") == [{"type": "ask"}]


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
    until(page, lambda: canvas.evaluate(row), [40, 40, 200].__eq__)
    assert "white 160 of 255" in page.inner_text(".ex-trips")
    page.focus("button:text-is('other')")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=other: not sent through yet")
    assert page.get_attribute(":focus", "aria-pressed") == "true"
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_channels_change_their_tiles(open_page):
    shown = Channels(tiny_trace(), tiny_trace(seed=8))
    page = open_page(static_page([shown]), **NARROW)
    assert page.locator(".ex-channels-tiles input:disabled").count() == 8
    page.evaluate("models[0].set('gains', [0, 1.5, 1, 1, 1, 1, 1, 1])")
    page.evaluate("models[0].set('swapped', [false, false, true, ...Array(5).fill(false)])")
    told = ".ex-channels figure:nth-child(2) figcaption"
    page.wait_for_selector(f"{told}:text-is('From the channels as they were')")
    label = page.get_attribute(".ex-channels figure:nth-child(2) canvas", "aria-label")
    assert label == "Decoded with no channel changed"
    page.evaluate(
        """const [gains, swapped] = ["gains", "swapped"].map((name) => models[0].get(name));
        models[0].set("_facts", { ...models[0].get("_facts"), shown: { gains, swapped } });"""
    )
    page.wait_for_selector(f"{told}:text-is('From these channels')")
    page.wait_for_selector("output:has-text('1: off')")
    page.wait_for_selector("output:has-text('2: × 1.5')")
    assert page.get_attribute("button >> nth=2", "aria-pressed") == "true"
    label = page.get_attribute(".ex-channels figure:nth-child(2) canvas", "aria-label")
    assert label == "Decoded with channels 1 × 0, 2 × 1.5, 3 swapped × 1"
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_channels_ask_once_the_hand_rests(listening):
    page = listening(
        lambda controller: Channels(tiny_trace(), tiny_trace(seed=8), controller=controller)
    )
    page.focus(".ex-channels-tiles input >> nth=2")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function("window.sent")
    asked = {"type": "ask", "gains": [1, 1, 0, *[1] * 5], "swapped": [False] * 8}
    assert page.evaluate("window.sent") == [asked]
    page.evaluate("models[0].set('_status', { state: 'running', step: 0, total: 1 })")
    page.click("text=All as they were")
    page.wait_for_function("window.sent.length === 2")
    assert page.evaluate("window.sent[1].gains") == [1] * 8


@pytest.mark.parametrize(("width", "columns"), [(1000, 8), (400, 4)])
def test_channels_stand_in_full_rows_below_the_picture_and_its_button(listening, width, columns):
    page = listening(
        lambda controller: Channels(tiny_trace(), tiny_trace(seed=8), controller=controller),
        viewport={"width": width, "height": 900},
    )
    tiles = page.locator(".ex-channels-tiles canvas")
    tops = [round(tile.bounding_box()["y"]) for tile in tiles.all()]
    assert [tops.count(top) for top in sorted(set(tops))] == [columns] * (8 // columns)
    picture = page.locator(".ex-channels figure:nth-child(2)").bounding_box()
    button = page.locator("button:text-is('Decode')").bounding_box()
    assert 0 <= button["y"] - picture["y"] - picture["height"] < 40
    assert button["y"] + button["height"] <= tops[0]
    page.evaluate("models[0].set('_status', { state: 'running', step: 0, total: 1 })")
    page.wait_for_selector("text=Cancel")
    assert round(tiles.first.bounding_box()["y"]) == tops[0]  # a slider that is held stays
    swap = page.locator("button:text-is('swap')").first
    assert swap.evaluate("node => getComputedStyle(node).borderColor") != "rgba(0, 0, 0, 0)"


def brush(controller):
    return Brush(tiny_trace(), controller=controller)


def test_the_brush_paints_what_the_pointer_goes_over(listening):
    page = listening(brush, **NARROW)
    page.click("text=wide brush")
    page.click("text=Shift")
    page.click(".ex-brush-row button:text-is('3')")
    refreshed(page)
    assert page.evaluate("document.activeElement.textContent") == "3"
    box = page.locator(".ex-brush-grid").bounding_box()
    cell = box["width"] / 8
    page.mouse.move(box["x"] + 1.5 * cell, box["y"] + 6.5 * cell)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * cell, box["y"] + 6.5 * cell)
    page.mouse.move(box["x"] - 3 * cell, box["y"] + 6.5 * cell)
    page.mouse.up()
    page.wait_for_function("window.sent")
    cells = [cell for message in page.evaluate("window.sent") for cell in message["cells"]]
    assert [6, 1] in cells
    assert [6, 0] in cells
    assert all(0 <= row < 8 and 0 <= column < 8 for row, column in cells)
    first = page.evaluate("window.sent[0]")
    assert {name: first[name] for name in ("what", "tool", "channel", "amount")} == {
        "what": "paint",
        "tool": "shift",
        "channel": 2,
        "amount": 2,
    }
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_nothing_calls_for_taking_all_strokes_back(listening):
    page = listening(brush)
    undo, back = (page.locator(f"text={words}") for words in ("Undo", "Take everything back"))
    background = "node => getComputedStyle(node).backgroundColor"
    assert back.evaluate(background) == undo.evaluate(background)


def test_the_brush_works_with_keys_alone(listening):
    page = listening(brush)
    page.click("text=Ask a cell")
    page.focus(".ex-brush-grid")
    for key in ("ArrowUp", "ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("window.sent") == [{"type": "ask", "what": "reach", "row": 1, "column": 2}]
    page.click("text=Copy")
    page.click("text=wide brush")
    page.focus(".ex-brush-grid")
    page.keyboard.press("Enter")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_function("window.sent.length === 2")
    assert page.evaluate("window.sent[1]") == {
        "type": "ask",
        "what": "paint",
        "tool": "copy",
        "cells": [[2, 3]],
        "amount": 2,
        "source": [1, 2],
    }
    page.click("text=Undo")
    assert page.evaluate("window.sent[2]") == {"type": "ask", "what": "undo"}


def test_the_brush_reads_out_its_latents(open_page):
    trace = tiny_trace()
    page = open_page(static_page([Brush(trace)]))
    assert page.locator(".ex-brush-row button:disabled").count() == 4
    page.focus(".ex-brush-grid")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=row 1, column 4")
    told = page.inner_text(".ex-brush-told").split(": ")[1].replace("−", "-")
    assert float(told) == pytest.approx(trace.latents[-1][0, 0, 3], abs=0.03)


def test_a_sketch_is_drawn_and_its_pixels_are_sent(listening):
    page = listening(
        lambda controller: Sketch(
            {"light": square(240), "dark": square(20)}, "a fox", controller=controller
        ),
        **NARROW,
    )
    read = "[...new Uint8Array(models[0].get('_pixels').buffer)]"
    assert set(page.evaluate(read)) == {240}
    page.click("text=dark")
    assert set(page.evaluate(read)) == {20}
    page.click("button[aria-label=red]")
    page.click("text=thick")
    box = page.locator(".ex-sketch-paper").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 50, box["y"] + box["height"] / 2)
    page.mouse.up()
    drawn = np.array(page.evaluate(read)).reshape(32, 32, 3)
    np.testing.assert_array_equal(drawn[16, :16], [[0xD5, 0x5E, 0x00]] * 16)
    np.testing.assert_array_equal(drawn[0], [[20] * 3] * 32)
    page.focus("[aria-label=Strength]")
    page.keyboard.press("Home")
    assert "10 %: the last 2 of 25 steps" in page.inner_text(".ex-sketch-tools")
    page.click("text=Make a picture of it")
    asked = {"type": "ask", "prompt": "a fox", "strength": 0.1, "bytes": 3 * 32 * 32}
    assert page.evaluate("sent") == [asked]
    page.click("text=Empty paper")
    assert page.evaluate(read)[:3] == [0xFB, 0xF6, 0xEA]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_walk_is_slid_along_and_asked_for_in_a_box_that_grows(listening):
    page = listening(
        lambda controller: Walks(
            tiny_trace(),
            tiny_trace(seed=8),
            "a bear",
            {"latents": made_walk(), "noise": made_walk(lengths=False)},
            controller=controller,
        ),
        **NARROW,
    )
    page.wait_for_selector(".ex-walks-said:has-text('place 3')")
    page.click("text=Between two pictures")
    page.focus(".ex-curve input")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".ex-walks-said:has-text('place 2')")
    assert "length 0.800" in page.inner_text(".ex-walks")
    shade = "canvas => canvas.getContext('2d').getImageData(5, 5, 1, 1).data[0]"
    until(
        page,
        lambda: [canvas.evaluate(shade) for canvas in page.locator(".ex-walks canvas").all()],
        lambda shades: np.allclose(shades, [60, 120], rtol=0, atol=4),
    )
    assert page.is_hidden("[aria-label='The sentence to end at']")
    page.click("text=Between two sentences")
    page.wait_for_selector("text=Not walked yet")
    box = page.locator("[aria-label='The sentence to end at']")
    low = box.bounding_box()["height"]
    box.fill("an owl in a green coat " * 8)
    assert box.bounding_box()["height"] > 2 * low
    assert box.evaluate("box => box.scrollHeight <= box.clientHeight")
    box.fill("an\nowl")
    box.press("Enter")
    assert page.evaluate("sent") == [{"type": "ask", "kind": "prompts", "second": "an owl"}]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
