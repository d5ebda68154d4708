"""The one base of every widget: how its script is put together and how frames travel.

An anywidget's front end is one module text and one style sheet. Each widget keeps its own
`.js` and `.css` beside its Python module; they are joined behind `base.js` and `base.css` when
the class is created, so that nothing is imported at run time and a page works offline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import anywidget
import traitlets as t

_HERE = Path(__file__).parent


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _scripts(names: Sequence[str]) -> str:
    return "\n".join((_HERE / f"{name}.js").read_text(encoding="utf-8") for name in names)


def _styles(names: Sequence[str]) -> str:
    """The style sheets; a script that adds nothing to see has none."""
    paths = (_HERE / f"{name}.css" for name in names)
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.is_file())


def pack_frames(sequences: Mapping[str, Sequence[bytes]]) -> tuple[bytes, dict[str, list[int]]]:
    """Join encoded pictures into one run of bytes.

    Args:
        sequences: Encoded pictures (WebP) by the name of their sequence.

    Returns:
        The joined bytes and, for a sequence of n pictures, n + 1 offsets into them: picture `i` is
        `data[offsets[i]:offsets[i + 1]]`.
    """
    index: dict[str, list[int]] = {}
    start = 0
    for name, pictures in sequences.items():
        index[name] = list(accumulate((len(picture) for picture in pictures), initial=start))
        start = index[name][-1]
    return b"".join(picture for pictures in sequences.values() for picture in pictures), index


class Widget(anywidget.AnyWidget):
    """A widget with the project's look, its frames, a notice area and a text alternative.

    `ready` is False as long as there is nothing to show yet: until then the widget is not seen.

    A subclass names its scripts: `class Player(Widget, scripts=("player",))` reads `player.js`
    and, where there is one, `player.css`. The last script must define an object of that name
    (`token_row` becomes `tokenRow`) with `mount(view)` and, where something runs once for all
    views, `start(model, signal)`. A subclass without `scripts` keeps its parent's front end.
    """

    ready = t.Bool(True, help="Whether there is something to show.").tag(sync=True)
    _frames = t.Bytes(b"").tag(sync=True)
    _frame_index = t.Dict().tag(sync=True)
    _notice = t.Dict().tag(sync=True)

    def __init_subclass__(cls, scripts: tuple[str, ...] = (), **kwargs: Any) -> None:
        """Join the scripts and styles into the one text of each that anywidget sends."""
        if scripts:
            export = f"\nexport default asWidget({_camel(scripts[-1])});\n"
            cls._esm = _scripts(("base", *scripts)) + export
            cls._css = _styles(("base", *scripts))
        super().__init_subclass__(**kwargs)

    @property
    def notice(self) -> str:
        """What the notice area says; empty where it is closed."""
        return str(self._notice.get("text", ""))

    def notify(self, text: str, *, error: bool = False) -> None:
        """Show a line below the widget, read out by screen readers; an empty text closes it."""
        self._notice = {"kind": "error" if error else "info", "text": text} if text else {}

    def describe(self) -> str:
        """Say in a sentence what the widget shows now."""
        return type(self).__name__

    def __repr__(self) -> str:
        """Return the text alternative, which is all that a page without scripts shows."""
        return f"<{type(self).__name__}: {self.describe()}>"
