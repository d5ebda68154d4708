"""The command line: ``explainer lab | serve | record | train | evaluate``."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from explainer.parameters import RunParameters

if TYPE_CHECKING:
    from explainer.trace import Trace

    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no other name

NEXT_STEP = "New here? `explainer serve` opens the pages in a browser."
INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in {"train", "evaluate"}:
        return _delegate(*arguments)
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    try:
        return int(options.run(options))
    except _expected_errors() as error:
        print(f"explainer {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED


def _expected_errors() -> tuple[type[Exception], ...]:
    from explainer.serving import ServingError

    return (ValueError, OSError, ServingError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="explainer",
        description="See, step by step, how a diffusion model turns a sentence into a picture.",
        epilog=NEXT_STEP,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_serve(commands)
    _add_lab(commands)
    _add_record(commands)
    commands.add_parser("train", help="train the embedded model again")
    commands.add_parser("evaluate", help="measure the embedded model and write its model card")
    return parser


def _add_serve(commands: _Commands) -> None:
    parser = commands.add_parser(
        "serve",
        help="open the pages in a browser",
        description="Serve the notebooks as pages, without their code.",
        epilog="To see and change the code: explainer lab",
    )
    parser.add_argument("--port", type=_port, default=8866, help="default: 8866, or the next free")
    parser.add_argument(
        "--host", default="localhost", help="address to listen on; 0.0.0.0 lets others in"
    )
    parser.add_argument("--no-browser", action="store_true", help="only say where the pages are")
    parser.add_argument("--notebooks", type=Path, metavar="FOLDER", help="serve your own instead")
    parser.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> int:
    from explainer import serving

    serving.serve(
        options.notebooks, host=options.host, port=options.port, browser=not options.no_browser
    )
    return 0


def _add_lab(commands: _Commands) -> None:
    parser = commands.add_parser(
        "lab",
        help="open the notebooks in JupyterLab, to change them",
        description="Open the notebooks in JupyterLab. What you change there is saved.",
        epilog="To read and play without code: explainer serve",
    )
    parser.add_argument("--no-browser", action="store_true", help="only say where JupyterLab is")
    parser.add_argument("--notebooks", type=Path, metavar="FOLDER", help="open your own instead")
    parser.set_defaults(run=_lab)


def _lab(options: argparse.Namespace) -> int:
    from explainer import serving

    serving.lab(options.notebooks, browser=not options.no_browser)
    return 0


def _add_record(commands: _Commands) -> None:
    parser = commands.add_parser(
        "record",
        help="draw a prompt and keep every step in a file",
        description="Draw a prompt and keep every step in a file.",
        epilog="To look at the file, in a notebook: "
        'import explainer as ex; ex.widgets.Player(ex.Trace.load("fox.trace"))',
    )
    usual = RunParameters(prompt="-")
    parser.add_argument("prompt", help="what the picture should show")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: PROMPT.trace")
    parser.add_argument("--negative-prompt", default=usual.negative_prompt, metavar="TEXT")
    parser.add_argument("--seed", type=int, default=usual.seed, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=usual.steps, help="default: %(default)s")
    parser.add_argument(
        "--guidance-scale", type=float, default=usual.guidance_scale, help="default: %(default)s"
    )
    parser.add_argument(
        "--model", metavar="MODEL", help="a hub id or a folder; default: the embedded model"
    )
    parser.add_argument("--no-previews", action="store_true", help="faster, and a smaller file")
    parser.set_defaults(run=_record)


def _record(options: argparse.Namespace) -> int:
    wanted = RunParameters(
        prompt=options.prompt,
        negative_prompt=options.negative_prompt,
        seed=options.seed,
        steps=options.steps,
        guidance_scale=options.guidance_scale,
    )
    path = options.output or Path(f"{_file_name(wanted.prompt)}.trace")
    trace = _draw(wanted, options.model, previews=not options.no_previews)
    trace.save(path)
    size = path.stat().st_size / 2**20
    print(f"{path} ({size:.1f} MB): {trace.calls} steps, {trace.width} × {trace.height} pixels.")
    if trace.truncated:
        print(f"The model did not read the end of the prompt: {trace.truncated!r}")
    print(f'Look at it in a notebook: ex.widgets.Player(ex.Trace.load("{path}"))')
    return 0


def _draw(wanted: RunParameters, model: str | None, *, previews: bool) -> Trace:
    from explainer.capture import record
    from explainer.models import load

    return record(
        load(model),
        **wanted.arguments(),
        previews=previews,
        on_step=_show_step,
    )


def _show_step(step: int, total: int, _preview: bytes | None) -> None:
    if sys.stderr.isatty():
        print(f"\rstep {step} of {total}", end="\n" if step == total else "", file=sys.stderr)


def _file_name(prompt: str) -> str:
    """Make a short file name of a prompt's words, in whatever script they are."""
    return "-".join(re.findall(r"\w+", prompt.lower()))[:40].rstrip("-") or "run"


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 1 to 65535")
    return int(text)


def _delegate(command: str, *arguments: str) -> int:
    try:
        if command == "train":
            from storybook.training import main as run
        else:
            from storybook.evaluation import main as run
        return run(arguments)
    except ModuleNotFoundError as error:
        if error.name not in {"accelerate", "tqdm"}:
            raise
        print(
            f"explainer {command} needs {error.name}. Install it with: "
            "pip install 'storybook-explainer[train]'",
            file=sys.stderr,
        )
        return 2


if __name__ == "__main__":
    sys.exit(main())
