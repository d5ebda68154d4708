"""What a model takes, told from the heads of its files before anything of it is loaded.

A safetensors file begins with a table of its tensors (https://huggingface.co/docs/safetensors).
That table is all that is read: kilobytes of a file of many gigabytes, on a disk or on the hub.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

__all__ = ["PUBLISHED", "MeasureError", "Needs", "Part", "of_folder", "of_hub"]

WIDEST_TENSORS = 6
"""How many of its widest tensors an autoencoder holds while it decodes. Measured with Stable
Diffusion's on a CPU: 5.4 at 256 pixels, 4.0 at 512."""
BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
"""Of one number, by the name of its torch dtype."""
_MOST_HEADER = 100 * 2**20  # safetensors' own limit
_FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
_STEM = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}
_WEIGHTLESS = ("Tokenizer", "TokenizerFast", "Scheduler", "ImageProcessor", "FeatureExtractor")


class MeasureError(ValueError):
    """A model's files cannot be measured; the message says why."""


class Part(NamedTuple):
    """One network of a model.

    Attributes:
        name: Its name in the pipeline, such as "unet".
        kind: Its class.
        values: How many numbers its weights are.
        stored: Bytes of its files.
        variant: Such as "fp16", where its files carry one in their names; "" if not.
    """

    name: str
    kind: str
    values: int
    stored: int
    variant: str = ""


@dataclass(frozen=True)
class Needs:
    """What a model takes.

    Attributes:
        model: Hub id or folder.
        pipeline: Its pipeline's class.
        parts: Its networks, the largest first.
        size: Height and width, in pixels, of the pictures that it draws of itself.
        widest: Channels of the autoencoder's widest tensor of that size.
        download: Bytes of its weights on the hub, fetched already or not; 0 for a folder.
        licence: What the hub says, such as "openrail++"; "" where it is not known.
        factor: Pixels of a picture's side for each of its latents'.
    """

    model: str
    pipeline: str
    parts: tuple[Part, ...]
    size: tuple[int, int]
    widest: int
    download: int = 0
    licence: str = ""
    factor: int = 8

    @property
    def values(self) -> int:
        """How many numbers all weights are."""
        return sum(part.values for part in self.parts)

    @property
    def variant(self) -> str | None:
        """The variant that has to be asked for to get at all files; None for none."""
        return next((part.variant for part in self.parts if part.variant), None)

    def weights(self, dtype: str) -> int:
        """Bytes of all weights in a precision."""
        return self.values * BYTES[dtype]

    def working(self, dtype: str) -> int:
        """Bytes that decoding one picture takes besides, about."""
        return WIDEST_TENSORS * self.widest * self.size[0] * self.size[1] * BYTES[dtype]


_CLIP_L = Part("text_encoder", "CLIPTextModel", 123_060_480, 0)
_CLIP_L_PROJECTED = Part("text_encoder", "CLIPTextModelWithProjection", 123_650_304, 0)
_CLIP_G = Part("text_encoder_2", "CLIPTextModelWithProjection", 694_659_840, 0)
_VAE = Part("vae", "AutoencoderKL", 83_653_863, 0)
_VAE_16 = Part("vae", "AutoencoderKL", 83_819_683, 0)


def _t5(name: str) -> Part:
    return Part(name, "T5EncoderModel", 4_762_310_656, 0)


PUBLISHED = (
    Needs(
        "Stable Diffusion 1.5",
        "StableDiffusionPipeline",
        (Part("unet", "UNet2DConditionModel", 859_520_964, 0), _CLIP_L, _VAE),
        (512, 512),
        256,
    ),
    Needs(
        "Stable Diffusion XL",
        "StableDiffusionXLPipeline",
        (Part("unet", "UNet2DConditionModel", 2_567_463_684, 0), _CLIP_G, _CLIP_L, _VAE),
        (1024, 1024),
        256,
    ),
    Needs(
        "Stable Diffusion 3 medium",
        "StableDiffusion3Pipeline",
        (
            _t5("text_encoder_3"),
            Part("transformer", "SD3Transformer2DModel", 2_028_328_000, 0),
            _CLIP_G,
            _CLIP_L_PROJECTED,
            _VAE_16,
        ),
        (1024, 1024),
        256,
    ),
    Needs(
        "Flux schnell",
        "FluxPipeline",
        (
            Part("transformer", "FluxTransformer2DModel", 11_891_178_560, 0),
            _t5("text_encoder_2"),
            _CLIP_L,
            _VAE_16,
        ),
        (1024, 1024),
        256,
    ),
)
"""Big models, their numbers counted from the configurations published with them."""


