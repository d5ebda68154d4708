"""Captions: what they say is in the scene, and every word they use is known."""

import re

import pytest

from storybook import captions
from storybook.captions import (
    RUNNING_EXAMPLE,
    caption_words,
    captions_for,
    captions_of,
    heldout_prompts,
    words,
)
from storybook.world import scene

PICTURES = 2500


@pytest.fixture(scope="module")
def told():
    """Many captions, each with its scene."""
    return [(scene(n), caption) for n in range(PICTURES) for caption in captions_of(n, 3)]


def test_known_words_are_exactly_those_that_captions_use(told):
    met = {word for _, caption in told for word in words(caption.text)}
    assert met == caption_words()


def test_the_running_example_has_no_unknown_word():
    assert caption_words().issuperset(words(RUNNING_EXAMPLE))
    assert caption_words().issuperset(words("a 4-year-old girl walks through an enchanted forest"))


def test_words_are_split_as_captions_count_them():
    prompt = "Spaceship! 雪 and 🦊, a red-haired quokka's"
    assert words(prompt) == ["spaceship", "雪", "and", "a", "red-haired", "quokka's"]
    assert words("") == []


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("who", captions.WHO),
        ("place", captions.PLACE),
        ("time", captions.TIME),
        ("style", captions.STYLE),
        ("action", captions.ACTION),
        ("colour", captions.COLOUR),
        ("garment", captions.GARMENT),
        ("mood", captions.MOOD),
        ("skin", captions.SKIN),
        ("hair", captions.HAIR),
    ],
)
def test_what_a_caption_names_is_in_its_text(told, name, table):
    counted = 0
    for shown, caption in told:
        if name not in caption.names:
            continue
        counted += 1
        # A list of tags drops articles: "enchanted forest".
        phrases = [re.sub(r"^(an?|the) ", "", p) for p in table[getattr(shown, name)]]
        assert any(phrase in caption.text.lower() for phrase in phrases), (shown, caption)
    assert counted > 150


@pytest.mark.parametrize(
    ("name", "table"), [("time", captions.TIME), ("style", captions.STYLE), ("mood", captions.MOOD)]
)
def test_what_a_caption_does_not_name_is_not_in_its_text(told, name, table):
    for shown, caption in told:
        if name not in caption.names:
            for phrase in table.get(getattr(shown, name), ()):
                assert not re.search(rf"\b{re.escape(phrase)}\b", caption.text.lower()), caption


def test_captions_differ_in_what_they_tell(told):
    assert len({caption.text for _, caption in told}) > 0.95 * len(told)
    for name in ("who", "hair", "colour", "action", "place", "time", "style"):
        share = sum(name in caption.names for _, caption in told) / len(told)
        assert 0.15 < share < 0.99, name


def test_no_caption_has_a_hole_or_a_doubled_blank(told):
    for _, caption in told:
        assert not re.search(r"[{}]|  |^\W|,,| ,| \.", caption.text), caption.text


def test_a_picture_has_the_same_captions_forever():
    assert [caption.text for caption in captions_of(0, 3)[1:]] == [
        "a golden-haired girl wearing a green dress is walking along the harbour, on a sunny day",
        (
            "a page of a children's book: a little girl wearing a bright green gown wanders along "
            "the port on a sunny day, oil on canvas"
        ),
    ]
    # Asking for more changes none of those that one had.
    assert captions_of(7, 2) == captions_of(7, 5)[:2] == captions_for(scene(7), 2)


def test_styles_are_named_as_one_says_it(told):
    text = " | ".join(caption.text for _, caption in told).lower()
    odd = r"(pixels|pencil|paint|canvas) of an? |as an? (painted|oil on|cut paper)|style style"
    assert not re.findall(odd, text)
    assert re.search(r"(watercolour|sketch) of an? ", text)


def test_held_out_prompts_are_sorted_into_seen_and_unseen():
    for unseen in (True, False):
        found = heldout_prompts(20, unseen=unseen)
        assert [shown.is_unseen() for _, shown in found] == [unseen] * 20
        assert heldout_prompts(5, first=found[2][1].number // 2, unseen=unseen) == found[2:7]
    mixed = heldout_prompts(3)
    assert [shown.number for _, shown in mixed] == [1, 3, 5]
    assert mixed == heldout_prompts(3)
