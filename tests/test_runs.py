"""The run controller with real threads and a real, tiny pipeline."""

import errno
import gc
import os
import subprocess
import sys
import threading
import weakref
from dataclasses import replace

import diffusers
import pytest

import explainer
from explainer import models, widgets
from explainer.cache import TraceCache
from explainer.limits import Limits
from explainer.runs import RunController, RunParameters
from explainer.turns import Turns
from tests import tiny

FOX = RunParameters(prompt="a fox sleeps on the beach", seed=3, steps=4)
LONG = RunParameters(prompt="a fox sleeps on the beach", seed=3, steps=100)
SECONDS = 60


@pytest.fixture(scope="module")
def pipe():
    return tiny.stable_diffusion()


@pytest.fixture
def cache(tmp_path):
    return TraceCache(tmp_path / "runs")


@pytest.fixture
def turns(tmp_path):
    return Turns(tmp_path / "turns", limit=1)


@pytest.fixture
def make(pipe, cache, turns):
    """Make controllers that are closed after the test."""
    made = []

    def make(load_pipe=lambda: pipe, **options):
        made.append(RunController(load_pipe, cache, turns=turns, **options))
        return made[-1]

    yield make
    for controller in made:
        controller.close()


@pytest.fixture
def controller(make):
    return make()


@pytest.fixture
def someone_else(turns):
    """Another reader's run, which takes the machine until the event is set."""
    taken, leave = threading.Event(), threading.Event()

    def run():
        with turns.take(cancelled=leave.is_set, on_place=lambda _: None):
            taken.set()
            leave.wait(SECONDS)

    thread = threading.Thread(target=run)
    thread.start()
    assert taken.wait(SECONDS)
    yield leave
    leave.set()
    thread.join()


def finished(run):
    assert run.wait(SECONDS)
    return run


def watch(run):
    """Collect what an observer sees; return the list."""
    seen = []
    run.observe(lambda run: seen.append((run.state, run.place, run.step)))
    return seen


def stop_at(run, step):
    run.observe(lambda run: run.cancel() if run.step == step else None)


def test_a_run_leaves_what_recording_leaves(controller, pipe):
    run = finished(controller.submit(FOX))
    direct = explainer.record(pipe, FOX.prompt, seed=3, steps=4, guidance_scale=FOX.guidance_scale)
    assert (run.state, run.error, run.notice) == ("done", "", "")
    assert run.trace.picture == direct.picture
    assert run.trace.latents.tobytes() == direct.latents.tobytes()


def test_progress_is_told_step_by_step_with_pictures(controller, someone_else):
    run = controller.submit(FOX)
    previews = []
    run.observe(lambda run: previews.append(run.preview))
    seen = watch(run)
    someone_else.set()
    finished(run)
    assert [step for state, _, step in seen if state == "running"] == [0, 1, 2, 3, 4]
    assert seen[-1] == ("done", 0, 4)
    assert all(preview[8:12] == b"WEBP" for preview in previews[-4:])


def test_an_observer_that_comes_late_is_told_the_end(controller):
    assert watch(finished(controller.submit(FOX))) == [("done", 0, 4)]


def test_a_run_that_computes_too_long_ends_and_the_next_one_is_drawn(make):
    controller = make(limits=Limits(seconds=0.2))
    run = finished(controller.submit(LONG))
    assert run.state == "failed"
    assert "gives a run 0.2 seconds" in run.error
    assert run.step < LONG.steps
    task = finished(controller.ask(lambda _pipe, _task: "done", total=1))
    assert task.result == "done"


def test_twenty_clicks_are_one_run_in_the_queue(controller, someone_else):
    runs = [controller.submit(FOX) for _ in range(20)]
    assert [run.state for run in runs[:-1]] == ["cancelled"] * 19
    assert runs[-1].place <= 1
    someone_else.set()
    assert finished(runs[-1]).state == "done"


def test_time_in_the_queue_does_not_count(make, someone_else):
    controller = make(limits=Limits(seconds=30))
    run = controller.submit(FOX)
    assert not run.wait(0.3)
    assert run.state == "queued"
    someone_else.set()
    assert finished(run).state == "done"


def test_a_run_over_the_limit_is_refused_before_it_is_asked_for(make):
    controller = make(limits=Limits(steps=50))
    with pytest.raises(explainer.runs.ParameterError, match="at most 50 steps"):
        controller.submit(LONG)
    assert finished(controller.submit(FOX)).state == "done"


def test_a_run_made_before_is_not_made_again(make, pipe):
    first = finished(make().submit(FOX))
    again = make(pytest.fail, fingerprint=models.run_fingerprint(pipe)).submit(FOX)
    assert again.state == "done"
    assert again.trace.picture == first.trace.picture


