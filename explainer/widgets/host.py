"""Widgets with no kernel and no network: their state in a page, and a script that stands in."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from explainer.widgets.base import Widget

HOST = Path(__file__).with_name("host.js")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 60rem; margin: 0 auto; padding: 0.75rem;
  background: light-dark(#f4eee2, #110f20); }}
</style>
</head>
<body>
{places}
<script type="application/json" id="state">{state}</script>
<script type="module">
{host}
window.models = await showPage(JSON.parse(document.getElementById("state").textContent));
document.documentElement.dataset.ready = "yes";
</script>
</body>
</html>
"""

Link = tuple[tuple[int, str], tuple[int, str]] | tuple[tuple[int, str], tuple[int, str], bool]
"""Two traits held equal: (widget, trait) twice, and False where the second only follows."""


def static_page(widgets: Sequence[Widget], *, links: Sequence[Link] = (), title: str = "") -> str:
    """Write a page on which widgets work without a kernel, as they stand now.

    Args:
        widgets: The widgets, from top to bottom.
        links: Traits held equal in the browser, each `((widget, trait), (widget, trait))` with a
            widget's place in `widgets`, as `ipywidgets.jslink` does with a kernel.
        title: The page's title; plain text.

    Returns:
        The HTML of a page that asks for nothing else, not even a file beside it.
    """
    bundle = Bundle()
    for i, widget in enumerate(widgets):
        bundle.add(widget.get_state(), [f"#widget-{i}"])
    bundle.links.extend(links)
    return _PAGE.format(
        title=html.escape(title),
        places="\n".join(f'<div id="widget-{i}"></div>' for i in range(len(widgets))),
        state=bundle.json(),
        host=HOST.read_text(encoding="utf-8"),
    )


class Bundle:
    """What `host.js` shows: the states of widgets, with whatever they share kept once.

    Attributes:
        links: Traits held equal in the browser; widgets are named by what `add` returned.
    """

    def __init__(self) -> None:
        self.links: list[Link] = []
        self._widgets: list[dict[str, Any]] = []
        self._modules: dict[tuple[str, str], int] = {}
        self._buffers: dict[str, int] = {}
        self._apart: dict[str, str] = {}

    def add(self, state: Mapping[str, Any], places: Sequence[str]) -> int:
        """Take a widget in.

        Args:
            state: Its synchronised traits, `_esm` and `_css` among them; buffers are bytes.
            places: CSS selectors of the elements that it is shown in.

        Returns:
            Its number.
        """
        module = (str(state["_esm"]), str(state.get("_css", "")))
        plain: dict[str, Any] = {}
        buffers: dict[str, int] = {}
        for name, value in state.items():
            if isinstance(value, bytes | memoryview):
                buffers[name] = self._number_of(bytes(value))
            elif name not in {"_esm", "_css"} and not name.startswith(("_view", "_model")):
                plain[name] = value
        self._widgets.append(
            {
                "module": self._modules.setdefault(module, len(self._modules)),
                "state": plain,
                "buffers": buffers,
                "at": list(places),
            }
        )
        return len(self._widgets) - 1

    def set_apart(self, least: int, write: Callable[[str], str]) -> None:
        """Have large buffers fetched only when the reader comes near them.

        Args:
            least: Buffers of so many letters in base64, or more.
            write: Given such a buffer in base64; puts it where the page can fetch it, in a script
                that calls `explainerData` with it, and returns that script's address.
        """
        for text in self._buffers:
            if len(text) >= least and text not in self._apart:
                self._apart[text] = write(text)

    def json(self) -> str:
        """Return all of it as JSON that can stand inside a script element."""
        buffers = [
            {"at": self._apart[text]} if text in self._apart else text for text in self._buffers
        ]
        modules = [{"esm": esm, "css": css} for esm, css in self._modules]
        return script_json(
            {
                "modules": modules,
                "buffers": buffers,
                "widgets": self._widgets,
                "links": self.links,
            }
        )

    def _number_of(self, data: bytes) -> int:
        text = base64.b64encode(data).decode("ascii")
        return self._buffers.setdefault(text, len(self._buffers))


def script_json(value: Any) -> str:
    """Return JSON that can stand inside a script element.

    A prompt may hold "</script>", which would end the element in the middle of its data.
    """
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
