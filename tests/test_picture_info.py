"""Who, when and how stays with a picture; where does not, unless asked for."""

import io
import struct
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from srlab.images import open_image, save_image
from tests.pictures import chunk, png_with, stored, twice

ORIENTATION, DATE, ARTIST, COPYRIGHT, DESCRIPTION = 274, 306, 315, 33432, 270
PHOTO, GPS, TAKEN = 0x8769, 0x8825, 36867
EXIF_KINDS = ["jpg", "png", "webp", "tif", "avif", "heic", "jxl"]
FLAT = Image.new("RGB", (8, 4), (90, 120, 150))


def holiday() -> Image.Exif:
    """As a phone writes it."""
    exif = Image.Exif()
    exif.update(
        {ORIENTATION: 6, DATE: "2026:05:01 10:00:00", ARTIST: "Ada", COPYRIGHT: "(c) Ada"}
    )
    exif[PHOTO] = {
        TAKEN: "2026:05:01 10:00:00", 33434: 0.01, 37500: b"48.8584 N", 40961: 0xFFFF,
        40962: 8, 40963: 4, 42036: "a lens",
    }  # fmt: skip
    exif[GPS] = {1: "N", 2: (48.0, 51.0, 30.0)}
    return exif


def exif_of(info: dict[Any, Any]) -> Image.Exif:
    exif = Image.Exif()
    exif.load(info.get("exif", b""))
    return exif


def written(result: Image.Image, path: Path) -> Image.Image:
    save_image(result, path)
    return Image.open(io.BytesIO(path.read_bytes()))


# -- EXIF -------------------------------------------------------------------------


