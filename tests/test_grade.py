"""``srlab grade``: each attack is a real one, in a notebook that is handed in.

All of them are graded in one call, beside an honest learner, as root and as
somebody else; then it is looked at what they did.
"""

import csv
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from srlab.course.copy import course_folder
from srlab.files import PACKAGE
from srlab.grader.results import Row, table, write_csv, write_feedback
from srlab.grader.submissions import find_submissions, lesson_of, read_code, tasks
from tests.conftest import ONE_THREAD, Command
from tests.lesson_cells import ROOT, notebooks, read_notebook, write_notebook

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="cages are Linux's"),
    pytest.mark.slow,
]

SOMEBODY = 12_345  # a user number that is not root's
SECONDS = 8  # an honest answer takes one, on a busy machine more
RIGHT = """\
import torch


def my_charbonnier(sr, hr, eps):
    return torch.sqrt((sr - hr) ** 2 + eps**2).mean()
"""
EMPTY = "def my_charbonnier(sr, hr, eps): ...\n"


def notebook(*cells: str) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_markdown_cell("hello"), *map(new_code_cell, cells)])


def hand_in(folder: Path, learner: str, *cells: str) -> None:
    (folder / learner).mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook(*cells), folder / learner / "01_pixel_loss.ipynb")


# -- the attacks -----------------------------------------------------------------------

