"""Trace: everything that one run left behind, in numpy arrays and one safe file.

A trace is the only thing that passes between running a model and showing it. Reading one needs
numpy, safetensors and Pillow; torch is never imported here.

File format: one safetensors file. The arrays lie in it under their field's name; WebP pictures are
concatenated into byte tensors `picture` and `frames.<name>`; attention maps lie under
`attention.<name>` and `self_attention.<name>`, activations under `activation.<name>`, the texts of
further encoders under `reading.<number>.<name>`. The file's metadata hold `format`, `version`
("major.minor") and `trace`, a JSON object with all other fields. Readers refuse another major
version and ignore fields that a newer minor version has added.

1.1 added `attention` and `readings`, 1.2 `weights`, `self_attention` and `activations`, 1.3
`settings` and `missing`; older files hold none of them.
"""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import safetensors
import safetensors.numpy
from PIL import Image

from explainer.files import whole
from explainer.pictures import opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Reading", "Token", "Trace", "TraceError"]

FORMAT = "explainer-trace"
VERSION = "1.3"
MAX_FILE_BYTES = 512 * 2**20
MAX_HEADER_BYTES = 2**20
MAX_PIXELS = 4096 * 4096
"""Of the picture: opened, one of a single colour takes thousands of times the room of its file."""

TokenKind = Literal["word", "start", "end", "padding"]
_KINDS = get_args(TokenKind)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# A dimension of the same name has the same size in all arrays of a trace.
_SHAPES: dict[str, tuple[str, ...]] = {
    "hidden_states": ("layers + 1", "tokens", "width"),
    "pooled_embedding": ("pooled width",),
    "timesteps": ("n",),
    "sigmas": ("n",),
    "signal": ("n",),
    "latents": ("n + 1", "C", "h", "w"),
    "noise_uncond": ("n", "C", "h", "w"),
    "noise_cond": ("n", "C", "h", "w"),
    "noise": ("n", "C", "h", "w"),
    "x0": ("n", "C", "h", "w"),
}
_OPTIONAL = ("noise_uncond", "noise_cond")
_GROUPS = ("picture", "frames.", "attention.", "self_attention.", "activation.", "reading.")
_FLOATS = (np.float16, np.float32, np.float64)


class TraceError(ValueError):
    """A trace that cannot be read, written or trusted; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the prompt, as the text encoder read it.

    Attributes:
        id: Number in the tokenizer's vocabulary.
        text: The characters it stands for, or the name of a special token.
        word: The whole word that it is a piece of; None for a special token.
        start: Where its characters begin in the prompt.
        end: Where they end; equal to `start` for a special token.
        kind: A piece of a "word", the "start" or the "end" of the text, or "padding".
    """

    id: int
    text: str
    word: str | None
    start: int
    end: int
    kind: TokenKind


