"""Offers: which views of the stages a run can be shown in.

Every view takes any model's run. What a view needs beyond the trace is said here: the model itself,
a UNet, an encoder that makes one vector of a sentence. A family's name stands nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explainer.capture.families import FAMILIES, family_of
from explainer.sharing import parameters_of
from explainer.stages import guesses, inside, knobs, latent
from explainer.widgets import curves, subjects
from explainer.widgets.subjects import Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipywidgets import Widget

    from explainer.runs import Task
    from explainer.stages.encoders import PipelineEncoder
    from explainer.widgets.addressed import Addressed

STAGES = ("Text", "Noise", "Latent", "Style")
SECOND = "a dragon reads a book in the city at night"
PHRASES = ("a fox", "a wolf", "a red car", "a blue car", "a city at night", "a village in the snow")
AXES = (("winter", "summer"), ("small", "large"))
PAIRS = (
    ("one word changed", "a cat in a red coat", "a dog in a red coat"),
    ("words swapped", "a red fox in a blue coat", "a blue fox in a red coat"),
    ("other words, same thing", "a bunny sleeps at night", "a rabbit sleeps under the stars"),
)
STYLES = ("watercolour", "pencil sketch", "oil painting", "paper cut-out")
STORY = ("{} wakes up early", "{} walks through the snow", "{} comes home at night")


Ask = Callable[[Any, "Task", Subject], Any]
Make = Callable[[Subject, Any], "Widget"]


@dataclass(frozen=True, kw_only=True)
class View:
    """One view of a stage.

    Attributes:
        stage: One of `STAGES`.
        name: What it is called.
        make: Makes the widget, of the subject and of what `ask` found.
        refuse: Says why it does not apply; "" if it does.
        live: Whether it needs the model itself.
        ask: What is asked of the pipeline first; None if nothing is.
        steps: How many steps that reports.
    """

    stage: str
    name: str
    make: Make
    refuse: Callable[[Subject], str] = lambda _subject: ""
    live: bool = False
    ask: Ask | None = None
    steps: Callable[[Subject], int] = lambda _subject: 1

    def why_not(self, subject: Subject) -> str:
        """Says why it does not apply to a subject; "" if it does."""
        reason = self.refuse(subject)
        if reason or not self.live:
            return reason
        if subject.controller is None:
            return (
                f"The file is enough for all but this: load the model ({subjects.model(subject)})."
            )
        return subjects.not_as_its_model_draws(subject)


def _encoders(pipe: Any, _task: Task, subject: Subject) -> tuple[PipelineEncoder, ...]:
    from explainer.stages.encoders import encoders_of

    trace = subject.trace
    lengths = {one.encoder: len(one.tokens) for one in trace.readings}
    family = family_of(pipe) or FAMILIES[trace.pipeline]
    first = next(r.encoder for r in family.present_readers(pipe) if r.encoder not in lengths)
    return encoders_of(pipe, lengths | {first: len(trace.tokens)})


def _pooling(encoders: Sequence[PipelineEncoder]) -> PipelineEncoder:
    return next(one for one in encoders if one.pools)


def _widgets() -> Any:
    from explainer import widgets

    return widgets


def _tokens(number: int) -> View:
    """The tokens of the first encoder, number 0, or of a further one."""

    def refuse(subject: Subject) -> str:
        count = 1 + len(subject.trace.readings)
        if number >= count:
            return f"This model reads with {('one text encoder', 'two text encoders')[count - 1]}."
        return subjects.no_tokens(subject)

    def make(subject: Subject, _found: Any) -> Widget:
        read = subject.trace.readings[number - 1] if number else subject.trace
        row: Widget = _widgets().TokenRow(read.tokens, truncated=read.truncated)
        return row

    which = ("", ", second encoder", ", third encoder")[number]
    return View(stage="Text", name=f"Tokens{which}", refuse=refuse, make=make)


def _layers(pipe: Any, task: Task, subject: Subject) -> Any:
    return _encoders(pipe, task, subject)[0].encode(subject.trace.prompt)


def _names(subject: Subject, _found: Any) -> Widget:
    from explainer.recorded import text_facts
    from explainer.stages import clip

    assert subject.folder is not None  # noqa: S101 - for mypy; `refuse` asked
    named: Widget = _widgets().PictureNames(
        clip.TextEncoder(subject.folder),
        clip.ImageEncoder(subject.folder),
        {"this run": subject.square()},
        PHRASES,
        logit_scale=clip.logit_scale(subject.folder),
        threshold=text_facts().threshold,
    )
    return named


def _look(pipe: Any, task: Task, subject: Subject) -> tuple[dict[str, Any], inside.Look | None]:
    found = inside.look(
        pipe,
        subject.trace,
        on_step=lambda done, _total: task.update(step=done),
        cancelled=task.asked_to_stop,
    )
    return dict(pipe.unet.config), found


def _guess(pipe: Any, task: Task, subject: Subject) -> guesses.Guesses | None:
    return guesses.ask(
        pipe,
        subject.square(),
        on_level=lambda done, _total: task.update(step=done),
        cancelled=task.asked_to_stop,
    )


def _unet_config(pipe: Any, _task: Task, subject: Subject) -> dict[str, Any] | None:
    return dict(pipe.unet.config) if subject.has_unet else None


def _settling(subject: Subject, _found: Any) -> Widget:
    plot: Widget = _widgets().Plot(**curves.settling(subject.trace))
    return plot


def _route(subject: Subject, _found: Any) -> Widget:
    plot: Widget = _widgets().Plot(**curves.route(subject.trace))
    return plot


def _sweep(subject: Subject, _found: Any) -> Widget:
    fitting = knobs.schedulers_for(subject.trace.scheduler)
    sweep: Widget = _widgets().Sweep(
        subject.controller,
        parameters_of(subject.trace),
        schedulers=fitting,
        avoids=subjects.avoids(subject),
    )
    return sweep


def _swap(subject: Subject, _found: Any) -> Widget:
    # The second sentence need not have the words that have weights in the first.
    base = replace(parameters_of(subject.trace), weights=())
    swap: Widget = _widgets().Swap(base, SECOND, controller=subject.controller)
    return swap


def _trips(subject: Subject, _found: Any) -> Widget:
    picture = subject.square()
    pictures = {"this run": picture, "a photograph": latent.photograph(len(picture))}
    trips: Widget = _widgets().RoundTrips(pictures, controller=subject.controller)
    return trips


def _for_this_run(view: Addressed) -> Widget:
    """Let a view stay with the run that it was made for, whatever the page's address names."""
    view.opens_address = False
    return view


