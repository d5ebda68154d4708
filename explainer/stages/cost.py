"""Cost: how many numbers a picture and its latents are, and what a step on each of them takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainer.capture.hooks import calls_of

if TYPE_CHECKING:
    from explainer.trace import Trace

TOKENS = 77
"""What CLIP's text encoders read at most."""
MOST_FLOP = 2e12
"""A step that takes more is not tried on pixels: minutes on a laptop, and too much memory."""


@dataclass(frozen=True)
class Compression:
    """What an autoencoder makes of a picture, in numbers.

    Attributes:
        model: Whose autoencoder it is.
        picture: Channels, height and width of a picture.
        latents: Channels, height and width of its latents.
        unet: Configuration of the denoiser, where it is a UNet; None for a transformer.
        tokens: How many token vectors the denoiser attends to.
    """

    model: str
    picture: tuple[int, int, int]
    latents: tuple[int, int, int]
    unet: Mapping[str, Any] | None = None
    tokens: int = TOKENS

    @property
    def numbers(self) -> tuple[int, int]:
        """How many numbers the picture is, and how many its latents are."""
        return _product(self.picture), _product(self.latents)

    @property
    def factor(self) -> float:
        """How many times fewer numbers the latents are."""
        picture, latents = self.numbers
        return picture / latents

    @property
    def flop(self) -> tuple[int, int] | None:
        """Operations of one denoiser call on the latents, and on the pixels; None if no UNet."""
        if self.unet is None:
            return None
        on_pixels = {**self.unet, "in_channels": self.picture[0], "out_channels": self.picture[0]}
        return (
            unet_flop(self.unet, *self.latents[1:], tokens=self.tokens),
            unet_flop(on_pixels, *self.picture[1:], tokens=self.tokens),
        )


def _product(shape: Sequence[int]) -> int:
    channels, height, width = shape
    return channels * height * width


def of_trace(trace: Trace, unet: Mapping[str, Any] | None = None) -> Compression:
    """Returns the compression of the model that a run was made with.

    Args:
        trace: the run.
        unet: configuration of its denoiser, where that is a UNet.
    """
    _, channels, height, width = trace.latents.shape
    return Compression(
        trace.model,
        (3, trace.height, trace.width),
        (channels, height, width),
        unet,
        trace.hidden_states.shape[1],
    )


_CROSS, _DOWN, _UP = "CrossAttnDownBlock2D", "DownBlock2D", "UpBlock2D"
_CROSS_UP = "CrossAttnUpBlock2D"
_SD_15 = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": (_CROSS, _CROSS, _CROSS, _DOWN),
    "up_block_types": (_UP, _CROSS_UP, _CROSS_UP, _CROSS_UP),
    "layers_per_block": 2,
    "cross_attention_dim": 768,
}
_SDXL = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": (_DOWN, _CROSS, _CROSS),
    "up_block_types": (_CROSS_UP, _CROSS_UP, _UP),
    "layers_per_block": 2,
    "cross_attention_dim": 2048,
    "transformer_layers_per_block": (1, 2, 10),
    "addition_embed_type": "text_time",
    "projection_class_embeddings_input_dim": 2816,
}
PUBLISHED = (
    Compression("Stable Diffusion 1.5", (3, 512, 512), (4, 64, 64), _SD_15),
    Compression("Stable Diffusion XL", (3, 1024, 1024), (4, 128, 128), _SDXL),
    Compression("Stable Diffusion 3", (3, 1024, 1024), (16, 128, 128)),
    Compression("Flux", (3, 1024, 1024), (16, 128, 128)),
)
"""Big models at the sizes that they were made for, by the configurations published with them."""


