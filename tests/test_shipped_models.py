"""The models in the package: intact, of the scale their name says, better than bicubic."""

import pytest

from srlab.checkpoints import load_checkpoint
from srlab.inference import SHIPPED, load_model
from srlab.runcard import load_card, parse_card
from srlab.scoring import score_models
from srlab.sources import ASSETS, load_photos

SCALES = (2, 4, 8)


@pytest.mark.parametrize("scale", SCALES)
def test_a_shipped_model_beats_bicubic_on_photographs_it_never_saw(scale):
    photos = {"citrus-slices": load_photos("embedded", "test")["citrus-slices"]}
    bicubic, own = score_models(photos, {"own": load_model(None, scale)}, scale=scale)
    assert own["psnr_y"] > bicubic["psnr_y"] + 0.3
    assert own["sharpness"] > 2 * bicubic["sharpness"]


@pytest.mark.parametrize("scale", SCALES)
def test_a_shipped_model_was_trained_from_the_card_beside_it(scale):
    checkpoint = load_checkpoint(SHIPPED / f"pixel-x{scale}.safetensors")
    finished = parse_card(checkpoint.card)
    wanted = load_card(ASSETS / "cards" / f"pixel-x{scale}.json")
    for key in ("name", "model", "data", "seed", "stages"):
        assert getattr(finished, key) == getattr(wanted, key)
    assert checkpoint.step == finished.steps
    assert finished.scores["psnr_y"] > finished.scores["bicubic_psnr_y"]
    assert checkpoint.optimizer is None  # for use, not to go on from
