"""Everyday wordings: what they say is in the scene, and a caption beside each says the same."""

import re

import pytest

from storybook import captions, everyday
from storybook.captions import words
from storybook.everyday import known_words, phrases, two_wordings, wordings_of
from storybook.world import PEOPLE, scene

PICTURES = 1500


@pytest.fixture(scope="module")
def told():
    """Many pairs of wordings, each with its scene."""
    return [(scene(n), *pair) for n in range(PICTURES) for pair in wordings_of(n, 2)]


def test_both_wordings_name_the_same(told):
    assert all(wording.names == caption.names for _, wording, caption in told)
    for name in everyday._CHANCES:
        assert any(name in wording.names for _, wording, _ in told)


USUAL = {
    "who": captions.WHO, "hair": captions.HAIR, "skin": captions.SKIN, "colour": captions.COLOUR,
    "garment": captions.GARMENT, "action": captions.ACTION, "place": captions.PLACE,
    "time": captions.TIME, "style": captions.STYLE, "mood": captions.MOOD,
}  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
def test_what_a_wording_names_is_in_its_text(told, name):
    for shown, wording, _ in told:
        value = getattr(shown, name)
        if name in wording.names:
            known = [*USUAL[name][value], *everyday._strings(phrases()[name][value])]
            text = wording.text.lower()
            bare = [re.sub(r"^(an?|the|with|having) ", "", phrase) for phrase in known]
            assert any(phrase.split("{}")[0].strip() in text for phrase in bare), wording.text


@pytest.mark.parametrize("name", ["who", "colour", "action", "place", "time", "style"])
def test_what_a_wording_does_not_name_is_not_in_its_text(told, name):
    others = {kind: table for kind, table in phrases().items() if kind != name}
    usual = {kind: table for kind, table in USUAL.items() if kind != name}
    glue = [captions.WHERE, captions.ALONG, everyday._GLUE, captions._GLUE]
    elsewhere = " ".join(
        text for table in (others, usual, *glue) for text in everyday._strings(table)
    )
    telling = set(words(" ".join(everyday._strings(phrases()[name])))) - set(words(elsewhere))
    assert len(telling) > 30
    for _, wording, _ in told:
        if name not in wording.names:
            assert not telling & set(words(wording.text)), wording.text


def test_only_people_have_hair_and_skin(told):
    for shown, wording, _ in told:
        if shown.who not in PEOPLE:
            assert not wording.names & {"hair", "hairstyle", "skin"}


def test_wordings_differ_more_than_captions_do(told):
    met = {word for _, wording, _ in told for word in words(wording.text)}
    assert len(met) > 4 * len(captions.caption_words())
    assert met < known_words()
    assert len({wording.text for _, wording, _ in told}) > 0.95 * len(told)


def test_what_changes_nothing_names_nothing():
    naming = set().union(*(everyday._strings(phrases()[name]) for name in USUAL))
    for kind in ("adjectives", "openings", "closings", "wearing"):
        assert not naming & set(phrases()[kind]), kind


def test_a_phrase_stands_for_one_value():
    for name, table in phrases().items():
        if isinstance(table, dict):
            found = [set(everyday._strings(values)) for values in table.values()]
            assert sum(map(len, found)) == len(set().union(*found)), name


def test_no_phrase_names_another_value_as_captions_do():
    for name in ("who", "colour", "action", "place", "style"):
        for value, usual in USUAL[name].items():
            others = {v: t for v, t in phrases()[name].items() if v != value}
            assert not set(usual) & set(everyday._strings(others)), (name, value)


def test_a_picture_has_the_same_wordings_forever():
    everyday, caption = wordings_of(0, 2)[1]
    assert everyday.text == (
        "Mischievous girl, blonde hair, bright green summer dress, taking a walk, a harbour, "
        "bright sunny day"
    )
    assert caption.text == (
        "4-year-old girl, fair hair, bright green dress, goes for a walk, harbour, in the sun"
    )
    assert wordings_of(7, 2) == wordings_of(7, 5)[:2]


def test_the_phrases_fit_every_scene():
    for number in range(300):
        shown = scene(number, "heldout")
        wording, caption = two_wordings(shown, shown.dice("test"))
        assert wording.text.strip()
        assert "  " not in wording.text
        assert wording.names == caption.names
