"""The examiner: its arithmetic, its judge, and a whole evaluation of an untrained model."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from storybook.evaluation import main
from storybook.evaluation.metrics import Tally, psnr, retrieval, score, wilson
from storybook.evaluation.sheets import contact_sheet
from storybook.world import scene
from tests import tiny

rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def world():
    """The first 32 training drawings, small, and their scenes."""
    from storybook.illustrator import draw

    scenes = [scene(number) for number in range(32)]
    return np.stack([draw(shown, 64) for shown in scenes]), scenes


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with every part of the model, untrained, as the training exports it."""
    rest = {"hardware": ["an abacus"], "losses": []}
    stages = {
        "autoencoder": {"steps": 9, "pictures": 72, "hours": 0.05, **rest},
        "denoiser": {"steps": 2, "pictures": 16, "hours": 1.25, **rest},
        "decoder": {"steps": 3, "pictures": 12, "hours": 0.02, "note": "By hand.", **rest},
    }
    told = {"preset": {"pictures": 64}, "stages": stages, "seed": 0}
    return tiny.save_untrained(tmp_path_factory.mktemp("model") / "weights", told)


@pytest.mark.parametrize(("right", "total"), [(0, 10), (7, 10), (10, 10), (311, 512)])
def test_wilson_bounds_solve_the_equation_that_defines_them(right, total):
    # The bounds are the shares q whose own normal interval ends just at right / total.
    share, z = right / total, 1.959963984540054
    for q in wilson(right, total):
        if 0 < q < 1:
            assert (share - q) ** 2 == pytest.approx(z**2 * q * (1 - q) / total)
        else:
            assert q == share


def test_wilson_knows_nothing_before_the_first_trial():
    assert wilson(0, 0) == (0, 1)


def test_wilson_refuses_more_right_than_there_were():
    with pytest.raises(ValueError, match="5 right out of 4"):
        wilson(5, 4)


def test_psnr_is_what_its_definition_says():
    pictures = rng.integers(0, 200, (2, 8, 8, 3), np.uint8)
    others = pictures.copy()
    others[1] += 10
    assert psnr(pictures, others).tolist() == [math.inf, pytest.approx(20 * math.log10(25.5))]


def test_psnr_refuses_pictures_of_two_sizes():
    with pytest.raises(ValueError, match="one shape"):
        psnr(np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 4, 4, 3), np.uint8))


def test_only_what_the_prompt_names_counts():
    asked = SimpleNamespace(who="fox", place="beach", time="night", style="crayon")
    seen = {"who": "fox", "place": "farm", "time": "night", "style": "crayon"}
    tallies = score([seen, seen, seen], [asked] * 3, [{"who", "time"}, {"who", "place"}, set()])
    assert tallies["who"] == Tally(2, 2)
    assert tallies["place"] == Tally(0, 1)
    assert tallies["style"] == Tally(0, 0)
    assert tallies["all"] == Tally(1, 2)


def test_right_at_first_sight_leaves_details_out():
    asked = SimpleNamespace(who="fox", colour="red")
    tallies = score([{"who": "fox", "colour": "blue"}], [asked], [{"who", "colour"}])
    assert (tallies["main"], tallies["all"]) == (Tally(1, 1), Tally(0, 1))


def test_nobody_is_right_about_hair_that_is_not_there():
    fox = SimpleNamespace(who="fox", hair="")
    assert score([{"who": "fox", "hair": ""}], [fox])["hair"] == Tally(0, 0)


def test_what_is_reported_is_no_scene_that_anything_was_chosen_by():
    from storybook.evaluation.behaviour import telling_prompts
    from storybook.evaluation.prompts import of_seen_pairs, of_unseen_pairs

    for prompts in (of_seen_pairs(4), of_unseen_pairs(4), telling_prompts(4)):
        assert all(20_000 < shown.number < 2_000_000 for _, shown in prompts)


def test_the_judge_learned_no_picture_that_it_is_measured_on_but_every_pair():
    from storybook.evaluation.prompts import judges_scene, of_unseen_pairs
    from storybook.world import NEVER_TOGETHER

    assert max(shown.number for _, shown in of_unseen_pairs(256)) < 2_000_000
    own = [judges_scene(number) for number in range(4000)]
    assert all(shown.number > 2_000_000 and shown.number % 2 for shown in own)
    for (a, x), (b, y) in NEVER_TOGETHER:
        assert any(getattr(shown, a) == x and getattr(shown, b) == y for shown in own)


