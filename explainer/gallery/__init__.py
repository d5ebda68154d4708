"""The gallery: runs of big models that contributors recorded, each with what is known about it.

Every run is two files of one name in this folder: the trace, and a JSON object that says whose
model it is, under which licence, and on what it was recorded. `docs/gallery.md` tells how to hand
one in.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from explainer.models import HUB_ID
from explainer.trace import Trace, TraceError

__all__ = ["Entry", "GalleryError", "check", "entries", "hand_in", "name_of", "problems"]

FOLDER = Path(__file__).parent
MOST_BYTES = 19 * 2**20
"""Of a trace. 25 steps of Stable Diffusion 1.5 at 512 pixels take some 10 MB by arithmetic."""


class GalleryError(ValueError):
    """A run that cannot be handed in; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is known about a run in the gallery.

    Attributes:
        name: Of its two files.
        model: Hub id of the model.
        licence: The model's, by the name that the hub gives it, such as "openrail++".
        hardware: What it was recorded on.
        by: Who recorded it; "" for nobody named.
    """

    name: str
    model: str
    licence: str
    hardware: str
    by: str = ""

    def trace(self, folder: Path = FOLDER) -> Trace:
        """Return the run.

        Raises:
            TraceError: Its file is missing or damaged.
        """
        return Trace.load(folder / f"{self.name}.trace")


def entries(folder: Path = FOLDER) -> list[Entry]:
    """Return all runs that are there, by their names.

    Raises:
        GalleryError: What is said about one cannot be read.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(Entry(name=path.stem, **json.loads(path.read_text("utf-8"))))
        except (ValueError, TypeError) as error:
            raise GalleryError(f"{path}: this is no entry of the gallery ({error}).") from error
    return found


def name_of(model: str, prompt: str) -> str:
    """Returns the name of a run's files: of the model, then of the prompt's first words."""
    words = [model.rpartition("/")[2].lower(), *prompt.lower().split()[:6]]
    return re.sub(r"[^a-z0-9.]+", "-", "-".join(words)).strip("-.")[:72].rstrip("-.")


def check(entry: Entry, folder: Path = FOLDER) -> None:
    """Tells before a run is drawn what speaks against it, whatever it will be like.

    Raises:
        GalleryError: Something does; the message has it all. Or there is such a run already.
    """
    _refuse(_problems_of_entry(entry))
    _free_paths(entry, folder)


def problems(entry: Entry, trace: Trace) -> list[str]:
    """Tells what speaks against a run, each with what to do; an empty list if nothing does."""
    return [*_problems_of_entry(entry), *_problems_of_trace(trace)]


def _problems_of_entry(entry: Entry) -> list[str]:
    checks = {
        f"The model is {entry.model!r}. Name it by its hub id, such as 'stabilityai/sdxl-turbo', "
        "so that others can load it: --hub-id.": bool(HUB_ID.fullmatch(entry.model)),
        "Its licence is not known. Look it up on the model's page and give it with --licence.": (
            entry.licence.strip().lower() not in {"", "unknown", "none"}
        ),
    }
    return [problem for problem, is_fine in checks.items() if not is_fine]


def _problems_of_trace(trace: Trace) -> list[str]:
    size = len(trace.to_bytes())
    arrays = (trace.latents, trace.noise, trace.x0)
    checks = {
        "It was cancelled half-way. Record it to its end.": trace.complete,
        "It holds no frames. Record it without --no-previews.": {"x0", "noisy"}
        <= trace.frames.keys(),
        "No prompt and seed name it, so that nobody could repeat it. Record a prompt and a seed.": (
            bool(trace.prompt.strip()) and trace.seed is not None
        ),
        f"It takes {size / 2**20:.1f} MB; at most {MOST_BYTES / 2**20:.0f} MB are taken. Record "
        "fewer steps or a smaller picture.": size <= MOST_BYTES,
        "Its numbers are not all finite: half precision has overflowed. Record it with "
        "--dtype bfloat16.": all(np.isfinite(array).all() for array in arrays),
        "Its picture is all of one colour: the decoder has overflowed, or a filter has blacked it "
        "out.": _is_a_picture(trace),
    }
    return [problem for problem, is_fine in checks.items() if not is_fine]


def _is_a_picture(trace: Trace) -> bool:
    return float(np.asarray(trace.image(), np.float32).std()) > 1


def hand_in(entry: Entry, trace: Trace, folder: Path = FOLDER) -> tuple[Path, Path]:
    """Writes both files of a run, once nothing speaks against it.

    Returns:
        The trace's path and that of what is known about it.

    Raises:
        GalleryError: Something does; the message has it all. Or there is such a run already.
        TraceError: A file cannot be written, because the disk is full for instance.
    """
    _refuse(problems(entry, trace))
    paths = _free_paths(entry, folder)
    trace.save(paths[0])
    known = {name: value for name, value in asdict(entry).items() if name != "name"}
    try:
        paths[1].write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    except OSError as error:
        paths[0].unlink(missing_ok=True)
        raise TraceError(f"{paths[1]}: cannot be written ({error.strerror}).") from error
    return paths


def _refuse(found: list[str]) -> None:
    if found:
        raise GalleryError("It cannot be handed in yet.\n" + "\n".join(f"- {one}" for one in found))


def _free_paths(entry: Entry, folder: Path) -> tuple[Path, Path]:
    paths = folder / f"{entry.name}.trace", folder / f"{entry.name}.json"
    taken = [path.name for path in paths if path.exists()]
    if taken:
        raise GalleryError(
            f"{folder} has {taken[0]} already. Remove it first, or record another prompt."
        )
    return paths