@dataclass(frozen=True, eq=False)
class Reading:
    """What one text encoder made of the prompt. Arrays are read-only.

    Attributes:
        encoder: Its name in the pipeline, such as "text_encoder_2".
        tokens: The prompt as it read it.
        truncated: The end of the prompt, which it never read; "" if it read all.
        embeddings: (tokens, width) float16. Output of its last layer.
        pooled_embedding: (pooled width,) float32. Its one vector for the whole prompt; of width 0
            where it has none, as T5.
    """

    encoder: str
    tokens: tuple[Token, ...]
    truncated: str
    embeddings: NDArray[np.float16]
    pooled_embedding: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, dimensions in (("embeddings", 2), ("pooled_embedding", 1)):
            array = getattr(self, name)
            _check_floats(name, array)
            if array.ndim != dimensions:
                raise TraceError(f"{name} of {self.encoder} has shape {array.shape}.")
            array.flags.writeable = False
        if len(self.tokens) != len(self.embeddings):
            raise TraceError(
                f"{len(self.tokens)} tokens, but {len(self.embeddings)} embeddings of "
                f"{self.encoder}."
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """Everything that one run left behind. Arrays are read-only.

    `n` is the number of denoiser calls: PNDM, Heun and KDPM2 need more of them than `steps`.

    Attributes:
        prompt: What was asked for; "" where the caller gave embeddings.
        negative_prompt: What guidance pushes away from; "" for none.
        seed: Seed of the starting noise; None where no seed names it.
        steps: Number of inference steps.
        guidance_scale: Weight of classifier-free guidance (Ho & Salimans 2022) in the first step;
            up to 1 means off. Where a distilled denoiser guides itself (Flux, LCM), what it was
            told.
        scheduler: Class name of the scheduler.
        scheduler_config: Its configuration.
        model: Hub id of the model, or the name of its folder.
        fingerprint: Hash of the weights, see `explainer.models.fingerprint`.
        pipeline: Class name of the pipeline.
        versions: Library name -> version at the time of the run.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        scaling_factor: What the autoencoder's latents were multiplied by.
        shift_factor: What was taken off them before.
        complete: False where the run was cancelled or failed: the arrays then may end early.
        tokens: The prompt as the text encoder read it; empty where the caller gave embeddings.
        truncated: The end of the prompt, which the model never read; "" if it read all.
        hidden_states: (layers + 1, tokens, width) float16. Token embeddings first, then the output
            of each layer; the last one is taken after the final layer norm: the denoiser reads it
            (SDXL's and Stable Diffusion 3's read the last but one). Of an encoder so large that
            all would take tens of megabytes, the first and the last only.
        pooled_embedding: (pooled width,) float32. The one vector for the whole prompt; of width 0
            where the encoder has none, as T5.
        timesteps: (n,) float32. The time that the denoiser was told.
        sigmas: (n,) float32. Noise level of the denoiser's input as noise to signal, sigma / alpha
            for a state alpha * x0 + sigma * noise (Karras et al. 2022), whatever the scheduler.
        signal: (n,) float32. Signal share 1 / (1 + sigmas**2), from 0 to 1: DDPM's alpha-bar.
        latents: (n + 1, C, h, w) in the run's own dtype (bfloat16 as float32), hence replayable.
            `latents[k]` goes into step k, `latents[-1]` is what the last step led to.
        noise_uncond: (n, C, h, w) float16. Prediction for the negative prompt; None with guidance
            off, if only in some steps. Like the other two, a velocity where `prediction_type` says
            so.
        noise_cond: (n, C, h, w) float16. Prediction for the prompt; None likewise.
        noise: (n, C, h, w) float16. The prediction that the scheduler was given.
        x0: (n, C, h, w) float16. Clean latents that the prediction amounts to.
        frames: WebP pictures by name: "x0", predicted picture of each step (n of them); "noisy",
            each state decoded, scaled to unit variance (n + 1). At most 512 pixels a side, where
            the picture is larger. Empty where none were asked for.
        picture: The final picture as lossless WebP.
        attention: Attention from places of the picture to tokens of the prompt, by the size of the
            map, such as "16x16" (height x width): (n, read tokens, h, w) float16 shares from 0 to
            1, the mean over heads and over the layers of that size, for the conditional
            prediction. Token i is `tokens[i]`, padding left out; where the caller gave embeddings,
            it is their row i. Empty where not asked for.
        readings: What further text encoders made of the prompt; `tokens`, `hidden_states` and
            `pooled_embedding` are those of the encoder whose tokens the denoiser attends to.
        self_attention: Attention between places of the picture, by the size of the map, such as
            "8x8": (n, h w, h, w) float16 shares; `[step, k, y, x]` is the share that place (y, x)
            gives to place k, counted along the rows. Means as in `attention`; empty where not asked
            for.
        activations: What came out of parts of the denoiser for the conditional prediction, by their
            names and in the order of the computation: (n, 1 + channels, h, w) float16, the root
            mean square over all channels first, then a few of them, evenly spaced; or (n, width) of
            a vector such as the time embedding. Empty where not asked for.
        weights: Word of the prompt -> what its share was multiplied by, see
            `explainer.capture.weights`; empty where all words counted as they are.
        settings: Further arguments of the pipeline's call and their values, as JSON holds them,
            where they are not those that the pipeline takes of itself: `prompt_2`, `eta` or
            `num_images_per_prompt`; `prompt` where it was a list, `negative_prompt` where it was a
            list or "" in place of None.
        missing: Names of those that were given and that no trace holds, such as `image`.
    """

    prompt: str
    negative_prompt: str
    seed: int | None
    steps: int
    guidance_scale: float
    scheduler: str
    scheduler_config: dict[str, Any]
    model: str
    fingerprint: str
    pipeline: str
    versions: dict[str, str]
    width: int
    height: int
    scaling_factor: float
    shift_factor: float
    complete: bool
    tokens: tuple[Token, ...]
    truncated: str
    hidden_states: NDArray[np.float16]
    pooled_embedding: NDArray[np.float32]
    timesteps: NDArray[np.float32]
    sigmas: NDArray[np.float32]
    signal: NDArray[np.float32]
    latents: NDArray[np.floating[Any]]
    noise_uncond: NDArray[np.float16] | None
    noise_cond: NDArray[np.float16] | None
    noise: NDArray[np.float16]
    x0: NDArray[np.float16]
    frames: dict[str, tuple[bytes, ...]]
    picture: bytes
    attention: dict[str, NDArray[np.float16]] = dataclasses.field(default_factory=dict)
    readings: tuple[Reading, ...] = ()
    self_attention: dict[str, NDArray[np.float16]] = dataclasses.field(default_factory=dict)
    activations: dict[str, NDArray[np.float16]] = dataclasses.field(default_factory=dict)
    weights: dict[str, float] = dataclasses.field(default_factory=dict)
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_arrays(self)
        _check_attention(self)
        _check_self_attention(self)
        _check_activations(self)
        _check_pictures(self)
        for name in _SHAPES:
            array = getattr(self, name)
            if array is not None:
                array.flags.writeable = False
        for group in (self.attention, self.self_attention, self.activations):
            for array in group.values():
                array.flags.writeable = False

    def __repr__(self) -> str:
        state = "" if self.complete else ", cancelled"
        return f"<Trace {self.prompt!r}, seed {self.seed}, {self.calls} denoiser calls{state}>"

    @property
    def calls(self) -> int:
        """Number of denoiser calls, n."""
        return len(self.timesteps)

    @property
    def prediction_type(self) -> str:
        """What is predicted: "epsilon" (noise), "sample", "v_prediction" or "flow_prediction"."""
        return predicted_by(self.scheduler, self.scheduler_config)

    @property
    def parameters(self) -> dict[str, Any]:
        """What names this run: the same parameters give the same picture."""
        return {name: getattr(self, name) for name in _PARAMETERS}

    def image(self) -> Image.Image:
        """The final picture, (height, width) RGB."""
        return opened(self.picture)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the trace to one file, which appears whole or not at all.

        Raises:
            TraceError: The file cannot be written, or is so large that `load` would refuse it;
                nothing is left behind.
        """
        data = self.to_bytes()
        if len(data) > MAX_FILE_BYTES:
            raise TraceError(
                f"{path}: the run takes {len(data) / 2**20:.0f} MB; traces have at most "
                f"{MAX_FILE_BYTES // 2**20} MB. Record fewer steps, or without attention; nothing "
                "was written."
            )
        _check_pixels(self.width, self.height)
        _write_atomically(Path(path), data)

    def to_bytes(self) -> bytes:
        """The file that `save` writes."""
        return _to_bytes(self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trace:
        """Reads a trace. Safe on files from strangers: nothing in them is ever executed.

        Raises:
            TraceError: There is no such file, or it is truncated, too large, of another format or
                major version, or its parts contradict each other.
        """
        path = Path(path)
        try:
            _check_sizes(path)
            fields, tensors = _read(path)
            return cls(**_from_parts(fields, tensors))
        except TraceError as error:
            raise TraceError(f"{path}: {error}") from error
        except FileNotFoundError as error:
            raise TraceError(f"{path}: there is no such file. Check the path.") from error
        except OSError as error:
            raise TraceError(f"{path}: cannot be read ({error.strerror or error}).") from error
        except safetensors.SafetensorError as error:
            raise TraceError(
                f"{path}: this is no trace, or only a part of one ({error}). Copy or download it "
                "again, or record it anew."
            ) from error
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise TraceError(
                f"{path}: the file contradicts its own format ({error!r}). Record it anew."
            ) from error


_PARAMETERS = (
    "fingerprint",
    "prompt",
    "negative_prompt",
    "seed",
    "steps",
    "guidance_scale",
    "scheduler",
    "width",
    "height",
    "weights",
    "settings",
    "missing",
)
_PLAIN_TYPES: dict[str, type | tuple[type, ...]] = {
    "prompt": str,
    "negative_prompt": str,
    "seed": (int, type(None)),
    "steps": int,
    "guidance_scale": (int, float),
    "scheduler": str,
    "scheduler_config": dict,
    "model": str,
    "fingerprint": str,
    "pipeline": str,
    "versions": dict,
    "width": int,
    "height": int,
    "scaling_factor": (int, float),
    "shift_factor": (int, float),
    "complete": bool,
    "truncated": str,
}


def _check_arrays(trace: Trace) -> None:
    sizes: dict[str, int] = {}
    for name, dimensions in _SHAPES.items():
        array = getattr(trace, name)
        if array is None and name in _OPTIONAL:
            continue
        _check_floats(name, array)
        if array.ndim != len(dimensions):
            raise TraceError(f"{name} has shape {array.shape}, not ({', '.join(dimensions)}).")
        for dimension, size in zip(dimensions, array.shape, strict=True):
            symbol, _, extra = dimension.partition(" + ")
            if sizes.setdefault(symbol, size - int(extra or 0)) != size - int(extra or 0):
                raise TraceError(
                    f"{name} has shape {array.shape}, which does not fit the other arrays "
                    f"({symbol} = {sizes[symbol]})."
                )
    if sizes["n"] < 1:
        raise TraceError("it holds not a single step.")
    if trace.tokens and len(trace.tokens) != sizes["tokens"]:
        raise TraceError(f"{len(trace.tokens)} tokens, but hidden states of {sizes['tokens']}.")


def _check_attention(trace: Trace) -> None:
    for name, maps in trace.attention.items():
        _check_floats(f"attention {name}", maps)
        if maps.ndim != 4 or "{2}x{3}".format(*maps.shape) != name:
            raise TraceError(f"attention {name} has shape {maps.shape}.")
        tokens = len(trace.tokens) or trace.hidden_states.shape[1]
        if len(maps) != trace.calls or maps.shape[1] > tokens:
            raise TraceError(
                f"attention {name} has shape {maps.shape}, for {trace.calls} steps and {tokens} "
                "tokens."
            )


def _check_self_attention(trace: Trace) -> None:
    for name, maps in trace.self_attention.items():
        _check_floats(f"self_attention {name}", maps)
        places = maps.shape[2] * maps.shape[3] if maps.ndim == 4 else None
        fits = places is not None and "{2}x{3}".format(*maps.shape) == name
        if not fits or maps.shape[:2] != (trace.calls, places):
            raise TraceError(
                f"self_attention {name} has shape {maps.shape}, for {trace.calls} steps."
            )


def _check_activations(trace: Trace) -> None:
    for name, values in trace.activations.items():
        _check_floats(f"activation {name}", values)
        if values.ndim not in {2, 4} or len(values) != trace.calls:
            raise TraceError(
                f"activation {name} has shape {values.shape}, for {trace.calls} steps."
            )


def _check_floats(name: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or array.dtype not in _FLOATS:
        raise TraceError(f"{name} must be an array of floating-point numbers.")


def _check_pictures(trace: Trace) -> None:
    if _webp_size(trace.picture) != (trace.width, trace.height):
        raise TraceError(f"the picture is not {trace.width} x {trace.height} pixels.")
    wanted = {"x0": trace.calls, "noisy": trace.calls + 1}
    for name, frames in trace.frames.items():
        if len(frames) != wanted.get(name, len(frames)):
            raise TraceError(f"{len(frames)} frames {name!r} for {trace.calls} steps.")
        for frame in frames:
            width, height = _webp_size(frame)
            if width > trace.width or height > trace.height:
                raise TraceError(f"a frame {name!r} is larger than the picture.")


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise TraceError(
            f"its picture has {width} × {height} pixels; traces have at most "
            f"{MAX_PIXELS // 2**20} million."
        )


def predicted_by(scheduler: str, config: Mapping[str, Any]) -> str:
    """Tells what a denoiser predicts, by the class and the configuration of its scheduler."""
    default = "flow_prediction" if scheduler.startswith("FlowMatch") else "epsilon"
    return str(config.get("prediction_type", default))


def _webp_size(data: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            return image.size
    except (OSError, Image.DecompressionBombError) as error:
        raise TraceError("one of its frames is no WebP picture.") from error


def _to_bytes(trace: Trace) -> bytes:
    tensors = {name: getattr(trace, name) for name in _SHAPES}
    tensors = {name: array for name, array in tensors.items() if array is not None}
    blobs = {f"frames.{name}": frames for name, frames in trace.frames.items()}
    blobs["picture"] = (trace.picture,)
    for name, parts in blobs.items():
        tensors[name] = np.frombuffer(b"".join(parts), np.uint8)
    fields = {name: getattr(trace, name) for name in _PLAIN_TYPES}
    fields["tokens"] = [dataclasses.astuple(token) for token in trace.tokens]
    fields |= {name: getattr(trace, name) for name in ("weights", "settings", "missing")}
    for name, maps in trace.attention.items():
        tensors[f"attention.{name}"] = maps
    for name, maps in trace.self_attention.items():
        tensors[f"self_attention.{name}"] = maps
    for name, values in trace.activations.items():
        tensors[f"activation.{name}"] = values
    fields["activations"] = list(trace.activations)  # a file does not keep their order
    for index, reading in enumerate(trace.readings):
        tensors[f"reading.{index}.embeddings"] = reading.embeddings
        tensors[f"reading.{index}.pooled_embedding"] = reading.pooled_embedding
    fields["readings"] = [
        {
            "encoder": reading.encoder,
            "tokens": [dataclasses.astuple(token) for token in reading.tokens],
            "truncated": reading.truncated,
        }
        for reading in trace.readings
    ]
    fields["frame_bytes"] = {
        name: [len(frame) for frame in frames] for name, frames in trace.frames.items()
    }
    metadata = {"format": FORMAT, "version": VERSION, "trace": json.dumps(fields)}
    return safetensors.numpy.save(
        {name: np.ascontiguousarray(array) for name, array in tensors.items()}, metadata
    )


def _write_atomically(path: Path, data: bytes) -> None:
    try:
        with whole(path) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise TraceError(
                f"{path}: there is no room for {len(data) / 2**20:.1f} MB. Free some space or "
                "save to another disk; nothing was written."
            ) from error
        raise TraceError(
            f"{path}: cannot be written ({error.strerror or error}). Choose another folder."
        ) from error


def _check_sizes(path: Path) -> None:
    """Refuses absurd files before anything of them is held in memory."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise TraceError(
            f"it has {size / 2**20:.0f} MB; traces have at most {MAX_FILE_BYTES // 2**20} MB."
        )
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
    if header_bytes > min(size, MAX_HEADER_BYTES):
        raise TraceError(
            f"its header claims {header_bytes} bytes: this is no trace, or only a part of one. "
            "Copy or download it again, or record it anew."
        )


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        _check_version(metadata)
        fields = json.loads(metadata["trace"])
        names = [n for n in file.keys() if n in _SHAPES or n.startswith(_GROUPS)]  # noqa: SIM118
        return fields, {name: file.get_tensor(name) for name in names}


