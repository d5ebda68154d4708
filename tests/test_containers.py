"""A container's limits hold, whatever the machine around it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from explainer import containers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two groups, one in the other; the file that names the inner one."""
    limits = {
        "outer": {"memory.max": "5000", "memory.current": "3000", "cpu.max": "150000 100000"},
        "outer/inner": {"memory.max": "max", "memory.current": "10", "cpu.max": "max 100000"},
    }
    for name, files in limits.items():
        group = tmp_path / "groups" / name
        group.mkdir(parents=True)
        (group / "memory.stat").write_text("anon 2500\ninactive_file 400\n")
        for file, text in files.items():
            (group / file).write_text(f"{text}\n")
    own = tmp_path / "own"
    own.write_text("12:pids:/x\n0::/outer/inner\n")
    return own


def test_the_narrowest_group_around_us_tells_what_is_left(
    tmp_path: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers.os, "sched_getaffinity", lambda _: range(64), raising=False)
    assert containers.free_memory(tmp_path / "groups", own) == 5000 - 3000 + 400
    assert containers.processors(tmp_path / "groups", own) == 1.5


def test_a_container_that_sees_itself_as_the_root_has_its_limits(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert containers.processors(tmp_path, tmp_path / "own") == 0.5


def test_without_groups_it_is_what_the_machine_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "none"
    assert 2**20 < containers.free_memory(nowhere, nowhere) <= psutil.virtual_memory().total
    monkeypatch.setattr(containers.os, "sched_getaffinity", lambda _: {0, 5}, raising=False)
    assert containers.processors(nowhere, nowhere) == 2
