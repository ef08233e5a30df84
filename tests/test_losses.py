"""Losses by hand and against torch; what weighs nothing costs nothing; who pulls how hard."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.features import FeatureExtractor, count_hooks
from srlab.losses import (
    ExpandedLoss,
    SpectralLoss,
    WeightedLoss,
    balanced_weights,
    content_loss,
    gram_matrix,
    l1_loss,
    l2_loss,
    log_spectrum,
    make_ledger,
    mix_weights,
    pixel_loss,
    spectrum_loss,
    style_loss,
    tv_loss,
)

HR = torch.tensor([[[[0.0, 1.0], [0.5, 0.25]]]])
SR = torch.tensor([[[[0.5, 1.0], [0.0, 0.0]]]])


def test_by_hand() -> None:
    assert l1_loss(SR, HR).item() == pytest.approx((0.5 + 0 + 0.5 + 0.25) / 4)
    assert l2_loss(SR, HR).item() == pytest.approx((0.25 + 0 + 0.25 + 0.0625) / 4)


@pytest.mark.parametrize(("own", "torchs"), [(l1_loss, F.l1_loss), (l2_loss, F.mse_loss)])
def test_values_and_gradients_are_torchs(own: object, torchs: object) -> None:
    sr, hr = torch.rand(2, 3, 5, 4, requires_grad=True), torch.rand(2, 3, 5, 4)
    value, expected = own(sr, hr), torchs(sr, hr)
    torch.testing.assert_close(value, expected)
    (gradient,) = torch.autograd.grad(value, sr)
    (expected_gradient,) = torch.autograd.grad(expected, sr)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("loss", [l1_loss, l2_loss, pixel_loss()])
def test_shapes_must_agree(loss: object) -> None:
    with pytest.raises(ValueError, match=r"sr is \(1, 3, 4, 4\) and hr is \(1, 1, 4, 4\)"):
        loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))


def refuse(_sr: Tensor, _hr: Tensor) -> Tensor:
    raise RuntimeError("computed")


def test_weighted_sum_names_its_terms_and_keeps_its_own_weights() -> None:
    given = {"l1": 2.0, "l2": 3.0}
    loss = WeightedLoss({"l1": l1_loss, "l2": l2_loss}, given)
    terms = loss(SR, HR)
    assert terms["l1"].item() == pytest.approx(2 * 0.3125)
    assert terms["l2"].item() == pytest.approx(3 * 0.140625)
    loss.weights["l1"] = 5.0
    assert given == {"l1": 2.0, "l2": 3.0}


def test_weight_zero_is_not_computed() -> None:
    loss = WeightedLoss({"l1": l1_loss, "dear": refuse}, {"l1": 1.0})
    assert list(loss(SR, HR)) == ["l1"]
    loss.weights["dear"] = 0.1  # as a slider does
    with pytest.raises(RuntimeError, match="computed"):
        loss(SR, HR)


def test_pixel_loss_mixes() -> None:
    assert pixel_loss()(SR, HR) == {"l1": l1_loss(SR, HR)}
    assert pixel_loss(1.0)(SR, HR) == {"l2": 10 * l2_loss(SR, HR)}
    assert mix_weights(0.25) == {"l1": 0.75, "l2": 2.5}
    for mix in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=f"mix must be between 0 and 1, but got {mix}"):
            pixel_loss(mix)


# Gram, style, total variation, and the sum of all four ------------------------------


LAYERS = {"relu1_2": 1.0, "relu2_2": 0.5}


@pytest.fixture(scope="module")
def extractor():
    return FeatureExtractor(["relu1_2", "relu2_2", "relu3_3"])


@pytest.fixture
def loss(extractor):
    weights = {"pixel": 1.0, "content": 0.1, "style": 2.0, "tv": 0.01}
    return ExpandedLoss(extractor, weights, LAYERS)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(2, 3, 32, 32, generator=generator)
    sr = (hr + 0.1 * torch.randn(hr.shape, generator=generator)).clamp(0, 1)
    return sr.requires_grad_(), hr


def test_gram_by_hand():
    features = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]], [[3.0, 0.0], [1.0, 1.0]]]])
    wanted = torch.tensor([[[6.0, 4.0], [4.0, 11.0]]]) / 8  # F * h * w = 8
    torch.testing.assert_close(gram_matrix(features), wanted)


def test_gram_keeps_all_digits_under_autocast():
    features = torch.rand(1, 4, 9, 9)
    wanted = gram_matrix(features)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(gram_matrix(features), wanted)


def test_style_is_l1_of_grams_by_layer():
    seen, wanted = ({"a": torch.rand(1, 2, 3, 3), "b": torch.rand(1, 3, 2, 2)} for _ in "12")
    expected = sum(
        weight * (gram_matrix(seen[name]) - gram_matrix(wanted[name])).abs().mean()
        for name, weight in {"a": 2.0, "b": 0.5}.items()
    )
    torch.testing.assert_close(style_loss(seen, wanted, {"a": 2.0, "b": 0.5}), expected)


@pytest.mark.parametrize(
    ("picture", "wanted"),
    [
        (torch.full((1, 3, 5, 4), 0.7), 0.0),
        (torch.arange(4.0).expand(1, 3, 5, 4), 1.0),
        (torch.arange(20.0).view(1, 1, 4, 5) % 2, 2.0),  # 5 columns: a checkerboard
    ],
    ids=["flat", "ramp", "checkerboard"],
)
def test_tv_by_hand(picture, wanted):
    assert tv_loss(picture).item() == pytest.approx(wanted)


def test_the_sum_is_of_its_terms_and_names_them(loss, extractor, pair):
    sr, hr = pair
    seen, wanted = extractor(sr, LAYERS), extractor(hr, LAYERS)
    expected = {
        "pixel": 1.0 * l1_loss(sr, hr),
        "content": 0.1 * content_loss(seen, wanted, LAYERS),
        "style": 2.0 * style_loss(seen, wanted, LAYERS),
        "tv": 0.01 * tv_loss(sr),
    }
    terms = loss(sr, hr)
    assert terms.keys() == expected.keys()
    for name, term in expected.items():
        torch.testing.assert_close(terms[name], term)
    assert count_hooks(loss) == 0


@pytest.mark.parametrize("off", ["pixel", "content", "style", "tv"])
def test_a_term_of_weight_0_is_not_there(loss, pair, off):
    loss.weights[off] = 0.0
    assert loss(*pair).keys() == {"pixel", "content", "style", "tv"} - {off}


def test_without_content_and_style_the_extractor_rests(loss, pair):
    loss.weights.update(content=0.0, style=0.0)
    loss.extractor = None  # would fail if it were asked
    assert loss(*pair).keys() == {"pixel", "tv"}


def test_layers_deeper_than_the_last_with_a_weight_are_not_computed(loss, pair):
    used = []
    handles = [
        layer.register_forward_hook(lambda *_, n=n: used.append(n))
        for n, layer in enumerate(loss.extractor.vgg)
    ]
    loss(*pair)
    for handle in handles:
        handle.remove()
    assert max(used) == loss.extractor.places["relu2_2"] < loss.extractor.places["relu3_3"]


def test_no_layer_leaves_content_and_style_out(loss, pair):
    loss.layer_weights.update(dict.fromkeys(loss.layer_weights, 0.0))
    assert loss(*pair).keys() == {"pixel", "tv"}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda _: WeightedLoss({"l1": l1_loss}, {"gram": 1}), "no term gram; there are l1"),
        (lambda x: ExpandedLoss(x, {"gram": 1.0}, {}), "no term gram; there are pixel, con"),
        (lambda x: ExpandedLoss(x, {}, {"relu5_3": 1.0}), "no layer relu5_3; there are relu1"),
        (lambda x: SpectralLoss(x, {"spectrm": 1.0}, LAYERS), "There is no term spectrm"),
    ],
)
def test_unknown_names_are_refused(make, sentence, extractor):
    with pytest.raises(ValueError, match=sentence):
        make(extractor)


# The ledger -----------------------------------------------------------------------------


def test_shares_are_those_of_autograd_term_by_term(loss, pair):
    sr, hr = pair
    norms = {}
    for name in loss.weights:
        alone = ExpandedLoss(loss.extractor, {name: loss.weights[name]}, LAYERS)
        (gradient,) = torch.autograd.grad(alone(sr, hr)[name], sr)
        norms[name] = gradient.norm().item()
    ledger = make_ledger(loss, sr, hr)
    for name, entry in ledger.items():
        assert entry.share == pytest.approx(norms[name] / sum(norms.values()), rel=1e-4)
        assert entry.weighted == pytest.approx(loss(sr, hr)[name].item(), rel=1e-4)
    assert sum(entry.share for entry in ledger.values()) == pytest.approx(1)


def test_a_term_that_is_off_is_listed_without_a_share(loss, pair):
    loss.weights["style"] = 0.0
    entry = make_ledger(loss, *pair)["style"]
    assert entry.share == entry.weighted == 0
    assert entry.raw > 0
    assert entry.pull > 0


def test_the_ledger_leaves_no_gradient_and_works_under_no_grad(loss, pair):
    sr, hr = pair
    with torch.no_grad():
        make_ledger(loss, sr, hr)
    assert sr.grad is None


@pytest.mark.parametrize(
    "shares",
    [
        {"pixel": 50, "content": 40, "style": 5, "tv": 5},
        {"content": 0.5, "tv": 0.5},
        {"pixel": 1},
    ],
)
def test_balance_gives_the_shares_asked_for(loss, pair, shares):
    loss.weights.update(balanced_weights(make_ledger(loss, *pair), shares))
    found = {name: entry.share for name, entry in make_ledger(loss, *pair).items()}
    for name in loss.weights:
        wanted = shares.get(name, 0) / sum(shares.values())
        assert found.get(name, 0.0) == pytest.approx(wanted, abs=1e-4)


def test_balance_keeps_the_first_weight_or_gives_it_one(loss, pair):
    for weight, kept in ((2.0, 2.0), (0.0, 1.0)):
        loss.weights["style"] = weight
        balanced = balanced_weights(make_ledger(loss, *pair), {"style": 1, "pixel": 1})
        assert balanced["style"] == pytest.approx(kept)


@pytest.mark.parametrize(
    "shares",
    [{}, {"pixel": 0}, *({"tv": 2, "pixel": bad} for bad in (-1, math.nan, math.inf))],
    ids=str,
)
def test_impossible_shares_are_refused(loss, pair, shares):
    with pytest.raises(ValueError, match="Shares must be 0 or more"):
        balanced_weights(make_ledger(loss, *pair), shares)


def test_a_term_without_a_gradient_cannot_be_given_a_share(loss, pair):
    ledger, equal = make_ledger(loss, *pair), make_ledger(loss, pair[1], pair[1])
    with pytest.raises(ValueError, match="pixel has no gradient here"):
        balanced_weights(equal, {"pixel": 1, "tv": 1})
    ledger["tv"] = replace(ledger["tv"], pull=math.nan)
    with pytest.raises(ValueError, match="tv has no gradient here"):
        balanced_weights(ledger, {"pixel": 1, "tv": 1})
    assert balanced_weights(ledger, {"pixel": 1})["tv"] == 0, "left out, it does no harm"
    with pytest.raises(ValueError, match="no term lpips"):
        balanced_weights(ledger, {"lpips": 1})


# -- the spectrum ------------------------------------------------------------------


def wave(across: float, side: int = 96) -> torch.Tensor:
    """A gray wave from left to right; ``across`` in cycles per 32 px."""
    line = 0.5 + 0.2 * torch.cos(2 * math.pi * across / 32 * torch.arange(side))
    return line.expand(1, 3, side, side)


def test_energy_by_hand():
    """A wave of amplitude a has (a / 2 * sum of the window)^2 at its frequency."""
    energy = (0.2 * 219 / 255 / 2 * torch.hann_window(32, periodic=False).sum() ** 2) ** 2
    assert log_spectrum(wave(8))[0, 0, 8].item() == pytest.approx(energy.log().item(), abs=1e-3)


def test_half_the_contrast_is_a_quarter_of_the_energy():
    hr = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert spectrum_loss(hr / 2, hr).item() == pytest.approx(math.log(4), rel=0.01)
    assert spectrum_loss(hr, hr).item() == 0


def test_a_spectrum_does_not_care_where_detail_lies():
    tile = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    hr = tile.repeat(1, 1, 6, 6)
    moved = hr.roll((16, -32), (2, 3))
    assert spectrum_loss(moved, hr).item() == pytest.approx(0, abs=1e-5)
    shifted = wave(12).roll(1, 3)
    assert l1_loss(shifted, wave(12)) > 0.1 > spectrum_loss(shifted, wave(12))


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ([(1, 3, 32, 31)] * 2, "32 x 31 px, but a spectrum can be measured from 32"),
        ([(1, 3, 32, 32), (1, 3, 32, 64)], r"hr is \(1, 3, 32, 64\)"),
    ],
)
def test_spectra_of_what_cannot_be(shapes, sentence):
    with pytest.raises(ValueError, match=sentence):
        spectrum_loss(*(torch.rand(shape) for shape in shapes))


def test_spectrum_stands_beside_the_expanded_loss(extractor, loss, pair):
    weights = {**loss.weights, "spectrum": 0.25}
    terms = SpectralLoss(extractor, weights, LAYERS)(*pair)
    torch.testing.assert_close(terms.pop("spectrum"), 0.25 * spectrum_loss(*pair))
    torch.testing.assert_close(terms, loss(*pair))
    assert make_ledger(SpectralLoss(extractor, weights, LAYERS), *pair)["spectrum"].share > 0


def test_a_flat_picture_has_the_noise_of_one_gray_level() -> None:
    """In each frequency of a window of 32 px: (1/255)² times the sum of its squares."""
    hann = torch.hann_window(32, periodic=False)
    expected = math.log((1 / 255) ** 2 * float(hann.square().sum()) ** 2)
    found = log_spectrum(torch.full((1, 3, 32, 32), 0.5))
    torch.testing.assert_close(found, torch.full((1, 32, 17), expected))
