"""Sentence: a text as a model's tokenizer cuts it, without torch, at every keystroke."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from explainer.capture.tokens import read_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

    from explainer.trace import Token

__all__ = ["Reading", "SentenceReader"]


class Reading(NamedTuple):
    """A sentence as the text encoder gets it.

    Attributes:
        tokens: As many as the encoder reads, padding included.
        truncated: The end of the sentence that was cut off; "" if nothing was.
    """

    tokens: tuple[Token, ...]
    truncated: str


class SentenceReader:
    """Cuts sentences into tokens as the pipeline of this model does.

    Args:
        folder: A model in diffusers' layout whose `tokenizer` holds a `tokenizer.json`.

    Attributes:
        length: How many tokens the text encoder reads.

    Raises:
        ValueError: The folder holds no such tokenizer.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        path = folder / "tokenizer" / "tokenizer.json"
        if not path.is_file():
            raise ValueError(
                f"{path} is missing. Save the model's tokenizer again with `save_pretrained`, "
                "which writes it."
            )
        settings = json.loads((folder / "tokenizer" / "tokenizer_config.json").read_text("utf-8"))
        whole, padded = Tokenizer.from_file(str(path)), Tokenizer.from_file(str(path))
        # The file keeps what was last set when it was saved: padding, or a length to cut at.
        whole.no_padding()
        whole.no_truncation()
        self.length = int(settings["model_max_length"])
        pad = settings["pad_token"]
        padded.enable_truncation(self.length)
        padded.enable_padding(length=self.length, pad_id=whole.token_to_id(pad), pad_token=pad)
        end = whole.token_to_id(settings["eos_token"])
        self._tokenizer = _LikeTransformers(whole, padded, end)

    def read(self, sentence: str) -> Reading:
        """Cuts a sentence into tokens; the same ones that `explainer.record` writes down."""
        return Reading(*read_tokens(self._tokenizer, sentence, self.length))


class _Encoding(NamedTuple):
    input_ids: list[int]
    offset_mapping: list[tuple[int, int]]
    words: list[int | None]

    def word_ids(self) -> list[int | None]:
        return self.words


class _LikeTransformers:
    """A tokenizer that is called as transformers' are, whose import takes seconds."""

    def __init__(self, whole: Tokenizer, padded: Tokenizer, end: int | None) -> None:
        self._whole, self._padded = whole, padded
        self.eos_token_id = end

    def __call__(
        self, text: str, *, truncation: bool = False, add_special_tokens: bool = True, **_: object
    ) -> _Encoding:
        tokenizer = self._padded if truncation else self._whole
        found = tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return _Encoding(found.ids, found.offsets, found.word_ids)

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str | None]:
        return [self._whole.id_to_token(id_) for id_ in ids]
