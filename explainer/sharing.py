"""What of a run can be taken away: its link, its picture, a moving picture, and the run itself."""

from __future__ import annotations

import io
import json
import re
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from reprlib import repr as shorten
from typing import TYPE_CHECKING, Literal

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

import explainer
from explainer.look import INK, PAPER, SOFT
from explainer.parameters import ParameterError, RunParameters
from explainer.pictures import opened

if TYPE_CHECKING:
    from explainer.trace import Trace

__all__ = [
    "animation",
    "began_with_picture",
    "file_name",
    "parameters_of",
    "query",
    "slug",
    "still",
]

MOST_FRAMES = 60
SIDE = 256
"""Smaller pictures are enlarged to this many pixels, so that the caption below can be read."""
LARGEST = 512
"""Larger ones are made smaller: all of a moving picture is in memory at once."""
GAP = 8
STEP_MS = 130
END_MS = 2500
LETTERS = 60
"""In a line of the caption."""
LINE = 20
"""Pixels from one line of the caption to the next."""


def parameters_of(trace: Trace) -> RunParameters:
    """Returns what asks for this run; its scheduler too, but for the embedded model's own.

    Raises:
        ParameterError: It was recorded otherwise than one may ask for: without a seed, with 1000
            steps, from a picture, with settings such as `eta`, or, of the embedded model, at
            another size than its own. Of other models nobody knows here which one that is.
    """
    if trace.seed is None:
        raise ParameterError("seed", "It was recorded without a seed, which would name its noise.")
    _check_start(trace)
    _check_settings(trace)
    return RunParameters(
        prompt=trace.prompt,
        negative_prompt=trace.negative_prompt,
        seed=trace.seed,
        steps=trace.steps,
        guidance_scale=trace.guidance_scale,
        scheduler=None if _has_usual_scheduler(trace) else trace.scheduler,
        weights=tuple(trace.weights.items()),
    )


def query(trace: Trace) -> str:
    """Returns the query of a link that opens this run; "" where no link can ask for it."""
    try:
        return parameters_of(trace).to_query()
    except ParameterError:
        return ""


def file_name(trace: Trace, suffix: str) -> str:
    """Returns a name for a file of this run: its first words and its seed."""
    seed = "" if trace.seed is None else f"-seed-{trace.seed}"
    return f"{slug(trace.prompt, 48)}{seed}{suffix}"


def slug(text: str, most: int = 40, *, empty: str = "run") -> str:
    """Returns a short name for a file, of a text's words, in whatever script they are.

    Args:
        text: Such as a prompt.
        most: Characters.
        empty: The name where there is no word.
    """
    return "-".join(re.findall(r"\w+", text.lower()))[:most].rstrip("-") or empty


def still(trace: Trace) -> bytes:
    """Returns the final picture as PNG, with all that names the run in its text fields.

    They are `prompt`, `negative_prompt`, `seed`, `steps`, `guidance_scale`, `scheduler`,
    `width`, `height`, `weights`, `settings`, `missing` (see `Trace`), `model` and `fingerprint`;
    what is no text is JSON. `Software` names this package.
    """
    about = PngImagePlugin.PngInfo()
    about.add_itxt("Software", f"storybook-explainer {explainer.__version__}")
    about.add_itxt("model", trace.model)
    for name, value in trace.parameters.items():
        about.add_itxt(name, value if isinstance(value, str) else json.dumps(value))
    file = io.BytesIO()
    trace.image().save(file, "PNG", pnginfo=about)
    return file.getvalue()


def animation(
    trace: Trace,
    kind: Literal["WEBP", "GIF"] = "WEBP",
    on_step: Callable[[int, int], None] | None = None,
) -> bytes:
    """Returns the run as a moving picture: noisy state, predicted picture, and what they are.

    At most 60 steps are shown, evenly chosen; the finished picture stands at the end for a while.
    Pictures of more than 512 pixels a side are made smaller.

    Args:
        trace: The run.
        kind: Of file.
        on_step: Called after each picture that is put together with how many there are now and how
            many there will be. What it raises ends the work.

    Raises:
        ValueError: The trace was recorded without frames.
    """
    if not {"noisy", "x0"} <= trace.frames.keys():
        raise ValueError("This run holds no frames to move. Record it with previews=True.")
    count = min(MOST_FRAMES, trace.calls)
    steps = [round(i * (trace.calls - 1) / max(1, count - 1)) for i in range(count)]
    frames = []
    for k in (*steps, None):
        frame = _last(trace) if k is None else _step(trace, k)
        if kind == "GIF":  # Pillow's own way to 256 colours takes ten times as long
            frame = frame.quantize(method=Image.Quantize.FASTOCTREE)
        frames.append(frame)
        if on_step is not None:
            on_step(len(frames), count + 1)
    file = io.BytesIO()
    options = {"quality": 80, "method": 0} if kind == "WEBP" else {"optimize": False}
    frames[0].save(
        file,
        kind,
        save_all=True,
        append_images=frames[1:],
        duration=[STEP_MS] * len(steps) + [END_MS],
        loop=0,
        **options,
    )
    return file.getvalue()


