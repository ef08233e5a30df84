"""Enlarging whole pictures: tiles leave no seams, and memory stays bounded."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from srlab.images import to_bytes
from srlab.inference import default_tile, enlarge_in_tiles, enlarged_tiles, upscale
from srlab.models import Bicubic, SrResNet
from srlab.unet import UNet
from srlab.zoo import load_model
from tests.conftest import ONE_THREAD, awake
from tests.memory import peak_gib


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> nn.Module:
    return load_model(checkpoint, 4).cpu()


@pytest.fixture
def model() -> SrResNet:
    """A network for factor 2 that is not bicubic, with 3 blocks."""
    torch.manual_seed(3)
    return awake(SrResNet(2, 4, 3), std=0.1)


def difference(one: Tensor, other: Tensor) -> int:
    return int((one.int() - other.int()).abs().max())


# -- tiles -----------------------------------------------------------------------

sizes = st.integers(1, 70)


@settings(max_examples=25, deadline=None)
@given(height=sizes, width=sizes, tile=st.integers(8, 80), seed=st.integers(0, 9))
def test_tiled_equals_whole(
    network: nn.Module, height: int, width: int, tile: int, seed: int
) -> None:
    lr = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        whole = to_bytes(network(lr))[0]
    assert whole.shape == (3, 4 * height, 4 * width)
    assert difference(enlarge_in_tiles(network, lr, scale=4, tile=tile), whole) <= 1


@pytest.mark.parametrize("tile", [1, 5, 16, 64])
def test_tiles_of_any_size_leave_no_seams(photo: Tensor, model: nn.Module, tile: int) -> None:
    lr = photo[..., :23, :37]
    for network in (Bicubic(2), model):
        with torch.inference_mode():
            whole = to_bytes(network(lr))[0]
        assert difference(enlarge_in_tiles(network, lr, scale=2, tile=tile), whole) <= 1


def test_a_margin_too_small_would_be_seen(
    photo: Tensor, model: SrResNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison above can fail: with no margin there are seams."""
    lr = photo[..., :24, :24]
    whole = enlarge_in_tiles(model, lr, scale=2, tile=64)
    monkeypatch.setattr(SrResNet, "reach", 0)
    assert difference(enlarge_in_tiles(model, lr, scale=2, tile=12), whole) > 10


def test_no_tile_is_larger_than_asked(photo: Tensor, model: SrResNet) -> None:
    seen: list[tuple[int, ...]] = []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    enlarge_in_tiles(model, photo, scale=2, tile=32)
    assert max(max(shape[-2:]) for shape in seen) == 32 + 2 * model.reach
    assert len(seen) == 3 * 4  # 96 x 128 px


def test_a_tile_is_computed_when_it_is_asked_for(photo: Tensor, model: SrResNet) -> None:
    calls: list[int] = []
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    tiles = enlarged_tiles(model, photo, scale=2, tile=32)
    assert calls == []
    assert next(tiles)[:2] == (0, 0)
    assert next(tiles)[:2] == (64, 0), "a row from left to right"
    assert len(calls) == 2
    assert model.training, "as it was, also between two tiles"


@pytest.mark.parametrize("make", [partial(SrResNet, num_blocks=3), UNet])
def test_a_part_is_that_part_of_the_whole(
    photo: Tensor, make: Callable[[int, int], nn.Module]
) -> None:
    network = awake(make(2, 4), std=0.1)
    whole = enlarge_in_tiles(network, photo, scale=2)
    left, top, right, bottom = box = (16, 40, 55, 96)
    part = torch.zeros_like(whole)
    for x, y, sr in enlarged_tiles(network, photo, scale=2, tile=24, box=box):
        part[:, y : y + sr.shape[-2], x : x + sr.shape[-1]] = sr
    inside = slice(None), slice(2 * top, 2 * bottom), slice(2 * left, 2 * right)
    assert difference(part[inside], whole[inside]) <= 1
    part[inside] = 0
    assert not part.any(), "nothing beside it was computed"


def test_the_model_comes_back_as_it_was(photo: Tensor) -> None:
    class Broken(Bicubic):
        def forward(self, _: Tensor) -> Tensor:
            raise RuntimeError(f"training={self.training}")

    for training in (True, False):
        model = Bicubic(2).train(training)
        enlarge_in_tiles(model, photo, scale=2)
        assert model.training is training
        broken = Broken(2).train(training)
        with pytest.raises(RuntimeError, match="training=False"):
            enlarge_in_tiles(broken, photo, scale=2)
        assert broken.training is training


def test_a_model_of_another_scale_is_refused(photo: Tensor) -> None:
    with pytest.raises(ValueError, match=r"made 192 x 256 px of 96 x 128 px, but 384 x 512 px"):
        enlarge_in_tiles(Bicubic(2), photo, scale=4)


