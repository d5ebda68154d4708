"""What the stages compute, against what can be worked out by hand."""

import numpy as np
import pytest

from explainer.models import embedded_fingerprint, embedded_folder
from explainer.stages import originality, text
from storybook import captions, illustrator, world


@pytest.mark.parametrize(
    ("a", "b", "cosine"),
    [
        ([1, 0], [1, 1], np.sqrt(0.5)),
        ([3, 4], [3, 4], 1),
        ([3, 4], [-6, -8], -1),
        ([2, 0, 0], [0, 5, 0], 0),
        ([1, 2, 2], [2, 1, 2], 8 / 9),
    ],
)
def test_similarity_is_the_cosine_of_the_angle(a, b, cosine):
    assert text.similarity(a, b) == pytest.approx(cosine, abs=1e-12)


def test_similarity_keeps_its_precision_on_half_floats():
    vector = np.full(4096, 40, np.float16)  # the squares add up to more than float16 holds
    assert text.similarity(vector, vector) == pytest.approx(1)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1, 2], [1, 2, 3], r"not \(2,\) and \(3,\)"),
        ([[1, 2]], [[1, 2]], r"one length"),
        ([0, 0], [1, 0], "zeros has no direction"),
    ],
)
def test_similarity_refuses_what_has_no_angle(a, b, message):
    with pytest.raises(ValueError, match=message):
        text.similarity(a, b)


def around_a_circle(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_nearest_come_first_with_their_cosines():
    index = around_a_circle(90, 5, 180, 350, 30)
    found = originality.nearest(around_a_circle(0)[0], index, 3)
    assert [one.number for one in found] == [1, 3, 4]
    cosines = np.cos(np.radians([5, 10, 30]))
    np.testing.assert_allclose([one.similarity for one in found], cosines, rtol=1e-6)


def test_equally_near_pictures_come_by_their_number():
    index = around_a_circle(40, -20, 20, -20)
    found = originality.nearest(around_a_circle(-20)[0], index, 2)
    assert [one.number for one in found] == [1, 3]


@pytest.mark.parametrize(("size", "count"), [(2, 5), (3, 1)])
def test_neighbours_that_cannot_be_found_are_refused(size, count):
    with pytest.raises(ValueError, match=f"{count} neighbours"):
        originality.nearest(np.ones(size, np.float32), around_a_circle(0, 90, 180), count)


def test_a_training_picture_is_drawn_again_as_it_was():
    again = originality.redraw(4321, 64)
    assert again.dtype == np.uint8
    assert again.shape == (64, 64, 3)
    np.testing.assert_array_equal(again, illustrator.draw(world.scene(4321), 64))
    assert np.abs(again.astype(int) - originality.redraw(4322, 64)).mean() > 5


def test_a_training_caption_names_what_the_picture_shows():
    words = originality.caption(4321)
    assert words == captions.captions_of(4321, 1)[0].text
    assert words != originality.caption(4322)


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory):
    """A folder with a tiny CLIP image encoder of random weights."""
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        projection_dim=6,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = CLIPVisionModelWithProjection(config)
    folder = tmp_path_factory.mktemp("model")
    encoder.save_pretrained(folder / "image_encoder")
    return folder


def noise_pictures(count, size):
    return np.random.default_rng(3).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_embeddings_are_directions_and_do_not_hang_on_the_batch(encoder_folder):
    pictures = noise_pictures(originality.BATCH + 2, 16)
    together = originality.image_embeddings(pictures, encoder_folder)
    assert together.shape == (len(pictures), 6)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    alone = originality.image_embeddings(pictures[-1:], encoder_folder)
    np.testing.assert_allclose(together[-1:], alone, atol=1e-5)


@pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)
def test_embeddings_are_those_of_plain_transformers_with_the_models_own_processor():
    import torch
    from PIL import Image
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    folder = embedded_folder()
    processor = CLIPImageProcessor.from_pretrained(folder / "feature_extractor")
    encoder = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder").eval()
    pictures = noise_pictures(2, encoder.config.image_size)
    inputs = processor([Image.fromarray(picture) for picture in pictures], return_tensors="pt")
    with torch.no_grad():
        plain = encoder(**inputs).image_embeds.numpy()
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    ours = originality.image_embeddings(pictures, folder)
    np.testing.assert_allclose(ours, plain, atol=1e-5)
