"""Carrying out run cards; above all: whatever stops a run, it goes on exactly."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import srlab.runs.run
import srlab.runs.stages
import srlab.training
from srlab.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from srlab.data import get_data, load_photos
from srlab.features import (
    FeatureExtractor,
    Lite0Extractor,
    ShiftedExtractor,
    ShiftedLite0Extractor,
)
from srlab.losses import ExpandedLoss, spectrum_loss, tv_loss
from srlab.machine import place
from srlab.models import SrResNet, UpsampleStage
from srlab.runcard import (
    Change,
    FeatureSpec,
    ModelSpec,
    RunCard,
    Stage,
    UNetSpec,
    load_card,
    parse_card,
    save_card,
)
from srlab.runs import RunProgress, run_card, scored
from srlab.runs.stages import make_loss
from srlab.runs.validation import Reading, Validation
from srlab.scoring import MEASURES
from srlab.training import DivergedError, set_learning_rate, train
from srlab.unet import UNet, VggEncoder
from srlab.upsamplers import IcnrStage, ResizeStage, TransposedStage
from srlab.zoo import build_model, load_model
from tests.conftest import ONE_THREAD, judges_of
from tests.watching import ctrl_c_at_line

pytestmark = pytest.mark.usefixtures("on_the_cpu")

TINY = ModelSpec(num_features=8, num_blocks=1)

# A process that trains, saves after every step, and says which step it did.
CHILD = """
import sys
from srlab.runcard import load_card
from srlab.runs import run_card

def report(progress):
    print(progress.done, flush=True)

run_card(load_card(sys.argv[1]), sys.argv[2], resume=True, report=report, save_every=0)
"""


def tiny_card(folder: Path, *stages: Stage, **changes: object) -> RunCard:
    judges = judges_of(folder)
    return RunCard(
        name="tiny", model=TINY, data=str(folder),
        validation=judges if Path(judges).is_dir() else "embedded",
        precision="fp32", stages=[*stages],
    ).model_copy(update=changes)  # fmt: skip


def stage(steps: int, scale: int = 4, **changes: object) -> Stage:
    return Stage(scale=scale, hr_size=32, batch_size=2, steps=steps).model_copy(update=changes)


def last(folder: Path) -> Checkpoint:
    return load_checkpoint(folder / "last.safetensors")


def made(folder: Path, name: str = "model") -> dict[str, Tensor]:
    """The weights that a run left."""
    return load_checkpoint(folder / f"{name}.safetensors").model


def same_training(one: Path, other: Path) -> bool:
    """Whether two runs ended with the same bits, those of optimizer and average included."""
    a, b = last(one), last(other)
    parts = [(x.model, x.average or {}, _moments(x)) for x in (a, b)]
    return a.step == b.step and all(map(same, *parts))


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def _moments(checkpoint: Checkpoint) -> dict[str, Tensor]:
    assert checkpoint.optimizer is not None
    states = checkpoint.optimizer["state"].items()
    return {f"{i}.{key}": value for i, state in states for key, value in state.items()}


class Stop(Exception):  # noqa: N818
    """Somebody's own reason to stop."""


def train_only(card: RunCard, out: Path, *, steps: int = 0, **options: bool) -> list[int]:
    """Train to the end, or for ``steps``, without the scores that end a run.

    Returns:
        The steps that were done.
    """
    done: list[int] = []

    def report(progress: RunProgress) -> None:
        done.append(progress.done)
        if progress.done == (steps or card.steps):
            raise Stop

    with pytest.raises(Stop):
        run_card(card, out, report=report, **options)
    return done


def require_the_same_after_a_stop(card: RunCard, folder: Path, step: int) -> None:
    """Trained as ``whole``, and as ``parts`` with a stop, it ends with the same bits."""
    train_only(card, folder / "whole")
    train_only(card, folder / "parts", steps=step)
    train_only(card, folder / "parts", resume=True)
    assert same_training(folder / "whole", folder / "parts")


# -- a whole run -----------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run of two stages, 10 and 12 steps."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRLAB_DEVICE", "cpu")
        run_card(two_stages(photo_folder), out)
    return out


