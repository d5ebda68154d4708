"""Tiny pipelines of every family with random weights, in the hub's folder format.

They run in milliseconds and go through exactly the code that a real checkpoint goes through. Only
the pictures make no sense.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, DiffusionPipeline, StableDiffusionPipeline
    from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer

SENTENCES = (
    "a little girl with red hair and a blue dress walks through an enchanted forest",
    "a fox sleeps on the beach at night, soft watercolour",
    "an old bear reads a book in a snowy village, pencil sketch",
    "a robot and a rabbit dance in the rain, paper cut-out",
)
MAX_TOKENS = 24
START, END = "<|startoftext|>", "<|endoftext|>"
SCHEDULERS = (
    "DDIMScheduler",
    "DDPMScheduler",
    "PNDMScheduler",
    "LMSDiscreteScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "DPMSolverSDEScheduler",
    "UniPCMultistepScheduler",
    "DEISMultistepScheduler",
    "LCMScheduler",
    "TCDScheduler",
)
"""Every scheduler of diffusers' for models that are no flows."""


def tokenizer() -> CLIPTokenizer:
    """A byte-level BPE tokenizer in CLIP's format, its merges trained on `SENTENCES`."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=700,
            initial_alphabet=alphabet,
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    merges = [tuple(pair) for pair in json.loads(bpe.to_str())["model"]["merges"]]
    # Every byte, inside a word and at its end, so that any input tokenises.
    pieces = [*alphabet, *(byte + "</w>" for byte in alphabet)]
    pieces += dict.fromkeys("".join(pair) for pair in merges)
    vocab = {piece: index for index, piece in enumerate(dict.fromkeys([*pieces, START, END]))}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS)


def text_encoder(words: CLIPTokenizer, *, projects: bool = False) -> CLIPTextModel:
    """A two-layer CLIP text encoder for the vocabulary of `words`, of width 32."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        projection_dim=32,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projects else CLIPTextModel)(config).eval()


def t5_tokenizer() -> T5Tokenizer:
    """A SentencePiece tokenizer in T5's format: whole words of `SENTENCES` and single letters."""
    from transformers import T5Tokenizer

    words = dict.fromkeys(word for sentence in SENTENCES for word in sentence.split())
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,.-"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [("▁" + word, -3.0) for word in words] + [(letter, -6.0) for letter in letters]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=MAX_TOKENS)


def t5_encoder(words: T5Tokenizer, width: int = 32) -> T5EncoderModel:
    """A two-layer T5 encoder for the vocabulary of `words`."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=len(words),
        d_model=width,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        pad_token_id=words.pad_token_id,
        eos_token_id=words.eos_token_id,
    )
    return T5EncoderModel(config).eval()


def autoencoder(channels: int, sample_size: int, **options: object) -> AutoencoderKL:
    """An autoencoder of pictures twice as large as their latents."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=2 * sample_size,
        **{"scaling_factor": 0.5, **options},
    ).eval()


