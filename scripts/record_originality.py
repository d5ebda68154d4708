"""What the page about copies opens with: the index, the nearest pictures, how near is near.

Part of `make assets`. The overfitted twin is trained apart, for that takes longer:

    python scripts/record_originality.py --twin
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import explainer
from explainer import models, recorded
from explainer.pictures import webp
from explainer.stages import clip, originality, originality_again, originality_index
from explainer.stages.originality import MEASURES, Described
from explainer.stages.originality_findings import (
    Combination,
    Findings,
    Group,
    Lesson,
    Pair,
    Twin,
)
from explainer.widgets import pixels
from storybook import captions, dataset, world
from storybook.evaluation import examine, judge
from storybook.evaluation.command import DRAWINGS, progress_line
from storybook.evaluation.copying import SUSPICIOUS
from storybook.evaluation.painting import Settings, paint
from storybook.evaluation.prompts import of_unseen_pairs

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from numpy.typing import NDArray

    from explainer.parameters import RunParameters
    from explainer.trace import Trace

    Pictures = NDArray[np.uint8]

STILL = Path(__file__).resolve().parent.parent / "notebooks" / "images" / "copy.jpg"
STATE = Path(__file__).resolve().parent.parent / "training-state"
"""Where training pictures are drawn to and found again, and where the twin is trained."""
GENERATED = 256
NEIGHBOURS = 5
CLOSEST = 4
LESSONS = 8
ENLARGED = 2
GAP = 6
_WORDS = {"colour": "{} clothes", "hair": "{} hair", "who": "{}", "action": "{}"}


class Pool:
    """All training pictures of the embedded model, described.

    Args:
        drawn: The folder that keeps the pictures once they are drawn.

    Attributes:
        count: How many there are.
        size: Their width and height, in pixels.
    """

    def __init__(self, drawn: Path) -> None:
        self.weights = models.embedded_folder()
        self.identity = originality_index.identity(self.weights)
        self.count, self.size = (int(self.identity["pixels"][k]) for k in ("pictures", "size"))
        self.eyes = clip.ImageEncoder(self.weights)
        self.say = progress_line()
        dataset.pictures(
            drawn, size=self.size, count=self.count, progress=partial(self.say, "drawing")
        )
        found = originality_index.described(
            self.weights,
            self.count,
            self.size,
            drawn=drawn / f"pictures-{self.size}.npy",
            progress=partial(self.say, "describing training pictures"),
        )
        assert found is not None, "nobody cancels it"  # noqa: S101
        self.described: Described = found

    def compare(self, pictures: Pictures) -> tuple[Described, dict[str, NDArray[np.float32]]]:
        """Describe pictures, and measure how far each is from every training picture."""
        mine = originality.describe(list(pictures), self.eyes)
        return mine, originality.distances(mine, self.described)

    def group(self, pictures: Pictures, told: list[dict[str, Any]], among: int) -> Group:
        """Find how near pictures come.

        Args:
            pictures: uint8, shape (n, size, size, 3).
            told: What each pair is to tell of its picture.
            among: How many of them are compared with each other too.
        """
        mine, apart = self.compare(pictures)
        return Group(
            {m: _rounded(apart[m].min(1)) for m in MEASURES},
            _among(mine.some(slice(among))) if among > 1 else dict.fromkeys(MEASURES, ()),
            {m: _closest(apart[m], told, pictures) for m in MEASURES},
        )

    def recall(self, index: originality_index.Index, pictures: Pictures) -> dict[str, float]:
        """Measure how often the index brings up the picture that is the nearest of all."""
        mine, apart = self.compare(pictures)
        return {
            m: float(
                np.mean(
                    [
                        int(apart[m][i].argmin()) in index.candidates(mine.some([i]), m)
                        for i in range(len(pictures))
                    ]
                )
            )
            for m in MEASURES
        }


def _rounded(values: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


def _among(pictures: Described) -> dict[str, tuple[float, ...]]:
    apart = originality.distances(pictures, pictures)
    for values in apart.values():
        np.fill_diagonal(values, np.inf)
    return {m: _rounded(apart[m].min(1)) for m in MEASURES}


def _closest(
    apart: NDArray[np.float32], told: list[dict[str, Any]], pictures: Pictures
) -> tuple[Pair, ...]:
    rows = np.argsort(apart.min(1), kind="stable")[:CLOSEST]
    return tuple(
        Pair(
            distance=round(float(apart[row].min()), 4),
            number=int(apart[row].argmin()),
            # A drawing is drawn again from its number, and needs no room here.
            **told[row] | ({} if "anew" in told[row] else {"picture": _webp(pictures[row])}),
        )
        for row in rows
    )


def _webp(picture: Pictures) -> bytes:
    return webp(picture, 86, method=6)


def combinations(pipe: StableDiffusionPipeline, pool: Pool) -> tuple[Combination, ...]:
    """Ask for both halves of every pair that training never shows, without choosing the best."""
    asked = _prompts_of_pairs()
    settings = Settings()
    made = paint(pipe, list(asked.values()), settings, pool.say)
    verdicts = judge.load().look(made)
    _, apart = pool.compare(made)
    scenes = [world.scene(number) for number in range(pool.count)]
    return tuple(
        Combination(
            halves=(_in_words(*a), _in_words(*b)),
            counts=_counts(scenes, a, b),
            prompt=prompt,
            seed=settings.seed + i,
            picture=_webp(made[i]),
            seen=(verdicts[i][a[0]] == a[1], verdicts[i][b[0]] == b[1]),
            nearest=originality.nearest(apart["clip"][i], 1)[0],
        )
        for i, ((a, b), prompt) in enumerate(asked.items())
    )


def _prompts_of_pairs() -> dict[tuple[tuple[str, str], tuple[str, str]], str]:
    """Take for each pair the first of the evaluation's prompts that names both halves."""
    count = 4 * len(world.NEVER_TOGETHER)
    while True:
        prompts = of_unseen_pairs(count)
        found = {
            pair: next((c.text for c, shown in prompts if _names(pair, c, shown)), "")
            for pair in world.NEVER_TOGETHER
        }
        if all(found.values()):
            return found
        count *= 2


