"""A byte-level BPE tokenizer in CLIP's own format, its merges learned from the captions.

Every byte has a token, inside a word and at its end, so that any input in any script tokenises.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

CONTEXT = 77
"""Tokens that the text encoder reads, both marks included: as many as CLIP's."""

_END_OF_WORD = "</w>"


def learn(texts: Iterable[str], vocabulary: int) -> CLIPTokenizer:
    """Learn a tokenizer with at most ``vocabulary`` tokens (at least two for every byte)."""
    clip = CLIPTokenizer().backend_tokenizer
    bpe = Tokenizer(models.BPE(end_of_word_suffix=_END_OF_WORD))
    bpe.normalizer, bpe.pre_tokenizer = clip.normalizer, clip.pre_tokenizer
    letters = sorted(ByteLevel.alphabet())
    marks = ["<|startoftext|>", "<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        # The trainer counts only those final letters that it met; all of them are added below.
        vocab_size=max(vocabulary - len(letters) - len(marks), len(letters)),
        initial_alphabet=letters,
        end_of_word_suffix=_END_OF_WORD,
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    merges = [tuple(pair) for pair in json.loads(bpe.to_str())["model"]["merges"]]
    tokens = letters + [letter + _END_OF_WORD for letter in letters]
    tokens += ["".join(pair) for pair in merges] + marks
    ids = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=ids, merges=merges, model_max_length=CONTEXT)