def stable_diffusion(
    *,
    channels: int = 8,
    sample_size: int = 8,
    prediction_type: str = "epsilon",
    time_cond_proj_dim: int | None = None,
    seed: int = 0,
) -> StableDiffusionPipeline:
    """A Stable Diffusion pipeline with random weights; leaves the global generator untouched.

    torch runs in a single thread from here on.

    Args:
        channels: Channels of the latents.
        sample_size: Height and width of the latents; pictures are twice as large.
        prediction_type: What the UNet predicts: "epsilon" or "v_prediction".
        time_cond_proj_dim: Width of the guidance embedding of a distilled (LCM) UNet.
        seed: Names the random weights.
    """
    import torch
    from diffusers import (
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )

    torch.set_num_threads(1)  # at this size threads wait for each other longer than they compute
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        words = tokenizer()
        encoder = text_encoder(words)
        vae = autoencoder(channels, sample_size)
        unet = UNet2DConditionModel(
            sample_size=sample_size,
            in_channels=channels,
            out_channels=channels,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=32,
            attention_head_dim=2,
            norm_num_groups=4,
            time_cond_proj_dim=time_cond_proj_dim,
        )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction_type,
    )
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=encoder,
        tokenizer=words,
        unet=unet.eval(),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def stable_diffusion_xl(*, seed: int = 0) -> DiffusionPipeline:
    """Two CLIP encoders, pooled embeddings and sizes given to the UNet."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        words = tokenizer()
        return _quiet(
            StableDiffusionXLPipeline(
                vae=autoencoder(4, 8),
                text_encoder=text_encoder(words),
                text_encoder_2=text_encoder(words, projects=True),
                tokenizer=words,
                tokenizer_2=tokenizer(),
                unet=UNet2DConditionModel(
                    sample_size=8,
                    block_out_channels=(8, 16),
                    layers_per_block=1,
                    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                    up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                    cross_attention_dim=64,
                    attention_head_dim=(2, 4),
                    norm_num_groups=4,
                    use_linear_projection=True,
                    addition_embed_type="text_time",
                    addition_time_embed_dim=8,
                    projection_class_embeddings_input_dim=6 * 8 + 32,
                ).eval(),
                scheduler=EulerDiscreteScheduler(
                    beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
                ),
                add_watermarker=False,
            )
        )


def stable_diffusion_3(*, seed: int = 0) -> DiffusionPipeline:
    """Two CLIP encoders and T5, joint attention, flow matching."""
    import torch
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        SD3Transformer2DModel,
        StableDiffusion3Pipeline,
    )

    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        words, t5_words = tokenizer(), t5_tokenizer()
        return _quiet(
            StableDiffusion3Pipeline(
                transformer=SD3Transformer2DModel(
                    sample_size=8,
                    patch_size=2,
                    in_channels=4,
                    out_channels=4,
                    num_layers=2,
                    attention_head_dim=8,
                    num_attention_heads=2,
                    joint_attention_dim=64,
                    caption_projection_dim=16,
                    pooled_projection_dim=64,
                    pos_embed_max_size=16,
                ).eval(),
                scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
                vae=autoencoder(4, 8, shift_factor=0.1),
                text_encoder=text_encoder(words, projects=True),
                tokenizer=words,
                text_encoder_2=text_encoder(words, projects=True),
                tokenizer_2=tokenizer(),
                text_encoder_3=t5_encoder(t5_words, 64),
                tokenizer_3=t5_words,
            )
        )


def flux(*, seed: int = 0) -> DiffusionPipeline:
    """CLIP for one vector and T5 for the words, latents packed in a row."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        words, t5_words = tokenizer(), t5_tokenizer()
        pipe = FluxPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(),
            vae=autoencoder(4, 8, shift_factor=0.1),
            text_encoder=text_encoder(words),
            tokenizer=words,
            text_encoder_2=t5_encoder(t5_words),
            tokenizer_2=t5_words,
            transformer=FluxTransformer2DModel(
                patch_size=1,
                in_channels=16,
                num_layers=1,
                num_single_layers=1,
                attention_head_dim=8,
                num_attention_heads=2,
                joint_attention_dim=32,
                pooled_projection_dim=32,
                axes_dims_rope=(2, 2, 4),
            ).eval(),
        )
    pipe.default_sample_size = 8
    return _quiet(pipe)


def pixart(*, seed: int = 0) -> DiffusionPipeline:
    """T5 alone, a transformer with cross-attention that predicts a variance beside the noise."""
    import torch
    from diffusers import (
        DPMSolverMultistepScheduler,
        PixArtSigmaPipeline,
        PixArtTransformer2DModel,
    )

    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        words = t5_tokenizer()
        return _quiet(
            PixArtSigmaPipeline(
                tokenizer=words,
                text_encoder=t5_encoder(words),
                vae=autoencoder(4, 8),
                transformer=PixArtTransformer2DModel(
                    sample_size=8,
                    num_layers=1,
                    patch_size=2,
                    attention_head_dim=8,
                    num_attention_heads=2,
                    caption_channels=32,
                    cross_attention_dim=16,
                    in_channels=4,
                    out_channels=8,
                    norm_type="ada_norm_single",
                    use_additional_conditions=False,
                ).eval(),
                scheduler=DPMSolverMultistepScheduler(),
            )
        )


def _quiet(pipe: DiffusionPipeline) -> DiffusionPipeline:
    pipe.set_progress_bar_config(disable=True)
    return pipe


@cache
def shared() -> StableDiffusionPipeline:
    """One for all: a tiny tokenizer may cut words otherwise each time it is built."""
    return stable_diffusion()


def save_folder(folder: Path, **options: object) -> Path:
    """Writes a tiny pipeline to `folder` as a hub checkpoint (safetensors); returns the folder."""
    stable_diffusion(**options).save_pretrained(folder)  # type: ignore[arg-type]
    return folder


def save_untrained(folder: Path, told: dict[str, object]) -> Path:
    """Writes the embedded model, of its smallest size and untrained, as training exports it.

    Args:
        folder: Where to.
        told: What its ``training.json`` says.
    """
    import torch

    from storybook.training import autoencoder, clip, denoiser, export, tokenizer
    from storybook.training.data import texts
    from storybook.training.presets import PRESETS

    preset = PRESETS["rehearsal"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        words = tokenizer.learn(texts(50, 2), preset.vocabulary)
        parts = autoencoder.build(preset), denoiser.build(preset), clip.build(preset, words)
        export.save(folder, *parts, words, told)
    return folder


FAMILIES = {
    "sd": stable_diffusion,
    "sdxl": stable_diffusion_xl,
    "sd3": stable_diffusion_3,
    "flux": flux,
    "pixart": pixart,
}
"""One small pipeline of each kind of denoiser and way to read a prompt."""
