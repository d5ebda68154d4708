"""Walks: pictures along a way, between two latents, two noises, two prompts, or into noise."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.capture.families import Family, family_of
from explainer.capture.hooks import Method, wrapped
from explainer.capture.run import scheduled
from explainer.capture.weights import weighing, weighted
from explainer.pictures import webp
from explainer.stages import knobs, latent, noise
from explainer.stages.latent import spherical, straight

if TYPE_CHECKING:
    from explainer.parameters import RunParameters
    from explainer.stages.latent import Latents, Picture

PLACES = 7
NOISE_SHARES = (1.0, 0.95, 0.85, 0.7, 0.5, 0.25, 0.05)
"""Of the picture's variance, from clean to nearly all noise."""
STRAIGHT, SPHERICAL = "straight line", "on the sphere"
IN_PIXELS, IN_LATENTS = "noise in the pixels", "noise in the latents"
BLENDED = "the sentences' vectors blended"
WITHOUT_DICE = "DDIMScheduler"


@dataclass(frozen=True, eq=False)
class Walk:
    """Pictures at n places of one or two ways.

    Attributes:
        places: What each place is, in words.
        pictures: Name of the way -> n pictures as WebP.
        lengths: Name of the way -> root mean square of what was walked through, at each place;
            empty where nothing of the kind is.
    """

    places: tuple[str, ...]
    pictures: dict[str, tuple[bytes, ...]]
    lengths: dict[str, tuple[float, ...]]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        texts = {
            way: [base64.b64encode(one).decode("ascii") for one in pictures]
            for way, pictures in self.pictures.items()
        }
        return {"places": self.places, "pictures": texts, "lengths": self.lengths}

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Walk:
        """Return what `plain` made JSON of."""
        return cls(
            tuple(plain["places"]),
            {way: tuple(map(base64.b64decode, texts)) for way, texts in plain["pictures"].items()},
            {way: tuple(values) for way, values in plain["lengths"].items()},
        )


@dataclass(frozen=True)
class Watch:
    """How a long walk is followed.

    Attributes:
        on_step: Called with the number of steps done.
        cancelled: Asked at every step; once it says True, the walk ends.
    """

    on_step: Callable[[int], None] = lambda _done: None
    cancelled: Callable[[], bool] = lambda: False


def steps_of(kind: str, steps: int) -> int:
    """Returns how many steps a walk of a kind reports."""
    runs = {"noises": 2 * PLACES - 2, "prompts": PLACES}
    decoded = {"latents": 2 * PLACES - 2, "noise": 2 * PLACES}
    return runs[kind] * steps if kind in runs else decoded[kind]


def between_latents(pipe: Any, a: Latents, b: Latents, watch: Watch | None = None) -> Walk | None:
    """Decodes what lies between the latents of two pictures."""
    return _both_ways(a, b, lambda state, _done: latent.decode(pipe, state), watch or Watch(), 1)


def between_noises(
    pipe: Any, base: RunParameters, other_seed: int, watch: Watch | None = None
) -> Walk | None:
    """Draws from what lies between the noises of two seeds.

    DDIM takes the place of schedulers that add noise on the way, so that a picture depends on the
    noise that its run begins with alone. Where it does not fit, what is added in every step is
    everywhere that of the first seed.

    Raises:
        ValueError: both seeds are the same.
    """
    import torch

    watch = watch or Watch()
    if other_seed == base.seed:
        raise ValueError("Both seeds are the same, and so is their noise. Choose another seed.")
    family, shape = _family(pipe), _latents_shape(pipe)
    ends = [
        torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)).numpy()
        for seed in (base.seed, other_seed)
    ]

    dtype = getattr(pipe, family.denoiser).dtype
    within = replace(base, scheduler=None)
    texts = {"prompt": base.prompt} | _negative(base)

    def draw(state: Latents, done: int) -> Picture | None:
        latents = family.from_image(pipe, torch.from_numpy(state).to(dtype))
        dice = torch.Generator("cpu").manual_seed(base.seed)
        torch.randn(shape, generator=dice, dtype=dtype)  # a run begins with drawing its own noise
        return drawn(pipe, within, done, watch, generator=dice, latents=latents, **texts)

    # Whether noise is added depends on the scheduler that was asked for, which comes first.
    with scheduled(pipe, base.scheduler), scheduled(pipe, _without_dice(pipe)):
        return _both_ways(ends[0], ends[1], draw, watch, base.steps)


