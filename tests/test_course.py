"""A learner's own copy of the course: nothing of theirs is ever lost."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
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
from tests.browser.lab import free_port, wait_until
from tests.conftest import ONE_THREAD, Command
from tests.test_setup import ROOT, built_wheel


def page(text: str, outputs: Sequence[str] = ()) -> str:
    """A notebook of one cell, as a copy has it; with outputs as a course may store it."""
    count = 1 if outputs else None
    cell = {
        "cell_type": "code",
        "execution_count": count,
        "outputs": [*outputs],
        "source": text,
    }
    return f"{json.dumps({'cells': [cell]}, indent=1)}\n"


COURSE = {
    "README.md": "the map",
    "03_weighted.ipynb": page("three"),
    "05_gram.ipynb": page("five"),
    "05_loss_lab.ipynb": page("a page beside five"),
    "images/unet.png": "a picture",
    "solutions/03_weighted.ipynb": page("solved"),
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
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


def test_the_first_copy_is_whole(mine: Path, source: Path) -> None:
    visit = copy_course(mine, source)
    assert texts(mine) == COURSE
    assert describe(visit, mine) == f"copied 6 files into {mine}"


def test_a_copy_has_no_outputs_and_no_answers_in_them(mine: Path, source: Path) -> None:
    write(source, {"03_weighted.ipynb": page("three", ["the winner is 0.1"])})
    copy_course(mine, source)
    assert texts(mine) == COURSE
    assert describe(copy_course(mine, source), mine).endswith(f"(srlab {__version__})")


def test_a_copy_of_old_with_outputs_is_brought_up_to_date(mine: Path, source: Path) -> None:
    """What srlab copied before it left outputs out, and nobody touched since."""
    old = page("three", ["the winner is 0.1"])
    write(source, {"03_weighted.ipynb": old})
    copy_course(mine, source)
    write(mine, {"03_weighted.ipynb": old})
    manifest = json.loads((mine / MANIFEST).read_text())
    manifest["files"]["03_weighted.ipynb"] = sha256(old.encode()).hexdigest()
    write(mine, {MANIFEST: json.dumps(manifest)})
    assert describe(copy_course(mine, source), mine) == "updated: 03_weighted.ipynb"
    assert texts(mine) == COURSE
    manifest = json.loads((mine / MANIFEST).read_text())
    assert (manifest["format"], manifest["srlab"]) == (1, __version__)
    assert manifest["files"].keys() == COURSE.keys()


def test_the_second_call_does_nothing(copy: Path, source: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*.ipynb")}
    visit = copy_course(copy, source)
    assert describe(visit, copy) == f"{copy} is up to date (srlab {__version__})"
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*.ipynb")} == before


def test_only_the_course_is_copied_and_no_teachers_guide(source: Path, mine: Path) -> None:
    write(source, {".ipynb_checkpoints/03-checkpoint.ipynb": "", "my-runs/a.json": ""})
    write(source, {"images/.DS_Store": "", "notes.txt": "", "solutions/.a.ipynb": ""})
    write(source, {"TEACHING.md": "what a good answer says", "minutes.json": "{}"})
    copy_course(mine, source)
    assert texts(mine) == COURSE
    assert (ROOT / "lessons" / "TEACHING.md").is_file()
    assert "TEACHING.md" not in course_files(ROOT / "lessons")


def test_what_is_new_and_what_is_newer_arrives(copy: Path, source: Path) -> None:
    write(source, {"08_more.ipynb": page("eight"), "03_weighted.ipynb": page("three, better")})
    visit = copy_course(copy, source)
    assert describe(visit, copy) == "new: 08_more.ipynb\nupdated: 03_weighted.ipynb"
    assert texts(copy) == texts(source)


def test_what_the_learner_changed_stays_and_is_said_each_time(copy: Path, source: Path) -> None:
    (copy / "03_weighted.ipynb").write_text("my three")
    assert "up to date" in describe(copy_course(copy, source), copy)  # nothing newer yet
    (source / "03_weighted.ipynb").write_text(page("three, better"))
    for _ in range(2):
        assert describe(copy_course(copy, source), copy) == (
            f"newer, but yours is kept: 03_weighted.ipynb "
            f"(srlab lessons {copy} --reset 03 brings the course's and keeps yours)"
        )
        assert (copy / "03_weighted.ipynb").read_text() == "my three"


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (
            "03_weighted.ipynb, 05_gram.ipynb",
            "srlab lessons {} --reset N, N being 03 or 05, brings the course's and keeps yours",
        ),
        ("README.md", "give yours another name, and the next call brings the newer"),
    ],
)
def test_what_is_kept_says_how_to_get_the_newer(
    copy: Path, source: Path, names: str, advice: str
) -> None:
    for name in names.split(", "):
        (copy / name).write_text("mine")
        (source / name).write_text(page("better"))
    said = describe(copy_course(copy, source), copy)
    assert said == f"newer, but yours is kept: {names} ({advice.format(copy)})"


def test_a_page_under_another_name_makes_room_for_the_newer(copy: Path, source: Path) -> None:
    (copy / "README.md").rename(copy / "my.md")
    (source / "README.md").write_text("a better map")
    assert describe(copy_course(copy, source), copy) == "new: README.md"
    assert (copy / "README.md").read_text() == "a better map"


def test_a_change_that_is_the_newer_version_is_no_change(copy: Path, source: Path) -> None:
    for folder in (copy, source):
        (folder / "03_weighted.ipynb").write_text(page("three, better"))
    assert "up to date" in describe(copy_course(copy, source), copy)
    (source / "03_weighted.ipynb").write_text(page("three, best"))
    assert describe(copy_course(copy, source), copy) == "updated: 03_weighted.ipynb"


def test_a_deleted_lesson_stays_away_and_a_deleted_picture_comes_back(
    copy: Path, source: Path
) -> None:
    for name in ("03_weighted.ipynb", "solutions/03_weighted.ipynb", "images/unet.png"):
        (copy / name).unlink()
    for said in ("new: images/unet.png\n", ""):
        assert describe(copy_course(copy, source), copy) == (
            f"{said}deleted by you: 03_weighted.ipynb, solutions/03_weighted.ipynb "
            f"(srlab lessons {copy} --reset 03 brings the course's and keeps yours)"
        )
    assert not (copy / "03_weighted.ipynb").exists()
    reset_lesson(copy, "03", source)
    assert texts(copy) == COURSE


def test_what_left_the_course_is_said_once_and_stays(copy: Path, source: Path) -> None:
    (source / "05_loss_lab.ipynb").unlink()
    said = describe(copy_course(copy, source), copy)
    assert said == "no longer in the course, yours stays: 05_loss_lab.ipynb"
    assert "up to date" in describe(copy_course(copy, source), copy)
    assert texts(copy) == COURSE


def test_a_folder_with_files_of_the_learners(mine: Path, source: Path) -> None:
    write(mine, {"README.md": "my own project", "other.txt": "keep"})
    said = describe(copy_course(mine, source), mine)
    assert said == f"copied 5 files into {mine}\nyour own file stays: README.md"
    assert texts(mine) == {**COURSE, "README.md": "my own project", "other.txt": "keep"}


# -- bringing one lesson back ------------------------------------------------------


def test_reset_brings_a_lesson_and_keeps_the_old_beside_it(copy: Path, source: Path) -> None:
    for text, name in (("first", "mine"), ("second", "mine-2"), ("third", "mine-3")):
        (copy / "03_weighted.ipynb").write_text(text)
        brought = reset_lesson(copy, "03", source)
        assert describe_reset(brought) == (
            f"brought 03_weighted.ipynb; yours is now 03_weighted.{name}.ipynb"
        )
        assert (copy / "03_weighted.ipynb").read_text() == page("three")
        assert (copy / f"03_weighted.{name}.ipynb").read_text() == text
    assert texts(copy).keys() - COURSE.keys() == {
        "03_weighted.mine.ipynb", "03_weighted.mine-2.ipynb", "03_weighted.mine-3.ipynb",
    }  # fmt: skip
    assert "up to date" in describe(copy_course(copy, source), copy)


def test_reset_is_for_everything_of_that_number(copy: Path, source: Path) -> None:
    for name in ("05_gram.ipynb", "05_loss_lab.ipynb", "03_weighted.ipynb"):
        (copy / name).write_text("mine")
    assert list(reset_lesson(copy, "5", source)) == ["05_gram.ipynb", "05_loss_lab.ipynb"]
    assert (copy / "03_weighted.ipynb").read_text() == "mine"


def test_reset_of_a_lesson_that_nobody_touched(copy: Path, source: Path) -> None:
    said = describe_reset(reset_lesson(copy, "03", source))
    assert said == "nothing to bring: it is as the course has it"
    assert texts(copy) == COURSE
    (source / "03_weighted.ipynb").write_text(page("three, better"))
    assert describe_reset(reset_lesson(copy, "03", source)) == "brought 03_weighted.ipynb"
    assert texts(copy) == {**COURSE, "03_weighted.ipynb": page("three, better")}


def test_reset_moves_a_link_and_not_what_it_leads_to(copy: Path, source: Path) -> None:
    other = write(copy.parent, {"other.ipynb": "elsewhere"}) / "other.ipynb"
    link(copy / "03_weighted.ipynb", other)
    reset_lesson(copy, "03", source)
    assert (copy / "03_weighted.mine.ipynb").readlink() == other
    assert other.read_text() == "elsewhere"
    assert not (copy / "03_weighted.ipynb").is_symlink()


def test_reset_of_an_unknown_lesson(copy: Path, source: Path) -> None:
    with pytest.raises(ValueError, match=r"^There is no lesson 09; there are 03, 05\.$"):
        reset_lesson(copy, "09", source)
    for nothing in ("", " "):  # a script's variable that is empty
        with pytest.raises(ValueError, match="needs the number of a lesson, such as 03, but"):
            reset_lesson(copy, nothing, source)


def test_reset_where_no_copy_is(mine: Path, source: Path) -> None:
    sentence = f"{mine} holds no copy of the course; srlab lessons {mine} makes one."
    with pytest.raises(ValueError, match=re.escape(sentence)):
        reset_lesson(mine, "03", source)
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
    link(copy / "03_weighted.ipynb", other)
    (source / "03_weighted.ipynb").write_text(page("three, better"))
    assert "newer, but yours is kept" in describe(copy_course(copy, source), copy)
    assert other.read_text() == page("three")
    other.unlink()  # now it leads nowhere
    assert "newer, but yours is kept" in describe(copy_course(copy, source), copy)
    assert (copy / "03_weighted.ipynb").is_symlink()
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
    assert texts(source.parent) == {f"lessons/{name}": text for name, text in COURSE.items()}


@pytest.mark.parametrize("place", [ROOT, ROOT / "lessons" / "mine", ROOT / "srlab" / "assets"])
def test_the_folder_is_part_of_srlab(place: Path) -> None:
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
        (mine / "03_weighted.ipynb").write_text("my three")
        (source / "05_gram.ipynb").write_text(page("five, better"))
        before = texts(mine)
        with read_only(mine):
            denied = r"{} could not be written: permission denied\.$"
            with pytest.raises(OSError, match=denied.format("05_gram.ipynb")):
                copy_course(mine, source)
            with pytest.raises(OSError, match=denied.format("03_weighted.ipynb")):
                reset_lesson(mine, "03", source)
            with pytest.raises(PermissionError):
                copy_course(mine / "below", source)
        assert texts(mine) == before


FULL = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
sys.argv = ["srlab", *sys.argv[1:]]
runpy.run_module("srlab", run_name="__main__")
"""


