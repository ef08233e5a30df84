"""Pairs: what degrade does, and that batches repeat, vary and come from photographs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from srlab.data import (
    Pairs,
    crop_to_multiple,
    degrade,
    get_data,
    mirrored,
    random_crop,
    reduced,
)
from srlab.images import to_image

HALF_STEP = 0.501 / 255  # what rounding to 8 bits may change


def imresize(image: np.ndarray, scale: int) -> np.ndarray:
    """Reduce an (h, w) array as MATLAB's function of this name does, by its formula."""
    for axis in (0, 1):
        image = np.apply_along_axis(_reduce_line, axis, image, scale)
    return image


def _reduce_line(line: np.ndarray, scale: int) -> np.ndarray:
    centers = (np.arange(len(line) // scale) + 0.5) * scale - 0.5
    reach = np.arange(-2 * scale - 1, 2 * scale + 2)
    positions = np.floor(centers)[:, None] + reach  # px whose weight may not be 0
    weights = _cubic((centers[:, None] - positions) / scale)
    mirror = np.concatenate([np.arange(len(line)), np.arange(len(line))[::-1]])
    neighbors = line[mirror[positions.astype(int) % len(mirror)]]
    return (weights * neighbors).sum(1) / weights.sum(1)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys 1981 with a = -0.5."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


# -- degrade ---------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_degrade_is_matlabs_imresize_to_the_border(photo: Tensor, scale: int) -> None:
    lr = degrade(photo, scale)
    assert lr.shape == (1, 3, 96 // scale, 128 // scale)
    for channel in range(3):
        expected = imresize(photo[0, channel].double().numpy(), scale).clip(0, 1)
        assert np.abs(lr[0, channel].numpy() - expected).max() < HALF_STEP


@pytest.mark.parametrize("side", [4, 8])
def test_degrade_is_matlabs_imresize_where_the_kernel_is_wider_than_the_picture(
    photo: Tensor, side: int
) -> None:
    corner = photo[..., :side, : 2 * side]
    expected = imresize(corner[0, 0].double().numpy(), 4).clip(0, 1)
    assert np.abs(degrade(corner, 4)[0, 0].numpy() - expected).max() < HALF_STEP


def test_mirrored_repeats_the_outermost_px_and_goes_on_as_long_as_it_takes() -> None:
    line = torch.arange(2).view(1, 1, 1, 2)
    assert mirrored(line, 5)[0, 0, 5].tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]
    assert mirrored(line, 5).shape == (1, 1, 11, 12)


def test_degrade_stores_8_bits(photo: Tensor) -> None:
    steps = degrade(photo, 2) * 255
    torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)


def test_degrade_stays_in_range_at_hard_edges() -> None:
    hr = torch.zeros(1, 3, 32, 32)
    hr[..., 16:] = 1
    lr = degrade(hr, 4)
    assert lr.min() == 0
    assert lr.max() == 1


def test_degrade_keeps_dtype_and_channels() -> None:
    lr = degrade(torch.rand(2, 1, 8, 12, dtype=torch.float64), 4)
    assert lr.dtype == torch.float64
    assert lr.shape == (2, 1, 2, 3)


@pytest.mark.parametrize(
    ("hr", "scale", "error", "sentence"),
    [
        (torch.zeros(1, 3, 33, 48), 2, ValueError, r"by scale \(=2\); crop it first\."),
        (torch.zeros(1, 3, 32, 33), 2, ValueError, "hr is 32 x 33 px, but both sides must be"),
        (torch.zeros(1, 3, 32, 44), 8, ValueError, "hr is 32 x 44 px"),
        (torch.zeros(1, 3, 0, 8), 2, ValueError, "hr is 0 x 8 px"),
        (torch.zeros(3, 8, 8), 2, ValueError, r"add the missing axis with hr\[None\]"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 2, TypeError, r"use hr.float\(\) / 255"),
        (torch.zeros(1, 3, 9, 9), 3, ValueError, "scale must be 2, 4 or 8, but got 3"),
        (np.zeros((1, 3, 8, 8)), 2, TypeError, "hr must be a tensor .* but got a ndarray"),
    ],
)  # fmt: skip
def test_degrade_refuses(hr: object, scale: int, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        degrade(hr, scale)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_crop_to_multiple_keeps_the_upper_left(scale: int) -> None:
    hr = torch.rand(1, 3, 35, 49)
    cropped = crop_to_multiple(hr, scale)
    height, width = cropped.shape[-2:]
    assert (height % scale, width % scale) == (0, 0)
    assert 35 - height < scale
    assert 49 - width < scale
    assert torch.equal(cropped, hr[..., :height, :width])


# -- crops -----------------------------------------------------------------------


def numbered_photo(height: int, width: int, blue: int = 0) -> Tensor:
    """Each pixel says where it is: red its row, green its column."""
    rows = torch.arange(height).view(-1, 1).expand(height, width)
    columns = torch.arange(width).expand(height, width)
    return torch.stack([rows, columns, torch.full_like(rows, blue)]).to(torch.uint8)


def orientation(crop: Tensor) -> tuple[int, ...]:
    """Which of the eight orientations a crop of a numbered photograph has."""
    step_down = crop[:2, 1, 0].int() - crop[:2, 0, 0].int()
    step_right = crop[:2, 0, 1].int() - crop[:2, 0, 0].int()
    return (*step_down.tolist(), *step_right.tolist())


def test_crops_are_pieces_of_the_photograph_in_all_orientations() -> None:
    photo = numbered_photo(40, 60)
    generator = torch.Generator().manual_seed(0)
    corners, orientations = set(), set()
    for _ in range(800):
        crop = random_crop(photo, 16, generator)
        top, left = int(crop[0].min()), int(crop[1].min())
        piece = photo[:, top : top + 16, left : left + 16]
        turned = [turn for flip in (piece, piece.flip(2)) for turn in _turns(flip)]
        assert sum(torch.equal(crop, turn) for turn in turned) == 1
        corners.add((top, left))
        orientations.add(orientation(crop))
    assert len(orientations) == 8
    assert {top for top, _ in corners} == set(range(25))  # 40 - 16 = 24 is the last
    assert {left for _, left in corners} == set(range(45))


def _turns(piece: Tensor) -> list[Tensor]:
    return [piece.rot90(quarter, (1, 2)) for quarter in range(4)]


def test_a_crop_may_be_the_whole_photograph() -> None:
    crop = random_crop(numbered_photo(16, 16), 16, torch.Generator().manual_seed(1))
    assert crop.shape == (3, 16, 16)


# -- batches ---------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_get_data_gives_pairs_of_the_asked_size(photo_folder: Path, scale: int) -> None:
    lr, hr = get_data(3, (32 // scale, 32), source=photo_folder)[0]
    assert hr.shape == (3, 3, 32, 32)
    assert lr.shape == (3, 3, 32 // scale, 32 // scale)
    assert hr.dtype == lr.dtype == torch.float32
    assert hr.min() >= 0
    assert 0.5 < hr.max() <= 1
    assert torch.equal(lr, degrade(hr, scale))


def test_same_seed_same_batches_whatever_the_order(photo_folder: Path) -> None:
    first, second, other = (
        get_data(2, (8, 32), source=photo_folder, seed=seed) for seed in (5, 5, 6)
    )
    forwards = [first[i][1] for i in range(4)]
    backwards = [second[i][1] for i in reversed(range(4))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(forwards, backwards, strict=True))
    assert not any(torch.equal(forwards[i], other[i][1]) for i in range(4))
    assert not torch.equal(forwards[0], forwards[1])
    iterated = [hr for (_, hr), _ in zip(first, range(4), strict=False)]
    assert all(torch.equal(a, b) for a, b in zip(forwards, iterated, strict=True))


def test_another_seed_is_not_the_next_batch(photo_folder: Path) -> None:
    """Seeds 0 and 1 must not walk through the same batches one step apart."""
    zero, one = (get_data(2, (8, 32), source=photo_folder, seed=seed) for seed in (0, 1))
    seen = [zero[i][1] for i in range(8)]
    assert not any(torch.equal(batch, one[i][1]) for batch in seen for i in range(8))


def test_batches_use_every_photograph() -> None:
    photos = [numbered_photo(20, 20, blue=i) for i in range(5)]
    pairs = Pairs(photos, 8, (4, 16))
    blues = {int(b) for i in range(6) for b in (pairs[i][1][:, 2, 0, 0] * 255).round()}
    assert blues == set(range(5))


def test_photographs_are_kept_in_reduced_copies_too(photo_folder: Path) -> None:
    sizes = [tuple(p.shape[-2:]) for p in get_data(1, (8, 16), source=photo_folder).photos]
    assert sizes == [(96, 128), (77, 102), (58, 77), (38, 51)] * 2
    large = get_data(1, (12, 96), source=photo_folder).photos
    assert [tuple(p.shape[-2:]) for p in large] == [(96, 128)] * 2


def test_reduced_is_pillows_resize(photo: Tensor) -> None:
    image = to_image(photo)
    expected = np.asarray(image.resize((77, 58), Image.Resampling.BICUBIC)).astype(int)
    photo_bytes = (photo[0] * 255).round().to(torch.uint8)
    smaller = reduced(photo_bytes, 0.6).permute(1, 2, 0).numpy()
    assert smaller.dtype == np.uint8
    assert np.abs(smaller - expected).max() <= 1
    assert reduced(photo_bytes, 1) is photo_bytes


def test_embedded_photographs_by_default() -> None:
    pairs = get_data(1, (8, 32), split="val")
    assert len(pairs.photos) == 4 * 3  # three photographs, each in four sizes


@pytest.mark.parametrize(
    ("count", "sizes", "error", "sentence"),
    [
        (2, (24, 72), ValueError, r"sizes are \(24, 72\), but hr_size must be 2, 4 or 8 times"),
        (2, (0, 0), ValueError, r"hr_size must be 2, 4 or 8 times lr_size, such as \(24, 96\)"),
        (2, 96, TypeError, r"sizes must be \(lr_size, hr_size\), such as \(24, 96\), but got"),
        (2, ("24", "96"), TypeError, "sizes must be two integers in px"),
        (2, (96, 384), ValueError, "has 384 px on both sides; ask for smaller crops"),
        (0, (12, 48), ValueError, "1 or more, but got 0"),
        (-1, (12, 48), ValueError, "1 or more, but got -1"),
    ],
)  # fmt: skip
def test_get_data_refuses(
    photo_folder: Path, count: int, sizes: object, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        get_data(count, sizes, source=photo_folder)
