"""What the Loss Lab reads from people and writes for them: names, cards, tables, shares."""

import csv
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from srlab.files import replacing
from srlab.learner.journal import note_lines, read_lines
from srlab.losses import EXPANDED_TERMS
from srlab.runcard import NAME, Figure, Weight

LIST = "loss-lab-runs.jsonl"
FOLDER = "my-runs"
"""Beside the notebook."""
MOST_ROWS = 100
"""Runs of earlier days that the table shows; all stay on the disk."""


class Row(BaseModel):
    """A run in the table of all runs, as it stood when it was left last.

    Args:
        key: unlike any other run's.
        name: such as ``"run 1"``.
        card: the name of the card that it began with.
        when: date and time of its last step, UTC.
        seed: of first weights and crops.
        steps: done.
        scale: 2, 4 or 8.
        photo: the photograph that it was measured on.
        weights: term -> weight, at the end.
        layers: layer -> weight, at the end.
        learning_rate: at the end.
        changes: made while it ran.
        scores: PSNR in dB, sharpness, ridge and checkerboard.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    name: str
    card: str
    when: str
    seed: int
    steps: int
    scale: int
    photo: str
    weights: dict[str, Weight]
    layers: dict[str, Weight]
    learning_rate: float
    changes: int
    scores: dict[str, Figure]


def note_rows(rows: Iterable[Row]) -> None:
    """Add lines to the learner's own list; a run's last line is what counts.

    Raises:
        OSError: if it cannot be written.
    """
    if rows := list(rows):
        note_lines(LIST, rows)


def read_rows() -> list[Row]:
    """The runs of earlier days, oldest first; what is no run is left out with a warning."""
    rows: dict[str, Row] = {}
    for row in read_lines(LIST, Row):
        rows.pop(row.key, None)  # so that it stands where it was left last
        rows[row.key] = row
    return list(rows.values())[-MOST_ROWS:]


def write_table(rows: Iterable[Row], path: Path) -> None:
    """Write runs as CSV, a line each.

    Raises:
        OSError: if it cannot be written.
    """
    lines = [_cells(row) for row in rows]
    columns = list(dict.fromkeys(column for line in lines for column in line))
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


def _cells(row: Row) -> dict[str, object]:
    """Column -> cell of a table."""
    plain = row.model_dump(exclude={"key", "weights", "layers", "scores"})
    return {**plain, **row.weights, **row.layers, **row.scores}


def read_shares(text: str, terms: Sequence[str] = EXPANDED_TERMS) -> dict[str, float]:
    """Shares that somebody typed, one for each term, in any unit.

    Raises:
        ValueError: if they are not as many numbers as terms, each at least 0
            and one above it.

    Example:
        >>> read_shares("50/40/5/5")
        {'pixel': 50.0, 'content': 40.0, 'style': 5.0, 'tv': 5.0}
    """
    wanted = (
        f"{len(terms)} numbers for {', '.join(terms)} with a slash between them, "
        f"such as 50/40/5/5"
    )
    try:
        shares = [float(part.strip().removesuffix("%")) for part in text.split("/")]
    except ValueError:
        raise ValueError(f"The shares must be {wanted}, but got {_quoted(text)}.") from None
    if len(shares) != len(terms) or not all(math.isfinite(s) and s >= 0 for s in shares):
        raise ValueError(f"The shares must be {wanted}, but got {_quoted(text)}.")
    if not any(shares):
        raise ValueError("All shares are 0, but one at least must be above it.")
    return dict(zip(terms, shares, strict=True))


def own_path(name: str, ending: str) -> Path:
    """``my-runs/<name><ending>`` in full; the folder is made if it is missing.

    Raises:
        OSError: if it cannot be made.
        ValueError: for a name that a card or a file cannot have.
    """
    if not re.fullmatch(NAME, name):
        raise ValueError(
            f"A run is named with letters, digits, -, _ and dots, at most 64, a letter or "
            f"digit first and no dot last, but got {_quoted(name)}."
        )
    folder = Path.cwd() / FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise type(error)(f"{folder} could not be made: {error.strerror}.") from None
    return folder / f"{name}{ending}"


def _quoted(text: str) -> str:
    shown = text if len(text) <= 40 else text[:37] + "..."
    return repr(shown)
