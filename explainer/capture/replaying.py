"""Replay: a recorded run taken up again, to look closer or to let it end differently.

Recorded latents are exact, so that the denoiser, given them again, says the same to the bit. The
steps before are not computed anew: the pipeline runs from its start, but its denoiser is silent and
its scheduler is handed what was recorded, up to the step in question.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.capture.attention import AttentionWatch
from explainer.capture.families import Family, family_of
from explainer.capture.hooks import Method, calls_of, wrapped
from explainer.capture.recorder import OnStep, Recorder, RunError
from explainer.capture.run import scheduled
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
    on_step: OnStep | None = None,
    cancelled: Callable[[], bool] | None = None,
    **options: Any,
) -> Trace:
    """Goes on from a step of a recorded run; what is not given stays as it was recorded.

    With nothing changed, the same latents come out to the bit. The trace that is returned begins
    with the recorded steps.

    Args:
        pipe: The pipeline that the trace was recorded with.
        trace: A trace.
        step: The first denoiser call to be made again, from 0 to `trace.calls - 1`.
        prompt: Another prompt from this step on.
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
        on_step: As for `record`; called for the steps that are taken over as well.
        cancelled: As for `record`.
        **options: What else the recorded call gave the pipeline, such as `eta`.

    Raises:
        RunError: The trace is of another model, or has no such step or word.
    """
    import torch

    family = _checked(pipe, trace, step)
    changed = any(
        change is not None for change in (prompt, negative_prompt, guidance_scale, without)
    )
    state = trace.latents[step] if latents is None else _checked_latents(trace, latents)
    new_noise = seed is not None and step == 0 and latents is None
    exact = not changed and scheduler is None
    start = _Start(trace, step, None if new_noise else state, exact=exact)
    named = trace.seed if seed is None else seed
    recorder = Recorder(
        pipe, previews=previews, attention=attention, on_step=on_step, cancelled=cancelled
    )
    weights = {} if prompt is not None else dict(trace.weights)
    if without is not None:
        weights[without] = 0.0
    negative = trace.negative_prompt if negative_prompt is None else negative_prompt
    if negative:
        options["negative_prompt"] = negative
    if "width" in inspect.signature(type(pipe).__call__).parameters:
        options = {"width": trace.width, "height": trace.height} | options
    other = scheduler or trace.scheduler
    own = type(pipe.scheduler).__name__
    with ExitStack() as stack:
        stack.enter_context(scheduled(pipe, None if other == own else other))
        stack.enter_context(weighted(pipe, weights))
        stack.enter_context(recorder)
        stack.enter_context(_forced(pipe, family, start))
        pipe(
            trace.prompt if prompt is None else prompt,
            num_inference_steps=trace.steps,
            guidance_scale=trace.guidance_scale if guidance_scale is None else guidance_scale,
            generator=torch.Generator("cpu").manual_seed(0 if named is None else named),
            **options,
        )
    return _joined(trace, replace(recorder.trace, weights=weights), start)


@dataclass(frozen=True)
class Replayed:
    """One step of a recorded run, computed again. Arrays are of the first picture.

    Attributes:
        noise: (C, h, w) The prediction that the scheduler was given, in full precision.
        noise_uncond: (C, h, w) Prediction for the negative prompt; None with guidance off.
        noise_cond: (C, h, w) Prediction for the prompt; None with guidance off.
        latents: (C, h, w) What the step led to.
        attention: Layer -> (heads, read tokens, h, w) float32, every head on its own.
        activations: Part of the denoiser -> what came out of it for the prompt, (C, h, w) in a
            UNet, (places, width) in a transformer; those parts only that were asked for.
    """

    noise: NDArray[np.floating[Any]]
    noise_uncond: NDArray[np.floating[Any]] | None
    noise_cond: NDArray[np.floating[Any]] | None
    latents: NDArray[np.floating[Any]]
    attention: dict[str, NDArray[np.float32]]
    activations: dict[str, NDArray[np.float32]]


def replay(
    pipe: DiffusionPipeline,
    trace: Trace,
    step: int,
    *,
    activations: Collection[str] = (),
    **options: Any,
) -> Replayed:
    """Computes one step of a recorded run again, to the bit, with every head's attention.

    Args:
        pipe: The pipeline that the trace was recorded with.
        trace: A trace.
        step: Which denoiser call, from 0 to `trace.calls - 1`.
        activations: Parts of the denoiser to look into, by the names of its modules, such as
            "time_embedding", "down_blocks.0", "mid_block" or "transformer_blocks.3".
        **options: What else the recorded call gave the pipeline.

    Raises:
        RunError: The trace is of another model, has no such step, or its denoiser no such part.
    """
    watch = _OneStep(step, _checked_parts(pipe, activations))
    calls = iter(range(1, trace.calls + 1))
    again = resume(
        pipe,
        trace,
        step,
        attention=watch,
        cancelled=lambda: next(calls) > step,
        **options,
    )
    return Replayed(
        noise=again.noise[step],
        noise_uncond=None if again.noise_uncond is None else again.noise_uncond[step],
        noise_cond=None if again.noise_cond is None else again.noise_cond[step],
        latents=again.latents[step + 1],
        attention=watch.maps,
        activations=watch.activations,
    )


def _checked_parts(pipe: Any, names: Collection[str]) -> tuple[str, ...]:
    family = family_of(pipe)
    known = dict(getattr(pipe, family.denoiser).named_modules()) if family else {}
    for name in names:
        if name not in known:
            parts = ", ".join(part for part in known if part and "." not in part)
            raise RunError(f"The denoiser has no part {name!r}. It has: {parts}, and their parts.")
    return tuple(names)


class _OneStep(AttentionWatch):
    """Keeps the maps and activations of one step, and keeps them out of the trace."""

    def __init__(self, step: int, parts: tuple[str, ...]) -> None:
        super().__init__(heads=True)
        self._to_go = step
        self._parts = parts
        self.maps: dict[str, NDArray[np.float32]] = {}
        self.activations: dict[str, NDArray[np.float32]] = {}

    @contextmanager
    def watching(self, pipe: Any, family: Family) -> Iterator[None]:
        denoiser = getattr(pipe, family.denoiser)
        with ExitStack() as stack:
            for name in self._parts:
                see = partial(self._keep, name)
                stack.enter_context(calls_of(denoiser.get_submodule(name), see))
            stack.enter_context(super().watching(pipe, family))
            yield

    def _keep(self, name: str, _given: dict[str, Any], output: Any) -> None:
        if self.skips_call:
            return
        values = output[0] if isinstance(output, tuple) else output
        values = values[self.row(len(values))]
        self.activations[name] = values.detach().float().cpu().numpy().copy()

    def taken(self, size: Any) -> dict[str, torch.Tensor]:
        maps = super().taken(size)
        if self._to_go == 0:
            self.maps = {name: one.cpu().numpy() for name, one in maps.items()}
        self._to_go -= 1
        return {}


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
        ratio = float(self.trace.sigmas[source])
        return state * (level.scale / _scale(self.trace.scheduler, ratio))

    def _nearest(self, ratio: float) -> int:
        sigmas = self.trace.sigmas[: self.step + 1].astype(np.float64)
        if ratio <= sigmas[-1] * 1.001:
            return self.step
        distances = abs(np.log(np.maximum(sigmas, 1e-9)) - math.log(ratio))
        return min(int(np.argmin(distances)), max(self.step - 1, 0))


def _scale(scheduler: str, ratio: float) -> float:
    """Standard deviation of a scheduler's states, by its name and the noise-to-signal ratio."""
    exploding = scheduler.startswith(("Euler", "Heun", "KDPM2", "LMS", "DPMSolverSDE"))
    return math.hypot(1, ratio) if exploding else 1.0


