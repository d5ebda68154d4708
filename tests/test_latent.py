"""The latent stage against closed forms, torch's own counter and every family."""

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from explainer.stages import cost, latent, likeness
from explainer.stages.latent import Stroke
from tests import tiny
from tests.synthetic import make_trace

FAMILIES = ("stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux", "pixart")


@pytest.fixture(scope="module")
def pipe():
    return tiny.stable_diffusion()


def noise_picture(size=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def latents(channels=8, size=8, seed=0):
    return np.random.default_rng(seed).normal(size=(channels, size, size)).astype(np.float32)


def test_psnr_of_a_known_error():
    grey = np.full((16, 16, 3), 100, np.uint8)
    assert likeness.psnr(grey, grey) == float("inf")
    assert likeness.psnr(grey, grey + np.uint8(5)) == pytest.approx(20 * np.log10(255 / 5))
    assert likeness.psnr(np.zeros_like(grey), np.full_like(grey, 255)) == pytest.approx(0)


def test_ssim_of_flat_pictures_is_the_papers_first_term():
    a, b = (np.full((16, 16, 3), level, np.uint8) for level in (60, 180))
    c1 = (0.01 * 255) ** 2
    assert likeness.ssim(a, b) == pytest.approx((2 * 60 * 180 + c1) / (60**2 + 180**2 + c1))
    assert likeness.ssim(a, a) == pytest.approx(1)


def test_ssim_falls_below_zero_for_the_negative():
    picture = noise_picture(32)
    assert likeness.ssim(picture, picture) == pytest.approx(1)
    assert likeness.ssim(picture, 255 - picture) < -0.5


def test_ssim_is_the_definition_written_out():
    a, b = noise_picture(12, 1).astype(float), noise_picture(12, 2).astype(float)
    offsets = np.arange(11) - 5
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))[..., None]
    weights /= weights.sum()
    found = []
    for row in range(2):
        for column in range(2):
            x, y = (one[row : row + 11, column : column + 11] for one in (a, b))
            mx, my = (weights * x).sum((0, 1)), (weights * y).sum((0, 1))
            vx, vy = ((weights * (one - m) ** 2).sum((0, 1)) for one, m in ((x, mx), (y, my)))
            shared = (weights * (x - mx) * (y - my)).sum((0, 1))
            c1, c2 = 2.55**2, 7.65**2
            found.append(
                (2 * mx * my + c1) * (2 * shared + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
            )
    assert likeness.ssim(a.astype(np.uint8), b.astype(np.uint8)) == pytest.approx(np.mean(found))


def test_errors_are_each_pixels_own():
    a = np.zeros((4, 5, 3), np.uint8)
    b = a.copy()
    b[1, 2] = (3, 4, 12)
    found = likeness.errors(a, b)
    assert found[1, 2] == pytest.approx(13 / np.sqrt(3))
    assert found.sum() == found[1, 2]


def test_pictures_of_different_shapes_are_not_compared():
    for measure in (likeness.psnr, likeness.ssim, likeness.errors):
        with pytest.raises(ValueError, match="cannot be compared"):
            measure(noise_picture(16), noise_picture(24))
    with pytest.raises(ValueError, match="11 pixels"):
        likeness.ssim(noise_picture(8), noise_picture(8))


def test_the_compression_is_counted_on_the_trace():
    found = cost.of_trace(make_trace(size=64))
    assert found.numbers == (3 * 64 * 64, 4 * 8 * 8)
    assert found.factor == 48
    assert found.flop is None


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("Stable Diffusion 1.5", 48),
        ("Stable Diffusion XL", 48),
        ("Stable Diffusion 3", 12),
        ("Flux", 12),
    ],
)
def test_published_autoencoders(name, factor):
    assert {one.model: one.factor for one in cost.PUBLISHED}[name] == factor


UNETS = {
    "plain": {},
    "odd sides": {"size": (10, 9)},
    "no attention": {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("UpBlock2D", "UpBlock2D"),
    },
    "deep": {"layers_per_block": 2, "transformer_layers_per_block": (1, 3)},
    "guided": {"time_cond_proj_dim": 12},
    "sizes told": {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 4,
        "projection_class_embeddings_input_dim": 56,
    },
    "three levels": {
        "block_out_channels": (8, 16, 24),
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    },
}


