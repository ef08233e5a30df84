"""The teacher's guide says nothing about a lesson that the lesson does not hold."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lesson_cells import ROOT, read_notebook
from tests.lesson_minutes import BEGIN, END, is_timed

LESSONS = ROOT / "lessons"
GUIDE = (LESSONS / "TEACHING.md").read_text(encoding="utf-8")
PARTS = ("Purpose", "What learners do", "Ask", "Expect", "Short of time")

FIGURE = re.compile(r"(?<![\w.,])-?\d+(?:,\d{3})*\.\d+(?:e[+-]?\d+)?|-?\d+(?:,\d{3})+|-\d+\b")
WITH_UNIT = re.compile(r"(?<![\d.,])\d+(?= dB|%| px)")
CODE = re.compile(r"`([^`]+)`")
SECTION = re.compile(r"\b[Ss]ections? (\d)(?: and (\d))?")
PLANS = {"90 minutes": [90], "Half a day": [240], "Two days": [360, 360]}


def parts_of_the_guide() -> dict[str, str]:
    """File name of a lesson -> its part of the guide."""
    _, *parts = re.split(r"^### ", GUIDE.partition("## Lesson by lesson")[2], flags=re.M)
    lessons = {"Loss Lab": "05_loss_lab"}
    lessons |= {p.name[:2]: p.stem for p in LESSONS.glob("0*.ipynb") if "_lab" not in p.name}
    return {
        lessons[part.splitlines()[0].partition(" · ")[0]]: part.partition("\n")[2]
        for part in parts
    }


def said_by(name: str) -> str:
    """All that a lesson shows: its cells, what they stored, and its quiz."""
    return "\n".join(_said(LESSONS / f"{name}.ipynb"))


def _said(path: Path) -> Iterator[str]:
    for cell in read_notebook(path).cells:
        yield cell.source
        for output in cell.get("outputs", ()):
            yield output.get("text") or output.get("data", {}).get("text/plain", "")


PARTS_OF_THE_GUIDE = parts_of_the_guide()
each_lesson = pytest.mark.parametrize("name", PARTS_OF_THE_GUIDE)


def figures(text: str) -> set[str]:
    return set(FIGURE.findall(text)) | set(WITH_UNIT.findall(text))


def missing_figures(text: str, said: str) -> set[str]:
    """Those of ``text`` that do not stand in ``said`` as a number of their own."""
    return {
        figure
        for figure in figures(text)
        if not re.search(rf"(?<![\d.]){re.escape(figure)}(?!\d|[.,]\d|e[+-])", said)
    }


def test_every_lesson_has_its_part():
    timed = {path.stem for path in LESSONS.glob("*.ipynb") if is_timed(path)}
    assert PARTS_OF_THE_GUIDE.keys() == timed


@each_lesson
def test_each_part_is_whole(name: str):
    found = re.findall(r"^\*\*([^*]+)\.\*\*", PARTS_OF_THE_GUIDE[name], re.M)
    assert tuple(found) == PARTS
    asked = re.findall(r"^\d\. \*.+\* \S", PARTS_OF_THE_GUIDE[name], re.M)
    assert 3 <= len(asked) <= 4
    expected = re.findall(r'^- \*".+"\* \S', PARTS_OF_THE_GUIDE[name], re.M)
    assert len(expected) >= 3


@each_lesson
def test_each_figure_stands_in_the_lesson(name: str):
    missing = missing_figures(PARTS_OF_THE_GUIDE[name], said_by(name))
    assert not missing, f"{name} does not say these; look at its stored outputs"


@each_lesson
def test_each_name_stands_in_the_lesson(name: str):
    said = said_by(name)
    assert not {code for code in CODE.findall(PARTS_OF_THE_GUIDE[name]) if code not in said}


@each_lesson
def test_each_section_exists(name: str):
    there = set(re.findall(r"^## (\d) · ", said_by(name), re.M))
    pairs = SECTION.findall(PARTS_OF_THE_GUIDE[name])
    named = {number for pair in pairs for number in pair if number}
    assert named <= there


def test_outside_the_lessons_no_figure_is_claimed():
    head, _, rest = GUIDE.partition(BEGIN)
    tail = rest.partition(END)[2].partition("## Lesson by lesson")[0]
    assert not figures(head + tail)


@pytest.mark.parametrize("plan", PLANS)
def test_the_minutes_of_a_plan_add_up(plan: str):
    text = GUIDE.partition(f"### {plan}")[2].partition("\n##")[0]
    tables = re.split(r"^\| minutes", text, flags=re.M)[1:]
    sums = [sum(map(int, re.findall(r"^\| (\d+) \|", table, re.M))) for table in tables]
    assert sums == PLANS[plan]


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)", GUIDE):
        assert (LESSONS / link).exists(), link
    assert "lessons/TEACHING.md" in (ROOT / "README.md").read_text(encoding="utf-8")


# -- the test itself -------------------------------------------------------------


def test_a_figure_that_is_not_there_is_found():
    said = "L1 0.0459, 3,072 numbers, -2930, 22.1 dB, 4.29e+09, 100% of 60 px"
    right = "0.0459 and 3,072 and -2930, 22.1 dB: 4.29e+09. 100% of 60 px"
    assert missing_figures(right, said) == set()
    wrong = "0.045, 0.46, 072,3 30,725 and -293, 2.1 dB, 4.29, 10% of 6 px"
    assert missing_figures(wrong, said) >= {"0.045", "0.46", "30,725", "-293", "2.1", "4.29"}
    assert missing_figures(wrong, said) >= {"10", "6"}