def of_folder(folder: Path) -> Needs:
    """Measures a model in a folder in diffusers' layout.

    Raises:
        MeasureError: Its files are missing or damaged.
    """
    try:
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
        files = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in folder.glob("*/*")
            if path.is_file()
        }
        return _measured(
            str(folder),
            index,
            files,
            header=lambda name: _header(folder / name),
            config=lambda name: json.loads((folder / name / "config.json").read_text("utf-8")),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeasureError(f"{folder}: its files cannot be measured ({error}).") from error


def of_hub(hub_id: str, revision: str | None = None) -> Needs:
    """Measures a model on the hub by its metadata; no weights are fetched.

    Raises:
        MeasureError: The hub does not know it, keeps it behind a gate, or cannot be reached.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    try:
        about = api.model_info(hub_id, revision=revision, files_metadata=True)
        files = {file.rfilename: file.size or 0 for file in about.siblings or ()}

        def read(name: str) -> Any:
            path = hf_hub_download(hub_id, name, revision=about.sha)
            return json.loads(Path(path).read_text("utf-8"))

        def header(name: str) -> Mapping[str, Any]:
            found = api.parse_safetensors_file_metadata(hub_id, name, revision=about.sha)
            return {
                tensor: {"dtype": one.dtype, "shape": one.shape}
                for tensor, one in found.tensors.items()
            }

        needs = _measured(
            hub_id,
            read("model_index.json"),
            files,
            header=header,
            config=lambda name: read(f"{name}/config.json"),
        )
    except HfHubHTTPError as error:
        raise MeasureError(_refused(hub_id, error)) from error
    except (OSError, _lost_connection()) as error:
        raise MeasureError(
            f"The hub cannot be reached ({type(error).__name__}). Check the connection, or give "
            "the folder of a model that lies on this machine."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise MeasureError(f"{hub_id}: its files cannot be measured ({error}).") from error
    card = about.card_data
    return Needs(
        **{**vars(needs), "licence": str((card and card.get("license")) or "")}
        | {"download": sum(part.stored for part in needs.parts)}
    )


def _lost_connection() -> type[Exception]:
    """What the hub's client raises, whichever library it speaks through."""
    from huggingface_hub import get_session

    library = import_module(type(get_session()).__module__.partition(".")[0])
    lost: type[Exception] = library.TransportError
    return lost


def _refused(hub_id: str, error: Any) -> str:
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError

    if isinstance(error, GatedRepoError):
        return (
            f"{hub_id} is kept behind a gate. Accept its licence on huggingface.co/{hub_id}, then "
            "run `hf auth login` here."
        )
    if isinstance(error, EntryNotFoundError):
        return f"{hub_id} is no diffusers model: it holds no model_index.json. Choose another."
    status = getattr(error.response, "status_code", 0)
    if status in {401, 404}:
        return f"The hub has no model {hub_id}, or it is private. Check the spelling."
    return f"The hub answered with an error ({status}). Try again later."


def _measured(
    model: str,
    index: Mapping[str, Any],
    files: Mapping[str, int],
    *,
    header: Callable[[str], Mapping[str, Any]],
    config: Callable[[str], Mapping[str, Any]],
) -> Needs:
    parts = []
    for name, described in index.items():
        if isinstance(described, list) and name != "safety_checker" and _has_weights(described):
            library, kind = described
            parts.append(_part(name, library, str(kind), files, header))
    parts.sort(key=lambda part: -part.values)
    names = {part.name for part in parts}
    denoiser = next((name for name in ("transformer", "unet") if name in names), None)
    vae = config("vae") if "vae" in names else {}
    channels = vae.get("block_out_channels") or [0]
    factor = 2 ** (len(channels) - 1)
    return Needs(
        model=model,
        pipeline=str(index["_class_name"]),
        parts=tuple(parts),
        size=_size(config(denoiser) if denoiser else {}, factor),
        # One level below the finest is doubled in size before its channels become fewer.
        widest=int(channels[min(1, len(channels) - 1)]),
        factor=factor,
    )


def _has_weights(described: list[Any]) -> bool:
    return (
        len(described) == 2
        and described[0] in _STEM
        and not str(described[1]).endswith(_WEIGHTLESS)
    )


def _size(config: Mapping[str, Any], factor: int) -> tuple[int, int]:
    side = config.get("sample_size")
    if side is None:  # Flux's config names none; its pipeline takes 128
        side = 128 if config else 0
    height, width = (side, side) if isinstance(side, int) else side
    return height * factor, width * factor


def _part(
    name: str,
    library: str,
    kind: str,
    files: Mapping[str, int],
    header: Callable[[str], Mapping[str, Any]],
) -> Part:
    own = [PurePosixPath(path) for path in files if PurePosixPath(path).parts[0] == name]
    chosen, variant = _chosen([path.name for path in own if len(path.parts) == 2], _STEM[library])
    if not chosen:
        raise MeasureError(f"there are no safetensors of its {name}")
    values = stored = 0
    for file in chosen:
        values += _values(header(f"{name}/{file}").values())
        stored += files[f"{name}/{file}"]
    return Part(name, kind, values, stored, variant)


def _chosen(names: Collection[str], stem: str) -> tuple[list[str], str]:
    """The files that diffusers loads: whole or in shards; a variant only where there is no other.

    Returns:
        Their names and the variant's.
    """
    pattern = re.compile(rf"{stem}(?:\.(\w+))?(?:-\d+-of-\d+)?(?:\.(\w+))?\.safetensors")
    by_variant: dict[str, list[str]] = {}
    for name in sorted(names):
        if found := pattern.fullmatch(name):
            by_variant.setdefault(found[1] or found[2] or "", []).append(name)
    for variant in ("", "fp16", *by_variant):
        if files := by_variant.get(variant):
            whole = [name for name in files if "-of-" not in name]
            return whole or files, variant
    return [], ""


def _values(tensors: Iterable[Mapping[str, Any]]) -> int:
    return sum(math.prod(one["shape"]) for one in tensors if one["dtype"] in _FLOATS)


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_MOST_HEADER, path.stat().st_size):
            raise MeasureError(f"{path.name} is no safetensors file, or only a part of one")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return dict(header)
