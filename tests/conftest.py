"""For all tests: several at once, and nothing of theirs among what the user keeps."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from explainer.runs import RunController

WORKER_BYTES = 3 * 2**30
"""What a worker may take with torch, a browser, a server and the kernels of two pages."""

# Torch's threads, in workers and in what they start: together as many as there are processors.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Shells have what they run in the background ignore Ctrl+C, and so would all that is started from
# here; some tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Return how many workers ``-n auto`` starts: one a processor, if the memory holds them."""
    ours = getattr(os, "sched_getaffinity", None)  # where the system lets a program have only some
    processors = len(ours(0)) if ours else os.cpu_count() or 1
    fit = psutil.virtual_memory().available // WORKER_BYTES
    return max(1, min(processors, fit))


@pytest.fixture(autouse=True, scope="session")
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sends what the package keeps, and its queue of runs, to folders of this worker."""
    temporary = str(tmp_path_factory.mktemp("temporary"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAINER_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("TMPDIR", temporary)
        patch.setattr(tempfile, "tempdir", temporary)
        yield


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small Stable Diffusion, which no test changes."""
    from tests import tiny  # and with it torch, which must find the setting above

    return tiny.save_folder(tmp_path_factory.mktemp("models") / "tiny-model")


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[RunController]:
    """A real controller on a tiny pipeline, which is one for all."""
    from explainer.cache import TraceCache
    from explainer.runs import RunController
    from explainer.turns import Turns
    from tests import tiny

    controller = RunController(
        tiny.shared, TraceCache(tmp_path / "cache"), turns=Turns(tmp_path / "turns")
    )
    yield controller
    controller.close()


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return Path(shutil.copytree(original, tmp_path / "tiny-model"))
