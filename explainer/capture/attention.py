"""Attention from places of the picture to words of the prompt, and to each other, on the fly.

What flows through the denoiser is only looked at: queries and keys are read where its own layers
put them out, and the shares are computed once more beside it, in chunks, and reduced at once. Kept
is the first picture's conditional prediction and the tokens that stand for something.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from explainer.capture import tokens
from explainer.capture.hooks import is_compiled
from explainer.capture.shares import attention_seen, shares, side

if TYPE_CHECKING:
    import torch

    from explainer.capture.families import Family
    from explainer.capture.focus import Focus
    from explainer.capture.log import Text

Maps = dict[str, "torch.Tensor"]

# What the shares from place to place of a layer may take: 1024 places a step, or many of one step.
_MOST_BYTES = 4 * 2**20
_MOST_BYTES_OF_HEADS = 2**30


@dataclass
class Seen:
    """Attention maps: to words (tokens, h, w) and to places (h w, h, w), maybe with heads first."""

    words: Maps = field(default_factory=dict)
    places: Maps = field(default_factory=dict)


class AttentionWatch:
    """Watches the attention layers of a denoiser.

    The cost: shares are computed a second time, beside the denoiser, in chunks of some 16 MB. To
    words that is little. In joint attention (Stable Diffusion 3, Flux) and from place to place it
    is as much as the layer's own products of queries and keys, in single precision: choose some
    layers there.

    Args:
        layers: Names of the layers whose attention to words to watch, such as "mid_block" or
            "transformer_blocks.3"; whatever begins so is meant. None for all.
        self_attention: Names of the layers whose attention from place to place to watch as well. A
            layer of more than 1024 places (32 x 32) is left out, with a warning: `replay` shows it
            for one step.
        heads: Keep every layer and head of the latest step apart as well, in `by_layer`.

    Attributes:
        by_layer: With `heads`, what the latest step showed: layer -> maps with the heads first.
    """

    def __init__(
        self,
        layers: Collection[str] | None = None,
        *,
        self_attention: Collection[str] = (),
        heads: bool = False,
    ) -> None:
        self._layers = None if layers is None else _beginnings(layers)
        self._self_attention = _beginnings(self_attention)
        self._heads = heads
        self._read = 0
        self._text_length = 0
        self._asked = self._shown = False
        self._seen = Seen()
        self.by_layer = Seen()

    @contextmanager
    def watching(self, pipe: Any, family: Family, focus: Focus) -> Iterator[None]:
        """Watches for the block; warns where there is nothing to see."""
        denoiser = getattr(pipe, family.denoiser)
        with ExitStack() as stack:
            if any(is_compiled(part) for part in denoiser.modules()):  # some compile blocks alone
                _warn(
                    "A compiled denoiser shows no attention: the run is recorded without. Record "
                    "with the uncompiled one to see it."
                )
            elif not (layers := list(self._wanted(denoiser, family))):
                _warn(
                    "This denoiser has no attention layers that can be watched (fused projections "
                    "hide them): the run is recorded without."
                )
            else:
                watch = _watch_joint if family.joint else _watch_separate
                for layer in layers:
                    stack.enter_context(watch(layer, self, focus, family))
            yield

    def begin(self, text: Text, pipe: Any, family: Family) -> None:
        """Takes note of a run's prompt."""
        self._seen = Seen()
        self._asked = self._shown = False
        self._text_length = self._read = text.embeddings.shape[1]
        reader = next(iter(family.present_readers(pipe)), None)
        prompt = None if reader is None else tokens.text_of(pipe, reader, text.given)
        if reader is not None and prompt is not None:
            length = tokens.length_of(pipe, reader, text.given)
            read, _ = tokens.read_tokens(getattr(pipe, reader.tokenizer), prompt, length)
            self._read = sum(token.kind != "padding" for token in read)

    def taken(self, size: Collection[int]) -> Seen:
        """The maps since the last step by their size, the mean over heads and layers.

        Args:
            size: Height and width of the latents.
        """
        seen, self._seen = self._seen, Seen()
        if self._asked and not self._shown:
            self._shown = True  # once is enough
            _warn(
                "The attention layers of this denoiser show nothing of how they attend: the run is "
                "recorded without. Set its attention backend to 'native' to see it."
            )
        shaped = Seen(_shaped(seen.words, size), _shaped(seen.places, size))
        if self._heads:
            self.by_layer = shaped
            shaped = Seen(_without_heads(shaped.words), _without_heads(shaped.places))
        return Seen(_merged(shaped.words), _merged(shaped.places))

    def _wanted(self, denoiser: Any, family: Family) -> Iterator[_Layer]:
        for name, module in denoiser.named_modules():
            kind = name.rpartition(".")[2]
            if not hasattr(module, "to_q") or (_is_fused(module) and not family.joint):
                continue
            words = self._layers is None or name.startswith(self._layers)
            words &= kind == ("attn" if family.joint else "attn2")
            places = name.startswith(self._self_attention)
            places &= kind == ("attn" if family.joint else "attn1")
            if words or places:
                yield _Layer(name, module, words, places)

    def ask(self) -> None:
        """Takes note that a layer has worked, on the prompt itself."""
        self._asked = True

    def add_separate(
        self, layer: _Layer, query: torch.Tensor, key: torch.Tensor, bias: torch.Tensor | None
    ) -> None:
        """Adds the map of a layer whose keys are all words or all places.

        Args:
            layer: The layer.
            query: (heads, places, width)
            key: (heads, keys, width)
            bias: (keys,) What is added to their products, to leave out padding.
        """
        kept = slice(self._read) if layer.words else slice(None)
        self._add(layer, query, key, layer.module.scale, {_kind(layer): kept}, bias)

    def add_joint(
        self,
        layer: _Layer,
        query: torch.Tensor,
        key: torch.Tensor,
        scale: float,
        *,
        text_first: bool,
    ) -> None:
        """Adds the maps of a layer whose keys are words and places.

        Args:
            layer: The layer.
            query: (heads, picture and text, width)
            key: The same.
            scale: What their products are multiplied by.
            text_first: Whether the text stands before the picture.
        """
        places = query.shape[-2] - self._text_length
        if places <= 0:
            return
        picture = slice(self._text_length, None) if text_first else slice(places)
        text = 0 if text_first else places
        columns = {"words": slice(text, text + self._read), "places": picture}
        wanted = {"words": layer.words, "places": layer.places}
        columns = {kind: some for kind, some in columns.items() if wanted[kind]}
        self._add(layer, query[:, picture], key, scale, columns)

    def _add(
        self,
        layer: _Layer,
        query: torch.Tensor,
        key: torch.Tensor,
        scale: float,
        columns: dict[str, slice],
        bias: torch.Tensor | None = None,
    ) -> None:
        self._shown = True
        if "places" in columns and not self._fits(layer, *query.shape[:2]):
            columns = {kind: some for kind, some in columns.items() if kind != "places"}
        found = shares(query, key, scale, columns=columns, bias=bias, heads=self._heads)
        for kind, maps in found.items():
            # A further call in this step, such as skip-layer guidance makes, is left out.
            getattr(self._seen, kind).setdefault(layer.name, maps)

    def _fits(self, layer: _Layer, heads: int, places: int) -> bool:
        size = 4 * places**2 * (heads if self._heads else 1)
        if size <= (_MOST_BYTES_OF_HEADS if self._heads else _MOST_BYTES):
            return True
        if not layer.told:
            layer.told = True
            _warn(
                f"The self-attention of {layer.name} from {places} to {places} places would take "
                f"{size / 2**20:.0f} MB a step: the run is recorded without. Choose deeper layers"
                + ("." if self._heads else ", or replay one step.")
            )
        return False


