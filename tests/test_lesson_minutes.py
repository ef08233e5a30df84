"""Minutes: noted lesson by lesson, and told in the teacher's guide as they are noted."""

import json
import os
from datetime import date
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests import lesson_cells, lesson_minutes
from tests.lesson_minutes import BEGIN, END, estimated_minutes, read_timings, with_table

EMPTY = f"# For teachers\n\nBefore.\n\n{BEGIN}\n\n{END}\n\nAfter.\n"
NOTED = {
    "seconds": 90.0,
    "budget": "default",
    "device": "CPU (x)",
    "threads": 2,
    "torch": "2.15.0",
    "date": "2026-11-23",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two lessons, a solution, the first page, and an empty guide."""
    for name in ("SRLAB_BUDGET", "SRLAB_PRECISION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SRLAB_DEVICE", "cpu")
    (tmp_path / "lessons" / "solutions").mkdir(parents=True)
    for name in ("00_pairs", "01_loss", "solutions/00_pairs", "start"):
        title = f"# {name[:2]} · Title of {name}: and more"
        cells = [new_markdown_cell(title), new_code_cell("6 * 7")]
        nbformat.write(new_notebook(cells=cells), tmp_path / "lessons" / f"{name}.ipynb")
    (tmp_path / "lessons" / "TEACHING.md").write_text(EMPTY)
    return tmp_path


def write_notes(root: Path, notes: object) -> None:
    (root / "lessons" / "minutes.json").write_text(json.dumps(notes))


def notes(root: Path) -> dict[str, dict[str, dict[str, object]]]:
    return json.loads((root / "lessons" / "minutes.json").read_text())


def guide(root: Path) -> str:
    return (root / "lessons" / "TEACHING.md").read_text()


# -- the guide of the course -----------------------------------------------------


def test_the_guide_tells_what_is_noted():
    text = (lesson_cells.ROOT / "lessons" / "TEACHING.md").read_text(encoding="utf-8")
    told = with_table(text, lesson_minutes.table(lesson_cells.ROOT / "lessons"))
    assert text == told, "run python -m tests.lesson_cells minutes"


# -- noting ----------------------------------------------------------------------


@pytest.mark.slow
def test_store_notes_each_lesson_and_rewrites_the_guide(root: Path, capsys):
    assert lesson_cells.main(["store"], root) == 0
    assert "lessons/TEACHING.md: minutes rewritten" in capsys.readouterr().out
    assert notes(root).keys() == {"00_pairs", "01_loss"}  # no solution, no first page
    entry = notes(root)["00_pairs"]["cpu"]
    assert 0 < entry.pop("seconds") < 600
    assert entry.pop("device").startswith("CPU (")
    assert entry == {
        "budget": "default",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__.partition("+")[0],
        "date": date.today().isoformat(),
    }
    assert guide(root) == with_table(EMPTY, lesson_minutes.table(root / "lessons"))
    assert not list((root / "lessons").glob(".srlab-*"))


def test_a_lesson_replaces_its_own_entry_alone(root: Path, monkeypatch: pytest.MonkeyPatch):
    both = {"cpu": NOTED, "cuda": {**NOTED, "device": "A GPU"}}
    write_notes(root, {"01_loss": both, "00_pairs": both})
    monkeypatch.setenv("SRLAB_BUDGET", "quick")
    lesson_minutes.note(root / "lessons" / "00_pairs.ipynb", 12.34)
    after = notes(root)
    assert after["01_loss"] == both
    assert after["00_pairs"]["cuda"] == both["cuda"]
    assert after["00_pairs"]["cpu"]["seconds"] == 12.3
    assert after["00_pairs"]["cpu"]["budget"] == "quick"
    assert list(after) == ["00_pairs", "01_loss"]


@pytest.mark.slow
def test_a_lesson_that_fails_is_not_noted(root: Path):
    broken = new_notebook(cells=[new_markdown_cell("# 01 · T"), new_code_cell("1 / 0")])
    nbformat.write(broken, root / "lessons" / "01_loss.ipynb")
    write_notes(root, {"01_loss": {"cpu": NOTED}})
    assert lesson_cells.main(["store", "0"], root) == 1
    assert notes(root)["01_loss"] == {"cpu": NOTED}
    assert "00_pairs" in notes(root)


@pytest.mark.slow
def test_side_by_side_nothing_is_noted(root: Path, capsys):
    assert lesson_cells.main(["store", "0", "--jobs", "2"], root) == 0
    assert not (root / "lessons" / "minutes.json").exists()
    assert guide(root) == EMPTY
    expected = "No minutes were noted, since notebooks ran side by side.\n"
    assert capsys.readouterr().out.endswith(expected)


@pytest.mark.parametrize("text", ["{", "[]", '{"00": {"cpu": {}}}', '{"00": {"cpu": 7}}'])
def test_damaged_notes_are_one_sentence_and_nothing_runs(root: Path, capsys, text: str):
    (root / "lessons" / "minutes.json").write_text(text)
    before = (root / "lessons" / "00_pairs.ipynb").read_bytes()
    for command in ("store", "minutes"):
        assert lesson_cells.main([command], root) == 1
        assert capsys.readouterr().err == (
            "lessons/minutes.json is damaged; bring it back from git, or delete it, "
            "and make lessons measures anew.\n"
        )
    assert (root / "lessons" / "00_pairs.ipynb").read_bytes() == before
    assert guide(root) == EMPTY


# -- telling ---------------------------------------------------------------------


def test_the_table_says_what_was_measured_how_and_what_was_not(root: Path):
    gpu = {**NOTED, "seconds": 6.0, "device": "A GPU", "budget": "full", "threads": 1}
    write_notes(root, {"00_pairs": {"cpu": NOTED}, "01_loss": {"cpu": NOTED, "cuda": gpu}})
    assert lesson_cells.main(["minutes"], root) == 0
    lines = guide(root).splitlines()
    assert lines[6:10] == [
        "| lesson | the computer, CPU | the computer, GPU | a learner (estimate) |",
        "| --- | ---: | ---: | ---: |",
        "| [00 · Title of 00_pairs](00_pairs.ipynb) | 1.5 min | not measured yet | 5 min |",
        "| [01 · Title of 01_loss](01_loss.ipynb) | 1.5 min | 0.1 min | 5 min |",
    ]
    assert "- CPU (x), 2 threads, budget default, torch 2.15.0, 2026-11-23: 00, 01" in lines
    assert "- A GPU, 1 thread, budget full, torch 2.15.0, 2026-11-23: 01" in lines
    assert guide(root).startswith("# For teachers\n\nBefore.\n\n")
    assert guide(root).endswith(f"{END}\n\nAfter.\n")


def test_without_notes_nothing_is_claimed(root: Path):
    assert read_timings(root / "lessons") == {}
    told = lesson_minutes.table(root / "lessons")
    assert told.count("not measured yet | not measured yet") == 2
    assert "thread" not in told


def test_the_second_time_nothing_is_written(root: Path, capsys):
    assert lesson_cells.main(["minutes"], root) == 0
    os.utime(root / "lessons" / "TEACHING.md", ns=(1, 1))
    capsys.readouterr()
    assert lesson_cells.main(["minutes"], root) == 0
    assert capsys.readouterr().out == ""
    assert (root / "lessons" / "TEACHING.md").stat().st_mtime_ns == 1


@pytest.mark.parametrize(
    "text",
    ["no place", BEGIN, END, END + BEGIN, BEGIN + END + END, BEGIN + BEGIN + END],
)
def test_a_guide_without_the_place_is_left_alone(root: Path, capsys, text: str):
    (root / "lessons" / "TEACHING.md").write_text(text)
    assert lesson_cells.main(["minutes"], root) == 1
    assert capsys.readouterr().err == (
        f"lessons/TEACHING.md must hold {BEGIN} and, below it, {END}, each once; "
        f"put them where the table belongs.\n"
    )
    assert guide(root) == text


def test_no_guide_is_one_sentence(root: Path, capsys):
    (root / "lessons" / "TEACHING.md").unlink()
    assert lesson_cells.main(["minutes"], root) == 1
    expected = "There is no lessons/TEACHING.md to write the minutes into.\n"
    assert capsys.readouterr().err == expected


# -- the estimate ----------------------------------------------------------------


def test_the_estimate_counts_what_the_rule_names():
    exercise = 'def mine(x):\n    """x -> y."""\n    ...  # your turn'
    lab = "# a remark\n\nfrom srlab.widgets.metric_lab import MetricLab\nMetricLab()"
    course_map = "from srlab.widgets.course_map import CourseMap"
    quiz = 'from srlab.widgets.quiz import Quiz\n\nQuiz("00")'
    cells = [
        new_markdown_cell("word " * 3000 + "| --- | 7 $$ not counted $$"),  # 30 min
        new_code_cell("x = 1\n" * 142),  # with the 8 lines below 150: 10 min
        *map(new_code_cell, (exercise, lab, lab, course_map, quiz)),
    ]
    counted = 3000 / 100 + (142 + 3 + 2 + 2 + 1 + 2) / 15 + 5 + 8 + 3
    assert round(counted) == 56
    assert estimated_minutes(new_notebook(cells=cells)) == 55
    assert estimated_minutes(new_notebook(cells=[*cells, new_code_cell(exercise)])) == 65
    assert estimated_minutes(new_notebook(cells=cells[1:])) == 25
    assert estimated_minutes(new_notebook(cells=cells[:1])) == 30


def test_an_estimate_is_called_one_and_says_its_rule(root: Path):
    told = lesson_minutes.table(root / "lessons")
    assert "a learner (estimate)" in told
    assert "an **estimate by a rule**, without the computer's time: 100 words of text" in told
