"""Batches: a list of prompts recorded one after another, and taken up again where it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from explainer.parameters import ParameterError, RunParameters
from explainer.runs import plain_words
from explainer.sharing import slug
from explainer.trace import Trace, TraceError

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

__all__ = ["Line", "ListError", "Outcome", "read_list", "record_list", "with_usual"]

MOST_LINES = 10_000
MOST_BYTES = 16 * 2**20
COMMENT = "#"


class ListError(ValueError):
    """A list of prompts that cannot be read at all; the message says why and what to do."""


@dataclass(frozen=True)
class Line:
    """One line of a list.

    Attributes:
        number: Where it stands, from 1.
        text: What it says.
        parameters: The run that it asks for; None if it cannot be run.
        problem: Why not; "" if it can.
    """

    number: int
    text: str
    parameters: RunParameters | None
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a line.

    Attributes:
        line: The line.
        state: "recorded" now, "there" already, or "failed".
        path: The trace; None where there is none.
        problem: What went wrong; "" if nothing did.
        stops: Whether the others would fail as well, so that they were not tried.
    """

    line: Line
    state: Literal["recorded", "there", "failed"]
    path: Path | None = None
    problem: str = ""
    stops: bool = False


def read_list(path: Path, usual: RunParameters) -> list[Line]:
    """Reads a list of prompts, one a line; empty lines and those that begin with # are left out.

    A line that begins with { is a JSON object with a `prompt` and whatever else it wants otherwise
    than the others: {"prompt": "a fox", "seed": 3, "steps": 40}.

    Args:
        path: A text file in UTF-8.
        usual: What a line does not say itself.

    Raises:
        ListError: There is no such file, it is no text, or holds no prompt or too many.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ListError(f"{path} has more than {MOST_BYTES // 2**20} MB. Is it a list of text?")
        texts = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ListError(
            f"{path} is no text in UTF-8 ({error.reason}). Save it as UTF-8."
        ) from error
    except OSError as error:
        raise ListError(f"{path} cannot be read ({error.strerror}). Check the path.") from error
    lines = [
        _line(number, text.strip(), usual)
        for number, text in enumerate(texts, start=1)
        if text.strip() and not text.lstrip().startswith(COMMENT)
    ]
    if not lines:
        raise ListError(f"{path} holds no prompt. Write one a line.")
    if len(lines) > MOST_LINES:
        raise ListError(f"{path} holds {len(lines):,} prompts; at most {MOST_LINES:,} are taken.")
    return lines


def _line(number: int, text: str, usual: RunParameters) -> Line:
    try:
        wanted = _object(text) if text.startswith("{") else {"prompt": text}
        return Line(number, text, replace(usual, **wanted))
    except ParameterError as error:
        return Line(number, text, None, str(error))


def with_usual(lines: Sequence[Line], usual: RunParameters) -> list[Line]:
    """Returns the lines of a list with another run in the place of what they do not say."""
    return [_line(line.number, line.text, usual) for line in lines]


def _object(text: str) -> dict[str, Any]:
    names = [field.name for field in fields(RunParameters) if field.name != "weights"]
    try:
        wanted = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParameterError("prompt", f"It begins with {{ but is no JSON ({error}).") from error
    strange = sorted(set(wanted) - set(names))
    if strange:
        raise ParameterError(strange[0], f"It names {strange[0]!r}. Known are: {', '.join(names)}.")
    return {"prompt": ""} | dict(wanted)


def record_list(
    pipe: DiffusionPipeline,
    lines: Sequence[Line],
    folder: Path,
    *,
    on_step: Callable[[Line, int, int], None] | None = None,
    **options: Any,
) -> Iterator[Outcome]:
    """Records the runs of a list one after another, each to its file as soon as it is done.

    A run whose file is there already is not made again: a list that was interrupted is taken up
    where it ended, and one that has grown is recorded only where it is new.

    Args:
        pipe: A text-to-image pipeline of a known family.
        lines: What `read_list` read.
        folder: Where the traces go; it is made if it is not there.
        on_step: Called after each step with the line, the number of steps done and their total.
        **options: As for `explainer.record`, such as `previews`, `width` and `height`.

    Raises:
        ValueError: An option has no description that lasts, such as an image.

    Yields:
        What became of each line, in their order. After one that `stops` no other follows.
    """
    from explainer.models import run_fingerprint

    model = run_fingerprint(pipe)
    for line in lines:
        if line.parameters is None:
            yield Outcome(line, "failed", problem=line.problem)
            continue
        path = folder / _name(model, line.parameters, options)
        if _is_there(path):
            yield Outcome(line, "there", path)
            continue
        try:
            trace = _record(pipe, line, on_step, options)
            if not trace.complete:  # it was cancelled
                yield Outcome(line, "failed", problem="Stopped.", stops=True)
                return
            trace.save(path)
        except TraceError as error:  # of a disk that is full, or a folder that is closed
            yield Outcome(line, "failed", problem=str(error), stops=True)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the other lines go on
            yield Outcome(line, "failed", problem=plain_words(error))
        else:
            yield Outcome(line, "recorded", path)


def _record(
    pipe: DiffusionPipeline,
    line: Line,
    on_step: Callable[[Line, int, int], None] | None,
    options: Mapping[str, Any],
) -> Trace:
    from explainer.capture import record

    assert line.parameters is not None  # noqa: S101 - for mypy; the caller asked
    return record(
        pipe,
        **line.parameters.arguments(),
        on_step=lambda step, total, _preview: on_step(line, step, total) if on_step else None,
        **options,
    )


def _name(model: str, parameters: RunParameters, options: Mapping[str, Any]) -> str:
    """A name that says what it is, and is another wherever anything else was asked for."""
    shaping = {name: value for name, value in options.items() if name != "cancelled"}
    key = json.dumps([model, asdict(parameters), shaping], sort_keys=True, default=_described)
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return f"{slug(parameters.prompt)}-{digest}.trace"


def _described(value: Any) -> Any:
    """An option that is no JSON, in words that are the same in every process."""
    from explainer.capture import ActivationWatch, AttentionWatch

    if isinstance(value, ActivationWatch | AttentionWatch):
        return {name: getattr(value, f"_{name}") for name in signature(type(value)).parameters}
    if " at 0x" in (words := str(value)):
        raise ValueError(
            f"A list cannot be recorded with {words}: its files would not be found again. Record "
            "its runs one by one, with explainer.record."
        )
    return words


def _is_there(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        return Trace.load(path).complete
    except TraceError:
        return False