@pytest.mark.parametrize("name", UNETS)
def test_the_formula_counts_what_torch_counts(name):
    options = {
        "in_channels": 5,
        "out_channels": 3,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": 12,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
        **UNETS[name],
    }
    height, width = options.pop("size", (8, 12))
    with torch.device("meta"):
        unet = UNet2DConditionModel(**options)
        extra = {}
        if name == "guided":
            extra["timestep_cond"] = torch.zeros(1, 12)
        if name == "sizes told":
            extra["added_cond_kwargs"] = {
                "text_embeds": torch.zeros(1, 32),
                "time_ids": torch.zeros(1, 6),
            }
        state, text = torch.zeros(1, 5, height, width), torch.zeros(1, 7, 12)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            unet(state, torch.tensor(3, device="meta"), encoder_hidden_states=text, **extra)
    assert cost.unet_flop(unet.config, height, width, tokens=7) == counter.get_total_flops()


def test_other_unets_are_not_counted():
    config = {**cost.PUBLISHED[0].unet, "down_block_types": ("AttnDownBlock2D",) * 4}
    with pytest.raises(ValueError, match="own blocks"):
        cost.unet_flop(config, 8, 8)


def test_both_steps_are_timed(pipe):
    compression = cost.Compression("tiny", (3, 16, 16), (8, 8, 8), pipe.unet.config, 24)
    parts = []
    found = cost.timed(pipe, compression, on_part=lambda done, total: parts.append((done, total)))
    assert found.latents > 0
    assert found.pixels > 0
    last, total = parts[-1]
    assert last == total == len(parts)


def test_timing_ends_when_asked_and_leaves_no_hooks(pipe):
    compression = cost.Compression("tiny", (3, 16, 16), (8, 8, 8), pipe.unet.config, 24)
    assert cost.timed(pipe, compression, cancelled=lambda: True) is None
    assert not any(module._forward_hooks for module in pipe.unet.modules())


def test_the_clock_runs_on_xl_and_says_why_not_on_transformers():
    xl = tiny.stable_diffusion_xl()
    compression = cost.Compression("xl", (3, 16, 16), (4, 8, 8), xl.unet.config, 24)
    assert cost.timed(xl, compression).latents > 0
    for family in ("stable_diffusion_3", "flux", "pixart"):
        with pytest.raises(ValueError, match="transformer"):
            cost.timed(getattr(tiny, family)(), compression)


