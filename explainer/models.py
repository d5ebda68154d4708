"""Loading a text-to-image pipeline: the embedded model, one from the hub, or a local folder.

What `model_index.json` names is checked before anything of it is loaded: only known pipeline
classes, only components of diffusers and transformers, only safetensors, never code that came
along with a model.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from explainer import fingerprints, measuring, memory
from explainer.capture.families import TEXT_TO_IMAGE
from explainer.capture.timesteps import exact
from explainer.limits import EMBEDDED, Limits
from explainer.parameters import RunParameters

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

__all__ = [
    "ModelError",
    "embedded_fingerprint",
    "embedded_folder",
    "embedded_run_fingerprint",
    "fingerprint",
    "is_folder",
    "load",
    "measure",
    "picture_size",
    "run_fingerprint",
    "usual_settings",
]

PIPELINES = tuple(TEXT_TO_IMAGE)
LIBRARIES = ("diffusers", "transformers")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")

_INDEX = "model_index.json"
# What `explainer train` writes beside it.
_TRAINING = "training.json"
# Recorded by name but never loaded: it judges finished pictures and has no part in drawing them.
_UNUSED = ("safety_checker",)
_PICKLES = ("*.bin", "*.ckpt", "*.pt", "*.pth")


class ModelError(ValueError):
    """A model that cannot or must not be loaded; the message says why and what to do."""


def load(
    source: str | os.PathLike[str] | None = None,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    offload: bool = False,
    check_memory: bool = True,
) -> DiffusionPipeline:
    """Loads a diffusers text-to-image pipeline, ready to draw.

    What it takes is measured first, by the heads of its files, and compared with what is free.

    Args:
        source: None for the embedded storybook model; a hub id such as
            "stable-diffusion-v1-5/stable-diffusion-v1-5"; or a folder in diffusers' layout.
        device: Where to put it; by default CUDA, else MPS, else the CPU.
        dtype: Of the weights; by default float32 on the CPU, bfloat16 for Stable Diffusion 3 and
            Flux on CUDA, float16 otherwise.
        offload: Whether the networks wait in the processor's memory and visit the GPU in turn;
            needs the package accelerate.
        check_memory: False to try even if it seems too big, where swapping does not matter.

    Raises:
        ModelError: There is no such model, it cannot be reached, is too big for the memory that is
            free, or of a kind that is not loaded, such as pickled weights or a pipeline with code
            of its own; or this server's limits do not have it.
    """
    _refuse_beyond_limits(source)
    folder = embedded_folder() if source is None else _local_folder(source)
    revision = None
    if folder is None:
        index = _fetch_index(str(source))
        # The snapshot's folder is named after the commit: what was checked is what is loaded.
        revision = index.parent.name
    else:
        index = folder / _INDEX
    name = str(folder or source)
    components = _checked_index(name, index)
    if folder is not None:
        _refuse_pickles(name, folder, components)
    device = device or _best_device()
    options: dict[str, Any] = {"dtype": dtype or _best_dtype(device, components["_class_name"])}
    if revision is not None:
        options["revision"] = revision
    needs = None if source is None else _needs_of(index.parent, folder, str(source), revision)
    if needs is not None:
        options["variant"] = needs.variant
        if check_memory:
            _refuse_too_big(needs, device, options["dtype"], offload=offload)
    pipe = _placed(_from_pretrained(name, components, options), device, offload=offload)
    exact(pipe.scheduler)
    pipe.set_progress_bar_config(disable=True)
    pipe.register_to_config(_name_or_path=EMBEDDED if source is None else name)
    return pipe


def measure(source: str | os.PathLike[str]) -> measuring.Needs:
    """Tells what a model takes, before anything of it is loaded.

    Of a hub id the hub is asked for metadata, some tens of kilobytes, and no weights are fetched.

    Args:
        source: A hub id or a folder.

    Raises:
        ModelError: There is no such model, it cannot be reached, or it is none that is loaded.
    """
    _refuse_beyond_limits(source)
    folder = _local_folder(source)
    try:
        needs = measuring.of_hub(str(source)) if folder is None else measuring.of_folder(folder)
    except measuring.MeasureError as error:
        if folder is not None:
            _refuse_pickles(str(folder), folder, _checked_index(str(folder), folder / _INDEX))
        raise ModelError(str(error)) from error
    if needs.pipeline not in PIPELINES:
        raise _not_loaded(needs.model, needs.pipeline)
    return needs


def _refuse_beyond_limits(source: str | os.PathLike[str] | None) -> None:
    limits = Limits.from_environment()
    if not limits.allows_model(source):
        allowed = ", ".join((EMBEDDED, *(limits.models or ())))
        raise ModelError(
            f"This server does not load {os.fspath(source or '')!r}. It has: {allowed}. To use "
            "others, run the pages on your own computer: make run"
        )


def is_folder(source: str) -> bool:
    """Tells whether a folder is meant, rather than a hub id.

    Raises:
        ModelError: It is neither, or this server's limits do not have it: whether there is such a
            path is then not looked at.
    """
    _refuse_beyond_limits(source)
    return _local_folder(source) is not None


def usual_settings(pipe: Any) -> tuple[int, float]:
    """Returns the steps and the guidance scale that a pipeline was made for.

    A storybook model, embedded or trained anew, has the defaults of `RunParameters`. Distilled
    models, which need few steps and no guidance, are known by their config or their own name,
    whatever the folders above it are called; otherwise it is the pipeline's own default, of at most
    30 steps.
    """
    name = str(pipe.config.get("_name_or_path") or "")
    if name == EMBEDDED or (Path(name) / _TRAINING).is_file():
        usual = RunParameters(prompt="-")
        return usual.steps, usual.guidance_scale
    given = inspect.signature(type(pipe).__call__).parameters
    steps = min(30, int(given["num_inference_steps"].default))
    guidance = float(given["guidance_scale"].default)
    if type(pipe).__name__.startswith("LatentConsistency"):
        return steps, guidance  # its guidance is told to the denoiser, not computed
    denoiser = getattr(pipe, "transformer", None) or pipe.unet
    own_name = PurePath(name).name.lower()
    distilled = denoiser.config.get("guidance_embeds") is False or any(
        word in own_name for word in ("turbo", "schnell", "lightning", "hyper")
    )
    return (4, 0.0) if distilled else (steps, guidance)


def picture_size(pipe: Any) -> tuple[int, int]:
    """Returns height and width, in pixels, of the pictures that a pipeline draws of itself."""
    denoiser = getattr(pipe, "transformer", None) or pipe.unet
    side = getattr(pipe, "default_sample_size", None) or denoiser.config.sample_size
    height, width = (side, side) if isinstance(side, int) else side
    return height * pipe.vae_scale_factor, width * pipe.vae_scale_factor


def _needs_of(
    there: Path, folder: Path | None, source: str, revision: str | None
) -> measuring.Needs | None:
    """What a model takes; None where that cannot be found out: the loader will say why."""
    for ask in (
        lambda: measuring.of_folder(there),
        lambda: measuring.of_hub(source, revision) if folder is None else None,
    ):
        with suppress(measuring.MeasureError):
            return ask()
    return None


def _refuse_too_big(
    needs: measuring.Needs, device: str | torch.device, dtype: torch.dtype, *, offload: bool
) -> None:
    import torch

    kind, precision = torch.device(device).type, str(dtype).removeprefix("torch.")
    here = memory.machine()
    wanted = memory.way(needs, here, kind, precision, offload=offload)
    if wanted.fits or kind not in {"cpu", "cuda", "mps"}:
        return
    better = next((way for way in memory.ways(needs, here) if way.fits), None)
    advice = (
        "Record it on a machine with more memory and carry the trace here, or take a smaller model."
        if better is None
        else f"Load it with device={better.device!r}, dtype=torch.{better.dtype}"
        f"{', offload=True' if better.offload else ''}, which fits."
    )
    raise ModelError(
        f"{needs.model} is too big to run {wanted.words}: it takes {wanted.asks(here)}. {advice}"
    )


def _placed(pipe: Any, device: str | torch.device, *, offload: bool) -> Any:
    if not offload:
        return pipe.to(device)
    try:
        pipe.enable_model_cpu_offload(device=device)
    except ImportError as error:
        raise ModelError(
            "Parts of a model take turns on a GPU by the package accelerate, which is not "
            "installed: pip install accelerate"
        ) from error
    return pipe


def fingerprint(pipe: DiffusionPipeline) -> str:
    """Names a pipeline's weights, its adapters and FreeU: 16 hexadecimal digits.

    The same on any device, and in float32 and float16; bfloat16 leaves other values.
    """
    return fingerprints.of_pipeline(pipe)


def run_fingerprint(pipe: Any) -> str:
    """Names what draws a pipeline's runs: its weights, its scheduler and how that is configured."""
    scheduler = pipe.scheduler
    return fingerprints.with_scheduler(
        fingerprint(pipe), type(scheduler).__name__, scheduler.config
    )


