"""LossLab: what its controls do, what it shows, what it writes and reads."""

import gc
import html
import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ipywidgets
import psutil
import pytest
import torch
from PIL import ImageChops, ImageColor

from srlab.checkpoints import load_checkpoint
from srlab.losses import EXPANDED_TERMS, Entry, make_ledger
from srlab.metrics import haarpsi, ridge
from srlab.presets import PRESETS
from srlab.runcard import (
    MAX_BYTES,
    ModelSpec,
    RunCard,
    Stage,
    load_card,
    read_card,
    save_card,
)
from srlab.runs import run_card
from srlab.widgets import loss_bench
from srlab.widgets.class_board import ClassBoard
from srlab.widgets.ledger_view import TERM_COLORS, ledger_html, reweighed
from srlab.widgets.loss_actions import MOST_SNAPSHOTS, close_whole
from srlab.widgets.loss_branch import LossFigures
from srlab.widgets.loss_card import lab_card
from srlab.widgets.loss_files import read_shares
from srlab.widgets.loss_lab import LossLab
from srlab.widgets.loss_screen import MOST_COMPARED, PERIODS
from srlab.widgets.loss_views import runs_chart, terms_chart
from srlab.widgets.measures_view import measures_html
from srlab.widgets.poster import BYTES_LIMIT
from srlab.widgets.upload import Upload
from tests.conftest import judges_of
from tests.test_parts import alt_of
from tests.watching import attributes_in, equal, wait_for, weights_of

SMALL = ModelSpec(num_features=4, num_blocks=1)
LEDGER = {
    "pixel": Entry(1.0, 0.1, 2.0, 0.5),
    "content": Entry(0.5, 0.8, 4.0, 0.5),
    "style": Entry(0.0, 0.3, 8.0, 0.0),
    "tv": Entry(0.0, 0.4, 6.0, 0.0),
}


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
    close_whole(lab)  # ipywidgets would keep it, with its network and VGG


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
    one_for_many.panel.message.value = ""
    assert not complains(one_for_many)
    return one_for_many


def numbers(lab: LossLab) -> dict[str, str]:
    return attributes_in(lab.panel.numbers.value)


def message(lab: LossLab) -> str:
    """The last sentence, without its markup."""
    return html.unescape(re.sub(r"<[^>]*>", "", lab.panel.message.value))


def complains(lab: LossLab) -> bool:
    return 'role="alert"' in lab.panel.message.value


