"""Stage 5: the text encoder learns to read everyday words.

Denoiser and CLIP pair learned from captions, which know few phrases. Readers have their own. So
the text encoder learns at last from pairs of wordings, an everyday one and a caption that names the
very same things (:mod:`storybook.everyday`): for the one, a copy of it must lead the denoiser to
the guess that the encoder led it to for the other (distillation, Hinton et al. 2015), and end in
the same embedding. Captions must stay what they were. The denoiser stays as it is: it is the
same guess that it learned to make.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch.nn import functional
from transformers import CLIPTextModelWithProjection

from storybook.training import checkpoint
from storybook.training.data import picked
from storybook.training.denoiser import DenoiserStage
from storybook.training.loop import Stage
from storybook.training.naming import Naming
from storybook.training.presets import Preset

LED_WEIGHT = 20.0
"""of the guess's error, which is about a hundredth of the others at first."""
TAIL = 4
"""States that are compared behind the longest wording at least."""


def origin(encoder: CLIPTextModelWithProjection) -> str:
    """Name the encoder that teaches, as well as half precision tells it."""
    return checkpoint.fingerprint("reading", encoder, halved=True)


@dataclass(frozen=True, slots=True)
class Wordings:
    """Pairs of wordings: an everyday one, and a caption that names the same.

    Args:
        tokens: token ids, shape (n, takes, 2, context).
        names: what both name, shape (n, takes, attributes), see
            :mod:`storybook.training.naming`.
    """

    tokens: torch.Tensor
    names: torch.Tensor


class ReadingStage(Stage):
    """A copy of the text encoder learns to make of everyday wordings what it makes of captions.

    Args:
        encoder: the CLIP pair's text encoder, with its projection.
        denoising: the stage of the denoiser that is led, frozen here, and its latents.
        wordings: what it learns from; None if it does not learn.
        preset: batch size and rate.
    """

    name = "reading"

    def __init__(
        self,
        encoder: CLIPTextModelWithProjection,
        denoising: DenoiserStage,
        wordings: Wordings | None,
        preset: Preset,
    ) -> None:
        super().__init__()
        self.model: CLIPTextModelWithProjection = _copy(encoder)
        self.naming = Naming(preset.clip_width, preset.projection)
        self.batch_size, self.learning_rate = preset.reading_batch, preset.reading_rate
        self._led = preset.reading_led_batch
        self.origin = origin(encoder)
        self._wordings = wordings
        # In a tuple, so that neither is trained or saved with the stage.
        denoising.model.requires_grad_(False)
        self._frozen = (_copy(encoder).requires_grad_(False).eval(), denoising)

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        """Return how far everyday wordings are from captions, and captions from what they were."""
        if self._wordings is None:
            raise ValueError("a stage without wordings cannot learn")
        takes = self._wordings.tokens.shape[1]
        which = torch.randint(0, takes, (len(indices),), device=indices.device)
        everyday, usual = picked(self._wordings.tokens, indices, which).long().unbind(1)
        named = picked(self._wordings.names, indices, which)
        some = slice(self._led)
        loss = self._loss_of_leading(indices[some], everyday[some], usual[some])
        # The longer half apart, for the shorter one need not be filled up to its length.
        by_length = everyday[self._led :].ne(self.model.config.eos_token_id).sum(1).argsort()
        for half in (by_length + self._led).chunk(2):
            loss = loss + self._loss_of_meaning(everyday[half], usual[half], named[half]) / 2
        return loss

    def _loss_of_leading(
        self, indices: torch.Tensor, everyday: torch.Tensor, usual: torch.Tensor
    ) -> torch.Tensor:
        """Compare what the denoiser guesses, and what became of captions.

        Args:
            indices: of pictures, shape (n,).
            everyday: token ids, shape (n, context).
            usual: token ids of captions that name the same.
        """
        teacher, denoising = self._frozen
        # Guidance goes on from the guess without a caption, so the empty prompt must stay, too.
        stays = torch.cat([usual, denoising.data.empty.to(usual)[None]])
        with torch.no_grad():
            asked = teacher(stays).last_hidden_state
        found = self.model(torch.cat([everyday, stays])).last_hidden_state
        read, kept = found.tensor_split([len(everyday)])
        led = self._guess_error(indices, read, asked[:-1])
        return LED_WEIGHT * led + (kept - asked).square().mean()

    def _loss_of_meaning(
        self, everyday: torch.Tensor, usual: torch.Tensor, named: torch.Tensor
    ) -> torch.Tensor:
        """Compare embeddings, and the states after both ends, which sum up what was read.

        A colour is little of either, so what is named must also be told from both, by the heads
        that tell it from what captions came to.
        """
        teacher, _ = self._frozen
        end = self.model.config.eos_token_id
        ended = torch.stack([everyday, usual]).eq(end).cumsum(-1).gt(0).all(0)
        # The encoder never looks ahead, so what comes later need not be computed.
        enough = int((~ended).sum(-1).max()) + TAIL
        everyday, usual, ended = everyday[:, :enough], usual[:, :enough], ended[:, :enough, None]
        with torch.no_grad():
            asked = teacher(usual)
        found = self.model(everyday)
        errors = (found.last_hidden_state - asked.last_hidden_state).square().mean(-1, keepdim=True)
        alike = functional.cosine_similarity(found.text_embeds, asked.text_embeds)
        known, told = (
            self.naming.states(seen.last_hidden_state, named)
            + self.naming.embeddings(functional.normalize(seen.text_embeds), named)
            for seen in (asked, found)
        )
        # Heads that cannot tell it yet have nothing to teach.
        naming = known + torch.exp(-known.detach()) * told
        return (1 - alike).mean() + (errors * ended).sum() / ended.sum() + naming

    def _guess_error(
        self, indices: torch.Tensor, read: torch.Tensor, asked: torch.Tensor
    ) -> torch.Tensor:
        """Return the weighted squared difference between the guesses that two readings lead to."""
        _, denoising = self._frozen
        _, _, noisy, timesteps = denoising.noised(indices)
        with torch.no_grad():
            wanted = denoising.model(noisy, timesteps, asked).sample.float()
        found = denoising.model(noisy, timesteps, read).sample.float()
        return (denoising.weights(timesteps) * (found - wanted).square().mean((1, 2, 3))).mean()

    def compile(self) -> None:
        """Leave the networks as they are: they train for too short to repay compiling."""


def _copy(encoder: CLIPTextModelWithProjection) -> CLIPTextModelWithProjection:
    copied = CLIPTextModelWithProjection(copy.deepcopy(encoder.config))
    copied.load_state_dict(encoder.state_dict())
    if encoder.device.type == "cpu":
        # Measured on two cores: a step takes a sixth less than with fused attention.
        copied.set_attn_implementation("eager")
    return copied.to(encoder.device)
