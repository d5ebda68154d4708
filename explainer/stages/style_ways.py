"""Ways between styles: two of them blended, and one added to a sentence as a direction.

What is blended and added is what the denoiser reads, the text encoder's vectors of all tokens. A
token of CLIP's sees only those before it (Radford et al. 2021). So style words at the end of a
sentence change no row before themselves, and all that they add stands from the sentence's end on.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.capture.weights import weighted
from explainer.parameters import ParameterError
from explainer.pictures import opened, webp
from explainer.stages import swap, walk
from explainer.stages.style_grid import styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from explainer.parameters import RunParameters
    from explainer.stages.clip import TextEncoder

STRENGTHS = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
"""How many times the direction is added."""
CARRIERS = (
    "no style words",
    "only the style words’ own rows",
    "only the rows after them",
    "all rows",
)
"""Which of the rows that style words change the denoiser is given."""


@dataclass(frozen=True, eq=False)
class StyleWay:
    """Pictures on a way between styles, all from one noise.

    Attributes:
        sentence: What all of them show.
        ends: What the way goes from and to, in words.
        places: What each place is, in words.
        pictures: At each place, as WebP.
        pixels: (n,) float64. How near each picture is to the way's end, by pixels: the share of
            its distance to the beginning in its distances to both, 0 to 1.
        clip: (n,) float64. The same by CLIP; NaN where nobody was asked.
        goal: The picture that the way would meet if it held, as WebP; None where its end is it.
    """

    sentence: str
    ends: tuple[str, str]
    places: tuple[str, ...]
    pictures: tuple[bytes, ...]
    pixels: NDArray[np.float64]
    clip: NDArray[np.float64]
    goal: bytes | None = None

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "sentence": self.sentence,
            "ends": self.ends,
            "places": self.places,
            "pictures": [base64.b64encode(one).decode("ascii") for one in self.pictures],
            "pixels": swap.plain_shares(self.pixels),
            "clip": swap.plain_shares(self.clip),
            "goal": None if self.goal is None else base64.b64encode(self.goal).decode("ascii"),
        }

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> StyleWay:
        """Return what `plain` made JSON of."""
        goal = plain["goal"]
        return cls(
            sentence=plain["sentence"],
            ends=(plain["ends"][0], plain["ends"][1]),
            places=tuple(plain["places"]),
            pictures=tuple(map(base64.b64decode, plain["pictures"])),
            pixels=np.array(plain["pixels"], np.float64),
            clip=np.array(plain["clip"], np.float64),
            goal=None if goal is None else base64.b64decode(goal),
        )


def check_mix(first: str, second: str) -> None:
    """Tells whether two styles can be mixed.

    Raises:
        ParameterError: Both styles are the same, or one is missing.
    """
    if not first.strip() or not second.strip():
        raise ParameterError("prompt", "Two styles are mixed. Write the words for both.")
    if first.casefold().split() == second.casefold().split():
        raise ParameterError(
            "prompt", "Both styles are the same: there is nothing to mix. Choose another for one."
        )


def check_transfer(donor: str, style: str) -> None:
    """Tells whether a style can be taken from a sentence.

    Raises:
        ParameterError: One of them is missing.
    """
    if not donor.strip() or not style.strip():
        raise ParameterError("prompt", "Write a sentence to take the style from, and its words.")


def steps_of_mix(steps: int) -> int:
    """Returns how many steps `mix` reports for runs of so many steps."""
    return walk.steps_of("prompts", steps)


def mix(
    pipe: Any,
    base: RunParameters,
    first: str,
    second: str,
    *,
    judge: swap.Judge | None = None,
    watch: walk.Watch | None = None,
) -> StyleWay | None:
    """Draws a sentence on the way from one style to another.

    Args:
        pipe: A pipeline of any family.
        base: The run of the sentence without style words.
        first: The style words at the way's beginning.
        second: Those at its end.
        judge: Measures by CLIP, see `explainer.stages.swap`.
        watch: Follows and stops it.

    Raises:
        ParameterError: Both styles are the same, or one is missing.
    """
    check_mix(first, second)
    ends = (styled(base.prompt, first), styled(base.prompt, second))
    walked = walk.between_prompts(pipe, replace(base, prompt=ends[0]), ends[1], watch)
    if walked is None:
        return None
    (pictures,) = walked.pictures.values()
    shares = np.linspace(0, 1, len(pictures))
    places = tuple(
        f"{100 - 100 * share:.0f} % {first}, {100 * share:.0f} % {second}" for share in shares
    )
    return StyleWay(
        base.prompt,
        (first.strip(), second.strip()),
        places,
        pictures,
        *_shares(pictures, pictures[0], pictures[-1], ends, judge),
    )


def steps_of_transfer(steps: int) -> int:
    """Returns how many steps `transfer` reports for runs of so many steps."""
    return (len(STRENGTHS) + 1) * steps


def transfer(
    pipe: Any,
    base: RunParameters,
    donor: str,
    style: str,
    *,
    judge: swap.Judge | None = None,
    watch: walk.Watch | None = None,
) -> StyleWay | None:
    """Takes what style words add to one sentence, and adds it to another one's vectors.

    Args:
        pipe: A pipeline with one text encoder of CLIP's kind.
        base: The run of the sentence that the direction is added to.
        donor: The sentence that it is taken from.
        style: The style words.
        judge: Measures by CLIP, see `explainer.stages.swap`.
        watch: Follows and stops it.

    Raises:
        ParameterError: A sentence or the style is missing.
        ValueError: The model reads with several text encoders.
    """
    import torch

    check_transfer(donor, style)
    walk.check_one_reader(pipe)
    watch = watch or walk.Watch()
    written = styled(base.prompt, style)
    with torch.no_grad():
        added = direction(pipe, donor, style)
        plain, whole = (_weighted_rows(pipe, base, one) for one in (base.prompt, written))
        asked = [_moved(pipe, base.prompt, plain, added, strength) for strength in STRENGTHS]
        pictures = _drawn(pipe, base, [*asked, whole], watch)
    if pictures is None:
        return None
    *shown, goal = pictures
    start = shown[STRENGTHS.index(0.0)]
    return StyleWay(
        base.prompt,
        ("without the style", style.strip()),
        tuple(_place(strength) for strength in STRENGTHS),
        tuple(shown),
        *_shares(shown, start, goal, (base.prompt, written), judge),
        goal=goal,
    )


def steps_of_carriers(steps: int) -> int:
    """Returns how many steps `carriers` reports for runs of so many steps."""
    return len(CARRIERS) * steps


def carriers(
    pipe: Any,
    base: RunParameters,
    style: str,
    *,
    judge: swap.Judge | None = None,
    watch: walk.Watch | None = None,
) -> StyleWay | None:
    """Gives the denoiser only some of the rows that style words change.

    Where the style words' own rows are left out, those of an empty prompt stand in their places;
    where what follows them is left out, what the sentence has there without style words.

    Args:
        pipe: A pipeline with one text encoder of CLIP's kind.
        base: The run of the sentence without style words.
        style: The style words.
        judge: Measures by CLIP, see `explainer.stages.swap`.
        watch: Follows and stops it.

    Raises:
        ParameterError: The style is missing.
        ValueError: The model reads with several text encoders.
    """
    import torch

    check_transfer(base.prompt, style)
    walk.check_one_reader(pipe)
    written = styled(base.prompt, style)
    with torch.no_grad():
        plain, whole = (_weighted_rows(pipe, base, one) for one in (base.prompt, written))
        empty = _rows(pipe, "")
        first, last = _end(pipe, base.prompt), _end(pipe, written)
        own, after = whole.clone(), whole.clone()
        own[0, last:] = plain[0, first : first + whole.shape[1] - last]
        after[0, first:last] = empty[0, first:last]
        pictures = _drawn(pipe, base, (plain, own, after, whole), watch or walk.Watch())
    if pictures is None:
        return None
    return StyleWay(
        base.prompt,
        (CARRIERS[0], style.strip()),
        CARRIERS,
        tuple(pictures),
        *_shares(pictures, pictures[0], pictures[-1], (base.prompt, written), judge),
    )


def directions(encoder: TextEncoder, sentences: Sequence[str], style: str) -> NDArray[np.float64]:
    """Returns what style words add to each sentence's one CLIP vector, all of length 1.

    Args:
        encoder: See `explainer.stages.clip`.
        sentences: Without style words.
        style: The style words.

    Returns:
        (n, d)
    """
    plain = encoder.embed(sentences).astype(np.float64)
    whole = encoder.embed([styled(one, style) for one in sentences]).astype(np.float64)
    added = whole - plain
    return np.asarray(added / np.linalg.norm(added, axis=1, keepdims=True))


def direction(pipe: Any, sentence: str, style: str) -> torch.Tensor:
    """Returns what style words add to a sentence's rows, from the sentence's end on.

    Returns:
        (rows, width).
    """
    whole, plain = _rows(pipe, styled(sentence, style)), _rows(pipe, styled(sentence, ""))
    return (whole - plain)[0, _end(pipe, styled(sentence, "")) :]


def _moved(
    pipe: Any, sentence: str, plain: torch.Tensor, added: torch.Tensor, strength: float
) -> torch.Tensor:
    """A sentence's rows with a direction added from its end on; its last row goes on to theirs."""
    rows, end = plain.clone(), _end(pipe, sentence)
    places = [min(i, len(added) - 1) for i in range(rows.shape[1] - end)]
    rows[0, end:] += strength * added[places]
    return rows


