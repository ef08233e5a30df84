"""Looking inside a frozen network: hooks, and VGG's features of a picture."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, Self, cast, get_args

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from srlab.files import ASSETS, cache_folder
from srlab.require import require_batch, require_known, require_layers

VggWeights = Literal["embedded", "vgg16", "vgg16_bn"]
Weights = VggWeights | Literal["lite0"]

LITE0 = ASSETS / "efficientnet_lite0_block4.safetensors"
LITE0_LAYERS = ("stem", "block0", "block1", "block2", "block3", "block4")
EMBEDDED = ASSETS / "vgg16_hed_relu4_3.safetensors"
STATISTICS = {  # mean and standard deviation by channel, of RGB in [0, 1]
    "embedded": ((0.48235, 0.45882, 0.40784), (1 / 255, 1 / 255, 1 / 255)),
    "vgg16": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "vgg16_bn": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "lite0": ((127 / 255,) * 3, (128 / 255,) * 3),
}

FARTHEST = 8
"""How far ``ShiftedExtractor`` moves a picture at most, px: a pixel of relu4_3."""

ONE_AT_A_TIME = threading.Lock()
"""A hook cannot tell who asks; a lab may train while a cell looks."""


class Hook:
    """Keep what a layer gives, each time it is used.

    Args:
        layer: any module.

    Example:
        >>> layer = nn.ReLU()
        >>> hook = Hook(layer)
        >>> _ = layer(torch.tensor([-1.0, 2.0]))
        >>> hook.output
        tensor([0., 2.])
        >>> hook.remove()

    Source: lesson 02.
    """

    output: Tensor

    def __init__(self, layer: nn.Module):
        self.handle = layer.register_forward_hook(self.keep)

    def keep(self, _layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.output = output

    def remove(self) -> None:
        self.handle.remove()


class Hooks(dict[str, Hook]):
    """Hooks on several layers, there as long as the ``with`` block.

    They are removed however the block ends.

    Args:
        layers: name -> module.

    Example:
        >>> layers = nn.Sequential(nn.ReLU(), nn.Flatten())
        >>> with Hooks({"relu": layers[0]}) as hooks:
        ...     _ = layers(torch.tensor([[-1.0, 2.0]]))
        >>> hooks["relu"].output, count_hooks(layers)
        (tensor([[0., 2.]]), 0)

    Source: lesson 02.
    """

    def __init__(self, layers: Mapping[str, nn.Module]):
        super().__init__()
        self.layers = layers

    def __enter__(self) -> Self:
        for name, layer in self.layers.items():
            self[name] = Hook(layer)
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.values():
            hook.remove()


def count_hooks(model: nn.Module) -> int:
    """How many forward hooks hang on a model and its parts.

    Lesson 02 counts with it.
    """
    return sum(len(part._forward_hooks) for part in model.modules())


def layer_names(layers: Iterable[nn.Module]) -> list[str]:
    """The papers' names of VGG's layers: conv, relu and pool, by block.

    Args:
        layers: VGG's, in their order.

    Returns:
        A name for each: ``"conv1_1"``, ``"relu1_1"``, ``"conv1_2"``, ...,
        ``"pool1"``, ``"conv2_1"``, ...

    Example:
        >>> layer_names([nn.Conv2d(3, 64, 3), nn.ReLU(), nn.MaxPool2d(2)])
        ['conv1_1', 'relu1_1', 'pool1']

    Source: Simonyan & Zisserman 2015, names as in Johnson et al. 2016.
    """
    kinds = {nn.Conv2d: "conv", nn.BatchNorm2d: "norm", nn.ReLU: "relu"}
    names, block, conv = [], 1, 0
    for layer in layers:
        kind = kinds.get(type(layer))
        conv += kind == "conv"
        names.append(f"{kind}{block}_{conv}" if kind else f"pool{block}")
        if kind is None:  # a pooling ends the block
            block, conv = block + 1, 0
    return names


class Normalizing(nn.Module):
    """A network that gives pictures the mean and spread that its weights expect.

    They are buffers, so they move to a GPU with the rest.

    Args:
        weights: as for ``FeatureExtractor``.

    Source: lesson 02.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Weights):
        super().__init__()
        for name, values in zip(("mean", "std"), STATISTICS[weights], strict=True):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1))

    def normalize(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std  # (N, 3, h, w), around 0


class FeatureExtractor(Normalizing):
    """What a frozen VGG sees in a picture, by layer.

    Its weights never change, it never trains, and gradients pass through it
    to the picture. Pictures are normalized inside, as the weights expect.

    Args:
        layers: one or more, by the papers' names; the network ends after the
            deepest. Take relu or pool layers: the ReLU after a convolution
            writes into its output.
        weights: ``"embedded"``, a stand-in that is inside the package (VGG-16
            up to relu4_3, trained further to find edges), or ``"vgg16"`` or
            ``"vgg16_bn"``, torchvision's, which are downloaded once.
        pooling: ``"max"`` as VGG was trained, or ``"average"``.

    Raises:
        TypeError: if ``layers`` is one text.
        ValueError: for no layer, or an unknown layer, kind of weights or
            pooling.
        ConnectionError: if the weights cannot be downloaded.

    Example:
        >>> features = FeatureExtractor(["relu1_2", "relu2_2"])(torch.rand(1, 3, 32, 32))
        >>> {name: tuple(values.shape) for name, values in features.items()}
        {'relu1_2': (1, 64, 32, 32), 'relu2_2': (1, 128, 16, 16)}

    Source: Johnson et al. 2016. Lesson 02 builds a smaller one.
    """

    def __init__(
        self,
        layers: Collection[str] = ("relu2_2",),
        weights: Weights = "embedded",
        pooling: Literal["max", "average"] = "max",
    ):
        require_layers(layers)
        vgg = load_vgg(weights, pooling)
        super().__init__(weights)
        places = {name: index for index, name in enumerate(layer_names(vgg))}
        require_known(layers, places, "layer")
        self.places = {name: places[name] for name in layers}
        # Frozen are the weights alone: pictures still get their gradient
        self.vgg = vgg[: max(self.places.values()) + 1].requires_grad_(False)
        self.eval()

    def forward(self, images: Tensor, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """The features ``(N, F, h, w)`` of RGB pictures in [0, 1], by layer."""
        require_batch(images, "images")
        places = {name: self.places[name] for name in names or self.places}
        used = self.vgg[: max(places.values()) + 1]  # up to the deepest one asked for
        with ONE_AT_A_TIME, Hooks({n: used[place] for n, place in places.items()}) as hooks:
            used(self.normalize(images))  # the hooks keep what is wanted on the way
        return {name: hook.output.float() for name, hook in hooks.items()}  # each (N, F, h, w)

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002
        """Stay as it is, also when the module it belongs to goes to training."""
        return super().train(False)


class ShiftedExtractor(FeatureExtractor):
    """A feature extractor that lays its poolings elsewhere in each picture.

    VGG halves a picture on a grid, and an upsampler draws on one. In crops of
    one size both grids always lie in the same way on each other, and a loss
    can be made small by a pattern that only fits the one to the other. Here
    picture i of a batch is cut off i px further down and 3 i px further right
    (modulo 8), so each meets another phase. The i-th of sr and of hr are cut
    alike.

    Args:
        layers, weights, pooling: as for ``FeatureExtractor``.
    """

    def forward(self, images: Tensor, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """The features of RGB pictures in [0, 1], 8 px less on each side, by layer."""
        require_batch(images, "images")
        return super().forward(cut_at_phases(images), names)


class InvertedBottleneck(nn.Module):
    """Widen, look at each channel apart, narrow again.

    Args:
        inside, outside: channels that come in and go out.
        kernel: side of what is looked at, px.
        stride: 2 halves the picture.
        widening: how many times as many channels there are in between.

    Source: Sandler et al. 2018.
    """

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, widening: int):
        super().__init__()
        wide = inside * widening
        self.widen = nn.Conv2d(inside, wide, 1) if widening > 1 else None
        self.look = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide)
        self.narrow = nn.Conv2d(wide, outside, 1)
        self.goes_around = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        wide = F.relu6(self.widen(x)) if self.widen is not None else x
        y: Tensor = self.narrow(F.relu6(self.look(wide)))  # (N, outside, h', w')
        return x + y if self.goes_around else y


def load_lite0() -> nn.Sequential:
    """The stem and the first five blocks of EfficientNet-Lite0, pretrained.

    Its batch normalizations are part of the convolutions before them, and it
    halves a picture three times by convolutions: it has no pooling.

    Source: Tan & Le 2019; the Lite networks are Google's.
    """
    plan = [(32, 16, 3, 1, 1), (16, 24, 3, 2, 6), (24, 24, 3, 1, 6), (24, 40, 5, 2, 6)]
    plan += [(40, 40, 5, 1, 6)]
    with torch.device("meta"):  # no random numbers are spent on weights to be replaced
        stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU6())
        blocks = [InvertedBottleneck(*sizes) for sizes in plan]
        network = nn.Sequential(OrderedDict(zip(LITE0_LAYERS, [stem, *blocks], strict=True)))
    weights = {name: values.float() for name, values in load_file(LITE0).items()}
    network.load_state_dict(weights, assign=True)
    return network


