"""Models load from folders that can be trusted, and others are refused before they are opened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from explainer import fingerprints, models, runs
from explainer.capture import record
from explainer.models import ModelError, fingerprint, load
from explainer.parameters import RunParameters
from tests import tiny

if TYPE_CHECKING:
    from collections.abc import Callable

# transformers says how it would resize pictures without torchvision, which no one here asks for.
pytestmark = pytest.mark.filterwarnings("ignore:.*torchvision")


def edit_index(folder: Path, **changes: Any) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_becomes_a_pipeline_ready_to_draw(original: Path) -> None:
    pipe = load(original, device="cpu")
    assert type(pipe).__name__ == "StableDiffusionPipeline"
    assert pipe.unet.dtype == torch.float32
    assert pipe.unet.device.type == "cpu"
    trace = record(pipe, "a fox", seed=7, steps=2, previews=False)
    assert trace.model == "tiny-model"
    same = record(tiny.stable_diffusion(), "a fox", seed=7, steps=2, previews=False)
    assert trace.picture == same.picture


def test_the_caller_chooses_device_and_dtype(original: Path) -> None:
    assert load(str(original), device="cpu", dtype=torch.bfloat16).unet.dtype == torch.bfloat16


def test_half_precision_goes_where_it_is_fast() -> None:
    dtype = models._best_dtype
    assert dtype("cpu", "StableDiffusionPipeline") == torch.float32
    assert dtype("cuda:1", "StableDiffusionXLPipeline") == torch.float16
    assert dtype("cuda", "StableDiffusion3Pipeline") == torch.bfloat16
    assert dtype("mps", "StableDiffusionPipeline") == torch.float16


def test_the_safety_checker_is_left_out(folder: Path) -> None:
    edit_index(folder, safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    assert load(folder, device="cpu").safety_checker is None


@pytest.mark.parametrize("source", ["no/such/folder", "./nowhere", "nowhere", Path("a/b")])
def test_a_folder_that_does_not_exist(source: str | Path) -> None:
    with pytest.raises(ModelError, match=r"does not exist. Check the path"):
        load(source)


def test_a_folder_that_is_no_pipeline(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no model_index\.json"):
        load(tmp_path)


def bomb(folder: Path) -> Path:
    """Code that comes along with the model; returns the file that it would leave."""
    mark = folder / "exploded"
    for name in ("evil.py", "unet/evil.py", "pipeline.py"):
        (folder / name).write_text(f"open({str(mark)!r}, 'w')\nclass Evil: pass\n")
    return mark


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unet": ["evil", "Evil"]}, "unet is given as \\['evil'"),
        ({"unet": ["os", "system"]}, "unet is given as \\['os'"),
        ({"tokenizer": ["diffusers_modules.local.evil", "Evil"]}, "tokenizer is given as"),
        ({"unet": [["diffusers"], "UNet2DConditionModel"]}, "unet is given as"),
        ({"unet": ["diffusers"]}, "unet is given as"),
        ({"unet": []}, "unet is given as"),
        ({"unet": ["diffusers", "Evil"]}, "'Evil', which the installed diffusers does not have"),
        ({"unet": ["diffusers", "logging"]}, "does not have"),
        ({"tokenizer": ["transformers", 5]}, "does not have"),
        ({"_class_name": "DiffusionPipeline"}, "These are: StableDiffusionPipeline"),
        ({"_class_name": ["pipeline", "Evil"]}, "not loaded"),
        ({"_class_name": "StableDiffusionImg2ImgPipeline"}, "not loaded"),
    ],
)
def test_an_index_that_names_other_code(
    folder: Path, changes: dict[str, Any], message: str
) -> None:
    mark = bomb(folder)
    edit_index(folder, **changes)
    with pytest.raises(ModelError, match=message):
        load(folder)
    assert not mark.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}"])
def test_a_damaged_index(folder: Path, text: str) -> None:
    (folder / "model_index.json").write_text(text)
    with pytest.raises(ModelError, match="damaged"):
        load(folder)


def test_diffusers_is_asked_for_safetensors_and_for_no_code_of_the_models(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever an index says or a later version of diffusers takes for granted."""
    own, asked = diffusers.DiffusionPipeline.from_pretrained.__func__, []  # type: ignore[attr-defined]

    def from_pretrained(cls: type, name: str, **options: Any) -> Any:
        asked.append(options)
        return own(cls, name, **options)

    monkeypatch.setattr(
        diffusers.StableDiffusionPipeline, "from_pretrained", classmethod(from_pretrained)
    )
    load(folder, device="cpu")
    (options,) = asked
    assert options["use_safetensors"] is True
    assert options["trust_remote_code"] is False


