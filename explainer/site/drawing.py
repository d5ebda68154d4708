"""Drawing in the browser: the scripts, the runtime and the model that a site holds for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from explainer.parameters import RunParameters
from explainer.site import model, runtime
from explainer.widgets.host import script_json

FOLDER = "live"
SCRIPTS = ("drawing.js", "followers.js", "curves.js", "picture_file.js", "trace_file.js")
_LIVE = Path(__file__).with_name("live")
_NAMES = {"wasm": "WebAssembly", "webgpu": "WebGPU"}


def check() -> None:
    """Make sure that what `write` takes is here, before anything that takes long is begun.

    Raises:
        SiteError: npm or a package is missing, or npm could not fetch the runtime.
    """
    model.check_packages()
    runtime.package()


def write(folder: Path, progress: Callable[[str], None], pipe: Any = None) -> dict[str, int]:
    """Write all that drawing takes to `folder`/live.

    Args:
        folder: The site's.
        progress: Told what is being done.
        pipe: The pipeline to draw with; the embedded model's if not given.

    Returns:
        Bytes of the model's and the runtime's files that the first run fetches, by their addresses
        in there. Scripts are not among them; of the two runtimes a browser takes one.

    Raises:
        SiteError: The model is none that the browser can run, or what writes it is missing.
    """
    from explainer.models import load

    live = folder / FOLDER
    shutil.copytree(_LIVE, live, dirs_exist_ok=True)
    progress("bundling the runtime that draws in the browser")
    runtime.write(live / "ort")
    progress("writing the model for the browser, which takes a minute")
    model.write(pipe or load(device="cpu"), live / "model")
    return {
        path.relative_to(live).as_posix(): path.stat().st_size
        for path in sorted(live.rglob("*"))
        if path.suffix in {".bin", ".onnx", ".json"}
    }


def megabytes(sizes: dict[str, int], kind: str) -> float:
    """Return what the first run makes a browser fetch, runtime of this kind and model."""
    return (
        sum(size for name, size in sizes.items() if name.startswith(("model/", f"ort/{kind}.")))
        / 1e6
    )


def note(sizes: dict[str, int]) -> str:
    """Return what the writer of a site should know."""
    told = ", ".join(f"{megabytes(sizes, kind):.0f} MB with {_NAMES[kind]}" for kind in _NAMES)
    return f"A first picture of one's own makes the browser fetch {told}."


def script() -> str:
    """Return the script of a page whose studios draw in the browser."""
    return "\n".join(Path(__file__).with_name(name).read_text("utf-8") for name in SCRIPTS)


def _usual() -> dict[str, str]:
    """What fills the form where a link leaves something out, which is what is usual."""
    usual = RunParameters(prompt="-")
    return {
        "negative_prompt": usual.negative_prompt,
        "seed": str(usual.seed),
        "steps": str(usual.steps),
        "guidance_scale": f"{usual.guidance_scale:g}",
    }


def element(sizes: dict[str, int]) -> str:
    """Return the element of a page that tells its script where to find all that."""
    facts = {"folder": FOLDER, "sizes": sizes, "usual": _usual()}
    return f'<script type="application/json" id="drawing">{script_json(facts)}</script>'
