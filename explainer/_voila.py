"""Voilà with a front door: the bare address leads to the first page."""

from __future__ import annotations

from typing import Any

from jupyter_server.utils import url_path_join
from tornado.web import RedirectHandler
from traitlets import Unicode
from voila.app import Voila


class Pages(Voila):
    """A Voilà server for a folder of notebooks whose root shows one of them."""

    first_page = Unicode(help="The notebook that the server's root leads to.").tag(config=True)

    def init_handlers(self) -> list[Any]:
        """Return Voilà's handlers behind the one for the root."""
        page = url_path_join(self.base_url, "voila/render", self.first_page)
        root = (self.server_url, RedirectHandler, {"url": page, "permanent": False})
        return [root, *super().init_handlers()]
