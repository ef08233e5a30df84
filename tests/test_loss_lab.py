"""LossLab: what its settings do, what it tells the page, what it writes and reads."""

import csv
import gc
import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from ipywidgets import FloatSlider, link
from traitlets import TraitError

from srlab.instant import LARGEST, InstantNetwork
from srlab.metrics import haarpsi, ridge
from srlab.presets import PRESETS
from srlab.runcard import (
    ModelSpec,
    RunCard,
    Stage,
    load_card,
    save_card,
)
from srlab.scoring import Scene
from srlab.widgets.class_board import ClassBoard
from srlab.widgets.kit.pictures import tile
from srlab.widgets.loss_lab import LossLab, bench, reading
from srlab.widgets.loss_lab.card import lab_card
from srlab.widgets.loss_lab.files import (
    MOST_ROWS,
    Row,
    note_rows,
    own_path,
    read_rows,
    read_shares,
)
from srlab.widgets.loss_lab.lab import DIALS, MOST_SNAPSHOTS
from srlab.widgets.loss_lab.reading import MOST_BESIDE, MOST_POINTS, path_of, reweighed
from srlab.widgets.workbench import Figures
from tests.conftest import judges_of
from tests.watching import equal, wait_for, weights_of

SMALL = ModelSpec(num_features=4, num_blocks=1)


@pytest.fixture(autouse=True)
def own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its files go to a folder of their own; fp32 spares the trial run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SRLAB_PRECISION", "fp32")


@pytest.fixture(scope="module")
def card(photo_folder: Path) -> RunCard:
    """A training whose steps are short."""
    card = lab_card(model=SMALL, start="untrained", hr_size=32, batch_size=1)
    own = {"data": str(photo_folder), "validation": judges_of(photo_folder)}
    return card.model_copy(update=own)


@contextmanager
def running(card: RunCard) -> Iterator[LossLab]:
    lab = LossLab(card)
    yield lab
    lab.pause()
    lab.close()  # ipywidgets would keep it, with its network and VGG


@pytest.fixture
def lab(card: RunCard) -> Iterator[LossLab]:
    with running(card) as lab:
        yield lab


@pytest.fixture(scope="module")
def one_for_many(card: RunCard) -> Iterator[LossLab]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRLAB_PRECISION", "fp32")
        with running(card) as lab:
            lab.run_steps(1)
            yield lab


@pytest.fixture
def used(one_for_many: LossLab) -> LossLab:
    """After one step; for tests that train it no further, and share it."""
    one_for_many.tell(message={})
    return one_for_many


def message(lab: LossLab) -> str:
    return lab.message["text"]


def complains(lab: LossLab) -> bool:
    return bool(lab.message.get("alarm"))


def press(lab: LossLab, button: str, /, **given: Any) -> None:
    """As a page presses a button."""
    lab._on_message(lab, {"press": button, **given}, [])
    lab.live.settle()


def dials(lab: LossLab, side: str = "a") -> dict[str, float]:
    return {name: getattr(lab, f"{side}_{name}") for name in DIALS}


def move(lab: LossLab, name: str, value: float) -> None:
    """As a hand moves a slider."""
    lab.set_trait(name, value)
    lab.live.settle()


# Training ------------------------------------------------------------------------------------


def test_run_steps_trains_here_and_draws(lab: LossLab):
    before, picture = weights_of(lab.bench.model), lab.a_picture["data"]
    lab.run_steps(3)
    assert lab.figures.step == lab.step == 3
    assert lab.state == "paused"
    assert not equal(before, weights_of(lab.bench.model))
    assert lab.a_picture["data"] != picture
    assert lab.a_picture["caption"].startswith(f"{lab.figures.psnr:.2f} dB")
    assert lab.b_picture == {}


def test_start_pause_and_reset(lab: LossLab):
    press(lab, "start")
    wait_for(lambda: lab.step > 2, "some steps")
    press(lab, "pause")
    lab.live.wait()
    steps = lab.step
    time.sleep(0.2)
    assert lab.bench.step.number == steps
    press(lab, "reset")
    lab.live.wait()
    assert (lab.step, lab.state) == (0, "ready")
    assert (
        message(lab) == f"run 1 is kept at step {steps}; run 2 begins with the weights of now."
    )


def test_reset_without_room_says_so_and_loses_nothing(
    lab: LossLab, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bench, "MOST_BRANCHES", 1)
    lab.run_steps(2)
    press(lab, "reset")
    lab.live.wait()
    assert message(lab).startswith("Nothing was changed: There are 1 runs already")
    assert (lab.step, lab.state) == (2, "paused")
    lab.run_steps(1)
    assert lab.step == 3


def test_reset_keeps_the_weights_that_are_set(lab: LossLab):
    start = weights_of(lab.bench.model)
    lab.set("pixel", 7.0)
    lab.set("learning_rate", 1e-3)
    lab.run_steps(1)
    lab.reset()
    assert equal(start, weights_of(lab.bench.model))
    assert lab.bench.loss.weights["pixel"] == lab.a_pixel == 7.0
    assert lab.bench.present_learning_rate == lab.a_learning_rate == 1e-3
    assert lab.bench.card().stages[0].weights["pixel"] == 7.0, "as from its start"
    lab.set("pixel", 2.0)
    lab.go_to("run 1")
    assert lab.bench.loss.weights["pixel"] == lab.a_pixel == 7.0


