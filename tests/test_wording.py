"""For a word that training never showed: what the picture book has nearest to it."""

import pytest

from storybook import wording
from storybook.captions import caption_words, words
from storybook.everyday import known_words
from storybook.wording import nearest_wording


def test_a_known_word_stays():
    assert nearest_wording("Castle") == "castle"


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("tiger", "lion"),
        ("island", "beach"),
        ("farmer", "man"),
        ("foxes", "fox"),
        ("villages", "village"),
        ("witches", "woman"),
        ("castles", "castle"),
        ("raincoats", "raincoat"),
        ("pinguin", "penguin"),
        ("turqoise", "turquoise"),
    ],
)
def test_a_word_is_found_by_meaning_by_ending_and_by_spelling(word, near):
    assert word not in known_words()
    assert nearest_wording(word) == near


def test_a_short_word_is_no_other_short_word():
    for word in words("bed ring thing pie pies be hat chair swing tea gas ear kite horses boots"):
        assert nearest_wording(word) is None, word


def test_words_that_show_nothing_are_known_and_offered_for_no_other():
    assert caption_words() >= wording._JOINING
    assert not wording._JOINING & set(wording._stems().values())
    assert nearest_wording("the") == "the"
    assert nearest_wording("throughh") is None


@pytest.mark.parametrize("word", ["spaceship", "quokka", "雪", "🦊", "", "two words"])
def test_where_nothing_is_near_nothing_is_named(word):
    assert nearest_wording(word) is None


def test_every_wording_offered_is_one_that_training_showed():
    assert known_words().issuperset(words(" ".join(wording._NEAREST)))


def test_listed_words_are_strange_to_the_model_and_listed_once():
    listed = " ".join(wording._NEAREST.values()).split()
    assert not known_words() & set(listed)
    assert len(listed) == len(set(listed))