def table(markup: str) -> list[list[str]]:
    """The rows of a table, cell by cell, as a reader sees them."""
    rows = re.findall(r"<tr.*?</tr>", markup, re.DOTALL)
    cells = [re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<[^>]*>|■", "", cell).strip() for cell in row] for row in cells]


def click(lab: LossLab, control: str) -> None:
    getattr(lab.panel, control).click()
    lab.live.settle()


# Training ------------------------------------------------------------------------------------


def test_run_steps_trains_here_and_draws(lab: LossLab):
    before, picture = weights_of(lab.bench.model), lab.panel.tiles["now"].data
    lab.run_steps(3)
    assert lab.figures.step == 3
    assert (numbers(lab)["step"], numbers(lab)["state"]) == ("3", "paused")
    assert not equal(before, weights_of(lab.bench.model))
    assert lab.panel.tiles["now"].data != picture
    assert f"{lab.figures.psnr:.2f} dB" in lab.panel.tiles["now"]._caption.value


def test_start_pause_and_reset(lab: LossLab):
    lab._start.click()
    wait_for(lambda: int(numbers(lab)["step"]) > 2, "some steps")
    lab._pause.click()
    lab.live.wait()
    steps = lab.figures.step
    time.sleep(0.2)
    assert lab.bench.step.number == steps
    lab._reset.click()
    lab.live.wait()
    assert numbers(lab)["step"] == "0"
    assert message(lab) == f"run 1 is kept at step {steps}; run 2 begins."


def test_reset_before_a_step_keeps_nothing(lab: LossLab):
    lab.reset()
    assert message(lab) == "run 1 begins."
    assert [*lab.bench.branches] == ["run 1"]


def test_reset_without_room_says_so_and_loses_nothing(
    lab: LossLab, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loss_bench, "MOST_BRANCHES", 1)
    lab.run_steps(2)
    lab._reset.click()
    lab.live.wait()
    assert message(lab).startswith("Nothing was changed: There are 1 runs already")
    assert (numbers(lab)["step"], numbers(lab)["state"]) == ("2", "paused")
    lab.run_steps(1)
    assert numbers(lab)["step"] == "3"


def test_reset_puts_weights_and_sliders_back(lab: LossLab):
    lab.set("pixel", 7.0)
    lab.run_steps(1)
    lab.reset()
    assert lab.bench.loss.weights["pixel"] == lab.panel.dials["pixel"].value == 1.0
    lab.go_to("run 1")
    assert lab.bench.loss.weights["pixel"] == lab.panel.dials["pixel"].value == 7.0


def test_a_heading_says_what_is_trained(used: LossLab):
    count = sum(p.numel() for p in used.bench.model.parameters())
    assert "SrResNet ×4, untrained" in used.panel.heading.value
    assert f"{count / 1e6:.2f} M parameters" in used.panel.heading.value
    assert "fp32 on cpu" in used.panel.heading.value


def test_without_a_card_it_goes_on_from_the_pixel_network():
    lab = LossLab()
    assert lab.bench.start_card.start == "small-x4"
    assert "from small-x4" in lab.panel.heading.value
    assert lab.panel.preset.value == "this course"


# Sliders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*EXPANDED_TERMS, "relu1_2", "relu2_2", "relu3_3", "relu4_3"])
def test_each_slider_moves_its_own_weight_alone(used: LossLab, name: str):
    before = numbers(used)
    used.panel.dials[name].value = 0.37
    used.live.settle()
    after = numbers(used)
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {f"w-{name}"}
    assert after[f"w-{name}"] == "0.37"
    assert (used.bench.loss.weights | used.bench.loss.layer_weights)[name] == 0.37


def test_a_slider_at_its_left_end_is_off(lab: LossLab):
    lab.panel.dials["pixel"].value = 1e-5
    lab.live.settle()
    assert lab.bench.loss.weights["pixel"] == 0.0
    assert table(lab.panel.ledger.value)[1][:2] == ["pixel", "off"]
    lab.run_steps(1)
    assert "pixel" not in lab.bench.step.terms


def test_sliders_act_on_the_running_training(lab: LossLab):
    lab.start()
    wait_for(lambda: lab.live.state == "running", "it to run")
    lab.panel.dials["content"].value = 0.5
    lab.panel.dials["learning_rate"].value = 1e-4
    wait_for(lambda: numbers(lab)["w-content"] == "0.5", "the weight")
    wait_for(lambda: numbers(lab)["learning-rate"] == "0.0001", "the learning rate")
    assert lab.live.state == "running", "a slider stops nothing"
    count = lab.bench.step.number
    wait_for(lambda: lab.bench.step.number > count + 1, "a step with them")
    assert lab.bench.step.learning_rate == 1e-4


def test_set_moves_a_slider_and_knows_its_names(used: LossLab):
    used.set("style", 2500.0)
    assert used.panel.dials["style"].value == used.bench.loss.weights["style"] == 2500.0
    with pytest.raises(ValueError, match="There is no slider vgg; there are pixel, content"):
        used.set("vgg", 1.0)
    with pytest.raises(ValueError, match=r"between 1e-05 and 100, but got 500"):
        used.set("relu2_2", 500.0)


def test_following_leaves_no_note(lab: LossLab):
    """A slider that the worker moves must not come back as a person's move."""
    lab.run_steps(1)
    lab.preset("Johnson 2016")
    changes = len(lab.bench.branch.changes)
    lab.go_to("run 1")
    lab.run_steps(2)
    assert len(lab.bench.branch.changes) == changes == 1
    assert lab.panel.dials["pixel"].value == 1e-5
    assert lab.panel.dials["content"].value == 1.0


def test_weights_beyond_a_slider_stay_as_they_are(lab: LossLab):
    """The slider stands at its end; moving it there must not come back as a wish."""
    lab.bench.set_weight("style", 5e4)  # as a balance may, or a card that is repeated
    lab.bench.set_weight("tv", 5e-6)
    lab.run_steps(1)
    lab.run_steps(1)
    assert (lab.panel.dials["style"].value, lab.panel.dials["tv"].value) == (1e4, 1e-5)
    assert (lab.bench.loss.weights["style"], lab.bench.loss.weights["tv"]) == (5e4, 5e-6)
    assert [row[1] for row in table(lab.panel.ledger.value)[3:]] == ["5e+04", "5e-06"]


@pytest.mark.parametrize("rate", [5.0, 0.0, -1.0, 1e-7, math.nan])
def test_a_learning_rate_beyond_its_slider_is_refused(used: LossLab, rate: float):
    before = used.panel.dials["learning_rate"].value
    with pytest.raises(ValueError, match=r"The slider '.*' goes from 1e-05 to 0.1, but"):
        used.set("learning_rate", rate)
    assert used.panel.dials["learning_rate"].value == before


def test_another_photograph_is_shown_and_measured(lab: LossLab):
    before = lab.panel.tiles["truth"].data, numbers(lab)["bicubic"], lab.panel.measures.value
    lab.panel.photo.value = "coffee-cup"
    lab.live.settle()
    assert lab.bench.photo_name == "coffee-cup"
    after = lab.panel.tiles["truth"].data, numbers(lab)["bicubic"], lab.panel.measures.value
    assert all(old != new for old, new in zip(before, after, strict=True))


# The ledger ----------------------------------------------------------------------------------


def test_ledger_is_a_table_with_each_number_in_its_row():
    head, *rows = table(ledger_html(LEDGER))
    assert head == ["term", "weight", "raw", "weighted", "share of the gradient"]
    assert rows == [
        ["pixel", "1", "0.1000", "0.1000", "50 %"],
        ["content", "0.5", "0.8000", "0.4000", "50 %"],
        ["style", "off", "0.3000", "0.0000", "0 %"],
        ["tv", "off", "0.4000", "0.0000", "0 %"],
    ]


def test_a_term_has_one_color_and_a_bar_as_long_as_its_share():
    markup = ledger_html(reweighed(LEDGER, {"pixel": 1, "content": 0, "style": 0, "tv": 1}))
    bars = re.findall(r"width: ([\d.]+)%; background: (#\w+)", markup)
    lengths = [25.0, 0.0, 0.0, 75.0]
    assert bars == [(f"{n}", TERM_COLORS[t]) for n, t in zip(lengths, LEDGER, strict=True)]
    for row, color in zip(
        re.findall(r"<tr.*?</tr>", markup)[1:], TERM_COLORS.values(), strict=True
    ):
        assert set(re.findall(r"#\w{6}", row)) == {color}


def test_reweighed_is_what_autograd_says_of_the_new_weights(lab: LossLab):
    lab.run_steps(1)
    new = {"pixel": 0.2, "content": 0.05, "style": 3.0, "tv": 0.0}
    guessed = reweighed(lab.ledger, new)
    for name, weight in new.items():
        lab.bench.set_weight(name, weight)
    measured = lab.bench.ledger()
    for name in new:
        assert guessed[name].share == pytest.approx(measured[name].share, rel=1e-4)
        assert guessed[name].weighted == pytest.approx(measured[name].weighted, rel=1e-4)


def test_shown_ledger_is_that_of_the_bench(lab: LossLab):
    lab.run_steps(2)
    shown = attributes_in(lab.panel.ledger.value)
    measured = lab.bench.ledger()
    for name, entry in measured.items():
        assert float(shown[f"share-{name}"]) == pytest.approx(entry.share, abs=1e-4)
    weights = [row[1] for row in table(lab.panel.ledger.value)[1:]]
    expected = [f"{w:.3g}" if w else "off" for w in lab.bench.loss.weights.values()]
    assert weights == expected


def test_ledger_agrees_with_autograd_on_the_shown_photograph(lab: LossLab):
    """Term by term, without the ledger's own code."""
    lab.run_steps(1)
    ledger = make_ledger(lab.bench.loss, lab.screen.sr, lab.bench.scene.hr)
    for name, entry in ledger.items():
        sr = lab.screen.sr.clone().requires_grad_()
        lab.bench.loss.raw(sr, lab.bench.scene.hr, [name])[name].backward()
        assert entry.pull == pytest.approx(sr.grad.norm().item(), rel=1e-4)


def test_ledger_follows_a_slider_while_it_runs(lab: LossLab):
    lab.start()
    wait_for(lambda: lab.live.state == "running" and bool(lab.ledger), "it to run")
    lab.panel.dials["tv"].value = 0.321
    wait_for(lambda: table(lab.panel.ledger.value)[4][1] == "0.321", "the ledger")


def test_all_layers_off_leaves_four_rows(used: LossLab):
    for layer in used.panel.layers:
        used.set(layer, 0.0)
    rows = table(used.panel.ledger.value)
    assert [row[0] for row in rows[1:]] == list(EXPANDED_TERMS)
    assert rows[2][2] == rows[3][2] == "0.0000"


# Balance -------------------------------------------------------------------------------------


def test_balance_gives_the_shares_that_were_asked_for(lab: LossLab):
    lab.run_steps(2)
    lab.panel.shares.value = "50/40/5/5"
    click(lab, "balance")
    shares = [entry.share for entry in lab.ledger.values()]
    assert shares == pytest.approx([0.5, 0.4, 0.05, 0.05], abs=1e-3)
    assert message(lab).startswith("Balanced to 50/40/5/5: pixel 1, content ")
    for name, weight in lab.bench.loss.weights.items():
        assert lab.panel.dials[name].value == pytest.approx(weight)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (
            "50/40",
            "The shares must be 4 numbers for pixel, content, style, tv with a slash between "
            "them, such as 50/40/5/5, but got '50/40'.",
        ),
        ("fifty/40/5/5", "but got 'fifty/40/5/5'."),
        ("50/-40/5/5", "but got '50/-40/5/5'."),
        ("nan/1/1/1", "but got 'nan/1/1/1'."),
        ("", "but got ''."),
        ("0/0/0/0", "All shares are 0, but one at least must be above it."),
    ],
)
def test_shares_that_cannot_be_read_change_nothing(used: LossLab, typed: str, sentence: str):
    before = dict(used.bench.loss.weights)
    used.panel.shares.value = typed
    click(used, "balance")
    assert complains(used)
    assert message(used).startswith("Nothing was changed: ")
    assert message(used).endswith(sentence)
    assert used.bench.loss.weights == before
    with pytest.raises(ValueError, match=re.escape(sentence)):
        used.balance(typed)


