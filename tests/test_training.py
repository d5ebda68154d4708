"""Training from nothing to a model that plain diffusers loads, interrupted in every way."""

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
import time
from argparse import Namespace
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import train_on_gpu
from transformers import CLIPTokenizer

from storybook import training
from storybook.captions import captions_of
from storybook.everyday import wordings_of
from storybook.illustrator.silhouette import silhouette
from storybook.training import (
    ahead,
    autoencoder,
    checkpoint,
    clip,
    critic,
    decoder,
    denoiser,
    devices,
    distillation,
    emphasis,
    export,
    naming,
    parts,
    perception,
    reading,
    recipe,
    start,
    texture,
)
from storybook.training.checkpoint import Progress
from storybook.training.data import ids
from storybook.training.loop import Budget, Stage, Trainer
from storybook.training.presets import PRESETS
from storybook.training.stopped import TrainingStopped
from storybook.world import WORLD_VERSION, scene

REHEARSAL = PRESETS["rehearsal"]


@pytest.fixture(scope="module", autouse=True)
def settings():
    """The command neither starts itself anew here nor leaves torch's dice changed."""
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        patch.setenv("MALLOC_TOP_PAD_", "0")
        yield


def command(folder, *options):
    """Run ``explainer train`` on the smallest preset; return its exit status."""
    where = ("--state", folder / "state", "--out", folder / "model")
    arguments = ["--preset", "rehearsal", "--workers", "1", *where, *options]
    return training.main([str(argument) for argument in arguments])


def drawn(trained, folder):
    """Return ``folder`` with a state that has nothing but the pictures drawn before."""
    (folder / "state").mkdir(parents=True)
    for path in (trained / "state").glob("pictures-*"):
        shutil.copy(path, folder / "state")
    return folder


def record(folder):
    return json.loads((folder / "model" / "training.json").read_text())


