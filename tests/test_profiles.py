"""Color profiles: within two levels of littleCMS' own answer, for every mode."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from srlab.images import cautions, open_image, read_image
from srlab.images.profiles import (
    ADOBE_CURVE,
    ADOBE_XY,
    D65,
    P3_XY,
    SRGB_CURVE,
    SRGB_XY,
    gray_profile,
    rgb_profile,
    to_srgb,
)
from tests.pictures import (
    ADOBE,
    P3,
    chunk,
    cmyk_profile,
    gray_gamma_profile,
    littlecms,
    png_with,
    stored,
    twice,
)

PIXELS = np.random.default_rng(1).integers(0, 256, (16, 16, 4), dtype=np.uint8)
RGB = Image.fromarray(PIXELS[..., :3])
GRAY = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
CMYK = Image.frombytes("CMYK", (16, 16), PIXELS.tobytes())


def levels(image: io.BytesIO | Image.Image) -> np.ndarray:
    """What a network sees, in 0 ... 255."""
    return read_image(image)[0].permute(1, 2, 0).numpy() * 255


def apart(one: np.ndarray | Image.Image, other: np.ndarray | Image.Image) -> float:
    """The largest difference of two pictures."""
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).max())


@pytest.mark.parametrize(
    ("image", "kind", "profile"),
    [
        (RGB, "PNG", P3),
        (RGB, "TIFF", P3),
        (RGB, "PNG", ADOBE),
        (GRAY, "PNG", gray_gamma_profile(1.8)),
        (GRAY, "TIFF", gray_gamma_profile(2.2)),
        (GRAY, "PNG", gray_gamma_profile(1.0)),
        (CMYK, "TIFF", cmyk_profile()),
    ],
)
def test_every_profile_is_honored(image: Image.Image, kind: str, profile: bytes) -> None:
    expected = littlecms(image, profile).astype(float)
    assert apart(image.convert("RGB"), expected) > 5, "the profile matters"
    assert apart(levels(stored(image, kind, icc_profile=profile)), expected) <= 2


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_lossy_kinds_carry_profiles_too(kind: str) -> None:
    flat = Image.new("RGB", (16, 16), (39, 180, 60))
    file = stored(flat, kind, icc_profile=P3, quality=100)
    stored_pixels = Image.open(io.BytesIO(file.getvalue())).convert("RGB")
    assert apart(levels(file), littlecms(stored_pixels, P3)) <= 2


def test_cmyk_jpeg_by_its_profile() -> None:
    """Adobe's JPEG stores the inks upside down; Pillow turns them."""
    flat = Image.new("CMYK", (16, 16), (200, 30, 90, 20))
    file = stored(flat, "JPEG", icc_profile=cmyk_profile(), quality=100)
    assert apart(levels(file), littlecms(flat, cmyk_profile())) <= 2


def test_an_enlargement_is_srgb_without_a_profile() -> None:
    flat = Image.new("RGB", (8, 8), (39, 180, 60))
    result = twice(stored(flat, "PNG", icc_profile=P3))
    assert "icc_profile" not in result.info
    assert np.abs(np.asarray(result) - littlecms(flat, P3)[0, 0].astype(int)).max() <= 2


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_beside_a_profile(mode: str) -> None:
    image = Image.new(mode, (4, 4), (39, 180, 60, 100) if mode == "RGBA" else (100, 100))
    profile = P3 if mode == "RGBA" else gray_gamma_profile(1.8)
    result = twice(stored(image, "PNG", icc_profile=profile))
    expected = littlecms(image.convert(mode[:-1]), profile)[0, 0]
    assert result.mode == mode
    *color, alpha = result.getpixel((3, 3))
    assert alpha == 100
    assert np.abs(np.array(color) - expected[: len(color)]).max() <= 2


def test_a_palette_with_a_profile() -> None:
    image = Image.new("RGB", (4, 4), (39, 180, 60))
    result = twice(stored(image.quantize(4), "PNG", icc_profile=P3))
    assert np.abs(np.asarray(result) - littlecms(image, P3)[0, 0].astype(int)).max() <= 2


