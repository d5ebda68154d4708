"""The model for the browser: its three parts as ONNX, and the numbers that the page needs of it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.site import reading
from explainer.site.notebook import SiteError

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

PARTS = ("text_encoder", "denoiser", "decoder")
FACTS = "model.json"
_SMALL = 64
"""Weights of so few numbers are kept as they are: halving them saves nothing."""
_SCHEDULERS = ("DDPMScheduler", "DDIMScheduler")
_SPLIT = ["Split", "ByteLevel"]
_NORMAL = ["NFC", "Replace", "Lowercase"]


def write(pipe: DiffusionPipeline, folder: Path) -> None:
    """Write a Stable Diffusion pipeline for the browser: `PARTS`, each .onnx, and `FACTS`.

    Weights that are whole in half precision are kept so, without any loss; the browser computes in
    single precision. Sizes and channels are those of the pipeline's config.

    Raises:
        SiteError: The pipeline does what the browser's part of the explainer cannot, or a package
            that writes ONNX is missing.
    """
    check_packages()
    _check(pipe)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (module, inputs, names, outputs) in _parts(pipe).items():
        onnx_model = _exported(module, inputs, names, outputs)
        _halve(onnx_model)
        (folder / f"{name}.onnx").write_bytes(onnx_model.SerializeToString())
    text = json.dumps(facts(pipe), separators=(",", ":"))
    (folder / FACTS).write_text(text, encoding="utf-8")


def check_packages() -> None:
    """Make sure that what writes ONNX is installed.

    Raises:
        SiteError: It is not.
    """
    # Looked for here, since torch names it only in an error that no reader understands.
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise SiteError(
            f"Drawing in the browser needs {missing[0]} for the export. Install it with: pip "
            "install 'storybook-explainer[export]', or export without: --no-live"
        )


def facts(pipe: Any) -> dict[str, Any]:
    """Return what the page needs besides the networks, as plain values for JSON.

    `latents` is the shape (C, h, w), `colours` the matrix (C + 1, 3) of `explainer.capture.linear`,
    `tokenizer` is as in `explainer.site.reading`.
    """
    from explainer.capture import linear
    from explainer.models import fingerprint

    scheduler = pipe.scheduler
    side = int(pipe.unet.config.sample_size)
    wanted = (
        "prediction_type",
        "timestep_spacing",
        "steps_offset",
        "clip_sample",
        "clip_sample_range",
    )
    return {
        "model": Path(pipe.config.get("_name_or_path") or "").name,
        "fingerprint": fingerprint(pipe),
        "latents": [int(pipe.unet.config.in_channels), side, side],
        "scale": int(pipe.vae_scale_factor),
        "scaling_factor": float(pipe.vae.config.scaling_factor),
        "shift_factor": float(pipe.vae.config.get("shift_factor") or 0.0),
        "start": float(scheduler.init_noise_sigma),
        "scheduler": {name: scheduler.config[name] for name in wanted}
        | {
            "name": type(scheduler).__name__,
            "alphas_cumprod": scheduler.alphas_cumprod.double().tolist(),
            # DDPM has none: its last step leads to no noise at all.
            "final_alpha_cumprod": float(getattr(scheduler, "final_alpha_cumprod", 1)),
        },
        "colours": linear.matrix(pipe).astype(float).round(6).tolist(),
        "tokenizer": reading.facts(
            json.loads(pipe.tokenizer.backend_tokenizer.to_str()),
            int(pipe.tokenizer.model_max_length),
            int(pipe.tokenizer.pad_token_id),
        ),
    }


def _check(pipe: Any) -> None:
    """Refuse what worker.js, scheduler.js or tokenizer.js does not do."""
    config, scheduler = pipe.scheduler.config, type(pipe.scheduler).__name__
    tokenizer = json.loads(pipe.tokenizer.backend_tokenizer.to_str())
    split = tokenizer["pre_tokenizer"].get("pretokenizers", ())
    normal = (tokenizer["normalizer"] or {}).get("normalizers", ())
    refused = {
        f"it is a {type(pipe).__name__}": type(pipe).__name__ != "StableDiffusionPipeline",
        f"it is drawn with {scheduler}": scheduler not in _SCHEDULERS,
        "its scheduler has thresholding": config.get("thresholding"),
        "its scheduler adds noise of another variance": config.get("variance_type", "fixed_small")
        != "fixed_small",
        "its tokenizer is not CLIP's": [one["type"] for one in split] != _SPLIT
        or [one["type"] for one in normal] != _NORMAL
        or tokenizer["model"]["type"] != "BPE"
        or tokenizer["post_processor"]["type"] != "RobertaProcessing",
        "its denoiser takes a guidance embedding": pipe.unet.config.time_cond_proj_dim,
    }
    found = [what for what, is_so in refused.items() if is_so]
    if found:
        raise SiteError(
            f"This model cannot be drawn with in a browser: {', '.join(found)}. Export without it: "
            "--no-live"
        )


def _parts(pipe: Any) -> dict[str, tuple[torch.nn.Module, tuple[Any, ...], list[str], list[str]]]:
    """Each part with inputs that show their shapes, and the names of inputs and outputs."""
    import torch

    from explainer.capture.previews import unscaled

    class TextEncoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = pipe.text_encoder

        def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            output = self.inner(ids.long())
            pooled = output.get("text_embeds", output.get("pooler_output"))
            return output.last_hidden_state, pooled

    class Denoiser(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = pipe.unet

        def forward(
            self, latents: torch.Tensor, timestep: torch.Tensor, states: torch.Tensor
        ) -> Any:
            return self.inner(latents, timestep, states, return_dict=False)[0]

    class Decoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = pipe.vae

        def forward(self, latents: torch.Tensor) -> Any:
            inputs = unscaled(self.inner.config, latents)
            return self.inner.decode(inputs, return_dict=False)[0]

    config = pipe.unet.config
    length = int(pipe.tokenizer.model_max_length)
    latents = torch.randn(1, config.in_channels, config.sample_size, config.sample_size)
    states = torch.randn(1, length, config.cross_attention_dim)
    ids = torch.full((1, length), int(pipe.tokenizer.eos_token_id), dtype=torch.int32)
    return {
        "text_encoder": (TextEncoder(), (ids,), ["ids"], ["states", "pooled"]),
        "denoiser": (
            Denoiser(),
            (latents, torch.tensor([1.0]), states),
            ["latents", "timestep", "states"],
            ["noise"],
        ),
        "decoder": (Decoder(), (latents,), ["latents"], ["pixels"]),
    }


def _exported(module: Any, inputs: tuple[Any, ...], names: list[str], outputs: list[str]) -> Any:
    import torch

    with _quietly(), torch.no_grad():
        program: Any = torch.onnx.export(
            module.eval(),
            inputs,
            dynamo=True,
            input_names=names,
            output_names=outputs,
            verbose=False,
        )
    model = program.model_proto
    for node in model.graph.node:  # where in our sources a node comes from: a tenth of the file
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    return model


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporter speaks of packages that are not there and of its own inner workings."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _halve(model: Any) -> None:
    """Keep weights in half precision where that loses nothing; a Cast makes them single again."""
    from onnx import TensorProto, helper, numpy_helper

    graph, casts = model.graph, []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halved = values.astype(np.float16)
        if values.size < _SMALL or not np.array_equal(halved.astype(np.float32), values):
            continue
        name = f"{tensor.name}.half"
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(halved, name))
        casts.append(helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
