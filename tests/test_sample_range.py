"""Gray of more than 8 bits: white and black by the file's word, or said."""

import io
import re
import warnings

import numpy as np
import pytest
from PIL import Image

from srlab.images import open_image, read_image
from tests.pictures import Make, raw_tiff, stored, tiff, twice

RAMP = np.linspace(0, 1, 256).reshape(16, 16)


def ramp(largest: int, dtype: type = np.uint16) -> np.ndarray:
    return np.rint(RAMP * largest).astype(dtype)


def pgm(largest: int) -> io.BytesIO:
    return io.BytesIO(b"P5 16 16 %d\n" % largest + ramp(largest).astype(">u2").tobytes())


def twelve_bits() -> io.BytesIO:
    """Two values in three bytes, as TIFF packs them."""
    values = ramp(4095).reshape(-1, 2).astype(np.uint32)
    words = values[:, 0] << 12 | values[:, 1]
    packed = np.stack([words >> 16, words >> 8, words], axis=1).astype(np.uint8)
    file = raw_tiff(packed.reshape(16, 24), 12)
    data = file.getvalue().replace(b"\0\1\4\0\1\0\0\0\x18\0\0\0", b"\0\1\4\0\1\0\0\0\x10\0\0\0")
    return io.BytesIO(data)


@pytest.mark.parametrize(
    "make",
    [
        lambda: stored(Image.fromarray(ramp(65535)), "PNG"),
        lambda: stored(Image.fromarray(ramp(65535)), "TIFF"),
        lambda: tiff(ramp(4095), largest=4095),
        lambda: tiff(ramp(1023), largest=1023),
        lambda: tiff(ramp(4095), meant_largest=4095),
        lambda: raw_tiff(ramp(30000), 16, meant_largest=30000, largest=20000),
        lambda: raw_tiff(1000 + ramp(3000), 16, meant_least=1000, meant_largest=4000),
        lambda: raw_tiff(65535 - ramp(65535), 16, photometric=0),
        lambda: raw_tiff(4095 - ramp(4095), 16, photometric=0, largest=4095),
        lambda: raw_tiff(ramp(32767, np.int16), 16, sample_format=2),
        lambda: raw_tiff(ramp(2**32 - 1, np.uint32), 32),
        lambda: raw_tiff(ramp(2**31 - 1, np.int32), 32, sample_format=2),
        lambda: raw_tiff(ramp(2**20 - 1, np.uint32), 32, largest=2**20 - 1),
        lambda: pgm(65535),
        lambda: pgm(4095),
        lambda: pgm(1023),
        twelve_bits,
    ],
)
def test_a_ramp_is_a_ramp(make: Make) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*that was taken as white")
        seen = read_image(make())[0, 0].numpy()
        assert np.abs(seen - RAMP).max() < 1e-3
        result = twice(make())
    assert result.mode == "I;16"
    assert np.asarray(result).max() > 65000
    assert np.asarray(result).min() < 500


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: tiff(ramp(4095)), "its highest value is 4095 of 65535, .* its values by 16"),
        (lambda: stored(Image.fromarray(ramp(1023)), "PNG"), "1023 of 65535, .* by 64"),
        (lambda: raw_tiff(ramp(4095), 16, photometric=0), "nearly of one shade"),
        (lambda: raw_tiff(ramp(2**20, np.uint32), 32), "1048576 of 4294967295"),
        (lambda: raw_tiff(ramp(60000, np.uint32), 32), "60000 of 32 bits; 65535 was taken"),
        (lambda: tiff(ramp(60000), largest=4095), "60000 occurs, though it says .* above 4095"),
        (lambda: tiff(ramp(3000), meant_largest=3000), "3000; that was taken as white"),
        (lambda: pgm(65535 // 1), None),
    ],
)
def test_a_guess_is_said(make: Make, sentence: str | None) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_image(make())
    said = [str(warning.message) for warning in caught]
    assert len(said) == (sentence is not None), said
    assert all(re.search(str(sentence), one) for one in said)


def test_a_dark_picture_of_32_bits_is_read_by_16() -> None:
    with pytest.warns(UserWarning, match="65535 was taken as white"):
        seen = read_image(raw_tiff(ramp(65000, np.uint32), 32))
    assert seen.max() == pytest.approx(65000 / 65535)


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_numbers_below_zero_are_refused(bits: int) -> None:
    values = (ramp(200).astype(int) - 100).astype(f"<i{bits // 8}")
    with pytest.raises(ValueError, match=r"numbers below zero have no agreed range; save it"):
        read_image(raw_tiff(values, bits, sample_format=2))


def test_more_than_8_bits_of_color_are_said() -> None:
    ppm = b"P6 16 16 1023\n" + ramp(1023).repeat(3).astype(">u2").tobytes()
    with pytest.warns(UserWarning, match="more than 8 bits a channel, but 8 come out"):
        open_image(io.BytesIO(ppm))
    dark = b"P6 16 16 65535\n" + ramp(4095).repeat(3).astype(">u2").tobytes()
    with pytest.warns(UserWarning, match="8 come out; none of them is above 16"):
        open_image(io.BytesIO(dark))


def test_16_bits_beside_transparency() -> None:
    values = np.array([[0, 1000], [20000, 65535]], dtype=np.uint16)
    file = stored(Image.fromarray(values), "PNG", transparency=1000)
    with pytest.warns(UserWarning, match="16 bits and transparency, beside which 8 bits come"):
        result = twice(file)
    assert result.mode == "LA"