def test_a_heading_says_what_is_trained(used: LossLab):
    count = sum(p.numel() for p in used.bench.model.parameters())
    assert "SrResNet ×4, untrained" in used.heading
    assert f"{count / 1e6:.2f} M parameters" in used.heading
    assert "fp32 on cpu" in used.heading


def test_without_a_card_it_goes_on_from_the_pixel_network():
    lab = LossLab()
    assert lab.bench.start_card.start == "small-x4"
    assert "from small-x4" in lab.heading
    assert lab.sides[0]["preset"] == "this course"
    assert repr(lab).startswith("LossLab: run 1, step 0, PSNR ")
    assert lab.sides[0]["loss"] is None, "before a step there is none"


# Settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIALS)
def test_each_slider_moves_its_own_weight_alone(used: LossLab, name: str):
    before = dials(used)
    move(used, f"a_{name}", 0.037)
    after = dials(used)
    assert {key for key in after if after[key] != before[key]} == {name}
    loss = used.bench.loss
    rate = {"learning_rate": used.bench.present_learning_rate}
    assert (loss.weights | loss.layer_weights | rate)[name] == 0.037


def test_a_weight_is_linked_to_a_plain_slider(lab: LossLab):
    other = FloatSlider(0.2, min=0, max=1)
    link((other, "value"), (lab, "a_content"))
    other.value = 0.5
    lab.live.settle()
    assert lab.bench.loss.weights["content"] == 0.5
    lab.set("content", 0.25)
    assert other.value == 0.25


def test_set_moves_a_slider_of_a_side(used: LossLab):
    used.set("style", 2500.0)
    assert used.a_style == used.bench.loss.weights["style"] == 2500.0
    with pytest.raises(ValueError, match="There is no side B; there are A"):
        used.set("pixel", 1.0, side="B")
    with pytest.raises(TraitError):
        used.a_content = -1.0


WEIGHT = r"A weight must be 0 \(off\) or between 1e-05 and 100, but got "
RATE = "The slider 'learning rate' goes from 1e-05 to 0.1, but got "


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("vgg", 1.0, "There is no slider vgg; there are pixel, content"),
        ("tv", 10001.0, "between 1e-05 and 10000, but got 10001"),
        *(("relu2_2", value, WEIGHT) for value in (500.0, 1e-7, -1.0, math.nan)),
        *(("learning_rate", value, RATE) for value in (5.0, 0.0, -1.0, 1e-7, math.nan)),
    ],
)
def test_what_no_slider_reaches_is_refused(
    used: LossLab, name: str, value: float, sentence: str
):
    before = dials(used)
    with pytest.raises(ValueError, match=sentence):
        used.set(name, value)
    assert dials(used) == before


def test_following_leaves_no_note(lab: LossLab):
    """A weight that the worker tells must not come back as a person's move."""
    lab.run_steps(1)
    lab.preset("Johnson 2016")
    changes = len(lab.bench.branch.changes)
    lab.go_to("run 1")
    lab.run_steps(2)
    assert len(lab.bench.branch.changes) == changes == 1
    assert (lab.a_pixel, lab.a_content) == (0.0, 1.0)


def test_weights_beyond_a_slider_are_told_as_they_are(lab: LossLab):
    lab.bench.set_weight("style", 5e4)  # as a balance may, or a card that is repeated
    lab.bench.set_weight("tv", 5e-6)
    lab.run_steps(2)
    assert (lab.a_style, lab.a_tv) == (5e4, 5e-6)
    assert (lab.bench.loss.weights["style"], lab.bench.loss.weights["tv"]) == (5e4, 5e-6)


def test_a_rate_that_cannot_be_is_said(used: LossLab):
    move(used, "a_learning_rate", 0.0)
    assert complains(used)
    assert "A learning rate is above 0 and at most 1" in message(used)
    assert used.live.state != "failed"


def test_another_photograph_is_shown_and_measured(lab: LossLab):
    lab.run_steps(1)
    before = lab.truth["data"], lab.bicubic, lab.sides[0]["measures"]
    move(lab, "photo", "coffee-cup")
    assert lab.bench.photo_name == "coffee-cup"
    after = lab.truth["data"], lab.bicubic, lab.sides[0]["measures"]
    assert all(old != new for old, new in zip(before, after, strict=True))
    move(lab, "photo", "moon")
    assert "There is no photograph moon" in message(lab)
    assert lab.photo == "coffee-cup"


# Two side by side ----------------------------------------------------------------------------


def test_a_and_b_are_told_apart(lab: LossLab):
    lab.run_steps(2)
    press(lab, "split")
    assert message(lab).startswith("B is run 2, a fork of A; both get the same batches.")
    lab.run_steps(2)
    assert lab.a_picture["data"] == lab.b_picture["data"]
    assert (lab.a_picture["name"], lab.b_picture["name"]) == ("A", "B")
    assert lab.curves["A"]["rows"] == lab.curves["B"]["rows"]
    lab.set("tv", 3.0, side="B")
    assert (lab.a_tv, lab.b_tv) == (0.1, 3.0)
    assert [lab.side_by_side[side].loss.weights["tv"] for side in "AB"] == [0.1, 3.0]
    lab.run_steps(2)
    assert lab.step == 6
    assert lab.a_picture["data"] != lab.b_picture["data"]
    assert [side["run"] for side in lab.sides] == ["run 1", "run 2"]
    assert list(lab.pictures()) == ["bicubic", "A", "B", "truth"]


