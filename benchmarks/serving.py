"""What a page costs that is served: until it can be played with, frames a second, memory.

    python benchmarks/serving.py                  Voilà, cold and preheated, against a minimal page
    python benchmarks/serving.py --site FOLDER    and a static site, against an empty page
    python benchmarks/serving.py --readers 8      and so many readers at once, each with a run
    options: [--rounds 3] [--page 00_overview]

"Until it can be played with" is from the request to a slider, and the picture that it moves
painted, in a Chromium with nothing in its cache. A kernel that stands ready is one that the server
started before the request. The minimal page is one ipywidgets slider under Voilà's own template.
Memory is what a kernel's process alone would give back (USS). Frames are counted while the slider
is moved at every one of them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "browser")]

from conftest import ARGUMENTS, executable  # noqa: E402 - the tests' own browser

PLAYER = ".ex:has(.ex-player) .ex-track input"
PAINTED = """() => {
  const canvas = document.querySelector(".ex-player-canvas");
  return canvas?.getContext("2d").getImageData(9, 9, 1, 1).data[3] > 0;
}"""
SLIDER = ".widget-slider .noUi-handle, .widget-slider input"
MINIMAL = "import ipywidgets\nipywidgets.IntSlider()"
SCRUB = """async (selector) => {
  const slider = document.querySelector(selector);
  const most = Number(slider.max);
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  const began = performance.now();
  let frames = 0;
  while (performance.now() - began < 3000) {
    slider.value = String(frames % (most + 1));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await frame();
    frames += 1;
  }
  return (1000 * frames) / (performance.now() - began);
}"""
PATIENCE_MS = 300_000


def notebook(source: str) -> Any:
    page = nbformat.v4.new_notebook()
    page.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    page.cells = [nbformat.v4.new_code_cell(source)]
    return page


@contextmanager
def started(command: list[str], folder: Path, log: Path) -> Iterator[str]:
    """Run a server; yield its address once it answers."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(log.parent)}
    environment["EXPLAINER_CACHE"] = str(log.parent / "cache")
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        yield answering(process, log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answering(process: subprocess.Popen[bytes], log: Path) -> str:
    while process.poll() is None:
        found = re.search(r"http://[\w.]+:\d+/", log.read_text())
        if found:
            with contextlib.suppress(OSError):
                socket.create_connection(urlsplit(found[0]).netloc.split(":"), timeout=5).close()
                return found[0]
        time.sleep(0.1)
    raise SystemExit(f"The server ended:\n{log.read_text()}")


def ours(folder: Path) -> list[str]:
    command = [sys.executable, "-m", "explainer.cli", "serve", "--no-browser", "--port", "9200"]
    return [*command, "--notebooks", str(folder)]


def plain(folder: Path, *, preheat: bool) -> list[str]:
    command = [sys.executable, "-m", "voila", str(folder), "--no-browser", "--port=9300"]
    return [*command, f"--preheat_kernel={preheat}", "--pool_size=1"]


def opened(browser: Browser, address: str, ready: Callable[[Page], None]) -> tuple[float, Page]:
    """Open a page in a fresh context; return the seconds until it is ready, and the page."""
    # Playwright waits with `eval`, which the pages' policy forbids.
    context = browser.new_context(viewport={"width": 1100, "height": 900}, bypass_csp=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    ready(page)
    return time.perf_counter() - began, page


def player_is_there(page: Page) -> None:
    page.wait_for_selector(PLAYER)
    page.wait_for_function(PAINTED)


def slider_is_there(page: Page) -> None:
    page.wait_for_selector(SLIDER)


def kernel_of(page: Page) -> psutil.Process:
    name = json.loads(page.inner_text("#jupyter-config-data"))["kernelId"]
    (process,) = [p for p in psutil.process_iter(["cmdline"]) if name in str(p.info["cmdline"])]
    return process


def mebibytes(process: psutil.Process) -> float:
    return process.memory_full_info().uss / 2**20


def draw(page: Page, prompt: str, seed: int) -> float:
    """Draw a picture in the page; return the seconds it took."""
    form = ".ex:has(.ex-studio)"
    page.fill(f"{form} .ex-field-prompt textarea", prompt)
    page.fill(f"{form} .ex-field-seed input", str(seed))
    began = time.perf_counter()
    page.click(f"{form} >> text=Generate")
    page.locator(f"{form} .ex-player-caption").get_by_text(f"“{prompt}”", exact=True).wait_for()
    return time.perf_counter() - began


def until_ready(
    browser: Browser,
    command: list[str],
    folder: Path,
    path: str,
    ready: Callable[[Page], None],
    rounds: int,
    *,
    warm_up: float,
) -> list[float]:
    """Seconds of each round, each with a server of its own, so that none warms another."""
    found = []
    for _ in range(rounds):
        with (
            tempfile.TemporaryDirectory() as own,
            started(command, folder, Path(own) / "log") as address,
        ):
            time.sleep(warm_up)
            seconds, page = opened(browser, address + path, ready)
            page.context.close()
            found.append(seconds)
    return found


def told(words: str, seconds: list[float], against: float | None = None) -> float:
    middle = statistics.median(seconds)
    ratio = "" if against is None else f"   {middle / against:.2f} x"
    spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
    print(f"{words:58} {middle:6.2f} s  ({spread}){ratio}", flush=True)
    return middle


def pages_in(folder: Path, page: str) -> tuple[Path, Path]:
    """Make folders: in one a kernel is made ready for the page, as it is the first; in one not."""
    ready, cold, minimal = folder / "ready", folder / "cold", folder / "minimal"
    for place in (ready, cold, minimal):
        place.mkdir()
    for place, name in ((ready, "00_page.ipynb"), (cold, "01_page.ipynb")):
        shutil.copy(ROOT / "notebooks" / f"{page}.ipynb", place / name)
        shutil.copytree(ROOT / "notebooks" / "images", place / "images")
    nbformat.write(notebook("1"), cold / "00_nothing.ipynb")
    nbformat.write(notebook(MINIMAL), minimal / "minimal.ipynb")
    return ready, cold


def measure_voila(browser: Browser, page: str, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        ready, cold = pages_in(Path(place), page)
        minimal = Path(place) / "minimal"
        path = "voila/render/minimal.ipynb"
        base = {
            heat: until_ready(
                browser,
                plain(minimal, preheat=heat),
                minimal,
                path,
                slider_is_there,
                rounds,
                warm_up=20,
            )
            for heat in (False, True)
        }
        plain_cold = told("minimal page, cold", base[False])
        plain_ready = told("minimal page, kernel stands ready", base[True])
        for words, folder, name, against in (
            (f"{page}, cold", cold, "01_page", plain_cold),
            (f"{page}, kernel stands ready", ready, "00_page", plain_ready),
        ):
            path = f"voila/render/{name}.ipynb"
            arguments = (browser, ours(folder), folder, path, player_is_there, rounds)
            told(words, until_ready(*arguments, warm_up=40), against)
        measure_inside(browser, ready)


def measure_inside(browser: Browser, folder: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as own,
        started(ours(folder), folder, Path(own) / "log") as address,
    ):
        _, page = opened(browser, f"{address}voila/render/00_page.ipynb", player_is_there)
        page.wait_for_selector(".ex:has(.ex-studio)")
        time.sleep(5)
        print(f"frames a second while scrubbing: {page.evaluate(SCRUB, PLAYER):.0f}")
        kernel = kernel_of(page)
        print(f"memory of a kernel that shows what was recorded: {mebibytes(kernel):.0f} MB")
        first = draw(page, "a fox in the snow, crayon", 1)
        before = sum(kernel.cpu_times()[:2])
        second = draw(page, "a bear in the snow, crayon", 2)
        computed = sum(kernel.cpu_times()[:2]) - before
        print(f"first picture {first:.1f} s, with the model being loaded; the next {second:.1f} s")
        print(f"processor time of the next one: {computed:.1f} s")
        print(f"memory of a kernel that has drawn two: {mebibytes(kernel):.0f} MB", flush=True)


def measure_site(browser: Browser, site: Path, page: str, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        empty = Path(place) / "empty.html"
        empty.write_text("<!doctype html><title>empty</title><input type=range>", "utf-8")

        def slider(page: Page) -> None:
            page.wait_for_selector("input[type=range]")

        def repeated(path: Path, ready: Callable[[Page], None]) -> list[float]:
            seconds = []
            for _ in range(rounds):
                passed, shown = opened(browser, path.as_uri(), ready)
                shown.context.close()
                seconds.append(passed)
            return seconds

        base = told("empty page from a file", repeated(empty, slider))
        path = site / f"{page}.html"
        told(f"{page}, static, from a file", repeated(path, player_is_there), base)
        _, shown = opened(browser, path.as_uri(), player_is_there)
        shown.wait_for_timeout(2000)
        print(f"frames a second while scrubbing: {shown.evaluate(SCRUB, PLAYER):.0f}", flush=True)
        shown.context.close()


class Reader(threading.Thread):
    """One reader in a browser of their own: opens the page, moves the slider, draws a picture."""

    def __init__(self, address: str, number: int) -> None:
        super().__init__()
        self.address, self.number = address, number
        self.opened = self.drawn = self.memory = 0.0
        self.failed = ""

    def run(self) -> None:
        """Read, and remember what went wrong if anything did."""
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
                self.read(browser)
                browser.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what this one met
            self.failed = str(error).splitlines()[0]

    def read(self, browser: Browser) -> None:
        """Open the page, scrub, draw."""
        self.opened, page = opened(browser, self.address, player_is_there)
        page.focus(PLAYER)
        page.keyboard.press("End")
        page.wait_for_selector(".ex:has(.ex-studio)")
        self.drawn = draw(page, f"a fox and {self.number} owls in the snow", self.number)
        self.memory = mebibytes(kernel_of(page))
        if page.is_visible(".stopped"):
            self.failed = "the kernel stopped"


def measure_readers(count: int, page: str) -> int:
    with (
        tempfile.TemporaryDirectory() as own,
        started(ours(ROOT / "notebooks"), ROOT, Path(own) / "log") as address,
    ):
        time.sleep(20)
        began = time.perf_counter()
        readers = [Reader(f"{address}voila/render/{page}.ipynb", i + 1) for i in range(count)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        passed = time.perf_counter() - began
    fine = [reader for reader in readers if not reader.failed]
    print(
        f"\n{count} readers at once on {os.cpu_count()} processors: "
        f"{len(fine)} got all they asked for"
    )
    for reader in readers:
        if reader.failed:
            print(f"  reader {reader.number}: {reader.failed}")
    if fine:
        told("  until the page can be played with", [reader.opened for reader in fine])
        told("  from the click to the picture, with waiting", [reader.drawn for reader in fine])
        print(f"  until the last had a picture: {passed:.0f} s")
        print(f"  memory of a kernel: {max(reader.memory for reader in fine):.0f} MB at most")
    return count - len(fine)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", default="00_overview")
    parser.add_argument("--site", type=Path, metavar="FOLDER")
    parser.add_argument("--readers", type=int, default=0, metavar="N")
    parser.add_argument("--only-readers", action="store_true", help="leave the rest out")
    options = parser.parse_args()
    if not options.only_readers:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
            measure_voila(browser, options.page, options.rounds)
            if options.site:
                measure_site(browser, options.site, options.page, options.rounds)
            browser.close()
    return measure_readers(options.readers, options.page) if options.readers else 0


if __name__ == "__main__":
    sys.exit(main())
