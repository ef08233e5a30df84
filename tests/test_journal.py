"""The journal: what a learner ran, kept on their disk."""

import pytest
from torch import nn

from srlab.data import crop_to_multiple, degrade, load_photos
from srlab.files import own_folder
from srlab.learner.journal import Run, add_run, note_run, read_runs
from srlab.metrics import score_pair
from srlab.models import enlarge


class Softer(nn.Module):
    """Bicubic, a little grayer: a model with figures of its own."""

    def forward(self, lr):
        return 0.9 * enlarge(lr, 4) + 0.05


def test_a_run_is_measured_on_the_validation_photographs(home):
    run = note_run("softer", Softer(), lesson="02")
    wanted = []
    for photo in load_photos("embedded", "val").values():
        hr = crop_to_multiple(photo[None].float() / 255, 4)
        wanted.append(score_pair(Softer()(degrade(hr, 4)), hr, scale=4)["psnr_y"])
    assert run.figures["psnr_y"] == pytest.approx(sum(wanted) / 3, abs=0.01)
    assert run.bicubic["sharpness"] > run.figures["sharpness"] > 0
    assert "seconds" not in run.figures
    own = "{psnr_y:.2f} dB, sharpness {sharpness:.2f}".format(**run.figures)
    bicubic = "bicubic {psnr_y:.2f} dB, {sharpness:.2f}".format(**run.bicubic)
    assert str(run) == f"softer: {own} ({bicubic})"
    assert read_runs() == [run]
    assert [path.name for path in home.iterdir()] == ["runs.jsonl"]


def run_of(name, scale=4):
    figures = {"psnr_y": 30.0, "sharpness": 0.5}
    return Run(
        name=name, lesson="02", scale=scale, figures=figures, bicubic=figures,
        when="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def test_runs_come_back_in_order_and_by_scale(home):
    for run in (run_of("a"), run_of("b", scale=2), run_of("c")):
        add_run(run)
    assert [run.name for run in read_runs()] == ["a", "b", "c"]
    assert [run.name for run in read_runs(4)] == ["a", "c"]
    assert read_runs(8) == []
    assert len((home / "runs.jsonl").read_text().splitlines()) == 3


def test_a_line_that_is_no_run_is_left_out_and_kept(home):
    add_run(run_of("first"))
    journal = home / "runs.jsonl"
    torn = run_of("torn").model_dump_json()[:40]  # as a full disk leaves it
    journal.write_text(journal.read_text() + torn)
    add_run(run_of("second"))
    with pytest.warns(UserWarning, match=r"Line 2 of .*is not a run that srlab noted"):
        assert read_runs() == [run_of("first"), run_of("second")]
    assert torn in journal.read_text()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"extra": 1}, "extra"),
        ({"scale": 3}, "scale"),
        ({"figures": {"psnr_y": float("nan")}}, "finite"),
    ],
)
def test_what_is_no_run_is_refused(change, why):
    with pytest.raises(ValueError, match=why):
        Run.model_validate({**run_of("a").model_dump(), **change})


def test_the_folder_can_be_chosen(home, monkeypatch):
    assert own_folder() == home
    monkeypatch.delenv("SRLAB_HOME")
    assert own_folder().name == ".srlab"
