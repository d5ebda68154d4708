"""The gallery: a page of the embedded model's runs; all but the first are fetched when chosen."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import explainer
from explainer.parameters import RunParameters
from explainer.site.notebook import Page, SiteError
from explainer.widgets.host import Bundle, script_json
from explainer.widgets.latent_grid import LatentGrid
from explainer.widgets.player import Player
from explainer.widgets.token_row import TokenRow

if TYPE_CHECKING:
    from explainer.trace import Trace

FOLDER = "runs"
NAME = "gallery"
SCRIPT = Path(__file__).with_name("gallery.js")
RUNS = tuple(
    RunParameters(prompt=prompt, seed=seed)
    for prompt, seed in (
        ("a fox in a green coat sits on a farm in the rain, crayon", 1),
        ("a dragon reads a book in the city at night, flat vector", 42),
        ("a grandmother in a yellow dress waves at the harbour at sunset, oil painting", 43),
        ("a penguin with a red cape jumps in the mountains in the snow, paper cut-out", 44),
        ("a boy in a blue jumper sleeps in a meadow at night, soft watercolour", 25),
        ("a bear in red dungarees holds a balloon on the beach, crayon", 46),
        ("an owl in a green coat sits in a forest in the fog, pencil sketch", 47),
        ("a rabbit in a purple dress walks through an enchanted forest, ink comic", 48),
        ("a robot in a red cape jumps in the desert at sunset, pixel art", 29),
        ("a cat in a yellow coat reads a book in a village in the snow, oil painting", 50),
        ("a grandfather in a blue jumper waves at a castle, soft watercolour", 51),
        ("a frog in a green dress sits by a lake at sunset, paper cut-out", 12),
    )
)
"""What is drawn for the gallery: in words that the model met, and of three seeds each the best."""


def record(progress: Callable[[str], None]) -> list[Trace]:
    """Draw the gallery's runs with the embedded model, or take them from the trace cache.

    Nothing of it is kept in the repository, where each new set of weights would leave its runs for
    good: drawing takes some seconds each, and the cache keeps them for the next export.

    Raises:
        SiteError: One of them could not be drawn.
    """
    from explainer.runs import RunController

    traces = []
    with closing(RunController()) as controller:
        for number, parameters in enumerate(RUNS, 1):
            progress(f"gallery, run {number} of {len(RUNS)}: {parameters.prompt}")
            run = controller.submit(parameters)
            run.wait()
            if run.trace is None:
                raise SiteError(f"The gallery's run {number} could not be drawn. {run.error}")
            traces.append(run.trace)
    return traces


def page(traces: Sequence[Trace], folder: Path) -> Page:
    """Make the gallery's page, and write the runs that it fetches to `folder`/runs.

    Raises:
        SiteError: There is no run, or one holds no frames.
    """
    if not traces:
        raise SiteError("A gallery needs a run.")
    made = _mark_of(traces)
    page = Page(NAME, "Gallery: runs of the embedded model")
    states = [_states(trace) for trace in traces]
    for i, state in enumerate(states[0]):
        page.bundle.add(state, [f"#widget-{i}"])
    page.kinds = ["Player", "TokenRow", "LatentGrid"]
    page.bundle.links.append(((0, "step"), (2, "step")))
    (folder / FOLDER).mkdir(exist_ok=True)
    sizes = [_write(folder / FOLDER / f"{i}.js", i, made, run) for i, run in enumerate(states)]
    items = "".join(_item(i, trace) for i, trace in enumerate(traces))
    page.body = (
        '<div class="page-text"><h1>Gallery</h1><p>Sentences that the embedded model drew, each '
        "with the whole way from noise to picture. The seeds were chosen, of three for each "
        "sentence the best. Choose a run, then slide. Each is fetched when you choose it, about "
        f"{sum(sizes) / len(sizes) / 1e6:.1f} MB.</p></div>"
        f'<ul class="runs" data-made="{made}" data-folder="{FOLDER}">{items}</ul>'
        '<p class="page-text runs-told" role="status"></p>'
        '<div id="widget-0"></div>'
        '<div class="page-text"><h2>What it read</h2></div><div id="widget-1"></div>'
        '<div class="page-text"><h2>What it worked on</h2><p>The latents, at the step where you '
        'stand above.</p></div><div id="widget-2"></div>'
    )
    page.script = SCRIPT.read_text("utf-8")
    return page


def _states(trace: Trace) -> list[dict[str, Any]]:
    from traitlets import TraitError

    try:
        player = Player(trace)
    except TraitError as error:
        raise SiteError(f"The run “{trace.prompt}” cannot be shown: {error}") from error
    tokens = TokenRow(trace.tokens, truncated=trace.truncated)
    return [widget.get_state() for widget in (player, tokens, LatentGrid(trace))]


def _write(path: Path, number: int, made: str, states: Sequence[dict[str, Any]]) -> int:
    """Write a run as a script, which a browser fetches from a disk too; return its size."""
    bundle = Bundle()
    for state in states:
        bundle.add({"_esm": ""} | {n: v for n, v in state.items() if n not in {"_esm", "_css"}}, [])
    text = f"showRun({number}, {script_json(made)}, {bundle.json()});\n"
    path.write_text(text, "utf-8")
    return len(text)


def _item(number: int, trace: Trace) -> str:
    picture = base64.b64encode(trace.picture).decode("ascii")
    seed = "" if trace.seed is None else f"seed {trace.seed}"
    return (
        f'<li><button type="button" data-run="{number}" aria-pressed="{str(not number).lower()}">'
        f'<img alt="" src="data:image/webp;base64,{picture}">'
        f"<span>{html.escape(trace.prompt)}</span> <small>{seed}</small></button></li>"
    )


def _mark_of(traces: Sequence[Trace]) -> str:
    """Name what the page and its runs must have in common, so that no old run meets a new page."""
    what = [explainer.__version__, *(json.dumps(trace.parameters) for trace in traces)]
    return hashlib.sha256("\n".join(what).encode()).hexdigest()[:16]