def steps(folder):
    return {stage: done["steps"] for stage, done in record(folder)["stages"].items()}


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model after two steps of each stage, with its state and its parts."""
    folder = tmp_path_factory.mktemp("training")
    assert command(folder, "--steps", "2", "--parts", folder / "parts") == 0
    return folder


def test_plain_diffusers_draws_with_it(trained):
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(trained / "model")
    pipe.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    picture = pipe("a fox", num_inference_steps=2, generator=generator, output_type="np").images[0]
    assert picture.shape == (REHEARSAL.size, REHEARSAL.size, 3)
    assert picture.std() > 0


def test_plain_transformers_loads_the_clip_pair(trained):
    from transformers import (
        CLIPImageProcessorPil,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
        CLIPVisionModelWithProjection,
    )

    model = trained / "model"
    words = CLIPTokenizer.from_pretrained(model / "tokenizer")
    text = CLIPTextModelWithProjection.from_pretrained(model / "text_encoder")
    vision = CLIPVisionModelWithProjection.from_pretrained(model / "image_encoder")
    picture = np.load(trained / "state" / "pictures-64.npy", mmap_mode="r")[0]
    shown = CLIPImageProcessorPil.from_pretrained(model / "feature_extractor")(
        picture, return_tensors="pt"
    )
    inputs = words("a fox", return_tensors="pt")
    with torch.no_grad():
        told, seen = text(**inputs), vision(**shown)
        plain = CLIPTextModel.from_pretrained(model / "text_encoder")(**inputs)
    assert told.text_embeds.shape == seen.image_embeds.shape == (1, REHEARSAL.projection)
    assert torch.equal(told.last_hidden_state, plain.last_hidden_state)
    # The preprocessing that travels with the model is the one it was trained with.
    trained_on = torch.from_numpy(picture.copy()).permute(2, 0, 1) / 127.5 - 1
    assert torch.allclose(shown["pixel_values"][0], trained_on, atol=1e-6)


def test_weights_are_stored_in_half_precision_and_nothing_twice(trained):
    from safetensors import safe_open

    stored = 0
    for path in (trained / "model").rglob("*.safetensors"):
        with safe_open(path, "pt") as file:
            tensors = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118 - no dict
        assert {tensor.dtype for tensor in tensors} == {torch.float16}
        stored += sum(tensor.numel() for tensor in tensors)
    # The decoder's stage holds the encoder too, distillation's what the denoiser became, and what
    # the text encoder became has as many weights as it has in the pair.
    others = ("autoencoder", "denoiser", "reading")
    stages = [stage for stage in parts.STAGES if stage not in others]
    learned = [checkpoint.read(trained / "state" / f"{stage}.pt") for stage in stages]
    counted = sum(
        weight.numel()
        for state in learned
        for name, weight in state["stage"].items()
        if name.startswith("model.")  # what only the training needs stays with it
    )
    assert stored == counted - 1  # the logit scale is in training.json


@pytest.mark.parametrize(("name", "most"), [("128", 32 << 20), ("256", 32_000_000)])
def test_a_preset_fits_into_32_megabytes(trained, name, most):
    preset = PRESETS[name]
    words = CLIPTokenizer.from_pretrained(trained / "model" / "tokenizer")
    with torch.device("meta"):
        nets = autoencoder.build(preset), clip.build(preset, words), denoiser.build(preset)
    count = sum(weight.numel() for net in nets for weight in net.parameters())
    count += (preset.vocabulary - len(words)) * preset.clip_width
    assert 0.9 * most < 2 * count < most


def test_the_record_says_what_was_done(trained):
    found = record(trained)
    assert found["world"] == WORLD_VERSION
    assert found["preset"]["size"] == REHEARSAL.size
    assert found["stages"]["clip"]["pictures"] == 2 * REHEARSAL.clip_batch
    assert all(len(done["losses"]) == 1 for done in found["stages"].values())
    here = devices.hardware(devices.accelerator())
    assert all(done["hardware"] == [here] for done in found["stages"].values())
    assert f"torch {torch.__version__}" in here


def test_the_record_names_the_processors_and_gpus_that_trained(monkeypatch):
    def told(device, processes=1):
        return devices.hardware(Namespace(device=torch.device(device), num_processes=processes))

    monkeypatch.setattr(devices, "processors", lambda: 1.6)
    assert told("cpu").startswith("2 processor cores (")
    monkeypatch.setattr(devices, "processors", lambda: 0.2)
    assert told("cpu").startswith("1 processor cores (")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100")
    assert told("cuda").startswith("1 × NVIDIA H100, torch ")
    assert told("cuda", 8).startswith("8 × NVIDIA H100, torch ")


@pytest.mark.parametrize(
    ("stages", "missing"),
    [
        ("denoiser", "autoencoder, clip"),
        ("clip,denoiser", "autoencoder"),
        ("autoencoder,clip,distillation", "denoiser"),
        ("reading", "autoencoder, clip, denoiser"),
    ],
)
def test_no_stage_learns_by_networks_that_never_learned(tmp_path, capsys, stages, missing):
    assert command(tmp_path, "--stages", stages, "--steps", "1") == 1
    assert f"cannot start: {missing} would have to come first" in capsys.readouterr().err
    assert not (tmp_path / "state").exists(), "pictures were drawn for nothing"
    assert not (tmp_path / "model").exists()


def test_snapshots_show_the_denoiser_from_beginning_to_end(trained):
    from PIL import Image

    names = sorted(path.name for path in (trained / "state" / "snapshots").iterdir())
    assert names == ["00000000.webp", "00000001.webp", "00000002.webp"]
    with Image.open(trained / "state" / "snapshots" / names[0]) as strip:
        assert strip.size == (4 * REHEARSAL.size, REHEARSAL.size)


def test_a_snapshot_removes_later_ones_of_another_denoiser(tmp_path):
    def shown(step):
        picture = SimpleNamespace(images=np.zeros((4, 8, 8, 3)))
        recipe.Recipe(REHEARSAL, tmp_path, tmp_path, {})._show(lambda *_, **__: picture, step)
        return sorted(path.stem for path in (tmp_path / "snapshots").iterdir())

    assert shown(7) == ["00000007"]
    assert shown(9) == ["00000007", "00000009"]
    assert shown(8) == ["00000007", "00000008"]
    assert shown(0) == ["00000000"]


def test_the_same_command_goes_on(trained, tmp_path, capsys):
    folder = tmp_path / "again"
    shutil.copytree(trained, folder)

    def named():
        return list((folder / "state").glob("named-*.npy"))

    named()[0].unlink()
    assert len(list((folder / "state").glob("emphasis-*.npy"))) == 1
    assert command(folder, "--steps", "1", "--stages", "denoiser") == 0
    assert named() == [], "what captions name is found out only for the pair that learns it"
    assert len(list((folder / "state").glob("perception-*.pt"))) == 1
    assert "the denoiser has changed" in capsys.readouterr().out
    assert steps(folder) == {
        "autoencoder": 2, "clip": 2, "denoiser": 3, "reading": 2, "decoder": 2,
    }  # fmt: skip
    # Counted in all, four steps leave two each to the other stages, one to this one.
    # The decoder was made for another encoder then, and has all four to do.
    assert command(folder, "--steps", "4", "--in-all") == 0
    assert "the encoder has changed" in capsys.readouterr().out
    assert steps(folder) == dict.fromkeys(parts.STAGES, 4)
    assert len(named()) == 1
    learned = digests(folder / "state")
    assert command(folder, "--steps", "4", "--in-all") == 0
    assert digests(folder / "state") == learned, "all had been done, and nothing is forgotten"


def test_a_denoiser_is_not_shipped_with_other_encoders(trained, tmp_path, capsys):
    folder = tmp_path / "again"
    shutil.copytree(trained, folder)
    shipped, path = digests(folder / "model"), folder / "state" / "denoiser.pt"
    assert command(folder, "--steps", "1", "--stages", "clip") == 1
    assert "the denoiser learned by" in capsys.readouterr().err
    assert digests(folder / "model") == shipped
    older = checkpoint.read(path)
    del older["origin"]
    checkpoint.write(path, older)
    assert command(folder, "--steps", "0") == 0, "what it learned by is not known"
    path.unlink()
    assert command(folder, "--steps", "0", "--from-weights", trained / "model") == 1
    assert "the denoiser learned by" in capsys.readouterr().err
    assert command(folder, "--steps", "1", "--stages", "denoiser") == 0
    assert steps(folder) == {"autoencoder": 2, "clip": 3, "denoiser": 3, "decoder": 2}
    assert command(folder, "--steps", "0") == 0


def test_a_killed_run_is_taken_up(trained, tmp_path):
    drawn(trained, tmp_path)
    saved = tmp_path / "state" / "autoencoder.pt"
    script = (
        "import sys; from storybook import training; from storybook.training import loop;"
        "loop.CHECKPOINT_SECONDS = 0; training.main(sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, "--preset", "rehearsal", "--stages", "autoencoder",
         "--state", tmp_path / "state", "--out", tmp_path / "model"],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not saved.exists():  # it saves after each step: most likely it is saving when killed
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    before = checkpoint.progress(saved).step
    assert before >= 1
    assert command(tmp_path, "--stages", "autoencoder", "--steps", "1") == 0
    assert checkpoint.progress(saved).step == before + 1


def test_a_finished_model_survives_its_parts(trained, tmp_path):
    parts.unpack(trained / "parts", tmp_path)
    shown = digests(trained / "state" / "snapshots")
    expected = digests(trained / "model") | {f"snapshots/{k}": v for k, v in shown.items()}
    assert digests(tmp_path) == expected


def test_a_state_in_parts_keeps_averages_and_progress(trained, tmp_path):
    packed = parts.pack(trained / "state", tmp_path / "parts")
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {
        "parts.json",
        *(path.name for path in packed),
    }
    taken = start.from_parts(tmp_path / "parts", tmp_path / "state")
    assert taken == list(parts.STAGES)
    for stage in parts.STAGES:
        whole = checkpoint.read(trained / "state" / f"{stage}.pt")
        found = checkpoint.read(tmp_path / "state" / f"{stage}.pt")
        assert found["progress"] == whole["progress"]
        averages = whole["ema"]["shadow_params"]
        for weight, average in zip(found["stage"].values(), averages, strict=True):
            assert torch.allclose(weight.float(), average, rtol=1e-3, atol=1e-6)
    snapshots = tmp_path / "state" / "snapshots"
    assert digests(snapshots) == digests(trained / "state" / "snapshots")
    (snapshots / "00000000.webp").unlink()
    assert start.from_parts(tmp_path / "parts", tmp_path / "state") == []
    assert not (snapshots / "00000000.webp").exists(), "only a denoiser's own are taken with it"
    (tmp_path / "state" / "denoiser.pt").unlink()
    (snapshots / "00000009.webp").touch()
    assert start.from_parts(tmp_path / "parts", tmp_path / "state") == ["denoiser"]
    assert digests(snapshots) == digests(trained / "state" / "snapshots")


def test_training_goes_on_from_parts(trained, tmp_path):
    parts.pack(trained / "state", tmp_path / "parts")
    drawn(trained, tmp_path)
    options = ("--from-parts", tmp_path / "parts", "--parts", tmp_path / "more", "--pictures", "32")
    assert command(tmp_path, *options, "--stages", "decoder", "--steps", "1") == 0
    assert steps(tmp_path) == dict.fromkeys(parts.STAGES, 2) | {"decoder": 3}
    assert record(tmp_path)["preset"]["pictures"] == REHEARSAL.pictures, "not of this call alone"
    assert (tmp_path / "more" / "parts.json").exists()


def test_a_damaged_part_is_refused(trained, tmp_path):
    first, *_ = parts.pack(trained / "state", tmp_path)
    first.write_bytes(first.read_bytes()[:-1] + b"x")
    with pytest.raises(parts.PartsError, match="damaged"):
        parts.unpack(tmp_path, tmp_path / "state")
    first.unlink()
    with pytest.raises(parts.PartsError, match="missing"):
        parts.unpack(tmp_path, tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_many_parts_make_one_whole_and_too_many_are_refused(trained, tmp_path, monkeypatch):
    whole = sum(path.stat().st_size for path in (trained / "parts").glob("*.tar.*"))
    monkeypatch.setattr(parts, "PART_BYTES", whole // 5)
    assert len(parts.pack(trained / "model", tmp_path / "parts")) > 3
    parts.unpack(tmp_path / "parts", tmp_path / "model")
    assert digests(tmp_path / "model") == digests(trained / "model")
    monkeypatch.setattr(parts, "PART_BYTES", whole // 100)
    with pytest.raises(parts.PartsError, match="more than 7 parts"):
        parts.pack(trained / "model", tmp_path / "parts")


def test_an_empty_folder_never_replaces_parts(trained, tmp_path, capsys):
    kept = parts.pack(trained / "model", tmp_path / "parts")
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "mistyped"):
        with pytest.raises(SystemExit) as stopped:
            parts.main(["pack", str(tmp_path / folder), str(tmp_path / "parts")])
        assert stopped.value.code == 1
        assert "holds neither a model nor a training state" in capsys.readouterr().err
    assert all(path.exists() for path in kept)
    parts.unpack(tmp_path / "parts", tmp_path / "model")


def test_a_decoder_learns_alone_from_finished_weights(trained, tmp_path):
    from safetensors.torch import load_file

    drawn(trained, tmp_path)
    options = ("--stages", "decoder", "--steps", "3")
    assert command(tmp_path, "--from-weights", trained / "model", *options) == 0
    assert steps(tmp_path) == dict.fromkeys(parts.STAGES, 2) | {"decoder": 5}
    name = "diffusion_pytorch_model.safetensors"
    old, new = (load_file(folder / "model" / "vae" / name) for folder in (trained, tmp_path))
    for key in old:
        kept = torch.allclose(old[key].float(), new[key].float(), rtol=1e-2, atol=2e-3)
        if key.startswith(("encoder.", "quant_conv.")):
            assert kept, key
    assert not torch.equal(old["decoder.conv_out.weight"], new["decoder.conv_out.weight"])
    old, new = (digests(folder / "model" / "unet") for folder in (trained, tmp_path))
    assert old == new
    old, new = (record(folder)["logit_scale"] for folder in (trained, tmp_path))
    assert old == pytest.approx(new, abs=0.02)


def test_a_model_without_the_last_stage_is_gone_on_with(trained, tmp_path):
    drawn(trained, tmp_path)
    shutil.copytree(trained / "model", tmp_path / "older")
    found = json.loads((tmp_path / "older" / "training.json").read_text())
    for stage in ("distillation", "reading", "decoder"):
        del found["stages"][stage]
    found["stages"]["autoencoder"]["note"] = "By hand."
    (tmp_path / "older" / "training.json").write_text(json.dumps(found))
    options = ("--from-weights", tmp_path / "older", "--steps", "1", "--stages")
    assert command(tmp_path, *options, "denoiser", "--pictures", "32") == 0
    assert steps(tmp_path) == {"autoencoder": 2, "clip": 2, "denoiser": 3}
    assert record(tmp_path)["preset"]["pictures"] == REHEARSAL.pictures, "of all calls together"
    assert command(tmp_path, *options, "decoder") == 0
    assert steps(tmp_path) == {"autoencoder": 2, "clip": 2, "denoiser": 3, "decoder": 1}
    notes = {name: done.get("note") for name, done in record(tmp_path)["stages"].items()}
    assert notes == dict.fromkeys(notes) | {"autoencoder": "By hand."}


def test_a_gpu_trains_while_the_other_pictures_are_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipe.Recipe, "_enough_to_start", lambda self: 16)
    assert command(tmp_path, "--steps", "1", "--stages", "autoencoder,clip") == 0
    assert "drawing: 16 of 16" in (said := capsys.readouterr().out)
    assert "drawing: 64 of 64" not in said, "another process had drawn them"
    found = json.loads((tmp_path / "state" / "pictures-64.json").read_text())
    assert found == {"world": WORLD_VERSION, "drawn": 64}
    assert {path.name[:6] for path in (tmp_path / "state").glob("*-*.npy")} >= {"tokens", "named-"}


def test_only_a_gpu_starts_before_all_pictures_are_drawn(tmp_path):
    def enough(device, minutes):
        budgets = {"autoencoder": Budget(minutes=minutes)}
        where = Namespace(device=torch.device(device))
        return recipe.Recipe(
            PRESETS["128"], tmp_path, tmp_path, budgets, accelerator=where
        )._enough_to_start()

    assert enough("cuda", 1) == recipe.FIRST_PICTURES < PRESETS["128"].pictures
    assert enough("cpu", 1) == enough("cuda", 0) == PRESETS["128"].pictures
    note = tmp_path / "pictures-128.json"
    (tmp_path / "pictures-128.npy").touch()
    note.write_text(json.dumps({"world": WORLD_VERSION, "drawn": 5000}))
    assert enough("cuda", 1) == 5000
    note.write_text(json.dumps({"world": WORLD_VERSION - 1, "drawn": 5000}))
    assert enough("cuda", 1) == recipe.FIRST_PICTURES


def test_only_a_gpu_compiles_ahead(tmp_path):
    def ahead_of_time(device, steps=1, compiled=True, processes=1):
        where = Namespace(
            device=torch.device(device), is_main_process=True, num_processes=processes
        )
        budgets = {"denoiser": Budget(steps=steps)}
        return recipe.Recipe(
            REHEARSAL, tmp_path, tmp_path, budgets, compiled=compiled, accelerator=where
        )._compiles_ahead()

    assert ahead_of_time("cuda")
    assert not ahead_of_time("cpu")
    assert not ahead_of_time("cuda", steps=0)
    assert not ahead_of_time("cuda", compiled=False)
    assert not ahead_of_time("cuda", processes=2)


def test_a_stage_on_random_data_lies_whole_on_its_device(trained):
    words = CLIPTokenizer.from_pretrained(trained / "state" / "tokenizer")
    stage = ahead.denoiser_stage(REHEARSAL, words, torch.device("meta"))
    for network in (stage.model, stage.data.text_encoder):
        assert {parameter.device.type for parameter in network.parameters()} == {"meta"}


def test_stages_on_random_data_take_the_recipes_steps(trained, tmp_path, monkeypatch):
    # The step, not the compiler, is tested.
    monkeypatch.setattr(denoiser.DenoiserStage, "compile", lambda self: None)
    ahead.compile_denoiser(REHEARSAL, trained / "state" / "tokenizer")
    accelerator = devices.accelerator()
    words = CLIPTokenizer.from_pretrained(trained / "state" / "tokenizer")
    for stage in (
        ahead.autoencoder_stage(REHEARSAL, accelerator.device),
        ahead.distillation_stage(REHEARSAL, words, accelerator.device),
        ahead.reading_stage(REHEARSAL, words, accelerator.device),
        ahead.decoder_stage(REHEARSAL, accelerator.device),
    ):
        assert Trainer(stage, tmp_path, accelerator).step(ahead.DATA, rate=1.0).isfinite()


def test_a_texture_is_the_same_wherever_its_dots_sit():
    torch.manual_seed(0)
    dots = torch.zeros(1, 3, 32, 32)
    dots[..., ::4, ::4] = 1.0
    moved, grey = dots.roll((2, 2), (2, 3)), torch.full_like(dots, dots.mean())
    coarse = dots.repeat_interleave(2, 2)[:, :, :32].repeat_interleave(2, 3)[..., :32]
    assert (moved - dots).abs().mean() > (grey - dots).abs().mean(), "errors prefer the even grey"
    assert texture.difference(moved, dots) < 0.05 < texture.difference(grey, dots)
    assert texture.difference(coarse, dots) > 0.3
    assert texture.difference(dots, dots) == 0


def test_patterns_keep_the_energy_of_a_picture():
    torch.manual_seed(0)
    noise = torch.randn(1, 3, 8, 8)
    even = noise.mean((2, 3), keepdim=True)
    found = torch.einsum("pcyx,nkyx->nkp", texture._patterns(8, noise.device), noise)
    assert torch.allclose(found.square().sum(-1), (noise - even).square().sum((2, 3)), rtol=1e-4)


def test_labels_say_what_each_caption_names():
    shown, named = naming.shown(40), naming.named(40, 3)
    assert named.shape == (40, 3, len(naming.ATTRIBUTES))
    for number in range(40):
        for i, caption in enumerate(captions_of(number, 3)):
            for column, (name, values) in enumerate(naming.ATTRIBUTES.items()):
                said = {"garment": "colour"}.get(name, name) in caption.names
                value = getattr(scene(number), name)
                assert shown[number, column] == (values.index(value) if value else -1)
                assert named[number, i, column] == (values.index(value) if said else -1)


def test_only_what_is_named_is_asked_for():
    torch.manual_seed(0)
    heads = naming.Naming(8, 4)
    states, nothing = torch.randn(2, 5, 8), torch.full((2, len(naming.ATTRIBUTES)), -1)
    assert heads.states(states, nothing) == heads.embeddings(states[:, 0, :4], nothing) == 0
    one = nothing.clone()
    one[1, 0] = 3
    heads.states(states.requires_grad_(), one).backward()
    assert states.grad[0].abs().max() == 0 < states.grad[1].abs().max()


def test_the_first_steps_of_a_run_weigh_too():
    snr = torch.tensor([100.0, 4.0, 1.0, 0.05, 1e-4])
    picture = denoiser.loss_weight(snr) * snr
    assert picture.tolist() == pytest.approx([5.0, 4.25, 1.25, 0.3, 0.0025])


def test_perception_learns_what_latents_show():
    torch.manual_seed(0)
    shown = torch.full((64, len(naming.ATTRIBUTES)), -1)
    shown[:, 0] = torch.arange(64) % 2
    latents = torch.randn(64, 4, 8, 8) * 0.3 + shown[:, 0, None, None, None]
    stage = perception.PerceptionStage(latents, shown, "test")
    optimizer = torch.optim.AdamW(stage.parameters(), stage.learning_rate)
    losses = []
    for _ in range(12):
        losses.append(stage(torch.arange(64)))
        losses[-1].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.5 * losses[0]


def test_latents_differ_by_what_they_seem_to_show():
    torch.manual_seed(0)
    eye = perception.Perception(4)
    clean, other = torch.randn(2, 3, 4, 8, 8)
    found = clean.clone()
    found[1] = other[1]
    clean.requires_grad_()
    different = eye.difference(found.requires_grad_(), clean)
    assert different[0] == different[2] == 0 < different[1]
    different.sum().backward()
    assert clean.grad is None
    assert found.grad[1].abs().max() > 0 == found.grad[0].abs().max()


def denoiser_stage(eye=None, counts=None):
    """Return an untrained denoiser's stage on eight latents."""
    from transformers import CLIPTextConfig, CLIPTextModel

    width = REHEARSAL.clip_width
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=9, hidden_size=width, intermediate_size=width, num_hidden_layers=1,
            num_attention_heads=1, max_position_embeddings=4,
        )
    )  # fmt: skip
    latents, tokens = torch.randn(8, 4, 8, 8), torch.ones(8, 1, 4, dtype=torch.int16)
    data = denoiser.Captioned(latents, tokens, 0 * tokens[0, 0], encoder)
    return denoiser.DenoiserStage(
        denoiser.build(REHEARSAL), data, REHEARSAL, emphasis=counts, perception=eye
    )


