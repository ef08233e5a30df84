"""Looking at the validation photographs on the way."""

import pytest
import torch

from srlab.data import degrade, embedded_photo
from srlab.losses import l1_loss, pixel_loss
from srlab.metrics import score_pair
from srlab.models import Bicubic, SrResNet, enlarge
from srlab.runs.validation import Reading, Validation
from srlab.zoo import load_model
from tests.watching import no_random_numbers, unchanged

PHOTOS = 3


def loss(sr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"double": 2 * l1_loss(sr, hr)}


@pytest.fixture(scope="module")
def validation() -> Validation:
    return Validation(4, loss)


def test_a_new_network_is_bicubic(validation: Validation):
    reading = validation.look(SrResNet(4, 8, 1), 7)
    assert reading.step == 7
    assert reading.psnr == pytest.approx(reading.bicubic, abs=1e-4)
    assert reading.detail == 0
    assert str(reading) == f"{reading.psnr:.2f} dB, bicubic {reading.bicubic:.2f} dB"


def test_figures_are_those_of_the_middle_of_each_photograph(validation: Validation):
    assert validation.scene.hr.shape == (PHOTOS, 3, 192, 192)
    assert validation.scene.lr.shape == (PHOTOS, 3, 48, 48)
    torch.testing.assert_close(validation.scene.lr, degrade(validation.scene.hr, 4))
    pairs = zip(enlarge(validation.scene.lr, 4).clamp(0, 1), validation.scene.hr, strict=True)
    scores = [score_pair(sr[None], hr[None], scale=4)["psnr_y"] for sr, hr in pairs]
    assert validation.bicubic == pytest.approx(sum(scores) / PHOTOS, abs=1e-3)


def test_the_photographs_are_those_kept_for_validation(validation: Validation):
    photo = embedded_photo("raccoon-face")[0]
    top, left = ((side - 192) // 2 for side in photo.shape[-2:])
    middle = photo[:, top : top + 192, left : left + 192]
    assert any(torch.allclose(middle, hr) for hr in validation.scene.hr)


def test_the_loss_is_the_stages(validation: Validation):
    reading = validation.look(Bicubic(4), 0)
    expected = 2 * l1_loss(enlarge(validation.scene.lr, 4), validation.scene.hr).item()
    assert reading.loss == pytest.approx(expected, rel=1e-5)


def test_looking_changes_nothing(validation: Validation):
    model = SrResNet(4, 8, 1).train()
    with unchanged(model), no_random_numbers():  # or a training would differ by looking
        validation.look(model, 1)


def test_a_better_network_has_a_lower_loss():
    own = Validation(4, pixel_loss())
    better, bicubic = own.look(load_model("small-x4", 4), 1), own.look(Bicubic(4), 1)
    assert better.loss < bicubic.loss
    assert better.psnr > better.bicubic + 0.5
    assert isinstance(better, Reading)
