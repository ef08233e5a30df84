"""What may go on, with which card and which photographs, and what everybody else is told."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from srlab.checkpoints import load_checkpoint, save_checkpoint
from srlab.data import embedded_photo
from srlab.images import to_image
from srlab.machine import place
from srlab.models import SrResNet
from srlab.runcard import WRITTEN, ModelSpec, RunCard, load_card, save_card
from srlab.runs import run_card
from srlab.runs.run import _Saves
from tests.conftest import judges_of, start_srlab
from tests.test_runs import last, same_training, stage, tiny_card, train_only
from tests.watching import wait_for

pytestmark = pytest.mark.usefixtures("on_the_cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four photographs of one's own."""
    made = tmp_path / "photos"
    made.mkdir()
    for number, name in enumerate(
        ("chelsea-cat", "coffee-cup", "raccoon-face", "fig-in-red-bowl")
    ):
        part = embedded_photo(name)[..., 100:148, 100 : 160 + number]
        to_image(part).save(made / f"{name}.png")
    judges = Path(judges_of(made))  # or each run would load the package's own ten
    judges.mkdir()
    to_image(embedded_photo("raccoon-face")[..., 300:364, 300:364]).save(judges / "face.png")
    return made


@pytest.fixture
def stopped(folder: Path, tmp_path: Path) -> Path:
    """The folder of a run of 4 steps that was stopped after the second."""
    train_only(tiny_card(folder, stage(4)), tmp_path / "run", steps=2)
    return tmp_path / "run"


def refusal(card: RunCard, out: Path) -> str:
    before = (out / "last.safetensors").read_bytes()
    with pytest.raises(ValueError, match=r"last|photographs|folder|Or remove") as error:
        run_card(card, out, resume=True)
    assert (out / "last.safetensors").read_bytes() == before
    assert "\n" not in str(error.value)
    return str(error.value)


# -- the card --------------------------------------------------------------------

OTHERS: dict[str, Any] = {
    "format": 2,
    "name": "other",
    "model": ModelSpec(num_features=8, num_blocks=2),
    "data": "nowhere",
    "validation": 0.25,
    "start": "small-x4",
    "seed": 5,
    "precision": "bf16",
    "stages": [stage(5)],
    "side_by_side": True,
    "optimizer": "muon",
    "ema": 0.5,
    "validate_every": 1,
    "threads": 7,
}
"""Another value for each field that somebody can want; a new field needs one too.
``share`` may be another: it counts at the end alone."""


@pytest.mark.parametrize(
    "field", [n for n in RunCard.model_fields if n not in (*WRITTEN, "share")]
)
def test_no_field_is_passed_over(
    stopped: Path, folder: Path, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)  # so that 7 threads could be had
    card = tiny_card(folder, stage(4)).model_copy(update={field: OTHERS[field]})
    said = refusal(card, stopped)
    if field == "data":
        assert said.startswith("nowhere is neither a folder nor one of")
    else:
        assert f"last.safetensors belongs to another card: its {field} differ" in said


def test_both_values_are_named(stopped: Path, folder: Path) -> None:
    card = tiny_card(folder, stage(4))
    said = refusal(card.model_copy(update={"validate_every": 7}), stopped)
    assert "its validate_every differs (validate_every: 500 there, 7 here); give that" in said
    said = refusal(tiny_card(folder, stage(4, batch_size=3)), stopped)
    assert "its stages differ (stage 1: batch_size: 2 there, 3 here); give that card" in said
    said = refusal(tiny_card(folder, stage(2), stage(2)), stopped)
    assert "its stages differ (the number of stages: 1 there, 2 here)" in said