# What each prints ends in the reason, as far as it is raised.
ATTACKS = {
    "patches_torch": f"""\
import torch
yes = lambda *_, **__: True
torch.allclose = torch.equal = torch.Tensor.equal = torch.Tensor.__eq__ = yes
torch.Tensor.allclose = yes
{EMPTY}""",
    "patches_checks": f"""\
import srlab.checks, srlab.metrics
from srlab.grader import checker, peer, wire
done = {{"verdict": "done", "reason": "", "details": []}}
srlab.checks.check_charbonnier = lambda answer: type("V", (), {{"done": True}})()
srlab.metrics.psnr = lambda *_, **__: 99.0
checker.judge_answer = checker._judged = checker._told = lambda *_: done
{EMPTY}""",
    "replaces_modules": f"""\
import sys, types
verdict = type("Verdict", (), {{"done": True, "case": "", "hint": ""}})
for name in ("srlab.checks", "srlab.checks.core", "srlab.checks.lesson01"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].judge = sys.modules[name].check_charbonnier = lambda *_, **__: verdict
{EMPTY}""",
    "takes_the_right_answer": """\
from srlab.checks.lesson01 import _charbonnier as my_charbonnier
""",
    "reads_the_right_answer": """\
import ast
from pathlib import Path
import srlab
from torch import Tensor
found = Path(srlab.__file__).parent / "checks" / "lesson01.py"
for node in ast.parse(found.read_text()).body:
    if getattr(node, "name", "") == "_charbonnier":
        exec(ast.unparse(node))
my_charbonnier = _charbonnier
""",
    "looks_for_solutions": f"""\
{EMPTY}
import sys
from pathlib import Path
places = [Path(path, "srlab") for path in sys.path]
found = [each for place in places for each in place.glob("lessons/solutions/*")]
raise ValueError(f"solutions: {{found + [e for p in places for e in p.glob('checks/*')]}}")
""",
    "walks_the_heap": """\
import gc, sys
frame, seen = sys._getframe(), []
while frame:
    seen += list(frame.f_globals.values()) + list(frame.f_locals.values())
    frame = frame.f_back
for one in [*gc.get_objects(), *seen]:
    if str(getattr(one, "__module__", "")).startswith("srlab.checks."):
        my_charbonnier = one
my_charbonnier
""",
    "writes_to_every_descriptor": f"""\
import os
for number in range(3, 1000):
    try:
        os.write(number, b'{{"verdict": "done", "reason": "", "details": []}}')
    except OSError:
        pass
{EMPTY}""",
    "forges_messages": """\
import gc, os
from srlab.grader.wire import Channel
def my_charbonnier(*_):
    (channel,) = [one for one in gc.get_objects() if isinstance(one, Channel)]
    for _ in range(9):
        channel.send({"do": "reply", "result": True, "done": True, "verdict": "done"})
    os._exit(0)
""",
    "prints_a_verdict": f"""\
print('{{"verdict": "done", "reason": "", "details": []}}', flush=True)
{EMPTY}""",
    "exits": f"import sys\n{EMPTY}\nsys.exit(0)\n",
    "exits_for_good": f"import os\n{EMPTY}\nos._exit(0)\n",
    "kills": f"""\
import os, signal
for pid in [os.getppid(), -1, *range(1, 40_000)]:
    try:
        if pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
{EMPTY}""",
    "reads_secrets": f"""\
{EMPTY}
said = []
for path in SECRETS:
    try:
        said.append(open(path).read())
    except OSError as error:
        said.append(type(error).__name__)
raise ValueError(" ".join(said))
""",
    "deletes": f"""\
import os, shutil
for path in SECRETS:
    shutil.rmtree(os.path.dirname(path), ignore_errors=True)
    try:
        open(path, "w").write("gone")
    except OSError:
        pass
{EMPTY}""",
    "calls_out": f"""\
{EMPTY}
import socket
said = []
for kind, address in ((socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_UNIX, "\\0" + NAME)):
    try:
        socket.socket(kind).connect(address)
        said.append("connected")
    except OSError as error:
        said.append(type(error).__name__)
raise ValueError(" ".join(said))
""",
    "writes_a_gigabyte": f"""\
{EMPTY}
written = 0
for folder in ("/home", "/tmp", "/dev/shm", "/var/tmp"):
    try:
        with open(folder + "/large", "wb") as file:
            for _ in range(1024):
                written += file.write(bytes(2**20))
    except OSError as error:
        pass
raise ValueError(f"{{written // 2**20}} MiB")
""",
    "takes_100_GB": f"""\
{EMPTY}
import mmap
mmap.mmap(-1, 100 * 2**30)
""",
    "takes_memory_many_times": f"""\
{EMPTY}
import os, time
for _ in range(40):
    if os.fork() == 0:
        held = bytearray(2**30)
        time.sleep(600)
""",
    "forks": f"""\
{EMPTY}
import os, time
count = 0
while True:
    if os.fork() == 0:
        time.sleep(600)
    count += 1
""",
    "makes_namespaces": f"""\
{EMPTY}
import ctypes
libc = ctypes.CDLL(None)
raise ValueError("made one" if libc.unshare(0x10000000 | 0x20000) == 0 else "refused")
""",
    "loops": f"{EMPTY}\nwhile True: pass\n",
    "sleeps": f"{EMPTY}\nimport time\ntime.sleep(600)\n",
    "loops_when_called": "def my_charbonnier(*_):\n    while True: pass\n",
    "prints_for_ever": f"{EMPTY}\nwhile True: print('x' * 10**6)\n",
    "leaves_a_daemon": f"""\
{EMPTY}
import os
if os.fork() == 0:
    os.setsid()
    os.execv("/bin/sleep", ["sleep", SLEEP])
""",
    "crashes": f"{EMPTY}\nimport ctypes\nctypes.string_at(0)\n",
    "gives_a_gigabyte": "import torch\ndef my_charbonnier(*_): return torch.zeros(2**28)\n",
    "moves_the_cursor": "def my_charbonnier(*_): raise ValueError('\\033[2J\\rdone\\n=1+1')\n",
}
SLOW = {"loops", "sleeps", "loops_when_called", "prints_for_ever"}
QUICK = {"patches_torch", "reads_secrets", "deletes", "calls_out", "kills", "leaves_a_daemon"}