def _check_version(metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise TraceError("this is a safetensors file, but no trace. Choose one made by Trace.save.")
    version = metadata.get("version", "")
    if version.partition(".")[0] != VERSION.partition(".")[0]:
        raise TraceError(
            f"it has format version {version!r}; this explainer reads {VERSION}. Install an "
            "explainer of its time, or record it anew."
        )


def _from_parts(fields: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """The fields of `Trace` from the JSON object and the tensors of a file."""
    values: dict[str, Any] = {}
    for name, kind in _PLAIN_TYPES.items():
        values[name] = fields[name]
        if not isinstance(values[name], kind):
            raise TraceError(f"{name} is {values[name]!r}.")
    _check_pixels(values["width"], values["height"])
    for name in _SHAPES:
        values[name] = tensors.get(name) if name in _OPTIONAL else tensors[name]
    values["tokens"] = tuple(_checked(Token(*token)) for token in fields["tokens"])
    values["picture"] = tensors["picture"].tobytes()
    values["frames"] = {
        name: _cut(tensors[f"frames.{name}"].tobytes(), sizes)
        for name, sizes in fields["frame_bytes"].items()
    }
    for group in ("attention", "self_attention"):
        values[group] = {
            name.removeprefix(f"{group}."): maps
            for name, maps in tensors.items()
            if name.startswith(f"{group}.")
        }
    values["activations"] = {
        name: tensors[f"activation.{name}"] for name in fields.get("activations", ())
    }
    values["weights"] = _weights(fields.get("weights", {}))
    values |= _settings(fields.get("settings", {}), fields.get("missing", []))
    values["readings"] = tuple(
        _reading(index, described, tensors)
        for index, described in enumerate(fields.get("readings", ()))
    )
    return values


def _weights(given: Any) -> dict[str, float]:
    if not all(isinstance(weight, int | float) for weight in given.values()):
        raise TraceError(f"the weights of its words are {given!r}.")
    return {str(word): float(weight) for word, weight in given.items()}


def _settings(settings: Any, missing: Any) -> dict[str, Any]:
    names = isinstance(missing, list) and all(isinstance(name, str) for name in missing)
    if not (isinstance(settings, dict) and names):
        raise TraceError(f"its settings are {settings!r} and {missing!r}.")
    return {"settings": settings, "missing": tuple(missing)}


def _reading(index: int, described: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Reading:
    encoder, truncated = described["encoder"], described["truncated"]
    if not (isinstance(encoder, str) and isinstance(truncated, str)):
        raise TraceError(f"a text encoder is {encoder!r}.")
    return Reading(
        encoder=encoder,
        tokens=tuple(_checked(Token(*token)) for token in described["tokens"]),
        truncated=truncated,
        embeddings=tensors[f"reading.{index}.embeddings"],
        pooled_embedding=tensors[f"reading.{index}.pooled_embedding"],
    )


def _checked(token: Token) -> Token:
    whole = all(isinstance(number, int) for number in (token.id, token.start, token.end))
    texts = isinstance(token.text, str) and isinstance(token.word, str | None)
    if not (whole and texts and 0 <= token.start <= token.end and token.kind in _KINDS):
        raise TraceError(f"a token is {token}.")
    return token


def _cut(data: bytes, sizes: Sequence[int]) -> tuple[bytes, ...]:
    """Cuts concatenated pictures apart; the sizes must use up the data."""
    if any(not isinstance(size, int) or size < 0 for size in sizes) or sum(sizes) != len(data):
        raise TraceError("the sizes of its frames do not add up.")
    ends = np.cumsum(sizes, dtype=np.int64)
    return tuple(data[end - size : end] for end, size in zip(ends, sizes, strict=True))