def two_stages(folder: Path) -> RunCard:
    return tiny_card(folder, stage(10, scale=2), stage(12, scale=4, weights={"l2": 10.0}))


def test_a_run_leaves_network_training_and_card(finished: Path, photo_folder: Path) -> None:
    names = "last.safetensors best.safetensors model.safetensors card.json log.csv"
    assert {p.name for p in finished.iterdir()} == {
        *names.split(), "photographs.csv", "runcard.schema.json",
    }  # fmt: skip
    card = load_card(finished / "card.json")
    assert card.stages == two_stages(photo_folder).stages
    assert (card.device, card.precision) == ("cpu", "fp32")
    assert card.versions["torch"] == torch.__version__
    assert card.seconds > 0
    assert card.scores.keys() == {*MEASURES, "bicubic_psnr_y"}
    assert 20 < card.scores["bicubic_psnr_y"] < 40
    checkpoint = load_checkpoint(finished / "model.safetensors")
    assert (checkpoint.step, checkpoint.optimizer) == (22, None)
    assert checkpoint.card == card.model_dump()
    assert json.loads((finished / "card.json").read_text())["$schema"] == "runcard.schema.json"


def test_the_network_can_be_used(finished: Path) -> None:
    model = load_model(finished / "model.safetensors", 4)
    assert same(model.state_dict(), last(finished).model)
    assert model(torch.rand(1, 3, 5, 5)).shape == (1, 3, 20, 20)


def test_a_finished_card_repeats_its_run(
    finished: Path, photo_folder: Path, tmp_path: Path
) -> None:
    train_only(load_card(finished / "card.json"), tmp_path)
    assert same_training(finished, tmp_path)
    train_only(two_stages(photo_folder).model_copy(update={"seed": 1}), tmp_path / "other")
    assert not same(last(finished).model, last(tmp_path / "other").model)


def test_progress_counts_over_all_stages(photo_folder: Path, tmp_path: Path) -> None:
    seen: list[RunProgress] = []
    run_card(tiny_card(photo_folder, stage(2, 2), stage(1)), tmp_path, report=seen.append)
    places = [(p.done, p.number, p.step.number) for p in seen]
    assert places == [(1, 1, 1), (2, 1, 2), (3, 2, 1)]


def test_the_next_stage_begins_with_the_weights_that_fit(
    photo_folder: Path, tmp_path: Path
) -> None:
    card = tiny_card(photo_folder, stage(3, 2), stage(1, 4, learning_rate=1e-12))
    train_only(card, tmp_path, steps=3)
    first = last(tmp_path).model
    train_only(card, tmp_path, resume=True)
    second = last(tmp_path).model
    torch.testing.assert_close(second["body.0.conv1.weight"], first["body.0.conv1.weight"])
    assert "upsampler.stages.0.0.weight" in second.keys() - first.keys()


def test_bfloat16(photo_folder: Path, tmp_path: Path) -> None:
    card = tiny_card(photo_folder, stage(4), precision="bf16")
    finished = run_card(card, tmp_path / "bf16")
    assert finished.precision == "bf16"
    train_only(tiny_card(photo_folder, stage(4)), tmp_path / "fp32")
    one, other = (last(tmp_path / name).model for name in ("bf16", "fp32"))
    assert not same(one, other)
    torch.testing.assert_close(one, other, atol=0.02, rtol=0.1)
    assert {value.dtype for value in one.values()} == {torch.float32}


def test_a_card_says_its_threads_and_keeps_to_them(
    finished: Path, photo_folder: Path, tmp_path: Path
) -> None:
    """Sums depend on them in the last digits, and a training on its sums."""
    card = load_card(finished / "card.json")
    assert card.threads == 1
    torch.set_num_threads(2)
    train_only(card, tmp_path / "again")
    assert torch.get_num_threads() == 2
    assert same_training(finished, tmp_path / "again")
    train_only(two_stages(photo_folder), tmp_path / "two", steps=1)
    assert parse_card(last(tmp_path / "two").card).threads == 2


# -- the average, the readings and the best ---------------------------------------


def steady(folder: Path, *stages: Stage, **changes: object) -> RunCard:
    """A card whose weights are averaged."""
    return tiny_card(folder, *stages, ema=0.5, **changes)


