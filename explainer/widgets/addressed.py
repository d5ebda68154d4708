"""Addressed: what every widget shares that opens the run which the page's address names."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import traitlets as t

from explainer.widgets.base import Widget


class Addressed(Widget):
    """A widget that shows the run of a link: `form.js` hands it the query of the page's address.

    A subclass says in `_open` how such a run is opened.

    Attributes:
        query: The query of the page's address. Setting it opens the run that it names.
        opens_address: Whether the browser sets `query` once the widget is on the page. False for a
            widget that is made later, for a run that the reader chose.
    """

    query = t.Unicode("", help="The query of the page's address.").tag(sync=True)
    opens_address = t.Bool(True, help="Whether the address's run is opened.").tag(sync=True)

    def _open(self, query: str) -> None:
        """Open the run that a query names, or say why it cannot be."""
        raise NotImplementedError

    @t.observe("query")
    def _open_query(self, change: dict[str, Any]) -> None:
        # Other parts of a page have queries of their own.
        if "prompt" in parse_qs(change["new"].removeprefix("?"), keep_blank_values=True):
            self._open(change["new"])
