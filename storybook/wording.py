"""What the model knows a word as: the nearest wording of the picture book for one it never met."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

from storybook.captions import caption_words, words
from storybook.everyday import known_words

SPELLED_ALIKE = 0.8
"""From this similarity on (difflib's ratio) a word counts as another one misspelt"""
SPELT_OUT = 5
"""if it has so many letters: a shorter one is just another word."""

_NEAREST = {
    # who
    "girl": "princess",
    "boy": "prince",
    "woman": "queen witch",
    "man": "king wizard pirate farmer",
    "grandfather": "beard bearded",
    "little girl": "child kid toddler children kids",
    "fox": "wolf",
    "rabbit": "bunnies hamster mouse",
    "bear": "panda koala",
    "cat": "tabby",
    "dog": "poodle terrier",
    "owl": "bird eagle parrot",
    "dragon": "dinosaur monster lizard",
    "robot": "machine cyborg",
    "penguin": "duck goose swan",
    "frog": "toad",
    "elephant": "mammoth hippo rhino",
    "lion": "tiger leopard lioness",
    # colours
    "red": "maroon",
    "blue": "indigo",
    "orange": "apricot amber",
    "pink": "magenta",
    "white": "cream",
    "brown hair": "auburn",
    "red hair": "redheaded",
    # clothes
    "dress": "skirt robe",
    "jumper": "shirt t-shirt blouse hoodie top",
    "dungarees": "trousers jeans pants shorts",
    "cape": "shawl",
    # actions
    "walks": "runs running marches dances dancing",
    "jumps": "flies flying",
    "reads": "studies studying",
    "sleeps": "dreams",
    # places
    "forest": "jungle",
    "meadow": "garden park lawn",
    "beach": "island",
    "mountains": "hill hills cliff",
    "village": "house home",
    "castle": "palace tower",
    "city": "town road",
    "farm": "stable",
    "lake": "river water stream",
    "harbour": "boat ship ships pier",
    # times and weathers
    "sunset": "dawn sunrise",
    "night": "darkness",
    "rain": "storm stormy thunder",
    "snow": "icy frosty christmas",
    "fog": "hazy cloudy",
    # styles
    "watercolour": "gouache",
    "pencil sketch": "sketchy charcoal",
    "flat vector": "cartoon logo",
    "oil painting": "impressionist acrylic",
    "pixel art": "videogame",
    "paper cut-out": "origami",
    "crayon": "chalk",
    "ink comic": "manga anime",
    # moods
    "dreamy": "sparkling",
}
"""Words that training never showed, by what the picture book has nearest to them."""


_JOINING = frozenset(
    words(
        "a across along an and around as at by down from goes in is it near of on past says "
        "showing the there through towards under while with"
    )
)
"""Known words that show nothing by themselves: they stand in for no other."""
# At least three letters stay, or "ring" would be a form of "red".
_ENDINGS = re.compile(r"(?<=...)('s|ies|es|s|e|y|ed|ing|er)$")


def _stem(word: str) -> str:
    """Cut off what English adds to a word: the same for all its forms, if not always rightly."""
    return _ENDINGS.sub("", word)


@cache
def _nearest() -> dict[str, str]:
    return {word: known for known, listed in _NEAREST.items() for word in listed.split()}


@cache
def _showing() -> list[str]:
    return sorted(caption_words() - _JOINING)


@cache
def _stems() -> dict[str, str]:
    """What each stem is worded as: by a caption's word, the shortest of them, or as listed."""
    known = sorted(_showing(), key=len, reverse=True)
    return {_stem(word): wording for word, wording in _nearest().items()} | {
        _stem(word): word for word in known
    }


def nearest_wording(word: str) -> str | None:
    """Return the nearest wording that training showed, for a word that it did not show.

    Nearest in meaning by a list of such words, else in spelling: another ending, or a slip. What
    captions hold is offered first: everyday words are so many that a slip is too near to some.

    Args:
        word: one word, in any case.

    Returns:
        A word or phrase made of known words; the word itself where it is known; None where
        nothing is near.
    """
    parts = words(word)
    if len(parts) != 1:
        return None
    word = parts[0]
    if word in known_words():
        return word
    if word in _nearest():
        return _nearest()[word]
    if _stem(word) in _stems():
        return _stems()[_stem(word)]
    if len(word) >= SPELT_OUT and word.removesuffix("s") in known_words():
        return word.removesuffix("s")
    return _respelt(word)


def _respelt(word: str) -> str | None:
    """Return the caption's word that this may be a slip of; the first letter is seldom wrong."""
    if len(word) < SPELT_OUT:
        return None
    alike = [known for known in _showing() if known[0] == word[0]]
    near = get_close_matches(word, alike, n=1, cutoff=SPELLED_ALIKE)
    return near[0] if near else None
