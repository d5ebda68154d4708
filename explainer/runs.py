"""The run controller: what a reader asks for, done one at a time, watched and cancelled."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from explainer.cache import TraceCache
from explainer.limits import Limits
from explainer.parameters import ParameterError, RunParameters
from explainer.trace import Trace, TraceError
from explainer.turns import Turns

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

__all__ = ["Job", "ParameterError", "Run", "RunController", "RunParameters", "Task"]

State = Literal["queued", "running", "done", "cancelled", "failed"]
ENDED: frozenset[State] = frozenset({"done", "cancelled", "failed"})

LARGE = 256
"""Pixels a side. Of larger pictures the decoder takes longer than a denoising step does on most
machines, so that their predicted pictures are shown roughly."""

logger = logging.getLogger(__name__)


class Job:
    """Something that a reader asked for, from the click to its end.

    Read it at any time, from any thread; only its controller changes it.

    Attributes:
        state: "queued", "running" (with ``step`` 0 while the model is being loaded), "done",
            "cancelled" or "failed".
        place: How many others must end before this one starts.
        step: Steps done.
        total: Steps in all.
        error: What went wrong, in plain words, once it has failed.
    """

    def __init__(self, total: int) -> None:
        self.state: State = "queued"
        self.place = 0
        self.step = 0
        self.total = total
        self.error = ""
        # No event: its lock would stop a thread for good in which, while it cancels, the collector
        # finds the widget that asked, which cancels once more.
        self._to_stop = False
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._observers: list[Callable[[Any], None]] = []

    @property
    def ended(self) -> bool:
        """Whether nothing about it will change any more."""
        return self.state in ENDED

    def cancel(self) -> None:
        """Stop: at once while it waits, after the present step while it computes."""
        self._to_stop = True
        if self.state == "queued":
            self.update(state="cancelled")

    def expire(self, why: str) -> None:
        """End it as failed, as far as its reader goes, and stop after the present step."""
        self._to_stop = True
        self.update(state="failed", error=why)

    def asked_to_stop(self) -> bool:
        """Tell whether `cancel` was called."""
        return self._to_stop

    def observe(self, callback: Callable[[Any], None]) -> None:
        """Call ``callback(self)`` now and at every change, from whichever thread makes it."""
        with self._lock:
            if not self.ended:
                self._observers.append(callback)
        self._tell(callback)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most ``timeout`` seconds for the end; return whether it has come."""
        return self._ended.wait(timeout)

    def update(self, **values: Any) -> None:
        """Set attributes and tell the observers; for the controller. What has ended stays."""
        with self._lock:
            if self.state in ENDED:
                return
            for name, value in values.items():
                setattr(self, name, value)
            observers = list(self._observers)
            if self.ended:  # a job that somebody keeps must not keep the widgets that watched it
                self._observers.clear()
        for callback in observers:
            self._tell(callback)
        if self.ended:
            self._ended.set()

    def _tell(self, callback: Callable[[Any], None]) -> None:
        try:
            callback(self)
        except Exception:
            logger.exception("An observer of a run failed; the run goes on.")


class Run(Job):
    """One picture that a reader asked for.

    Attributes:
        parameters: What was asked for.
        preview: The picture that the model predicts at this step, as WebP bytes, or None.
        trace: What the run left behind, once it is done.
        notice: Something the reader should know although the run is done, or an empty string.
    """

    def __init__(self, parameters: RunParameters) -> None:
        super().__init__(parameters.steps)
        self.parameters = parameters
        self.preview: bytes | None = None
        self.trace: Trace | None = None
        self.notice = ""


class Task(Job):
    """Anything else that a reader asked for and that takes the pipeline.

    Attributes:
        work: Called with the pipeline and this task in the controller's thread. It reports its
            steps with ``update(step=...)`` and ends early when ``asked_to_stop()``.
        result: What ``work`` returned, once it is done.
    """

    def __init__(self, work: Callable[[DiffusionPipeline, Task], Any], total: int) -> None:
        super().__init__(total)
        self.work = work
        self.result: Any = None