def test_a_run_made_before_costs_no_torch(controller, pipe, cache):
    finished(controller.submit(FOX))
    program = """
import sys
from pathlib import Path
from explainer.cache import TraceCache
from explainer.runs import RunController, RunParameters

controller = RunController(sys.exit, TraceCache(Path(sys.argv[1])), fingerprint=sys.argv[2])
run = controller.submit(RunParameters.from_query(sys.argv[3]))
print(run.state, *{"torch", "diffusers", "transformers"} & sys.modules.keys())
"""
    arguments = [str(cache.folder), models.run_fingerprint(pipe), FOX.to_query()]
    command = [sys.executable, "-c", program, *arguments]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert answer.stdout.split() == ["done"]


def test_another_model_gets_a_run_of_its_own(make):
    first = finished(make().submit(FOX))
    other = finished(make(lambda: tiny.stable_diffusion(seed=1)).submit(FOX))
    assert other.trace.picture != first.trace.picture


@pytest.mark.parametrize(
    "other",
    [
        lambda own: diffusers.EulerAncestralDiscreteScheduler.from_config(own.config),
        lambda own: type(own).from_config(own.config, timestep_spacing="trailing"),
    ],
)
def test_the_same_weights_with_another_scheduler_get_a_run_of_their_own(make, pipe, other):
    finished(make().submit(FOX))
    second = tiny.stable_diffusion()
    second.scheduler = other(second.scheduler)
    run = finished(make(lambda: second).submit(FOX))
    direct = explainer.record(second, FOX.prompt, seed=3, steps=4, guidance_scale=3.0)
    assert run.trace.scheduler == type(second.scheduler).__name__
    assert run.trace.latents.tobytes() == direct.latents.tobytes()
    assert models.fingerprint(pipe) == models.fingerprint(second)


def test_a_scheduler_that_is_changed_between_runs_is_seen(make):
    pipe = tiny.stable_diffusion()
    controller, own = make(lambda: pipe), pipe.scheduler
    first = finished(controller.submit(FOX))
    pipe.scheduler = diffusers.EulerDiscreteScheduler.from_config(own.config)
    second = finished(controller.submit(FOX))
    other = finished(controller.submit(replace(FOX, seed=4)))
    used = [run.trace.scheduler for run in (first, second, other)]
    assert used == ["DDIMScheduler", "EulerDiscreteScheduler", "EulerDiscreteScheduler"]
    pipe.scheduler = own
    again = controller.submit(FOX)
    assert again.state == "done"
    assert again.trace.picture == first.trace.picture
    fresh = finished(make(lambda: pipe).submit(replace(FOX, seed=4)))
    assert fresh.trace.scheduler == "DDIMScheduler"


def test_a_kept_run_is_found_while_another_is_drawn_with_a_scheduler_of_its_own(
    make, turns, pipe, cache
):
    fingerprint, found = models.run_fingerprint(pipe), []
    cache.put(fingerprint, FOX, explainer.record(pipe, FOX.prompt, seed=3, steps=4))
    controller = make()
    with turns.take(cancelled=lambda: False, on_place=lambda _: None):
        run = controller.submit(replace(FOX, scheduler="EulerDiscreteScheduler"))
        run.observe(
            lambda run: run.step == 2 and found.append(controller.submit(FOX, reader="other"))
        )
    assert finished(run).trace.scheduler == "EulerDiscreteScheduler"
    assert found[0].state == "done"
    assert found[0].trace.scheduler == "DDIMScheduler"


@pytest.mark.skipif(models.embedded_fingerprint() is None, reason="needs the embedded weights")
def test_the_embedded_model_is_named_as_well_before_it_is_loaded():
    assert models.embedded_run_fingerprint() == models.run_fingerprint(models.load(device="cpu"))


def test_a_run_that_another_kernel_makes_meanwhile_is_taken_over(make, pipe, someone_else, cache):
    fingerprint = models.run_fingerprint(pipe)
    run = make(fingerprint=fingerprint).submit(FOX)
    seen = watch(run)
    cache.put(fingerprint, FOX, explainer.record(pipe, FOX.prompt, seed=3, steps=4))
    someone_else.set()
    assert finished(run).state == "done"
    assert {step for _, _, step in seen} == {0, 4}


def test_a_cancelled_run_stops_after_the_present_step(controller):
    run = controller.submit(LONG)
    stop_at(run, 2)
    assert finished(run).state == "cancelled"
    assert (run.step, run.trace) == (2, None)


def test_a_cancelled_run_is_not_kept(controller, cache):
    run = controller.submit(LONG)
    stop_at(run, 2)
    finished(run)
    assert not cache.folder.exists()


