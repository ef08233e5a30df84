"""What a run reports on its way, kept for two figures."""

from torch import Tensor

from srlab.inference import enlarge_in_tiles
from srlab.runcard import RunCard
from srlab.runs.bar import TrainingBar
from srlab.runs.run import RunProgress
from srlab.scoring import Scene, as_batch

Curve = tuple[list[int], list[float]]
"""Steps done, and a value at each."""


class Leads:
    """A bar, and how far a training is above bicubic on one photograph.

    Give it to ``run_card`` as ``report``. Bicubic has the stage's own scale,
    since a PSNR at 2x and one at 4x cannot be compared.

    Args:
        card: what is trained.
        hr: the photograph, ``(1, 3, h, w)``, in [0, 1].
        every: steps from one look to the next.

    Attributes:
        leads: a stage's name, such as ``"2: 4x, 96 px"`` -> dB above bicubic.
        terms: a term of the loss -> its weighted value.

    Example:
        >>> import torch
        >>> Leads(RunCard(name="mine"), torch.rand(1, 3, 64, 64)).leads
        {}
    """

    def __init__(self, card: RunCard, hr: Tensor, *, every: int = 10):
        self.card, self.every = card, max(every, 1)
        self.leads: dict[str, Curve] = {}
        self.terms: dict[str, Curve] = {}
        self._scenes = {scale: Scene(hr, scale) for scale in {s.scale for s in card.stages}}
        self._bar = TrainingBar(card)

    def __call__(self, now: RunProgress) -> None:
        self._bar.update(now)
        if now.done % self.every == 0 or now.done == self.card.steps:
            self._look(now)
        if now.done == self.card.steps:
            self._bar.close()

    def __str__(self) -> str:
        return "\n".join(
            f"stage {name}: {ys[0]:+.2f} to {ys[-1]:+.2f} dB above bicubic"
            for name, (_, ys) in self.leads.items()
        )

    def _look(self, now: RunProgress) -> None:
        stage = self.card.stages[now.number - 1]
        scene = self._scenes[stage.scale]
        sr = as_batch(enlarge_in_tiles(now.model, scene.lr, scale=stage.scale))
        lead = scene.judge(sr)["psnr_y"] - scene.judge(scene.bicubic)["psnr_y"]
        _add(self.leads, f"{now.number}: {stage.scale}x, {stage.hr_size} px", now.done, lead)
        for name, term in now.step.terms.items():
            _add(self.terms, "pixel" if name == "l1" else name, now.done, term.item())


def _add(curves: dict[str, Curve], name: str, step: int, value: float) -> None:
    steps, values = curves.setdefault(name, ([], []))
    steps.append(step)
    values.append(value)
