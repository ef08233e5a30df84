"""UNet: any size in, exactly scale times out, and every skip carries something."""

import pytest
import torch

from srlab.features import FeatureExtractor
from srlab.inference import enlarge_in_tiles
from srlab.models import enlarge
from srlab.unet import PlainEncoder, UNet, VggEncoder, pad_to_multiple
from tests.conftest import awake


@pytest.fixture
def unet() -> UNet:
    torch.manual_seed(1)
    return awake(UNet(4, num_features=8, depth=2))


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 1), (13, 2)])
def test_output_is_exactly_scale_times_the_input(scale, size):
    model = awake(UNet(scale, num_features=4, depth=2))
    assert model(torch.rand(2, 3, *size)).shape == (2, 3, scale * size[0], scale * size[1])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_depth_is_the_number_of_halvings(depth):
    model = UNet(2, num_features=4, depth=depth)
    sizes = [features.shape[-1] for features in model.encoder(torch.rand(1, 3, 16, 16))]
    assert sizes == [16 // 2**level for level in range(depth + 1)]
    assert model.encoder.widths == [4 * 2**level for level in range(depth + 1)]
    assert len(model.ups) == len(model.merges) == depth


def test_it_starts_as_bicubic():
    lr = torch.rand(1, 3, 9, 7)
    assert UNet(4, num_features=4)(lr).equal(enlarge(lr, 4))


def gains_of(level: int, gain: float) -> list[float]:
    """One skip of two at a gain, the other as trained."""
    return [gain if level == other else 1.0 for other in range(2)]


@pytest.mark.parametrize("level", [0, 1])
def test_every_skip_counts_and_can_be_muted(unet, level):
    lr = torch.rand(1, 3, 12, 12)
    whole, muted, half = (unet(lr, gains=gains_of(level, gain)) for gain in (1.0, 0.0, 0.5))
    assert unet(lr).equal(whole), "as trained, without gains"
    assert (whole - muted).abs().max() > 1e-5
    assert not half.equal(muted)
    assert not half.equal(whole)


@pytest.mark.parametrize("level", [0, 1])
def test_a_skip_joins_the_map_of_its_own_level(unet, level):
    """Muting it is the same as giving zeros for that one encoder map."""
    lr = torch.rand(1, 3, 12, 12)
    muted = unet(lr, gains=gains_of(level, 0.0))
    encode = unet.encoder.forward
    unet.encoder.forward = lambda x: [m * (n != level) for n, m in enumerate(encode(x))]
    torch.testing.assert_close(unet(lr), muted)


def test_all_parameters_learn(unet):
    unet(torch.rand(1, 3, 12, 12)).square().mean().backward()
    still = [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@pytest.mark.parametrize("encoder", [None, VggEncoder(2)], ids=["plain", "vgg"])
def test_tiles_give_what_the_whole_gives(encoder):
    model = awake(UNet(2, num_features=4, depth=2, encoder=encoder))
    lr = torch.rand(1, 3, 75, 43)
    whole = enlarge_in_tiles(model, lr, scale=2, tile=1000).int()
    tiled = enlarge_in_tiles(model, lr, scale=2, tile=16).int()
    assert (whole - tiled).abs().max() <= 1  # rounding


def test_reach_is_true_and_not_much_too_large(unet):
    """Each px costs time, since every tile is computed with that margin."""
    lr = torch.rand(1, 3, 160, 160, requires_grad=True)
    unet(lr)[0, :, 320:324, 320:324].sum().backward()
    rows = lr.grad[0].abs().sum(0).sum(1).nonzero().flatten()
    true = max(80 - rows.min(), rows.max() - 80)
    assert true <= unet.reach <= true + 4
    assert unet.reach % 4 == 0


def test_vgg_encoder_gives_the_maps_before_each_pooling():
    images = torch.rand(1, 3, 32, 32)
    maps = VggEncoder(2)(images)
    seen = FeatureExtractor(["relu1_2", "relu2_2", "relu3_3"])(images)
    for found, wanted in zip(maps, seen.values(), strict=True):
        torch.testing.assert_close(10 * found, wanted, rtol=1e-4, atol=1e-3)


def test_vgg_encoder_trains_along_and_can_be_frozen():
    model = awake(UNet(2, encoder=VggEncoder(1)))
    model(torch.rand(1, 3, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in model.encoder.parameters())
    frozen = VggEncoder(1).requires_grad_(False)
    awake(UNet(2, encoder=frozen))(torch.rand(1, 3, 8, 8)).sum().backward()
    assert all(p.grad is None for p in frozen.parameters())


def test_widths_of_vgg():
    assert VggEncoder(3).widths == [64, 128, 256, 512]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: VggEncoder(4), "depth must be 1 to 3 with these weights, but got 4"),
        (lambda: VggEncoder(0), "depth must be 1 or more, but got 0"),
        (lambda: PlainEncoder(8, 0), "depth must be 1 or more, but got 0"),
        (lambda: UNet(3), "scale must be 2, 4 or 8, but got 3"),
        (
            lambda: UNet(2, 2)(torch.rand(1, 3, 8, 8), gains=[0.0]),
            "gains must be 2, one for each skip, finest first, but got 1; leave them out",
        ),
        (lambda: UNet(2)(torch.rand(3, 8, 8)), "was expected; add the missing axis"),
    ],
)
def test_errors(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_padding_repeats_the_last_row_and_column():
    padded = pad_to_multiple(torch.arange(6.0).view(1, 1, 2, 3), 4)
    assert padded[0, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    assert pad_to_multiple(padded, 4).equal(padded)
