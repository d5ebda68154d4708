"""Draw what big models take in memory, for the page about one's own model.

    .venv/bin/python scripts/draw_memory.py

Ours is measured on the embedded weights; the others' numbers are those of
`explainer.measuring.PUBLISHED`.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from explainer import look, measuring, memory, models
from explainer.look import INK, PAPER, SOFT
from explainer.measuring import Needs

PICTURE = Path(__file__).resolve().parent.parent / "notebooks" / "images" / "memory.png"
"""Voilà, where a server brings its own, shows no WebP files."""
LETTERS = look.STATIC / "fonts" / "atkinson-hyperlegible-next-latin-wght-normal.woff2"
"""Those of the pages themselves."""
WIDTH, EDGE, ROW, BAR, TOP = 1200, 24, 118, 44, 76
TYPE = 40
"""On a phone the picture is a third as wide, and must still be read."""
RULE = (196, 184, 168)
KINDS = {
    "denoiser": (160, 68, 23),
    "text encoders": (33, 102, 172),
    "autoencoder": (120, 112, 150),
}
GPUS = (8, 16, 24)
"""Gigabytes of memory that graphics cards have."""


def draw() -> Image.Image:
    """Return the picture: one bar a model, its weights in half precision."""
    ours = measuring.of_folder(models.embedded_folder())
    shown = [("Our storybook model", ours)]
    shown += [(needs.model, needs) for needs in measuring.PUBLISHED]
    most = max(needs.weights("bfloat16") for _, needs in shown) / 1e9 * 1.06
    height = TOP + ROW * len(shown) + 84
    image = Image.new("RGB", (WIDTH, height), PAPER)
    pen = ImageDraw.Draw(image)

    def across(gigabytes: float) -> float:
        return EDGE + (WIDTH - 2 * EDGE) * gigabytes / most

    for size in GPUS:
        x = across(size)
        pen.line([(x, TOP - 12), (x, TOP + ROW * len(shown))], fill=RULE, width=3)
        pen.text((x, TOP - 18), f"{size} GB", SOFT, font=_font(TYPE), anchor="ms")
    for i, (name, needs) in enumerate(shown):
        y = TOP + (i + 1) * ROW - BAR - 10
        words = f"{name}: {memory.gigabytes(needs.weights('bfloat16'))}"
        pen.rectangle(pen.textbbox((EDGE, y - 14), words, _font(TYPE), anchor="ls"), PAPER)
        pen.text((EDGE, y - 14), words, INK, font=_font(TYPE), anchor="ls")
        end = 0.0
        for kind, colour in KINDS.items():
            start, end = end, end + _gigabytes(needs, kind)
            pen.rectangle([across(start), y, max(across(start) + 2, across(end)), y + BAR], colour)
    _legend(pen, height - 40)
    return image


def _gigabytes(needs: Needs, kind: str) -> float:
    return sum(2 * part.values for part in needs.parts if _kind(part.name) == kind) / 1e9


def _kind(part: str) -> str:
    if part.startswith("text_encoder"):
        return "text encoders"
    return "autoencoder" if part == "vae" else "denoiser"


def _legend(pen: ImageDraw.ImageDraw, y: int) -> None:
    x = float(EDGE)
    for kind, colour in KINDS.items():
        pen.rectangle([x, y - 18, x + 36, y + 18], colour)
        pen.text((x + 50, y), kind, SOFT, font=_font(TYPE), anchor="lm")
        x += 96 + pen.textlength(kind, _font(TYPE))


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(LETTERS, size)


def main() -> None:
    """Draw it into its file."""
    draw().save(PICTURE, optimize=True)
    print(f"{PICTURE} {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
