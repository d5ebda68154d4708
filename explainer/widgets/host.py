"""A page that shows widgets with no kernel and no network: one HTML file, opened from anywhere."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from explainer.widgets.base import Widget

_HOST = Path(__file__).with_name("host.js")

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

Link = tuple[tuple[int, str], tuple[int, str]]


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
    state = {"widgets": [_frozen(widget, i) for i, widget in enumerate(widgets)], "links": links}
    return _PAGE.format(
        title=html.escape(title),
        places="\n".join(f'<div id="widget-{i}"></div>' for i in range(len(widgets))),
        # A prompt may hold "</script>", which would end the element in the middle of its state.
        state=json.dumps(state).replace("<", "\\u003c"),
        host=_HOST.read_text(encoding="utf-8"),
    )


def _frozen(widget: Widget, place: int) -> dict[str, Any]:
    state = dict(widget.get_state())
    esm, css = state.pop("_esm"), state.pop("_css")
    buffers = {
        name: base64.b64encode(state.pop(name)).decode("ascii")
        for name in list(state)
        if isinstance(state[name], bytes | memoryview)
    }
    plain = {
        name: value for name, value in state.items() if not name.startswith(("_view", "_model"))
    }
    return {"esm": esm, "css": css, "state": plain, "buffers": buffers, "at": f"#widget-{place}"}
