"""The trace file: a run recorded elsewhere, opened in the page."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import traitlets as t

from explainer.limits import Limits
from explainer.trace import MAX_FILE_BYTES, Trace, TraceError
from explainer.widgets.base import Widget

PART_BYTES = 2**20
"""A file travels in parts: servers refuse single messages of more than some megabytes."""


class TraceFile(Widget, scripts=("trace_file",)):
    """Open a trace: chosen in the browser, dropped onto the page, or named by its path.

    A path means a file on the computer that runs the page's Python, which is the better way for
    large ones. Whatever is wrong with a file, the run on show stays.

    Args:
        shelf: Files to offer by their titles.

    Attributes:
        trace: The run that was opened last, or None.
        name: The name of its file.
    """

    trace = t.Any(None, allow_none=True, help="The run that was opened last.")
    name = t.Unicode("", help="The name of its file.").tag(sync=True)
    _titles = t.List(t.Unicode()).tag(sync=True)
    _received = t.Int(0).tag(sync=True)
    _limits = t.Dict({"part": PART_BYTES, "file": MAX_FILE_BYTES}).tag(sync=True)
    _coming: tuple[str, int] | None = None

    def __init__(self, shelf: Mapping[str, Path] | None = None) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._most = Limits.from_environment().upload_bytes or MAX_FILE_BYTES
        self._limits = {"part": PART_BYTES, "file": self._most}
        self._shelf = dict(shelf or {})
        self._titles = list(self._shelf)
        self.on_msg(self._on_message)

    def open_file(self, path: str | Path) -> Trace:
        """Open a file on this computer.

        Raises:
            TraceError: It is no trace; the message says why.
        """
        path = Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own fails on ~nobody
        self._show(Trace.load(path), path.name)
        return self.trace

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        if self.trace is None:
            return "no trace file opened yet"
        return f"{self.name}: “{self.trace.prompt}”, {self.trace.calls} steps of {self.trace.model}"

    def _show(self, trace: Trace, name: str) -> None:
        model = trace.model or "a model without a name"
        self.notify(f"{name}: “{trace.prompt}”, {trace.calls} steps of {model}.")
        self.name, self.trace = name, trace

    def _on_message(self, _widget: Any, content: Any, buffers: Any) -> None:
        kind = content.get("type")
        try:
            if kind == "shelf" and content.get("title") in self._shelf:
                self.open_file(self._shelf[content["title"]])
            elif kind == "open":
                self._open_named(str(content.get("path", "")))
            elif kind == "begin":
                self._begin(str(content.get("name", "")), content.get("size"))
            elif kind == "part" and buffers:
                self._take(bytes(buffers[0]))
        except TraceError as error:
            self._forget()
            self.notify(str(error), error=True)
        except Exception:
            # It was read, but something that is to show it failed: the reader must not wait on.
            self._forget()
            self.notify("The file was read, but cannot be shown. Choose another.", error=True)
            raise

    def _open_named(self, path: str) -> None:
        if Limits.from_environment().models is not None:
            raise TraceError("This server opens no files of its own. Choose one of yours.")
        if not path.strip():
            raise TraceError("Write the path of a .trace file, or choose one.")
        self.open_file(path.strip())

    def _begin(self, name: str, size: Any) -> None:
        if not isinstance(size, int) or not 0 < size <= self._most:
            raise TraceError(
                f"{name}: traces have from 1 byte to {self._most // 2**20} MB. Choose another."
            )
        self._forget()
        self.notify("")
        self._coming = name, size

    def _take(self, part: bytes) -> None:
        """Keep a part; with the last one the file is read."""
        if self._coming is None:
            return
        name, size = self._coming
        self._parts.append(part)
        received = sum(map(len, self._parts))
        if received > size:
            raise TraceError(f"{name}: more came than its {size} bytes. Choose it again.")
        if received == size:
            data = b"".join(self._parts)
            self._forget()
            self._show(_read(name, data), name)
        self._received = received

    def _forget(self) -> None:
        self._coming, self._parts = None, []
        self._received = 0


def _read(name: str, data: bytes) -> Trace:
    """Read a trace from memory, by way of a file that only this user can see."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrived.trace"
        try:
            path.write_bytes(data)
        except OSError as error:
            raise TraceError(
                f"{name} cannot be kept while it is read: {error.strerror}."
            ) from error
        try:
            return Trace.load(path)
        except TraceError as error:
            raise TraceError(str(error).replace(str(path), name)) from error