@dataclass
class _Layer:
    """One attention layer, and what of it is wanted; told: whether it was said that it is large."""

    name: str
    module: Any
    words: bool
    places: bool
    told: bool = False


def _is_fused(module: Any) -> bool:
    """By the processor: the layer's own flag stays when its projections are taken apart again."""
    return type(module.processor).__name__.startswith("Fused")


def _kind(layer: _Layer) -> str:
    return "words" if layer.words else "places"


@contextmanager
def _watch_separate(
    layer: _Layer, watch: AttentionWatch, focus: Focus, _family: Family
) -> Iterator[None]:
    module, seen = layer.module, {}

    def keep(part: str) -> Callable[[Any, Any, Any], None]:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            seen[part] = output

        return hook

    def look(_module: Any, _args: Any, given: dict[str, Any], _output: Any) -> None:
        query, key = seen.pop("query", None), seen.pop("key", None)
        if focus.skips:
            return
        watch.ask()
        if query is None or key is None:
            return
        row = focus.row(len(query))
        mask = given.get("attention_mask")
        bias = None if mask is None else mask[min(row, len(mask) - 1)].reshape(-1)[: key.shape[1]]
        query, key = (
            tensor[row].unflatten(-1, (module.heads, -1)).transpose(0, 1) for tensor in (query, key)
        )
        watch.add_separate(layer, query, key, bias)

    handles = (
        module.to_q.register_forward_hook(keep("query")),
        module.to_k.register_forward_hook(keep("key")),
        module.register_forward_hook(look, with_kwargs=True),
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _watch_joint(
    layer: _Layer, watch: AttentionWatch, focus: Focus, family: Family
) -> Iterator[None]:
    """Joint attention norms and rotates queries and keys on the way: see them at the end."""
    modes: list[Any] = []

    def see(query: torch.Tensor, key: torch.Tensor, scale: float) -> None:
        if not focus.skips:
            row = focus.row(len(query))
            watch.add_joint(layer, query[row], key[row], scale, text_first=family.text_first)

    def before(_module: Any, _args: Any) -> None:
        mode = attention_seen(see)
        mode.__enter__()
        modes.append(mode)

    def after(_module: Any, _args: Any, _output: Any) -> None:
        if modes:
            modes.pop().__exit__(None, None, None)
        if not focus.skips:
            watch.ask()

    handles = (
        layer.module.register_forward_pre_hook(before),
        layer.module.register_forward_hook(after, always_call=True),
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _beginnings(names: Collection[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _shaped(maps: Maps, size: Collection[int]) -> Maps:
    return {
        name: flat.unflatten(-1, shape)
        for name, flat in maps.items()
        if (shape := side(flat.shape[-1], *size)) is not None
    }


def _without_heads(maps: Maps) -> Maps:
    return {name: one.mean(0) for name, one in maps.items()}


def _merged(maps: Maps) -> Maps:
    merged: dict[str, list[torch.Tensor]] = {}
    for one in maps.values():
        merged.setdefault(f"{one.shape[-2]}x{one.shape[-1]}", []).append(one)
    return {name: sum(ones[1:], ones[0]) / len(ones) for name, ones in merged.items()}


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=2)
