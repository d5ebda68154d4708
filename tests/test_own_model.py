"""Your own model: every view on a run of every family, or why not; models picked, files opened."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from explainer import gallery, measuring, memory, models
from explainer.cache import TraceCache
from explainer.capture import record
from explainer.limits import Limits
from explainer.memory import Machine
from explainer.models import embedded_fingerprint, embedded_folder
from explainer.parameters import RunParameters
from explainer.runs import RunController
from explainer.stages import inside, walk
from explainer.trace import MAX_FILE_BYTES, Trace, TraceError
from explainer.turns import Turns
from explainer.widgets import ModelPicker, TraceFile, ViewMenu, Views, model_picker
from explainer.widgets.model_picker import Loaded
from explainer.widgets.offers import VIEWS, named
from explainer.widgets.subjects import Subject
from tests import tiny
from tests.synthetic import make_trace

SECONDS = 120
PROMPT = "a fox sleeps on the beach at night"
WANTED = RunParameters(prompt=PROMPT, seed=7, steps=4)

pytestmark = pytest.mark.filterwarnings("ignore:.*torchvision")


def latent_consistency() -> Any:
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler

    parts = tiny.stable_diffusion(time_cond_proj_dim=8).components
    parts["scheduler"] = LCMScheduler.from_config(parts["scheduler"].config)
    pipe = LatentConsistencyModelPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def pixart() -> Any:
    """Without the list of sizes that PixArt has: a tiny picture is none of them."""
    from diffusers import PixArtSigmaPipeline

    class OfAnySize(PixArtSigmaPipeline):
        def __call__(self, *args: Any, use_resolution_binning: bool = False, **given: Any) -> Any:
            return super().__call__(*args, use_resolution_binning=use_resolution_binning, **given)

        __call__.__signature__ = signature_of(PixArtSigmaPipeline)  # type: ignore[attr-defined]

    OfAnySize.__name__ = PixArtSigmaPipeline.__name__
    pipe = OfAnySize(**tiny.pixart().components)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def signature_of(cls: Any) -> Any:
    import inspect

    return inspect.signature(cls.__call__)


FAMILIES = {
    "sd": tiny.stable_diffusion,
    "v-prediction": lambda: tiny.stable_diffusion(prediction_type="v_prediction"),
    "lcm": latent_consistency,
    "sdxl": tiny.stable_diffusion_xl,
    "sd3": tiny.stable_diffusion_3,
    "flux": tiny.flux,
    "pixart": pixart,
}
ONE_READER = {"Tokens, second encoder", "Tokens, third encoder"}
NO_IMAGES = {"Names for pictures"}
MOVED = {"A style carried over", "Which words carry the style"}
NO_UNET = {"Guessing the noise", "Inside the denoiser"}
REFUSED = {
    "sd": ONE_READER | NO_IMAGES,
    "v-prediction": ONE_READER | NO_IMAGES,
    "lcm": ONE_READER | NO_IMAGES | MOVED,
    "sdxl": {"Tokens, third encoder"} | NO_IMAGES | MOVED,
    "sd3": NO_IMAGES | MOVED | NO_UNET,
    "flux": {"Tokens, third encoder"} | NO_IMAGES | MOVED | NO_UNET,
    "pixart": ONE_READER
    | NO_IMAGES
    | MOVED
    | NO_UNET
    | {
        "The sentence's fingerprint",
        "Two sentences",
        "A map of phrases",
        "Begin with a sketch",
    },
}
"""Views that cannot be had of a family; all others must render."""


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: Any, tmp_path_factory: Any) -> Any:
    """A controller on a tiny pipeline of a family, and two runs made with it."""
    folder = tmp_path_factory.mktemp("own")
    pipe = FAMILIES[request.param]()
    controller = RunController(
        lambda: pipe, TraceCache(folder / "cache"), turns=Turns(folder / "turns")
    )
    traces = []
    for wanted in (WANTED, replace(WANTED, prompt="an old bear reads a book")):
        run = controller.submit(wanted)
        assert run.wait(SECONDS)
        assert run.state == "done", run.error
        traces.append(run.trace)
    yield SimpleNamespace(name=request.param, pipe=pipe, controller=controller, traces=traces)
    controller.close()


@pytest.fixture
def subject(family: Any) -> Subject:
    first, second = family.traces
    return Subject(first, second, family.controller)


def test_every_view_that_applies_renders_and_the_others_say_why_not(
    family: Any, subject: Subject
) -> None:
    menu = ViewMenu(subject)
    refused = {view.name: view.why_not(subject) for view in VIEWS}
    assert {name for name, reason in refused.items() if reason} == REFUSED[family.name]
    for view in VIEWS:
        if refused[view.name]:
            with pytest.raises(ValueError, match="^" + view.name):
                menu.choose(view.name)
            continue
        task = menu.choose(view.name)
        if task is not None:
            assert task.wait(SECONDS)
        assert (menu.chosen, menu.notice) == (view.name, "")
        assert len(repr(menu.made)) > 20


def test_what_a_reader_asks_in_a_view_is_answered_or_refused_in_words(
    family: Any, subject: Subject
) -> None:
    for name, ask in ASKED.items():
        if named(name).why_not(subject):
            continue
        menu = ViewMenu(subject)
        first = menu.choose(name)
        if first is not None:
            assert first.wait(SECONDS)
        job = ask(menu.made)
        assert job.wait(SECONDS)
        if job.state == "failed":
            assert "unexpectedly" not in job.error, f"{name}: {job.error}"
            assert (family.name, name) in EXPLAINED, f"{name}: {job.error}"


def walked(kind: str) -> Any:
    return lambda walks: walks.ask(kind)


ASKED: dict[str, Any] = {
    "Where each word is looked up": lambda made: made.take_away(1),
    "A changed sentence": lambda made: made.draw(PROMPT, "a fox", weights={"fox": 2.0})[1],
    "Guessing the noise": lambda made: made.ask("a fox"),
    "Inside the denoiser": lambda made: made.ask(),
    "Exchange the sentence": lambda made: made.ask(PROMPT, "an old bear"),
    "The compression, to scale": lambda made: made.ask(),
    "Switch channels off": lambda made: made.ask(),
    "There and back": lambda made: made.ask("a photograph"),
    "Paint on the latents": lambda made: made.reach(1, 1),
    "Begin with a sketch": lambda made: made.ask("a fox", strength=0.8),
    "Where style words act": lambda made: made.ask(PROMPT, "watercolour"),
    "Style early or late": lambda made: made.ask(PROMPT, "watercolour"),
    "From style to style": lambda made: made.ask(
        sentence=PROMPT, first="watercolour", second="pencil sketch"
    ),
    "A style carried over": lambda made: made.ask(
        donor="a fox", style="watercolour", sentence=PROMPT
    ),
    "Which words carry the style": lambda made: made.ask(sentence=PROMPT, style="watercolour"),
}
EXPLAINED = {(family, "The compression, to scale") for family in ("sd3", "flux", "pixart")}
"""Where a question has no answer; it says why."""


@pytest.mark.parametrize("kind", ["noise", "latents", "noises", "prompts"])
def test_every_way_through_the_latents_can_be_walked(
    family: Any, subject: Subject, kind: str
) -> None:
    menu = ViewMenu(subject)
    menu.choose("Ways through the latents")
    task = menu.made.ask(kind)
    assert task.wait(SECONDS)
    assert task.state == "done", task.error
    assert len(menu.made.walks[kind].places) == walk.PLACES


@pytest.mark.parametrize("name", ["One scene in many styles", "A storybook"])
def test_pictures_of_one_style_are_drawn_one_by_one(
    family: Any, subject: Subject, name: str
) -> None:
    menu = ViewMenu(subject)
    menu.choose(name)
    made = menu.made
    if name == "A storybook":
        made.draw("phrase", "a fox wakes\na fox walks", phrase="ink", figure="fox", seed=1)
    else:
        made.draw(PROMPT)
    began = time.monotonic()
    while made._waiting and time.monotonic() - began < SECONDS:
        time.sleep(0.02)
    assert (made._waiting, made.notice) == ([], "")
    assert made._frames


def test_a_scene_is_what_stands_before_its_style() -> None:
    for prompt, scene in (("a fox, in snow, ink", "a fox, in snow"), ("a fox", "a fox")):
        base = Subject(make_trace(prompt=prompt, weights={"fox": 2.0})).base()
        assert (base.prompt, base.weights) == (scene, ())


def test_nothing_is_claimed_of_a_denoiser_that_nobody_knows() -> None:
    for pipeline, said in (("MyPipeline", "not known here"), ("FluxPipeline", "a transformer")):
        subject = Subject(make_trace(pipeline=pipeline))
        for view in ("Inside the denoiser", "Guessing the noise"):
            assert said in named(view).why_not(subject)


def test_sentences_are_exchanged_without_the_weights_of_the_first_ones_words() -> None:
    subject = Subject(make_trace(prompt="a fox", weights={"fox": 2.0}))
    assert named("Exchange the sentence").make(subject, None)._base.weights == ()


def test_every_knob_turns(family: Any, subject: Subject) -> None:
    menu = ViewMenu(subject)
    menu.choose("Turn the knobs")
    sweep = menu.made
    flow = family.name in {"lcm", "sd3", "flux"}
    assert ("Scheduler" in sweep._knobs) == (not flow)
    broken = sweep._experiments(RunParameters(prompt="a fox"))["Break it"]
    assert ("told to avoid its own prompt" in broken) == (family.name not in {"lcm", "flux"})
    for knob in {"Guidance", "Break it"} | set() if flow else {"Guidance", "Scheduler", "Break it"}:
        sweep.knob = knob
        sweep.start()
        waited = time.monotonic()
        while sweep._waiting and time.monotonic() - waited < SECONDS:
            time.sleep(0.02)
        assert sweep.notice == ""
        assert all(cell["done"] for cell in sweep._cells)


def test_a_file_alone_shows_what_needs_no_model(family: Any) -> None:
    subject = Subject(family.traces[0])
    reasons = {view.name: view.why_not(subject) for view in VIEWS}
    shown = {name for name, reason in reasons.items() if not reason}
    assert {
        "Tokens",
        "Where each word is looked up",
        "A changed sentence",
        "Step by step",
        "Sinking into noise",
        "A step taken apart",
        "Channel by channel",
    } <= shown
    menu = ViewMenu(subject)
    for name in shown:
        assert menu.choose(name) is None
        assert (menu.chosen, menu.notice) == (name, "")
    assert "load the model (" in reasons["Paint on the latents"]


def larger(trace: Trace) -> Trace:
    """The same run with latents of four times their sides, which its picture does not show."""
    names = ("latents", "noise_uncond", "noise_cond", "noise", "x0")
    arrays = {name: getattr(trace, name) for name in names}
    return replace(
        trace, **{name: np.kron(a, np.ones((4, 4), a.dtype)) for name, a in arrays.items()}
    )


@pytest.mark.parametrize("loaded", [True, False])
def test_a_server_for_strangers_computes_nothing_that_a_file_makes_expensive(
    loaded: bool, tmp_path: Path
) -> None:
    pipe = tiny.stable_diffusion()
    trace = record(pipe, PROMPT, seed=7, steps=2, attention=True)
    tiny.save_folder(tmp_path)
    strangers: Any = SimpleNamespace(limits=Limits(models=()), pipe=pipe if loaded else None)
    owner: Any = SimpleNamespace(limits=Limits(), pipe=pipe)
    forged = (
        larger(trace),
        replace(trace, steps=Limits().steps + 1),
        record(pipe, PROMPT, seed=7, steps=2, attention=True, width=32, height=16),
        replace(trace, settings={"num_images_per_prompt": 5000}),
    )
    for view in VIEWS:
        usual = view.why_not(Subject(trace, None, owner, tmp_path))
        assert view.why_not(Subject(trace, None, strangers, tmp_path)) == usual, view.name
        for one in forged if view.live else ():
            assert view.why_not(Subject(one, None, strangers, tmp_path)), view.name
            assert "server" not in view.why_not(Subject(one, None, owner, tmp_path)), view.name


WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "diffusers", "transformers", "accelerate"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refuse())
from explainer import Trace, widgets
from explainer.widgets.offers import VIEWS
opened = widgets.TraceFile()
views = widgets.Views(opened.open_file(sys.argv[1]))
for view in VIEWS:
    if not view.why_not(views.menu.subject):
        views.menu.choose(view.name)
        assert views.menu.chosen == view.name, views.menu.notice
        print(repr(views.children[1])[:40])
"""


