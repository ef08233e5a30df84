"""log.csv: each step once, whatever happened; and the same for TensorBoard."""

import csv
import sys
from pathlib import Path

import pytest
import torch

from srlab.runcard import Change, FeatureSpec, RunCard, Stage, load_card, save_card
from srlab.runs import run_card
from srlab.runs.log import RunLog, TensorBoard, columns_of
from srlab.training import DivergedError
from tests.conftest import start_srlab
from tests.test_runs import last, stage, tiny_card, train_only

pytestmark = pytest.mark.usefixtures("on_the_cpu")


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def steps_of(out: Path) -> list[int]:
    return [int(row["step"]) for row in rows_of(out)]


def both(folder: Path, **changes: object) -> RunCard:
    """Two stages with losses of different terms."""
    second = stage(4, weights={"pixel": 1.0, "tv": 0.1})
    return tiny_card(folder, stage(3, 2, weights={"l1": 1.0, "l2": 1.0}), second, **changes)


def test_a_row_for_each_step(photo_folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []
    card = both(photo_folder, validate_every=2)
    finished = run_card(
        card, tmp_path, report=lambda p: seen.append((p.step.loss, p.step.learning_rate))
    )
    text = (tmp_path / "log.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == (
        "step,stage,l1,l2,pixel,tv,loss,learning_rate,seconds,"
        "validation_loss,validation_psnr,bicubic_psnr"
    )
    assert text.count("step") == 1
    assert text.endswith("\n")
    rows = rows_of(tmp_path)
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [int(row["stage"]) for row in rows] == [1, 1, 1, 2, 2, 2, 2]
    for row, (loss, rate) in zip(rows, seen, strict=True):
        assert float(row["loss"]) == pytest.approx(loss, rel=1e-5)
        assert float(row["learning_rate"]) == pytest.approx(rate, rel=1e-5)
    assert rows[0]["l1"] != ""
    assert (rows[0]["tv"], rows[-1]["l1"]) == ("", "")
    assert [row["validation_psnr"] != "" for row in rows] == [
        False, True, True, False, True, False, True,
    ]  # fmt: skip
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    assert 0 < seconds[-1] <= finished.seconds + 0.1


def test_columns_are_those_of_all_losses() -> None:
    features = FeatureSpec(layers={"relu1_1": 1.0})
    change = Change(after=1, weights={"style": 1.0})
    stages = [
        Stage(weights={"pixel": 1.0}, features=features, changes=[change], schedule="constant"),
        Stage(weights={"l2": 1.0}),
    ]
    columns = columns_of(RunCard(name="a", stages=stages))
    assert columns[2:6] == ["l2", "pixel", "style", "loss"]


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 3, 6])
def test_it_goes_on_without_a_gap(photo_folder: Path, tmp_path: Path, step: int) -> None:
    card = both(photo_folder, validate_every=2)
    run_card(card, tmp_path / "whole")
    train_only(card, tmp_path / "parts", steps=step)
    assert steps_of(tmp_path / "parts") == [*range(1, step + 1)]
    run_card(card, tmp_path / "parts", resume=True)
    whole, parts = rows_of(tmp_path / "whole"), rows_of(tmp_path / "parts")
    for row in (*whole, *parts):
        row.pop("seconds")
    assert parts == whole


def test_rows_after_the_checkpoint_are_cut_off(photo_folder: Path, tmp_path: Path) -> None:
    """As after a kill, and with a last line that is not whole."""
    card = tiny_card(photo_folder, stage(6))
    train_only(card, tmp_path, steps=3)
    log = tmp_path / "log.csv"
    line = log.read_text().splitlines()[-1]
    with log.open("a") as file:
        file.write(line.replace("3,1,", "4,1,", 1) + "\n" + line + "\n" + "5,1,0.0")
    run_card(card, tmp_path, resume=True)
    assert steps_of(tmp_path) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("text", ["mine;of;a spreadsheet\n", "", "step\n1\n", "\xff"])
@pytest.mark.parametrize("done", [0, 2])
def test_another_log_is_set_aside(
    photo_folder: Path, tmp_path: Path, text: str, done: int
) -> None:
    log = RunLog(tmp_path, tiny_card(photo_folder, stage(4)), done)
    log.path.write_bytes(text.encode("latin-1"))
    log.note(done + 1, 1, 1e-3, 0.5, {"l1": torch.tensor(0.25)})
    log.write()
    assert (tmp_path / "log-old.csv").read_bytes() == text.encode("latin-1")
    assert steps_of(tmp_path) == [done + 1]