def _without_dice(pipe: Any) -> str | None:
    """Names a scheduler that adds no noise on the way; None keeps the model's own."""
    own = type(pipe.scheduler).__name__
    kind = own + str(pipe.scheduler.config.get("algorithm_type", ""))
    throws = any(one in kind for one in ("DDPM", "Ancestral", "SDE", "sde-"))
    return WITHOUT_DICE if throws and WITHOUT_DICE in knobs.schedulers_for(own) else None


def between_prompts(
    pipe: Any, base: RunParameters, second: str, watch: Watch | None = None
) -> Walk | None:
    """Draws what lies between two sentences, always from the same noise.

    All that the text encoders made of the two is blended, whatever the model reads with. A word's
    weight holds in the second sentence too, where that has the word.

    Raises:
        ValueError: the sentences are the same.
    """
    import torch

    watch = watch or Watch()
    if second.strip() == base.prompt.strip():
        raise ValueError("Both sentences are the same. Change one of them.")
    shares, pictures = np.linspace(0, 1, PLACES), []
    texts = {"prompt": base.prompt} | _negative(base)
    # Blended first, the words of neither sentence could be weighed.
    weigh = partial(weighing, pipe=pipe, weights=dict(base.weights), lacking=True)
    unweighted = replace(base, weights=())
    for place, share in enumerate(map(float, shares)):
        dice = torch.Generator("cpu").manual_seed(base.seed)
        with wrapped(pipe, "encode_prompt", partial(_blended, second, share, weigh)):
            picture = drawn(pipe, unweighted, place * base.steps, watch, generator=dice, **texts)
        if picture is None:
            return None
        pictures.append(webp(picture))
    places = tuple(f"{share:.0%} of the second sentence" for share in shares)
    return Walk(places, {BLENDED: tuple(pictures)}, {})


def _negative(base: RunParameters) -> dict[str, str]:
    """Not all pipelines know a negative prompt; an empty one is what they take by themselves."""
    return {"negative_prompt": base.negative_prompt} if base.negative_prompt else {}


def _blended(
    second: str, share: float, weigh: Callable[[Method], Method], encode_prompt: Method
) -> Method:
    """Encodes the prompt that is given and a second one in its place; blends what comes out."""

    def encode(*args: Any, **kwargs: Any) -> Any:
        given = dict(inspect.signature(encode_prompt).bind(*args, **kwargs).arguments)
        given |= given.pop("kwargs", {})
        prompts = {
            name: [second] * len(given[name]) if isinstance(given[name], list) else second
            for name in ("prompt", "prompt_2", "prompt_3")
            if given.get(name) is not None
        }
        first = weigh(encode_prompt)(**given)
        last = weigh(encode_prompt)(**given | prompts)
        return tuple(_blend(a, b, share) for a, b in zip(first, last, strict=True))

    return encode


def _blend(a: Any, b: Any, share: float) -> Any:
    """A share of the way from one tensor to another; masks let through what either lets through."""
    if a is None or a.equal(b):
        return a
    if not a.is_floating_point():
        return a | b
    return ((1 - share) * a + share * b).to(a.dtype)


def check_one_reader(pipe: Any) -> None:
    """Tells apart models whose sentences can be blended: a UNet that one text encoder guides.

    Raises:
        ValueError: this is none.
    """
    if not hasattr(pipe, "unet") or getattr(pipe, "text_encoder_2", None) is not None:
        raise ValueError(
            "This walk blends the vectors of one text encoder, and this model reads with several, "
            "or guides in its own way. Use a Stable Diffusion 1 or 2 model."
        )


