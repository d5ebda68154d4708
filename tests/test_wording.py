"""For a word that training never showed: what the picture book has nearest to it."""

import pytest

from storybook import wording
from storybook.captions import caption_words, words
from storybook.wording import nearest_wording


def test_a_known_word_stays():
    assert nearest_wording("Castle") == "castle"


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("tiger", "lion"),
        ("ocean", "beach"),
        ("farmer", "man"),
        ("foxes", "fox"),
        ("puppies", "puppy"),
        ("witches", "woman"),
        ("jumped", "jumps"),
        ("castel", "castle"),
        ("harbor", "harbour"),
    ],
)
def test_a_word_is_found_by_meaning_by_ending_and_by_spelling(word, near):
    assert word not in caption_words()
    assert nearest_wording(word) == near


def test_a_short_word_is_no_other_short_word():
    for word in words("bed ring thing wing pie pies be hat chair air swing tea he was gas his ear"):
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
    assert caption_words().issuperset(words(" ".join(wording._EVERYDAY)))


def test_everyday_words_are_strange_to_the_model_and_listed_once():
    listed = " ".join(wording._EVERYDAY.values()).split()
    assert not caption_words() & set(listed)
    assert len(listed) == len(set(listed))