def _step(trace: Trace, step: int) -> Image.Image:
    shown = [opened(trace.frames[name][step]) for name in ("noisy", "x0")]
    return _sheet(trace, shown, _words(trace, step))


def _last(trace: Trace) -> Image.Image:
    return _sheet(trace, [trace.image()] * 2, _words(trace, None))


def _words(trace: Trace, step: int | None) -> str:
    seed = "" if trace.seed is None else f"seed {trace.seed} · "
    if step is None:
        state = "finished" if trace.complete else "stopped"
        return f"{seed}{trace.calls} steps · guidance {trace.guidance_scale:g} · {state}"
    noise = round(100 * (1 - float(trace.signal[step])))
    return f"{seed}step {step} of {trace.calls} · {noise} % noise · what the model predicts now →"


def _sheet(trace: Trace, pictures: list[Image.Image], words: str) -> Image.Image:
    """Two pictures side by side, below them the prompt and a line of words."""
    longest = max(trace.width, trace.height)
    scale = min(max(1, -(-SIDE // longest)), LARGEST / longest)
    width, height = (max(1, round(scale * side)) for side in (trace.width, trace.height))
    prompt = textwrap.wrap(f"“{trace.prompt}”", LETTERS * (2 * width + GAP) // (2 * SIDE + GAP))
    lines = prompt[:3] or [""]
    sheet = Image.new("RGB", (2 * width + GAP, height + 2 * GAP + LINE * (len(lines) + 1)), PAPER)
    for place, picture in enumerate(pictures):
        fitted = picture.resize((width, height), Image.Resampling.BICUBIC)
        sheet.paste(fitted, (place * (width + GAP), 0))
    draw = ImageDraw.Draw(sheet)
    for line, text in enumerate(lines):
        draw.text((GAP, height + GAP + line * LINE), text, INK, font=_font("Serif-Italic", 15))
    last = height + GAP + len(lines) * LINE
    draw.text((GAP, last), words, SOFT, font=_font("Sans", 12))
    return sheet


@cache
def _font(style: str, size: int) -> ImageFont.FreeTypeFont:
    """A font that knows most alphabets; it comes with matplotlib."""
    from matplotlib import get_data_path

    path = Path(get_data_path()) / "fonts" / "ttf" / f"DejaVu{style}.ttf"
    return ImageFont.truetype(path, size)


def began_with_picture(trace: Trace) -> bool:
    """Whether the run needs a picture to be made again, which it does not hold."""
    return any(kind in trace.pipeline for kind in ("Img2Img", "Inpaint", "ControlNet"))


def _check_start(trace: Trace) -> None:
    """Refuses a run that begins with something else than a model's own size of noise."""
    if began_with_picture(trace):
        raise ParameterError("image", "It was given a picture, which the run does not hold.")
    if _is_embedded(trace) and (trace.height, trace.width) != _usual_size():
        height, width = _usual_size()
        raise ParameterError(
            "size",
            f"It is {trace.width} × {trace.height} pixels large; of itself the model draws "
            f"{width} × {height}.",
        )


def _check_settings(trace: Trace) -> None:
    """Refuses a run that was asked for more than `RunParameters` has names for."""
    names = (*trace.settings, *trace.missing)
    if names:
        told = (f"{name}={shorten(value)}" for name, value in trace.settings.items())
        raise ParameterError(
            names[0],
            f"It was drawn with {', '.join((*told, *trace.missing))}, which cannot be asked for "
            "here. explainer.capture.resume makes it again.",
        )


def _is_embedded(trace: Trace) -> bool:
    from explainer.models import embedded_fingerprint

    return trace.fingerprint == embedded_fingerprint()


def _has_usual_scheduler(trace: Trace) -> bool:
    """Whether it goes without saying; of another model nobody knows here which one it has."""
    return _is_embedded(trace) and trace.scheduler == _usual_scheduler()


@cache
def _usual_size() -> tuple[int, int]:
    from explainer.measuring import of_folder
    from explainer.models import embedded_folder

    return of_folder(embedded_folder()).size


@cache
def _usual_scheduler() -> str:
    from explainer.models import embedded_folder

    path = embedded_folder() / "model_index.json"
    return str(json.loads(path.read_text("utf-8"))["scheduler"][1]) if path.is_file() else ""