def into_noise(pipe: Any, picture: Picture, watch: Watch | None = None) -> Walk | None:
    """Adds the same shares of noise to a picture's pixels and to its latents.

    Both are brought to unit variance first, so that a share means the same for each.
    """
    watch, dice = watch or Watch(), np.random.default_rng(0)
    pixels = picture / 127.5 - 1
    values = latent.encode(pipe, picture).astype(np.float64)
    static, grains = dice.standard_normal(pixels.shape), dice.standard_normal(values.shape)
    ways: dict[str, list[bytes]] = {IN_PIXELS: [], IN_LATENTS: []}
    for place, share in enumerate(NOISE_SHARES):
        if watch.cancelled():
            return None
        shown = 127.5 * (1 + _noised(pixels, static, share))
        ways[IN_PIXELS].append(webp(np.clip(np.rint(shown), 0, 255).astype(np.uint8)))
        watch.on_step(2 * place + 1)
        ways[IN_LATENTS].append(webp(latent.decode(pipe, _noised(values, grains, share))))
        watch.on_step(2 * place + 2)
    places = tuple(f"{1 - share:.0%} noise" for share in NOISE_SHARES)
    return Walk(places, {way: tuple(pictures) for way, pictures in ways.items()}, {})


def _noised(clean: Any, static: Any, share: float) -> Any:
    mean, deviation = clean.mean(), max(float(clean.std()), 1e-9)
    return mean + deviation * noise.add_noise((clean - mean) / deviation, static, share)


def _both_ways(
    a: Latents,
    b: Latents,
    draw: Callable[[Latents, int], Picture | None],
    watch: Watch,
    cost: int,
) -> Walk | None:
    """Draw the places of both ways; the ends, which they share, only once."""
    shares = np.linspace(0, 1, PLACES)
    ways: dict[str, Callable[[Latents, Latents, float], Latents]]
    ways = {STRAIGHT: straight, SPHERICAL: spherical}
    pictures: dict[str, list[bytes]] = {way: [] for way in ways}
    lengths: dict[str, list[float]] = {way: [] for way in ways}
    done = 0
    for way, between in ways.items():
        for place, share in enumerate(shares):
            state = between(a, b, float(share))
            lengths[way].append(float(np.sqrt((state.astype(np.float64) ** 2).mean())))
            if way == SPHERICAL and place in {0, PLACES - 1}:
                pictures[way].append(pictures[STRAIGHT][place])
                continue
            picture = None if watch.cancelled() else draw(state, done)
            if picture is None:
                return None
            pictures[way].append(webp(picture))
            done += cost
            watch.on_step(done)
    places = tuple(f"{share:.0%} of the way" for share in shares)
    return Walk(
        places,
        {way: tuple(found) for way, found in pictures.items()},
        {way: tuple(found) for way, found in lengths.items()},
    )


def _latents_shape(pipe: Any) -> tuple[int, ...]:
    """Of one picture of the model's own size, image-shaped."""
    from explainer.models import picture_size

    height, width = (side // pipe.vae_scale_factor for side in picture_size(pipe))
    return 1, int(pipe.vae.config.latent_channels), height, width


def _family(pipe: Any) -> Family:
    family = family_of(pipe)
    if family is None:
        raise ValueError(f"Nobody knows the denoiser of a {type(pipe).__name__}.")
    return family


def drawn(
    pipe: Any, base: RunParameters, before: int, watch: Watch, **given: Any
) -> Picture | None:
    """Draws one run with what is given; None if it was cancelled.

    Args:
        pipe: The pipeline.
        base: Its steps, guidance and scheduler serve, and its weights where a prompt is given.
        before: Steps of the walk that are done already.
        watch: Follows it.
        **given: What the pipeline is called with: prompt or embeddings, generator or latents.
    """
    import torch

    from explainer.capture import Recorder

    recorder = Recorder(
        pipe,
        previews=False,
        # Some schedulers call the denoiser more often than there are steps.
        on_step=lambda done, _total, _preview: watch.on_step(before + min(done, base.steps)),
        cancelled=watch.cancelled,
    )
    weights = dict(base.weights) if "prompt" in given else {}
    with scheduled(pipe, base.scheduler), weighted(pipe, weights), torch.no_grad(), recorder:
        pipe(num_inference_steps=base.steps, guidance_scale=base.guidance_scale, **given)
    return None if watch.cancelled() else np.asarray(recorder.trace.image(), np.uint8)
