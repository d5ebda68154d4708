"""Saving: what every widget shares that shows a run which the reader may take away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer import sharing
from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from explainer.trace import Trace

_FILES: dict[str, tuple[str, str, Callable[[Trace], bytes]]] = {
    "picture": (".png", "image/png", sharing.still),
    "webp": (".webp", "image/webp", lambda trace: sharing.animation(trace, "WEBP")),
    "gif": (".gif", "image/gif", lambda trace: sharing.animation(trace, "GIF")),
    "trace": (".trace", "application/octet-stream", lambda trace: trace.to_bytes()),
}


class Saving(Widget):
    """A widget whose run can be saved as a picture, an animation or a file, and sent as a link.

    A file is made when the reader asks for it, and handed to the browser, which saves it. A
    subclass calls `_offer` with the run on show.
    """

    _link = t.Unicode("", help="Query of a link to the run on show.").tag(sync=True)
    _offered: Trace | None = None

    def __init__(self) -> None:
        super().__init__()
        self.on_msg(self._save)

    def _offer(self, trace: Trace | None) -> None:
        """Say which run can be taken away."""
        self._offered = trace
        self._link = sharing.query(trace) if trace is not None else ""

    def _save(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("type") != "save" or self._offered is None:
            return
        if content.get("kind") not in _FILES:
            return
        suffix, mime, make = _FILES[content["kind"]]
        try:
            data = make(self._offered)
        except (ValueError, OSError) as error:
            self.send({"type": "unsaved", "text": str(error)})
            return
        name = sharing.file_name(self._offered, suffix)
        self.send({"type": "file", "name": name, "mime": mime}, [data])
