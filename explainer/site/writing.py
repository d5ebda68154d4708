"""Writing the site: a folder of pages that any web host serves, and that open from a disk too."""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from urllib.parse import quote

import explainer
from explainer import look
from explainer.models import embedded_fingerprint, embedded_folder
from explainer.serving import notebooks_folder
from explainer.site import drawing, notebook, reading
from explainer.site import gallery as recorded_runs
from explainer.site.notebook import Page, SiteError, page_file
from explainer.widgets.host import HOST

STYLE = Path(__file__).with_name("site.css")
MARK = "site.json"
"""Says that a folder is a former export, which a new one may write over."""
MOST_BYTES = 2_500_000
"""What a page may come to, gzipped, before anything on it is clicked."""
ASSETS = "assets"
DATA = "data"
LARGE = 400_000
"""Letters of a buffer that is fetched only when the reader comes near the widget that shows it."""
# What a page may do, whatever gets into it: nothing from beyond the site is ever asked for. A page
# from a disk has no 'self' in every browser: hence file:, which is nothing on a web host.
POLICY = (
    "default-src 'none'; script-src 'self' file: 'unsafe-inline' 'wasm-unsafe-eval' blob:; "
    "style-src 'self' file: 'unsafe-inline'; img-src 'self' file: data: blob:; "
    "font-src 'self' file:; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
_HERE = Path(__file__).parent
_SHOW = """
const state = JSON.parse(document.getElementById("state").textContent);
window.models = await showPage(state, [$prepare]);
document.documentElement.dataset.ready = "yes";
"""


@dataclass
class Report:
    """What was written.

    Attributes:
        folder: Where.
        pages: Bytes, gzipped, of each page with the pictures on it, by the name of its file.
        notes: What the reader of the terminal should know.
    """

    folder: Path
    pages: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def export(
    folder: Path,
    *,
    notebooks: Path | None = None,
    repository: str = "",
    gallery: bool = True,
    live: bool = True,
    progress: Callable[[str], None] = lambda _text: None,
) -> Report:
    """Write every page so that it works without a kernel and without a network.

    Args:
        folder: Where to write; it must be new, empty, or hold a former export.
        notebooks: The folder of the pages' notebooks; the explainer's own if not given.
        repository: The address of a GitHub repository, such as "https://github.com/ORG/NAME", for
            links to live pages on Binder and for what to clone.
        gallery: Whether to draw the gallery's runs with the embedded model and add their page.
        live: Whether readers may draw their own sentences in the browser, where the site comes from
            a web host. It takes npm and the packages of the extra `export`.
        progress: Told what is being done.

    Raises:
        SiteError: There is nothing to export, a notebook cannot run, what drawing needs is not
            there, or the folder holds something else.
    """
    source = notebooks_folder() if notebooks is None else notebooks
    paths = sorted(source.glob("*.ipynb"))
    if not paths:
        raise SiteError(f"There are no notebooks in {source}. Name a folder that has some.")
    _check_names(paths)
    _check_repository(repository)
    if live:
        drawing.check()
    others = _prepare(folder)
    report = Report(folder)
    try:
        _fill(
            report,
            paths,
            repository,
            kept=notebooks is None,
            gallery=gallery,
            live=live,
            progress=progress,
        )
    finally:
        # What a failed export leaves is its own, too, for the next one to write over.
        _mark(folder, others)
    return report


def _fill(
    report: Report,
    paths: list[Path],
    repository: str,
    *,
    kept: bool,
    gallery: bool,
    live: bool,
    progress: Callable[[str], None],
) -> None:
    """Write the pages of these notebooks, and tell the report."""
    folder = report.folder
    look.copy_assets(folder / ASSETS)
    pages = []
    for path in paths:
        progress(f"running {path.name}")
        pages.append(notebook.read(path))
        _copy(pages[-1].files, folder)
    if gallery:
        pages.append(recorded_runs.page(recorded_runs.record(progress), folder))
    sizes = drawing.write(folder, progress) if live else {}
    if sizes:
        report.notes.append(drawing.note(sizes))
    frame = frame_for(pages)
    for page in pages:
        if sizes and "Studio" in page.kinds:
            _let_draw(page, sizes)
        if "Sentence" in page.kinds and embedded_fingerprint() is not None:
            _let_type(page, embedded_folder())
        of_notebook = kept and page.name != recorded_runs.NAME
        foot = live_words(repository, page, kept=of_notebook)
        report.pages[page_file(page.name)] = _write(page, frame, foot, folder)
    start = {"title": html.escape(pages[0].title), "page": page_file(pages[0].name)}
    (folder / "index.html").write_text(_template("start.html").substitute(start), "utf-8")


def frame_for(pages: list[Page]) -> str:
    """Return what stands before a page's text: the way to the others.

    The explainer's own frame leads to the pages that are there, and its pipeline names the others
    without a link; other notebooks get a plain list.
    """
    names = {page.name for page in pages}
    own = look.page_names()
    if not names & set(own):
        items = "".join(
            f'<li><a href="{page_file(page.name)}">{html.escape(page.title)}</a></li>'
            for page in pages
        )
        return f'<nav class="page-text" aria-label="Pages"><ol>{items}</ol></nav>'
    frame = look.frame(".html")
    for missing in set(own) - names:
        frame = re.sub(rf'<li><a href="{missing}\.html".*?</li>', "", frame)
        frame = re.sub(rf'<a href="{missing}\.html[^"]*"', "<a", frame)
    if recorded_runs.NAME in names:
        item = (
            f'<li><a href="{recorded_runs.NAME}.html" data-parts="text noise guide latent decoder">'
            "<b>Gallery</b> <span>more sentences, drawn before</span></a></li>"
        )
        frame = frame.replace("</ol>", f"{item}</ol>", 1)
    return frame


def live_words(repository: str, page: Page, *, kept: bool = True) -> str:
    """Return HTML that says how this page is had with a model behind it.

    Args:
        repository: As for `export`.
        page: The page.
        kept: Whether the repository has its notebook.
    """
    address = html.escape(repository or "REPOSITORY")
    words = (
        '<div class="page-text" id="live-pages"><h2>Live pages</h2><p>This page is a recording. '
        "What you can slide, play, compare and point at works without a network. What asks the "
        "model anew needs a live page:</p><ul><li>on your own computer: <code>git clone --depth 1 "
        f"{address} storybook-explainer; cd storybook-explainer; make run</code></li>"
    )
    if repository and kept:
        place = html.escape("/".join(repository.rstrip("/").split("/")[-2:]))
        name = quote(f"{page.name}.ipynb", safe="")
        words += (
            f'<li>on a borrowed computer, for a while: <a href="https://mybinder.org/v2/gh/{place}/'
            f'HEAD?urlpath=voila%2Frender%2Fnotebooks%2F{name}">this page on Binder</a>'
            "</li>"
        )
    return words + "</ul></div>"


def _check_names(paths: list[Path]) -> None:
    names: dict[str, Path] = {"index.html": paths[0].with_name("index.html")}
    for path in paths:
        name = page_file(path.stem)
        if other := names.get(name):
            raise SiteError(f"{path.name} and {other.name} would both be {name}. Rename one.")
        names[name] = path


def _check_repository(repository: str) -> None:
    if repository and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/?", repository):
        raise SiteError(
            f"{repository!r} is no address of a repository. Give one such as "
            "https://github.com/ORG/NAME, or none."
        )


def _prepare(folder: Path) -> set[str]:
    """Make the folder ready; what a former export left in it goes.

    Returns:
        What else is in it, which stays.

    Raises:
        SiteError: It is no folder, or holds something that is not ours.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            _clear(folder)
        others = {path.name for path in folder.iterdir() if path.name != MARK}
        (folder / MARK).write_text('{"holds": []}', "utf-8")
    except OSError as error:
        raise SiteError(f"{folder} cannot be written to: {error}. Name another folder.") from error
    return others


def _clear(folder: Path) -> None:
    try:
        held = set(json.loads((folder / MARK).read_text("utf-8"))["holds"])
        # The note may come from anybody: of what it names only what lies in the folder is removed.
        paths = [path for path in folder.iterdir() if path.name in held]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SiteError(
            f"{folder} holds files that no export wrote. Name a new or an empty folder."
        ) from error
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _mark(folder: Path, others: set[str]) -> None:
    """Note what the export wrote, and tell GitHub Pages to serve it as it is."""
    (folder / ".nojekyll").touch()
    held = sorted({path.name for path in folder.iterdir()} - {MARK} - others)
    note = {"made by": f"storybook-explainer {explainer.__version__}", "holds": held}
    (folder / MARK).write_text(json.dumps(note, indent=1) + "\n", "utf-8")


def _copy(files: dict[str, Path], folder: Path) -> None:
    for name, file in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / name)


def _let_draw(page: Page, sizes: dict[str, int]) -> None:
    page.body += drawing.element(sizes)
    page.before += drawing.script()
    page.prepare.append("attachDrawing")


def _let_type(page: Page, weights: Path) -> None:
    page.body += reading.element(weights)
    page.before += reading.script()
    page.prepare.append("attachSentences")


def _set_apart(text: str, folder: Path) -> str:
    """Write a buffer beside the pages, under a name that no other one can have; return that."""
    name = f"{DATA}/{hashlib.sha256(text.encode()).hexdigest()[:16]}.js"
    (folder / DATA).mkdir(exist_ok=True)
    (folder / name).write_text(f'explainerData("{text}");\n', "ascii")
    return name


def _template(name: str) -> Template:
    return Template((_HERE / name).read_text("utf-8"))


def _write(page: Page, frame: str, foot: str, folder: Path) -> int:
    """Write a page; return what opening it fetches, in bytes, gzipped as web hosts send it."""
    page.bundle.set_apart(LARGE, lambda text: _set_apart(text, folder))
    show = _SHOW.replace("$prepare", ", ".join(page.prepare))
    text = _template("page.html").substitute(
        policy=POLICY,
        version=explainer.__version__,
        title=html.escape(page.title),
        head=look.head(ASSETS) + f"\n<style>{STYLE.read_text('utf-8')}</style>",
        frame=frame,
        body=page.body,
        foot=foot,
        state=page.bundle.json(),
        script=page.before + HOST.read_text("utf-8") + show + page.script,
        scripts=look.foot(ASSETS) if 'class="frame"' in frame else "",
    )
    path = folder / page_file(page.name)
    path.write_text(text, "utf-8")
    shared = (path for path in (folder / ASSETS).rglob("*") if path.is_file())
    beside = [folder / name for name in page.files]
    return sum(len(gzip.compress(path.read_bytes())) for path in (path, *shared, *beside))