class Lite0Extractor(FeatureExtractor):
    """What a frozen EfficientNet-Lite0 sees in a picture, by layer.

    A second opinion beside the stand-in, which was trained further to find
    edges: this one learned to classify pictures, and no more. It is small, and
    many times as fast.

    Args:
        layers: ``stem`` (1/2 of the picture's size), ``block0`` (1/2),
            ``block1`` and ``block2`` (1/4), ``block3`` and ``block4`` (1/8).

    Raises:
        TypeError: if ``layers`` is one text.
        ValueError: for no layer, or an unknown one.

    Example:
        >>> features = Lite0Extractor(["stem", "block4"])(torch.rand(1, 3, 32, 32))
        >>> {name: tuple(values.shape) for name, values in features.items()}
        {'stem': (1, 32, 16, 16), 'block4': (1, 40, 4, 4)}
    """

    def __init__(self, layers: Collection[str] = LITE0_LAYERS):
        require_layers(layers)
        require_known(layers, LITE0_LAYERS, "layer")
        Normalizing.__init__(self, "lite0")
        self.places = {name: LITE0_LAYERS.index(name) for name in layers}
        self.vgg = load_lite0()[: max(self.places.values()) + 1].requires_grad_(False)
        self.eval()

    def forward(self, images: Tensor, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """The features ``(N, F, h, w)`` of RGB pictures in [0, 1], by layer."""
        # So narrow a network is no faster in bfloat16, and loses digits
        with torch.autocast(images.device.type, enabled=False):
            return super().forward(images, names)


class ShiftedLite0Extractor(ShiftedExtractor, Lite0Extractor):
    """``Lite0Extractor``, whose halvings lie elsewhere in each picture of a batch."""


def cut_at_phases(images: Tensor) -> Tensor:
    """Cut 8 px off both sides, and a different part of them in each picture.

    Args:
        images: ``(N, C, h, w)``.

    Returns:
        ``(N, C, h - 8, w - 8)``. Eight pictures in a row meet all eight rows
        of a pooling by 8, and all columns.

    Example:
        >>> cut_at_phases(torch.arange(12.0).expand(3, 1, 12, 12))[:, 0, 0, 0]
        tensor([0., 3., 6.])
    """
    height, width = (side - FARTHEST for side in images.shape[-2:])
    corners = [(i % FARTHEST, 3 * i % FARTHEST) for i in range(len(images))]
    cut = [
        image[:, y : y + height, x : x + width]
        for image, (y, x) in zip(images, corners, strict=True)
    ]
    return torch.stack(cut)  # (N, C, h - 8, w - 8)


def load_vgg(
    weights: Weights = "embedded", pooling: Literal["max", "average"] = "max"
) -> nn.Sequential:
    """VGG-16's convolutions, as torchvision builds them.

    Args:
        weights, pooling: as for ``FeatureExtractor``.

    Returns:
        23 layers up to relu4_3 for ``"embedded"``, else 31, in the order of
        ``layer_names``. The batch normalizations of ``"vgg16_bn"`` are part
        of the convolutions before them.

    Raises:
        ValueError: for an unknown kind of weights or pooling.
        ConnectionError: if the weights cannot be downloaded.

    Source: Simonyan & Zisserman 2015.
    """
    require_known([weights], get_args(VggWeights), "kind of weights")
    require_known([pooling], ["max", "average"], "pooling")
    # Takes seconds to import, so only those who need it wait.
    from torchvision.models.vgg import cfgs, make_layers

    plan = cfgs["D"][:13] if weights == "embedded" else cfgs["D"]
    with torch.device("meta"):  # no random numbers are spent on weights to be replaced
        layers = make_layers(plan, batch_norm=weights.endswith("_bn"))
    layers.load_state_dict(_vgg_weights(weights), assign=True)
    layers = _fold_norms(layers)
    if pooling == "average":
        averages = [nn.AvgPool2d(2) if isinstance(p, nn.MaxPool2d) else p for p in layers]
        layers = nn.Sequential(*averages)
    return layers


def _fold_norms(layers: Iterable[nn.Module]) -> nn.Sequential:
    """The same without batch normalizations: the convolution before each does its work."""
    folded: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            conv = cast(nn.Conv2d, folded.pop()).eval()
            folded.append(fuse_conv_bn_eval(conv, layer.eval()))
        else:
            folded.append(layer)
    return nn.Sequential(*folded)


def _vgg_weights(weights: Weights) -> dict[str, Tensor]:
    """The convolutions' weights, in float32."""
    if weights == "embedded":
        return {name: values.float() for name, values in load_file(EMBEDDED).items()}
    whole = _downloaded(weights)
    prefix = "features."
    return {n.removeprefix(prefix): v for n, v in whole.items() if n.startswith(prefix)}


def _downloaded(weights: Weights) -> Mapping[str, Tensor]:
    """torchvision's weights, checked by their hash when they come, then kept."""
    from torchvision.models import get_model_weights

    try:
        return get_model_weights(weights).DEFAULT.get_state_dict(
            model_dir=str(cache_folder() / "weights"), check_hash=True, weights_only=True
        )
    except Exception as error:  # no network, another file than meant, a spoiled one
        raise ConnectionError(
            f"The weights of {weights} could not be downloaded "
            f"({type(error).__name__}: {error}); "
            f'without a network use weights="embedded".'
        ) from None
