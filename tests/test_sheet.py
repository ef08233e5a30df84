"""The sheet of crops: each pixel where it belongs, and crops that nobody has learned from."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from srlab.data import degrade, embedded_table
from srlab.images import read_image, save_image, to_image
from srlab.inference import enlarge_in_tiles
from srlab.metrics import luma
from srlab.models import Bicubic
from srlab.sheet import (
    CROPS,
    FONT_SIZE,
    GAP,
    LINE,
    Crop,
    draw_sheet,
    psnr_of_crop,
    read_crops,
    require_ending,
    shipped_models,
)
from srlab.zoo import load_model
from tests.conftest import Command
from tests.test_setup import LICENSES

WANTED = {
    "face", "fur", "hair", "text", "brick", "leaves", "sky", "grass", "fabric", "night",
    "gravel", "straight edge",
}  # fmt: skip


@pytest.fixture(scope="module")
def cat(photo: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 96 x 128 px."""
    path = tmp_path_factory.mktemp("sheet") / "cat.png"
    to_image(photo).save(path)
    return path


@pytest.fixture
def crop(cat: Path) -> Crop:
    return Crop("cat", cat, 48, 32, 24)


def tile(sheet: Image.Image, column: int, side: int, zoom: int) -> np.ndarray:
    """A tile of the first row, a number a pixel."""
    left = column * (side * zoom + GAP)
    area = sheet.crop((left, LINE, left + side * zoom, LINE + side * zoom))
    return np.array(area)


def pixels(sr: Tensor) -> np.ndarray:
    """uint8 (3, h, w) as Pillow has it."""
    return sr.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("zoom", [1, 3])
def test_input_bicubic_and_truth_stand_where_they_belong(crop: Crop, zoom: int) -> None:
    sheet = draw_sheet([crop], {}, zoom=zoom)
    assert sheet.size == (3 * 24 * zoom + 2 * GAP, 2 * LINE + GAP + 24 * zoom)
    hr = read_image(crop.file)
    lr = degrade(hr, 4)
    small = (lr * 255).round().byte()[0, :, 8:14, 12:18]
    sr = enlarge_in_tiles(Bicubic(4), lr, scale=4)[:, 32:56, 48:72]
    truth = (hr * 255).round().byte()[0, :, 32:56, 48:72]
    for column, (picture, square) in enumerate([(small, zoom * 4), (sr, zoom), (truth, zoom)]):
        drawn = np.kron(pixels(picture), np.ones((square, square, 1), np.uint8))
        assert np.array_equal(tile(sheet, column, 24, zoom), drawn)


def test_a_network_sees_what_lies_around_the_crop(crop: Crop) -> None:
    network = load_model("small-x4", 4)
    sheet = draw_sheet([crop], {"small-x4": network}, zoom=1)
    whole = enlarge_in_tiles(network, degrade(read_image(crop.file), 4), scale=4)
    assert np.array_equal(tile(sheet, 2, 24, 1), pixels(whole[:, 32:56, 48:72]))


def test_a_crop_may_begin_at_any_pixel(cat: Path) -> None:
    """What is reduced with it begins a multiple of 8 before it, the grid of each scale."""
    sheet = draw_sheet([Crop("cat", cat, 45, 29, 24)], {}, zoom=1)
    part = read_image(cat)[..., 5:93, 5:125]
    sr = enlarge_in_tiles(Bicubic(4), degrade(part, 4), scale=4)
    assert np.array_equal(tile(sheet, 1, 24, 1), pixels(sr[:, 24:48, 40:64]))


def test_the_figure_is_that_of_skimage(photo: Tensor) -> None:
    other = (photo * 0.9 * 255).round() / 255
    oracle = peak_signal_noise_ratio(
        luma(photo).double().numpy(), luma(other).double().numpy(), data_range=1
    )
    assert psnr_of_crop(other, photo) == pytest.approx(oracle, abs=1e-3)


def test_each_enlargement_has_its_figures_and_the_truth_has_none(crop: Crop) -> None:
    sheet = draw_sheet([crop], {"again": Bicubic(4)}, zoom=4)
    below = np.array(sheet.convert("L"))[-LINE - GAP :]
    words = [below[:, c * 100 : c * 100 + 96].min() < 128 for c in range(4)]
    assert words == [True, True, True, False]
    sr, hr = (tile(sheet, column, 24, 4)[::4, ::4] / 255 for column in (1, 3))
    figure = psnr_of_crop(*(torch.tensor(x).permute(2, 0, 1)[None].float() for x in (sr, hr)))
    drawn = Image.new("L", (96, LINE), "white")
    font = ImageFont.load_default(FONT_SIZE)
    ImageDraw.Draw(drawn).text((0, 0), f"{figure:.1f} dB", fill="black", font=font)
    assert np.array_equal(below[:LINE, 100:196], np.array(drawn)), "under bicubic, its PSNR"


def test_a_long_name_stays_in_its_column(crop: Crop) -> None:
    sheet = draw_sheet([crop], {"a/very/long/path/to/last.safetensors": Bicubic(4)}, zoom=2)
    head = np.array(sheet.convert("L"))[:LINE]
    assert head[:, 2 * (48 + GAP) : 2 * (48 + GAP) + 48].min() < 128
    assert head[:, 3 * (48 + GAP) - GAP : 3 * (48 + GAP)].min() == 255


@pytest.mark.parametrize(("scale", "size"), [(2, 24), (8, 32)])
def test_other_scales(cat: Path, scale: int, size: int) -> None:
    sheet = draw_sheet([Crop("cat", cat, 40, 40, size)], {}, scale=scale, zoom=1)
    assert sheet.size == (3 * size + 2 * GAP, 2 * LINE + GAP + size)


