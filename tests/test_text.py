"""The text stages, against closed forms and against transformers' own values."""

import sys

import numpy as np
import pytest
from PIL import Image

from explainer import vocabulary
from explainer.models import embedded_fingerprint, embedded_folder
from explainer.stages import clip, originality, sentence, text
from storybook import captions

weights = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)
SENTENCES = (
    captions.RUNNING_EXAMPLE,
    "",
    "A FOX,  at night",
    "zzyzx 雪 naïve spaceship's",
    "the fox " * 60,
)


def test_similarities_are_the_cosines_of_every_pair():
    table = text.similarities([[1, 0], [3, 3], [0, -2]])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(table, [[1, half, 0], [half, 1, -half], [0, -half, 1]], atol=1e-12)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [([], "shape"), ([1, 2], "shape"), ([[1, np.nan]], "finite"), ([[0, 0], [1, 0]], "zeros")],
)
def test_similarities_refuse_what_has_no_angle(vectors, message):
    with pytest.raises(ValueError, match=message):
        text.similarities(vectors)


def test_the_principal_plane_finds_a_plane_that_was_hidden():
    """Points in the plane of two chosen directions, in 30 dimensions, come back as they were."""
    dice = np.random.default_rng(4)
    plane, _ = np.linalg.qr(dice.normal(size=(30, 2)))
    points = dice.normal(size=(9, 2)) * (5, 1)
    found = text.principal_plane(points @ plane.T + 7)
    assert found.share == pytest.approx(1)
    for a in range(9):
        before = np.linalg.norm(points - points[a], axis=1)
        np.testing.assert_allclose(
            np.linalg.norm(found.points - found.points[a], axis=1), before, atol=1e-9
        )
    assert found.points[:, 0].var() > found.points[:, 1].var()


def test_the_share_of_the_plane_is_that_of_the_variance():
    corners = np.concatenate([np.diag([3.0, 2, 1]), -np.diag([3.0, 2, 1])])
    assert text.principal_plane(corners).share == pytest.approx((9 + 4) / (9 + 4 + 1))


def test_two_phrases_lie_on_a_line():
    points = text.principal_plane([[0.0, 0, 1], [0, 4, 4]]).points
    assert abs(points[0, 0] - points[1, 0]) == pytest.approx(5)
    np.testing.assert_allclose(points[:, 1], 0, atol=1e-12)


@pytest.mark.parametrize("vectors", [[[1, 2]], [[1, 2]] * 5])
def test_points_on_one_spot_have_no_map(vectors):
    with pytest.raises(ValueError, match="two phrases that differ"):
        text.principal_plane(vectors)


def test_along_an_axis_its_ends_are_at_0_and_1():
    start, end = np.array([1.0, 1, 0]), np.array([3.0, 1, 0])
    vectors = [start, end, [2, 9, -4], [-1, 1, 0]]
    np.testing.assert_allclose(text.along(vectors, start, end), [0, 1, 0.5, -1], atol=1e-12)


def test_an_axis_from_a_word_to_itself_is_refused():
    with pytest.raises(ValueError, match="two ends that differ"):
        text.along([[1, 2]], [1, 0], [1, 0])


def test_probabilities_are_a_softmax():
    found = text.probabilities([[0.0, np.log(3) / 2], [900, 900]], 2)
    np.testing.assert_allclose(found, [[0.25, 0.75], [0.5, 0.5]])


def test_a_quarter_turn_is_90_degrees_whatever_the_length():
    states = np.array([[[1, 0]], [[0, 5]], [[0, 1]], [[0, -2]]])
    np.testing.assert_allclose(text.turned(states)[:, 0], [90, 0, 180], atol=1e-5)


@pytest.fixture(scope="module")
def encoder():
    return clip.TextEncoder(embedded_folder())


@weights
@pytest.mark.parametrize("words", SENTENCES, ids=["example", "empty", "case", "strange", "long"])
def test_tokens_and_vectors_are_those_of_transformers(encoder, words):
    import torch
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer")
    model = CLIPTextModelWithProjection.from_pretrained(embedded_folder() / "text_encoder").eval()
    ids = tokenizer(words, padding="max_length", truncation=True, return_tensors="pt").input_ids
    with torch.no_grad():
        theirs = model(ids, output_hidden_states=True)
    ours = encoder.encode(words)

    assert [token.id for token in ours.tokens] == ids[0].tolist()
    states = torch.cat([*theirs.hidden_states[:-1], theirs.last_hidden_state])
    np.testing.assert_allclose(ours.hidden_states, states, atol=2e-4, rtol=1e-4)
    np.testing.assert_array_equal(ours.token_rows + ours.position_rows, ours.hidden_states[0])
    unit = torch.nn.functional.normalize(theirs.text_embeds, dim=-1)[0]
    np.testing.assert_allclose(ours.embedding, unit, atol=1e-5)
    np.testing.assert_allclose(encoder.embed([words])[0], unit, atol=1e-5)


@weights
def test_the_reader_cuts_off_what_does_not_fit(encoder):
    tokens, truncated = encoder.reader.read("the fox " * 60)
    assert len(tokens) == encoder.reader.length
    assert [token.kind for token in tokens].count("padding") == 0
    read = sum(token.kind == "word" for token in tokens)
    assert truncated.split() == ("the fox " * 60).split()[read:]