def test_a_run_carried_home_is_seen_on_a_computer_without_torch(family: Any, tmp_path: Any) -> None:
    path = tmp_path / "carried.trace"
    family.traces[0].save(path)
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) >= 9


def test_a_run_without_this_or_that_says_what_is_missing() -> None:
    bare = Subject(make_trace(frames={}, attention={}, seed=None, prompt="", tokens=()))
    reasons = {view.name: view.why_not(bare) for view in VIEWS}
    assert "recorded without frames" in reasons["Step by step"]
    assert "given embeddings" in reasons["Tokens"]
    assert "cannot be made again" in reasons["Turn the knobs"]
    assert "without attention" in named("Where each word is looked up").why_not(
        Subject(make_trace(attention={}))
    )
    wild = Subject(make_trace(guidance_scale=80.0))
    assert "guidance scale must be" in named("Turn the knobs").why_not(wild)
    with pytest.raises(ValueError, match="no view 'Sculpture'"):
        named("Sculpture")


def test_the_menu_answers_its_reader_and_stays_on_bad_wishes() -> None:
    views = Views(make_trace())
    assert views.menu.chosen == "Step by step"
    menu, first = views.menu, views.children[1]
    menu._handle_custom_msg({"type": "ask", "view": "A step taken apart"}, [])
    assert type(views.children[1]).__name__ == "Anatomy"
    assert first.comm is None  # the former view is closed
    for wish, answer in (("Paint on the latents", "load the model"), ("x", "no view 'x'")):
        menu._handle_custom_msg({"type": "ask", "view": wish}, [])
        assert answer in menu.notice
        assert menu.chosen == "A step taken apart"
    assert "views for “a fox in the snow”; A step taken apart is on show" in repr(menu)


