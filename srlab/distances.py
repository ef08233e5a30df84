"""How different two pictures look to a network: distances that no slider moves."""

import hashlib
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from srlab.features import FeatureExtractor
from srlab.machine import place
from srlab.require import require_batch, require_same_shape
from srlab.sources import cache_folder

VGG_LAYERS = ("relu2_2", "relu3_3")

Backbone = Literal["alex", "vgg"]
BACKBONES: dict[Backbone, str] = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
}
"""torchmetrics' name of a network -> torchvision's file, named after its SHA-256."""


@torch.no_grad()
def vgg_distance(sr: Tensor, hr: Tensor) -> float:
    """How differently the VGG stand-in sees two pictures.

    ``mean over relu2_2 and relu3_3 of mean |sr_features - hr_features|``

    Whatever a training's loss weighs, this stays as it is. But a training
    whose loss looks through the same network makes it small by design, more
    so than any other measure.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1], at least 4 px on each side.

    Returns:
        0 for equal pictures; no upper limit.

    Raises:
        ValueError: if the shapes differ.

    Source: built by srlab; content loss of lesson 02 with weights that never
    move.
    """
    require_batch(sr, "sr")
    require_same_shape(sr, hr)
    extractor = _extractor(str(sr.device))
    seen, wanted = extractor(sr), extractor(hr)
    distances = [(seen[name] - wanted[name]).abs().mean() for name in VGG_LAYERS]
    return torch.stack(distances).mean().item()


@torch.no_grad()
def lpips_distance(sr: Tensor, hr: Tensor) -> float | None:
    """LPIPS of two pictures, where the weights that it needs are at hand.

    Nothing is downloaded. ``lpips_backbone`` says which network looks.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB; clamped to [0, 1]; 32 px or more.

    Returns:
        The mean over the batch, 0 for equal pictures; None without weights.

    Raises:
        ValueError: if the shapes differ.

    Source: built by srlab; Zhang et al. 2018, by torchmetrics.
    """
    require_batch(sr, "sr")
    require_same_shape(sr, hr)
    name = lpips_backbone()
    network = _lpips(name, str(sr.device)) if name else None
    if network is None:
        return None
    return network(sr.clamp(0, 1), hr.clamp(0, 1), normalize=True).mean().item()


def lpips_backbone() -> Backbone | None:
    """The network whose weights LPIPS finds here: ``"alex"``, ``"vgg"`` or None.

    Looked for where torch keeps its downloads and where srlab does. A file
    that is not the one that torchvision publishes counts as missing.

    Source: built by srlab.
    """
    return next((name for name in BACKBONES if _weights_file(name)), None)


def _weights_file(name: Backbone) -> Path | None:
    """The backbone's weights, if they are here and intact."""
    folders = Path(torch.hub.get_dir()) / "checkpoints", cache_folder() / "weights"
    files = [folder / BACKBONES[name] for folder in folders]
    return next((file for file in files if file.is_file() and _is_intact(file)), None)


def _is_intact(file: Path) -> bool:
    """Whether a file's SHA-256 begins as its name says."""
    status = file.stat()
    return _digest(file, status.st_size, status.st_mtime_ns).startswith(
        file.stem.split("-")[-1]
    )


@cache
def _digest(file: Path, _size: int, _changed: int) -> str:
    """SHA-256 of a file; read once as long as it does not change."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@cache
def _extractor(device: str) -> FeatureExtractor:
    return place(FeatureExtractor(VGG_LAYERS), device)


@cache
def _lpips(name: Backbone, device: str) -> nn.Module | None:
    """LPIPS with its backbone; None, with a warning, if it cannot be loaded."""
    file = _weights_file(name)
    try:
        return place(_load_lpips(name, file), device) if file else None
    except Exception as error:  # a lab goes on without it
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        warnings.warn(f"LPIPS is left out: {file} cannot be used ({why}).", stacklevel=3)
        return None


def _load_lpips(name: Backbone, file: Path) -> nn.Module:
    """torchmetrics' LPIPS with the backbone from the file, never from a download."""
    # Takes a second to import, so only those who need it wait.
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    with torch.random.fork_rng(devices=[]):  # the network is made with random weights first
        network = _NoTrainLpips(net=name, pnet_rand=True)
    network.net.load_state_dict(_by_slice(network.net, torch.load(file, weights_only=True)))
    return network


def _by_slice(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """torchvision's ``features.3.weight`` under LPIPS' ``slice2.3.weight``."""
    return {name: weights[f"features.{name.split('.', 1)[1]}"] for name in network.state_dict()}
