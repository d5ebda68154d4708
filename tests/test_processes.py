"""Work that other processes share in."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from explainer.processes import shared_out

SECONDS = 60
ENDLESS = """
from explainer.processes import shared_out
from tests.test_processes import rest
if __name__ == "__main__":
    with shared_out(rest, [600.0] * 3, 2) as done:
        print("begun", flush=True)
        list(done)
"""


def rest(seconds):
    time.sleep(seconds)
    return seconds


def meet_another(folder):
    """Wait for the other process that does the same."""
    (folder / str(os.getpid())).touch()
    began = time.monotonic()
    while len(list(folder.iterdir())) < 2 and time.monotonic() - began < SECONDS:
        time.sleep(0.01)
    return os.getpid()


def end(number):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def threads(_):
    return os.environ["OMP_NUM_THREADS"]


def leave_a_mark(job):
    folder, number = job
    (folder / str(number)).touch()
    time.sleep(0.2)


def test_what_is_done_comes_in_order_from_several_processes(tmp_path):
    with shared_out(rest, [0.3, 0.0, 0.1, 0.0], 2) as done:
        assert list(done) == [0.3, 0.0, 0.1, 0.0]
    with shared_out(meet_another, [tmp_path] * 2, 2) as done:
        assert len(set(done) - {os.getpid()}) == 2


def test_each_process_multiplies_in_one_thread_and_the_caller_as_before(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with shared_out(threads, range(2), 2) as done:
        assert list(done) == ["1", "1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_process_that_is_ended_from_outside_is_told_and_nobody_waits_for_it():
    began = time.monotonic()
    with pytest.raises(OSError, match="ended from outside"), shared_out(end, range(9), 2) as done:
        list(done)
    assert time.monotonic() - began < SECONDS


def test_nothing_is_begun_after_the_block(tmp_path):
    with shared_out(leave_a_mark, [(tmp_path, number) for number in range(100)], 2) as done:
        next(done)
    begun = len(list(tmp_path.iterdir()))
    assert 1 <= begun < 20
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) == begun


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_processes_end_with_who_started_them(how, tmp_path):
    (tmp_path / "endless.py").write_text(ENDLESS)
    root = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "endless.py")],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": root},
    ) as caller:
        assert caller.stdout.readline() == b"begun\n"
        children = psutil.Process(caller.pid).children(recursive=True)
        assert len(children) >= 2
        time.sleep(1)
        caller.send_signal(how)
        caller.wait(SECONDS)
    _, alive = psutil.wait_procs(children, SECONDS)
    assert not alive
