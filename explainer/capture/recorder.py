"""Recorder: hooks in, run, hooks out; the picture stays bit-identical."""

from __future__ import annotations

import inspect
import logging
import threading
import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from explainer.capture.activations import ActivationWatch
from explainer.capture.attention import AttentionWatch
from explainer.capture.errors import RunError
from explainer.capture.families import FAMILIES, Family, family_of
from explainer.capture.focus import Focus
from explainer.capture.hooks import Method, calls_of, wrapped
from explainer.capture.log import Log, Step, Text, take_down, to_trace
from explainer.capture.previews import Previews
from explainer.capture.settings import Settings, calls_heard
from explainer.capture.x0 import (
    NoiseLevel,
    check,
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

logger = logging.getLogger(__name__)

_at_work: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_at_work_lock = threading.RLock()  # while one is begun the collector may end an abandoned one


class _Cancelled(Exception):  # noqa: N818 - no error: it leads out of the pipeline
    """Ends a run of a pipeline that has no cancel button of its own."""


class Recorder:
    """Records what a pipeline does inside a `with` block, without changing one bit of it.

    Any call that the pipeline allows can be recorded. Of a batch it is the first picture, of
    several calls the last.

        with Recorder(pipe) as recorder:
            image = pipe("a fox on the beach", num_inference_steps=30).images[0]
        recorder.trace.save("fox.trace")

    If the pipeline fails or is interrupted half-way, its error passes through, and the steps until
    then are there as a trace with `complete=False`. What memory is short of afterwards, a decoder
    or a text encoder, the trace comes without, with a warning.

    What a callback makes of the latents goes into the next step, and there it is recorded; what it
    makes of those after the last step shows in the picture alone.
    """

    def __init__(
        self,
        pipe: DiffusionPipeline,
        *,
        previews: Any = True,
        attention: bool | AttentionWatch = False,
        activations: bool | Collection[str] | ActivationWatch = False,
        on_step: OnStep | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Prepares to record; the pipeline is untouched until the block begins.

        Args:
            pipe: A text-to-image or image-to-image pipeline of a known family.
            previews: Which frames to decode and how, see `record`.
            attention: Whether to record the attention from picture to words, see `record`.
            activations: Which parts of the denoiser to look into, see `record`.
            on_step: Called after each step with the number of steps done, their total, and the
                picture predicted so far as WebP (None without "x0" previews).
            cancelled: Asked after each step; once it says True, the run ends and leaves a trace
                with `complete=False`. Pipelines without a cancel button of their own (PixArt,
                LCM) are left at once, and with them the rest of the block.

        Raises:
            RunError: The pipeline is of no family that can be recorded, or lacks its denoiser, its
                autoencoder or their weights.
        """
        self._pipe: Any = pipe
        self._family = _checked_family(pipe)
        self._previews = _checked_previews(previews)
        self._watch = attention if isinstance(attention, AttentionWatch) else None
        if attention is True:
            self._watch = AttentionWatch()
        self._activations = _activation_watch(activations)
        self._focus = Focus()
        self._on_step = on_step
        self._cancelled = cancelled
        self._stack = ExitStack()
        self._settings = Settings({}, ())
        self._texts: list[Text] = []
        self._predictions: list[_Prediction] = []
        self._log: Log | None = None
        self._trace: Trace | None = None
        self._scheduler: Any = None
        self._replaced = False

    @property
    def trace(self) -> Trace:
        """What was recorded; there once the block has ended.

        Raises:
            RunError: The pipeline was not called in the block, or failed.
        """
        if self._trace is None and self._replaced:
            raise RunError(
                "Nothing is recorded, for the pipeline was given another scheduler inside the "
                "`with` block. Give it that before the block."
            )
        if self._trace is None:
            raise RunError(
                "Nothing is recorded. Call the pipeline inside the `with` block and ask for the "
                "trace after it."
            )
        return self._trace

    def __enter__(self) -> Self:
        pipe, enter = self._pipe, self._stack.enter_context
        self._trace, self._scheduler = None, pipe.scheduler
        with ExitStack() as undo:
            undo.callback(self._stack.close)
            check(pipe.scheduler)
            enter(_one_thread(pipe))
            self._previews.prepare(pipe)
            enter(calls_heard(pipe, self._hear))
            enter(wrapped(pipe, "encode_prompt", self._watch_text))
            enter(wrapped(pipe, "prepare_latents", self._watch_start))
            enter(wrapped(pipe.scheduler, "step", self._watch_step))
            enter(wrapped(pipe.image_processor, "postprocess", self._watch_picture))
            enter(calls_of(getattr(pipe, self._family.denoiser), self._see_prediction))
            if self._watch is not None or self._activations is not None:
                enter(self._focus.following(getattr(pipe, self._family.denoiser)))
            for watch in (self._watch, self._activations):
                if watch is not None:
                    enter(watch.watching(pipe, self._family, self._focus))
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._stack.close()
        self._replaced = self._pipe.scheduler is not self._scheduler
        log, self._log = self._log, None
        self._texts, self._predictions = [], []
        if log is not None and log.steps:
            self._keep(log, error)
        return isinstance(error, _Cancelled)

    def _keep(self, log: Log, error: BaseException | None) -> None:
        if error is None or isinstance(error, _Cancelled):
            try:
                self._trace = self._to_trace(log)
            except KeyboardInterrupt:
                self._trace = self._to_trace(log, quick=True)
                raise
            return
        # An error of the pipeline's or the caller's own must not be covered up by ours.
        try:
            log.cut()
            # Without a picture the run was not over, however many steps it made.
            stopped = not isinstance(error, Exception)
            self._trace = self._to_trace(log, failed=log.picture is None, quick=stopped)
        except Exception:
            logger.exception("The run failed, and so did keeping the steps that were done.")

    def _to_trace(self, log: Log, **how: bool) -> Trace:
        import torch

        with torch.no_grad():
            trace = to_trace(log, self._pipe, self._family, self._previews, **how)
        if not trace.complete and hasattr(self._pipe, "_interrupt"):
            self._pipe._interrupt = False  # noqa: SLF001
        return trace

    def _hear(self, settings: Settings) -> None:
        self._settings = settings
        self._texts = []  # what was encoded before, the caller encoded apart from the call

    def _watch_text(self, encode_prompt: Method) -> Method:
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = _arguments(encode_prompt, args, kwargs)
            result = encode_prompt(*args, **kwargs)
            self._texts.append(Text(given, result[0]))
            return result

        return watched

    def _watch_start(self, prepare_latents: Method) -> Method:
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = _arguments(prepare_latents, args, kwargs)
            seed = None if given.get("latents") is not None else _seed(given.get("generator"))
            if self._texts:
                size = (int(given.get("height") or 0), int(given.get("width") or 0))
                self._log = Log(self._texts, seed, size, self._settings)
                self._texts, self._predictions = [], []
                self._focus.begin(self._log.texts[0].embeddings)
                if self._watch is not None:
                    self._watch.begin(self._log.texts[0], self._pipe, self._family)
            return prepare_latents(*args, **kwargs)

        return watched

    def _see_prediction(self, _args: Any, given: dict[str, Any], output: Any) -> None:
        if self._open_log is not None:
            self._predictions.append(_Prediction(output[0], given.get("encoder_hidden_states")))

    @property
    def _open_log(self) -> Log | None:
        """None before a run and after it, when others may use the same scheduler and denoiser."""
        if self._log is None or self._log.finished:
            return None
        ended = self._log.steps and getattr(self._pipe, "_interrupt", False)
        return None if ended else self._log

    def _watch_step(self, step: Method) -> Method:
        def watched(*args: Any, **kwargs: Any) -> Any:
            predictions, self._predictions = self._predictions, []
            log = self._open_log
            if log is None or not predictions:
                return step(*args, **kwargs)
            given = inspect.signature(step).bind(*args, **kwargs).arguments
            wants_dict = given.pop("return_dict", True)
            scheduler = self._pipe.scheduler
            level = noise_level(scheduler, given["timestep"])
            output = step(**given, return_dict=True)
            self._add_step(log, predictions, level, given, output)
            self._report(log)
            return output if wants_dict else output.to_tuple()

        return watched

    def _add_step(
        self,
        log: Log,
        predictions: list[_Prediction],
        level: NoiseLevel,
        given: dict[str, Any],
        output: Any,
    ) -> None:
        scheduler, noise, sample = self._pipe.scheduler, given["model_output"], given["sample"]
        halves = _halves(predictions, noise, log.texts[0].embeddings)
        x0 = reported_x0(output)
        if x0 is None:
            x0 = clean_latents(noise[:1], sample[:1], level, prediction_type(scheduler))

        def first(tensor: torch.Tensor) -> torch.Tensor:
            # A clone: a view would keep the whole batch alive.
            return self._family.to_image(self._pipe, tensor[:1], log.size)[0].clone()

        log.steps.append(
            Step(
                timestep=given["timestep"],
                level=level,
                halves=halves and (first(halves[0]), first(halves[1])),
                noise=first(noise),
                x0=first(x0),
            )
        )
        log.states[-1:] = [first(sample), first(output.prev_sample)]
        log.scales[-1:] = [level.scale, state_scale(scheduler)]
        log.picture = None  # what was shown before, by a callback maybe, was of an earlier state
        if len(log.steps) == 1:
            take_down(log, self._pipe)
        self._add_inside(log, log.states[-1].shape[-2:])

    def _add_inside(self, log: Log, size: Collection[int]) -> None:
        """What the watches saw of the latest step."""
        step = len(log.steps) - 1
        if self._watch is not None:
            seen = self._watch.taken(size)
            for name, maps in seen.words.items():
                log.attention.setdefault(name, {})[step] = maps
            for name, maps in seen.places.items():
                log.self_attention.setdefault(name, {})[step] = maps
        if self._activations is not None:
            for name, values in self._activations.taken(size).items():
                log.activations.setdefault(name, {})[step] = values

    def _report(self, log: Log) -> None:
        if self._on_step is not None:
            preview = None
            if "x0" in self._previews.qualities:
                latest = log.steps[-1].x0[None]
                preview = self._previews.frames("x0", self._pipe, latest)[0]
                log.frames.append(preview)
            self._on_step(len(log.steps), log.calls, preview)
        if self._cancelled is not None and self._cancelled():
            if not hasattr(self._pipe, "interrupt"):
                raise _Cancelled
            self._pipe._interrupt = True  # noqa: SLF001 - the documented cancel button

    def _watch_picture(self, postprocess: Method) -> Method:
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = inspect.signature(postprocess).bind(*args, **kwargs).arguments
            if self._log is not None and given.get("output_type") != "latent":
                first: dict[str, Any] = {"image": given["image"][:1], "output_type": "pil"}
                if given.get("do_denormalize") is not None:
                    first["do_denormalize"] = given["do_denormalize"][:1]
                self._log.picture = postprocess(**first)[0]
            return postprocess(*args, **kwargs)

        return watched


def _checked_family(pipe: DiffusionPipeline) -> Family:
    family = family_of(pipe)
    if family is None:
        raise RunError(
            f"A {type(pipe).__name__} cannot be recorded. These can: {', '.join(FAMILIES)}."
        )
    for part in (family.denoiser, "vae"):
        if getattr(pipe, part, None) is None:
            raise RunError(f"The pipeline has no {part}. Load it with its {part} to record it.")
    denoiser = getattr(pipe, family.denoiser)
    if denoiser.device.type == "meta" and not hasattr(denoiser, "_hf_hook"):  # not offloaded
        raise RunError("The pipeline is on the 'meta' device and holds no weights. Load it again.")
    return family


def _checked_previews(asked: Any) -> Previews:
    try:
        return Previews.wanted(asked)
    except ValueError as error:
        raise RunError(str(error)) from error


def _activation_watch(asked: Any) -> ActivationWatch | None:
    if isinstance(asked, ActivationWatch):
        return asked
    if isinstance(asked, bool):
        return ActivationWatch() if asked else None
    return ActivationWatch((asked,) if isinstance(asked, str) else asked) if asked else None


def _arguments(method: Method, args: Any, kwargs: Any) -> dict[str, Any]:
    bound = inspect.signature(method).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


@contextmanager
def _one_thread(pipe: Any) -> Iterator[None]:
    """Lets recorders of one thread nest, and refuses those of another: calls would mix.

    Raises:
        RunError: Another thread records this pipeline.
    """
    us = threading.get_ident()
    with _at_work_lock:
        before = _at_work.get(pipe)
        if before not in {None, us}:
            raise RunError(
                "Another thread is recording this pipeline. Wait until it is done, or load the "
                "pipeline once more."
            )
        _at_work[pipe] = us
    try:
        yield
    finally:
        with _at_work_lock:
            if before is None:
                del _at_work[pipe]


class _Prediction(NamedTuple):
    """One denoiser call: what came out, and the text that went in."""

    output: torch.Tensor
    text: torch.Tensor | None


def _halves(
    predictions: list[_Prediction], noise: torch.Tensor, text: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """(unconditional, conditional), or None where the run is not guided by two predictions.

    Told by shapes rather than by the guidance scale: distilled denoisers embed that.

    Args:
        predictions: The denoiser calls since the last step.
        noise: What the scheduler was given.
        text: Embeddings of the prompt itself.
    """
    outputs = [prediction.output for prediction in predictions]
    if len(outputs[0]) == 2 * len(noise):
        halves = outputs[0].chunk(2)
    elif len(outputs) == 2:
        conditional_first = _same(predictions[0].text, text)
        halves = (outputs[1], outputs[0]) if conditional_first else (outputs[0], outputs[1])
    else:
        return None
    channels = noise.shape[1]  # some denoisers predict a variance as well, in further channels
    return halves[0][:, :channels], halves[1][:, :channels]


def _same(one: torch.Tensor | None, other: torch.Tensor) -> bool:
    return one is not None and one.shape == other.shape and bool((one == other).all())


def _seed(generator: Any) -> int | None:
    """The generator's seed, unless numbers were already drawn from it: then none names the run.

    Nor does one of a generator elsewhere than on the CPU, which makes other noise of the same seed
    than `record` does.
    """
    import torch

    if isinstance(generator, list):
        generator = generator[0]
    if generator is None or generator.device.type != "cpu":
        return None
    seed = int(generator.initial_seed())
    fresh = torch.Generator().manual_seed(seed)
    return seed if torch.equal(fresh.get_state(), generator.get_state()) else None
