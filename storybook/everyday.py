"""What people would write who never saw a caption: everyday words, in everyday sentences.

Captions teach the model from few phrases, put together in few ways (:mod:`storybook.captions`).
Readers say "puppy dog", "down by the sea" and "it's pouring", so the text encoder learns at last
what such wordings come to (:mod:`storybook.training.reading`). The phrases were written by
somebody who had not seen the prompts in free wording that the model is measured with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from storybook import captions
from storybook.captions import Caption, article_for, words
from storybook.dice import Dice
from storybook.world import PEOPLE, Scene, scene

PHRASES = Path(__file__).with_suffix(".json")
USUAL = 0.3
"""How often a caption's own phrase stands in for an everyday one."""
_PLURAL = "plural:"
_GLUE = (
    "animal", "creature", "one", "our", "she", "he", "it", "they", "wears", "wear", "has on", "are",
)  # fmt: skip
_JOINED = ("with ", "who", "having ")
_SHE = ("girl", "woman", "grandmother")
_CHANCES = {
    "who": 0.96, "hair": 0.5, "hairstyle": 0.3, "skin": 0.08, "colour": 0.7, "action": 0.8,
    "place": 0.85, "time": 0.65, "style": 0.7, "mood": 0.3,
}  # fmt: skip


@cache
def phrases() -> dict[str, Any]:
    """Return the everyday phrases, by attribute, value and place in a sentence."""
    found: dict[str, Any] = json.loads(PHRASES.read_text())
    return found


@cache
def known_words() -> frozenset[str]:
    """Return every word that training shows, in captions or in everyday wordings."""
    haired = [f"{colour}-haired" for value in captions.HAIR for colour in _hair_in_a_word(value)]
    everyday = words(" ".join([*_strings(phrases()), *_GLUE, *haired]))
    return captions.caption_words() | set(everyday)


def _strings(found: Any) -> list[str]:
    if isinstance(found, str):
        return [found.removeprefix(_PLURAL)]
    inner = found.values() if isinstance(found, dict) else found
    return [text for one in inner for text in _strings(one)]


def two_wordings(shown: Scene, dice: Dice) -> tuple[Caption, Caption]:
    """Return an everyday wording of a scene, and a caption that names the very same things."""
    everyday = everyday_wording(shown, dice)
    # Tags leave out the skin, which the other may name.
    while (usual := captions.worded(shown, set(everyday.names), dice)).names != everyday.names:
        pass
    return everyday, usual


def wordings_of(number: int, takes: int) -> list[tuple[Caption, Caption]]:
    """Return training picture ``number``'s pairs of wordings: always the same ``takes`` ones."""
    shown = scene(number)
    dice = shown.dice("everyday")
    return [two_wordings(shown, dice.split(str(i))) for i in range(takes)]


def everyday_wording(shown: Scene, dice: Dice) -> Caption:
    """Put a scene into everyday words; the dice choose what is said, and how."""
    draft = _Draft(shown, captions.mentioned(shown, _CHANCES, dice) or {"who"}, dice)
    form: Callable[[_Draft], str] = dice.weighted(
        (_sentence, _place_first, _clothes_first, _action_first, _story, _tags),
        (0.44, 0.1, 0.06, 0.06, 0.14, 0.2),
    )
    text = form(draft)
    if dice.chance(0.3):
        ending = dice.pick(("", ".", ".", "!"))
        text = text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ending)
    named = draft.named | ({"garment"} if "colour" in draft.named else set())
    return Caption(text, frozenset(named))


