"""The static pages: how soon they are there, how smoothly they move, how fast the browser draws.

    python benchmarks/static_page.py SITE [--rounds 5] [--steps 25] [--no-draw]

SITE is a folder that `explainer export` wrote; it is served on this machine to a headless Chromium.

First view is the browser's own first contentful paint; then the first widget stands, then all of
them. Everything counts from the request. On a busy machine the work that the browser's processes
have done until then says more than time does. An empty page, a heading and nothing else, is opened
in turn with the others, since a machine's speed drifts. Scrubbing is measured by the time between
two frames while the slider of the first player moves with each of them. Drawing is timed by the
page itself, from the first step, beside the same run by torch in this process, in one thread each.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

EMPTY = "<!doctype html><html lang=en data-ready><title>Empty</title><h1>Empty</h1></html>"
HEADS = ("page", "first view, ms", "first widget, ms", "whole, ms", "work, ms")
PROMPT, SEED = "a fox in a green coat sits on a farm in the rain, crayon", 11
PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) done(paint.startTime);
}).observe({ type: "paint", buffered: true }))"""
# When the first widget answers, and when the whole page does.
USABLE = """() => new Promise((done) => {
  let first = 0;
  const look = () => {
    const whole = document.documentElement.dataset.ready !== undefined;
    const some = whole || document.querySelector("[id^=widget-] > .ex");
    if (!first && some) first = performance.now();
    if (whole) requestAnimationFrame(() => done([first, performance.now()]));
    else setTimeout(look, 5);
  };
  look();
})"""
SCRUB = """async () => {
  const range = document.querySelector(".ex-track input");
  const times = [];
  let last = performance.now();
  for (let i = 0; i < 120; i += 1) {
    range.value = i % (Number(range.max) + 1);
    range.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
}"""


def opened(browser: Any, address: str) -> tuple[float, ...]:
    """Milliseconds to the first view, the first widget and all, and of work; nothing is cached."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    before = work(browser)
    page.goto(address, wait_until="commit")
    (first, whole), paint = page.evaluate(USABLE), page.evaluate(PAINT)
    spent = work(browser) - before
    context.close()
    return paint, first, whole, spent


def work(browser: Any) -> float:
    """Milliseconds that all of the browser's processes have computed so far."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return sum(1000 * process["cpuTime"] for process in found)


def pages(browser: Any, empty: str, host: str, names: list[str], rounds: int) -> None:
    addresses = {"(empty page)": empty} | {name: host + name for name in names}
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in addresses}
    for _ in range(rounds):
        for name, address in addresses.items():
            found[name].append(opened(browser, address))
    heads = "".join(f"{head:21}" for head in HEADS)
    print(f"{heads}(median, least to most of {rounds})")
    for name, times in found.items():
        columns = [
            f"{statistics.median(one):6.0f} ({min(one):.0f}-{max(one):.0f})"
            for one in zip(*times, strict=True)
        ]
        print(f"{name:21}" + "".join(f"{column:21}" for column in columns))


def scrubbing(browser: Any, address: str) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.locator(".ex-track").first.scroll_into_view_if_needed()
    page.evaluate(SCRUB)  # the pictures are decoded
    times = page.evaluate(SCRUB)
    middle, worst = statistics.median(times), sorted(times)[int(0.95 * len(times))]
    print(f"scrubbing: {1000 / middle:.0f} frames a second; 95 in 100 within {worst:.0f} ms")
    page.close()


def drawing(browser: Any, address: str, steps: int) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.set_default_timeout(600_000)
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    studio = ".ex:has(.ex-studio)"
    fields = {"prompt": PROMPT, "seed": str(SEED), "steps": str(steps)}
    for name, text in fields.items():
        page.fill(f"{studio} .ex-field-{name} :is(textarea, input[type=text])", text)
    waits = []
    for _ in range(2):
        begun = time.perf_counter()
        page.click(f"{studio} >> text=/^Generate/")
        page.wait_for_selector(f"{studio} .ex-live", state="visible")
        page.wait_for_selector(f"{studio} .ex-live", state="hidden")
        waits.append(time.perf_counter() - begun)
    said = page.inner_text(f"{studio} .ex-notice")
    print(f"{page.inner_text('.ex-studio-offer')}")
    print(f"{said} Click to picture: {waits[0]:.1f} s the first time, {waits[1]:.1f} s again.")
    page.close()


def torch_run(steps: int) -> None:
    import torch

    import explainer

    torch.set_num_threads(1)
    pipe = explainer.load(device="cpu")
    previews = {"x0": "full", "noisy": "linear"}
    times = []
    for _ in range(2):
        begun = time.perf_counter()
        explainer.record(pipe, PROMPT, seed=SEED, steps=steps, previews=previews)
        times.append(time.perf_counter() - begun)
    print(f"The same run by torch here, one thread, the same previews: {min(times):.1f} s.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--no-draw", action="store_true")
    options = parser.parse_args()
    names = sorted(path.name for path in options.site.glob("*.html") if path.name != "index.html")
    if not names:
        parser.error(f"{options.site} holds no pages; write them with: explainer export FOLDER")

    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS, executable
    from tests.browser.site_pages import hosted

    with (
        tempfile.TemporaryDirectory() as folder,
        hosted(Path(folder)) as empty,
        hosted(options.site) as host,
        sync_playwright() as playwright,
    ):
        (Path(folder) / "index.html").write_text(EMPTY)
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        pages(browser, empty, host, names, options.rounds)
        scrubbing(browser, host + names[0])
        if not options.no_draw:
            drawing(browser, host + names[0], options.steps)
        browser.close()
    if not options.no_draw:
        torch_run(options.steps)


if __name__ == "__main__":
    main()
