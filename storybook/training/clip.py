"""Stage 2: the CLIP pair, trained on pictures and captions (Radford et al. 2021).

Beside the contrastive loss, both encoders must tell what is named and shown: see
:mod:`storybook.training.naming`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTokenizer, CLIPVisionConfig

from storybook.training.data import as_floats, picked
from storybook.training.loop import Stage
from storybook.training.naming import Naming
from storybook.training.presets import Preset
from storybook.training.tokenizer import CONTEXT

_HEAD_WIDTH = 48
MAX_LOGIT_SCALE = 4.6052
"""ln 100: the paper's bound on how sharply similarities are told apart."""


def build(preset: Preset, tokenizer: CLIPTokenizer) -> CLIPModel:
    """Return an untrained pair of text and image encoder."""
    width = preset.clip_width
    common = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_attention_heads": max(width // _HEAD_WIDTH, 1),
        "projection_dim": preset.projection,
    }
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=CONTEXT,
        num_hidden_layers=preset.text_layers,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **common,
    )
    vision = CLIPVisionConfig(
        image_size=preset.size,
        patch_size=preset.patch,
        num_hidden_layers=preset.vision_layers,
        **common,
    )
    return CLIPModel(
        CLIPConfig(
            text_config=text.to_dict(),
            vision_config=vision.to_dict(),
            projection_dim=preset.projection,
        )
    )


@dataclass(frozen=True, slots=True)
class Labels:
    """What pictures show and captions name, see :mod:`storybook.training.naming`.

    Args:
        shown: int64, shape (n, attributes).
        named: int64, shape (n, captions, attributes).
    """

    shown: torch.Tensor
    named: torch.Tensor


class ClipStage(Stage):
    """The symmetric contrastive loss: each picture finds its caption, each caption its picture.

    Args:
        clip: the pair of encoders.
        pictures: uint8, shape (n, size, size, 3).
        tokens: token ids, shape (n, captions, context).
        labels: what these show and name; None where nothing is trained.
        preset: batch size and rate.
    """

    name = "clip"

    def __init__(
        self,
        clip: CLIPModel,
        pictures: torch.Tensor,
        tokens: torch.Tensor,
        labels: Labels | None,
        preset: Preset,
    ) -> None:
        super().__init__()
        self.model: CLIPModel = clip
        self.naming = Naming(preset.clip_width, preset.projection)
        self.batch_size, self.learning_rate = preset.clip_batch, preset.clip_rate
        self._pictures, self._tokens = pictures, _trimmed(tokens, clip)
        self._labels = labels

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        """Return the loss on the pictures in ``indices``, each with one of its captions."""
        if self._labels is None:
            raise ValueError("there is nothing to train on: nobody told what pictures show")
        device = indices.device
        pictures = as_floats(self._pictures[indices.to(self._pictures.device)], device)
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=MAX_LOGIT_SCALE)
        which = torch.randint(0, self._tokens.shape[1], (len(indices),), device=device)
        found = self.model(
            input_ids=picked(self._tokens, indices, which).long(), pixel_values=pictures
        )
        named = picked(self._labels.named, indices, which)
        shown = self._labels.shown[indices.to(self._labels.shown.device)].to(device)
        return (
            _contrast(found.logits_per_text)
            + self.naming.states(found.text_model_output.last_hidden_state, named)
            + self.naming.embeddings(found.text_embeds, named)
            + self.naming.embeddings(found.image_embeds, shown)
        )

    def compile(self) -> None:
        """Leave both encoders as they are: they train for too short to repay compiling."""


def _contrast(logits: torch.Tensor) -> torch.Tensor:
    target = torch.arange(len(logits), device=logits.device)
    return (
        functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
    ) / 2


def _trimmed(tokens: torch.Tensor, clip: CLIPModel) -> torch.Tensor:
    """Cut off the padding that all captions share: the causal encoder never looks ahead at it."""
    longest = int((tokens != clip.config.text_config.pad_token_id).sum(-1).max())
    return tokens[..., : longest + 1]