def test_pickled_weights_are_refused_unopened(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"a pickle that must stay shut")
    with pytest.raises(ModelError, match=r"pickled .*Convert them"):
        load(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink(),
        lambda folder: (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"\0"),
        lambda folder: shutil.rmtree(folder / "text_encoder"),
        lambda folder: (folder / "unet" / "config.json").write_text("{"),
    ],
    ids=["no weights", "truncated weights", "no component", "damaged config"],
)
def test_files_that_are_missing_or_damaged(folder: Path, damage: Callable[[Path], object]) -> None:
    damage(folder)
    with pytest.raises(ModelError, match="tiny-model cannot be loaded"):
        load(folder, device="cpu")


def test_a_hub_that_cannot_be_reached(tmp_path: Path) -> None:
    code = "import explainer; explainer.load('someone/some-model')"
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=offline, capture_output=True, text=True, check=False
    )
    assert "ModelError: someone/some-model cannot be fetched" in run.stderr
    assert "give a local folder" in run.stderr


def test_what_the_hub_lacks_is_told_apart() -> None:
    import httpx
    from huggingface_hub.errors import RemoteEntryNotFoundError

    request = httpx.Request("GET", "https://hub.invalid")
    answer = httpx.Response(404, request=request)
    error = models._unreachable("a/b", RemoteEntryNotFoundError("none", response=answer))
    assert "no diffusers model" in str(error)


def test_the_fingerprint_follows_the_weights_alone(original: Path) -> None:
    pipe = tiny.stable_diffusion()
    name = fingerprint(pipe)
    assert len(name) == 16
    assert fingerprint(tiny.stable_diffusion()) == name
    assert fingerprint(tiny.stable_diffusion(seed=1)) != name
    assert fingerprint(load(original, device="cpu")) == name
    assert fingerprint(load(original, device="cpu", dtype=torch.float16)) == name
    assert fingerprints.of_folder(original) == name


def test_the_fingerprint_is_of_the_weights_that_draw(folder: Path) -> None:
    path = folder / "text_encoder" / "model.safetensors"
    weights = load_file(path) | {"text_projection.weight": torch.ones(32, 32)}
    save_file(weights, path, metadata={"format": "pt"})
    name = fingerprint(load(folder, device="cpu"))
    assert fingerprints.of_folder(folder) == name
    assert fingerprint(tiny.stable_diffusion()) == name


def test_the_fingerprint_sees_every_change() -> None:
    pipe = tiny.stable_diffusion()
    before = fingerprint(pipe)
    with torch.no_grad():
        next(pipe.vae.parameters()).view(-1)[0] += 1
    assert fingerprint(pipe) != before


class Adapted(torch.nn.Linear):
    """What the fingerprint looks at in a layer with adapters, under peft's names."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.scaling, self.active_adapters = {"crayon": 1.0, "ink": 1.0}, ["crayon"]
        self.merged_adapters: list[str] = []
        self.disable_adapters = False


def test_the_fingerprint_sees_what_makes_the_same_weights_draw_otherwise() -> None:
    pipe = tiny.stable_diffusion()
    plain = fingerprint(pipe)
    pipe.enable_freeu(0.9, 0.2, 1.2, 1.4)
    names = [plain, fingerprint(pipe)]
    pipe.disable_freeu()
    assert fingerprint(pipe) == plain
    pipe.unet.adapted = layer = Adapted()
    names.append(fingerprint(pipe))
    layer.scaling["ink"] = 0.5
    assert fingerprint(pipe) == names[-1]  # it does not act
    for change in (
        {"scaling": {"crayon": 0.1}},
        {"disable_adapters": True},
        {"active_adapters": []},
        {"merged_adapters": ["crayon"]},
    ):
        vars(layer).update(change)
        names.append(fingerprint(pipe))
    assert len(set(names)) == len(names)


class Quantised(torch.Tensor):
    """Like torchao's: it knows few operations, but can be turned back."""

    @staticmethod
    def __new__(cls, values: torch.Tensor) -> Self:
        return torch.Tensor._make_wrapper_subclass(cls, values.shape, dtype=values.dtype)

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values

    def dequantize(self) -> torch.Tensor:
        return self.values

    @classmethod
    def __torch_dispatch__(cls, func: Any, _types: Any, args: Any, kwargs: Any = None) -> Any:
        if func is torch.ops.aten.detach.default:
            return cls(args[0].values)
        return NotImplemented


