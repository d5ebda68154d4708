"""What people would write under a picture: many wordings of one scene, mostly incomplete.

The tables hold every phrase that a caption can use, so they also say which words it can hold
(:func:`caption_words`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from storybook.dice import Dice
from storybook.world import PEOPLE, Scene, scene

RUNNING_EXAMPLE = (
    "a little girl with red hair and a blue dress walks through an enchanted forest, "
    "soft watercolour"
)

Table = dict[str, tuple[str, ...]]

WHO: Table = {
    "girl": ("girl", "little girl", "young girl", "4-year-old girl", "small girl"),
    "boy": ("boy", "little boy", "young boy", "5-year-old boy", "small boy"),
    "woman": ("woman", "young woman", "lady", "mother"),
    "man": ("man", "young man", "gentleman", "father"),
    "grandmother": ("grandmother", "granny", "old woman", "old lady", "grandma"),
    "grandfather": ("grandfather", "grandpa", "old man", "grandad"),
    "fox": ("fox", "little fox", "young fox", "friendly fox"),
    "rabbit": ("rabbit", "bunny", "little rabbit", "white rabbit", "hare"),
    "bear": ("bear", "brown bear", "teddy bear", "little bear", "big bear"),
    "cat": ("cat", "kitten", "little cat", "friendly cat"),
    "dog": ("dog", "puppy", "little dog", "friendly dog"),
    "owl": ("owl", "little owl", "wise owl"),
    "dragon": ("dragon", "little dragon", "baby dragon", "friendly dragon"),
    "robot": ("robot", "little robot", "friendly robot"),
    "penguin": ("penguin", "little penguin", "baby penguin"),
    "frog": ("frog", "little frog", "green frog"),
    "elephant": ("elephant", "little elephant", "baby elephant"),
    "lion": ("lion", "little lion", "friendly lion"),
}
HAIR: Table = {
    "red": ("red", "ginger"),
    "blonde": ("blonde", "golden", "fair"),
    "brown": ("brown", "chestnut"),
    "black": ("black", "dark"),
    "grey": ("grey", "silver", "gray"),
}
HAIRSTYLE: Table = {
    "long": ("long {} hair", "{} long hair", "flowing {} hair"),
    "plaits": ("{} plaits", "{} braids", "{} hair in plaits", "{} pigtails"),
    "short": ("short {} hair", "{} short hair"),
    "curly": ("curly {} hair", "{} curls", "{} curly hair"),
}
SKIN: Table = {
    "light": ("light skin", "pale skin"),
    "tan": ("tanned skin", "tan skin"),
    "brown": ("brown skin",),
    "dark": ("dark skin", "dark brown skin"),
}
COLOUR: Table = {
    "red": ("red", "bright red"),
    "blue": ("blue", "bright blue"),
    "green": ("green", "bright green"),
    "yellow": ("yellow", "bright yellow"),
    "orange": ("orange", "bright orange"),
    "purple": ("purple", "violet"),
    "pink": ("pink", "rosy pink"),
    "turquoise": ("turquoise", "teal"),
    "white": ("white",),
    "black": ("black",),
}
GARMENT: Table = {
    "dress": ("dress", "frock", "gown"),
    "coat": ("coat", "jacket"),
    "jumper": ("jumper", "sweater", "pullover"),
    "dungarees": ("dungarees", "overalls"),
    "cape": ("cape", "cloak"),
}
ACTION: Table = {
    "walks": ("walks", "walking", "is walking", "strolls", "wanders", "goes for a walk"),
    "waves": ("waves", "waving", "is waving", "says hello", "waves hello"),
    "jumps": ("jumps", "jumping", "is jumping", "leaps", "jumps for joy", "hops"),
    "sits": ("sits", "sitting", "is sitting", "sits down"),
    "reads": ("reads a book", "reading a book", "is reading", "reading", "reads"),
    "sleeps": ("sleeps", "sleeping", "is sleeping", "asleep", "is fast asleep"),
    "holds a balloon": (
        "holds a balloon", "with a balloon", "holding a balloon", "carries a balloon",
    ),
}  # fmt: skip
PLACE: Table = {
    "forest": ("a forest", "the forest", "the woods", "an ordinary forest", "a green forest"),
    "enchanted forest": (
        "an enchanted forest", "a magical forest", "the enchanted forest", "an enchanted wood",
        "a fairy-tale forest",
    ),
    "meadow": ("a meadow", "a flower meadow", "a field of flowers", "the meadow"),
    "beach": ("the beach", "a sandy beach", "a beach", "the seaside"),
    "mountains": ("the mountains", "snowy mountains", "high mountains"),
    "village": ("a village", "a little village", "the village", "an old village"),
    "castle": ("a castle", "the castle", "a fairy-tale castle", "an old castle"),
    "city": ("the city", "a city", "a big city", "a city street"),
    "desert": ("the desert", "a desert", "the hot desert"),
    "farm": ("a farm", "the farm", "a farmyard"),
    "lake": ("a lake", "the lake", "a quiet lake", "the lakeside"),
    "harbour": ("a harbour", "the harbour", "a harbour with a lighthouse", "the port"),
}  # fmt: skip
WHERE: Table = {
    "forest": ("in",), "enchanted forest": ("in",), "meadow": ("in",), "beach": ("on", "at"),
    "mountains": ("in",), "village": ("in",), "castle": ("near", "in front of", "by"),
    "city": ("in",), "desert": ("in",), "farm": ("on", "at"), "lake": ("by", "at", "near"),
    "harbour": ("in", "at"),
}  # fmt: skip
ALONG: Table = {
    "forest": ("through",), "enchanted forest": ("through",), "meadow": ("through", "across"),
    "beach": ("along",), "mountains": ("through",), "village": ("through",),
    "castle": ("past", "towards"), "city": ("through",), "desert": ("through", "across"),
    "farm": ("across",), "lake": ("along", "around"), "harbour": ("through", "along"),
}  # fmt: skip
TIME: Table = {
    "day": ("on a sunny day", "by day", "in the sunshine", "in daylight", "in the sun"),
    "sunset": (
        "at sunset", "in warm light", "in warm evening light", "in golden light", "in the evening",
    ),
    "night": ("at night", "in the moonlight", "under the stars", "by night", "under the moon"),
    "rain": ("in the rain", "on a rainy day", "in rainy weather", "while it rains"),
    "snow": ("in the snow", "on a snowy day", "in falling snow", "while it snows", "in winter"),
    "fog": ("in the fog", "on a foggy day", "in thick fog", "in the mist", "on a misty morning"),
}  # fmt: skip
STYLE: Table = {
    "watercolour": ("soft watercolour", "watercolour", "watercolour painting", "watercolor"),
    "pencil sketch": ("pencil sketch", "pencil drawing", "coloured pencil sketch", "pencil"),
    "flat vector": ("flat vector", "flat vector illustration", "vector art", "flat design"),
    "oil painting": ("oil painting", "oil on canvas", "painted in oil", "oil paint"),
    "pixel art": ("pixel art", "8-bit pixel art", "pixels", "pixel graphics"),
    "paper cut-out": ("paper cut-out", "paper collage", "cut paper", "paper cutout"),
    "crayon": ("crayon", "crayon drawing", "wax crayon", "crayon picture"),
    "ink comic": ("ink comic", "comic", "comic book style", "ink drawing"),
}  # fmt: skip
MOOD: Table = {"picturesque": ("picturesque",), "dreamy": ("dreamy",)}
FRAME = (
    "a picture of {}", "an illustration of {}", "a page of a children's book: {}",
    "a page from a picture book showing {}", "there is {}", "{}, children's book illustration",
)  # fmt: skip
_NOUN_FIRST = re.compile(r"(an?|the) ")
_A_THING = re.compile(
    r"(sketch|drawing|painting|illustration|collage|picture|comic|cut-?out|watercolou?r)$"
)
"""Styles that can be a thing, as in "a watercolour of a fox"."""
_NO_NAME = re.compile(r"(style|in oil|on canvas|pixels)$")
"""Styles that "style" cannot follow."""
_CHANCES = {
    "who": 0.98, "hair": 0.75, "hairstyle": 0.3, "skin": 0.12, "colour": 0.88, "action": 0.85,
    "place": 0.93, "time": 0.72, "style": 0.92, "mood": 0.85,
}  # fmt: skip
"""How likely each attribute is to be said."""
_GLUE = "a an the of with and in wearing as style scene picture person figure"


@dataclass(frozen=True, slots=True)
class Caption:
    """A wording, and the :class:`~storybook.world.Scene` attributes that it names."""

    text: str
    names: frozenset[str]


def caption(scene: Scene, dice: Dice) -> Caption:
    """Put a scene into words; the dice choose what is said, in which words and order."""
    return worded(scene, mentioned(scene, _CHANCES, dice), dice)


def worded(scene: Scene, said: set[str], dice: Dice) -> Caption:
    """Put what is ``said`` of a scene into a caption; the dice choose the words and their order.

    Args:
        scene: what is shown.
        said: names of its attributes.
        dice: where they choose a list of tags, it leaves out the skin.
    """
    said = set(said)
    wording = dice.weighted((_sentence, _place_first, _tags), (0.7, 0.15, 0.15))
    if wording is _tags:
        said.discard("skin")  # tags leave it out
    text = wording(scene, said, dice)
    if dice.chance(0.1):
        text = dice.pick(FRAME if _NOUN_FIRST.match(text) else FRAME[-1:]).format(text)
    if said & {"style", "mood"}:
        text = _with_style(text, scene, said, dice)
    if dice.chance(0.2):
        text = text[0].upper() + text[1:] + dice.pick((".", ""))
    # A colour is always said of a garment.
    return Caption(text, frozenset(said | ({"garment"} if "colour" in said else set())))


def mentioned(scene: Scene, chances: Mapping[str, float], dice: Dice) -> set[str]:
    """Let the dice choose what is said of a scene, among what it has.

    Args:
        scene: what is shown.
        chances: how likely each attribute is to be said.
        dice: what chooses.

    Returns:
        Names of attributes.
    """
    # Every chance is rolled, so that one attribute's absence changes no other's.
    said = {name for name, chance in chances.items() if dice.chance(chance)}
    if scene.who not in PEOPLE:
        said -= {"hair", "hairstyle", "skin"}
    if scene.mood == "plain":
        said.discard("mood")
    if "hair" not in said:
        said.discard("hairstyle")
    return said


def _sentence(scene: Scene, said: set[str], dice: Dice) -> str:
    parts = [_who(scene, said, dice)]
    walking = scene.action == "walks" and {"action", "place"} <= said and dice.chance(0.8)
    if "action" in said:
        parts.append(dice.pick(ACTION[scene.action][: 5 if walking else None]))
    if "place" in said:
        parts.append(_place(scene, dice, along=walking))
    time = dice.pick(TIME[scene.time]) if "time" in said else ""
    text = " ".join(parts)
    if not time:
        return text
    if dice.chance(0.15):
        return f"{time}, {text}"
    return dice.pick((f"{text} {time}", f"{text}, {time}"))


def _place_first(scene: Scene, said: set[str], dice: Dice) -> str:
    text = _who(scene, said, dice)
    if "action" in said:
        text = f"{text} {dice.pick(ACTION[scene.action])}"
    if "time" in said:
        text = f"{text} {dice.pick(TIME[scene.time])}"
    return f"{_place(scene, dice, along=False)}, {text}" if "place" in said else text


def _tags(scene: Scene, said: set[str], dice: Dice) -> str:
    tags = [dice.pick(WHO[scene.who])] if "who" in said else []
    if "hair" in said:
        tags.append(_hair(scene, said, dice))
    if "colour" in said:
        tags.append(_clothes(scene, dice, article=False))
    if "action" in said:
        tags.append(dice.pick(ACTION[scene.action]))
    if "place" in said:
        article_and_place = dice.pick(PLACE[scene.place])
        tags.append(article_and_place if dice.chance(0.3) else _bare(article_and_place))
    if "time" in said:
        tags.append(dice.pick(TIME[scene.time]))
    return ", ".join(tags) or "a picture"


def _who(scene: Scene, said: set[str], dice: Dice) -> str:
    if "who" in said:
        noun = dice.pick(WHO[scene.who])
    else:
        noun = "person" if scene.who in PEOPLE else "figure"
    article = dice.weighted((article_for(noun), "the"), (0.92, 0.08))
    looks = [_hair(scene, said, dice)] if "hair" in said else []
    if "skin" in said:
        looks.append(dice.pick(SKIN[scene.skin]))
    clothes = _clothes(scene, dice, article=True) if "colour" in said else ""
    if "hair" in said and len(looks) == 1 and "hairstyle" not in said and dice.chance(0.15):
        noun, looks = f"{dice.pick(HAIR[scene.hair])}-haired {noun}", []
        article = article_for(noun)
    text = f"{article} {noun}"
    if clothes and looks and dice.chance(0.5):
        looks.append(clothes)
        clothes = ""
    if looks:
        text += " with " + " and ".join(dice.pick((looks, looks[::-1])))
    if clothes:
        joint = ", " if looks and dice.chance(0.3) else " "
        text += joint + dice.pick(("in {}", "wearing {}", "with {}")).format(clothes)
    return text


def _hair(scene: Scene, said: set[str], dice: Dice) -> str:
    colour = dice.pick(HAIR[scene.hair])
    pattern = dice.pick(HAIRSTYLE[scene.hairstyle]) if "hairstyle" in said else "{} hair"
    return pattern.format(colour)


def _clothes(scene: Scene, dice: Dice, *, article: bool) -> str:
    text = f"{dice.pick(COLOUR[scene.colour])} {dice.pick(GARMENT[scene.garment])}"
    if not article or scene.garment == "dungarees":
        return text
    return f"{article_for(text)} {text}"


def _place(scene: Scene, dice: Dice, *, along: bool) -> str:
    preposition = dice.pick((ALONG if along else WHERE)[scene.place])
    return f"{preposition} {dice.pick(PLACE[scene.place])}"


def _with_style(text: str, scene: Scene, said: set[str], dice: Dice) -> str:
    mood = dice.pick(MOOD[scene.mood]) if "mood" in said else ""
    if "style" not in said:
        return dice.pick((f"{text}, {mood}", f"{mood} scene, {text}", f"{mood}, {text}"))
    style = dice.pick(STYLE[scene.style])
    a_thing, named = _A_THING.search(style), not _NO_NAME.search(style)
    if mood:
        style = dice.pick((f"{mood} {style}", f"{style}, {mood}"))
    of = a_thing and _NOUN_FIRST.match(text)
    return dice.weighted(
        (
            f"{text}, {style}", f"{style}, {text}",
            f"{style} of {text}" if of else f"{style}: {text}",
            f"{text}, {style} style" if named else f"{text}, {style}",
            f"{text} in {style} style" if named else f"{text}, {style}",
            f"{text} as {article_for(style)} {style}" if a_thing else f"{text}: {style}",
        ),
        (0.5, 0.1, 0.14, 0.1, 0.08, 0.08),
    )  # fmt: skip


def article_for(noun: str) -> str:
    """Return the indefinite article that a noun, or what stands before it, asks for."""
    return "an" if noun[0] in "aeiou8" else "a"


def _bare(phrase: str) -> str:
    return re.sub(r"^(an?|the) ", "", phrase)


def captions_of(number: int, count: int) -> list[Caption]:
    """Return training picture ``number``'s captions: always the same ``count`` wordings."""
    return captions_for(scene(number), count)