def test_a_waiting_run_is_cancelled_at_once(controller, someone_else):
    run = controller.submit(FOX)
    run.cancel()
    assert run.state == "cancelled"


def test_the_last_click_wins(controller, someone_else):
    first, last = controller.submit(LONG), controller.submit(FOX)
    someone_else.set()
    assert finished(last).state == "done"
    assert finished(first).state == "cancelled"
    assert first.step == 0


def test_twenty_clicks_make_one_picture(controller):
    runs = [controller.submit(RunParameters(prompt="a fox", seed=n)) for n in range(20)]
    states = [finished(run).state for run in runs]
    assert states[-1] == "done"
    assert set(states[:-1]) <= {"cancelled", "done"}
    assert states.count("done") <= 2


def test_two_readers_get_both_their_pictures(controller, someone_else):
    ann, bob = controller.submit(FOX, reader="ann"), controller.submit(LONG, reader="bob")
    assert bob.place == 1
    someone_else.set()
    assert (finished(ann).state, finished(bob).state) == ("done", "done")


def test_two_studios_on_one_controller_do_not_cancel_each_other(controller, someone_else):
    runs = [widgets.Studio(controller).generate(wanted) for wanted in (LONG, FOX)]
    assert [run.state for run in runs] == ["queued", "queued"]
    runs[0].cancel()
    someone_else.set()
    assert finished(runs[1]).state == "done"


def test_a_run_says_how_many_are_before_it(controller, someone_else):
    run = controller.submit(FOX)
    told = threading.Event()
    run.observe(lambda run: told.set() if run.place == 1 else None)
    assert told.wait(SECONDS)
    someone_else.set()
    assert finished(run).place == 0


def test_a_run_that_fails_says_so_and_the_next_one_works(make, pipe, caplog):
    models_found = iter([None, pipe])

    def load():
        found = next(models_found)
        if found is None:
            raise models.ModelError("The weights are missing. Train them.")
        return found

    controller = make(load)
    failed = finished(controller.submit(FOX))
    assert (failed.state, failed.error) == ("failed", "The weights are missing. Train them.")
    assert "A run failed" in caplog.text
    assert finished(controller.submit(FOX)).state == "done"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough free memory"),
        (PermissionError(errno.EACCES, "Permission denied", "/model"), "Permission denied: /model"),
        (RuntimeError("mat1 and mat2"), "stopped unexpectedly (RuntimeError: mat1 and mat2)"),
    ],
)
def test_errors_are_put_in_plain_words(make, error, words):
    def load():
        raise error

    run = finished(make(load).submit(FOX))
    assert run.state == "failed"
    assert words in run.error


def test_what_has_ended_keeps_no_observer_alive(controller):
    class Observer:
        def __call__(self, _run):
            pass

    observer = Observer()
    gone = weakref.ref(observer)
    run = controller.submit(RunParameters(prompt="a fox", steps=1))
    run.observe(observer)
    finished(run)
    run.observe(observer)
    del observer
    gc.collect()
    assert gone() is None


def test_readers_that_are_done_are_forgotten(controller):
    first = finished(controller.submit(RunParameters(prompt="a fox", steps=1), reader="one"))
    gone = weakref.ref(first)
    del first
    finished(controller.submit(RunParameters(prompt="a bear", steps=1), reader="another"))
    gc.collect()
    assert gone() is None


def test_an_observer_that_fails_does_no_harm(controller, caplog):
    run = controller.submit(FOX)
    run.observe(lambda run: 1 / 0)
    assert finished(run).state == "done"
    assert "ZeroDivisionError" in caplog.text


def test_another_scheduler_is_used_for_one_run_only(controller, pipe):
    own = pipe.scheduler
    euler = RunParameters(prompt="a fox", steps=4, scheduler="EulerDiscreteScheduler")
    assert finished(controller.submit(euler)).trace.scheduler == "EulerDiscreteScheduler"
    assert pipe.scheduler is own


def test_an_unknown_scheduler_is_answered_with_those_that_work(controller):
    run = finished(controller.submit(RunParameters(prompt="a fox", scheduler="Nonsense")))
    assert run.state == "failed"
    assert "DDIMScheduler, " in run.error


def test_a_full_disk_costs_the_reader_nothing_but_the_copy(controller, cache, monkeypatch):
    def full(_file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    run = finished(controller.submit(FOX))
    assert run.state == "done"
    assert run.trace.picture
    assert "could not be kept" in run.notice
    assert "Free some space" in run.notice
    assert list(cache.folder.iterdir()) == []


def test_a_closed_controller_takes_no_more_runs(controller, someone_else):
    run = controller.submit(FOX)
    controller.close()
    assert run.state == "cancelled"
    with pytest.raises(RuntimeError, match="closed"):
        controller.submit(FOX)
