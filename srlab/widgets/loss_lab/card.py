"""Run cards for the Loss Lab: a fresh one, and what of another one it can steer."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from srlab.features import FeatureExtractor
from srlab.losses import EXPANDED_TERMS, ExpandedLoss
from srlab.presets import LAYERS, PRESETS, Preset
from srlab.require import require_known
from srlab.runcard import AnySpec, FeatureSpec, ModelSpec, RunCard, Stage
from srlab.runs.stages import make_loss


def lab_card(
    preset: str | Preset = "this course",
    *,
    name: str = "loss-lab",
    model: AnySpec = ModelSpec(),  # noqa: B008 -- it is never changed
    data: str = "embedded",
    start: str = "small-x4",
    scale: int = 4,
    hr_size: int = 48,
    batch_size: int = 4,
    learning_rate: float = 5e-4,
    pool: int = 64,
    seed: int = 0,
) -> RunCard:
    """The card of a training that nobody has steered yet.

    Args:
        preset: with whose weights it begins; a name of ``PRESETS``, or one.
        name, model, data, start, seed: as in ``RunCard``.
        scale, hr_size, batch_size, learning_rate, pool: as in ``Stage``. The
            truth's features are kept for a pool, which makes a step shorter.

    Raises:
        ValueError: if there is no such preset.
    """
    if isinstance(preset, str):
        require_known([preset], PRESETS, "preset")
        preset = PRESETS[preset]
    layers = {layer: preset.layers.get(layer, 0.0) for layer in LAYERS}
    stage = {
        "scale": scale,
        "hr_size": hr_size,
        "batch_size": batch_size,
        "steps": 1,
        "learning_rate": learning_rate,
        "schedule": "constant",
        "pool": pool,
        "weights": preset.weights,
        "features": FeatureSpec(layers=layers),
    }
    stages = [Stage.model_validate(stage)]
    return RunCard(name=name, model=model, data=data, start=start, seed=seed, stages=stages)


def steerable(card: RunCard) -> RunCard:
    """The card with a weight for every layer, if a lab can steer it at all.

    Raises:
        ValueError: if it has several stages, a learning rate that a schedule
            sets, averaged weights, or another loss than the expanded one.
    """
    if len(card.stages) > 1:
        raise ValueError(
            f"{card.name} has {len(card.stages)} stages, but the Loss Lab steers one; "
            f"train it with srlab train."
        )
    stage = card.stages[0]
    if stage.schedule != "constant":
        raise ValueError(
            f"{card.name} leaves its learning rate to a {stage.schedule} schedule, but in the "
            f'Loss Lab one sets it by hand; take schedule "constant".'
        )
    if card.ema:
        raise ValueError(
            f"{card.name} averages its weights (ema {card.ema:g}), but the Loss Lab shows them "
            f"as they are; set ema to 0, or train it with srlab train."
        )
    if card.share < 1:
        raise ValueError(
            f"{card.name} keeps {card.share:g} of what it learns, but the Loss Lab keeps all; "
            f"set share to 1, or train it with srlab train."
        )
    if not stage.is_expanded:
        raise ValueError(
            f"{card.name} trains with {' and '.join(stage.weights)}, but the Loss Lab steers "
            f"pixel, content, style and tv; take pixel for l1."
        )
    if "spectrum" in stage.weights:
        raise ValueError(
            f"{card.name} weighs spectrum, for which the Loss Lab has no slider; "
            f"train it with srlab train."
        )
    if stage.features and stage.features.weights == "lite0":
        raise ValueError(
            f"{card.name} looks through lite0, for whose layers the Loss Lab has no sliders; "
            f"train it with srlab train."
        )
    features = _with_all_layers(stage.features)
    stages = [stage.model_copy(update={"features": features})]
    return card.model_copy(update={"stages": stages})


def _with_all_layers(features: FeatureSpec | None) -> FeatureSpec:
    """The layers of a card and the lab's other ones, which weigh 0 at first."""
    features = features or FeatureSpec(layers={"relu2_2": 1.0})
    layers = {**features.layers, **{n: 0.0 for n in LAYERS if n not in features.layers}}
    return features.model_copy(update={"layers": layers})


def expanded_loss(stage: Stage, device: str) -> ExpandedLoss:
    """The loss of a stage that ``steerable`` has let pass."""
    loss = make_loss(stage, device)
    if not isinstance(loss, ExpandedLoss):
        raise TypeError(f"An ExpandedLoss was expected, but got a {type(loss).__name__}.")
    loss.extractor = cast(FeatureExtractor, KeptFeatures(loss.extractor))
    return loss


class KeptFeatures(nn.Module):
    """A feature extractor that looks at each truth once, as long as it is the same tensor.

    A truth is what it is asked for without gradient. What it gives is the
    same to the bit.

    Args:
        extractor: that is asked.
    """

    def __init__(self, extractor: FeatureExtractor):
        super().__init__()
        self.extractor, self.places = extractor, extractor.places
        self.kept = WeakTensorKeyDictionary()  # goes when the tensor does

    def forward(self, images: Tensor, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """The features of RGB pictures in [0, 1], by layer."""
        asked = list(names or self.places)
        if torch.is_grad_enabled():
            return self.extractor(images, asked)
        # In bfloat16 they are computed so, and lose nothing if kept so.
        narrow = torch.is_autocast_enabled(images.device.type)
        kept = self.kept.setdefault(images, {})
        missing = [name for name in asked if (name, narrow) not in kept]
        for name, values in (self.extractor(images, missing) if missing else {}).items():
            kept[name, narrow] = values.bfloat16() if narrow else values
        return {name: kept[name, narrow].float() for name in asked}


def start_weights(stage: Stage) -> dict[str, float]:
    """Every term's weight at the start of the stage."""
    weights = {str(name): weight for name, weight in stage.weights.items()}
    return {name: weights.get(name, 0.0) for name in EXPANDED_TERMS}
