"""The text page's widgets in a real browser, on a page with no kernel and no network."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from explainer import widgets
from explainer.models import embedded_fingerprint, embedded_folder
from explainer.parameters import RunParameters
from explainer.runs import RunController
from explainer.sharing import parameters_of
from explainer.stages import clip, words
from explainer.widgets.host import static_page
from tests.browser.attended import attended
from tests.browser.canvases import refreshed
from tests.synthetic import make_trace

pytestmark = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)
PHONE = {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def encoder():
    return clip.TextEncoder(embedded_folder())


def fits(page):
    return page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth &&
          [...document.querySelectorAll(".ex")].every((x) => x.scrollWidth <= x.clientWidth)"""
    )


def test_a_sentence_is_taken_apart_and_built_from_shelves(open_page, encoder):
    words = "a fox zzyzx " * 40
    box = widgets.Sentence(
        encoder.reader, words, known_words=["a", "fox"], shelves={"Who": ["an <b>owl</b>"]}
    )
    page = open_page(attended(box), query="?prompt=a+fox&seed=7", viewport=PHONE)
    assert page.evaluate("window.models[0].get('query')") == "?prompt=a+fox&seed=7"  # for Python
    pieces = [token["text"] for token in box._tokens if token["word"] == "zzyzx"]
    run = encoder.reader.read("zzyzx").tokens
    count = sum(token.kind == "word" for token in run)
    assert f"“zzyzx” into {count}" in page.inner_text(".ex-sentence-facts")
    assert page.locator(".ex-token[data-joined]").count() >= len(pieces) - len(pieces) // count - 1
    assert page.inner_text(".ex-tokens-unread em") == box._truncated.strip()
    assert page.locator(".ex-unknown").first.inner_text() == "zzyzx"
    page.click("summary:text-is('Who')")
    page.click(".ex-chip")
    typed = page.evaluate("window.models[0].get('sentence')")
    assert typed == f"{words.strip()} an <b>owl</b>"
    assert page.input_value("textarea") == typed
    assert fits(page)


def test_a_tokens_numbers_are_read_by_keyboard(open_page, encoder):
    encoded = encoder.encode("a fox in the snow")
    page = open_page(static_page([widgets.TokenLayers(encoded, token=1)]), viewport=PHONE)
    page.click(".ex-layers-token:has-text('fox')")
    page.focus(".ex-layers canvas >> nth=3")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=/^Number 2, from top/")
    shown = page.inner_text(".ex-cells-foot").replace("−", "-").split(":")[1].split("·")
    states = encoded.hidden_states[:, 2, 1]
    numbers = [encoded.token_rows[2, 1], encoded.position_rows[2, 1], *states]
    np.testing.assert_allclose([float(one) for one in shown], numbers, atol=0.0051)
    own = encoded.attention[0].mean(axis=0)[2, 2]
    assert page.inner_text(".ex-layers-looked").startswith("In layer 1, “fox” takes most from")
    widths = "all => all.map((node) => node.getBoundingClientRect().width)"
    tracks, bars = (
        np.array(page.locator(f".ex-layers-token {part}").evaluate_all(widths))
        for part in (".ex-token-bar", ".ex-token-bar > span")
    )
    shares = encoded.attention[0].mean(axis=0)[2]
    np.testing.assert_allclose(bars / tracks, (shares / shares.max())[: len(bars)], atol=0.03)
    label = page.get_attribute(".ex-layers-token[aria-pressed=true]", "aria-label")
    assert label == f"fox, attention {int(100 * own + 0.5)} %"
    assert fits(page)


def test_two_sentences_are_shown_after_the_guess(open_page, encoder):
    pair = widgets.TwoSentences(encoder, [("one", "a fox", "an owl"), ("two", "a", "b")])
    page = open_page(attended(pair))
    assert not page.is_visible(".ex-fingerprints")
    page.fill(".ex-two-guess input", "30")
    page.click("text=Show me")
    told = page.inner_text(".ex-two-told")
    assert f"Cosine {pair._alike['cosine']:.3f} (you said 0.30)" in told
    assert page.evaluate("document.activeElement.className") == "ex-two-told"
    page.wait_for_selector(".ex-spoken:has-text('(you said 0.30)')", state="attached")
    assert page.locator(".ex-fingerprints canvas").count() == 3
    page.click(".ex-chip:text-is('two')")
    assert not page.is_visible(".ex-fingerprints")
    assert page.input_value(".ex-two-box >> nth=1") == "b"


