"""Pictures and captions as the stages take them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPTokenizer

from storybook import dataset, everyday
from storybook.captions import captions_of
from storybook.training import naming

_SPARE_MEMORY = 3
"""Data moves to a GPU whose free memory is this many times larger."""


def resident(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return an array as a tensor on the GPU, or where it is if that has no room for it."""
    tensor = torch.from_numpy(array if array.flags.writeable else _unprotected(array))
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if free > _SPARE_MEMORY * array.nbytes:
            return tensor.to(device)
    return tensor


def _unprotected(array: np.ndarray) -> np.ndarray:
    """Reopen a read-only memory map copy-on-write: torch warns of arrays it could spoil."""
    if isinstance(array, np.memmap) and array.filename is not None:
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


def tokens(
    folder: Path, tokenizer: CLIPTokenizer, pictures: int, per_picture: int, workers: int | None
) -> np.ndarray:
    """Return all captions as token ids, from ``folder`` if they were tokenised before.

    Returns:
        int16, shape (pictures, per_picture, context).
    """
    version = _fingerprint(tokenizer.backend_tokenizer.to_str(), pictures, per_picture)
    path = folder / f"tokens-{version}.npy"
    chunks = dataset.captions(pictures, per_picture, workers=workers)
    return _tokenised(path, tokenizer, chunks, (pictures, per_picture))


def _tokenised(
    path: Path, tokenizer: CLIPTokenizer, chunks: Iterator[list[str]], shape: tuple[int, ...]
) -> np.ndarray:
    """Return what lies at ``path``, or put there what ``chunks``, not made before, come to."""
    if not path.exists():
        found = np.concatenate([ids(tokenizer, chunk) for chunk in chunks])
        keep(path, found.reshape(*shape, -1))
    return np.load(path)


def wordings(
    folder: Path, tokenizer: CLIPTokenizer, pictures: int, takes: int, workers: int | None
) -> np.ndarray:
    """Return pairs of wordings as token ids, from ``folder`` if they were tokenised before.

    Returns:
        int16, shape (pictures, takes, 2, context): an everyday wording, and a caption that names
        the same.
    """
    made = tokenizer.backend_tokenizer.to_str()
    path = folder / f"wordings-{_of_wordings(made, pictures, takes)}.npy"
    chunks = dataset.wordings(pictures, takes, workers=workers)
    return _tokenised(path, tokenizer, chunks, (pictures, takes, 2))


def named_by_wordings(folder: Path, pictures: int, takes: int) -> np.ndarray:
    """Return what pairs of wordings name, from ``folder`` if it was found out before.

    Returns:
        int64, shape (pictures, takes, attributes), see :func:`naming.named_by_wordings`.
    """
    what = json.dumps(naming.ATTRIBUTES)
    path = folder / f"names-of-wordings-{_of_wordings(what, pictures, takes)}.npy"
    return _kept(path, lambda: naming.named_by_wordings(pictures, takes))


def _of_wordings(made: str, pictures: int, takes: int) -> str:
    """Name what was made of everyday wordings by all it depends on; a sample tells their form."""
    sample = [text for chunk in dataset.wordings(min(pictures, 50), takes) for text in chunk]
    phrases = json.dumps(everyday.phrases())
    return _fingerprint("\n".join([made, phrases, *sample]), pictures, takes)


def named(folder: Path, pictures: int, per_picture: int) -> np.ndarray:
    """Return what all captions name, from ``folder`` if it was found out before.

    Returns:
        int64, shape (pictures, per_picture, attributes), see :func:`naming.named`.
    """
    what = json.dumps(naming.ATTRIBUTES)
    path = folder / f"named-{_fingerprint(what, pictures, per_picture)}.npy"
    return _kept(path, lambda: naming.named(pictures, per_picture))


def _kept(path: Path, find: Callable[[], np.ndarray]) -> np.ndarray:
    """Return what a file keeps; what is found goes there first, if it is not there yet."""
    if not path.exists():
        keep(path, find())
    return np.load(path)


def _fingerprint(made: str, pictures: int, per_picture: int) -> str:
    """Name what was made of captions by all it depends on; a sample stands for their wording."""
    sample = "\n".join(texts(min(pictures, 50), per_picture))
    parts = (made, sample, str(pictures), str(per_picture))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def ids(tokenizer: CLIPTokenizer, prompts: list[str]) -> np.ndarray:
    """Return prompts as padded token ids: int16, shape (n, context)."""
    encoded = tokenizer(prompts, padding="max_length", truncation=True, return_tensors="np")
    return encoded["input_ids"].astype(np.int16)


def keep(path: Path, array: np.ndarray) -> None:
    """Save an array so that ``path`` never holds a part of it only."""
    fresh = path.with_suffix(".part")
    try:
        with fresh.open("wb") as file:
            np.save(file, array)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def chosen(tokens: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Pick one caption of each picture at random: int64, shape (n, context), where indices are."""
    which = torch.randint(0, tokens.shape[1], (len(indices),), device=tokens.device)
    return picked(tokens, indices, which).long()


def picked(of_captions: torch.Tensor, indices: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """Pick from a table of shape (pictures, captions, ...): shape (n, ...), where indices are."""
    device = of_captions.device
    return of_captions[indices.to(device), which.to(device)].to(indices.device)
