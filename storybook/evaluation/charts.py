"""The charts beside the model card, drawn from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from storybook.evaluation.card import ATTRIBUTE_NAMES
from storybook.evaluation.copying import BINS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#2f6f8f", "#d98032", "#4d8a4a", "#9a9a9a"


def charts(evaluation: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw all charts of what was measured, by file name."""
    drawn = {"accuracy.png": accuracy_chart(evaluation)}
    for name, draw in (
        ("curves", curves_chart), ("copying", copying_chart), ("behaviour", behaviour_chart),
    ):  # fmt: skip
        if name in evaluation:
            drawn[f"{name}.png"] = draw(evaluation[name])
    return drawn


def accuracy_chart(evaluation: Mapping[str, Any]) -> Figure:
    """Draw each attribute's accuracy with its interval, beside the judge's own."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    series = (
        ("prompts with pairs seen in training", evaluation["seen_pairs"], BLUE, "o"),
        ("prompts with a pair never seen", evaluation["unseen_pairs"], ORANGE, "s"),
        ("prompts in free wording", evaluation["free_wording"], GREEN, "^"),
        ("the judge's own accuracy, on drawings", evaluation["judge"]["drawings"], GREY, "|"),
    )
    for place, (label, tallies, colour, marker) in enumerate(series):
        _points(axes, tallies, (1.5 - place) * 0.19, label, colour, marker)
    axes.set_yticks(range(len(ATTRIBUTE_NAMES)), ATTRIBUTE_NAMES.values())
    axes.invert_yaxis()
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_xlabel("pictures that show what the prompt names (95 % interval)")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=2, fontsize=7, frameon=False)
    return figure


def _points(
    axes: Axes, tallies: Mapping[str, Any], shift: float, label: str, colour: str, marker: str
) -> None:
    rows = [
        (height, tallies[name])
        for height, name in enumerate(ATTRIBUTE_NAMES)
        if tallies[name]["share"] is not None
    ]
    shares = [tally["share"] for _, tally in rows]
    reach = [
        [tally["share"] - tally["low"] for _, tally in rows],
        [tally["high"] - tally["share"] for _, tally in rows],
    ]
    axes.errorbar(
        shares, [height - shift for height, _ in rows], xerr=np.abs(reach), label=label,
        color=colour, fmt=marker, markersize=5, elinewidth=1.2, capsize=2,
    )  # fmt: skip


def curves_chart(curves: Mapping[str, list[dict[str, Any]]]) -> Figure:
    """Draw accuracy over the guidance scale and over the number of steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (rows, key, title) in zip(
        panels,
        (
            (curves["guidance"], "guidance_scale", "guidance scale"),
            (curves["steps"], "steps", "steps"),
        ),
        strict=True,
    ):
        for name in ("who", "place", "time", "style", "colour"):
            axes.plot(
                [row[key] for row in rows],
                [row[name]["share"] for row in rows],
                marker="o",
                markersize=3,
                label=ATTRIBUTE_NAMES[name],
            )
        axes.set_xlabel(title)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(0, 1)
    panels[0].yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    panels[0].legend(fontsize=7, frameon=False)
    return figure