def test_retrieval_counts_queries_that_find_their_own():
    queries = np.eye(3)
    assert retrieval(queries, queries) == Tally(3, 3)
    assert retrieval(queries, queries[[0, 2, 1]]) == Tally(1, 3)


def test_a_contact_sheet_has_room_for_every_picture_and_caption():
    pictures = [np.full((8, 8, 3), 40 * i, np.uint8) for i in range(5)]
    sheet = contact_sheet(pictures, ["a much longer caption than fits a line"] * 5, 3, width=80)
    bare = contact_sheet(pictures, columns=3, width=80)
    assert sheet.width == bare.width == 10 + 3 * 90
    assert sheet.height > bare.height
    assert sheet.getpixel((10 + 90 + 40, 10 + 40)) == (40, 40, 40)


def test_a_contact_sheet_wants_a_caption_for_every_picture():
    with pytest.raises(ValueError, match="1 pictures, but 2 captions"):
        contact_sheet([Image.new("RGB", (8, 8))], ["a", "b"])


def test_a_judge_learns_drawings_by_heart_and_survives_being_saved(world, tmp_path):
    from storybook.evaluation import judge as judges
    from storybook.evaluation.lessons import Lessons, teach

    drawings, scenes = world[0][:16], world[1][:16]
    lessons = Lessons(steps=100, batch=16, rate=1e-2, smoothing=0, widths=(8, 16, 32, 64))
    taught = teach(drawings, scenes, lessons, wear=False)
    judges.save(taught, tmp_path / "judge.safetensors")
    seen = judges.load(tmp_path / "judge.safetensors").look(drawings)
    tallies = score(seen, scenes)
    assert all(t.right >= t.total - 1 > 0 for name, t in tallies.items() if name != "all"), tallies


def test_a_judge_wants_a_batch_of_drawings(world):
    from storybook.evaluation.lessons import Lessons, teach

    with pytest.raises(ValueError, match=r"4 drawings at a time.*not 3"):
        teach(world[0][:3], world[1][:3], Lessons(steps=1, batch=4))


def test_teaching_goes_on_where_it_was_stopped(world, tmp_path):
    import torch

    from storybook.evaluation.lessons import Lessons, teach

    class StoppedError(Exception):
        pass

    def stop(step, loss):
        if step == 3:
            raise StoppedError

    lessons = Lessons(steps=4, batch=4, save_every=2)
    whole = teach(*world, lessons).state_dict()
    with pytest.raises(StoppedError):
        teach(*world, lessons, tmp_path / "judge.pt", stop)
    resumed = teach(*world, lessons, tmp_path / "judge.pt").state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_teaching_begins_anew_for_another_world_or_other_lessons(world, tmp_path, monkeypatch):
    from storybook.evaluation import lessons

    def steps_taken(drawings=32, steps=2):
        told = []
        lessons.teach(
            world[0][:drawings],
            world[1][:drawings],
            lessons.Lessons(steps=steps, batch=2, save_every=1, widths=(8, 8, 8)),
            tmp_path / "judge.pt",
            lambda step, _: told.append(step),
        )
        return told

    assert steps_taken() == [1, 2]
    assert steps_taken() == []
    assert steps_taken(drawings=16) == [1, 2]
    assert steps_taken(drawings=16, steps=3) == [1, 2, 3]
    monkeypatch.setattr(lessons, "WORLD_VERSION", lessons.WORLD_VERSION + 1)
    assert steps_taken(drawings=16, steps=3) == [1, 2, 3]


def test_wear_changes_pictures_but_keeps_what_they_show(world):
    import torch

    from storybook.evaluation.judge import as_input
    from storybook.evaluation.wear import worn

    clean = as_input(world[0])
    before = clean.clone()
    changed = worn(clean, np.random.default_rng(0))
    assert torch.equal(clean, before)
    assert 0 <= changed.min() < changed.max() <= 1
    assert 0.01 < (changed.mean((2, 3)) - clean.mean((2, 3))).abs().mean() < 0.06


def test_the_judge_says_what_it_can_look_at():
    from storybook.evaluation.judge import Judge

    with pytest.raises(ValueError, match=r"not at float64 \(1, 8, 8, 3\)"):
        Judge().look(np.zeros((1, 8, 8, 3)))


