"""The look that all pages share: whole, with its licences, the same for both ways to serve it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from explainer import look

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


class Tags(HTMLParser):
    """All start tags of a text, with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def links(self):
        return [attrs["href"] for tag, attrs in self.found if tag == "a"]


def test_every_notebook_has_its_place_among_the_pages():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} <= set(look.page_names())
    assert look.page_names() == sorted(look.page_names())


@pytest.mark.parametrize("suffix", [".ipynb", ".html"])
def test_the_frame_links_pages_by_the_suffix_that_they_are_served_under(suffix):
    links = [link for link in Tags(look.frame(suffix)).links() if not link.startswith("#")]
    assert {link.split("#")[0] for link in links} == {name + suffix for name in look.page_names()}


def test_pages_name_only_parts_that_the_pipeline_has():
    tags = Tags(look.frame()).found
    parts = {attrs["data-part"] for _, attrs in tags if "data-part" in attrs}
    assert parts == {"text", "noise", "guide", "latent", "decoder"}
    for _, attrs in tags:
        named = attrs.get("data-parts", "").split()
        for section in filter(None, attrs.get("data-sections", "").split(";")):
            named += section.split(":")[1].split()
        assert set(named) <= parts


def test_assets_are_whole_without_any_other_host(tmp_path):
    files = look.copy_assets(tmp_path / "assets")
    names = {str(path.relative_to(tmp_path / "assets")) for path in files}
    assert not names & look.FOR_VOILA
    css = (tmp_path / "assets" / "look.css").read_text("utf-8")
    urls = re.findall(r"url\(([^)]+)\)", css)
    assert urls
    assert set(urls) <= names
    for path in files:
        if path.suffix in {".css", ".js"}:
            assert "://" not in path.read_text("utf-8"), path.name
    for link in re.findall(r'(?:href|src)="assets/([^"]+)"', look.head() + look.foot()):
        assert link in names


def test_letters_come_with_their_licence_and_are_small():
    fonts = look.STATIC / "fonts"
    letters = list(fonts.glob("*.woff2"))
    assert sum(path.stat().st_size for path in letters) < 200_000
    licences = list(fonts.glob("*-OFL.txt"))
    assert len(licences) == len({path.name.split("-latin")[0] for path in letters})
    notice = (NOTEBOOKS.parent / "NOTICE").read_text("utf-8")
    for path in licences:
        assert "SIL OPEN FONT LICENSE" in path.read_text("utf-8").upper()
        assert path.name.removesuffix("-OFL.txt").replace("-", " ") in notice


def test_the_tour_speaks_of_parts_that_widgets_have():
    text = (look.STATIC / "tour.js").read_text("utf-8")
    steps = re.findall(r'page: "(\w+)",\s+at: "([^"]+)"', text)
    assert {page for page, _ in steps} == set(look.page_names())
    widgets = (look.FOLDER.parents[2] / "widgets").glob("*.js")
    known = {name for path in widgets for name in re.findall(r"ex-[\w-]+", path.read_text("utf-8"))}
    for _, selector in steps:
        assert set(re.findall(r"ex-[\w-]+", selector)) <= known, selector


def test_what_is_drawn_outside_of_a_browser_has_the_colours_of_the_widgets():
    style = (Path(look.__file__).parent / "widgets" / "base.css").read_text("utf-8")
    by_day = style.split("}")[0]
    for name, colour in (("paper", look.PAPER), ("ink", look.INK), ("ink-soft", look.SOFT)):
        assert f"  --{name}: {colour};" in by_day
