"""What a training notes of each step: ``log.csv``, and TensorBoard for who wants it."""

import csv
import io
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from srlab.files import free_path, replacing
from srlab.runcard import RunCard
from srlab.runs.validation import Reading

LOG = "log.csv"
SECONDS_BETWEEN_WRITES = 2.0
TERMS = ("l1", "l2", "pixel", "content", "style", "tv", "spectrum")

LogRow = dict[str, Any]


class RunLog:
    """A row a step in ``log.csv``, written some seconds later and before each checkpoint.

    Columns: ``step`` of the whole run, ``stage`` from 1, the weighted terms of
    the card's losses (empty where a stage has another one), their sum
    ``loss``, ``learning_rate``, ``seconds`` since the training began, the
    validation's ``validation_loss``, ``validation_psnr`` and ``bicubic_psnr``
    (Y, in dB) where it looked.

    Args:
        folder: of the run.
        card: whose losses are noted.
        done: steps that the log may hold already; later ones are cut off.
        board: gets each row too, as it is written.
    """

    def __init__(
        self, folder: Path, card: RunCard, done: int = 0, board: "TensorBoard | None" = None
    ):
        self.path, self.columns, self.board = folder / LOG, columns_of(card), board
        self.rows: list[LogRow] = []
        self.done = self.last = done
        self.written = time.monotonic()
        self.begun = self.waits = False

    def note(
        self, step: int, stage: int, rate: float, seconds: float, terms: Mapping[str, Tensor]
    ) -> None:
        """Take in a step; its terms may stay on their device until they are written."""
        row = {"step": step, "stage": stage, "learning_rate": rate, "seconds": seconds}
        self.rows.append({**row, "terms": terms})
        self.last = step

    def note_lost(self, step: int, stage: int) -> None:
        """Take in a step of which nobody heard, since Ctrl-C came in between."""
        if step > self.last:
            self.rows.append({"step": step, "stage": stage, "terms": {}})
            self.last = step

    def read(self, reading: Reading) -> None:
        """Add to the last step what was seen after it."""
        self.rows[-1] |= {
            "validation_loss": reading.loss,
            "validation_psnr": reading.psnr,
            "bicubic_psnr": reading.bicubic,
        }

    @property
    def is_due(self) -> bool:
        """Whether the last time that it was written is a while ago."""
        return time.monotonic() - self.written > SECONDS_BETWEEN_WRITES

    def write(self, *, sync: bool = False) -> None:
        """Append what has gathered, in whole lines.

        Args:
            sync: wait until it is on the disk, as before a checkpoint.

        Raises:
            OSError: if it cannot be written; while another program, such as a
                spreadsheet, holds the file, the rows wait.
        """
        self.written = time.monotonic()
        rows = [_flat(row) for row in self.rows]
        try:
            self._append(rows, sync)
        except PermissionError as error:
            if not self.waits:
                sentence = f"{self.path} is held by another ({error}); its rows wait."
                warnings.warn(sentence, stacklevel=2)
            self.waits = True
            return
        self.rows.clear()
        self.waits = False
        if self.board:
            self.board.write(rows, sync=sync)

    def _append(self, rows: list[LogRow], sync: bool) -> None:
        if not self.begun:
            self._begin()
        text = io.StringIO()
        self._writer(text).writerows({k: _short(v) for k, v in row.items()} for row in rows)
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
            file.flush()
            if sync:
                os.fsync(file.fileno())

    def _begin(self) -> None:
        """Keep what belongs to the steps done; set aside what is no log of this card."""
        kept: list[LogRow] = []
        if self.path.exists():
            found = _complete_rows(self.path, self.columns)
            if found is None:
                self.path.replace(free_path(self.path.with_name("log-old.csv")))
            else:
                kept = [row for row in found if int(row["step"]) <= self.done]
        text = io.StringIO()
        writer = self._writer(text)
        writer.writeheader()
        writer.writerows(kept)
        with replacing(self.path) as part:
            part.write_text(text.getvalue(), encoding="utf-8", newline="")
        self.begun = True

    def _writer(self, text: io.StringIO) -> "csv.DictWriter[str]":
        return csv.DictWriter(text, self.columns, extrasaction="ignore", lineterminator="\n")


def columns_of(card: RunCard) -> list[str]:
    """The columns of a card's log, with every term that one of its stages has."""
    named: set[str] = set()
    for stage in card.stages:
        named |= {str(name) for name in stage.weights}
        named |= {str(name) for change in stage.changes for name in change.weights}
    terms = [term for term in TERMS if term in named]
    seen = ["validation_loss", "validation_psnr", "bicubic_psnr"]
    return ["step", "stage", *terms, "loss", "learning_rate", "seconds", *seen]


class TensorBoard:
    """The same rows for TensorBoard, in ``folder/tensorboard``, by Lightning Fabric.

    Args:
        folder: of the run.
        done: steps already done; what is there of later ones is not shown.

    Raises:
        ModuleNotFoundError: if the packages are not installed.
    """

    def __init__(self, folder: Path, done: int = 0):
        require_tensorboard()
        from lightning_fabric.loggers.tensorboard import TensorBoardLogger

        self.logger = TensorBoardLogger(folder, "", "tensorboard", purge_step=done + 1)

    def write(self, rows: list[LogRow], *, sync: bool) -> None:
        """Take in rows; ``sync`` waits until they are in the file."""
        for row in rows:
            figures = {key: value for key, value in row.items() if key != "step"}
            self.logger.log_metrics(figures, row["step"])
        if sync:
            self.logger.save()


def require_log(name: str | None) -> None:
    """Raise unless it is a log that ``srlab train`` can write beside ``log.csv``."""
    if name not in (None, "tensorboard"):
        raise ValueError(f"--log takes tensorboard, but got {name}; log.csv is always written.")


def require_tensorboard() -> None:
    """Raise unless what TensorBoard's files are written with is installed.

    Raises:
        ModuleNotFoundError: saying what to install.
    """
    try:
        import lightning_fabric.loggers  # noqa: F401
        import tensorboard  # type: ignore[import-untyped] # noqa: F401
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "--log tensorboard needs two packages, of which one is not installed here; "
            "install them with pip install lightning-fabric tensorboard."
        ) from None


def _flat(row: LogRow) -> LogRow:
    """A row with its terms, and their sum, as numbers."""
    terms = {name: term.item() for name, term in row["terms"].items()}
    loss = {"loss": sum(terms.values())} if terms else {}
    return {key: v for key, v in row.items() if key != "terms"} | terms | loss


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _complete_rows(path: Path, columns: list[str]) -> list[LogRow] | None:
    """The rows of a log, each step once; None if the file is something else."""
    try:
        text = path.read_text(encoding="utf-8")
        lines = text[: text.rfind("\n") + 1].splitlines()  # a last line may be cut off
        if not lines or lines[0] != ",".join(columns):
            return None
        rows = {int(row["step"]): row for row in csv.DictReader(lines) if _is_complete(row)}
    except (ValueError, csv.Error):
        return None
    return [rows[step] for step in sorted(rows)]


def _is_complete(row: LogRow) -> bool:
    return None not in row and None not in row.values()
