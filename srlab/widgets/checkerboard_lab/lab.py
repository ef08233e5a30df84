"""CheckerboardLab: who draws the grid, the upsampler or the loss?"""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

from torch import Tensor
from traitlets import Dict, Enum, Unicode

from srlab.require import SCALES, require_known, require_scale
from srlab.training import Step
from srlab.widgets.checkerboard_lab.bench import (
    INITS,
    LOSSES,
    STARTS_OVER,
    UPSAMPLERS,
    CheckerboardBench,
    GridReading,
    GridSetting,
)
from srlab.widgets.checkerboard_lab.pictures import (
    ADDED_GAIN,
    CARD_GAIN,
    added,
    card,
    crop,
    spectrum_picture,
    whole_spectrum,
)
from srlab.widgets.kit.lab import finite_each, given
from srlab.widgets.kit.live_lab import LiveLab
from srlab.widgets.kit.pictures import png
from srlab.widgets.workbench import VIEWS

FIRST = GridSetting()


def _setting(values: Any, first: Any) -> Any:
    return Enum(list(values), first).tag(sync=True, setting=True)


class CheckerboardLab(LiveLab):
    """An upsampler before and in training, and the grid that it draws.

    At step 0 it shows the upsampler as it is initialized, and from then on a
    training of a small ``SrResNet``. Another upsampler, initialization or
    scale starts over; another loss or photograph acts on the training as it
    is. Pictures are PNG, since JPEG draws a grid of its own.

    Example:
        >>> lab = CheckerboardLab()
        >>> lab.choose(init="random").energy > 1e-6
        True
        >>> lab.choose(init="icnr").energy
        0.0
    """

    view = Unicode("checkerboard").tag(sync=True)
    upsampler = _setting(UPSAMPLERS, FIRST.upsampler)
    init = _setting(INITS, FIRST.init)
    scale = _setting(SCALES, FIRST.scale)
    loss = _setting(LOSSES, FIRST.loss)
    photograph = _setting(VIEWS, FIRST.photograph)
    choices = Dict(help="setting -> values, or [value, text]").tag(sync=True)
    numbers = Dict(help="a GridReading").tag(sync=True)
    network = Dict().tag(sync=True)
    truth = Dict().tag(sync=True)
    added = Dict().tag(sync=True)
    card = Dict().tag(sync=True)
    network_spectrum = Dict().tag(sync=True)
    truth_spectrum = Dict().tag(sync=True)

    seconds_between_frames = 0.4  # PNG is large: 60 kB a second

    def __init__(self) -> None:
        super().__init__(choices=_choices())
        self.bench = CheckerboardBench(FIRST)
        self.draw("ready")

    # What notebooks and tests call

    def choose(
        self,
        upsampler: str | None = None,
        init: str | None = None,
        scale: int | None = None,
        loss: str | None = None,
        photograph: str | None = None,
    ) -> GridReading:
        """Set any of the controls.

        Args:
            upsampler: ``"pixelshuffle"``, ``"resize"`` or ``"transposed"``.
            init: of PixelShuffle's convolutions, ``"random"`` or ``"icnr"``.
            scale: 2, 4 or 8.
            loss: ``"pixel"`` (L1), ``"content"`` (L1 and relu2_2 of VGG) or
                ``"content, average pooling"`` (the same VGG with its
                max-pooling replaced).
            photograph: name of an embedded validation photograph.

        Returns:
            The numbers that are shown. After another upsampler, init or scale
            they are of step 0, and the training is paused.

        Raises:
            ValueError: for an unknown choice, or an init where there is no
                shuffle.
        """
        wanted = given(
            upsampler=upsampler, init=init, scale=scale, loss=loss, photograph=photograph
        )
        self._require_choices(wanted)
        for name, value in wanted.items():
            self.set_trait(name, value)
        self.live.do(self._look)
        self.live.settle()
        return self.reading

    def run_steps(self, count: int) -> GridReading:
        """Train ``count`` steps here and now, and give the numbers after them."""
        super().run_steps(count)
        return self.reading

    def pictures(self) -> dict[str, Tensor]:
        """What is shown, by name: made for ``Compare``."""
        seen = self.seen
        return {"bicubic": seen.bicubic, "network": seen.sr, "truth": seen.hr}

    # What the live training calls, from one thread at a time

    def changed(self, name: str, value: Any) -> None:
        """Leave a note; what starts over pauses too, so that step 0 can be seen."""
        if name in STARTS_OVER:
            self.live.pause()
        super().changed(name, value)

    def steps(self) -> Iterator[Step]:
        """Training steps, one for each item asked for."""
        return self.bench.steps()

    def change(self, name: str, value: Any) -> None:
        """Take over the new value of a setting."""
        if name == "loss" and not self.bench.knows(value):
            self.tell(topic="loading", said="loading the feature extractor …")
        self.bench.set(name, value)
        if name != "loss":
            self.begin("grid")

    def start_over(self) -> None:
        """Go back to the untrained network."""
        self.bench.start_over()
        self.begin("grid")

    def moment(self) -> dict[str, Any]:
        """Pictures, spectra, curve and numbers of this moment."""
        self._look()
        reading, setting = self.reading, self.bench.setting
        self.add("grid", reading.step, reading.measure, reading.ridge)
        return {
            "step": reading.step,
            "said": f"{setting}, {reading}",
            "topic": f"{setting} {setting.loss}",
            "numbers": finite_each(asdict(reading)),
            **self._tiles(),
        }

    # Parts

    def _look(self) -> None:
        self.seen, self.reading = self.bench.look()

    def _tiles(self) -> dict[str, Any]:
        seen, reading = self.seen, self.reading
        spectrum = partial(spectrum_picture, top=whole_spectrum(seen.hr).max().item())
        network = "network", f"checkerboard {reading.measure:.3g}"
        truth = "truth", "checkerboard 1"
        gain = f"× {CARD_GAIN}, energy {reading.energy:.1e}"
        return {
            "network": png(crop(seen.sr), *network),
            "truth": png(crop(seen.hr), *truth),
            "added": png(added(seen), "network − bicubic", f"× {ADDED_GAIN}"),
            "card": png(card(seen), "of a gray card", gain),
            "network_spectrum": png(spectrum(seen.sr), *network),
            "truth_spectrum": png(spectrum(seen.hr), *truth),
        }

    def _require_choices(self, wanted: dict[str, Any]) -> None:
        known = {"upsampler": UPSAMPLERS, "init": INITS, "loss": LOSSES, "photograph": VIEWS}
        for name, value in wanted.items():
            if name in known:
                require_known([str(value)], known[name], name)
        require_scale(wanted.get("scale", self.scale))
        upsampler = wanted.get("upsampler", self.upsampler)
        if "init" in wanted and upsampler != "pixelshuffle":
            raise ValueError(
                f"init is PixelShuffle's alone, but upsampler is {upsampler!r}; "
                f'choose upsampler="pixelshuffle" with it.'
            )


def _choices() -> dict[str, Any]:
    return {
        "upsampler": list(UPSAMPLERS.items()),
        "init": list(INITS.items()),
        "scale": [(scale, f"× {scale}") for scale in SCALES],
        "loss": LOSSES,
        "photograph": [*VIEWS],
    }