def test_percent_signs_and_spaces_are_read():
    assert read_shares(" 50% / 40 % /5/5") == read_shares("50/40/5/5")


def test_bad_input_stops_no_training(lab: LossLab):
    lab.start()
    wait_for(lambda: lab.live.state == "running", "it to run")
    lab.panel.shares.value = "x"
    click(lab, "balance")
    count = lab.bench.step.number
    wait_for(lambda: lab.bench.step.number > count + 2, "it to go on")
    assert complains(lab)
    assert lab.live.state == "running"


# Presets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_every_slider_and_says_its_source(used: LossLab, name: str):
    used.set("tv", 0.7)
    used.panel.preset.value = name
    used.live.settle()
    preset = PRESETS[name]
    for term, weight in used.bench.loss.weights.items():
        assert weight == preset.weights.get(term, 0.0)
        assert used.panel.dials[term].value == (weight or 1e-5)
    for layer, weight in used.bench.loss.layer_weights.items():
        assert weight == preset.layers.get(layer, 0.0)
    assert html.escape(preset.source) in used.panel.source.value
    assert used.panel.preset.value == name


def test_moved_by_hand_it_is_no_preset(used: LossLab):
    used.preset("pixel only")
    used.set("tv", 0.25)
    assert used.panel.preset.value == ""
    assert used.panel.preset.label == "set by hand"
    assert "The weights are set by hand." in used.panel.source.value
    used.set("tv", 0.0)
    assert used.panel.preset.value == "pixel only"


