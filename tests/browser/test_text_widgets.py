"""The text page's widgets in a real browser, on a page with no kernel and no network."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from explainer import widgets
from explainer.models import embedded_fingerprint, embedded_folder
from explainer.runs import RunController
from explainer.stages import clip
from explainer.widgets.host import static_page
from tests.synthetic import make_trace

pytestmark = pytest.mark.skipif(
    embedded_fingerprint() is None, reason="the embedded weights are not in storybook/weights"
)
PHONE = {"width": 400, "height": 800}


def listening(widget):
    """A page whose widget believes that Python listens, so that it takes what the reader gives."""
    return static_page([widget]).replace("save_changes() {}", "save_changes() {}\n  send() {}")


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
    page = open_page(listening(box), viewport=PHONE)
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
    label = page.get_attribute(".ex-layers-token[aria-pressed=true]", "aria-label")
    assert label == f"fox, attention {int(100 * own + 0.5)} %"
    assert fits(page)


def test_two_sentences_are_shown_after_the_guess(open_page, encoder):
    pair = widgets.TwoSentences(encoder, [("one", "a fox", "an owl"), ("two", "a", "b")])
    page = open_page(listening(pair))
    assert not page.is_visible(".ex-fingerprints")
    page.fill(".ex-two-guess input", "30")
    page.click("text=Show me")
    told = page.inner_text(".ex-two-told")
    assert f"Cosine {pair._alike['cosine']:.3f} (you said 0.30)" in told
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
    assert fits(page)


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
    page = open_page(listening(shown))
    page.set_input_files("input[type=file]", {"name": name, "mimeType": "", "buffer": data})
    page.wait_for_function("window.models[0].get('own').byteLength > 0")
    sent = page.evaluate("[...new Uint8Array(window.models[0].get('own').buffer)]")
    assert len(sent) == 3 * shown._size**2
    pixels = np.array(sent).reshape(-1, 3)
    np.testing.assert_allclose(pixels, np.broadcast_to(colour, pixels.shape), atol=20)


def test_an_upload_that_is_no_picture_is_told(open_page, encoder):
    page = open_page(listening(names(encoder, threshold=-1)))
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
    page.wait_for_selector(f"text=Step 4 of 5: the predictions are {apart} apart")
    assert page.evaluate("window.models[0].get('step')") == 4
    assert page.get_attribute(".ex-runs-range", "aria-valuetext").startswith("Step 4 of 5")
    assert fits(page)


def test_a_word_is_taken_away_by_a_click(open_page):
    pair = widgets.TwoRuns(
        RunController(fingerprint="none"), make_trace(steps=3), make_trace(steps=3)
    )
    page = open_page(listening(pair))
    page.click("summary:text-is('Take a word away')")
    page.click(".ex-chip:text-is('fox')")
    assert page.input_value("textarea >> nth=1") == "a in the snow"
    assert "Changed: nothing." in page.inner_text(".ex-runs-changed")