def test_a_step_that_takes_too_much_is_not_tried(pipe):
    with pytest.raises(ValueError, match="trillion"):
        cost.timed(pipe, cost.PUBLISHED[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_familys_latents_are_its_pipelines_own(family):
    pipe = getattr(tiny, family)()
    picture = noise_picture(16)
    config = pipe.vae.config
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        wanted = pipe.vae.encode(pixels).latent_dist.mode()
        wanted = (wanted - (config.get("shift_factor") or 0)) * config.scaling_factor
        decoded = pipe.vae.decode(
            wanted / config.scaling_factor + (config.get("shift_factor") or 0)
        ).sample
    found = latent.encode(pipe, picture)
    np.testing.assert_allclose(found, wanted[0], atol=1e-5)
    shown = pipe.image_processor.postprocess(decoded, output_type="np")[0] * 255
    np.testing.assert_allclose(latent.decode(pipe, found), shown, atol=1)


def test_a_round_trip_is_measured_between_what_went_in_and_what_came_out(pipe):
    picture = noise_picture(16)
    trip = latent.round_trip(pipe, picture)
    np.testing.assert_array_equal(trip.before, picture)
    np.testing.assert_array_equal(trip.after, latent.decode(pipe, latent.encode(pipe, picture)))
    assert trip.psnr == likeness.psnr(picture, trip.after)
    assert trip.ssim == likeness.ssim(picture, trip.after)


def test_the_photograph_is_square():
    photograph = latent.photograph(24)
    assert photograph.shape == (24, 24, 3)
    assert photograph.dtype == np.uint8
    assert photograph.std() > 20


def test_what_is_no_picture_or_no_latents_is_told(pipe):
    with pytest.raises(ValueError, match="multiple of 2"):
        latent.encode(pipe, noise_picture(15))
    with pytest.raises(ValueError, match="uint8"):
        latent.encode(pipe, noise_picture(16) / 255)
    with pytest.raises(ValueError, match="8 channels"):
        latent.decode(pipe, latents(channels=4))


def test_channels_are_multiplied_and_exchanged():
    a, b = latents(3), latents(3, seed=1)
    found = latent.mixed(a, b, [0, 2, 1], [False, False, True])
    np.testing.assert_array_equal(found, np.stack([0 * a[0], 2 * a[1], b[2]]))
    np.testing.assert_array_equal(latent.mixed(a, b, [1] * 3, [False] * 3), a)
    with pytest.raises(ValueError, match="one size"):
        latent.mixed(a, latents(4), [1] * 3, [False] * 3)


def test_the_brush_changes_its_cells_alone():
    clean = latents()
    stroke = Stroke("shift", ((1, 2), (1, 3)), channel=4, amount=0.5)
    moved = latent.painted(clean, [stroke]) - clean
    np.testing.assert_allclose(moved[4, 1, 2:4], 0.5, atol=1e-6)
    assert np.count_nonzero(moved) == 2
    noisy = latent.painted(clean, [Stroke("noise", ((0, 0),), amount=2.0, seed=3)])
    assert np.count_nonzero(noisy - clean) == 8
    assert np.count_nonzero(latent.painted(clean, [Stroke("shift", ((5, 5),))]) - clean) == 8


def test_a_patch_is_copied_as_it_was_before_the_stroke():
    clean = latents()
    stroke = Stroke("copy", ((2, 2), (2, 3), (3, 2)), source=(2, 1))
    found = latent.painted(clean, [stroke])
    for (row, column), (from_row, from_column) in zip(
        stroke.cells, ((2, 1), (2, 2), (3, 1)), strict=True
    ):
        np.testing.assert_array_equal(found[:, row, column], clean[:, from_row, from_column])


@pytest.mark.parametrize("tool", latent.TOOLS)
def test_a_brush_outside_the_picture_changes_nothing(tool):
    clean = latents()
    found = latent.painted(clean, [Stroke(tool, ((-1, 0), (8, 3), (2, 99)))])
    np.testing.assert_array_equal(found, clean)


def test_unknown_brushes_and_channels_are_told():
    with pytest.raises(ValueError, match="no brush 'erase'"):
        latent.painted(latents(), [Stroke("erase", ((0, 0),))])
    with pytest.raises(ValueError, match="no channel 9 of 8"):
        latent.painted(latents(), [Stroke("shift", ((0, 0),), channel=8)])


def test_the_reach_of_a_cell_is_what_moves_when_it_does(pipe):
    clean = latents()
    squares = []
    for channel in range(8):
        moved = clean.copy()
        moved[channel, 3, 5] += 1
        squares.append(likeness.errors(latent.decode(pipe, clean), latent.decode(pipe, moved)) ** 2)
    found = latent.reach(pipe, clean, 3, 5)
    np.testing.assert_allclose(found, np.sqrt(np.mean(squares, axis=0)))
    assert found.max() > 0
    done = []
    latent.reach(pipe, clean, 3, 5, on_channel=done.append)
    assert done == list(range(1, 9))
    assert latent.reach(pipe, clean, 3, 5, cancelled=lambda: True) is None
    with pytest.raises(ValueError, match="row 9, column 1"):
        latent.reach(pipe, clean, 8, 0)


def test_the_straight_way_is_shorter_inside_and_the_arc_keeps_its_length():
    a = np.zeros((1, 2, 2), np.float32)
    b = a.copy()
    a[0, 0, 0], b[0, 1, 1] = 3, 3
    assert np.linalg.norm(latent.straight(a, b, 0.5)) == pytest.approx(3 / np.sqrt(2))
    for share in np.linspace(0, 1, 5):
        point = latent.spherical(a, b, share)
        assert np.linalg.norm(point) == pytest.approx(3)
        angle = np.arctan2(point[0, 1, 1], point[0, 0, 0])
        assert angle == pytest.approx(share * np.pi / 2, abs=1e-6)


def test_arcs_between_parallel_and_opposite_points():
    a = latents()
    np.testing.assert_allclose(latent.spherical(a, 2 * a, 0.25), 1.25 * a, rtol=1e-5)
    for other in (-a, np.zeros_like(a)):
        with pytest.raises(ValueError, match="opposite"):
            latent.spherical(a, other, 0.5)
