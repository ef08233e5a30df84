"""One stage of a run card: its loss, its data, its network, and how it trains."""

from collections.abc import Collection, Container, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from srlab.checkpoints import (
    Checkpoint,
    carry_weights,
    load_checkpoint,
    load_optimizer,
    load_weights,
    require_finite_weights,
    require_moments,
)
from srlab.data import Pairs
from srlab.features import (
    FeatureExtractor,
    Lite0Extractor,
    ShiftedExtractor,
    ShiftedLite0Extractor,
)
from srlab.losses import (
    ExpandedLoss,
    SpectralLoss,
    WeightedLoss,
    l1_loss,
    l2_loss,
    spectrum_loss,
    tv_loss,
)
from srlab.machine import PRECISIONS, place
from srlab.runcard import Change, FeatureSpec, RunCard, Stage
from srlab.runs.muon import Muon
from srlab.runs.photographs import gather, make_pairs
from srlab.runs.team import ALONE, Team
from srlab.training import Step, cosine_schedule, set_learning_rate, train
from srlab.zoo import build_model, find_checkpoint

StageLoss = WeightedLoss | ExpandedLoss

LEAST_SHARE = 0.1
"""What must fit of a network to begin with; a few biases fit by chance."""


class StageTraining:
    """What is trained in a stage, and how it goes on.

    Args:
        card, stage: the stage is one of the card's.
        weights: of the stage before, as for ``stage_network``.
        team: the processes that share each batch.
        photos: as for ``stage_data``.

    Attributes:
        model: what the optimizer moves.
        network: what counts: the average of the weights if the card wants
            one, else the model itself.
    """

    def __init__(
        self,
        card: RunCard,
        stage: Stage,
        weights: dict[str, Tensor] | None = None,
        team: Team = ALONE,
        photos: Mapping[str, Tensor] | None = None,
    ):
        self.card, self.stage, self.team, self.photos = card, stage, team, photos
        self.model = stage_network(card, stage, weights)
        self.loss = make_loss(stage, card.device)
        self.optimizer = make_optimizer(card, self.model, stage.learning_rate)
        self.average = self._follow() if card.ema else None

    @property
    def network(self) -> nn.Module:
        return self.model if self.average is None else self.average.module

    def restore(self, kept: Checkpoint, done: int, name: str) -> None:
        """Put back what a checkpoint kept after ``done`` steps of the stage.

        Raises:
            ValueError: if something is missing in it, or cannot be; it is called ``name``.
        """
        load_weights(self.model, kept.model, name)
        require_finite_weights(kept.model, name)
        if kept.optimizer is None:
            raise ValueError(
                f"{name} holds a network without its optimizer, so its training cannot go on; "
                f'begin another one from it: a card with "start": "{name}", and a new folder.'
            )
        require_moments(self.optimizer, kept.optimizer, done, name)
        # The groups are our own: the schedule and the changes set what is in them.
        groups = self.optimizer.state_dict()["param_groups"]
        load_optimizer(self.optimizer, {**kept.optimizer, "param_groups": groups})
        if self.average is not None:
            if kept.average is None:
                raise ValueError(
                    f"{name} lacks the average of the weights, which ema asks for."
                )
            require_finite_weights(kept.average, name)
            load_weights(self.average.module, kept.average, name)
            self.average.n_averaged.fill_(done)

    def steps(self, start: int = 0) -> Iterator[Step]:
        """Train on from ``start``, with the changes that were made on the way."""
        apply_changes(self.stage, range(start + 1), self.loss, self.optimizer)
        peak = self.stage.learning_rate
        for step in train(
            self.team.wrap(self.model),
            self.team.share(stage_data(self.card, self.stage, self.photos)),
            self.loss,
            self.optimizer,
            steps=self.stage.steps,
            start=start,
            schedule=cosine_schedule(peak) if self.stage.schedule == "cosine" else None,
            precision=PRECISIONS[self.card.precision],
        ):
            yield step
            apply_changes(self.stage, [step.number], self.loss, self.optimizer)

    def _follow(self) -> AveragedModel:
        """An average that takes in the weights as a part of each optimizer step."""
        # A part of it, so that Ctrl-C never comes between the two.
        average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(self.card.ema))
        self.optimizer.register_step_post_hook(lambda *_: average.update_parameters(self.model))
        return average