def unet_flop(config: Mapping[str, Any], height: int, width: int, *, tokens: int = TOKENS) -> int:
    """Counts the operations of one call of a `UNet2DConditionModel` for one picture.

    Multiplications and additions of its convolutions, linear layers and attention, as
    `torch.utils.flop_counter` counts them; what is left out is hundreds of times less.

    Args:
        config: its configuration, as in its folder's config.json.
        height: rows of its input.
        width: columns of its input.
        tokens: how many token vectors it attends to.

    Raises:
        ValueError: it has blocks that are not counted here.
    """
    widths = tuple(config["block_out_channels"])
    layers, depths = config["layers_per_block"], _depths(config)
    down, up = config["down_block_types"], config["up_block_types"]
    known = {_CROSS, _DOWN, _UP, _CROSS_UP}
    if not isinstance(layers, int) or not {*down, *up} <= known:
        raise ValueError("Only the cost of UNets with Stable Diffusion's own blocks is counted.")
    count = _Counter(4 * widths[0], config["cross_attention_dim"], tokens)
    sizes = [(height, width)]
    for _ in widths[1:]:
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))  # type: ignore[arg-type]
    total = count.embedding(config, widths[0])
    total += count.conv(config["in_channels"], widths[0], sizes[0])
    before = widths[0]
    for i, (kind, size) in enumerate(zip(down, sizes, strict=True)):
        depth = depths[i] if kind == _CROSS else 0
        total += count.layers([before] + [widths[i]] * (layers - 1), widths[i], size, depth)
        if i < len(widths) - 1:
            total += count.conv(widths[i], widths[i], sizes[i + 1])
        before = widths[i]
    total += count.layers([before], before, sizes[-1], depths[-1])
    total += count.resnet(before, before, sizes[-1])
    for i, kind in enumerate(up):
        place = len(widths) - 1 - i
        out, kept = widths[place], widths[max(0, place - 1)]
        inputs = [before + out] + [2 * out] * (layers - 1)
        inputs = [*inputs, (before if layers == 0 else out) + kept]
        depth = depths[place] if kind == _CROSS_UP else 0
        total += count.layers(inputs, out, sizes[place], depth)
        if place:
            total += count.conv(out, out, sizes[place - 1])
        before = out
    return total + count.conv(before, config["out_channels"], sizes[0])


def _depths(config: Mapping[str, Any]) -> tuple[int, ...]:
    """Transformer blocks in each attention layer, by level."""
    given = config.get("transformer_layers_per_block", 1)
    return (given,) * len(config["block_out_channels"]) if isinstance(given, int) else tuple(given)


@dataclass(frozen=True)
class _Counter:
    """Operations of a UNet's parts: a multiplication and an addition for every weight and place."""

    time_width: int
    context: int
    tokens: int

    @staticmethod
    def conv(before: int, after: int, size: Sequence[int], kernel: int = 3) -> int:
        return 2 * kernel**2 * before * after * size[0] * size[1]

    def embedding(self, config: Mapping[str, Any], width: int) -> int:
        inputs = [width, self.time_width]
        if config.get("addition_embed_type") == "text_time":
            inputs += [config["projection_class_embeddings_input_dim"], self.time_width]
        total = sum(2 * one * self.time_width for one in inputs)
        return total + 2 * (config.get("time_cond_proj_dim") or 0) * width

    def resnet(self, before: int, after: int, size: Sequence[int]) -> int:
        convolutions = self.conv(before, after, size) + self.conv(after, after, size)
        shortcut = self.conv(before, after, size, kernel=1) if before != after else 0
        return convolutions + shortcut + 2 * self.time_width * after

    def attention(self, width: int, size: Sequence[int], depth: int) -> int:
        places = size[0] * size[1]
        to_itself = 2 * places * width * 4 * width + 4 * places**2 * width
        to_words = 2 * places * width * 2 * width + 2 * self.tokens * self.context * 2 * width
        to_words += 4 * places * self.tokens * width
        forward = 2 * places * width * 8 * width + 2 * places * 4 * width * width
        projections = 2 * self.conv(width, width, size, kernel=1)
        return projections + depth * (to_itself + to_words + forward)

    def layers(self, inputs: Sequence[int], after: int, size: Sequence[int], depth: int) -> int:
        resnets = sum(self.resnet(before, after, size) for before in inputs)
        return resnets + (len(inputs) * self.attention(after, size, depth) if depth else 0)


@dataclass(frozen=True)
class Timing:
    """Seconds that one denoiser call took here, for one picture without guidance."""

    latents: float
    pixels: float


