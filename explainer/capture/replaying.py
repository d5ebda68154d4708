"""Replay: a recorded run taken up again, to look closer or to let it end differently.

Recorded latents are exact, so that the denoiser, given them again, says the same to the bit. The
steps before are not computed anew: the pipeline runs from its start, but its denoiser is silent and
its scheduler is handed what was recorded, up to the step in question.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.capture.activations import ActivationWatch
from explainer.capture.attention import AttentionWatch
from explainer.capture.errors import RunError
from explainer.capture.families import Family, family_of
from explainer.capture.hooks import Method, wrapped
from explainer.capture.recorder import OnStep, Recorder
from explainer.capture.run import scheduled
from explainer.capture.settings import asked_again
from explainer.capture.weights import weighted
from explainer.capture.x0 import noise_level

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline
    from numpy.typing import NDArray

    from explainer.trace import Trace

# Schedulers look back at most this many denoiser calls (LMS and DEIS: four)...
_MEMORY = 4
# ...but for those that correct what they corrected, or start with Runge-Kutta.
_LONG_MEMORY = ("PNDM", "SASolver", "UniPC")
# Noise to signal of states in which there is next to no signal.
_NOISE = 100.0
# Share of a step's own size. Of the embedded model half precision changes at most 1.4 %.
_UNLIKE = 0.05


def resume(
    pipe: DiffusionPipeline,
    trace: Trace,
    step: int,
    *,
    prompt: str | None = None,
    negative_prompt: str | None = None,
    guidance_scale: float | None = None,
    scheduler: str | None = None,
    seed: int | None = None,
    latents: NDArray[Any] | None = None,
    without: str | None = None,
    previews: Any = False,
    attention: bool | AttentionWatch = False,
    activations: bool | Collection[str] | ActivationWatch = False,
    on_step: OnStep | None = None,
    cancelled: Callable[[], bool] | None = None,
    **options: Any,
) -> Trace:
    """Goes on from a step of a recorded run; what is not given stays as it was recorded.

    With nothing changed, the same latents come out to the bit, on the same machine. The trace that
    is returned begins with the recorded steps. Where those have no predictions of both halves, for
    guidance was off, it has none at all.

    Files older than version 1.3 do not hold what else the call gave the pipeline, such as `eta`:
    there it must be given again. Where nothing is changed and the step comes out otherwise than it
    was recorded, a warning tells so.

    Args:
        pipe: The pipeline that the trace was recorded with.
        trace: A trace.
        step: The first denoiser call to be made again, from 0 to `trace.calls - 1`.
        prompt: Another prompt from this step on, in place of the first: further ones, such as
            `prompt_2`, stay as they are.
        negative_prompt: Another negative prompt.
        guidance_scale: Another guidance scale.
        scheduler: Class name of another scheduler. It takes over at its own step of the nearest
            noise level, with the latents brought to its scale.
        seed: Another seed for the noise that some schedulers add in every step; at step 0, for the
            noise that the run starts from.
        latents: (C, h, w) Latents to go into this step in place of the recorded ones.
        without: A word of the prompt whose embeddings are replaced by those that an empty prompt
            has in their place.
        previews: Which frames to decode, as for `record`.
        attention: Whether to record attention, as for `record`. Of the steps taken over it is what
            the trace has, and zero where that has none or another prompt has other tokens.
        activations: Which parts of the denoiser to look into, as for `record`; likewise.
        on_step: As for `record`; called for the steps that are taken over as well.
        cancelled: As for `record`.
        **options: Other arguments of the pipeline's call, in place of the recorded ones, and those
            that no trace holds, such as `image`.

    Raises:
        RunError: The trace is of another model, has no such step or word, or the run was given
            something that the trace does not hold and `options` neither.
    """
    family = _checked(pipe, trace, step)
    changes = {
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "guidance_scale": guidance_scale,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    asked = _call(pipe, trace, changes, options, trace.seed if seed is None else seed)
    state = trace.latents[step] if latents is None else _checked_latents(trace, latents)
    new_noise = seed is not None and step == 0 and latents is None
    exact = not changes and without is None and scheduler is None
    start = _Start(trace, step, None if new_noise else state, exact=exact)
    recorder = Recorder(
        pipe,
        previews=previews,
        attention=attention,
        activations=activations,
        on_step=on_step,
        cancelled=cancelled,
    )
    weights = {} if prompt is not None else dict(trace.weights)
    if without is not None:
        weights[without] = 0.0
    other = scheduler or trace.scheduler
    own = type(pipe.scheduler).__name__
    with ExitStack() as stack:
        stack.enter_context(scheduled(pipe, None if other == own else other))
        stack.enter_context(weighted(pipe, weights))
        stack.enter_context(recorder)
        stack.enter_context(_forced(pipe, family, start))
        pipe(**asked)
    # A silent denoiser says nothing that a guidance scale could be read off.
    guidance = float(trace.guidance_scale if guidance_scale is None else guidance_scale)
    told = replace(recorder.trace, weights=weights, guidance_scale=guidance)
    if exact and seed is None and latents is None and options.keys() <= set(trace.missing):
        _warn_unless_alike(trace, told, step)
    return _joined(trace, told, start)


def _call(
    pipe: Any, trace: Trace, changes: dict[str, Any], options: dict[str, Any], seed: int | None
) -> dict[str, Any]:
    """Arguments of the call that makes a run go on, changed or as it was."""
    import torch

    usual = {
        "prompt": trace.prompt,
        "num_inference_steps": trace.steps,
        "generator": torch.Generator("cpu").manual_seed(0 if seed is None else seed),
    }
    if "width" in inspect.signature(type(pipe).__call__).parameters:
        usual |= {"width": trace.width, "height": trace.height}
    if "true_cfg_scale" not in trace.settings:
        usual["guidance_scale"] = trace.guidance_scale
    elif "guidance_scale" in changes:  # of both scales, the trace tells the one that guides
        changes = changes | {"true_cfg_scale": changes["guidance_scale"]}
        del changes["guidance_scale"]
    if isinstance(batch := trace.settings.get("prompt"), list):
        texts = {"prompt", "negative_prompt"} & changes.keys()
        changes = changes | {name: [changes[name]] * len(batch) for name in texts}
    return usual | asked_again(pipe, trace, changes | options)


def _warn_unless_alike(trace: Trace, again: Trace, step: int) -> None:
    """Tells where a step that should be the recorded one is another, whatever the hardware."""
    for now, before in (
        (again.noise[step : step + 1], trace.noise[step : step + 1]),
        (again.latents[step + 1 : step + 2], trace.latents[step + 1 : step + 2]),
    ):
        expected = before.astype(np.float64)
        if len(now) and _rms(now - expected) > _UNLIKE * _rms(expected):
            warnings.warn(
                f"Step {step} comes out otherwise than it was recorded. The run was made with "
                "settings that the trace does not hold, or a scheduler configured otherwise: give "
                "the same again, such as eta=1.0.",
                stacklevel=3,
            )
            return


def _rms(values: NDArray[Any]) -> float:
    return math.sqrt(float((values**2).mean()))


@dataclass(frozen=True)
class Replayed:
    """One step of a recorded run, computed again. Arrays are of the first picture.

    Attributes:
        noise: (C, h, w) float16. The prediction that the scheduler was given.
        noise_uncond: (C, h, w) float16. Prediction for the negative prompt; None with guidance off,
            and where the trace has none.
        noise_cond: (C, h, w) float16. Prediction for the prompt; None likewise.
        latents: (C, h, w) in the run's own dtype (bfloat16 as float32). What the step led to.
        attention: Layer -> (heads, read tokens, h, w) float32, every head on its own.
        self_attention: Layer -> (heads, h w, h, w) float32, of the layers that were asked for;
            `[head, k, y, x]` is the share that place (y, x) gives to place k.
        activations: Part of the denoiser -> what came out of it for the prompt, float32, of the
            parts that were asked for, in the order of the computation: (C, h, w), (width,) of a
            vector, (places, width) where the places make no picture.
        inputs: The same of what went into them: the first thing that each was given. An upward
            block of a UNet is given the downward blocks' output besides.
    """

    noise: NDArray[np.floating[Any]]
    noise_uncond: NDArray[np.floating[Any]] | None
    noise_cond: NDArray[np.floating[Any]] | None
    latents: NDArray[np.floating[Any]]
    attention: dict[str, NDArray[np.float32]]
    self_attention: dict[str, NDArray[np.float32]]
    activations: dict[str, NDArray[np.float32]]
    inputs: dict[str, NDArray[np.float32]]


def replay(
    pipe: DiffusionPipeline,
    trace: Trace,
    step: int,
    *,
    activations: bool | Collection[str] = False,
    self_attention: Collection[str] = (),
    cancelled: Callable[[], bool] = lambda: False,
    **options: Any,
) -> Replayed:
    """Computes one step of a recorded run again, to the bit, with every head's attention.

    Args:
        pipe: The pipeline that the trace was recorded with.
        trace: A trace.
        step: Which denoiser call, from 0 to `trace.calls - 1`.
        activations: Parts of the denoiser to look into, by the names of its modules, such as
            "time_embedding", "down_blocks.0", "mid_block" or "transformer_blocks.3"; True for the
            time embedding and all blocks.
        self_attention: Layers whose attention from place to place to compute; whatever begins so is
            meant. One that would take over 1 GB is left out, with a warning.
        cancelled: As for `record`.
        **options: As for `resume`.

    Raises:
        RunError: The trace is of another model, has no such step, its denoiser no such part, or it
            was cancelled before the step was done.
    """
    watch = AttentionWatch(self_attention=self_attention, heads=True)
    parts = None if activations is True else activations or ()
    inside = ActivationWatch(parts, whole=True)
    calls = iter(range(1, trace.calls + 1))
    again = resume(
        pipe,
        trace,
        step,
        attention=watch,
        activations=inside,
        cancelled=lambda: next(calls) > step or cancelled(),
        **options,
    )
    if again.calls <= step:
        raise RunError("It was stopped before the step was done.")
    return Replayed(
        noise=again.noise[step],
        noise_uncond=None if again.noise_uncond is None else again.noise_uncond[step],
        noise_cond=None if again.noise_cond is None else again.noise_cond[step],
        latents=again.latents[step + 1],
        attention=_arrays(watch.by_layer.words),
        self_attention=_arrays(watch.by_layer.places),
        activations=_arrays(inside.outputs),
        inputs=_arrays(inside.inputs),
    )


def _arrays(tensors: dict[str, torch.Tensor]) -> dict[str, NDArray[np.float32]]:
    return {name: tensor.float().cpu().numpy() for name, tensor in tensors.items()}


class _Start:
    """What the pipeline is handed until it goes on alone.

    Args:
        trace: What was recorded.
        step: Where to go on.
        latents: What goes into that step; None to leave the pipeline its own noise, at step 0.
        exact: Whether the pipeline says again what it said then, so that schedulers that look back
            may be handed its own words in place of the recorded ones, which are rounded.
    """

    def __init__(
        self, trace: Trace, step: int, latents: NDArray[Any] | None, *, exact: bool
    ) -> None:
        self.trace = trace
        self.step = step
        self.latents = latents
        self.exact = exact
        self.sources: list[int] = []
        self.goes_on = False
        self.timed = False
        self.first: torch.Tensor | None = None

    def silent(self) -> bool:
        """Whether the denoiser need not be asked at the present call."""
        if self.goes_on:
            return False
        remembered = self.trace.scheduler.startswith(_LONG_MEMORY)
        return not self.exact or not (remembered or len(self.sources) > self.step - _MEMORY)

    def enter(self, scheduler: Any, call: int) -> NDArray[Any] | None:
        """The state that a denoiser call begins with; None where the run has its own."""
        if self.goes_on:
            return None
        same = type(scheduler).__name__ == self.trace.scheduler
        level = None if same else noise_level(scheduler, scheduler.timesteps[call])
        source = call if level is None else self._nearest(level.ratio)
        self.goes_on = source == self.step
        if not self.goes_on:
            self.sources.append(source)
        state = self.latents if self.goes_on else self.trace.latents[source]
        if state is None or level is None:
            return state
        return state * (level.scale / _scale(self.trace, float(self.trace.sigmas[source])))

    def _nearest(self, ratio: float) -> int:
        sigmas = self.trace.sigmas[: self.step + 1].astype(np.float64)
        if ratio <= sigmas[-1] * 1.001:
            return self.step
        # Flow matching begins with noise alone, of an infinite ratio.
        distances = abs(np.log(np.clip(sigmas, 1e-9, _NOISE)) - math.log(min(ratio, _NOISE)))
        return min(int(np.argmin(distances)), max(self.step - 1, 0))


def _scale(trace: Trace, ratio: float) -> float:
    """Standard deviation of a run's states, by their noise-to-signal ratio."""
    if trace.prediction_type == "flow_prediction":
        signal = 1 / (1 + ratio)
        return math.hypot(signal, 1 - signal)
    exploding = trace.scheduler.startswith(("Euler", "Heun", "KDPM2", "LMS", "DPMSolverSDE"))
    return math.hypot(1, ratio) if exploding else 1.0


