"""The model's CLIP pair, and what it knows of drawings, captions and words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from storybook import captions
from storybook.evaluation.loading import quiet
from storybook.evaluation.metrics import Tally, retrieval

if TYPE_CHECKING:
    from torch import Tensor

    from storybook.evaluation.examine import Drawings


class ClipPair:
    """The model's text encoder and its image encoder, which share one space.

    Args:
        folder: the weights folder; both encoders, the tokenizer and the picture's preparation
            are read from it.
        device: where to compute.

    Raises:
        FileNotFoundError: if the folder lacks one of these.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        from transformers import (
            AutoTokenizer,
            CLIPTextModelWithProjection,
            CLIPVisionModelWithProjection,
        )

        for part in ("image_encoder", "text_encoder", "tokenizer", "feature_extractor"):
            if not (folder / part).is_dir():
                raise FileNotFoundError(f"{folder} has no {part}/, so its CLIP pair is incomplete")
        with quiet():
            self.tokenizer = AutoTokenizer.from_pretrained(
                folder / "tokenizer", local_files_only=True
            )
            self.text, self.vision = (
                kind.from_pretrained(folder / part, local_files_only=True, dtype=torch.float32)
                .to(device)
                .eval()
                for kind, part in (
                    (CLIPTextModelWithProjection, "text_encoder"),
                    (CLIPVisionModelWithProjection, "image_encoder"),
                )
            )
        preparation = json.loads(
            (folder / "feature_extractor" / "preprocessor_config.json").read_text()
        )
        self.mean, self.deviation = (
            torch.tensor(preparation[key], device=device).view(3, 1, 1)
            for key in ("image_mean", "image_std")
        )
        self.device = device

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, float32, shape (n, projection width)."""
        tokens = self.tokenizer(
            list(texts), padding="max_length", truncation=True, return_tensors="pt",
            max_length=self.text.config.max_position_embeddings,
        ).to(self.device)  # fmt: skip
        # Stable Diffusion's pipeline gives its text encoder no attention mask either.
        return _units(self.text(tokens.input_ids).text_embeds)

    @torch.inference_mode()
    def embed_pictures(self, pictures: np.ndarray, batch: int = 64) -> np.ndarray:
        """Return unit vectors, float32, shape (n, projection width), of uint8 pictures."""
        size = self.vision.config.image_size
        pieces = []
        for start in range(0, len(pictures), batch):
            x = torch.tensor(pictures[start : start + batch])
            x = x.permute(0, 3, 1, 2).to(self.device).float() / 255
            if x.shape[-2:] != (size, size):
                x = functional.interpolate(x, (size, size), mode="bicubic", antialias=True)
            pieces.append(_units(self.vision((x - self.mean) / self.deviation).image_embeds))
        return np.concatenate(pieces)


def _units(x: Tensor) -> np.ndarray:
    return functional.normalize(x.float(), dim=-1).cpu().numpy()


def quality(clip: ClipPair, drawings: Drawings) -> dict[str, Any]:
    """Return how well the pair matches held-out drawings with their captions, and with words.

    Zero-shot classes are the means of all wordings that captions have for a place or a style.
    """
    pictures, texts = clip.embed_pictures(drawings.pictures), clip.embed_texts(drawings.captions)
    places = {
        place: tuple(f"{where} {words}" for where in captions.WHERE[place] for words in wordings)
        for place, wordings in captions.PLACE.items()
    }
    return {
        "pairs": len(pictures),
        "picture_to_caption": retrieval(pictures, texts).as_json(),
        "caption_to_picture": retrieval(texts, pictures).as_json(),
        "place_by_words": _by_words(
            clip, pictures, [shown.place for shown in drawings.scenes], places
        ).as_json(),
        "style_by_words": _by_words(
            clip, pictures, [shown.style for shown in drawings.scenes], captions.STYLE
        ).as_json(),
    }


def _by_words(
    clip: ClipPair, pictures: np.ndarray, truth: list[str], wordings: captions.Table
) -> Tally:
    classes = np.stack([clip.embed_texts(texts).mean(0) for texts in wordings.values()])
    classes /= np.linalg.norm(classes, axis=1, keepdims=True)
    answers = [list(wordings)[i] for i in (pictures @ classes.T).argmax(1)]
    right = sum(seen == shown for seen, shown in zip(answers, truth, strict=True))
    return Tally(right, len(truth))
