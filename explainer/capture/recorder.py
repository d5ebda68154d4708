"""Recorder: hooks in, run, hooks out; the picture stays bit-identical."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from explainer.capture import previews as _previews
from explainer.capture.families import FAMILIES, Family, family_of
from explainer.capture.hooks import Method, outputs_of, wrapped
from explainer.capture.log import Log, Step, to_trace
from explainer.capture.x0 import (
    NoiseLevel,
    clean_latents,
    noise_level,
    prediction_type,
    reported_x0,
    state_scale,
)

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

    from explainer.trace import Trace

OnStep = Callable[[int, int, bytes | None], None]

KINDS = frozenset({"x0", "noisy"})


class RunError(ValueError):
    """A run that cannot be started or recorded as asked; the message says what to change."""


class Recorder:
    """Records what a pipeline does inside a `with` block, without changing one bit of it.

    Any call that the pipeline allows can be recorded. Of a batch it is the first picture, of
    several calls the last.

        with Recorder(pipe) as recorder:
            image = pipe("a fox on the beach", num_inference_steps=30).images[0]
        recorder.trace.save("fox.trace")
    """

    def __init__(
        self,
        pipe: DiffusionPipeline,
        *,
        previews: bool | str | Collection[str] = True,
        on_step: OnStep | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Prepares to record; the pipeline is untouched until the block begins.

        Args:
            pipe: A text-to-image pipeline of a known family.
            previews: Which frames to decode: "x0", "noisy", both (True) or none (False).
            on_step: Called after each step with the number of steps done, their total, and the
                picture predicted so far as WebP (None without "x0" previews).
            cancelled: Asked after each step; once it says True, the run ends and leaves a trace
                with `complete=False`.

        Raises:
            RunError: The pipeline is of no family that can be recorded, or holds no weights.
        """
        self._pipe: Any = pipe
        self._family = _checked_family(pipe)
        self._kinds = _checked_kinds(previews)
        self._on_step = on_step
        self._cancelled = cancelled
        self._stack = ExitStack()
        self._text: tuple[str | None, str, torch.Tensor] | None = None
        self._prediction: torch.Tensor | None = None
        self._log: Log | None = None
        self._trace: Trace | None = None

    @property
    def trace(self) -> Trace:
        """What was recorded; there once the block has ended.

        Raises:
            RunError: The pipeline was not called in the block, or failed.
        """
        if self._trace is None:
            raise RunError(
                "Nothing is recorded. Call the pipeline inside the `with` block and ask for the "
                "trace after it."
            )
        return self._trace

    def __enter__(self) -> Self:
        pipe, enter = self._pipe, self._stack.enter_context
        with ExitStack() as undo:
            undo.callback(self._stack.close)
            enter(wrapped(pipe, "encode_prompt", self._watch_text))
            enter(wrapped(pipe, "prepare_latents", self._watch_start))
            enter(wrapped(pipe.scheduler, "step", self._watch_step))
            enter(wrapped(pipe.image_processor, "postprocess", self._watch_picture))
            enter(outputs_of(getattr(pipe, self._family.denoiser), self._see_prediction))
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()
        log, self._log = self._log, None
        self._text = self._prediction = None
        if error is None and log is not None and log.steps:
            self._trace = self._to_trace(log)

    def _to_trace(self, log: Log) -> Trace:
        import torch

        with torch.no_grad():
            trace = to_trace(log, self._pipe, self._family, self._kinds)
        if not trace.complete:
            self._pipe._interrupt = False  # noqa: SLF001
        return trace

    def _watch_text(self, encode_prompt: Method) -> Method:
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = inspect.signature(encode_prompt).bind(*args, **kwargs).arguments
            result = encode_prompt(*args, **kwargs)
            prompt = _first(given.get("prompt"))
            self._text = (prompt, _first(given.get("negative_prompt")) or "", result[0][0])
            return result

        return watched

    def _watch_start(self, prepare_latents: Method) -> Method:
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = inspect.signature(prepare_latents).bind(*args, **kwargs).arguments
            seed = None if given.get("latents") is not None else _seed(given.get("generator"))
            if self._text is not None:
                self._log = Log(*self._text, seed)
            return prepare_latents(*args, **kwargs)

        return watched

    def _see_prediction(self, output: Any) -> None:
        self._prediction = output[0]

    def _watch_step(self, step: Method) -> Method:
        def watched(*args: Any, **kwargs: Any) -> Any:
            prediction, self._prediction = self._prediction, None
            if self._log is None or prediction is None:
                return step(*args, **kwargs)
            given = inspect.signature(step).bind(*args, **kwargs).arguments
            wants_dict = given.pop("return_dict", True)
            scheduler = self._pipe.scheduler
            level = noise_level(scheduler, given["timestep"])
            output = step(**given, return_dict=True)
            self._add_step(self._log, prediction, level, given, output)
            self._report(self._log)
            return output if wants_dict else output.to_tuple()

        return watched

    def _add_step(
        self,
        log: Log,
        prediction: torch.Tensor,
        level: NoiseLevel,
        given: dict[str, Any],
        output: Any,
    ) -> None:
        scheduler, noise, sample = self._pipe.scheduler, given["model_output"], given["sample"]
        halves = self._family.halves(self._pipe, prediction)
        x0 = reported_x0(output)
        if x0 is None:
            x0 = clean_latents(noise[:1], sample[:1], level, prediction_type(scheduler))
        log.steps.append(
            Step(
                timestep=given["timestep"],
                level=level,
                # Clones: a view would keep the whole batch alive.
                halves=halves and (halves[0][0].clone(), halves[1][0].clone()),
                noise=noise[0].clone(),
                x0=x0[0].clone(),
            )
        )
        log.states[-1:] = [sample[0].clone(), output.prev_sample[0].clone()]
        log.scales[-1:] = [level.scale, state_scale(scheduler)]

    def _report(self, log: Log) -> None:
        if self._on_step is not None:
            preview = None
            if "x0" in self._kinds:
                latest = log.steps[-1].x0[None]
                preview = _previews.frames(self._pipe, self._family, latest)[0]
                log.frames.append(preview)
            self._on_step(len(log.steps), self._pipe.num_timesteps, preview)
        if self._cancelled is not None and self._cancelled():
            self._pipe._interrupt = True  # noqa: SLF001 - the documented cancel button

    def _watch_picture(self, postprocess: Method) -> Method:
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = inspect.signature(postprocess).bind(*args, **kwargs).arguments
            if self._log is not None and given.get("output_type") != "latent":
                flags = given.get("do_denormalize")
                self._log.picture = postprocess(
                    given["image"][:1], output_type="pil", do_denormalize=flags and flags[:1]
                )[0]
            return postprocess(*args, **kwargs)

        return watched


