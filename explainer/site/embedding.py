"""One widget, for somebody else's page."""

from __future__ import annotations

import html
import uuid
from typing import TYPE_CHECKING

from explainer.widgets.host import HOST, Bundle

if TYPE_CHECKING:
    from explainer.widgets.base import Widget

_PIECE = """<div id="{place}" role="figure" aria-label="{words}"></div>
<script type="application/json" id="{place}-state">{state}</script>
<script type="module">
{host}
await showPage(JSON.parse(document.getElementById("{place}-state").textContent));
</script>
"""


def embed(widget: Widget) -> str:
    """Write a widget as a piece of HTML that can be pasted into any page.

    It works as it stands now, without a kernel, asks for nothing else, and follows the page's light
    or dark theme where `<html data-theme="dark">` or the reader's system names one. Several pieces
    may stand on one page. What only a kernel can do says so.

    Args:
        widget: Any widget of explainer.widgets.

    Returns:
        An element and two scripts, one of data and one module; for places that allow no scripts,
        put it into a file of its own and show that in an `<iframe>`.
    """
    place = f"explainer-{uuid.uuid4().hex[:12]}"
    bundle = Bundle()
    bundle.add(widget.get_state(), [f"#{place}"])
    return _PIECE.format(
        place=place,
        words=html.escape(widget.describe()),
        state=bundle.json(),
        host=HOST.read_text(encoding="utf-8"),
    )