@weights
@pytest.mark.parametrize("words", ["", "a fox", captions.RUNNING_EXAMPLE])
def test_of_what_fits_nothing_is_cut_off(encoder, words):
    assert encoder.reader.read(words).truncated == ""


@weights
def test_a_tokenizer_that_was_saved_with_a_length_reads_as_one_without(tmp_path):
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer")
    tokenizer("a fox", padding="max_length", truncation=True)
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    reader = sentence.SentenceReader(tmp_path)
    assert reader.read("a fox").truncated == ""
    assert reader.read("the fox " * 60).truncated.endswith("the fox ")


@weights
def test_attention_is_shared_out_among_what_came_before(encoder):
    attention = encoder.encode("a fox in the snow").attention
    np.testing.assert_allclose(attention.sum(axis=-1), 1, rtol=1e-5)
    above = np.triu(np.ones(attention.shape[-2:], bool), 1)
    assert attention[..., above].max() == 0


@weights
def test_capitals_and_blanks_are_one_sentence_and_word_order_is_not(encoder):
    one, same, other = encoder.embed(["a red fox, a hat", "A Red  FOX, a hat", "a fox, a red hat"])
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


LONG = "the fox " * 60


@weights
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a fox on the beach", "A FOX on the Beach"),
        ("a fox on the beach", " a  fox\ton the\nbeach "),
        ("a naïve fox", "a nai\u0308ve fox"),
        (f"{LONG} at night", f"{LONG} in the snow"),
    ],
    ids=["case", "blanks", "composed letters", "truncation"],
)
def test_what_never_reaches_the_encoder_breaks_uniqueness(encoder, one, other):
    ids = [[token.id for token in encoder.reader.read(text).tokens] for text in (one, other)]
    assert ids[0] == ids[1]
    np.testing.assert_array_equal(*encoder.embed([one, other]))


@weights
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a quokka on the beach", "a xylophone on the beach"),
        ("🦊", "🐻"),
        ("雪", "雨"),
        ("a cat", "a bat"),
        ("a fox, night", "a fox night"),
    ],
    ids=["unknown words", "emoji", "other scripts", "a letter", "a comma"],
)
def test_what_the_model_never_met_still_has_numbers_of_its_own(encoder, one, other):
    a, b = encoder.embed([one, other])
    assert np.abs(a - b).max() > 1e-4


@weights
def test_no_two_captions_with_other_tokens_share_a_fingerprint(encoder):
    """The claim of the text page, on fewer sentences than `make assets` takes."""
    texts = {captions.captions_of(number, 1)[0].text for number in range(60)}
    distinct = {tuple(t.id for t in encoder.reader.read(one).tokens): one for one in texts}
    vectors = encoder.embed(list(distinct.values()))
    assert len(np.unique(vectors, axis=0)) == len(distinct)


@weights
def test_pictures_get_the_vectors_of_transformers_with_the_models_own_processor():
    import torch
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    folder = embedded_folder()
    eyes = clip.ImageEncoder(folder)
    dice = np.random.default_rng(2)
    shape = (eyes.size, eyes.size, 3)
    images = [Image.fromarray(dice.integers(0, 256, shape, np.uint8)) for _ in range(2)]
    inputs = CLIPImageProcessor.from_pretrained(folder / "feature_extractor")(
        images, return_tensors="pt"
    )
    encoder = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder").eval()
    with torch.no_grad():
        theirs = encoder(**inputs).image_embeds.numpy()
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    np.testing.assert_allclose(eyes.embed(images), theirs, atol=1e-5)


@weights
def test_a_wide_picture_is_cut_to_its_middle():
    eyes = clip.ImageEncoder(embedded_folder())
    middle = Image.effect_noise((eyes.size, eyes.size), 90).convert("RGB")
    wide = Image.new("RGB", (3 * eyes.size, eyes.size), "red")
    wide.paste(middle, (eyes.size, 0))
    np.testing.assert_array_equal(*eyes.embed([wide, middle]))


def test_a_folder_without_an_encoder_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="save_pretrained"):
        sentence.SentenceReader(tmp_path)
    with pytest.raises(ValueError, match=r"missing.*again"):
        clip.ImageEncoder(tmp_path)


def test_every_phrase_on_the_shelves_is_of_known_words():
    shelves = vocabulary.known_phrases()
    phrases = [phrase for shelf in shelves.values() for phrase in shelf]
    assert len(phrases) > 40
    known = vocabulary.known_words()
    assert {word for phrase in phrases for word in captions.words(phrase)} <= known
    assert {"a fox", "an elephant"} <= set(shelves["Who"])


def test_unseen_drawings_are_named_after_what_they_show():
    picture = originality.unseen(3, 48)
    assert picture.shape == (48, 48, 3)
    assert not np.array_equal(picture, originality.redraw(3, 48))
    assert originality.unseen_name(3).split(" ", 1)[0] in {"a", "an"}


def test_the_text_stages_need_no_torch():
    import subprocess

    check = (
        "import sys; from explainer.stages import clip, sentence, text;"
        "sys.exit(bool({'torch', 'transformers', 'diffusers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
