"""What a server lets its readers do; handed to every kernel in its environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import timedelta

from explainer.parameters import MAX_STEPS, ParameterError

VARIABLE = "EXPLAINER_LIMITS"
EMBEDDED = "storybook"
"""The name of the embedded model in a list of models; it is always allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The limits of one server; those of one's own machine by default, which are wide.

    Args:
        steps: Most steps of a run.
        seconds: Longest that one run or other work may compute, or None.
        models: Hub ids and folders that may be loaded besides the embedded model, or None for any.
        keep_seconds: How long a finished run stays in the cache after its last use, or None for
            the cache's own time.
        upload_bytes: Most bytes of a recorded run that a page may send, or None for as many as a
            trace may have.
    """

    steps: int = MAX_STEPS
    seconds: float | None = None
    models: tuple[str, ...] | None = None
    keep_seconds: float | None = None
    upload_bytes: int | None = None

    def check_steps(self, steps: int) -> None:
        """Refuse a run that is too long for this server.

        Raises:
            ParameterError: It has more steps than allowed.
        """
        if steps > self.steps:
            raise ParameterError(
                "steps", f"This server draws at most {self.steps} steps. Ask for fewer."
            )

    def allows_model(self, source: str | os.PathLike[str] | None) -> bool:
        """Tell whether this model may be loaded; None is the embedded one."""
        return source is None or self.models is None or os.fspath(source) in self.models

    @property
    def too_long(self) -> str:
        """What a reader is told whose run was stopped."""
        return (
            f"This server gives a run {self.seconds:g} seconds, and this one needed more. Ask for "
            "fewer steps, or try again when fewer people are here."
        )

    @property
    def keep(self) -> timedelta | None:
        """How long a finished run is kept, or None for the cache's own time."""
        return None if self.keep_seconds is None else timedelta(seconds=self.keep_seconds)

    def to_environment(self) -> dict[str, str]:
        """Return the variable that hands these limits to a process."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> Limits:
        """Return the limits that this process was started with.

        Raises:
            ValueError: The variable holds none.
        """
        given = json.loads(os.environ.get(VARIABLE, "{}"))
        if given.get("models") is not None:
            given["models"] = tuple(given["models"])
        try:
            return cls(**given)
        except TypeError as error:
            raise ValueError(f"{VARIABLE} holds no limits: {error}.") from error