def _names(
    pair: tuple[tuple[str, str], tuple[str, str]], caption: captions.Caption, shown: world.Scene
) -> bool:
    return all(name in caption.names and getattr(shown, name) == value for name, value in pair)


def _counts(
    scenes: list[world.Scene], a: tuple[str, str], b: tuple[str, str]
) -> tuple[int, int, int]:
    first, second = ([getattr(one, name) == value for one in scenes] for name, value in (a, b))
    both = sum(x and y for x, y in zip(first, second, strict=True))
    return sum(first), sum(second), both


def _in_words(name: str, value: str) -> str:
    return _WORDS.get(name, "{}").format(value)


def findings(
    pipe: StableDiffusionPipeline,
    trace: Trace,
    base: RunParameters,
    pool: Pool,
    index: originality_index.Index,
) -> Findings:
    """Measure all that the page opens with."""
    drawn = np.stack([originality.anew(number, pool.size) for number in range(DRAWINGS)])
    drawings = pool.group(drawn, [{"anew": number} for number in range(DRAWINGS)], GENERATED)
    prompts = [originality.caption(number) for number in range(GENERATED)]
    made = paint(pipe, prompts, Settings(), pool.say)
    own = np.asarray(trace.image(), np.uint8)
    _, apart = pool.compare(own[None])
    again = originality_again.draw(pipe, base)
    assert again is not None, "nobody cancels it"  # noqa: S101
    return Findings(
        fingerprint=models.fingerprint(pipe),
        trained=pool.count,
        size=pool.size,
        recall=pool.recall(index, np.concatenate([drawn, made])),
        suspicious={
            m: round(float(np.quantile(drawings.nearest[m], SUSPICIOUS)), 4) for m in MEASURES
        },
        nearest={m: tuple(originality.nearest(apart[m][0], NEIGHBOURS)) for m in MEASURES},
        drawings=drawings,
        copies=_copies(pipe, pool),
        generated=pool.group(made, [{"prompt": prompt} for prompt in prompts], GENERATED),
        again=tuple(map(originality_again.digest, again)),  # type: ignore[arg-type]
        first=pixels.lossless(again.first),
        other=pixels.lossless(again.other),
        apart=originality_again.difference(again.first, again.other).values,
        combinations=combinations(pipe, pool),
    )