def test_gray_of_16_bits_keeps_them_beside_a_profile() -> None:
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64)
    file = stored(Image.fromarray(ramp), "PNG", icc_profile=gray_gamma_profile(1.8))
    seen = read_image(file)[0, 0].numpy()
    linear = (ramp / 65535) ** (round(1.8 * 256) / 256)
    expected = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    assert np.abs(seen - expected).max() <= 2 / 255
    assert len(np.unique(seen)) > 3500, "not 256"


# -- what stands in for a profile -------------------------------------------------


FLAT = Image.new("RGB", (8, 8), (39, 180, 60))


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100000)))


CHRM_P3 = chunk(
    b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
)


@pytest.mark.parametrize(
    "chunks", [[chunk(b"cICP", bytes([12, 13, 0, 1]))], [gamma(0.45455), CHRM_P3]]
)
def test_display_p3_by_pngs_numbers(chunks: list[bytes]) -> None:
    expected = littlecms(FLAT, rgb_profile(P3_XY, D65, SRGB_CURVE))
    assert expected[0, 0].tolist() == [0, 183, 30]
    assert np.abs(levels(png_with(FLAT, *chunks)) - expected).max() <= 2


def test_pngs_gamma() -> None:
    assert apart(levels(png_with(FLAT, gamma(0.45455))), FLAT) < 0.1
    linear = np.array([39, 180, 60]) / 255
    expected = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(levels(png_with(FLAT, gamma(1.0)))[0, 0] - expected).max() <= 2
    srgb = chunk(b"sRGB", b"\0")
    assert apart(levels(png_with(FLAT, srgb, gamma(1.0))), FLAT) < 0.1
    assert apart(levels(png_with(FLAT, gamma(0))), FLAT) < 0.1


@pytest.mark.parametrize("exif", [{40961: 2}, {40961: 0xFFFF, 40965: {1: "R03"}}])
def test_adobe_rgb_by_exif(exif: dict[int, object]) -> None:
    data = Image.Exif()
    data[0x8769] = exif
    seen = levels(stored(FLAT, "PNG", exif=data))
    assert np.abs(seen - littlecms(FLAT, ADOBE)).max() <= 2


@pytest.mark.parametrize("curve", [16, 18])
def test_hdr_is_said(curve: int) -> None:
    file = png_with(FLAT, chunk(b"cICP", bytes([9, curve, 0, 1])))
    with pytest.warns(UserWarning, match="meant for an HDR screen"):
        open_image(file)


# -- profiles that say nothing ----------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "profile", "why"),
    [
        ("RGB", b"no profile at all", "it is broken"),
        ("RGB", P3[:200], "it is broken"),
        ("L", P3, "it is for RGB and the picture is GRAY"),
        ("RGB", gray_gamma_profile(2.2), "it is for GRAY and the picture is RGB"),
    ],
)
def test_a_useless_profile_is_said_and_passed_over(mode: str, profile: bytes, why: str) -> None:
    image = Image.new(mode, (4, 4), 100)
    file = stored(image, "PNG", icc_profile=profile)
    with pytest.warns(UserWarning, match=f"color profile was not used, since {why}; sRGB was"):
        seen = levels(file)
    assert np.abs(seen - np.asarray(image.convert("RGB"))).max() < 0.1


def test_an_srgb_profile_moves_nothing() -> None:
    profile = rgb_profile(SRGB_XY, D65, SRGB_CURVE)
    assert to_srgb(RGB, profile) is RGB
    assert to_srgb(GRAY, gray_profile(SRGB_CURVE)) is GRAY


def test_lab_stays_right_beside_its_profile() -> None:
    from PIL import ImageCms

    lab_profile = ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(
        FLAT, ImageCms.createProfile("sRGB"), lab_profile, outputMode="LAB"
    )
    data = ImageCms.ImageCmsProfile(lab_profile).tobytes()
    file = stored(lab, "TIFF", icc_profile=data)
    assert cautions(Image.open(io.BytesIO(file.getvalue()))) == []
    seen = levels(file)
    assert np.abs(seen - littlecms(lab, data)).max() <= 2
    assert np.abs(seen - np.asarray(FLAT)).max() <= 5, "Lab's own steps are wider"


def test_own_profiles_are_those_of_others() -> None:
    own = littlecms(RGB, rgb_profile(ADOBE_XY, D65, ADOBE_CURVE)).astype(int)
    assert np.abs(own - littlecms(RGB, ADOBE)).max() <= 1