def test_the_judge_looks_at_mirror_images_too(monkeypatch):
    import torch

    from storybook.evaluation.judge import ATTRIBUTES, Judge

    def seen(_judge, pictures):
        """Sure of the second answer where the right half is white; of nothing where the left is."""
        sure = pictures[:, 0, 0, -1].round()
        logits = {name: torch.zeros(len(pictures), len(ATTRIBUTES[name])) for name in ATTRIBUTES}
        for values in logits.values():
            values[:, 0], values[:, 1] = 1.0, 9 * sure
        return logits

    monkeypatch.setattr(Judge, "forward", seen)
    picture = np.zeros((1, 128, 128, 3), np.uint8)
    picture[:, :, :64] = 255
    (verdict,) = Judge().look(picture)
    assert verdict == {name: values[1] for name, values in ATTRIBUTES.items()}


def test_a_judge_of_another_world_is_refused(tmp_path, monkeypatch):
    from storybook.evaluation import judge as judges

    judges.save(judges.Judge(), tmp_path / "judge.safetensors")
    monkeypatch.setattr(judges, "WORLD_VERSION", judges.WORLD_VERSION + 1)
    with pytest.raises(ValueError, match="--train-judge"):
        judges.load(tmp_path / "judge.safetensors")


def test_the_committed_judge_is_good_at_heldout_drawings():
    from storybook.evaluation import judge as judges
    from storybook.illustrator import draw

    if not judges.WEIGHTS.exists():
        pytest.skip("no judge has been trained for this world yet")
    scenes = [scene(number, "heldout") for number in range(100)]
    seen = judges.load().look(np.stack([draw(shown, judges.SIZE) for shown in scenes]))
    tallies = score(seen, scenes)
    assert all(tally.right >= 0.95 * tally.total > 0 for tally in tallies.values()), tallies


def test_unseen_prompts_name_both_halves_of_their_pair():
    from storybook.evaluation.prompts import of_unseen_pairs
    from storybook.world import NEVER_TOGETHER

    prompts = of_unseen_pairs(8)
    assert len(prompts) == 8
    for caption, shown in prompts:
        assert any(
            {a, b} <= caption.names and (getattr(shown, a), getattr(shown, b)) == (x, y)
            for (a, x), (b, y) in NEVER_TOGETHER
        ), caption.text


def test_free_prompts_mean_scenes_of_this_world():
    from storybook.evaluation.judge import ATTRIBUTES
    from storybook.evaluation.prompts import in_free_wording

    prompts = in_free_wording()
    assert len({caption.text for caption, _ in prompts}) == 100
    for caption, meant in prompts:
        assert {"who"} <= caption.names <= set(ATTRIBUTES)
        assert all(getattr(meant, name) in ATTRIBUTES[name] for name in caption.names)


@pytest.fixture(scope="module")
def pipe(weights):
    from storybook.evaluation.loading import load_pipeline

    return load_pipeline(weights, "cpu")


@pytest.fixture(scope="module")
def clip(weights):
    import torch

    from storybook.evaluation.clip_pair import ClipPair

    return ClipPair(weights, torch.device("cpu"))


def test_the_nearest_training_picture_is_found_by_pixels_and_by_clip(world, clip):
    from storybook.evaluation.copying import Index

    drawings, _ = world
    index = Index.of(drawings[:20], clip)
    softer = (drawings[3:6].astype(float) * 0.98 + 2).round().astype(np.uint8)
    for nearest in index.nearest(Index.of(softer, clip)).values():
        assert nearest.numbers.tolist() == [3, 4, 5]
        assert (nearest.distances < 0.05).all()
    # Against the definition, for a drawing that the index does not hold.
    found = index.nearest(Index.of(drawings[25:26], clip))["pixels"]
    small = drawings.reshape(32, 32, 2, 32, 2, 3).mean((2, 4)) / 255
    expected = np.sqrt(((small[:20] - small[25]) ** 2).mean((1, 2, 3)))
    assert found.numbers[0] == expected.argmin()
    assert found.distances[0] == pytest.approx(expected.min(), abs=1e-4)


def test_copies_are_suspicious_and_new_drawings_are_not(world, clip):
    from storybook.evaluation.copying import Index, compare

    drawings, _ = world
    index, fresh = Index.of(drawings[:16], clip), Index.of(drawings[16:], clip)
    usual = index.nearest(fresh)
    copied = compare(index.nearest(index), usual, fresh.among())
    same = compare(usual, usual, fresh.among())
    for kind in ("pixels", "clip"):
        assert copied[kind]["suspicious"]["share"] == 1
        assert copied[kind]["flagged"]
        assert copied[kind]["least"] == copied[kind]["median"] == pytest.approx(0, abs=1e-3)
        assert copied[kind]["model"][0] == 16
        assert same[kind]["suspicious"]["right"] <= 1
        assert not same[kind]["flagged"]
        assert same[kind]["model"] == same[kind]["drawings"]
        assert sum(same[kind]["model"]) == sum(same[kind]["among"]) == 16