def _rows(pipe: Any, sentence: str) -> torch.Tensor:
    """(1, tokens, width): what the denoiser reads."""
    return pipe.encode_prompt(sentence, pipe._execution_device, 1, False)[0]  # noqa: SLF001


def _weighted_rows(pipe: Any, base: RunParameters, sentence: str) -> torch.Tensor:
    """The same where words have weights; a sentence of the reader's own may lack some of them."""
    with weighted(pipe, dict(base.weights), lacking=True):
        return _rows(pipe, sentence)


def _end(pipe: Any, sentence: str) -> int:
    """Where the token stands that ends the text."""
    from explainer.capture.tokens import read_tokens, written_out

    written = written_out(pipe, pipe.tokenizer, sentence)
    tokens, _ = read_tokens(pipe.tokenizer, written, pipe.tokenizer.model_max_length)
    return next(i for i, token in enumerate(tokens) if token.kind == "end")


def _drawn(
    pipe: Any, base: RunParameters, asked: Sequence[torch.Tensor], watch: walk.Watch
) -> list[bytes] | None:
    import torch

    device = pipe._execution_device  # noqa: SLF001
    negative = pipe.encode_prompt(base.prompt, device, 1, True, base.negative_prompt)[1]
    pictures = []
    for place, rows in enumerate(asked):
        dice = torch.Generator("cpu").manual_seed(base.seed)
        texts = {"prompt_embeds": rows, "negative_prompt_embeds": negative}
        picture = walk.drawn(pipe, base, place * base.steps, watch, generator=dice, **texts)
        if picture is None:
            return None
        pictures.append(webp(picture))
    return pictures


def _shares(
    pictures: Sequence[bytes],
    start: bytes,
    end: bytes,
    prompts: tuple[str, str],
    judge: swap.Judge | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How near each picture is to the end of its way, by pixels and by CLIP."""
    images = [opened(one) for one in (start, *pictures, end)]
    arrays = [np.asarray(image, np.float64) for image in images]
    pixels = swap.shares_by_pixels(arrays)[1:-1]
    unknown = np.full(len(pictures), np.nan)
    return pixels, unknown if judge is None else 1 - judge(images[1:-1], prompts)


def _place(strength: float) -> str:
    if not strength:
        return "the sentence as it is"
    return f"the direction × {strength:g}".replace("-", "−")
