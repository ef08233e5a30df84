"""Metrics against scikit-image, numpy, piq, and signals whose answer is known."""

# ruff: noqa: E501 -- a sentence under test stays on one line

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import piq
import pytest
import torch
import torch.nn.functional as F
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from srlab.data import degrade, embedded_photo
from srlab.metrics import (
    Protocol,
    checkerboard,
    fine_energy,
    grid_energy,
    haarpsi,
    largest_climb,
    luma,
    mdsi,
    power_spectrum,
    psnr,
    ridge,
    ring_energies,
    score_pair,
    sharpness,
    shave,
    ssim,
)
from srlab.models import enlarge
from srlab.zoo import load_model

CITRUS = embedded_photo("citrus-slices")[..., :256, :256]


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


@pytest.mark.parametrize("light", [1, 0.02])  # in the dark its two constants weigh most
def test_ssim_is_scikit_images(pair: tuple[Tensor, Tensor], light: float) -> None:
    sr, hr = (light * luma(picture) for picture in pair)
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


def test_the_smallest_pictures_that_can_be_measured() -> None:
    assert ssim(torch.zeros(1, 1, 11, 11), torch.zeros(1, 1, 11, 11)).item() == 1
    for measure in (haarpsi, mdsi):
        assert measure(torch.zeros(1, 3, 16, 17), torch.ones(1, 3, 16, 17)).isfinite()


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


BY_FOUR = (partial(sharpness, scale=4), partial(checkerboard, scale=4))


@pytest.mark.parametrize("measure", [psnr, ssim, *BY_FOUR, ridge, haarpsi, mdsi])
def test_a_mean_over_the_batch(measure: Callable[..., Tensor], photo: Tensor) -> None:
    waves = 0.05 * cosine(9, down=8)[..., :96, :]
    sr = torch.cat([softened(photo, 3), softened(photo, 9) + waves])
    each = [measure(one[None], photo).item() for one in sr]
    assert measure(sr, torch.cat([photo, photo])).item() == pytest.approx(
        sum(each) / 2, rel=1e-4
    )
    assert each[0] != pytest.approx(each[1], rel=1e-2)


