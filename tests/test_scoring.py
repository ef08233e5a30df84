"""Scores: the published protocol, bicubic first, every figure a mean over pictures."""

import csv
import io
import json
import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from srlab.data import crop_to_multiple, degrade
from srlab.images import to_bytes
from srlab.metrics import score_pair
from srlab.models import Bicubic, SrResNet, Upsampler, count_parameters, enlarge
from srlab.residuals import ChannelGates, WeightedResidualBlock
from srlab.scoring import (
    MEASURES,
    WORK_SIZE,
    Scene,
    as_batch,
    count_multiply_adds,
    directions,
    format_family,
    format_rows,
    heading_of,
    line_of,
    rows_to_csv,
    rows_to_json,
    score_family,
    score_models,
    short,
)
from srlab.unet import UNet, VggEncoder
from srlab.upsamplers import TransposedStage
from tests.watching import unchanged


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
    for key in MEASURES:
        assert row[key] == pytest.approx((by_hand[0][key] + by_hand[1][key]) / 2, rel=1e-5)
    assert (row["model"], row["scale"], row["pictures"]) == ("bicubic", 4, 2)
    assert row["protocol"] == "Y of BT.601 (16-235), border of 4 px left out, 8 bits"


def test_the_truth_is_perfect_and_still_valid_json(photos: dict[str, Tensor]) -> None:
    photo = {"even": photos["even"]}
    _, row = score_models(photo, {"truth": Truth(as_batch(photos["even"]))}, scale=4)
    assert row["psnr_y"] == row["psnr_rgb"] == math.inf
    assert row["ssim_y"] == pytest.approx(1)
    assert row["sharpness"] == row["checkerboard"] == row["ridge"] == 1
    assert (row["haarpsi"], row["mdsi"]) == (pytest.approx(1, abs=1e-5), 0)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    (read,) = json.loads(rows_to_json([row]), parse_constant=refuse)
    assert read["psnr_y"] is None
    assert read["sharpness"] == 1