def test_an_own_preset_stays(lab: LossLab, card: RunCard):
    lab.set("style", 12.5)
    lab.panel.preset_name.value = "my texture"
    click(lab, "save_preset")
    path = Path(message(lab).removeprefix("Preset my texture written to ").removesuffix("."))
    assert json.loads(path.read_text())["my texture"]["weights"]["style"] == 12.5
    assert lab.panel.preset.value == "my texture"
    assert "Your own, kept at run 1, step 0." in lab.panel.source.value
    other = LossLab(card)
    other.preset("my texture")
    assert other.bench.loss.weights["style"] == 12.5


def test_presets_that_cannot_be(used: LossLab):
    click(used, "save_preset")  # without a name
    assert complains(used)
    assert "A preset's name has 1 to 60 characters, but got ''." in message(used)
    with pytest.raises(ValueError, match="'pixel only' is a built-in preset"):
        used.save_preset("pixel only")
    with pytest.raises(ValueError, match="There is no preset mine; there are pixel only, "):
        used.preset("mine")


# Runs, snapshots, Compare --------------------------------------------------------------------


def test_a_fork_goes_on_and_the_run_waits(lab: LossLab):
    lab.run_steps(2)
    click(lab, "fork")
    assert message(lab) == "run 1 is kept at step 2; run 2 goes on from there."
    assert dict(lab.panel.branch.options) == {
        "run 1": "run 1",
        "run 2 (run 1, step 2)": "run 2",
    }
    kept = weights_of(lab.bench.model)
    lab.preset("Johnson 2016")
    lab.run_steps(2)
    assert not equal(kept, weights_of(lab.bench.model))
    lab.panel.branch.value = "run 1"
    lab.live.settle()
    assert equal(kept, weights_of(lab.bench.model))
    assert (numbers(lab)["run"], numbers(lab)["step"]) == ("run 1", "2")
    assert lab.panel.preset.value == "this course", "sliders are those of the run"
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
    assert set(lab.screen._other_paths()) == {"run 1", "run 2"}
    drawn = lab.panel.charts["map"].data
    save_card(lab.bench.start_card, "given.json")
    lab.load_card("given.json")
    paths = lab.screen._other_paths()
    assert set(paths) == {f"loss-lab, run {n}" for n in (1, 2, 3)}, "of the card before"
    assert lab.panel.charts["map"].data != drawn