@dataclass(slots=True)
class _Draft:
    """A wording in the making: what is left to say, and what was said."""

    shown: Scene
    said: set[str]
    dice: Dice
    named: set[str] = field(default_factory=set)

    def takes(self, name: str) -> bool:
        """Tell whether this is still to be said; from now on it counts as said."""
        if name not in self.said - self.named:
            return False
        self.named.add(name)
        return True

    def pick(self, name: str, kind: str | None = None, usual: Sequence[str] = ()) -> str:
        """Return a phrase for what the scene has, now and then a caption's own."""
        found = phrases()[name][getattr(self.shown, name)]
        everyday = found[kind] if kind else found
        return self.dice.pick(usual if usual and self.dice.chance(USUAL) else everyday)

    def adjective(self) -> str:
        """Return an adjective that changes nothing, or most often nothing at all."""
        if self.dice.chance(0.25):
            return str(self.dice.pick(phrases()["adjectives"]))
        return ""


def _figure(draft: _Draft, *, clothes: bool) -> str:
    """Return who it is, with hair, skin and, if asked for, clothes."""
    dice, shown = draft.dice, draft.shown
    if draft.takes("who"):
        noun = draft.pick("who", usual=captions.WHO[shown.who])
    else:
        noun = dice.pick(("person", "figure") if shown.who in PEOPLE else ("animal", "creature"))
    if "hairstyle" not in draft.said and dice.chance(0.3) and draft.takes("hair"):
        noun = f"{dice.pick(_hair_in_a_word(shown.hair))}-haired {noun}"
    article = dice.weighted(("a", "the", "one", "our"), (0.86, 0.1, 0.02, 0.02))
    text = _after_article(article, f"{draft.adjective()} {noun}".strip())
    hair = _hair(draft) if draft.takes("hair") else ""
    if hair:
        text += f" {hair}" if hair.startswith(_JOINED) else f" with {hair}"
    if draft.takes("skin"):
        skin = draft.pick("skin", usual=captions.SKIN[shown.skin])
        text += f" and {skin}" if hair and not hair.startswith("who") else f" with {skin}"
    if clothes and draft.takes("colour"):
        text += dice.weighted((" ", ", "), (0.8, 0.2)) + _wearing(draft)
    return text


def _after_article(article: str, noun: str) -> str:
    return f"{article_for(noun) if article == 'a' else article} {noun}"


def _hair_in_a_word(hair: str) -> list[str]:
    """Return all colours that "-haired" can follow."""
    colours = (*captions.HAIR[hair], *phrases()["hair"][hair]["adjectives"])
    return [colour for colour in dict.fromkeys(colours) if colour.isalpha()]


def _hair_colour(draft: _Draft) -> str:
    return draft.pick("hair", "adjectives", captions.HAIR[draft.shown.hair])


def _hair(draft: _Draft) -> str:
    shown = draft.shown
    if draft.takes("hairstyle"):
        pattern = draft.pick("hairstyle", usual=captions.HAIRSTYLE[shown.hairstyle])
        return pattern.format(_hair_colour(draft))
    if draft.dice.chance(0.35):
        return draft.pick("hair", "phrases")
    return f"{_hair_colour(draft)} hair"


def _clothes(draft: _Draft) -> str:
    """Return a coloured garment, without article."""
    shown = draft.shown
    colour = draft.pick("colour", usual=captions.COLOUR[shown.colour])
    return f"{colour} {draft.pick('garment', usual=captions.GARMENT[shown.garment])}"


def _with_article(clothes: str) -> str:
    plural = clothes.endswith("s") and not clothes.endswith("ss")
    return clothes if plural else f"{article_for(clothes)} {clothes}"


def _wearing(draft: _Draft) -> str:
    pattern: str = draft.dice.pick(phrases()["wearing"])
    return pattern.format(_with_article(_clothes(draft)))


def _action(draft: _Draft, form: str) -> str:
    usual = captions.ACTION[draft.shown.action]
    if form == "ing":
        usual = tuple(one for one in usual if one.split()[0].endswith(("ing", "asleep", "with")))
    return draft.pick("action", form, () if form == "past" else usual)


