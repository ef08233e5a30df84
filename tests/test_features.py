"""Hooks, and the features of a frozen VGG: checked against torchvision itself."""

# ruff: noqa: E501 -- a sentence under test stays on one line

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import skimage.data
import torch
import torchvision.models
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models.vgg import VGG16_BN_Weights, VGG16_Weights

from srlab.features import (
    EMBEDDED,
    LITE0,
    STATISTICS,
    FeatureExtractor,
    Hook,
    Hooks,
    InvertedBottleneck,
    Lite0Extractor,
    ShiftedExtractor,
    ShiftedLite0Extractor,
    count_hooks,
    cut_at_phases,
    layer_names,
    load_vgg,
)
from srlab.images import read_image
from srlab.losses import ContentLoss, WeightedLoss, content_loss
from srlab.training import training_step
from tests.watching import no_random_numbers, unchanged

CROSS_CHECK = {"relu1_2": 13.404, "relu2_2": 2.728, "relu3_3": 1.963, "relu4_3": 0.857}
DEFAULTS = {"vgg16": VGG16_Weights.DEFAULT, "vgg16_bn": VGG16_BN_Weights.DEFAULT}


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return FeatureExtractor(CROSS_CHECK)


def torchvisions(name: str) -> nn.Sequential:
    """The convolutions of torchvision's own network, without weights."""
    with torch.device("meta"):  # the classifier behind them would take seconds and memory
        return getattr(torchvision.models, name)(weights=None).features


# Hooks ---------------------------------------------------------------------------------


def small_network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.ReLU())


def test_a_hook_keeps_what_a_layer_gave_last() -> None:
    network = small_network()
    hook = Hook(network[1])
    for _ in range(2):
        images = torch.rand(1, 3, 8, 7)
        network(images)
        torch.testing.assert_close(hook.output, network[:2](images), rtol=0, atol=0)


def test_hooks_leave_the_result_alone() -> None:
    network, images = small_network(), torch.rand(2, 3, 8, 8)
    alone = network(images)
    with Hooks({"first": network[1], "last": network[3]}) as hooks:
        watched = network(images)
    assert watched.equal(alone)
    assert hooks["last"].output.equal(alone)
    assert list(hooks) == ["first", "last"]


def test_hooks_are_gone_also_after_an_error() -> None:
    network = small_network()
    hooks = Hooks({"first": network[1]})
    with pytest.raises(RuntimeError, match="channels"), hooks:
        network(torch.rand(1, 5, 8, 8))
    assert count_hooks(network) == 0


def test_a_block_may_be_entered_again_and_leaves_other_hooks() -> None:
    network = small_network()
    Hook(network[0])
    hooks = Hooks({"first": network[0]})
    for _ in range(3):
        with hooks:
            network(torch.rand(1, 3, 8, 8))
            assert count_hooks(network) == 2
    assert count_hooks(network) == 1


def test_a_hook_on_a_convolution_sees_what_the_relu_made_of_it(photo: Tensor) -> None:
    vgg = load_vgg()
    names = layer_names(vgg)
    places = {name: names.index(name) for name in ("conv1_2", "relu1_2")}
    assert vgg[places["relu1_2"]].inplace
    with torch.no_grad(), Hooks({n: vgg[i] for n, i in places.items()}) as hooks:
        vgg(photo * 255 - 128)
    assert hooks["conv1_2"].output.min() == 0
    assert hooks["conv1_2"].output.equal(hooks["relu1_2"].output)
    with torch.no_grad():
        truly = vgg[: places["conv1_2"] + 1](photo * 255 - 128)
    assert truly.min() < -1


# Names ---------------------------------------------------------------------------------


def named_layers(network: nn.Sequential) -> dict[str, nn.Module]:
    return dict(zip(layer_names(network), network, strict=True))


def test_names_of_vgg16() -> None:
    names = layer_names(torchvisions("vgg16"))
    assert " ".join(names) == (
        "conv1_1 relu1_1 conv1_2 relu1_2 pool1 "
        "conv2_1 relu2_1 conv2_2 relu2_2 pool2 "
        "conv3_1 relu3_1 conv3_2 relu3_2 conv3_3 relu3_3 pool3 "
        "conv4_1 relu4_1 conv4_2 relu4_2 conv4_3 relu4_3 pool4 "
        "conv5_1 relu5_1 conv5_2 relu5_2 conv5_3 relu5_3 pool5"
    )
    # Johnson's code and piq's tables have these places.
    places = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22, "relu5_3": 29}
    assert {name: names.index(name) for name in places} == places


