"""Saving: what every widget shares that shows a run which the reader may take away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer import sharing
from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from explainer.trace import Trace

OnStep = Callable[[int, int], None]

_FILES: dict[str, tuple[str, str, Callable[[Trace, OnStep], bytes]]] = {
    "picture": (".png", "image/png", lambda trace, _: sharing.still(trace)),
    "webp": (".webp", "image/webp", lambda trace, tell: sharing.animation(trace, "WEBP", tell)),
    "gif": (".gif", "image/gif", lambda trace, tell: sharing.animation(trace, "GIF", tell)),
    "trace": (".trace", "application/octet-stream", lambda trace, _: trace.to_bytes()),
}


class _StoppedError(Exception):
    """The reader does not want the file any more."""


class Saving(Widget):
    """A widget whose run can be saved as a picture, an animation or a file, and sent as a link.

    A file is made when the reader asks for it, in a thread of its own so that the page goes on
    answering, and handed to the browser, which saves it. Another wish, "stop saving" and the
    widget's end stop it. A subclass calls `_offer` with the run on show.
    """

    _link = t.Unicode("", help="Query of a link to the run on show.").tag(sync=True)
    _offered: Trace | None = None

    def __init__(self) -> None:
        super().__init__()
        self._stopped = threading.Event()
        self.on_msg(self._save)

    def close(self) -> None:
        """Close the widget; a file that is being made is given up."""
        self._stopped.set()
        super().close()

    def _offer(self, trace: Trace | None) -> None:
        """Say which run can be taken away."""
        self._offered = trace
        self._link = sharing.query(trace) if trace is not None else ""

    def _save(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("type") == "stop saving":
            self._stopped.set()
        if content.get("type") != "save" or self._offered is None:
            return
        if content.get("kind") not in _FILES:
            return
        self._stopped.set()
        self._stopped = threading.Event()
        wish = (self._offered, content["kind"], self._stopped)
        threading.Thread(target=self._make, args=wish, name="saving", daemon=True).start()

    def _make(self, trace: Trace, kind: str, stopped: threading.Event) -> None:
        """Make a file and hand it over, unless it is stopped in the meantime."""
        suffix, mime, make = _FILES[kind]

        def tell(step: int, total: int) -> None:
            if stopped.is_set():
                raise _StoppedError
            self.send({"type": "making", "step": step, "total": total})

        try:
            data = make(trace, tell)
        except _StoppedError:
            return
        except (ValueError, OSError) as error:
            self.send({"type": "unsaved", "text": str(error)})
            return
        if not stopped.is_set():
            name = sharing.file_name(trace, suffix)
            self.send({"type": "file", "name": name, "mime": mime}, [data])
