"""Weights: how much of what a word says reaches the denoiser.

The denoiser reads one vector a token. A word's vectors are moved along the straight line from what
an empty prompt has in their place (weight 0) through what the encoder said (1) and beyond. Other
tokens keep what they took from the word inside the encoder: a weight of 0 silences a word's own
vectors, and is not the same as a sentence without the word.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from explainer.capture import tokens
from explainer.capture.errors import RunError
from explainer.capture.families import family_of
from explainer.capture.hooks import Method, wrapped

if TYPE_CHECKING:
    import torch

    from explainer.trace import Token


@contextmanager
def weighted(pipe: Any, weights: Mapping[str, float], *, lacking: bool = False) -> Iterator[None]:
    """Weighs words of the prompt in the block; without weights nothing is touched.

    Args:
        pipe: A pipeline of a known family.
        weights: Word -> weight, whatever the word's case; all its occurrences are meant.
        lacking: Whether the prompt may lack some of the words.

    Raises:
        RunError: The prompt that is encoded has no such word, and may not lack it.
    """
    if not weights:
        yield
        return
    with wrapped(pipe, "encode_prompt", lambda own: weighing(own, pipe, weights, lacking=lacking)):
        yield


def positions(read: Sequence[Token], word: str) -> list[int]:
    """Where the tokens of a word stand, all its occurrences.

    Raises:
        RunError: There is no such word.
    """
    found = found_in(read, word)
    if not found:
        words = dict.fromkeys(token.word for token in read if token.word)
        raise RunError(f"The prompt has no word {word!r}. It has: {', '.join(words)}.")
    return found


def found_in(read: Sequence[Token], word: str) -> list[int]:
    """Where the tokens of a word stand, rising; nowhere if there is no such word."""
    sought = word.casefold()
    alone = {i for i, t in enumerate(read) if t.word is not None and t.word.casefold() == sought}
    # A reader's word, such as "cut-out" or "girl's", may be several to one tokenizer of two.
    joined = {i for start in range(len(read)) for i in _joined(read, start, sought)}
    return sorted(alone | joined)


def _joined(read: Sequence[Token], start: int, sought: str) -> list[int]:
    """The tokens from one on that touch each other and make a whole word; none if it is no such."""
    if start and _goes_on(read[start - 1], read[start]):
        return []
    text = ""
    for i in range(start, len(read)):
        if read[i].word is None or (i > start and read[i - 1].end != read[i].start):
            return []
        text += read[i].text.casefold()
        if not sought.startswith(text):
            return []
        if text == sought:
            ends = i + 1 == len(read) or not _goes_on(read[i], read[i + 1])
            return list(range(start, i + 1)) if ends else []
    return []


def _goes_on(token: Token, following: Token) -> bool:
    """Whether a word may go on from one token to the next."""
    touch = following.word is not None and token.end == following.start
    return touch and token.text[-1:].isalnum() and following.text[:1].isalnum()


def weighing(
    encode_prompt: Method, pipe: Any, weights: Mapping[str, float], *, lacking: bool = False
) -> Method:
    """Returns a pipeline's `encode_prompt` that weighs words of the first prompt it is given.

    Arguments and errors are those of `weighted`.
    """
    if not weights:
        return encode_prompt
    done = False

    def weighing(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        result = encode_prompt(*args, **kwargs)
        if done:  # the negative prompt, where it is encoded apart
            return result
        done = True
        read = _read(encode_prompt, pipe, args, kwargs)
        empty = _nothing(encode_prompt, args, kwargs)
        kept = {w: weights[w] for w in weights if not lacking or found_in(read, w)}
        return (_moved(result[0], empty, read, kept), *result[1:])

    return weighing


def _moved(
    said: torch.Tensor, empty: torch.Tensor, read: Sequence[Token], weights: Mapping[str, float]
) -> torch.Tensor:
    """Embeddings (B, tokens, width) with the words' rows moved along their lines."""
    moved = said.clone()
    for word, weight in weights.items():
        at = positions(read, word)
        moved[:, at] = empty[:, at] + weight * (said[:, at] - empty[:, at])
    return moved


def _read(encode_prompt: Method, pipe: Any, args: Any, kwargs: Any) -> tuple[Token, ...]:
    """The tokens that the rows of the embeddings stand for."""
    bound = inspect.signature(encode_prompt).bind(*args, **kwargs)
    bound.apply_defaults()
    family = family_of(pipe)
    readers = family.present_readers(pipe) if family else ()
    # CLIP's two share their rows; T5's follow in Stable Diffusion 3.
    read: list[Token] = []
    for reader in (*readers[:1], *(one for one in readers[1:] if one.appended)):
        if (prompt := tokens.text_of(pipe, reader, bound.arguments)) is not None:
            length = tokens.length_of(pipe, reader, bound.arguments)
            read += tokens.read_tokens(getattr(pipe, reader.tokenizer), prompt, length)[0]
    if not read:
        raise RunError("Words can be weighed in a prompt only, not in embeddings.")
    return tuple(read)


def _nothing(encode_prompt: Method, args: Any, kwargs: Any) -> torch.Tensor:
    """What an empty prompt has in each place."""
    names = {"prompt", "prompt_2", "prompt_3"} & kwargs.keys()
    if names:
        return encode_prompt(*args, **kwargs | dict.fromkeys(names, ""))[0]
    return encode_prompt("", *args[1:], **kwargs)[0]