def test_each_of_two_has_its_own_ledger_and_presets(lab: LossLab):
    lab.run_steps(1)
    lab.split()
    press(lab, "preset", name="pixel only", side="B")
    assert [side["preset"] for side in lab.sides] == ["this course", "pixel only"]
    shares = [entry["share"] for entry in lab.sides[1]["ledger"]]
    assert shares == [1, 0, 0, 0]
    lab.balance("50/50/0/0", side="B")
    assert lab.b_content > 0 == lab.b_tv
    assert (lab.a_style, lab.a_content) == (0.2, 0)


def test_one_of_two_goes_on_alone_and_the_other_is_kept(lab: LossLab):
    lab.run_steps(1)
    lab.split()
    lab.set("tv", 3.0, side="B")
    lab.run_steps(1)
    left, kept = (weights_of(lab.side_by_side[side].model) for side in "AB")
    press(lab, "join", keep="B")
    assert message(lab) == "run 2 goes on alone; run 1 is kept."
    assert (lab.bench.branch.name, lab.a_tv, lab.b_picture) == ("run 2", 3.0, {})
    assert equal(kept, weights_of(lab.bench.model))
    lab.go_to("run 1")
    assert equal(left, weights_of(lab.bench.model))
    assert lab.a_tv == 0.1
    with pytest.raises(ValueError, match="There is one network alone"):
        lab.join()


def test_two_begin_anew_from_one_start(lab: LossLab):
    lab.split()
    lab.set("tv", 3.0, side="B")
    lab.run_steps(2)
    lab.reset()
    assert message(lab) == (
        "run 1 is kept at step 2; run 2 is kept at step 2; "
        "run 3 and run 4 begin with the weights of now."
    )
    a, b = lab.side_by_side["A"], lab.side_by_side["B"]
    assert equal(weights_of(a.model), weights_of(b.model))
    assert (lab.a_tv, lab.b_tv) == (0.1, 3.0)
    lab.set("tv", 0.1, side="B")
    lab.run_steps(2)
    assert equal(weights_of(a.model), weights_of(b.model)), "the same batches again"


@pytest.mark.parametrize(
    ("name", "given"), [("fork", {}), ("go_to", {"name": "run 1"}), ("split", {})]
)
def test_what_two_cannot_do_is_said(lab: LossLab, name: str, given: dict[str, str]):
    lab.run_steps(1)
    lab.split()
    press(lab, name, **given)
    assert complains(lab)
    assert "press Only A or Only B first" in message(lab)
    assert lab.side_by_side.two


# Seed, stop, table of runs -------------------------------------------------------------------


def test_another_seed_is_another_run_with_the_same_weights(lab: LossLab):
    lab.set("tv", 3.0)
    lab.run_steps(2)
    first = weights_of(lab.bench.model)
    move(lab, "seed", 7)
    lab.live.wait()
    assert (lab.seed, lab.step, lab.a_tv, lab.state) == (7, 0, 3.0, "ready")
    assert lab.bench.card().seed == 7
    lab.run_steps(2)
    assert not equal(first, weights_of(lab.bench.model))
    lab.go_to("run 1")
    assert lab.seed == lab.bench.card().seed == 0
    lab.reset()
    lab.run_steps(2)
    assert equal(first, weights_of(lab.bench.model)), "of the first seed again"


def test_it_stops_at_the_step_one_asked_for(lab: LossLab):
    move(lab, "stop_at", 4)
    lab.start()
    wait_for(lambda: lab.state == "paused", "it to stop")
    assert lab.step == 4
    assert message(lab) == "Stopped at step 4, as asked."
    lab.start()
    wait_for(lambda: lab.bench.done > 5, "it to go on beyond")


def test_all_runs_are_in_the_table_and_in_the_csv(lab: LossLab):
    lab.run_steps(2)
    lab.fork()
    lab.set("content", 0.3)
    lab.run_steps(2)
    rows = lab.runs
    assert [(row["name"], row["steps"]) for row in rows] == [("run 1", 2), ("run 2", 4)]
    assert rows[0]["weights"]["content"] == 0
    assert rows[1]["weights"]["content"] == 0.3
    measures = lab.sides[0]["measures"]
    scores = {"psnr": "psnr_y", "ridge": "ridge", "checkerboard": "checkerboard"}
    for name, key in scores.items():
        assert rows[1]["scores"][name] == pytest.approx(measures[key], abs=1e-4)
    with lab.save_table().open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["name"] for row in table] == ["run 1", "run 2"]
    assert (table[1]["steps"], table[1]["content"], table[1]["seed"]) == ("4", "0.3", "0")
    assert float(table[1]["psnr"]) == pytest.approx(lab.figures.psnr, abs=1e-4)


