"""Make again everything that is recorded or drawn with the embedded model's weights.

    make assets

A test tells when one of these files was made with other weights than those that lie here.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import draw_memory
import numpy as np
import record_latent
import record_noise
import record_originality
import record_style
from PIL import Image

import explainer
from explainer import models, recorded
from explainer.models import ModelError
from explainer.parameters import RunParameters
from explainer.pictures import opened, webp
from explainer.stages import clip, originality, text
from explainer.trace import Trace
from storybook import captions, world

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

ROOT = Path(__file__).resolve().parent.parent
STRIP = ROOT / "notebooks" / "images" / "steps.jpg"
"""For the README and the overview. Voilà, where a server brings its own, shows no WebP files."""
SHEET = ROOT / "notebooks" / "images" / "tokens.jpg"
"""For the page about text."""
SNAPSHOTS = ROOT / "training-state" / "snapshots"
"""What the training left of its checkpoints."""

EXAMPLE, STYLE_WORDS = captions.RUNNING_EXAMPLE.rsplit(", ", 1)
SEED = 40
"""The one of the first 48 whose two pictures we liked best. The card shows some not chosen."""
RUNS = {
    "running_example": RunParameters(prompt=captions.RUNNING_EXAMPLE, seed=SEED),
    "ordinary_forest": RunParameters(
        prompt=captions.RUNNING_EXAMPLE.replace("an enchanted forest", "a forest"), seed=SEED
    ),
}
"""The runs that the pages open with, by the name of their file."""
ATTENTIVE = "running_example"
"""The one of them whose attention to its words is on show."""

SENTENCES = 1000
NAMED_PICTURES = 200
PICTURES_IN_STRIP = 6
GAP = 4
"""Pixels between two pictures of the strip."""


def record(
    pipe: DiffusionPipeline,
    parameters: RunParameters,
    *,
    previews: bool = True,
    attention: bool = False,
) -> Trace:
    """Draw a run with the embedded model and return what it left behind."""
    return explainer.record(
        pipe,
        **parameters.arguments(),
        previews=previews,
        attention=attention,
    )


def styles(pipe: DiffusionPipeline) -> list[dict[str, object]]:
    """Draw the running example in every style, from the same noise."""
    found = []
    for style in world.STYLES:
        words = STYLE_WORDS if style == "watercolour" else style
        wanted = RunParameters(prompt=f"{EXAMPLE}, {words}", seed=SEED)
        drawn = webp(record(pipe, wanted, previews=False).image(), 90)
        picture = base64.b64encode(drawn).decode("ascii")
        found.append({"title": words, "prompt": wanted.prompt, "seed": SEED, "picture": picture})
    return found


def text_facts(weights: Path) -> dict[str, object]:
    """Measure how far sentences lie apart, and how well pictures are named."""
    encoder = clip.TextEncoder(weights)
    return sentence_facts(encoder) | naming_facts(encoder, clip.ImageEncoder(weights))


def sentence_facts(encoder: clip.TextEncoder) -> dict[str, object]:
    """Compare captions with each other, no two of them the same tokens."""
    distinct: dict[tuple[int, ...], str] = {}
    for number in range(SENTENCES):
        caption = captions.captions_of(number, 1)[0].text
        distinct[tuple(token.id for token in encoder.reader.read(caption).tokens)] = caption
    sentences = list(distinct.values())
    vectors = encoder.embed(sentences)
    cosines = text.similarities(vectors)
    np.fill_diagonal(cosines, -1)
    first, second = divmod(int(cosines.argmax()), len(sentences))
    return {
        "sentences": len(sentences),
        "fingerprints": len(np.unique(vectors, axis=0)),
        "nearest": [sentences[first], sentences[second]],
        "nearest_cosine": round(float(cosines[first, second]), 5),
    }


def naming_facts(encoder: clip.TextEncoder, eyes: clip.ImageEncoder) -> dict[str, object]:
    """Name held-out drawings; find the cosine that the right name of 95 in 100 reaches."""
    right = [originality.unseen_name(number) for number in range(NAMED_PICTURES)]
    names = sorted(set(right))
    drawn = [
        Image.fromarray(originality.unseen(number, eyes.size)) for number in range(NAMED_PICTURES)
    ]
    cosines = eyes.embed(drawn) @ encoder.embed(names).T
    places = np.array([names.index(name) for name in right])
    rows = np.arange(NAMED_PICTURES)
    own = cosines[rows, places]
    threshold = float(np.quantile(own, 0.05))
    others = cosines.copy()
    others[rows, places] = -1
    return {
        "pictures": NAMED_PICTURES,
        "named_rightly": round(float((cosines.argmax(axis=1) == places).mean()), 4),
        "threshold": round(threshold, 5),
        "abstained": round(float((others.max(axis=1) < threshold).mean()), 4),
    }


def token_sheet(trace: Trace) -> Image.Image:
    """Draw the vectors that the denoiser reads, a row a token: blue below zero, orange above."""
    words = [i for i, token in enumerate(trace.tokens) if token.kind != "padding"]
    rows = trace.hidden_states[-1][words].astype(np.float64)
    sheet = record_latent.coloured(rows, float(np.quantile(np.abs(rows), 0.99)))
    return sheet.resize((1152, 18 * len(words)), Image.Resampling.NEAREST)


def strip(trace: Trace) -> Image.Image:
    """Lay a run out: the noisy states above, the pictures predicted from them below."""
    size = trace.width + GAP
    last = trace.calls - 1
    sheet = Image.new(
        "RGB", (PICTURES_IN_STRIP * size - GAP, 2 * (trace.height + GAP) - GAP), "white"
    )
    for place in range(PICTURES_IN_STRIP):
        step = round(place * last / (PICTURES_IN_STRIP - 1))
        for row, name in enumerate(("noisy", "x0")):
            frame = opened(trace.frames[name][step])
            picture = frame.resize((trace.width, trace.height))
            sheet.paste(picture, (place * size, row * (trace.height + GAP)))
    return sheet


def main() -> int:
    """Write all that is recorded, and the pictures drawn from it; return the exit status."""
    try:
        pipe = explainer.load(device="cpu")
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    traces = {
        name: record(pipe, parameters, attention=name == ATTENTIVE)
        for name, parameters in RUNS.items()
    }
    for name, trace in traces.items():
        trace.save(recorded.FOLDER / f"{name}.trace")
    example = traces["running_example"]
    stills = {
        "fingerprint": models.fingerprint(pipe),
        "styles": styles(pipe),
    }
    recorded.STILLS.write_text(json.dumps(stills, indent=1) + "\n")
    facts = {"fingerprint": stills["fingerprint"]} | text_facts(models.embedded_folder())
    recorded.TEXT.write_text(json.dumps(facts, indent=1) + "\n")
    STRIP.parent.mkdir(parents=True, exist_ok=True)
    strip(example).save(STRIP, quality=90)
    record_noise.write(pipe, RUNS["running_example"], example.width, SNAPSHOTS)
    record_latent.write(pipe, example, traces["ordinary_forest"], RUNS["running_example"])
    record_style.write(pipe, RunParameters(prompt=EXAMPLE, seed=SEED), STYLE_WORDS)
    record_originality.write(pipe, example, RUNS["running_example"])
    token_sheet(example).save(SHEET, quality=90)
    draw_memory.main()
    print(
        f"Recorded {len(traces)} runs, {len(stills['styles'])} styles, and all pages' measurements."
    )
    if recorded.twin() is None:
        print("The twin is of other weights: python scripts/record_originality.py --twin")
    return 0


if __name__ == "__main__":
    sys.exit(main())