@cache
def embedded_fingerprint() -> str | None:
    """The embedded model's fingerprint, found without torch; None where its weights are missing."""
    try:
        return fingerprints.of_folder(embedded_folder())
    except ModelError:
        return None


@cache
def embedded_run_fingerprint() -> str | None:
    """The embedded model's `run_fingerprint`, found without torch; None without its weights."""
    weights = embedded_fingerprint()
    if weights is None:
        return None
    path = embedded_folder() / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text("utf-8"))
    return fingerprints.with_scheduler(weights, config["_class_name"], config)


def embedded_folder() -> Path:
    """The folder of the embedded model, in diffusers' layout.

    Raises:
        ModelError: its weights are missing.
    """
    folder = Path(str(resources.files("storybook"))) / "weights"
    if not (folder / _INDEX).is_file():
        raise ModelError(
            "The embedded model's weights are missing from this installation. Install the package "
            "again, or train them with `explainer train`."
        )
    return folder


def _local_folder(source: str | os.PathLike[str]) -> Path | None:
    """The folder that is meant, or None if it is a hub id."""
    folder = Path(os.path.expanduser(source))  # noqa: PTH111 - Path's own fails on ~nobody
    if folder.is_dir():
        if not (folder / _INDEX).is_file():
            raise ModelError(
                f"{folder} holds no {_INDEX}. Choose the top folder of a model in diffusers' "
                "layout, as `save_pretrained` writes it."
            )
        return folder
    if folder.is_file():
        raise ModelError(
            f"{folder} is a single file, and a model in diffusers' layout is a folder. Convert it "
            "where you trust it: StableDiffusionPipeline.from_single_file(file)"
            ".save_pretrained(folder); for SDXL take StableDiffusionXLPipeline."
        )
    if isinstance(source, str) and HUB_ID.fullmatch(source) and source[0] not in ".~":
        return None
    raise ModelError(
        f"The folder {folder} does not exist. Check the path, or give a hub id such as "
        "'stable-diffusion-v1-5/stable-diffusion-v1-5'."
    )


