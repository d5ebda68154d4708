"""The command ``explainer evaluate``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from explainer.parameters import GUIDANCE_SCALE, STEPS
from storybook.training.stopped import TrainingStopped

if TYPE_CHECKING:
    from storybook.evaluation.painting import Progress

WEIGHTS = Path(__file__).parents[1] / "weights"
DRAWINGS = 512
"""Drawings that tell what is usual. The page about copies takes as many, made anew from training
captions, so that both call the same pictures suspicious."""
CHECKED = 1024
"""Held-out drawings on which a freshly trained judge is checked."""
SECONDS_BETWEEN_LINES = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when something has to be put right first."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.train_judge:
            train_judge(arguments)
        else:
            evaluate(arguments)
    except (OSError, ValueError, TrainingStopped) as error:
        sys.stderr.write(f"explainer evaluate: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(
            f"\nInterrupted. What {arguments.state} holds, such as a judge or a twin in training, "
            "the same command goes on from; nothing else is kept.\n"
        )
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="explainer evaluate",
        description="Measure a storybook model on prompts and drawings that training never showed, "
        "and write evaluation.json, figures and the model card.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder to measure")
    parser.add_argument("--images", type=Path, default=Path("docs"), help="folder for figures")
    parser.add_argument("--prompts", type=_count, default=512, help="held-out prompts to draw")
    parser.add_argument(
        "--unseen", type=_count, default=512, help="prompts with a pair that training never shows"
    )
    parser.add_argument(
        "--drawings", type=_count, default=DRAWINGS, help="held-out drawings to use"
    )
    parser.add_argument("--steps", type=_count, default=STEPS, help="denoising steps")
    parser.add_argument("--guidance", type=float, default=GUIDANCE_SCALE, help="guidance scale")
    parser.add_argument("--batch", type=_count, default=8, help="pictures made together")
    parser.add_argument(
        "--curves", action="store_true", help="also measure over guidance scales and steps"
    )
    parser.add_argument(
        "--behaviour", type=_count, nargs="?", const=64, default=0, metavar="N",
        help="also compare schedulers, negative prompts and seeds, with N prompts (64 if N is not "
        "given)",
    )  # fmt: skip
    parser.add_argument(
        "--copying", type=_count, nargs="?", const=256, default=0, metavar="N",
        help="also hold N pictures (256 if N is not given) against all training pictures",
    )  # fmt: skip
    parser.add_argument(
        "--twin", action="store_true", help="let an overfitted twin, trained now, take that test"
    )
    parser.add_argument("--train-judge", action="store_true", help="train the judge instead")
    parser.add_argument(
        "--state", type=Path, default=Path("training-state"),
        help="folder with the training pictures, and where the judge's training is resumed",
    )  # fmt: skip
    parser.add_argument(
        "--judge-pictures", type=_count, default=60_000, help="drawings that the judge learns from"
    )
    parser.add_argument("--judge-steps", type=_count, default=5000, help="batches for the judge")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def train_judge(arguments: argparse.Namespace) -> None:
    """Train the judge on drawings that are its own, check it on others, and save it."""
    from storybook.dataset import pictures
    from storybook.evaluation import judge as judges
    from storybook.evaluation.examine import heldout_drawings
    from storybook.evaluation.lessons import Lessons, teach
    from storybook.evaluation.metrics import score
    from storybook.evaluation.prompts import judges_scene

    count = arguments.judge_pictures
    progress = progress_line()
    drawings = pictures(
        arguments.state / "judge",
        size=judges.SIZE,
        count=count,
        progress=lambda done, total: progress("the judge's drawings", done, total),
        scenes=judges_scene,
    )
    lessons = Lessons(steps=arguments.judge_steps)
    judge = teach(
        drawings,
        [judges_scene(number) for number in range(count)],
        lessons,
        arguments.state / "judge" / "judge.pt",
        lambda step, loss: progress(f"judge (loss {loss:.2f})", step, lessons.steps),
    )
    judges.save(judge)
    heldout = heldout_drawings(CHECKED, judges.SIZE, progress, first=0)
    for name, tally in score(judges.load().look(heldout.pictures), heldout.scenes).items():
        _say(f"{name:8} {tally.right / tally.total:6.1%} of {tally.total} held-out drawings")


def evaluate(arguments: argparse.Namespace) -> None:
    """Measure the model in a folder and write everything that follows from it."""
    from storybook.evaluation import judge as judges
    from storybook.evaluation.loading import load_pipeline
    from storybook.evaluation.painting import Settings
    from storybook.evaluation.report import Plan, learned_from, measure, write

    settings = Settings(
        steps=arguments.steps, guidance_scale=arguments.guidance, batch=arguments.batch
    )
    plan = Plan(
        settings, arguments.prompts, arguments.unseen, arguments.drawings,
        curves=arguments.curves, behaviour=arguments.behaviour, copying=arguments.copying,
        twin=arguments.twin, state=arguments.state,
    )  # fmt: skip
    if plan.twin and not plan.copying:
        raise ValueError("--twin takes the test of copying; add --copying")
    if plan.copying:
        learned_from(arguments.weights)  # else hours of measuring would come to nothing
    pipe, judge = load_pipeline(arguments.weights), judges.load()
    if plan.twin:
        from storybook.evaluation import twin

        twin.preset(pipe)
    evaluation, pictures = measure(arguments.weights, pipe, judge, plan, progress_line())
    for path in write(evaluation, pictures, arguments.weights, arguments.images):
        _say(f"wrote {path}")


def progress_line() -> Progress:
    """Return a function that prints progress and the time left, every few seconds at the most."""
    clock: Callable[[], float] = time.monotonic
    began: dict[str, tuple[float, int]] = {}
    told = {"at": clock()}

    def progress(what: str, done: int, total: int) -> None:
        kind = what.split(" (", maxsplit=1)[0]
        start, first = began.setdefault(kind, (clock(), done))
        if done < total and clock() - told["at"] < SECONDS_BETWEEN_LINES:
            return
        told["at"] = clock()
        spent = clock() - start
        if done == total:
            del began[kind]
            _say(f"{what}: all {total}, {spent / 60:.1f} min")
        else:
            left = spent / max(1, done - first) * (total - done)
            _say(f"{what}: {done} of {total}, {left / 60:.1f} min left")

    return progress


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