def test_snapshot_stands_beside_now(lab: LossLab):
    assert lab.panel.tiles["beside"].layout.display == "none"
    lab.run_steps(1)
    click(lab, "snapshot")
    assert message(lab) == "Snapshot kept: run 1, step 1, raccoon-face."
    lab.run_steps(2)
    tile = lab.panel.tiles["beside"]
    assert tile.layout.display == ""
    assert "run 1, step 1" in tile._caption.value
    assert tile.data != lab.panel.tiles["now"].data
    lab.panel.photo.value = "coffee-cup"
    lab.live.settle()
    assert tile.layout.display == "none", "it is of another picture"


def test_the_run_that_was_left_stands_beside_now(lab: LossLab):
    lab.run_steps(1)
    lab.fork()
    lab.run_steps(1)
    assert "<b>run 1</b>" in lab.panel.tiles["beside"]._caption.value
    assert list(lab.pictures()) == ["bicubic", "run 1", "now", "truth"]


@pytest.mark.slow
def test_snapshots_do_not_fill_the_memory(lab: LossLab):
    for _ in range(MOST_SNAPSHOTS + 3):
        lab.snapshot()
        lab.run_steps(1)
    assert len(lab.bench.snapshots) == MOST_SNAPSHOTS
    assert lab.bench.snapshots[0].name == "run 1, step 3"
    assert len(lab.pictures()) == MOST_COMPARED + 3 == 9


def test_compare_opens_with_what_was_kept_and_closes(lab: LossLab):
    lab.run_steps(1)
    lab.snapshot()
    lab.fork()
    lab.run_steps(1)
    click(lab, "compare")
    (comparison,) = lab.panel.compare_slot.children
    assert comparison.names == ["bicubic", "run 1, step 1", "run 1", "now", "truth"]
    assert (
        comparison.captions["now"]
        == f"{lab.figures.psnr:.2f} dB, sharp {lab.figures.sharpness:.2f}"
    )
    assert lab.panel.compare.description == "Close compare"
    click(lab, "compare")
    assert lab.panel.compare_slot.children == ()
    assert lab.panel.compare.description == "Compare"