def test_runs_outlive_the_kernel(lab: LossLab, card: RunCard):
    lab.run_steps(2)
    lab.run_steps(1)
    with running(card) as other:
        assert [(row["name"], row["steps"]) for row in other.runs] == [("run 1", 3)]
        other.run_steps(1)
        keys = [row["key"] for row in other.runs]
        assert len(set(keys)) == 2, "run 1 of today is another one"


def test_a_spoiled_line_of_the_list_is_left_out(lab: LossLab, tmp_path: Path):
    lab.run_steps(1)
    path = tmp_path / "home" / "loss-lab-runs.jsonl"
    text = path.read_text()
    path.write_text(text + "{}\n" + text * (MOST_ROWS + 1))
    with pytest.warns(UserWarning, match=r"Line 2 of .*loss-lab-runs.jsonl is not a run"):
        assert len(read_rows()) == 1


def test_the_latest_of_many_runs_are_read(used: LossLab):
    row = Row.model_validate(used.runs[0])
    note_rows(row.model_copy(update={"key": f"{n}"}) for n in range(MOST_ROWS + 3))
    assert [row.key for row in read_rows()] == [f"{n}" for n in range(3, MOST_ROWS + 3)]


def test_a_list_that_cannot_be_written_is_said(lab: LossLab, tmp_path: Path):
    (tmp_path / "home").write_text("a file")
    lab.run_steps(1)
    assert complains(lab)
    assert "The table of runs is not kept" in message(lab)
    lab.run_steps(1)
    assert lab.step == 2


# The ledger ----------------------------------------------------------------------------------


def test_reweighed_is_what_the_ledger_says_of_the_new_weights(lab: LossLab):
    lab.run_steps(1)
    new = {"pixel": 0.2, "content": 0.05, "style": 3.0, "tv": 0.0}
    guessed = reweighed(lab.ledger, new)
    for name, weight in new.items():
        lab.bench.set_weight(name, weight)
    measured = lab.bench.ledger()
    for name in new:
        assert guessed[name].share == pytest.approx(measured[name].share, rel=1e-4)
        assert guessed[name].weighted == pytest.approx(measured[name].weighted, rel=1e-4)
    assert reweighed(lab.ledger, dict.fromkeys(new, 0))["tv"].share == 0


def test_shown_ledger_is_that_of_the_bench(lab: LossLab):
    lab.run_steps(2)
    measured = lab.bench.ledger()
    for row in lab.sides[0]["ledger"]:
        entry = measured[row["term"]]
        assert row["share"] == pytest.approx(entry.share, abs=1e-4)
        assert row["weighted"] == pytest.approx(entry.weight * entry.raw, rel=1e-3)
        assert row["weight"] == lab.bench.loss.weights[row["term"]]


def test_a_move_is_shown_before_the_next_step(lab: LossLab):
    lab.run_steps(1)
    before = lab.bench.step
    lab.change("a_content", 0.75)
    assert lab.bench.step is before
    assert lab.sides[0]["ledger"][1]["weight"] == 0.75


# Balance -------------------------------------------------------------------------------------


def test_balance_gives_the_shares_that_were_asked_for(lab: LossLab):
    lab.run_steps(2)
    press(lab, "balance", shares="50/40/5/5")
    shares = [entry.share for entry in lab.ledger.values()]
    assert shares == pytest.approx([0.5, 0.4, 0.05, 0.05], abs=1e-3)
    assert message(lab).startswith("Balanced to 50/40/5/5: pixel 1, content ")
    for name, weight in lab.bench.loss.weights.items():
        assert dials(lab)[name] == pytest.approx(weight)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (
            "50/40",
            "The shares must be 4 numbers for pixel, content, style, tv with a slash between "
            "them, such as 50/40/5/5, but got '50/40'.",
        ),
        *((t, f"but got {t!r}.") for t in ("fifty/40/5/5", "50/-40/5/5", "nan/1/1/1", "")),
        ("0/0/0/0", "All shares are 0, but one at least must be above it."),
    ],
)
def test_shares_that_cannot_be_read(typed: str, sentence: str):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read_shares(typed)


def test_percent_signs_and_spaces_are_read():
    assert read_shares(" 50% / 40 % /5/5") == read_shares("50/40/5/5")


def test_bad_input_changes_nothing_and_stops_no_training(lab: LossLab):
    before = dict(lab.bench.loss.weights)
    lab.start()
    wait_for(lambda: lab.live.state == "running", "it to run")
    press(lab, "balance", shares="x")
    count = lab.bench.step.number
    wait_for(lambda: lab.bench.step.number > count + 2, "it to go on")
    assert complains(lab)
    assert message(lab).startswith("Nothing was changed: The shares must be 4 numbers")
    assert lab.bench.loss.weights == before
    assert lab.live.state == "running"


# Presets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_every_slider_and_says_its_source(used: LossLab, name: str):
    used.set("tv", 0.7)
    press(used, "preset", name=name)
    preset = PRESETS[name]
    for term, weight in used.bench.loss.weights.items():
        assert weight == dials(used)[term] == preset.weights.get(term, 0.0)
    for layer, weight in used.bench.loss.layer_weights.items():
        assert weight == dials(used)[layer] == preset.layers.get(layer, 0.0)
    assert used.sides[0]["source"] == preset.source
    assert used.sides[0]["preset"] == name
    assert [name, preset.source] in used.presets