def _maps(subject: Subject, _found: Any) -> Widget:
    return _for_this_run(_widgets().WordMaps(subject.controller, subject.trace))


def _sketch(subject: Subject, _found: Any) -> Widget:
    trace = subject.trace
    sketch: Widget = _widgets().Sketch(
        {"this run": subject.square()},
        trace.prompt,
        controller=subject.controller,
        steps=max(2, trace.steps),
        guidance_scale=trace.guidance_scale,
    )
    return sketch


def _style_way(kind: str, **form: str) -> Make:
    def make(subject: Subject, _found: Any) -> Widget:
        base = subject.base()
        ways: Widget = _widgets().StyleWays(
            base, kind, {"sentence": base.prompt} | form, controller=subject.controller
        )
        return ways

    return make


def _book(subject: Subject, _found: Any) -> Widget:
    book: Widget = _widgets().PictureBook(
        subject.base(),
        STYLES,
        "A day in the snow",
        [line.format("a fox") for line in STORY],
        "fox",
        controller=subject.controller,
    )
    return book


VIEWS: tuple[View, ...] = (
    *map(_tokens, range(3)),
    View(
        stage="Text",
        name="Type a sentence",
        live=True,
        refuse=subjects.no_tokens,
        ask=_encoders,
        make=lambda s, found: _for_this_run(_widgets().Sentence(found[0].reader, s.trace.prompt)),
    ),
    View(
        stage="Text",
        name="Layer by layer",
        live=True,
        refuse=subjects.no_tokens,
        ask=_layers,
        make=lambda _s, found: _widgets().TokenLayers(found),
    ),
    View(
        stage="Text",
        name="The sentence's fingerprint",
        refuse=subjects.no_vector,
        make=lambda s, _: _widgets().Fingerprint(subjects.pooled(s)),
    ),
    View(
        stage="Text",
        name="Two sentences",
        live=True,
        refuse=subjects.no_vector,
        ask=_encoders,
        make=lambda _s, found: _widgets().TwoSentences(_pooling(found), PAIRS),
    ),
    View(
        stage="Text",
        name="A map of phrases",
        live=True,
        refuse=subjects.no_vector,
        ask=_encoders,
        make=lambda _s, found: _widgets().Phrases(_pooling(found), PHRASES, AXES),
    ),
    View(stage="Text", name="Names for pictures", refuse=subjects.no_image_encoder, make=_names),
    View(
        stage="Text",
        name="Where each word is looked up",
        refuse=subjects.no_attention,
        make=_maps,
    ),
    View(
        stage="Text",
        name="A changed sentence",
        refuse=subjects.no_frames,
        make=lambda s, _: _widgets().TwoRuns(s.controller, s.second, s.trace),
    ),
    View(
        stage="Noise",
        name="Step by step",
        refuse=subjects.no_frames,
        make=lambda s, _: _widgets().Player(s.trace),
    ),
    View(
        stage="Noise",
        name="Sinking into noise",
        refuse=subjects.no_schedule,
        make=lambda s, _: _widgets().Fade({"this run": s.square()}, s.trace.scheduler_config),
    ),
    View(
        stage="Noise",
        name="Guessing the noise",
        live=True,
        refuse=subjects.not_guessable,
        ask=_guess,
        steps=lambda _s: len(guesses.TIMESTEPS),
        make=lambda s, found: _widgets().Guesses(found, controller=s.controller, source=s.square),
    ),
    View(stage="Noise", name="A step taken apart", make=lambda s, _: _widgets().Anatomy(s.trace)),
    View(stage="Noise", name="Coarse first, fine last", refuse=subjects.too_short, make=_settling),
    View(
        stage="Noise", name="Its way through latent space", refuse=subjects.too_short, make=_route
    ),
    View(
        stage="Noise",
        name="Inside the denoiser",
        live=True,
        refuse=lambda s: subjects.no_unet(s) or subjects.not_replayable(s),
        ask=_look,
        steps=lambda s: len(inside.moments(s.trace.calls)),
        make=lambda s, found: _widgets().Denoiser(*found, controller=s.controller, trace=s.trace),
    ),
    View(stage="Noise", name="Turn the knobs", live=True, refuse=subjects.no_prompt, make=_sweep),
    View(
        stage="Noise",
        name="Exchange the sentence",
        live=True,
        refuse=subjects.no_prompt,
        make=_swap,
    ),
    View(
        stage="Latent",
        name="Channel by channel",
        make=lambda s, _: _widgets().LatentGrid(s.trace),
    ),
    View(
        stage="Latent",
        name="The compression, to scale",
        live=True,
        ask=_unet_config,
        make=lambda s, found: _widgets().Compression(s.trace, found, controller=s.controller),
    ),
    View(
        stage="Latent",
        name="Switch channels off",
        live=True,
        make=lambda s, _: _widgets().Channels(s.trace, s.second, controller=s.controller),
    ),
    View(stage="Latent", name="There and back", live=True, make=_trips),
    View(
        stage="Latent",
        name="Paint on the latents",
        live=True,
        make=lambda s, _: _widgets().Brush(s.trace, controller=s.controller),
    ),
    View(
        stage="Latent",
        name="Ways through the latents",
        live=True,
        refuse=subjects.no_prompt,
        make=lambda s, _: _widgets().Walks(s.trace, s.second, SECOND, controller=s.controller),
    ),
    View(
        stage="Latent",
        name="Begin with a sketch",
        live=True,
        refuse=subjects.no_way_from_pictures,
        make=_sketch,
    ),
    View(
        stage="Style",
        name="One scene in many styles",
        live=True,
        refuse=subjects.no_prompt,
        make=lambda s, _: _widgets().Styles(s.base(), STYLES, controller=s.controller),
    ),
    View(
        stage="Style",
        name="Where style words act",
        live=True,
        refuse=subjects.no_prompt,
        make=lambda s, _: _widgets().StyleWords(s.base(), STYLES[0], controller=s.controller),
    ),
    View(
        stage="Style",
        name="Style early or late",
        live=True,
        refuse=subjects.no_prompt,
        make=lambda s, _: _widgets().StyleTimes(s.base(), STYLES[0], controller=s.controller),
    ),
    View(
        stage="Style",
        name="From style to style",
        live=True,
        refuse=subjects.no_prompt,
        make=_style_way("mix", first=STYLES[0], second=STYLES[1]),
    ),
    View(
        stage="Style",
        name="A style carried over",
        live=True,
        refuse=lambda s: subjects.not_moved(s) or subjects.no_prompt(s),
        make=_style_way("transfer", donor=SECOND, style=STYLES[0]),
    ),
    View(
        stage="Style",
        name="Which words carry the style",
        live=True,
        refuse=lambda s: subjects.not_moved(s) or subjects.no_prompt(s),
        make=_style_way("carriers", style=STYLES[0]),
    ),
    View(stage="Style", name="A storybook", live=True, refuse=subjects.no_prompt, make=_book),
)
"""All views, in the order of the stages."""


def named(name: str) -> View:
    """Returns a view by its name.

    Raises:
        ValueError: There is none.
    """
    for view in VIEWS:
        if view.name == name:
            return view
    raise ValueError(f"There is no view {name!r}; there are: {', '.join(v.name for v in VIEWS)}.")
