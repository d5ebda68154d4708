"""A trace goes to one file and comes back whole; a file that cannot be trusted is refused."""

from __future__ import annotations

import dataclasses
import io
import json
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from explainer import trace as trace_module
from explainer.trace import Reading, Token, Trace, TraceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def picture(size: tuple[int, int], seed: int = 0, *, lossless: bool = False) -> bytes:
    """Soft blobs of colour, about as hard to compress as a painted picture."""
    colours = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)
    image.save(buffer, "WEBP", quality=85, lossless=lossless)
    return buffer.getvalue()


def make(
    *, steps: int = 3, channels: int = 8, side: int = 4, width: int = 32, **changes: Any
) -> Trace:
    """A trace of random numbers with the shapes that a run has."""
    numbers = np.random.default_rng(0)

    def values(*shape: int, dtype: type = np.float16) -> np.ndarray[Any, Any]:
        return numbers.standard_normal(shape).astype(dtype)

    tokens = (
        Token(49406, "<|startoftext|>", None, 0, 0, "start"),
        Token(320, "a", "a", 0, 1, "word"),
        Token(3240, "fox", "fox", 2, 5, "word"),
        Token(49407, "<|endoftext|>", None, 5, 5, "end"),
    )
    per_step = (channels, side, side)
    fields: dict[str, Any] = {
        "prompt": "a fox",
        "negative_prompt": "",
        "seed": 7,
        "steps": steps,
        "guidance_scale": 5.0,
        "scheduler": "DPMSolverMultistepScheduler",
        "scheduler_config": {"prediction_type": "epsilon", "lambda_min_clipped": float("-inf")},
        "model": "storybook",
        "fingerprint": "0123456789abcdef",
        "pipeline": "StableDiffusionPipeline",
        "versions": {"explainer": "0.1.0"},
        "width": 8 * side,
        "height": 8 * side,
        "scaling_factor": 0.5,
        "shift_factor": 0.0,
        "complete": True,
        "tokens": tokens,
        "truncated": "",
        "hidden_states": values(3, len(tokens), width),
        "pooled_embedding": values(width, dtype=np.float32),
        "timesteps": values(steps, dtype=np.float32),
        "sigmas": values(steps, dtype=np.float32),
        "signal": values(steps, dtype=np.float32),
        "latents": values(steps + 1, *per_step, dtype=np.float32),
        "noise_uncond": values(steps, *per_step),
        "noise_cond": values(steps, *per_step),
        "noise": values(steps, *per_step),
        "x0": values(steps, *per_step),
        "frames": {
            "x0": tuple(picture((8 * side, 8 * side), seed) for seed in range(steps)),
            "noisy": tuple(picture((8 * side, 8 * side), seed) for seed in range(steps + 1)),
        },
        "picture": picture((8 * side, 8 * side), lossless=True),
    }
    return Trace(**(fields | changes))


def reading(tokens: int = 4) -> Reading:
    numbers = np.random.default_rng(1)
    return Reading(
        encoder="text_encoder_2",
        tokens=make().tokens[:4],
        truncated="",
        embeddings=numbers.standard_normal((tokens, 8)).astype(np.float16),
        pooled_embedding=np.zeros(0, np.float32),
    )


def attention(side: int = 2, tokens: int = 4, name: str = "2x2") -> dict[str, Any]:
    return {name: np.full((3, tokens, side, side), 0.25, np.float16)}


def test_attention_and_further_encoders_come_back(tmp_path: Path) -> None:
    before = make(attention=attention(), readings=(reading(),))
    before.save(tmp_path / "a.trace")
    after = Trace.load(tmp_path / "a.trace")
    np.testing.assert_array_equal(after.attention["2x2"], before.attention["2x2"])
    assert not after.attention["2x2"].flags.writeable
    assert after.readings[0].encoder == "text_encoder_2"
    assert after.readings[0].tokens == before.readings[0].tokens
    np.testing.assert_array_equal(after.readings[0].embeddings, before.readings[0].embeddings)