class RunController:
    """Carries out readers' runs in one background thread, and never computes a run twice.

    A run that is in the cache is done as soon as it is asked for. Otherwise it waits for its turn
    at the machine; then the model is loaded, unless it is already, and recorded step by step.
    torch is imported in the background thread, at the first run that needs it.

    Args:
        load_pipe: Returns the pipeline; called once, in the background. `explainer.load` if not
            given.
        cache: Where finished runs are kept; the user's own cache if not given.
        fingerprint: Names the pipeline's weights and its scheduler, as
            `explainer.models.run_fingerprint` does. With it the cache can answer before the model
            is loaded. Known for the embedded model.
        turns: The queue for the machine's processor; the user's own if not given.
        limits: What readers may ask for; what the environment says if not given.
    """

    def __init__(
        self,
        load_pipe: Callable[[], DiffusionPipeline] | None = None,
        cache: TraceCache | None = None,
        *,
        fingerprint: str | None = None,
        turns: Turns | None = None,
        limits: Limits | None = None,
    ) -> None:
        from explainer import models

        self._load_pipe = load_pipe or models.load
        self.limits = limits or Limits.from_environment()
        self._cache = cache or TraceCache(max_age=self.limits.keep)
        self._fingerprint = fingerprint
        if load_pipe is None and fingerprint is None:
            self._fingerprint = models.embedded_run_fingerprint()
        self._turns = turns or Turns()
        self._pipe: DiffusionPipeline | None = None
        self._latest: dict[str, Job] = {}
        self._queue: deque[Job] = deque()
        self._asked = threading.Condition()
        self._busy = False
        self._drawing = False
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def pipe(self) -> DiffusionPipeline | None:
        """The pipeline; None before it is in memory."""
        return self._pipe

    def submit(self, parameters: RunParameters, *, reader: str = "page") -> Run:
        """Ask for a run; it takes the place of the same reader's former run, which is cancelled.

        Args:
            parameters: What to run.
            reader: Who asks. Runs of different readers do not cancel each other.

        Returns:
            The run, done already if it was found in the cache.

        Raises:
            ParameterError: It is longer than the limits allow.
            RuntimeError: The controller was closed.
        """
        self.limits.check_steps(parameters.steps)
        run = Run(parameters)
        self._replace(run, reader)
        if not self._recall(run, self._known()):
            self._enqueue(run)
        return run

    def ask(
        self,
        work: Callable[[DiffusionPipeline, Task], Any],
        *,
        total: int,
        steps: int = 0,
        reader: str = "page",
    ) -> Task:
        """Ask for other work with the pipeline; it waits for its turn as runs do.

        Args:
            work: What to do; see `Task`.
            total: Steps that it will report.
            steps: Of the longest run that it draws, if it draws any.
            reader: Who asks, as in `submit`.

        Raises:
            ParameterError: Its run is longer than the limits allow.
            RuntimeError: The controller was closed.
        """
        self.limits.check_steps(steps)
        task = Task(work, total)
        self._replace(task, reader)
        self._enqueue(task)
        return task

    def _known(self) -> str | None:
        """What names the pipeline's runs; None where that is not known yet."""
        with self._asked:
            if None not in (self._pipe, self._fingerprint) and not self._drawing:
                self._model()
            return self._fingerprint

    def _replace(self, job: Job, reader: str) -> None:
        """Make this the reader's job, and cancel the former one."""
        with self._asked:
            if self._closed:
                raise RuntimeError("This run controller is closed. Make a new one.")
            self._latest = {who: one for who, one in self._latest.items() if not one.ended}
            former, self._latest[reader] = self._latest.get(reader), job
        if former is not None:
            former.cancel()

    def close(self) -> None:
        """Cancel every run, end the background thread, wait for its end, and let the model go."""
        with self._asked:
            self._closed = True
            runs, thread = list(self._latest.values()), self._thread
            self._asked.notify()
        for run in runs:
            run.cancel()
        if thread is not None:
            thread.join()
        self._pipe = None  # whoever still holds the controller does not hold gigabytes

    def _enqueue(self, run: Job) -> None:
        with self._asked:
            if self._closed:
                run.cancel()
                return
            self._queue.append(run)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="runs", daemon=True)
                self._thread.start()
            self._asked.notify()
        self._tell_places()

    def _tell_places(self) -> None:
        with self._asked:
            waiting = [run for run in self._queue if not run.ended]
            places = list(enumerate(waiting, start=int(self._busy)))
        for place, run in places:
            run.update(place=place)

    def _work(self) -> None:
        while (run := self._next()) is not None:
            self._tell_places()
            try:
                self._carry_out(run)
            except Exception as error:
                logger.exception("A run failed.")
                run.update(state="failed", error=plain_words(error))

    def _next(self) -> Job | None:
        with self._asked:
            self._busy = False
            while not self._queue and not self._closed:
                self._asked.wait()
            self._busy = bool(self._queue)
            return self._queue.popleft() if self._queue else None

    def _carry_out(self, run: Job) -> None:
        with self._turns.take(
            cancelled=run.asked_to_stop, on_place=lambda place: run.update(place=place)
        ) as our_turn:
            if our_turn:
                run.update(state="running", place=0)
                with self._watch(run):
                    self._compute(run)
        run.update(state="cancelled")  # changes nothing if the run has ended otherwise

    @contextmanager
    def _watch(self, job: Job) -> Iterator[None]:
        """End the job as failed where it computes longer than the limits allow."""
        if self.limits.seconds is None:
            yield
            return
        clock = threading.Timer(self.limits.seconds, job.expire, [self.limits.too_long])
        clock.daemon = True
        clock.start()
        try:
            yield
        finally:
            clock.cancel()

    def _compute(self, job: Job) -> None:
        if isinstance(job, Run):
            self._record(job)
        elif isinstance(job, Task):
            pipe, _ = self._model()
            with self._at_work():
                result = job.work(pipe, job)
            if not job.asked_to_stop():
                job.update(state="done", result=result)

    def _record(self, run: Run) -> None:
        from explainer.capture import record

        pipe, fingerprint = self._model()
        if self._recall(run, fingerprint):  # another kernel may have made it while this one waited
            return
        wanted = run.parameters
        with self._at_work():
            trace = record(
                pipe,
                **wanted.arguments(),
                **for_views(pipe),
                on_step=lambda step, total, preview: run.update(
                    step=step, total=total, preview=preview
                ),
                cancelled=run.asked_to_stop,
            )
        if not run.asked_to_stop():
            notice = self._keep(fingerprint, wanted, trace)
            run.update(state="done", trace=trace, notice=notice)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Has nobody name the pipeline's runs meanwhile: it may hold another scheduler for one."""
        with self._asked:
            self._drawing = True
        try:
            yield
        finally:
            with self._asked:
                self._drawing = False

    def _model(self) -> tuple[DiffusionPipeline, str]:
        """The pipeline, and what names its runs: its caller may have changed it since the last."""
        from explainer import models

        self._pipe = self._pipe or self._load_pipe()
        self._fingerprint = models.run_fingerprint(self._pipe)
        return self._pipe, self._fingerprint

    def _recall(self, run: Run, fingerprint: str | None) -> bool:
        if fingerprint is None:
            return False
        trace = self._cache.get(fingerprint, run.parameters)
        if trace is not None:
            run.update(state="done", trace=trace, place=0, step=run.total)
        return trace is not None

    def _keep(self, fingerprint: str, parameters: RunParameters, trace: Trace) -> str:
        try:
            self._cache.put(fingerprint, parameters, trace)
        except TraceError as error:
            return f"This run could not be kept for later. {error}"
        return ""


def for_views(pipe: DiffusionPipeline) -> dict[str, Any]:
    """Return how a run is recorded so that every view can show it: arguments for `record`."""
    from explainer import models

    x0 = "linear" if max(models.picture_size(pipe)) > LARGE else "full"
    # Of noise the decoder makes little: it goes without.
    return {"attention": True, "previews": {"x0": x0, "noisy": "linear"}}


def plain_words(error: Exception) -> str:
    """Say what went wrong so that a reader knows what to do."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "There is not enough free memory. Close other pages or programs and try again."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.strerror}: {error.filename}. See whether it is there and may be used."
    if isinstance(error, ValueError):
        return str(error)
    return f"The model stopped unexpectedly ({type(error).__name__}: {error}). Try again."