def test_the_eye_changes_what_the_denoiser_learns_and_not_the_error_that_it_reports():
    losses, slopes = [], []
    for eye in (None, perception.Perception(4)):
        torch.manual_seed(0)
        stage = denoiser_stage(eye)
        assert not any("perception" in name for name in stage.state_dict())
        torch.manual_seed(1)
        losses.append(stage(torch.arange(8)))
        slopes.append(torch.autograd.grad(losses[-1], stage.model.conv_out.weight)[0])
    assert losses[0] == losses[1]
    assert not torch.allclose(slopes[0], slopes[1], rtol=0.1)


def test_errors_count_where_the_emphasis_says_and_the_report_stays():
    learned = {}
    for which, counts in {
        "none": None,
        "alike": torch.ones(8, 8, 8),
        "nowhere": torch.zeros(8, 8, 8),
        "fifth": torch.zeros(8, 8, 8).index_fill(0, torch.tensor([5]), 1.0),
    }.items():
        torch.manual_seed(0)
        stage = denoiser_stage(counts=counts)
        torch.manual_seed(1)
        loss = stage(torch.tensor([2, 5, 7]))
        slope = torch.autograd.grad(loss, stage.model.conv_out.bias)[0]
        learned[which] = (loss.item(), slope)
    assert len({round(value, 5) for value, _ in learned.values()}) == 1
    slopes = {which: slope for which, (_, slope) in learned.items()}
    assert torch.allclose(slopes["none"], slopes["alike"], atol=1e-6)
    assert not slopes["nowhere"].any()
    assert slopes["fifth"].any()
    assert not torch.allclose(slopes["fifth"], slopes["alike"], rtol=0.1)


