"""All of a file or nothing of it."""

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from srlab.files import at_home, free_path, making, replacing, write_beside


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


# -- new files beside old ones ---------------------------------------------------


def test_what_is_there_is_not_replaced_unless_it_may(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write(path: Path) -> None:
        with replacing(path, overwrite=False) as part:
            part.write_text("new")

    with pytest.raises(FileExistsError, match=r"a\.txt could not be written: file exists"):
        write(target)
    assert write_beside(target, write) == tmp_path / "a-2.txt"
    assert [p.read_text() for p in sorted(tmp_path.iterdir())] == ["new", "old"]


def test_a_file_system_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "a.txt").write_text("old")
    for name in ("a.txt", "b.txt"):
        with suppress(FileExistsError), replacing(tmp_path / name, overwrite=False) as part:
            part.write_text("new")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {
        "a.txt": "old", "b.txt": "new",
    }  # fmt: skip


def test_the_system_s_number_of_an_error_is_kept(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error, replacing(tmp_path / "gone" / "a.txt"):
        pass
    assert error.value.errno == errno.ENOENT  # a full disk is told from others by it


def test_a_new_folder_that_stays_empty_goes_again(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with making(tmp_path / "old" / "a" / "b") as folder:
        assert folder.is_dir()
    with making(tmp_path / "old"):
        pass
    assert [p.name for p in tmp_path.rglob("*")] == ["old"]
    with suppress(RuntimeError), making(tmp_path / "new" / "a") as folder:
        (folder / "file").touch()
        raise RuntimeError
    assert (tmp_path / "new" / "a" / "file").exists()


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert at_home("~/a") == tmp_path / "a"
    assert at_home("a~b") == Path("a~b")
    assert at_home("~nobody-of-that-name/a") == Path("~nobody-of-that-name/a")