def test_the_average_is_what_counts(photo_folder: Path, tmp_path: Path) -> None:
    seen = weights_of(steady(photo_folder, stage(5)), tmp_path)
    raw = weights_of(tiny_card(photo_folder, stage(5)), tmp_path / "raw")
    assert same(last(tmp_path).model, last(tmp_path / "raw").model), "it moves nothing"
    expected = raw[0]
    for weights in raw[1:]:
        expected = {name: 0.5 * expected[name] + 0.5 * weights[name] for name in weights}
    torch.testing.assert_close(seen[-1], expected)
    assert same(made(tmp_path), seen[-1])
    assert not same(seen[-1], raw[-1])


def weights_of(card: RunCard, out: Path) -> list[dict[str, Tensor]]:
    """Those that count after every step of a run."""
    seen: list[dict[str, Tensor]] = []
    run_card(card, out, report=lambda p: seen.append(deepcopy(p.model.state_dict())))
    return seen


def test_the_next_stage_begins_with_the_average(photo_folder: Path, tmp_path: Path) -> None:
    card = steady(photo_folder, stage(4), stage(1, learning_rate=1e-12))
    seen = weights_of(card, tmp_path)
    torch.testing.assert_close(last(tmp_path).model, seen[3])


@pytest.mark.parametrize("step", [4, 5, 6])
def test_the_average_goes_on_exactly(photo_folder: Path, tmp_path: Path, step: int) -> None:
    card = steady(photo_folder, stage(5, scale=2), stage(3))
    require_the_same_after_a_stop(card, tmp_path, step)
    assert last(tmp_path / "whole").average


def restless(folder: Path) -> RunCard:
    """A training in which a later step may well be a worse one."""
    return tiny_card(
        folder, stage(2), stage(8, learning_rate=0.02, schedule="constant"), validate_every=1
    )


def test_the_best_of_the_last_stage_is_kept(photo_folder: Path, tmp_path: Path) -> None:
    readings = readings_of(restless(photo_folder), tmp_path)
    assert [reading.step for reading in readings] == [*range(1, 11)]
    best = min(readings[2:], key=lambda reading: reading.loss)
    assert best.step < 10, "or else the last would be the best, and nothing tested"
    kept = load_checkpoint(tmp_path / "best.safetensors")
    assert kept.step == best.step
    assert kept.optimizer is None
    judges = load_photos(judges_of(photo_folder), "val")
    again = Validation(4, make_loss(Stage()), photos=judges).look(
        load_model(tmp_path / "best.safetensors", 4), 0
    )
    assert again.psnr == pytest.approx(best.psnr, abs=1e-4)


def readings_of(card: RunCard, out: Path, **options: object) -> list[Reading]:
    seen: list[Reading | None] = []
    run_card(card, out, report=lambda p: seen.append(p.reading), **options)
    return [reading for reading in seen if reading]


def test_a_worse_network_is_not_the_best_after_a_stop(
    photo_folder: Path, tmp_path: Path
) -> None:
    card = restless(photo_folder)
    readings = readings_of(card, tmp_path / "whole")[2:]
    best = min(readings, key=lambda reading: reading.loss).step
    train_only(card, tmp_path / "parts", steps=best)
    resumed = readings_of(card, tmp_path / "parts", resume=True)
    assert resumed == readings[best - 2 :]
    assert load_checkpoint(tmp_path / "parts" / "best.safetensors").step == best


def test_a_card_says_when_to_look(photo_folder: Path, tmp_path: Path) -> None:
    card = tiny_card(photo_folder, stage(5), validate_every=2)
    assert [reading.step for reading in readings_of(card, tmp_path / "often")] == [2, 4, 5]
    never = card.model_copy(update={"validate_every": 0})
    assert readings_of(never, tmp_path / "never") == []
    assert not (tmp_path / "never" / "best.safetensors").exists()