@pytest.mark.parametrize("side", [3, 8, 16])
def test_a_picture_too_small_is_left_out_for_all_models(
    photos: dict[str, Tensor], side: int
) -> None:
    icon = torch.zeros(3, side, side, dtype=torch.uint8)
    models = {"net": Bicubic(4)}
    alone = score_models(photos, models, scale=4)
    with pytest.warns(UserWarning, match=r"^left out, too small .* at x4: icon\.png\.$"):
        rows = score_models({"icon.png": icon, **photos}, models, scale=4)
    for row, other in zip(rows, alone, strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
        assert row["pictures"] == 2


def test_nothing_but_icons_is_an_error() -> None:
    for side, sentence in [
        (3, "icon.png: hr is 0 x 0 px"),
        (16, "icon.png: SSIM looks through"),
    ]:
        icon = torch.zeros(3, side, side, dtype=torch.uint8)
        with pytest.raises(ValueError, match=sentence):
            score_models({"icon.png": icon}, {}, scale=4)
    with pytest.raises(ValueError, match="no pictures to score"):
        score_models({}, {}, scale=4)


class Fussy(Bicubic):
    """A model that takes no picture below 20 px."""

    def forward(self, lr: Tensor) -> Tensor:
        if min(lr.shape[-2:]) < 20:
            raise ValueError("I like large pictures.")
        return super().forward(lr)


def test_a_model_that_fails_on_one_picture_is_not_the_pictures_fault(
    photo: Tensor,
) -> None:
    photos = {"large": to_bytes(photo[0]), "small": to_bytes(photo[0, :, :64, :64])}
    with pytest.raises(ValueError, match="small: I like large pictures"):
        score_models(photos, {"fussy": Fussy(4)}, scale=4)


def test_a_row_for_each_picture_and_model(photos: dict[str, Tensor]) -> None:
    rows = score_models(photos, {"net": Bicubic(4)}, scale=4, per_picture=True)
    means, singles = rows[:2], rows[2:]
    assert [row["picture"] for row in means] == [None, None]
    assert [(row["picture"], row["model"]) for row in singles] == [
        ("odd", "bicubic"), ("odd", "net"), ("even", "bicubic"), ("even", "net"),
    ]  # fmt: skip
    for key in MEASURES:
        own = [row[key] for row in singles if row["model"] == "net"]
        assert means[1][key] == pytest.approx(sum(own) / 2)
    (alone,) = score_models({"odd": photos["odd"]}, {}, scale=4)
    assert singles[0]["psnr_y"] == alone["psnr_y"]
    table = format_rows(rows).splitlines()
    assert table[3] == f"{table[2].replace('bicubic', 'net    ')[:67]}{table[3][67:]}"
    assert table[5].startswith("model, picture")
    assert [line[:24].strip() for line in table[6:]] == [
        "bicubic, odd", "net, odd", "bicubic, even", "net, even",
    ]  # fmt: skip


def test_csv_has_what_json_has(photos: dict[str, Tensor]) -> None:
    truth = {"truth": Truth(as_batch(photos["even"]))}
    rows = score_models({"a, b.png": photos["even"]}, truth, scale=4, per_picture=True)
    read = list(csv.DictReader(io.StringIO(rows_to_csv(rows))))
    assert [row["picture"] for row in read] == ["", "", "a, b.png", "a, b.png"]
    assert float(read[0]["psnr_y"]) == rows[0]["psnr_y"]
    assert read[1]["psnr_y"] == ""  # infinite
    assert read[0].keys() == json.loads(rows_to_json(rows))[0].keys()


def test_every_enlarged_picture_is_given_away(photos: dict[str, Tensor]) -> None:
    kept = {}
    score_models(
        photos, {"net": Bicubic(4)}, scale=4,
        keep=lambda model, picture, sr: kept.update({(model, picture): sr}),
    )  # fmt: skip
    assert list(kept) == [(m, p) for m in ("bicubic", "net") for p in ("odd", "even")]
    lr = degrade(crop_to_multiple(as_batch(photos["odd"]), 4), 4)
    assert torch.equal(kept["bicubic", "odd"], to_bytes(enlarge(lr, 4))[0])


def test_the_table_names_its_protocol(photos: dict[str, Tensor]) -> None:
    rows = score_models(photos, {}, scale=4)
    table = format_rows(rows).splitlines()
    assert table[0] == (
        "x4, 2 pictures, Y: Y of BT.601 (16-235), border of 4 px left out, 8 bits"
    )
    assert table[1].split()[-6:] == [
        "sharpness", "checkerboard", "ridge", "HaarPSI", "MDSI", "s",
    ]  # fmt: skip
    digits = {"checkerboard": 3, "ridge": 2, "haarpsi": 4, "mdsi": 4}
    figures = [f"{rows[0][name]:.{n}f}" for name, n in digits.items()]
    assert table[2].split()[-5:-1] == figures
    assert {len(line) for line in table[1:]} == {len(table[1])}, (
        "columns stand under each other"
    )
    assert table[2].split()[:3] == ["bicubic", f"{rows[0]['psnr_y']:.2f}", "dB"]


def test_a_scene_measures_only_what_it_is_asked_for() -> None:
    scene = Scene(torch.rand(1, 3, 65, 64, generator=torch.Generator().manual_seed(0)), 4)
    assert scene.hr.shape[-2:] == (64, 64)
    assert list(scene.judge(scene.bicubic)) == ["psnr_y", "sharpness"]
    assert list(scene.judge(scene.bicubic, ["ssim_y"])) == ["ssim_y"]


# -- with what it costs ---------------------------------------------------------------

PHOTOS = {
    name: (torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(i)) * 255).byte()
    for i, name in enumerate(("a", "b"))
}


def test_rows_hold_scores_and_costs() -> None:
    small, large = SrResNet(4, 8, 1), SrResNet(4, 16, 2)
    rows = score_family(PHOTOS, {"small": small, "large": large}, scale=4)
    assert [row["model"] for row in rows] == ["bicubic", "small", "large"]
    scores = score_models(PHOTOS, {"small": small, "large": large}, scale=4)
    for row, score in zip(rows, scores, strict=True):
        assert row | {"seconds": 0} == row | score | {"seconds": 0}
    assert [row["parameters"] for row in rows] == [0, *map(count_parameters, (small, large))]
    work = [count_multiply_adds(model, WORK_SIZE, WORK_SIZE) for model in (small, large)]
    assert [row["multiply_adds"] for row in rows] == [0, *work]


def test_the_table_says_its_protocol() -> None:
    text = format_family(score_family(PHOTOS, {"mine": SrResNet(4, 8, 1)}, scale=4))
    assert "x4, means over 2 pictures" in text
    assert "border of 4 px left out" in text
    assert "128 x 128 px" in text
    assert f"{count_parameters(SrResNet(4, 8, 1)):,}" in text
    assert [line.split()[0] for line in text.splitlines()[-2:]] == ["bicubic", "mine"]


# -- multiply-adds, against what torch counts ------------------------------------------