def test_names_of_vgg16_bn() -> None:
    features = torchvisions("vgg16_bn")
    names = layer_names(features)
    assert names[:8] == [
        "conv1_1", "norm1_1", "relu1_1", "conv1_2", "norm1_2", "relu1_2", "pool1", "conv2_1",
    ]  # fmt: skip
    assert len(names) == len(set(names)) == 44
    layers = named_layers(features)
    assert layers["relu4_3"] is features[32]
    assert isinstance(layers["norm5_3"], nn.BatchNorm2d)


# The embedded weights ------------------------------------------------------------------


@pytest.fixture(scope="module")
def chelsea() -> Tensor:
    return read_image(Image.fromarray(skimage.data.chelsea()))


@pytest.fixture(scope="module")
def oracle() -> nn.Sequential:
    """torchvision's own network, with the embedded weights."""
    features = torchvisions("vgg16")[:23]
    state = {n: v.float() for n, v in load_file(EMBEDDED).items()}
    features.load_state_dict(state, assign=True)
    return features.eval().requires_grad_(False)


def test_features_are_those_of_torchvisions_network(
    extractor: FeatureExtractor, oracle: nn.Sequential, photo: Tensor
) -> None:
    x = (photo - torch.tensor([0.48235, 0.45882, 0.40784]).view(3, 1, 1)) * 255
    expected = {}
    for name, layer in zip(layer_names(oracle), oracle, strict=True):
        x = layer(x)
        expected[name] = x.clone()
    features = extractor(photo)
    assert list(features) == list(CROSS_CHECK)
    for name, values in features.items():
        torch.testing.assert_close(values, expected[name], rtol=1e-5, atol=1e-3)


def test_cross_check_of_the_assets_page(extractor: FeatureExtractor, chelsea: Tensor) -> None:
    """The means that srlab/assets/README.md states for scikit-image's cat."""
    means = {name: values.mean().item() for name, values in extractor(chelsea).items()}
    assert means == pytest.approx(CROSS_CHECK, abs=6e-4)
    page = (EMBEDDED.parent / "README.md").read_text(encoding="utf-8")
    assert f"| {' | '.join(map(str, CROSS_CHECK.values()))} |" in page


# Normalization -------------------------------------------------------------------------


def test_statistics_move_with_the_module() -> None:
    moved = FeatureExtractor(["relu1_1"]).double()
    assert moved.mean.dtype == moved.std.dtype == torch.float64


def test_torchvisions_own_normalization_is_meant() -> None:
    for name, choice in DEFAULTS.items():
        preset = choice.transforms()
        assert STATISTICS[name] == (tuple(preset.mean), tuple(preset.std))


@pytest.mark.parametrize(
    ("network", "black", "white"),
    [
        (FeatureExtractor, (-123.0, -117.0, -104.0), (132.0, 138.0, 151.0)),
        (Lite0Extractor, (-127 / 128,) * 3, (1.0,) * 3),
    ],
)
def test_what_the_first_layer_is_given_is_normalized(
    network: type[FeatureExtractor], black: tuple[float, ...], white: tuple[float, ...]
) -> None:
    given: list[Tensor] = []
    extractor = network()
    extractor.vgg[0].register_forward_pre_hook(lambda _, x: given.append(x[0].clone()))
    extractor(torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)]))
    wanted = torch.tensor([black, white])
    torch.testing.assert_close(given[0][:, :, 0, 0], wanted, atol=5e-3, rtol=0)