def test_settings_come_back(tmp_path: Path) -> None:
    asked = {"settings": {"eta": 0.5, "negative_prompt": ""}, "missing": ("image",)}
    make(**asked).save(tmp_path / "a.trace")
    after = Trace.load(tmp_path / "a.trace")
    assert {name: getattr(after, name) for name in asked} == asked
    assert asked.items() <= after.parameters.items()


def test_a_file_of_the_first_version_still_loads(tmp_path: Path) -> None:
    def change(_tensors: dict[str, Any], metadata: dict[str, str]) -> None:
        fields = json.loads(metadata["trace"])
        for name in ("readings", "weights", "settings", "missing"):
            del fields[name]
        metadata |= {"version": "1.0", "trace": json.dumps(fields)}

    trace = Trace.load(rewritten(saved(tmp_path), change))
    assert (trace.attention, trace.readings) == ({}, ())
    assert (trace.weights, trace.settings, trace.missing) == ({}, {}, ())


@pytest.mark.parametrize(
    "maps", [attention(side=3), attention(tokens=9), {"2x2": np.zeros((2, 4, 2, 2), np.float16)}]
)
def test_attention_that_does_not_fit_is_refused(maps: dict[str, Any]) -> None:
    with pytest.raises(TraceError, match="attention 2x2 has shape"):
        make(attention=maps)


def test_a_reading_that_does_not_fit_is_refused() -> None:
    with pytest.raises(TraceError, match="4 tokens, but 5 embeddings of text_encoder_2"):
        reading(tokens=5)


def saved(folder: Path, **changes: Any) -> Path:
    path = folder / "fox.trace"
    make(**changes).save(path)
    return path


def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, str]], None]) -> Path:
    """The same file with its tensors and metadata changed, well-formed as before."""
    tensors = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    change(tensors, metadata)
    safetensors.numpy.save_file(tensors, path, metadata)
    return path


@pytest.mark.parametrize("guided", [True, False])
def test_a_trace_comes_back_whole(tmp_path: Path, guided: bool) -> None:
    changes = {} if guided else {"noise_uncond": None, "noise_cond": None}
    before = make(**changes)
    before.save(tmp_path / "new" / "fox.trace")
    after = Trace.load(tmp_path / "new" / "fox.trace")
    for field in dataclasses.fields(Trace):
        one, other = getattr(before, field.name), getattr(after, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other, field.name
    assert after.image().size == (32, 32)
    assert after.calls == 3
    assert after.prediction_type == "epsilon"


def test_arrays_cannot_be_changed() -> None:
    trace = make()
    with pytest.raises(ValueError, match="read-only"):
        trace.latents[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        trace.seed = 8  # type: ignore[misc]


def test_parameters_name_the_run() -> None:
    assert make().parameters == {
        "fingerprint": "0123456789abcdef",
        "prompt": "a fox",
        "negative_prompt": "",
        "seed": 7,
        "steps": 3,
        "guidance_scale": 5.0,
        "scheduler": "DPMSolverMultistepScheduler",
        "width": 32,
        "height": 32,
        "weights": {},
        "settings": {},
        "missing": (),
    }


def test_a_run_of_25_steps_stays_under_2_megabytes(tmp_path: Path) -> None:
    path = saved(tmp_path, steps=25, side=16, width=256)
    assert path.stat().st_size < 2 * 2**20


def test_reading_a_trace_costs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, explainer; trace = explainer.Trace.load(sys.argv[1]); trace.image(); "
        "explainer.compare(trace, trace); print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(saved(tmp_path))]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"


def test_saving_over_a_file_leaves_one_or_the_other(tmp_path: Path) -> None:
    path = saved(tmp_path)
    make(prompt="a bear").save(path)
    assert Trace.load(path).prompt == "a bear"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs POSIX limits")
    path = saved(tmp_path)
    old_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, old_limit[1]))
    try:
        with pytest.raises(TraceError, match=r"no room for 0\.0 MB. Free some space"):
            make(prompt="a bear").save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
    assert Trace.load(path).prompt == "a fox"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_could_not_be_loaded_again_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(trace_module, "MAX_FILE_BYTES", 1000)
    with pytest.raises(TraceError, match="Record fewer steps, or without attention"):
        make(prompt="a bear").save(path)
    assert path.read_bytes() == before


