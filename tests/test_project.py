"""The project's files agree with each other."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BIGGEST_FILE = 20 * 2**20
ALL_FILES = 80 * 2**20


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonical(name): version for name, version in pins}


def requirements(group):
    """The names that a list of requirements asks for, with their lower bounds."""
    found = (re.fullmatch(r"([\w.-]+)>=([\d.]+)", line) for line in group)
    return {canonical(match[1]): match[2] for match in found if match}


def conda(path):
    *outer, last = yaml.safe_load((ROOT / path).read_text())["dependencies"]
    return outer, last["pip"]


def tracked_files():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).exists()]


def numbers(version):
    return [int(part) for part in version.split(".")]


@pytest.mark.parametrize("extra", [None, "export", "train", "test"])
def test_every_requirement_is_pinned_at_or_above_its_lower_bound(extra):
    group = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    wanted = requirements(group)
    others = [line for line in group if line.startswith(f"{PROJECT['name']}[")]
    assert len(wanted) + len(others) == len(group), "each requirement has a plain lower bound"
    pins = constraints()
    assert wanted.keys() <= pins.keys()
    assert not {n: pins[n] for n, low in wanted.items() if numbers(pins[n]) < numbers(low)}


UNIMPORTED = {
    "onnxscript": "torch's export to ONNX imports it",
    "scipy": "schedulers of diffusers import it",
    "torchsde": "a scheduler of diffusers imports it",
    "jupyter-repo2docker": "a command",
    "mypy": "a command",
    "pytest-timeout": "a plugin",
    "pytest-xdist": "a plugin",
    "ruff": "a command",
}
"""What is declared without being imported by name, and why."""
IMPORTED_AS = {
    "pillow": "PIL", "skia-python": "skia", "pyyaml": "yaml", "huggingface-hub": "huggingface_hub",
    "axe-playwright-python": "axe_playwright_python",
}  # fmt: skip


def test_every_requirement_is_used():
    groups = PROJECT["optional-dependencies"].values()
    declared = {
        name for group in (PROJECT["dependencies"], *groups) for name in requirements(group)
    }
    imported = set()
    for path in tracked_files():
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    imported.add((node.module or "").split(".")[0])
                elif isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
    unused = {n for n in declared if IMPORTED_AS.get(n, n.replace("-", "_")) not in imported}
    assert unused == UNIMPORTED.keys()


@pytest.mark.parametrize("path", ["environment.yml", "binder/environment.yml"])
def test_conda_installs_every_requirement_at_its_pinned_release(path):
    outer, pip = conda(path)
    pins = constraints()
    installed = dict(line.split("==") for line in pip if not line.startswith("-e"))
    (torch,) = [line for line in outer if line.startswith("pytorch-cpu=")]
    installed["torch"] = torch.split("=")[1]
    assert installed == {name: pins[name] for name in requirements(PROJECT["dependencies"])}


def test_binder_and_conda_have_one_environment():
    outer, pip = conda("environment.yml")
    assert conda("binder/environment.yml") == (outer, [line for line in pip if line != "-e ."])


def test_conda_takes_a_python_that_the_project_allows():
    outer, _ = conda("environment.yml")
    (python,) = [line.split("=")[1] for line in outer if line.startswith("python=")]
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]


def test_binder_installs_what_drawing_loads():
    import prepare

    asked = (ROOT / "binder/apt.txt").read_text().split()
    assert sorted(prepare.DRAWING_LIBRARIES.values()) == asked


def test_prepare_allows_the_same_pythons_as_the_project():
    import prepare

    (major, oldest), (_, newest) = prepare.OLDEST, prepare.NEWEST
    assert PROJECT["requires-python"] == f">={major}.{oldest},<{major}.{newest + 1}"


def test_torch_is_taken_from_another_index_alone(tmp_path, monkeypatch):
    """That index has not the pinned releases of what torch depends on; the usual one has."""
    import prepare

    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "calls"}\n')
    python.chmod(0o755)
    monkeypatch.setattr(prepare, "VENV_PYTHON", python)
    monkeypatch.setenv("TORCH_INDEX", "https://index.invalid/cpu")
    prepare.install_packages(None)
    first, second = (tmp_path / "calls").read_text().splitlines()
    assert first.endswith("--no-deps --index-url https://index.invalid/cpu torch")
    assert second.endswith(f"--editable {ROOT}")
    assert "--no-deps" not in second


def test_no_other_modules_know_the_model_and_its_world():
    package = ROOT / "explainer"
    importing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"^ *(from|import) storybook\b", path.read_text("utf-8"), re.MULTILINE)
    }
    assert importing == {"cli.py", "stages/originality.py", "vocabulary.py"}


def test_no_file_is_too_big_to_clone():
    sizes = {path: path.stat().st_size for path in tracked_files()}
    assert not [path for path, size in sizes.items() if size > BIGGEST_FILE]
    assert sum(sizes.values()) < ALL_FILES


def test_scripts_can_be_started():
    for name in (".ci/run", "binder/postBuild"):
        assert (ROOT / name).stat().st_mode & 0o111, name
