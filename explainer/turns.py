"""Turns at the machine's processor: a queue of processes, held by lock files."""

from __future__ import annotations

import getpass
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from explainer.containers import processors

POLL_SECONDS = 0.1
TICKET = ".ticket"


class Turns:
    """Lets a few runs at a time compute, whichever process they are in, first come first served.

    Every page is a process of its own, so that the limit must stand outside all of them. Who waits
    holds a lock on a ticket of his own, a file named by the time; who computes holds a lock on one
    of the slots as well. The slots keep the limit, the tickets the order. The system frees the
    locks of a process that dies, so that nobody waits for it.

    Args:
        folder: Where the lock files are; a folder of this user on this machine if not given.
        limit: How many compute at once; one for every four processors if not given, since a single
            run keeps several busy.
    """

    def __init__(self, folder: Path | None = None, *, limit: int | None = None) -> None:
        # The temporary folder is this machine's own; a home folder may be shared by several.
        own = Path(tempfile.gettempdir()) / f"storybook-explainer-{_user()}"
        self.folder = folder or own
        self.limit = limit or max(1, int(processors() // 4))

    @contextmanager
    def take(
        self, *, cancelled: Callable[[], bool], on_place: Callable[[int], None]
    ) -> Iterator[bool]:
        """Wait for a turn and hold it for the length of the ``with`` block.

        Args:
            cancelled: Asked several times a second; true ends the waiting.
            on_place: Told how many others must finish first, whenever that changes.

        Yields:
            Whether it is our turn; false after a cancel.

        Raises:
            OSError: The lock files cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{os.getpid()}-{threading.get_ident()}{TICKET}"
        with FileLock(self.folder / name) as ticket:
            try:
                slot = self._wait(name, cancelled, on_place)
                try:
                    yield slot is not None
                finally:
                    if slot is not None:
                        slot.release()
            finally:
                _remove(Path(ticket.lock_file))

    def _wait(
        self, name: str, cancelled: Callable[[], bool], on_place: Callable[[int], None]
    ) -> FileLock | None:
        told = None
        while not cancelled():
            place = max(0, self._waiting_before(name) - self.limit + 1)
            slot = self._free_slot() if place == 0 else None
            if slot is not None:
                return slot
            if place != told:
                told = place
                on_place(place)
            time.sleep(POLL_SECONDS)
        return None

    def _waiting_before(self, name: str) -> int:
        earlier = [p for p in self.folder.glob(f"*{TICKET}") if p.name < name]
        return sum(not self._remove_if_abandoned(path) for path in earlier)

    @staticmethod
    def _remove_if_abandoned(path: Path) -> bool:
        lock = FileLock(path, blocking=False)
        try:
            with lock:
                _remove(path)
        except Timeout:
            return False
        return True

    def _free_slot(self) -> FileLock | None:
        for number in range(self.limit):
            slot = FileLock(self.folder / f"slot-{number}.lock", blocking=False)
            try:
                slot.acquire()
            except Timeout:
                continue
            return slot
        return None


def _user() -> str:
    """Who this is: by number, since a container's user may have no name."""
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()


def _remove(ticket: Path) -> None:
    """Remove a ticket whose lock is held; where an open file stays (Windows), its release does."""
    with suppress(OSError):
        ticket.unlink()
