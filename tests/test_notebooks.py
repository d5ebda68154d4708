"""Every notebook: clean as it is committed, and whole when it is run from top to bottom."""

import json
import os
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from explainer import widgets
from explainer.models import embedded_fingerprint

FOLDER = Path(__file__).parents[1] / "notebooks"
PAGES = sorted(FOLDER.glob("*.ipynb"))
WIDGETS = {
    "00_overview.ipynb": {
        "TokenRow": 2,
        "Fingerprint": 2,
        "Gallery": 3,
        "Player": 1,
        "LatentGrid": 2,
        "Studio": 1,
    },
    "01_text.ipynb": {
        "Question": 5,
        "Sentence": 1,
        "TokenLayers": 1,
        "TwoSentences": 1,
        "Phrases": 1,
        "PictureNames": 1,
        "WordMaps": 1,
        "TwoRuns": 1,
    },
    "02_noise.ipynb": {
        "Fade": 1,
        "Question": 4,
        "Guesses": 1,
        "Cloud": 1,
        "Anatomy": 2,
        "Plot": 4,
        "Denoiser": 1,
        "Swap": 1,
        "Sweep": 2,
        "Studio": 1,
    },
    "03_latent.ipynb": {
        "Question": 3,
        "Compression": 1,
        "Channels": 1,
        "RoundTrips": 1,
        "Brush": 1,
        "Walks": 1,
        "Sketch": 1,
        "Studio": 1,
    },
    "04_style.ipynb": {
        "Question": 8,
        "Styles": 1,
        "StyleMeasures": 1,
        "StyleWords": 1,
        "StyleWays": 3,
        "StyleTimes": 1,
        "PictureBook": 1,
        "Studio": 1,
    },
    "05_is_it_a_copy.ipynb": {
        "Question": 4,
        "Nearest": 1,
        "Nearness": 1,
        "Again": 1,
        "Combinations": 1,
        "Studio": 1,
    },
    "06_your_own_model.ipynb": {
        "Question": 1,
        "ModelPicker": 1,
        "Studio": 1,
        "ViewMenu": 1,
        "WordMaps": 1,
        "TraceFile": 1,
    },
}
"""How many of which widgets a page shows."""
TRAINED = {
    "02_noise.ipynb": {"Learning": 1, "Plot": 2, "Question": 1},
    "05_is_it_a_copy.ipynb": {"Twins": 1},
}
"""How many more where the weights came with a record of their training, of what a judge saw of
them, or of their twin's training."""

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# Run in the kernel ahead of the page. An audit hook sees every connection, whoever opens it.
NO_NETWORK = """
import sys

def _refuse(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in {None, "127.0.0.1", "::1", "localhost"}:
        raise OSError(f"the page asks for the network: {host}")

sys.addaudithook(_refuse)
"""
LOADED = "import json, sys; print(json.dumps(sorted(sys.modules)))"

every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(page):
    return [cell for cell in page.cells if cell.cell_type == "code"]


@every_page
def test_it_is_a_notebook_for_any_python(path):
    page = read(path)
    nbformat.validate(page)
    assert page.metadata.kernelspec.name == "python3"
    assert page.metadata.language_info == {"name": "python"}
    assert page.metadata.title
    assert len({cell.id for cell in page.cells}) == len(page.cells)


@every_page
def test_it_is_committed_without_what_a_run_leaves(path):
    page = read(path)
    assert "widgets" not in page.metadata
    for cell in code_cells(page):
        assert cell.outputs == []
        assert cell.execution_count is None


@every_page
def test_code_starts_folded(path):
    folded = [
        cell.metadata.get("jupyter", {}).get("source_hidden") for cell in code_cells(read(path))
    ]
    assert folded
    assert all(folded)


@every_page
def test_a_still_picture_shows_before_anything_ran(path):
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    stills = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", first.source)
    assert stills
    for description, picture in stills:
        assert len(description) > 20, "a text alternative says what is seen"
        assert not picture.startswith(("http:", "https:", "/"))


@every_page
def test_every_stage_has_a_heading_and_none_is_skipped(path):
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.fixture(scope="module", params=PAGES, ids=lambda path: path.stem)
def executed(request):
    """A page that was run from top to bottom: its name, its cells and the modules it loaded."""
    if embedded_fingerprint() is None:
        pytest.skip("the weights of the embedded model are not in storybook/weights")
    page = read(request.param)
    page.cells = [
        nbformat.v4.new_code_cell(NO_NETWORK),
        *page.cells,
        nbformat.v4.new_code_cell(LOADED),
    ]
    client = NotebookClient(page, timeout=120, resources={"metadata": {"path": str(FOLDER)}})
    client.execute(env=os.environ | {"PYTHONPATH": str(FOLDER.parent)})
    modules = json.loads(page.cells.pop().outputs[0].text)
    return request.param.name, page, set(modules)


def test_it_runs_and_says_nothing_on_the_side(executed):
    _, page, _ = executed
    outputs = [out for cell in code_cells(page) for out in cell.outputs]
    assert outputs
    assert {out.output_type for out in outputs} <= {"display_data", "execute_result"}


def names_of(states, model_id):
    """The name of a widget, or the names of those in a box."""
    state = states[model_id].state
    if "children" in state:
        inner = (child.removeprefix("IPY_MODEL_") for child in state["children"])
        return [name for child in inner for name in names_of(states, child)]
    return [state["_anywidget_id"].rsplit(".", 1)[1]]


def test_its_widgets_are_all_on_the_page(executed):
    name, page, _ = executed
    states = page.metadata.widgets[WIDGET_STATE].state
    shown = [
        name
        for cell in code_cells(page)
        for out in cell.outputs
        if WIDGET_VIEW in out.get("data", {})
        for name in names_of(states, out.data[WIDGET_VIEW].model_id)
    ]
    counted, wanted = Counter(shown), Counter(WIDGETS[name])
    assert not wanted - counted
    assert counted - wanted <= Counter(TRAINED.get(name, {}))
    assert set(shown) <= set(widgets.__all__)


def test_widgets_have_words_for_a_page_without_scripts(executed):
    _, page, _ = executed
    for cell in code_cells(page):
        for out in cell.outputs:
            if WIDGET_VIEW in out.get("data", {}):
                assert re.fullmatch(r"<\w+: .+>", out.data["text/plain"], re.DOTALL)


def test_nothing_heavy_is_loaded_before_the_reader_asks(executed):
    _, _, modules = executed
    assert "explainer" in modules
    assert not {"torch", "diffusers", "transformers", "accelerate"} & modules
