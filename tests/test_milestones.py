"""Milestones: the learner's functions train, the result is kept and finds its place."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from torch import nn

from srlab import milestones
from srlab.data import get_data, load_photos
from srlab.files import SHIPPED
from srlab.inference import back_project
from srlab.learner.progress import Reached, note_milestone, read_progress
from srlab.losses import pixel_loss
from srlab.milestones import (
    PLANS,
    TEST,
    Milestone,
    Result,
    Whole,
    published_leads,
    shipped_scores,
    where_it_stands,
)
from srlab.models import Bicubic, SrResNet
from srlab.scoring import MEASURES, score_models
from srlab.training import train

BOTH = {"small": (2.0, 2.5), "pixel": (2.4, 3.0), "unet": (1.8, 2.2)}
KNOWN = {"SRCNN (2014)": 2.06, "VDSR (2016)": 2.93}


@pytest.fixture
def one_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measures on a piece of one photograph, since those of all three take seconds."""
    piece = {"piece": next(iter(load_photos("embedded", "test").values()))[:, :96, :96]}
    monkeypatch.setattr(milestones, "load_photos", lambda *_: piece)


@pytest.fixture
def shell() -> Iterator[None]:
    """What displays in a notebook."""
    InteractiveShell.instance()
    yield
    InteractiveShell.clear_instance()


def tiny() -> nn.Module:
    return SrResNet(4, num_features=8, num_blocks=1)


def reached(lead: float, **changes: Any) -> Reached:
    bicubic = {"psnr_y": 25.0, "sharpness": 0.04, "ridge": 1.0}
    figures = {"psnr_y": 25.0 + lead, "sharpness": 0.3, "ridge": 1.2}
    return Reached(**{"figures": figures, "bicubic": bicubic, **changes})


# -- training --------------------------------------------------------------------


@pytest.mark.usefixtures("one_photo")
def test_a_network_is_trained_by_what_is_passed_in_and_kept(home: Path) -> None:
    calls = []

    def my_data(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return get_data(*args, **options)

    options = {"train": train, "loss": pixel_loss(), "steps": 3}
    made = Milestone("01").train(tiny, get_data=my_data, **options)
    assert calls == [(8, (24, 96))]
    assert made.network.upsampler.to_rgb[0].weight.abs().max() > 0, "it was at zero"
    saved = json.loads((home / "progress.json").read_text())["milestones"]["01"]
    assert saved["figures"] == made.reached.figures
    assert saved["steps"] == 3
    assert read_progress()[0].milestones == {"01": made.reached}
    said = r"your 01, pixel loss: \d+\.\d\d dB, [+-]\d\.\d\d against bicubic, sharpness 0\.\d+"
    assert re.match(said, str(made))
    again = Milestone("01").train(tiny, **options)
    assert again.reached.figures == made.reached.figures


@pytest.mark.usefixtures("one_photo")
def test_a_loop_of_a_few_lines_will_do() -> None:
    seen = []

    def my_train(model: nn.Module, pairs: Any, loss: Any, optimizer: Any, steps: int) -> Any:
        for number in range(steps):
            seen.append(number)
            yield from train(model, [pairs[number]], loss, optimizer, steps=1)

    Milestone("02").train(tiny(), train=my_train, loss=pixel_loss(), steps=2)
    assert seen == [0, 1]


@pytest.mark.usefixtures("one_photo")
def test_what_comes_after_the_network_counts() -> None:
    milestone = Milestone("07")
    plain = milestone.place(Bicubic(4))
    better = milestone.place(Bicubic(4), finish=lambda sr, lr: back_project(sr.clamp(0, 1), lr))
    assert plain.reached.lead == 0
    assert better.reached.lead > 0.1
    assert read_progress()[0].milestones["07"] == better.reached, "the later one is kept"


def test_figures_are_those_of_the_published_protocol() -> None:
    network = Whole(Bicubic(4))
    photos = load_photos("embedded", "test")
    row, _ = score_models(photos, {"again": network}, scale=4)
    for name, value in milestones._measured(network).items():
        assert value == pytest.approx(row[name], abs=1e-4)
    page = (SHIPPED / "small-x4.md").read_text()
    assert f"| {TEST} | bicubic | {row['psnr_y']:.2f} dB |" in page


def test_a_network_need_say_nothing_of_its_reach() -> None:
    whole = Whole(nn.Upsample(scale_factor=4))
    assert whole(torch.rand(1, 3, 5, 6)).shape == (1, 3, 20, 24)


@pytest.mark.parametrize("network", [SrResNet(2, 8, 1), nn.Identity()])
def test_another_scale_is_refused(network: nn.Module) -> None:
    said = r"makes \(1, 3, \d+, \d+\) of .* build it for scale"
    with pytest.raises(ValueError, match=said):
        Milestone("01").place(network)
    with pytest.raises(ValueError, match=said):
        Milestone("01").train(network, train=train, loss=pixel_loss(), steps=1)


def test_a_lesson_without_a_milestone_is_told() -> None:
    with pytest.raises(ValueError, match="'03' has no milestone; there are 01, 02, 05, 07"):
        Milestone("03")


@pytest.mark.parametrize("lesson", PLANS)
def test_a_milestone_says_what_it_takes(lesson: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_BUDGET", "default")
    plan = PLANS[lesson]
    words = repr(Milestone(lesson))
    assert plan.takes in words
    assert f"{plan.default:,} steps of {plan.batch_size} crops" in words


# -- keeping ---------------------------------------------------------------------


def test_networks_of_all_lessons_come_back_and_a_later_one_takes_its_place() -> None:
    for lesson, lead in (("01", 1.0), ("02", 0.5), ("01", 1.5)):
        assert note_milestone(lesson, reached(lead)) == ""
    kept, trouble = read_progress()
    assert trouble == ""
    assert {name: one.lead for name, one in kept.milestones.items()} == {"01": 1.5, "02": 0.5}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_kept(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        reached(0, figures={"psnr_y": value, "sharpness": 0.3, "ridge": 1.0})


# -- beside the others -----------------------------------------------------------


def test_the_shipped_networks_scores_are_those_of_their_pages() -> None:
    scores = shipped_scores()
    assert set(scores) == {page.stem for page in SHIPPED.glob("*-x4.md")}
    readme = (SHIPPED / "README.md").read_text()
    for name, on in scores.items():
        assert set(on[TEST]) == {*MEASURES, "lead"} - {"psnr_rgb"}
        line = next(line for line in readme.splitlines() if line.startswith(f"| `{name}` | 3"))
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1] == f"{on['Set5']['psnr_y']:.2f} dB"
        assert cells[8] == f"{on[TEST]['psnr_y']:.2f} dB"
    assert scores["small-x4"][TEST]["lead"] == pytest.approx(27.66 - 25.27)


def test_published_figures_have_a_source_and_are_those_of_the_page() -> None:
    rows = list(csv.DictReader((SHIPPED / "published.csv").open(encoding="utf-8")))
    page = (SHIPPED / "README.md").read_text()
    parts = [*page.split("\n\n"), *page.splitlines()]  # paragraphs, and rows of tables
    for row in rows:
        assert re.search(r"arXiv:\d{4}\.\d{5}|https://", row["source"]), row["name"]
        name, psnr = row["name"], row["psnr_y"]
        said = re.compile(rf"{name}[ ,][^,]*{psnr}|\| {name} .*{psnr}")
        assert any(said.search(part) for part in parts), name
    assert [int(row["year"]) for row in rows] == sorted(int(row["year"]) for row in rows)
    assert published_leads()["SRCNN (2014)"] == pytest.approx(30.48 - 28.42)


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (1.0, "expect about 1.2 dB there: between bicubic and SRCNN (2014)."),
        (2.0, "expect about 2.5 dB there: between SRCNN (2014) and VDSR (2016)."),
        (4.0, "expect about 5.0 dB there: above VDSR (2016)."),
        (-0.25, "By PSNR it stands 0.25 dB below bicubic. Its sharpness is 0.30, where bicu"),
    ],
)
def test_a_sentence_says_where_a_network_stands(lead: float, said: str) -> None:
    assert said in where_it_stands(reached(lead), BOTH, KNOWN, lesson="05")


