"""How pictures are compared with training pictures, against what can be worked out by hand."""

import os
from dataclasses import replace

import numpy as np
import pytest

from explainer.parameters import MAX_SEED, RunParameters
from explainer.stages import originality, originality_again, originality_index
from explainer.stages.clip import ImageEncoder
from explainer.stages.originality import Described
from explainer.stages.originality_findings import Findings, Twin
from explainer.stages.originality_index import Index, Reduced
from storybook import captions, illustrator, world
from tests.copies import PICTURES, SIZE, make_findings, make_twin, trained_folder
from tests.tiny import stable_diffusion


def grey(level, size=SIZE):
    return np.full((size, size, 3), level, np.uint8)


def around_a_circle(*degrees):
    angles = np.radians(degrees)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return Described(vectors, originality.thumbnails([grey(0)] * len(degrees)))


def test_distance_by_clip_is_one_minus_the_cosine():
    found = originality.distances(around_a_circle(0), around_a_circle(0, 60, 90, 180))["clip"]
    np.testing.assert_allclose(found, [[0, 0.5, 1, 2]], atol=1e-6)


def test_distance_by_pixels_is_the_root_mean_square_and_0_for_equal_ones():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    described = Described(
        np.ones((4, 1), np.float32), originality.thumbnails([grey(0), grey(51), grey(255), noise])
    )
    found = originality.distances(described, described)["pixels"]
    np.testing.assert_allclose(found[0, :3], [0, 0.2, 1], rtol=1e-6)
    np.testing.assert_array_equal(np.diag(found), 0)
    small = noise.reshape(32, 2, 32, 2, 3).mean((1, 3)) / 255
    assert found[0, 3] == pytest.approx(np.sqrt((small**2).mean()), abs=0.002)


def test_vectors_of_different_encoders_are_not_compared():
    other = Described(np.ones((1, 3), np.float32), originality.thumbnails([grey(0)]))
    with pytest.raises(ValueError, match="2 and 3 numbers"):
        originality.distances(around_a_circle(0), other)


def test_the_nearest_come_first_and_equally_near_ones_by_their_number():
    found = originality.nearest(np.array([0.3, 0.1, 0.2, 0.1], np.float32), 3)
    assert [one.number for one in found] == [1, 3, 2]
    assert found[0].similarity == pytest.approx(0.9)


@pytest.mark.parametrize("shape", [(2,), (5, 1)])
def test_neighbours_that_cannot_be_found_are_refused(shape):
    with pytest.raises(ValueError, match="3 neighbours"):
        originality.nearest(np.zeros(shape, np.float32), 3)


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