@contextmanager
def _forced(pipe: Any, family: Family, start: _Start) -> Iterator[None]:
    """Hands the pipeline what was recorded until it is to go on alone."""
    denoiser = getattr(pipe, family.denoiser)
    with (
        wrapped(pipe, "prepare_latents", lambda own: _begun(own, pipe, family, start)),
        wrapped(pipe.scheduler, "set_timesteps", lambda own: _timed(own, pipe, family, start)),
        wrapped(denoiser, "forward", lambda forward: _silenced(forward, denoiser, start)),
        wrapped(pipe.scheduler, "step", lambda step: _handed(step, pipe, family, start)),
    ):
        yield


def _begun(prepare_latents: Method, pipe: Any, family: Family, start: _Start) -> Method:
    def begun(*args: Any, **kwargs: Any) -> Any:
        result = prepare_latents(*args, **kwargs)
        own, *others = result if isinstance(result, tuple) else (result,)
        start.first = own.clone()  # they may be the caller's
        if start.timed:
            _begin(pipe, family, start, start.first)
        return (start.first, *others) if isinstance(result, tuple) else start.first

    return begun


def _timed(set_timesteps: Method, pipe: Any, family: Family, start: _Start) -> Method:
    def timed(*args: Any, **kwargs: Any) -> None:
        set_timesteps(*args, **kwargs)
        start.timed = True
        # Stable Diffusion 3 and Flux prepare their latents before.
        if start.first is not None:
            _begin(pipe, family, start, start.first)

    return timed


