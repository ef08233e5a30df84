"""CourseMap: where one is, in signs and words, folded to a line, and quickly there."""

import re
import subprocess
import sys

import pytest

from srlab.course.syllabus import lessons
from srlab.learner.progress import Progress, note_answer, note_attempt, note_taken
from srlab.widgets.course_map import CourseMap

BUILDS = sum(len(one.builds) for one in lessons())


def test_the_map_says_by_signs_and_words_where_one_is():
    third, first = lessons()[3], lessons()[1].builds[0]
    note_attempt(third.key(third.exercises[0]), done=True)
    note_attempt(third.key(third.exercises[1]), done=False)
    note_attempt(lessons()[1].key(first), done=True)
    note_answer("03/growth", right=True)
    note_answer("03/both-zero", right=False)
    shown = CourseMap("03")
    assert str(shown).splitlines()[0] == (
        f"Your course: 1 of {BUILDS} parts built, 1 of 24 exercises done, "
        "1 of 24 questions right"
    )
    (line,) = [line for line in str(shown).splitlines() if line.startswith(">")]
    count = len(third.builds)
    assert line.partition("connections")[2].strip().split("  ") == [
        f"{'○' * count} ●◐○ ●◐○".strip(),
        f"0 of {count} built, 1 of 3 exercises done, quiz 1 of 3",
    ]
    page = shown._repr_html_()
    assert page.count("aria-current") == page.count("you are here") == 1
    assert '<a href="03_weighted_residuals.ipynb">03 Weighted residual connections</a>' in page
    assert re.findall(r'href="([^"]+)"', page) == [f"{one.file}.ipynb" for one in lessons()]


def test_what_was_taken_has_a_sign_of_its_own_until_it_is_built():
    one = lessons()[1]
    key = one.key(one.builds[0])
    for note, sign in ((note_taken, "◇"), (lambda key: note_attempt(key, done=True), "●")):
        note(key)
        (line,) = [line for line in str(CourseMap("01")).splitlines() if line[0] == ">"]
        assert line.partition("Pixel loss")[2].split()[0][0] == sign


def test_the_map_tells_trouble(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path))
    (tmp_path / "progress.json").write_text("{")
    assert str(CourseMap()).endswith(
        "is damaged; it stays, and what it held is not shown here."
    )
    assert '<p role="alert">' in CourseMap()._repr_html_()


def test_an_unknown_lesson():
    with pytest.raises(ValueError, match=r"There is no lesson '9'; there are 00, 01, .*, 07\."):
        CourseMap("9")


def test_in_a_lesson_it_is_one_line_and_on_the_first_page_open():
    folded, unfolded = CourseMap("03")._repr_html_(), CourseMap()._repr_html_()
    assert "<details>" in folded
    assert "<details open=" in unfolded
    assert "you are here" not in unfolded
    (line,) = re.findall("<summary>(.*)</summary>", folded)
    assert line == (
        f"<b>Your course: 0 of {BUILDS} parts built, 0 of 24 exercises done, "
        "0 of 24 questions right</b>; lesson 03: "
        f"0 of {len(lessons()[3].builds)} built, 0 of 3 exercises done, quiz 0 of 3"
    )


def test_words_are_text_and_no_markup(monkeypatch):
    monkeypatch.setattr(
        "srlab.widgets.course_map.read_progress", lambda: (Progress(), "<img> is damaged")
    )
    page = CourseMap()._repr_html_()
    assert "&lt;img&gt; is damaged" in page
    assert "<img" not in page


COST = """
import re, sys, time
from srlab.widgets.course_map import CourseMap
CourseMap()._repr_html_()
(kilobytes,) = re.findall(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())
print(time.process_time(), int(kilobytes) / 1024)
print(*{"torch", "numpy", "PIL", "ipywidgets", "anywidget", "traitlets"} & sys.modules.keys())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_the_first_cell_of_the_course_costs_next_to_nothing():
    """0.14 s and 31 MB; importing anywidget alone would add 0.2 s, and the kit all of torch."""
    done = subprocess.run(
        [sys.executable, "-c", COST], capture_output=True, text=True, check=True
    )
    figures, heavy = done.stdout.split("\n")[:2]
    seconds, megabytes = map(float, figures.split())
    assert seconds < 0.6, "of a core; a busy machine counts some waiting too"
    assert megabytes < 45
    assert heavy == ""