def test_the_fingerprint_of_quantised_weights_is_of_what_they_stand_for() -> None:
    pipe = tiny.stable_diffusion()
    name = fingerprint(pipe)
    weight = pipe.unet.conv_out.weight
    with pytest.raises(TypeError, match="Multiple dispatch failed"):
        Quantised(weight.data).reshape(-1)
    pipe.unet.conv_out.weight = torch.nn.Parameter(Quantised(weight.data), requires_grad=False)
    assert fingerprint(pipe) == name
    pipe.unet.conv_out.weight = torch.nn.Parameter(Quantised(2 * weight.data), requires_grad=False)
    assert fingerprint(pipe) != name


def test_the_fingerprint_of_a_larger_model_is_spread_evenly(
    monkeypatch: pytest.MonkeyPatch, original: Path
) -> None:
    monkeypatch.setattr(fingerprints, "_MOST_VALUES", 2000)
    pipe = tiny.stable_diffusion()
    assert fingerprint(pipe) == fingerprints.of_folder(original)
    changed = tiny.stable_diffusion()
    with torch.no_grad():
        changed.unet.conv_out.weight *= 2
    assert fingerprint(changed) != fingerprint(pipe)


def test_the_fingerprint_is_found_within_the_blink_of_an_eye() -> None:
    from diffusers import UNet2DConditionModel

    pipe = tiny.stable_diffusion()
    pipe.unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(64, 128, 192),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
    )
    start = time.thread_time()
    first = fingerprint(pipe)
    middle = time.thread_time()
    assert fingerprint(pipe) == first
    assert middle - start < 0.5
    assert time.thread_time() - middle < 0.05


@pytest.mark.parametrize(
    ("family", "settings"),
    [("sd", (30, 7.5)), ("sdxl", (30, 5.0)), ("sd3", (28, 7.0)), ("pixart", (20, 4.5))],
)
def test_settings_are_the_pipelines_own(family: str, settings: tuple[int, float]) -> None:
    pipe = tiny.FAMILIES[family]()
    assert models.usual_settings(pipe) == settings
    pipe.register_to_config(_name_or_path="someone/Fast-Turbo")
    assert models.usual_settings(pipe) == (4, 0.0)
    pipe.register_to_config(_name_or_path="/home/hyperion/turbo/sd15")
    assert models.usual_settings(pipe) == settings


def test_the_embedded_models_settings_are_those_of_a_link_that_names_none() -> None:
    usual = RunParameters(prompt="a fox")
    pipe = tiny.stable_diffusion()
    pipe.register_to_config(_name_or_path="storybook")
    assert models.usual_settings(pipe) == (usual.steps, usual.guidance_scale)
    trace = record(pipe, "a fox", seed=0, previews=False)
    assert (trace.steps, trace.guidance_scale) == (usual.steps, usual.guidance_scale)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_large_pictures_are_previewed_roughly(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tiny.FAMILIES[family]()
    assert models.picture_size(pipe) == (16, 16)
    assert runs.for_views(pipe)["previews"] == {"x0": "full", "noisy": "linear"}
    monkeypatch.setattr(runs, "LARGE", 15)
    assert runs.for_views(pipe)["previews"] == {"x0": "linear", "noisy": "linear"}


def test_a_flux_without_guidance_inside_needs_few_steps() -> None:
    assert models.usual_settings(tiny.flux()) == (4, 0.0)
