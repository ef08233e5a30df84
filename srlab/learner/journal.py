"""A learner's own runs, kept on their own disk and nowhere else.

Each run is a dot on the perception-distortion map, ``srlab.plots.show_map``.
"""

import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from srlab.data import load_photos
from srlab.files import own_folder
from srlab.runcard import Figure, Scale
from srlab.scoring import score_models

JOURNAL = "runs.jsonl"

Record = TypeVar("Record", bound=BaseModel)


class Run(BaseModel):
    """One network, measured on the validation photographs.

    Args:
        name: what the learner called it.
        lesson: where it was trained, such as ``"02"``.
        scale: 2, 4 or 8.
        figures: ``psnr_y`` in dB, ``sharpness`` and what else was measured.
        bicubic: the same figures of bicubic.
        when: date and time, UTC.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    lesson: str
    scale: Scale
    figures: dict[str, Figure]
    bicubic: dict[str, Figure]
    when: str

    def __str__(self) -> str:
        figures, bicubic = self.figures, self.bicubic
        return (
            f"{self.name}: {figures['psnr_y']:.2f} dB, sharpness {figures['sharpness']:.2f} "
            f"(bicubic {bicubic['psnr_y']:.2f} dB, {bicubic['sharpness']:.2f})"
        )


def note_run(name: str, model: nn.Module, *, lesson: str, scale: int = 4) -> Run:
    """Measure a network and note it in the learner's journal.

    Measured on the three embedded validation photographs, by the published
    protocol.

    Args:
        name: what to call it on the map; a later run of the same name and
            lesson takes its place there.
        model: lr -> sr.
        lesson: where it was trained.
        scale: 2, 4 or 8.

    Returns:
        The run as noted.

    Raises:
        OSError: if the journal cannot be written.
    """
    photos = load_photos("embedded", "val")
    bicubic, own = (_figures(row) for row in score_models(photos, {name: model}, scale=scale))
    when = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"name": name, "lesson": lesson, "scale": scale, "when": when}
    run = Run.model_validate({**about, "figures": own, "bicubic": bicubic})
    add_run(run)
    return run


def add_run(run: Run) -> None:
    """Note a run that was measured already.

    Raises:
        OSError: if the journal cannot be written.
    """
    note_lines(JOURNAL, [run])


def read_runs(scale: int | None = None) -> list[Run]:
    """The runs noted so far, oldest first.

    Args:
        scale: only those of this scale; all if None. Runs of two scales must
            not stand on one map, since they solve two problems.

    Returns:
        Runs. A line of the journal that is no run is left out with a warning.
    """
    return [run for run in read_lines(JOURNAL, Run) if scale in (None, run.scale)]


def note_lines(name: str, records: Iterable[BaseModel]) -> None:
    """Add a line for each record to one of the learner's own lists.

    Raises:
        OSError: if it cannot be written.
    """
    text = "".join(f"{record.model_dump_json()}\n" for record in records)
    path = own_folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
    with path.open("ab", buffering=0) as file:  # one write: two notebooks may do it at once
        file.write(f"{'' if whole else chr(10)}{text}".encode())


def read_lines(name: str, kind: type[Record]) -> list[Record]:
    """What such a list holds, oldest first; what is no record is left out with a warning."""
    path = own_folder() / name
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(kind.model_validate_json(line))
        except ValidationError:
            warnings.warn(
                f"Line {number} of {path} is not a run that srlab noted; it is left out.",
                stacklevel=3,
            )
    return records


def _figures(row: dict[str, object]) -> dict[str, object]:
    """What was measured, without names, counts and times."""
    about = ("model", "scale", "protocol", "pictures", "seconds")
    return {
        key: round(v, 6) for key, v in row.items() if isinstance(v, float) and key not in about
    }
