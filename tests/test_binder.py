"""Binder without Docker: what it would build, and what the server that it starts answers."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urljoin
from urllib.request import urlopen

import nbformat
import pytest
from docker.utils import exclude_paths

from explainer import look
from explainer import serving as serve_command
from tests.servers import ROOT, free_port, serving

README = (ROOT / "README.md").read_text("utf-8")


def test_repo2docker_understands_the_folder(tmp_path):
    shutil.copytree(ROOT / "binder", tmp_path / "binder")
    repo2docker = Path(sys.executable).with_name("repo2docker")
    answer = subprocess.run(
        [repo2docker, "--no-build", "--debug", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    dockerfile = answer.stdout + answer.stderr
    packages = (ROOT / "binder/apt.txt").read_text().split()
    assert f"apt-get install --yes --no-install-recommends {' '.join(packages)}" in dockerfile
    assert "env update" in dockerfile
    assert '--file "binder/environment.yml"' in dockerfile
    assert "RUN ./binder/postBuild" in dockerfile


def test_what_git_ignores_comes_into_no_image(tmp_path):
    """By the function that repo2docker asks, for the file beside its others."""
    left = [line for line in (ROOT / ".gitignore").read_text().split() if line.endswith("/")]
    for folder in (*left, "explainer", "explainer/__pycache__", "explainer/site"):
        (tmp_path / folder.strip("*/")).mkdir()
        (tmp_path / folder.strip("*/") / "file").touch()
    lines = (ROOT / "binder" / ".dockerignore").read_text().splitlines()
    exclude = [line for line in lines if line and not line.startswith("#")]
    copied = {path for path in exclude_paths(str(tmp_path), exclude) if path.endswith("file")}
    assert copied == {"explainer/file", "explainer/site/file"}


@pytest.mark.parametrize("name", look.page_names())
def test_every_page_has_its_links(name):
    for place in (f"voila/render/notebooks/{name}.ipynb", f"lab/tree/notebooks/{name}.ipynb"):
        assert f"?urlpath={quote(place, safe='')}" in README


def test_voila_has_the_settings_that_our_own_server_gives_it():
    there = json.loads((ROOT / "voila.json").read_text("utf-8"))["VoilaConfiguration"]
    ours = serve_command._voila_config(ROOT / "notebooks", "", 0, browser=False, readers=1)
    assert there.items() <= ours["VoilaConfiguration"].items()


def get(address):
    try:
        with urlopen(address, timeout=60) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except HTTPError as error:
        error.close()
        return error.code, ""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Jupyter server as the image starts it, where pip has put the template for Voilà."""
    folder = tmp_path_factory.mktemp("binder")
    (folder / "notebooks" / "images").mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "images" / "memory.png", folder / "notebooks" / "images")
    page = nbformat.v4.new_notebook()
    page.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    page.cells = [
        nbformat.v4.new_markdown_cell("![A picture](images/memory.png)"),
        nbformat.v4.new_code_cell("import explainer\nexplainer.__version__"),
    ]
    nbformat.write(page, folder / "notebooks" / "page.ipynb")
    shutil.copytree(look.FOLDER, folder / "share" / "voila" / "templates" / "explainer")
    shutil.copy(ROOT / "voila.json", folder)
    (folder / "config").mkdir()
    shutil.copy(ROOT / "binder" / "jupyter_server_config.json", folder / "config")
    options = ["--no-browser", "--allow-root", "--IdentityProvider.token="]
    command = [sys.executable, "-m", "jupyter_server", *options, f"--port={free_port()}"]
    share = {"JUPYTER_PATH": str(folder / "share")}
    with serving(folder, command, r"http://localhost:\d+/", cwd=folder, **share) as address:
        yield address


def test_the_server_shows_pages_in_our_look_without_their_code(server):
    status, text = get(f"{server}voila/render/notebooks/page.ipynb")
    assert status == 200
    assert 'class="pipeline"' in text
    assert "import explainer" not in text
    assert "cdn.jsdelivr.net" not in text
    for name in ("look.css", "frame.js", "tour.js", "fonts/literata-latin-wght-normal.woff2"):
        assert get(f"{server}voila/templates/explainer/static/{name}")[0] == 200


def test_the_server_shows_the_pictures_of_a_page(server):
    _, text = get(f"{server}voila/render/notebooks/page.ipynb")
    (source,) = re.findall(r'<img[^>]*src="([^"]+)"', text)
    with urlopen(urljoin(f"{server}voila/render/notebooks/", source), timeout=60) as answer:
        assert answer.read() == (ROOT / "notebooks" / "images" / "memory.png").read_bytes()


def test_the_server_opens_pages_in_jupyterlab_too(server):
    assert get(f"{server}lab/tree/notebooks/page.ipynb")[0] == 200