def test_a_figure_counts_more_than_scenery_and_a_head_most():
    shapes = np.zeros((2, 2, 4, 4), np.float16)
    shapes[:, 0, 1:, 1:3] = 1
    shapes[:, 1, 1, 1:3] = 1
    counts = emphasis.weights(shapes).astype(float)
    assert counts.mean() == pytest.approx(1, abs=1e-3)
    scenery, body, head = counts[0, 0, 0], counts[0, 3, 1], counts[0, 1, 1]
    assert body / scenery == pytest.approx(3, rel=0.01)
    assert head / scenery == pytest.approx(5, rel=0.01)


def test_emphasis_is_looked_up_once(tmp_path, monkeypatch):
    found = emphasis.of_pictures(tmp_path, 3, 8, workers=1)
    assert found.shape == (3, 8, 8)
    assert found.dtype == np.float16
    outlines = np.stack([silhouette(scene(number), 8) for number in range(3)])
    assert np.array_equal(found, emphasis.weights(outlines))
    (kept,) = tmp_path.iterdir()
    np.save(kept, 2 * found)
    assert np.array_equal(emphasis.of_pictures(tmp_path, 3, 8, workers=1), 2 * found)
    monkeypatch.setattr("storybook.illustrator.silhouette.HEAD", 2.0)
    other = emphasis.of_pictures(tmp_path, 3, 8, workers=1)
    assert not np.array_equal(other, 2 * found), "figures that are outlined otherwise"


def test_the_denoiser_meets_middle_timesteps_most_and_its_copy_all_alike():
    torch.manual_seed(0)
    stage = denoiser_stage()
    copy = distillation.DistillationStage(stage, REHEARSAL)
    shares = {}
    for which, one in {"denoiser": stage, "copy": copy}.items():
        drawn = torch.cat([one._timesteps(32, torch.device("cpu")) for _ in range(400)])
        assert drawn.min() == 0
        assert drawn.max() == 999
        shares[which] = torch.histc(drawn.float(), 10, 0, 1000) / len(drawn)
    assert torch.allclose(shares["copy"], torch.full((10,), 0.1), atol=0.005)
    assert shares["denoiser"][[4, 5]].min() > 0.165
    assert shares["denoiser"][[0, 9]].max() < 0.075


def test_a_blind_guess_is_one_without_self_attention():
    torch.manual_seed(0)
    teacher = denoiser_stage()
    stage = distillation.DistillationStage(teacher, REHEARSAL)
    noisy, timesteps = torch.randn(3, 4, 8, 8), torch.tensor([1, 500, 999])
    texts, _ = teacher._texts(torch.arange(3))
    guess, way = stage._taught(noisy, timesteps, texts)
    asked = teacher.model(noisy, timesteps, texts).sample
    assert torch.allclose(guess, asked, atol=1e-5)
    for name, module in teacher.model.named_modules():
        if name.endswith("attn1"):  # each place attends to itself alone
            module.set_processor(lambda attn, states, *_, **__: attn.to_out[0](attn.to_v(states)))
    blind = teacher.model(noisy, timesteps, texts).sample
    assert torch.allclose(guess - way, blind, atol=1e-5)
    assert (way.square().mean((1, 2, 3)) > 1e-6).all()


def test_a_denoiser_learns_to_mend_its_guesses_where_a_caption_leads_and_amid_a_run():
    torch.manual_seed(0)
    stage = distillation.DistillationStage(denoiser_stage(), REHEARSAL)
    missing = []
    cases = ((500, False), (250, False), (625, False), (500, True), (100, False), (900, False))
    for timestep, dropped in cases:
        stage._timesteps = lambda count, device, t=timestep: torch.full((count,), t)
        texts = stage._texts(torch.arange(8))[0], torch.full((8,), dropped)
        stage._texts = lambda _, texts=texts: texts
        missing.append(stage(torch.arange(8)).item())
        del stage._texts
    # The untaught copy misses all that there is to learn, and that is nothing in the end.
    assert missing == pytest.approx([1.0, 0.25, 0.25, 0.0, 0.0, 0.0], abs=1e-4)
    del stage._timesteps
    before = {name: weight.clone() for name, weight in stage._teacher[0].state_dict().items()}
    optimizer = torch.optim.AdamW(stage.parameters(), 1e-3)
    losses = []
    for _ in range(20):
        torch.manual_seed(1)  # the same noise at the same timesteps
        losses.append(stage(torch.arange(8)))
        losses[-1].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.5 * losses[0]
    assert all(torch.equal(before[k], v) for k, v in stage._teacher[0].state_dict().items())


