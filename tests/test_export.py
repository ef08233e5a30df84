"""The exported program is run as a person runs it, and ends with the same bits."""

import ast
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings

import srlab.runcard
from srlab.checkpoints import load_checkpoint
from srlab.runcard import Change, FeatureSpec, ModelSpec, RunCard, Stage, UNetSpec
from srlab.runs.program import NOT_REPEATED, to_python, to_source
from srlab.widgets.loss_lab.card import lab_card
from srlab.zoo import load_model
from tests import warm
from tests.conftest import ONE_THREAD
from tests.test_runcard import cards
from tests.test_runs import last, same, train_only

pytestmark = pytest.mark.usefixtures("on_the_cpu")

TINY = ModelSpec(num_features=8, num_blocks=1)


def steered(folder: Path) -> RunCard:
    """A run of the Loss Lab in which everything was moved once."""
    card = lab_card(model=TINY, data=str(folder), start="untrained", hr_size=32, seed=7)
    changes = [
        Change(after=0, weights={"tv": 0.5}),
        Change(after=2, weights={"style": 1.0, "pixel": 0.5}, layers={"relu1_2": 0.3}),
        Change(after=3, learning_rate=2e-3),
        Change(after=5, weights={"pixel": 2.0}),
    ]
    stage = card.stages[0].model_copy(update={"steps": 5, "batch_size": 2, "changes": changes})
    return card.model_copy(update={"stages": [stage], "precision": "fp32", "threads": 1})


def staged(folder: Path) -> RunCard:
    """A UNet that learns colors at x2 and then texture at x4."""
    first = Stage(scale=2, hr_size=32, batch_size=2, steps=3)
    features = FeatureSpec(layers={"relu1_2": 1.0})
    second = Stage(
        scale=4, hr_size=32, batch_size=2, steps=2, schedule="constant",
        weights={"pixel": 1.0, "content": 0.1}, features=features,
    )  # fmt: skip
    model = UNetSpec(num_features=4, depth=1)
    return RunCard(
        name="staged", model=model, data=str(folder), seed=5, precision="fp32", threads=1,
        stages=[first, second],
    )  # fmt: skip


def from_shipped(folder: Path) -> RunCard:
    """A shipped network that goes on with what needs no features."""
    stage = Stage(hr_size=32, batch_size=1, steps=2, weights={"pixel": 1.0, "tv": 0.01})
    return RunCard(
        name="shipped", data=str(folder), start="small-x4", seed=2, precision="bf16", threads=1,
        stages=[stage],
    )  # fmt: skip


def run_program(text: str, folder: Path, *arguments: str) -> str:
    (folder / "program.py").write_text(text, encoding="utf-8")
    env = {**os.environ, **ONE_THREAD}
    done = warm.python("-m", "program", *arguments, env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("make", [steered, staged, from_shipped])
def test_the_program_ends_with_the_weights_of_the_run(
    make: object, photo_folder: Path, tmp_path: Path
) -> None:
    card = make(photo_folder)
    train_only(card, tmp_path / "run")
    arguments = ["own.safetensors"] if make is steered else []
    said = run_program(to_python(card), tmp_path, *arguments)
    written = tmp_path / (arguments or [f"{card.name}.safetensors"])[0]
    checkpoint = load_checkpoint(written)
    assert same(checkpoint.model, last(tmp_path / "run").model)
    assert checkpoint.step == card.steps
    assert checkpoint.card["seed"] == card.seed != 0
    assert checkpoint.card["stages"] == card.model_dump()["stages"]
    assert f"x4, step {card.stages[-1].steps}: loss " in said
    assert all(word in said for word in ("bicubic", card.name, "PSNR Y", "dB"))
    assert load_model(written, 4) is not None


def made_by(source: str) -> RunCard:
    """The card that a source makes."""
    return eval(source, vars(srlab.runcard).copy())


def repeated(card: RunCard) -> RunCard:
    """What a program repeats of a card."""
    fresh = RunCard(name="a", stages=[Stage()])
    written = {name: getattr(fresh, name) for name in NOT_REPEATED - {"kind"}}
    return card.model_copy(update=written)


@settings(max_examples=25)
@given(cards)
def test_the_source_makes_the_card(card: RunCard) -> None:
    assert made_by(to_source(card)) == repeated(card)
    assert made_by(to_source(card, indent=80).strip()) == repeated(card)


def test_names_stay_names(photo_folder: Path) -> None:
    strange = 'x\'); import os; os.abort() #"""\n{name}'
    card = steered(photo_folder).model_copy(update={"data": strange, "start": strange})
    tree = ast.parse(to_python(card))
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    assert texts.count(strange) == 2


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("ema", 0.999, r"mine averages its weights \(ema 0.999\), but the program"),
        ("share", 0.6, "mine keeps 0.6 of what it learns, but the program"),
        ("side_by_side", True, "mine trains its stages side by side, but the program"),
    ],
)
def test_what_the_program_does_not_do(field: str, value: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        to_python(lab_card(name="mine").model_copy(update={field: value}))


def test_a_spectrum_is_not_left_out() -> None:
    layers, plain = {"relu1_1": 1.0}, {"style": 1.0}
    for stage in (
        Stage(weights={**plain, "spectrum": 0.01}, features=FeatureSpec(layers=layers)),
        Stage(weights={**plain}, features=FeatureSpec(layers=layers, shifts=True)),
        Stage(weights={**plain}, features=FeatureSpec(layers={"stem": 1.0}, weights="lite0")),
    ):
        text = to_python(lab_card().model_copy(update={"stages": [stage]}))
        assert "ExpandedLoss" not in text
        assert "import apply_changes, make_loss" in text


def test_it_is_short_and_imports_no_widget() -> None:
    text = to_python(lab_card())
    assert len(text.splitlines()) <= 110
    assert max(map(len, text.splitlines())) <= 96
    assert "widgets" not in text.replace("without widgets", "")
    assert "find_checkpoint" in text
    untrained = to_python(lab_card(start="untrained"))
    assert "find_checkpoint" not in untrained
    assert "load_checkpoint" not in untrained


@pytest.mark.parametrize("make", [steered, staged, from_shipped])
def test_every_import_is_used(make: object, photo_folder: Path) -> None:
    tree = ast.parse(to_python(make(photo_folder)))
    imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names}
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert names <= used, names - used
    assert torch.__name__ in names
