"""The models in the package: intact, of the scale their name says, better than bicubic."""

import pytest

from srlab.checkpoints import load_checkpoint
from srlab.data import load_photos
from srlab.files import ASSETS, SHIPPED
from srlab.runcard import load_card, parse_card
from srlab.scoring import score_models
from srlab.zoo import load_model

NAMES = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
MAX_BYTES = 20e6


def test_there_is_a_model_for_each_scale_and_loss():
    assert {"pixel-x2", "pixel-x4", "pixel-x8", "perceptual-x4", "unet-x4"} <= set(NAMES)
    assert {"small-x2", "small-x4", "small-x8"} <= set(NAMES)


def test_all_together_they_are_small():
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= MAX_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_beats_bicubic_on_photographs_it_never_saw(name):
    scale = int(name[-1])
    photos = {"citrus-slices": load_photos("embedded", "test")["citrus-slices"]}
    bicubic, own = score_models(photos, {"own": load_model(name, scale)}, scale=scale)
    assert own["psnr_y"] > bicubic["psnr_y"] + 0.3
    assert own["sharpness"] > 2 * bicubic["sharpness"]
    assert own["checkerboard"] < 1.5


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_was_trained_from_the_card_beside_it(name):
    checkpoint = load_checkpoint(SHIPPED / f"{name}.safetensors")
    finished = parse_card(checkpoint.card)
    wanted = load_card(ASSETS / "cards" / f"{name}.json")
    for key in ("name", "model", "data", "start", "seed", "stages", "share", "ema"):
        assert getattr(finished, key) == getattr(wanted, key)
    assert checkpoint.step <= finished.steps
    scores = finished.scores
    assert scores["psnr_y"] > scores["bicubic_psnr_y"] or scores["sharpness"] > 0.5
    assert checkpoint.optimizer is None  # for use, not to go on from


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("small")])
def test_a_large_model_has_a_page(name):
    page = (SHIPPED / f"{name}.md").read_text(encoding="utf-8")
    assert "must not be used for" in page
    assert "PHOTOGRAPHS.csv" in page


def test_the_perceptual_model_is_clearly_sharper_than_the_pixel_model():
    photos = load_photos("embedded", "test")
    models = {name: load_model(name, 4) for name in ("pixel-x4", "perceptual-x4")}
    bicubic, pixel, perceptual = score_models(photos, models, scale=4)
    gap = 1 - pixel["sharpness"]
    assert perceptual["sharpness"] > pixel["sharpness"] + gap / 8  # more of it brings the weave
    assert perceptual["psnr_y"] > bicubic["psnr_y"]
