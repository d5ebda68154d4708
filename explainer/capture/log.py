"""Log: what the hooks saw of one run, and the Trace that it becomes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image

import explainer
from explainer.capture import previews, tokens
from explainer.capture.settings import Settings
from explainer.fingerprints import of_pipeline
from explainer.trace import Reading, Trace

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from explainer.capture.families import Family, Reader
    from explainer.capture.previews import Previews
    from explainer.capture.x0 import NoiseLevel

T = TypeVar("T")

_MOST_HIDDEN_BYTES = 16 * 2**20
_MOST_HALF = float(np.finfo(np.float16).max)


@dataclass
class Step:
    """One denoiser call. Tensors are of the first picture of the batch, (C, h, w), on device."""

    timestep: torch.Tensor | float
    level: NoiseLevel
    halves: tuple[torch.Tensor, torch.Tensor] | None
    noise: torch.Tensor
    x0: torch.Tensor


@dataclass
class Text:
    """One call of a pipeline's `encode_prompt`.

    Attributes:
        given: Its arguments, defaults included.
        embeddings: (B, tokens, width) What it made of the prompt.
    """

    given: dict[str, Any]
    embeddings: torch.Tensor

    @property
    def prompt(self) -> str | None:
        """First prompt of the call; None where embeddings were given."""
        return tokens.first(self.given.get("prompt"))


@dataclass
class Log:
    """What one call of a pipeline did, as far as it has come.

    Attributes:
        texts: Its calls of `encode_prompt`: one, or two where guidance encodes its prompts apart.
        seed: Seed of the generator, if that names the starting noise.
        size: Height and width of the picture in pixels, where the pipeline told.
        settings: What else the call asked for.
        steps: The denoiser calls.
        states: Latents that went into each step, (C, h, w), and those that came out of the last.
        scales: Standard deviation of each state.
        frames: Predicted pictures that were decoded while the run went on.
        picture: What the pipeline returned.
        calls: How often the run is to call the denoiser, guidance not counted.
        last: The scheduler's last timestep: after it no noise is left.
        facts: What names the run, by the trace's fields.
        attention: Attention to words by the size of the maps, and for each size by step.
        self_attention: Attention between places, likewise.
        activations: What came out of parts of the denoiser by their names, and by step.
    """

    texts: list[Text]
    seed: int | None
    size: tuple[int, int] = (0, 0)
    settings: Settings = field(default_factory=lambda: Settings({}, ()))
    steps: list[Step] = field(default_factory=list)
    states: list[torch.Tensor] = field(default_factory=list)
    scales: list[float] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    picture: Image.Image | None = None
    calls: int = 0
    last: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    attention: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    self_attention: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    activations: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)

    @property
    def negative_prompt(self) -> str:
        """What guidance pushes away from."""
        negative = tokens.first(self.texts[0].given.get("negative_prompt"))
        apart = self.texts[1].prompt if len(self.texts) > 1 else None
        return negative or apart or ""

    @property
    def finished(self) -> bool:
        """Whether all steps were made that the run was to make."""
        return bool(self.steps) and len(self.steps) >= self.calls

    def cut(self) -> None:
        """Takes off what an interrupted step left behind."""
        whole = min(len(self.steps), len(self.states) - 1, len(self.scales) - 1)
        del self.steps[whole:], self.states[whole + 1 :], self.scales[whole + 1 :]


def take_down(log: Log, pipe: Any) -> None:
    """Notes what names a run at its first step: the pipeline may be changed before it ends."""
    log.calls = int(getattr(pipe, "num_timesteps", len(pipe.scheduler.timesteps)))
    log.last = float(pipe.scheduler.timesteps[-1])
    log.facts = {
        "steps": _steps(pipe.scheduler),
        "guidance_scale": _guidance_scale(log, pipe),
        "scheduler": type(pipe.scheduler).__name__,
        "scheduler_config": json.loads(json.dumps(dict(pipe.scheduler.config), default=str)),
        "model": _model_name(pipe),
        "fingerprint": _or_else(
            lambda: of_pipeline(pipe),
            lambda: "",
            "The weights could not be named ({}): the run cannot be replayed.",
        ),
        "pipeline": type(pipe).__name__,
        "versions": _versions(),
    }


def to_trace(
    log: Log,
    pipe: Any,
    family: Family,
    wanted: Previews,
    *,
    failed: bool = False,
    quick: bool = False,
) -> Trace:
    """Reads the text encoders, decodes the previews and gathers all that the log holds.

    Where memory runs out for one of these, the trace comes without it, with a warning.

    Args:
        log: A log of at least one step.
        pipe: The pipeline, as it was during the run.
        family: Its family.
        wanted: Which frames to decode, and how.
        failed: Whether the run ended in an error, however many steps it made.
        quick: Leave the decoder out, for someone waits for the run to stop.
    """
    picture = _picture(log, pipe, quick=quick)
    vae = pipe.vae.config
    return Trace(
        **log.facts,
        prompt=log.texts[0].prompt or "",
        negative_prompt=log.negative_prompt,
        seed=log.seed,
        settings=log.settings.kept,
        missing=log.settings.missing,
        width=picture.width,
        height=picture.height,
        scaling_factor=float(vae.scaling_factor),
        shift_factor=float(vae.get("shift_factor") or 0.0),
        complete=log.finished and not failed,
        frames=_frames(log, pipe, wanted.rough() if quick else wanted, picture),
        picture=previews.webp(picture, lossless=True),
        attention=_by_step(log.attention, len(log.steps)),
        self_attention=_by_step(log.self_attention, len(log.steps)),
        activations=_by_step(log.activations, len(log.steps)),
        **_or_else(
            lambda: _text(log, pipe, family),
            lambda: _embeddings_alone(log.texts[0]),
            "The text encoders could not be read ({}): the run is recorded without its tokens.",
        ),
        **_numbers(log),
    )


def _or_else(make: Callable[[], T], instead: Callable[[], T], warning: str) -> T:
    """What cannot be made must not cost us the rest of a run that is over."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - memory, mostly, but the parts are not ours
        warnings.warn(warning.format(f"{type(error).__name__}: {error}"), stacklevel=4)
        return instead()


