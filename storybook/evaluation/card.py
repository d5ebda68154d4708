"""The model card: what was measured, put into words. No number in it is written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storybook.captions import RUNNING_EXAMPLE
from storybook.dataset import PICTURES
from storybook.evaluation.copying import FLAGGED, SUSPICIOUS
from storybook.evaluation.prompts import REPORTED, in_free_wording, names_pair
from storybook.world import ACTIONS, COLOURS, NEVER_TOGETHER, PLACES, STYLES, TIMES, WHO

ATTRIBUTE_NAMES = {
    "who": "who",
    "place": "place",
    "time": "time or weather",
    "style": "style",
    "colour": "colour of clothing",
    "hair": "hair colour",
    "action": "action",
    "main": "who, place, time and style",
    "all": "everything named",
}
"""What the card and the charts call each tally, in their order."""

ROUNDED_AWAY = 0.005
"""A smaller share would be rounded to 0 %, and one as little below 1 to 100 %."""
WEAK = 0.6
"""Below this accuracy an attribute is named among the limits."""

_FRONT = """\
---
license: mit
library_name: diffusers
pipeline_tag: text-to-image
language: en
tags:
- stable-diffusion
- diffusers
- education
---
"""


def model_card(
    evaluation: Mapping[str, Any], training: Mapping[str, Any] | None, images: str
) -> str:
    """Return the model card as Markdown.

    Args:
        evaluation: what :func:`storybook.evaluation.report.measure` found.
        training: what the training wrote about itself; None if unknown.
        images: address of the folder of figures, seen from the card.
    """
    sections = [
        _head(evaluation, images),
        _use(evaluation),
        _data(training),
        _recipe(evaluation, training),
        _quality(evaluation, images),
        _limits(evaluation),
        _licence(),
    ]
    return _FRONT + "\n" + "\n".join(section.strip() + "\n" for section in sections)


def _head(evaluation: Mapping[str, Any], images: str) -> str:
    total = sum(part["parameters"] for part in evaluation["parts"].values())
    size = evaluation["size"]
    return f"""
# The storybook model

A small, real latent diffusion model that knows one world: a children's picture book. It has all
the parts of Stable Diffusion in diffusers' own layout, {total / 1e6:.1f} million parameters in
all, makes pictures of {size} × {size} pixels, and is meant for looking inside: it runs in seconds
without a GPU, and each of its training pictures can be drawn again from a number.

![Pictures for held-out prompts]({images}/contact-sheet.webp)

*The first of the prompts that it is measured with, seeds 0, 1, 2 …, not chosen;
{_made_with(evaluation)}.*

![The running example with six seeds]({images}/running-example.webp)

*“{RUNNING_EXAMPLE}”*
"""


def _made_with(evaluation: Mapping[str, Any]) -> str:
    settings, scheduler = evaluation["settings"], evaluation["scheduler"].removesuffix("Scheduler")
    return f"{settings['steps']} {scheduler} steps, guidance scale {settings['guidance_scale']:g}"


def _use(evaluation: Mapping[str, Any]) -> str:
    settings = evaluation["settings"]
    return f"""
## Use

```python
from diffusers import StableDiffusionPipeline

pipe = StableDiffusionPipeline.from_pretrained("storybook/weights")
image = pipe(
    "a fox in a red coat reads a book in the snow, soft watercolour",
    num_inference_steps={settings["steps"]},
    guidance_scale={settings["guidance_scale"]:g},
).images[0]
```

The text and image encoder are a CLIP pair: `CLIPTextModelWithProjection` loads `text_encoder/`,
`CLIPVisionModelWithProjection` loads `image_encoder/`.
"""


def _data(training: Mapping[str, Any] | None) -> str:
    drawn = training["preset"]["pictures"] if training else PICTURES
    pairs = ", ".join(f"{_value(a)} + {_value(b)}" for a, b in NEVER_TOGETHER)
    everyday = ""
    if training and "reading" in training["stages"]:
        everyday = (
            " Everyday wordings are put together by\n"
            "`storybook/everyday.py` from phrases that were written for it."
        )
    return f"""
