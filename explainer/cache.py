"""Finished runs on disk, found again by what drew them and the run's parameters."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from explainer.files import UNFINISHED
from explainer.trace import VERSION, Trace, TraceError

if TYPE_CHECKING:
    from explainer.parameters import RunParameters

SUFFIX = ".trace"
FOLDER_VARIABLE = "EXPLAINER_CACHE"
ABANDONED_AFTER = timedelta(hours=1)
"""An unfinished file older than this was left by a process that died."""


class TraceCache:
    """A folder of recorded runs that several kernels may use at once.

    A run's file is named by the SHA-256 of the model's fingerprint, which tells its scheduler too
    (`explainer.models.run_fingerprint`), and the run's parameters, so that whoever asks for the
    same run gets the same file. Files appear whole or not at all.

    Args:
        folder: Where to keep the runs; the folder that the environment names in EXPLAINER_CACHE if
            not given, else the user's cache folder. It is made when the first run is kept.
        limit_bytes: What all runs may take together; the least recently used go first.
        max_age: How long a run is kept after it was last used; thirty days if not given.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        limit_bytes: int = 512 * 2**20,
        max_age: timedelta | None = None,
    ) -> None:
        self.folder = folder or _usual_folder()
        self.limit_bytes = limit_bytes
        self.max_age = max_age or timedelta(days=30)

    def path(self, fingerprint: str, parameters: RunParameters) -> Path:
        """Return where this run of the model with this fingerprint is kept, if it is."""
        # The format is part of the name, so that two releases can share the folder.
        key = {"format": VERSION, "model": fingerprint} | asdict(parameters)
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{digest}{SUFFIX}"

    def get(self, fingerprint: str, parameters: RunParameters) -> Trace | None:
        """Return the recorded run, or None if it is not here, too old or damaged.

        A damaged file is removed; one that only cannot be read at the moment stays.
        """
        path = self.path(fingerprint, parameters)
        try:
            if self._is_too_old(path.stat()):
                return None
            trace = Trace.load(path)
            os.utime(path)  # the time of change serves as the time of last use
        except TraceError as error:
            if not isinstance(error.__cause__, OSError):
                _remove(path)
            return None
        except OSError:
            return None
        return trace

    def put(self, fingerprint: str, parameters: RunParameters, trace: Trace) -> None:
        """Keep a finished run, then remove what is over the limits.

        Raises:
            TraceError: The run could not be written, because the disk is full for instance.
                Nothing of it is left behind, and what was there before stays.
        """
        trace.save(self.path(fingerprint, parameters))
        with suppress(OSError):  # the run is kept; the next one tidies up
            self.prune()

    def prune(self) -> None:
        """Remove runs that are too old, then the least recently used ones over the limit."""
        for path, status in self._files(UNFINISHED):
            if _age(status) > ABANDONED_AFTER:
                _remove(path)
        room = self.limit_bytes
        latest_first = sorted(self._files(SUFFIX), key=lambda file: file[1].st_mtime, reverse=True)
        for path, status in latest_first:
            room -= status.st_size
            if room < 0 or self._is_too_old(status):
                _remove(path)

    def _files(self, suffix: str) -> list[tuple[Path, os.stat_result]]:
        found = []
        for path in self.folder.iterdir():
            if path.name.endswith(suffix):
                with suppress(FileNotFoundError):  # another kernel may have pruned it just now
                    found.append((path, path.stat()))
        return found

    def _is_too_old(self, status: os.stat_result) -> bool:
        return _age(status) > self.max_age


def _usual_folder() -> Path:
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else user_cache_path("storybook-explainer") / "runs"


def _age(status: os.stat_result) -> timedelta:
    return timedelta(seconds=time.time() - status.st_mtime)


def _remove(path: Path) -> None:
    """Remove a file if that can be done; a file that stays does no more than take room."""
    with suppress(OSError):
        path.unlink()