def test_a_picture_that_would_fill_the_memory_is_neither_loaded_nor_saved(tmp_path: Path) -> None:
    side = 4100  # a single colour: a few kilobytes
    flat = io.BytesIO()
    Image.new("RGB", (side, side)).save(flat, "WEBP", lossless=True, method=0)
    bomb = dataclasses.replace(make(), width=side, height=side, picture=flat.getvalue())
    (tmp_path / "bomb.trace").write_bytes(bomb.to_bytes())
    with pytest.raises(TraceError, match=r"bomb.trace: its picture has 4100 × 4100 pixels"):
        Trace.load(tmp_path / "bomb.trace")
    with pytest.raises(TraceError, match="at most 16 million"):
        bomb.save(tmp_path / "saved.trace")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TraceError, match=r"cannot be written .* Choose another folder"):
        make().save(tmp_path / "file" / "fox.trace")


def test_a_newer_minor_version_loads(tmp_path: Path) -> None:
    def renew(tensors: dict[str, Any], metadata: dict[str, str]) -> None:
        metadata["version"] = "1.9"
        metadata["trace"] = json.dumps(json.loads(metadata["trace"]) | {"mood": "merry"})
        tensors["attention"] = np.zeros(3, np.float32)

    assert Trace.load(rewritten(saved(tmp_path), renew)).prompt == "a fox"