def test_a_finished_denoiser_is_not_distilled_twice(trained, tmp_path, capsys):
    drawn(trained, tmp_path)
    options = ("--from-weights", trained / "model", "--steps", "1", "--stages")
    assert command(tmp_path, *options, "distillation") == 1
    assert "Train the denoiser on first" in capsys.readouterr().err
    assert command(tmp_path, *options, "denoiser,distillation") == 0
    assert steps(tmp_path) == dict.fromkeys(parts.STAGES, 2) | {"denoiser": 3, "distillation": 1}
    # What another denoiser became is not taken for what this one did.
    (tmp_path / "state" / "distillation.pt").unlink()
    assert start.from_model(trained / "model", tmp_path / "state") == []


def test_a_denoiser_brings_what_was_distilled_of_it(trained, tmp_path):
    state = tmp_path / "state"
    shutil.copytree(trained / "state", state)
    older = checkpoint.read(state / "distillation.pt")
    further = {"progress": Progress(step=9).to_json(), "origin": "another denoiser"}
    checkpoint.write(state / "distillation.pt", older | further)
    shutil.copytree(trained / "model", tmp_path / "model")
    newer = record(tmp_path)
    newer["stages"]["denoiser"]["steps"] = 3
    (tmp_path / "model" / "training.json").write_text(json.dumps(newer))
    # Its text encoder is what the pair's became, so it comes along, or it would lead another.
    taken = ["clip", "denoiser", "distillation", "reading"]
    assert start.from_model(tmp_path / "model", state) == taken
    assert checkpoint.progress(state / "distillation.pt").step == 2
    assert command(tmp_path, "--steps", "1", "--stages", "decoder") == 0
    assert steps(tmp_path) == dict.fromkeys(parts.STAGES, 2) | {"denoiser": 3, "decoder": 3}


def test_what_was_read_for_another_encoder_is_not_taken(trained, tmp_path, capsys):
    shutil.copytree(trained / "state", tmp_path / "state")
    shutil.copytree(trained / "model", tmp_path / "model")
    newer = record(tmp_path)
    newer["stages"]["reading"]["steps"] = 3
    (tmp_path / "model" / "training.json").write_text(json.dumps(newer))
    kept = digests(tmp_path / "state")
    assert start.from_model(tmp_path / "model", tmp_path / "state") == []
    assert digests(tmp_path / "state") == kept
    assert command(tmp_path, "--steps", "1", "--stages", "decoder") == 0
    assert "has changed" not in capsys.readouterr().out
    assert steps(tmp_path) == dict.fromkeys(parts.STAGES, 2) | {"decoder": 3}


def test_what_was_distilled_stays_until_the_denoiser_is_another(trained, tmp_path, monkeypatch):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    kept = digests(tmp_path / "state")["distillation.pt"]

    def broken(*_):
        raise TrainingStopped("a loss became NaN")

    with monkeypatch.context() as patch:
        patch.setattr(denoiser.DenoiserStage, "forward", broken)
        assert command(tmp_path, "--steps", "1") == 1
    assert digests(tmp_path / "state")["distillation.pt"] == kept


def reading_stage():
    """Return a stage of few everyday wordings, each with a caption, and their latents' stage."""
    words = CLIPTokenizer.from_pretrained(training.WEIGHTS / "tokenizer")
    pairs = [wordings_of(number, 1)[0] for number in range(8)]
    texts = [wording.text for pair in pairs for wording in pair]
    tokens = torch.from_numpy(ids(words, texts)).view(8, 1, 2, -1)
    preset = replace(REHEARSAL, reading_batch=8, reading_led_batch=4)
    leading = denoiser_stage()
    leading.data = replace(leading.data, empty=torch.from_numpy(ids(words, [""])[0]))
    torch.manual_seed(0)
    encoder = export.projected_text_encoder(clip.build(REHEARSAL, words))
    names = torch.from_numpy(naming.named_by_wordings(8, 1))
    pairs = reading.Wordings(tokens, names)
    return reading.ReadingStage(encoder, leading, pairs, preset), leading


def test_everyday_words_come_to_lead_as_captions_do_and_captions_stay_what_they_were():
    stage, leading = reading_stage()
    teacher, _ = stage._frozen
    (everyday, usual), all_of = stage._wordings.tokens[:, 0].long().unbind(1), torch.arange(8)
    denoising = {name: weight.clone() for name, weight in leading.model.state_dict().items()}

    def errors():
        torch.manual_seed(1)
        with torch.no_grad():
            asked, found = teacher(usual), stage.model(torch.cat([everyday, usual]))
            read, kept = found.last_hidden_state.chunk(2)
            meant = torch.nn.functional.cosine_similarity(
                found.text_embeds.chunk(2)[0], asked.text_embeds
            )
            led = stage._guess_error(all_of, read, asked.last_hidden_state)
        moved = (kept - asked.last_hidden_state).square().mean()
        return led.item(), (1 - meant).mean().item(), moved.item()

    before = errors()
    assert before[2] == 0
    optimizer = torch.optim.AdamW(stage.parameters(), 1e-3)
    for _ in range(60):
        stage(all_of).backward()
        optimizer.step()
        optimizer.zero_grad()
    led, meant, moved = errors()
    assert led < 0.5 * before[0]
    assert meant < 0.5 * before[1]
    assert moved < 0.1
    assert all(torch.equal(denoising[k], v) for k, v in leading.model.state_dict().items())


def test_a_caption_is_its_own_best_wording():
    stage, _ = reading_stage()
    everyday, usual = stage._wordings.tokens[:, 0].long().unbind(1)
    nothing = torch.full((8, len(naming.ATTRIBUTES)), naming.NOT_NAMED)
    for wording, far in ((usual, False), (everyday, True)):
        led = stage._loss_of_leading(torch.arange(8), wording, usual)
        meant = stage._loss_of_meaning(wording, usual, nothing)
        assert (led > 1e-4, meant > 1e-2) == (far, far)


def test_pairs_of_wordings_tell_what_they_name():
    found = naming.named_by_wordings(40, 3)
    assert found.shape == (40, 3, len(naming.ATTRIBUTES))
    for number in range(40):
        for i, (wording, _) in enumerate(wordings_of(number, 3)):
            told = found[number, i] != naming.NOT_NAMED
            assert dict(zip(naming.ATTRIBUTES, told, strict=True)) == {
                name: name in wording.names for name in naming.ATTRIBUTES
            }


def test_what_was_read_is_forgotten_when_the_text_encoder_is_another(trained, tmp_path, capsys):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    assert command(tmp_path, "--steps", "1", "--stages", "denoiser") == 0
    assert steps(tmp_path)["reading"] == 2, "the denoiser may go on"
    assert command(tmp_path, "--steps", "1", "--stages", "clip,denoiser") == 0
    assert "reading: the text encoder has changed" in capsys.readouterr().out
    assert "reading" not in steps(tmp_path)


def test_the_finished_model_holds_the_encoder_that_reads_everyday_words(trained):
    from transformers import CLIPTextModelWithProjection

    kept = CLIPTextModelWithProjection.from_pretrained(trained / "model" / "text_encoder")
    slim = checkpoint.slim(checkpoint.read(trained / "state" / "reading.pt"))
    for name, weight in kept.state_dict().items():
        assert torch.allclose(weight, slim["stage"][f"model.{name}"].float(), atol=1e-4), name


