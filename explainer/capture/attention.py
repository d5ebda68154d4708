"""Attention from places of the picture to words of the prompt, reduced while the run goes on.

What flows through the denoiser is only looked at: queries and keys are read where its own layers
put them out, and softmax(q kᵀ scale) is computed once more beside it (Vaswani et al. 2017). Kept is
the first picture's conditional prediction and the tokens that stand for something.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from explainer.capture import tokens

if TYPE_CHECKING:
    import torch

    from explainer.capture.families import Family
    from explainer.capture.log import Text

# Numbers of one chunk of attention: bounds it to some 16 MB, however large the picture.
_MOST_AT_ONCE = 2**22


class AttentionWatch:
    """Watches the attention layers of a denoiser.

    Args:
        layers: Names of the attention layers to watch, such as "mid_block" or
            "transformer_blocks.3"; whatever begins so is meant. None for all.
        heads: Keep every layer and head apart, for looking at a single step.

    Attributes:
        skips_call: Whether the present denoiser call is none for the prompt itself: guidance may
            ask for its two predictions in two calls.
    """

    def __init__(self, layers: Collection[str] | None = None, *, heads: bool = False) -> None:
        self._layers = layers
        self._heads = heads
        self._read = 0
        self._text_length = 0
        self._batch = 1
        self._conditional: torch.Tensor | None = None
        self._maps: dict[str, torch.Tensor] = {}
        self.skips_call = False

    @contextmanager
    def watching(self, pipe: Any, family: Family) -> Iterator[None]:
        """Watches for the block; warns where there is nothing to see."""
        denoiser = getattr(pipe, family.denoiser)
        with ExitStack() as stack:
            if hasattr(denoiser, "_orig_mod") or denoiser._compiled_call_impl is not None:  # noqa: SLF001
                warnings.warn(
                    "A compiled denoiser shows no attention: the run is recorded without. Record "
                    "with the uncompiled one to see it.",
                    stacklevel=4,
                )
                yield
                return
            layers = list(self._wanted(denoiser, family))
            if not layers:
                warnings.warn(
                    "This denoiser has no attention layers that can be watched (fused projections "
                    "hide them): the run is recorded without.",
                    stacklevel=4,
                )
            handle = denoiser.register_forward_pre_hook(self._see_call, with_kwargs=True)
            stack.callback(handle.remove)
            for name, layer in layers:
                watch = self._watch_joint if family.joint else self._watch_cross
                stack.enter_context(watch(name, layer, family))
            yield

    def begin(self, text: Text, pipe: Any, family: Family) -> None:
        """Takes note of a run's prompt."""
        self._maps = {}
        self._conditional = text.embeddings[:1]
        self._batch, self._text_length = text.embeddings.shape[:2]
        self._read = self._text_length
        reader = next(iter(family.present_readers(pipe)), None)
        prompt = None if reader is None else tokens.text_of(pipe, reader, text.given)
        if reader is not None and prompt is not None:
            length = tokens.length_of(pipe, reader, text.given)
            read, _ = tokens.read_tokens(getattr(pipe, reader.tokenizer), prompt, length)
            self._read = sum(token.kind != "padding" for token in read)

    def row(self, count: int) -> int:
        """Where the first picture's conditional half is in a batch of so many."""
        return self._batch if count >= 2 * self._batch else 0

    def taken(self, size: Collection[int]) -> dict[str, torch.Tensor]:
        """The maps since the last step: by size (tokens, h, w), or by layer (heads, tokens, h, w).

        Args:
            size: Height and width of the latents.
        """
        maps, self._maps = self._maps, {}
        shaped = {
            name: flat.unflatten(-1, side)
            for name, flat in maps.items()
            if (side := _side(flat.shape[-1], *size)) is not None
        }
        if self._heads:
            return shaped
        merged: dict[str, list[torch.Tensor]] = {}
        for one in shaped.values():
            merged.setdefault(f"{one.shape[-2]}x{one.shape[-1]}", []).append(one)
        return {name: sum(ones[1:], ones[0]) / len(ones) for name, ones in merged.items()}

    def _wanted(self, denoiser: Any, family: Family) -> Iterator[tuple[str, Any]]:
        kind = "attn" if family.joint else "attn2"
        for name, module in denoiser.named_modules():
            chosen = self._layers is None or name.startswith(tuple(self._layers))
            fused = getattr(module, "fused_projections", False)
            if name.endswith(f".{kind}") and chosen and not fused and hasattr(module, "to_q"):
                yield name, module

    def _see_call(self, _module: Any, _args: Any, given: dict[str, Any]) -> None:
        """Guidance in two calls: only the one for the prompt itself is of interest."""
        text = given.get("encoder_hidden_states")
        self.skips_call = bool(
            self._conditional is not None
            and text is not None
            and len(text) == 1
            and text.shape == self._conditional.shape
            and not (text == self._conditional).all()
        )

    @contextmanager
    def _watch_cross(self, name: str, layer: Any, _family: Family) -> Iterator[None]:
        seen: dict[str, Any] = {}

        def keep(part: str) -> Callable[[Any, Any, Any], None]:
            def hook(_module: Any, _inputs: Any, output: Any) -> None:
                seen[part] = output

            return hook

        def look(_module: Any, _args: Any, given: dict[str, Any], _output: Any) -> None:
            query, key = seen.pop("query", None), seen.pop("key", None)
            if query is not None and key is not None and not self.skips_call:
                row = self.row(len(query))
                mask = given.get("attention_mask")
                bias = None if mask is None else mask[min(row, len(mask) - 1)].reshape(-1)
                self._add(
                    name,
                    query[row].unflatten(-1, (layer.heads, -1)).transpose(0, 1),
                    key[row].unflatten(-1, (layer.heads, -1)).transpose(0, 1),
                    layer.scale,
                    bias[: key.shape[1]] if bias is not None else None,
                )

        handles = (
            layer.to_q.register_forward_hook(keep("query")),
            layer.to_k.register_forward_hook(keep("key")),
            layer.register_forward_hook(look, with_kwargs=True),
        )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def _watch_joint(self, name: str, layer: Any, family: Family) -> Iterator[None]:
        """Joint attention norms and rotates queries and keys on the way: see them at the end."""
        modes: list[Any] = []

        def before(_module: Any, _args: Any) -> None:
            mode = _sdpa_seen(lambda q, k, scale: self._add_joint(name, q, k, scale, family))
            mode.__enter__()
            modes.append(mode)

        def after(_module: Any, _args: Any, _output: Any) -> None:
            if modes:
                modes.pop().__exit__(None, None, None)

        handles = (
            layer.register_forward_pre_hook(before),
            layer.register_forward_hook(after, always_call=True),
        )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _add_joint(
        self, name: str, query: torch.Tensor, key: torch.Tensor, scale: float, family: Family
    ) -> None:
        """Takes (B, heads, picture and text, width) as they reach the attention kernel."""
        places = query.shape[-2] - self._text_length
        if self.skips_call or places <= 0:
            return
        row = self.row(len(query))
        query, key = query[row], key[row]
        if family.text_first:
            self._add(name, query[:, self._text_length :], key, scale)
        else:  # put the text first, softmax does not mind
            key = key.roll(-places, dims=-2)
            self._add(name, query[:, :places], key, scale)

    def _add(
        self,
        name: str,
        query: torch.Tensor,
        key: torch.Tensor,
        scale: float,
        bias: torch.Tensor | None = None,
    ) -> None:
        """Adds a layer's map, (tokens, places) or with heads before it.

        Args:
            name: Of the layer.
            query: (heads, places, width)
            key: (heads, keys, width), the prompt's tokens first.
            scale: What their products are multiplied by.
            bias: (keys,) What is added to them, to leave out padding.
        """
        import torch

        if name in self._maps:  # a further call in this step, such as skip-layer guidance makes
            return
        heads = len(query)
        transposed = key.float().transpose(-1, -2) * scale
        chunk = max(1, _MOST_AT_ONCE // (heads * key.shape[-2]))
        parts = []
        with torch.no_grad():
            for some in query.split(chunk, dim=1):
                logits = some.float() @ transposed
                if bias is not None:
                    logits += bias.float()
                shares = logits.softmax(-1)[..., : self._read].transpose(-1, -2)
                parts.append(shares if self._heads else shares.mean(0))
        self._maps[name] = torch.cat(parts, -1)


def _sdpa_seen(see: Callable[[torch.Tensor, torch.Tensor, float], None]) -> Any:
    """A mode that shows queries, keys and scale of each scaled dot-product attention under it."""
    import torch
    from torch.overrides import TorchFunctionMode

    attention = torch.nn.functional.scaled_dot_product_attention

    class Seen(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, _types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            given = kwargs or {}
            if func is attention:
                query: Any = given.get("query", args[0] if args else None)
                key: Any = given.get("key", args[1] if len(args) > 1 else None)
                see(query, key, given.get("scale") or query.shape[-1] ** -0.5)
            return func(*args, **given)

    return Seen()


def _side(places: int, height: int, width: int) -> tuple[int, int] | None:
    """Height and width of a layer's map: the latents' own, halved as often as it takes."""
    while height * width > places and (height > 1 or width > 1):
        height, width = -(-height // 2), -(-width // 2)
    return (height, width) if height * width == places else None
