"""A loaded pipeline's text encoders answer as the numpy encoder does."""

import numpy as np
import pytest
import torch

from explainer.capture import record
from explainer.stages import encoders
from tests import tiny

FAMILIES = {
    "sd": tiny.stable_diffusion,
    "sdxl": tiny.stable_diffusion_xl,
    "sd3": tiny.stable_diffusion_3,
    "flux": tiny.flux,
    "pixart": tiny.pixart,
}
SENTENCE = "a fox sleeps on the beach, pencil sketch"
LENGTHS = dict.fromkeys(("text_encoder", "text_encoder_2", "text_encoder_3"), tiny.MAX_TOKENS)


@pytest.fixture(params=FAMILIES)
def pipe(request):
    return FAMILIES[request.param]()


def eager(pipe, encoder):
    """What transformers says itself, once its encoder is switched over to say it."""
    module = getattr(pipe, encoder.name)
    module.set_attn_implementation("eager")
    inputs = encoder.reader._tokenizer(
        SENTENCE,
        padding="max_length",
        max_length=encoder.reader.length,
        truncation=True,
        return_tensors="pt",
    )
    mask = inputs.attention_mask if encoder._how.masked else None
    with torch.no_grad():
        return module(inputs.input_ids, attention_mask=mask, output_attentions=True)


def test_attention_is_what_the_encoder_itself_computes(pipe):
    found = encoders.encoders_of(pipe, LENGTHS)
    assert found
    for encoder in found:
        encoded = encoder.encode(SENTENCE)
        output = eager(pipe, encoder)
        count = len(encoded.tokens)
        assert count < encoder.reader.length
        for ours, theirs in zip(encoded.attention, output.attentions, strict=True):
            np.testing.assert_allclose(ours, theirs[0, :, :count, :count].numpy(), atol=1e-6)
        last = output.last_hidden_state[0, :count].numpy()
        np.testing.assert_allclose(encoded.hidden_states[-1], last, atol=1e-5)


def test_what_a_token_is_at_first_goes_into_the_first_layer(pipe):
    for encoder in encoders.encoders_of(pipe, LENGTHS):
        encoded = encoder.encode(SENTENCE)
        np.testing.assert_allclose(
            encoded.token_rows + encoded.position_rows, encoded.hidden_states[0], atol=1e-6
        )
        assert bool(encoded.position_rows.any()) == encoder.pools


def test_a_sentence_becomes_one_vector_where_the_encoder_makes_one(pipe):
    trace = record(pipe, SENTENCE, seed=0, steps=1, previews=False, **options(pipe))
    pooled = {"": trace.pooled_embedding} | {
        one.encoder: one.pooled_embedding for one in trace.readings
    }
    first, *others = encoders.encoders_of(pipe, LENGTHS)
    for name, encoder in (("", first), *((one.name, one) for one in others)):
        if not encoder.pools:
            assert pooled[name].size == 0
            with pytest.raises(ValueError, match="no one vector"):
                encoder.embed([SENTENCE])
            continue
        wanted = pooled[name] / np.linalg.norm(pooled[name])
        np.testing.assert_allclose(encoder.embed([SENTENCE])[0], wanted, atol=1e-5)


def test_a_learned_word_is_read_with_all_its_vectors():
    pipe = tiny.stable_diffusion()
    pipe.load_textual_inversion(torch.randn(3, 32), token="<sty>")
    sentence = "a fox, <sty>, in the snow"
    (encoder,) = encoders.encoders_of(pipe, LENGTHS)
    encoded = encoder.encode(sentence)
    count = len(encoded.tokens)
    said = pipe.encode_prompt(sentence, "cpu", 1, False)[0].detach().numpy()
    np.testing.assert_allclose(encoded.hidden_states[-1], said[0, :count], atol=1e-5)
    learned = [token for token in encoded.tokens if token.word == "<sty>"]
    assert [sentence[token.start : token.end] for token in learned] == ["<sty>"] * 3


def test_asking_leaves_the_tokenizer_of_a_run_that_goes_on_alone(pipe):
    for encoder in encoders.encoders_of(pipe, LENGTHS):
        tokenizer = getattr(pipe, encoder._how.tokenizer)
        # As a run sets it just before it uses it.
        tokenizer(SENTENCE, padding="max_length", max_length=9, truncation=True)
        encoder.encode(SENTENCE)
        backend = tokenizer.backend_tokenizer
        assert backend.padding["length"] == backend.truncation["max_length"] == 9


def options(pipe):
    return {"use_resolution_binning": False} if type(pipe).__name__.startswith("PixArt") else {}