def test_a_folder_that_holds_something_else_is_not_replaced(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("years of work")
    with pytest.raises(SystemExit, match="Choose another folder with --out"):
        command(tmp_path, "--steps", "0")
    assert (tmp_path / "model" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("option", ["--state", "--parts"])
def test_a_model_never_replaces_what_it_is_learned_from(tmp_path, option, capsys):
    (tmp_path / "run").mkdir()
    for inner in ("run", "run/deep/inside"):
        with pytest.raises(SystemExit, match=r"replaces all of .*Choose another folder"):
            command(tmp_path, "--steps", "0", "--out", tmp_path / "run", option, tmp_path / inner)


def test_a_full_disk_leaves_the_former_model_and_nothing_half_written(trained, tmp_path, capsys):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    former = digests(tmp_path / "model")
    with full_disk():
        assert command(tmp_path, "--steps", "0") == 1
    assert "could not be written" in capsys.readouterr().err
    assert digests(tmp_path / "model") == former
    assert not list(tmp_path.glob("*.part"))


def test_what_a_guess_at_the_noise_implies_is_the_schedulers_own():
    torch.manual_seed(0)
    noisy, noise = torch.randn(2, 1, 4, 8, 8)
    scheduler = denoiser.noise_scheduler()
    scheduler.set_timesteps(10)
    for step in scheduler.timesteps[2:]:
        wanted = scheduler.step(noise, step, noisy).pred_original_sample
        found = denoiser.implied(scheduler, noisy, noise, step[None])
        assert torch.allclose(found, wanted.clamp(-6, 6), atol=1e-4)


def test_crops_begin_where_latents_do():
    size, crop = REHEARSAL.size, REHEARSAL.vae_crop
    rows, columns = np.indices((size, size), np.uint8)
    # Each pixel tells where it lies, and nothing in the third colour.
    page = torch.from_numpy(np.stack([rows, columns, 0 * rows], axis=-1))
    stage = autoencoder.AutoencoderStage(autoencoder.build(REHEARSAL), page[None], REHEARSAL)
    crops = stage._cropped(torch.zeros(64, dtype=torch.int64))
    assert crops.shape == (64, crop, crop, 3)
    corners = crops[:, 0, 0, :2].int()
    assert set(corners.flatten().tolist()) == set(range(0, size - crop + 1, autoencoder.FACTOR))
    assert torch.equal(crops[:, -1, -1, :2].int(), corners + crop - 1)


def test_a_perfect_denoiser_draws_the_same_again():
    torch.manual_seed(0)
    latents, tokens = torch.randn(40, 4, 8, 8), torch.zeros(40, 2, 5, dtype=torch.int16)
    numbers = decoder.redrawn_numbers(40)
    signal = denoiser.noise_scheduler().alphas_cumprod
    batches = decoder._batches(numbers, 16)
    seen, clean = [], None

    class Perfect(torch.nn.Linear):
        def forward(self, noisy, timestep, states):
            noise = (noisy - signal[timestep].sqrt() * torch.cat([clean, clean])) / (
                1 - signal[timestep]
            ).sqrt()
            seen.append((int(timestep), clean, noise))
            return SimpleNamespace(sample=noise)

    def led_and_free(ids):
        nonlocal clean
        clean = latents[next(batches)[0]]
        return torch.zeros(2 * len(ids), 5, 8)

    stage = SimpleNamespace(model=Perfect(1, 1), batch_size=16, led_and_free=led_and_free)
    told = []
    found = decoder.redraw(stage, numbers, latents, tokens, lambda *done: told.append(done))
    assert told[-1] == (40, 40)
    assert [of for _, of in told] == [40] * 12, "after each batch"
    assert torch.allclose(found.float(), latents[numbers], atol=1e-2)
    begun = [step for (_, a, _), (step, b, _) in pairwise([(0, None, None), *seen]) if a is not b]
    assert len(begun) == decoder.LAST - decoder.FIRST + 1, "forty pictures, a batch for each length"
    assert begun == sorted(begun)
    assert begun[0] < 150
    assert begun[-1] > 850
    last = [noise for _, of, noise in seen if of is clean]
    kept = torch.cosine_similarity(last[0].flatten(), last[-1].flatten(), dim=0)
    assert kept < 0.5, "new noise comes in on the way"


def test_what_is_drawn_again_is_named_by_all_that_draws_it():
    stage = denoiser_stage()
    names = {decoder.version(stage, "latents"), decoder.version(stage, "other latents")}
    for part in (stage.model, stage.data.text_encoder):
        with torch.no_grad():
            next(part.parameters()).add_(1)
        names.add(decoder.version(stage, "latents"))
    assert len(names) == 4


def test_some_pictures_are_drawn_again_each_once():
    numbers = decoder.redrawn_numbers(60_000)
    assert len(numbers) == len(set(numbers.tolist())) == decoder.REDRAWN
    assert 25_000 < numbers.float().mean() < 35_000
    assert sorted(decoder.redrawn_numbers(3).tolist()) == [0, 1, 2]


def test_a_critic_learns_what_a_drawing_has_and_a_blur_has_not():
    torch.manual_seed(0)
    judge = critic.Critic(4)
    drawings = (torch.rand(8, 3, 32, 32) > 0.5).float() * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(drawings, 3, stride=1, padding=1)
    latents = torch.randn(8, 4, 4, 4)
    optimizer = torch.optim.AdamW(judge.parameters(), 1e-3)
    losses = []
    for _ in range(20):
        losses.append(critic.learning(judge, blurred, drawings, latents))
        losses[-1].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.5 * losses[0]
    found = blurred.requires_grad_()
    whole = torch.ones(8, 1, 1, 1)
    lesson = critic.teaching(judge, found, drawings, latents, whole)
    assert lesson > critic.teaching(judge, drawings, drawings, latents, whole)
    assert lesson > critic.teaching(judge, found, drawings, latents, whole / 2)
    lesson.backward()
    assert all(weight.grad is None for weight in judge.parameters()), "it does not learn to please"
    step = 0.05 * found.grad / found.grad.abs().amax()
    assert critic.teaching(judge, found - step, drawings, latents, whole) < lesson


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_a_decoder_answers_for_errors_in_figures_and_to_the_critic_elsewhere(weight, monkeypatch):
    monkeypatch.setattr(decoder, "CRITIC_WEIGHT", weight)
    torch.manual_seed(0)
    vae = autoencoder.build(REHEARSAL)
    pictures = torch.randint(0, 256, (6, 64, 64, 3), dtype=torch.uint8)
    latents = torch.randn(6, 4, 8, 8, dtype=torch.float16)
    again = decoder.Redrawn(torch.tensor([1, 4]), torch.randn(2, 4, 8, 8, dtype=torch.float16))
    counts = 0.5 + torch.rand(6, 8, 8)
    stage = decoder.DecoderStage(vae, pictures, latents, again, counts, REHEARSAL)
    stage.critic.eval()  # its norms stay as they are
    torch.manual_seed(1)
    loss = stage(torch.tensor([0, 2, 3, 5]))
    loss.backward()
    learned = vae.decoder.conv_out.weight.grad.clone()
    assert all(part.grad is None for part in vae.encoder.parameters())
    assert any(part.grad.abs().max() > 0 for part in stage.critic.parameters())
    torch.manual_seed(1)
    drawn, given, agreement, counted = stage._batch(torch.tensor([0, 2, 3, 5]))
    decoded = vae.decode(given).sample
    found = decoded.detach().requires_grad_()
    error = autoencoder.difference(agreement * found, agreement * drawn)
    assert loss.item() == pytest.approx(error.item(), rel=1e-4), "the critic does not show in it"
    (pull,) = torch.autograd.grad(error, found)
    lesson = critic.teaching(stage.critic, found, drawn, given, agreement)
    (lesson,) = torch.autograd.grad(lesson, found)
    lesson = weight * pull.norm() / lesson.norm() * lesson
    vae.zero_grad()
    (decoded * (counted * pull + lesson / counted.clamp(min=1))).sum().backward()
    assert torch.allclose(learned, vae.decoder.conv_out.weight.grad, rtol=1e-3, atol=1e-6)


def test_half_of_what_a_decoder_sees_was_drawn_again():
    torch.manual_seed(0)
    pictures = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 64, 64, 3)
    latents = torch.randn(6, 4, 1, 1).expand(6, 4, 8, 8)
    # One came out as it was, one as its opposite, which agrees as little as anything can.
    again = decoder.Redrawn(torch.tensor([1, 4]), torch.stack([latents[1], -latents[4]]))
    vae, counts = autoencoder.build(REHEARSAL), torch.ones(6, 8, 8)
    stage = decoder.DecoderStage(vae, pictures, latents, again, counts, REHEARSAL)
    seen = set()
    for _ in range(9):
        drawn, given, agreement, _ = stage._batch(torch.tensor([0, 2, 3, 5]))
        numbers = ((drawn[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
        assert numbers[:2] == [0, 2]
        seen.update(numbers[2:])
        for number, given_one, agrees in zip(numbers, given, agreement.flatten(), strict=True):
            assert agrees == pytest.approx(0.0 if number == 4 else 1.0, abs=1e-6)
            whole = latents[number] * (-1 if number == 4 else 1)
            assert torch.equal(given_one, whole[:, :4, :4])
    assert seen == {1, 4}
    untrained = decoder.DecoderStage(vae, pictures, latents, None, None, REHEARSAL)
    with pytest.raises(ValueError, match="no pictures were drawn again"):
        untrained(torch.arange(4))


def test_what_a_decoder_sees_is_of_one_place_in_drawing_latents_and_emphasis():
    cells = torch.arange(64).view(8, 8)
    number = torch.arange(6)[:, None, None]
    own = 64 * number + cells  # one value a cell, of the right picture only
    pictures = torch.stack([number.expand(6, 8, 8), cells.expand(6, 8, 8), own % 251], -1)
    pictures = pictures.byte().repeat_interleave(8, 1).repeat_interleave(8, 2)
    latents, counts = own[:, None].expand(6, 4, 8, 8).float(), 1.0 + own
    again = decoder.Redrawn(torch.tensor([1, 4]), latents[[1, 4]])
    vae = autoencoder.build(REHEARSAL)
    stage = decoder.DecoderStage(vae, pictures, latents, again, counts, REHEARSAL)
    drawn, given, _, counted = stage._batch(torch.tensor([0, 2, 3, 5]))
    assert drawn.shape == (4, 3, 32, 32)
    assert given.shape == (4, 4, 4, 4)
    assert counted.shape == (4, 1, 32, 32)
    levels = ((drawn + 1) * 127.5).round().int()
    place = (64 * levels[:, 0] + levels[:, 1]).float()
    assert torch.equal(place, given[:, 0].repeat_interleave(8, 1).repeat_interleave(8, 2))
    assert torch.equal(place, counted[:, 0] - 1)
    assert (place[:, 0, 8] - place[:, 0, 0]).tolist() == [1] * 4, "whole cells, side by side"


def test_crops_show_most_often_what_counts_most():
    counts = torch.full((4000, 8, 8), 1.0)
    counts[:, 6, 2] = 64.0  # as much as all others together
    torch.manual_seed(0)
    rows, columns = decoder._crops(counts, 3)
    assert rows.shape == (4000, 3, 1)
    assert columns.shape == (4000, 1, 3)
    around = (rows[:, 1, 0] == 6) & (columns[:, 0, 1] == 2)
    assert around.float().mean().item() == pytest.approx(64 / 127, abs=0.03)
    assert sorted(set(rows[:, 0, 0].tolist())) == list(range(6)), "all of them within the picture"
    rows, columns = decoder._crops(counts[:1], 8)
    assert rows.flatten().tolist() == columns.flatten().tolist() == list(range(8))


def test_standardising_changes_the_latents_alone():
    torch.manual_seed(0)
    vae = autoencoder.build(REHEARSAL).eval()
    with torch.no_grad():  # latents far from standard, as training leaves them
        vae.quant_conv.weight.mul_(7.0)
        vae.quant_conv.bias.add_(3.0)
    pictures = torch.randint(0, 256, (6, 64, 64, 3), dtype=torch.uint8)
    shown = pictures.permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        before = vae(shown).sample
        old = autoencoder.encode_all(vae, pictures, torch.device("cpu"))
        new = autoencoder.standardise(vae, old).float()
        after = vae(shown).sample
    assert torch.allclose(before, after, atol=1e-3)
    assert new.mean((0, 2, 3)).abs().max() < 1e-2
    assert (new.std((0, 2, 3)) - 1).abs().max() < 1e-2
    again = autoencoder.encode_all(vae, pictures, torch.device("cpu"))
    assert torch.allclose(again.float(), new, atol=2e-2)
    weights = {name: weight.clone() for name, weight in vae.state_dict().items()}
    assert autoencoder.standardise(vae, again) is again
    assert all(torch.equal(weights[name], weight) for name, weight in vae.state_dict().items())


class Target(Stage):
    """Learns a point; from ``bad_step`` on, its loss is no number."""

    name, batch_size, learning_rate = "target", 2, 0.1

    def __init__(self, bad_step=None):
        super().__init__()
        self.model = torch.nn.Linear(1, 4)
        self.forwards, self.bad_step, self.seen, self.noise = 0, bad_step, [], []

    def forward(self, indices):
        self.forwards += 1
        self.seen.append(indices.tolist())
        self.noise.append(torch.rand(()).item())
        loss = (self.model(torch.ones(1, 1)) - 3).square().mean()
        return loss * (float("nan") if self.forwards == self.bad_step else 1.0)


@pytest.fixture(scope="module")
def accelerator():
    from accelerate import Accelerator

    return Accelerator(cpu=True)


def test_several_processes_count_the_same_steps(tmp_path, monkeypatch):
    where = SimpleNamespace(num_processes=2, device="cpu")
    monkeypatch.setattr("storybook.training.loop.broadcast", lambda share: share)
    trainer = SimpleNamespace(accelerator=where, done=Progress(step=40))

    def agreed(*arguments):
        return Trainer._agreed(trainer, *arguments)

    budget = Budget(minutes=1, steps=40)
    assert agreed(budget, 90.0, 39, 0.5) == 39 / 40, "clocks differ: not yet agreed on"
    assert agreed(budget, 30.0, 40, 0.5) == 1
    trainer.done.step = 50
    assert agreed(budget, 90.0, 10, 0.5) == 1.5


def test_training_learns_and_averages(tmp_path, accelerator):
    stage = Target()
    done = Trainer(stage, tmp_path, accelerator).fit(10, Budget(steps=400))
    assert done.step == 400
    assert done.pictures == 800
    assert done.among == 10
    assert done.losses[0][1] > 1
    assert done.losses[-1][1] < 0.01
    average = Trainer(Target(), tmp_path, accelerator).ema.shadow_params
    assert all(
        torch.equal(mean, weight)
        for mean, weight in zip(average, stage.model.parameters(), strict=True)
    )


def test_no_step_follows_a_gradient_longer_than_one(tmp_path, accelerator):
    class Steep(Target):
        def forward(self, indices):
            return 1000 * super().forward(indices)

    trainer, lengths = Trainer(Steep(), tmp_path, accelerator), []
    take = trainer.optimizer.step

    def measured():
        gradients = torch.cat([one.grad.flatten() for one in trainer.stage.parameters()])
        lengths.append(gradients.norm().item())
        take()

    trainer.optimizer.step = measured
    trainer.step(10, rate=1.0)
    assert lengths == [pytest.approx(1, rel=1e-3)]


def test_a_resumed_call_sees_the_pictures_that_come_next(tmp_path, accelerator):
    whole = Target()
    Trainer(whole, tmp_path / "whole", accelerator).fit(1000, Budget(steps=6))
    halves = Target(), Target()
    for half in halves:
        Trainer(half, tmp_path / "halves", accelerator).fit(1000, Budget(steps=3))
    assert halves[0].seen + halves[1].seen == whole.seen


def test_no_call_repeats_anothers_noise_but_a_repeated_training_does(tmp_path, accelerator):
    def noise(folder, seed=0):
        stage = Target()
        Trainer(stage, tmp_path / folder, accelerator, seed=seed).fit(10, Budget(steps=3))
        return stage.noise

    first, resumed = noise("first"), noise("first")
    assert not set(first) & set(resumed)
    assert noise("again") == first
    assert not set(noise("other seed", 1)) & set(first)


def test_one_seeds_pictures_are_not_anothers_some_steps_later(tmp_path, accelerator):
    def pictures(seed, steps):
        trainer = Trainer(Target(), tmp_path, accelerator, seed=seed)
        found = []
        for trainer.done.step in steps:
            found += trainer._indices(10**9).tolist()
        return set(found)

    assert not pictures(0, range(2000)) & pictures(1, range(10))


def test_initial_weights_are_the_seeds_alone(trained, tmp_path):
    words = CLIPTokenizer.from_pretrained(trained / "state" / "tokenizer")
    pictures = torch.zeros(2, REHEARSAL.size, REHEARSAL.size, 3, dtype=torch.uint8)
    tokens = torch.zeros(2, 1, 8, dtype=torch.int16)

    def weights(seed, thrown):
        torch.manual_seed(thrown)  # wherever an earlier stage left torch's dice
        begun = recipe.Recipe(REHEARSAL, tmp_path, tmp_path, {}, seed=seed)
        return begun._clip(pictures, tokens, words)[0].text_projection.weight

    assert torch.equal(weights(0, 1), weights(0, 2))
    assert not torch.equal(weights(0, 1), weights(1, 1))


def test_a_loss_that_is_no_number_stops_with_the_checkpoint_safe(tmp_path, accelerator):
    Trainer(Target(), tmp_path, accelerator).fit(10, Budget(steps=3))
    before = (tmp_path / "target.pt").read_bytes()
    trainer = Trainer(Target(bad_step=2), tmp_path, accelerator)
    with pytest.raises(TrainingStopped, match=r"became nan; try --rate.*target\.pt holds"):
        trainer.fit(10, Budget(steps=30))
    assert (tmp_path / "target.pt").read_bytes() == before


def test_weights_that_are_no_numbers_are_never_saved(tmp_path, accelerator):
    trainer = Trainer(Target(), tmp_path, accelerator)
    with torch.no_grad():
        trainer.stage.model.weight.fill_(float("inf"))
    with pytest.raises(TrainingStopped, match="no longer numbers"):
        trainer._save()
    assert not (tmp_path / "target.pt").exists()


@contextlib.contextmanager
def full_disk():
    """No file can grow beyond a kilobyte: to the programme it is as if the disk were full.

    For one block alone: pytest's own report may be going to a file.
    """
    resource = pytest.importorskip("resource", reason="limits are set this way on Unix alone")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, accelerator):
    Trainer(Target(), tmp_path, accelerator).fit(10, Budget(steps=3))
    before = (tmp_path / "target.pt").read_bytes()
    trainer = Trainer(Target(), tmp_path, accelerator)
    message = r"saving failed.*free some space.*target\.pt holds"
    with pytest.raises(TrainingStopped, match=message), full_disk():
        trainer.fit(10, Budget(steps=3))
    assert (tmp_path / "target.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["target.pt"]


def test_another_presets_checkpoint_is_refused_by_name(tmp_path, accelerator):
    Trainer(Target(), tmp_path, accelerator).fit(10, Budget(steps=1))
    other = Target()
    other.model = torch.nn.Linear(1, 5)
    with pytest.raises(TrainingStopped, match="does not fit this preset"):
        Trainer(other, tmp_path, accelerator)
    with pytest.raises(TrainingStopped, match="does not fit this preset"):
        Trainer(target_with_heads(), tmp_path, accelerator)  # which its optimizer knows nothing of


def target_with_heads():
    stage = Target()
    stage.naming = naming.Naming(8, 4)
    return stage


def decoder_with_critic():
    return decoder.DecoderStage(autoencoder.build(REHEARSAL), None, None, None, None, REHEARSAL)


@pytest.mark.parametrize("build", [target_with_heads, decoder_with_critic])
def test_what_taught_a_model_may_be_missing_and_nothing_of_the_model(build, tmp_path, accelerator):
    stage = build()
    state = checkpoint.slim_from_model(stage.model, Progress())
    checkpoint.write(tmp_path / f"{stage.name}.pt", state)
    Trainer(build(), tmp_path, accelerator)
    state["stage"].popitem()
    checkpoint.write(tmp_path / f"{stage.name}.pt", state)
    with pytest.raises(TrainingStopped, match="does not fit this preset"):
        Trainer(build(), tmp_path, accelerator)


def test_a_progress_survives_its_text():
    done = Progress(3, 1.5, 12, [(3, 0.25)], ["an abacus"], 100, "By hand.")
    assert Progress.from_json(done.to_json()) == done
    older = '[3, 1.5, 12, [[3, 0.25]], ["an abacus"]]'
    assert Progress.from_json(older) == replace(done, among=0, note="")


def test_a_curve_keeps_its_beginning_over_many_calls():
    curve = []
    for call in range(12):
        steps = range(1000 * call + 25, 1000 * (call + 1) + 1, 25)
        curve = recipe._thinned([*curve, *((step, float(step)) for step in steps)], most=50)
        assert len(curve) <= 50
        assert curve[-1][0] == 1000 * (call + 1)
    gaps = np.diff([0, *(step for step, _ in curve)])
    assert gaps.max() <= 3 * 12_000 / 50
    assert recipe._thinned([]) == []
    rounded = [(step, 1.0) for step in (*range(25, 6732, 25), 6732)]
    assert len(recipe._thinned(rounded)) == 200, "the last step may fall into a stretch too many"


def test_time_is_shared_among_the_stages_asked_for():
    def options(**given):
        base = {"minutes": None, "steps": None, "stages": ",".join(training.SHARES)}
        return Namespace(**base | {"in_all": False} | given)

    shared = training.budgets(options(minutes=100))
    assert sum(budget.minutes for budget in shared.values()) == pytest.approx(100)
    assert shared["denoiser"].minutes == pytest.approx(100 * training.SHARES["denoiser"])
    assert training.budgets(options(minutes=7, stages="clip"))["clip"].minutes == 7
    assert training.budgets(options(minutes=0))["clip"].share_spent(0, 0) == 1
    assert training.budgets(options(steps=4))["clip"].share_spent(1e6, 3) == 0.75


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--stages", "painter"), "no such stage: painter"),
        (("--stages", ""), "no such stage"),
        (("--rate", "0"), "--rate"),
        (("--rate", "nan"), "--rate"),
        (("--pictures", "0"), "--pictures"),
        (("--minutes", "-1"), "--minutes"),
        (("--steps", "-1"), "--steps"),
        (("--workers", "-1"), "--workers"),
    ],
)
def test_senseless_options_are_refused(tmp_path, wrong, message):
    with pytest.raises(SystemExit, match=message):
        command(tmp_path, *wrong)
    assert not any(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.skipif(sys.platform == "win32", reason="a shell starts it")
def test_training_on_a_lent_machine_goes_on_in_the_same_folder(tmp_path, monkeypatch, capsys):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "it trains"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    options = ("--state", tmp_path / "state", "--parts", tmp_path / "parts", "--wait", "1")
    monkeypatch.setattr(sys, "argv", ["train_on_gpu", *map(str, options)])
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: time.sleep(0.01))
    monkeypatch.setattr(train_on_gpu, "time", clock)
    for _ in range(2):
        assert train_on_gpu.main() == 0
        assert capsys.readouterr().out == "it trains\nFinished.\n"


def test_parts_are_brought_as_a_whole_set_or_not_at_all(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()

    def brought(*named, lost=()):
        for name in named:
            (source / name).write_text("a part")
        for name in lost:
            (source / name).unlink()
        (source / "parts.json").write_text(json.dumps(dict.fromkeys(named, "a checksum")))
        train_on_gpu._bring(source, target)
        assert set(json.loads((target / "parts.json").read_text())) <= set(digests(target))
        return set(digests(target)) - {"parts.json"}

    whole = {"storybook-1.tar.1", "storybook-1.tar.2"}
    assert brought(*whole) == whole
    replaced = "storybook-2.tar.2"
    assert brought("storybook-2.tar.1", replaced, lost=[replaced]) >= whole
    assert brought("storybook-3.tar.1") == {"storybook-3.tar.1"}


def test_a_folder_without_a_model_is_named(tmp_path, capsys):
    assert command(tmp_path, "--from-weights", tmp_path) == 1
    assert f"{tmp_path} holds no model that" in capsys.readouterr().err


def test_a_folder_without_parts_is_named(tmp_path, capsys):
    assert command(tmp_path, "--from-parts", tmp_path) == 1
    assert "holds no parts.json" in capsys.readouterr().err