def test_moved_by_hand_it_is_no_preset(used: LossLab):
    used.preset("pixel only")
    used.set("tv", 0.25)
    assert used.sides[0]["preset"] == ""
    assert used.sides[0]["source"] == "The weights are set by hand."
    used.set("tv", 0.0)
    assert used.sides[0]["preset"] == "pixel only"


def test_an_own_preset_stays(lab: LossLab, card: RunCard):
    lab.set("style", 12.5)
    press(lab, "save_preset", name="my texture")
    path = Path(message(lab).removeprefix("Preset my texture written to ").removesuffix("."))
    assert json.loads(path.read_text())["my texture"]["weights"]["style"] == 12.5
    assert lab.sides[0]["preset"] == "my texture"
    assert lab.sides[0]["source"] == "Your own, kept at run 1, step 0."
    with running(card) as other:
        other.preset("my texture")
        assert other.bench.loss.weights["style"] == 12.5


def test_presets_that_cannot_be(used: LossLab):
    press(used, "save_preset", name="")
    assert complains(used)
    assert "A preset's name has 1 to 60 characters, but got ''." in message(used)
    with pytest.raises(ValueError, match="'pixel only' is a built-in preset"):
        used.save_preset("pixel only")
    with pytest.raises(ValueError, match="There is no preset mine; there are pixel only, "):
        used.preset("mine")


# Runs, snapshots, comparing ------------------------------------------------------------------


def test_a_fork_goes_on_and_the_run_waits(lab: LossLab):
    lab.run_steps(2)
    press(lab, "fork")
    assert message(lab) == "run 1 is kept at step 2; run 2 goes on from there."
    assert lab.branches == [["run 1", "run 1"], ["run 2", "run 2 (run 1, step 2)"]]
    kept = weights_of(lab.bench.model)
    lab.preset("Johnson 2016")
    lab.run_steps(2)
    assert not equal(kept, weights_of(lab.bench.model))
    press(lab, "go_to", name="run 1")
    assert equal(kept, weights_of(lab.bench.model))
    assert (lab.sides[0]["run"], lab.step) == ("run 1", 2)
    assert lab.sides[0]["preset"] == "this course", "sliders are those of the run"
    assert message(lab) == "run 1 goes on from step 2."
    with pytest.raises(ValueError, match="run 9"):
        lab.go_to("run 9")


def test_runs_are_forked_and_changed_while_it_trains(lab: LossLab):
    lab.start()
    wait_for(lambda: lab.bench.done > 1, "some steps")
    lab.fork()
    lab.go_to("run 1")
    there = lab.bench.done
    wait_for(lambda: lab.bench.done > there + 2, "it to go on")
    lab.pause()
    assert lab.bench.branch.name == "run 1"


def test_the_map_has_a_path_for_each_run(lab: LossLab):
    lab.run_steps(2)
    lab.fork()
    lab.run_steps(2)
    lab.reset()
    assert [path["name"] for path in lab.paths] == ["run 1", "run 2"]
    run_1 = [point for row in lab.paths for point in row["points"] if row["name"] == "run 1"]
    assert 2 <= len(run_1) <= 3, "from step 0 to step 2"
    assert lab.marks[0]["name"] == "bicubic"
    save_card(lab.bench.start_card, "given.json")
    lab.load_card("given.json")
    names = {path["name"] for path in lab.paths}
    assert names == {f"loss-lab, run {n}" for n in (1, 2, 3)}, "of the card before"


def test_a_way_on_the_map_is_thinned_and_ends_where_it_ends():
    points = [Figures(n, 1.0, 20 + n, math.nan if n == 5 else 0.1) for n in range(200)]
    path = path_of(points)
    assert len(path) <= MOST_POINTS
    assert path[-1] == [219, 0.1]
    assert all(math.isfinite(y) for _, y in path)


def test_the_curve_is_that_of_the_run(lab: LossLab):
    lab.run_steps(1)
    lab.run_steps(1)
    rows = lab.curves["A"]["rows"]
    assert [row[0] for row in rows] == [0, 1, 2]
    assert rows[0][1] is None
    assert rows[2][1] == pytest.approx(sum(t for t in rows[2][2:6] if t))
    assert rows[2][6] == lab.figures.psnr
    lab.fork()
    lab.run_steps(1)
    lab.go_to("run 1")
    assert [row[0] for row in lab.curves["A"]["rows"]] == [0, 1, 2]
    move(lab, "photo", "coffee-cup")
    rows = lab.curves["A"]["rows"]
    assert [row[6] is None for row in rows] == [True, True, False], "of this photograph alone"


