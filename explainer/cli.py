"""The command line: ``explainer lab | serve | record | export | train | evaluate``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from explainer import record_command, serving
from explainer.record_command import INTERRUPTED
from explainer.site import command as export_command

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no other name

NEXT_STEP = "New here? `explainer serve` opens the pages in a browser."


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
    except (ValueError, OSError, serving.ServingError) as error:
        print(f"explainer {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="explainer",
        description="See, step by step, how a diffusion model turns a sentence into a picture.",
        epilog=NEXT_STEP,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_serve(commands)
    _add_lab(commands)
    record_command.add(commands)
    export_command.add(commands)
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
    parser.add_argument(
        "--readers", type=_count, metavar="N", help="pages open at once; default: what fits"
    )
    _add_public(parser.add_argument_group("for readers whom you do not know"))
    parser.set_defaults(run=_serve, refuse=parser.error)


def _add_public(parser: argparse._ArgumentGroup) -> None:
    usual = serving.Public()
    parser.add_argument(
        "--public",
        action="store_true",
        help="log and keep nothing of theirs, and hold them to the limits below",
    )
    parser.add_argument(
        "--allow-model",
        action="append",
        type=_found_from_anywhere,
        metavar="MODEL",
        help="a hub id or a folder that they may load, besides the embedded model",
    )
    parser.add_argument(
        "--most-steps",
        type=_count,
        metavar="N",
        help=f"of a run; default: {usual.steps}",
    )
    parser.add_argument(
        "--most-seconds",
        type=_count,
        metavar="N",
        help=f"of a run; default: {usual.seconds:g}",
    )


def _serve(options: argparse.Namespace) -> int:
    limits = {
        "models": options.allow_model and tuple(options.allow_model),
        "steps": options.most_steps,
        "seconds": options.most_seconds,
    }
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if given and not options.public:
        options.refuse(
            "--allow-model, --most-steps and --most-seconds hold nobody without --public"
        )
    serving.serve(
        options.notebooks,
        host=options.host,
        port=options.port,
        browser=not options.no_browser,
        public=serving.Public(**given) if options.public else None,
        readers=options.readers,
    )
    return 0


def _found_from_anywhere(model: str) -> str:
    """Write a folder out in full: the pages look for it from their own. A hub id stays."""
    folder = Path(model)
    return str(folder.resolve()) if folder.is_dir() else model


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
    serving.lab(options.notebooks, browser=not options.no_browser)
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of them; give 1 or more")
    return int(text)


def _delegate(command: str, *arguments: str) -> int:
    try:
        if command == "train":
            from storybook.training import main as run
        else:
            from storybook.evaluation import main as run
        return run(arguments)
    except ModuleNotFoundError as error:
        if error.name != "accelerate":
            raise
        print(
            f"explainer {command} needs {error.name}. Install it with: "
            "pip install 'storybook-explainer[train]'",
            file=sys.stderr,
        )
        return 2


if __name__ == "__main__":
    sys.exit(main())
