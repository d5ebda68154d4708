"""Originality: a generated picture beside the training pictures that are nearest to it.

Every training picture of the embedded model is drawn from a number, so each can be shown again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BATCH = 64


class Neighbour(NamedTuple):
    """A training picture and how near it is: the cosine of the two CLIP image embeddings."""

    number: int
    similarity: float


def redraw(number: int, size: int) -> NDArray[np.uint8]:
    """Draws training picture `number` again: uint8, shape (size, size, 3)."""
    from storybook import dataset

    return dataset.picture(number, size)


def caption(number: int) -> str:
    """Returns the first caption that training picture `number` was trained with."""
    from storybook import captions

    return captions.captions_of(number, 1)[0].text


def unseen(number: int, size: int) -> NDArray[np.uint8]:
    """Draws held-out picture `number`, which no training saw: uint8, shape (size, size, 3)."""
    from storybook import illustrator, world

    return illustrator.draw(world.scene(number, "heldout"), size)


def unseen_name(number: int) -> str:
    """Names who is in held-out picture `number`, such as "a fox"."""
    from storybook import captions, world

    name = captions.WHO[world.scene(number, "heldout").who][0]
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def nearest(
    embedding: NDArray[np.float32], index: NDArray[np.float32], count: int
) -> list[Neighbour]:
    """Finds the training pictures whose embeddings are nearest, the nearest first.

    Args:
        embedding: shape (d,), of length 1.
        index: one embedding a training picture, by number: shape (n, d), each of length 1.
        count: how many to return.

    Raises:
        ValueError: the index holds fewer pictures than are wanted, or vectors of another length.
    """
    if index.shape[0] < count or index.shape[1:] != embedding.shape:
        raise ValueError(
            f"{count} neighbours of a vector {embedding.shape} are not in an index {index.shape}"
        )
    similarities = index @ embedding
    order = np.argsort(-similarities, kind="stable")[:count]
    return [Neighbour(int(number), float(similarities[number])) for number in order]


def image_embeddings(pictures: Sequence[NDArray[np.uint8]], weights: Path) -> NDArray[np.float32]:
    """Embeds pictures with the CLIP image encoder of a model folder.

    Args:
        pictures: n of them, uint8, shape (size, size, 3), as large as the encoder reads them.
        weights: a folder with `image_encoder`, loaded by plain transformers.

    Returns:
        float32, shape (n, d), each of length 1.
    """
    import torch
    from transformers import CLIPVisionModelWithProjection

    encoder = CLIPVisionModelWithProjection.from_pretrained(weights / "image_encoder").eval()
    found = []
    with torch.no_grad():
        for start in range(0, len(pictures), BATCH):
            batch = torch.from_numpy(np.stack(list(pictures[start : start + BATCH])))
            pixels = batch.permute(0, 3, 1, 2).float() / 127.5 - 1
            embeds = encoder(pixel_values=pixels).image_embeds
            found.append(torch.nn.functional.normalize(embeds, dim=-1).numpy())
    return np.concatenate(found)
