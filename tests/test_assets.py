"""What is recorded with the embedded model belongs to the weights that lie here."""

import base64
import io
import json
import re

import make_assets
import numpy as np
import pytest
import record_latent
import record_noise
import record_style
from PIL import Image

import explainer
from explainer import recorded
from explainer.models import embedded_fingerprint, embedded_folder
from explainer.parameters import RunParameters
from explainer.pictures import webp
from explainer.recorded import style as recorded_style
from explainer.stages import clip, knobs, latent, originality_index, style_grid
from explainer.trace import Trace
from storybook.evaluation.card import model_card
from tests.synthetic import make_trace
from tests.tiny import stable_diffusion


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
@pytest.mark.parametrize("name", make_assets.RUNS)
def test_a_recorded_run_was_made_with_these_weights(name):
    trace = Trace.load(recorded.FOLDER / f"{name}.trace")
    assert trace.fingerprint == embedded_fingerprint(), "stale: run `make assets`"
    assert (trace.prompt, trace.seed) == (
        make_assets.RUNS[name].prompt,
        make_assets.RUNS[name].seed,
    )
    assert bool(trace.attention) == (name == make_assets.ATTENTIVE)


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_stills_were_made_with_these_weights():
    assert recorded.fingerprint() == embedded_fingerprint(), "stale: run `make assets`"


@pytest.mark.parametrize(
    ("path", "drawn"),
    [
        (make_assets.STRIP, make_assets.strip),
        (make_assets.SHEET, make_assets.token_sheet),
        (record_latent.STILL, record_latent.still),
    ],
)
def test_the_pages_begin_with_the_run_that_they_are_about(path, drawn):
    wanted = drawn(recorded.trace("running_example"))
    with Image.open(path) as still:
        assert still.size == wanted.size
        apart = np.asarray(still.convert("RGB"), float) - np.asarray(wanted, float)
    assert np.sqrt((apart**2).mean()) < 12, "stale: run `make assets`"


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_what_the_noise_page_opens_with_was_made_with_these_weights():
    assert recorded._noise()["fingerprint"] == embedded_fingerprint(), "stale: run `make assets`"
    assert recorded.guesses().fingerprint == embedded_fingerprint(), "stale: run `make assets`"
    wanted = knobs.experiments(make_assets.RUNS["running_example"])
    found = recorded.experiments()
    assert found.keys() == wanted.keys()
    for knob, runs in found.items():
        assert runs.keys() == wanted[knob].keys()


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
@pytest.mark.parametrize(
    ("path", "most"),
    [
        (recorded.SWAP, 300_000),
        (recorded.LATENT, 1_500_000),
        (recorded.ORIGINALITY, 500_000),
        (recorded_style.STYLES, 1_500_000),
        (recorded_style.BOOKS, 500_000),
    ],
    ids=lambda value: getattr(value, "stem", ""),
)
def test_what_a_page_opens_with_is_of_these_weights_and_small(path, most):
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["fingerprint"] == embedded_fingerprint(), "stale: run `make assets`"
    assert path.stat().st_size < most


