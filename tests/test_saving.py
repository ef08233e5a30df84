"""What each kind of file holds is written, and what it cannot hold is said."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from srlab.images import picture_suffixes, save_image

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
GLASS = Image.new("RGBA", (4, 4), (200, 0, 0, 51))
DEEP = Image.fromarray(np.array([[0, 128, 129, 40000, 65535]], dtype=np.uint16))


def saved(image: Image.Image, path: Path, **options: int) -> Image.Image:
    """The picture read back; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_image(image, path, **options)
    return Image.open(io.BytesIO(path.read_bytes()))


def test_jpeg_keeps_each_pixels_color(tmp_path: Path) -> None:
    image = saved(NOISE, tmp_path / "a.jpg")
    assert JpegImagePlugin.get_sampling(image) == 0, "4:4:4"
    expected = io.BytesIO()
    NOISE.save(expected, "JPEG", quality=95, subsampling=0)
    assert image.quantization == Image.open(expected).quantization


def test_avif_keeps_each_pixels_color(tmp_path: Path) -> None:
    seen = saved(NOISE, tmp_path / "a.avif").convert("RGB")
    error = np.asarray(seen, dtype=float) - np.asarray(NOISE)
    assert 10 * np.log10(255**2 / (error**2).mean()) > 33


def test_webp_of_quality_95(tmp_path: Path) -> None:
    expected = io.BytesIO()
    NOISE.save(expected, "WEBP", quality=95)
    assert saved(NOISE, tmp_path / "a.webp").tobytes() == Image.open(expected).tobytes()


@pytest.mark.parametrize("ending", ["jpg", "webp", "avif", "heic"])
def test_quality_can_be_chosen(ending: str, tmp_path: Path) -> None:
    for quality in (30, 95):
        saved(NOISE, tmp_path / f"{quality}.{ending}", quality=quality)
    small, large = ((tmp_path / f"{q}.{ending}").stat().st_size for q in (30, 95))
    assert small < large / 2


@pytest.mark.parametrize("quality", [0, 101])
def test_no_such_quality(quality: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 100, but got {quality}; 95 suits"):
        save_image(NOISE, tmp_path / "a.jpg", quality=quality)


@pytest.mark.parametrize(
    ("size", "ending", "limit"),
    [
        ((16_384, 2), ".webp", "at most 16383 px a side"),
        ((65_501, 2), ".jpg", "at most 65500 px a side"),
        ((32_769, 2), ".avif", "at most 32768 px a side"),
        ((65_536, 2), ".tga", "at most 65535 px a side"),
    ],
)
def test_too_wide_for_its_kind(
    size: tuple[int, int], ending: str, limit: str, tmp_path: Path
) -> None:
    sentence = (
        f"a{ending} would be {size[0]} x 2 px, but a {ending} file holds {limit}; save it"
    )
    with pytest.raises(ValueError, match=sentence):
        save_image(Image.new("RGB", size), tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []
    fits = saved(Image.new("RGB", (size[0] - 1, 2)), tmp_path / f"a{ending}")
    assert fits.size == (size[0] - 1, 2)


@pytest.mark.parametrize("ending", ["png", "tif", "webp", "avif", "heic", "jxl", "jp2", "tga"])
def test_transparency_is_kept(ending: str, tmp_path: Path) -> None:
    picture_suffixes()
    image = saved(GLASS, tmp_path / f"a.{ending}")
    assert image.mode == "RGBA"
    assert image.getpixel((1, 1))[3] == pytest.approx(51, abs=2)


@pytest.mark.parametrize("ending", ["jpg", "bmp", "ppm"])
def test_transparency_that_cannot_be_kept_is_said(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    sentence = (
        rf"a\.{ending} cannot hold transparency, so the picture was laid over white; \.png"
    )
    with pytest.warns(UserWarning, match=sentence) as caught:
        save_image(GLASS, path)
    assert caught[0].filename == __file__
    seen = np.asarray(Image.open(path).convert("RGB"))[1, 1]
    assert np.abs(seen - np.array([244, 204, 204])).max() <= 2


def test_what_is_opaque_loses_nothing(tmp_path: Path) -> None:
    image = saved(Image.new("RGBA", (4, 4), (9, 9, 9, 255)), tmp_path / "a.JPG")
    assert (image.format, image.mode) == ("JPEG", "RGB")


@pytest.mark.parametrize("ending", ["png", "tif", "jp2"])
def test_16_bits_are_kept(ending: str, tmp_path: Path) -> None:
    image = saved(DEEP, tmp_path / f"a.{ending}")
    assert np.array_equal(np.asarray(image), np.asarray(DEEP))


@pytest.mark.parametrize("ending", ["jpg", "webp", "bmp"])
def test_16_bits_that_cannot_be_kept_are_said(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    wide = DEEP.resize((40, 8), Image.Resampling.NEAREST)
    with pytest.warns(UserWarning, match=rf"a\.{ending} holds 8 of the 16 bits; \.png or"):
        save_image(wide, path)
    seen = np.asarray(Image.open(path).convert("L"))[4, 4::8]
    assert np.abs(seen - np.array([0, 0, 1, 156, 255])).max() <= 6


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "avif", "bmp", "jp2", "jxl"])
@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "HSV"])
def test_other_modes_are_converted(mode: str, ending: str, tmp_path: Path) -> None:
    picture_suffixes()
    image = Image.new("RGB", (16, 16), (255, 255, 255)).convert(mode)
    seen = saved(image, tmp_path / f"a.{ending}").convert("RGB")
    assert np.asarray(seen).min() >= 250


def test_gif_says_what_it_cannot(tmp_path: Path) -> None:
    sentence = r"a\.gif holds 256 colors at most; \.png keeps all"
    with pytest.warns(UserWarning, match=sentence) as caught:
        save_image(NOISE, tmp_path / "a.gif")
    assert caught[0].filename == __file__


def test_a_place_without_metadata_is_said(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[315] = "Ada"
    image = NOISE.copy()
    image.info["exif"] = exif.tobytes()
    with pytest.warns(UserWarning, match="cannot hold author, date and camera") as caught:
        save_image(image, tmp_path / "a.tga")
    assert caught[0].filename == __file__, "a warning names the caller's line"


@pytest.mark.parametrize("ending", [".pdf", ".eps", ".docx", ".xbm", ""])
def test_what_is_no_kind_of_photograph(ending: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"should end in \.png, \.jpg, \.webp or \.tiff"):
        save_image(NOISE, tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []


def test_floats_have_no_agreed_range(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no agreed range"):
        save_image(Image.new("F", (2, 2)), tmp_path / "a.png")
