"""What canvases show: waited for by what they show, never by the clock."""

import time

SECONDS = 60
# A number that any change of a canvas changes.
CANVAS_SUM = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, i) => (sum * 31 + value + i) % 2147483647, 7);
}"""


def until(page, read, good):
    """Read again and again until what was read is good, however busy the machine; return it."""
    deadline = time.monotonic() + SECONDS
    while not good(now := read()):
        assert time.monotonic() < deadline, f"it stays {now}"
        page.wait_for_timeout(50)
    return now


def sums(canvases):
    return [canvas.evaluate(CANVAS_SUM) for canvas in canvases.all()]


def repainted(page, canvases, before):
    """Wait until every canvas shows something else than before; return what."""
    return until(
        page,
        lambda: sums(canvases),
        lambda now: all(one != other for one, other in zip(now, before, strict=True)),
    )


def refreshed(page):
    """Wait until what a widget has put off to the next screen refresh is done."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
