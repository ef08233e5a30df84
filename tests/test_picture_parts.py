"""What comes out is of the kind that came in: gray, transparent, 16 bits."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from srlab.images.parts import (
    blank_result,
    finish_tile,
    paste_tile,
    put_together,
    spread_colors,
    take_apart,
)
from srlab.inference import enlarged_tiles, upscale
from srlab.models import Bicubic
from tests.pictures import stored, twice


class Tinted(nn.Module):
    """A network that gives gray a tint, as trained ones do."""

    scale, reach = 2, 8

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        tint = torch.tensor([-0.02, 0.0, 0.05])[:, None, None]
        return Bicubic(2)(lr) + tint


def icon() -> Image.Image:
    """White discs on nothing, stored as black."""
    y, x = np.mgrid[:32, :32]
    inside = (x - 16) ** 2 + (y - 16) ** 2 < 90
    pixels = np.zeros((32, 32, 4), dtype=np.uint8)
    pixels[inside] = 255
    return Image.fromarray(pixels)


def test_a_white_icon_stays_white_to_its_edge() -> None:
    result = twice(stored(icon(), "PNG"))
    assert result.mode == "RGBA"
    assert result.getextrema()[:3] == ((255, 255),) * 3
    expected = icon().getchannel("A").resize((64, 64), Image.Resampling.BICUBIC)
    assert np.array_equal(result.getchannel("A"), expected)
    assert result.getchannel("A").getextrema() == (0, 255)


def test_each_hidden_pixel_takes_the_nearest_color() -> None:
    colors = Image.new("RGB", (5, 1))
    colors.putpixel((0, 0), (255, 0, 0))
    colors.putpixel((4, 0), (0, 0, 255))
    alpha = Image.fromarray(np.array([[1, 0, 0, 0, 255]], dtype=np.uint8))
    seen = np.asarray(spread_colors(colors, alpha))[0].tolist()
    assert seen[:2] == [[255, 0, 0]] * 2
    assert seen[3:] == [[0, 0, 255]] * 2


@pytest.mark.parametrize(
    ("image", "mode"),
    [
        (Image.new("RGB", (4, 4), 9), "RGB"),
        (Image.new("RGBA", (4, 4), (9, 9, 9, 255)), "RGB"),  # opaque: nothing to keep
        (Image.new("RGBA", (4, 4), (9, 9, 9, 100)), "RGBA"),
        (Image.new("RGBA", (4, 4), (9, 9, 9, 0)), "RGBA"),
        (Image.new("RGBa", (4, 4), (9, 9, 9, 100)), "RGBA"),
        (Image.new("L", (4, 4), 9), "L"),
        (Image.new("LA", (4, 4), (9, 100)), "LA"),
        (Image.new("La", (4, 4), (9, 100)), "LA"),
        (Image.new("1", (4, 4), 1), "L"),
        (Image.new("L", (4, 4), 9).convert("P"), "L"),
        (Image.new("RGB", (4, 4), (9, 99, 199)).quantize(2), "RGB"),
        (Image.new("I;16", (4, 4), 9999), "I;16"),
        (Image.new("I", (4, 4), 9999), "I;16"),
        (Image.new("CMYK", (4, 4)), "RGB"),
        (Image.new("YCbCr", (4, 4)), "RGB"),
    ],
)
def test_the_mode_of_the_result(image: Image.Image, mode: str) -> None:
    assert twice(image).mode == mode


@pytest.mark.parametrize(
    ("image", "key", "mode"),
    [
        (Image.new("L", (2, 2), 100), 100, "LA"),
        (Image.new("RGB", (2, 2), (100, 0, 0)), (100, 0, 0), "RGBA"),
        (Image.new("1", (2, 2), 0), 0, "LA"),
        (Image.new("RGB", (2, 2), (100, 0, 0)).quantize(2), b"\x40\x40", "RGBA"),
    ],
)
def test_a_transparent_color(image: Image.Image, key: object, mode: str) -> None:
    result = twice(stored(image, "PNG", transparency=key))
    assert result.mode == mode
    assert result.getchannel("A").getextrema() == ((0, 0) if key != b"\x40\x40" else (64, 64))


def test_gray_is_the_mean_of_what_the_network_made() -> None:
    result = upscale(Image.new("L", (8, 8), 100), Tinted(), 2)
    assert result.mode == "L"
    assert result.getextrema() == (round(100 + 255 * 0.03 / 3),) * 2


def test_16_bits_are_computed_and_kept() -> None:
    ramp = Image.fromarray((np.arange(64, dtype=np.uint16) * 16 + 30000).reshape(8, 8))
    result = twice(stored(ramp, "TIFF"))
    shades = np.unique(np.asarray(result))
    assert len(shades) > 64, "8 bits would leave 4"
    lr = torch.tensor(np.asarray(ramp) / 65535, dtype=torch.float32).expand(1, 3, 8, 8)
    expected = Bicubic(2)(lr)[0, 0] * 65535
    assert np.abs(np.asarray(result) - expected.numpy()).max() <= 1


def test_rounding_of_a_tile() -> None:
    sr = torch.tensor([-0.1, 0.25, 1.1]).expand(1, 3, 1, 3)
    assert finish_tile(sr).tolist() == [[[0, 64, 255]]] * 3
    assert finish_tile(sr, "L").tolist() == [[[0, 64, 255]]]
    assert finish_tile(sr, "I;16").tolist() == [[[0, 16384, 65535]]]


def test_the_parts_do_what_upscale_does() -> None:
    """As PhotoDesk works: a tile at a time."""
    image = icon()
    parts = take_apart(image)
    assert parts.lr.shape == (1, 3, 32, 32)
    result = blank_result(parts, 2)
    for left, top, tile in enlarged_tiles(Bicubic(2), parts.lr, scale=2, tile=10):
        paste_tile(result, left, top, tile)
    assert np.array_equal(put_together(result, parts), twice(image))


def test_a_result_keeps_the_rotation_of_its_transparency() -> None:
    image = Image.new("RGBA", (4, 2), (9, 9, 9, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    exif = Image.Exif()
    exif[274] = 6
    result = twice(stored(image, "PNG", exif=exif))
    assert result.size == (4, 8)
    assert result.getpixel((3, 0))[3] == 0
    assert result.getpixel((0, 7))[3] == 255
