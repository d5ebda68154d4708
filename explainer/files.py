"""Files that appear whole or not at all, however many processes write them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

UNFINISHED = ".part"
"""How the name of a file ends that somebody writes, or left when a process died."""


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file beside a path for the block; ended well, it takes the path's place.

    Args:
        path: Where to; its folder is made if it is not there.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}{UNFINISHED}")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
