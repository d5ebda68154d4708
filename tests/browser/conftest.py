"""A real browser for the tests, with no way to the internet."""

import os
import shutil

import pytest
from playwright.sync_api import Error, sync_playwright

from explainer.cache import TraceCache
from explainer.models import embedded_fingerprint
from explainer.runs import RunController
from explainer.turns import Turns
from scripts.prepare import BROWSERS
from tests.browser.attended import attended
from tests.servers import jupyterlab, voila
from tests.tiny import stable_diffusion

# Names resolve nowhere, so a page that needs the network fails as it would on a train.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
]


def executable() -> str | None:
    """The browser named by EXPLAINER_CHROMIUM, else one on PATH, else None for Playwright's own."""
    named = os.environ.get("EXPLAINER_CHROMIUM")
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


# A module's scope: Playwright's event loop must be gone when notebooks run their own.
@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        except Error as error:
            reason = (
                "no Chromium: install one (Debian: apt install chromium; else: playwright install "
                f"chromium) or name it in EXPLAINER_CHROMIUM. {str(error).splitlines()[0]}"
            )
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Address of the explainer's own pages; one server for the tests of all of them."""
    if embedded_fingerprint() is None:
        pytest.skip("the embedded weights are not in storybook/weights")
    with voila(tmp_path_factory.mktemp("site")) as address:
        yield address


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Address of the overview in JupyterLab; one server for the tests of all pages."""
    with jupyterlab(tmp_path_factory.mktemp("lab")) as address:
        yield address


@pytest.fixture
def open_page(browser, tmp_path):
    """Open HTML as a file on disk; fail the test on any error in the page or request beyond it."""
    complaints = []

    def heard(message):
        if message.type == "error":
            complaints.append(message.text)

    def asked(request):
        if not request.url.startswith(("file:", "blob:", "data:")):
            complaints.append(f"request to {request.url}")

    contexts = []

    def open_page(html, *, query="", **options):
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        contexts.append(
            browser.new_context(**{"viewport": {"width": 1000, "height": 900}, **options})
        )
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", heard)
        page.on("request", asked)
        page.goto(path.as_uri() + query)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def listening(open_page, tmp_path):
    """Open a page whose widgets have somebody to send to: `window.sent` keeps what they send."""
    controller = RunController(
        stable_diffusion, TraceCache(tmp_path / "cache"), turns=Turns(tmp_path / "turns")
    )

    def listening(make, **options):
        return open_page(attended(make(controller)), **options)

    yield listening
    controller.close()