def captions_for(shown: Scene, count: int) -> list[Caption]:
    """Return ``count`` wordings of a scene, always the same ones."""
    dice = shown.dice("captions")
    return [caption(shown, dice.split(str(i))) for i in range(count)]


def heldout_prompts(
    count: int, *, first: int = 0, unseen: bool | None = None
) -> list[tuple[Caption, Scene]]:
    """Return captions of scenes that training never sees, with the scenes.

    Args:
        count: how many.
        first: the number of the first held-out scene that may be among them.
        unseen: only scenes with (True) or without (False) a pair that training never shows;
            None takes them as they come.
    """
    found: list[tuple[Caption, Scene]] = []
    for number in itertools.count(first):
        if len(found) == count:
            break
        shown = scene(number, "heldout")
        if unseen is None or shown.is_unseen() == unseen:
            found.append((captions_for(shown, 1)[0], shown))
    return found


def words(text: str) -> list[str]:
    """Split a prompt into lower-case words, as captions count them."""
    return re.findall(r"[\w'-]+", text.lower())


@cache
def caption_words() -> frozenset[str]:
    """Return every word that a caption can hold."""
    tables = (
        WHO, HAIR, HAIRSTYLE, SKIN, COLOUR, GARMENT, ACTION, PLACE, WHERE, ALONG, TIME, STYLE, MOOD,
        {"": FRAME},
    )  # fmt: skip
    phrases = [phrase for table in tables for options in table.values() for phrase in options]
    haired = [f"{colour}-haired" for options in HAIR.values() for colour in options]
    return frozenset(words(" ".join([*phrases, *haired, _GLUE])))
