"""The tokenizer: CLIP's own format, and a token for whatever is typed."""

import pytest

from storybook.captions import RUNNING_EXAMPLE
from storybook.training import tokenizer
from storybook.training.data import texts


@pytest.fixture(scope="module")
def learned():
    return tokenizer.learn(texts(300, 4), 1024)


@pytest.mark.parametrize(
    "prompt",
    [
        RUNNING_EXAMPLE,
        "Ein Mädchen im Schloß, 50 €",
        "一个女孩走过魔法森林",
        "🦊👩🏽\u200d🚀 שלום العربية",
        "<script>alert('x')</script>",
        "\x00\x7f\ufffd\u200b",
        "naïve Ångström ﬁ",
    ],
)
def test_any_input_is_read_and_can_be_read_back(learned, prompt):
    tokens = learned.tokenize(prompt)
    assert tokens
    assert set(tokens) <= set(learned.get_vocab())
    ids = learned(prompt).input_ids
    assert ids[0] == learned.bos_token_id
    assert ids[-1] == learned.eos_token_id
    assert ids.count(learned.eos_token_id) == 1, "an unknown token would be another end mark"
    normal = learned.backend_tokenizer.normalizer.normalize_str(prompt)
    read = learned.decode(ids, skip_special_tokens=True)
    assert "".join(read.split()) == "".join(normal.split())


def test_every_byte_has_a_token_inside_and_at_the_end_of_a_word(learned):
    vocabulary = learned.get_vocab()
    single = [token for token in vocabulary if len(token.removesuffix("</w>")) == 1]
    assert len(single) == 512
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert len(vocabulary) <= 1024


def test_common_words_are_single_tokens(learned):
    tokens = learned.tokenize(RUNNING_EXAMPLE)
    assert {"girl</w>", "forest</w>", "watercolour</w>", "blue</w>"} <= set(tokens)


def test_a_long_prompt_is_cut_at_the_context(learned):
    ids = learned(" ".join(["forest"] * 200), truncation=True).input_ids
    assert len(ids) == tokenizer.CONTEXT == learned.model_max_length
    assert ids[-1] == learned.eos_token_id


def test_it_is_read_from_its_folder_as_clips_own(learned, tmp_path):
    from transformers import AutoTokenizer, CLIPTokenizer

    learned.save_pretrained(tmp_path)
    for kind in (CLIPTokenizer, AutoTokenizer):
        again = kind.from_pretrained(tmp_path)
        assert again(RUNNING_EXAMPLE).input_ids == learned(RUNNING_EXAMPLE).input_ids
        assert again.pad_token_id == learned.pad_token_id


def test_learning_is_the_same_every_time(learned):
    again = tokenizer.learn(texts(300, 4), 1024)
    assert again.get_vocab() == learned.get_vocab()