def test_phrases_have_a_table_a_map_and_axes(open_page, encoder):
    phrases = widgets.Phrases(
        encoder, ["a fox", "<b>an owl</b>", "a castle"], (("day", "night"), ("pencil", "ink"))
    )
    page = open_page(static_page([phrases]), viewport=PHONE)
    cells = page.locator(".ex-phrases-table td").all_inner_texts()
    expected = [f"{value:.2f}" for row in phrases._cosines for value in row]
    assert [cell.replace("−", "-") for cell in cells] == expected
    for view in ("Map", "Your own axes"):
        page.click(f".ex-button:text-is('{view}')")
        assert page.locator(".ex-scatter circle").count() == 3
    ends = page.locator(".ex-scatter-end").evaluate_all("all => all.map((one) => one.textContent)")
    assert ends == ["day", "night →", "pencil", "↑ ink"]
    assert page.locator(".ex b").count() == 0
    page.evaluate("""() => {
      window.written = 0;
      const reading = document.querySelector("[role=status].ex-number");
      new MutationObserver(() => (written += 1)).observe(reading, { childList: true });
      models[0].set("_phrases", [...models[0].get("_phrases")]);
    }""")
    refreshed(page)
    assert page.evaluate("written") == 0  # what is written is read out, also the same words
    assert fits(page)


def test_the_place_of_table_and_maps_waits_for_the_guess(open_page, encoder):
    phrases = widgets.Phrases(encoder, ["a fox", "an owl"], (("day", "night"), ("pencil", "ink")))
    phrases.shown = False
    page = open_page(static_page([phrases]))
    box, place = (page.locator(one).bounding_box() for one in ("textarea", ".ex-ghost"))
    assert place["x"] > box["x"] + box["width"]
    assert place["height"] > box["height"]
    page.evaluate("models[0].set('shown', true)")
    page.wait_for_selector(".ex-phrases-table")
    assert page.is_hidden(".ex-ghost")


def test_a_cosine_of_nothing_has_no_sign(open_page, encoder):
    phrases = widgets.Phrases(encoder, ["a fox", "an owl"], (("day", "night"), ("pencil", "ink")))
    phrases._cosines = [[1, -0.0049], [-0.0051, 1]]
    page = open_page(static_page([phrases]))
    cells = page.locator(".ex-phrases-table td").all_inner_texts()
    assert cells == ["1.00", "0.00", "−0.01", "1.00"]


def names(encoder, **options):
    pictures = {"red": np.full((40, 40, 3), (220, 20, 20), np.uint8)}
    eyes = clip.ImageEncoder(embedded_folder())
    return widgets.PictureNames(
        encoder, eyes, pictures, ["a fox", "an owl"], logit_scale=20, **options
    )


@pytest.mark.parametrize(("threshold", "known"), [(-1, True), (1, False)])
def test_a_picture_is_named_or_not_after_the_guess(open_page, encoder, threshold, known):
    shown = names(encoder, threshold=threshold)
    page = open_page(static_page([shown]), viewport=PHONE)
    assert set(page.locator(".ex-names tbody td").all_inner_texts()) == {"?"}
    page.click("text=Let it name them")
    shares = page.locator(".ex-names tbody td").all_inner_texts()
    assert [int(re.match(r"\d+", one)[0]) for one in shares] == [
        int(100 * share + 0.5) for share in shown._shares[0]
    ]
    answer = page.inner_text(".ex-names tfoot td")
    best = ["a fox", "an owl"][int(np.argmax(shown._cosines[0]))]
    assert answer == (best if known else "nothing I know")
    assert page.evaluate("document.activeElement.className") == "ex-names-scroll"
    page.wait_for_selector(f".ex-spoken:has-text('{answer}')", state="attached")


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif_of_a_place():
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"  # GPS latitude reference
    exif[0x010E] = "secret place"
    return exif