@pytest.mark.parametrize("kind", ["", "core"])
def test_a_closed_comparison_leaves_nothing_behind(
    lab: LossLab, kind: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SRLAB_WIDGETS", kind)
    before = set(ipywidgets.widgets.widget._instances)
    click(lab, "compare")
    click(lab, "compare")
    after = set(ipywidgets.widgets.widget._instances)
    assert after == before


# Run cards -----------------------------------------------------------------------------------


def steer(lab: LossLab) -> None:
    """Eight steps with two moves."""
    lab.run_steps(3)
    lab.set("content", 0.3)
    lab.run_steps(3)
    lab.preset("Johnson 2016")
    lab.run_steps(2)


def steered(lab: LossLab) -> Path:
    """A run of eight steps with two moves, written without scores, which take long."""
    steer(lab)
    path = Path("steered.json")
    save_card(lab.bench.card().model_copy(update={"name": "steered"}), path)
    return path


@pytest.mark.slow
def test_a_saved_card_says_what_was_done(lab: LossLab, tmp_path: Path):
    steer(lab)
    path = lab.save_card("steered")
    assert path == tmp_path / "my-runs" / "steered.json"
    card = load_card(path)
    assert (card.name, card.steps) == ("steered", 8)
    assert [change.after for change in card.stages[0].changes] == [3, 6]
    assert card.scores["psnr_y"] > 0
    assert card.scores["bicubic_psnr_y"] > 0


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
    board = ClassBoard()
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
    other = LossLab(card)
    other.load_card(path)
    assert message(other) == "steered is loaded. Start repeats its 8 steps and its 2 changes."
    assert other.panel.name.value == "steered"
    other.run_steps(4)
    assert "repeating step 4 of 8" in other.spoken()
    assert numbers(other)["replay-left"] == "4"
    assert other.panel.dials["content"].value == 0.3, "sliders follow the recorded changes"
    other.run_steps(4)
    assert equal(there, weights_of(other.bench.model))
    assert "repeating" not in other.spoken()
    assert other.panel.preset.value == "Johnson 2016"


def test_srlab_train_repeats_it_too(lab: LossLab, tmp_path: Path):
    card = load_card(steered(lab))
    run_card(card, tmp_path / "again")
    again = load_checkpoint(tmp_path / "again" / "model.safetensors").model
    own = lab.bench.model.state_dict()
    assert all(torch.allclose(own[name], again[name], atol=1e-6) for name in own)


def test_in_the_background_it_rests_where_the_card_ends(lab: LossLab):
    lab.load_card(steered(lab))
    lab.start()
    wait_for(lambda: "repeated" in message(lab), "the end of the card")
    lab.live.wait()
    assert lab.live.state == "paused"
    assert lab.figures.step == 8
    assert (
        message(lab) == "All 8 steps of the card are repeated. Start goes on; so does a fork."
    )
    lab.run_steps(1)
    assert lab.figures.step == 9


def test_a_move_by_hand_ends_the_repeating(lab: LossLab):
    lab.load_card(steered(lab))
    lab.run_steps(2)
    lab.set("tv", 0.5)
    assert numbers(lab)["replay-left"] == "0"
    lab.run_steps(5)
    assert lab.bench.loss.weights["tv"] == 0.5
    assert lab.bench.loss.weights["pixel"] == 1.0, "the card's own changes no longer come"


def test_a_card_comes_by_upload_and_pauses(lab: LossLab):
    path = steered(lab)
    lab.start()
    wait_for(lambda: lab.live.state == "running", "it to run")
    upload(lab, path.read_bytes(), path.name)
    lab.live.wait()
    assert message(lab).startswith("steered is loaded.")
    assert lab.bench.start_card.name == "steered"
    assert lab.figures.step == 0


def upload(lab: LossLab, content: bytes, name: str) -> None:
    lab.panel.load.take(Upload(name, content))
    lab.live.settle()


TWO_STAGES = RunCard(name="two", stages=[Stage(steps=1), Stage(steps=1)])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "odd.json is not JSON ("),
        (b"\xff\xfe\x00", "odd.json is not JSON ("),
        (b'{"name": "x"}', "odd.json: stages is missing; add it."),
        (b"[1]", "odd.json: "),
        (TWO_STAGES.to_json().encode(), "two has 2 stages, but the Loss Lab steers one"),
        (b" " * (MAX_BYTES + 1), "odd.json is too large for a run card"),
    ],
    ids=["no json", "no text", "half", "list", "stages", "large"],
)
def test_what_is_no_card_is_said_and_changes_nothing(used: LossLab, content, sentence):
    bench = used.bench
    upload(used, content, "odd.json")
    used.live.wait()
    assert complains(used)
    assert sentence in message(used)
    assert used.bench is bench
    assert used.figures.step == 1


def test_a_card_from_a_notepad_is_read(card: RunCard):
    assert read_card(b"\xef\xbb\xbf" + card.to_json().encode()) == card


def test_snapshots_come_along_to_another_card(lab: LossLab):
    lab.run_steps(1)
    lab.snapshot()
    lab.load_card(steered(lab))
    assert list(lab.pictures()) == ["bicubic", "loss-lab: run 1, step 1", "now", "truth"]


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x" * 65, "é", ".x", "x."])
@pytest.mark.parametrize("control", ["save", "export"])
def test_names_that_no_card_can_have(used: LossLab, name: str, control: str, tmp_path: Path):
    used.panel.name.value = name
    click(used, control)
    assert complains(used)
    assert "A run is named with letters, digits, -, _ and dots, at most 64" in message(used)
    assert not (tmp_path / "my-runs").exists()