@pytest.mark.parametrize("ending", EXIF_KINDS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_is_kept_and_the_place_is_not(kind: str, ending: str, tmp_path: Path) -> None:
    source = stored(
        FLAT, kind, exif=holiday(), **({"dpi": (300, 300)} if kind != "WEBP" else {})
    )
    image = written(twice(source), tmp_path / f"a.{ending}")
    assert image.size == (8, 16), "upright"
    exif = image.getexif()
    assert exif.get(ORIENTATION, 1) == 1
    assert [exif[tag] for tag in (DATE, ARTIST, COPYRIGHT)] == [
        "2026:05:01 10:00:00", "Ada", "(c) Ada",
    ]  # fmt: skip
    photo = exif.get_ifd(PHOTO)
    assert photo[TAKEN] == "2026:05:01 10:00:00"
    assert photo[42036] == "a lens"
    assert photo[40961] == 1, "sRGB"
    assert not {37500, 40962, 40963} & photo.keys(), "maker's notes, and sizes of before"
    assert not exif.get_ifd(GPS)
    assert b"48.8584" not in (tmp_path / f"a.{ending}").read_bytes()


@pytest.mark.parametrize("ending", EXIF_KINDS)
def test_the_place_is_kept_when_asked_for(ending: str, tmp_path: Path) -> None:
    result = twice(stored(FLAT, "JPEG", exif=holiday()), keep_location=True)
    gps = written(result, tmp_path / f"a.{ending}").getexif().get_ifd(GPS)
    assert gps[1] == "N"
    assert [float(part) for part in gps[2]] == [48.0, 51.0, 30.0]


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_dpi_is_kept(kind: str, ending: str, tmp_path: Path) -> None:
    result = twice(stored(FLAT, kind, dpi=(300, 300)))
    image = written(result, tmp_path / f"a.{ending}")
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("ending", ["webp", "avif"])
def test_dpi_is_kept_as_exif(ending: str, tmp_path: Path) -> None:
    result = twice(stored(FLAT, "PNG", dpi=(300, 200)))
    exif = written(result, tmp_path / f"a.{ending}").getexif()
    assert [float(exif[tag]) for tag in (282, 283)] == pytest.approx([300, 200], abs=0.1)
    assert exif[296] == 2


def test_without_dpi_none_is_made_up() -> None:
    assert twice(stored(FLAT, "TIFF")).info == {}
    assert twice(FLAT).info == {}


def test_letters_beyond_ascii(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ARTIST] = "Jürgen Ångström 写真".encode()
    image = written(twice(stored(FLAT, "JPEG", exif=exif)), tmp_path / "a.jpg")
    assert image.getexif()[ARTIST].encode("latin-1").decode() == "Jürgen Ångström 写真"


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x3b\0\x02\xff\xff\xff\xff\0\0\0\x08\x87\x69\0\x04",
    ],
)
def test_broken_exif_never_loses_a_picture(exif: bytes, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = twice(stored(FLAT, "JPEG", exif=exif), keep_location=True)
        written(result, tmp_path / "a.jpg")
    assert result.size == (16, 8)


def test_a_tag_that_cannot_be_written_goes_alone() -> None:
    exif = holiday()
    exif[271] = b"\xff" * 9
    exif[18246] = "no number"
    result = exif_of(twice(stored(FLAT, "PNG", exif=exif)).info)
    assert result[ARTIST] == "Ada"


def test_long_entries_and_thumbnails_are_left_out(tmp_path: Path) -> None:
    exif = holiday()
    exif[DESCRIPTION] = "a prompt " * 6000
    source = stored(FLAT, "JPEG", exif=exif)
    written(twice(source), tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").stat().st_size < 3000


# -- XMP, IPTC and PNG's texts -----------------------------------------------------

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmp:CreateDate="2021-02-03T04:05:06+01:00"
 tiff:Orientation="6" exif:GPSLatitude="48,51.5N">
<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">(c) Ada</rdf:li></rdf:Alt></dc:rights>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def with_xmp(kind: str) -> io.BytesIO:
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
        return stored(FLAT, kind, pnginfo=texts)
    if kind == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[700] = XMP
        return stored(FLAT, kind, tiffinfo=tags)
    return stored(FLAT, kind, xmp=XMP)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_xmp_gives_its_words_and_its_rotation(kind: str, tmp_path: Path) -> None:
    image = written(twice(with_xmp(kind)), tmp_path / "a.jpg")
    exif = image.getexif()
    assert image.size == (8, 16)
    assert (exif[ARTIST], exif[COPYRIGHT]) == ("Ada, Bob", "(c) Ada")
    assert exif.get_ifd(PHOTO)[TAKEN] == "2021:02:03 04:05:06"
    assert exif.get(ORIENTATION, 1) == 1
    data = (tmp_path / "a.jpg").read_bytes()
    assert b"GPS" not in data
    assert b"Orientation" not in data


def test_xmp_bombs_are_passed_over() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 1000 + b'">]>' + XMP
    assert "exif" not in twice(stored(FLAT, "WEBP", xmp=bomb)).info


def iptc(*entries: tuple[int, bytes]) -> bytes:
    """A JPEG segment as Photoshop writes it."""
    data = b"".join(b"\x1c\x02" + struct.pack(">BH", n, len(d)) + d for n, d in entries)
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)
    segment = b"Photoshop 3.0\0" + block
    return b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment


def test_iptc_gives_its_words() -> None:
    segment = iptc(
        (55, b"20200102"), (60, b"030405+0100"), (80, "Jürgen".encode()), (90, b"Paris"),
        (116, b"(c) J"), (120, b"a tower"),
    )  # fmt: skip
    info = twice(stored(FLAT, "JPEG", extra=segment)).info
    exif = exif_of(info)
    assert exif[ARTIST].encode("latin-1").decode() == "Jürgen"
    assert (exif[COPYRIGHT], exif[DESCRIPTION]) == ("(c) J", "a tower")
    assert exif.get_ifd(PHOTO)[TAKEN] == "2020:01:02 03:04:05"
    assert b"Paris" not in info["exif"]


def test_pngs_texts_are_kept_and_prompts_are_not(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Ada")
    texts.add_itxt("Copyright", "© Ada")
    texts.add_text("Creation Time", "Fri, 02 Jan 2026 03:04:05 +0100")
    texts.add_text("Comment", "a prompt " * 1000)
    texts.add_text("parameters", "masterpiece, 8k " * 70_000, zip=True)
    image = written(twice(stored(FLAT, "PNG", pnginfo=texts)), tmp_path / "a.png")
    assert image.text == {
        "Author": "Ada", "Copyright": "© Ada",
        "Creation Time": "Fri, 02 Jan 2026 03:04:05 +0100",
    }  # fmt: skip
    exif = written(twice(stored(FLAT, "PNG", pnginfo=texts)), tmp_path / "a.jpg").getexif()
    assert exif[ARTIST] == "Ada"
    assert exif.get_ifd(PHOTO)[TAKEN] == "2026:01:02 03:04:05"


def test_texts_behind_the_pixels_count() -> None:
    data = stored(FLAT, "PNG").getvalue()
    end = data.index(b"IEND") - 4
    file = io.BytesIO(data[:end] + chunk(b"tEXt", b"Author\0Ada") + data[end:])
    assert twice(file).info["Author"] == "Ada"


# -- long texts are no damage, and no bombs ------------------------------------------


def test_a_long_history_is_no_damage() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode() + " " * 5_000_000, zip=True)
    result = twice(stored(FLAT, "PNG", pnginfo=texts))
    assert exif_of(result.info)[ARTIST] == "Ada, Bob"


def test_texts_without_end_are_passed_over() -> None:
    bomb = zlib.compress(bytes(40_000_000), 9)
    chunks = [chunk(b"zTXt", b"Comment\0\0" + bomb) for _ in range(20)]
    began = time.process_time()
    file = png_with(FLAT, *chunks)
    with pytest.warns(UserWarning, match="its texts are too long and were left out") as caught:
        image = open_image(file)
    assert caught[0].filename == __file__
    assert twice(image).size == (16, 8)
    data = stored(FLAT, "PNG").getvalue()
    behind = io.BytesIO(data[:-12] + b"".join(chunks) + data[-12:])
    assert twice(behind).size == (16, 8)
    assert time.process_time() - began < 5
