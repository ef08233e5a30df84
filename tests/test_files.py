"""All of a file or nothing of it."""

import os
import stat
import sys
from pathlib import Path

import pytest

from srlab.files import free_path, replacing


def test_the_new_file_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "ä notes.txt"
    target.write_text("old")
    with replacing(target) as part:
        assert part.suffix == ".txt"
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["ä notes.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "notes.txt"
    target.write_text("old")

    def write() -> None:
        with replacing(target) as part:
            part.write_text("half of the n")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_long_name_leaves_room_for_the_file_beside_it(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 250 + ".txt")
    with replacing(target) as part:
        part.write_text("new")
    assert target.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_others_may_read_it_as_usual(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with replacing(tmp_path / "notes.txt") as part:
            part.write_text("new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "notes.txt").stat().st_mode) == 0o644


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for target, error, sentence in [
        (tmp_path, IsADirectoryError, "is a folder; give the name of a file"),
        (tmp_path / "no" / "a.txt", FileNotFoundError, r"a\.txt could not be written: no such"),
        (file / "a.txt", NotADirectoryError, r"file/a\.txt could not be written: not a dir"),
    ]:
        with pytest.raises(error, match=sentence), replacing(target):
            pass


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no devices here")
def test_a_device_is_never_replaced() -> None:
    with pytest.raises(OSError, match="/dev/null is a device; give the name of a file"):
        replacing("/dev/null").__enter__()
    assert Path("/dev/null").is_char_device()


def test_a_free_path_steps_past_all_that_is_there(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    assert free_path(target) == target
    target.touch()
    (tmp_path / "a-2.png").symlink_to("nowhere")
    assert free_path(target).name == "a-3.png"
    assert free_path(target, own={target}) == target
