"""A learner's own copy of the course: nothing of theirs is ever lost."""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from srlab import __version__
from srlab.course.copy import (
    MANIFEST,
    copy_course,
    course_files,
    course_folder,
    describe,
    describe_reset,
    offered,
    reset_lesson,
)
from tests.browser.lab import LabServer
from tests.conftest import ONE_THREAD, Command
from tests.test_bad_input import on_a_full_disk
from tests.test_setup import ROOT, built_wheel


def page(text: str, outputs: Sequence[str] = ()) -> str:
    """A notebook of one cell, as a copy has it; with outputs as a course may store it."""
    count = 1 if outputs else None
    cell = {"cell_type": "code", "execution_count": count, "outputs": [*outputs]}
    return f"{json.dumps({'cells': [{**cell, 'source': text}]}, indent=1)}\n"


THREE, FIVE = "03_weighted.ipynb", "05_gram.ipynb"
COURSE = {
    "README.md": "the map",
    THREE: page("three"),
    FIVE: page("five"),
    "05_loss_lab.ipynb": page("a page beside five"),
    "images/unet.png": "a picture",
    "solutions/03_weighted.ipynb": page("solved"),
}


def write(folder: Path, files: Mapping[str, str | None]) -> Path:
    """Write these files; None deletes one."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(text)
    return folder


def texts(folder: Path) -> dict[str, str]:
    """Every file below a folder, but the manifest."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small course, as a package has it."""
    return write(tmp_path / "package" / "lessons", COURSE)


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "mine"
    assert not list(tmp_path.rglob(".srlab-*[!n]"))  # no half-written file


@pytest.fixture
def copy(mine: Path, source: Path) -> Path:
    copy_course(mine, source)
    return mine


# -- copying and updating --------------------------------------------------------


def test_the_first_copy_is_whole_and_has_no_answers(mine: Path, source: Path) -> None:
    write(source, {THREE: page("three", ["the winner is 0.1"])})
    assert describe(copy_course(mine, source), mine) == f"copied 6 files into {mine}"
    assert texts(mine) == COURSE, "without outputs"


def test_a_copy_of_old_with_outputs_is_brought_up_to_date(mine: Path, source: Path) -> None:
    """What srlab copied before it left outputs out, and nobody touched since."""
    old = page("three", ["the winner is 0.1"])
    write(source, {THREE: old})
    copy_course(mine, source)
    write(mine, {THREE: old})
    manifest = json.loads((mine / MANIFEST).read_text())
    manifest["files"][THREE] = sha256(old.encode()).hexdigest()
    write(mine, {MANIFEST: json.dumps(manifest)})
    assert describe(copy_course(mine, source), mine) == f"updated: {THREE}"
    assert texts(mine) == COURSE
    manifest = json.loads((mine / MANIFEST).read_text())
    assert (manifest["format"], manifest["srlab"]) == (1, __version__)
    assert manifest["files"].keys() == COURSE.keys()


def test_only_the_course_is_copied_and_no_teachers_guide(source: Path, mine: Path) -> None:
    others = (".ipynb_checkpoints/03-checkpoint.ipynb", "my-runs/a.json", "images/.DS_Store")
    more = ("notes.txt", "solutions/.a.ipynb", "TEACHING.md", "minutes.json")
    write(source, dict.fromkeys((*others, *more), "what a good answer says"))
    copy_course(mine, source)
    assert texts(mine) == COURSE
    assert (ROOT / "lessons" / "TEACHING.md").is_file()
    assert "TEACHING.md" not in course_files(ROOT / "lessons")


