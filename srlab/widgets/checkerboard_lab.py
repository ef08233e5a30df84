"""CheckerboardLab: who draws the grid, the upsampler or the loss?"""

import html
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ipywidgets import HTML, Dropdown, HBox, Layout, VBox
from PIL import Image
from torch import Tensor

from srlab.require import require_known, require_scale
from srlab.training import Step
from srlab.widgets.checkerboard_bench import (
    ADDED,
    BORDER,
    INITS,
    LOSSES,
    STARTS_OVER,
    UPSAMPLERS,
    CheckerboardBench,
    GridReading,
    GridSetting,
)
from srlab.widgets.checkerboard_pictures import PANEL, PANELS, STILL, panels
from srlab.widgets.drawing import ORANGE, line_chart
from srlab.widgets.live import State
from srlab.widgets.live_lab import LiveLab
from srlab.widgets.parts import TEXT, LivePicture
from srlab.widgets.poster import GAP, filmstrip, stack, text_lines
from srlab.widgets.workbench import VIEWS

ROW = 3 * PANEL + 2 * GAP


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

    reset_tip = "Back to the untrained network"

    def __init__(self) -> None:
        super().__init__()
        self.bench = CheckerboardBench(GridSetting())
        self._drawn_hr: Tensor | None = None
        self._build()
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
        given = {
            "upsampler": upsampler, "init": init, "scale": scale,
            "loss": loss, "photograph": photograph,
        }  # fmt: skip
        wanted = {name: value for name, value in given.items() if value is not None}
        self._require_choices(wanted)
        for name, value in wanted.items():
            self.controls[name].value = value
        self.live.do(self._look)
        self.live.settle()
        return self.reading

    def run_steps(self, count: int) -> GridReading:
        """Train ``count`` steps here and now, and give the numbers after them."""
        self.live.run_steps(count)
        return self.reading

    def pictures(self) -> dict[str, Tensor]:
        """What is shown, by name: made for ``Compare``."""
        view = self.view
        return {"bicubic": view.bicubic, "network": view.sr, "truth": view.hr}

    # What the live training calls, from one thread at a time

    def steps(self) -> Iterator[Step]:
        """Training steps, one for each item asked for."""
        return self.bench.steps()

    def change(self, name: str, value: Any) -> None:
        """Take over a control's value."""
        if name == "loss" and not self.bench.knows(value):
            self.say("loading the feature extractor …")
        self.bench.set(name, value)

    def start_over(self) -> None:
        """Go back to the untrained network."""
        self.bench.start_over()

    def draw(self, state: State, error: str = "") -> None:
        """Show pictures, spectra, curve and numbers of this moment."""
        self._look()
        if state == "paused" and self.reading.step == 0:
            state = "ready"  # it started over
        for name, panel in self._panels(self._stale()).items():
            self._images[name].show(panel, f"{name}. {self.reading}")
        self._curve.show(self._chart(), f"Checkerboard over the steps. {self.reading}")
        self._numbers.value = self._numbers_html(state)
        self._note.value = _paragraph(*self._notes())
        self.tell(state, error, topic=f"{self.bench.setting} {self.bench.setting.loss}")
        self.controls["init"].disabled = self.bench.setting.upsampler != "pixelshuffle"

    # Poster

    def spoken(self) -> str:
        return self._sentence()

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        return f"CheckerboardLab: {self._sentence()}"

    def poster(self) -> Image.Image:
        """Pictures, spectra and numbers as they stand."""
        named = [(picture, "") for picture in self._panels().values()]
        charts = [self._chart()] if len(self.bench.history.points) > 1 else []
        lines = [str(self.bench.setting), *str(self.reading).split("; ")]
        rows = [filmstrip(row, width=ROW) for row in (named[:3], named[3:])]
        return stack(text_lines(lines, width=ROW), *rows, *charts)

    # Parts

    def _build(self) -> None:
        self.controls = {
            "upsampler": _menu("upsampler", "What draws the new pixels", _swapped(UPSAMPLERS)),
            "init": _menu("init", "How PixelShuffle's channels begin", _swapped(INITS)),
            "scale": _menu("scale", "Enlargement", [(f"x{s}", s) for s in (2, 4, 8)]),
            "loss": _menu("loss", "What the training makes small", list(LOSSES)),
            "photograph": _menu("photograph", "Which one is shown and measured", list(VIEWS)),
        }
        for name, control in self.controls.items():
            control.value = getattr(self.bench.setting, name)
            control.observe(self._noter(name), names="value")
        self._numbers, self._note = HTML(), HTML()
        self._images = {name: LivePicture(name, "png", shrinks=False) for name in PANELS}
        self._curve = LivePicture("curve", "png", shrinks=False)
        wrap = Layout(flex_flow="row wrap")
        rows = [
            HBox([self._images[name] for name in names], layout=Layout(grid_gap="4px"))
            for names in (PANELS[:3], PANELS[3:])
        ]
        self.children = [
            HBox([self._start, self._pause, self._reset], layout=wrap),
            HBox(list(self.controls.values()), layout=wrap),
            self._numbers,
            HBox([VBox(rows), self._curve], layout=wrap),
            self._note,  # below the pictures, which would jump when it goes
            self._status,
        ]
        self.add_class("srlab-checkerboard-lab")

    def _noter(self, name: str) -> Callable[[Any], None]:
        """Lets a control leave a note for the worker; it does nothing itself."""

        def leave_note(event: Any) -> None:
            if name in STARTS_OVER:
                self.live.pause()  # so that step 0 can be seen
            self.live.change(name, event["new"])

        return leave_note

    def _require_choices(self, wanted: dict[str, Any]) -> None:
        known = {"upsampler": UPSAMPLERS, "init": INITS, "loss": LOSSES, "photograph": VIEWS}
        for name, value in wanted.items():
            if name == "scale":
                require_scale(value)
            else:
                require_known([str(value)], known[name], name)
        upsampler = wanted.get("upsampler", self.controls["upsampler"].value)
        if "init" in wanted and upsampler != "pixelshuffle":
            raise ValueError(
                f"init is PixelShuffle's alone, but upsampler is {upsampler!r}; "
                f'choose upsampler="pixelshuffle" with it.'
            )

    def _look(self) -> None:
        self.view, self.reading = self.bench.look()

    def _panels(self, names: Sequence[str] = PANELS) -> dict[str, Image.Image]:
        return panels(self.view, self.bench.setting.scale, self.reading.step, names)

    def _stale(self) -> list[str]:
        """The panels to draw again; the truth's only if it is another one."""
        before, self._drawn_hr = self._drawn_hr, self.view.hr
        return [name for name in PANELS if name not in STILL or before is not self.view.hr]

    def _chart(self) -> Image.Image:
        return line_chart(
            "checkerboard, logarithmic", self.bench.history.points, color=ORANGE,
            size=(ROW, 150), reference=("truth", 1.0), logarithmic=True,
        )  # fmt: skip

    def _sentence(self) -> str:
        return f"{self.bench.setting}, {self.reading}"

    def _numbers_html(self, state: State) -> str:
        reading, setting = self.reading, self.bench.setting
        data = {
            "step": reading.step, "state": state,
            "measure": f"{reading.measure:.6g}", "energy": f"{reading.energy:.6g}",
            "psnr": f"{reading.psnr:.4f}", "upsampler": setting.upsampler,
            "init": setting.init, "scale": setting.scale, "loss": setting.loss,
        }  # fmt: skip
        attributes = " ".join(f'data-{key}="{value}"' for key, value in data.items())
        return (
            f'<div class="srlab-numbers" style="{TEXT}" {attributes}>'
            f"<b>Steps so far: {reading.step}</b><br>"
            f"<b>Checkerboard {_short(reading.measure)}</b> (truth 1, "
            f"bicubic {_short(reading.bicubic_measure)}) · "
            f"<b>grid energy {_power(reading.energy)}</b> on a gray card<br>"
            f"PSNR {reading.psnr:.2f} dB (bicubic {reading.bicubic_psnr:.2f} dB, Y, border of "
            f"{BORDER} px left out) · sharpness {reading.sharpness:.2f} · "
            f"ridge {_short(reading.ridge)} (truth 1)</div>"
        )

    def _notes(self) -> list[str]:
        """What a person should know of the present state."""
        setting = self.bench.setting
        notes = []
        if setting.upsampler != "pixelshuffle":
            notes.append(
                f"init is disabled: there is no shuffle to initialize in a "
                f"{UPSAMPLERS[setting.upsampler]}."
            )
        if self.reading.step == 0:
            notes.append(
                "Step 0: bicubic plus what the untrained upsampler adds. Lesson 01's network "
                "starts its last stage at zero, which would hide it; here that stage keeps "
                f"its own initialization, times a factor that makes it add {ADDED:g} (RMS) to "
                "a gray card."
            )
        return notes


def _short(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) and abs(value) >= 0.001 else _power(value)


def _power(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def _paragraph(*lines: str) -> str:
    text = "<br>".join(html.escape(line) for line in lines)
    return f'<div class="srlab-note" style="{TEXT} max-width: {ROW}px">{text}</div>'


def _swapped(names: dict[str, str]) -> list[tuple[str, str]]:
    return [(text, name) for name, text in names.items()]


def _menu(name: str, tooltip: str, options: list[Any]) -> Dropdown:
    menu = Dropdown(options=options, description=name, tooltip=tooltip)
    menu.style.description_width = "80px"
    return menu.add_class(f"srlab-{name}")