def told(name):
    """What the evaluation of the embedded model wrote, or its training."""
    return json.loads((embedded_folder() / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_card_tells_what_was_measured_with_these_weights():
    evaluation = told("evaluation")
    assert evaluation["weights"] == embedded_fingerprint(), "stale: run `explainer evaluate`"
    card = model_card(evaluation, told("training"), "../../docs")
    assert (embedded_folder() / "README.md").read_text(encoding="utf-8") == card


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_first_page_tells_the_numbers_of_the_card():
    evaluation = told("evaluation")
    readme = " ".join((make_assets.ROOT / "README.md").read_text(encoding="utf-8").split())
    told_of = {
        r"as asked in (\d+) of a hundred": evaluation["seen_pairs"]["main"],
        r"all that the prompt names in (\d+)": evaluation["seen_pairs"]["all"],
        r"in free wording [\w, ]+ in (\d+)\.": evaluation["free_wording"]["main"],
    }
    for words, tally in told_of.items():
        (number,) = re.findall(words, readme)
        assert number == f"{100 * tally['share']:.0f}", words


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_page_about_copies_and_the_card_call_the_same_pictures_suspicious():
    found = told("evaluation")["copying"]["model"]
    limits = {kind: found[kind]["limit"] for kind in ("pixels", "clip")}
    assert limits == recorded.originality().suspicious


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_what_training_showed_is_of_this_denoiser_and_small():
    if not recorded.LEARNED.is_file():
        pytest.skip("the training of these weights kept no snapshots")
    found = json.loads(recorded.LEARNED.read_text(encoding="utf-8"))
    assert found["denoiser"] == record_noise.denoiser(embedded_folder()), "stale: `make assets`"
    assert recorded.LEARNED.stat().st_size < 300_000


def test_what_training_showed_stays_while_the_denoiser_does(tmp_path, monkeypatch):
    def trained(steps):
        folder = tmp_path / f"{steps} steps"
        folder.mkdir()
        (folder / "training.json").write_text(
            json.dumps({"stages": {"denoiser": {"steps": steps}}})
        )
        return folder

    monkeypatch.setattr(recorded, "LEARNED", tmp_path / "learned.json")
    this, another = trained(5), trained(7)
    recorded.LEARNED.write_text(json.dumps({"denoiser": record_noise.denoiser(this)}))
    record_noise._keep_learned(tmp_path / "nothing", this)
    assert recorded.LEARNED.is_file()
    Image.new("RGB", (64, 16)).save(tmp_path / "00000007.webp")
    before = recorded.LEARNED.read_text()
    record_noise._keep_learned(tmp_path, this)
    assert recorded.LEARNED.read_text() == before, "the strips are another training's"
    record_noise._keep_learned(tmp_path / "nothing", another)
    assert not recorded.LEARNED.exists()
    record_noise._keep_learned(tmp_path, another)
    assert json.loads(recorded.LEARNED.read_text())["denoiser"] == record_noise.denoiser(another)
    assert recorded.learned().steps == (7,)


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_look_into_the_denoiser_is_of_these_weights():
    look = recorded.inside()
    assert look is not None
    assert look.fingerprint == embedded_fingerprint(), "stale: run `make assets`"
    assert look.prompt == make_assets.RUNS["running_example"].prompt


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_index_of_the_training_pictures_is_of_these_weights_and_small():
    parts = list(recorded.FOLDER.glob(f"{originality_index.NAME}_*.npz"))
    if not parts:
        pytest.skip("none was made: a reader's first search makes it, and so does `make assets`")
    index = originality_index.available(embedded_folder(), recorded.FOLDER)
    assert index is not None, "stale: run `make assets`"
    assert len(index) == recorded.originality().trained
    assert sum(path.stat().st_size for path in parts) < 6_000_000


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_twin_is_that_of_these_weights():
    if not recorded.TWIN.is_file():
        pytest.skip("none was trained: `python scripts/record_originality.py --twin` does it")
    assert recorded.twin() is not None, "stale: run `python scripts/record_originality.py --twin`"
    assert recorded.TWIN.stat().st_size < 300_000


def test_checkpoints_are_taken_evenly_and_cut_into_their_pictures(tmp_path):
    for step in range(0, 300, 10):
        strip = np.full((16, 64, 3), 250, np.uint8)
        strip[:, 16:32] = step * 2 // 3
        Image.fromarray(strip).save(tmp_path / f"{step:08d}.webp", lossless=True)
    found = record_noise.learned(tmp_path, 290)
    assert found["steps"] == [0, 30, 50, 80, 110, 130, 160, 180, 210, 240, 260, 290]
    assert len(found["prompts"]) == len(found["pictures"]) == 4
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["pictures"][1][4]))))
    assert picture.shape == (16, 16, 3)
    assert abs(int(picture.mean()) - 73) < 5
    assert record_noise.learned(tmp_path, 280) is None
    assert record_noise.learned(tmp_path / "nothing", 290) is None


def test_the_still_fades_from_the_picture_to_static():
    picture = np.full((32, 32, 3), 200, np.uint8)
    still = np.asarray(record_noise.fading(picture)).astype(float)
    assert still.shape == (32, 6 * 36 - 4, 3)
    np.testing.assert_array_equal(still[:, :32], picture)
    spreads = [still[:, i * 36 : i * 36 + 32].std() for i in range(6)]
    assert spreads == sorted(spreads)


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_text_facts_were_measured_with_these_weights():
    made_with = json.loads(recorded.TEXT.read_text("utf-8"))["fingerprint"]
    assert made_with == embedded_fingerprint(), "stale: run `make assets`"
    facts = recorded.text_facts()
    assert 0 < facts.fingerprints <= facts.sentences <= make_assets.SENTENCES


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_nearest_sentences_are_as_near_as_recorded():
    facts = recorded.text_facts()
    vectors = clip.TextEncoder(embedded_folder()).embed(facts.nearest)
    assert vectors[0] @ vectors[1] == pytest.approx(facts.nearest_cosine, abs=1e-4)


def test_the_sheet_has_a_row_for_every_token_that_is_no_padding():
    trace = make_trace()
    states = np.zeros_like(trace.hidden_states)
    states[-1, 1] = 3
    states[-1, 2] = -3
    sheet = make_assets.token_sheet(make_trace(hidden_states=states))
    assert sheet.height == 18 * 7
    assert sheet.getpixel((5, 18 + 9)) == record_latent.ABOVE
    assert sheet.getpixel((5, 36 + 9)) == record_latent.BELOW
    assert sheet.getpixel((5, 9)) == record_latent.ZERO


