"""What a model takes is told from the heads of its files, before anything of it is loaded."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from explainer import measuring, memory, models, runs
from explainer.capture import record
from explainer.measuring import MeasureError, Needs, Part
from explainer.memory import Machine
from explainer.models import ModelError
from explainer.parameters import RunParameters
from tests import tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

GB = 10**9
FAMILIES = {
    "sd": tiny.stable_diffusion,
    "sdxl": tiny.stable_diffusion_xl,
    "sd3": tiny.stable_diffusion_3,
    "flux": tiny.flux,
    "pixart": tiny.pixart,
}

pytestmark = pytest.mark.filterwarnings("ignore:.*torchvision")


def values_of(pipe: Any) -> int:
    networks = (one for one in pipe.components.values() if hasattr(one, "parameters"))
    kept = (one for network in networks for one in network.state_dict().values())
    # What one network holds under two names is stored once.
    return sum({one.data_ptr(): one.numel() for one in kept if one.is_floating_point()}.values())


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_folder(tmp_path_factory.mktemp("models") / "tiny-model")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "tiny-model"))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_heads_of_the_files_tell_what_is_loaded(family: str, tmp_path: Path) -> None:
    pipe = FAMILIES[family]()
    pipe.save_pretrained(tmp_path)
    needs = measuring.of_folder(tmp_path)
    assert needs.values == values_of(pipe)
    assert needs.pipeline == type(pipe).__name__
    stored = sum(path.stat().st_size for path in tmp_path.glob("*/*.safetensors"))
    assert sum(part.stored for part in needs.parts) == stored
    assert [part.values for part in needs.parts] == sorted(
        (part.values for part in needs.parts), reverse=True
    )
    assert needs.variant is None


def test_the_size_of_the_pictures_is_the_models_own(original: Path) -> None:
    needs = measuring.of_folder(original)
    assert needs.size == (16, 16)
    assert needs.widest == 16  # of (8, 16) the one that still has its channels at full size
    assert needs.working("float32") == 6 * 16 * 16 * 16 * 4


def test_shards_add_up(folder: Path) -> None:
    whole = measuring.of_folder(folder).values
    tiny.stable_diffusion().unet.save_pretrained(folder / "unet", max_shard_size="20KB")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert len(list((folder / "unet").glob("*-of-*.safetensors"))) > 1
    assert measuring.of_folder(folder).values == whole


def test_a_second_precision_beside_the_first_is_not_counted(folder: Path) -> None:
    whole = measuring.of_folder(folder)
    for part, stem in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        shutil.copy(
            folder / part / f"{stem}.safetensors", folder / part / f"{stem}.fp16.safetensors"
        )
    assert measuring.of_folder(folder) == whole


def test_a_model_of_variants_alone_is_measured_and_loaded(folder: Path) -> None:
    whole = measuring.of_folder(folder)
    for path in folder.glob("*/*.safetensors"):
        path.rename(path.with_suffix(".fp16.safetensors"))
    needs = measuring.of_folder(folder)
    assert (needs.values, needs.variant) == (whole.values, "fp16")
    assert type(models.load(folder, device="cpu")).__name__ == "StableDiffusionPipeline"


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink(),
        lambda folder: (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"x"),
        lambda folder: (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(
            (2**60).to_bytes(8, "little") + b"{}"
        ),
        lambda folder: (folder / "model_index.json").write_text("{"),
        lambda folder: shutil.rmtree(folder / "vae"),
    ],
    ids=["no weights", "a part of a file", "absurd header", "damaged index", "no autoencoder"],
)
def test_what_cannot_be_measured_is_named(folder: Path, damage: Any) -> None:
    damage(folder)
    with pytest.raises(MeasureError, match="cannot be measured"):
        measuring.of_folder(folder)


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


def test_a_container_leaves_less_than_the_machine_has(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("12:pids:/x\n0::/outer/inner\n")
    for name, most, used in (("outer", "5000", 3000), ("outer/inner", "max", 10)):
        group = tmp_path / "groups" / name
        group.mkdir(parents=True)
        (group / "memory.max").write_text(f"{most}\n")
        (group / "memory.current").write_text(f"{used}\n")
        (group / "memory.stat").write_text("anon 2500\ninactive_file 400\n")
    assert min(memory._limits(tmp_path / "groups", own)) == 5000 - 3000 + 400
    assert min(memory._limits(tmp_path / "groups", tmp_path / "none")) == 2**63


class Hub(BaseHTTPRequestHandler):
    """The hub's own ways to answer, for one model in a folder; counts the bytes it gives away."""

    folder: Path
    given = 0
    gated = False

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, *, body: bool = True) -> None:
        path = self.path.partition("?")[0]
        if path == "/api/models/someone/tiny":
            files = [p for p in sorted(self.folder.rglob("*")) if p.is_file()]
            siblings = [
                {"rfilename": p.relative_to(self.folder).as_posix(), "size": p.stat().st_size}
                for p in files
            ]
            about = {"id": "someone/tiny", "sha": "a" * 40, "siblings": siblings}
            about["cardData"] = {"license": "openrail++"}
            self.answer(json.dumps(about).encode(), body=body)
        elif found := re.fullmatch(r"/someone/tiny/resolve/\w+/(.+)", path):
            self.file(self.folder / found[1], body=body)
        else:
            self.send_error(404)

    def file(self, path: Path, *, body: bool) -> None:
        if type(self).gated:
            self.send_response(403)
            self.send_header("X-Error-Code", "GatedRepo")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if not path.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = path.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        part = data[int(wanted[1]) : int(wanted[2]) + 1] if wanted else data
        self.answer(part, body=body, status=206 if wanted else 200)

    def answer(self, data: bytes, *, body: bool, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.end_headers()
        if body:
            type(self).given += len(data)
            self.wfile.write(data)


@pytest.fixture
def hub(folder: Path) -> Iterator[tuple[type[Hub], str]]:
    class OurHub(Hub):
        pass

    OurHub.folder = folder
    with ThreadingHTTPServer(("localhost", 0), OurHub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield OurHub, f"http://localhost:{server.server_port}"
        server.shutdown()


def measured_by_hub(address: str, home: Path, hub_id: str = "someone/tiny") -> str:
    code = f"""
from explainer import models
try:
    needs = models.measure({hub_id!r})
    print(needs.values, needs.size, needs.download, needs.licence)
except models.ModelError as error:
    print(error)
"""
    surroundings = os.environ | {"HF_ENDPOINT": address, "HF_HOME": str(home)}
    surroundings |= {"HF_HUB_DISABLE_XET": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, check=False
    )
    assert not run.returncode, run.stderr
    return run.stdout.strip()


def test_a_model_on_the_hub_is_measured_without_its_weights(
    hub: tuple[type[Hub], str], folder: Path, tmp_path: Path
) -> None:
    heavy = folder / "unet" / "diffusion_pytorch_model.safetensors"
    heavy.write_bytes(heavy.read_bytes() + bytes(8_000_000))  # what must not travel
    served, address = hub
    stored = sum(path.stat().st_size for path in folder.glob("*/*.safetensors"))
    values = measuring.of_folder(folder).values
    said = measured_by_hub(address, tmp_path / "home")
    assert said == f"{values} (16, 16) {stored} openrail++"
    assert 0 < served.given < 2_000_000


def test_a_hub_that_refuses_is_answered_in_words(
    hub: tuple[type[Hub], str], folder: Path, tmp_path: Path
) -> None:
    served, address = hub
    assert "no model someone/else, or it is private" in measured_by_hub(
        address, tmp_path / "a", "someone/else"
    )
    (folder / "model_index.json").unlink()
    assert "no diffusers model" in measured_by_hub(address, tmp_path / "b")
    served.gated = True
    assert "behind a gate. Accept its licence" in measured_by_hub(address, tmp_path / "c")
    assert "cannot be reached" in measured_by_hub("http://localhost:9", tmp_path / "d")


def test_a_folder_of_another_kind_is_refused_by_name(folder: Path) -> None:
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace("StableDiffusionPipeline", "DiTPipeline"))
    with pytest.raises(ModelError, match="'DiTPipeline', which is not loaded"):
        models.measure(folder)
    with pytest.raises(ModelError, match=r"holds no model_index\.json"):
        models.measure(folder / "unet")


@pytest.mark.parametrize(
    ("family", "settings"),
    [("sd", (30, 7.5)), ("sdxl", (30, 5.0)), ("sd3", (28, 7.0)), ("pixart", (20, 4.5))],
)
def test_settings_are_the_pipelines_own(family: str, settings: tuple[int, float]) -> None:
    pipe = FAMILIES[family]()
    assert models.usual_settings(pipe) == settings
    pipe.register_to_config(_name_or_path="someone/Fast-Turbo")
    assert models.usual_settings(pipe) == (4, 0.0)


def test_the_embedded_models_settings_are_those_of_a_link_that_names_none() -> None:
    usual = RunParameters(prompt="a fox")
    pipe = tiny.stable_diffusion()
    pipe.register_to_config(_name_or_path="storybook")
    assert models.usual_settings(pipe) == (usual.steps, usual.guidance_scale)
    trace = record(pipe, "a fox", seed=0, previews=False)
    assert (trace.steps, trace.guidance_scale) == (usual.steps, usual.guidance_scale)


@pytest.mark.parametrize("family", FAMILIES)
def test_large_pictures_are_previewed_roughly(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = FAMILIES[family]()
    assert models.picture_size(pipe) == (16, 16)
    assert runs.for_views(pipe)["previews"] == {"x0": "full", "noisy": "linear"}
    monkeypatch.setattr(runs, "LARGE", 15)
    assert runs.for_views(pipe)["previews"] == {"x0": "linear", "noisy": "linear"}


def test_a_flux_without_guidance_inside_needs_few_steps() -> None:
    assert models.usual_settings(tiny.flux()) == (4, 0.0)


CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_attention_heads": 20}


def published_networks() -> dict[str, Any]:
    """The big models' networks from their published configurations, without any weights."""
    import diffusers
    import torch
    import transformers

    from explainer.stages import cost

    sd, sdxl = (dict(one.unet or {}) for one in cost.PUBLISHED[:2])
    clip = transformers.CLIPTextConfig
    large = clip(num_hidden_layers=12, projection_dim=768, **CLIP_L)
    giant = clip(num_hidden_layers=32, projection_dim=1280, **CLIP_G)
    t5 = transformers.T5Config(
        d_model=4096, d_ff=10240, num_layers=24, num_heads=64, feed_forward_proj="gated-gelu"
    )
    blocks = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
    blocks |= {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
    }
    sd3 = {
        "sample_size": 128,
        "num_layers": 24,
        "num_attention_heads": 24,
        "caption_projection_dim": 1536,
        "pos_embed_max_size": 192,
    }
    plain = {"use_quant_conv": False, "use_post_quant_conv": False}
    with torch.device("meta"):
        vae = diffusers.AutoencoderKL(latent_channels=4, **blocks)
        vae_16 = diffusers.AutoencoderKL(latent_channels=16, **blocks, **plain)
        clip_l = transformers.CLIPTextModel(large)
        clip_g = transformers.CLIPTextModelWithProjection(giant)
        encoder = transformers.T5EncoderModel(t5)
        heads = {"attention_head_dim": (5, 10, 20), "addition_time_embed_dim": 256}
        return {
            "Stable Diffusion 1.5": {
                "unet": diffusers.UNet2DConditionModel(attention_head_dim=8, **sd),
                "text_encoder": clip_l,
                "vae": vae,
            },
            "Stable Diffusion XL": {
                "unet": diffusers.UNet2DConditionModel(use_linear_projection=True, **heads, **sdxl),
                "text_encoder": clip_l,
                "text_encoder_2": clip_g,
                "vae": vae,
            },
            "Stable Diffusion 3 medium": {
                "transformer": diffusers.SD3Transformer2DModel(**sd3),
                "text_encoder": transformers.CLIPTextModelWithProjection(large),
                "text_encoder_2": clip_g,
                "text_encoder_3": encoder,
                "vae": vae_16,
            },
            "Flux schnell": {
                "transformer": diffusers.FluxTransformer2DModel(),
                "text_encoder": clip_l,
                "text_encoder_2": encoder,
                "vae": vae_16,
            },
        }


def test_big_models_are_counted_from_their_published_configurations() -> None:
    networks = published_networks()
    for needs in measuring.PUBLISHED:
        counted = {
            name: sum({id(p): p.numel() for p in network.parameters()}.values())
            for name, network in networks[needs.model].items()
        }
        assert {part.name: part.values for part in needs.parts} == counted
        assert [part.values for part in needs.parts] == sorted(counted.values(), reverse=True)
