"""A word's weight, against embeddings that are moved by hand and given to diffusers itself."""

import pytest
import torch
from transformers import CLIPTokenizer

from explainer.capture import RunError, record, resume, tokens, weights
from explainer.models import embedded_folder
from explainer.parameters import ParameterError
from explainer.trace import Token, Trace
from tests import tiny

PROMPT = "a fox and a robot in the snowy village"
STEPS = 3


@pytest.fixture(scope="module")
def pipe():
    return tiny.stable_diffusion()


def run(pipe, **options):
    return record(pipe, PROMPT, seed=7, steps=STEPS, guidance_scale=5.0, previews=False, **options)


@pytest.fixture(scope="module")
def plain(pipe):
    return run(pipe)


def at(trace, word):
    return [i for i, token in enumerate(trace.tokens) if token.word == word]


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.5])
def test_a_word_is_moved_along_the_line_from_the_empty_prompt(pipe, plain, weight):
    said, negative = pipe.encode_prompt(PROMPT, "cpu", 1, True)
    empty, _ = pipe.encode_prompt("", "cpu", 1, True)
    fox = at(plain, "fox")
    moved = said.clone()
    moved[:, fox] = empty[:, fox] + weight * (said[:, fox] - empty[:, fox])
    theirs = pipe(
        prompt_embeds=moved,
        negative_prompt_embeds=negative,
        num_inference_steps=STEPS,
        guidance_scale=5.0,
        generator=torch.Generator("cpu").manual_seed(7),
        output_type="latent",
    ).images[0]
    ours = run(pipe, weights={"Fox": weight})
    assert ours.latents[-1].tobytes() == theirs.numpy().tobytes()
    assert ours.weights == {"Fox": weight}


@pytest.mark.parametrize(
    ("word", "pieces"),
    [
        ("cut-out", ["cut", "-", "out"]),
        ("Girl's", ["girl", "'", "s"]),
        ("out", ["out"]),
        ("8-bit", None),
        ("hat, a", None),
    ],
)
def test_a_word_may_be_several_to_the_tokenizer(word, pieces):
    prompt = "a girl's red hat, a paper cut-out, 28-bit"
    tokenizer = CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer")
    read, _ = tokens.read_tokens(tokenizer, prompt, 77)
    if pieces is None:
        with pytest.raises(RunError, match="has no word"):
            weights.positions(read, word)
    else:
        found = [read[place] for place in weights.positions(read, word)]
        assert "".join(token.text for token in found) == "".join(pieces)
        assert prompt[found[0].start : found[-1].end] == word.lower()


def test_in_stable_diffusion_3_both_readings_of_a_word_are_moved():
    """The denoiser reads what CLIP and T5 made of it, one after the other."""
    pipe = tiny.stable_diffusion_3()
    options = {"max_sequence_length": 16, "guidance_scale": 5.0}
    texts = {"prompt_2": None, "prompt_3": None, "max_sequence_length": 16}
    with torch.no_grad():
        said, negative, pooled, negative_pooled = pipe.encode_prompt(PROMPT, **texts)
        empty = pipe.encode_prompt("", **texts)[0]
    clip = record(pipe, PROMPT, seed=7, steps=1, previews=False, **options)
    t5 = clip.readings[-1]
    fox = [*at(clip, "fox"), *(len(clip.tokens) + place for place in at(t5, "fox"))]
    assert len(at(t5, "fox")) >= 1
    moved = said.clone()
    moved[:, fox] = empty[:, fox]
    theirs = pipe(
        prompt_embeds=moved,
        pooled_prompt_embeds=pooled,
        negative_prompt_embeds=negative,
        negative_pooled_prompt_embeds=negative_pooled,
        num_inference_steps=STEPS,
        generator=torch.Generator("cpu").manual_seed(7),
        output_type="latent",
        guidance_scale=5.0,
    ).images[0]
    ours = record(
        pipe, PROMPT, seed=7, steps=STEPS, previews=False, weights={"fox": 0.0}, **options
    )
    assert ours.latents[-1].tobytes() == theirs.numpy().tobytes()


def test_a_word_is_found_by_a_tokenizer_that_splits_it_and_by_one_that_does_not():
    def token(text, word, start):
        return Token(1, text, word, start, start + len(text), "word")

    clip = (token("cut", "cut", 2), token("-", "-", 5), token("out", "out", 6))
    t5 = (token("cut", "cut-out", 2), token("-out", "cut-out", 5))
    assert weights.found_in((*clip, *t5), "cut-out") == [0, 1, 2, 3, 4]
    assert weights.found_in((*clip, *t5), "out") == [2]


def test_a_learned_word_is_weighed_with_all_its_vectors():
    pipe = tiny.stable_diffusion()
    pipe.load_textual_inversion(torch.randn(3, 32), token="<sty>")
    prompt = "a fox, <sty>, in the snowy village"
    options = {"seed": 7, "steps": 1, "guidance_scale": 5.0, "previews": False}
    plain = record(pipe, prompt, **options)
    said, negative = pipe.encode_prompt(prompt, "cpu", 1, True)
    empty, _ = pipe.encode_prompt("", "cpu", 1, True)
    learned = at(plain, "<sty>")
    assert len(learned) == 3
    moved = said.clone()
    moved[:, learned] = empty[:, learned] + 2 * (said[:, learned] - empty[:, learned])
    theirs = pipe(
        prompt_embeds=moved,
        negative_prompt_embeds=negative,
        num_inference_steps=1,
        guidance_scale=5.0,
        generator=torch.Generator("cpu").manual_seed(7),
        output_type="latent",
    ).images[0]
    ours = record(pipe, prompt, weights={"<sty>": 2.0}, **options)
    assert ours.latents[-1].tobytes() == theirs.numpy().tobytes()


def test_a_weight_of_one_changes_nothing(pipe, plain):
    same = run(pipe, weights={"fox": 1.0})
    assert abs(same.latents - plain.latents).max() < 1e-4


def test_a_word_that_stands_twice_is_weighed_twice(pipe, plain):
    assert len(at(plain, "a")) == 2
    both = run(pipe, weights={"a": 3.0})
    assert abs(both.latents[-1] - plain.latents[-1]).max() > 1e-4


def test_the_pipeline_is_as_it_was(pipe, plain):
    run(pipe, weights={"fox": 0.0})
    assert "encode_prompt" not in vars(pipe)
    assert run(pipe).latents.tobytes() == plain.latents.tobytes()


def test_a_word_that_the_prompt_lacks_is_told(pipe):
    with pytest.raises(RunError, match="no word 'zebra'"):
        run(pipe, weights={"zebra": 2.0})
    with pytest.raises(ParameterError, match="from 0 to 10, not -1"):
        run(pipe, weights={"fox": -1})


def test_a_weighted_run_is_saved_and_taken_up_again_with_its_weights(pipe, tmp_path):
    trace = run(pipe, weights={"fox": 2.0})
    trace.save(tmp_path / "fox.trace")
    loaded = Trace.load(tmp_path / "fox.trace")
    assert loaded.weights == loaded.parameters["weights"] == {"fox": 2.0}
    again = resume(pipe, loaded, 1)
    assert again.weights == {"fox": 2.0}
    assert again.latents.tobytes() == trace.latents.tobytes()