def test_half_precision_networks_work(photo: Tensor, model: SrResNet) -> None:
    lr = photo[..., :16, :16]
    expected = enlarge_in_tiles(model, lr, scale=2)
    assert difference(enlarge_in_tiles(model.double(), lr, scale=2), expected) <= 1


# -- upscale ---------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_bicubic_is_pillows(picture: Image.Image, scale: int) -> None:
    size = picture.width * scale, picture.height * scale
    expected = np.asarray(picture.resize(size, Image.Resampling.BICUBIC)).astype(int)
    result = upscale(picture, "bicubic", scale)
    assert result.mode == "RGB"
    assert result.size == size
    assert np.abs(np.asarray(result) - expected).max() <= 1


def test_a_module_a_path_and_a_text_agree(
    picture: Image.Image, checkpoint: Path, network: nn.Module
) -> None:
    results = [
        np.asarray(upscale(picture, m, 4)) for m in (network, checkpoint, str(checkpoint))
    ]
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])
    assert not np.array_equal(results[0], np.asarray(upscale(picture, "bicubic", 4)))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (700, 1)])
def test_extreme_sizes(checkpoint: Path, size: tuple[int, int]) -> None:
    result = upscale(Image.new("RGB", size, (90, 120, 150)), checkpoint, 4)
    assert result.size == (4 * size[0], 4 * size[1])


def test_the_picture_given_is_left_alone(picture: Image.Image) -> None:
    before = picture.tobytes()
    upscale(picture, "bicubic", 2)
    assert picture.tobytes() == before


# -- what is refused -------------------------------------------------------------


def test_a_network_of_another_scale_is_refused(picture: Image.Image, model: SrResNet) -> None:
    with pytest.raises(ValueError, match=r"The model enlarges 2 times, .* give scale=2"):
        upscale(picture, model, 4)


def test_too_large_a_result() -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        upscale(Image.new("1", (10_000, 8_000)), "bicubic", 4)
    assert str(error.value) == (
        "10000 x 8000 px enlarged 4 times are 1,280 million pixels, but at most 400 million "
        "fit; crop it or choose a smaller scale."
    )


@pytest.mark.parametrize("tile", [0, -1])
def test_tiles_of_nothing(picture: Image.Image, tile: int) -> None:
    with pytest.raises(ValueError, match=f"tile must be at least 1 px, but got {tile}"):
        upscale(picture, "bicubic", 2, tile=tile)


def test_wrong_tensors() -> None:
    for lr, sentence in [
        (torch.zeros(3, 4, 4), r"add the missing axis with lr\[None\]"),
        (torch.full((1, 3, 4, 4), 200.0), "divide 8-bit values by 255"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            enlarge_in_tiles(Bicubic(2), lr, scale=2)


@pytest.mark.parametrize("name", ["pixel-x4", "perceptual-x4", "unet-x4"])
def test_bfloat16_changes_hardly_anything(photo: Tensor, name: str) -> None:
    model = load_model(name, 4)
    lr = photo[..., :64, :96]
    exact, fast = (
        enlarge_in_tiles(model, lr, scale=4, precision=precision).float()
        for precision in (torch.float32, torch.bfloat16)
    )
    assert (fast - exact).norm() < 1e-2 * exact.norm()
    assert not torch.equal(fast, exact), "bfloat16 was not used"


def test_the_default_tile_takes_a_small_picture_whole() -> None:
    sizes: list[tuple[int, ...]] = []
    model = SrResNet(4, 4, 1)
    model.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[-2:]))
    enlarge_in_tiles(model, torch.rand(1, 3, 288, 288), scale=4)
    assert sizes == [(288, 288)]
    assert default_tile(8) < default_tile(4), "features at eight times need more room"


def test_the_share_done_is_reported_after_each_tile() -> None:
    shares: list[float] = []
    upscale(Image.new("RGB", (20, 10)), "bicubic", 2, tile=10, report=shares.append)
    assert shares == [0.5, 1.0]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")
def test_memory_grows_by_hardly_more_than_the_pictures(tmp_path: Path) -> None:
    """Those are 3 bytes a pixel before and 12 after; others come and go."""
    sizes = {"small": (640, 640), "large": (4000, 2500)}
    peaks = {}
    for name, size in sizes.items():
        photo = tmp_path / f"{name}.png"
        Image.new("RGB", size, "gray").save(photo)
        process = subprocess.Popen(
            [sys.executable, "-m", "srlab", "upscale", photo, "--model", "bicubic",
             "--scale", "2", "--out", tmp_path],
            stdout=subprocess.DEVNULL, env={**os.environ, **ONE_THREAD},
        )  # fmt: skip
        peaks[name] = peak_gib(process) * 2**30
        assert process.returncode == 0
    grown = (peaks["large"] - peaks["small"]) / (4000 * 2500 - 640 * 640)
    assert grown < 30, f"{grown:.0f} bytes for each pixel"
