"""The Python side of the widgets of the page about copies."""

import json

import numpy as np
import pytest
import traitlets

from explainer import widgets
from explainer.stages import originality, originality_again, originality_index
from tests.copies import SIZE, make_findings, make_twin, trained_folder
from tests.shown import frame
from tests.synthetic import make_trace

SECONDS = 240


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return trained_folder(tmp_path_factory.mktemp("weights"))


def test_neighbours_are_drawn_again_and_held_against_unseen_drawings(weights):
    trace, found = make_trace(size=SIZE), make_findings()
    shown = widgets.Nearest(trace, found, weights)
    np.testing.assert_array_equal(frame(shown, "own"), np.asarray(trace.image()))
    np.testing.assert_array_equal(frame(shown, "pixels", 4), originality.redraw(11, SIZE))
    clip = shown._facts["scales"]["clip"]
    assert clip["found"][0] == {
        "number": 2,
        "distance": 0.2,
        "caption": originality.caption(2),
    }
    assert clip["nearer"] == 0.25, "one of four drawings is nearer than 0.2"
    assert clip["suspicious"] == 0.15
    assert len(clip["marks"]) == widgets.nearest.MARKS
    assert (clip["marks"][0], clip["marks"][-1]) == (0.1, 0.4)
    assert "by CLIP number 2, 0.200 away; by pixels number 7, 0.350" in repr(shown)


def test_a_neighbour_is_chosen_among_those_there_are(weights):
    shown = widgets.Nearest(make_trace(size=SIZE), make_findings(), weights)
    shown.chosen = ["pixels", 99]
    assert shown.chosen == ["pixels", 4]
    with pytest.raises(traitlets.TraitError, match="no measure 'smell'"):
        shown.chosen = ["smell", 0]


@pytest.fixture
def indexed(weights, tmp_path, monkeypatch):
    """A folder of weights whose index lies where a built one is kept."""
    folder = tmp_path / "index"
    assert originality_index.build(weights, folder)
    monkeypatch.setattr("explainer.widgets.nearest.index_folder", lambda: folder)
    return weights


def test_the_readers_run_and_picture_are_looked_for(controller, indexed):
    shown = widgets.Nearest(make_trace(size=SIZE), make_findings(), indexed, controller=controller)
    assert shown._facts["indexed"]
    shown.show(make_trace(size=SIZE, seed=8))
    assert shown._task.wait(SECONDS)
    assert shown.notice == ""
    assert list(shown.neighbours) == ["clip", "pixels"]

    own = originality.redraw(123, SIZE)
    shown.set_state({"_pixels": memoryview(own.tobytes())})
    assert shown.neighbours == {}
    assert "not looked for yet" in repr(shown)
    shown._handle_custom_msg({"type": "ask"}, [])
    assert shown._task.wait(SECONDS)
    assert {found[0].number for found in shown.neighbours.values()} == {123}
    np.testing.assert_array_equal(frame(shown, "pixels"), own)


def test_an_index_is_built_where_none_is_and_can_be_cancelled(
    controller,
    weights,
    tmp_path,
    monkeypatch,
):
    monkeypatch.setattr("explainer.widgets.nearest.index_folder", lambda: tmp_path / "index")
    shown = widgets.Nearest(make_trace(size=SIZE), make_findings(), weights, controller=controller)
    before = shown.neighbours
    assert not shown._facts["indexed"]
    task = shown.ask()
    task.observe(lambda task: task.step and task.cancel())
    assert task.wait(SECONDS)
    assert task.state == "cancelled"
    assert shown.neighbours == before, "what was on show stays"
    assert shown.ask().wait(SECONDS)
    assert shown.notice == ""
    assert (tmp_path / "index" / "originality_clip.npz").is_file()