def test_a_convolution_by_hand():
    assert count_multiply_adds(nn.Conv2d(3, 8, 5, padding=2), 10, 20) == 25 * 3 * 8 * 200
    assert count_multiply_adds(nn.Conv2d(3, 8, 3, 2, 1), 10, 20) == 9 * 3 * 8 * 50


@pytest.mark.parametrize(
    "model",
    [
        SrResNet(4, 8, 2),
        SrResNet(2, 4, 1, upsampler=partial(Upsampler, stage=TransposedStage)),
        SrResNet(2, 4, 1, block=lambda n: WeightedResidualBlock(n, ChannelGates(n))),
        UNet(4, 4, 2),
        UNet(2, encoder=VggEncoder(1)),
        nn.Conv2d(3, 6, 3, stride=2, groups=3),
        nn.Sequential(conv := nn.Conv2d(3, 3, 3), conv),
    ],
    ids=["srresnet", "transposed", "gates", "unet", "vgg", "groups", "used twice"],
)
def test_half_of_the_flops_that_torch_counts(model):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.rand(1, 3, 9, 14))
    assert count_multiply_adds(model, 9, 14) == counter.get_total_flops() // 2 > 0


@pytest.mark.parametrize(
    "model",
    [SrResNet(4, 8, 1), UNet(4, 4, 1), UNet(4, encoder=VggEncoder(1)), ChannelGates(3)],
    ids=["srresnet", "unet", "vgg", "gates"],
)
def test_the_model_stays_as_it_was(model):
    with unchanged(model.train()):
        count_multiply_adds(model, 8, 8)
    assert model(torch.rand(1, 3, 8, 8)).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_precision_does_not_matter(dtype):
    plain = count_multiply_adds(UNet(2, 4, 1), 8, 8)
    assert count_multiply_adds(UNet(2, 4, 1).to(dtype), 8, 8) == plain


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ((0, 8), "height must be 1 or more, but got 0"),
        ((8, -1), "width must be 1 or more, but got -1"),
    ],
)
def test_a_picture_without_pixels_is_refused(size, sentence):
    with pytest.raises(ValueError, match=sentence):
        count_multiply_adds(Bicubic(4), *size)


# -- the one list of measures ---------------------------------------------------------


def test_the_list_is_what_is_measured(photo: Tensor) -> None:
    assert list(score_pair(photo, photo, scale=4)) == list(MEASURES)


def test_the_truth_is_best_by_every_measure(photo: Tensor) -> None:
    """Directions, held against what noise does to a picture."""
    torch.manual_seed(0)
    noisy = (photo + 0.1 * torch.randn_like(photo)).clamp(0, 1)
    truth, worse = (score_pair(sr, photo, scale=4) for sr in (photo, noisy))
    for name, measure in MEASURES.items():
        assert measure.order(truth[name]) < measure.order(worse[name]), name


@pytest.mark.parametrize(
    ("name", "in_order"),
    [("psnr_y", [30.0, 29.0]), ("mdsi", [0.2, 0.3]), ("ridge", [1.0, 1.5]),
     ("sharpness", [0.9, 1.2, 0.1])],
)  # fmt: skip
def test_the_better_comes_first(name: str, in_order: list[float]) -> None:
    order = MEASURES[name].order
    assert sorted(sorted(in_order), key=order) == in_order
    assert sorted(sorted(in_order, reverse=True), key=order) == in_order


def test_directions_are_one_sentence() -> None:
    assert directions() == (
        "PSNR Y, SSIM Y, PSNR RGB and HaarPSI highest; sharpness, checkerboard and ridge "
        "nearest to the truth's 1; MDSI lowest"
    )


def test_columns_stand_under_their_titles() -> None:
    figures = dict.fromkeys(MEASURES, 1.25) | {"psnr_y": math.inf}
    head, line = heading_of(MEASURES), line_of(MEASURES, figures)
    assert line.split()[:5] == ["inf", "dB", "1.2500", "1.25", "dB"]
    assert len(head) == len(line)
    assert head.index("MDSI") + 4 == len(line)
    at = head.index("checkerboard") + len("checkerboard")
    assert line[:at].endswith("1.250"), "aligned at the right"
    assert line[at] == " "


def test_what_is_no_number_is_a_dash() -> None:
    texts = [short(v) for v in (None, math.nan, math.inf, 2.0, 1e30)]
    assert texts == ["–", "–", "–", "2.00", "1.0e+30"]
    assert MEASURES["psnr_y"].text(28.664) == "28.66 dB"
