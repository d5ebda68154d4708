"""Fingerprints: weights named by their values, so that a run can be found again."""

from __future__ import annotations

import hashlib
import json
import math
import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from diffusers import DiffusionPipeline
    from numpy.typing import NDArray

__all__ = ["of_file", "of_folder", "of_pipeline", "with_scheduler"]

# All that take part in drawing, under diffusers' names. An image encoder, for one, does not.
_NETWORKS = ("text_encoder", "text_encoder_2", "text_encoder_3", "transformer", "unet", "vae")
_PROJECTION = "text_projection.weight"
_MOST_VALUES = 2**25
_FREE_U = ("s1", "s2", "b1", "b2")

_known: weakref.WeakKeyDictionary[Any, tuple[int, str]] = weakref.WeakKeyDictionary()


class _Weights(NamedTuple):
    network: str
    name: str
    values: Any  # a torch or numpy array


def of_file(path: Path) -> str:
    """Names a file by its bytes, in 16 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def of_pipeline(pipe: DiffusionPipeline) -> str:
    """Names a pipeline's weights by their values, of float32 or float16 and on whatever device.

    Hashes shapes and values, in half precision, of all networks that take part in drawing: each
    value of a model of up to 33 million parameters, evenly spread ones of a larger model; of
    quantised weights, what they stand for. Kept until a parameter is replaced or changed in place.
    What makes the same weights draw otherwise counts as well: which adapters (LoRA) act, how
    strongly, and FreeU.

    bfloat16 leaves other values than float16 does: weights loaded so have another name.

    Returns:
        16 hexadecimal digits.
    """
    switched = _switched(pipe)
    if not switched:
        return _of_weights(pipe)
    told = json.dumps([_of_weights(pipe), switched])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _of_weights(pipe: Any) -> str:
    weights = list(_of_pipeline(pipe))
    sizes = [w.values.numel() for w in weights]
    # Of these a change in place would not show: inference tensors, and those made of others.
    if any(w.values.is_inference() or not w.values.data_ptr() for w in weights):
        return _digest(weights, sizes)
    state = hash(tuple((w.values.data_ptr(), w.values._version) for w in weights))  # noqa: SLF001
    known = _known.get(pipe)
    if known is None or known[0] != state:
        known = _known[pipe] = (state, _digest(weights, sizes))
    return known[1]


def of_folder(folder: Path) -> str:
    """The same for a pipeline's folder in diffusers' layout, read without torch."""
    weights = list(_of_folder(folder))
    return _digest(weights, [w.values.size for w in weights])


def with_scheduler(weights: str, scheduler: str, config: Mapping[str, Any]) -> str:
    """Names weights together with the scheduler that draws with them unless another is asked for.

    Args:
        weights: Their own name.
        scheduler: Class of the scheduler.
        config: Its configuration, as diffusers holds it or writes it to a file.
    """
    # What begins with an underscore is diffusers' own book-keeping.
    values = {name: value for name, value in config.items() if not name.startswith("_")}
    told = json.dumps([scheduler, values], sort_keys=True, default=str)
    return f"{weights}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _switched(pipe: Any) -> list[str]:
    """What is switched on, off or up in the networks with their weights as they are."""
    found = []
    for network in _NETWORKS:
        module: torch.nn.Module | None = getattr(pipe, network, None)
        for name, part in () if module is None else module.named_modules():
            if isinstance(scaling := getattr(part, "scaling", None), dict):  # peft's
                # A run's own scale is multiplied in and divided out again, which may round.
                acting = {one: f"{scaling[one]:.6g}" for one in part.active_adapters}
                how = (acting, part.merged_adapters, part.disable_adapters)
                found.append(f"{network}.{name} {how}")
            freed = [getattr(part, one, None) for one in _FREE_U]
            if any(value is not None for value in freed):
                found.append(f"{network}.{name} {freed}")
    return found


def _of_pipeline(pipe: Any) -> Iterator[_Weights]:
    for network in _NETWORKS:
        module: torch.nn.Module | None = getattr(pipe, network, None)
        if module is not None:
            for name, parameter in module.named_parameters():
                values = _offloaded(module, name) if parameter.is_meta else parameter
                yield _Weights(network, name, values)


def _offloaded(module: torch.nn.Module, name: str) -> torch.Tensor:
    """Weights that accelerate keeps elsewhere between two calls (sequential offload)."""
    owner, _, leaf = name.rpartition(".")
    hook: Any = getattr(module.get_submodule(owner), "_hf_hook", None)
    for one in getattr(hook, "hooks", (hook,)):
        if getattr(one, "weights_map", None) is not None:
            values: torch.Tensor = one.weights_map[leaf]
            return values
    raise ValueError(f"The weights {name} are on the 'meta' device and hold nothing. Load again.")


def _of_folder(folder: Path) -> Iterator[_Weights]:
    from safetensors.numpy import load_file

    classes = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    for network in _NETWORKS:
        # Lies beside the encoder for those who load the CLIP pair; this class leaves it there.
        left = _PROJECTION if classes.get(network) == ["transformers", "CLIPTextModel"] else None
        for path in (folder / network).glob("*.safetensors"):
            found = load_file(path)
            yield from (_Weights(network, name, found[name]) for name in found if name != left)


def _digest(weights: list[_Weights], sizes: list[int]) -> str:
    stride = math.ceil(sum(sizes) / _MOST_VALUES)
    digest = hashlib.sha256()
    for network, _, values in sorted(weights, key=_place):
        digest.update(f"{network} {tuple(values.shape)}".encode())
        digest.update(_halves(_flat(values)[::stride]).tobytes())
    return digest.hexdigest()[:16]


def _place(weights: _Weights) -> tuple[str, str]:
    """Where weights stand among the others, in any transformers release: some add a prefix."""
    return weights.network, weights.name.removeprefix("text_model.")


def _flat(values: Any) -> Any:
    try:
        return values.reshape(-1)
    except (NotImplementedError, TypeError):  # quantised: torchao's can be turned back, little else
        return values.dequantize().reshape(-1)


def _halves(values: torch.Tensor | NDArray[Any]) -> NDArray[np.float16]:
    if isinstance(values, np.ndarray):
        return values.astype(np.float16)
    halves: NDArray[np.float16] = values.detach().half().cpu().numpy()
    return halves
