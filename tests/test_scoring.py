"""Scores: the published protocol, bicubic first, every figure a mean over pictures."""

import json
import math

import pytest
import torch
from torch import Tensor, nn

from srlab.data import crop_to_multiple, degrade
from srlab.images import to_bytes
from srlab.metrics import score_pair
from srlab.models import enlarge
from srlab.scoring import as_batch, format_rows, rows_to_json, score_models

FIGURES = ("psnr_y", "ssim_y", "psnr_rgb", "sharpness", "checkerboard")


class Truth(nn.Module):
    """A model that has learned one picture by heart."""

    reach = 10**6

    def __init__(self, hr: Tensor):
        super().__init__()
        self.hr = hr

    def forward(self, _: Tensor) -> Tensor:
        return self.hr


@pytest.fixture
def photos(photo: Tensor) -> dict[str, Tensor]:
    """Two photographs, one of them of a size that 4 does not divide."""
    return {"odd": to_bytes(photo[0, :, :51, :66]), "even": to_bytes(photo[0, :, 40:, :64])}


def test_bicubic_by_hand(photos: dict[str, Tensor]) -> None:
    (row,) = score_models(photos, {}, scale=4)
    by_hand = []
    for picture in photos.values():
        hr = crop_to_multiple(picture[None].float() / 255, 4)
        sr = to_bytes(enlarge(degrade(hr, 4), 4)).float() / 255
        by_hand.append(score_pair(sr, hr, scale=4))
    for key in FIGURES:
        assert row[key] == pytest.approx((by_hand[0][key] + by_hand[1][key]) / 2, rel=1e-5)
    assert (row["model"], row["scale"], row["pictures"]) == ("bicubic", 4, 2)
    assert row["protocol"] == "Y of BT.601 (16-235), border of 4 px left out, 8 bits"


def test_bicubic_is_always_first(photos: dict[str, Tensor]) -> None:
    from srlab.models import SrResNet

    rows = score_models(photos, {"net": SrResNet(2, 4, 1)}, scale=2)
    assert [row["model"] for row in rows] == ["bicubic", "net"]
    for key in FIGURES:  # an untrained network is bicubic
        assert rows[0][key] == pytest.approx(rows[1][key], abs=1e-4)


def test_the_truth_is_perfect_and_still_valid_json(photos: dict[str, Tensor]) -> None:
    photo = {"even": photos["even"]}
    _, row = score_models(photo, {"truth": Truth(as_batch(photos["even"]))}, scale=4)
    assert row["psnr_y"] == row["psnr_rgb"] == math.inf
    assert row["ssim_y"] == pytest.approx(1)
    assert row["sharpness"] == row["checkerboard"] == 1

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    (read,) = json.loads(rows_to_json([row]), parse_constant=refuse)
    assert read["psnr_y"] is None
    assert read["sharpness"] == 1


def test_what_is_no_number_is_null() -> None:
    rows = [{"model": "a", "pictures": 2, "psnr_y": 30.5, "sharpness": math.nan}]
    assert json.loads(rows_to_json(rows)) == [{**rows[0], "sharpness": None}]


def test_a_picture_too_small_is_named(photos: dict[str, Tensor]) -> None:
    for side, sentence in [
        (3, "icon.png: hr is 0 x 0 px"),
        (16, "icon.png: SSIM looks through"),
    ]:
        icon = torch.zeros(3, side, side, dtype=torch.uint8)
        with pytest.raises(ValueError, match=sentence):
            score_models({**photos, "icon.png": icon}, {}, scale=4)


def test_the_table_names_its_protocol(photos: dict[str, Tensor]) -> None:
    rows = score_models(photos, {}, scale=4)
    table = format_rows(rows).splitlines()
    assert table[0] == (
        "x4, 2 pictures, Y: Y of BT.601 (16-235), border of 4 px left out, 8 bits"
    )
    assert table[1].split()[-3:] == ["sharpness", "checkerboard", "s"]
    assert table[2].split()[-2] == f"{rows[0]['checkerboard']:.3f}"
    assert table[2].split()[:3] == ["bicubic", f"{rows[0]['psnr_y']:.2f}", "dB"]