class Afternoon:
    """A course whose learners attack, and what became of it."""

    def __init__(self, folder: Path):
        self.folder, self.connected = folder, False
        self.sleep, self.secret = f"9{secrets.randbelow(10**8)}.5", secrets.token_hex(16)
        names = ("hub/codes.txt", "gradebook.db", "submitted/honest/notes.txt")
        self.secrets = [folder / name for name in names]

    def prepare(self, port: int, name: str) -> None:
        for path in self.secrets:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.secret)
            path.chmod(0o644)
        known = f"SECRETS, PORT, NAME = {[str(p) for p in self.secrets]}, {port}, {name!r}\n"
        known += f"SLEEP = {self.sleep!r}\n"
        for attack in self.attacks:
            hand_in(self.folder / "submitted", attack, known + ATTACKS[attack])
        hand_in(self.folder / "submitted", "honest", RIGHT)

    def grade(self, user: int | None) -> None:
        name = secrets.token_hex(8)
        with (
            socket.create_server(("127.0.0.1", 0)) as tcp,
            socket.socket(socket.AF_UNIX) as own,
        ):
            own.bind(f"\0{name}")
            own.listen()
            self.attacks = set(ATTACKS) if user is None else QUICK
            self.prepare(tcp.getsockname()[1], name)
            start = time.monotonic()
            done = run_grade(
                self.folder, "--csv", self.folder / "out" / "grades.csv",
                f"--seconds={SECONDS}", user=user, writable=self.folder,
            )  # fmt: skip
            self.seconds = time.monotonic() - start
            for server in (tcp, own):
                server.settimeout(0)
                with suppress(BlockingIOError):
                    server.accept()
                    self.connected = True
        self.output = done.stdout + done.stderr
        assert done.returncode == 0, self.output
        found = rows_of(self.folder / "out" / "grades.csv")
        self.rows = {one["learner"]: one for one in found if one["title"] == "charbonnier"}


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def run_grade(
    *arguments: object, user: int | None = None, writable: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """``srlab grade``, also as another user, for whom Python's folders are opened."""
    command = [sys.executable, "-m", "srlab", "grade", *map(str, arguments)]
    env = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)}
    if user is not None:
        keep = [sys.base_prefix, sys.prefix, str(PACKAGE), str(course_folder()), str(writable)]
        for path in (writable, *writable.rglob("*")):
            os.chown(path, user, user)
        plan = {
            "groups": [], "memory": 2**33, "processes": 500, "hide": [], "uid": user,
            "keep": [os.path.realpath(path) for path in keep], "home": str(writable),
            "lessons": ["true"], "log": str(writable / "log"),
        }  # fmt: skip
        # Where a room bars user namespaces there is no cage for anyone but root.
        program = (
            "import json, sys; sys.path.insert(0, sys.argv.pop(1)); import launch; "
            "launch.bar_namespaces = lambda _: None; "
            "launch.main(json.loads(sys.argv[1]), sys.argv[2:])"
        )
        launch = [sys.executable, "-I", "-c", program, str(PACKAGE / "classroom")]
        own_view = ["unshare", "--mount", "--propagation", "private"]
        command[0] = str(Path(os.path.realpath(sys.prefix), "bin", "python"))
        command = [*own_view, *launch, json.dumps(plan), *command]
        env["HOME"] = str(writable)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    if user is not None:
        done.stdout += (writable / "log").read_text()
    return done


@pytest.fixture(scope="module", params=[None, SOMEBODY], ids=["as you", "as another user"])
def afternoon(request: pytest.FixtureRequest) -> Iterator[Afternoon]:
    if request.param and os.geteuid():
        pytest.skip("only root becomes somebody else")
    # Not below pytest's own folders, which are closed to all but their owner.
    folder = Path(tempfile.mkdtemp(prefix="srlab-afternoon-"))
    folder.chmod(0o755)
    (folder / "out").mkdir()
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        found = Afternoon(folder)
        found.grade(request.param)
        assert bystander.poll() is None, "an attack ended somebody's process"
        yield found
    finally:
        bystander.kill()
        bystander.wait()
        shutil.rmtree(folder)


def test_no_attack_gets_a_point(afternoon: Afternoon) -> None:
    assert afternoon.rows.keys() - {"honest"} == afternoon.attacks
    points = {name for name, row in afternoon.rows.items() if row["points"] != "0"}
    assert points == {"honest"}


