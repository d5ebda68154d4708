"""What the page about copies opens with, recorded from an untrained model of the smallest size."""

import io
from dataclasses import asdict

import numpy as np
import pytest
import record_originality
from PIL import Image

import explainer
from explainer import models, recorded
from explainer.parameters import RunParameters
from explainer.stages import originality, originality_again, originality_index
from explainer.stages.clip import ImageEncoder
from explainer.stages.originality import MEASURES
from storybook import world
from storybook.training.presets import PRESETS
from tests import tiny

DRAWINGS, GENERATED = 5, 3


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    preset = asdict(PRESETS["rehearsal"])
    told = {"world": world.WORLD_VERSION, "preset": preset, "stages": {}, "seed": 0}
    return tiny.save_untrained(tmp_path_factory.mktemp("model") / "weights", told)


@pytest.fixture(scope="module")
def recorded_all(weights, tmp_path_factory):
    """All of it, in a folder of its own: the run, the findings, the twin, the index."""
    folder = tmp_path_factory.mktemp("recorded")
    base = RunParameters(prompt="a fox", seed=3, steps=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "embedded_folder", lambda: weights)
        patch.setattr(recorded, "FOLDER", folder)
        patch.setattr(recorded, "ORIGINALITY", folder / "originality.json")
        patch.setattr(recorded, "TWIN", folder / "twin.json")
        patch.setattr(record_originality, "STILL", folder / "images" / "copy.jpg")
        patch.setattr(record_originality, "DRAWINGS", DRAWINGS)
        patch.setattr(record_originality, "GENERATED", GENERATED)
        patch.setattr(record_originality, "LESSONS", 2)
        patch.setattr("storybook.evaluation.twin.PICTURES", 4)
        patch.setattr("storybook.evaluation.twin.STEPS", 2)
        pipe = explainer.load(weights, device="cpu")
        trace = explainer.record(pipe, **base.arguments(), previews=False)
        record_originality.write(pipe, trace, base, folder / "drawn")
        pool = record_originality.Pool(folder / "drawn")
        record_originality.twin(pipe, pool, folder / "state").save(recorded.TWIN)
        yield folder, trace, recorded.originality(), recorded.twin()


def test_the_index_and_the_still_lie_where_the_page_looks(recorded_all, weights):
    folder, _, found, _ = recorded_all
    index = originality_index.available(weights, folder)
    assert len(index) == found.trained == 64
    with Image.open(folder / "images" / "copy.jpg") as still:
        assert still.size == (3 * 128 + 2 * record_originality.GAP, 128)


def test_the_neighbours_of_the_running_example_are_the_nearest_of_all(recorded_all, weights):
    _, trace, found, _ = recorded_all
    eyes = ImageEncoder(weights)
    everything = originality.describe(
        [originality.redraw(number, found.size) for number in range(found.trained)], eyes
    )
    own = originality.describe([np.asarray(trace.image())], eyes)
    apart = originality.distances(own, everything)
    for measure in MEASURES:
        assert found.nearest[measure][0].number == apart[measure][0].argmin()
        assert found.nearest[measure][0].distance == pytest.approx(apart[measure].min(), abs=1e-5)


def test_every_group_is_measured_and_its_nearest_pairs_are_kept(recorded_all, weights):
    _, _, found, twin = recorded_all
    eyes = ImageEncoder(weights)
    groups = [(found.drawings, DRAWINGS), (twin.group, 4)]
    groups += [(group, GENERATED) for group in (found.generated, found.copies)]
    for group, count in groups:
        for measure in MEASURES:
            assert len(group.nearest[measure]) == count
            pairs = group.closest[measure]
            assert [one.distance for one in pairs] == sorted(group.nearest[measure])[: len(pairs)]
    pair = found.drawings.closest["pixels"][0]
    pictures = (
        originality.anew(pair.anew, found.size),
        originality.redraw(pair.number, found.size),
    )
    first, second = (originality.describe([picture], eyes) for picture in pictures)
    measured = originality.distances(first, second)["pixels"][0, 0]
    assert measured == pytest.approx(pair.distance, abs=1e-4)
    assert len(found.drawings.among["clip"]) == len(found.generated.among["clip"]) == GENERATED
    assert twin.group.among == {"clip": (), "pixels": ()}


def test_the_index_brings_up_the_nearest_of_so_few(recorded_all):
    assert recorded_all[2].recall == {"clip": 1, "pixels": 1}


def test_a_second_time_is_recorded_with_what_it_gave(recorded_all):
    _, trace, found, _ = recorded_all
    own = np.asarray(trace.image())
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found.first))), own)
    assert found.again[0] == found.again[1] == originality_again.digest(own)
    assert found.again[2] != found.again[0]
    assert 0 < found.apart <= own.size


def test_every_pair_is_asked_for_and_counted(recorded_all):
    found = recorded_all[2]
    assert len(found.combinations) == len(world.NEVER_TOGETHER)
    for one, (first, second) in zip(found.combinations, world.NEVER_TOGETHER, strict=True):
        scenes = [world.scene(number) for number in range(found.trained)]
        assert one.counts[0] == sum(getattr(s, first[0]) == first[1] for s in scenes)
        assert one.counts[1] == sum(getattr(s, second[0]) == second[1] for s in scenes)
        assert one.counts[2] == 0
    assert found.combinations[0].halves == ("fox", "beach")
    assert found.combinations[6].halves == ("cat", "green clothes")


def test_the_twin_is_recorded_beside_the_model(recorded_all):
    _, _, found, twin = recorded_all
    assert twin.fingerprint == found.fingerprint
    assert (twin.learned, twin.times) == (4, 2 * 8 // 4)
    assert [lesson.number for lesson in twin.lessons] == [0, 1]
    assert twin.lessons[1].prompt == originality.caption(1)


def test_a_twin_of_other_weights_is_not_shown(recorded_all, monkeypatch):
    folder, _, found, twin = recorded_all
    other = type(twin)("other", twin.learned, twin.times, twin.group, twin.lessons)
    other.save(folder / "other.json")
    monkeypatch.setattr(recorded, "TWIN", folder / "other.json")
    assert recorded.twin() is None
    monkeypatch.setattr(recorded, "TWIN", folder / "none.json")
    assert recorded.twin() is None
    assert found.fingerprint
