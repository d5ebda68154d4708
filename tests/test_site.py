"""The static site as files: what is run, what is written, what is refused."""

import json
import re

import nbformat
import pytest

from explainer import cli, site
from explainer.site import gallery, model, notebook, runtime, writing
from explainer.site.notebook import Page, SiteError
from explainer.widgets import Gallery, Player
from explainer.widgets.host import Bundle
from storybook.captions import caption_words, words
from tests.synthetic import make_trace

BAD = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
CODE = f"""
import explainer as ex, ipywidgets as widgets
from IPython.display import Markdown, display
from tests.synthetic import make_trace
trace = make_trace(steps=4, prompt={BAD!r})
player, grid = ex.widgets.Player(trace), ex.widgets.LatentGrid(trace)
widgets.jslink((player, "step"), (grid, "step"))
display(player, widgets.VBox([grid, player]), Markdown(f"**bold** {{trace.prompt}}"))
print({BAD!r})
"""


def write(folder, name, *cells, **metadata):
    """A notebook of these cells: code where they begin with a line break, else markdown."""
    made = [
        nbformat.v4.new_code_cell(cell)
        if cell.startswith("\n")
        else nbformat.v4.new_markdown_cell(cell)
        for cell in cells
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page = nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel, **metadata})
    nbformat.write(page, folder / f"{name}.ipynb")


@pytest.fixture(autouse=True)
def found(monkeypatch):
    """A kernel finds what the tests find."""
    monkeypatch.setenv("PYTHONPATH", str(writing.Path(__file__).parents[1]))


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "images").mkdir()
    (folder / "images" / "one two.png").write_bytes(b"picture")
    write(
        folder,
        "00_first",
        '# First\n\n## Your turn\n\n![words](images/one%20two.png "t") [on](01_second.ipynb#a) '
        "[other](%C3%BCber%20uns.ipynb?prompt=a%20fox) [out](https://example.org/)",
        CODE,
        title=f"First {BAD}",
    )
    write(folder, '01_second"><b>', "# Second", "\n1 + 1")
    return folder


@pytest.fixture(scope="module")
def exported(notebooks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(writing.Path(__file__).parents[1]))
        report = site.export(folder, notebooks=notebooks, gallery=False, live=False)
    return folder, report


def test_every_notebook_becomes_a_page_and_the_first_one_opens(exported):
    folder, report = exported
    assert list(report.pages) == ["00_first.html", "01_second-b.html"]
    assert 'url=00_first.html"' in (folder / "index.html").read_text()
    assert (folder / "images" / "one two.png").read_bytes() == b"picture"
    assert (folder / "assets" / "look.css").is_file()
    page = (folder / "00_first.html").read_text()
    assert '<h2 id="Your-turn">Your turn</h2>' in page
    assert 'href="01_second.html#a"' in page
    assert f'href="{notebook.page_file("über uns")}?prompt=a%20fox"' in page
    assert 'href="https://example.org/"' in page
    assert "make_trace" not in page, "no code"
    assert "<pre>2</pre>" in (folder / "01_second-b.html").read_text()


def test_what_is_said_to_be_fetched_is_what_is_there(exported):
    folder, report = exported
    everything = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert 0 < report.pages["01_second-b.html"] < report.pages["00_first.html"] < everything


def test_data_cannot_break_out_of_a_page(exported):
    page = (exported[0] / "00_first.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") == 4  # title, its link, markdown and print


def test_a_widget_shown_twice_is_there_once_and_links_are_kept(exported):
    page = (exported[0] / "00_first.html").read_text()
    state = json.loads(re.search(r'id="state">(.*?)</script>', page)[1])
    assert [widget["at"] for widget in state["widgets"]] == [
        ["#widget-0", "#widget-2"],
        ["#widget-1"],
    ]
    assert state["links"] == [[[0, "step"], [1, "step"], True]]
    assert len(state["modules"]) == 2