FRAMES = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue")]
UPLOADS = {
    "plain.png": (encoded(FRAMES[0], "PNG"), (255, 0, 0)),
    "clear.png": (encoded(Image.new("RGBA", (50, 50), (9, 9, 9, 0)), "PNG"), (255, 255, 255)),
    "moving.gif": (encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]), (255, 0, 0)),
    "print.jpg": (encoded(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
    "place.jpg": (encoded(FRAMES[0], "JPEG", exif=exif_of_a_place()), (254, 0, 0)),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_of_an_upload_only_pixels_go_to_python(open_page, encoder, name):
    data, colour = UPLOADS[name]
    shown = names(encoder, threshold=-1)
    page = open_page(attended(shown))
    page.set_input_files("input[type=file]", {"name": name, "mimeType": "", "buffer": data})
    page.wait_for_function("window.models[0].get('own').byteLength > 0")
    sent = page.evaluate("[...new Uint8Array(window.models[0].get('own').buffer)]")
    assert len(sent) == 3 * shown._size**2
    pixels = np.array(sent).reshape(-1, 3)
    np.testing.assert_allclose(pixels, np.broadcast_to(colour, pixels.shape), atol=20)


def test_an_upload_that_is_no_picture_is_told(open_page, encoder):
    page = open_page(attended(names(encoder, threshold=-1)))
    text = {"name": "fox.png", "mimeType": "image/png", "buffer": b"not a picture"}
    page.set_input_files("input[type=file]", text)
    page.wait_for_selector("text=This file is no picture that the browser can open")


def test_two_runs_are_slid_through_together(open_page):
    pair = widgets.TwoRuns(
        RunController(fingerprint="none"), make_trace(steps=5), make_trace(steps=5, seed=3)
    )
    page = open_page(static_page([pair]), viewport=PHONE)
    assert "Finished: the pictures are" in page.inner_text(".ex")
    page.focus(".ex-runs-range")
    page.keyboard.press("ArrowLeft")
    apart = f"{pair._facts['apart'][4]:.3f}"
    unfinished = f"{pair._facts['unfinished'][4]:.3f}"
    page.wait_for_selector(
        f"text=Step 4 of 5: the predictions are {apart} apart, the unfinished pictures {unfinished}"
    )
    assert page.evaluate("window.models[0].get('step')") == 4
    assert page.get_attribute(".ex-runs-range", "aria-valuetext").startswith("Step 4 of 5")
    assert fits(page)


@pytest.fixture
def pair():
    return widgets.TwoRuns(
        RunController(fingerprint="none"), make_trace(steps=3), make_trace(steps=3)
    )


def test_a_word_is_taken_away_swapped_and_weighed(open_page, pair):
    page = open_page(attended(pair), viewport=PHONE)
    assert "Changed: nothing." in page.inner_text(".ex-runs-changed")
    page.click(".ex-chip:text-is('fox')")
    page.click("text=Take it away")
    assert page.input_value("textarea >> nth=1") == "a in the snow"
    page.fill(".ex-runs-other", "bear")
    assert page.input_value("textarea >> nth=1") == "a bear in the snow"
    page.fill(".ex-runs-other", "")
    assert page.input_value("textarea >> nth=1") == "a fox in the snow"
    page.fill(".ex-runs-change input[type=range]", "2.5")
    assert page.input_value("textarea >> nth=1") == "a fox in the snow"
    assert page.inner_text(".ex-runs-weights").strip().startswith("“fox” counts × 2.5")
    page.click(".ex-runs-weights button")
    assert not page.is_visible(".ex-runs-weights")
    assert fits(page)


def test_what_the_reader_changed_is_what_python_is_asked_for(open_page, pair):
    page = open_page(attended(pair))
    page.click(".ex-chip:text-is('snow')")
    page.fill(".ex-runs-change input[type=range]", "0.5")
    page.click("summary:text-is('Tell it what to avoid')")
    page.get_by_label("should avoid").fill("trees")
    page.click("text=Draw both")
    sentence = "a fox in the snow"
    assert page.evaluate("window.sent") == [{
        "type": "draw", "first": sentence, "second": sentence,
        "negative": "trees", "weights": {"snow": 0.5},
    }]  # fmt: skip
    page.fill("textarea >> nth=0", "an owl")
    page.evaluate("models[0].set('_prompts', ['a fox', 'a fox'])")
    assert page.input_value("textarea >> nth=0") == "an owl"  # typed while the others were drawn


def test_every_change_is_named_above_the_pictures(open_page):
    other = make_trace(steps=3, negative_prompt="trees", weights={"fox": 0.5})
    pair = widgets.TwoRuns(RunController(fingerprint="none"), make_trace(steps=3), other)
    page = open_page(static_page([pair]))
    assert page.inner_text(".ex-runs-changed") == (
        "Changed: “fox” counts × 0.5; told to avoid “trees”."
    )
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.click("text=Copy link to the changed run")
    link = page.input_value("input[aria-label='Link to this run']")
    assert RunParameters.from_query(link.split("?")[1]) == parameters_of(other)


def attentive(**changes):
    """A run of three steps whose places look at the fox most, each in its own measure."""
    dice = np.random.default_rng(5)
    maps = {name: dice.dirichlet(np.ones(12), (3, side, side)).transpose(0, 3, 1, 2)[:, :7]
            for name, side in (("8x8", 8), ("4x4", 4))}  # fmt: skip
    attention = {name: one.astype(np.float16) for name, one in maps.items()}
    x0 = dice.normal(size=(3, 4, 8, 8)).astype(np.float16)
    return make_trace(**{"steps": 3, "attention": attention, "x0": x0} | changes)


def test_a_words_map_is_read_place_by_place(open_page):
    trace = attentive()
    shown = widgets.WordMaps(RunController(fingerprint="none"), trace)
    shown.size = "8x8"
    page = open_page(static_page([shown]), viewport=PHONE)
    maps = words.attention_of(trace)
    page.focus(".ex-words-chip:has-text('fox')")
    assert page.evaluate("window.models[0].get('word')") == 1
    label = f"fox, {100 * maps['8x8'][1, 1].mean():.1f} % of the attention"
    page.wait_for_selector(f".ex-words-chip[aria-pressed=true][aria-label='{label}']")
    page.click("text=4 × 4 places")
    page.focus("canvas[data-part=looked]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("text=/Step 1 of 3, row 2, column 1:/")
    read = page.inner_text(".ex-words-reading").split(": ")[1].split(" · ")
    names = ["a", "fox", "in", "the", "snow", "no word"]
    shares = dict(zip(names, maps["4x4"][1, :, 1, 0], strict=True))
    best = sorted(shares.items(), key=lambda item: -item[1])[:4]
    assert [one.rsplit(" ", 2)[0] for one in read] == [name for name, _ in best]
    numbers = [float(one.rsplit(" ", 2)[1]) for one in read]
    np.testing.assert_allclose(numbers, [100 * share for _, share in best], atol=0.51)
    assert fits(page)


def test_the_effect_of_a_word_is_shown_after_the_guess(open_page):
    trace, other = attentive(), attentive(seed=8, x0=np.zeros((3, 4, 8, 8), np.float16))
    shown = widgets.WordMaps(RunController(fingerprint="none"), trace, missing={"fox": other})
    shown.word, shown.size = 1, "8x8"
    page = open_page(static_page([shown]))
    assert not page.is_visible(".ex-words-verdict")
    page.click("text=somewhere else")
    page.wait_for_selector(".ex-words-verdict:has-text('You said')")
    found = words.agreement(words.attention_of(trace)["8x8"][1, 1], words.change(trace, other)[1])
    told = page.inner_text(".ex-words-verdict").replace("−", "-")
    assert told.startswith("You said: somewhere else.")
    page.wait_for_selector(".ex-spoken:has-text('You said: somewhere else.')", state="attached")
    assert f"a correlation of {found:.2f} over all places" in told
    top = words.change(trace, other)[1].max()
    assert f"bright {top:.2f} apart" in page.inner_text(".ex-words-pictures")
    page.focus(".ex-words-scrub input")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=/At step 2, looking up/")


def test_a_word_that_was_pointed_at_is_forgotten_with_its_sentence(open_page):
    shown = widgets.WordMaps(RunController(fingerprint="none"), attentive())
    page = open_page(static_page([shown]))
    # A chip that is taken away while the pointer is on it never says that the pointer left.
    page.dispatch_event(".ex-words-chip:has-text('snow')", "pointerenter")
    page.wait_for_selector("text=What changes without “snow”")
    page.evaluate("models[0].update({ _words: ['an', 'owl'], word: 1 })")
    page.wait_for_selector("text=What changes without “owl”")


def test_a_run_without_attention_says_how_to_get_it(open_page):
    shown = widgets.WordMaps(RunController(fingerprint="none"), make_trace(steps=3))
    page = open_page(attended(shown))
    assert "recorded without attention: draw the sentence" in page.inner_text(".ex-words-reading")
    assert not page.is_visible(".ex-words-layers")