def test_what_was_kept_can_stand_beside(lab: LossLab):
    assert [tile["name"] for tile in lab.beside] == ["bicubic", "input"]
    lab.run_steps(1)
    press(lab, "snapshot")
    assert message(lab) == "Snapshot kept: run 1, step 1, raccoon-face."
    lab.run_steps(2)
    first = lab.beside[0]
    assert first["name"] == "run 1, step 1"
    assert first["data"] != lab.a_picture["data"]
    lab.fork()
    lab.run_steps(1)
    assert [tile["name"] for tile in lab.beside][:2] == ["run 1", "run 1, step 1"]
    assert list(lab.pictures()) == ["bicubic", "run 1, step 1", "run 1", "now", "truth"]
    move(lab, "photo", "coffee-cup")
    assert [tile["name"] for tile in lab.beside] == ["bicubic", "input"], "another picture"


@pytest.mark.slow
def test_snapshots_do_not_fill_the_memory(lab: LossLab):
    for _ in range(MOST_SNAPSHOTS + 3):
        lab.snapshot()
        lab.run_steps(1)
    assert len(lab.bench.snapshots) == MOST_SNAPSHOTS
    assert lab.bench.snapshots[0].name == "run 1, step 3"
    assert len(lab.pictures()) == MOST_BESIDE + 3


# Run cards -----------------------------------------------------------------------------------


def steered(lab: LossLab) -> Path:
    """A run of eight steps with two moves, written without scores, which take long."""
    lab.run_steps(3)
    lab.set("content", 0.3)
    lab.run_steps(3)
    lab.preset("Johnson 2016")
    lab.run_steps(2)
    path = Path("steered.json")
    save_card(lab.bench.card("steered"), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("between", ["reset", "go on"])
def test_a_sweep_in_a_loop_gives_four_cards_and_a_board_that_tells_them_apart(
    lab: LossLab, between: str
):
    sweep = {f"content-{i}": value for i, value in enumerate((0.01, 0.02, 0.05, 0.1))}
    for name, value in sweep.items():
        lab.set("content", value)
        lab.set("learning_rate", 1e-4)
        lab.run_steps(2)
        lab.save_card(name)
        if between == "reset":
            lab.reset()
    board = ClassBoard(shipped=False)
    assert board.add_folder("my-runs") == 4
    rows = board.choose(order="name")
    found = [row.settings["weight content"] for row in rows]
    assert {row.settings["learning rate"] for row in rows} == {1e-4}
    changed = [row.settings["changed while running"] for row in rows]
    if between == "reset":
        assert found == pytest.approx([*sweep.values()])
        assert changed == [0, 0, 0, 0]
    else:  # one run that went on, and each of its cards says so
        assert found == pytest.approx([0.01] * 4)
        assert changed == [0, 1, 2, 3]


def test_a_loaded_card_repeats_the_run(lab: LossLab, card: RunCard):
    path = steered(lab)
    there = weights_of(lab.bench.model)
    with running(card) as other:
        other.load_card(path)
        loaded = "steered is loaded. Start repeats its 8 steps and its 2 changes."
        assert message(other) == loaded
        assert other.file_name == "steered"
        other.run_steps(4)
        assert "repeating step 4 of 8" in other.said
        assert (other.sides[0]["left"], other.sides[0]["goal"]) == (4, 8)
        assert other.a_content == 0.3, "sliders follow the recorded changes"
        other.reset()
        assert other.sides[0]["left"] == 8, "nobody steered it, so it is repeated anew"
        other.run_steps(8)
        assert equal(there, weights_of(other.bench.model))
        assert "repeating" not in other.said
        assert other.sides[0]["preset"] == "Johnson 2016"


def test_in_the_background_it_rests_where_the_card_ends(lab: LossLab):
    lab.load_card(steered(lab))
    lab.start()
    wait_for(lambda: "repeated" in message(lab), "the end of the card")
    lab.live.wait()
    assert lab.state == "paused"
    assert lab.figures.step == 8
    assert (
        message(lab) == "All 8 steps of the card are repeated. Start goes on; so does a fork."
    )
    lab.run_steps(1)
    assert lab.figures.step == 9


def test_a_card_comes_by_upload_and_pauses(lab: LossLab):
    path = steered(lab)
    lab.start()
    wait_for(lambda: lab.live.state == "running", "it to run")
    press(lab, "load_card", text=path.read_text(), file=path.name)
    lab.live.wait()
    assert message(lab).startswith("steered is loaded.")
    assert lab.bench.start_card.name == "steered"
    assert lab.figures.step == 0


TWO_STAGES = RunCard(name="two", stages=[Stage(steps=1), Stage(steps=1)])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "odd.json is not JSON ("),
        ("�", "odd.json is not JSON ("),
        ('{"name": "x"}', "odd.json: stages is missing; add it."),
        ("[1]", "odd.json: "),
        (TWO_STAGES.to_json(), "two has 2 stages, but the Loss Lab steers one"),
        (None, "odd.json is too large for a run card"),
    ],
    ids=["no json", "no text", "half", "list", "stages", "large"],
)
def test_what_is_no_card_is_said_and_changes_nothing(used: LossLab, content, sentence):
    before = used.bench
    press(used, "load_card", text=content, file="odd.json")
    used.live.wait()
    assert complains(used)
    assert sentence in message(used)
    assert used.bench is before
    assert used.figures.step == 1