PREDICTED = ("noise", "noise_cond", "noise_uncond", "x0")


def test_runs_that_are_alike_stand_beside_each_other() -> None:
    views = Views(make_trace(seed=1))
    views.show(make_trace(seed=2))
    assert (views.menu.subject.trace.seed, views.menu.subject.other.seed) == (2, 1)
    small = {name: np.zeros((10, 4, 4, 4), np.float16) for name in PREDICTED}
    views.show(make_trace(seed=3, latents=np.zeros((11, 4, 4, 4), np.float32), **small))
    assert views.menu.subject.other is None


def loaded(family: Any) -> Loaded:
    fingerprint = models.fingerprint(family.pipe)
    start = RunParameters(prompt="a fox", steps=3)
    return Loaded(family.name, family.controller, fingerprint, start=start)


def kinds(views: Views) -> list[str]:
    return [type(child).__name__ for child in views.children]


def test_a_loaded_model_draws_and_its_run_is_shown(family: Any) -> None:
    views = Views(make_trace())
    assert kinds(views) == ["ViewMenu", "Player"]
    views.use(loaded(family))
    assert kinds(views) == ["Studio", "ViewMenu", "Player"]
    assert views.studio._form["steps"] == "3"
    assert views.menu.subject.controller is None  # the run on show is still the file's
    run = views.studio.generate(WANTED)
    assert run.wait(SECONDS)
    assert views.menu.subject.trace.fingerprint == models.fingerprint(family.pipe)
    assert views.menu.subject.controller is family.controller
    second = views.studio.generate(replace(WANTED, seed=8))
    assert second.wait(SECONDS)
    assert views.menu.subject.other.seed == 7
    for seed in (7, 8):  # both are kept by now, so that each is done as soon as it is asked for
        views.studio.generate(replace(WANTED, seed=seed))
        assert views.menu.subject.trace.seed == seed

    views.use(None)
    assert kinds(views) == ["ViewMenu", "Player"]
    assert views.menu.subject.trace.seed == 8
    assert views.menu.subject.controller is None


