"""Putting a trained network into the package."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from srlab.checkpoints import load_checkpoint
from srlab.runcard import ModelSpec, RunCard, Stage, load_card
from srlab.runs import run_card
from srlab.scoring import MEASURES
from srlab.zoo import load_model
from tests.ship import DATA, bare, lighter, rescore, share_words, ship

WORDS = "two photographs of 96 x 128 px"


@pytest.fixture(scope="module")
def run(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training that is not bicubic any more."""
    out = tmp_path_factory.mktemp("run")
    card = RunCard(
        name="tiny-x4", model=ModelSpec(num_features=8, num_blocks=1), data=str(photo_folder),
        precision="fp32", ema=0.5, stages=[Stage(hr_size=32, batch_size=2, steps=8)],
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRLAB_DEVICE", "cpu")
        run_card(card, out)
    return out


@pytest.fixture(scope="module")
def assets(run: Path, photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assets")
    for name in ("models", "cards"):
        (folder / name).mkdir()
    ship(run, WORDS, set5=photo_folder, held_out=photo_folder, assets=folder)
    return folder


def test_the_weights_are_the_runs_in_float16(run: Path, assets: Path):
    shipped = load_checkpoint(assets / "models" / "tiny-x4.safetensors").model
    trained = load_checkpoint(run / "model.safetensors").model
    assert {weights.dtype for weights in shipped.values()} == {torch.float16}
    assert all(torch.equal(shipped[name], trained[name].half()) for name in trained)


def test_it_is_used_in_float32(assets: Path):
    network = load_model(assets / "models" / "tiny-x4.safetensors", 4)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert network(torch.rand(1, 3, 5, 5)).shape == (1, 3, 20, 20)


def test_the_card_repeats_it_on_a_folder_of_ones_own(run: Path, assets: Path):
    card, finished = load_card(assets / "cards" / "tiny-x4.json"), load_card(run / "card.json")
    assert (card.data, card.seconds, card.scores, card.device) == (DATA, 0, {}, "")
    assert (card.stages, card.ema, card.model) == (
        finished.stages,
        finished.ema,
        finished.model,
    )


def test_the_page_has_data_and_scores_with_bicubic(assets: Path):
    page = (assets / "models" / "tiny-x4.md").read_text(encoding="utf-8")
    assert WORDS in page
    assert "SrResNet, 8 features, 1 blocks, shuffle, " in page
    assert "8 steps at 4x, 2 crops of 32 px" in page
    assert "stored in float16" in page
    rows = [line for line in page.splitlines() if " dB | " in line]
    assert [row.split("|")[2].strip() for row in rows] == ["bicubic", "tiny-x4"] * 3
    assert "| the 24 [held-out photographs](PHOTOGRAPHS.md) | tiny-x4 |" in page
    assert "](../sheet/sheet-x4.webp)" in page
    assert "must not be used for" in page


def test_the_table_has_every_measure_but_the_colors_psnr(assets: Path):
    page = (assets / "models" / "tiny-x4.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    head, _, *rows = lines[lines.index(next(x for x in lines if x.startswith("| on"))) :]
    titles = [text.strip() for text in head.split("|")[3:-1]]
    assert titles == [m.title for name, m in MEASURES.items() if name != "psnr_rgb"]
    assert all(row.count("|") == head.count("|") for row in rows)
    assert "Best: PSNR Y, SSIM Y and HaarPSI highest; sharpness, checkerboard and r" in page


def test_scores_are_measured_again_and_the_rest_of_the_page_stays(
    assets: Path, photo_folder: Path, tmp_path: Path
):
    copy = tmp_path / "assets"
    shutil.copytree(assets, copy)
    page = copy / "models" / "tiny-x4.md"
    whole = page.read_text(encoding="utf-8")
    stale = re.sub(r"\| tiny-x4 \| [\d.]+ dB", "| tiny-x4 | 99.00 dB", whole)
    assert stale != whole
    page.write_text(stale, encoding="utf-8")
    rescore(photo_folder, photo_folder, assets=copy)
    assert page.read_text(encoding="utf-8") == whole


def test_no_path_of_the_machine_is_told(run: Path, assets: Path):
    for file in assets.rglob("*.*"):
        assert str(run.parent).encode() not in file.read_bytes()


def test_float16_is_not_taken_where_it_costs_too_much():
    network = hard_to_round(load_model("small-x4", 4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    kept = lighter(network, 4).state_dict()
    assert {weights.dtype for weights in kept.values()} == {torch.float32}
    assert all(torch.equal(before[name], kept[name]) for name in before)


def hard_to_round(network: torch.nn.Module) -> torch.nn.Module:
    """The same answers, from weights that are too small and too large for float16."""
    doubling, last = network.upsampler.stages[0][0], network.upsampler.to_rgb[0]
    with torch.no_grad():
        last.weight *= 1e-7
        doubling.weight *= 1e7
        doubling.bias *= 1e7
    return network


def test_a_share_stays_in_card_and_page() -> None:
    card = RunCard(name="near", start="pixel-x4", share=0.58, stages=[Stage()], seconds=3.0)
    assert (bare(card).share, bare(card).seconds) == (0.58, 0.0)
    assert share_words(card) == (
        "; of the way from `pixel-x4` to what this made of it, 58% are kept"
    )
    assert share_words(card.model_copy(update={"share": 1.0})) == ""