def _begin(pipe: Any, family: Family, start: _Start, latents: torch.Tensor) -> None:
    """Puts the first state into latents, once the scheduler's noise levels are known."""
    state = start.enter(pipe.scheduler, 0)
    if state is not None:
        latents.copy_(_like(latents, state, pipe, family))


def _silenced(forward: Method, denoiser: Any, start: _Start) -> Method:
    def silenced(*args: Any, **kwargs: Any) -> Any:
        if not start.silent():
            return forward(*args, **kwargs)
        sample: Any = args[0] if args else kwargs.get("hidden_states", kwargs.get("sample"))
        channels = getattr(denoiser.config, "out_channels", None)
        shape = list(sample.shape)
        if sample.ndim == 4 and channels is not None:
            shape[1] = channels
        return (sample.new_zeros(shape),)

    return silenced


def _handed(step: Method, pipe: Any, family: Family, start: _Start) -> Method:
    calls = 0

    def handed(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        if start.silent():
            said = start.trace.noise[start.sources[-1]]
            model_output = _like(model_output, said, pipe, family)
        output = step(model_output, timestep, sample, *args, **kwargs)
        calls += 1
        if start.goes_on or calls >= len(pipe.scheduler.timesteps):
            return output
        state = start.enter(pipe.scheduler, calls)
        # Pipelines ask for tuples, and go on with what comes first.
        return output if state is None else (_like(sample, state, pipe, family), *output[1:])

    return handed


def _like(tensor: torch.Tensor, array: NDArray[Any], pipe: Any, family: Family) -> torch.Tensor:
    """Recorded numbers, packed and placed as the pipeline's own, one copy for each of a batch."""
    import torch

    values = torch.from_numpy(array.copy())[None].to(tensor.device, tensor.dtype)
    # In the tensor's own memory format: convolutions sum in another order in another one, and a
    # picture that was encoded comes with its channels last.
    return torch.empty_like(tensor).copy_(family.from_image(pipe, values))


def _joined(trace: Trace, again: Trace, start: _Start) -> Trace:
    """The steps taken over as they were recorded, the others as they are now."""
    # A run that is cancelled on its way to the step has been handed one state more than it used.
    sources = start.sources[: again.calls]
    if not sources:
        return again
    names, halves = ["noise", "x0"], ["noise_uncond", "noise_cond"]
    arrays: dict[str, Any] = {}
    if trace.noise_cond is not None and again.noise_cond is not None:
        names += halves
    else:  # what the silent denoiser returned was no prediction
        arrays |= dict.fromkeys(halves)
    for name in names:
        now = getattr(again, name).copy()
        now[: len(sources)] = getattr(trace, name)[sources]
        arrays[name] = now
    for group in ("attention", "self_attention", "activations"):
        arrays[group] = _taken_over(getattr(trace, group), getattr(again, group), sources)
    return replace(again, **arrays)


def _taken_over(
    before: dict[str, NDArray[np.float16]], now: dict[str, NDArray[np.float16]], sources: list[int]
) -> dict[str, NDArray[np.float16]]:
    """What was seen in the steps taken over, too, where it was recorded in the same shape."""
    joined = {}
    for name, array in now.items():
        recorded = before.get(name)
        joined[name] = array.copy()
        if recorded is not None and recorded.shape[1:] == array.shape[1:]:
            joined[name][: len(sources)] = recorded[sources]
    return joined


def _checked(pipe: Any, trace: Trace, step: int) -> Family:
    from explainer.models import fingerprint

    family = family_of(pipe)
    if family is None:
        raise RunError(f"A {type(pipe).__name__} cannot be replayed.")
    if fingerprint(pipe) != trace.fingerprint:
        raise RunError(
            f"The trace was recorded with other weights ({trace.model or 'unnamed'}). Load that "
            "model to replay it, in bfloat16 if it was recorded so, with the same adapters."
        )
    if not 0 <= step < trace.calls:
        raise RunError(f"The trace has steps 0 to {trace.calls - 1}, no step {step}.")
    if not trace.prompt:
        raise RunError("The trace was recorded from embeddings, which it does not hold.")
    return family


def _checked_latents(trace: Trace, latents: NDArray[Any]) -> NDArray[Any]:
    latents = np.asarray(latents)
    if latents.shape != trace.latents.shape[1:]:
        raise RunError(f"The latents must be of shape {trace.latents.shape[1:]}.")
    return latents
