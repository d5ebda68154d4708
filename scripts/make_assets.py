"""Make again everything that is recorded or drawn with the embedded model's weights.

    make assets

A test tells when one of these files was made with other weights than those that lie here.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

import explainer
from explainer.models import ModelError
from explainer.parameters import RunParameters
from explainer.trace import Trace

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "explainer" / "recorded"
README_PICTURE = ROOT / "docs" / "steps.webp"

RUNS = {
    "running_example": RunParameters(
        prompt="a little girl with red hair and a blue dress walks through an enchanted forest, "
        "soft watercolour",
        seed=7,
    ),
}
"""The runs that the pages open with, by the name of their file."""

PICTURES_IN_STRIP = 6
GAP = 4
"""Pixels between two pictures of the strip."""


def record(parameters: RunParameters) -> Trace:
    """Draw a run with the embedded model and return what it left behind."""
    return explainer.record(
        explainer.load(device="cpu"),
        parameters.prompt,
        seed=parameters.seed,
        steps=parameters.steps,
        guidance_scale=parameters.guidance_scale,
        negative_prompt=parameters.negative_prompt,
    )


def strip(trace: Trace) -> Image.Image:
    """Lay a run out: the noisy states above, the pictures predicted from them below."""
    size = trace.width + GAP
    last = trace.calls - 1
    sheet = Image.new("RGBA", (PICTURES_IN_STRIP * size - GAP, 2 * (trace.height + GAP) - GAP))
    for place in range(PICTURES_IN_STRIP):
        step = round(place * last / (PICTURES_IN_STRIP - 1))
        for row, name in enumerate(("noisy", "x0")):
            frame = Image.open(io.BytesIO(trace.frames[name][step]))
            picture = frame.resize((trace.width, trace.height))
            sheet.paste(picture, (place * size, row * (trace.height + GAP)))
    return sheet


def main() -> int:
    """Write the recorded runs and the README's picture; return the exit status."""
    README_PICTURE.parent.mkdir(exist_ok=True)
    try:
        traces = {name: record(parameters) for name, parameters in RUNS.items()}
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    for name, trace in traces.items():
        trace.save(RECORDED / f"{name}.trace")
        print(RECORDED / f"{name}.trace")
    strip(traces["running_example"]).save(README_PICTURE, quality=90)
    print(README_PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
