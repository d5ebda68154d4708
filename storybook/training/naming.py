"""What a caption names, and heads that must tell it from what an encoder made of the caption.

A contrastive loss asks no more of a caption's states than it takes to tell one picture from a
hundred others; whether somebody sits or sleeps rarely decides that. A denoiser can draw only what
it can read in the states, so these must also tell every attribute that the caption names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from storybook import captions, everyday
from storybook.captions import Caption
from storybook.world import Scene, scene

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "who": tuple(captions.WHO),
    "hair": tuple(captions.HAIR),
    "hairstyle": tuple(captions.HAIRSTYLE),
    "skin": tuple(captions.SKIN),
    "colour": tuple(captions.COLOUR),
    "garment": tuple(captions.GARMENT),
    "action": tuple(captions.ACTION),
    "place": tuple(captions.PLACE),
    "time": tuple(captions.TIME),
    "style": tuple(captions.STYLE),
}
"""What is told, and the values to choose from."""

NOT_NAMED = -1


def shown(pictures: int) -> np.ndarray:
    """Return what training pictures show: int64, shape (pictures, attributes).

    Each entry is a value's place in :data:`ATTRIBUTES`, or :data:`NOT_NAMED` where the attribute
    does not apply, such as an animal's hair.
    """
    return np.array([_values(scene(number)) for number in range(pictures)])


def named(pictures: int, per_picture: int) -> np.ndarray:
    """Return what captions name: int64, shape (pictures, captions, attributes), like `shown`."""
    told = (captions.captions_of(number, per_picture) for number in range(pictures))
    return _named(told, pictures, per_picture)


def named_by_wordings(pictures: int, takes: int) -> np.ndarray:
    """Return what pairs of wordings name: int64, shape (pictures, takes, attributes)."""
    pairs = (everyday.wordings_of(number, takes) for number in range(pictures))
    return _named(([wording for wording, _ in of_one] for of_one in pairs), pictures, takes)


def _named(told: Iterable[list[Caption]], pictures: int, per_picture: int) -> np.ndarray:
    found = np.repeat(shown(pictures)[:, None], per_picture, axis=1)
    for number, of_one in enumerate(told):
        for i, caption in enumerate(of_one):
            found[number, i, [name not in caption.names for name in ATTRIBUTES]] = NOT_NAMED
    return found


def _values(shown: Scene) -> list[int]:
    return [
        values.index(getattr(shown, name)) if getattr(shown, name) else NOT_NAMED
        for name, values in ATTRIBUTES.items()
    ]


class Naming(nn.Module):
    """One linear head an attribute, on embeddings and on the states that led to them.

    Each attribute has a query of its own that attends to the states, as a denoiser's
    cross-attention does. Embeddings of texts and of pictures share their heads.

    Args:
        width: of a state.
        projection: of an embedding.
    """

    def __init__(self, width: int, projection: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(ATTRIBUTES), width) * width**-0.5)
        self.of_states = heads(width)
        self.of_embeddings = heads(projection)

    def states(self, states: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Return the loss on states of shape (n, tokens, width), values of (n, attributes)."""
        weights = (states @ self.queries.T).softmax(1)
        return loss(self.of_states, (weights.transpose(1, 2) @ states).unbind(1), values)

    def embeddings(self, embeddings: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Return the loss on unit vectors of shape (n, projection), values of (n, attributes)."""
        scaled = embeddings * embeddings.shape[-1] ** 0.5
        return loss(self.of_embeddings, [scaled] * len(ATTRIBUTES), values)


def heads(width: int) -> nn.ModuleList:
    """Return one linear head an attribute, for inputs of ``width`` numbers."""
    return nn.ModuleList(nn.Linear(width, len(values)) for values in ATTRIBUTES.values())


def loss(
    heads: nn.ModuleList, inputs: Sequence[torch.Tensor], values: torch.Tensor
) -> torch.Tensor:
    """Return the mean cross-entropy over attributes, each over the rows that name it.

    Args:
        heads: one an attribute.
        inputs: one an attribute, shape (n, width).
        values: the right answers, shape (n, attributes).
    """
    losses = [
        # The sum, since a batch in which nothing names an attribute has no mean.
        functional.cross_entropy(head(x), values[:, i], ignore_index=NOT_NAMED, reduction="sum")
        / (values[:, i] != NOT_NAMED).sum().clamp_min(1)
        for i, (head, x) in enumerate(zip(heads, inputs, strict=True))
    ]
    return torch.stack(losses).mean()
