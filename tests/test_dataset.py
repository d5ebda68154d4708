"""The training set: the same pictures in every process, whatever interrupts the drawing."""

import errno
import json

import numpy as np
import pytest

from storybook import dataset, world
from storybook.captions import captions_of
from storybook.evaluation.prompts import judges_scene
from storybook.illustrator import draw

SIZE, COUNT = 32, 70


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with :data:`COUNT` pictures, drawn by another process."""
    folder = tmp_path_factory.mktemp("dataset")
    reports = []
    dataset.pictures(
        folder, size=SIZE, count=COUNT, workers=1, progress=lambda *done: reports.append(done)
    )
    assert reports == [(64, COUNT), (COUNT, COUNT)]
    return folder


@pytest.fixture
def folder(drawn, tmp_path):
    """A copy to spoil."""
    for path in drawn.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def note(folder, **content):
    path = folder / f"pictures-{SIZE}.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | content))
    return found


def spoil(folder, numbers):
    array = np.load(folder / f"pictures-{SIZE}.npy", mmap_mode="r+")
    array[numbers] = 0
    array.flush()


def test_a_number_is_the_same_picture_in_another_process(drawn):
    kept = dataset.pictures(drawn, size=SIZE, count=COUNT)
    assert kept.shape == (COUNT, SIZE, SIZE, 3)
    assert kept.dtype == np.uint8
    for number in (0, 1, 63, 64, COUNT - 1):
        assert np.array_equal(kept[number], dataset.picture(number, SIZE)), number
    assert len(np.unique(kept.reshape(COUNT, -1), axis=0)) == COUNT


def test_a_caption_is_drawn_anew_with_all_that_it_says_and_nothing_else(monkeypatch):
    for number in range(20):
        training = dataset.picture(number, SIZE)
        found = [dataset.anew(number, SIZE, take) for take in range(2)]
        assert np.array_equal(found[0], dataset.anew(number, SIZE))
        assert not any(np.array_equal(one, training) for one in found)
        assert not np.array_equal(*found)
    monkeypatch.setattr(dataset, "draw", lambda shown, size: shown)
    asked, shown = captions_of(7, 1)[0], world.scene(7)
    takes = [dataset.anew(7, SIZE, take) for take in range(3)]
    for name in {*asked.names, "who"}:
        assert {getattr(one, name) for one in takes} == {getattr(shown, name)}
    assert len({one.number for one in takes}) == 3
    assert all(one.number % 2 for one in takes), "training pictures have even numbers"


def test_no_two_numbers_are_drawn_anew_from_the_same_scene(monkeypatch):
    monkeypatch.setattr(dataset, "draw", lambda shown, size: shown)
    found = [dataset.anew(number, SIZE).number for number in range(300)]
    assert len(set(found)) == len(found)


def test_what_is_drawn_is_not_drawn_again(folder):
    spoil(folder, slice(None))
    kept = dataset.pictures(folder, size=SIZE, count=COUNT)
    assert not kept.any()
    assert not kept.flags.writeable
    assert dataset.pictures(folder, size=SIZE, count=5).shape[0] == 5


def test_an_interrupted_drawing_is_taken_up(folder, drawn):
    spoil(folder, slice(64, None))
    spoil(folder, slice(3))
    note(folder, drawn=64)
    kept = dataset.pictures(folder, size=SIZE, count=COUNT, workers=1)
    whole = dataset.pictures(drawn, size=SIZE, count=COUNT)
    assert not kept[:3].any()
    assert np.array_equal(kept[3:], whole[3:])
    assert note(folder)["drawn"] == COUNT


def test_more_pictures_keep_those_that_there_are(folder, drawn):
    spoil(folder, 0)
    kept = dataset.pictures(folder, size=SIZE, count=COUNT + 2, workers=1)
    assert not kept[0].any()
    assert np.array_equal(kept[1:COUNT], dataset.pictures(drawn, size=SIZE, count=COUNT)[1:])
    assert np.array_equal(kept[-1], dataset.picture(COUNT + 1, SIZE))


def test_pictures_of_another_world_are_drawn_anew(folder):
    spoil(folder, slice(None))
    note(folder, world=0)
    kept = dataset.pictures(folder, size=SIZE, count=2, workers=1)
    assert np.array_equal(kept[1], dataset.picture(1, SIZE))
    assert note(folder)["world"] == dataset.WORLD_VERSION


def test_a_full_disk_is_told_before_anything_is_drawn(tmp_path):
    resource = pytest.importorskip("resource", reason="limits are set this way on Unix alone")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"no room for 0\.03 GB of pictures") as caught:
            dataset.pictures(tmp_path, size=SIZE, count=10_000, workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno in {errno.EFBIG, errno.ENOSPC}
    assert not any(tmp_path.iterdir())


def test_other_scenes_than_the_training_pictures_are_drawn_alike(tmp_path):
    kept = dataset.pictures(tmp_path, size=SIZE, count=2, workers=1, scenes=judges_scene)
    assert np.array_equal(kept[1], draw(judges_scene(1), SIZE))


def test_captions_come_in_order_from_several_processes():
    count = 3 * dataset._TOLD_AT_ONCE
    chunks = list(dataset.captions(count, 1, workers=2))
    texts = [text for chunk in chunks for text in chunk]
    assert len(texts) == count
    for number in (0, 1500, count - 1):
        assert texts[number] == captions_of(number, 1)[0].text
