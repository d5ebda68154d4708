"""Subjects: a run that is to be shown, and what it lacks for this view or that.

A reason is a sentence for the reader, or "" where nothing is lacking.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from explainer import measuring, models
from explainer.capture.families import FAMILIES
from explainer.parameters import ParameterError
from explainer.sharing import began_with_picture, parameters_of
from explainer.stages import noise

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from explainer.parameters import RunParameters
    from explainer.runs import RunController
    from explainer.trace import Trace


@dataclass(frozen=True, eq=False)
class Subject:
    """What is to be shown.

    Attributes:
        trace: A run.
        other: Another run of the same model and size, where there is one.
        controller: Computes with the run's model; None where only the trace is here.
        folder: The model's folder on this machine, where it has one.
    """

    trace: Trace
    other: Trace | None = None
    controller: RunController | None = None
    folder: Path | None = None

    @property
    def second(self) -> Trace:
        """The other run; the same one where there is none."""
        return self.trace if self.other is None else self.other

    @property
    def has_unet(self) -> bool:
        """Whether the denoiser is a UNet, going by the pipeline's class."""
        family = FAMILIES.get(self.trace.pipeline)
        return family is not None and family.denoiser == "unet"

    def base(self) -> RunParameters:
        """The run without style words: what follows the last comma of its prompt."""
        parameters = parameters_of(self.trace)
        scene, comma, _style = parameters.prompt.rpartition(", ")
        prompt = scene if comma and scene else parameters.prompt
        # What is drawn from here has other words, which those that have weights may not be among.
        return replace(parameters, prompt=prompt, weights=())

    def square(self) -> NDArray[np.uint8]:
        """The middle square of the picture: uint8, shape (size, size, 3)."""
        picture = np.asarray(self.trace.image(), np.uint8)
        height, width = picture.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return picture[top : top + side, left : left + side]


def paired(subject: Subject, trace: Trace) -> Subject:
    """Returns the subject with another run first, and the former second if both are alike."""
    former = subject.trace
    alike = former.fingerprint == trace.fingerprint and (
        former.latents.shape[1:] == trace.latents.shape[1:]
    )
    return replace(subject, trace=trace, other=former if alike else None)


def model(subject: Subject) -> str:
    """Returns what the subject's model is called."""
    return subject.trace.model or "unnamed"


def avoids(subject: Subject) -> bool:
    """Returns whether the model heeds a negative prompt, as far as its pipeline is known."""
    family = FAMILIES.get(subject.trace.pipeline)
    return family is None or family.avoids


def no_tokens(subject: Subject) -> str:
    """Says why there are no tokens."""
    return "" if subject.trace.tokens else "The run was given embeddings; nobody typed a sentence."


def no_frames(subject: Subject) -> str:
    """Says why there are no pictures of the steps."""
    if {"x0", "noisy"} <= subject.trace.frames.keys():
        return ""
    return "The run was recorded without frames (--no-previews)."


def no_attention(subject: Subject) -> str:
    """Says why there is no attention to show on them."""
    missing = "" if subject.trace.attention else "The run was recorded without attention."
    return no_tokens(subject) or no_frames(subject) or missing


def no_prompt(subject: Subject) -> str:
    """Says why the run cannot be made again."""
    if not subject.trace.prompt.strip() or subject.trace.seed is None:
        return "No prompt and seed name the run, so that it cannot be made again."
    try:
        parameters_of(subject.trace)
    except ParameterError as error:
        return f"The run cannot be made again here. {error}"
    return ""


def not_replayable(subject: Subject) -> str:
    """Says why no step of the run can be computed again from what was recorded."""
    if not subject.trace.prompt.strip():
        return "The run was given embeddings; no prompt is there to be read again."
    if began_with_picture(subject.trace):
        return "The run was given a picture, which it does not hold."
    if subject.trace.missing:
        return f"The run was given {', '.join(subject.trace.missing)}, which it does not hold."
    return ""


