"""Lists of prompts, recorded by the command line, and a run handed in to the gallery."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diffusers import EulerDiscreteScheduler
from PIL import Image

from explainer import batch, cli, gallery, measuring, models, record_command, sharing
from explainer.capture import ActivationWatch, AttentionWatch, record
from explainer.parameters import RunParameters
from explainer.trace import Trace
from tests import tiny
from tests.synthetic import make_trace, webp

COMMAND = [sys.executable, "-m", "explainer.cli", "record"]
USUAL = RunParameters(prompt="-", steps=2)

pytestmark = pytest.mark.filterwarnings("ignore:.*torchvision")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.save_folder(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def pipe():
    return tiny.stable_diffusion()


def written(folder, *lines, name="prompts.txt"):
    path = folder / name
    path.write_text("\n".join(lines), "utf-8")
    return path


def traces_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_line_is_a_prompt_or_says_more(tmp_path):
    path = written(
        tmp_path,
        "\ufeffa fox",
        "",
        "# the second scene",
        "  an owl, at night  ",
        '{"prompt": "a bear", "seed": 3, "steps": 5, "guidance_scale": 2, '
        '"negative_prompt": "rain"}',
    )
    fox, owl, bear = batch.read_list(path, USUAL)
    assert fox.parameters == replace(USUAL, prompt="a fox")
    assert (owl.number, owl.parameters.prompt) == (4, "an owl, at night")
    assert bear.parameters == RunParameters(
        prompt="a bear", seed=3, steps=5, guidance_scale=2, negative_prompt="rain"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("fox " * 600, "at most 2,000"),
        ('{"prompt": "a fox", "steps": 0}', "from 1 to 200"),
        ('{"a":' * 100_000, "is no JSON"),
        ('{"prompt": "a fox", "steps": "many"}', "from 1 to 200"),
        ('{"prompt": "a fox", "sed": 3}', "'sed'. Known are: prompt"),
        ('{"seed": 3}', "The prompt is empty"),
        ('{"prompt": 5}', "must be text"),
        ("{a fox", "no JSON"),
    ],
)
def test_a_bad_line_is_named_and_the_others_stay(tmp_path, line, problem):
    good, bad, also_good = batch.read_list(written(tmp_path, "a fox", line, "an owl"), USUAL)
    assert (bad.number, bad.parameters) == (2, None)
    assert problem in bad.problem
    assert (good.problem, also_good.problem) == ("", "")


def test_what_is_no_list_is_refused(tmp_path):
    with pytest.raises(batch.ListError, match="cannot be read"):
        batch.read_list(tmp_path / "none.txt", USUAL)
    with pytest.raises(batch.ListError, match="cannot be read"):
        batch.read_list(tmp_path, USUAL)
    with pytest.raises(batch.ListError, match="holds no prompt"):
        batch.read_list(written(tmp_path, "", "# nothing"), USUAL)
    with pytest.raises(batch.ListError, match="at most 10,000"):
        batch.read_list(written(tmp_path, *["a fox"] * 10_001), USUAL)
    (tmp_path / "latin.txt").write_bytes("ein Bär".encode("latin-1"))
    with pytest.raises(batch.ListError, match="UTF-8"):
        batch.read_list(tmp_path / "latin.txt", USUAL)


def test_a_list_is_recorded_and_what_is_there_is_not_made_again(pipe, tmp_path):
    lines = batch.read_list(written(tmp_path, "a fox", "an owl"), USUAL)
    seen = []
    options = {"previews": False}
    first = list(
        batch.record_list(
            pipe,
            lines,
            tmp_path / "out",
            on_step=lambda line, step, total: seen.append((line.number, step, total)),
            **options,
        )
    )
    assert [(one.line.number, one.state) for one in first] == [(1, "recorded"), (2, "recorded")]
    assert seen == [(1, 1, 2), (1, 2, 2), (2, 1, 2), (2, 2, 2)]
    same = record(pipe, "a fox", seed=0, steps=2, guidance_scale=3.0, previews=False)
    assert Trace.load(first[0].path).picture == same.picture

    longer = batch.read_list(written(tmp_path, "a bear", "a fox", "an owl"), USUAL)
    first[1].path.write_bytes(first[1].path.read_bytes()[:500])  # as a copy that broke off
    again = list(batch.record_list(pipe, longer, tmp_path / "out", **options))
    assert [one.state for one in again] == ["recorded", "there", "recorded"]
    assert again[1].path == first[0].path
    assert Trace.load(first[1].path).prompt == "an owl"


def test_other_settings_weights_and_schedulers_get_files_of_their_own(pipe, tmp_path):
    (line,) = batch.read_list(written(tmp_path, "a fox"), USUAL)
    more = replace(line, parameters=replace(line.parameters, steps=3))
    runs = [(pipe, line, False), (pipe, more, False), (pipe, line, "x0")]
    runs.append((tiny.stable_diffusion(seed=1), line, False))
    other = tiny.stable_diffusion()
    other.scheduler = EulerDiscreteScheduler.from_config(other.scheduler.config)
    runs.append((other, line, False))
    paths = {
        next(batch.record_list(one, [wanted], tmp_path, previews=previews)).path
        for one, wanted, previews in runs
    }
    assert len(paths) == 5


def test_a_list_finds_its_files_again_whatever_it_watches(pipe, tmp_path):
    lines = batch.read_list(written(tmp_path, "a fox"), USUAL)

    def states(**options):
        found = batch.record_list(pipe, lines, tmp_path / "traces", previews=False, **options)
        return [outcome.state for outcome in found]

    for wanted in (
        lambda: {"attention": AttentionWatch(("mid_block",)), "cancelled": lambda: False},
        lambda: {"attention": AttentionWatch(("up_blocks",))},
        lambda: {"activations": ActivationWatch(("mid_block",))},
    ):
        assert [states(**wanted()) for _ in range(2)] == [["recorded"], ["there"]]
    with pytest.raises(ValueError, match="its files would not be found again"):
        states(image=Image.new("RGB", (16, 16)))


def test_a_run_that_fails_is_named_and_the_others_go_on(pipe, tmp_path):
    lines = [
        batch.Line(1, "", RunParameters(prompt="a fox", steps=1, scheduler="NoScheduler")),
        batch.Line(2, "", RunParameters(prompt="an owl", steps=1)),
    ]
    failed, done = batch.record_list(pipe, lines, tmp_path, previews=False)
    assert (failed.state, failed.stops) == ("failed", False)
    assert "does not fit this pipeline" in failed.problem
    assert done.state == "recorded"


def test_a_list_that_is_cancelled_keeps_no_half_runs(pipe, tmp_path):
    lines = batch.read_list(written(tmp_path, "a fox", "an owl"), USUAL)
    told = batch.record_list(pipe, lines, tmp_path / "out", previews=False, cancelled=lambda: True)
    (stopped,) = told
    assert (stopped.state, stopped.stops, stopped.problem) == ("failed", True, "Stopped.")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_stops_the_list_and_keeps_what_is_done(pipe, tmp_path):
    resource = pytest.importorskip("resource", reason="needs POSIX limits")
    lines = batch.read_list(written(tmp_path, "a fox", "an owl", "a bear"), USUAL)
    going = batch.record_list(pipe, lines, tmp_path / "out", previews=False)
    assert next(going).state == "recorded"
    old_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, old_limit[1]))
    try:
        (stopped,) = going
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
    assert (stopped.line.number, stopped.state, stopped.stops) == (2, "failed", True)
    assert "Free some space" in stopped.problem
    assert len(traces_in(tmp_path / "out")) == 1


def test_the_command_records_a_list_and_names_the_bad_line(model, tmp_path, capsys):
    path = written(tmp_path, "a fox", '{"prompt": "", "seed": 1}', "an owl")
    options = ["--model", str(model), "--steps", "2", "-o", str(tmp_path / "out")]
    assert cli.main(["record", "--prompts", str(path), *options]) == 1
    said = capsys.readouterr()
    assert "line 2 is left out: The prompt is empty" in said.err
    assert "2 recorded, 0 there before, of 3; not recorded: line 2" in said.out
    trace = Trace.load(tmp_path / "out" / traces_in(tmp_path / "out")[0])
    assert trace.attention
    assert {"x0", "noisy"} <= trace.frames.keys()

    path = written(tmp_path, "a fox", "an owl")
    assert cli.main(["record", "--prompts", str(path), *options]) == 0
    assert "0 recorded, 2 there before, of 2." in capsys.readouterr().out


def test_a_list_of_bad_lines_alone_loads_no_model(tmp_path, capsys):
    path = written(tmp_path, '{"steps": 0}')
    arguments = ["record", "--prompts", str(path), "--model", str(tmp_path / "none")]
    assert cli.main(arguments) == 2
    assert "line 1 is left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["a fox", "--prompts", "list.txt"],
        ["--prompts", "list.txt", "--gallery"],
        ["a fox", "--gallery", "-o", "fox.trace"],
        [],
    ],
)
def test_what_contradicts_itself_is_asked_again(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["record", *arguments])
    assert ended.value.code == 2
    assert "usage: explainer record" in capsys.readouterr().err


def test_a_list_that_is_interrupted_goes_on_where_it_ended(model, tmp_path):
    long = json.dumps({"prompt": "an owl", "steps": 200})
    path = written(tmp_path, "a fox", "a bear", long)
    folder = tmp_path / "out"
    arguments = ["--prompts", str(path), "--model", str(model), "--steps", "1"]
    arguments += ["-o", str(folder), "--no-previews"]
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        for line in process.stdout:
            if line.startswith("line 2"):
                process.send_signal(signal.SIGINT)
                break
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "2 recorded, 0 there before, of 3." in errors
    assert "The same command goes on from here." in errors
    assert len(traces_in(folder)) == 2

    written(tmp_path, "a fox", "a bear", "an owl")
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True)
    assert "1 recorded, 2 there before, of 3." in done.stdout


def entry(**changes):
    known = {"name": "tiny-a-fox", "model": "someone/tiny", "licence": "mit", "hardware": "a card"}
    return gallery.Entry(**known | changes)


def test_a_sound_run_is_handed_in_and_found_again(tmp_path):
    trace = make_trace()
    assert gallery.problems(entry(), trace) == []
    path, about = gallery.hand_in(entry(by="A. Reader"), trace, tmp_path)
    assert (path.suffix, about.suffix) == (".trace", ".json")
    (found,) = gallery.entries(tmp_path)
    assert found == entry(by="A. Reader")
    assert found.trace(tmp_path).picture == trace.picture
    with pytest.raises(gallery.GalleryError, match=r"tiny-a-fox\.trace already"):
        gallery.hand_in(entry(), trace, tmp_path)


def overflowed():
    latents = make_trace().latents.copy()
    latents[3, 0, 0, 0] = np.nan
    return make_trace(latents=latents)


def blank():
    return make_trace(picture=webp(np.zeros((64, 64, 3)), lossless=True))


@pytest.mark.parametrize(
    ("changes", "trace", "problem"),
    [
        ({}, lambda: make_trace(calls=4, complete=False), "cancelled half-way"),
        ({}, lambda: make_trace(frames={}), "holds no frames"),
        ({}, lambda: make_trace(seed=None), "nobody could repeat it"),
        ({"model": "a folder"}, make_trace, "--hub-id"),
        ({"licence": " "}, make_trace, "--licence"),
        ({"licence": "unknown"}, make_trace, "--licence"),
        ({}, overflowed, "not all finite"),
        ({}, blank, "all of one colour"),
    ],
)
def test_what_speaks_against_a_run_is_said_before_anything_is_written(
    tmp_path, changes, trace, problem
):
    with pytest.raises(gallery.GalleryError, match=problem) as caught:
        gallery.hand_in(entry(**changes), trace(), tmp_path)
    assert str(caught.value).count("\n- ") == 1
    assert traces_in(tmp_path) == []


def test_a_run_too_large_for_a_repository_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "MOST_BYTES", 2**20)
    large = make_trace(x0=np.zeros((10, 4, 200, 200), np.float16), **large_parts())
    with pytest.raises(gallery.GalleryError, match="at most 1 MB are taken"):
        gallery.hand_in(entry(), large, tmp_path)


def large_parts():
    noise = dict.fromkeys(
        ("noise", "noise_cond", "noise_uncond"), np.zeros((10, 4, 200, 200), np.float16)
    )
    return {**noise, "latents": np.zeros((11, 4, 200, 200), np.float32)}


def test_the_gallery_in_this_repository_is_sound():
    for one in gallery.entries():
        assert gallery.problems(one, one.trace()) == [], one.name
    assert {path.stem for path in gallery.FOLDER.glob("*.trace")} == {
        one.name for one in gallery.entries()
    }


def test_a_damaged_entry_is_named(tmp_path):
    (tmp_path / "fox.json").write_text('{"model": 3}')
    with pytest.raises(gallery.GalleryError, match=r"fox\.json: this is no entry"):
        gallery.entries(tmp_path)


def test_the_command_hands_a_run_in(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gallery, "FOLDER", tmp_path)
    arguments = ["record", "A fox, in the snow!", "--gallery", "--steps", "2", "--model"]
    arguments += [str(model), "--hub-id", "someone/Tiny-1.0", "--licence", "openrail"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "Nothing speaks against it. Is 'openrail' a licence" in said
    assert traces_in(tmp_path) == [
        "tiny-1.0-a-fox-in-the-snow.json",
        "tiny-1.0-a-fox-in-the-snow.trace",
    ]
    (found,) = gallery.entries(tmp_path)
    assert (found.model, found.licence) == ("someone/Tiny-1.0", "openrail")
    assert found.hardware

    assert cli.main(["record", "a fox", "--gallery"]) == 2
    assert "Name a big one with --model" in capsys.readouterr().err
    monkeypatch.setattr(record_command, "_draw", None)
    for changes, problem in (
        ([], "tiny-1.0-a-fox-in-the-snow.trace already"),
        (["--licence", "none"], "Its licence is not known"),
        (["--hub-id", "tiny"], "Name it by its hub id"),
    ):
        assert cli.main([*arguments, *changes]) == 2
        assert problem in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--no-previews"])


def test_a_run_that_is_not_taken_is_kept(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gallery, "FOLDER", tmp_path / "gallery")
    monkeypatch.setattr(record_command, "_draw", lambda *_: overflowed())
    monkeypatch.chdir(tmp_path)
    arguments = ["record", "a fox", "--gallery", "--hub-id", "someone/tiny", "--licence", "mit"]
    assert cli.main([*arguments, "--model", str(model)]) == 2
    told = capsys.readouterr().err
    assert "not all finite" in told
    assert "kept in tiny-a-fox.trace" in told
    assert Trace.load(tmp_path / "tiny-a-fox.trace").prompt == make_trace().prompt


def test_the_hub_is_asked_for_a_licence_that_is_not_given(model, tmp_path, monkeypatch, capsys):
    asked = []

    def measure(hub_id):
        asked.append(hub_id)
        if hub_id == "someone/unheard-of":
            raise models.ModelError("no such model")
        return replace(measuring.PUBLISHED[0], licence="openrail")

    monkeypatch.setattr(models, "measure", measure)
    monkeypatch.setattr(gallery, "FOLDER", tmp_path)
    arguments = ["record", "a fox", "--gallery", "--steps", "1", "--model", str(model)]
    assert cli.main([*arguments, "--hub-id", "someone/tiny"]) == 0
    assert gallery.entries(tmp_path)[0].licence == "openrail"
    assert cli.main([*arguments, "--hub-id", "someone/unheard-of"]) == 2
    assert "Its licence is not known" in capsys.readouterr().err
    assert asked == ["someone/tiny", "someone/unheard-of"]


def test_traces_are_named_by_their_prompt():
    assert sharing.slug("A fox, in the snow!") == "a-fox-in-the-snow"
    assert sharing.slug("🦊") == "run"
    assert gallery.name_of("a/Big-Model", "лиса") == "big-model"
    assert Path(gallery.FOLDER).name == "gallery"