def test_snapshots_come_along_to_another_card(lab: LossLab):
    lab.run_steps(1)
    lab.snapshot()
    lab.load_card(steered(lab))
    assert list(lab.pictures()) == ["bicubic", "loss-lab: run 1, step 1", "now", "truth"]


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x" * 65, "é", ".x", "x."])
def test_names_that_no_file_can_have(name: str, tmp_path: Path):
    with pytest.raises(ValueError, match="A run is named with letters, digits, -, _ and dots"):
        own_path(name, ".json")
    assert not (tmp_path / "my-runs").exists()


@pytest.mark.parametrize("control", ["save_card", "export_code", "save_table"])
def test_a_name_is_read_before_anything_is_done(used: LossLab, control: str):
    press(used, control, name="a b")
    assert complains(used)
    assert message(used).startswith("Nothing was changed: A run is named with letters")


def test_a_folder_that_cannot_be_made_is_said(used: LossLab, tmp_path: Path):
    (tmp_path / "my-runs").write_text("a file")
    press(used, "export_code", name="fine")
    assert complains(used)
    assert f"{tmp_path / 'my-runs'} could not be made: File exists." in message(used)


def test_the_whole_name_of_a_written_file_is_said(lab: LossLab, tmp_path: Path):
    lab.run_steps(1)
    press(lab, "save_card", name="first")
    path = tmp_path / "my-runs" / "first.json"
    assert message(lab) == f"Run card written to {path}."
    card = load_card(path)
    assert (card.name, card.steps) == ("first", 1)
    assert card.scores["psnr_y"] > 0 < card.scores["bicubic_psnr_y"]
    press(lab, "export_code", name="first")
    path = path.with_suffix(".py")
    assert message(lab) == f"Program written to {path}."
    compile(path.read_text(), path.name, "exec")


# What a page gets ----------------------------------------------------------------------------


def test_all_numbers_of_a_moment_come_in_one_message(lab: LossLab):
    lab.run_steps(1)
    sent: list[set[str]] = []
    send = lab.send_state
    lab.send_state = lambda key=None: (sent.append(set(key or ())), send(key))[1]
    lab.run_steps(1)
    together = {"step", "said", "added", "a_picture"}
    moved = [names for names in sent if names & together]
    assert moved
    assert all(names >= together | {"sides"} for names in moved)


def test_a_running_training_spends_little_on_drawing(lab: LossLab):
    lab.start()
    wait_for(lambda: lab.state == "running", "it to run")
    began, steps = lab._next, lab.step
    lab.draw("running")
    assert lab._next == began, "too soon"
    wait_for(lambda: lab._next > began and lab.step > steps, "another moment")


def test_slow_measures_come_at_rest_alone(lab: LossLab):
    lab.start()
    wait_for(lambda: lab.state == "running" and lab.step > 1, "a running moment")
    assert "vgg" not in lab.sides[0]["measures"]
    lab.pause()
    found = lab.sides[0]["measures"]
    sr, hr = lab.reader.readings["A"].picture, lab.bench.scene.hr
    assert found["vgg"] == pytest.approx(reading.vgg_distance(sr, hr))
    assert found["ridge"] == pytest.approx(ridge(sr, hr).item())
    assert found["haarpsi"] == pytest.approx(haarpsi(sr, hr).item())
    assert found["psnr_y"] == lab.figures.psnr
    assert lab.bicubic["psnr_y"] == pytest.approx(lab.bench.bicubic_psnr)


def test_lpips_is_a_row_only_where_it_is_at_hand(monkeypatch: pytest.MonkeyPatch):
    keys = [column["key"] for column in reading.measured_in()]
    assert keys[-1] == "vgg"
    assert "the VGG inside the package" in reading.measured_in()[-1]["about"]
    monkeypatch.setattr(reading, "lpips_backbone", lambda: "alex")
    assert reading.measured_in()[-1]["key"] == "lpips"


def test_history_holds_a_step_once(lab: LossLab):
    lab.run_steps(2)
    for _ in range(3):
        lab.live.do(lambda: None)
        lab.live.settle()
    steps = [point.step for point in lab.bench.history.points]
    assert len(steps) == len(set(steps))


def test_what_is_said(lab: LossLab):
    assert lab.said.startswith("run 1, step 0, PSNR ")
    lab.run_steps(1)
    assert repr(lab).startswith("LossLab: run 1, step 1, PSNR ")
    assert lab.a_picture["alt"].startswith(f"now {lab.figures.psnr:.2f} dB")


# Memory --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_stays_flat_while_sliders_move(lab: LossLab):
    """A short version of an hour: flat within 5 % after the first seconds."""
    process = psutil.Process()

    def move_for(seconds: float) -> None:
        end, moves = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            name = DIALS[moves % len(DIALS)]
            largest = 1e-3 if name == "learning_rate" else 1.0
            lab.set_trait(f"a_{name}", largest * (0.1 + moves % 7 / 10))
            moves += 1
            time.sleep(0.05)

    lab.start()
    move_for(8)
    gc.collect()
    before = process.memory_info().rss
    move_for(12)
    gc.collect()
    after = process.memory_info().rss
    assert lab.live.state == "running"
    assert lab.bench.step.number > 10
    assert after < 1.05 * before
    assert len(lab.bench.history.points) <= lab.bench.history.limit


# Instant mode --------------------------------------------------------------------------------