def test_a_page_asks_only_for_what_lies_beside_it(exported):
    page = (exported[0] / "00_first.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_the_frame_leads_only_to_pages_that_are_there():
    frame = writing.frame_for([Page("00_overview", "Overview"), Page("03_latent", "Latent")])
    assert set(re.findall(r'href="(\w+)\.html', frame)) == {"00_overview", "03_latent"}
    assert len(re.findall("<li data-part=", frame)) == 5  # the pipeline is named as a whole


def test_a_former_export_is_written_over_and_nothing_else(notebooks, exported, tmp_path):
    folder = exported[0]
    (folder / "CNAME").write_text("mine")
    one = tmp_path / "one"
    one.mkdir()
    write(one, "05_other", "# Other")
    site.export(folder, notebooks=one, gallery=False, live=False)
    assert (folder / "05_other.html").is_file()
    assert not (folder / "00_first.html").exists()
    site.export(folder, notebooks=one, gallery=False, live=False)
    assert (folder / "CNAME").read_text() == "mine"
    (tmp_path / "own.txt").write_text("mine")
    with pytest.raises(SiteError, match="holds files that no export wrote"):
        site.export(tmp_path, notebooks=one, gallery=False, live=False)


def test_what_a_failed_export_left_goes_with_the_next_one(tmp_path):
    folder, pages = tmp_path / "site", tmp_path / "pages"
    pages.mkdir()
    write(pages, "00_first", "# First")
    site.export(folder, notebooks=pages, gallery=False, live=False)
    (folder / "CNAME").write_text("mine")
    (pages / "picture.png").write_bytes(b"picture")
    write(pages, "00_first", "# First\n\n![a picture](picture.png)")
    write(pages, "01_bad", "\n1 / 0")
    with pytest.raises(SiteError, match="ZeroDivisionError"):
        site.export(folder, notebooks=pages, gallery=False, live=False)
    assert (folder / "picture.png").is_file()
    (folder / "later.txt").write_text("mine")
    (pages / "01_bad.ipynb").unlink()
    write(pages, "00_first", "# First")
    site.export(folder, notebooks=pages, gallery=False, live=False)
    assert not (folder / "picture.png").exists()
    assert (folder / "CNAME").read_text() == (folder / "later.txt").read_text() == "mine"
    site.export(folder, notebooks=pages, gallery=False, live=False)
    assert "00_first.html" in json.loads((folder / writing.MARK).read_text())["holds"]


def test_a_mark_that_names_other_folders_removes_nothing_there(tmp_path):
    folder, victim = tmp_path / "sites" / "site", tmp_path / "sites" / "victim"
    folder.mkdir(parents=True)
    victim.write_text("mine")
    (folder / writing.MARK).write_text(json.dumps({"holds": ["../victim", str(victim), ".."]}))
    one = tmp_path / "one"
    one.mkdir()
    write(one, "05_other", "# Other")
    site.export(folder, notebooks=one, gallery=False, live=False)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["\n1 / 0"], "stopped with an error. ZeroDivisionError"),
        (["\nimport ipywidgets; ipywidgets.IntSlider()"], "a IntSliderModel, which needs a kernel"),
        (["![x](../secret.txt)"], "no file beside the notebook"),
    ],
)
def test_what_cannot_be_shown_is_told(tmp_path, cells, message):
    (tmp_path / "pages").mkdir()
    (tmp_path / "secret.txt").write_text("x")
    write(tmp_path / "pages", "00_bad", *cells)
    with pytest.raises(SiteError, match=message):
        notebook.read(tmp_path / "pages" / "00_bad.ipynb")


def test_a_file_that_is_no_notebook_and_a_folder_without_any_are_told(tmp_path):
    with pytest.raises(SiteError, match="no notebooks"):
        site.export(tmp_path / "site", notebooks=tmp_path)
    (tmp_path / "00_bad.ipynb").write_text("{")
    with pytest.raises(SiteError, match="cannot be read as a notebook"):
        notebook.read(tmp_path / "00_bad.ipynb")


def test_two_notebooks_that_would_be_one_page_are_told(tmp_path):
    write(tmp_path, "a b")
    write(tmp_path, "a'b")
    with pytest.raises(SiteError, match=r"would both be a-b\.html"):
        site.export(tmp_path / "site", notebooks=tmp_path, gallery=False, live=False)


def test_the_repository_leads_to_binder_and_must_be_one(tmp_path):
    page = Page("02_noise", "Noise")
    words = writing.live_words("https://github.com/some/name", page)
    link = "https://mybinder.org/v2/gh/some/name/HEAD?urlpath=voila%2Frender%2Fnotebooks%2F"
    assert f'"{link}02_noise.ipynb"' in words
    assert "mybinder" not in writing.live_words("", page)
    with pytest.raises(SiteError, match="no address of a repository"):
        site.export(tmp_path / "site", repository='https://github.com/a/b"><script>')


def test_binder_is_offered_only_for_notebooks_that_the_repository_has(
    notebooks, tmp_path, monkeypatch
):
    gallery_page = Page(gallery.NAME, "Gallery")
    monkeypatch.setattr(gallery, "record", lambda _progress: [])
    monkeypatch.setattr(gallery, "page", lambda _traces, _folder: gallery_page)
    options = {"repository": "https://github.com/some/name", "live": False}

    def offered(name):
        page = (tmp_path / "site" / f"{name}.html").read_text()
        assert "git clone --depth 1 https://github.com/some/name" in page
        return "mybinder" in page

    site.export(tmp_path / "site", notebooks=notebooks, **options)
    assert not offered("00_first")
    monkeypatch.setattr(writing, "notebooks_folder", lambda: notebooks)
    site.export(tmp_path / "site", **options)
    assert offered("00_first")
    assert not offered("gallery")


