"""Photographs from the package, from folders, from data sets, and from nowhere."""

import shutil
import time
import urllib.request
from pathlib import Path

import pytest
import torch
from PIL import Image

from srlab import data
from srlab.data import embedded_photo, embedded_table, load_folder, load_photos
from srlab.files import cache_folder
from srlab.images import read_image


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no way to any network."""
    monkeypatch.setenv("SRLAB_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # The first download keeps its proxies for all that follow, in other tests, too.
    monkeypatch.setattr(urllib.request, "_opener", None)
    return tmp_path / "cache" / "datasets"


def write_pictures(folder: Path, names: list[str], size: tuple[int, int] = (40, 30)) -> None:
    """One picture a name, each brighter than the one before."""
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (20 * i, 0, 0)).save(folder / name)


# -- embedded --------------------------------------------------------------------


def test_embedded_splits_share_no_photograph() -> None:
    splits = {s: set(load_photos("embedded", s)) for s in ("train", "val", "test")}
    assert {split: len(names) for split, names in splits.items()} == {
        "train": 17, "val": 3, "test": 3,
    }  # fmt: skip
    assert len(set.union(*splits.values())) == 23 == len(embedded_table())


def test_embedded_photo_by_name() -> None:
    photo = load_photos("embedded", "val")
    name = min(photo)
    torch.testing.assert_close(embedded_photo(name)[0], photo[name].float() / 255)
    assert photo[name].dtype == torch.uint8
    with pytest.raises(ValueError, match=r"named 'dog'; there are .*chelsea-cat"):
        embedded_photo("dog")


def test_only_a_folder_shows_a_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lesson's cell prints the same however slow the machine is."""

    def slowly(file: Path) -> Image.Image:
        time.sleep(0.4)
        return read_image(file)

    monkeypatch.setattr(data, "read_image", slowly)
    load_photos("embedded", "val")
    assert capsys.readouterr().err == ""
    write_pictures(tmp_path, ["a.png", "b.png", "c.png"])
    load_folder(tmp_path)
    assert "photographs" in capsys.readouterr().err


# -- folders ---------------------------------------------------------------------


def test_folder_is_read_with_what_is_below(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["b.png", "a.JPG", "deep/er/c.webp", "zwölf 12.bmp"])
    (tmp_path / "notes.txt").write_text("no picture")
    photos = load_photos(tmp_path)
    assert list(photos) == ["a.JPG", "b.png", "deep/er/c.webp", "zwölf 12.bmp"]
    assert torch.equal(photos["b.png"], (read_image(tmp_path / "b.png")[0] * 255).byte())


def test_damaged_files_are_left_out_with_a_warning(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["good.png"])
    (tmp_path / "bad.jpg").write_text("no picture")
    with pytest.warns(UserWarning, match=r"left out: bad\.jpg is not a picture"):
        assert list(load_folder(tmp_path)) == ["good.png"]


def test_folders_and_dead_links_with_a_pictures_name(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["good.png"])
    (tmp_path / "album.jpg").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    with pytest.warns(UserWarning, match=r"left out: .*link\.png does not exist"):
        assert list(load_folder(tmp_path)) == ["good.png"]


def test_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no pictures; expected JPEG, PNG"):
        load_photos(tmp_path)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG")
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match="None of the pictures could be read"),
    ):
        load_photos(tmp_path)


def test_unknown_source_and_split(tmp_path: Path) -> None:
    choices = "embedded, oxford-iiit-pet, flowers102, imagenette"
    with pytest.raises(ValueError, match=f"imagenet is neither a folder nor one of: {choices}"):
        load_photos("imagenet")
    with pytest.raises(ValueError, match='split must be "train", "val" or "test", not \'dev\''):
        load_photos(tmp_path, "dev")  # type: ignore[arg-type]


def test_limit_takes_a_fixed_choice_and_warns(tmp_path: Path) -> None:
    write_pictures(tmp_path, [f"{i:02}.png" for i in range(12)])
    limit = 5 * 40 * 30 * 3
    with pytest.warns(UserWarning, match=r"5 of 12 photographs fill the limit of 0 MiB"):
        first = load_folder(tmp_path, limit=limit)
    with pytest.warns(UserWarning, match="the others are left out"):
        second = load_folder(tmp_path, limit=limit)
    assert len(first) == 5
    assert list(first) == list(second) == sorted(first)
    assert list(first) != [f"{i:02}.png" for i in range(5)]  # not just the first ones


def test_one_photograph_always_fits(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png"])
    assert len(load_folder(tmp_path, limit=1)) == 1


# -- data sets -------------------------------------------------------------------


def write_pets(root: Path) -> None:
    folder = root / "oxford-iiit-pet"
    write_pictures(folder / "images", ["Abyssinian_1.jpg", "beagle_7.jpg", "pug_3.jpg"])
    (folder / "annotations").mkdir()
    trainval = "Abyssinian_1 1 1 1\nbeagle_7 2 2 1\n"
    (folder / "annotations" / "trainval.txt").write_text(trainval)
    (folder / "annotations" / "test.txt").write_text("pug_3 3 2 2\n")


def write_imagenette(root: Path) -> None:
    names = ["n01440764/a.JPEG", "n03028079/b.JPEG", "n03028079/c.JPEG"]
    write_pictures(root / "imagenette2" / "train", names)
    write_pictures(root / "imagenette2" / "val", ["n01440764/d.JPEG"])


def test_oxford_pets_from_the_cache(cache: Path) -> None:
    write_pets(cache)
    train = load_photos("oxford-iiit-pet")
    assert list(train) == ["oxford-iiit-pet/0", "oxford-iiit-pet/1"]
    assert len(load_photos("oxford-iiit-pet", "test")) == 1
    assert train["oxford-iiit-pet/0"].shape == (3, 30, 40)


def test_imagenette_from_the_cache(cache: Path) -> None:
    write_imagenette(cache)
    assert len(load_photos("imagenette")) == 3
    assert len(load_photos("imagenette", "val")) == 1


def test_damaged_picture_in_a_data_set_is_left_out(cache: Path) -> None:
    write_pets(cache)
    (cache / "oxford-iiit-pet" / "images" / "beagle_7.jpg").write_bytes(b"cut off")
    with pytest.warns(UserWarning, match="left out"):
        assert list(load_photos("oxford-iiit-pet")) == ["oxford-iiit-pet/0"]


@pytest.mark.parametrize("name", ["oxford-iiit-pet", "flowers102", "imagenette"])
def test_without_a_network_the_embedded_choice_is_named(cache: Path, name: str) -> None:
    sentence = f'{name} could not be downloaded .*without a network use source="embedded"'
    with pytest.raises(ConnectionError, match=sentence):
        load_photos(name)
    assert cache.exists()


def test_a_half_unpacked_data_set_is_no_traceback(cache: Path) -> None:
    write_pets(cache)
    (cache / "oxford-iiit-pet" / "annotations" / "trainval.txt").unlink()
    with pytest.raises(ConnectionError, match='use source="embedded"'):
        load_photos("oxford-iiit-pet")
    shutil.rmtree(cache)


def test_cache_folder_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SRLAB_CACHE", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "srlab"
