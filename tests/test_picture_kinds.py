"""One list of picture kinds, and a sentence for each kind that is not on it."""

import io
from pathlib import Path

import pytest
from PIL import Image

from srlab.images import open_image, picture_suffixes, read_image
from srlab.images.kinds import extra_kind, jxl_size
from tests import warm
from tests.pictures import stored

FLAT = Image.new("RGB", (32, 16), (90, 120, 150))

WITHOUT_EXTRAS = """
import sys
sys.modules["pillow_heif"] = sys.modules["pillow_jxl"] = None  # as if not installed
from srlab.images import open_image, picture_suffixes
print(sorted({".heic", ".jxl", ".png"} & picture_suffixes()))
for name in sys.argv[1:]:
    try:
        open_image(name)
    except ValueError as error:
        print(error)
"""


def test_the_endings_of_pictures() -> None:
    suffixes = picture_suffixes()
    usual = ".jpg .jpeg .png .webp .tif .tiff .gif .bmp .jfif .jpe .avif .jp2 .ppm .pgm .tga"
    assert set(usual.split()) <= suffixes
    assert {".heic", ".heif", ".jxl"} <= suffixes
    assert not {".eps", ".ps", ".pdf", ".wmf", ".h5", ".mpg", ".fits", ".cur"} & suffixes
    assert all(suffix == suffix.lower() for suffix in suffixes)


ENDINGS = "jpg jfif jpe png webp avif jp2 ppm tga bmp gif tif heic jxl pcx sgi dds qoi ico"


@pytest.mark.parametrize("ending", ENDINGS.split())
def test_each_ending_opens(ending: str, tmp_path: Path) -> None:
    assert f".{ending}" in picture_suffixes()
    path = tmp_path / f"a.{ending}"
    picture = FLAT.resize((16, 16)) if ending == "ico" else FLAT
    picture.save(path, Image.registered_extensions()[f".{ending}"])
    assert abs(read_image(path).mean() * 255 - 120) < 4
    extras = {"heic": "HEIC", "jxl": "JPEG XL"}
    assert extra_kind(path.read_bytes()) == extras.get(ending), "AVIF is no HEIC"


@pytest.mark.parametrize(
    ("kind", "pip"), [("HEIF", "pillow-heif"), ("JXL", "pillow-jxl-plugin")]
)
def test_what_is_missing_is_named(kind: str, pip: str, tmp_path: Path) -> None:
    picture_suffixes()  # teaches Pillow to write them
    ending, what = {"HEIF": ("heic", "HEIC"), "JXL": ("jxl", "JPEG XL")}[kind]
    names = [f"photo.{ending}", "photo.jpg"]
    for name in names:
        FLAT.save(tmp_path / name, kind)
    done = warm.python("-c", WITHOUT_EXTRAS, *(tmp_path / name for name in names))
    said = f"is a {what} picture, which needs {pip}: pip install {pip}"
    assert done.stdout.splitlines() == ["['.png']", *(f"{name} {said}" for name in names)]


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "is a PostS"),
        (b"\xc5\xd0\xd3\xc6" + bytes(60), "is a PostScript file, which is no photograph"),
        (b"%PDF-1.7\n", "is a PDF file, which is no photograph; export it as PNG first"),
        (b"SIMPLE  =                    T" + bytes(99), "is not a picture that can be read"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "is a damaged HEIC picture"),
        (b"\xff\x0a" + bytes(40), "is damaged"),
    ],
)
def test_what_is_refused_whatever_its_name(head: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(head)
    with pytest.raises(ValueError, match=rf"photo\.png {sentence}"):
        open_image(path)


@pytest.mark.parametrize(
    "size", [(64, 64), (640, 480), (1000, 333), (17, 9), (90, 60), (1920, 1080)]
)
def test_the_size_of_jpeg_xl_is_read_first(size: tuple[int, int]) -> None:
    picture_suffixes()
    exif = Image.Exif()
    exif[315] = "Ada"
    for options in ({}, {"exif": exif.tobytes()}):  # the bare picture, and a box
        file = stored(Image.new("RGB", size), "JXL", **options)
        assert jxl_size(file.getvalue()) == size


def test_a_bomb_of_jpeg_xl() -> None:
    """Its header says 200,000 x 200,000 px; its plugin would unpack it at once."""
    side = 200_000 - 1
    bits = 0 | 2 << 1 | side << 3 | 0 << 21 | 2 << 24 | side << 26
    file = io.BytesIO(b"\xff\x0a" + bits.to_bytes(12, "little") + bytes(99))
    with pytest.raises(ValueError, match="has more than 100 million pixels"):
        open_image(file)


def test_heic_and_jpeg_xl_come_out_right(tmp_path: Path) -> None:
    picture_suffixes()
    exif = Image.Exif()
    exif[274] = 6
    for ending, kind in (("heic", "HEIF"), ("jxl", "JXL")):
        path = tmp_path / f"a.{ending}"
        FLAT.save(path, kind, exif=exif.tobytes())
        seen = read_image(path)
        # HEIC's plugin writes the rotation where its readers look; JPEG XL's does not.
        assert seen.shape[-2:] == ((32, 16) if ending == "heic" else (16, 32))


def test_a_raw_file_is_said_to_be_a_preview(tmp_path: Path) -> None:
    from PIL import TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    FLAT.save(tmp_path / "a.dng", "TIFF", tiffinfo=tags)
    with pytest.warns(UserWarning, match="a preview of 32 x 16 px is all that can be read"):
        open_image(tmp_path / "a.dng")
