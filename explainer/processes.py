"""Work that other processes share in, and that ends when one of them is gone."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from explainer.containers import processors

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_Job = TypeVar("_Job")
_Done = TypeVar("_Done")


def as_many_as_fit() -> int:
    """Returns how many processes can compute at once: one for each processor that is ours."""
    return max(1, int(processors()))


@contextmanager
def shared_out(
    work: Callable[[_Job], _Done], jobs: Iterable[_Job], workers: int | None = None
) -> Iterator[Iterator[_Done]]:
    """Gives what is done of each job, in order; at the end of the block no more is begun.

    Args:
        work: A module's own function: the processes import it.
        jobs: What it is given, one after the other.
        workers: How many processes; `as_many_as_fit` by default.

    Raises:
        OSError: A process was ended from outside, as systems do when memory runs out.
    """
    # Spawned rather than forked: the caller may have torch's threads running. And no
    # multiprocessing.Pool, which waits for ever for what a process had begun when it was ended.
    executor = ProcessPoolExecutor(
        workers or as_many_as_fit(),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
    )
    try:
        with _single_threaded():
            done = executor.map(work, jobs)
        yield done
    except BrokenProcessPool as error:
        raise OSError(
            errno.ENOMEM, "a process was ended from outside, most likely for want of memory"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl+C to the caller, and end with him, however he ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_caller, daemon=True).start()


def _end_with_the_caller() -> None:
    caller = multiprocessing.parent_process()
    if caller is not None:
        caller.join()
        os._exit(1)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes that start meanwhile multiply in one thread each, as numpy reads on loading.

    With a thread for each processor in each of them they wait for one another: two processes on two
    processors then described 45 pictures a second instead of 400.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