def test_how_near_is_near_is_told_by_other_drawings_of_the_training_captions(
    world, clip, monkeypatch
):
    from storybook import dataset
    from storybook.evaluation import copying
    from storybook.evaluation.painting import Settings

    trained, made, asked, drawn = world[0][:3], world[0][8:11], [], []

    def paint(_pipe, texts, *_):
        asked.extend(texts)
        return made[: len(texts)]

    def anew(number, size, take=0):
        drawn.append((number, size, take))
        return world[0][16 + number + 3 * take]

    monkeypatch.setattr(copying, "paint", paint)
    monkeypatch.setattr(dataset, "anew", anew)
    found, nearby = copying.measure(None, clip, trained, 5, 2, Settings(), lambda *_: None)
    assert asked == [dataset.captions_of(number, 1)[0].text for number in range(2)]
    assert drawn == [(0, 64, 0), (1, 64, 0), (2, 64, 0), (0, 64, 1), (1, 64, 1)]
    assert (found["training"], found["pixels"]["suspicious"]["of"]) == (3, 2)
    assert sum(found["pixels"]["drawings"]) == 5
    assert {tuple(one) for one in nearby["pixels"].made.reshape(2, -1)} == {
        tuple(one) for one in made[:2].reshape(2, -1)
    }


@pytest.mark.parametrize(("nearer", "flagged"), [(9, False), (10, True)])
def test_suspicious_is_one_in_a_hundred_and_flagged_surely_more_than_one_in_twenty(nearer, flagged):
    """Of a hundred, ten have a lower bound of 5.5 % (Wilson 1927), nine one of 4.8 %."""
    from storybook.evaluation.copying import Nearest, compare

    def at(distances):
        return {"pixels": Nearest(np.zeros(len(distances), np.int64), distances)}

    usual = np.linspace(0.1, 0.2, 101)
    limit = usual[1]
    distances = np.full(100, limit)
    distances[:nearer] = np.nextafter(limit, 0)
    found = compare(at(distances), at(usual), at(usual))["pixels"]
    assert found["limit"] == 0.101
    assert found["suspicious"]["right"] == nearer, "no nearer than the limit is not suspicious"
    assert found["flagged"] is flagged


def test_among_each_other_pictures_are_not_compared_with_themselves(world, clip):
    from storybook.evaluation.copying import Index

    drawings = world[0][[0, 1, 2, 0]]
    for nearest in Index.of(drawings, clip).among().values():
        assert nearest.numbers[[0, 3]].tolist() == [3, 0]
        assert nearest.distances[[0, 3]] == pytest.approx([0, 0], abs=1e-3)
        assert (nearest.distances[[1, 2]] > 1e-3).all()


def test_a_twin_goes_on_learning_a_few_pictures_and_leaves_the_model_alone(weights, tmp_path):
    import torch

    from storybook.evaluation import twin
    from storybook.evaluation.loading import load_pipeline

    pipe = load_pipeline(weights, "cpu")
    before = {name: value.clone() for name, value in pipe.unet.state_dict().items()}
    other = twin.overfitted(pipe, tmp_path, count=4, steps=2, say=lambda _: None)
    changed = [
        not torch.equal(value, before[name]) for name, value in other.unet.state_dict().items()
    ]
    assert np.mean(changed) > 0.9
    for name, value in pipe.unet.state_dict().items():
        assert torch.equal(value, before[name])
    assert other.vae is pipe.vae
    assert all(weight.requires_grad for weight in pipe.text_encoder.parameters())
    again = twin.overfitted(pipe, tmp_path, count=4, steps=2, say=lambda _: None)
    for name, value in again.unet.state_dict().items():
        assert torch.equal(value, other.unet.state_dict()[name]), "trained on, or not taken up"


def test_a_twin_is_trained_for_sizes_that_have_a_recipe():
    from storybook.evaluation import twin

    assert twin.preset(SimpleNamespace(unet=_sized(16), vae_scale_factor=8)).size == 128
    with pytest.raises(ValueError, match="leave --twin out"):
        twin.preset(SimpleNamespace(unet=_sized(12), vae_scale_factor=8))


