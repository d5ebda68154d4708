"""Inside the denoiser: a UNet's parts as its config names them, and what comes out of each.

The UNet is that of Ronneberger et al. 2015 with attention (Rombach et al. 2022), as diffusers
builds it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.trace import Trace

CHANNELS = 4
"""Of every part, those that vary most over the picture are shown."""
MOMENTS = 4
"""Steps of a run that are looked at."""
_GROUPS = ("inputs", "outputs", "input_sizes", "output_sizes", "reads")
_BLOCKS = ("DownBlock2D", "CrossAttnDownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D")


class Part(NamedTuple):
    """A part of a UNet.

    Attributes:
        name: The module's name in diffusers.
        kind: "time", "in", "convolutions", "self-attention", "cross-attention", "block" or "out".
        side: "down", "middle" or "up".
        level: How often the picture was halved on the way to the part.
        channels: Numbers that come out a place.
        size: Height and width of what comes out, in places; (1, 1) of the time embedding.
        sources: Names of the parts that what goes in comes from, straight or through parts that
            are not named here.
    """

    name: str
    kind: str
    side: str
    level: int
    channels: int
    size: tuple[int, int]
    sources: tuple[str, ...]


def blueprint(config: Mapping[str, Any]) -> list[Part]:
    """Reads the parts of a UNet from its config, in the order in which they compute.

    Args:
        config: Configuration of a `UNet2DConditionModel`.

    Raises:
        ValueError: It is no such UNet, or has blocks of other kinds.
    """
    kinds = (*(config.get("down_block_types") or ()), *(config.get("up_block_types") or ()))
    if not kinds or not set(kinds) <= set(_BLOCKS):
        raise ValueError(
            f"This denoiser ({config.get('_class_name', 'unnamed')}) cannot be drawn: only UNets "
            f"of these blocks can: {', '.join(_BLOCKS)}."
        )
    widths = list(config["block_out_channels"])
    side = config["sample_size"]
    height, width = (side, side) if isinstance(side, int) else side
    sizes = [(-(-height // 2**i), -(-width // 2**i)) for i in range(len(widths))]
    depth = len(widths) - 1
    time = config.get("time_embedding_dim") or 4 * widths[0]
    parts = [
        Part("time_embedding", "time", "down", 0, time, (1, 1), ()),
        Part("conv_in", "in", "down", 0, widths[0], sizes[0], ()),
    ]
    for i, kind in enumerate(config["down_block_types"]):
        after = min(i + 1, depth)
        here = _Place(f"down_blocks.{i}", "down", i, widths[i], sizes[i])
        parts += _block(here, parts[-1].name, kind, (after, sizes[after]))
    middle = config.get("mid_block_type", "UNetMidBlock2DCrossAttn")
    if middle is not None:
        here = _Place("mid_block", "middle", depth, widths[depth], sizes[depth])
        parts += _middle(here, parts[-1].name, attends="CrossAttn" in middle)
    for i, kind in enumerate(config["up_block_types"]):
        level = depth - i
        after = max(level - 1, 0)
        here = _Place(f"up_blocks.{i}", "up", level, widths[level], sizes[level])
        found = _block(here, parts[-1].name, kind, (after, sizes[after]))
        skipped = f"down_blocks.{level}"  # as it was before it was halved
        parts += [found[0]._replace(sources=(*found[0].sources, skipped)), *found[1:]]
    out = Part(
        "conv_out", "out", "up", 0, config["out_channels"], sizes[0], (parts[-1].name,)
    )  # fmt: skip
    return [*parts, out]


class _Place(NamedTuple):
    name: str
    side: str
    level: int
    channels: int
    size: tuple[int, int]


def _block(here: _Place, before: str, kind: str, after: tuple[int, tuple[int, int]]) -> list[Part]:
    """The first layer of a block, and what leaves the block."""
    parts = [_part(here, "resnets.0", "convolutions", before)]
    if kind.startswith("CrossAttn"):
        parts += _attention(here, parts[-1].name)
    level, size = after
    left = Part(here.name, "block", here.side, level, here.channels, size, (parts[-1].name,))
    return [*parts, left]


def _middle(here: _Place, before: str, *, attends: bool) -> list[Part]:
    parts = [_part(here, "resnets.0", "convolutions", before)]
    if attends:
        parts += _attention(here, parts[-1].name)
    left = Part(
        here.name, "block", here.side, here.level, here.channels, here.size, (parts[-1].name,)
    )
    return [*parts, left]


def _attention(here: _Place, before: str) -> list[Part]:
    transformer = "attentions.0.transformer_blocks.0"
    first = _part(here, f"{transformer}.attn1", "self-attention", before)
    return [first, _part(here, f"{transformer}.attn2", "cross-attention", first.name)]


def _part(here: _Place, name: str, kind: str, before: str) -> Part:
    return Part(
        f"{here.name}.{name}", kind, here.side, here.level, here.channels, here.size, (before,)
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What went in and out of a denoiser's parts at m steps of one run, for the prompt.

    Attributes:
        parts: Of the denoiser, in the order in which they compute.
        prompt: Of the run.
        fingerprint: Hash of the weights, see `explainer.models.fingerprint`.
        calls: Denoiser calls of the run.
        steps: (m,) int64. Which calls were looked at, from 0.
        timesteps: (m,) float32. Their timesteps.
        inputs: Part -> (m, c, h, w) float16. Of what goes in, the channels that vary most over the
            picture, at most four; of a vector all numbers, as one row.
        outputs: The same of what comes out.
        input_sizes: Part -> (m,) float64. RMS over everything that goes in.
        output_sizes: The same of what comes out.
        words: Words of the prompt, and "(start)" and "(end)", in the order of their tokens.
        reads: Cross-attention -> (m, words) float32. Each word's share of the attention of all
            places and heads.
    """

    parts: tuple[Part, ...]
    prompt: str
    fingerprint: str
    calls: int
    steps: NDArray[np.int64]
    timesteps: NDArray[np.float32]
    inputs: dict[str, NDArray[np.float16]]
    outputs: dict[str, NDArray[np.float16]]
    input_sizes: dict[str, NDArray[np.float64]]
    output_sizes: dict[str, NDArray[np.float64]]
    words: tuple[str, ...]
    reads: dict[str, NDArray[np.float32]]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes it to one compressed file of plain arrays."""
        arrays: dict[str, Any] = {
            f"{kind}/{name}": array
            for kind in _GROUPS
            for name, array in getattr(self, kind).items()
        }
        for name in ("prompt", "fingerprint", "calls", "steps", "timesteps", "words"):
            arrays[name] = np.asarray(getattr(self, name))
        arrays["parts"] = np.asarray(json.dumps(self.parts))
        with Path(path).open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Look:
        """Reads what `save` wrote; nothing in the file is ever executed."""
        with np.load(Path(path), allow_pickle=False) as file:
            stored: dict[str, Any] = {name: file[name] for name in file.files}
        groups: dict[str, dict[str, Any]] = {kind: {} for kind in _GROUPS}
        for name in [name for name in stored if "/" in name]:
            kind, part = name.split("/", 1)
            groups[kind][part] = stored.pop(name)
        parts = json.loads(str(stored["parts"]))
        return cls(
            parts=tuple(_as_stored(*part) for part in parts),
            prompt=str(stored["prompt"]),
            fingerprint=str(stored["fingerprint"]),
            calls=int(stored["calls"]),
            steps=stored["steps"],
            timesteps=stored["timesteps"],
            words=tuple(map(str, stored["words"])),
            **groups,
        )


def _as_stored(*values: Any) -> Part:
    part = Part(*values)
    return part._replace(size=(part.size[0], part.size[1]), sources=tuple(part.sources))


def moments(calls: int) -> list[int]:
    """Returns which denoiser calls of a run are looked at: few, the first and the last of them."""
    return sorted({round(i * (calls - 1) / (MOMENTS - 1)) for i in range(MOMENTS)})


def look(
    pipe: Any,
    trace: Trace,
    *,
    on_step: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Look | None:
    """Computes some steps of a recorded run again, and keeps what came out of every part.

    Args:
        pipe: The pipeline that the trace was recorded with; its denoiser a UNet.
        trace: A trace.
        on_step: Called after each step with the number of steps done and their total.
        cancelled: Asked after each denoiser call; once it says True, None is returned.

    Raises:
        ValueError: The denoiser is no UNet that can be drawn, or the trace is of another model.
    """
    from explainer.capture import RunError, replay

    if not hasattr(pipe, "unet"):
        raise ValueError(f"A {type(pipe).__name__} has no UNet to look into. Choose another model.")
    parts = blueprint(pipe.unet.config)
    steps = moments(trace.calls)
    seen = []
    names, stopped = [part.name for part in parts], cancelled or (lambda: False)
    for done, step in enumerate(steps):
        try:
            seen.append(replay(pipe, trace, step, activations=names, cancelled=stopped))
        except RunError:
            if not stopped():
                raise
        if stopped():
            return None
        if on_step is not None:
            on_step(done + 1, len(steps))
    inputs, input_sizes = _summed_up([one.inputs for one in seen])
    outputs, output_sizes = _summed_up([one.activations for one in seen])
    words, places = _words(trace)
    return Look(
        parts=tuple(parts),
        prompt=trace.prompt,
        fingerprint=trace.fingerprint,
        calls=trace.calls,
        steps=np.array(steps, np.int64),
        timesteps=trace.timesteps[steps],
        inputs=inputs,
        outputs=outputs,
        input_sizes=input_sizes,
        output_sizes=output_sizes,
        words=words,
        reads={
            name: np.stack([_read(one.attention[name], places) for one in seen])
            for name in seen[0].attention
            if name in outputs
        },
    )


def _summed_up(
    seen: Sequence[Mapping[str, NDArray[np.float32]]],
) -> tuple[dict[str, NDArray[np.float16]], dict[str, NDArray[np.float64]]]:
    """Of each part the channels to show, and RMS over all of them, step by step."""
    maps, sizes = {}, {}
    for name in seen[0]:
        stack = np.stack([_laid_out(one[name]) for one in seen])
        sizes[name] = np.sqrt((stack.astype(np.float64) ** 2).mean(axis=(1, 2, 3)))
        maps[name] = _most_varied(stack).astype(np.float16)
    return maps, sizes


def _laid_out(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A part's numbers as (C, h, w); a vector as one channel of one row."""
    return values.reshape(1, 1, -1) if values.ndim == 1 else values


def _most_varied(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m, C, h, w) to the channels that vary most over the picture, in their own order."""
    variances = stack.var(axis=(2, 3)).mean(axis=0)
    chosen = np.sort(np.argsort(-variances, kind="stable")[:CHANNELS])
    return stack[:, chosen]


def _words(trace: Trace) -> tuple[tuple[str, ...], list[list[int]]]:
    """The words that can be read, and the places of each one's tokens."""
    names: list[str] = []
    places: list[list[int]] = []
    read = [token for token in trace.tokens if token.kind != "padding"]
    for place, token in enumerate(read):
        before = read[place - 1] if place else None
        goes_on = before is not None and before.word == token.word and token.start <= before.end
        if token.word is not None and goes_on:
            places[-1].append(place)
        else:
            names.append(token.word or f"({token.kind})")
            places.append([place])
    return tuple(names), places


def _read(maps: NDArray[np.float32], places: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """(heads, tokens, h, w) to each word's share of all attention."""
    shares = maps.mean(axis=(0, 2, 3))
    return np.array([shares[list(tokens)].sum() for tokens in places], np.float32)