@pytest.mark.parametrize("version", ["2.0", "0.9", "", "x"])
def test_another_major_version_is_refused(tmp_path: Path, version: str) -> None:
    path = rewritten(saved(tmp_path), lambda _, metadata: metadata.update(version=version))
    with pytest.raises(TraceError, match=r"format version .* reads 1.3"):
        Trace.load(path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    safetensors.numpy.save_file({"x": np.zeros(3)}, path)
    with pytest.raises(TraceError, match="no trace"):
        Trace.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"fox\.trace: there is no such file"):
        Trace.load(tmp_path / "fox.trace")
    with pytest.raises(TraceError, match="cannot be read"):
        Trace.load(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 8, 100, 5000, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(TraceError, match="only a part of one"):
        Trace.load(path)


@pytest.mark.parametrize("claimed", [2**20 + 1, 2**40, 2**64 - 1])
def test_a_header_that_claims_terabytes_is_refused_unread(tmp_path: Path, claimed: int) -> None:
    path = tmp_path / "hostile.trace"
    path.write_bytes(struct.pack("<Q", claimed) + b"{" * 2**21)
    with pytest.raises(TraceError, match=f"claims {claimed} bytes"):
        Trace.load(path)


def test_a_tensor_that_claims_terabytes_is_refused(tmp_path: Path) -> None:
    header = json.dumps(
        {"latents": {"dtype": "F32", "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}}
    ).encode()
    path = tmp_path / "hostile.trace"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(TraceError, match="only a part of one"):
        Trace.load(path)


def test_a_file_beyond_the_limit_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.trace"
    with path.open("wb") as file:
        file.truncate(trace_module.MAX_FILE_BYTES + 1)  # sparse: takes no room
    with pytest.raises(TraceError, match="traces have at most 512 MB"):
        Trace.load(path)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("x0", np.zeros((3, 8, 4, 5), np.float16), "does not fit the other arrays"),
        ("latents", np.zeros((3, 8, 4, 4), np.float32), "does not fit the other arrays"),
        ("timesteps", np.zeros(4, np.float32), "does not fit the other arrays"),
        ("noise", np.zeros((3, 8, 16), np.float16), r"not \(n, C, h, w\)"),
        ("hidden_states", np.zeros((3, 5, 32), np.float16), "4 tokens, but hidden states of 5"),
        ("signal", np.zeros(3, np.int64), "floating-point numbers"),
        ("picture", np.zeros(9, np.uint8), "no WebP picture"),
        ("frames.x0", np.zeros(9, np.uint8), "do not add up"),
        ("reading.0.embeddings", np.zeros((4, 8), np.int64), "floating-point numbers"),
        ("reading.0.pooled_embedding", np.zeros(0, np.int64), "floating-point numbers"),
        ("reading.0.embeddings", np.zeros((4, 8, 1), np.float16), "text_encoder_2 has shape"),
        ("reading.0.pooled_embedding", np.zeros((1, 8), np.float32), "text_encoder_2 has shape"),
        ("attention.2x2", np.zeros((3, 4, 2, 2), np.int64), "attention 2x2 must be"),
        ("self_attention.2x2", np.zeros((3, 4, 2, 2), np.int64), "self_attention 2x2 must be"),
        ("activation.mid_block", np.zeros((3, 5, 2, 2), np.int64), "activation mid_block must be"),
    ],
)
def test_tensors_that_contradict_each_other(
    tmp_path: Path, name: str, array: Any, message: str
) -> None:
    whole = saved(
        tmp_path, readings=(reading(),), activations={"mid_block": np.zeros((3, 4), np.float16)}
    )
    path = rewritten(whole, lambda tensors, _: tensors.update({name: array}))
    with pytest.raises(TraceError, match=message):
        Trace.load(path)


def test_a_file_without_a_step_is_refused(tmp_path: Path) -> None:
    by_step = ("timesteps", "sigmas", "signal", "noise_uncond", "noise_cond", "noise", "x0")

    def empty(tensors: dict[str, Any], _: dict[str, str]) -> None:
        for name in by_step:
            tensors[name] = tensors[name][:0]
        tensors["latents"] = tensors["latents"][:1]

    with pytest.raises(TraceError, match="not a single step"):
        Trace.load(rewritten(saved(tmp_path, frames={}), empty))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", 3),
        ("seed", "seven"),
        ("scheduler_config", []),
        ("width", 10**9),
        ("complete", "yes"),
        ("tokens", [[1, "fox", None, 3, 1, "word"]]),
        ("tokens", [[1, "fox", None, 0, 3, "verb"]]),
        ("tokens", [["fox"]]),
        ("tokens", 5),
        ("frame_bytes", {"x0": [-1, 5]}),
        ("frame_bytes", {"x1": [1]}),
        ("frame_bytes", {"x0": None}),
        ("frame_bytes", []),
        ("weights", []),
        ("settings", []),
        ("missing", "image"),
        ("missing", [1]),
    ],
)
def test_fields_that_cannot_be_true(tmp_path: Path, field: str, value: object) -> None:
    def change(_: dict[str, Any], metadata: dict[str, str]) -> None:
        metadata["trace"] = json.dumps(json.loads(metadata["trace"]) | {field: value})

    path = rewritten(saved(tmp_path), change)
    with pytest.raises(TraceError, match=r"fox\.trace"):
        Trace.load(path)


@pytest.mark.parametrize("text", ["[]", "{}", "not JSON", '{"prompt": "a fox"}', "[" * 100_000])
def test_a_header_that_is_no_header(tmp_path: Path, text: str) -> None:
    path = rewritten(saved(tmp_path), lambda _, metadata: metadata.update(trace=text))
    with pytest.raises(TraceError, match="contradicts its own format"):
        Trace.load(path)


def test_pictures_must_be_pictures_of_this_run() -> None:
    with pytest.raises(TraceError, match="no WebP picture"):
        make(picture=b"GIF89a")
    with pytest.raises(TraceError, match="not 32 x 32 pixels"):
        make(picture=picture((16, 32)))
    with pytest.raises(TraceError, match="larger than the picture"):
        make(frames={"x0": (picture((64, 64)),) * 3})
    with pytest.raises(TraceError, match="2 frames 'x0' for 3 steps"):
        make(frames={"x0": (picture((32, 32)),) * 2})
