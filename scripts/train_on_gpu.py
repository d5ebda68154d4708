r"""Train the whole model on a bare GPU machine without network, in calls of a few minutes.

    python3 scripts/train_on_gpu.py --wheels FOLDER --parts FOLDER

The first call starts the training in a session of its own, which outlives the call; every call
shows its progress until it ends or ``--wait`` minutes are over, and copies the newest parts to
``--parts``. So a call that is cut short costs nothing while the machine lives. On another machine
``--from-parts FOLDER`` goes on from the parts that came back.

It needs Python with torch, transformers and accelerate. What else is missing comes from a folder
that was filled where there is a network, for the Python of the GPU machine::

    pip download --only-binary=:all: --python-version 3.12 --platform manylinux_2_28_x86_64 \
        --no-deps -d FOLDER diffusers importlib-metadata skia-python

and, if that machine has no libGL and libEGL, which skia-python loads, in the same folder::

    apt-get download libgl1 libegl1 libglvnd0 libglx0 libx11-6 libxcb1 libxau6 libxdmcp6 libbsd0 \
        libmd0
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
NEEDED = "accelerate, diffusers, skia, torch, transformers"
MANIFEST = "parts.json"


def main() -> int:
    """Start the training or join it; return 0 unless it failed."""
    options, train_options = _parser().parse_known_args()
    state = options.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    if not _running(state) and not (state / "status").exists():
        _start(options, train_options, state)
    status = _follow(state, options.parts, time.monotonic() + 60 * options.wait)
    if status is None:
        print("Still training: the same command shows how it goes on.", flush=True)
        return 0
    for name in ("status", "pid"):  # the next call starts anew, from the checkpoints
        (state / name).unlink(missing_ok=True)
    print("Finished." if status == 0 else f"It ended with status {status}.", flush=True)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Other options go to `explainer train`.",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=20.0,
        help="of training, in all, once the pictures are drawn",
    )
    parser.add_argument("--wait", type=float, default=9.0, help="minutes that one call takes")
    parser.add_argument("--wheels", type=Path, help="a folder with what pip cannot fetch here")
    parser.add_argument("--state", type=Path, default=Path("training-state-gpu"))
    parser.add_argument("--parts", type=Path, required=True, help="where the results are wanted")
    parser.add_argument("--from-parts", type=Path, help="results of an earlier machine")
    parser.add_argument("--preset", default="128-gpu")
    return parser


def _start(options: argparse.Namespace, train_options: list[str], state: Path) -> None:
    environment = _environment(options.wheels, state)
    command = [
        sys.executable, "-m", "storybook.training", "--preset", options.preset,
        "--minutes", str(options.minutes), "--in-all",
        "--state", str(state), "--out", str(state / "model"), "--parts", str(state / "parts"),
        *train_options,
    ]  # fmt: skip
    if options.from_parts:
        command += ["--from-parts", str(options.from_parts.resolve())]
    # The shell notes how it ended, which the call that started it may not live to see.
    script = '"$@" > "$0/log" 2>&1; echo $? > "$0/status"'
    (state / "log").unlink(missing_ok=True)  # an older one would be shown as this one's beginning
    process = subprocess.Popen(
        ["/bin/sh", "-c", script, str(state), *command],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (state / "pid").write_text(str(process.pid))


def _environment(wheels: Path | None, state: Path) -> dict[str, str]:
    """Install what was brought beside the state; return an environment that has all it takes."""
    site, system = state / "site", state / "system"
    if wheels and not site.exists():
        found = sorted(str(path) for path in wheels.glob("*.whl"))
        if not found:
            raise SystemExit(f"{wheels} holds no wheels")
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
        subprocess.run([*pip, "--target", str(site), *found], check=True)
        for package in wheels.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(system)], check=True)
    libraries = [str(path) for path in (system / "usr" / "lib").glob("*-linux-gnu")]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"}
    for name, paths in (("PYTHONPATH", [str(site)]), ("LD_LIBRARY_PATH", libraries)):
        before = os.environ.get(name)
        environment[name] = os.pathsep.join([*paths, before] if before else paths)
    tried = subprocess.run(
        [sys.executable, "-c", f"import {NEEDED}"], env=environment, stderr=subprocess.PIPE,
        text=True, check=False,
    )  # fmt: skip
    if tried.returncode:
        reason = tried.stderr.strip().splitlines()[-1]
        raise SystemExit(f"{reason}\nBring what is missing with --wheels FOLDER; see --help.")
    return environment


def _follow(state: Path, parts: Path, until: float) -> int | None:
    """Show the log and bring the parts until the training ends; return its status, if it did."""
    lines = _new_lines(state / "log")
    while True:
        status = _status(state)
        for line in lines:
            if line is None:
                break
            print(line, end="", flush=True)
        _bring(state / "parts", parts)
        if status is not None or time.monotonic() > until:
            return status
        time.sleep(2)


def _new_lines(log: Path) -> Iterator[str | None]:
    """Yield the lines of a growing file, and None whenever there is no new one yet."""
    while not log.exists():
        yield None
    with log.open() as file:
        while True:
            yield file.readline() or None


def _status(state: Path) -> int | None:
    try:
        return int((state / "status").read_text())
    except (FileNotFoundError, ValueError):
        return None if _running(state) else 1


def _running(state: Path) -> bool:
    try:
        os.kill(int((state / "pid").read_text()), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    return True


def _bring(source: Path, target: Path) -> None:
    """Copy a whole set of parts, its manifest last, and then remove the set before it."""
    manifest = source / MANIFEST
    there = target / MANIFEST
    if not manifest.exists() or (there.exists() and there.read_bytes() == manifest.read_bytes()):
        return
    target.mkdir(parents=True, exist_ok=True)
    outdated = set(target.glob("storybook-*.tar.*"))
    try:
        content = manifest.read_bytes()
        fresh = {target / name for name in json.loads(content)}
        for path in fresh:
            shutil.copy2(source / path.name, path)
    except FileNotFoundError:  # replaced by newer ones just now
        return
    there.write_bytes(content)
    for path in outdated - fresh:
        path.unlink()


if __name__ == "__main__":
    sys.exit(main())
