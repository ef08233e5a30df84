"""Metrics against scikit-image, numpy, and signals whose answer is known."""

import math

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from srlab.data import crop_to_multiple, degrade
from srlab.inference import load_model
from srlab.metrics import (
    Protocol,
    checkerboard,
    fine_energy,
    grid_energy,
    luma,
    power_spectrum,
    psnr,
    score_pair,
    sharpness,
    shave,
    ssim,
)
from srlab.models import enlarge
from srlab.sources import load_photos


@pytest.fixture
def pair(photo: Tensor) -> tuple[Tensor, Tensor]:
    """A photograph enlarged by bicubic, and the truth."""
    return enlarge(degrade(photo, 4), 4).clamp(0, 1), photo


def skimage_psnr(sr: Tensor, hr: Tensor, data_range: float = 1.0) -> float:
    return peak_signal_noise_ratio(
        hr.double().numpy(), sr.double().numpy(), data_range=data_range
    )


# -- PSNR ------------------------------------------------------------------------


def test_psnr_by_hand() -> None:
    zeros = torch.zeros(1, 3, 2, 2)
    assert psnr(zeros + 0.1, zeros).item() == pytest.approx(20)
    assert psnr(zeros + 0.01, zeros).item() == pytest.approx(40)
    assert psnr(zeros + 25.5, zeros, data_range=255).item() == pytest.approx(20)
    assert psnr(zeros, zeros).item() == math.inf


def test_psnr_is_scikit_images_of_each_then_the_mean() -> None:
    torch.manual_seed(0)
    hr = torch.rand(3, 3, 16, 20)
    sr = hr + torch.tensor([0.5, 0.05, 0.001]).view(3, 1, 1, 1) * torch.randn_like(hr)
    each = [skimage_psnr(sr[i], hr[i]) for i in range(3)]
    assert psnr(sr, hr).item() == pytest.approx(sum(each) / 3, abs=1e-3)
    assert abs(psnr(sr, hr).item() - skimage_psnr(sr, hr)) > 10  # of the mean error