def not_as_its_model_draws(subject: Subject) -> str:
    """Says why a server for strangers computes nothing on a run: its file may hold anything.

    How large its latents are and what it was asked for besides decides what computing takes.
    """
    controller, trace = subject.controller, subject.trace
    if controller is None or controller.limits.models is None:
        return ""
    most, (size, factor) = controller.limits.steps, _of_itself(subject)
    latents = (size[0] // factor, size[1] // factor)
    if (trace.height, trace.width) != size or trace.latents.shape[2:] != latents:
        return f"This server computes with pictures of {size[1]} × {size[0]} pixels only."
    if trace.steps > most:
        return f"The run has {trace.steps} steps, and this server draws at most {most}."
    if trace.settings:
        return (
            f"The run was drawn with {', '.join(trace.settings)}, which cannot be asked for on "
            "this server."
        )
    return ""


def _of_itself(subject: Subject) -> tuple[tuple[int, int], int]:
    """The size of the model's pictures, and the pixels of a side for one of its latents'."""
    pipe = None if subject.controller is None else subject.controller.pipe
    if pipe is not None:
        return models.picture_size(pipe), int(pipe.vae_scale_factor)
    needs = _measured(subject.folder or models.embedded_folder())
    return needs.size, needs.factor


@cache
def _measured(folder: Path) -> measuring.Needs:
    return measuring.of_folder(folder)


def too_short(subject: Subject) -> str:
    """Says why no curve can be drawn over the steps."""
    return "" if subject.trace.calls > 1 else "The run has one step, and a curve needs two."


def no_unet(subject: Subject) -> str:
    """Says why there is no UNet to look into."""
    if subject.has_unet:
        return ""
    return _unknown(subject) or (
        "Its denoiser is a transformer: a row of equal blocks, not the ladder that is drawn here."
    )


def not_guessable(subject: Subject) -> str:
    """Says why the denoiser cannot be asked at any timestep."""
    if subject.has_unet:
        return ""
    return _unknown(subject) or (
        "A UNet is asked here at one timestep after another; a transformer's steps are its own."
    )


def _unknown(subject: Subject) -> str:
    """Says that the pipeline is no known one, such as a class of the reader's own."""
    if subject.trace.pipeline in FAMILIES:
        return ""
    return f"What the denoiser of a {subject.trace.pipeline} is like is not known here."


def no_schedule(subject: Subject) -> str:
    """Says why it is not known how noise is added."""
    try:
        noise.signal_left(subject.trace.scheduler_config)
    except ValueError as error:
        return str(error)
    return ""


def no_vector(subject: Subject) -> str:
    """Says why no one vector stands for the sentence."""
    if pooled(subject) is None:
        return "Its text encoder (T5) makes no one vector of a sentence, only one for each token."
    return ""


def no_image_encoder(subject: Subject) -> str:
    """Says why the model cannot look at pictures."""
    if subject.folder is not None and (subject.folder / "image_encoder").is_dir():
        return ""
    return "Only a CLIP pair can name pictures, and this model comes with the text half alone."


def pooled(subject: Subject) -> NDArray[np.float32] | None:
    """Returns the one vector of the sentence, of the first encoder that makes one, if any does."""
    trace = subject.trace
    vectors = (trace.pooled_embedding, *(one.pooled_embedding for one in trace.readings))
    return next((vector for vector in vectors if vector.size), None)


def no_way_from_pictures(subject: Subject) -> str:
    """Says why no run can begin with a picture."""
    if subject.trace.pipeline.startswith("PixArt"):
        return "diffusers has no way from picture to picture for this family."
    return ""


def not_moved(subject: Subject) -> str:
    """Says why style words' vectors cannot be moved."""
    if subject.trace.pipeline == "StableDiffusionPipeline":
        return ""
    return "The words' vectors are exchanged one by one, which only Stable Diffusion 1 and 2 allow."
