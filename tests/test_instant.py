"""The instant network: exact at pixel alone, smooth elsewhere, and honest about its reach."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.func import functional_call

from srlab.data import embedded_photo
from srlab.instant import FILE, LARGEST, InstantNetwork, nearness, place_of
from srlab.losses import EXPANDED_TERMS
from srlab.presets import PRESETS
from srlab.scoring import Scene
from srlab.zoo import load_model
from tests.instant import (
    JUDGES,
    KNOWN,
    PAGE,
    REACH,
    regression,
    setting,
    with_table,
)
from tests.watching import unchanged


@pytest.fixture(scope="module")
def instant() -> InstantNetwork:
    return InstantNetwork()


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(embedded_photo("astronaut-eileen-collins")[..., 60:188, 150:278], 4)


def moved(network: InstantNetwork, **weights: float) -> Tensor:
    """All parameters in a row, as steps from the parent."""
    there = network.weights_for(setting(**weights))
    return torch.cat([(there[n] - start).flatten() for n, start in network.start.items()])


@pytest.mark.parametrize("pixel", [1.0, 0.3, 7.0])
def test_pixel_alone_is_the_small_network_bit_by_bit(
    instant: InstantNetwork, pixel: float
) -> None:
    instant.set(setting(0.02, 0.5, 0.1))
    instant.set({"pixel": pixel})
    expected = load_model("small-x4", 4).cpu().state_dict()
    for name, value in instant.network.state_dict().items():
        assert torch.equal(value, expected[name]), name
    lr = torch.rand(1, 3, 9, 7)
    assert torch.equal(instant.enlarge(lr), load_model("small-x4", 4).cpu()(lr))


def test_other_weights_are_another_network(instant: InstantNetwork) -> None:
    for weights in KNOWN[1:]:
        assert moved(instant, **{k: v for k, v in weights.items() if k != "pixel"}).norm() > 0.5


def test_only_ratios_count(instant: InstantNetwork) -> None:
    once = instant.weights_for({"pixel": 1, "content": 0.02, "tv": 0.1})
    twice = instant.weights_for({"pixel": 2, "content": 0.04, "tv": 0.2})
    for name, value in once.items():
        torch.testing.assert_close(value, twice[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("term", LARGEST)
def test_a_moved_weight_moves_the_network_without_jumps(
    instant: InstantNetwork, term: str
) -> None:
    """From off to the largest in 400 steps of the term's place, each a small one."""
    places = torch.linspace(0, 1, 401).square()
    path = [moved(instant, **{term: LARGEST[term] * place.item()}) for place in places]
    steps = torch.stack([(b - a).norm() for a, b in pairwise(path)])
    assert path[0].norm() == 0
    assert steps.max() < 0.1 * path[-1].norm()