def make_optimizer(card: RunCard, model: nn.Module, learning_rate: float) -> Optimizer:
    """What moves the network's parameters, as the card names it."""
    if card.optimizer == "muon":
        return Muon(model.parameters(), learning_rate)
    return torch.optim.Adam(model.parameters(), learning_rate, fused=True)


def make_loss(stage: Stage, device: torch.device | str = "cpu") -> StageLoss:
    """The loss that a stage's weights name, on the device where it is needed."""
    weights = {str(name): weight for name, weight in stage.weights.items()}
    if not stage.is_expanded:
        return WeightedLoss({"l1": l1_loss, "l2": l2_loss}, weights)
    if stage.features is None:
        terms = {"pixel": l1_loss, "tv": lambda sr, _: tv_loss(sr), "spectrum": spectrum_loss}
        return WeightedLoss(terms, weights)
    kind = SpectralLoss if "spectrum" in weights else ExpandedLoss
    extractor = make_extractor(stage.features)
    return place(kind(extractor, weights, stage.features.layers), device)


def make_extractor(spec: FeatureSpec) -> FeatureExtractor:
    """The network through which content and style look at pictures."""
    layers = list(spec.layers)
    if spec.weights == "lite0":
        return (ShiftedLite0Extractor if spec.shifts else Lite0Extractor)(layers)
    look = ShiftedExtractor if spec.shifts else FeatureExtractor
    return look(layers, spec.weights, spec.pooling)


def apply_change(change: Change, loss: StageLoss, optimizer: Optimizer) -> None:
    """Set what was changed; the next step counts with it."""
    loss.weights.update({str(name): weight for name, weight in change.weights.items()})
    if isinstance(loss, ExpandedLoss):
        loss.layer_weights.update(change.layers)
    if change.learning_rate:
        set_learning_rate(optimizer, change.learning_rate)


def apply_changes(
    stage: Stage, after: Container[int], loss: StageLoss, optimizer: Optimizer
) -> None:
    """Repeat the changes of a stage that were made after these steps, in their order."""
    for change in stage.changes:
        if change.after in after:
            apply_change(change, loss, optimizer)


def stage_data(
    card: RunCard, stage: Stage, photos: Mapping[str, Tensor] | None = None
) -> Pairs:
    """The pairs that a stage of the card learns from, on the card's device.

    Args:
        card, stage: what to learn from, and in which crops.
        photos: uint8 ``(3, h, w)``; the card's if None, but for those kept back.
    """
    return make_pairs(card, stage, gather(card).training if photos is None else photos)


def stage_network(
    card: RunCard, stage: Stage, weights: dict[str, Tensor] | None = None
) -> nn.Module:
    """The network that a stage begins with, on the card's device.

    Args:
        card, stage: the stage is one of the card's.
        weights: of the stage before; those that fit are taken over. Without
            them the card's ``start`` gives them.

    Raises:
        ValueError: if hardly anything of the card's ``start`` fits.
    """
    torch.manual_seed(card.seed)
    model = build_model(card.model, stage.scale)
    if weights is None and card.start != "untrained":
        weights = load_checkpoint(find_checkpoint(card.start)).model
    if weights is not None:
        share = _share_of(model, carry_weights(model, weights).loaded)
        if share < LEAST_SHARE:
            raise ValueError(
                f"Of the card's network {card.start} holds only {share:.0%}: nearly every name "
                f"or shape differs; start from a network of the same kind and width."
            )
    return place(model, card.device)


def _share_of(model: nn.Module, names: Collection[str]) -> float:
    """The share of a network's numbers that stand under these names."""
    sizes = {name: value.numel() for name, value in model.state_dict().items()}
    return sum(sizes[name] for name in names) / sum(sizes.values())