def softened(photo: Tensor, size: int) -> Tensor:
    return F.avg_pool2d(photo, size, 1, size // 2, count_include_pad=False)


def test_power_spectrum_is_numpys(photo: Tensor) -> None:
    y = luma(photo)[0, 0].double().numpy()
    window = np.outer(np.hanning(96), np.hanning(128))
    expected = np.abs(np.fft.rfft2((y - y.mean()) * window)) ** 2
    spectrum = power_spectrum(photo)[0].numpy()
    assert spectrum.shape == (96, 65)
    np.testing.assert_allclose(spectrum, expected, rtol=1e-3, atol=1e-6 * expected.max())


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


@pytest.mark.parametrize("value", [0.0, 0.3, 1 / 3, 1.0])
def test_a_flat_picture_has_no_grid_at_all(value: float) -> None:
    assert grid_energy(torch.full((1, 3, 133, 97), value), 4).item() == 0


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
    assert checkerboard(0.5 * photo, photo, scale=4).item() == pytest.approx(0.25, abs=1e-2)


def test_checkerboard_puts_real_pictures_in_order() -> None:
    """Bicubic, a pixel-loss network, the truth, and a grid one can see."""
    hr = CITRUS
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


# -- ridge -----------------------------------------------------------------------


def cosine(cycles: float, size: int = 128, *, down: float = 0.0) -> Tensor:
    """Gray waves of ``cycles`` per 32 px across, and ``down`` down; (1, 3, size, size)."""
    at = torch.arange(float(size))
    phase = (cycles * at + down * at[:, None]) * (2 * torch.pi / 32)
    return (255 / 219) * torch.cos(phase).expand(1, 3, size, size)  # 1 in luma


def blurred(photo: Tensor, kernel: Tensor) -> Tensor:
    """Convolved with a kernel (n,) along both axes, mirrored at the border, in 8 bits."""
    n = kernel.numel()
    weights = (kernel / kernel.sum()).expand(3, -1)
    wide = F.pad(photo, ((n - 1) // 2, n // 2) * 2, mode="reflect")
    wide = F.conv2d(wide, weights[:, None, None], groups=3)
    wide = F.conv2d(wide, weights[:, None, :, None], groups=3)
    return (wide.clamp(0, 1) * 255).round() / 255


def gaussian(sigma: float) -> Tensor:
    reach = int(4 * sigma + 1)
    return torch.exp(-torch.arange(-reach, reach + 1.0).square() / (2 * sigma**2))


def test_the_largest_climb_by_hand() -> None:
    falls = [1.0, 0.8, 0.4, 0.2, 0.1]
    valley = [1.0, 0.8, 0.25, 0.5, 0.75]  # 0.75 / 0.25
    earlier = [0.5, 1.0, 0.9, 1.2, 0.7]  # 1.2 / 0.5, not over what comes later
    faint = [1.0, 0.02, 0.01, 0.12, 0.0]  # 12 times the valley, and yet nearly nothing
    climbs = largest_climb(torch.tensor([falls, valley, earlier, faint]))
    torch.testing.assert_close(climbs, torch.tensor([1.0, 3.0, 2.4, 1.0]))


def test_ring_energies_are_numpys_spectrum(photo: Tensor) -> None:
    """One patch of 32 px, written out with whole, not half, spectra."""
    y = luma(photo)[0, 0, :32, :32].double().numpy()
    line = np.hanning(33)[:-1]
    power = np.abs(np.fft.fft2((y - y.mean()) * np.outer(line, line))) ** 2
    rows, columns = np.meshgrid(*[np.fft.fftfreq(32) * 32] * 2, indexing="ij")
    ring = np.round(np.hypot(rows, columns))
    slanted = np.abs(np.abs(np.degrees(np.arctan2(rows, columns))) % 90 - 45) < 22.5
    wanted = [
        [power[sector & (ring == k)].sum() for k in range(2, 17)]
        for sector in (~slanted, slanted)
    ]
    found = ring_energies(photo[..., :32, :32])[0]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-3)


def test_ridge_is_1_for_the_truth(photo: Tensor) -> None:
    for picture in (photo, photo[..., :32, :32], photo[..., :33, :47], photo.double()):
        assert ridge(picture, picture).item() == 1


def test_ridge_is_1_for_any_blur() -> None:
    hr = CITRUS
    boxes = {f"box {n}": torch.ones(n) for n in (2, 3, 4, 5, 6, 8)}
    bells = {f"sigma {s}": gaussian(s) for s in (0.5, 1, 2, 4)}
    cubic = {"bicubic": torch.tensor([-1.0, -9, 29, 111, 111, 29, -9, -1])}
    for kind, kernel in {**boxes, **bells, **cubic}.items():
        assert ridge(blurred(hr, kernel), hr).item() == pytest.approx(1, abs=0.03), kind
    assert ridge(enlarge(degrade(hr, 4), 4), hr).item() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("cycles", "down"), [(12, 0), (9, 8)])
def test_a_wave_of_3_8_cycle_per_px_is_seen(cycles: int, down: int) -> None:
    """The ring at 12/32 gains what the wave holds; ridge is that over the valley before."""
    hr = CITRUS
    soft = blurred(hr, gaussian(1))
    wave = 0.02 * cosine(cycles, 256, down=down)
    assert ridge(soft, hr).item() == pytest.approx(1, abs=0.03)
    sector = int(bool(cycles and down))
    truth, before = (ring_energies(x)[0, sector] for x in (hr, soft))
    gained = before + ring_energies(wave)[0, sector]  # they do not know each other
    shares = gained / truth
    by_hand = max(shares[k] / shares[: k + 1].min() for k in range(15)).item()
    assert by_hand > 5
    assert ridge(soft + wave, hr).item() == pytest.approx(by_hand, rel=0.1)


def test_a_valley_of_known_depth() -> None:
    """Waves at 4, 8 and 12 cycles per 32 px; the middle one with half its height."""
    torch.manual_seed(0)
    noise = 1e-3 * torch.randn(1, 3, 128, 128)  # for the rings between, the same in both
    hr = 0.5 + noise + 0.1 * (cosine(4) + cosine(8) + cosine(12))
    sr = 0.5 + noise + 0.1 * (cosine(4) + cosine(8) / 2 + cosine(12))
    assert ridge(sr, hr).item() == pytest.approx(4, rel=0.02)
    assert ridge(sr.mT, hr.mT).item() == pytest.approx(4, rel=0.02)
    assert ridge(hr, sr).item() == pytest.approx(4, rel=0.02)  # a hill in the middle


def test_ridge_takes_the_worse_sector(photo: Tensor) -> None:
    sr = blurred(photo, gaussian(1)) + 0.05 * cosine(9, down=8)[..., :96, :]
    climbs = largest_climb(ring_energies(sr)[0] / ring_energies(photo)[0])
    axes, slanted = climbs.tolist()
    assert ridge(sr, photo).item() == pytest.approx(slanted)
    assert slanted > axes


def test_ridge_of_a_flat_truth_is_no_number(photo: Tensor) -> None:
    flat = torch.full((1, 3, 96, 128), 0.3)
    assert math.isnan(ridge(flat, flat).item())
    assert not math.isfinite(ridge(photo, flat).item())
    assert ridge(flat, photo).item() == 1  # the whole picture is a blur
    assert torch.equal(ring_energies(flat), torch.zeros(1, 2, 15))


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
    for measure in (*BY_FOUR, ridge, haarpsi, mdsi):
        name = getattr(measure, "func", measure).__name__
        assert scores[name] == pytest.approx(measure(*pair).item()), name


# -- HaarPSI and MDSI --------------------------------------------------------------


def test_they_are_piqs_of_255(photo: Tensor) -> None:
    """The range is handed over as piq understands it."""
    soft = softened(photo, 5)
    of_255 = [x.double() * 255 for x in (soft, photo)]
    wanted = piq.haarpsi(*of_255, data_range=255.0).item()
    assert haarpsi(soft, photo).item() == pytest.approx(wanted, abs=1e-4)
    wanted = piq.mdsi(*of_255, data_range=255.0).item()
    assert mdsi(soft, photo).item() == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("measure", [haarpsi, mdsi])
def test_a_networks_overshoot_is_clamped(measure: Callable[..., Tensor], photo: Tensor) -> None:
    loud = 1.5 * photo - 0.2
    assert loud.max() > 1
    assert measure(loud, photo).item() == pytest.approx(
        measure(loud.clamp(0, 1), photo).item(), abs=1e-6
    )


# -- what is refused ---------------------------------------------------------------


def black(*shape: int) -> Tensor:
    return torch.zeros(1, 3, *shape)


@pytest.mark.parametrize(
    ("measure", "error", "sentence"),
    [
        (lambda: psnr(black(4, 4).byte(), black(4, 4)), TypeError, r"use sr.float\(\) / 255"),
        (lambda: psnr(black(4, 4)[0], black(4, 4)), ValueError, r"add the missing axis with sr\[None\]"),
        (lambda: psnr(black(4, 4)[:, :1], black(4, 4)), ValueError, "must have one shape; is the scale right?"),
        (lambda: psnr(black(2, 2), black(4, 4)), ValueError, r"sr is \(1, 3, 2, 2\) and hr is \(1, 3, 4, 4\)"),
        (lambda: ssim(black(10, 30), black(10, 30)), ValueError, "windows of 11 px, but the picture is 10 x 30 px"),
        (lambda: ssim(black(20, 20).byte(), black(20, 20).byte()), TypeError, r"use sr.float\(\) / 255"),
        (lambda: ssim(black(20, 20)[0], black(20, 20)[0]), ValueError, r"add the missing axis with sr\[None\]"),
        (lambda: ssim(black(20, 20), black(20, 21)), ValueError, "must have one shape"),
        (lambda: sharpness(black(32, 32), black(32, 28), scale=4), ValueError, "must have one shape"),
        (lambda: sharpness(black(32, 32), black(32, 32), scale=3), ValueError, "scale must be 2, 4 or 8, but got 3"),
        (lambda: checkerboard(black(32, 32), black(32, 28), scale=4), ValueError, "must have one shape"),
        (lambda: grid_energy(black(11, 40), 4), ValueError, "picture is 11 x 40 px, but a grid of 4 px shows from 12"),
        (lambda: grid_energy(black(32, 32), 3), ValueError, "scale must be 2, 4 or 8, but got 3"),
        (lambda: grid_energy(black(32, 32)[0], 4), ValueError, r"add the missing axis with images\[None\]"),
        (lambda: ridge(black(31, 40), black(31, 40)), ValueError, "31 x 40 px, but ridge can be measured from 32 px on"),
        (lambda: ridge(black(32, 32), black(32, 36)), ValueError, "must have one shape"),
        (lambda: ring_energies(black(32, 32)[0]), ValueError, r"add the missing axis with images\[None\]"),
        (lambda: haarpsi(black(15, 40), black(15, 40)), ValueError, "is 15 x 40 px, but HaarPSI and MDSI can be measured f"),
        (lambda: mdsi(black(15, 40), black(15, 40)), ValueError, "is 15 x 40 px, but HaarPSI and MDSI can be measured f"),
        (lambda: haarpsi(black(32, 32), black(32, 28)), ValueError, "must have one shape"),
        (lambda: mdsi(black(32, 32) + 200, black(32, 32)), ValueError, "divide 8-bit values by 255"),
        (lambda: Protocol("y", 4).apply(black(8, 20)), ValueError, "leaves nothing of a picture of 8 x 20 px"),
        (lambda: Protocol("y", 1).apply(black(8, 8) + 200), ValueError, r"from 200 to 200, .* divide 8-bit values by 255"),
        (lambda: Protocol("Y", 4), ValueError, 'channels must be "y", "y-full" or "rgb"'),
        (lambda: Protocol("y", -1), ValueError, "shave must be 0 px or more, but got -1"),
    ],
)  # fmt: skip
def test_what_is_refused(
    measure: Callable[[], object], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        measure()