def _place(draft: _Draft, *, along: bool = False) -> str:
    """Return where it is, the time or weather before the place's noun now and then."""
    place = phrases()["place"][draft.shown.place]
    dice = draft.dice
    if dice.chance(0.25) and draft.takes("time"):
        bare = dice.pick(place["bare"])
        adjective = dice.pick(phrases()["time"][draft.shown.time]["adjective"])
        plural = bare.startswith(_PLURAL)
        article = "the" if plural else dice.pick(("a", "the"))
        noun = f"{adjective} {bare.removeprefix(_PLURAL)}"
        table = captions.ALONG if along else captions.WHERE
        preposition = dice.pick(table[draft.shown.place])
        return f"{preposition} {_after_article(article, noun)}"
    if dice.chance(USUAL):
        preposition = dice.pick((captions.ALONG if along else captions.WHERE)[draft.shown.place])
        return f"{preposition} {dice.pick(captions.PLACE[draft.shown.place])}"
    return str(dice.pick(place["along" if along and place["along"] else "static"]))


def _time(draft: _Draft) -> str:
    return draft.pick(
        "time", draft.dice.pick(("adverb", "adverb", "clause")), captions.TIME[draft.shown.time]
    )


def _styled(text: str, draft: _Draft) -> str:
    """Put the style before or after a wording, and round it an opening and a closing."""
    dice, shown = draft.dice, draft.shown
    named = dice.pick(("of", "suffix", "tag", "tag", "do", "front")) if draft.takes("style") else ""
    noun_first = re.match(r"(an?|the|one|our) ", text)
    style = phrases()["style"][shown.style]
    if named == "of" and noun_first:
        text = f"{dice.pick(style['of'])} {text}"
    elif named == "do" and noun_first:
        text = f"{dice.pick(style['do'])} {text}"
    elif named == "suffix":
        text = f"{text}{dice.pick((' ', ', '))}{dice.pick(style['suffix'])}"
    elif named == "front":
        text = f"{draft.pick('style', 'tag', captions.STYLE[shown.style])}, {text}"
    elif named:
        text = f"{text}, {draft.pick('style', 'tag', captions.STYLE[shown.style])}"
    if named not in {"of", "do", "front"} and noun_first and dice.chance(0.25):
        text = f"{dice.pick(phrases()['openings'])} {text}"
    if draft.takes("mood"):
        text = f"{text}, {draft.pick('mood', usual=captions.MOOD[shown.mood])}"
    if dice.chance(0.15):
        text = f"{text}, {dice.pick(phrases()['closings'])}"
    return text


def _does(draft: _Draft) -> tuple[str, bool]:
    """Return what the figure does, if that is to be said, and whether it goes along a place."""
    if not draft.takes("action"):
        return "", False
    form = draft.dice.weighted(("finite", "ing", "past"), (0.4, 0.45, 0.15))
    walking = draft.shown.action == "walks" and draft.dice.chance(0.7)
    return _action(draft, form), walking


def _sentence(draft: _Draft) -> str:
    return _styled(_told(draft), draft)


def _told(draft: _Draft) -> str:
    """Who, what, where, when; clothes at once or after what is done, or at the end."""
    dice = draft.dice
    clothes = dice.weighted(("at once", "then", "last"), (0.6, 0.2, 0.2))
    parts = [_figure(draft, clothes=clothes == "at once")]
    does, along = _does(draft)
    parts.append(does)
    if clothes == "then" and does and draft.takes("colour"):
        parts.append(_wearing(draft))
    if draft.takes("place"):
        parts.append(_place(draft, along=along))
    text = " ".join(filter(None, parts))
    if draft.takes("time"):
        time = _time(draft)
        text = (
            f"{time}, {text}"
            if dice.chance(0.12)
            else f"{text}{dice.weighted((' ', ', '), (0.7, 0.3))}{time}"
        )
    if draft.takes("colour"):
        text = f"{text}, {_wearing(draft)}"
    return text


def _place_first(draft: _Draft) -> str:
    if not draft.takes("place"):
        return _sentence(draft)
    place = _place(draft)
    when = f" {_time(draft)}" if draft.takes("time") else ""
    figure = _figure(draft, clothes=True)
    does, _ = _does(draft)
    text = f"{place}{when}, {figure} {does}".strip()
    return _styled(text, draft)