def test_an_index_that_cannot_be_kept_is_told(controller, weights, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("explainer.widgets.nearest.index_folder", lambda: tmp_path / "file")
    shown = widgets.Nearest(make_trace(size=SIZE), make_findings(), weights, controller=controller)
    before = shown.neighbours
    assert shown.ask().wait(SECONDS)
    assert str(tmp_path / "file") in shown.notice
    assert shown.neighbours == before


def test_what_is_no_picture_is_refused(weights):
    shown = widgets.Nearest(make_trace(size=SIZE), make_findings(), weights)
    with pytest.raises(traitlets.TraitError, match="5 bytes"):
        shown._pixels = b"12345"
    with pytest.raises(RuntimeError, match="controller"):
        shown.ask()


def test_rows_hold_what_was_measured():
    found, twin = make_findings(), make_twin()
    shown = widgets.Nearness(found, twin)
    assert [row["name"] for row in shown._rows] == ["drawings", "generated", "twin", "copies"]
    assert shown._rows[0]["clip"] == [0.2, 0.4, 0.1, 0.3]
    assert shown._rows[2]["pixels"] == [0.02, 0.04]
    assert [row["name"] for row in shown._among] == ["drawings", "generated"]
    assert "went on with 32 pictures" in shown._rows[2]["title"]
    np.testing.assert_array_equal(frame(shown, "drawings-clip", 1), originality.anew(1, SIZE))
    np.testing.assert_array_equal(frame(shown, "twin-pixels-near"), originality.redraw(0, SIZE))
    assert shown._pairs["generated-clip"][1]["title"] == "prompt 1"
    assert "pictures by the model 0.350" in repr(shown)
    shown.shown = False
    assert "by the model" not in repr(shown)
    with pytest.raises(traitlets.TraitError, match="no group 'others'"):
        shown.group = "others"
    assert [row["name"] for row in widgets.Nearness(found)._rows] == [
        "drawings",
        "generated",
        "copies",
    ]


def test_what_was_recorded_of_a_second_time_is_told():
    trace = make_trace(size=SIZE)
    shown = widgets.Again(trace, make_findings())
    assert shown._facts["second"]["values"] == 0
    assert shown._facts["seeds"] == ["7", "8"]
    np.testing.assert_array_equal(frame(shown, "first"), frame(shown, "second"))
    assert frame(shown, "first").mean() == pytest.approx(30, abs=1), "of the findings, not the run"
    assert f"the same to the bit; with the next seed: 2,000 of {3 * SIZE**2:,}" in repr(shown)
    different = widgets.Again(trace, make_findings(again=("a", "c", "b")))
    assert "second" not in different._frame_index
    assert "not the same" in repr(different)
    assert "not shown a second time" in repr(widgets.Again(trace))
    shown.shown = False
    assert "bit" not in repr(shown)


def test_three_runs_are_drawn_and_compared(controller):
    trace = make_trace(size=16, steps=2)
    shown = widgets.Again(trace, controller=controller)
    shown._handle_custom_msg({"type": "ask"}, [])
    assert shown._task.wait(SECONDS)
    assert shown.notice == ""
    facts = shown._facts
    assert facts["where"] == "here"
    assert facts["second"] == {"values": 0, "most": 0}
    assert facts["digests"][0] == facts["digests"][1] != facts["digests"][2]
    first = np.asarray(trace.image(), np.uint8)
    wanted = originality_again.difference(shown.pictures.first, first)
    assert facts["shown"] == wanted._asdict()
    assert wanted.values > 0
    np.testing.assert_array_equal(frame(shown, "other"), shown.pictures.other)
    assert shown._status["step"] == shown._status["total"] == 6
    shown.show(make_trace(size=16, seed=2**64 - 1))
    assert shown._facts["seeds"] == [str(2**64 - 1), "0"]
    assert shown.pictures is None


def test_pairs_that_training_never_showed_are_told_and_drawn_anew(controller):
    shown = widgets.Combinations(make_findings().combinations, SIZE, controller=controller)
    json.dumps(shown._told, allow_nan=False)
    assert shown._told[1]["counts"] == (10, 20, 0)
    np.testing.assert_array_equal(frame(shown, "near", 1), originality.redraw(1, SIZE))
    shown.chosen = 9
    assert shown.chosen == 1
    assert "bear and beach, in 0 training pictures together" in repr(shown)
    for seed in ("2", "3"):
        shown._handle_custom_msg({"type": "ask"}, [])
        assert shown._task.wait(SECONDS)
        assert shown.notice == ""
        assert shown._own == {"1": seed}
    assert frame(shown, "own-1").shape[2] == 3
    with pytest.raises(ValueError, match="at least one"):
        widgets.Combinations((), SIZE)


def test_the_twins_lessons_are_told():
    shown = widgets.Twins(make_twin(), SIZE)
    np.testing.assert_array_equal(frame(shown, "training", 2), originality.redraw(2, SIZE))
    assert {one["left"] for one in shown._told} == {"model", "twin"}
    shown.chosen = 7
    assert shown.chosen == 2
    assert "Training picture 2" in repr(shown)