def foretold(lab: LossLab, **mix: float) -> Any:
    """What the instant network itself gives, and how the scene judges it."""
    network = InstantNetwork()
    network.set({"pixel": 1.0, "content": 0.0, "style": 0.0, "tv": 0.0} | mix)
    scene = Scene(lab.bench.photos[lab.bench.photo_name], 4)
    sr = network.enlarge(scene.lr).clamp(0, 1)
    return sr, scene.judge(sr)


def mix_of(lab: LossLab) -> dict[str, float]:
    return {"content": lab.mix_content, "style": lab.mix_style, "tv": lab.mix_tv}


@pytest.fixture
def instant(lab: LossLab) -> LossLab:
    lab.mode = "instant"
    lab.settle()
    return lab


def test_instant_numbers_are_those_of_the_instant_network(instant: LossLab):
    instant.mix_style, instant.mix_tv = 0.7, 0.1
    instant.settle()
    sr, figures = foretold(instant, style=0.7, tv=0.1)
    assert instant.forecast["psnr"] == pytest.approx(figures["psnr_y"], abs=1e-4)
    assert instant.forecast["sharpness"] == pytest.approx(figures["sharpness"], abs=1e-4)
    assert instant.mix_picture["data"] == tile(sr, "").get("data")
    assert f"{figures['psnr_y']:.2f} dB" in instant.mix_picture["caption"]
    assert instant.said == instant.forecast["said"]


def test_instant_mode_begins_at_small_x4_with_its_mark(instant: LossLab):
    (bicubic, start), forecast = instant.forecast["marks"], instant.forecast
    assert (bicubic["name"], start["name"]) == ("bicubic", "small-x4")
    assert forecast["trail"] == [[start["x"], start["y"]]]
    assert instant.mix_picture["data"] == instant.mix_start["data"]
    assert forecast["shares"] == {"pixel": 1, "content": 0, "style": 0, "tv": 0}


def test_the_trail_is_the_way_of_the_hand_on_one_photograph(instant: LossLab):
    for style in (0.1, 0.4):
        instant.mix_style = style
        instant.settle()
    trail, truth = instant.forecast["trail"], instant.mix_truth
    assert len(trail) == 3
    assert trail[-1] == [instant.forecast["psnr"], instant.forecast["sharpness"]]
    instant.photo = "coffee-cup"
    instant.settle()
    assert len(instant.forecast["trail"]) == 1, "another photograph's places are others"
    assert instant.mix_truth != truth
    assert instant.mix_style == 0.4, "but the weights stay"


def test_a_mix_that_stands_already_is_not_computed_again(instant: LossLab):
    instant.mode = "train"
    instant.settle()
    before = instant.forecast
    instant.mode = "instant"
    instant.settle()
    assert instant.forecast is before


@pytest.mark.parametrize("term", list(LARGEST))
def test_beyond_the_largest_all_stays_as_it_was(instant: LossLab, term: str):
    setattr(instant, f"mix_{term}", LARGEST[term])
    instant.settle()
    mix, forecast = mix_of(instant), instant.forecast
    for wrong in (LARGEST[term] * 1.01, -0.1):
        with pytest.raises(TraitError):
            setattr(instant, f"mix_{term}", wrong)
    instant.settle()
    assert not complains(instant)
    setattr(instant, f"mix_{term}", math.nan)  # which no range keeps out
    instant.settle()
    assert complains(instant)
    assert (mix_of(instant), instant.forecast) == (mix, forecast)


def test_in_instant_mode_nothing_trains(lab: LossLab):
    lab.start()
    wait_for(lambda: lab.step > 0, "a step")
    lab.mode = "instant"
    assert lab.live.wait(60)
    done, weights = lab.bench.done, weights_of(lab.bench.model)
    lab.mix_style = 0.5
    lab.settle()
    assert (lab.state, lab.bench.done) == ("paused", done)
    assert equal(weights, weights_of(lab.bench.model))
    lab.run_steps(1)
    assert (lab.mode, lab.bench.done) == ("train", done + 1)


def test_train_it_really_sets_the_same_weights_at_the_start(instant: LossLab):
    instant.run_steps(2)
    instant.mode = "instant"
    instant.mix_content, instant.mix_style = 0.02, 0.3
    instant.settle()
    press(instant, "train_it")
    bench = instant.bench
    assert instant.mode == "train"
    assert bench.loss.weights == {"pixel": 1.0, "content": 0.02, "style": 0.3, "tv": 0.0}
    assert {n for n, w in bench.loss.layer_weights.items() if w} == {"relu2_2"}
    assert dials(instant)["content"] == 0.02
    assert (bench.done, instant.stop_at) == (0, 500)
    assert list(bench.branches) == ["run 1", "run 2"], "what was trained is kept"
    mark = instant.marks[-1]
    assert (mark["name"], mark["x"]) == ("forecast", instant.forecast["psnr"])
    assert "this run starts from untrained" in message(instant)


def test_without_a_forecast_there_is_none_to_train(lab: LossLab):
    weights = dict(lab.bench.loss.weights)
    with pytest.raises(ValueError, match="Nothing is foretold yet"):
        lab.train_it()
    assert (lab.mode, lab.bench.loss.weights) == ("train", weights)