BETTER = page("three, better")
UP_TO_DATE = f"{{}} is up to date (srlab {__version__})"
RESET = "(srlab lessons {} --reset 03 brings the course's and keeps yours)"
KEPT = f"newer, but yours is kept: {THREE} {RESET}"
BOTH = f"{THREE}, {FIVE} (srlab lessons {{}} --reset N, N being 03 or 05, brings the course's"
DELETED = f"deleted by you: {THREE}, solutions/{THREE} {RESET}"
VISITS: dict[str, tuple[dict[str, str | None], dict[str, str | None], str, str]] = {
    # What the learner did, what the course did, and what two calls say then.
    "nothing": ({}, {}, UP_TO_DATE, UP_TO_DATE),
    "new and newer": (
        {}, {"08_more.ipynb": page("eight"), THREE: BETTER},
        f"new: 08_more.ipynb\nupdated: {THREE}", UP_TO_DATE,
    ),
    "changed": ({THREE: "my three"}, {}, UP_TO_DATE, UP_TO_DATE),
    "changed and newer": ({THREE: "my three"}, {THREE: BETTER}, KEPT, KEPT),
    "two changed": (
        {THREE: "my three", FIVE: "my five"}, {THREE: BETTER, FIVE: BETTER},
        *[f"newer, but yours is kept: {BOTH} and keeps yours)"] * 2,
    ),
    "a page": (
        {"README.md": "my map"}, {"README.md": "a better map"},
        *["newer, but yours is kept: README.md (give yours another name, and the next call "
          "brings the newer)"] * 2,
    ),
    "a page renamed": (
        {"README.md": None, "my.md": "the map"}, {"README.md": "a better map"},
        "new: README.md", UP_TO_DATE,
    ),
    "the same change": ({THREE: BETTER}, {THREE: BETTER}, UP_TO_DATE, UP_TO_DATE),
    "deleted": (
        {THREE: None, f"solutions/{THREE}": None, "images/unet.png": None}, {},
        f"new: images/unet.png\n{DELETED}", DELETED,
    ),
    "left the course": (
        {}, {"05_loss_lab.ipynb": None},
        "no longer in the course, yours stays: 05_loss_lab.ipynb", UP_TO_DATE,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("own", "newer", "first", "second"), VISITS.values(), ids=VISITS)
def test_what_is_the_learners_stays_and_the_rest_is_brought(
    copy: Path, source: Path, own: dict, newer: dict, first: str, second: str
) -> None:
    write(copy, own)
    write(source, newer)
    assert describe(copy_course(copy, source), copy) == first.format(copy)
    stamps = {path: path.stat().st_mtime_ns for path in copy.rglob("*.ipynb")}
    assert describe(copy_course(copy, source), copy) == second.format(copy)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*.ipynb")} == stamps
    brought = {name: text for name, text in newer.items() if text}
    kept = {name: text for name, text in own.items() if text or THREE in name}
    there = COURSE | brought | kept
    assert texts(copy) == {name: text for name, text in there.items() if text}


def test_a_change_that_is_the_newer_version_is_no_change(copy: Path, source: Path) -> None:
    for folder in (copy, source):
        write(folder, {THREE: BETTER})
    copy_course(copy, source)
    write(source, {THREE: page("three, best")})
    assert describe(copy_course(copy, source), copy) == f"updated: {THREE}"


def test_a_folder_with_files_of_the_learners(mine: Path, source: Path) -> None:
    write(mine, {"README.md": "my own project", "other.txt": "keep"})
    said = describe(copy_course(mine, source), mine)
    assert said == f"copied 5 files into {mine}\nyour own file stays: README.md"
    assert texts(mine) == {**COURSE, "README.md": "my own project", "other.txt": "keep"}


# -- bringing one lesson back ------------------------------------------------------


def test_reset_brings_a_lesson_and_keeps_the_old_beside_it(copy: Path, source: Path) -> None:
    names = ("mine", "mine-2", "mine-3")
    for name in names:
        write(copy, {THREE: f"of {name}"})
        assert describe_reset(reset_lesson(copy, "03", source)) == (
            f"brought {THREE}; yours is now 03_weighted.{name}.ipynb"
        )
    assert texts(copy) == COURSE | {f"03_weighted.{name}.ipynb": f"of {name}" for name in names}
    assert "up to date" in describe(copy_course(copy, source), copy)


def test_reset_is_for_everything_of_that_number(copy: Path, source: Path) -> None:
    write(copy, {FIVE: "mine", "05_loss_lab.ipynb": None, THREE: "mine"})
    copy_course(copy, source)
    assert list(reset_lesson(copy, "5", source)) == [FIVE, "05_loss_lab.ipynb"]
    assert texts(copy) == {**COURSE, THREE: "mine", "05_gram.mine.ipynb": "mine"}


def test_reset_of_a_lesson_that_nobody_touched(copy: Path, source: Path) -> None:
    said = describe_reset(reset_lesson(copy, "03", source))
    assert said == "nothing to bring: it is as the course has it"
    assert texts(copy) == COURSE
    write(source, {THREE: BETTER})
    assert describe_reset(reset_lesson(copy, "03", source)) == "brought 03_weighted.ipynb"
    assert texts(copy) == {**COURSE, THREE: BETTER}


def test_reset_moves_a_link_and_not_what_it_leads_to(copy: Path, source: Path) -> None:
    other = write(copy.parent, {"other.ipynb": "elsewhere"}) / "other.ipynb"
    link(copy / THREE, other)
    reset_lesson(copy, "03", source)
    assert (copy / "03_weighted.mine.ipynb").readlink() == other
    assert other.read_text() == "elsewhere"
    assert not (copy / THREE).is_symlink()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("09", r"^There is no lesson 09; there are 03, 05\.$"),
        ("", "needs the number of a lesson, such as 03, but"),
        (" ", "needs the number"),  # a script's variable that is empty
        ("03", r"mine holds no copy of the course; srlab lessons .*mine makes one\.$"),
    ],
)
def test_what_cannot_be_reset(mine: Path, source: Path, number: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        reset_lesson(mine, number, source)
    assert not mine.exists()


# -- bad folders ------------------------------------------------------------------


def link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("no links here")


def test_a_link_is_the_learners(copy: Path, source: Path) -> None:
    other = write(copy.parent, {"other": page("three")}) / "other"
    link(copy / THREE, other)
    write(source, {THREE: BETTER})
    assert "newer, but yours is kept" in describe(copy_course(copy, source), copy)
    assert other.read_text() == page("three")
    other.unlink()  # now it leads nowhere
    assert "newer, but yours is kept" in describe(copy_course(copy, source), copy)
    assert (copy / THREE).is_symlink()
    assert not other.exists()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_something_stands_where_a_folder_belongs(mine: Path, source: Path, kind: str) -> None:
    elsewhere = write(mine.parent / "elsewhere", {"unet.png": "not yours"})
    write(mine, {"images": "a file"})
    if kind == "link":
        link(mine / "images", elsewhere)
    sentence = (
        f"{mine / 'images'} is a {kind}, but the course needs a folder there; "
        f"give the {kind} another name."
    )
    with pytest.raises(ValueError, match=re.escape(sentence)):
        copy_course(mine, source)
    assert texts(elsewhere) == {"unet.png": "not yours"}


def test_the_folder_itself_may_be_a_link_but_no_file(mine: Path, source: Path) -> None:
    mine.write_text("keep me")
    with pytest.raises(ValueError, match=r"mine is a file; give the name of a folder\.$"):
        copy_course(mine, source)
    assert mine.read_text() == "keep me"
    (mine.parent / "disk").mkdir()
    link(mine, mine.parent / "disk")
    copy_course(mine, source)
    assert texts(mine.parent / "disk") == COURSE


@pytest.mark.parametrize("below", [".", "deep", "..", "images/.."])
def test_the_folder_is_the_course_itself(source: Path, below: str) -> None:
    place = source / below
    sentence = f"{place} is part of srlab itself; name another folder for your own copy."
    for call in (lambda: copy_course(place, source), lambda: reset_lesson(place, "03", source)):
        with pytest.raises(ValueError, match=re.escape(sentence)):
            call()
    assert texts(source) == COURSE
    for place in (ROOT, ROOT / "lessons" / "mine", ROOT / "srlab" / "assets"):
        with pytest.raises(ValueError, match="is part of srlab itself"):
            copy_course(place)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write below ``folder``; root gives up its right to, meanwhile."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        for path in folders:
            path.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX rights")
def test_a_folder_that_is_read_only() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own is open to its user alone
        Path(name).chmod(0o755)
        source, mine = write(Path(name, "lessons"), COURSE), Path(name, "mine")
        copy_course(mine, source)
        write(mine, {THREE: "my three"})
        (source / FIVE).write_text(page("five, better"))
        before = texts(mine)
        with read_only(mine):
            denied = r"{} could not be written: permission denied\.$"
            with pytest.raises(OSError, match=denied.format(FIVE)):
                copy_course(mine, source)
            with pytest.raises(OSError, match=denied.format(THREE)):
                reset_lesson(mine, "03", source)
            with pytest.raises(PermissionError):
                copy_course(mine / "below", source)
        assert texts(mine) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_loses_nothing_and_the_next_call_goes_on(mine: Path) -> None:
    first = mine / "00_pairs_and_metrics.ipynb"
    sentence = f"{first} could not be written: file too large."
    assert on_a_full_disk("lessons", mine) == sentence
    copy_course(mine)
    assert course_files(mine) == course_files(course_folder())
    first.write_text("mine")
    assert on_a_full_disk("lessons", mine, "--reset", "00") == sentence
    assert first.read_text() == "mine"
    assert not list(mine.rglob("*.mine*"))


# -- the manifest -------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "files": 3}'])
def test_a_damaged_manifest(copy: Path, source: Path, text: str) -> None:
    write(copy, {THREE: "my three"})
    (copy / MANIFEST).write_text(text)
    sentence = (
        f"{copy / MANIFEST} is damaged; delete it, then every file that differs from the "
        f"course is taken for yours and stays."
    )
    for call in (lambda: copy_course(copy, source), lambda: reset_lesson(copy, "03", source)):
        with pytest.raises(ValueError, match=re.escape(sentence)):
            call()
    assert (copy / MANIFEST).read_text() == text
    (copy / MANIFEST).unlink()
    said = describe(copy_course(copy, source), copy)
    assert said == "your own file stays: 03_weighted.ipynb"
    assert (copy / THREE).read_text() == "my three"


def test_a_manifest_of_a_newer_version(copy: Path, source: Path) -> None:
    (copy / MANIFEST).write_text('{"format": 2, "lessons": []}')
    sentence = (
        f"{copy / MANIFEST} was written by a newer srlab (format 2, but {__version__} "
        f"reads 1); update srlab, or name another folder."
    )
    with pytest.raises(ValueError, match=re.escape(sentence)):
        copy_course(copy, source)
    assert (copy / MANIFEST).read_text() == '{"format": 2, "lessons": []}'


# -- the commands, for real ----------------------------------------------------------


def test_the_command_in_a_clone(command: Command, tmp_path: Path) -> None:
    count = len(course_files(ROOT / "lessons"))
    done = command("lessons", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"copied {count} files into srlab-lessons\n"
    (tmp_path / "srlab-lessons/03_weighted_residuals.ipynb").write_text("mine")
    done = command("lessons", "srlab-lessons", "--reset", "03", cwd=tmp_path)
    assert done.stdout == (
        "brought 03_weighted_residuals.ipynb; yours is now 03_weighted_residuals.mine.ipynb\n"
    )
    done = command("lessons", "srlab-lessons", "--reset", "99", cwd=tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(
        r"srlab: There is no lesson 99; there are 00, 01, .*, 07\.\n", done.stderr
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a machine that has srlab from its wheel alone."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = built_wheel(folder)
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps",
         "--python", sys.executable, "--target", folder / "site", wheel],
        check=True,
    )  # fmt: skip
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": str(folder / "site")}


@pytest.mark.slow
def test_the_command_from_a_wheel(installed: dict[str, str], tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path, env=installed, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    site = installed["PYTHONPATH"]
    where = run("-c", "from srlab.course.copy import course_folder; print(course_folder())")
    assert where.strip() == str(Path(site, "srlab", "lessons"))
    names = course_files(ROOT / "lessons")
    assert run("-m", "srlab", "lessons", "mine") == f"copied {len(names)} files into mine\n"
    for name in names:
        assert (tmp_path / "mine" / name).read_bytes() == offered(ROOT / "lessons" / name)
    assert course_files(tmp_path / "mine") == names
    assert len(list((tmp_path / "mine").glob("0?_*.ipynb"))) >= 9


class OwnLab(LabServer):
    """``srlab lab`` on a copy that it makes."""

    code = "from srlab.cli import main; sys.argv[0] = 'srlab'; main()"

    def options(self) -> list[str]:
        own = f"--port={self.port} --ServerApp.port_retries=0"
        return ["lab", "mine", "--no-browser", *own.split()]

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), "JUPYTER_TOKEN": self.token}


@pytest.mark.slow
def test_lab_opens_a_copy(installed: dict[str, str], tmp_path: Path) -> None:
    wheel = {"PYTHONPATH": installed["PYTHONPATH"], **ONE_THREAD}
    with OwnLab(tmp_path, variables=wheel) as lab:
        count = len(course_files(ROOT / "lessons"))
        assert lab.log().startswith(f"copied {count} files into mine\n")
        assert f"http://127.0.0.1:{lab.port}/lab/tree/README.md?token=" in lab.log()
        listed = json.load(urllib.request.urlopen(lab.url("api/contents"), timeout=30))
        names = {entry["name"] for entry in listed["content"]}
        assert {path.name for path in (ROOT / "lessons").glob("0*.ipynb")} <= names
        assert lab.listening() == {"127.0.0.1"}
        lab.token = "wrong"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(lab.url("api/contents"), timeout=30)


# -- a graded course ---------------------------------------------------------------------


def test_a_copy_without_solutions_stays_without_until_it_is_asked_for(
    tmp_path: Path, command: Command
) -> None:
    """Also through a call that says nothing of them, such as that of a classroom's server."""
    mine = tmp_path / "mine"
    done = command("lessons", mine, "--no-solutions")
    assert done.returncode == 0, done.stderr
    assert len(list(mine.glob("0?_*.ipynb"))) >= 9
    assert not (mine / "solutions").exists()
    copy_course(mine)
    reset_lesson(mine, "03")
    assert not (mine / "solutions").exists()
    copy_course(mine, solutions=True)
    assert len(list((mine / "solutions").iterdir())) == 8


def test_solutions_that_are_there_are_not_taken_away(copy: Path, source: Path) -> None:
    (copy / "solutions" / THREE).write_text("my notes")
    said = describe(copy_course(copy, source, solutions=False), copy)
    assert "yours stays: solutions/03" in said
    assert (copy / "solutions" / THREE).read_text() == "my notes"
