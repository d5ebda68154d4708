"""The model picker: what a model takes and what is free here, said before anything is loaded."""

from __future__ import annotations

import gc
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer import measuring, memory, models, vocabulary
from explainer.parameters import RunParameters
from explainer.runs import RunController, plain_words
from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explainer.runs import Task

IDLE: dict[str, Any] = {"state": "idle", "share": None, "seconds": 0}
_TELL_SECONDS = 1.0
_EXAMPLES = (
    "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "stabilityai/sdxl-turbo",
    "stabilityai/stable-diffusion-xl-base-1.0",
    "black-forest-labs/FLUX.1-schnell",
)


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that is in memory.

    Attributes:
        name: Hub id or folder.
        controller: Draws with it.
        fingerprint: Of its weights; None where nobody knows it yet.
        folder: Its folder on this machine, where it has one.
        start: What fills the form at first: steps and guidance that it was made for.
        known_words: All words that training showed it; empty where nobody knows them.
    """

    name: str
    controller: RunController
    fingerprint: str | None
    folder: Path | None = None
    start: RunParameters | None = None
    known_words: frozenset[str] = frozenset()


def embedded() -> Loaded:
    """Returns the embedded model, which comes into memory at the first run that needs it."""
    return Loaded(
        "storybook",
        RunController(),
        models.embedded_fingerprint(),
        models.embedded_folder(),
        known_words=vocabulary.known_words(),
    )


class ModelPicker(Widget, scripts=("form", "model_picker")):
    """Name a model, see what it takes and what is free here, and load it in a way that fits.

    A folder is measured at once; of a hub id the hub is asked only when the reader says so.
    Loading one model lets go of the former.

    Attributes:
        source: What stands in the box: a hub id or a folder.
        loaded: The model in memory, or None.
    """

    source = t.Unicode("", help="A hub id or a folder.").tag(sync=True, echo_update=False)
    loaded = t.Any(None, allow_none=True, help="The model in memory.")
    _examples = t.List(t.Unicode(), list(_EXAMPLES)).tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _status = t.Dict(IDLE).tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._wish = 0
        self._needs: measuring.Needs | None = None
        self._ways: tuple[memory.Way, ...] = ()
        self._coming: RunController | None = None
        self.on_msg(self._on_message)

    def look(self, source: str, *, ask_hub: bool = False) -> threading.Thread | None:
        """Measure a model in the background, and show what it takes.

        What is still being loaded is dropped for it.

        Args:
            source: A hub id or a folder.
            ask_hub: Whether the hub may be asked. Without it a hub id is only recognised.

        Returns:
            The thread that measures, to wait for; None where there is nothing to measure.
        """
        source = source.strip()
        self.cancel()
        self.notify("")
        with self.hold_sync():
            self.source = source
            self._facts, self._needs, self._ways = {}, None, ()
        if not source:
            self.notify("Write a hub id or a folder, or choose an example.", error=True)
            return None
        try:
            local = models.is_folder(source)
        except models.ModelError as error:
            self.notify(str(error), error=True)
            return None
        if not local and not ask_hub:
            self._facts = {"ask_hub": source}
            return None
        return self._start("measuring", lambda wish: self._measure(source, wish))

    def load(self, way: int) -> Task:
        """Load the model that was measured last; `loaded` is set once it is there.

        What is still being loaded is dropped for it.

        Args:
            way: Which of the ways on show.

        Raises:
            ValueError: There is no such way, or it does not fit.
        """
        if self._needs is None or not 0 <= way < len(self._ways):
            raise ValueError("Ask first what a model takes, then choose a way to load it.")
        chosen, needs = self._ways[way], self._needs
        if not chosen.fits:
            raise ValueError(f"It does not fit {chosen.words}. Choose a way that does.")
        self.cancel()
        self._release()
        self.notify("")
        controller = RunController(lambda: _load(needs.model, chosen))
        with self._lock:
            self._wish += 1
            wish, self._coming = self._wish, controller
        task = controller.ask(
            lambda pipe, _task: (models.fingerprint(pipe), *models.usual_settings(pipe)), total=1
        )
        self._start("loading", lambda wish: self._follow(task, needs, wish), wish)
        task.observe(lambda task: self._arrived(task, controller, needs, wish))
        return task

    def cancel(self) -> None:
        """Forget what is measured or loaded now; what is half loaded is let go once it is there."""
        with self._lock:
            self._wish += 1
            self._drop()

    def describe(self) -> str:
        """Say in a sentence what is shown."""
        if self._needs is None:
            return "no model measured yet"
        return f"{self._needs.model}: {_count(self._needs.values)} numbers in its weights"

    def _start(
        self, state: str, work: Callable[[int], None], wish: int | None = None
    ) -> threading.Thread:
        with self._lock:
            if wish is None:
                self._wish += 1
                wish = self._wish
            self._status = {**IDLE, "state": state}
        thread = threading.Thread(target=work, args=(wish,), name="model picker", daemon=True)
        thread.start()
        return thread

    def _measure(self, source: str, wish: int) -> None:
        try:
            needs = models.measure(source)
            here = memory.machine()
        except Exception as error:  # noqa: BLE001 - in a thread nobody else would tell
            self._end(wish, plain_words(error))
            return
        with self._lock:
            if wish != self._wish:
                return
            self._needs, self._ways = needs, memory.ways(needs, here)
            self._facts = _facts(needs, here, self._ways)
            self._status = IDLE

    def _follow(self, task: Task, needs: measuring.Needs, wish: int) -> None:
        """Show how the loading stands until it has ended."""
        began = time.monotonic()
        while not task.wait(_TELL_SECONDS):
            share = _fetched(needs) / needs.download if needs.download else None
            with self._lock:
                # What has ended says so itself, and may be doing that now, in another thread.
                if wish != self._wish or task.ended:
                    return
                state = "waiting" if task.state == "queued" else "loading"
                seconds = round(time.monotonic() - began)
                self._status = {"state": state, "share": share, "seconds": seconds}

    def _arrived(
        self, task: Task, controller: RunController, needs: measuring.Needs, wish: int
    ) -> None:
        if task.state == "failed":
            self._end(wish, task.error)
        elif task.state == "done":
            with self._lock:
                if wish != self._wish:
                    return
                self._coming, self._status = None, IDLE
            fingerprint, steps, guidance = task.result
            folder = Path(needs.model) if not needs.download else None
            start = RunParameters(
                prompt="a fox in the snow, watercolour", steps=steps, guidance_scale=guidance
            )
            self.notify(f"{needs.model} is loaded.")
            self.loaded = Loaded(needs.model, controller, fingerprint, folder, start)

    def _end(self, wish: int, problem: str) -> None:
        with self._lock:
            if wish == self._wish:
                self._drop()
                self.notify(problem, error=True)

    def _drop(self) -> None:
        """Close what is being loaded; call it with the lock held."""
        coming, self._coming = self._coming, None
        self._status = IDLE
        if coming is not None:
            # Closing waits for the thread that loads, which may take long, or be the one that asks.
            threading.Thread(target=coming.close, daemon=True).start()

    def _release(self) -> None:
        """Let go of the model in memory, and of what the GPU keeps of it."""
        former, self.loaded = self.loaded, None
        if former is None:
            return
        former.controller.close()
        gc.collect()
        if "torch" in sys.modules:
            import torch

            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        kind = content.get("type")
        try:
            if kind == "look":
                self.look(str(content.get("source", "")), ask_hub=content.get("hub") is True)
            elif kind == "load" and isinstance(content.get("way"), int):
                self.load(content["way"])
            elif kind == "cancel":
                self.cancel()
        except ValueError as error:
            self.notify(str(error), error=True)


def _load(model: str, way: memory.Way) -> Any:
    import torch

    dtype = getattr(torch, way.dtype)
    return models.load(model, device=way.device, dtype=dtype, offload=way.offload)


def _fetched(needs: measuring.Needs) -> int:
    """Bytes of a model that have arrived in the hub's cache on this machine."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE) / f"models--{needs.model.replace('/', '--')}" / "blobs"
    arrived = 0
    with suppress(OSError):  # a file has its name changed once it is whole; ask again in a second
        arrived = sum(path.stat().st_size for path in folder.iterdir())
    return min(needs.download, arrived)


def _facts(
    needs: measuring.Needs, here: memory.Machine, ways: Sequence[memory.Way]
) -> dict[str, Any]:
    return {
        "model": needs.model,
        "pipeline": needs.pipeline,
        "licence": needs.licence,
        "values": _count(needs.values),
        "size": f"{needs.size[1]} × {needs.size[0]}",
        "download": memory.gigabytes(needs.download) if needs.download else "",
        "parts": [[one.name, one.kind, _count(one.values), one.values] for one in needs.parts],
        "gpu": here.gpu_name,
        "ways": [
            {
                "words": way.words,
                "fits": way.fits,
                "bars": [
                    {
                        "of": name,
                        "needs": needed,
                        "free": free,
                        "words": f"{memory.gigabytes(needed)} of {memory.gigabytes(free)} free",
                    }
                    for name, needed, free in (
                        ("GPU memory", way.gpu, here.gpu),
                        ("memory", way.ram, here.ram),
                    )
                    if needed
                ],
            }
            for way in ways
        ],
    }


def _count(values: int) -> str:
    for size, name in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if values >= size:
            number = values / size
            return f"{number:.1f} {name}" if number < 10 else f"{number:.0f} {name}"
    return str(values)
