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

from explainer import measuring, models
from explainer.measuring import MeasureError
from explainer.models import ModelError
from tests import tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("ignore:.*torchvision")


def values_of(pipe: Any) -> int:
    networks = (one for one in pipe.components.values() if hasattr(one, "parameters"))
    kept = (one for network in networks for one in network.state_dict().values())
    # What one network holds under two names is stored once.
    return sum({one.data_ptr(): one.numel() for one in kept if one.is_floating_point()}.values())


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_heads_of_the_files_tell_what_is_loaded(family: str, tmp_path: Path) -> None:
    pipe = tiny.FAMILIES[family]()
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