def _steps(scheduler: Any) -> int:
    # DDPM keeps the number of an earlier run, or none, where the caller names the timesteps.
    counted = getattr(scheduler, "num_inference_steps", None)
    if counted is None or getattr(scheduler, "custom_timesteps", False):
        return len(scheduler.timesteps)
    return int(counted)


def _guidance_scale(log: Log, pipe: Any) -> float:
    told: float | None = getattr(pipe, "guidance_scale", None)
    halves = log.steps[0].halves
    if halves is not None:
        # Flux tells what its denoiser embeds, even where two predictions guide it besides.
        told = log.settings.kept.get("true_cfg_scale", told)
    if halves is None or told is not None:
        return 1.0 if told is None else float(told)
    # PixArt's pipelines do not tell: read it off the prediction, u + scale (c - u).
    unconditional, conditional = (half.double() for half in halves)
    away, towards = log.steps[0].noise.double() - unconditional, conditional - unconditional
    square = float((towards * towards).sum())
    return round(float((away * towards).sum()) / square, 3) if square else 1.0


def _model_name(pipe: Any) -> str:
    """Hub id or name of the folder; never a whole path, which would tell who recorded it."""
    source = PurePath(pipe.config.get("_name_or_path") or "")
    return source.name if source.is_absolute() else str(source)


def _versions() -> dict[str, str]:
    libraries = ("diffusers", "transformers", "torch")
    return {"explainer": explainer.__version__} | {name: version(name) for name in libraries}


def _text(log: Log, pipe: Any, family: Family) -> dict[str, Any]:
    text = log.texts[0]
    readers = family.present_readers(pipe)
    if text.prompt is None or not readers:
        return _embeddings_alone(text)
    (main, hidden), *others = (_read(pipe, reader, text) for reader in readers)
    if sum(state.nbytes for state in hidden) > _MOST_HIDDEN_BYTES:
        hidden = [hidden[0], hidden[-1]]
    return {
        "tokens": main.tokens,
        "truncated": main.truncated,
        "hidden_states": np.stack(hidden),
        "pooled_embedding": main.pooled_embedding,
        "readings": tuple(reading for reading, _ in others),
    }


def _embeddings_alone(text: Text) -> dict[str, Any]:
    return {
        "tokens": (),
        "truncated": "",
        "hidden_states": _half(text.embeddings[:1]),
        "pooled_embedding": np.zeros(0, np.float32),
    }


def _read(pipe: Any, reader: Reader, text: Text) -> tuple[Reading, list[NDArray[np.float16]]]:
    read = tokens.text_of(pipe, reader, text.given) or ""
    length = tokens.length_of(pipe, reader, text.given)
    tokenizer = getattr(pipe, reader.tokenizer)
    words, truncated = tokens.read_tokens(tokenizer, read, length)
    if reader.cleaned:
        words = tokens.placed(words, read, text.prompt or "")
    else:
        asked = tokens.asked_of(reader, text.given) or ""
        words, truncated = tokens.gathered(words, truncated, read, asked)
    states, pooled = tokens.encode(pipe, reader, tokenizer, read, length)
    hidden = [_half(state) for state in states]
    vector = np.zeros(0, np.float32) if pooled is None else pooled.float().cpu().numpy()
    return Reading(reader.encoder, words, truncated, hidden[-1].copy(), vector), hidden


