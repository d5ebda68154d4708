"""What differs between pipeline families, one small description each.

To add a family: say which component predicts the noise, who reads the prompt, and how its latents
become image-shaped; then name its pipeline classes in `TEXT_TO_IMAGE`, and in `FAMILIES` those that
are given a picture too. How a run is guided is not part of it: that shows in the shapes of what the
denoiser returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Size = tuple[int, int]


@dataclass(frozen=True)
class Reader:
    """A tokenizer and the text encoder that reads its tokens.

    Attributes:
        tokenizer: Component that splits the prompt.
        encoder: Component that reads the tokens.
        prompt: Argument of `encode_prompt` that holds its text; `prompt` where that is not given.
        length: Argument of `encode_prompt` that says how many tokens it reads; None for the
            tokenizer's own number.
        masked: Whether the encoder is told which tokens are padding.
        cleaned: Whether the pipeline rewrites the prompt first (PixArt: lower case, no blanks
            around it).
        appended: Whether what it reads follows what the first reader read, in the embeddings.
    """

    tokenizer: str
    encoder: str
    prompt: str = "prompt"
    length: str | None = None
    masked: bool = False
    cleaned: bool = False
    appended: bool = False


def as_it_is(_pipe: Any, latents: torch.Tensor, _size: Size) -> torch.Tensor:
    """Latents that are image-shaped already."""
    return latents


def unpacked(pipe: Any, latents: torch.Tensor, size: Size) -> torch.Tensor:
    """Flux: from patches of 2 x 2 latents in a row, (B, h/2 w/2, 4 C), to (B, C, h, w)."""
    height, width = size
    return pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)  # noqa: SLF001


def packed(pipe: Any, latents: torch.Tensor) -> torch.Tensor:
    """Flux: the way back, from (B, C, h, w) to (B, h/2 w/2, 4 C)."""
    return pipe._pack_latents(latents, *latents.shape)  # noqa: SLF001


_BLOCKS = (
    "down_blocks",
    "mid_block",
    "up_blocks",
    "transformer_blocks",
    "single_transformer_blocks",
)


@dataclass(frozen=True)
class Family:
    """How to watch the pipelines of one family.

    Attributes:
        denoiser: Component whose forward pass predicts the noise.
        readers: Those who read the prompt, first the one whose tokens the denoiser attends to.
        time: Part of the denoiser that turns the timestep into a vector.
        joint: Whether the denoiser's attention mixes picture and text in one sequence.
        text_first: Of joint attention, whether the text stands before the picture.
        to_image: From pipeline, latents of a batch and picture size to (B, C, h, w).
        from_image: The way back.
        half: The precision of two bytes that suits it on a GPU; in some float16 overflows.
        avoids: Whether it heeds a negative prompt, with no further setting.
    """

    denoiser: str
    readers: tuple[Reader, ...]
    time: str = "time_embedding"
    joint: bool = False
    text_first: bool = False
    to_image: Callable[[Any, torch.Tensor, Size], torch.Tensor] = as_it_is
    from_image: Callable[[Any, torch.Tensor], torch.Tensor] = lambda _pipe, latents: latents
    half: str = "float16"
    avoids: bool = True

    def present_readers(self, pipe: Any) -> tuple[Reader, ...]:
        """The readers that this pipeline holds; large ones are often left out."""
        return tuple(r for r in self.readers if getattr(pipe, r.encoder, None) is not None)

    def parts(self, pipe: Any) -> tuple[str, ...]:
        """Names of the denoiser's time embedding and of its blocks, in the order of computation."""
        denoiser = getattr(pipe, self.denoiser)
        parts = [self.time]
        for name in _BLOCKS:
            block: Any = getattr(denoiser, name, None)
            if hasattr(block, "__len__"):
                parts += [f"{name}.{index}" for index in range(len(block))]
            elif block is not None:
                parts.append(name)
        return tuple(parts)


CLIP = Reader("tokenizer", "text_encoder")
CLIP_2 = Reader("tokenizer_2", "text_encoder_2", prompt="prompt_2")

STABLE_DIFFUSION = Family("unet", (CLIP,))
STABLE_DIFFUSION_XL = Family("unet", (CLIP, CLIP_2))
LATENT_CONSISTENCY = Family("unet", (CLIP,), avoids=False)
STABLE_DIFFUSION_3 = Family(
    "transformer",
    (
        CLIP,
        CLIP_2,
        Reader(
            "tokenizer_3",
            "text_encoder_3",
            prompt="prompt_3",
            length="max_sequence_length",
            appended=True,
        ),
    ),
    time="time_text_embed",
    joint=True,
    half="bfloat16",
)
FLUX = Family(
    "transformer",
    (
        Reader("tokenizer_2", "text_encoder_2", prompt="prompt_2", length="max_sequence_length"),
        CLIP,
    ),
    time="time_text_embed",
    joint=True,
    text_first=True,
    to_image=unpacked,
    from_image=packed,
    half="bfloat16",
    avoids=False,
)
PIXART = Family(
    "transformer",
    (Reader("tokenizer", "text_encoder", length="max_sequence_length", masked=True, cleaned=True),),
    time="adaln_single",
)

TEXT_TO_IMAGE = {
    "StableDiffusionPipeline": STABLE_DIFFUSION,
    "StableDiffusionXLPipeline": STABLE_DIFFUSION_XL,
    "LatentConsistencyModelPipeline": LATENT_CONSISTENCY,
    "StableDiffusion3Pipeline": STABLE_DIFFUSION_3,
    "FluxPipeline": FLUX,
    "PixArtAlphaPipeline": PIXART,
    "PixArtSigmaPipeline": PIXART,
}
"""What `explainer.load` loads."""
FAMILIES = TEXT_TO_IMAGE | {
    "StableDiffusionImg2ImgPipeline": STABLE_DIFFUSION,
    "StableDiffusionInpaintPipeline": STABLE_DIFFUSION,
    "StableDiffusionControlNetPipeline": STABLE_DIFFUSION,
    "LatentConsistencyModelImg2ImgPipeline": LATENT_CONSISTENCY,
    "StableDiffusionXLImg2ImgPipeline": STABLE_DIFFUSION_XL,
    "StableDiffusionXLInpaintPipeline": STABLE_DIFFUSION_XL,
    "StableDiffusionXLControlNetPipeline": STABLE_DIFFUSION_XL,
    "StableDiffusion3Img2ImgPipeline": STABLE_DIFFUSION_3,
    "FluxImg2ImgPipeline": FLUX,
}
"""What can be recorded: besides those, pipelines that are given a picture too."""


def family_of(pipe: object) -> Family | None:
    """The family that a pipeline, or the nearest class it derives from, belongs to."""
    names = (cls.__name__ for cls in type(pipe).__mro__)
    return next((FAMILIES[name] for name in names if name in FAMILIES), None)