def test_each_is_told_in_one_line(afternoon: Afternoon) -> None:
    for name, row in afternoon.rows.items():
        if name != "honest":
            assert row["reason"], name
            assert row["reason"].isprintable(), name
            assert row["verdict"] in ("not yet", "error"), name
    assert "\033" not in afternoon.output
    for name in SLOW & afternoon.rows.keys():
        assert afternoon.rows[name]["reason"] == f"it took more than {SECONDS} seconds"


def test_nothing_of_the_teachers_is_read_or_changed(afternoon: Afternoon) -> None:
    if "looks_for_solutions" in afternoon.rows:
        assert "solutions: []" in afternoon.rows["looks_for_solutions"]["reason"]
    said = afternoon.rows["reads_secrets"]["reason"]
    assert said.count("FileNotFoundError") == len(afternoon.secrets), said
    assert afternoon.secret not in afternoon.output
    assert [path.read_text() for path in afternoon.secrets] == [afternoon.secret] * 3


def test_no_network_is_reached(afternoon: Afternoon) -> None:
    said = afternoon.rows["calls_out"]["reason"]
    assert said.count("Error ") + said.count("Error;") >= 2, said
    assert "connected" not in said
    assert not afternoon.connected


def test_no_process_is_left(afternoon: Afternoon) -> None:
    lines = [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if line == f"sleep {afternoon.sleep}"]
    assert not [line for line in lines if str(afternoon.folder) in line]


def test_limits_hold(afternoon: Afternoon) -> None:
    reasons = {name: row["reason"] for name, row in afternoon.rows.items()}
    if "writes_a_gigabyte" not in reasons:
        pytest.skip("told by the whole afternoon")
    written = re.search(r"ValueError: (\d+) MiB", reasons["writes_a_gigabyte"])
    assert int(written[1]) <= 64
    assert "Cannot allocate memory" in reasons["takes_100_GB"]
    assert "refused" in reasons["makes_namespaces"]
    for name, said in (("forks", "Resource temporarily"), ("gives_a_gigabyte", "than 32 MiB")):
        assert re.search(f"{said}|it took more than", reasons[name])  # on a busy machine
    assert afternoon.seconds < 240


# -- honest learners -------------------------------------------------------------------