def test_a_folder_that_cannot_be_made_is_said(used: LossLab, tmp_path: Path):
    (tmp_path / "my-runs").write_text("a file")
    used.panel.name.value = "fine"
    click(used, "save")
    assert complains(used)
    assert f"{tmp_path / 'my-runs'} could not be made: File exists." in message(used)


def test_the_whole_name_of_a_written_file_is_said(lab: LossLab, tmp_path: Path):
    lab.run_steps(1)
    lab.panel.name.value = "first"
    click(lab, "save")
    assert message(lab) == f"Run card written to {tmp_path / 'my-runs' / 'first.json'}."
    click(lab, "export")
    path = tmp_path / "my-runs" / "first.py"
    assert message(lab) == f"Program written to {path}."
    compile(path.read_text(), path.name, "exec")


# What is drawn when --------------------------------------------------------------------------


def test_a_slider_waits_for_no_slow_part(lab: LossLab):
    screen = lab.screen
    screen._drawn = dict.fromkeys(PERIODS, time.monotonic() - 2.5)
    assert screen._due("running", changed=True) == ["charts"], "late by more than two periods"
    screen._drawn["charts"] = time.monotonic()
    assert screen._due("running", changed=True) == []
    assert len(screen._due("running", changed=False)) == 1, "one at a time"
    assert screen._due("paused", changed=True) == list(PERIODS), "at rest there is time"


def test_a_move_is_shown_before_the_next_step(lab: LossLab):
    lab.run_steps(1)
    before = lab.bench.step
    lab.change("content", 0.75)
    assert lab.bench.step is before
    assert numbers(lab)["w-content"] == "0.75"
    assert table(lab.panel.ledger.value)[2][1] == "0.75"


def test_every_slow_part_has_its_turn_while_it_runs(lab: LossLab):
    lab.start()
    wait_for(lambda: lab.live.state == "running", "it to run")
    before = dict(lab.screen._drawn)
    wait_for(
        lambda: all(lab.screen._drawn[part] > before[part] for part in PERIODS),
        "ledger, measures and charts",
    )


def test_names_on_the_map_do_not_cover_each_other():
    corners = {"bicubic": (20.0, 0.0), "other": (30.0, 1.0)}
    one = runs_chart([(25.0, 0.5)], {}, {**corners, "first": (22.0, 0.5)})
    two = runs_chart(
        [(25.0, 0.5)], {}, {**corners, "first": (22.0, 0.5), "second": (22.0, 0.5)}
    )
    _, top, _, bottom = ImageChops.difference(one, two).getbbox()
    assert bottom - top < 20, "only one more name"
    middle = (28 + one.height - 24) / 2  # where both marks are
    assert top > middle, "below the first"


def test_the_map_draws_every_path():
    marks = {"bicubic": (20.0, 0.0)}
    alone = runs_chart([(25.0, 0.5)], {}, marks)
    beside = runs_chart([(25.0, 0.5)], {"run 1": [(22.0, 0.4), (23.0, 0.1)]}, marks)
    assert ImageChops.difference(alone, beside).getbbox() is not None
    nothing = runs_chart([(25.0, 0.5)], {"run 1": [(math.nan, 0.4)]}, marks)
    assert ImageChops.difference(alone, nothing).getbbox() is None


def test_curves_of_terms_have_the_terms_colors():
    points = [
        LossFigures(step, 1.0, 20.0, 0.5, terms={"pixel": 0.1 * step, "tv": 1e-4 * step})
        for step in (1, 2, 3)
    ]
    colors = {color for _, color in terms_chart(points).getcolors(maxcolors=10**6)}
    shown = {name: ImageColor.getrgb(color) in colors for name, color in TERM_COLORS.items()}
    assert shown == {"pixel": True, "content": False, "style": False, "tv": True}


def test_history_holds_a_step_once(lab: LossLab):
    lab.run_steps(2)
    for _ in range(3):
        lab.live.do(lambda: None)
        lab.live.settle()
    steps = [point.step for point in lab.bench.history.points]
    assert len(steps) == len(set(steps))


