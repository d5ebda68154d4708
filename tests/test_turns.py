"""Turns at the processor, among threads and among processes."""

import subprocess
import sys
import threading
from functools import partial

import pytest

from explainer import turns as turns_module
from explainer.turns import Turns

SECONDS = 60


def ignore(_place):
    pass


def never():
    return False


@pytest.fixture
def turns(tmp_path):
    return Turns(tmp_path, limit=1)


HOLD = """
import sys
from pathlib import Path
from explainer.turns import Turns

turns = Turns(Path(sys.argv[1]), limit=1)
with turns.take(cancelled=lambda: False, on_place=lambda place: None):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that keeps its turn until its standard input is closed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"mine\n"
        yield process


def test_a_free_machine_gives_a_turn_at_once(turns):
    places = []
    with turns.take(cancelled=never, on_place=places.append) as mine:
        assert mine
    assert places == []


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such modes there")
def test_the_lock_files_are_this_users_alone(tmp_path):
    turns = Turns(tmp_path / "turns", limit=1)
    with turns.take(cancelled=never, on_place=ignore):
        assert turns.folder.stat().st_mode & 0o777 == 0o700


def test_a_turn_leaves_no_ticket(turns, tmp_path):
    with turns.take(cancelled=never, on_place=ignore):
        assert list(tmp_path.glob("*.ticket"))
    assert not list(tmp_path.glob("*.ticket"))


def test_another_process_is_waited_for(turns, holder):
    def let_it_leave(place):
        assert place == 1
        holder.stdin.close()

    with turns.take(cancelled=never, on_place=let_it_leave) as mine:
        assert mine
        assert holder.stdin.closed


def test_waiting_can_be_cancelled(turns, holder):
    cancelled = threading.Event()
    with turns.take(cancelled=cancelled.is_set, on_place=lambda _: cancelled.set()) as mine:
        assert not mine


def test_nobody_waits_for_a_process_that_died(turns, holder, tmp_path):
    holder.kill()
    holder.wait()
    assert list(tmp_path.glob("*.ticket")), "the dead process cannot have tidied up"
    with turns.take(cancelled=never, on_place=ignore) as mine:
        assert mine
    assert not list(tmp_path.glob("*.ticket"))


def test_who_came_first_goes_first(turns):
    order, places = [], [[], [], []]
    told = threading.Condition()

    def on_place(number, place):
        with told:
            places[number].append(place)
            told.notify_all()

    def wait_until_told(*wanted):
        """Wait until each of those who wait knows his place."""
        with told:
            assert told.wait_for(lambda: [one[-1:] for one in places] == [*wanted], SECONDS)

    def queue(number):
        with turns.take(cancelled=never, on_place=partial(on_place, number)):
            order.append(number)
            wait_until_told([1], *([max(1, one - number)] for one in (1, 2)))

    threads = [threading.Thread(target=queue, args=(number,)) for number in range(3)]
    with turns.take(cancelled=never, on_place=ignore):
        for number, thread in enumerate(threads):
            thread.start()
            wait_until_told(*([one + 1] if one <= number else [] for one in range(3)))
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2]
    assert places == [[1], [2, 1], [3, 2, 1]]


@pytest.mark.parametrize(("processors", "limit"), [(0.5, 1), (7.9, 1), (8, 2)])
def test_one_runs_for_every_four_processors_that_are_ours(monkeypatch, processors, limit):
    monkeypatch.setattr(turns_module, "processors", lambda: processors)
    assert Turns().limit == limit


def test_as_many_run_together_as_the_limit_allows(tmp_path):
    turns = Turns(tmp_path, limit=2)
    at_once = threading.Barrier(2, timeout=10)

    def run():
        with turns.take(cancelled=never, on_place=ignore):
            at_once.wait()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not at_once.broken


def test_a_user_without_a_name_has_a_queue_too(monkeypatch):
    def nameless(*_args):
        raise KeyError("getpwuid(): uid not found")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nameless)
    assert Turns().folder == Turns().folder