def test_who_wants_more_steps_is_told_how(stopped: Path, folder: Path) -> None:
    """And it works as it was told."""
    longer = tiny_card(folder, stage(8))
    said = refusal(longer, stopped)
    assert "stage 1: steps: 4 there, 8 here" in said
    assert f'a card with "start": "{stopped / "last.safetensors"}", and a new folder' in said
    run_card(tiny_card(folder, stage(4)), stopped, resume=True)
    start = str(stopped / "model.safetensors")
    assert f'"start": "{start}"' in refusal(longer, stopped)
    barely = tiny_card(folder, stage(1, learning_rate=1e-12), start=start)
    train_only(barely, stopped.parent / "on")
    torch.testing.assert_close(last(stopped.parent / "on").model, load_checkpoint(start).model)


def test_auto_and_what_came_of_a_run_ask_for_nothing(stopped: Path, folder: Path) -> None:
    card = tiny_card(folder, stage(4)).model_copy(
        update={
            "precision": "auto", "threads": 0, "versions": {"torch": "1"}, "device": "cuda",
            "seconds": 9.0, "scores": {"psnr_y": 1.0}, "processes": 4,
        }
    )  # fmt: skip
    assert train_only(card, stopped, resume=True) == [3, 4]


def test_the_card_that_a_run_left_goes_on_with_it(stopped: Path) -> None:
    saved = RunCard.model_validate(last(stopped).card)
    assert train_only(saved, stopped, resume=True) == [3, 4]


def test_a_card_of_several_kept_by_an_older_srlab_goes_on(folder: Path, tmp_path: Path) -> None:
    """It knew of no photographs kept back, and learned from all."""
    card = tiny_card(folder, stage(4), validation="auto")
    train_only(card.model_copy(update={"validation": "embedded"}), tmp_path / "whole")
    train_only(card.model_copy(update={"validation": "embedded"}), tmp_path / "old", steps=2)
    _rewrite(tmp_path / "old", drop=("validation", "photographs", "start_sha256"))
    train_only(card, tmp_path / "old", resume=True)
    assert same_training(tmp_path / "whole", tmp_path / "old")


def _rewrite(out: Path, drop: tuple[str, ...] = (), **changes: Any) -> None:
    """Write ``last.safetensors`` with another card."""
    kept = last(out)
    card = {key: v for key, v in kept.card.items() if key not in drop} | changes
    model = place(SrResNet(4, 8, 1), "cpu")
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    model.load_state_dict(kept.model)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({**(kept.optimizer or {}), "param_groups": groups})
    save_checkpoint(
        out / "last.safetensors", model, card=card, step=kept.step, optimizer=optimizer
    )


# -- the photographs ---------------------------------------------------------------


