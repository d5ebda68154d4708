"""Tiny Stable Diffusion pipelines with random weights, in the hub's folder format.

They run in milliseconds and go through exactly the code that a real checkpoint goes through. Only
the pictures make no sense.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPTextModel, CLIPTokenizer

SENTENCES = (
    "a little girl with red hair and a blue dress walks through an enchanted forest",
    "a fox sleeps on the beach at night, soft watercolour",
    "an old bear reads a book in a snowy village, pencil sketch",
    "a robot and a rabbit dance in the rain, paper cut-out",
)
MAX_TOKENS = 24
START, END = "<|startoftext|>", "<|endoftext|>"


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


def text_encoder(words: CLIPTokenizer) -> CLIPTextModel:
    """A two-layer CLIP text encoder for the vocabulary of `words`."""
    from transformers import CLIPTextConfig, CLIPTextModel

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
    return CLIPTextModel(config).eval()


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
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )

    torch.set_num_threads(1)  # at this size threads wait for each other longer than they compute
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        words = tokenizer()
        encoder = text_encoder(words)
        vae = AutoencoderKL(
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=channels,
            norm_num_groups=4,
            sample_size=2 * sample_size,
            scaling_factor=0.5,
        )
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
        vae=vae.eval(),
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


def save_folder(folder: Path, **options: object) -> Path:
    """Writes a tiny pipeline to `folder` as a hub checkpoint (safetensors); returns the folder."""
    stable_diffusion(**options).save_pretrained(folder)  # type: ignore[arg-type]
    return folder