def test_a_step_of_which_nobody_heard_has_its_row(photo_folder: Path, tmp_path: Path) -> None:
    """Ctrl-C may come between a step and the news of it."""
    log = RunLog(tmp_path, tiny_card(photo_folder, stage(4)))
    log.note(1, 1, 1e-3, 0.5, {"l1": torch.tensor(0.25)})
    log.note_lost(1, 1)
    log.note_lost(2, 1)
    log.write(sync=True)
    assert steps_of(tmp_path) == [1, 2]
    assert rows_of(tmp_path)[1]["loss"] == ""


def test_a_held_file_is_written_later(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while a spreadsheet on Windows shows it."""
    log = RunLog(tmp_path, tiny_card(photo_folder, stage(4)))

    def held(*_: object) -> None:
        raise PermissionError("held")

    log.note(1, 1, 1e-3, 0.5, {"l1": torch.tensor(0.25)})
    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "_append", held)
        with pytest.warns(UserWarning, match="is held by another"):
            log.write()
        log.write()  # and is said once
    log.note(2, 1, 1e-3, 0.5, {"l1": torch.tensor(0.25)})
    log.write()
    assert steps_of(tmp_path) == [1, 2]


def test_a_diverged_run_has_its_rows(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise DivergedError("far off.")

    monkeypatch.setattr("srlab.runs.watch.Watch._require_alive", broken)
    with pytest.raises(DivergedError):
        run_card(tiny_card(photo_folder, stage(4), validate_every=3), tmp_path)
    assert steps_of(tmp_path) == [1, 2, 3]
    assert last(tmp_path).step == 3


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_after_kills_every_step_is_there_once(photo_folder: Path, tmp_path: Path) -> None:
    """Real processes, killed a moment after a checkpoint; each leaves more than it keeps."""
    card, out = tmp_path / "card.json", tmp_path / "run"
    save_card(tiny_card(photo_folder, stage(400), validate_every=0), card)
    kept = 0
    for _ in range(2):
        child = start_srlab("train", card, "--out", out, "--resume")
        try:
            while child.poll() is None and not (
                (out / "last.safetensors").exists() and last(out).step > kept
            ):
                pass
        finally:
            child.kill()
            child.communicate()
        kept = last(out).step
        assert steps_of(out)[:kept] == [*range(1, kept + 1)]
    run_card(load_card(card), out, resume=True)
    assert steps_of(out) == [*range(1, 401)]


def test_writing_waits_for_some_rows(photo_folder: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def report(_: object) -> None:
        log = tmp_path / "log.csv"
        seen.append(len(log.read_text().splitlines()) - 1 if log.exists() else 0)

    run_card(tiny_card(photo_folder, stage(6)), tmp_path, report=report, save_every=1e6)
    assert seen[0] == 0
    assert seen[1] == seen[2] == 1, "after the first checkpoint they gather"


# -- TensorBoard -----------------------------------------------------------------------


def scalars(out: Path) -> dict[str, dict[int, float]]:
    """Name -> step -> value, as TensorBoard itself reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(out / "tensorboard"))
    found.Reload()
    return {
        name: {event.step: event.value for event in found.Scalars(name)}
        for name in found.Tags()["scalars"]
    }


def test_tensorboard_shows_what_the_log_has(photo_folder: Path, tmp_path: Path) -> None:
    card = both(photo_folder, validate_every=2)
    train_only(card, tmp_path, steps=4, tensorboard=True)
    run_card(card, tmp_path, tensorboard=True, resume=True)
    shown, rows = scalars(tmp_path), rows_of(tmp_path)
    assert [*shown["loss"]] == [1, 2, 3, 4, 5, 6, 7]
    for name in ("loss", "l1", "tv", "learning_rate", "validation_psnr"):
        noted = {int(row["step"]): float(row[name]) for row in rows if row[name]}
        assert shown[name] == pytest.approx(noted, rel=1e-4)


def test_without_the_packages_it_says_what_to_install(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tiny_card(photo_folder, stage(1))
    for missing in ("tensorboard", "lightning_fabric.loggers"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(
                ModuleNotFoundError, match="pip install lightning-fabric tensorboard"
            ):
                run_card(card, tmp_path / "run", tensorboard=True)
        assert not (tmp_path / "run").exists()


def test_what_tensorboard_has_of_later_steps_is_purged(tmp_path: Path) -> None:
    """After a kill, it may know more than the checkpoint."""
    early = TensorBoard(tmp_path)
    early.write([{"step": n, "loss": 1.0} for n in (1, 2, 3, 4)], sync=True)
    later = TensorBoard(tmp_path, 2)
    later.write([{"step": n, "loss": 2.0} for n in (3, 4, 5)], sync=True)
    assert scalars(tmp_path)["loss"] == {1: 1.0, 2: 1.0, 3: 2.0, 4: 2.0, 5: 2.0}