@contextmanager
def _forced(pipe: Any, family: Family, start: _Start) -> Iterator[None]:
    """Hands the pipeline what was recorded until it is to go on alone."""
    denoiser = getattr(pipe, family.denoiser)
    with (
        wrapped(pipe, "prepare_latents", lambda own: _begun(own, pipe, family, start)),
        wrapped(denoiser, "forward", lambda forward: _silenced(forward, denoiser, start)),
        wrapped(pipe.scheduler, "step", lambda step: _handed(step, pipe, family, start)),
    ):
        yield


def _begun(prepare_latents: Method, pipe: Any, family: Family, start: _Start) -> Method:
    def begun(*args: Any, **kwargs: Any) -> Any:
        result = prepare_latents(*args, **kwargs)
        own, *others = result if isinstance(result, tuple) else (result,)
        state = start.enter(pipe.scheduler, 0)
        latents = own if state is None else _like(own, state, pipe, family)
        return (latents, *others) if isinstance(result, tuple) else latents

    return begun


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
    return family.from_image(pipe, values).expand_as(tensor).contiguous()


def _joined(trace: Trace, again: Trace, start: _Start) -> Trace:
    """The steps taken over as they were recorded, the others as they are now."""
    taken = len(start.sources)
    if not taken:
        return again
    names = ["noise", "x0"]
    if trace.noise_cond is not None and again.noise_cond is not None:
        names += ["noise_uncond", "noise_cond"]
    arrays = {}
    for name in names:
        now = getattr(again, name).copy()
        now[:taken] = getattr(trace, name)[start.sources]
        arrays[name] = now
    return replace(again, **arrays, attention=_attention(trace, again, start.sources))


def _attention(trace: Trace, again: Trace, sources: list[int]) -> dict[str, NDArray[np.float16]]:
    """Attention of the steps taken over too, where it was recorded for the same tokens."""
    joined = {}
    for name, now in again.attention.items():
        before = trace.attention.get(name)
        joined[name] = now.copy()
        if before is not None and before.shape[1:] == now.shape[1:]:
            joined[name][: len(sources)] = before[sources]
    return joined


def _checked(pipe: Any, trace: Trace, step: int) -> Family:
    from explainer.models import fingerprint

    family = family_of(pipe)
    if family is None:
        raise RunError(f"A {type(pipe).__name__} cannot be replayed.")
    if fingerprint(pipe) != trace.fingerprint:
        raise RunError(
            f"The trace was recorded with other weights ({trace.model or 'unnamed'}). Load that "
            "model to replay it."
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
