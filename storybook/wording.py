"""What the model knows a word as: the nearest wording of the picture book for one it never met."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

from storybook.captions import caption_words, words

SPELLED_ALIKE = 0.8
"""From this similarity on (difflib's ratio) a word counts as another one misspelt"""
SPELT_OUT = 5
"""if it has so many letters: of a shorter one, a slip makes just another word."""

_EVERYDAY = {
    # who
    "girl": "daughter princess sister niece schoolgirl",
    "boy": "son prince brother nephew schoolboy lad",
    "woman": "queen aunt mum mom mommy mummy wife witch teacher",
    "man": "king uncle dad daddy husband wizard pirate farmer",
    "grandmother": "gran nana nan",
    "grandfather": "gramps granddad beard bearded",
    "little girl": "child kid toddler children kids",
    "fox": "vixen wolf",
    "rabbit": "bunnies hamster mouse",
    "bear": "panda koala cub",
    "cat": "kitty tabby tomcat",
    "dog": "hound poodle terrier doggy",
    "owl": "bird eagle parrot",
    "dragon": "dinosaur monster lizard",
    "robot": "android machine cyborg",
    "penguin": "duck goose swan",
    "frog": "toad",
    "elephant": "mammoth hippo rhino",
    "lion": "tiger leopard lioness",
    # colours
    "red": "scarlet crimson ruby maroon",
    "blue": "navy azure sapphire indigo",
    "green": "emerald olive lime",
    "yellow": "lemon gold",
    "orange": "apricot amber",
    "purple": "lilac lavender mauve",
    "pink": "rose magenta",
    "turquoise": "cyan aqua",
    "white": "cream ivory",
    "brown hair": "brunette auburn",
    "red hair": "redhead redheaded",
    "blonde hair": "blond",
    # clothes
    "dress": "skirt robe",
    "coat": "raincoat parka anorak",
    "jumper": "shirt t-shirt blouse hoodie top",
    "dungarees": "trousers jeans pants",
    "cape": "shawl",
    # actions
    "walks": "runs running marches hikes hiking dances dancing",
    "waves": "greets greeting",
    "jumps": "flies flying bounces",
    "sits": "rests resting",
    "reads": "studies studying",
    "sleeps": "naps napping dreams dreaming lies",
    # places
    "forest": "trees jungle woodland",
    "enchanted forest": "fairyland fairy mystical",
    "meadow": "garden grass park lawn",
    "beach": "sea ocean shore coast sand island",
    "mountains": "mountain hill hills cliff alps",
    "village": "house cottage home cottages",
    "castle": "palace tower fortress",
    "city": "town road skyscrapers streets",
    "desert": "dunes sahara",
    "farm": "barn stable",
    "lake": "pond river water stream",
    "harbour": "boat ship boats ships pier sailing",
    # times and weathers
    "day": "noon midday sunshiny sunlit",
    "sunset": "dusk dawn sunrise twilight",
    "night": "midnight starry darkness moonlit",
    "rain": "raining drizzle storm stormy thunder",
    "snow": "snowing snowfall icy frosty christmas",
    "fog": "haze hazy cloudy",
    # styles
    "watercolour": "aquarelle gouache washes",
    "pencil sketch": "sketchy graphite charcoal",
    "flat vector": "cartoon minimalist logo",
    "oil painting": "impressionist impasto acrylic",
    "pixel art": "pixelated retro videogame",
    "paper cut-out": "origami papercraft",
    "crayon": "pastel chalk crayons",
    "ink comic": "manga anime",
    # moods
    "picturesque": "pretty beautiful charming lovely scenic",
    "dreamy": "magic dreamlike sparkling",
}
"""Words of every day that no caption holds, by what the picture book has nearest to them."""


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
def _everyday() -> dict[str, str]:
    return {word: known for known, listed in _EVERYDAY.items() for word in listed.split()}


@cache
def _showing() -> list[str]:
    return sorted(caption_words() - _JOINING)


@cache
def _stems() -> dict[str, str]:
    """What each stem is worded as: by a known word, the shortest of them, or an everyday one."""
    known = sorted(_showing(), key=len, reverse=True)
    return {_stem(word): wording for word, wording in _everyday().items()} | {
        _stem(word): word for word in known
    }


def nearest_wording(word: str) -> str | None:
    """Return the nearest wording that training showed, for a word that it did not show.

    Nearest in meaning by a list of everyday words, else in spelling: another ending, or a slip.

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
    if word in caption_words():
        return word
    if word in _everyday():
        return _everyday()[word]
    if _stem(word) in _stems():
        return _stems()[_stem(word)]
    return _respelt(word)


def _respelt(word: str) -> str | None:
    """Return the known word that this one may be a slip of; the first letter is seldom wrong."""
    if len(word) < SPELT_OUT:
        return None
    alike = [known for known in _showing() if known[0] == word[0]]
    near = get_close_matches(word, alike, n=1, cutoff=SPELLED_ALIKE)
    return near[0] if near else None