def test_ridge_is_told_of_from_the_lesson_on_that_explains_it() -> None:
    told = [where_it_stands(reached(1), BOTH, KNOWN, lesson=n) for n in ("02", "05")]
    assert ["ridge is 1.2" in one for one in told] == [False, True]
    assert all(one.endswith(".") and ".." not in one for one in told)
    results = [Result(n, tiny(), reached(1), 0) for n in ("02", "05")]
    assert ["ridge" in str(one) for one in results] == [False, True]


@pytest.mark.usefixtures("shell")
def test_all_networks_stand_on_one_figure() -> None:
    note_milestone("01", reached(1.5))
    note_milestone("05", reached(0.75))
    with capture_output() as captured:
        Milestone("05").show()
    figure, *_ = captured.outputs
    alt = figure.metadata["image/png"]["alt"]
    shipped = shipped_scores()["perceptual-x4"]
    here, there = shipped[TEST], shipped["Set5"]
    for part in (
        "your 01, pixel loss +1.50 · sharpness 0.30, ridge 1.2",
        "your 05, expanded loss +0.75",
        f"perceptual-x4 {here['lead']:+.2f} · sharpness {here['sharpness']:.2f}, ridge",
        f"perceptual-x4 {there['lead']:+.2f}",
        "SRCNN (2014) +2.06",
    ):
        assert part in alt
    assert captured.stdout.startswith("By PSNR it stands 0.75 dB above bicubic")


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize(("budget", "said"), [("quick", True), ("default", False)])
def test_a_quick_run_says_that_its_figures_say_nothing(
    budget: str, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRLAB_BUDGET", budget)
    note_milestone("05", reached(0.75))
    with capture_output() as captured:
        Milestone("05").show()
    assert ("(Not with quick" in captured.stdout) is said


@pytest.mark.usefixtures("shell")
def test_before_the_first_training_the_others_are_shown() -> None:
    with capture_output() as captured:
        Milestone("01").show()
    assert "small-x4" in captured.outputs[0].metadata["image/png"]["alt"]
    assert "your" not in captured.outputs[0].metadata["image/png"]["alt"]
    assert captured.stdout == ""
