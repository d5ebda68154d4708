"""Pictures and captions as the stages take them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from transformers import CLIPTokenizer

from storybook.captions import captions_of


def resident(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return an array as a tensor on the GPU, or as the memory-mapped file it is on the CPU."""
    tensor = torch.from_numpy(array if array.flags.writeable else _unprotected(array))
    return tensor.to(device) if device.type == "cuda" else tensor


def _unprotected(array: np.ndarray) -> np.ndarray:
    """Reopen a read-only memory map copy-on-write: torch warns of arrays it could spoil."""
    if isinstance(array, np.memmap):
        return np.load(array.filename, mmap_mode="c")[: len(array)]
    return array.copy()


def as_floats(pictures: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Turn uint8 pictures (n, h, w, 3) into floats from -1 to 1, shape (n, 3, h, w)."""
    # The permuted view already lies in memory as channels_last, which convolutions like best.
    return pictures.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def texts(pictures: int, per_picture: int) -> Iterator[str]:
    """Yield all captions, picture by picture."""
    for number in range(pictures):
        for caption in captions_of(number, per_picture):
            yield caption.text


def tokenise(tokenizer: CLIPTokenizer, pictures: int, per_picture: int) -> torch.Tensor:
    """Return all captions as token ids: int16, shape (pictures, per_picture, context)."""
    parts = []
    batch: list[str] = []
    for text in texts(pictures, per_picture):
        batch.append(text)
        if len(batch) == 4096:
            parts.append(ids(tokenizer, batch))
            batch = []
    if batch:
        parts.append(ids(tokenizer, batch))
    return torch.cat(parts).view(pictures, per_picture, -1)


def ids(tokenizer: CLIPTokenizer, prompts: list[str]) -> torch.Tensor:
    """Return prompts as padded token ids: int16, shape (n, context)."""
    encoded = tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt")
    return encoded.input_ids.short()


def chosen(tokens: torch.Tensor, indices: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Pick one caption of each picture at random: int64, shape (n, context)."""
    which = torch.randint(0, tokens.shape[1], (len(indices),))
    return tokens[indices.to(tokens.device), which.to(tokens.device)].long().to(device)
