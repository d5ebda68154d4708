"""What a machine has is held against what a model takes, and one too big is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from explainer import measuring, memory, models
from explainer.measuring import Needs, Part
from explainer.memory import Machine
from explainer.models import ModelError

GB = 10**9
pytestmark = pytest.mark.filterwarnings("ignore:.*torchvision")


def big(pipeline: str = "StableDiffusionXLPipeline") -> Needs:
    parts = (Part("unet", "U", 2_567_000_000, 0), Part("text_encoder_2", "T", 695_000_000, 0))
    return Needs("a/big-model", pipeline, parts, (1024, 1024), 256)


def test_the_ways_to_run_a_model_and_what_each_takes() -> None:
    work = 6 * 256 * 1024 * 1024 * 2
    needs = big()
    gpu, offloaded, single, half = memory.ways(needs, Machine(64 * GB, 24 * GB, "cuda", "A card"))
    assert (gpu.ram, gpu.gpu) == (2 * needs.values, 2 * needs.values + work)
    assert (offloaded.offload, offloaded.gpu) == (True, 2 * 2_567_000_000 + work)
    assert (single.device, single.dtype, single.ram) == (
        "cpu",
        "float32",
        4 * needs.values + 2 * work,
    )
    assert (half.dtype, half.gpu) == ("bfloat16", 0)
    assert all(way.fits for way in (gpu, offloaded, single, half))
    assert gpu.dtype == "float16"
    assert memory.ways(big("FluxPipeline"), Machine(GB, GB, "cuda"))[0].dtype == "bfloat16"


@pytest.mark.parametrize(
    ("here", "fitting"),
    [
        (Machine(64 * GB), ["float32", "bfloat16"]),
        (Machine(14 * GB), ["bfloat16"]),
        (Machine(4 * GB), []),
        (Machine(8 * GB, 10 * GB, "cuda"), ["float16 offload"]),
        (Machine(6 * GB, 80 * GB, "cuda"), []),
        (Machine(16 * GB, 16 * GB, "mps"), ["float16", "bfloat16"]),
    ],
)
def test_what_fits_where(here: Machine, fitting: list[str]) -> None:
    found = [way for way in memory.ways(big(), here) if way.fits]
    assert [f"{way.dtype}{' offload' * way.offload}" for way in found] == fitting


def test_what_is_asked_and_what_is_free_is_said_in_words() -> None:
    here = Machine(16 * GB, 8 * GB, "cuda")
    way = memory.ways(big(), here)[1]
    assert way.words == "on the GPU in float16, its parts taking turns there"
    assert way.asks(here) == (
        f"{memory.gigabytes(way.gpu)} of GPU memory, 8.0 GB are free; 6.5 GB of memory, 16.0 GB "
        "are free"
    )
    assert [memory.gigabytes(one) for one in (0, 10, 85e6, 3.44e9)] == [
        "0 MB",
        "1 MB",
        "85 MB",
        "3.4 GB",
    ]


def test_a_model_too_big_is_refused_before_it_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = measuring.of_folder(folder)
    monkeypatch.setattr(memory, "machine", lambda: Machine(needs.weights("float32")))
    with pytest.raises(ModelError, match="too big to run on the processor in float32") as caught:
        models.load(folder, device="cpu")
    assert "dtype=torch.bfloat16, which fits" in str(caught.value)
    assert models.load(folder, device="cpu", check_memory=False).unet is not None
    monkeypatch.setattr(memory, "machine", lambda: Machine(1000))
    with pytest.raises(ModelError, match="Record it on a machine with more memory and carry"):
        models.load(folder, device="cpu")


def test_this_machine_has_memory() -> None:
    import psutil

    here = memory.machine()
    assert 0 < here.ram <= psutil.virtual_memory().total
    assert (here.gpu > 0) == bool(here.gpu_kind)
