"""Vocabulary: the words that the embedded model's training showed it."""

from __future__ import annotations


def known_words() -> frozenset[str]:
    """Names every word, in lower case, that the embedded model's training showed it."""
    from storybook import everyday

    return everyday.known_words()


def nearest_wording(word: str) -> str | None:
    """What the embedded model knows that is nearest to a word; None where nothing is near."""
    from storybook import wording

    return wording.nearest_wording(word)


def known_phrases() -> dict[str, tuple[str, ...]]:
    """One phrase for each thing that the embedded model knows, by the kind of thing."""
    from storybook import captions

    who = [phrases[0] for phrases in captions.WHO.values()]
    colours = [phrases[0] for phrases in captions.COLOUR.values()]
    garments = [phrases[0] for phrases in captions.GARMENT.values()]
    places = tuple(
        f"{captions.WHERE[place][0]} {phrases[0]}" for place, phrases in captions.PLACE.items()
    )
    return {
        "Who": tuple(f"{captions.article_for(noun)} {noun}" for noun in who),
        "Colours and clothes": (*colours, *garments),
        "Doing what": tuple(phrases[0] for phrases in captions.ACTION.values()),
        "Where": places,
        "When": tuple(phrases[0] for phrases in captions.TIME.values()),
        "How it is drawn": tuple(phrases[0] for phrases in captions.STYLE.values()),
    }