# -- stopping and going on -------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 10, 11, 17, 22])
def test_it_goes_on_exactly_after_any_step(
    finished: Path, photo_folder: Path, tmp_path: Path, step: int
) -> None:
    train_only(two_stages(photo_folder), tmp_path, steps=step)
    assert last(tmp_path).step == step
    assert not (tmp_path / "card.json").exists()
    if step < 22:
        resumed = train_only(two_stages(photo_folder), tmp_path, resume=True)
        assert resumed == [*range(step + 1, 23)]
    assert same_training(finished, tmp_path)


def test_resuming_a_finished_run_changes_nothing(finished: Path, photo_folder: Path) -> None:
    before = made(finished)
    run_card(two_stages(photo_folder), finished, resume=True)
    assert same(before, made(finished))


def test_resuming_nothing_begins(finished: Path, photo_folder: Path, tmp_path: Path) -> None:
    """A run killed before its first checkpoint goes on as if nothing had happened."""
    said: list[str] = []
    run_card(two_stages(photo_folder), tmp_path / "new" / "run", resume=True, say=said.append)
    assert same_training(finished, tmp_path / "new" / "run")
    assert said == ["no checkpoint is there yet, so it begins with the first step"]


def test_seconds_add_up(photo_folder: Path, tmp_path: Path) -> None:
    def slow(progress: RunProgress) -> None:
        time.sleep(0.2)
        if progress.done == 2:
            raise Stop

    card = tiny_card(photo_folder, stage(3))
    with pytest.raises(Stop):
        run_card(card, tmp_path, report=slow)
    first = RunCard.model_validate(last(tmp_path).card).seconds
    assert first >= 0.4
    assert run_card(card, tmp_path, resume=True).seconds >= first


def interrupted_at_line(number: int, card: RunCard, out: Path) -> bool:
    """Run, and press Ctrl-C at the n-th line that the loop executes.

    Returns:
        Whether the run got as far as that line.
    """
    files = {srlab.runs.run.__file__, srlab.runs.stages.__file__, srlab.training.__file__}
    try:
        with ctrl_c_at_line(number, files, passed_over="_finish"):
            run_card(card, out)
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.slow
def test_ctrl_c_at_any_line_leaves_a_whole_step(photo_folder: Path, tmp_path: Path) -> None:
    card = tiny_card(photo_folder, stage(1, 2), stage(2, 4))
    steps: dict[int, dict[str, Tensor]] = {}
    for step in (1, 2, 3):
        train_only(card, tmp_path / f"{step}", steps=step)
        steps[step] = last(tmp_path / f"{step}").model
    seen, number = set(), 1
    while interrupted_at_line(number, card, tmp_path / f"line{number}"):
        out = tmp_path / f"line{number}"
        if (out / "last.safetensors").exists():
            checkpoint = last(out)
            assert same(checkpoint.model, steps[checkpoint.step]), number
            moments = _moments(checkpoint)
            counts = {int(value) for name, value in moments.items() if name.endswith("step")}
            assert counts == {checkpoint.step - (checkpoint.step > 1)}, number
            seen.add(checkpoint.step)
        number += 3
    assert seen == {1, 2, 3}
    assert number > 100