def test_reduced_vectors_keep_their_distances():
    dice = np.random.default_rng(1)
    inner = dice.normal(size=(300, 6)) * [9, 7, 5, 4, 3, 2]
    turned, _ = np.linalg.qr(dice.normal(size=(40, 6)))
    vectors = (inner @ turned.T + 3).astype(np.float32)
    reduced = Reduced.of(vectors, 6)
    assert reduced.codes.dtype == np.int8
    assert np.abs(reduced.codes.astype(int)).max() == 127
    apart = np.linalg.norm(reduced.points[:, None] - reduced.points[None], axis=2)
    wanted = np.linalg.norm(inner[:, None] - inner[None], axis=2)
    np.testing.assert_allclose(apart, wanted, atol=0.5)
    order = np.argsort(np.linalg.norm(vectors - vectors[17], axis=1))
    assert reduced.candidates(vectors[17], 1) == [17]
    assert set(order[:5]) <= set(reduced.candidates(vectors[17], 10))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return trained_folder(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def built(weights, tmp_path_factory):
    """An index that was stopped on the way and gone on with: its folder, and what was told."""
    folder, told = tmp_path_factory.mktemp("index"), []

    def progress(done, total):
        told.append((done, total))

    stopped = originality_index.build(weights, folder, progress=progress, cancelled=lambda: True)
    assert stopped is None
    assert originality_index.available(weights, folder) is None
    told.append("stopped")
    index = originality_index.build(weights, folder, progress=progress)
    return index, folder, told


def test_an_index_that_was_stopped_is_gone_on_with(built):
    index, folder, told = built
    assert told == [(64, PICTURES), "stopped", (128, PICTURES), (PICTURES, PICTURES)]
    assert len(index) == PICTURES
    assert sorted(path.name for path in folder.iterdir()) == [
        "originality_clip.npz",
        "originality_pixels.npz",
    ]


def test_what_was_described_is_described_anew_where_its_file_is_damaged(tmp_path):
    described = originality.Described(np.zeros((3, 2), np.float32), np.zeros((3, 4), np.float32))
    kept = originality_index._Parts(tmp_path)
    kept.add(described)
    kept.keep()
    assert [path.name for path in tmp_path.iterdir()] == ["described.npz"]
    assert originality_index._Parts(tmp_path).done == 3
    (tmp_path / "described.npz").write_bytes(b"PK\x03\x04 half of it")
    assert originality_index._Parts(tmp_path).done == 0


def test_a_training_picture_is_its_own_nearest(built, weights):
    index, told = built[0], []
    found = originality_index.find(
        originality.redraw(77, SIZE),
        index,
        ImageEncoder(weights),
        SIZE,
        3,
        progress=lambda done, total: told.append((done, total)),
    )
    for measure, neighbours in found.items():
        assert neighbours[0].number == 77
        assert neighbours[0].distance == pytest.approx(0, abs=1e-6)
        assert [one.distance for one in neighbours] == sorted(one.distance for one in neighbours)
        assert len(neighbours) == 3, measure
    assert told[-1][0] == told[-1][1] >= originality_index.CANDIDATES["pixels"]


def test_what_the_index_finds_is_what_comparing_with_all_finds(built, weights):
    eyes = ImageEncoder(weights)
    everything = originality.describe(
        [originality.redraw(number, SIZE) for number in range(PICTURES)], eyes
    )
    picture = originality.unseen(5, SIZE)
    apart = originality.distances(originality.describe([picture], eyes), everything)
    found = originality_index.find(picture, built[0], eyes, SIZE, 2)
    for measure, neighbours in found.items():
        wanted = originality.nearest(apart[measure][0], 2)
        assert [one.number for one in neighbours] == [one.number for one in wanted]
        np.testing.assert_allclose(
            [one.distance for one in neighbours], [one.distance for one in wanted], atol=1e-6
        )


def test_a_search_can_be_cancelled(built, weights):
    eyes = ImageEncoder(weights)
    stopped = originality_index.find(
        originality.redraw(1, SIZE), built[0], eyes, SIZE, 3, cancelled=lambda: True
    )
    assert stopped is None


def test_pictures_drawn_before_are_not_drawn_again(weights, tmp_path):
    drawn = tmp_path / "pictures.npy"
    np.save(drawn, np.stack([grey(level) for level in (0, 100, 200, 250)]))
    found = originality_index.described(weights, 3, SIZE, drawn=drawn)
    assert found.pixels[:, 0].tolist() == [0, 100, 200]


def test_several_processes_describe_as_one_does(weights, tmp_path):
    drawn = tmp_path / "pictures.npy"
    np.save(drawn, np.stack([grey(level) for level in range(PICTURES)]))
    alone, together = (
        originality_index.described(weights, PICTURES, SIZE, drawn=drawn, workers=workers)
        for workers in (1, 2)
    )
    np.testing.assert_array_equal(together.pixels, alone.pixels)
    np.testing.assert_allclose(together.clip, alone.clip, atol=1e-6)


def test_an_index_belongs_to_its_image_encoder_and_its_pictures(built, tmp_path, weights):
    index, _, _ = built
    of = originality_index.identity(weights)
    index.save(tmp_path, "one", of)
    again = Index.load(tmp_path, "one", of)
    np.testing.assert_array_equal(again.clip.codes, index.clip.codes)
    np.testing.assert_array_equal(again.pixels.axes, index.pixels.axes)
    other = {**of, "clip": {**of["clip"], "image_encoder": "another"}}
    assert Index.load(tmp_path, "one", other) is None
    pixels = tmp_path / "one_pixels.npz"
    os.utime(pixels, (1, 1))
    index.save(tmp_path, "one", other)
    assert Index.load(tmp_path, "one", other) is not None
    assert pixels.stat().st_mtime == 1, "pixels know nothing of the encoder: that part stays"
    pixels.write_bytes(pixels.read_bytes()[:500])
    assert Index.load(tmp_path, "one", other) is None


def test_weights_that_tell_nothing_of_their_training_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no training\.json.*explainer train"):
        originality_index.identity(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(weights, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        originality_index.build(weights, tmp_path / "file", cancelled=lambda: True)


def test_the_same_seed_gives_the_same_picture_and_the_next_another():
    told = []
    base = RunParameters(prompt="a fox", seed=3, steps=2)
    found = originality_again.draw(stable_diffusion(), base, on_step=told.append)
    np.testing.assert_array_equal(found.first, found.second)
    assert originality_again.digest(found.first) == originality_again.digest(found.second)
    assert originality_again.difference(found.first, found.other).values > 0
    assert originality_again.digest(found.first) != originality_again.digest(found.other)
    assert told[-1] == 2 * originality_again.RUNS
    assert (
        originality_again.draw(stable_diffusion(), replace(base, steps=1), cancelled=lambda: True)
        is None
    )


def test_after_the_last_seed_comes_the_first():
    assert originality_again.other_seed(7) == 8
    assert originality_again.other_seed(MAX_SEED) == 0


def test_no_more_than_32_bits_of_a_seed_count():
    """The page says so."""
    import torch

    first, second, third = (
        torch.randn(64, generator=torch.Generator().manual_seed(seed))
        for seed in (7, 2**32 + 7, 2**32 + 8)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_differences_are_counted_number_by_number():
    changed = grey(100)
    changed[3, 4] = (90, 100, 103)
    assert originality_again.difference(grey(100), changed) == (2, 10)
    with pytest.raises(ValueError, match="no numbers in common"):
        originality_again.difference(grey(0, 8), grey(0, 16))


def test_findings_are_read_as_they_were_written(tmp_path):
    found, twin = make_findings(), make_twin()
    found.save(tmp_path / "found.json")
    assert Findings.load(tmp_path / "found.json") == found
    twin.save(tmp_path / "twin.json")
    assert Twin.load(tmp_path / "twin.json") == twin
