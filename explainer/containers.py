"""What is ours of a machine whose container has limits: memory and processors.

Limits are those of Linux control groups, version 2
(https://docs.kernel.org/admin-guide/cgroup-v2.html); without them all of the machine is ours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def free_memory(groups: Path = _GROUPS, own: Path = _OWN) -> int:
    """Returns how many bytes of memory are free here.

    Args:
        groups: The folder of control groups.
        own: The file that names ours.
    """
    import psutil

    left = map(_memory_left, _own_groups(groups, own))
    return int(min(psutil.virtual_memory().available, *left))


def processors(groups: Path = _GROUPS, own: Path = _OWN) -> float:
    """Returns how many processors may be kept busy here; a container may have a part of one.

    Args:
        groups: The folder of control groups.
        own: The file that names ours.
    """
    ours = hasattr(os, "sched_getaffinity")  # not on macOS and Windows
    there = len(os.sched_getaffinity(0)) if ours else os.cpu_count() or 1
    return min(there, *map(_processors_left, _own_groups(groups, own)))


def _own_groups(groups: Path, own: Path) -> Iterator[Path]:
    """Our control group and those around it, whose limits hold for us as well."""
    yield groups
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    folder = groups / next((line[3:] for line in lines if line.startswith("0::")), "").strip("/")
    while folder != groups and folder.is_relative_to(groups):
        yield folder
        folder = folder.parent


def _memory_left(group: Path) -> float:
    try:
        most = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        lines = (group / "memory.stat").read_text().split("\n")
    except (OSError, ValueError):
        return float("inf")
    if not most.isdecimal():
        return float("inf")
    # File pages that nobody has used for a while are given back when memory is short.
    spare = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    return max(0, int(most) - used + spare)


def _processors_left(group: Path) -> float:
    """The share of time that a group may compute: microseconds of so many, or "max" of them."""
    try:
        most, interval = (group / "cpu.max").read_text().split()
        return int(most) / int(interval)
    except (OSError, ValueError):
        return float("inf")