def test_only_the_pages_first_studio_opens_the_run_in_its_address(family: Any) -> None:
    views = Views(family.traces[0], loaded(family))
    assert views.studio.opens_address
    views.open_run(family.traces[1])
    assert not views.studio.opens_address
    if not named("Where each word is looked up").why_not(views.menu.subject):
        views.menu.choose("Where each word is looked up")
        assert not views.menu.made.opens_address


def test_a_file_of_the_loaded_model_is_live_and_others_are_not(family: Any) -> None:
    views = Views(make_trace())
    views.use(loaded(family))
    views.open_run(family.traces[0])
    assert views.menu.subject.controller is family.controller
    assert views.studio.trace is family.traces[0]
    views.open_run(make_trace(fingerprint="0" * 16))
    assert views.menu.subject.controller is None
    assert kinds(views) == ["ViewMenu", "Player"]
    bare = replace(family.traces[0], frames={})
    views.open_run(bare)
    assert views.studio.trace is None


def test_a_question_that_is_cancelled_leaves_the_view(family: Any, subject: Subject) -> None:
    if named("Inside the denoiser").why_not(subject):
        pytest.skip("this family's denoiser is a transformer")
    menu = ViewMenu(subject)
    menu.choose("Step by step")
    task = menu.choose("Inside the denoiser")
    menu._handle_custom_msg({"type": "cancel"}, [])
    assert task.wait(SECONDS)
    assert menu.chosen in {"Step by step", "Inside the denoiser"}
    assert menu.notice == ""