## Data

{drawn:,} pictures and their captions, drawn and worded by this repository's own code
(`storybook/illustrator/`, `storybook/captions.py`) from a seed.{everyday} Nothing was downloaded,
nobody's pictures were used. A scene has one of {len(WHO)} figures, {len(PLACES)} places,
{len(TIMES)} times and weathers, {len(STYLES)} styles, {len(COLOURS)} colours of clothing and
{len(ACTIONS)} actions; everything that words do not fix is rolled for each picture. Held-out scenes
are counted apart and were never trained on; below, those from number {REPORTED:,} on are reported,
by which nothing was chosen. These pairs appear in no training picture: {pairs}.
"""


def _value(attribute_and_value: tuple[str, str]) -> str:
    attribute, value = attribute_and_value
    unclear = {"colour": "{} clothing", "hair": "{} hair"}
    return unclear.get(attribute, "{}").format(value)


def _recipe(evaluation: Mapping[str, Any], training: Mapping[str, Any] | None) -> str:
    parts = _table(
        ("part", "class", "parameters", "on disk"),
        (
            (f"`{name}`", f"`{part['class']}`", f"{part['parameters']:,}",
             f"{part['bytes'] / 1e6:.1f} MB")
            for name, part in evaluation["parts"].items()
        ),
    )  # fmt: skip
    return f"""
## Recipe

{parts}

Trained from random weights by `explainer train`, in stages: the autoencoder (reconstruction
of pixels and textures, a little KL), the CLIP pair (contrastive, and naming what captions say and
pictures show), and the UNet, which predicts noise, conditioned on the frozen text encoder, with
captions dropped now and then for classifier-free guidance; errors on figures count more, and how
the picture behind its guess looks counts, too (a perceptual loss on latents).{_finish(training)}

{_history(training)}
"""


def _finish(training: Mapping[str, Any] | None) -> str:
    stages = training["stages"] if training else {}
    told = ""
    if "distillation" in stages:
        told += (
            " A copy of the UNet, which is\n"
            "the one here, learns to give at once what perturbed-attention guidance would make of\n"
            "its guesses (distillation)."
        )
    if "reading" in stages:
        told += (
            " A copy of the text encoder, which is\n"
            "the one here, learns to lead the UNet by everyday wordings\n"
            "(`storybook/everyday.py`) as captions that name the same lead it (distillation, too)."
        )
    if "decoder" in stages:
        told += (
            " The decoder learns on\n"
            "alone: half of what it decodes was drawn again by the UNet, errors on figures count\n"
            "more, and a patch discriminator (an adversarial loss) asks that it looks like a\n"
            "drawing."
        )
    notes = (stage["note"] for stage in stages.values() if "note" in stage)
    return "\n".join((told, *notes))


def _history(training: Mapping[str, Any] | None) -> str:
    if training is None:
        return "How long each stage trained was not recorded."
    stages = training["stages"]
    rows = (
        (name, f"{stage['steps']:,}", f"{stage['pictures']:,}", _duration(stage["hours"]),
         "; ".join(stage["hardware"]))
        for name, stage in stages.items()
    )  # fmt: skip
    hours = sum(stage["hours"] for stage in stages.values())
    return (
        _table(("stage", "steps", "examples seen", "time", "trained on"), rows)
        + f"\n\n{_duration(hours).capitalize()} in all; seed {training['seed']}."
    )


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"


def _quality(evaluation: Mapping[str, Any], images: str) -> str:
    seen, unseen = evaluation["seen_pairs"], evaluation["unseen_pairs"]
    free, judge = evaluation["free_wording"], evaluation["judge"]
    rows = (
        (label, _share(seen[name]), _share(unseen[name]), _share(free[name]),
         _percent(judge["drawings"][name]), _percent(judge["reconstructions"][name]),
         _percent(judge["unseen_pairs"][name]))
        for name, label in ATTRIBUTE_NAMES.items()
    )  # fmt: skip
    table = _table(
        ("what the prompt names", "seen pairs", "a pair never seen", "free wording",
         "judge on drawings", "judge on autoencoded drawings", "judge on drawings of such pairs"),
        rows,
    )  # fmt: skip
    curves = (
        f"\n![Accuracy over guidance scale and steps]({images}/curves.png)\n"
        if "curves" in evaluation
        else ""
    )
    return f"""