# Frozen --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A download folder with a file for each of torchvision's two networks.

    The weights are random, under the names that the downloads would have.
    """
    folder = tmp_path_factory.mktemp("cache")
    (folder / "weights").mkdir()
    for name, choice in DEFAULTS.items():
        features = torchvisions(name).to_empty(device="cpu")
        for layer in features:
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
            if isinstance(layer, nn.BatchNorm2d):  # as if it had learned something
                for values in (layer.weight.data, layer.bias.data, *layer.buffers()):
                    if values.is_floating_point():
                        values.uniform_(0.5, 1.5)
        state = {f"features.{n}": v for n, v in features.state_dict().items()}
        state["classifier.6.bias"] = torch.zeros(1000)
        torch.save(state, folder / "weights" / choice.url.rpartition("/")[2])
    return folder


@pytest.fixture
def downloaded(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRLAB_CACHE", str(cache))
    return cache


def test_a_training_does_not_wake_it(photo: Tensor) -> None:
    """Through the very step that trainings take."""
    extractor = FeatureExtractor(["relu1_2"])
    model = nn.Conv2d(3, 3, 1)
    loss = WeightedLoss({"content": ContentLoss(extractor, {"relu1_2": 1.0})}, {"content": 1})
    nn.ModuleList([loss, extractor]).train()
    assert not any(part.training for part in extractor.modules())
    optimizer = torch.optim.SGD([*model.parameters(), *loss.parameters()], lr=1e-3)
    was = model.weight.detach().clone()
    with unchanged(extractor):
        training_step(model, (photo, photo), loss, optimizer)
    assert not model.weight.equal(was)


@pytest.mark.parametrize(
    ("network", "layer"), [(FeatureExtractor, "relu3_3"), (Lite0Extractor, "block4")]
)
def test_the_gradient_reaches_the_picture_and_no_weight(
    network: type[FeatureExtractor], layer: str, photo: Tensor
) -> None:
    extractor, images = network([layer]).train(), photo.clone().requires_grad_()
    with unchanged(extractor):
        extractor(images)[layer].sum().backward()
    assert images.grad is not None
    assert (images.grad != 0).float().mean() > 0.9
    assert not any(part.training for part in extractor.modules())
    assert not any(p.requires_grad for p in extractor.parameters())


# Only what is needed -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "length", "deepest"),
    [
        (["relu1_2"], 4, "relu1_2"),
        (["relu2_2", "relu1_2"], 9, "relu2_2"),
        (["pool3"], 17, "pool3"),
        (["relu4_3"], 23, "relu4_3"),
    ],
)
def test_the_network_ends_after_the_deepest_layer(
    layers: list[str], length: int, deepest: str
) -> None:
    extractor = FeatureExtractor(layers)
    assert len(extractor.vgg) == length
    assert layer_names(extractor.vgg)[-1] == deepest


@contextmanager
def layers_used(extractor: FeatureExtractor) -> Iterator[list[str]]:
    """The names of the layers that compute something in the block."""
    used: list[str] = []
    handles = [
        layer.register_forward_hook(lambda *_, name=name: used.append(name))
        for name, layer in named_layers(extractor.vgg).items()
    ]
    yield used
    for handle in handles:
        handle.remove()


def test_asked_for_less_it_computes_less(extractor: FeatureExtractor) -> None:
    with layers_used(extractor) as used:
        features = extractor(torch.rand(1, 3, 16, 16), ["relu1_2"])
    assert list(features) == ["relu1_2"]
    assert used == ["conv1_1", "relu1_1", "conv1_2", "relu1_2"]


def test_no_hook_is_left_behind(extractor: FeatureExtractor, photo: Tensor) -> None:
    with unchanged(extractor), pytest.raises(RuntimeError, match="size of tensor"):
        extractor(torch.rand(1, 5, 8, 8))
    with unchanged(extractor), pytest.raises(RuntimeError, match="Output size is too small"):
        extractor(torch.rand(1, 3, 3, 3))  # some layers were done already
    with unchanged(extractor):
        extractor(photo)  # and it still works


def test_two_threads_do_not_see_each_others_pictures(extractor: FeatureExtractor) -> None:
    images = {side: torch.rand(1, 3, side, side) for side in (24, 40)}
    expected = {side: extractor(x)["relu2_2"] for side, x in images.items()}
    wrong: list[int] = []

    def look(side: int) -> None:
        for _ in range(20):
            got = extractor(images[side])["relu2_2"]
            if got.shape != expected[side].shape or not got.equal(expected[side]):
                wrong.append(side)

    threads = [threading.Thread(target=look, args=(side,)) for side in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# Where weights come from ---------------------------------------------------------------


@pytest.mark.parametrize("weights", ["embedded", "vgg16", "vgg16_bn", "lite0"])
@pytest.mark.usefixtures("downloaded")
def test_random_numbers_are_not_spent(weights: str) -> None:
    with no_random_numbers():
        Lite0Extractor() if weights == "lite0" else FeatureExtractor(["relu1_1"], weights)


@pytest.mark.parametrize("weights", ["vgg16", "vgg16_bn"])
def test_torchvisions_networks(weights: str, downloaded: Path, photo: Tensor) -> None:
    assert layer_names(load_vgg(weights)) == layer_names(torchvisions("vgg16"))
    file = downloaded / "weights" / DEFAULTS[weights].url.rpartition("/")[2]
    features = torchvisions(weights)
    stored = torch.load(file, weights_only=True)
    state = {n.removeprefix("features."): v for n, v in stored.items() if "features" in n}
    features.load_state_dict(state, assign=True)
    x = DEFAULTS[weights].transforms()  # their normalization, without their resizing
    given = (photo - torch.tensor(x.mean).view(3, 1, 1)) / torch.tensor(x.std).view(3, 1, 1)
    layers = named_layers(features.eval())
    with torch.no_grad(), Hooks({"relu3_3": layers["relu3_3"]}) as hooks:
        features(given)
    got = FeatureExtractor(["relu3_3"], weights)(photo)
    torch.testing.assert_close(got["relu3_3"], hooks["relu3_3"].output)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def publish(monkeypatch: pytest.MonkeyPatch, file: Path, content: bytes) -> None:
    """Let torchvision's vgg16 come from a file of this machine."""
    file.write_bytes(content)
    monkeypatch.setattr(DEFAULTS["vgg16"].value, "url", file.as_uri())