def test_measures_have_bicubic_beside_them(lab: LossLab):
    lab.run_steps(1)
    head, bicubic, now = table(lab.panel.measures.value)
    assert head[1:5] == ["PSNR Y", "sharpness", "checkerboard", "ridge"]
    assert head[5:8] == ["HaarPSI", "MDSI", "VGG distance"]
    assert (bicubic[0], now[0]) == ("bicubic", "now")
    assert now[1] == f"{lab.figures.psnr:.2f} dB"
    assert bicubic[1] == f"{lab.bench.bicubic_psnr:.2f} dB"
    assert now[4] == f"{ridge(lab.screen.sr, lab.bench.scene.hr).item():.2f}"
    assert now[5] == f"{haarpsi(lab.screen.sr, lab.bench.scene.hr).item():.4f}"
    assert "; MDSI and VGG distance lowest." in lab.panel.measures.value
    assert "Y of BT.601" in lab.panel.measures.value


def test_lpips_is_a_column_only_where_it_is_at_hand():
    row = {"psnr_y": 20.0, "sharpness": 0.5, "checkerboard": 1.0, "vgg": 2.0}
    assert "LPIPS: its weights are not at hand." in measures_html({"now": row}, "")
    with_lpips = measures_html({"now": {**row, "lpips": 0.25}}, "")
    assert table(with_lpips)[0][-1] == "LPIPS"
    assert table(with_lpips)[1][-1] == "0.250"
    assert "not at hand" not in with_lpips


# What readers without a kernel, and screen readers, get --------------------------------------


def test_every_control_has_a_name_and_a_tip(used: LossLab):
    panel = used.panel
    pressed = ["fork", "snapshot", "compare", "balance", "save_preset"]
    pressed += ["save", "load", "export"]
    buttons = [
        used._start,
        used._pause,
        used._reset,
        *(getattr(panel, name) for name in pressed),
    ]
    fields = [panel.shares, panel.preset_name, panel.name]
    for control in (*panel.listened().values(), *buttons, *fields):
        assert control.description
        assert control.tooltip


def test_pictures_and_charts_say_their_numbers(lab: LossLab):
    lab.run_steps(1)
    assert alt_of(lab.panel.tiles["now"]._picture).startswith("now: ")
    alts = [alt_of(chart) for chart in lab.panel.charts.values()]
    assert all(alt.endswith(lab.spoken()) for alt in alts)
    assert alts[2].startswith("Sharpness over PSNR, a path for each run.")


def test_state_is_read_aloud(lab: LossLab):
    assert 'role="status"' in lab._status.value
    assert "ready: run 1, step 0" in lab._status.value
    lab.run_steps(1)
    assert "paused: run 1, step 1" in lab._status.value


def test_poster_and_text(lab: LossLab):
    lab.run_steps(2)
    lab.snapshot()
    data, _ = lab._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert len(data["image/png"]) <= BYTES_LIMIT
    assert data["text/plain"] == repr(lab)
    assert repr(lab).startswith("LossLab: run 1, step 2, PSNR ")
    assert not re.search(r"0x[0-9a-f]{6,}", repr(lab))


def test_an_error_in_the_training_is_an_alert_and_it_can_go_on(lab: LossLab):
    for name in EXPANDED_TERMS:
        lab.set(name, 0.0)
    lab.start()
    wait_for(lambda: 'role="alert"' in lab._status.value, "an alert")
    assert lab.live.state == numbers(lab)["state"] == "failed"
    lab.set("pixel", 1.0)
    lab.run_steps(1)
    assert lab.figures.step == 1


# Memory --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_stays_flat_while_sliders_move(lab: LossLab):
    """A short version of an hour: flat within 5 % after the first seconds."""
    process = psutil.Process()
    names = list(lab.panel.dials)

    def move_for(seconds: float) -> None:
        end, moves = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            name = names[moves % len(names)]
            largest = 1e-3 if name == "learning_rate" else 1.0
            lab.panel.dials[name].value = largest * (0.1 + moves % 7 / 10)
            moves += 1
            time.sleep(0.05)

    lab.start()
    move_for(12)
    gc.collect()
    before = process.memory_info().rss
    move_for(20)
    gc.collect()
    after = process.memory_info().rss
    assert lab.live.state == "running"
    assert lab.bench.step.number > 10
    assert after < 1.05 * before
    assert len(lab.bench.history.points) <= lab.bench.history.limit
