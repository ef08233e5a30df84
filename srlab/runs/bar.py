"""A progress bar that shows how far a training is above bicubic."""

from tqdm.auto import tqdm

from srlab.runcard import RunCard
from srlab.runs.run import RunProgress


class TrainingBar:
    """Steps done, and PSNR whenever the validation photographs were looked at."""

    def __init__(self, card: RunCard, *, quiet: bool = False):
        self.bar = tqdm(total=card.steps, unit="step", delay=1, disable=quiet)

    def close(self) -> None:
        self.bar.close()

    def update(self, progress: RunProgress) -> None:
        """Move on to where the run stands."""
        self.bar.update(progress.done - self.bar.n)
        if progress.reading:
            self.bar.set_postfix_str(str(progress.reading), refresh=False)
