"""What counts as a picture in a folder: one walk for every command."""

import os
import sys
import warnings
from pathlib import Path

import pytest
from PIL import Image

from srlab.images import picture_suffixes
from srlab.images.folders import (
    earlier_results,
    find_pictures,
    hr_and_lr,
    is_hidden,
)


def write(folder: Path, *names: str) -> None:
    """One picture a name; several names of a kind are different files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3)).save(folder / name, "PNG")


def names(folder: Path, **options: object) -> list[str]:
    """What is found, in silence."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return list(find_pictures(folder, **options))  # type: ignore[arg-type]


def told(folder: Path, **options: object) -> tuple[list[str], str]:
    """What is found, and the one sentence about the rest."""
    with pytest.warns(UserWarning, match="left out") as caught:
        found = list(find_pictures(folder, **options))  # type: ignore[arg-type]
    assert len(caught) == 1
    said = str(caught[0].message)
    assert said.startswith(f"left out of {folder}: ")
    return found, said.removeprefix(f"left out of {folder}: ")


def test_every_kind_that_can_be_opened_counts(tmp_path: Path) -> None:
    every = sorted(f"{ending[1:]}{ending}" for ending in picture_suffixes())
    write(tmp_path, *every, "capitals.JPG")
    assert names(tmp_path) == sorted([*every, "capitals.JPG"])
    assert {".jfif", ".avif", ".jpe", ".tga", ".ppm", ".jp2"} <= picture_suffixes()


def test_what_is_below_is_named_from_the_folder(tmp_path: Path) -> None:
    write(tmp_path, "b.png", "a/c.png", "a/d/e.png")
    assert names(tmp_path) == ["a/c.png", "a/d/e.png", "b.png"]
    assert find_pictures(tmp_path)["a/c.png"] == tmp_path / "a" / "c.png"


def test_hidden_things_and_those_of_systems_are_left_out_in_one_line(tmp_path: Path) -> None:
    write(tmp_path, "one.png", "._one.png", ".ipynb_checkpoints/one-checkpoint.png")
    write(tmp_path, ".thumbnails/a.png", "@eaDir/b.png", "__MACOSX/c.png", "$RECYCLE.BIN/d.png")
    for name in ("notes.txt", "table.csv", "Thumbs.db"):
        (tmp_path / name).touch()
    assert told(tmp_path) == (["one.png"], "6 hidden, 3 that are no pictures.")


def test_a_folder_that_is_hidden_itself_was_named(tmp_path: Path) -> None:
    write(tmp_path, ".photos/a.png")
    assert names(tmp_path / ".photos") == ["a.png"]


def test_links_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/deep/a.png", "b.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "photo.png").symlink_to(tmp_path / "b.png")
    assert names(tmp_path / "set") == ["link/deep/a.png", "photo.png"]
    (tmp_path / "whole").symlink_to(tmp_path / "set")
    assert names(tmp_path / "whole") == ["link/deep/a.png", "photo.png"]


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    write(tmp_path, "set/a/one.png", "set/b/two.png", "three.png")
    for link, target in [("a/up", ".."), ("b/far", "../.."), ("b/a", "../a"), ("me", "me")]:
        (tmp_path / "set" / link).symlink_to(target)
    found, said = told(tmp_path / "set")
    assert found == ["a/one.png", "b/two.png"]
    assert "2 links that lead back" in said
    assert "1 reached twice" in said


def test_a_picture_reached_twice_counts_once_by_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, "z.png", "real/y.png")
    (tmp_path / "a.png").symlink_to("z.png")
    (tmp_path / "b").symlink_to("real")
    os.link(tmp_path / "z.png", tmp_path / "zz.png")
    found, said = told(tmp_path)
    assert found == ["real/y.png", "z.png"]
    assert said == "3 reached twice."


def test_a_link_to_nowhere_is_a_picture_that_fails_later(tmp_path: Path) -> None:
    write(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to("gone.png")
    assert names(tmp_path) == ["a.png", "b.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes with a name")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    assert told(tmp_path) == (["a.png"], "1 that is no file.")


def test_folders_without_pictures_say_what_is_in_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no pictures; expected JPEG.* TIFF files\.$"):
        find_pictures(tmp_path)
    write(tmp_path, ".a/b.png", ".c.png")
    with pytest.raises(ValueError, match=r"holds no pictures; .*; left out: 2 hidden\.$"):
        find_pictures(tmp_path)
    with pytest.raises(ValueError, match=r"a\.png is no folder"):
        find_pictures(tmp_path / "a.png")


def test_a_pattern_is_for_the_name_or_the_whole(tmp_path: Path) -> None:
    write(tmp_path, "a_HR.png", "a_LR.png", "deep/b_HR.png", "deep/c.png")
    found, said = told(tmp_path, pattern="*_HR*")
    assert (found, said) == (["a_HR.png", "deep/b_HR.png"], "2 by the pattern.")
    assert told(tmp_path, pattern="deep/*")[0] == ["deep/b_HR.png", "deep/c.png"]
    assert told(tmp_path, pattern="?_HR.png")[0] == ["a_HR.png", "deep/b_HR.png"]
    with pytest.raises(
        ValueError, match=r"named \*_hr\*, but there are 4 others, such as a_HR\.png; large"
    ):
        find_pictures(tmp_path, pattern="*_hr*")


def test_results_are_not_found_again(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "a_x2.png", "a_x4-2.webp", "b_x2.png", "big/sub/other.png")
    found, said = told(tmp_path, results=tmp_path)
    assert found == ["a.png", "b_x2.png", "big/sub/other.png"]
    assert said == "2 that look like earlier results."
    found, said = told(tmp_path, results=tmp_path / "sub" / ".." / "big")
    assert found == ["a.png", "b_x2.png"]
    assert "1 folder of results (big)" in said
    assert len(names(tmp_path)) == 5  # a question of upscale alone


def test_names_of_results_and_of_pairs() -> None:
    names = ["cat.jpg", "cat_x4.png", "dog_x2.png", "cat_x2-12.png", "cat_x3.png"]
    names += ["cat_x4_x2.png", "cat-jpg_x2.png", "cat-gif_x2.png"]
    assert earlier_results(names) == {
        "cat_x4.png", "cat_x2-12.png", "cat_x4_x2.png", "cat-jpg_x2.png",
    }  # fmt: skip
    assert hr_and_lr(["HR/1.png", "LR/1.png", "hr-2.png", "lr-2.png"]) == [
        ("HR/1.png", "LR/1.png"), ("hr-2.png", "lr-2.png"),
    ]  # fmt: skip
    assert hr_and_lr(["chrome.png", "clrome.png", "a_HR.png", "a_LR.jpg"]) == []


def test_what_is_hidden() -> None:
    assert all(map(is_hidden, [".a.png", "._a.png", "@eaDir", "__macosx", "lost+found"]))
    assert not any(map(is_hidden, ["a.png", "_a.png", "@home", "thumbnails", "a.b"]))