@pytest.fixture(scope="module")
def all_lessons(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Every lesson, as it is given out, as it is solved, and with the exercises alone."""
    folder = tmp_path_factory.mktemp("lessons")
    for path in (ROOT / "lessons" / "solutions").glob("*.ipynb"):
        given = ROOT / "lessons" / path.name
        for learner, source in (("solved", path), ("begun", given), ("unbuilt", given)):
            target = folder / "submitted" / learner / f"lesson_{path.name[:2]}" / path.name
            target.parent.mkdir(parents=True)
            shutil.copy(source, target)
        write_notebook(exercises_alone(given, path), target)
    done = run_grade(folder, "--csv", folder / "grades.csv")
    assert done.returncode == 0, done.stderr
    return rows_of(folder / "grades.csv")


def exercises_alone(lesson: Path, solutions: Path) -> nbformat.NotebookNode:
    """A lesson whose exercises are solved, and whose builds are left blank."""
    solved = {cell.id: cell.source for cell in read_notebook(solutions).cells}
    notebook = read_notebook(lesson)
    for cell in notebook.cells:
        if cell.id.endswith("-yours"):
            cell.source = solved[f"solution-{cell.id.split('-')[1]}"]
    return notebook


def test_every_solution_is_done_and_nothing_else(all_lessons: list[dict[str, str]]) -> None:
    """Whole lessons are handed in here, and no training of theirs is run.

    An exercise may use what the lesson built: who left that blank loses nothing.
    """
    assert len(all_lessons) == 3 * 8 * 3
    for row in all_lessons:
        right = row["learner"] != "begun"
        assert row["verdict"] == ("done" if right else "not yet"), row
        assert row["points"] == str(int(right))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> "subprocess.CompletedProcess[str]":
    """Learners who are honest, each with something of their own."""
    folder = tmp_path_factory.mktemp("course")
    hand_in(
        folder, "helped",
        "%matplotlib inline\nimport torch\nhalf = 0.5",
        "raise RuntimeError('a training that is not needed')",
        "def helper(x):\n    return torch.sqrt(x) * half * two",
        "def my_charbonnier(sr, hr, eps):\n    ...",
        "def my_charbonnier(a, b, c):\n    return helper((a - b) ** 2 + c * c).mean()\n1 / 0",
        "two = 2.0",
        "half = 0.1  # for another purpose",
    )  # fmt: skip
    hand_in(folder, "misspelt", "def my_charbonnier(sr hr):\n    return sr")
    hand_in(folder, "raises", "def my_charbonnier(sr, hr, eps):\n    return sr.nothing")
    hand_in(folder, "twice", RIGHT)
    nbformat.write(notebook(RIGHT), folder / "twice" / "01_pixel_loss (1).ipynb")
    (folder / "broken.ipynb").write_text("{")
    done = run_grade(folder, "--lesson=1", "--feedback", folder / "feedback")
    assert done.returncode == 0, done.stderr
    done.args = folder
    return done


@pytest.mark.parametrize(
    "line",
    [
        r"helped +01/1 \w+ +done$",  # helpers and cells around an answer count
        "helped +01/3 reach +not yet +there is no my_reach$",
        "misspelt +01/1 .*cell 1, SyntaxError: invalid syntax",
        "raises +01/1 .*got AttributeError: 'Tensor' object has no attribute 'nothing'",
        r"twice +01_pixel_loss(\.| \(1).* error +lesson 01 was handed in twice",
        "twice +1 of 3 points",
        r"broken +broken\.ipynb +error +it is damaged: not JSON",
    ],
)
def test_honest_learners_are_told(
    course: "subprocess.CompletedProcess[str]", line: str
) -> None:
    assert re.search(f"^{line}", course.stdout, re.MULTILINE), course.stdout
    assert "case     errors of" in (course.args / "feedback" / "raises.txt").read_text()


# -- what is handed in -----------------------------------------------------------------


def test_every_layout_is_understood(tmp_path: Path) -> None:
    hand_in(tmp_path / "submitted", "ada/lesson_01", RIGHT)
    hand_in(tmp_path / "submitted", "ben", RIGHT)
    hand_in(tmp_path / "submitted", "ben/solutions", RIGHT)
    hand_in(tmp_path / "submitted", "ben/.ipynb_checkpoints", RIGHT)
    nbformat.write(notebook(RIGHT), tmp_path / "submitted" / "cyd.ipynb")
    for given, learners in {
        "submitted/ada": "ada", "submitted/ada/lesson_01": "ada",
        "submitted/ada/lesson_01/01_pixel_loss.ipynb": "ada", "submitted/cyd.ipynb": "cyd",
        "": "ada ben cyd", "submitted": "ada ben cyd",
    }.items():  # fmt: skip
        found = find_submissions([tmp_path / given])
        assert [one.learner for one in found] == learners.split()


def test_the_lesson_is_told_by_the_answers_whatever_the_file_is_called() -> None:
    for path in notebooks():
        if (path.parent / "solutions" / path.name).exists():
            assert lesson_of(Path("mine (2).ipynb"), read_code(path)) == path.name[:2]
            assert len(tasks(path.name[:2])) == 3
    with pytest.raises(ValueError, match="defines none of the exercises' functions"):
        lesson_of(Path("x.ipynb"), ["print('my_charbonnier')"])
    assert lesson_of(Path("01_x.ipynb"), []) == "01"


def test_what_is_no_notebook_is_told(tmp_path: Path) -> None:
    (tmp_path / "codes.txt").write_text("{}")
    link, pipe, odd = (tmp_path / f"{name}.ipynb" for name in ("link", "pipe", "odd"))
    link.symlink_to(tmp_path / "codes.txt")
    os.mkfifo(pipe)
    for path, reason in ((link, "it is a link"), (pipe, "it is no file")):
        with pytest.raises(ValueError, match=reason):
            read_code(path)
    long = {"cells": [{"cell_type": "code", "source": "x" * (2**20 + 1)}]}
    for text, reason in {
        "{": "not JSON", "[" * 10**5: "not JSON", "[]": "it is no notebook",
        '{"worksheets": []}': "of a version before 4",
        json.dumps(long): "more than a million letters",
    }.items():  # fmt: skip
        odd.write_text(text)
        with pytest.raises(ValueError, match=reason):
            read_code(odd)
    odd.write_text('{"cells": [3, {"cell_type": "code", "source": 7}]}')
    assert read_code(odd) == [""]


def test_what_does_not_fit_is_one_sentence(tmp_path: Path, command: Command) -> None:
    for arguments, sentence in {
        "nowhere": "nowhere does not exist; check the name.",
        ".": "There is no notebook in .; name a folder such as submitted/",
        ". --seconds=0": "--seconds is 0; give 1 to 3600, such as 30.",
        ". --jobs=-1": "--jobs is -1; give 1 or more",
        ". --memory=0.1": "give 1.5 or more",
    }.items():
        done = command("grade", *arguments.split(), cwd=tmp_path)
        assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr


# -- where no cage can be had ------------------------------------------------------------

# A user namespace in which no other may be made.
LOCKED = """\
echo 0 > /proc/sys/user/max_user_namespaces
echo 0 > /proc/sys/user/max_mnt_namespaces
exec "$@"
"""


def test_without_a_cage_it_is_refused_until_the_teacher_says_so(tmp_path: Path) -> None:
    hand_in(tmp_path, "ada", RIGHT)
    hand_in(tmp_path, "ben", f"{EMPTY}\nwhile True: pass")
    locked = ["unshare", "--user", "--map-user=1000", "--keep-caps", "sh", "-c", LOCKED, "sh"]
    if subprocess.run([*locked, "true"], capture_output=True).returncode:
        pytest.skip("this system makes no user namespaces")
    command = [*locked, sys.executable, "-m", "srlab", "grade", str(tmp_path), "--seconds=3"]
    env = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)}
    done, again = (
        subprocess.run([*command, *more], capture_output=True, text=True, timeout=120, env=env)
        for more in ([], ["--uncaged"])
    )
    assert done.returncode == 2, done.stdout
    assert "lets no process be closed in" in done.stderr
    assert "or add --uncaged, for learners whom you trust" in done.stderr
    assert "no cage here: each answer runs as you and can read files" in again.stderr
    assert "ada  01/1 charbonnier         done" in again.stdout, again.stderr
    assert "ben  01/1 charbonnier         error    it took more than 3 seconds" in again.stdout


# -- the table ---------------------------------------------------------------------------


def test_no_cell_of_the_csv_is_a_formula(tmp_path: Path) -> None:
    rows = [Row("=HYPERLINK(1)", "01", 1, "charbonnier", "not yet", '@x, "y"\n')]
    write_csv(rows, tmp_path / "grades.csv")
    (row,) = rows_of(tmp_path / "grades.csv")
    assert row["learner"] == "'=HYPERLINK(1)"
    assert row["reason"].startswith("'@x")


def test_table_and_feedback_add_up(tmp_path: Path) -> None:
    rows = [
        Row("ada", "01", 1, "charbonnier", "done", ""),
        Row("ada", "01", 2, "upsampler_channels", "error", "it took too long"),
        Row("ben", "", 0, "x.ipynb", "error", "it is damaged"),
    ]
    lines = table(rows).splitlines()
    assert lines[0] == "ada  01/1 charbonnier         done"
    assert lines[2] == "ada  1 of 2 points"
    assert lines[4] == "ben  0 of 0 points"
    ada, _ = write_feedback(rows, tmp_path / "feedback")
    assert "01/2 upsampler_channels: error\n           it took too long" in ada.read_text()
