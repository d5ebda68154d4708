"""Shares of attention: softmax(q kᵀ scale), in chunks, beside the kernel that hides it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Numbers of one chunk of attention: bounds it to some 16 MB, however large the picture.
_MOST_AT_ONCE = 2**22


def shares(
    query: torch.Tensor,
    key: torch.Tensor,
    scale: float,
    *,
    columns: dict[str, slice],
    bias: torch.Tensor | None = None,
    heads: bool = False,
) -> dict[str, torch.Tensor]:
    """Attention from places of the picture to some of the keys (Vaswani et al. 2017).

    Args:
        query: (heads, places, width)
        key: (heads, keys, width)
        scale: What their products are multiplied by.
        columns: Name -> which of the keys to keep.
        bias: (keys,) What is added to the products, to leave out padding.
        heads: Whether to keep the heads apart; their mean if not.

    Returns:
        Name -> (keys kept, places), with heads before them if they are kept apart; float32.
    """
    import torch

    transposed = key.float().transpose(-1, -2) * scale
    chunk = max(1, _MOST_AT_ONCE // (len(query) * key.shape[-2]))
    parts: dict[str, list[torch.Tensor]] = {name: [] for name in columns}
    with torch.no_grad():
        for some in query.split(chunk, dim=1):
            logits = some.float() @ transposed
            if bias is not None:
                logits += bias.float()
            whole = logits.softmax(-1)
            for name, kept in columns.items():
                part = whole[..., kept].transpose(-1, -2)
                parts[name].append(part.clone() if heads else part.mean(0))
    return {name: torch.cat(some, -1) for name, some in parts.items()}


def attention_seen(see: Callable[[torch.Tensor, torch.Tensor, float], None]) -> Any:
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


def side(places: int, height: int, width: int) -> tuple[int, int] | None:
    """Height and width of a map of so many places: the latents' own, halved as often as it takes.

    None where that leads to no such number.
    """
    while height * width > places and (height > 1 or width > 1):
        height, width = -(-height // 2), -(-width // 2)
    return (height, width) if height * width == places else None