def copying_chart(copying: Mapping[str, Any]) -> Figure:
    """Draw histograms of distances to the nearest training picture, by pixels and by CLIP."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    for axes, (kind, title) in zip(
        figure.subplots(1, 2),
        (("pixels", "RMS difference of thumbnails"), ("clip", "CLIP distance")),
        strict=True,
    ):
        _histograms(axes, kind, copying)
        axes.set_xlabel(f"{title} to the nearest")
        axes.set_yticks([])
        axes.spines[["top", "right", "left"]].set_visible(False)
    figure.axes[0].set_ylabel("share of pictures")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=7, frameon=False)
    return figure


def _histograms(axes: Axes, kind: str, copying: Mapping[str, Any]) -> None:
    model = copying["model"][kind]
    series = [
        ("drawings never trained on, to training pictures", model["drawings"], GREY, "-", True),
        ("the same drawings, among each other", model["among"], GREY, ":", False),
        ("the model's pictures, to training pictures", model["model"], BLUE, "-", False),
    ]
    if "twin" in copying:
        counts = copying["twin"][kind]["model"]
        series.append(("the twin's, to what it learned by heart", counts, ORANGE, "-", False))
    last = 1
    for label, counts, colour, dashes, filled in series:
        shares = np.array(counts) / sum(counts)
        axes.stairs(
            shares, BINS[kind], label=label, color=colour, linestyle=dashes, fill=filled,
            linewidth=1.5, alpha=0.5 if filled else 1,
        )  # fmt: skip
        last = max(last, int(np.flatnonzero(shares)[-1]) + 1)
    limit = "the model's: nearer is suspicious"
    axes.axvline(model["limit"], color="black", linewidth=0.8, label=limit)
    axes.set_xlim(0, BINS[kind][last])


def behaviour_chart(behaviour: Mapping[str, Any]) -> Figure:
    """Draw what schedulers, negative prompts and seeds do."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _schedulers(left, behaviour["schedulers"])
    _negative(middle, behaviour["negative"])
    _seeds(right, behaviour["seeds"]["clip"])
    for axes in figure.axes:
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
        axes.invert_yaxis()
    return figure


def _schedulers(axes: Axes, rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(row["scheduler"] for row in rows))
    lengths = dict.fromkeys(row["steps"] for row in rows)
    for steps, colour, shift in zip(lengths, (BLUE, ORANGE), (-0.12, 0.12), strict=True):
        some = [
            (names.index(row["scheduler"]) + shift, row["main"])
            for row in rows
            if row["steps"] == steps
        ]
        _shares(axes, some, f"{steps} steps", colour)
    axes.set_yticks(range(len(names)), names)
    axes.set_title("who, place, time and style\nare right", fontsize=8)


def _negative(axes: Axes, negative: Mapping[str, Any]) -> None:
    for key, label, colour, shift in (
        ("another", "another named", GREY, -0.1), ("named", "it is named", ORANGE, 0.1),
    ):  # fmt: skip
        rows = [(place + shift, found[key]) for place, found in enumerate(negative.values())]
        _shares(axes, rows, label, colour)
    axes.set_yticks(range(len(negative)), [ATTRIBUTE_NAMES[name] for name in negative])
    axes.set_ylim(-0.6, len(negative) - 0.4)
    axes.set_title("still shown, though\nthe negative prompt …", fontsize=8)


def _shares(
    axes: Axes, rows: list[tuple[float, Mapping[str, Any]]], label: str, colour: str
) -> None:
    shares = [tally["share"] for _, tally in rows]
    reach = [[t["share"] - t["low"] for _, t in rows], [t["high"] - t["share"] for _, t in rows]]
    axes.errorbar(
        shares, [at for at, _ in rows], xerr=np.abs(reach), label=label, color=colour, fmt="o",
        markersize=4, elinewidth=1.2, capsize=2,
    )  # fmt: skip
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.08)}
    axes.legend(fontsize=7, frameon=False, **below)


def _seeds(axes: Axes, found: Mapping[str, Any]) -> None:
    labels = {
        "seeds": "seeds of\none prompt",
        "drawings": "drawings of\none prompt",
        "prompts": "prompts",
    }
    for at, name in enumerate(labels):
        row, colour = found[name], GREY if name == "drawings" else BLUE
        axes.plot([row["low"], row["high"]], [at, at], color=colour, linewidth=1.2)
        axes.plot([row["mean"]], [at], "o", color=colour, markersize=4)
    axes.set_yticks(range(3), labels.values())
    axes.set_ylim(-0.6, 2.6)
    axes.set_xlim(left=0)
    axes.set_title("CLIP distance between\ntwo …", fontsize=8)