def _fetch_index(hub_id: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(hf_hub_download(hub_id, _INDEX))
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"The hub has no model {hub_id}, or it is private. Check the spelling; for a private "
            "or gated model run `hf auth login` first."
        ) from error
    except (OSError, EntryNotFoundError) as error:
        raise _unreachable(hub_id, error) from error


def _unreachable(hub_id: str, error: Exception) -> ModelError:
    from huggingface_hub.errors import LocalEntryNotFoundError

    if isinstance(error, LocalEntryNotFoundError) or not hasattr(error, "response"):
        reason = "cannot be fetched: the hub cannot be reached, and no copy is on this machine"
        return ModelError(
            f"{hub_id} {reason}. Check the connection, give a local folder, or call load() for the "
            "embedded model, which needs none."
        )
    return ModelError(f"{hub_id} is no diffusers model: it holds no {_INDEX}. Choose another.")


def _checked_index(name: str, path: Path) -> dict[str, Any]:
    """Reads model_index.json; refuses whatever is not on our lists."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        pipeline = index["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{name}: {_INDEX} is damaged ({error}). Download it again.") from error
    if pipeline not in PIPELINES:
        raise _not_loaded(name, pipeline)
    for component, described in index.items():
        if isinstance(described, list) and component not in _UNUSED:
            _check_component(name, component, described)
    return dict(index)


def _not_loaded(name: str, pipeline: object) -> ModelError:
    return ModelError(
        f"{name} is a {pipeline!r}, which is not loaded. These are: {', '.join(PIPELINES)}."
    )


def _check_component(name: str, component: str, described: list[Any]) -> None:
    if described == [None, None]:
        return
    if len(described) != 2 or described[0] not in LIBRARIES:
        raise ModelError(
            f"{name}: its {component} is given as {described!r}. Only components of "
            f"{' and '.join(LIBRARIES)} are loaded; no code that comes with a model is run."
        )
    library, class_name = described
    cls = getattr(_library(library), str(class_name), None)
    if not (isinstance(cls, type) and hasattr(cls, "from_pretrained")):
        raise ModelError(
            f"{name}: its {component} is a {class_name!r}, which the installed {library} does not "
            f"have. Update {library}, or choose another model."
        )


def _library(name: str) -> Any:
    if name == "diffusers":
        import diffusers

        return diffusers
    import transformers

    return transformers


def _refuse_pickles(name: str, folder: Path, components: dict[str, Any]) -> None:
    for component, described in components.items():
        if not isinstance(described, list) or component in _UNUSED:
            continue
        pickled = [path for kind in _PICKLES for path in (folder / component).glob(kind)]
        if pickled and not any((folder / component).glob("*.safetensors")):
            raise ModelError(
                f"{name}: the weights of its {component} are pickled ({pickled[0].name}), and "
                "pickles can run code. Convert them: load the model where you trust it and call "
                "`pipe.save_pretrained(folder, safe_serialization=True)`."
            )


def _from_pretrained(name: str, components: dict[str, Any], options: dict[str, Any]) -> Any:
    cls = getattr(_library("diffusers"), components["_class_name"])
    if "safety_checker" in components:
        options |= {"safety_checker": None, "requires_safety_checker": False}
    try:
        return cls.from_pretrained(name, use_safetensors=True, trust_remote_code=False, **options)
    except OSError as error:
        raise ModelError(
            f"{name} cannot be loaded as safetensors: {error} If files are missing, download or "
            "convert the model again."
        ) from error


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _best_dtype(device: str | torch.device, pipeline: str) -> torch.dtype:
    import torch

    kind = torch.device(device).type
    if kind == "cpu":
        return torch.float32
    name = memory.half(pipeline) if kind == "cuda" else "float16"
    return torch.bfloat16 if name == "bfloat16" else torch.float16
