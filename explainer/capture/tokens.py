"""The prompt as the text encoder reads it: tokens, words, and the numbers they turn into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explainer.trace import Token, TokenKind

if TYPE_CHECKING:
    import torch


def read_tokens(tokenizer: Any, prompt: str) -> tuple[tuple[Token, ...], str]:
    """Splits a prompt into tokens, as many as the model reads, padding included.

    Args:
        tokenizer: A fast transformers tokenizer.
        prompt: Any text.

    Returns:
        The tokens, and the end of the prompt that was cut off ("" if nothing was).
    """
    encoding = tokenizer(
        prompt,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_offsets_mapping=True,
    )
    words = encoding.word_ids()
    spans = _word_spans(words, encoding.offset_mapping)
    names = tokenizer.convert_ids_to_tokens(encoding.input_ids)
    tokens: list[Token] = []
    position = 0
    for index, (id_, word) in enumerate(zip(encoding.input_ids, words, strict=True)):
        if word is not None:
            start, position = encoding.offset_mapping[index]
            text = prompt[start:position]
            tokens.append(Token(id_, text, prompt[slice(*spans[word])], start, position, "word"))
        else:
            ended = any(token.kind == "end" for token in tokens)
            kind: TokenKind = "start" if index == 0 else "padding" if ended else "end"
            tokens.append(Token(id_, names[index], None, position, position, kind))
    return tuple(tokens), _cut_off(tokenizer, prompt, words)


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
    tokenizer: Any, text_encoder: Any, prompt: str, device: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Runs the text encoder once more, on the tokens that the pipeline gave it.

    Returns:
        Hidden states (layers + 1, tokens, width), the last one after the final layer norm, and the
        pooled embedding (pooled width,).
    """
    import torch

    inputs = tokenizer(
        prompt,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).to(device)
    uses_mask = getattr(text_encoder.config, "use_attention_mask", False)
    output = text_encoder(
        inputs.input_ids,
        attention_mask=inputs.attention_mask if uses_mask else None,
        output_hidden_states=True,
    )
    hidden = torch.cat([*output.hidden_states[:-1], output.last_hidden_state])
    pooled = output["text_embeds"] if "text_embeds" in output else output["pooler_output"]
    return hidden, pooled[0]