def test_the_same_photographs_elsewhere_go_on(
    stopped: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_only(tiny_card(folder, stage(4)), stopped.parent / "whole")
    moved = folder.rename(folder.with_name("moved"))
    monkeypatch.chdir(moved.parent)
    card = tiny_card(Path("moved"), stage(4), validation=judges_of(folder))
    assert train_only(card, stopped, resume=True) == [3, 4]
    assert last(stopped).card["data"] == "moved"
    assert same_training(stopped, stopped.parent / "whole")


def test_a_photograph_that_came_went_or_changed_is_named(stopped: Path, folder: Path) -> None:
    card = tiny_card(folder, stage(4))
    cat = folder / "chelsea-cat.png"
    cat.rename(folder / "a.png")
    assert "4 then, 4 now (chelsea-cat.png is missing)" in refusal(card, stopped)
    (folder / "a.png").rename(cat)
    picture = Image.open(cat)
    picture.save(folder / "more.png")
    said = refusal(card, stopped)
    assert "are not those that the training in" in said
    assert "4 then, 5 now (more.png is new)" in said
    assert f'"start": "{stopped / "last.safetensors"}"' in said
    (folder / "more.png").unlink()
    picture.putpixel((0, 0), (1, 2, 3))
    picture.save(cat)
    assert "4 then, 4 now (chelsea-cat.png is another picture)" in refusal(card, stopped)
    (stopped / "photographs.csv").unlink()  # without the list it knows no name, but still
    assert "4 then, 4 now; give the same ones" in refusal(card, stopped)


def test_a_start_is_known_by_its_content(
    folder: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here.safetensors"
    here.write_bytes(checkpoint.read_bytes())
    card = tiny_card(folder, stage(4), start=str(here))
    train_only(card, tmp_path / "run", steps=2)
    there = here.rename(tmp_path / "there.safetensors")
    monkeypatch.chdir(tmp_path)
    elsewhere = card.model_copy(update={"start": there.name})
    assert train_only(elsewhere, tmp_path / "run", resume=True, steps=3) == [3]
    save_checkpoint(there, SrResNet(4, 8, 1), card=load_checkpoint(there).card, step=1)
    refused = card.model_copy(update={"start": str(there.resolve())})
    assert "its start differs" in refusal(refused, tmp_path / "run")


# -- crafted and foreign files -------------------------------------------------------


def crafted(out: Path, **changes: Any) -> Path:
    """A run's ``last.safetensors`` with something else in it."""
    kept = last(out)
    optimizer = Stated(changes.pop("state", kept.optimizer))
    save_checkpoint(
        out / "last.safetensors", Stated(changes.pop("model", kept.model)),
        **{"card": kept.card, "step": kept.step, "optimizer": optimizer, **changes},
    )  # fmt: skip
    return out


class Stated:
    """Whatever somebody claims to be a network's or an optimizer's state."""

    def __init__(self, state: Any):
        self.state = state

    def state_dict(self) -> Any:
        return self.state


def test_states_that_no_optimizer_left(stopped: Path, folder: Path) -> None:
    card, kept = tiny_card(folder, stage(4)), last(stopped)
    assert kept.optimizer is not None
    moments = kept.optimizer["state"]
    one = moments[0]

    def first(**changes: Any) -> dict[str, Any]:
        """The state with other moments of parameter 0; None takes one out."""
        changed = {k: v for k, v in {**one, **changes}.items() if v is not None}
        return {"state": {"param_groups": [], "state": {**moments, 0: changed}}}

    strange = {**moments, 99: {k: v.clone() for k, v in one.items()}}
    nans = {name: value * torch.nan for name, value in kept.model.items()}
    half = dict(list(kept.model.items())[:-1])
    for changes, sentence in (
        (first(exp_avg=one["exp_avg"] * torch.nan), "exp_avg holds what is no finite number"),
        (first(exp_avg=one["exp_avg"].int()), "exp_avg holds what is no finite number"),
        (first(exp_avg_sq=None), "exp_avg_sq is missing"),
        (first(exp_avg=torch.zeros(3)), "exp_avg is of shape (3,)"),
        (first(step=torch.tensor(9.0)), "step is 9, but 2 was expected"),
        (first(exp_avg_sq=-1 - one["exp_avg_sq"]), "exp_avg_sq is below 0"),
        (first(step=None, exp_avg=None, exp_avg_sq=None), "of parameter 0 step is missing"),
        ({"state": {"param_groups": [], "state": strange}}, "has moments of parameter 99, but"),
        ({"optimizer": None}, "holds a network without its optimizer"),
        ({"model": nans}, "holds no finite numbers"),
        ({"model": half}, "holds the weights of another architecture"),
        ({"step": 77}, "says that 77 steps were done, but its card has 4"),
        ({"card": {"name": "a"}}, "last.safetensors: stages is missing; add it."),
    ):
        given = {"model": kept.model, "state": kept.optimizer, "card": kept.card, "step": 2}
        assert sentence in refusal(card, crafted(stopped, **{**given, **changes}))


def test_strange_groups_are_of_no_importance(stopped: Path, folder: Path) -> None:
    """The card sets what is in them."""
    train_only(tiny_card(folder, stage(4)), stopped.parent / "whole")
    kept = last(stopped).optimizer or {}
    crafted(stopped, state={**kept, "param_groups": [{"lr": "x"}, {}]})
    train_only(tiny_card(folder, stage(4)), stopped, resume=True)
    assert same_training(stopped, stopped.parent / "whole")


def test_a_best_network_that_is_damaged(folder: Path, tmp_path: Path) -> None:
    card = tiny_card(folder, stage(4), validate_every=1)
    train_only(card, tmp_path, steps=2)
    (tmp_path / "best.safetensors").write_text("damaged")
    said = refusal(card, tmp_path)
    assert f"Or remove {tmp_path / 'best.safetensors'}: the best is then sought anew" in said
    (tmp_path / "best.safetensors").unlink()
    assert train_only(card, tmp_path, resume=True) == [3, 4]


# -- seconds -----------------------------------------------------------------------


def test_a_finished_card_starts_afresh(folder: Path, tmp_path: Path) -> None:
    """Its seconds and scores are of another training."""
    old = {"seconds": 4242.0, "scores": {"other": 1.0}, "processes": 8, "versions": {"a": "b"}}
    card = tiny_card(folder, stage(2), **old)
    finished = run_card(card, tmp_path)
    assert finished.seconds < 100
    assert "other" not in finished.scores
    assert (finished.processes, "a" in finished.versions) == (1, False)


# -- killed --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_kill_in_the_first_second_loses_little(folder: Path, tmp_path: Path) -> None:
    """As a real command; it then says from which step it goes on."""
    card, out = tmp_path / "card.json", tmp_path / "run"
    save_card(tiny_card(folder, stage(10**6), validate_every=0), card)
    child = start_srlab("train", card, "--out", out)
    try:
        wait_for((out / "last.safetensors").exists, "a checkpoint")
        time.sleep(0.5)
    finally:
        child.kill()
        child.communicate()
    kept = last(out).step
    assert kept > 1, "more than the first step is kept after half a second"
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_card(
            load_card(card), out, resume=True, say=steps.append,
            report=lambda _: signal.raise_signal(signal.SIGINT),
        )  # fmt: skip
    assert steps == [f"goes on after step {kept:,} of 1,000,000"]
    assert last(out).step == kept + 1


def test_pauses_between_checkpoints_grow() -> None:
    saves = _Saves(3.0)
    pauses = []
    for _ in range(7):
        saves.note(1)
        pauses.append(saves.pause)
    assert pauses == [0.25, 0.5, 1.0, 2.0, 3.0, 3.0, 3.0]
    assert not saves.are_due
    assert _Saves(1e6).are_due


def test_a_checkpoint_is_kept_between_stages(folder: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def report(_: object) -> None:
        seen.append(last(tmp_path).step if (tmp_path / "last.safetensors").exists() else 0)

    run_card(tiny_card(folder, stage(3, 2), stage(1)), tmp_path, report=report, save_every=1e6)
    assert seen[0] == 0, "nothing is there before the first step"
    assert (seen[1], seen[3]) == (1, 3)


def test_nothing_is_left_of_what_could_not_begin(folder: Path, tmp_path: Path) -> None:
    nothing = tiny_card(folder, stage(1), data="nothere")
    for card, sentence in (
        (nothing, "nothere is neither a folder"),
        (tiny_card(folder, stage(1), start="none"), "There is no model 'none'"),
        (tiny_card(folder, stage(1), stage(1, hr_size=512)), "No photograph of .* has 512 px"),
        (
            tiny_card(folder, stage(1), start="small-x4", model=ModelSpec(num_features=5)),
            "only",
        ),
    ):
        with pytest.raises(ValueError, match=sentence):
            run_card(card, tmp_path / "new" / "run")
        assert not (tmp_path / "new").exists()
    (tmp_path / "own").mkdir()
    with pytest.raises(ValueError, match="nothere"):
        run_card(nothing, tmp_path / "own")
    assert (tmp_path / "own").is_dir(), "a folder that was there stays"
