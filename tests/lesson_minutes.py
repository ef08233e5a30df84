"""How long a lesson takes: noted when it is stored, told in the teacher's guide.

``lessons/minutes.json`` holds lesson -> kind of device -> what was measured.
``lessons/TEACHING.md`` shows it between two comments, beside an estimate of a
learner's own time, which is counted by ``RULE`` from the lesson's text.
"""

import os
import platform
import re
from datetime import date
from pathlib import Path

import nbformat
import torch
from nbformat import NotebookNode
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from srlab.files import replacing
from srlab.machine import pick_device

NOTES, GUIDE = "minutes.json", "TEACHING.md"
LESSON = re.compile(r"\d\d_")
DEVICES = {"cpu": "CPU", "cuda": "GPU"}
NOT_MEASURED = "not measured yet"
BEGIN, END = "<!-- minutes: begin -->", "<!-- minutes: end -->"

# The rule of the estimate: a choice, not a measurement.
WORDS_A_MINUTE = 100
LINES_A_MINUTE = 15
MINUTES_A_LAB = 5
MINUTES_A_BUILD = 4
MINUTES_AN_EXERCISE = 8
MINUTES_A_QUIZ = 3
ROUND_TO = 5
RULE = (
    f"{WORDS_A_MINUTE} words of text a minute, {LINES_A_MINUTE} lines of code a minute, "
    f"{MINUTES_A_LAB} minutes for each lab or viewer, {MINUTES_A_BUILD} for each build, "
    f"{MINUTES_AN_EXERCISE} for each exercise, {MINUTES_A_QUIZ} for the quiz; "
    f"rounded to {ROUND_TO}"
)

FORMULA = re.compile(r"\$\$.*?\$\$", re.DOTALL)
LAB = re.compile(
    r"^from srlab\.widgets\.(?!course_map|quiz|build|guess)(\w+) import", re.MULTILINE
)
QUIZ = re.compile(r"^Quiz\(", re.MULTILINE)
TO_BE_WRITTEN = "# your turn"


class Timing(BaseModel):
    """One lesson from its first cell to its last, kernel start included."""

    model_config = ConfigDict(extra="forbid")

    seconds: float
    budget: str
    device: str
    threads: int
    torch: str
    date: str

    @property
    def setting(self) -> str:
        """All but the seconds, as the guide says it."""
        return (
            f"{self.device}, {self.threads} thread{'s' * (self.threads != 1)}, "
            f"budget {self.budget}, torch {self.torch}, {self.date}"
        )


Timings = dict[str, dict[str, Timing]]
TIMINGS = TypeAdapter(Timings)


def is_timed(path: Path) -> bool:
    """Whether a notebook is a lesson or a lab's page, no solution and no first page."""
    return path.parent.name == "lessons" and bool(LESSON.match(path.name))


def note(path: Path, seconds: float) -> None:
    """Replace what is noted of one lesson on this kind of device, and nothing else.

    Raises:
        ValueError: if the notes cannot be read.
    """
    device = pick_device()
    timing = Timing(
        seconds=round(seconds, 1),
        budget=os.environ.get("SRLAB_BUDGET", "default"),
        device=_name_of(device),
        threads=torch.get_num_threads(),
        torch=torch.__version__.partition("+")[0],
        date=date.today().isoformat(),
    )
    timings = read_timings(path.parent)
    timings.setdefault(path.stem, {})[device.type] = timing
    _write_timings(path.parent, timings)


def read_timings(lessons: Path) -> Timings:
    """What is noted; empty if nothing is.

    Raises:
        ValueError: if it cannot be read.
    """
    path = lessons / NOTES
    if not path.exists():
        return {}
    try:
        return TIMINGS.validate_json(path.read_bytes())
    except ValidationError:
        raise ValueError(
            f"lessons/{NOTES} is damaged; bring it back from git, or delete it, "
            f"and make lessons measures anew."
        ) from None