def on_a_full_disk(*args: object) -> str:
    """What a process says whose files may not grow beyond 20 kB."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, *map(str, args)],
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    return done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_loses_nothing_and_the_next_call_goes_on(mine: Path) -> None:
    first = mine / "00_pairs_and_metrics.ipynb"
    sentence = f"srlab: {first} could not be written: file too large.\n"
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
    (copy / "03_weighted.ipynb").write_text("my three")
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
    assert (copy / "03_weighted.ipynb").read_text() == "my three"


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


@contextmanager
def running_lab(
    env: dict[str, str], cwd: Path, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    """``srlab lab``, writing to ``log.txt``, and stopped at the end."""
    with (cwd / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "srlab", "lab", *arguments],
            cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listening_on(port: int) -> set[str]:
    """The addresses of this machine on which something listens, in hexadecimal."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [row.split() for row in rows]
    local = [entry[1].split(":") for entry in fields if entry[3] == "0A"]
    return {address for address, at in local if int(at, 16) == port}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="is stopped by a signal")
def test_lab_opens_a_copy(installed: dict[str, str], tmp_path: Path) -> None:
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR")
    env = {**installed, **{name: str(tmp_path / name) for name in own}}
    env.pop("JUPYTER_TOKEN", None)
    port = free_port()
    arguments = ("mine", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0")
    with running_lab(env, tmp_path, *arguments) as process:
        log = tmp_path / "log.txt"
        found = wait_until(
            lambda: (
                process.poll() is not None
                or re.search(rf"http://127\.0\.0\.1:{port}/lab/\S+token=(\w+)", log.read_text())
            ),
            timeout=120,
            what=lambda: f"JupyterLab to start:\n{log.read_text()}",
        )
        assert isinstance(found, re.Match), log.read_text()
        assert log.read_text().startswith(
            f"copied {len(course_files(ROOT / 'lessons'))} files into mine\n"
        )
        wait_until(lambda: is_heard(port), timeout=120, what=lambda: "the server to listen")
        listed = ask(port, "api/contents", found[1])
        names = {entry["name"] for entry in listed["content"]}
        assert {path.name for path in (ROOT / "lessons").glob("0*.ipynb")} <= names
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask(port, "api/contents", "wrong")
        assert "/lab/tree/README.md" in found[0]
        if sys.platform == "linux":
            assert listening_on(port) == {"0100007F"}


def is_heard(port: int) -> bool:
    """Whether somebody listens; the address is in the log a moment earlier."""
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


def ask(port: int, path: str, token: str) -> dict[str, list[dict[str, str]]]:
    url = f"http://127.0.0.1:{port}/{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


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
    (copy / "solutions" / "03_weighted.ipynb").write_text("my notes")
    said = describe(copy_course(copy, source, solutions=False), copy)
    assert "yours stays: solutions/03" in said
    assert (copy / "solutions" / "03_weighted.ipynb").read_text() == "my notes"