@pytest.mark.parametrize(
    ("sr", "error", "sentence"),
    [
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), TypeError, r"use sr.float\(\) / 255"),
        (torch.zeros(3, 4, 4), ValueError, r"add the missing axis with sr\[None\]"),
        (torch.zeros(1, 1, 4, 4), ValueError, "must have one shape; is the scale right?"),
        (torch.zeros(1, 3, 2, 2), ValueError, r"sr is \(1, 3, 2, 2\) and hr is \(1, 3, 4, 4\)"),
    ],
)
def test_psnr_refuses(sr: Tensor, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        psnr(sr, torch.zeros(1, 3, 4, 4))


# -- luma, shave, SSIM -----------------------------------------------------------


def test_luma_is_scikit_images(photo: Tensor) -> None:
    expected = rgb2ycbcr(photo[0].permute(1, 2, 0).double().numpy())[..., 0] / 255
    np.testing.assert_allclose(luma(photo)[0, 0].numpy(), expected, atol=1e-6)
    black_and_white = luma(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
    torch.testing.assert_close(black_and_white.flatten() * 255, torch.tensor([16.0, 235.0]))
    assert luma(photo.double()).dtype == torch.float64


def test_shave_cuts_every_side() -> None:
    image = torch.zeros(1, 1, 7, 9)
    image[..., 2:5, 2:7] = 1
    assert torch.equal(shave(image, 2), torch.ones(1, 1, 3, 5))
    assert shave(image, 0) is not None
    assert torch.equal(shave(image, 0), image)


def test_ssim_is_scikit_images(pair: tuple[Tensor, Tensor]) -> None:
    sr, hr = luma(pair[0]), luma(pair[1])
    expected = structural_similarity(
        sr[0, 0].double().numpy(), hr[0, 0].double().numpy(), data_range=1.0,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert ssim(sr, hr).item() == pytest.approx(expected, abs=1e-4)
    assert ssim(hr, hr).item() == pytest.approx(1, abs=1e-6)


def test_ssim_of_255_with_its_range(pair: tuple[Tensor, Tensor]) -> None:
    sr, hr = pair
    of_255 = ssim(sr * 255, hr * 255, data_range=255).item()
    assert of_255 == pytest.approx(ssim(sr, hr).item(), abs=1e-5)


def test_ssim_refuses() -> None:
    small = torch.zeros(1, 1, 10, 30)
    with pytest.raises(ValueError, match="windows of 11 px, but the picture is 10 x 30 px"):
        ssim(small, small)
    with pytest.raises(ValueError, match="must have one shape"):
        ssim(torch.zeros(1, 1, 20, 20), torch.zeros(1, 1, 20, 21))
    assert ssim(torch.zeros(1, 1, 11, 11), torch.zeros(1, 1, 11, 11)).item() == 1


# -- sharpness -------------------------------------------------------------------


def wave(cycles_per_px: float, size: int = 128, *, down: bool = False) -> Tensor:
    """Gray stripes of one frequency, (1, 3, size, size), around 0."""
    line = 0.2 * torch.sin(2 * torch.pi * cycles_per_px * torch.arange(float(size)))
    gray = line.expand(1, 3, size, size)
    return gray.mT if down else gray


def test_sharpness_of_known_pictures(photo: Tensor, pair: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    assert sharpness(photo, photo, scale=4).item() == 1
    assert sharpness(pair[0], photo, scale=4).item() < 0.5
    noisy = photo + 0.1 * torch.randn_like(photo)
    assert sharpness(noisy, photo, scale=4).item() > 1.5
    assert sharpness(photo * 0.5, photo, scale=4).item() == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("down", [False, True])
def test_fine_is_beyond_what_the_small_picture_holds(scale: int, down: bool) -> None:
    limit = 1 / (2 * scale)
    coarse, fine = 0.5 + wave(0.75 * limit, down=down), wave(1.3 * limit, down=down)
    assert sharpness(coarse, coarse + fine, scale=scale).item() < 0.01
    assert sharpness(0.5 + fine, coarse + fine, scale=scale).item() == pytest.approx(
        1, abs=0.05
    )


def test_frequency_counts_along_the_diagonal() -> None:
    """0.2 across and 0.2 down make 0.28 cycles per px."""
    grid = 0.5 + 5 * wave(0.2) * wave(0.2, down=True)
    share = fine_energy(grid, 0.25) / fine_energy(grid, 0.0)
    assert share.item() > 0.98
    assert (fine_energy(grid, 0.32) / fine_energy(grid, 0.0)).item() < 0.02


def test_sharpness_is_a_mean_over_the_batch(photo: Tensor) -> None:
    hr = photo.repeat(2, 1, 1, 1)
    sr = torch.cat([photo, 0.5 * photo])
    assert sharpness(sr, hr, scale=4).item() == pytest.approx((1 + 0.25) / 2, abs=1e-3)


def test_power_spectrum_is_numpys(photo: Tensor) -> None:
    y = luma(photo)[0, 0].double().numpy()
    window = np.outer(np.hanning(96), np.hanning(128))
    expected = np.abs(np.fft.rfft2((y - y.mean()) * window)) ** 2
    spectrum = power_spectrum(photo)[0].numpy()
    assert spectrum.shape == (96, 65)
    np.testing.assert_allclose(spectrum, expected, rtol=1e-3, atol=1e-6 * expected.max())


def test_power_spectrum_of_a_wave_peaks_at_its_frequency() -> None:
    peak = power_spectrum(0.5 + wave(0.25))[0].argmax().item()
    assert divmod(peak, 65) == (0, 32)  # 0.25 * 128 px across
    peak = power_spectrum(0.5 + wave(0.25, down=True))[0].argmax().item()
    assert peak // 65 in (32, 96)
    assert peak % 65 == 0


def test_sharpness_refuses(photo: Tensor) -> None:
    with pytest.raises(ValueError, match="must have one shape"):
        sharpness(photo, photo[..., :-4], scale=4)
    with pytest.raises(ValueError, match="scale must be 2, 4 or 8, but 3 came"):
        sharpness(photo, photo, scale=3)


# -- checkerboard ----------------------------------------------------------------


def repeated(tile: Tensor, size: int = 128) -> Tensor:
    """A pattern without a mean, repeated over a picture of 0.5."""
    times = size // tile.shape[-1]
    return (0.5 + (tile - tile.mean()).repeat(times, times)).expand(1, 3, -1, -1)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_grid_energy_is_the_patterns_mean_square(scale: int) -> None:
    tile = 0.1 * torch.rand(scale, scale, generator=torch.Generator().manual_seed(scale))
    expected = tile.var(unbiased=False).item() * (219 / 255) ** 2  # in luma
    assert grid_energy(repeated(tile), scale).item() == pytest.approx(expected, rel=1e-3)


def test_grid_energy_is_numpys_spectrum(photo: Tensor) -> None:
    """One patch of 64 px, written out: the 15 multiples of 1/4 beside (0, 0)."""
    y = luma(photo)[0, 0, :64, :64].double().numpy()
    line = np.hanning(65)[:-1]
    window = np.outer(line, line) / line.sum() ** 2
    energy = np.abs(np.fft.fft2((y - y[0, 0]) * window)) ** 2
    expected = sum(
        energy[row, column] for row in (0, 16, 32, 48) for column in (0, 16, 32, 48)
    ) - energy[0, 0]  # fmt: skip
    assert grid_energy(photo[..., :64, :64], 4).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("value", [0.0, 0.3, 1 / 3, 1.0])
def test_a_flat_picture_has_no_grid_at_all(scale: int, value: float) -> None:
    assert grid_energy(torch.full((1, 3, 133, 97), value), scale).item() == 0


def test_other_periods_are_no_grid() -> None:
    for period in (3, 5, 7):
        stripes = torch.zeros(period, period)
        stripes[:, 0] = 0.2
        assert grid_energy(repeated(stripes, 105), 4).item() < 1e-9 + 1e-4 * 0.2**2
    ramp = torch.linspace(0.1, 0.9, 128).expand(1, 3, 128, 128)
    assert grid_energy(ramp, 4).item() < 1e-8  # a slope is no grid either
    assert grid_energy(ramp.mT, 4).item() < 1e-8


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_where_the_grid_begins_does_not_matter(shift: int) -> None:
    grid = repeated(torch.eye(4) * 0.1)
    moved = grid.roll((shift, 2 * shift), dims=(-2, -1))
    assert grid_energy(moved, 4).item() == pytest.approx(grid_energy(grid, 4).item(), rel=1e-4)


def test_a_grid_that_turns_round_does_not_cancel() -> None:
    grid = repeated(torch.eye(4) * 0.1, 512)
    turned = grid.clone()
    turned[..., 256:] = 1 - turned[..., 256:]
    assert grid_energy(turned, 4).item() > 0.85 * grid_energy(grid, 4).item()


@pytest.mark.parametrize("size", [(12, 12), (13, 40), (64, 64), (96, 70)])
def test_small_pictures_have_smaller_patches(size: tuple[int, int]) -> None:
    grid = repeated(torch.eye(4) * 0.1)[..., : size[0], : size[1]]
    assert grid_energy(grid, 4).item() == pytest.approx(
        grid_energy(repeated(torch.eye(4) * 0.1), 4).item(), rel=1e-3
    )


def test_grid_energy_of_each_picture(photo: Tensor) -> None:
    both = grid_energy(torch.cat([photo, repeated(torch.eye(4), 128)[..., :96, :]]), 4)
    assert both.shape == (2,)
    assert both[0].item() == pytest.approx(grid_energy(photo, 4).item(), rel=1e-5)
    hr = torch.cat([photo, photo])
    sr = torch.cat([photo, 0.5 * photo])
    assert checkerboard(sr, hr, scale=4).item() == pytest.approx((1 + 0.25) / 2, abs=1e-2)


@pytest.mark.parametrize("name", list(load_photos(split="test")))
def test_checkerboard_puts_real_pictures_in_order(name: str) -> None:
    """Bicubic, a pixel-loss network, the truth, and a grid one can see."""
    hr = crop_to_multiple(load_photos(split="test")[name][None] / 255, 4)[..., :256, :256]
    lr = degrade(hr, 4)
    model = load_model("small-x4", 4).cpu()
    with torch.no_grad():
        network = model(lr)
    grid = repeated(0.06 * (torch.eye(4) > 0), 256) - 0.5
    pictures = {"bicubic": enlarge(lr, 4), "network": network, "truth": hr}
    values = {n: checkerboard(p, hr, scale=4).item() for n, p in pictures.items()}
    assert 0 <= values["bicubic"] < 0.01 < values["network"] < 0.6
    assert values["truth"] == 1
    assert checkerboard(network + grid, hr, scale=4).item() > 4


def test_checkerboard_of_a_flat_truth_is_no_number() -> None:
    flat, grid = torch.full((1, 3, 32, 32), 0.5), repeated(torch.eye(4), 32)
    assert math.isnan(checkerboard(flat, flat, scale=4).item())
    assert checkerboard(grid, flat, scale=4).item() == math.inf


def test_grid_energy_refuses(photo: Tensor) -> None:
    with pytest.raises(ValueError, match="picture is 11 x 40 px, but a grid of 4 px shows fro"):
        grid_energy(torch.zeros(1, 3, 11, 40), 4)
    with pytest.raises(ValueError, match="scale must be 2, 4 or 8, but 3 came"):
        grid_energy(photo, 3)
    with pytest.raises(ValueError, match=r"add the missing axis with images\[None\]"):
        grid_energy(photo[0], 4)
    with pytest.raises(ValueError, match="must have one shape"):
        checkerboard(photo, photo[..., :-4], scale=4)


# -- protocols -------------------------------------------------------------------


def test_protocol_says_what_is_compared() -> None:
    assert str(Protocol("y", 4)) == "Y of BT.601 (16-235), border of 4 px left out, 8 bits"
    assert str(Protocol("y-full", 0)) == "Y of BT.601 (0-255), border of 0 px left out, 8 bits"
    assert str(Protocol("rgb", 2)) == "RGB, border of 2 px left out, 8 bits"


def test_the_range_of_y_alone_is_worth_1_dB(pair: tuple[Tensor, Tensor]) -> None:  # noqa: N802
    published, full = Protocol("y", 4), Protocol("y-full", 4)
    gain = psnr(*map(published.apply, pair)) - psnr(*map(full.apply, pair))
    assert gain.item() == pytest.approx(20 * math.log10(255 / 219), abs=1e-3)
    white = full.apply(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 9, 9))
    torch.testing.assert_close(white[:, 0, 0, 0], torch.tensor([0.0, 1.0]))


def test_protocol_compares_8_bits_within_the_range() -> None:
    overshoot = torch.tensor([-0.3, 0.3 / 255, 0.7 / 255, 1.2]).view(4, 1, 1, 1)
    values = Protocol("rgb", 0).apply(overshoot.expand(4, 3, 1, 1))
    torch.testing.assert_close(values[:, 0, 0, 0] * 255, torch.tensor([0.0, 0, 1, 255]))


def test_protocol_leaves_its_border_out() -> None:
    hr = torch.full((1, 3, 20, 20), 0.5)
    sr = hr.clone()
    sr[..., :3, :] = 1
    sr[..., -3:] = 1
    assert psnr(*(Protocol("y", 3).apply(x) for x in (sr, hr))).item() == math.inf
    assert psnr(*(Protocol("y", 2).apply(x) for x in (sr, hr))).item() < 30


def test_protocol_refuses() -> None:
    with pytest.raises(ValueError, match="leaves nothing of a picture of 8 x 20 px"):
        Protocol("y", 4).apply(torch.zeros(1, 3, 8, 20))
    with pytest.raises(ValueError, match=r"from 0 to 200, .* divide 8-bit values by 255"):
        Protocol("y", 1).apply(torch.linspace(0, 200, 192).view(1, 3, 8, 8))
    with pytest.raises(ValueError, match='channels must be "y", "y-full" or "rgb"'):
        Protocol("Y", 4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shave must be 0 px or more, but -1 came"):
        Protocol("y", -1)


def test_score_pair_is_the_published_protocol(pair: tuple[Tensor, Tensor]) -> None:
    sr, hr = ((x * 255).round() / 255 for x in pair)
    inner = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    scores = score_pair(*pair, scale=4)
    y_sr, y_hr = (
        torch.tensor(rgb2ycbcr(x[0].permute(1, 2, 0).double().numpy())[..., 0] / 255)[
            None, None
        ]
        for x in (sr, hr)
    )
    assert scores["psnr_y"] == pytest.approx(skimage_psnr(y_sr[inner], y_hr[inner]), abs=1e-3)
    assert scores["psnr_rgb"] == pytest.approx(skimage_psnr(sr[inner], hr[inner]), abs=1e-3)
    assert scores["ssim_y"] == pytest.approx(ssim(y_sr[inner], y_hr[inner]).item(), abs=1e-4)
    assert scores["sharpness"] == pytest.approx(sharpness(*pair, scale=4).item())
    assert scores["checkerboard"] == pytest.approx(checkerboard(*pair, scale=4).item())