@pytest.mark.parametrize(
    ("left", "top", "size", "sentence"),
    [
        (48, 32, 26, r"cat: the crop of 26 px at 48, 32 must be divisible by scale \(=4\)"),
        (48, 32, 0, "must be divisible"),
        (108, 32, 24, r"does not lie in cat.png of 128 x 96 px; move it"),
        (48, 76, 24, "does not lie in cat.png"),
        (-4, 32, 24, "does not lie in cat.png"),
    ],
)
def test_crops_that_cannot_be_cut(
    cat: Path, left: int, top: int, size: int, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        draw_sheet([Crop("cat", cat, left, top, size)], {})


def test_no_crop_at_all() -> None:
    with pytest.raises(ValueError, match="There are no crops, but at least one was expected"):
        draw_sheet([], {})


def write_table(folder: Path, text: str) -> Path:
    table = folder / "crops.csv"
    table.write_text(text, encoding="utf-8")
    return table


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    table = write_table(tmp_path, "file,shows,left,top,size,why\na.png,eye,1,2,8,nice\n")
    assert read_crops(table) == [Crop("eye", tmp_path / "a.png", 1, 2, 8)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no shows, file, left, top, size, but a line of names"),
        ("shows,file,left,top\na,a.png,1,2\n", "has no size, but"),
        ("shows,file,left,top,size\na,a.png,1,2,8.5\n", "csv, a: left, top and size are 1, 2"),
        ("shows,file,left,top,size\na,a.png,1\n", "whole numbers of px were expected"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_crops(write_table(tmp_path, text))


def test_endings() -> None:
    require_ending(Path("a.WEBP"))
    with pytest.raises(ValueError, match=r"a.txt is no name for a sheet; it should end in"):
        require_ending(Path("a.txt"))


def test_webp_keeps_every_pixel_where_it_is_told_to(photo: Tensor, tmp_path: Path) -> None:
    image, path = to_image(photo), tmp_path / "a.webp"
    save_image(image, path)
    assert not np.array_equal(np.array(Image.open(path)), np.array(image))
    save_image(image, path, lossless=True)
    assert np.array_equal(np.array(Image.open(path)), np.array(image))


# -- the package's own --------------------------------------------------------------


def rows(name: str) -> list[dict[str, str]]:
    with (CROPS.parent / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_twelve_crops_can_all_be_drawn() -> None:
    crops = read_crops()
    assert {crop.shows for crop in crops} == WANTED
    assert len(crops) == 12
    width, height = draw_sheet(crops, {}, scale=8, zoom=1).size
    assert (width, height) == (3 * 96 + 2 * GAP, LINE + 12 * (96 + LINE + GAP))


def test_the_table_says_who_has_seen_them() -> None:
    split = {row["file"]: row["split"] for row in embedded_table()}
    for row in rows("crops.csv"):
        file = Path(row["file"])
        assert row["seen"] == split.get(file.name, "never")
        assert row["seen"] != "train"
        assert (file.parts[0] == "..") == (file.name in split)


def test_its_own_photographs_have_author_and_license() -> None:
    credited = {row["file"]: row for row in rows("ATTRIBUTION.csv")}
    files = {path.name for path in CROPS.parent.glob("*.jpg")}
    assert files == credited.keys()
    assert files == {r["file"] for r in rows("crops.csv") if not r["file"].startswith("..")}
    for row in credited.values():
        assert all(row.values())
        assert row["license"] in LICENSES
        with Image.open(CROPS.parent / row["file"]) as image:
            assert max(image.size) <= 512
            assert not image.getexif()


def test_the_stored_sheet_has_a_column_for_each_network() -> None:
    path = CROPS.parent / "sheet-x4.webp"
    with Image.open(path) as image:
        assert image.width == (len(shipped_models(4)) + 3) * (2 * 96 + GAP) - GAP
        assert image.height == LINE + 12 * (2 * 96 + LINE + GAP)
    assert path.stat().st_size <= 1.3e6


def test_shipped_models_come_from_plain_to_deep() -> None:
    assert shipped_models(4)[:3] == ["small-x4", "pixel-x4", "perceptual-x4"]
    assert set(shipped_models(2)) >= {"small-x2", "pixel-x2"}
    assert all(name.endswith("-x8") for name in shipped_models(8))


# -- the command -------------------------------------------------------------------


def test_the_command(command: Command, cat: Path, checkpoint: Path, tmp_path: Path) -> None:
    table = write_table(cat.parent, "shows,file,left,top,size\neye,cat.png,40,40,16\n")
    asked = ("sheet", tmp_path / "new" / "a.png", "--crops", table, "--zoom", 1)
    done = command(*asked, "--only", "--model", checkpoint, "--model", "small-x4")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == tmp_path / "new" / "a.png"
    with Image.open(tmp_path / "new" / "a.png") as image:
        assert image.width == 5 * (16 + GAP) - GAP
    again = command(*asked, "--only")
    assert again.stdout.strip().endswith("a-2.png")


def test_the_command_refuses_before_it_works(command: Command, tmp_path: Path) -> None:
    done = command("sheet", tmp_path / "a.txt")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("srlab: ")
    assert len(done.stderr.splitlines()) == 1
    missing = command("sheet", tmp_path / "a.png", "--crops", tmp_path / "no.csv")
    assert (missing.returncode, len(missing.stderr.splitlines())) == (2, 1)
    assert not list(tmp_path.iterdir())