def _checked_family(pipe: DiffusionPipeline) -> Family:
    family = family_of(pipe)
    if family is None:
        raise RunError(
            f"A {type(pipe).__name__} cannot be recorded. These can: {', '.join(FAMILIES)}."
        )
    if getattr(pipe, family.denoiser).device.type == "meta":
        raise RunError("The pipeline is on the 'meta' device and holds no weights. Load it again.")
    return family


def _checked_kinds(previews: bool | str | Collection[str]) -> frozenset[str]:
    if isinstance(previews, bool):
        return KINDS if previews else frozenset()
    kinds = frozenset({previews} if isinstance(previews, str) else previews)
    if not kinds <= KINDS:
        raise RunError(f"previews must be True, False, 'x0' or 'noisy', not {previews!r}.")
    return kinds


def _first(prompt: str | list[str] | None) -> str | None:
    return prompt[0] if isinstance(prompt, list) else prompt


def _seed(generator: Any) -> int | None:
    """The generator's seed, unless numbers were already drawn from it: then none names the run."""
    import torch

    if isinstance(generator, list):
        generator = generator[0]
    if generator is None:
        return None
    seed = int(generator.initial_seed())
    fresh = torch.Generator(generator.device).manual_seed(seed)
    return seed if torch.equal(fresh.get_state(), generator.get_state()) else None