def rewrite_guide(lessons: Path) -> bool:
    """Bring the guide's table up to date; whether it changed.

    Raises:
        ValueError: if there is no guide, or it lacks the place for the table.
    """
    path = lessons / GUIDE
    if not path.is_file():
        raise ValueError(f"There is no lessons/{GUIDE} to write the minutes into.")
    before = path.read_text(encoding="utf-8")
    after = with_table(before, table(lessons))
    if after != before:
        with replacing(path) as part:
            part.write_text(after, encoding="utf-8")
    return after != before


def with_table(guide: str, table: str) -> str:
    """The guide with ``table`` between its two comments.

    Raises:
        ValueError: unless each comment stands there once, in order.
    """
    head, begin, rest = guide.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in head + tail:
        raise ValueError(
            f"lessons/{GUIDE} must hold {BEGIN} and, below it, {END}, each once; "
            f"put them where the table belongs."
        )
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}"


def table(lessons: Path) -> str:
    """Minutes of each lesson, and below them how they came about."""
    timings = read_timings(lessons)
    titles = " | ".join(f"the computer, {name}" for name in DEVICES.values())
    lines = [
        f"| lesson | {titles} | a learner (estimate) |",
        f"| --- |{' ---: |' * (len(DEVICES) + 1)}",
    ]
    settings: dict[str, list[str]] = {}
    for path in sorted(filter(is_timed, lessons.glob("*.ipynb"))):
        notebook = nbformat.read(path, as_version=4)
        title, own = _title(notebook), timings.get(path.stem, {})
        cells = [_minutes(own.get(kind)) for kind in DEVICES]
        estimate = f"{estimated_minutes(notebook)} min"
        lines.append(f"| [{title}]({path.name}) | {' | '.join([*cells, estimate])} |")
        for kind in filter(own.__contains__, DEVICES):
            settings.setdefault(own[kind].setting, []).append(title.partition(" · ")[0])
    return "\n".join([*lines, "", *_remarks(settings)])


def estimated_minutes(notebook: NotebookNode) -> int:
    """A learner's minutes by ``RULE``; the computer's are not in them."""
    text = [FORMULA.sub("", c.source) for c in notebook.cells if c.cell_type == "markdown"]
    code = [c.source for c in notebook.cells if c.cell_type == "code"]
    words = sum(any(map(str.isalpha, word)) for part in text for word in part.split())
    lines = sum(_is_code(line) for part in code for line in part.splitlines())
    labs = {name for part in code for name in LAB.findall(part)}
    minutes = (
        words / WORDS_A_MINUTE
        + lines / LINES_A_MINUTE
        + len(labs) * MINUTES_A_LAB
        + sum(_minutes_to_write(part) for part in code)
        + sum(bool(QUIZ.search(part)) for part in code) * MINUTES_A_QUIZ
    )
    return max(ROUND_TO, ROUND_TO * round(minutes / ROUND_TO))


def _remarks(settings: dict[str, list[str]]) -> list[str]:
    """What the columns mean, and under which setting which lessons were measured."""
    measured = [f"- {setting}: {', '.join(names)}" for setting, names in settings.items()]
    return [
        "*The computer*: all cells from top to bottom, measured when the outputs were stored"
        + (", the start of the kernel included:" if measured else "."),
        *(["", *sorted(measured)] if measured else []),
        "",
        f"*A learner*: an **estimate by a rule**, without the computer's time: {RULE}.",
    ]


def _minutes_to_write(source: str) -> int:
    """Of a cell: a build says where srlab has it."""
    if TO_BE_WRITTEN not in source:
        return 0
    return MINUTES_A_BUILD if source.startswith("# srlab/") else MINUTES_AN_EXERCISE


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith("#")


def _title(notebook: NotebookNode) -> str:
    return notebook.cells[0].source.splitlines()[0].removeprefix("# ").partition(":")[0]


def _minutes(timing: Timing | None) -> str:
    return f"{timing.seconds / 60:.1f} min" if timing else NOT_MEASURED


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type.upper()} ({platform.processor() or platform.machine()})"


def _write_timings(lessons: Path, timings: Timings) -> None:
    ordered = {name: dict(sorted(timings[name].items())) for name in sorted(timings)}
    with replacing(lessons / NOTES) as part:
        part.write_bytes(TIMINGS.dump_json(ordered, indent=1) + b"\n")