def test_the_mix_tends_to_the_parent_with_the_weight(instant: InstantNetwork) -> None:
    sizes = [moved(instant, style=10.0**-n).norm().item() for n in range(2, 9)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.02 * moved(instant, style=1.0).norm()


def test_what_is_set_is_what_enlarges(instant: InstantNetwork) -> None:
    weights, lr = setting(style=0.7), torch.rand(2, 3, 8, 6)
    instant.set(weights)
    expected = functional_call(
        load_model("small-x4", 4).cpu(), instant.weights_for(weights), lr
    )
    sr = instant.enlarge(lr)
    assert sr.shape == (2, 3, 32, 24)
    torch.testing.assert_close(sr, expected, rtol=0, atol=1e-5)


def test_style_sharpens_and_tv_smooths(instant: InstantNetwork, scene: Scene) -> None:
    def sharpness(**weights: float) -> float:
        instant.set(setting(**weights))
        return scene.judge(instant.enlarge(scene.lr))["sharpness"]

    plain = sharpness()
    assert sharpness(style=1.0) > plain + 0.1
    assert sharpness(tv=0.4) < plain - 0.03
    assert sharpness(style=0.1) < sharpness(style=0.4) < sharpness(style=1.5)


def test_the_preset_of_this_course_is_within_reach(instant: InstantNetwork) -> None:
    instant.set(PRESETS["this course"].weights)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"pixel": 1.0, "hue": 1.0}, r"There is no term hue; there are pixel, content"),
        ({"pixel": 1.0, "tv": -0.1}, r"A weight is a number of at least 0, but got -0.1"),
        ({"pixel": 1.0, "tv": float("nan")}, "A weight is a number of at least 0, but got"),
        ({"pixel": float("inf")}, r"A weight is a number of at least 0, but got inf"),
        ({"style": 1.0}, r"pixel weighs 0, but all trainings here had it; set it to 1\."),
        ({}, r"pixel weighs 0"),
        ({"pixel": 0.5, "style": 1.5}, r"style weighs 1\.5 with pixel at 0\.5, but at most 1"),
    ],
)
def test_what_it_refuses_leaves_it_as_it_was(
    instant: InstantNetwork, weights: dict[str, float], message: str
) -> None:
    instant.set(setting(style=0.5))
    with unchanged(instant.network), pytest.raises(ValueError, match=f"^{message}"):
        instant.set(weights)


def test_enlarge_wants_a_batch(instant: InstantNetwork) -> None:
    with pytest.raises(ValueError, match=r"lr has shape \(3, 8, 8\)"):
        instant.enlarge(torch.rand(3, 8, 8))


def test_the_largest_weights_can_be_set(instant: InstantNetwork) -> None:
    instant.set({"pixel": 1.0, **LARGEST})
    assert instant.enlarge(torch.rand(1, 3, 8, 8)).isfinite().all()


def test_a_file_of_another_parent_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    for about in ({"parent_sha256": "0" * 64}, {}):
        save_file({"reach": torch.ones(4)}, path, {"instant": json.dumps(about)})
        with pytest.raises(ValueError, match=r"does not belong to this small-x4; make"):
            InstantNetwork(path)


def test_the_file_is_small_and_says_what_was_trained(instant: InstantNetwork) -> None:
    assert FILE.stat().st_size <= 1.2e6
    with safe_open(FILE, framework="pt") as file:
        assert file.get_tensor("directions").dtype == torch.int8
    assert instant.about["known"] == KNOWN
    for place, weights in zip(instant.known, KNOWN, strict=True):
        torch.testing.assert_close(place, place_of(weights))


def test_nothing_was_fitted_to_its_judges() -> None:
    assert not [weights for weights in JUDGES if weights in KNOWN]
    text = PAGE.read_text(encoding="utf-8")
    assert all(word in text for word in ("style 1.2, tv 0.1", "must not be used for"))


def test_places_are_of_length_1() -> None:
    for weights in KNOWN:
        place = place_of(weights)
        assert place.shape == (len(EXPANDED_TERMS),)
        assert place.norm().item() == pytest.approx(1)


def test_a_regression_meets_what_it_knows_and_is_smooth_between() -> None:
    """A sine, of which it knows seven points."""
    angle = torch.linspace(0, 1.5, 7)
    known = torch.stack([angle.cos(), angle.sin(), 0 * angle, 0 * angle], 1)
    mean, mixing = regression(known, (3 * angle).sin()[:, None])
    between = (angle[1:] + angle[:-1]) / 2
    places = torch.stack([between.cos(), between.sin(), 0 * between, 0 * between], 1)
    for at, expected, most in ((known, angle, 0.05), (places, between, 0.1)):
        found = mean + nearness(at[:, None], known, REACH) @ mixing
        assert (found[:, 0] - (3 * expected).sin()).abs().max() < most


def test_a_table_takes_the_place_of_another() -> None:
    page = "# A\n\n| pixel 1 and | a |\n| old | 1 |\n\nb\n"
    assert with_table(page, "| pixel 1 and | b |\n") == "# A\n\n| pixel 1 and | b |\n\nb\n"
