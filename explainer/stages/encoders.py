"""Encoders: a loaded pipeline's text encoders, asked as the embedded model's numpy one is asked.

Whatever the family: CLIP (Radford et al. 2021) or T5 (Raffel et al. 2020). Nothing is hooked in and
nothing is switched over, and sentences are cut with a copy of the tokenizer, since a call of one
changes its settings: so a run may go on meanwhile. Only a run of an offloaded pipeline may not: as
its denoiser begins, it takes the text encoder off the GPU. Attention is computed from the states
between the layers with the encoder's own weights; the encoder itself never gives it away.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.capture.families import Reader, family_of
from explainer.capture.tokens import encode as run_encoder
from explainer.capture.tokens import gathered, read_tokens, written_out
from explainer.stages.clip import EncodedText
from explainer.stages.sentence import Reading

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

__all__ = ["PipelineEncoder", "PipelineReader", "encoders_of"]


class PipelineReader:
    """Cuts sentences into tokens as a loaded pipeline does; see `sentence.SentenceReader`.

    Args:
        tokenizer: The pipeline's.
        length: How many tokens the text encoder reads; an attribute, too.
        loader: Writes learned words out, as diffusers' loader of them does; None if there are none.
    """

    def __init__(self, tokenizer: Any, length: int, loader: Any) -> None:
        self._tokenizer = tokenizer
        self._loader = loader
        self.length = length

    def read(self, sentence: str) -> Reading:
        """Cuts a sentence into tokens."""
        written = self.written_out(sentence)
        tokens, truncated = read_tokens(self._tokenizer, written, self.length)
        return Reading(*gathered(tokens, truncated, written, sentence))

    def written_out(self, sentence: str) -> str:
        """Returns a sentence as the text encoder is given it."""
        return written_out(self._loader, self._tokenizer, sentence)


class PipelineEncoder:
    """One text encoder of a loaded pipeline; see `clip.TextEncoder`.

    Make it while the pipeline is not at work, as in the run controller's thread.

    Attributes:
        name: Its name in the pipeline.
        reader: Cuts sentences.
        pools: Whether it makes one vector of a sentence. T5 makes none.
    """

    def __init__(self, pipe: Any, reader: Reader, length: int) -> None:
        self._pipe, self._how = pipe, reader
        self._encoder: Any = getattr(pipe, reader.encoder)
        self.name = reader.encoder
        # A call sets up padding and truncation first: one in the midst of a run's own call would
        # have that run encode its prompt unpadded.
        self._tokenizer = copy.deepcopy(getattr(pipe, reader.tokenizer))
        self.reader = PipelineReader(self._tokenizer, length, _loader(pipe))
        self.pools = hasattr(_body(self._encoder), "embeddings")

    def encode(self, sentence: str) -> EncodedText:
        """Encodes a sentence; unlike the numpy encoder, without its padding."""
        import torch

        tokens, truncated = self.reader.read(sentence)
        count = sum(token.kind != "padding" for token in tokens)
        with torch.no_grad():
            states, pooled = self._run(sentence)
            ids = torch.tensor([token.id for token in tokens], device=states[0].device)
            rows, places = self._rows(ids[:count])
            maps = self._attention(states[:-1], [token.kind != "padding" for token in tokens])
        return EncodedText(
            tokens=tokens[:count],
            truncated=truncated,
            token_rows=_array(rows),
            position_rows=_array(places),
            hidden_states=np.stack([_array(state[:count]) for state in states]),
            attention=np.stack([_array(one[:, :count, :count]) for one in maps]),
            embedding=np.zeros(0, np.float32) if pooled is None else _unit(_array(pooled)),
        )

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Returns one vector of length 1 a sentence: float32, shape (n, d).

        Raises:
            ValueError: The encoder makes none.
        """
        import torch

        if not self.pools:
            raise ValueError(f"{self.name} makes no one vector of a sentence.")
        with torch.no_grad():
            pooled = [self._run(sentence)[1] for sentence in sentences]
        return np.stack([_unit(_array(vector)) for vector in pooled if vector is not None])

    def _run(self, sentence: str) -> tuple[list[torch.Tensor], torch.Tensor | None]:
        written, length = self.reader.written_out(sentence), self.reader.length
        return run_encoder(self._pipe, self._how, self._tokenizer, written, length)

    def _rows(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What each token is at first, and what is added for its place: zeros of T5."""
        embeddings = getattr(_body(self._encoder), "embeddings", None)
        if embeddings is None:
            rows = self._encoder.get_input_embeddings()(ids)
            return rows, rows.new_zeros(rows.shape)
        return embeddings.token_embedding(ids), embeddings.position_embedding.weight[: len(ids)]

    def _attention(self, inputs: Sequence[torch.Tensor], read: list[bool]) -> list[torch.Tensor]:
        """Each layer's shares, (heads, tokens, tokens), from what went into it."""
        if self.pools:
            layers = _body(self._encoder).encoder.layers
            return [_clip_shares(one, state) for one, state in zip(layers, inputs, strict=True)]
        blocks = self._encoder.encoder.block
        bias = blocks[0].layer[0].SelfAttention.compute_bias(len(read), len(read))[0]
        if self._how.masked:
            hidden = ~bias.new_tensor(read).bool()
            bias = bias.masked_fill(hidden, bias.new_tensor(float("-inf")))
        return [_t5_shares(one, state, bias) for one, state in zip(blocks, inputs, strict=True)]


def encoders_of(pipe: Any, lengths: dict[str, int]) -> tuple[PipelineEncoder, ...]:
    """Returns a pipeline's text encoders, first the one whose tokens the denoiser attends to.

    Args:
        pipe: A pipeline of a known family.
        lengths: How many tokens each reads, by its name in the pipeline.
    """
    family = family_of(pipe)
    readers = () if family is None else family.present_readers(pipe)
    return tuple(
        PipelineEncoder(pipe, reader, lengths[reader.encoder])
        for reader in readers
        if reader.encoder in lengths
    )


def _loader(pipe: Any) -> Any:
    """Writes learned words out as the pipeline does, and keeps no model in memory as that would."""
    from diffusers.loaders import TextualInversionLoaderMixin

    return TextualInversionLoaderMixin() if isinstance(pipe, TextualInversionLoaderMixin) else None


def _body(encoder: Any) -> Any:
    return getattr(encoder, "text_model", encoder)


def _clip_shares(layer: Any, state: torch.Tensor) -> torch.Tensor:
    attention, normed = layer.self_attn, layer.layer_norm1(state)
    query = _by_head(attention.q_proj(normed), attention.num_heads)
    key = _by_head(attention.k_proj(normed), attention.num_heads)
    scores = query @ key.transpose(-1, -2) * attention.scale
    later = scores.new_ones(scores.shape[-2:]).triu(1).bool()  # no token sees what follows it
    return scores.masked_fill(later, float("-inf")).float().softmax(-1)


def _t5_shares(block: Any, state: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """T5 does not scale its products, and tells places by a bias that all layers share."""
    attention = block.layer[0].SelfAttention
    normed = block.layer[0].layer_norm(state)
    query = _by_head(attention.q(normed), attention.n_heads)
    key = _by_head(attention.k(normed), attention.n_heads)
    return (query @ key.transpose(-1, -2) + bias).float().softmax(-1)


def _by_head(values: torch.Tensor, heads: int) -> torch.Tensor:
    return values.view(len(values), heads, -1).transpose(0, 1)


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return values


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return result