def test_ctrl_c_while_it_looks_keeps_the_step(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tiny_card(photo_folder, stage(4), validate_every=1)
    whole = train_only(card, tmp_path / "whole")
    look = Validation.look

    def interrupted(validation: Validation, model: nn.Module, step: int) -> Reading:
        if step == 1:  # the first look is before any step
            signal.raise_signal(signal.SIGINT)
        return look(validation, model, step)

    with monkeypatch.context() as patch:
        patch.setattr("srlab.runs.watch.Validation.look", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_card(card, tmp_path / "parts")
    assert last(tmp_path / "parts").step == 1
    assert train_only(card, tmp_path / "parts", resume=True) == whole[1:]
    assert same_training(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("step", [1, 3], ids=["on the way", "at the end"])
def test_ctrl_c_while_it_saves_waits_for_the_file(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Also the second Ctrl-C of somebody impatient, or torchrun's after a loss."""
    card = tiny_card(photo_folder, stage(3))
    whole = tmp_path / "whole"
    train_only(card, whole)
    save = srlab.runs.run.save_checkpoint

    def interrupted(path: Path, *args: object, **options: object) -> None:
        if path.name == "last.safetensors" and options["step"] == step:
            signal.raise_signal(signal.SIGINT)
        save(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr("srlab.runs.run.save_checkpoint", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_card(card, tmp_path / "parts", save_every=1e6)
    assert last(tmp_path / "parts").step == step
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    run_card(card, tmp_path / "parts", resume=True)
    assert same_training(whole, tmp_path / "parts")


def start_child(card: Path, out: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(card), str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **ONE_THREAD},
    )  # fmt: skip


@pytest.fixture(scope="module")
def sixty_steps(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run of 60 steps, and its card."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("sixty")
    card = tiny_card(photo_folder, stage(30, 2), stage(30, 4))
    save_card(card, out / "given.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRLAB_DEVICE", "cpu")
        train_only(card, out)
    return out


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_goes_on_to_the_same_bits(
    sixty_steps: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """A real process, a real signal, a random step and moment."""
    child = start_child(sixty_steps / "given.json", tmp_path)
    assert child.stdout is not None
    step = str(random.randint(2, 50))
    next(line for line in child.stdout if line.strip() == step)
    time.sleep(random.uniform(0, 0.02))
    child.send_signal(number)
    _, errors = child.communicate(timeout=300)
    assert child.returncode == -number, errors
    assert not (tmp_path / "card.json").exists()
    stopped = last(tmp_path).step
    assert 0 < stopped < 60
    train_only(load_card(sixty_steps / "given.json"), tmp_path, resume=True)
    assert same_training(tmp_path, sixty_steps), f"stopped at {stopped}"


# -- what is refused -------------------------------------------------------------


def test_a_folder_with_a_training_is_kept(finished: Path, photo_folder: Path) -> None:
    before = (finished / "last.safetensors").read_bytes()
    with pytest.raises(FileExistsError, match="already holds a training; go on with --resume"):
        run_card(two_stages(photo_folder), finished)
    assert (finished / "last.safetensors").read_bytes() == before


def test_a_diverged_run_keeps_its_last_whole_step(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([make_loss(Stage())] * 5)  # one looks at the beginning

    def loss(sr: Tensor, hr: Tensor) -> dict[str, Tensor]:
        return (
            next(losses)(sr, hr) if losses.__length_hint__() else {"l1": sr.sum() * torch.nan}
        )

    monkeypatch.setattr("srlab.runs.stages.make_loss", lambda *_: loss)
    with pytest.raises(DivergedError, match="start again with a smaller one"):
        run_card(tiny_card(photo_folder, stage(30)), tmp_path)
    checkpoint = last(tmp_path)
    assert checkpoint.step == 4
    assert all(value.isfinite().all() for value in checkpoint.model.values())
    assert not (tmp_path / "model.safetensors").exists()


def die(model: nn.Module) -> None:
    model.upsampler.to_rgb[0].weight.zero_()


def go_astray(model: nn.Module) -> None:
    model.upsampler.to_rgb[0].bias.add_(50)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [(die, "adds the same to every"), (go_astray, "has a loss of 5.* after")],
)
def test_a_network_that_is_lost_is_told(
    photo_folder: Path,
    checkpoint: Path,
    tmp_path: Path,
    spoil: Callable[[nn.Module], None],
    sentence: str,
) -> None:
    @torch.no_grad()
    def report(progress: RunProgress) -> None:
        if progress.done == 3:
            spoil(progress.model)

    frozen = stage(6, learning_rate=1e-9)
    card = tiny_card(photo_folder, frozen, start=str(checkpoint), validate_every=1)
    with pytest.raises(DivergedError, match=f"After 4 steps the network {sentence}"):
        run_card(card, tmp_path, report=report)
    assert load_checkpoint(tmp_path / "best.safetensors").step <= 3
    if spoil is die:
        with pytest.raises(DivergedError, match="After 5 steps"):  # a resume does not revive it
            run_card(card, tmp_path, resume=True)


def test_a_device_that_is_gone(photo_folder: Path, tmp_path: Path) -> None:
    card = tiny_card(photo_folder, stage(2))
    gone = card.model_copy(update={"device": "cuda:77"}).model_dump()
    save_checkpoint(tmp_path / "last.safetensors", torch.nn.Linear(1, 1), card=gone, step=1)
    with pytest.raises(ValueError, match="There is no device 'cuda:77' here"):
        run_card(card, tmp_path, resume=True)


def test_a_stage_may_train_with_the_expanded_loss(photo_folder: Path, tmp_path: Path) -> None:
    features = FeatureSpec(layers={"relu1_2": 1.0, "relu2_2": 0.0}, pooling="average")
    weights = {"pixel": 1.0, "content": 0.1, "style": 1.0, "tv": 0.01}
    card = tiny_card(photo_folder, stage(1), stage(2, weights=weights, features=features))
    seen: list[set[str]] = []
    run_card(card, tmp_path, report=lambda progress: seen.append(set(progress.step.terms)))
    assert seen == [{"l1"}, set(weights), set(weights)]
    assert load_card(tmp_path / "card.json").stages[1].features == features


def test_make_loss_of_a_stages_weights() -> None:
    sr, hr = torch.rand(2, 1, 3, 32, 32)
    assert make_loss(Stage(weights={"l2": 10.0})).weights == {"l1": 0, "l2": 10}
    plain = make_loss(Stage(weights={"pixel": 1.0, "tv": 0.5, "spectrum": 0.5}))(sr, hr)
    torch.testing.assert_close(plain["tv"], 0.5 * tv_loss(sr))
    torch.testing.assert_close(plain["spectrum"], 0.5 * spectrum_loss(sr, hr))
    features = FeatureSpec(layers={"relu2_1": 2.0})
    both = make_loss(Stage(weights={"style": 3.0, "spectrum": 0.5}, features=features))
    assert both(sr, hr).keys() == {"style", "spectrum"}
    loss = make_loss(Stage(weights={"content": 3.0}, features=features))
    assert isinstance(loss, ExpandedLoss)
    assert loss.weights == {"pixel": 0, "content": 3.0, "style": 0, "tv": 0}
    assert loss.layer_weights == {"relu2_1": 2.0}


@pytest.mark.parametrize(
    ("layer", "changes", "kind"),
    [
        ("relu2_1", {}, FeatureExtractor),
        ("relu2_1", {"shifts": True}, ShiftedExtractor),
        ("block1", {"weights": "lite0"}, Lite0Extractor),
        ("block1", {"weights": "lite0", "shifts": True}, ShiftedLite0Extractor),
    ],
)
def test_a_stage_names_what_looks(layer: str, changes: dict[str, Any], kind: type) -> None:
    features = FeatureSpec(layers={layer: 2.0}, **changes)
    loss = make_loss(Stage(weights={"style": 1.0}, features=features))
    assert type(loss.extractor) is kind


@pytest.mark.parametrize(("spec", "kind"), [(ModelSpec, SrResNet), (UNetSpec, UNet)])
@pytest.mark.parametrize(
    ("doubling", "kind_of_stage"),
    [("shuffle", UpsampleStage), ("icnr", IcnrStage), ("resize", ResizeStage),
     ("transposed", TransposedStage)],
)  # fmt: skip
def test_a_card_may_name_any_of_the_networks(
    spec: type[ModelSpec | UNetSpec], kind: type, doubling: str, kind_of_stage: type
) -> None:
    model = build_model(spec(num_features=4, doubling=doubling), 4)
    assert type(model) is kind
    assert type(model.upsampler.to_rgb) is kind_of_stage
    assert model(torch.rand(1, 3, 6, 5)).shape == (1, 3, 24, 20)


def test_a_card_may_name_a_pretrained_encoder() -> None:
    assert isinstance(build_model(UNetSpec(encoder="vgg"), 2).encoder, VggEncoder)


# -- a share of the way ------------------------------------------------------------


def near(folder: Path, start: Path, share: float) -> RunCard:
    return tiny_card(folder, stage(3), start=str(start), share=share)


@pytest.fixture
def start(photo_folder: Path, tmp_path: Path) -> Path:
    run_card(tiny_card(photo_folder, stage(5)), tmp_path / "start")
    return tmp_path / "start" / "model.safetensors"


def test_a_share_of_the_way(photo_folder: Path, tmp_path: Path, start: Path) -> None:
    run_card(near(photo_folder, start, 1.0), tmp_path / "whole")
    card = run_card(near(photo_folder, start, 0.25), tmp_path / "part")
    require_a_quarter_of_the_way(start.parent, tmp_path)
    assert same_training(tmp_path / "whole", tmp_path / "part")  # it counts at the end alone
    assert load_checkpoint(tmp_path / "part" / "model.safetensors").card["share"] == 0.25
    assert card.scores != load_card(tmp_path / "whole" / "card.json").scores


def require_a_quarter_of_the_way(start: Path, runs: Path) -> None:
    """From the start to the run ``whole`` lies what the run ``part`` made."""
    first, whole, part = made(start), made(runs / "whole"), made(runs / "part")
    torch.testing.assert_close(part, {n: 0.75 * first[n] + 0.25 * whole[n] for n in first})
    assert not same(part, first)


def test_another_share_of_a_finished_training(
    photo_folder: Path, tmp_path: Path, start: Path
) -> None:
    run_card(near(photo_folder, start, 1.0), tmp_path / "run")
    run_card(near(photo_folder, start, 0.25), tmp_path / "fresh")
    card = run_card(near(photo_folder, start, 0.25), tmp_path / "run", resume=True)
    assert same(made(tmp_path / "run"), made(tmp_path / "fresh"))
    assert card.share == 0.25


def test_a_start_that_it_cannot_stay_near(
    photo_folder: Path, tmp_path: Path, start: Path
) -> None:
    two_blocks = {"model": ModelSpec(num_features=8, num_blocks=2)}
    wider = near(photo_folder, start, 0.5).model_copy(update=two_blocks)
    with pytest.raises(ValueError, match=r"of one architecture blend, but body\.1"):
        run_card(wider, tmp_path / "wider")
    assert not (tmp_path / "wider").exists()


@pytest.mark.parametrize(
    ("changes", "advice"),
    [({"share": 0.5}, "back, or set share to 1"), ({"side_by_side": True}, "the old one back")],
)
def test_the_start_must_stay_what_it_was(
    photo_folder: Path, tmp_path: Path, start: Path, changes: dict[str, Any], advice: str
) -> None:
    card = tiny_card(photo_folder, stage(3), stage(3), start=str(start), **changes)
    train_only(card, tmp_path / "run", steps=2)
    run_card(tiny_card(photo_folder, stage(6)), tmp_path / "other")
    start.write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    sentence = rf"model.safetensors is another file than when this .*; bring .*{advice}\.$"
    with pytest.raises(ValueError, match=sentence):
        run_card(card, tmp_path / "run", resume=True)


# -- trainings side by side --------------------------------------------------------


def beside(folder: Path, start: Path, **changes: object) -> RunCard:
    stages = stage(3), stage(4, learning_rate=1e-3)
    return tiny_card(folder, *stages, start=str(start), side_by_side=True, **changes)


def test_stages_side_by_side_are_trainings_from_one_start_and_the_end_is_their_mean(
    photo_folder: Path, tmp_path: Path, start: Path
) -> None:
    card = beside(photo_folder, start, ema=0.5, seed=4)
    for number, only in enumerate(card.stages, 1):
        changes = {"start": str(start), "ema": 0.5, "seed": card.seed + number - 1}
        alone = tiny_card(photo_folder, only, **changes)
        run_card(alone, tmp_path / str(number))
    finished = run_card(card, tmp_path / "both")
    first, second, both = (made(tmp_path / n) for n in ("1", "2", "both"))
    assert not same(first, second)
    torch.testing.assert_close(both, {n: (first[n] + second[n]) / 2 for n in first})
    for number, expected in enumerate((first, second), 1):
        assert same(made(tmp_path / "both", f"stage-{number}"), expected)
    assert not (tmp_path / "both" / "best.safetensors").exists()
    network = load_model(tmp_path / "both" / "model.safetensors", 4)
    assert finished.scores == scored(finished, network).scores


def test_a_share_of_the_way_to_the_mean(
    photo_folder: Path, tmp_path: Path, start: Path
) -> None:
    run_card(beside(photo_folder, start), tmp_path / "whole")
    run_card(beside(photo_folder, start, share=0.25), tmp_path / "part")
    require_a_quarter_of_the_way(start.parent, tmp_path)


@pytest.mark.parametrize("stop", [2, 3, 5, 7])
def test_stages_side_by_side_go_on_as_if_nothing_had_happened(
    photo_folder: Path, tmp_path: Path, start: Path, stop: int
) -> None:
    """Stopped within each, between them, and after the last step."""
    card = beside(photo_folder, start, ema=0.5)
    run_card(card, tmp_path / "whole")
    train_only(card, tmp_path / "stopped", steps=stop)
    assert last(tmp_path / "stopped").step == stop
    assert not (tmp_path / "stopped" / "model.safetensors").exists()
    run_card(card, tmp_path / "stopped", resume=True)
    for name in ("stage-1", "stage-2", "model"):
        assert same(made(tmp_path / "whole", name), made(tmp_path / "stopped", name))


# -- what was changed on the way ---------------------------------------------------


def steered(folder: Path) -> RunCard:
    changes = [
        Change(after=3, weights={"l1": 0.0, "l2": 10.0}),
        Change(after=5, learning_rate=1e-3),
    ]
    # not 0: a lost seed shall be seen
    return tiny_card(folder, stage(8, schedule="constant", changes=changes), seed=4)


def test_changes_are_those_of_a_training_that_somebody_steered(
    photo_folder: Path, tmp_path: Path
) -> None:
    card = steered(photo_folder)
    train_only(card, tmp_path)
    torch.manual_seed(card.seed)
    model = place(build_model(card.model, 4), "cpu")
    only = card.stages[0]
    optimizer = torch.optim.Adam(model.parameters(), only.learning_rate, fused=True)
    loss = make_loss(only)
    sizes = only.hr_size // 4, only.hr_size
    data = get_data(only.batch_size, sizes, source=photo_folder, seed=card.seed)
    for step in train(model, data, loss, optimizer, steps=8):
        if step.number == 3:
            loss.weights.update(l1=0.0, l2=10.0)
        if step.number == 5:
            set_learning_rate(optimizer, 1e-3)
    assert same(last(tmp_path).model, dict(model.state_dict()))


@pytest.mark.parametrize("step", [2, 3, 5])
def test_a_steered_run_goes_on_exactly(photo_folder: Path, tmp_path: Path, step: int) -> None:
    require_the_same_after_a_stop(steered(photo_folder), tmp_path, step)


def test_layers_change_too(photo_folder: Path, tmp_path: Path) -> None:
    features = FeatureSpec(layers={"relu1_1": 1.0, "relu1_2": 0.0})
    expanded = stage(
        2, weights={"content": 1.0}, features=features, schedule="constant",
        changes=[Change(after=1, layers={"relu1_1": 0.0})],
    )  # fmt: skip
    with pytest.raises(ValueError, match="No term of the loss depends on the network"):
        run_card(tiny_card(photo_folder, expanded), tmp_path)
    assert last(tmp_path).step == 1


def test_a_start_of_which_hardly_anything_fits_is_refused(
    photo_folder: Path, checkpoint: Path, tmp_path: Path
) -> None:
    """Or else it would train from scratch, and say that it did not."""
    card = tiny_card(photo_folder, stage(1), start=str(checkpoint), model=UNetSpec(depth=1))
    with pytest.raises(ValueError, match=r"network .*tiny.safetensors holds only \d%: nearly"):
        run_card(card, tmp_path)


def test_a_run_may_begin_with_a_trained_network(photo_folder: Path, tmp_path: Path) -> None:
    barely = stage(1, 4, learning_rate=1e-12)
    card = tiny_card(photo_folder, barely, start="small-x4", model=ModelSpec())
    train_only(card, tmp_path)
    shipped = dict(load_model("small-x4", 4).state_dict())
    torch.testing.assert_close(last(tmp_path).model, shipped, atol=1e-6, rtol=1e-4)
    with pytest.raises(ValueError, match="no model 'small-x5'; there are bicubic"):
        train_only(card.model_copy(update={"start": "small-x5"}), tmp_path / "other")
