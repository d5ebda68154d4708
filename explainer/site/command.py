"""The command ``explainer export``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

_EPILOG = """\
Open the folder's index.html, or put the folder on any web host; docs/static-site.md tells how.
A prompt of one's own is drawn in the reader's browser if the site is opened from a web host.
"""


def add(commands: Any) -> None:
    """Add the command to argparse's commands."""
    parser = commands.add_parser(
        "export",
        help="write the pages as a site that needs no Python",
        description="Write the pages as a folder that any web host serves, and that opens from a "
        "disk too. What the pages show was recorded.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="where to write; new, empty or a former export")
    parser.add_argument("--notebooks", type=Path, metavar="FOLDER", help="export your own instead")
    parser.add_argument(
        "--repository",
        default="",
        metavar="URL",
        help="https://github.com/ORG/NAME, for links to live pages on Binder",
    )
    parser.add_argument(
        "--no-gallery", action="store_true", help="without the page of runs of the embedded model"
    )
    parser.add_argument(
        "--no-live", action="store_true", help="without drawing in the browser, and without npm"
    )
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    from explainer import site
    from explainer.site.writing import MOST_BYTES

    report = site.export(
        options.folder,
        notebooks=options.notebooks,
        repository=options.repository,
        gallery=not options.no_gallery,
        live=not options.no_live,
        progress=lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201
    )
    for name, size in report.pages.items():
        over = f", more than {MOST_BYTES / 1e6:g}" if size > MOST_BYTES else ""
        print(f"{name}: {size / 1e6:.2f} MB to fetch{over}")  # noqa: T201
    for note in report.notes:
        print(note)  # noqa: T201
    print(f"Open {report.folder / 'index.html'} in a browser.")  # noqa: T201
    return 0