## Measured quality

By `explainer evaluate`, on weights `{evaluation["weights"]}`; {_made_with(evaluation)},
prompt i with seed i.

**From words to pictures.** A judge says what it sees in {seen["main"]["of"]} pictures of held-out
prompts, in {unseen["main"]["of"]} whose prompts name a pair that training never shows, and in
{free["main"]["of"]} whose prompts were worded by somebody who had seen neither captions nor
everyday phrases, with such a pair in {_free_with_unseen_pairs()} of them. All scenes are new; what
comes together in them is new only where training never shows the pair. The judge is a small
classifier that shares no weights with the model, and was trained on drawings of its own: all pairs
are among them. Only what a prompt names counts. In brackets 95 % intervals (Wilson). The judge errs
too: the last three columns tell how often it is right about held-out drawings, by all that these
show, as drawn and after the autoencoder, and about drawings of the prompts with a pair that the
model never saw.

{table}

![The same as a chart, but for the judge's last two columns]({images}/accuracy.png)
{curves}
One picture took {seen["seconds"]:.2f} s in batches of {evaluation["settings"]["batch"]} on
{evaluation["machine"]["device"]} ({evaluation["machine"]["processor"]}, threads:
{evaluation["machine"]["threads"]}).

{_autoencoder(evaluation["autoencoder"], evaluation["photograph"], images)}

{_clip(evaluation["clip"])}
{_behaviour(evaluation["behaviour"], images) if "behaviour" in evaluation else ""}
{_copying(evaluation["copying"], images) if "copying" in evaluation else ""}"""


def _free_with_unseen_pairs() -> int:
    return sum(map(names_pair, in_free_wording()))


def _autoencoder(found: Mapping[str, Any], photograph: Mapping[str, Any], images: str) -> str:
    worst = found["worst_style"]
    styles = _table(
        found["by_style"].keys(), [[f"{decibels:.1f}" for decibels in found["by_style"].values()]]
    )
    return f"""\
**Autoencoder.** {found["psnr"]:.1f} dB PSNR, the mean over {found["pictures"]} held-out drawings;
worst is {worst} with {found["by_style"][worst]:.1f} dB. A photograph, of a kind it never saw
({photograph["of"]}, {photograph["size"]} pixels wide), comes back with {photograph["psnr"]:.1f} dB.

{styles}

![Drawings above, autoencoded below]({images}/autoencoder.webp)"""


def _clip(found: Mapping[str, Any]) -> str:
    rows = [
        ("a picture finds its caption", "picture_to_caption", 1 / found["pairs"]),
        ("a caption finds its picture", "caption_to_picture", 1 / found["pairs"]),
        ("place, by its words", "place_by_words", 1 / len(PLACES)),
        ("style, by its words", "style_by_words", 1 / len(STYLES)),
    ]
    table = _table(
        ("", "right", "by chance"),
        ((label, _share(found[key]), f"{chance:.1%}") for label, key, chance in rows),
    )
    return f"""\
**CLIP pair**, on {found["pairs"]} held-out drawings with one caption each. It was
also trained to name place and style, so what it tells by their words is no zero-shot result.

{table}"""


def _behaviour(found: Mapping[str, Any], images: str) -> str:
    rows = found["schedulers"]
    schedulers = _table(
        ("scheduler", "steps", "who, place, time and style"),
        ((row["scheduler"], str(row["steps"]), _share(row["main"])) for row in rows),
    )  # fmt: skip
    negative = _table(
        ("left open", "pictures", "still seen, though named", "still seen, another being named"),
        ((ATTRIBUTE_NAMES[name], str(one["named"]["of"]), _share(one["named"]),
          _share(one["another"])) for name, one in found["negative"].items()),
    )  # fmt: skip
    seeds = found["seeds"]
    apart = _table(
        ("distance between two", "CLIP", "pixels"),
        ((label, *(_spread(seeds[measure][key]) for measure in ("clip", "pixels")))
         for key, label in (
             ("seeds", "pictures of one prompt"),
             ("drawings", "drawings of one prompt"),
             ("prompts", "pictures of different prompts"),
         )),
    )  # fmt: skip
    return f"""
**Schedulers**, on the first {rows[0]["main"]["of"]} of these prompts, with the same seeds.

{schedulers}

**Negative prompts.** Held-out prompts that leave the style open, or the time, were drawn; then each
again, with the same seed and a negative prompt that names what the judge had seen. So often that is
still to be seen; beside it how often it is where another style or time is named, for every negative
prompt changes the picture.

{negative}

**Seeds.** {seeds["of"]} prompts, each drawn with {seeds["each"]} seeds, beside drawings of what
they say that differ in all that they leave open. Mean distances, in brackets what lies between 5
and 95 of 100.

{apart}

![Schedulers, negative prompts and seeds]({images}/behaviour.png)
"""


def _spread(found: Mapping[str, float]) -> str:
    return f"{found['mean']:.2f} ({found['low']:.2f}–{found['high']:.2f})"


def _copying(found: Mapping[str, Any], images: str) -> str:
    rows = [
        (label, f"{found[name]['training']:,}", f"{found[name]['pixels']['suspicious']['of']}",
         *(_suspicion(found[name][kind]) for kind in ("pixels", "clip")))
        for name, label in (("model", "this model"), ("twin", "a twin that went on with a few"))
        if name in found
    ]  # fmt: skip
    table = _table(
        ("", "trained on", "pictures made", "suspicious by pixels", "suspicious by CLIP"), rows
    )
    sheets = "\n".join(
        f"\n![The {name}'s pictures that come nearest to a training picture, by pixels and by "
        f"CLIP, each above that one]({images}/nearest-{name}.webp)"
        for name in found
    )
    farther = f"{100 * (1 - SUSPICIOUS):.0f} of 100"
    return f"""
**Does it copy?** Pictures were made from training captions, and the nearest training picture was
sought for each. Suspicious is what comes nearer
than {farther} drawings made anew from such captions, which no training saw; a model is flagged if
surely more than {FLAGGED:.0%} of its pictures are.

{table}

![How near pictures come to training pictures]({images}/copying.png)
{sheets}
"""


def _suspicion(found: Mapping[str, Any]) -> str:
    return _share(found["suspicious"]) + (", **flagged**" if found["flagged"] else "")


def _limits(evaluation: Mapping[str, Any]) -> str:
    weak = [
        f"{label} ({_percent(evaluation['seen_pairs'][name])})"
        for name, label in ATTRIBUTE_NAMES.items()
        if (evaluation["seen_pairs"][name]["share"] or 0) < WEAK
    ]
    weakest = f"- It often gets wrong: {', '.join(weak)}.\n" if weak else ""
    return f"""
## Limits

- It knows this one world and its words. Other words are read as sounds are in a foreign language:
  they change the picture, but mean nothing.
- English only, one figure a picture, no text in pictures, no photographs.
{weakest}- Captions describe figures of several ages and skin tones, but a made-up world says
  nothing about the real one.
- It is made for teaching how text-to-image models work. What holds here need not hold, in kind or
  degree, for models a thousand times its size.
"""


def _licence() -> str:
    return """
## Licence

MIT, like the code that drew the pictures and trained the model.
"""


def _share(tally: Mapping[str, Any]) -> str:
    if tally["share"] is None:
        return "–"
    return f"{_percent(tally)} ({tally['low']:.0%}–{tally['high']:.0%})"


def _percent(tally: Mapping[str, Any]) -> str:
    """Return a share in per cent; only what is none is called none, and only what is all, all."""
    if tally["share"] is None:
        return "–"
    if 0 < tally["share"] < ROUNDED_AWAY:
        return "<1%"
    if 1 - ROUNDED_AWAY < tally["share"] < 1:
        return ">99%"
    return f"{tally['share']:.0%}"


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0])]
    lines += [list(row) for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
