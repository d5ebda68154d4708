"""The prompt as the text encoder reads it: tokens, words, and the numbers they turn into."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explainer.trace import Token, TokenKind

if TYPE_CHECKING:
    import torch

    from explainer.capture.families import Reader

_WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]+")
_POOLED = ("text_embeds", "pooler_output")


def asked_of(reader: Reader, given: Mapping[str, Any]) -> str | None:
    """The prompt that the caller meant for a reader, as it was typed."""
    return first(given.get(reader.prompt)) or first(given.get("prompt"))


def text_of(pipe: Any, reader: Reader, given: Mapping[str, Any]) -> str | None:
    """The prompt as a reader was given it; None where the caller gave embeddings.

    Args:
        pipe: The pipeline.
        reader: One of its readers.
        given: Arguments of `encode_prompt`, defaults included.
    """
    prompt = asked_of(reader, given)
    if prompt is None:
        return None
    if reader.cleaned:
        cleaned: str = pipe._text_preprocessing(prompt, given["clean_caption"])[0]  # noqa: SLF001
        return cleaned
    return written_out(pipe, getattr(pipe, reader.tokenizer), prompt)


def written_out(pipe: Any, tokenizer: Any, prompt: str) -> str:
    """A prompt with each vector of its learned words (textual inversion, Gal et al. 2022).

    As diffusers does it: "<cat>" of three vectors becomes "<cat> <cat>_1 <cat>_2".
    """
    if not hasattr(pipe, "maybe_convert_prompt"):
        return prompt
    written: str = pipe.maybe_convert_prompt(prompt, tokenizer)
    return written


def first(prompt: str | list[str] | None) -> str | None:
    """The first prompt of a batch."""
    return prompt[0] if isinstance(prompt, list) else prompt


def length_of(pipe: Any, reader: Reader, given: Mapping[str, Any]) -> int:
    """How many tokens a reader reads, padding included."""
    if reader.length:
        return int(given[reader.length])
    return int(getattr(pipe, reader.tokenizer).model_max_length)


def read_tokens(tokenizer: Any, prompt: str, length: int) -> tuple[tuple[Token, ...], str]:
    """Splits a prompt into tokens, as many as the model reads, padding included.

    Args:
        tokenizer: A fast transformers tokenizer.
        prompt: Any text.
        length: Number of tokens that the model reads.

    Returns:
        The tokens, and the end of the prompt that was cut off ("" if nothing was).
    """
    encoding = tokenizer(
        prompt,
        padding="max_length",
        max_length=length,
        truncation=True,
        return_offsets_mapping=True,
    )
    words = encoding.word_ids()
    offsets = [_without_blanks(prompt, *span) for span in encoding.offset_mapping]
    spans = _word_spans(words, offsets)
    learned = _learned(tokenizer)
    names = tokenizer.convert_ids_to_tokens(encoding.input_ids)
    tokens: list[Token] = []
    position = 0
    for index, (id_, word) in enumerate(zip(encoding.input_ids, words, strict=True)):
        if word is not None:
            start, position = offsets[index]
            text = prompt[start:position]
            whole = _learned_word(text, learned) or _bare_word(prompt, start, *spans[word])
            tokens.append(Token(id_, text, whole, start, position, "word"))
        else:
            ended = any(token.kind == "end" for token in tokens)
            starts = index == 0 and id_ != tokenizer.eos_token_id
            kind: TokenKind = "start" if starts else "padding" if ended else "end"
            tokens.append(Token(id_, names[index], None, position, position, kind))
    return tuple(tokens), _cut_off(tokenizer, prompt, words)


def placed(tokens: tuple[Token, ...], read: str, prompt: str) -> tuple[Token, ...]:
    """Tokens of a text that a pipeline cleaned first, with their places in the prompt itself.

    They stay as they are where cleaning changed more than case and the blanks around the text.
    """
    shift = prompt.lower().find(read)
    if shift < 0 or read == prompt or len(prompt.lower()) != len(prompt):
        return tokens
    return tuple(replace(t, start=t.start + shift, end=t.end + shift) for t in tokens)


def gathered(
    tokens: tuple[Token, ...], truncated: str, written: str, prompt: str
) -> tuple[tuple[Token, ...], str]:
    """What `read_tokens` says of a prompt that was written out, placed in the prompt itself.

    All vectors of a learned word stand where the word does.
    """
    if written == prompt:
        return tokens, truncated
    found: list[Token] = []
    more = 0  # characters that were written beside the prompt's own
    for token in tokens:
        if token.text.startswith(f"{token.word}_"):
            more += 1 + len(token.text)
            found.append(replace(token, start=found[-1].start, end=found[-1].end))
        else:
            found.append(replace(token, start=token.start - more, end=token.end - more))
    return tuple(found), prompt[len(written) - len(truncated) - more :]


def _learned(tokenizer: Any) -> frozenset[str]:
    """What textual inversion added to a tokenizer; nothing to one without transformers."""
    added = getattr(tokenizer, "added_tokens_encoder", {})
    return frozenset(added).difference(getattr(tokenizer, "all_special_tokens", ()))


def _learned_word(text: str, learned: Collection[str]) -> str | None:
    """The learned word that a token is one vector of, if it is."""
    word, _, number = text.rpartition("_")
    if number.isdecimal() and word in learned and text in learned:
        return word
    return text if text in learned else None


def _bare_word(text: str, start: int, first: int, last: int) -> str:
    """The word at `start` within characters `first` to `last`.

    SentencePiece knows no border between a word and the comma that follows it.
    """
    matches = _WORD.finditer(text, first, last)
    return next((m.group() for m in matches if m.start() <= start < m.end()), text[first:last])


def _without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    """A token's characters; SentencePiece counts the blank before a word as part of it."""
    return end - len(text[start:end].lstrip()), end


def _word_spans(
    words: list[int | None], offsets: list[tuple[int, int]]
) -> dict[int, tuple[int, int]]:
    spans: dict[int, tuple[int, int]] = {}
    for word, (start, end) in zip(words, offsets, strict=True):
        if word is not None:
            spans[word] = (min(start, spans.get(word, (start, end))[0]), end)
    return spans


def _cut_off(tokenizer: Any, prompt: str, read: list[int | None]) -> str:
    whole = tokenizer(
        prompt, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    ).offset_mapping
    kept = sum(word is not None for word in read)
    return prompt[whole[kept][0] :] if kept < len(whole) else ""


def encode(
    pipe: Any, reader: Reader, tokenizer: Any, prompt: str, length: int
) -> tuple[list[torch.Tensor], torch.Tensor | None]:
    """Runs the text encoder once more, on the tokens that the pipeline gave it.

    Args:
        pipe: The pipeline.
        reader: One of its readers.
        tokenizer: The reader's own; a copy of it where a run may go on meanwhile.
        prompt: Any text.
        length: Number of tokens that the model reads.

    Returns:
        Hidden states, each (tokens, width), the last one after the final layer norm, and the
        pooled embedding (pooled width,), None where the encoder has none.
    """
    text_encoder = getattr(pipe, reader.encoder)
    device = pipe._execution_device  # noqa: SLF001 - where offloaded models run
    inputs = tokenizer(
        prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).to(device)
    masked = reader.masked or getattr(text_encoder.config, "use_attention_mask", False)
    output = text_encoder(
        inputs.input_ids,
        attention_mask=inputs.attention_mask if masked else None,
        output_hidden_states=True,
    )
    hidden = [state[0] for state in (*output.hidden_states[:-1], output.last_hidden_state)]
    pooled = next((output[name] for name in _POOLED if name in output), None)
    return hidden, None if pooled is None else pooled[0]