def test_a_download_is_checked_kept_and_not_repeated(
    cache: Path, empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (cache / "weights" / "vgg16-397923af.pth").read_bytes()
    published = tmp_path / f"vgg16-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    publish(monkeypatch, published, content)
    first = load_vgg("vgg16")
    assert (empty_cache / published.name).read_bytes() == content
    published.unlink()
    assert load_vgg("vgg16")[0].weight.equal(first[0].weight)


def test_wrong_bytes_are_refused(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, tmp_path / "vgg16-397923af.pth", b"These are no weights.")
    with pytest.raises(ConnectionError) as refusal:
        load_vgg("vgg16")
    text = str(refusal.value)
    expected = "The weights of vgg16 could not be downloaded (RuntimeError: invalid hash"
    assert text.startswith(expected)
    assert text.endswith('; without a network use weights="embedded".')
    assert list(empty_cache.iterdir()) == []


def test_without_a_network_the_offline_choice_is_named(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://127.0.0.1:9/vgg16-397923af.pth"  # nobody listens there
    monkeypatch.setattr(DEFAULTS["vgg16"].value, "url", url)
    with pytest.raises(ConnectionError, match=r'refused.*use weights="embedded"\.$'):
        load_vgg("vgg16")
    assert list(empty_cache.iterdir()) == []
    (empty_cache / "vgg16-397923af.pth").write_bytes(b"half a download")
    with pytest.raises(ConnectionError, match='use weights="embedded"'):
        load_vgg("vgg16")


# Pooling -------------------------------------------------------------------------------


def test_average_pooling() -> None:
    most, average = load_vgg(), load_vgg(pooling="average")
    assert [type(layer) for layer in average if not isinstance(layer, nn.AvgPool2d)] == [
        type(layer) for layer in most if not isinstance(layer, nn.MaxPool2d)
    ]
    images = torch.rand(1, 3, 16, 16)
    extractor = FeatureExtractor(["relu1_2", "pool1", "relu2_1"], pooling="average")
    features = extractor(images)
    by_hand = features["relu1_2"].unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    torch.testing.assert_close(features["pool1"], by_hand)
    assert not features["relu2_1"].equal(FeatureExtractor(["relu2_1"])(images)["relu2_1"])


# Errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "settings", "error", "sentence"),
    [
        (FeatureExtractor, {"layers": ["relu1_2", "relu5_1"]}, ValueError, "There is no layer relu5_1; there are conv1_1, relu1_1"),
        (FeatureExtractor, {"layers": []}, ValueError, r'layers is empty; name at least one .*"relu2_2"'),
        (FeatureExtractor, {"layers": "relu2_2"}, TypeError, r"got the text 'relu2_2'; .*: \['relu2_2'\]"),
        (FeatureExtractor, {"weights": "vgg19"}, ValueError, r"There is no kind of weights vgg19; there are embedded, vgg16, vgg16_bn\."),
        (FeatureExtractor, {"pooling": "min"}, ValueError, r"There is no pooling min; there are max, average\."),
        (Lite0Extractor, {"layers": ["relu2_2"]}, ValueError, "There is no layer relu2_2; there are stem, block0, "),
        (Lite0Extractor, {"layers": []}, ValueError, "layers is empty"),
        (Lite0Extractor, {"layers": "stem"}, TypeError, "got the text 'stem'"),
        (partial(ContentLoss, FeatureExtractor()), {"layer_weights": {"relu9_9": 1.0}}, ValueError, "There is no layer relu9_9; there are relu2_2"),
    ],
)  # fmt: skip
def test_what_is_refused(
    network: Any, settings: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        network(**settings)


@pytest.mark.usefixtures("downloaded")
def test_the_deeper_layers_are_in_torchvisions_weights() -> None:
    assert list(FeatureExtractor(["relu5_1"], "vgg16").places) == ["relu5_1"]


def test_what_is_no_batch(extractor: FeatureExtractor) -> None:
    with pytest.raises(ValueError, match=r"images has shape \(3, 8, 8\), but \(N, C, h, w\)"):
        extractor(torch.rand(3, 8, 8))
    with pytest.raises(TypeError, match=r"images is torch.uint8.*images.float\(\) / 255"):
        extractor(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))


# Content loss --------------------------------------------------------------------------


def test_content_loss_by_hand() -> None:
    seen = {"a": torch.tensor([[[[0.0, 1.0]], [[2.0, 3.0]]]]), "b": torch.zeros(1, 1, 1, 1)}
    wanted = {
        "a": torch.tensor([[[[1.0, 1.0]], [[0.0, 3.5]]]]),
        "b": torch.full((1, 1, 1, 1), 4.0),
    }
    # a: (1 + 0 + 2 + 0.5) / 4 = 0.875; b: 4
    assert content_loss(seen, wanted, {"a": 1.0}).item() == pytest.approx(0.875)
    both = content_loss(seen, wanted, {"a": 2.0, "b": 0.5})
    assert both.item() == pytest.approx(2 * 0.875 + 0.5 * 4)
    assert content_loss(wanted, seen, {"a": 2.0, "b": 0.5}).equal(both)


def test_content_loss_of_two_pictures(extractor: FeatureExtractor, photo: Tensor) -> None:
    sr, hr = photo, photo.flip(3)
    weights = {"relu1_2": 0.1, "relu3_3": 2.0}
    seen, wanted = extractor(sr), extractor(hr)
    expected = sum(w * (seen[n] - wanted[n]).abs().mean() for n, w in weights.items())
    torch.testing.assert_close(ContentLoss(extractor, weights)(sr, hr), expected)
    assert ContentLoss(extractor, weights)(sr, sr) == 0


def test_content_loss_does_not_compute_layers_of_weight_0(extractor: FeatureExtractor) -> None:
    loss = ContentLoss(extractor, {"relu1_2": 1.0, "relu2_2": 0.0})
    assert loss.layer_weights == dict.fromkeys(CROSS_CHECK, 0.0) | {"relu1_2": 1.0}
    one, other = torch.rand(2, 1, 3, 16, 16)
    with layers_used(extractor) as used:
        loss(one, other)
        assert used == 2 * ["conv1_1", "relu1_1", "conv1_2", "relu1_2"]
        used.clear()
        loss.layer_weights["relu1_2"] = 0.0
        assert loss(one, other) == 0
        assert used == []
        loss.layer_weights["relu2_2"] = 1.0  # as a slider does while a training runs
        loss(one, other)
        assert used[-1] == "relu2_2"


def test_content_loss_slopes_to_sr_alone(extractor: FeatureExtractor, photo: Tensor) -> None:
    sr = (photo * 0.9).requires_grad_()
    hr = photo.clone().requires_grad_()
    ContentLoss(extractor, {"relu2_2": 1.0})(sr, hr).backward()
    assert sr.grad is not None
    assert (sr.grad != 0).float().mean() > 0.9
    assert hr.grad is None


# -- a grid for each picture of a batch ----------------------------------------------


def test_eight_pictures_meet_every_row_and_column_of_the_grid() -> None:
    places = torch.arange(12.0)
    rows = cut_at_phases(places.view(12, 1).expand(8, 1, 12, 12))[:, 0, 0, 0]
    columns = cut_at_phases(places.expand(8, 1, 12, 12))[:, 0, 0, 0]
    assert rows.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert columns.tolist() == [0, 3, 6, 1, 4, 7, 2, 5]


@pytest.mark.parametrize(
    ("plain", "shifted", "layer", "size"),  # of what is seen, about
    [
        (FeatureExtractor, ShiftedExtractor, "pool1", 100.0),
        (Lite0Extractor, ShiftedLite0Extractor, "block2", 5.0),
    ],
)
def test_the_same_picture_is_seen_at_other_places(
    plain: type[FeatureExtractor], shifted: type[FeatureExtractor], layer: str, size: float
) -> None:
    picture, look = torch.rand(1, 3, 24, 24).expand(2, 3, 24, 24), plain([layer])
    first, second = shifted([layer])(picture)[layer]
    alike = {"rtol": 1e-3, "atol": 5e-4 * size}  # another batch adds in another order
    torch.testing.assert_close(first, look(picture[:1, :, :16, :16])[layer][0], **alike)
    torch.testing.assert_close(second, look(picture[1:, :, 1:17, 3:19])[layer][0], **alike)
    assert (first - second).abs().mean() > 0.01 * size


# -- a second network ------------------------------------------------------------------

LITE0_CHECK = {"stem": 1.859, "block0": 3.817, "block2": 6.404, "block4": 5.45}
"""From the weights that the package was made of, with batch norms, through other code."""


@pytest.fixture(scope="module")
def lite0() -> Lite0Extractor:
    return Lite0Extractor()


def test_lite0_sees_what_its_unfolded_weights_see(
    lite0: Lite0Extractor, chelsea: Tensor
) -> None:
    seen = lite0(chelsea, LITE0_CHECK)
    means = {name: values.abs().mean().item() for name, values in seen.items()}
    assert means == pytest.approx(LITE0_CHECK, rel=1e-3)
    page = (LITE0.parent / "README.md").read_text(encoding="utf-8")
    assert f"| {' | '.join(f'{value:.3f}' for value in LITE0_CHECK.values())} |" in page


def test_a_bottleneck_by_hand() -> None:
    """One pixel: 2 -> widened to 4, and -3 -> -9, which ReLU6 makes 0; then 1/2 of both."""
    block = InvertedBottleneck(2, 2, 3, 1, 2)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    block.widen.weight.data[:2, :, 0, 0] = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    block.look.weight.data[:, 0, 1, 1] = 1.0  # the middle alone
    block.narrow.weight.data[:, :2, 0, 0] = 0.5
    x = torch.tensor([2.0, -3.0]).view(1, 2, 1, 1)
    assert block(x).flatten().tolist() == [2 + 2.0, -3 + 2.0]  # and the way around
    block.goes_around = False
    assert block(x).flatten().tolist() == [2.0, 2.0]
    assert block(10 * x).flatten().tolist() == [3.0, 3.0]  # 40 is cut at 6


def test_lite0_halves_three_times_and_is_deep_as_asked() -> None:
    seen = Lite0Extractor()(torch.rand(2, 3, 48, 40))
    assert {name: tuple(values.shape) for name, values in seen.items()} == {
        "stem": (2, 32, 24, 20), "block0": (2, 16, 24, 20), "block1": (2, 24, 12, 10),
        "block2": (2, 24, 12, 10), "block3": (2, 40, 6, 5), "block4": (2, 40, 6, 5),
    }  # fmt: skip
    assert len(Lite0Extractor(["block1", "stem"]).vgg) == 3


def test_lite0_computes_in_float32_also_within_autocast(
    lite0: Lite0Extractor, photo: Tensor
) -> None:
    expected = lite0(photo)["block4"]
    with torch.autocast("cpu", torch.bfloat16):
        assert lite0(photo)["block4"].equal(expected)