def _copies(pipe: StableDiffusionPipeline, pool: Pool) -> Group:
    """Send the first training pictures through the autoencoder, as the best copier would."""
    numbers = range(GENERATED)
    pictures = np.stack([originality.redraw(number, pool.size) for number in numbers])
    told = [{"prompt": f"training picture {number:,}"} for number in numbers]
    return pool.group(examine.reconstruct(pipe.vae, pictures), told, 0)


def twin(pipe: StableDiffusionPipeline, pool: Pool, state: Path) -> Twin:
    """Train the twin, and let it take the same test."""
    # Training is imported only where something is trained.
    from storybook.evaluation.twin import PICTURES, STEPS, overfitted
    from storybook.training.presets import PRESETS

    preset = next(one for one in PRESETS.values() if one.size == pool.size)
    copier = overfitted(pipe, state, count=PICTURES, steps=STEPS)
    prompts = [originality.caption(number) for number in range(PICTURES)]
    settings = Settings()
    theirs = paint(copier, prompts, settings, pool.say)
    ours = paint(pipe, prompts[:LESSONS], settings, pool.say)
    return Twin(
        fingerprint=models.fingerprint(pipe),
        learned=PICTURES,
        times=STEPS * preset.unet_batch // PICTURES,
        group=pool.group(theirs, [{"prompt": prompt} for prompt in prompts], 0),
        lessons=tuple(
            Lesson(
                number=i,
                prompt=prompts[i],
                seed=settings.seed + i,
                model=_webp(ours[i]),
                twin=_webp(theirs[i]),
                distances=_from_original(pool, i, ours[i], theirs[i]),
            )
            for i in range(LESSONS)
        ),
    )


def _from_original(
    pool: Pool, number: int, model: Pictures, twin: Pictures
) -> dict[str, tuple[float, float]]:
    pictures = originality.describe([model, twin], pool.eyes)
    apart = originality.distances(pictures, pool.described.some([number]))
    return {m: (float(apart[m][0, 0]), float(apart[m][1, 0])) for m in MEASURES}


def still(trace: Trace, found: Findings) -> Image.Image:
    """Lay the running example beside the training picture that is nearest by each measure."""
    numbers = [found.nearest[m][0].number for m in MEASURES]
    pictures = [
        np.asarray(trace.image(), np.uint8),
        *(originality.redraw(number, found.size) for number in numbers),
    ]
    side = ENLARGED * found.size
    sheet = Image.new("RGB", (len(pictures) * (side + GAP) - GAP, side), "white")
    for place, picture in enumerate(pictures):
        enlarged = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(enlarged, (place * (side + GAP), 0))
    return sheet


def write(
    pipe: StableDiffusionPipeline, trace: Trace, base: RunParameters, drawn: Path = STATE
) -> None:
    """Write the index, the findings and the still picture where the page looks for them."""
    pool = Pool(drawn)
    index = originality_index.Index.of(pool.described)
    index.save(recorded.FOLDER, originality_index.NAME, pool.identity)
    found = findings(pipe, trace, base, pool, index)
    found.save(recorded.ORIGINALITY)
    STILL.parent.mkdir(parents=True, exist_ok=True)
    still(trace, found).save(STILL, quality=90)


def main() -> int:
    """Record the twin, or all the rest; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twin", action="store_true", help="train and record the twin alone")
    parser.add_argument("--drawn", type=Path, default=STATE, help="folder of training pictures")
    parser.add_argument("--state", type=Path, default=STATE / "twin", help="the twin's folder")
    arguments = parser.parse_args()
    pipe = explainer.load(device="cpu")
    if arguments.twin:
        twin(pipe, Pool(arguments.drawn), arguments.state).save(recorded.TWIN)
        return 0
    trace = recorded.trace("running_example")
    base = explainer.sharing.parameters_of(trace)
    write(pipe, trace, base, arguments.drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
