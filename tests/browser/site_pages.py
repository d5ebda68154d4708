"""For the tests of exported pages: a web host, a network that refuses or hangs, and a watch."""

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PATIENCE_MS = 60_000


class Quiet(SimpleHTTPRequestHandler):
    """A web host that says nothing of whom it served."""

    def log_message(self, *_):
        pass


@contextmanager
def hosted(folder, host=Quiet):
    """Serve a folder on this machine; yield its address."""
    server = ThreadingHTTPServer(("localhost", 0), partial(host, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def beyond(url):
    parts = urlsplit(url)
    return parts.scheme not in {"blob", "data", "file"} and parts.hostname != "localhost"


@contextmanager
def visit(browser, address, *, hanging=False, allowed=(), **options):
    """Open an exported page; at the end fail on any error in it and any request beyond the site.

    Args:
        browser: It resolves no name but localhost.
        address: Of the page.
        hanging: Leave requests beyond this machine without an answer, instead of refusing them.
        allowed: Parts of complaints that the test is about.
        options: Of the browser's context.
    """
    context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
    context.set_default_timeout(PATIENCE_MS)
    if hanging:
        context.route(beyond, lambda _route: None)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
    page.on("request", lambda request: beyond(request.url) and complaints.append(request.url))
    try:
        page.goto(address, wait_until="domcontentloaded")
        page.wait_for_selector("html[data-ready]")
        yield page
        assert [one for one in complaints if not any(part in one for part in allowed)] == []
    finally:
        context.close()