def _clothes_first(draft: _Draft) -> str:
    if not draft.takes("colour"):
        return _sentence(draft)
    clothes = f"{draft.dice.pick(('in', 'wearing', 'dressed in'))} {_with_article(_clothes(draft))}"
    return _styled(f"{clothes}, {_told(draft)}", draft)


def _action_first(draft: _Draft) -> str:
    if not draft.takes("action"):
        return _sentence(draft)
    parts = [_action(draft, "ing")]
    if draft.takes("place"):
        parts.append(_place(draft, along=draft.shown.action == "walks" and draft.dice.chance(0.7)))
    if draft.takes("time"):
        parts.append(_time(draft))
    joint = draft.dice.pick((", ", ": "))
    return _styled(" ".join(parts) + joint + _figure(draft, clothes=True), draft)


def _story(draft: _Draft) -> str:
    """A few short sentences, or one of as many parts."""
    dice, shown = draft.dice, draft.shown
    late = dice.chance(0.5)
    parts = [_figure(draft, clothes=not late)]
    does, along = _does(draft)
    parts.append(does)
    if dice.chance(0.7) and draft.takes("place"):
        parts.append(_place(draft, along=along and bool(does)))
    sentences = [" ".join(filter(None, parts))]
    pronoun = "it"
    if shown.who in PEOPLE:
        pronoun = "they" if "who" not in draft.named else "she" if shown.who in _SHE else "he"
    rest = []
    many = pronoun == "they"
    if draft.takes("colour"):
        wears = ("wear", "are in") if many else ("wears", "is wearing", "has on", "is in")
        rest.append(f"{pronoun} {dice.pick(wears)} {_with_article(_clothes(draft))}")
    if draft.takes("place"):
        rest.append(f"{pronoun} {'are' if many else 'is'} {_place(draft)}")
    if draft.takes("time"):
        rest.append(draft.pick("time", "sentence"))
    if draft.takes("style"):
        style = phrases()["style"][shown.style]
        rest.append(dice.pick((*style["suffix"], *style["tag"])))
    if dice.chance(0.3):
        rest.reverse()
    joint = dice.pick((". ", ". ", ", ", "; "))
    if joint == ". ":
        sentences = [one[0].upper() + one[1:] for one in [*sentences, *rest]]
        return joint.join(sentences) + "."
    return joint.join([*sentences, *rest])


def _tags(draft: _Draft) -> str:
    """A list with commas, who it is mostly first."""
    dice, shown = draft.dice, draft.shown
    tags = []
    if draft.takes("hair"):
        hair = _hair(draft)
        tags.append(re.sub(r"^(with|having) ", "", hair))
    if draft.takes("skin"):
        tags.append(draft.pick("skin", usual=captions.SKIN[shown.skin]))
    if draft.takes("colour"):
        tags.append(_clothes(draft))
    if draft.takes("action"):
        tags.append(_action(draft, "ing"))
    if draft.takes("place"):
        tags.append(draft.pick("place", "noun", captions.PLACE[shown.place]))
    if draft.takes("time"):
        tags.append(draft.pick("time", dice.pick(("tag", "adverb")), captions.TIME[shown.time]))
    if draft.takes("style"):
        tags.append(draft.pick("style", "tag", captions.STYLE[shown.style]))
    if draft.takes("mood"):
        tags.append(draft.pick("mood", usual=captions.MOOD[shown.mood]))
    if dice.chance(0.3):
        tags = sorted(tags, key=lambda _: dice.uniform())
    if dice.chance(0.25):
        tags.append(dice.pick(phrases()["closings"]))
    if draft.takes("who"):
        who = f"{draft.adjective()} {draft.pick('who', usual=captions.WHO[shown.who])}".strip()
        tags.insert(0 if dice.chance(0.85) else len(tags), who)
    return ", ".join(tags)
