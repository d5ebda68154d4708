"""Prepare a clone: a virtual environment, the pinned packages, and what they need of the system.

``make`` calls it with the Python that it finds; it uses the standard library alone.

    python3 scripts/prepare.py run     # what the pages need
    python3 scripts/prepare.py test    # that, the test tools and a browser
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"

OLDEST, NEWEST = (3, 11), (3, 13)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Where the tests look, too."""
DRAWING_LIBRARIES = {"libGL.so.1": "libgl1", "libEGL.so.1": "libegl1"}
"""What skia-python loads, and the Debian packages that have it."""


class CannotPrepareError(Exception):
    """Something is missing that only the person at the machine can supply."""


def check_python() -> None:
    """Refuse a Python that the project does not allow.

    Raises:
        CannotPrepareError: this Python is too old or too new.
    """
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found = ".".join(map(str, sys.version_info[:3]))
        raise CannotPrepareError(
            f"This is Python {found}; the explainer needs 3.11, 3.12 or 3.13. "
            "Name another one: make run PYTHON=python3.12"
        )


def make_venv() -> None:
    """Create ``.venv`` unless it is there.

    Raises:
        CannotPrepareError: this Python cannot make virtual environments.
    """
    if VENV_PYTHON.exists():
        return
    print("Creating .venv ...", flush=True)
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        raise CannotPrepareError(
            "This Python cannot make a virtual environment. On Debian and Ubuntu install it with: "
            "sudo apt-get install python3-venv"
        )


def install_packages(extra: str | None) -> None:
    """Install this project, editable, with the releases pinned in ``constraints.txt``.

    ``TORCH_INDEX`` in the environment names a package index to take torch from first.

    Raises:
        CannotPrepareError: pip failed; it has said why.
    """
    pip = [str(VENV_PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
    pip += ["--constraint", str(ROOT / "constraints.txt")]
    print("Installing packages; the first time this downloads a few hundred MB ...", flush=True)
    commands = [[*pip, "--editable", f"{ROOT}[{extra}]" if extra else str(ROOT)]]
    index = os.environ.get("TORCH_INDEX")
    if index:
        # Alone: what it depends on is not there in the releases that are pinned.
        commands.insert(0, [*pip, "--no-deps", "--index-url", index, "torch"])
    elif sys.platform == "linux" and not _has_module("torch"):
        print(
            "  On Linux the usual torch comes with CUDA, several GB. The CPU build is 190 MB:\n"
            "  make run TORCH_INDEX=https://download.pytorch.org/whl/cpu",
            flush=True,
        )
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            raise CannotPrepareError("pip could not install the packages; it says why above.")


def _has_module(name: str) -> bool:
    probe = f"import importlib.util as u, sys; sys.exit(u.find_spec({name!r}) is None)"
    return subprocess.run([str(VENV_PYTHON), "-c", probe], check=False).returncode == 0


def may_use_apt() -> bool:
    """Tell whether system packages can be installed without asking: root on a Debian system."""
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def apt_install(packages: list[str]) -> bool:
    """Install Debian packages; return whether that worked."""
    print(f"Installing with apt-get: {' '.join(packages)} ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    commands = [
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ]
    return all(
        subprocess.run(command, check=False, env=environment, stdout=subprocess.DEVNULL).returncode
        == 0
        for command in commands
    )


def missing_drawing_libraries() -> list[str]:
    """Return the Debian packages with the libraries that drawing needs and Linux lacks here."""
    if sys.platform != "linux":
        return []
    return [package for library, package in DRAWING_LIBRARIES.items() if not _loads(library)]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def prepare_drawing() -> None:
    """Make sure that skia-python can be loaded.

    Raises:
        CannotPrepareError: libraries are missing and cannot be installed from here.
    """
    missing = missing_drawing_libraries()
    if not missing or (may_use_apt() and apt_install(missing)):
        return
    raise CannotPrepareError(
        "Drawing needs libGL and libEGL. On Debian and Ubuntu install them with: "
        f"sudo apt-get install {' '.join(missing)}; "
        "on Fedora: sudo dnf install mesa-libGL mesa-libEGL"
    )


def find_browser() -> str | None:
    """Return the path of a Chromium for the tests: the named, the system's or Playwright's own."""
    named = os.environ.get("EXPLAINER_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        return found
    probe = (
        "from playwright.sync_api import sync_playwright as p\n"
        "with p() as play: print(play.chromium.executable_path)"
    )
    python = str(VENV_PYTHON) if VENV_PYTHON.exists() else sys.executable
    answer = subprocess.run([python, "-c", probe], check=False, capture_output=True, text=True)
    path = answer.stdout.strip()
    return path if path and Path(path).exists() else None


def install_playwright_browser() -> bool:
    """Let Playwright download a Chromium of its own; return whether that worked."""
    command = [str(VENV_PYTHON), "-m", "playwright", "install", "chromium"]
    return subprocess.run(command, check=False).returncode == 0


def prepare_browser() -> None:
    """Make sure that there is a Chromium for the tests.

    Raises:
        CannotPrepareError: there is none, none can be installed, and this is CI. Elsewhere that
            is only said, and the browser tests are skipped with their reason.
    """
    ways: list[Callable[[], bool]] = [install_playwright_browser]
    if may_use_apt():
        ways.insert(0, lambda: apt_install(["chromium"]))
    if find_browser() or any(way() and find_browser() for way in ways):
        return
    message = (
        "The browser tests need Chromium, and none could be installed. Install it with your "
        "system's package manager (Debian: sudo apt-get install chromium) or with: "
        ".venv/bin/python -m playwright install chromium"
    )
    if os.environ.get("CI"):
        raise CannotPrepareError(message)
    print(message, file=sys.stderr)


def prepare_runtime() -> None:
    """Fetch what draws in the browser, for the tests of exported pages; without npm they skip."""
    command = [str(VENV_PYTHON), "-m", "explainer.site.runtime"]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)


def main(argv: list[str]) -> int:
    """Prepare for ``run`` or ``test``; return the exit status."""
    if argv not in (["run"], ["test"]):
        print("usage: prepare.py run|test", file=sys.stderr)
        return 2
    try:
        check_python()
        make_venv()
        install_packages("test" if argv == ["test"] else None)
        prepare_drawing()
        if argv == ["test"]:
            prepare_browser()
            prepare_runtime()
    except CannotPrepareError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
