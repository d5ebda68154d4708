"""What a word is looked up for and what it changes, against closed forms."""

import numpy as np
import pytest

from explainer import recorded
from explainer.stages import words
from explainer.trace import Token
from tests.synthetic import CONTEXT, WORDS, make_trace

STEPS = 3
READ = len(WORDS) + 2


def shares(rng, side):
    """Attention of every place to start, words, end and padding, which is not kept."""
    whole = rng.random((STEPS, CONTEXT, side, side))
    return (whole / whole.sum(axis=1, keepdims=True))[:, :READ].astype(np.float16)


def test_pieces_that_touch_are_one_word_and_a_word_said_twice_is_two():
    tokens = (
        Token(0, "<start>", None, 0, 0, "start"),
        Token(1, "Space", "Spaceship", 0, 5, "word"),
        Token(2, "ship", "Spaceship", 5, 9, "word"),
        Token(3, "spaceship", "spaceship", 10, 19, "word"),
        Token(4, ",", ",", 19, 20, "word"),
    )
    found = words.read_words(tokens)
    assert [(word.text, word.tokens) for word in found] == [
        ("Spaceship", (1, 2)),
        ("spaceship", (3,)),
        (",", (4,)),
    ]
    assert (found[0].start, found[0].end) == (0, 9)


@pytest.mark.parametrize(
    ("prompt", "word", "left"),
    [
        ("a red fox", "red", "a fox"),
        ("a red fox", "a", "red fox"),
        ("a red fox", "fox", "a red"),
        ("a forest, soft light", "forest", "a, soft light"),
        ("fox", "fox", ""),
    ],
)
def test_a_word_taken_away_leaves_no_gap(prompt, word, left):
    start = prompt.index(word)
    assert words.without(prompt, words.Word(word, (1,), start, start + len(word))) == left


def test_attention_adds_up_to_one_with_what_goes_to_no_word():
    rng = np.random.default_rng(3)
    maps = {"4x4": shares(rng, 4), "8x8": shares(rng, 8)}
    trace = make_trace(steps=STEPS, attention=maps)
    found = words.attention_of(trace)
    assert list(found) == ["8x8", "4x4"]
    np.testing.assert_allclose(found["8x8"].sum(axis=1), 1, atol=1e-5)
    for place in range(len(WORDS)):
        np.testing.assert_array_equal(found["4x4"][:, place], maps["4x4"][:, place + 1])


def test_pieces_of_a_word_add_up():
    maps = shares(np.random.default_rng(4), 4)
    tokens = list(make_trace().tokens)
    tokens[2] = Token(101, "fo", "fox", 2, 4, "word")
    tokens[3] = Token(102, "x", "fox", 4, 5, "word")
    found = words.attention_of(
        make_trace(steps=STEPS, attention={"4x4": maps}, tokens=tuple(tokens))
    )
    expected = maps[:, 2].astype(np.float32) + maps[:, 3].astype(np.float32)
    np.testing.assert_array_equal(found["4x4"][:, 1], expected)


def test_a_trace_without_attention_has_none():
    assert words.attention_of(make_trace()) == {}


def test_change_is_the_distance_at_every_place():
    before, after = np.zeros((2, STEPS, 4, 8, 8), np.float16)
    after[1, :, 2, 5] = (3, 4, 0, 0)
    one, other = make_trace(steps=STEPS, x0=before), make_trace(steps=STEPS, x0=after)
    found = words.change(one, other)
    assert found[1, 2, 5] == pytest.approx(2.5)
    found[1, 2, 5] = 0
    assert not found.any()
    with pytest.raises(ValueError, match="same model at the same size"):
        words.change(one, make_trace(steps=STEPS, x0=after[:, :2], latents=np.zeros((4, 2, 8, 8)),
            noise=after[:, :2], noise_cond=None, noise_uncond=None))  # fmt: skip


def test_agreement_is_a_correlation_over_places():
    ramp = np.arange(16.0).reshape(4, 4)
    assert words.agreement(ramp, 3 * ramp + 1) == pytest.approx(1)
    assert words.agreement(ramp, -ramp) == pytest.approx(-1)
    assert words.agreement(ramp, (ramp - 7.5) ** 2) == pytest.approx(0, abs=1e-12)
    assert words.agreement(ramp, np.ones((4, 4))) is None


def test_a_coarse_map_is_spread_over_a_fine_one():
    coarse = np.array([[1.0, 2], [3, 4]])
    fine = words.spread(coarse, (4, 4))
    np.testing.assert_array_equal(fine, np.kron(coarse, np.ones((2, 2))))
    assert words.agreement(coarse, fine) == pytest.approx(1)


def test_attention_gathers_at_the_front_of_the_sentence_as_the_text_page_says():
    run = recorded.trace("running_example")
    share = next(iter(words.attention_of(run).values())).mean(axis=(0, 2, 3))
    by_word = [
        (word.text, found)
        for word, found in zip(words.read_words(run.tokens), share[:-1], strict=True)
    ]
    assert [word for word, _ in by_word[:2]] == ["a", "little"]
    others = [found for word, found in by_word[2:] if word in {"a", "red", "blue"}]
    assert len(others) == 3
    assert min(found for _, found in by_word[:2]) > 3 * max(others)
