"""Distances by networks: against the library itself, and without weights never a crash."""

import hashlib
import socket
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from srlab import metrics
from srlab.features import FeatureExtractor
from srlab.metrics import BACKBONES, lpips_backbone, lpips_distance
from srlab.models import enlarge
from srlab.widgets.loss_lab.reading import vgg_distance
from tests.watching import no_random_numbers


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty places for downloads, and no way to download."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("SRLAB_CACHE", str(tmp_path / "cache"))

    def no_network(*_: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    metrics._lpips.cache_clear()
    (tmp_path / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def pair(photo: Tensor) -> tuple[Tensor, Tensor]:
    blurred = enlarge(photo[..., ::4, ::4], 4)
    return blurred.clamp(0, 1), photo


# -- VGG ---------------------------------------------------------------------------


def test_vgg_distance_by_hand(pair: tuple[Tensor, Tensor]) -> None:
    sr, hr = pair
    extractor = FeatureExtractor(["relu2_2", "relu3_3"])
    seen, wanted = extractor(sr), extractor(hr)
    by_layer = [(seen[n] - wanted[n]).abs().mean().item() for n in ("relu2_2", "relu3_3")]
    assert vgg_distance(sr, hr) == pytest.approx(sum(by_layer) / 2, rel=1e-5)
    assert vgg_distance(hr, hr) == 0.0


# -- LPIPS -------------------------------------------------------------------------


def test_two_shapes_are_refused(photo: Tensor) -> None:
    with pytest.raises(ValueError, match="they must have one shape"):
        lpips_distance(photo[..., :-8], photo)
    with pytest.raises(TypeError, match="sr must be a tensor"):
        lpips_distance(None, photo)


@pytest.fixture
def random_weights(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, dict[str, Tensor]]:
    """A whole AlexNet with random weights, in a file that is named after its hash."""
    from torchvision.models import alexnet

    torch.manual_seed(0)
    weights = alexnet(weights=None).state_dict()
    features = {n: w for n, w in weights.items() if n.startswith("features")}
    return published(features, folders, monkeypatch), weights


def published(weights: object, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of AlexNet's weights, whose name and hash are right."""
    part = folder / "part.pth"
    torch.save(weights, part)
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    file = part.rename(folder / f"alexnet-{digest[:8]}.pth")
    monkeypatch.setitem(metrics.BACKBONES, "alex", file.name)
    return file


def test_lpips_is_that_of_torchmetrics(
    random_weights: tuple[Path, dict[str, Tensor]],
    pair: tuple[Tensor, Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The library's own way to load, with the same weights under its feet."""
    _, weights = random_weights
    import torchvision
    from torchmetrics.functional.image import lpips

    def pretrained(weights: object) -> torch.nn.Module:  # noqa: ARG001
        model = original(weights=None)
        model.load_state_dict(whole)
        return model

    original, whole = torchvision.models.alexnet, weights
    monkeypatch.setattr(torchvision.models, "alexnet", pretrained)
    sr, hr = pair
    wanted = lpips.learned_perceptual_image_patch_similarity(
        sr, hr, net_type="alex", normalize=True
    )
    monkeypatch.setattr(torchvision.models, "alexnet", original)
    found = lpips_distance(sr, hr)
    assert found == pytest.approx(wanted.item(), rel=1e-5)
    assert found > 0
    assert lpips_distance(hr, hr) == 0.0
    assert lpips_backbone() == "alex"


@pytest.mark.usefixtures("random_weights")
def test_it_spends_no_random_numbers(pair: tuple[Tensor, Tensor]) -> None:
    with no_random_numbers():
        assert lpips_distance(*pair) is not None


@pytest.mark.usefixtures("random_weights")
def test_pictures_that_overshoot_are_clamped(photo: Tensor) -> None:
    loud = photo * 1.5 - 0.2
    assert lpips_distance(loud, photo) == lpips_distance(loud.clamp(0, 1), photo)


def test_a_damaged_file_counts_as_missing(
    random_weights: tuple[Path, dict[str, Tensor]], pair: tuple[Tensor, Tensor]
) -> None:
    file, _ = random_weights
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert lpips_distance(*pair) is None
    file.write_bytes(whole)
    assert lpips_distance(*pair) is not None


@pytest.mark.parametrize("names", [[], BACKBONES.values()])
def test_without_weights_or_with_others_of_their_name(
    names: Iterable[str], folders: Path, pair: tuple[Tensor, Tensor]
) -> None:
    for name in names:
        (folders / name).write_bytes(b"something else")
    assert lpips_backbone() is None
    assert lpips_distance(*pair) is None


def test_the_files_are_those_that_torchvision_names() -> None:
    from torchvision.models import AlexNet_Weights, VGG16_Weights

    urls = {"alex": AlexNet_Weights.IMAGENET1K_V1.url, "vgg": VGG16_Weights.IMAGENET1K_V1.url}
    assert {name: url.split("/")[-1] for name, url in urls.items()} == BACKBONES


def test_no_code_in_a_weights_file_runs(
    folders: Path, pair: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Even where the name and the hash are right."""

    class Bad:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (tmp_path / "ran",)

    published({"features.0.weight": Bad()}, folders, monkeypatch)
    with pytest.warns(UserWarning, match=r"LPIPS is left out: .* cannot be used \(Unpickling"):
        assert lpips_distance(*pair) is None
    assert lpips_distance(*pair) is None, "and it warns once"
    assert not (tmp_path / "ran").exists()