@pytest.mark.skipif(embedded_fingerprint() is None, reason="needs the embedded weights")
def test_a_run_of_another_size_is_looked_into_though_no_link_asks_for_it() -> None:
    pipe = models.load(device="cpu")
    trace = record(pipe, PROMPT, seed=7, steps=2, previews=False, width=96, height=64)
    view = named("Inside the denoiser")
    subject = Subject(trace, controller=SimpleNamespace(limits=Limits()))
    assert view.why_not(subject) == ""
    assert "96 × 64 pixels" in named("Turn the knobs").why_not(subject)
    seen = inside.look(pipe, trace)
    assert seen.outputs["mid_block"].shape[-2:] == (4, 6)
    came_from_picture = replace(trace, pipeline="StableDiffusionImg2ImgPipeline")
    assert "picture" in view.why_not(replace(subject, trace=came_from_picture))
    assert "embeddings" in view.why_not(replace(subject, trace=replace(trace, prompt=" ")))


@pytest.mark.skipif(embedded_fingerprint() is None, reason="needs the embedded weights")
def test_the_embedded_model_names_pictures_too() -> None:
    subject = Subject(make_trace(size=128), folder=embedded_folder())
    menu = ViewMenu(subject)
    menu.choose("Names for pictures")
    assert "this run" in repr(menu.made)


# Opening files


@pytest.fixture
def path(tmp_path: Any) -> Any:
    make_trace().save(tmp_path / "fox.trace")
    return tmp_path / "fox.trace"


def send(widget: Any, path: Any, part: int = 50_000, name: str | None = None) -> None:
    data = path.read_bytes()
    widget._handle_custom_msg({"type": "begin", "name": name or path.name, "size": len(data)}, [])
    for start in range(0, len(data), part):
        widget._handle_custom_msg({"type": "part"}, [memoryview(data[start : start + part])])


def test_a_file_arrives_in_parts(path: Any) -> None:
    opened = TraceFile()
    assert "no trace file" in repr(opened)
    send(opened, path)
    assert opened.trace.picture == Trace.load(path).picture
    assert opened._received == 0 or opened._received == path.stat().st_size
    assert "fox.trace: “a fox in the snow”, 10 steps" in opened.notice
    send(opened, path, name="again.trace")
    assert opened.name == "again.trace"


def test_a_file_is_opened_by_its_path(path: Any, tmp_path: Any) -> None:
    opened = TraceFile()
    opened._handle_custom_msg({"type": "open", "path": f" {path} "}, [])
    assert opened.trace.prompt == "a fox in the snow"
    kept = opened.trace
    wishes = (
        ("", "Write the path"),
        (str(tmp_path / "none.trace"), "no such file"),
        ("~nobody-of-this-name/fox.trace", "no such file"),
    )
    for wrong, answer in wishes:
        opened._handle_custom_msg({"type": "open", "path": wrong}, [])
        assert answer in opened.notice
        assert opened.trace is kept


def test_a_reader_does_not_wait_for_a_file_that_cannot_be_shown(path: Any) -> None:
    opened = TraceFile()
    opened.observe(lambda _change: 1 / 0, "trace")
    send(opened, path)
    assert "cannot be shown" in opened.notice
    assert opened._received == 0


def test_a_file_on_the_shelf_is_a_click_away(path: Any) -> None:
    opened = TraceFile({"a fox": path})
    opened._handle_custom_msg({"type": "shelf", "title": "a bear"}, [])
    assert opened.trace is None
    opened._handle_custom_msg({"type": "shelf", "title": "a fox"}, [])
    assert opened.trace.prompt == "a fox in the snow"