def timed(
    pipe: Any,
    compression: Compression,
    *,
    on_part: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Timing | None:
    """Times one call of a pipeline's UNet on latents, and of one like it on pixels.

    The one on pixels has the same configuration but for its channels of input and output; its
    weights are random, which takes no more and no less time.

    Args:
        pipe: a pipeline with a UNet.
        compression: the sizes.
        on_part: called with the number of layers done and their total.
        cancelled: asked at every layer; once it says True, None is returned.

    Raises:
        ValueError: its denoiser is no UNet, or the step on pixels would take too much.
    """
    import torch

    unet = getattr(pipe, "unet", None)
    if unet is None or compression.flop is None:
        raise ValueError(
            "This model's denoiser is a transformer, which cuts its latents into patches. There is "
            "no such step on pixels to set beside it; only UNets are timed."
        )
    if compression.flop[1] > MOST_FLOP:
        raise ValueError(
            f"One step on pixels would take {compression.flop[1] / 1e12:.1f} trillion operations, "
            "too much to wait for. The computed cost stands in the table."
        )
    on_pixels = _like(unet, compression.picture[0])
    watch = _Watch([unet, unet, on_pixels], on_part, cancelled)
    try:
        with torch.no_grad():
            _call(unet, compression.latents, compression.tokens, watch)  # warms caches up
            latents = _call(unet, compression.latents, compression.tokens, watch)
            pixels = _call(on_pixels, compression.picture, compression.tokens, watch)
    except _Stopped:
        return None
    return Timing(latents, pixels)


def _like(unet: Any, channels: int) -> Any:
    """A UNet of the same configuration for other inputs, with random weights."""
    import torch

    config = {**unet.config, "in_channels": channels, "out_channels": channels}
    # diffusers would put what was a default once back to the default.
    config.pop("_use_default_values", None)
    with torch.random.fork_rng(devices=[]):
        made = type(unet).from_config(config)
    if made.dtype != unet.dtype:
        made = made.to(unet.dtype)
    return made.to(unet.device).eval()


class _Stopped(Exception):  # noqa: N818 - it is no error
    """The reader does not want to wait any longer."""


class _Watch:
    """Counts the layers that are done, and ends the call at one of them when asked to."""

    def __init__(
        self,
        calls: Sequence[Any],
        on_part: Callable[[int, int], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._on_part, self._cancelled = on_part, cancelled
        self._done = 0
        self._total = sum(len(self.layers(unet)) for unet in calls)

    @staticmethod
    def layers(unet: Any) -> list[Any]:
        return [
            module for module in unet.modules() if type(module).__name__ in {"Conv2d", "Linear"}
        ]

    def __call__(self, *_seen: Any) -> None:
        if self._cancelled is not None and self._cancelled():
            raise _Stopped
        self._done += 1
        if self._on_part is not None:
            self._on_part(min(self._done, self._total), self._total)


def _call(unet: Any, shape: Sequence[int], tokens: int, watch: _Watch) -> float:
    import torch

    like = {"device": unet.device, "dtype": unet.dtype}
    state = torch.zeros(1, *shape, **like)
    text = torch.zeros(1, tokens, unet.config.cross_attention_dim, **like)
    extra: dict[str, Any] = {}
    if unet.config.addition_embed_type == "text_time":
        pooled = unet.config.projection_class_embeddings_input_dim
        pooled -= 6 * unet.config.addition_time_embed_dim
        extra["added_cond_kwargs"] = {
            "text_embeds": torch.zeros(1, pooled, **like),
            "time_ids": torch.zeros(1, 6, **like),
        }
    with ExitStack() as watched:
        for layer in watch.layers(unet):
            watched.enter_context(calls_of(layer, watch))
        _synchronise(unet.device)
        start = time.perf_counter()
        unet(state, 500, encoder_hidden_states=text, **extra)
        _synchronise(unet.device)
        return time.perf_counter() - start


def _synchronise(device: Any) -> None:
    """Wait for the accelerator: its calls return before they are done."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
