"""The command ``explainer record``: one prompt, a list of them, or a run for the gallery."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explainer.parameters import RunParameters

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from explainer.batch import Line, Outcome
    from explainer.gallery import Entry
    from explainer.trace import Trace

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended."""
_OF_THE_MODEL = ("steps", "guidance_scale")
_EPILOG = """\
examples:
  explainer record "a fox in the snow" -o fox.trace
  explainer record --prompts prompts.txt -o traces --model stabilityai/sdxl-turbo
  explainer record "a fox in the snow" --model stabilityai/sdxl-turbo --gallery

Look at a file on any computer, without a GPU and without torch: open it in the page
"Your own model" of `explainer serve`, or in a notebook:
  import explainer as ex; ex.widgets.Player(ex.Trace.load("fox.trace"))
"""


def add(commands: Any) -> None:
    """Adds the command to argparse's commands."""
    parser = commands.add_parser(
        "record",
        help="draw a prompt, or a list of them, and keep every step in a file",
        description="Draw a prompt, or a list of them, and keep every step in a file.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    usual = RunParameters(prompt="-")
    parser.add_argument("prompt", nargs="?", help="what the picture should show")
    parser.add_argument(
        "--prompts",
        type=Path,
        metavar="FILE",
        help="record every line of this file; the same command again goes on where it ended",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PATH",
        help="a file, by default PROMPT.trace, or a folder that is there to put it in; with "
        "--prompts a folder, by default traces",
    )
    parser.add_argument("--negative-prompt", default=usual.negative_prompt, metavar="TEXT")
    parser.add_argument("--seed", type=int, default=usual.seed, help="default: %(default)s")
    parser.add_argument("--steps", type=int, help="default: what the model was made for")
    parser.add_argument("--guidance-scale", type=float, help="default: what the model was made for")
    parser.add_argument("--width", type=int, help="in pixels; default: the model's own")
    parser.add_argument("--height", type=int, help="in pixels; default: the model's own")
    parser.add_argument(
        "--model", metavar="MODEL", help="a hub id or a folder; default: the embedded model"
    )
    parser.add_argument("--device", help="such as cuda:1; default: a GPU if there is one")
    parser.add_argument(
        "--dtype",
        choices=["float32", "bfloat16", "float16"],
        help="default: float32 on the processor, half precision on a GPU",
    )
    parser.add_argument(
        "--offload", action="store_true", help="let the model's parts take turns on a small GPU"
    )
    previews = parser.add_mutually_exclusive_group()
    previews.add_argument("--no-previews", action="store_true", help="faster, and a smaller file")
    previews.add_argument(
        "--full-previews",
        action="store_true",
        help="decode every step of large pictures too, which costs about a step each",
    )
    parser.add_argument(
        "--no-attention", action="store_true", help="without where the model looks each word up"
    )
    gallery = parser.add_argument_group("handing in a run of a big model (docs/gallery.md)")
    gallery.add_argument(
        "--gallery",
        action="store_true",
        help="check the run and write both files of its entry among those that contributors record",
    )
    gallery.add_argument("--licence", help="the model's, by its name on the hub")
    gallery.add_argument("--hub-id", metavar="OWNER/NAME", help="where --model is a folder")
    gallery.add_argument(
        "--by", default="", metavar="NAME", help="who recorded it; may be left out"
    )
    parser.set_defaults(run=lambda options: run(parser, options))


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Carries the command out; returns the exit status."""
    if (options.prompt is None) == (options.prompts is None):
        parser.error("give either a prompt or --prompts FILE")
    if options.gallery and (options.prompts is not None or options.output is not None):
        parser.error("--gallery takes one prompt, and names its files itself")
    if options.gallery and options.no_previews:
        parser.error("--gallery shows every step: leave --no-previews out")
    if options.prompts is not None:
        return _record_list(options)
    wanted = _parameters(options, options.prompt)
    if options.gallery:
        return _record_for_gallery(options, wanted)
    return _record_one(options, wanted)


def _parameters(
    options: argparse.Namespace, prompt: str, pipe: DiffusionPipeline | None = None
) -> RunParameters:
    """The run that is asked for; before the model is there, with the embedded one's settings."""
    wanted: dict[str, Any] = {}
    if pipe is not None:
        from explainer.models import usual_settings

        wanted = dict(zip(_OF_THE_MODEL, usual_settings(pipe), strict=True))
    wanted |= {
        name: getattr(options, name)
        for name in ("negative_prompt", "seed", *_OF_THE_MODEL)
        if getattr(options, name) is not None
    }
    return RunParameters(prompt=prompt, **wanted)


def _record_one(options: argparse.Namespace, wanted: RunParameters) -> int:
    from explainer.sharing import slug

    path = options.output or Path()
    if path.is_dir():
        path /= f"{slug(wanted.prompt)}.trace"
    trace = _draw(options, wanted)
    trace.save(path)
    print(f"{path} {_facts(trace, path)}")
    _tell_unread(trace)
    print(f'Look at it in a notebook: ex.widgets.Player(ex.Trace.load("{path}"))')
    return 0


def _draw(options: argparse.Namespace, wanted: RunParameters) -> Trace:
    from explainer.capture import record

    pipe = _load(options)
    wanted = _parameters(options, wanted.prompt, pipe)
    return record(pipe, **wanted.arguments(), **_how(options, pipe), on_step=_Progress().show_step)


def _load(options: argparse.Namespace) -> DiffusionPipeline:
    import torch

    from explainer.models import load

    dtype = getattr(torch, options.dtype) if options.dtype else None
    return load(options.model, device=options.device, dtype=dtype, offload=options.offload)


def _how(options: argparse.Namespace, pipe: DiffusionPipeline) -> dict[str, Any]:
    """How to record, as arguments of `explainer.record`."""
    from explainer.runs import for_views

    how = for_views(pipe) | {"width": options.width, "height": options.height}
    if options.no_previews:
        how["previews"] = False
    elif options.full_previews:
        how["previews"] = {"x0": "full", "noisy": "linear"}
    if options.no_attention:
        how["attention"] = False
    return how


def _facts(trace: Trace, path: Path) -> str:
    size = path.stat().st_size / 2**20
    return f"({size:.1f} MB): {trace.calls} steps, {trace.width} × {trace.height} pixels."


def _tell_unread(trace: Trace) -> None:
    if trace.truncated:
        print(f"The model did not read the end of the prompt: {trace.truncated!r}")


class _Progress:
    """One line of the terminal, written anew at every step; nothing where nobody looks."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._began = time.monotonic()

    def show_step(self, step: int, total: int, _preview: bytes | None = None) -> None:
        self.show(f"step {step} of {total}", end="\n" if step == total else "")

    def show(self, text: str, *, end: str = "") -> None:
        if self._shown:
            print(f"\r\x1b[K{text}", end=end, flush=True, file=sys.stderr)

    def left(self, share: float) -> str:
        """How long it will still take, once that can be told."""
        passed = time.monotonic() - self._began
        if share < 0.02 or passed < 2:
            return ""
        seconds = passed * (1 - share) / share
        return f", {seconds / 60:.0f} min left" if seconds >= 90 else f", {seconds:.0f} s left"


def _record_list(options: argparse.Namespace) -> int:
    from explainer import batch

    lines = batch.read_list(options.prompts, _parameters(options, "-"))
    folder = options.output or Path("traces")
    sound = [line for line in lines if line.parameters is not None]
    for line in lines:
        if line.parameters is None:
            print(f"line {line.number} is left out: {line.problem}", file=sys.stderr)
    if not sound:
        return 2
    progress, outcomes = _Progress(), list[batch.Outcome]()

    def show(line: Line, step: int, total: int) -> None:
        done = sum(outcome.state == "recorded" for outcome in outcomes)
        there = sum(outcome.state == "there" for outcome in outcomes)
        left = progress.left((done + step / total) / max(1, len(sound) - there))
        place = f"{len(outcomes) + 1} of {len(sound)}"
        progress.show(f"{place}, line {line.number}: step {step} of {total}{left}")

    try:
        pipe = _load(options)
        sound = batch.with_usual(sound, _parameters(options, "-", pipe))
        for outcome in batch.record_list(pipe, sound, folder, on_step=show, **_how(options, pipe)):
            outcomes.append(outcome)
            progress.show("")
            _tell(outcome)
    except KeyboardInterrupt:
        progress.show("")
        print(_summary(lines, outcomes, folder), file=sys.stderr)
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        return INTERRUPTED
    print(_summary(lines, outcomes, folder))
    if outcomes and outcomes[-1].stops:
        print("The others were not tried. The same command goes on from here.", file=sys.stderr)
    return 0 if len(lines) == sum(outcome.state != "failed" for outcome in outcomes) else 1


def _tell(outcome: Outcome) -> None:
    if outcome.state == "failed":
        print(f"line {outcome.line.number} failed: {outcome.problem}", file=sys.stderr)
    else:
        print(f"line {outcome.line.number}: {outcome.path} {outcome.state}", flush=True)


def _summary(lines: list[Line], outcomes: list[Outcome], folder: Path) -> str:
    counts = {
        state: sum(outcome.state == state for outcome in outcomes)
        for state in ("recorded", "there", "failed")
    }
    bad = [line.number for line in lines if line.parameters is None]
    bad += [outcome.line.number for outcome in outcomes if outcome.state == "failed"]
    told = f"{counts['recorded']} recorded, {counts['there']} there before, of {len(lines)}"
    if bad:
        told += f"; not recorded: line{'s' * (len(bad) > 1)} {', '.join(map(str, sorted(bad)))}"
    return f"{folder}: {told}."


def _record_for_gallery(options: argparse.Namespace, wanted: RunParameters) -> int:
    from explainer import gallery, models

    if options.model is None:
        raise gallery.GalleryError(
            "The embedded model's runs are made by `make assets`. Name a big one with --model."
        )
    hub_id = options.hub_id or options.model
    licence = options.licence or _licence(models, hub_id)
    name = gallery.name_of(hub_id, wanted.prompt)
    entry = gallery.Entry(
        name=name, model=hub_id, licence=licence, hardware=_hardware(), by=options.by
    )
    gallery.check(entry, gallery.FOLDER)
    trace = _draw(options, wanted)
    path, about = _handed_in(entry, trace)
    print(f"{path} {_facts(trace, path)}")
    print(about)
    print(
        f"Nothing speaks against it. Is {licence!r} a licence under which its pictures may be "
        "shared?\nThen commit both files and open a pull request: docs/gallery.md says how."
    )
    return 0


def _handed_in(entry: Entry, trace: Trace) -> tuple[Path, Path]:
    """What `gallery.hand_in` returns; a run that it does not take is kept in this folder."""
    from explainer import gallery

    try:
        return gallery.hand_in(entry, trace, gallery.FOLDER)
    except ValueError as error:
        kept = Path(f"{entry.name}.trace")
        trace.save(kept)
        raise gallery.GalleryError(f"{error}\nThe run itself is kept in {kept}.") from error


def _licence(models: Any, hub_id: str) -> str:
    """What the hub says of a model; "" for a folder, or where the hub does not answer."""
    try:
        licence: str = models.measure(hub_id).licence
    except models.ModelError:
        return ""
    return licence


def _hardware() -> str:
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return platform.processor() or platform.machine()
