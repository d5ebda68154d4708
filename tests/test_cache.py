"""Recorded runs on disk: found again, kept whole, kept within their limits."""

import errno
import os
import time
from datetime import timedelta

import pytest

from explainer.cache import TraceCache
from explainer.parameters import RunParameters
from explainer.trace import TraceError
from tests.synthetic import make_trace

FOX = RunParameters(prompt="a fox")
BEAR = RunParameters(prompt="a bear")


@pytest.fixture(scope="module")
def trace():
    return make_trace(steps=2, size=32)


@pytest.fixture
def cache(tmp_path):
    return TraceCache(tmp_path / "runs")


def unused_for(path, age):
    then = time.time() - age.total_seconds()
    os.utime(path, (then, then))


def test_a_run_is_found_again(cache, trace):
    cache.put("model", FOX, trace)
    assert cache.get("model", FOX).picture == trace.picture


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("other", FOX),
        ("model", BEAR),
        ("model", RunParameters(prompt="a fox", seed=1)),
        ("model", RunParameters(prompt="a fox", steps=24)),
        ("model", RunParameters(prompt="a fox", guidance_scale=5.1)),
        ("model", RunParameters(prompt="a fox", negative_prompt="a bear")),
        ("model", RunParameters(prompt="a fox", scheduler="DDIMScheduler")),
    ],
)
def test_any_other_run_is_not(cache, trace, model, parameters):
    cache.put("model", FOX, trace)
    assert cache.get(model, parameters) is None


def test_a_cache_that_was_never_used_is_empty(cache):
    assert cache.get("model", FOX) is None


def test_a_damaged_file_is_dropped(cache, trace):
    cache.put("model", FOX, trace)
    path = cache.path("model", FOX)
    path.write_bytes(path.read_bytes()[:-100])
    assert cache.get("model", FOX) is None
    assert not path.exists()


def test_a_file_that_cannot_be_read_at_the_moment_stays(cache, trace, monkeypatch):
    cache.put("model", FOX, trace)

    def exhausted(*_args, **_options):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as now:
        now.setattr(type(cache.folder), "open", exhausted)
        assert cache.get("model", FOX) is None
    assert cache.get("model", FOX) is not None


def test_a_run_that_was_not_used_for_long_is_forgotten(cache, trace):
    cache.put("model", FOX, trace)
    unused_for(cache.path("model", FOX), cache.max_age + timedelta(minutes=1))
    assert cache.get("model", FOX) is None
    cache.put("model", BEAR, trace)
    assert not cache.path("model", FOX).exists()


def test_using_a_run_keeps_it(cache, trace):
    cache.put("model", FOX, trace)
    unused_for(cache.path("model", FOX), cache.max_age - timedelta(minutes=1))
    assert cache.get("model", FOX) is not None
    assert time.time() - cache.path("model", FOX).stat().st_mtime < 60


def test_the_least_recently_used_run_makes_room(cache, trace):
    cache.put("model", FOX, trace)
    cache.put("model", BEAR, trace)
    cache.limit_bytes = 2 * cache.path("model", FOX).stat().st_size + 100
    unused_for(cache.path("model", FOX), timedelta(minutes=2))
    unused_for(cache.path("model", BEAR), timedelta(minutes=1))
    cache.get("model", FOX)
    cache.put("model", RunParameters(prompt="an owl"), trace)
    assert cache.get("model", FOX) is not None
    assert cache.get("model", BEAR) is None


def test_what_a_dead_process_left_is_cleared_away(cache, trace):
    cache.put("model", FOX, trace)
    old, young = (cache.folder / f".{name}.part" for name in ("old", "young"))
    old.touch()
    young.touch()
    unused_for(old, timedelta(hours=2))
    cache.prune()
    assert not old.exists()
    assert young.exists()


def test_a_full_disk_leaves_what_was_there(cache, trace, monkeypatch):
    cache.put("model", FOX, trace)

    def full(_file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TraceError, match="Free some space"):
        cache.put("model", BEAR, trace)
    assert list(cache.folder.iterdir()) == [cache.path("model", FOX)]


def test_two_kernels_may_write_the_same_run(cache, trace):
    cache.put("model", FOX, trace)
    TraceCache(cache.folder).put("model", FOX, trace)
    assert len(list(cache.folder.iterdir())) == 1


def test_the_environment_may_name_the_folder(tmp_path, monkeypatch, trace):
    monkeypatch.setenv("EXPLAINER_CACHE", str(tmp_path / "named"))
    TraceCache().put("model", FOX, trace)
    assert TraceCache(tmp_path / "named").get("model", FOX) is not None
    assert TraceCache(tmp_path / "given").folder == tmp_path / "given"
