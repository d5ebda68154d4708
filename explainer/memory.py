"""Memory: what is free on this machine, and which ways to run a model fit into it."""

from __future__ import annotations

from typing import NamedTuple

from explainer.capture.families import FAMILIES
from explainer.containers import free_memory
from explainer.measuring import BYTES, Needs

__all__ = ["Machine", "Way", "gigabytes", "half", "machine", "way", "ways"]

FREE_SHARE = 0.9
"""Of the free memory; the rest is left to what else goes on."""


class Machine(NamedTuple):
    """Memory that is free on this machine, in bytes.

    Attributes:
        ram: For the processor.
        gpu: On the graphics card; 0 where torch sees none.
        gpu_kind: "cuda", or "mps", whose memory is the processor's own; "" for none.
        gpu_name: As its maker calls it.
    """

    ram: int
    gpu: int = 0
    gpu_kind: str = ""
    gpu_name: str = ""


class Way(NamedTuple):
    """One way to run a model on a machine.

    Attributes:
        device: As for `explainer.load`.
        dtype: Name of a torch dtype.
        offload: Whether the networks wait in the processor's memory and visit the GPU in turn.
        ram: Bytes that it takes of the processor's memory.
        gpu: Bytes that it takes of the GPU's.
        fits: Whether both are free.
    """

    device: str
    dtype: str
    offload: bool
    ram: int
    gpu: int
    fits: bool

    @property
    def words(self) -> str:
        """What it is, for a reader."""
        where = {"cpu": "the processor", "cuda": "the GPU", "mps": "the GPU (Apple)"}[self.device]
        how = ", its parts taking turns there" if self.offload else ""
        return f"on {where} in {self.dtype}{how}"

    def asks(self, here: Machine) -> str:
        """What it takes and what is free, for a reader."""
        parts = [(self.gpu, here.gpu, "GPU memory"), (self.ram, here.ram, "memory")]
        told = [
            f"{gigabytes(needs)} of {name}, {gigabytes(free)} are free"
            for needs, free, name in parts
            if needs
        ]
        return "; ".join(told)


def half(pipeline: str) -> str:
    """The precision of two bytes that suits a pipeline's activations on a GPU."""
    family = FAMILIES.get(pipeline)
    return family.half if family else "float16"


def ways(needs: Needs, here: Machine) -> tuple[Way, ...]:
    """Returns all ways to run a model on a machine, the best first, whether they fit or not."""
    small = half(needs.pipeline)
    found = []
    if here.gpu_kind == "cuda":
        found = [way(needs, here, "cuda", small, offload=offload) for offload in (False, True)]
    elif here.gpu_kind == "mps":
        found = [way(needs, here, "mps", "float16")]
    return (*found, *(way(needs, here, "cpu", dtype) for dtype in ("float32", "bfloat16")))


def way(needs: Needs, here: Machine, device: str, dtype: str, *, offload: bool = False) -> Way:
    """Returns what one way to run a model takes."""
    whole, work = needs.weights(dtype), needs.working(dtype)
    ram, gpu = whole + work, 0
    if device == "cuda":  # what goes to the GPU is read into the processor's memory first
        largest = max((part.values for part in needs.parts), default=0) * BYTES[dtype]
        ram, gpu = whole, (largest if offload else whole) + work
    return Way(device, dtype, offload, ram, gpu, _free(ram, here.ram) and _free(gpu, here.gpu))


def _free(needed: int, there: int) -> bool:
    return needed <= FREE_SHARE * there


def gigabytes(count: float) -> str:
    """Bytes in words: "3.4 GB", "85 MB"."""
    if count < 1e9:
        return f"{max(1, round(count / 1e6))} MB" if count else "0 MB"
    return f"{count / 1e9:.1f} GB"


def machine() -> Machine:
    """Reads how much memory is free here; imports torch to ask for a GPU."""
    import torch

    ram = free_memory()
    if torch.cuda.is_available():
        return Machine(ram, torch.cuda.mem_get_info()[0], "cuda", torch.cuda.get_device_name())
    if torch.backends.mps.is_available():
        return Machine(ram, ram, "mps", "Apple")
    return Machine(ram)
