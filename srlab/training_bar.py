"""A progress bar that shows how far a training is above bicubic."""

from types import TracebackType
from typing import Self

from tqdm.auto import tqdm

from srlab.runcard import RunCard
from srlab.runs import Progress
from srlab.scoring import score_models
from srlab.sources import load_photos

STEPS_BETWEEN_SCORES = 500


class TrainingBar:
    """Steps done, and now and then PSNR on a validation photograph."""

    def __init__(self, card: RunCard):
        self.card = card
        self.bar = tqdm(total=card.steps, unit="step", delay=1)
        self.photo = dict([min(load_photos("embedded", "val").items())])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.bar.close()

    def update(self, progress: Progress) -> None:
        """Move on to where the run stands."""
        self.bar.update(progress.done - self.bar.n)
        if progress.done % STEPS_BETWEEN_SCORES == 0:
            scale = progress.scale
            bicubic, own = score_models(self.photo, {"now": progress.model}, scale=scale)
            self.bar.set_postfix_str(
                f"{own['psnr_y']:.2f} dB, bicubic {bicubic['psnr_y']:.2f} dB"
            )
