"""One way in, one way out: every kind of picture, each with known values."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from srlab.images import MAX_PIXELS, cautions, open_image, read_image, to_bytes, to_image
from tests.pictures import png_of, stored

COLORS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [255, 255, 0], [0, 0, 0]]],
    dtype=np.uint8,
)  # 2 x 3 px, no two alike

# EXIF tag 274 -> what a viewer must do with the stored pixels.
ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


def values(image: Image.Image | Path | io.BytesIO) -> np.ndarray:
    """What srlab reads, as (h, w, 3) in 0 ... 255."""
    tensor = read_image(image)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    return tensor[0].permute(1, 2, 0).numpy() * 255


# -- in: every kind of picture ---------------------------------------------------


def test_rgb_keeps_its_values() -> None:
    np.testing.assert_allclose(values(Image.fromarray(COLORS)), COLORS, atol=1e-4)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_rotation_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    file = stored(Image.fromarray(COLORS), kind, exif=exif, **options)
    np.testing.assert_allclose(values(file), ORIENTATIONS[orientation](COLORS), atol=1e-4)


def test_transparency_lies_over_white() -> None:
    image = Image.new("RGBA", (3, 1))
    for x, pixel in enumerate([(200, 0, 0, 255), (0, 0, 0, 0), (0, 0, 0, 51)]):
        image.putpixel((x, 0), pixel)
    expected = [[[200, 0, 0], [255, 255, 255], [204, 204, 204]]]  # 255 - 51 = 204
    with pytest.warns(UserWarning, match=r"is partly transparent; it was laid over white\."):
        np.testing.assert_allclose(values(image), expected, atol=1)


def test_what_vanishes_on_white_is_said() -> None:
    icon = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    icon.paste("white", (1, 1, 3, 3))
    for image in (icon, Image.new("LA", (4, 4), (9, 0))):
        with pytest.warns(UserWarning, match="white, where hardly anything of it can be seen"):
            assert values(image).min() == 255


@pytest.mark.filterwarnings("ignore:.*laid over white")
@pytest.mark.parametrize("transparency", [None, 1])
def test_palette(transparency: int | None) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    options = {} if transparency is None else {"transparency": transparency}
    second = [200, 100, 50] if transparency is None else [255, 255, 255]
    np.testing.assert_allclose(
        values(stored(image, "PNG", **options)), [[[10, 20, 30], second]], atol=1e-4
    )


def test_gray_and_one_bit() -> None:
    np.testing.assert_allclose(values(Image.new("L", (1, 1), 77)), [[[77, 77, 77]]], atol=1e-4)
    bits = Image.new("1", (2, 1))
    bits.putpixel((1, 0), 1)
    np.testing.assert_allclose(values(stored(bits, "PNG")), [[[0] * 3, [255] * 3]], atol=1e-4)


def test_cmyk() -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # no cyan, so only red is left
    np.testing.assert_allclose(values(stored(image, "TIFF"))[3, 3], [255, 0, 0], atol=1)
    assert values(stored(image, "JPEG"))[0, 0, 0] > 240


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_gray_of_16_bits_is_not_clipped(kind: str) -> None:
    sixteen = np.array([[0, 255, 256, 1000, 40000, 65535]], dtype=np.uint16)
    tensor = read_image(stored(Image.fromarray(sixteen), kind))
    expected = torch.tensor(sixteen.astype(np.float32)) / 65535
    torch.testing.assert_close(tensor[0], expected.expand(3, 1, 6))


def test_rgb_of_16_bits() -> None:
    pixels = np.array([[[65535, 0, 32768], [1000, 40000, 256]]], dtype=">u2")
    file = io.BytesIO(png_of(2, 1, 16, 2, b"\0" + pixels.tobytes()))
    with pytest.warns(UserWarning, match="more than 8 bits a channel, but 8 come out"):
        np.testing.assert_allclose(values(file), pixels.astype(float) / 257, atol=1)


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (6, 4), color) for color in ("#ff0000", "#00ff00", "#0000ff")]
    for kind, options in {"GIF": {}, "WEBP": {"lossless": True}, "PNG": {}}.items():
        file = stored(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert Image.open(file).n_frames == 3
        with pytest.warns(UserWarning, match="of its 3 frames the first alone is used"):
            np.testing.assert_allclose(values(file)[2, 3], [255, 0, 0], atol=1, err_msg=kind)


def test_pages_are_said_once_and_by_name(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (6, 4), color) for color in ("#ff0000", "#00ff00")]
    path = tmp_path / "scan.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    sentence = "scan.tif: of its 2 pages the first alone is used."
    for read in (open_image, read_image):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", UserWarning)
            read(path)
        assert [str(w.message) for w in said if w.category is UserWarning] == [sentence]
    with Image.open(path) as image:
        assert cautions(image) == [sentence]


def test_a_second_picture_of_a_camera_is_no_frame() -> None:
    left, right = Image.new("RGB", (16, 16), "#ff0000"), Image.new("RGB", (16, 16), "#0000ff")
    file = stored(left, "MPO", save_all=True, append_images=[right])
    assert cautions(Image.open(file)) == []
    np.testing.assert_allclose(values(file)[8, 8], [254, 0, 0], atol=2)


def test_path_open_file_and_image_agree(photo_folder: Path) -> None:
    path = photo_folder / "cat.png"
    with path.open("rb") as file:
        from_file = read_image(file)
    for source in (path, str(path), Image.open(path)):
        assert torch.equal(read_image(source), from_file)


# -- in: what is no picture ------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_truncated_file(kind: str, tmp_path: Path) -> None:
    whole = stored(Image.effect_noise((64, 64), 80).convert("RGB"), kind).getvalue()
    path = tmp_path / f"half.{kind.lower()}"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf"half\.{kind.lower()} is (damaged|not a picture)"):
        read_image(path)


def test_what_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="is a folder, but a picture was expected"):
        read_image(tmp_path)
    with pytest.raises(
        ValueError, match=r"floating-point pictures have no agreed range; save it with 8 or 16"
    ):
        read_image(Image.new("F", (2, 2)))
    with pytest.raises(ValueError, match="do not fit into 16 bits"):
        read_image(Image.fromarray(np.array([[70000]], dtype=np.int32)))


def test_too_many_pixels() -> None:
    side = int(MAX_PIXELS**0.5) + 1
    header = png_of(side, side, 1, 0, b"")  # no pixels behind it: never decoded
    with pytest.raises(ValueError, match="has more than 100 million pixels; shrink or crop"):
        open_image(io.BytesIO(header))
    with pytest.raises(ValueError, match="has more than 100 million pixels"):
        read_image(Image.new("1", (side, side)))


# -- out -------------------------------------------------------------------------


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_out_undoes_in(pixels: np.ndarray) -> None:
    assert np.array_equal(np.asarray(to_image(read_image(Image.fromarray(pixels)))), pixels)


def test_out_clamps_and_rounds() -> None:
    numbers = torch.tensor([-0.2, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1.0, 1.5])
    assert to_bytes(numbers).tolist() == [0, 0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize(
    ("tensor", "error", "sentence"),
    [
        (torch.zeros(1, 3, 2, 2, dtype=torch.uint8), TypeError, r"use images.float\(\) / 255"),
        (torch.zeros(2, 3, 4, 4), ValueError, "pick one picture of a batch"),
        (torch.zeros(1, 1, 4, 4), ValueError, r"shape \(1, 4, 4\), but \(1, 3, h, w\)"),
        (torch.full((3, 2, 2), 128.0), ValueError, "from 128 to 128, .* divide 8-bit values"),
        (torch.full((3, 2, 2), torch.nan), ValueError, "runs from nan to nan"),
        (torch.zeros(3, 0, 2), ValueError, "it is empty"),
    ],
)
def test_out_refuses(tensor: torch.Tensor, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        to_image(tensor)
