"""The judge: a small network that says what a picture shows, apart from the model it judges.

It is trained on the illustrator's drawings (:mod:`storybook.evaluation.lessons`) and shares no
weights with the diffusion model, so a picture can please it only by showing the thing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from storybook.world import (
    ACTIONS,
    COLOURS,
    HAIR,
    PLACES,
    STYLES,
    TIMES,
    WHO,
    WORLD_VERSION,
)

if TYPE_CHECKING:
    from storybook.world import Scene

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "who": WHO,
    "place": PLACES,
    "time": TIMES,
    "style": STYLES,
    "colour": COLOURS,
    "hair": (*HAIR, ""),
    "action": ACTIONS,
}
"""What the judge looks for, and the answers it can give; no hair is the empty string."""

WIDTHS = (24, 32, 64, 128, 160)
"""Channels of the stem and of each block: 0.78 million parameters in all."""

SIZE = 128
"""Width and height in pixels at which the judge looks, whatever size the picture has."""

WEIGHTS = Path(__file__).with_name("judge.safetensors")

_SCALE = ".scale"

Verdict = Mapping[str, str]
"""One picture's answers: attribute to value."""


class _Block(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut, halving the width (He et al. 2015, fig. 2)."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outside)
        self.second = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outside)
        self.shortcut = nn.Conv2d(inside, outside, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(
            self.second_norm(self.second(y)) + self.shortcut(functional.avg_pool2d(x, 2))
        )


class Judge(nn.Module):
    """A convolutional classifier with one head an attribute.

    Every head has its own attention over each of the two maps before the last, since the hair's
    colour and the weather are to be found in different places. All share the means of all maps:
    fine ones tell the texture of a style, coarse ones what is going on.

    Args:
        widths: channels of the stem and of each block; the map is halved by each.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.widths = tuple(widths)
        stem, *blocks = self.widths
        self.stem = nn.Conv2d(3, stem, 4, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(stem)
        self.blocks = nn.ModuleList(_Block(a, b) for a, b in zip(self.widths, blocks, strict=False))
        local = blocks[-3:-1]
        self.attention = nn.ModuleList(nn.Conv2d(width, len(ATTRIBUTES), 1) for width in local)
        seen = sum(local) + sum(blocks)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(seen, len(values)) for name, values in ATTRIBUTES.items()}
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return logits for float pictures from 0 to 1, shape (n, 3, SIZE, SIZE)."""
        x = functional.relu(self.stem_norm(self.stem(pictures * 2 - 1)))
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        shared = torch.cat([found.mean((2, 3)) for found in maps], dim=1)
        local = [_attended(*pair) for pair in zip(self.attention, maps[-3:-1], strict=True)]
        return {
            name: head(torch.cat([*(own[i] for own in local), shared], dim=1))
            for i, (name, head) in enumerate(self.heads.items())
        }

    @torch.inference_mode()
    def look(self, pictures: np.ndarray, batch: int = 64) -> list[Verdict]:
        """Say what pictures show, by the mean of what they and their mirror images seem to show.

        Args:
            pictures: uint8, shape (n, height, width, 3), RGB.
            batch: how many to look at together.

        Raises:
            ValueError: if the pictures have another shape or type.
        """
        if pictures.ndim != 4 or pictures.shape[-1] != 3 or pictures.dtype != np.uint8:
            raise ValueError(
                "the judge looks at uint8 pictures of shape (n, height, width, 3), "
                f"not at {pictures.dtype} {pictures.shape}"
            )
        was_training = self.training
        self.eval()
        verdicts = [
            verdict
            for start in range(0, len(pictures), batch)
            for verdict in self._look(pictures[start : start + batch])
        ]
        self.train(was_training)
        return verdicts

    def _look(self, pictures: np.ndarray) -> Iterator[Verdict]:
        x = as_input(pictures).to(self.stem.weight.device)
        plain, mirrored = self(x), self(x.flip(-1))
        best = {
            name: (plain[name].softmax(1) + mirrored[name].softmax(1)).argmax(1).tolist()
            for name in ATTRIBUTES
        }
        for i in range(len(pictures)):
            yield {name: ATTRIBUTES[name][index[i]] for name, index in best.items()}


def _attended(attention: nn.Module, found: Tensor) -> Tensor:
    """Return each attribute's mean of a map, weighted by where it looks: (attributes, n, c)."""
    weights = attention(found).flatten(2).softmax(-1)
    return torch.einsum("nap,ncp->anc", weights, found.flatten(2))


def as_input(pictures: np.ndarray) -> Tensor:
    """Turn uint8 (n, height, width, 3) into float32 from 0 to 1, (n, 3, SIZE, SIZE)."""
    x = torch.tensor(pictures).permute(0, 3, 1, 2).float() / 255
    if x.shape[-2:] != (SIZE, SIZE):
        x = functional.interpolate(x, (SIZE, SIZE), mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)


def labels(scenes: Sequence[Scene]) -> dict[str, Tensor]:
    """Return each attribute's right answers as int64 indices into :data:`ATTRIBUTES`, (n,)."""
    return {
        name: torch.tensor([values.index(getattr(scene, name)) for scene in scenes])
        for name, values in ATTRIBUTES.items()
    }


def save(judge: Judge, path: Path = WEIGHTS) -> None:
    """Write the judge: kernels as bytes with a scale an output, all else in half precision."""
    tensors = {}
    for name, tensor in judge.state_dict().items():
        if tensor.ndim > 1:
            tensors[name], tensors[name + _SCALE] = _bytes(tensor)
        elif tensor.is_floating_point():
            tensors[name] = tensor.half().contiguous()
    metadata = {"world": str(WORLD_VERSION), "widths": json.dumps(judge.widths)}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata)


def _bytes(kernel: Tensor) -> tuple[Tensor, Tensor]:
    scale = kernel.abs().amax(tuple(range(1, kernel.ndim)), keepdim=True).clamp_min(1e-9) / 127
    return (kernel / scale).round().to(torch.int8).contiguous(), scale.float()


def load(path: Path = WEIGHTS) -> Judge:
    """Read a judge that :func:`save` wrote, in single precision, ready to look.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the judge learned another version of the world.
    """
    retrain = "train one with `explainer evaluate --train-judge`"
    if not path.is_file():
        raise FileNotFoundError(f"there is no judge at {path}: {retrain}")
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    if metadata.get("world") != str(WORLD_VERSION):
        raise ValueError(
            f"the judge at {path} learned world {metadata.get('world')}, "
            f"this is world {WORLD_VERSION}: {retrain}"
        )
    scales = {name: tensors.pop(name) for name in list(tensors) if name.endswith(_SCALE)}
    tensors |= {k.removesuffix(_SCALE): tensors[k.removesuffix(_SCALE)] * scales[k] for k in scales}
    judge = Judge(json.loads(metadata["widths"]))
    # Batch counters are not saved: they matter to training alone.
    missing, unexpected = judge.load_state_dict(tensors, strict=False)
    if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
        raise ValueError(f"the judge at {path} has another build than this one: {retrain}")
    return judge.eval()