def test_a_public_server_opens_no_paths(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in Limits(models=()).to_environment().items():
        monkeypatch.setenv(name, value)
    opened = TraceFile()
    opened._handle_custom_msg({"type": "open", "path": str(path)}, [])
    assert "opens no files of its own" in opened.notice
    send(opened, path)
    assert opened.trace.prompt == "a fox in the snow"


def test_a_file_from_elsewhere_is_refused_by_its_own_name(path: Any, tmp_path: Any) -> None:
    opened = TraceFile()
    opened.open_file(path)
    kept = opened.trace
    wrong = tmp_path / "holiday.trace"
    wrong.write_bytes(b"\x89PNG" + bytes(1000))
    send(opened, wrong)
    assert opened.notice.startswith("holiday.trace: ")
    assert "arrived.trace" not in opened.notice
    half = tmp_path / "half.trace"
    half.write_bytes(path.read_bytes()[:-1000])
    send(opened, half)
    assert "half.trace: this is no trace, or only a part of one" in opened.notice
    opened._handle_custom_msg({"type": "begin", "name": "huge.trace", "size": 2**40}, [])
    assert f"from 1 byte to {MAX_FILE_BYTES // 2**20} MB" in opened.notice
    opened._handle_custom_msg({"type": "begin", "name": "small.trace", "size": 3}, [])
    opened._handle_custom_msg({"type": "part"}, [memoryview(b"12345")])
    assert "more came than its 3 bytes" in opened.notice
    opened._handle_custom_msg({"type": "part"}, [memoryview(b"late")])
    assert opened.trace is kept
    with pytest.raises(TraceError):
        opened.open_file(wrong)


# Picking models


@pytest.fixture
def folder(tmp_path: Any) -> Any:
    return tiny.save_folder(tmp_path / "tiny-model")


@pytest.fixture
def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine", lambda: Machine(16 * 10**9))


def measured(picker: ModelPicker, folder: Any) -> None:
    picker.look(str(folder)).join(SECONDS)


def waited_for(picker: ModelPicker, ended: Any) -> None:
    began = time.monotonic()
    while not ended(picker) and time.monotonic() - began < SECONDS:
        time.sleep(0.01)
    assert ended(picker), picker.notice


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What every load waits for."""
    opened, load = threading.Event(), model_picker._load
    monkeypatch.setattr(
        model_picker, "_load", lambda *given: load(*given) if opened.wait(SECONDS) else None
    )
    return opened


def let_go(controller: RunController) -> bool:
    return not controller._thread.is_alive() and controller._pipe is None


def test_what_fits_is_said_before_anything_is_loaded(folder: Any, plenty: None) -> None:
    picker = ModelPicker()
    measured(picker, folder)
    facts, needs = picker._facts, measuring.of_folder(folder)
    assert [part[0] for part in facts["parts"]] == [part.name for part in needs.parts]
    assert facts["values"] == "149 thousand"
    assert [way["fits"] for way in facts["ways"]] == [True, True]
    assert facts["ways"][0]["bars"][0]["needs"] == memory.ways(needs, Machine(1))[0].ram
    assert facts["ways"][0]["bars"][0]["words"] == "1 MB of 16.0 GB free"
    assert picker.loaded is None
    assert "149 thousand numbers in its weights" in repr(picker)


def test_what_has_ended_is_not_said_to_be_loading() -> None:
    picker = ModelPicker()
    ended = SimpleNamespace(ended=True, state="done", wait=lambda _seconds: False)
    picker._follow(ended, SimpleNamespace(download=0), picker._wish)
    assert picker._status == model_picker.IDLE


def test_a_model_is_loaded_drawn_with_and_let_go(folder: Any, plenty: None, tmp_path: Any) -> None:
    picker = ModelPicker()
    measured(picker, folder)
    picker._handle_custom_msg({"type": "load", "way": 1}, [])
    waited_for(picker, lambda picker: picker.loaded is not None)
    loaded = picker.loaded
    assert (loaded.start.steps, loaded.start.guidance_scale) == (30, 7.5)
    assert loaded.folder == folder
    run = loaded.controller.submit(RunParameters(prompt="a fox", steps=2))
    assert run.wait(SECONDS)
    assert run.trace.model == "tiny-model"
    assert loaded.controller._pipe.unet.dtype == torch.bfloat16

    picker.load(0)
    waited_for(picker, lambda picker: picker.loaded not in {None, loaded})
    with pytest.raises(RuntimeError, match="closed"):
        loaded.controller.submit(RunParameters(prompt="a fox"))
    assert loaded.controller._pipe is None
    picker.loaded.controller.close()


def test_a_model_too_big_is_not_loaded(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine", lambda: Machine(1000))
    picker = ModelPicker()
    measured(picker, folder)
    assert [way["fits"] for way in picker._facts["ways"]] == [False, False]
    picker._handle_custom_msg({"type": "load", "way": 0}, [])
    assert "does not fit on the processor in float32" in picker.notice
    assert picker.loaded is None


def test_a_hub_id_asks_nobody_until_the_reader_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(models, "measure", asked.append)
    picker = ModelPicker()
    assert picker.look("someone/some-model") is None
    assert picker._facts == {"ask_hub": "someone/some-model"}
    assert asked == []


@pytest.mark.parametrize("source", ["someone/some-model", "", "no/such/folder"])
def test_what_was_measured_before_does_not_come_over_another_answer(
    source: str, folder: Any, plenty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, measure = threading.Event(), models.measure
    monkeypatch.setattr(models, "measure", lambda name: go_on.wait(SECONDS) and measure(name))
    picker = ModelPicker()
    measuring_folder = picker.look(str(folder))
    picker.look(source)
    answer = dict(picker._facts), picker.notice
    go_on.set()
    measuring_folder.join(SECONDS)
    assert (picker._facts, picker.notice) == answer
    assert picker._status == model_picker.IDLE
    with pytest.raises(ValueError, match="Ask first"):
        picker.load(0)


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("", "Write a hub id"),
        ("no/such/folder", "does not exist"),
        ("~nobody-of-this-name/model", "does not exist"),
        ("{tmp}", "holds no model_index.json"),
        ("{tmp}/one.safetensors", "is a single file"),
    ],
)
def test_what_is_no_model_is_said(source: str, answer: str, tmp_path: Any) -> None:
    (tmp_path / "one.safetensors").write_bytes(b"weights")
    picker = ModelPicker()
    picker._handle_custom_msg({"type": "look", "source": source.format(tmp=tmp_path)}, [])
    assert answer in picker.notice
    assert picker._facts == {}


def test_a_damaged_model_is_told_in_the_page(folder: Any, plenty: None) -> None:
    picker = ModelPicker()
    shutil.rmtree(folder / "vae")
    measured(picker, folder)
    assert "cannot be measured" in picker.notice
    assert picker._status["state"] == "idle"
    with pytest.raises(ValueError, match="Ask first"):
        picker.load(0)


def test_a_model_that_breaks_between_measuring_and_loading(
    folder: Any, plenty: None, gate: threading.Event
) -> None:
    picker = ModelPicker()
    measured(picker, folder)
    shutil.rmtree(folder / "text_encoder")
    picker.load(0)
    coming = picker._coming
    gate.set()
    waited_for(picker, lambda picker: picker.notice)
    waited_for(picker, lambda _: let_go(coming))
    assert "cannot be loaded" in picker.notice
    assert picker._status["state"] == "idle"
    assert picker.loaded is None


def test_loading_that_is_cancelled_leaves_nothing(folder: Any, plenty: None) -> None:
    picker = ModelPicker()
    measured(picker, folder)
    task, coming = picker.load(0), picker._coming
    picker._handle_custom_msg({"type": "cancel"}, [])
    assert task.wait(SECONDS)
    assert picker._status["state"] == "idle"
    assert picker.loaded is None
    waited_for(picker, lambda _: let_go(coming))


@pytest.mark.parametrize("wish", ["load", "look"])
def test_another_wish_lets_go_of_what_is_loading(
    wish: str, folder: Any, plenty: None, gate: threading.Event
) -> None:
    picker = ModelPicker()
    measured(picker, folder)
    picker.load(0)
    former = picker._coming
    if wish == "load":
        picker.load(1)
        assert picker._coming not in {None, former}
    else:
        measured(picker, folder)
        assert picker._facts["model"] == str(folder)
    gate.set()
    waited_for(picker, lambda _: let_go(former))
    if wish == "load":
        waited_for(picker, lambda picker: picker.loaded is not None)
        assert picker.loaded.controller is not former
        picker.loaded.controller.close()


# What the pages say of the gallery


@pytest.mark.parametrize(
    "name", ["README.md", "notebooks/06_your_own_model.ipynb", "docs/gallery.md"]
)
def test_that_no_run_is_bundled_is_said_while_it_is_true(name: str) -> None:
    text = (Path(__file__).parents[1] / name).read_text("utf-8").lower()
    assert ("none is bundled yet" in text) == (not gallery.entries())
