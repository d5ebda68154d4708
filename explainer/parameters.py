"""What names a run: the parameters that a reader sets, checked in one place."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from reprlib import repr as shorten
from typing import Any
from urllib.parse import parse_qs, urlencode

MAX_PROMPT = 2000
"""Characters. CLIP reads some 77 tokens, so that no one loses words to this limit."""
MAX_SEED = 2**64 - 1
"""What ``torch.Generator.manual_seed`` takes."""
STEPS = 25
"""The embedded model's, where nothing else is asked for; so is its guidance scale."""
GUIDANCE_SCALE = 3.0
MAX_STEPS = 200
MAX_GUIDANCE_SCALE = 50.0
MAX_WEIGHT = 10.0
MAX_WEIGHTS = 20


class ParameterError(ValueError):
    """A run was asked for that cannot be made; the message says what to change.

    Attributes:
        parameter: The name of the parameter at fault, for showing the message beside its control.
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True, kw_only=True, slots=True)
class RunParameters:
    """The parameters of one run. Equal parameters and equal weights give an equal picture.

    Args:
        prompt: What the picture should show.
        negative_prompt: What guidance should lead away from.
        seed: Names the noise that the run starts from, 0 to 2⁶⁴ − 1.
        steps: Calls of the scheduler, 1 to 200.
        guidance_scale: How far the prediction is pushed from the unconditional towards the
            conditional one, 0 to 50; 1 and less run without guidance.
        scheduler: Name of a diffusers scheduler class, or None for the pipeline's own.
        weights: (word of the prompt, weight from 0 to 10) of those that do not count as they are;
            in the order of their words, which is made here.

    Raises:
        ParameterError: A value is out of its bounds or of another kind.
    """

    prompt: str
    negative_prompt: str = ""
    seed: int = 0
    steps: int = STEPS
    guidance_scale: float = GUIDANCE_SCALE
    scheduler: str | None = None
    weights: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be run, and bring equal numbers to one form, so that they share it."""
        check(**asdict(self))
        object.__setattr__(self, "seed", int(self.seed))
        object.__setattr__(self, "steps", int(self.steps))
        # Adding zero turns −0.0 into 0.0, which is equal but has another JSON text.
        object.__setattr__(self, "guidance_scale", float(self.guidance_scale) + 0.0)
        weights = {word.casefold(): float(weight) + 0.0 for word, weight in self.weights}
        object.__setattr__(self, "weights", tuple(sorted(weights.items())))

    def arguments(self) -> dict[str, Any]:
        """Return the parameters as keyword arguments of `explainer.record`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"weights": dict(self.weights)}

    def to_query(self) -> str:
        """Return the parameters as the query of a link, those with their default left out."""
        values = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        if self.weights:
            values["weights"] = ",".join(f"{word}:{weight:g}" for word, weight in self.weights)
        return urlencode(values)

    @classmethod
    def from_query(cls, query: str) -> RunParameters:
        """Read the parameters back from the query of a link.

        Names that are not ours are left alone: other parts of a page put theirs beside them.

        Raises:
            ParameterError: The prompt is missing or a value cannot be run.
        """
        given = {name: values[-1] for name, values in parse_qs(query.removeprefix("?")).items()}
        wanted: dict[str, Any] = {f.name: given[f.name] for f in fields(cls) if f.name in given}
        for name, number in (("seed", int), ("steps", int), ("guidance_scale", float)):
            if name in wanted:
                wanted[name] = _number(wanted[name], number)
        if "weights" in wanted:
            wanted["weights"] = tuple(map(_weight, wanted["weights"].split(",")))
        return cls(**{"prompt": ""} | wanted)


def read_seed(text: str) -> int:
    """Read a seed as a reader types it; whether it is one that torch takes is for `check`.

    Raises:
        ParameterError: It is no whole number.
    """
    try:
        return int(text)
    except ValueError as error:
        raise ParameterError("seed", f"The seed is a whole number, not “{text[:40]}”.") from error


def check(
    *,
    prompt: object,
    seed: object,
    steps: object,
    guidance_scale: object,
    negative_prompt: object = "",
    scheduler: object = None,
    weights: tuple[tuple[object, object], ...] = (),
) -> None:
    """Tell in plain words what is wrong with a run's parameters; return if nothing is.

    Raises:
        ParameterError: The first thing that is wrong.
    """
    _check_text("prompt", prompt)
    if not str(prompt).strip():
        raise ParameterError("prompt", "The prompt is empty. Write what the picture should show.")
    _check_text("negative_prompt", negative_prompt)
    _check_whole("seed", seed, 0, MAX_SEED)
    _check_whole("steps", steps, 1, MAX_STEPS)
    _check_guidance_scale(guidance_scale)
    if scheduler is not None and not re.fullmatch(r"[A-Za-z]\w{0,79}", str(scheduler)):
        raise ParameterError(
            "scheduler",
            f"{_show(scheduler)} is no scheduler. Give the name of a diffusers class, such as "
            "'DDIMScheduler', or none.",
        )
    _check_weights(weights)


def _check_text(name: str, value: object) -> None:
    words = name.replace("_", " ")
    if not isinstance(value, str):
        raise ParameterError(name, f"The {words} must be text, not {_show(value)}.")
    if len(value) > MAX_PROMPT:
        raise ParameterError(
            name,
            f"The {words} has {len(value):,} characters; at most {MAX_PROMPT:,} are taken, and the "
            "model reads fewer. Shorten it.",
        )
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ParameterError(
            name, f"The {words} holds half of a character, which no one can read. Type it again."
        )


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
        words = {"steps": "number of steps"}.get(name, name)
        raise ParameterError(
            name,
            f"The {words} must be a whole number from {low} to {high}, not {_show(value)}.",
        )


def _check_guidance_scale(value: object) -> None:
    most = MAX_GUIDANCE_SCALE
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= most:
        raise ParameterError(
            "guidance_scale",
            f"The guidance scale must be a number from 0 to {most:g}, not {_show(value)}.",
        )


def _check_weights(weights: tuple[tuple[object, object], ...]) -> None:
    if len(weights) > MAX_WEIGHTS:
        raise ParameterError(
            "weights", f"{len(weights)} words have weights; at most {MAX_WEIGHTS} may."
        )
    for word, weight in weights:
        # Both characters would not come back from a link.
        if not isinstance(word, str) or not word or set(word) & {",", ":"}:
            raise ParameterError("weights", f"{_show(word)} is no word that can have a weight.")
        number = isinstance(weight, Real) and not isinstance(weight, bool)
        if not number or not 0 <= float(weight) <= MAX_WEIGHT:  # type: ignore[arg-type]
            raise ParameterError(
                "weights",
                f"The weight of “{word}” must be a number from 0 to {MAX_WEIGHT:g}, not "
                f"{_show(weight)}.",
            )


def _weight(text: str) -> tuple[str, int | float | str]:
    """Read "word:weight"; a weight that is none is handed on, as in `_number`."""
    word, _, weight = text.rpartition(":")
    return word, _number(weight, float)


def _show(value: object) -> str:
    try:
        return shorten(value)
    except ValueError:  # Python writes out no whole number of more than 4,300 digits
        return "a number of thousands of digits"


def _number(text: str, kind: type[int | float]) -> int | float | str:
    """Read a number; text that is none is handed on, for `check` to say what is wrong with it."""
    try:
        return kind(text)
    except ValueError:
        return text
