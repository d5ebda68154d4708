"""A notebook, run once and taken down: its words as HTML, its widgets as they then stand."""

from __future__ import annotations

import base64
import html
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from explainer.widgets.host import Bundle

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
LINKS = {"LinkModel": True, "DirectionalLinkModel": False}
CELL_SECONDS = 600
_PICTURES = ("image/png", "image/jpeg", "image/webp")
_ANCHOR = re.compile(r'<a class="anchor-link"[^>]*>.*?</a>')
_LOCAL = re.compile(r'(?P<before><(?:img|a)\b[^>]*?\b(?:src|href)=")(?P<address>[^"]*)(?P<after>")')


class SiteError(ValueError):
    """The site cannot be written; the message says what to do."""


@dataclass
class Page:
    """A page as it will be shown, without a kernel.

    Attributes:
        name: The name of its notebook, without its suffix.
        title: Its title; plain text.
        body: HTML of its cells. `<div id="widget-N">` is where a widget goes.
        bundle: The widgets.
        kinds: The widgets' classes, such as "Player", by their number in the bundle.
        files: Files that the page shows, by their address relative to the notebook.
        script: JavaScript of its own, run once the widgets stand.
        before: JavaScript of its own, run before.
        prepare: Functions of that, given the widgets' models before they are drawn.
    """

    name: str
    title: str
    body: str = ""
    bundle: Bundle = field(default_factory=Bundle)
    kinds: list[str] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    script: str = ""
    before: str = ""
    prepare: list[str] = field(default_factory=list)


def read(path: Path) -> Page:
    """Run a notebook in a kernel of its own and take it down; the file stays as it is.

    Raises:
        SiteError: It is no notebook, stops with an error, or shows what only a kernel can.
    """
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise SiteError(f"{path} cannot be read as a notebook: {error}") from error
    _run(notebook, path)
    page = Page(path.stem, str(notebook.metadata.get("title") or path.stem))
    widgets = _Widgets(page, notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {}))
    parts = [_cell(cell, widgets) for cell in notebook.cells]
    page.body = _LOCAL.sub(lambda found: _address(found, page, path.parent), "\n".join(parts))
    widgets.bundle()
    return page


def _run(notebook: Any, path: Path) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError
    from traitlets.config import Config

    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=True,
        config=Config(KernelManager={"transport_encryption": "auto"}),
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise SiteError(f"{path} stopped with an error. {error.ename}: {error.evalue}") from error
    except CellTimeoutError as error:
        raise SiteError(f"{path} took more than {CELL_SECONDS} seconds for one cell.") from error


class _Widgets:
    """The widgets of a run notebook: where each is shown, and how they are linked."""

    def __init__(self, page: Page, models: dict[str, Any]) -> None:
        self.page = page
        self.models = models
        self._places: dict[str, list[str]] = {}
        self._shown = 0

    def show(self, model_id: str) -> str:
        """Return the element that a widget, or each widget of a box, will be drawn in."""
        if model_id not in self.models:
            raise SiteError(f"{self.page.name} shows a widget that was closed before its end.")
        model = self.models[model_id]
        if "children" in model["state"]:
            children = (child.removeprefix("IPY_MODEL_") for child in model["state"]["children"])
            return "".join(map(self.show, children))
        if "_esm" not in model["state"]:
            raise SiteError(
                f"{self.page.name} shows a {model['model_name']}, which needs a kernel. Show it "
                "with one of explainer.widgets, or leave it out."
            )
        place = f"widget-{self._shown}"
        self._shown += 1
        self._places.setdefault(model_id, []).append(f"#{place}")
        return f'<div id="{place}"></div>'

    def bundle(self) -> None:
        """Give the page the widgets that it shows, and the links between them."""
        numbers = {model_id: self._take(model_id) for model_id in self._places}
        for model in self.models.values():
            if model["model_name"] not in LINKS:
                continue
            source, target = (model["state"][end] for end in ("source", "target"))
            ends = [(numbers.get(m.removeprefix("IPY_MODEL_")), t) for m, t in (source, target)]
            (one, trait), (other, follows) = ends
            if one is not None and other is not None:
                link = ((one, trait), (other, follows), LINKS[model["model_name"]])
                self.page.bundle.links.append(link)

    def _take(self, model_id: str) -> int:
        model = self.models[model_id]
        buffers = {b["path"][0]: base64.b64decode(b["data"]) for b in model.get("buffers", ())}
        self.page.kinds.append(str(model["state"].get("_anywidget_id", "")).rpartition(".")[2])
        return self.page.bundle.add(model["state"] | buffers, self._places[model_id])


def _cell(cell: Any, widgets: _Widgets) -> str:
    if cell.cell_type == "markdown":
        return _prose(_markdown(cell.source, trusted=True))
    if cell.cell_type != "code":
        return ""
    return "\n".join(_output(output, widgets) for output in cell.outputs)


def _output(output: Any, widgets: _Widgets) -> str:
    if output.output_type == "stream":
        return f"<pre>{html.escape(output.text)}</pre>" if output.name == "stdout" else ""
    data = output.get("data", {})
    if VIEW in data:
        return widgets.show(data[VIEW]["model_id"])
    if "text/html" in data:
        return _prose(data["text/html"])
    if "text/markdown" in data:
        # A run's prompt may stand in it, and that is anybody's text.
        return _prose(_markdown(data["text/markdown"], trusted=False))
    for kind in _PICTURES:
        if kind in data:
            return f'<img alt="" src="data:{kind};base64,{data[kind].strip()}">'
    plain = html.escape(data.get("text/plain", ""))
    return f"<pre>{plain}</pre>" if plain else ""


def _prose(text: str) -> str:
    return f'<div class="page-text">{text}</div>'


def _markdown(text: str, *, trusted: bool) -> str:
    """Render as JupyterLab does; what is not trusted has its own HTML shown as text."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    # Headings get their names, which links lead to, only together with links of their own.
    renderer = IPythonRenderer(escape=not trusted)
    return _ANCHOR.sub("", str(MarkdownWithMath(renderer=renderer).render(text)))


def page_file(notebook: str) -> str:
    """Return the name of the file for a notebook's page: plain letters only, whatever it is."""
    return re.sub(r"[^\w.-]+", "-", notebook, flags=re.ASCII).strip(".-") + ".html"


def _address(found: re.Match[str], page: Page, folder: Path) -> str:
    """Lead links to notebooks to their pages, and note which files the page needs."""
    address = html.unescape(found["address"])
    path, _, anchor = address.partition("#")
    if re.match(r"[a-z][a-z0-9+.-]*:|/|$", path, re.IGNORECASE):
        return found[0]
    name, query, rest = path.partition("?")
    name = unquote(name)
    if name.endswith(".ipynb"):
        path = page_file(Path(name).stem) + query + rest
    else:
        file = (folder / name).resolve()
        if not file.is_relative_to(folder.resolve()) or not file.is_file():
            raise SiteError(f"{page.name} shows {name!r}, which is no file beside the notebook.")
        page.files[name] = file
    new = path + (f"#{anchor}" if anchor else "")
    return f"{found['before']}{html.escape(new)}{found['after']}"
