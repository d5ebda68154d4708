"""The look that all pages share, whoever serves them: style sheet, letters, frame and tour."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

FOLDER = Path(__file__).parent / "voila" / "templates" / "explainer"
"""Voilà looks for its template here; what an exported page shares with it lies beside."""
STATIC = FOLDER / "static"
PAPER, INK, SOFT = "#fffdf8", "#2a2521", "#6a5f55"
"""What is drawn outside of a browser has the colours of the widgets by day: see base.css."""
FOR_VOILA = frozenset({"voila.css", "waking.js", "kernel.js"})


def head(assets: str = "assets") -> str:
    """Return the element of a page's ``<head>`` that gives it the look.

    Args:
        assets: Where `copy_assets` put the files, as seen from the page.
    """
    return f'<link rel="stylesheet" href="{assets}/look.css">'


def frame(suffix: str = ".html") -> str:
    """Return what stands before a page's ``<main id="page" class="page">``: pages and pipeline.

    Args:
        suffix: What the links to the pages end with, in place of ``.ipynb``.
    """
    text = (FOLDER / "frame.html").read_text("utf-8")
    return re.sub(r'(href="\w+)\.ipynb', rf"\1{suffix}", text)


def foot(assets: str = "assets") -> str:
    """Return the scripts that a page ends with; they need `frame` and ``<main class="page">``."""
    return "\n".join(
        f'<script defer src="{assets}/{name}.js"></script>' for name in ("frame", "tour")
    )


def copy_assets(folder: Path) -> list[Path]:
    """Copy the style sheet, the scripts and the letters with their licences; return the files.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ignore = shutil.ignore_patterns(*FOR_VOILA)
    shutil.copytree(STATIC, folder, ignore=ignore, dirs_exist_ok=True)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def page_names() -> list[str]:
    """Return the names of the pages in their order, without suffix."""
    text = (FOLDER / "frame.html").read_text("utf-8")
    pages = text.split('class="frame-list"', 1)[1].split("</ol>", 1)[0]
    return re.findall(r'href="(\w+)\.ipynb"', pages)