def _sized(cells):
    return SimpleNamespace(config=SimpleNamespace(sample_size=cells))


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--twin"], "add --copying"), (["--copying"], "has no training.json that tells")],
)
def test_a_test_of_copying_that_cannot_be_taken_is_refused_first(
    tmp_path, monkeypatch, capsys, options, message
):
    from storybook.evaluation import command, loading

    def measured(*_):
        raise AssertionError("hours were spent before it was found out")

    monkeypatch.setattr(loading, "load_pipeline", measured)
    assert command.main(["--weights", str(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err


def test_another_scheduler_keeps_the_noise_levels(pipe):
    import torch

    from explainer.capture.run import scheduled
    from storybook.evaluation.behaviour import SCHEDULERS

    own = pipe.scheduler
    for kind in SCHEDULERS.values():
        with scheduled(pipe, kind):
            assert type(pipe.scheduler).__name__ == kind
            assert torch.equal(pipe.scheduler.alphas_cumprod, own.alphas_cumprod)
            assert pipe.scheduler.config.timestep_spacing == own.config.timestep_spacing


def test_a_negative_prompt_changes_its_own_picture_alone(pipe):
    from storybook.evaluation.painting import Settings, paint

    def made(negatives):
        return paint(pipe, ["a fox"] * 3, Settings(steps=2, batch=2), lambda *_: None, negatives)

    plain, third = made(None), made(["", "", "crayon"])
    np.testing.assert_array_equal(made(["", "", ""]), plain)
    np.testing.assert_array_equal(third[:2], plain[:2])
    assert (third[2] != plain[2]).any()


@pytest.mark.parametrize("name", ["style", "time"])
def test_open_prompts_name_nothing_of_what_they_leave_open(name):
    from storybook.captions import words
    from storybook.evaluation.behaviour import LEFT_OPEN, open_prompts

    prompts = open_prompts(name, 12)
    assert len({caption.text for caption, _ in prompts}) == 12
    for caption, shown in prompts:
        assert shown.number % 2 == 1, "a training picture"
        said = words(caption.text)
        phrases = [words(one) for some in LEFT_OPEN[name].values() for one in some]
        runs = [said[i : i + len(phrase)] for phrase in phrases for i in range(len(said))]
        assert not any(phrase in runs for phrase in phrases), caption.text


def test_telling_prompts_name_all_that_the_judge_sees():
    from storybook.evaluation.behaviour import telling_prompts
    from storybook.evaluation.judge import ATTRIBUTES

    for caption, shown in telling_prompts(12):
        assert caption.names >= ATTRIBUTES.keys() - (set() if shown.hair else {"hair"})


def test_what_a_negative_prompt_leaves_is_counted_by_what_was_shown(pipe):
    from storybook.evaluation import judge as judges
    from storybook.evaluation.behaviour import negative_prompts
    from storybook.evaluation.painting import Settings
    from storybook.world import TIMES

    judge = judges.load()
    settings = Settings(steps=1, batch=4)
    found = negative_prompts(pipe, judge, "time", 4, settings, lambda *_: None)
    values = found["values"]
    assert list(values) == list(TIMES)
    assert sum(one["drawn"] for one in values.values()) == 4
    for key in ("named", "another"):
        assert found[key]["of"] == 4
        assert found[key]["right"] == sum(one[key] for one in values.values())
        assert all(one[key] <= one["drawn"] for one in values.values())


def test_a_whole_evaluation_ends_in_a_card_with_its_numbers(weights, tmp_path, monkeypatch):
    from storybook.evaluation import behaviour, twin
    from storybook.evaluation import judge as judges
    from storybook.evaluation.loading import load_pipeline
    from storybook.evaluation.painting import Settings
    from storybook.evaluation.prompts import REPORTED, of_unseen_pairs
    from storybook.evaluation.report import Plan, measure, write

    settings = Settings(steps=1, guidance_scale=2.0, batch=4)
    monkeypatch.setattr(behaviour, "SEEDS", 2)
    plan = Plan(
        settings,
        prompts=4,
        unseen=2,
        drawings=8,
        behaviour=2,
        copying=6,
        twin=True,
        state=tmp_path / "state",
    )
    monkeypatch.setattr(twin, "PICTURES", 4)
    monkeypatch.setattr(twin, "STEPS", 2)
    numbers, pictures = measure(
        weights, load_pipeline(weights, "cpu"), judges.Judge(), plan, lambda *_: None
    )
    written = write(numbers, pictures, weights, tmp_path / "docs")
    assert all(path.stat().st_size > 0 for path in written)
    assert json.loads((weights / "evaluation.json").read_text()) == numbers
    card = (weights / "README.md").read_text()
    who = numbers["seen_pairs"]["who"]
    assert f"| {who['share']:.0%} ({who['low']:.0%}–{who['high']:.0%}) |" in card
    assert f"{numbers['autoencoder']['psnr']:.1f} dB" in card
    assert "| autoencoder | 9 | 72 | 3.0 minutes | an abacus |" in card
    assert "1.3 hours in all; seed 0" in card
    assert "drawn again by the UNet" in card, "there is a decoder's stage"
    assert "drawing.\nBy hand.\n" in card
    sheets = ("contact-sheet", "autoencoder", "nearest-model", "nearest-twin")
    charts = ("accuracy", "copying", "behaviour")
    for name in (*(f"{name}.webp" for name in sheets), *(f"{name}.png" for name in charts)):
        assert f"docs/{name})" in card
        Image.open(tmp_path / "docs" / name).verify()
    people = sum(bool(scene(REPORTED + i, "heldout").hair) for i in range(8))
    assert 0 < people < 8
    assert numbers["judge"]["drawings"]["hair"]["of"] == people
    named = [caption.names for caption, _ in of_unseen_pairs(2)]
    assert numbers["judge"]["unseen_pairs"]["who"]["of"] == sum("who" in names for names in named)
    assert numbers["clip"]["pairs"] == 8
    assert numbers["free_wording"]["who"]["of"] == 100
    assert numbers["copying"]["model"]["pixels"]["suspicious"]["of"] == 6
    assert numbers["copying"]["twin"]["pixels"]["suspicious"]["of"] == 4
    tried = [(row["scheduler"], row["steps"]) for row in numbers["behaviour"]["schedulers"]]
    assert len(set(tried)) == len(tried) == 12
    seeds = numbers["behaviour"]["seeds"]
    assert (seeds["of"], seeds["each"]) == (2, 2)
    for kind in ("clip", "pixels"):
        for row in (seeds[kind][key] for key in ("seeds", "drawings", "prompts")):
            assert 0 < row["least"] <= row["low"] <= row["high"]


def test_a_report_keeps_what_an_earlier_one_tells_about_copies_by_the_same_model(weights, tmp_path):
    from storybook.evaluation import judge as judges
    from storybook.evaluation.loading import load_pipeline
    from storybook.evaluation.painting import Settings
    from storybook.evaluation.report import Plan, measure, write

    def reported(copying=0, steps=1):
        plan = Plan(
            Settings(steps=steps, batch=4),
            prompts=4,
            unseen=2,
            drawings=8,
            copying=copying,
            state=tmp_path / "state",
        )
        numbers, pictures = measure(
            weights, load_pipeline(weights, "cpu"), judges.Judge(), plan, lambda *_: None
        )
        write(numbers, pictures, weights, tmp_path / "docs")
        return json.loads((weights / "evaluation.json").read_text())

    found = reported(copying=6)["copying"]
    told = reported()
    assert told["copying"] == found
    assert "**Does it copy?**" in (weights / "README.md").read_text()
    fewer = told["autoencoder"] | {"pictures": 7}
    for changed in ({"scheduler": "PNDMScheduler"}, {"autoencoder": fewer}):
        other = {k: v for k, v in told.items() if k != "copying"} | changed
        write(other, {}, weights, tmp_path / "docs")
        assert "copying" not in json.loads((weights / "evaluation.json").read_text())
        (weights / "evaluation.json").write_text(json.dumps(told))
    assert "copying" not in reported(steps=2)
    assert "**Does it copy?**" not in (weights / "README.md").read_text()


def test_a_folder_without_a_model_is_refused_with_a_way_out(tmp_path, capsys):
    assert main(["--weights", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "no model_index.json" in message
    assert "explainer train" in message


def test_a_folder_with_a_broken_model_is_refused(tmp_path, capsys):
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    assert main(["--weights", str(tmp_path)]) == 2
    assert "cannot be loaded as a Stable Diffusion pipeline" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-3", "many"])
def test_counts_must_be_whole_numbers(count, capsys):
    with pytest.raises(SystemExit):
        main(["--prompts", count])
    assert "is not a whole number above 0" in capsys.readouterr().err