def test_the_strip_goes_from_the_first_step_to_the_last():
    trace = make_trace(steps=10, size=32)
    strip = make_assets.strip(trace)
    assert strip.size == (6 * 36 - 4, 2 * 36 - 4)
    last = strip.crop((5 * 36, 36, 5 * 36 + 32, 68)).convert("RGB")
    first = strip.crop((0, 36, 32, 68)).convert("RGB")
    assert last.tobytes() != first.tobytes()


def test_the_run_that_shows_attention_is_recorded_with_it():
    pipe = stable_diffusion()
    wanted = RunParameters(prompt="a fox", steps=2)
    assert make_assets.ATTENTIVE in make_assets.RUNS
    trace = make_assets.record(pipe, wanted, previews=False, attention=True)
    assert {name: maps.shape[:2] for name, maps in trace.attention.items()} == {"4x4": (2, 4)}
    assert make_assets.record(pipe, wanted, previews=False).attention == {}


def test_what_the_latent_page_opens_with_is_read_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "LATENT", tmp_path / "latent.json")
    monkeypatch.setattr(record_latent, "STILL", tmp_path / "images" / "latent.jpg")
    assert recorded.round_trips() == recorded.walks() == {}
    pipe = stable_diffusion(sample_size=16)
    base = RunParameters(prompt="a fox", seed=3, steps=2)
    trace, other = (
        explainer.record(pipe, "a fox", seed=seed, steps=2, previews=False) for seed in (3, 4)
    )
    record_latent.write(pipe, trace, other, base)
    trips = recorded.round_trips()
    for title, picture in record_latent.pictures(trace).items():
        wanted = latent.round_trip(pipe, picture)
        np.testing.assert_array_equal(trips[title].before, picture)
        np.testing.assert_array_equal(trips[title].after, wanted.after)
    assert list(recorded.walks()) == ["noise", "latents", "noises", "prompts"]
    with Image.open(record_latent.STILL) as still:
        assert still.size == (3 * (32 + 12 + 8 * 22), 3 * 32), "no channel is cut off"


def test_what_the_style_page_opens_with_is_read_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_style, "STYLES", tmp_path / "style.json")
    monkeypatch.setattr(recorded_style, "BOOKS", tmp_path / "books.json")
    monkeypatch.setattr(record_style, "STILL", tmp_path / "images" / "style.jpg")
    monkeypatch.setattr(record_style, "DRAWINGS", 2)
    places = ("forest", "village", "beach", "rain", "night", "book")
    monkeypatch.setattr(record_style, "STORY", tuple(f"a girl, {place}" for place in places))
    monkeypatch.setattr(record_style.models, "embedded_folder", lambda: None)
    monkeypatch.setattr(record_style.swap, "clip_judge", lambda _folder: None)
    assert recorded_style.grid() is recorded_style.words() is None
    assert recorded_style.measures() == recorded_style.books() == recorded_style.ways() == {}
    recorded_style._content.cache_clear()
    pipe = stable_diffusion(sample_size=16)
    base = RunParameters(prompt="a little girl walks", seed=3, steps=2)
    record_style.write(pipe, base, "soft watercolour")

    grid = recorded_style.grid()
    wanted = RunParameters(prompt="a little girl walks, crayon", seed=3, steps=2)
    run = explainer.record(pipe, **wanted.arguments())
    assert grid.frames["crayon"][-1] == webp(run.image(), style_grid._QUALITY)
    assert len(grid.prompts) == 2 + len(record_style.styles("soft watercolour"))
    for one in recorded_style.measures().values():
        assert 0 <= one.between <= 1
        assert {len(cuts) for cuts in one.drawings.values()} == {3}
        assert {len(values) for values in one.generated.values()} == {len(record_style.STORY)}
    books = recorded_style.books()
    assert [page.prompt for page in books["without"]] == list(record_style.STORY)
    assert all(page.prompt.endswith(", soft watercolour") for page in books["phrase"])
    assert len({page.prompt.rpartition(", ")[2] for page in books["mixture"]}) == 6
    assert all(page.face is not None for page in books["mixture"])
    assert recorded_style.words().style == "soft watercolour"
    times = recorded_style.times()
    assert (times["early"].first, times["late"].second) == (
        "a little girl walks, soft watercolour",
    ) * 2
    assert list(recorded_style.ways()) == ["mix", "transfer", "carriers"]
    with Image.open(record_style.STILL) as still:
        assert still.size == (2 * (4 * 36 - 4), 2 * (2 * 36 - 4))
    recorded_style._content.cache_clear()
