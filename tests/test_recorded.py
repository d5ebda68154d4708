"""What was recorded with the embedded model is found again as it was written."""

import base64
import json

import pytest

from explainer import recorded
from tests.synthetic import make_trace


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with one run and some stills, in place of the package's own."""
    make_trace(prompt="a fox", seed=5).save(tmp_path / "fox.trace")
    stills = {
        "fingerprint": "abc",
        "styles": [
            {
                "title": "crayon",
                "prompt": "a fox, crayon",
                "seed": 5,
                "picture": base64.b64encode(b"webp").decode(),
            }
        ],
    }
    (tmp_path / "stills.json").write_text(json.dumps(stills))
    text = {
        "fingerprint": "def",
        "sentences": 9,
        "fingerprints": 9,
        "nearest": ["a fox", "a frog"],
        "nearest_cosine": 0.5,
        "pictures": 4,
        "named_rightly": 0.75,
        "threshold": 0.1,
        "abstained": 0.25,
    }
    (tmp_path / "text.json").write_text(json.dumps(text))
    monkeypatch.setattr(recorded, "TEXT", tmp_path / "text.json")
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    monkeypatch.setattr(recorded, "STILLS", tmp_path / "stills.json")
    recorded._stills.cache_clear()
    yield tmp_path
    recorded._stills.cache_clear()


def test_a_run_is_found_by_its_name(folder):
    run = recorded.trace("fox")
    assert (run.prompt, run.seed) == ("a fox", 5)


@pytest.mark.parametrize("name", ["owl", "../fox", ""])
def test_a_run_that_was_not_recorded_is_told_with_those_that_were(folder, name):
    with pytest.raises(ValueError, match=r"was recorded; there are: fox$"):
        recorded.trace(name)


def test_stills_come_with_what_they_were_asked_for(folder):
    assert recorded.styles() == [recorded.Still("crayon", "a fox, crayon", 5, b"webp")]


def test_neighbours_come_nearest_first():
    distances = [one.distance for one in recorded.neighbours()]
    assert len(distances) > 1
    assert distances == sorted(distances)


def test_the_weights_are_named(folder):
    assert recorded.fingerprint() == "abc"


def test_what_was_measured_about_text_is_found_with_its_weights(folder):
    facts = recorded.text_facts()
    assert (facts.nearest, facts.threshold) == (("a fox", "a frog"), 0.1)
    (folder / "text.json").unlink()
    with pytest.raises(ValueError, match="make assets"):
        recorded.text_facts()


def test_what_was_not_recorded_is_left_out_rather_than_missed(folder, monkeypatch):
    for name in ("LEARNED", "SWAP", "INSIDE"):
        monkeypatch.setattr(recorded, name, folder / "nothing")
    assert recorded.learned() is recorded.swap() is recorded.inside() is None


def test_what_a_judge_saw_comes_by_what_was_asked_for(folder, monkeypatch):
    monkeypatch.setattr("explainer.models.embedded_folder", lambda: folder)
    monkeypatch.setattr("explainer.models.embedded_fingerprint", lambda: "these")
    assert recorded.accuracy("steps") is None
    row = {name: {"share": 0.5} for name in ("place", "style")}
    row |= {"who": {"share": 0.25}, "main": {"of": 16}}
    curves = {"guidance": [row | {"guidance_scale": 3.0}], "steps": [row | {"steps": 4}]}
    measured = folder / "evaluation.json"
    measured.write_text(json.dumps({"weights": "others", "curves": curves}))
    assert recorded.accuracy("guidance_scale") is None
    measured.write_text(json.dumps({"weights": "these", "curves": curves}))
    found = recorded.accuracy("guidance_scale")
    assert found.pictures == 16
    assert (found.shares["who"], found.shares["place"]) == ([(3.0, 0.25)], [(3.0, 0.5)])
    assert recorded.accuracy("seed") is None


def test_checkpoints_come_with_their_prompts(folder, monkeypatch):
    monkeypatch.setattr(recorded, "LEARNED", folder / "learned.json")
    pictures = [[base64.b64encode(b"early").decode(), base64.b64encode(b"late").decode()]]
    kept = {"prompts": ["a fox"], "steps": [10, 90], "pictures": pictures, "fingerprint": "abc"}
    recorded.LEARNED.write_text(json.dumps(kept))
    assert recorded.learned() == (("a fox",), (10, 90), ((b"early", b"late"),))


def test_a_package_without_its_recordings_says_how_to_make_them(folder):
    (folder / "stills.json").unlink()
    (folder / "fox.trace").unlink()
    with pytest.raises(ValueError, match="make assets"):
        recorded.styles()
    with pytest.raises(ValueError, match="make assets"):
        recorded.trace("fox")