def test_the_gallery_holds_its_runs_apart_and_its_text_as_text(tmp_path):
    traces = [make_trace(steps=3, seed=1), make_trace(steps=5, seed=2, prompt=BAD)]
    page = gallery.page(traces, tmp_path)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["0.js", "1.js"]
    assert page.body.count("<button") == 2
    assert "<img src=x" not in page.body
    assert "</script" not in (tmp_path / "runs" / "1.js").read_text()
    other = gallery.page(traces[:1], tmp_path)
    assert re.search('data-made="(.*?)"', page.body)[1] not in other.body


def test_a_run_without_frames_is_refused_in_the_gallery(tmp_path):
    with pytest.raises(SiteError, match="cannot be shown: This trace holds no frames"):
        gallery.page([make_trace(frames={})], tmp_path)
    with pytest.raises(SiteError, match="needs a run"):
        gallery.page([], tmp_path)


def test_the_gallery_has_a_dozen_prompts_no_two_alike_in_words_that_the_model_met():
    assert len({run.prompt for run in gallery.RUNS}) == len(gallery.RUNS) >= 12
    for run in gallery.RUNS:
        assert set(words(run.prompt)) <= caption_words(), run.prompt


def test_a_widget_is_embedded_anywhere_and_often():
    pieces = [site.embed(Player(make_trace(prompt=BAD))) for _ in range(2)]
    for piece in pieces:
        assert "<script>alert" not in piece
        assert "<img src=x" not in piece
        assert piece.count("<script") == piece.count("</script>") == 2
    places = [re.search('<div id="(.*?)"', piece)[1] for piece in pieces]
    assert places[0] != places[1]


def test_scripts_and_buffers_that_are_shared_are_kept_once():
    bundle = Bundle()
    for _ in range(2):
        bundle.add(Gallery([b"same"], ["one"]).get_state(), ["#x"])
    kept = json.loads(bundle.json())
    assert len(kept["modules"]) == 1
    assert [widget["buffers"] for widget in kept["widgets"]] == [{"_frames": 0}] * 2


def test_large_buffers_are_set_apart_once_and_small_ones_stay():
    bundle, written = Bundle(), []
    for picture in (b"a" * 300, b"a" * 300, b"small"):
        bundle.add(Gallery([picture], ["one"]).get_state(), ["#x"])
    bundle.set_apart(400, lambda text: written.append(text) or f"data/{len(written)}.js")
    kept = json.loads(bundle.json())
    assert kept["buffers"] == [{"at": "data/1.js"}, "c21hbGw="]
    assert len(written) == 1


def test_the_command_writes_the_site_and_says_what_it_weighs(notebooks, tmp_path, capsys):
    folder = tmp_path / "site"
    options = [str(folder), "--notebooks", str(notebooks), "--no-gallery", "--no-live"]
    assert cli.main(["export", *options]) == 0
    said = capsys.readouterr()
    assert "00_first.html: 0." in said.out
    assert f"Open {folder / 'index.html'} in a browser." in said.out
    assert "running 00_first.ipynb" in said.err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    assert cli.main(["export", str(tmp_path / "full")]) == 2
    assert "holds files that no export wrote" in capsys.readouterr().err


def test_without_npm_or_with_another_file_the_export_says_what_to_do(tmp_path, monkeypatch):
    kept = tmp_path / "npm" / "package.tgz"
    monkeypatch.setattr(runtime, "kept_package", lambda: kept)
    monkeypatch.setattr(runtime.shutil, "which", lambda _name: None)
    with pytest.raises(SiteError, match=r"comes by npm, which is not here\. Install Node.js"):
        runtime.package()
    kept.parent.mkdir()
    kept.write_bytes(b"something else")
    with pytest.raises(SiteError, match="Remove it, and export again"):
        runtime.package()


def test_npm_that_fails_is_quoted_and_leaves_nothing(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'E404 no such package' >&2\nexit 1\n")
    npm.chmod(0o755)
    kept = tmp_path / "kept" / "package.tgz"
    monkeypatch.setattr(runtime, "kept_package", lambda: kept)
    monkeypatch.setattr(runtime.shutil, "which", lambda _name: str(npm))
    with pytest.raises(SiteError, match="E404 no such package"):
        runtime.package()
    assert list(kept.parent.iterdir()) == []


def test_what_drawing_needs_is_looked_for_before_anything_is_run(notebooks, tmp_path, monkeypatch):
    monkeypatch.setattr(model, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(SiteError, match="needs onnxscript for the export"):
        site.export(tmp_path / "site", notebooks=notebooks, gallery=False)
    assert not (tmp_path / "site").exists()