def _numbers(log: Log) -> dict[str, Any]:
    import torch

    latents = torch.stack(log.states)
    if latents.dtype == torch.bfloat16:
        latents = latents.float()
    sigmas = np.array([step.level.ratio for step in log.steps], np.float32)
    halves = [step.halves for step in log.steps if step.halves is not None]
    guided = len(halves) == len(log.steps)  # guidance may end before the run does
    return {
        "timesteps": np.array([float(step.timestep) for step in log.steps], np.float32),
        "sigmas": sigmas,
        "signal": 1 / (1 + sigmas**2),
        "latents": latents.cpu().numpy(),
        "noise_uncond": _half(torch.stack([half[0] for half in halves])) if guided else None,
        "noise_cond": _half(torch.stack([half[1] for half in halves])) if guided else None,
        "noise": _half(torch.stack([step.noise for step in log.steps])),
        "x0": _half(torch.stack([step.x0 for step in log.steps])),
    }


def _by_step(
    seen: dict[str, dict[int, torch.Tensor]], steps: int
) -> dict[str, NDArray[np.float16]]:
    """All steps of each, zero in those that nothing was seen in."""
    whole = {}
    for name, by_step in seen.items():
        nothing = next(iter(by_step.values())) * 0
        # Activations may be too large for half precision: then the largest number stands for them.
        stacked = torch_stack([by_step.get(step, nothing) for step in range(steps)])
        whole[name] = _half(stacked.clamp(-_MOST_HALF, _MOST_HALF))
    return whole


def _half(tensor: torch.Tensor) -> NDArray[np.float16]:
    half: NDArray[np.float16] = tensor.half().cpu().numpy()
    return half


def _frames(
    log: Log, pipe: Any, wanted: Previews, picture: Image.Image
) -> dict[str, tuple[bytes, ...]]:
    def shown(how: Previews) -> dict[str, tuple[bytes, ...]]:
        return {
            name: tuple(previews.fitted(one, picture.size) for one in ones)
            for name, ones in _frames_of(log, pipe, how, picture).items()
        }

    return _or_else(
        lambda: shown(wanted),
        lambda: _or_else(
            lambda: shown(wanted.rough()),
            dict,
            "Nor could they be shown roughly ({}): the run is recorded without them.",
        ),
        "The frames could not be decoded ({}): they are shown roughly.",
    )


def _frames_of(
    log: Log, pipe: Any, wanted: Previews, picture: Image.Image
) -> dict[str, tuple[bytes, ...]]:
    frames: dict[str, tuple[bytes, ...]] = {}
    if "x0" in wanted.qualities:
        predicted = torch_stack([step.x0 for step in log.steps])
        whole = len(log.frames) == len(log.steps)
        frames["x0"] = tuple(log.frames) if whole else wanted.frames("x0", pipe, predicted)
    if "noisy" in wanted.qualities:
        states = [state / scale for state, scale in zip(log.states, log.scales, strict=True)]
        frames["noisy"] = wanted.frames("noisy", pipe, torch_stack(states))
        ended = log.finished and float(log.steps[-1].timestep) == log.last
        if wanted.qualities["noisy"] == "linear" and ended:
            # The last state is the picture itself, and that is decoded already.
            frames["noisy"] = (*frames["noisy"][:-1], previews.frame(picture))
    return frames


def torch_stack(tensors: list[torch.Tensor]) -> torch.Tensor:
    """`torch.stack`, with torch imported when a run is recorded and no earlier."""
    import torch

    return torch.stack(tensors)


def _picture(log: Log, pipe: Any, *, quick: bool) -> Image.Image:
    """The final picture, also where the caller asked the pipeline for latents only."""
    if log.picture is not None:
        return log.picture
    state = log.states[-1] / log.scales[-1]
    height, width = (side * pipe.vae_scale_factor for side in state.shape[-2:])

    def rough() -> Image.Image:
        return _or_else(
            lambda: previews.roughly(pipe, state),
            lambda: Image.new("RGB", (width, height), "grey"),
            "Nor could it be shown roughly ({}): a grey one stands for it.",
        )

    if quick:
        return rough()
    return _or_else(
        lambda: previews.decode(pipe, state[None])[0],
        rough,
        "The picture could not be decoded ({}): it is shown roughly.",
    )
