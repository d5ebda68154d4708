"""Voilà with a front door, a number of seats, and a mode for readers whom nobody knows."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback
from tornado.web import HTTPError, RedirectHandler
from traitlets import Bool, Float, Int, Unicode
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler
from voila.tornado.handler import TornadoVoilaHandler

from explainer.cache import TraceCache

MESSAGES = ("comm_open", "comm_close", "comm_msg", "comm_info_request", "kernel_info_request")
"""All that a page asks its kernel. Voilà's own list also lets a page shut kernels down."""
MOST_BODY = 2**20
"""Bytes of a request. tornado would keep a hundred times as many before it asks who sends them."""
PRUNE_MS = 60_000
_seat: ContextVar[object] = ContextVar("seat", default=None)
"""The seat that the present request was promised."""


class Seats(TornadoVoilaHandler):
    """Gives a page a kernel while there is room for one more, and says so where there is not."""

    async def get(self, path: str | None = None) -> None:
        """Answer with the page, or with 503 and a page that says when to come again."""
        if self.settings["seats_taken"]() < self.settings["seats"]:
            # Asking for it sets the cookie, without which a page that is left could not say so, and
            # would keep its kernel. Voilà asks only once the headers are gone.
            _ = self.xsrf_token
            with self.settings["seat_promised"]():
                await super().get(path)
            return
        self.set_status(503)
        self.set_header("Retry-After", "60")
        self.finish(self.render_template("full.html"))


class Pages(Voila):
    """A Voilà server for a folder of notebooks whose root shows one of them."""

    first_page = Unicode(help="The notebook that the server's root leads to.").tag(config=True)
    readers = Int(help="How many pages may be open at once.").tag(config=True)
    public = Bool(help="Whether readers are strangers to the one who serves.").tag(config=True)
    cache_folder = Unicode("", help="Runs of readers, to be removed at the end.").tag(config=True)
    keep_seconds = Float(0, help="How long a run is kept after its last use.").tag(config=True)

    def init_settings(self) -> dict[str, Any]:
        """Return Voilà's settings, and how many seats there are."""
        settings: dict[str, Any] = super().init_settings()
        self.kernel_manager.allowed_message_types = list(MESSAGES)
        self._remember_readers()
        end_what_is_left(self.kernel_manager)
        return settings | {
            "seats": self.readers,
            "seats_taken": self.seats_taken,
            "seat_promised": self.seat_promised,
        }

    def _remember_readers(self) -> None:
        """Note which kernels went to readers; those that stand ready were started otherwise."""
        manager = self.kernel_manager
        self._given: set[str] = set()
        self._promised: set[object] = set()
        start, take = manager.start_kernel, manager.get_rendered_notebook

        async def start_kernel(*args: Any, **kwargs: Any) -> str:
            kernel: str = await ensure_async(start(*args, **kwargs))
            self._give(kernel)
            return kernel

        async def get_rendered_notebook(notebook_name: str, **_: Any) -> tuple[Any, Any, str]:
            # The rest is this reader's address, for the environment of the next one's kernel.
            task, rendered, kernel = await take(notebook_name)
            self._give(kernel)
            return task, rendered, kernel

        manager.start_kernel = start_kernel
        manager.get_rendered_notebook = get_rendered_notebook

    def _give(self, kernel: str) -> None:
        self._given.add(kernel)
        self._promised.discard(_seat.get())

    @contextmanager
    def seat_promised(self) -> Iterator[None]:
        """Count a seat as taken until the request has its kernel, which takes a while to start."""
        seat = object()
        self._promised.add(seat)
        _seat.set(seat)
        try:
            yield
        finally:
            self._promised.discard(seat)

    def seats_taken(self) -> int:
        """Return how many kernels run for readers or are promised to them."""
        self._given.intersection_update(self.kernel_manager.list_kernel_ids())
        return len(self._given) + len(self._promised)

    def init_handlers(self) -> list[Any]:
        """Return Voilà's handlers behind the one for the root, less what no page asks for."""
        page = url_path_join(self.base_url, "voila/render", self.first_page)
        root = (self.server_url, RedirectHandler, {"url": page, "permanent": False})
        return [root, *filter(None, map(self._ours, super().init_handlers()))]

    def _ours(self, handler: tuple[Any, ...]) -> tuple[Any, ...] | None:
        pattern, kind, *options = handler
        if kind is TornadoVoilaHandler:
            return (pattern, Seats, *options)
        closed = ("/voila/tree", "/voila/api/contents", "/voila/query", "/login", "/logout")
        if self.public and any(place in pattern for place in closed):
            return None
        return handler

    def listen(self) -> None:
        """Listen, and take no more in a request than pages send; the rest comes by websocket."""
        self.app.listen = partial(self.app.listen, max_body_size=MOST_BODY)
        super().listen()

    def start(self) -> None:
        """Serve until interrupted; in public mode leave nothing of the readers behind."""
        if not self.public:
            super().start()
            return
        forget_requests()
        cache = TraceCache(Path(self.cache_folder), max_age=timedelta(seconds=self.keep_seconds))
        tidy = PeriodicCallback(cache.prune, PRUNE_MS)
        tidy.start()
        try:
            super().start()
        finally:
            tidy.stop()
            shutil.rmtree(self.cache_folder, ignore_errors=True)


def end_what_is_left(manager: Any) -> None:
    """Have a kernel manager end all kernels though some have ended since it counted them.

    At the end of a server pages are left, too, and each ends its kernel. The manager would give up
    at the first that is missing, with an error, and the others would run on.
    """
    end = manager._async_shutdown_kernel  # noqa: SLF001 - `shutdown_all` calls no other

    async def end_if_there(*args: Any, **kwargs: Any) -> None:
        with suppress(HTTPError, KeyError):
            await end(*args, **kwargs)

    manager._async_shutdown_kernel = end_if_there  # noqa: SLF001


class _WithoutReaders(logging.Filter):
    """Of a request that failed the log keeps what failed, and not what was asked, or by whom."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        record.msg = f"A request failed ({kind.__name__ if kind else record.levelname.lower()})."
        record.args, record.exc_info, record.exc_text = (), None, None
        return True


def forget_requests() -> None:
    """Keep addresses, which hold prompts, and IP numbers out of tornado's logs and Voilà's memory.

    Voilà keeps the address of each page whose kernel stood ready, for code of the page to ask for.
    """
    RequestInfoSocketHandler.send_updates = lambda _message: None
    for name in ("tornado.access", "tornado.application", "tornado.general"):
        logging.getLogger(name).addFilter(_WithoutReaders())
