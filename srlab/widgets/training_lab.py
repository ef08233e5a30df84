"""TrainingLab: watch a network learn, and steer it while it does."""

import html
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ipywidgets import HTML, Dropdown, HBox, Layout
from PIL import Image
from torch import Tensor, nn

from srlab.data import Pairs, get_data
from srlab.losses import WeightedLoss, pixel_loss
from srlab.machine import pick_device
from srlab.models import SrResNet
from srlab.training import Step
from srlab.widgets.dials import (
    Dial,
    as_position,
    layers_of,
    mix_dial,
    rate_dial,
    require_in_reach,
    weight_dials,
)
from srlab.widgets.drawing import (
    BLUE,
    ORANGE,
    beside,
    line_chart,
    map_chart,
    picture_strip,
)
from srlab.widgets.kit.live import State
from srlab.widgets.live_lab import LiveLab
from srlab.widgets.parts import TEXT, LivePicture, action_button
from srlab.widgets.poster import stack, text_lines
from srlab.widgets.slider_names import slider_names
from srlab.widgets.workbench import Snapshot, Workbench

CHARTS = {
    "loss-curve": "Loss over the steps",
    "psnr-curve": "PSNR over the steps",
    "map": "Sharpness over PSNR",
}


class TrainingLab(LiveLab):
    """Start, pause and reset a training; its sliders act while it runs.

    Args:
        make_model: makes the model to start from and to reset to; without one
            it is lesson 01's ``SrResNet``, untrained, 32 features wide and
            6 blocks deep.
        data: endless pairs from ``get_data``; without them they are of
            24 -> 96 px, from the embedded photographs.
        loss: each term gets a slider, and each layer of a ``ContentLoss``;
            without one it is L1 and L2, mixed by one slider.
        learning_rate: at the start.
        seed: of the first weights.

    Example:
        >>> lab = TrainingLab(lambda: SrResNet(4, 16, 2), get_data(4, (12, 48)))
        >>> lab.run_steps(2)
        >>> lab.figures.step
        2
    """

    reset_tip = "Back to the model at the start"

    def __init__(
        self,
        make_model: Callable[[], nn.Module] | None = None,
        data: Pairs | None = None,
        *,
        loss: WeightedLoss | None = None,
        learning_rate: float = 2e-3,
        seed: int = 0,
    ):
        super().__init__()
        data = data or get_data(8, (24, 96), device=pick_device())
        make_model = make_model or partial(SrResNet, data.scale, 32, 6)
        self.bench = Workbench(
            make_model, data, loss or pixel_loss(), learning_rate=learning_rate, seed=seed
        )
        self.dials = self._dials(mixed=loss is None)
        self._has_map = loss is not None  # one mixed slider has no trade-off to draw
        self._build()
        self.draw("ready")

    # What notebooks and tests call

    def run_steps(self, count: int) -> None:
        """Train ``count`` steps here and now; the sliders' values count."""
        self.live.run_steps(count)

    def set(self, name: str, value: float) -> None:
        """Move a slider by its name in ``dials``; a weight of 0 is off.

        Raises:
            ValueError: if there is no such slider, or for a value beyond it.
        """
        if name not in self.dials:
            raise ValueError(f"There is no slider {name!r}; there are {', '.join(self.dials)}.")
        slider = self.dials[name].slider
        if name in ("mix", "learning_rate"):
            require_in_reach(slider, value)
            slider.value = value
        else:
            slider.value = as_position(value)
        self.live.settle()

    def snapshot(self) -> None:
        """Keep the present network for comparison."""
        self.live.do(self._keep)
        self.live.settle()

    def pictures(self) -> dict[str, Tensor]:
        """What is shown, by name: made for ``Compare``."""
        kept = {f"snapshot {s.name}": s.picture for s in self._snapshots_of_this_photo()}
        bench = self.bench
        return {
            "bicubic": bench.scene.bicubic,
            **kept,
            "network": self.sr,
            "truth": bench.scene.hr,
        }

    # What the live training calls, from one thread at a time

    def steps(self) -> Iterator[Step]:
        """Training steps, one for each item asked for."""
        return self.bench.steps()

    def change(self, name: str, value: Any) -> None:
        """Take over a slider's value."""
        if name in self.dials:
            self.dials[name].apply(value)
        else:
            self.bench.show(value)

    def start_over(self) -> None:
        """Go back to the model at the start."""
        self.bench.reset()

    def draw(self, state: State, error: str = "") -> None:
        """Show pictures, curves and numbers of this moment."""
        self.sr, self.figures = self.bench.look()
        if math.isfinite(self.figures.loss):
            self.bench.history.add(self.figures)
        self._numbers.value = self._numbers_html(state)
        self._preview.show(self._strip(), f"Input, bicubic, network, truth. {self._sentence()}")
        charts = zip(self._curves, self._charts(), CHARTS.values(), strict=False)
        for curve, chart, title in charts:
            curve.show(chart, f"{title}. {self._sentence()}")
        self.tell(state, error)

    # Poster

    def spoken(self) -> str:
        return self._sentence()

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        return f"TrainingLab: {self._sentence()}"

    def poster(self) -> Image.Image:
        """Pictures, curves and numbers as they stand."""
        charts = [beside(*self._charts())] if self.bench.history.points else []
        return stack(text_lines([self._sentence()]), self._strip(), *charts)

    # Parts

    def _dials(self, *, mixed: bool) -> dict[str, Dial]:
        loss = self.bench.loss
        dials = {"mix": mix_dial(loss)} if mixed else weight_dials(loss)
        rate = rate_dial(self.bench.learning_rate, self.bench.set_learning_rate)
        return dials | {"learning_rate": rate}

    def _build(self) -> None:
        self._snapshot = action_button(
            "Snapshot", "camera", "Keep the present network for comparison",
            lambda: self.live.do(self._keep),
        )  # fmt: skip
        self.photo = Dropdown(
            options=list(self.bench.photos), description="photograph",
            tooltip="Which validation photograph is shown and measured",
        )  # fmt: skip
        sliders = {name: dial.slider for name, dial in self.dials.items()}
        for name, control in (*sliders.items(), ("photo", self.photo)):
            self._wire(name, control)
        self._preview = LivePicture("preview")
        names = [name for name in CHARTS if name != "map" or self._has_map]
        self._curves = [LivePicture(name) for name in names]
        self._numbers = HTML()
        wrap = Layout(flex_flow="row wrap")
        self.children = [
            HBox([self._start, self._pause, self._reset, self._snapshot], layout=wrap),
            HBox([*sliders.values(), self.photo], layout=wrap),
            self._numbers,
            self._preview,
            HBox(self._curves, layout=wrap),
            self._status,
            *slider_names(),
        ]
        self.add_class("srlab-training-lab")

    def _wire(self, name: str, control: Any) -> None:
        """Let a control leave a note for the worker; it does nothing itself."""
        control.style.description_width = "95px"
        control.add_class(f"srlab-{name.replace('_', '-')}")
        control.observe(lambda event: self.live.change(name, event["new"]), names="value")

    def _keep(self) -> None:
        self.bench.keep()

    def _snapshots_of_this_photo(self) -> list[Snapshot]:
        return [s for s in self.bench.snapshots if s.photo_name == self.bench.photo_name]

    def _strip(self) -> Image.Image:
        bench, figures = self.bench, self.figures
        captions = {
            "input": f"{bench.scene.lr.shape[-1]} x {bench.scene.lr.shape[-2]} px",
            "bicubic": f"{bench.bicubic_psnr:.2f} dB",
            "network": f"{figures.psnr:.2f} dB, sharp {figures.sharpness:.2f}",
        }
        pictures = {"input": bench.scene.lr, "bicubic": bench.scene.bicubic}
        for kept in self._snapshots_of_this_photo()[-1:]:
            pictures[kept.name] = kept.picture
            captions[kept.name] = f"{kept.figures.psnr:.2f} dB"
        return picture_strip(
            {**pictures, "network": self.sr, "truth": bench.scene.hr}, captions
        )

    def _charts(self) -> list[Image.Image]:
        points = self.bench.history.points
        loss = line_chart(
            "loss (weighted sum)", [(p.step, p.loss) for p in points],
            color=ORANGE, logarithmic=True,
        )  # fmt: skip
        psnr = line_chart(
            "PSNR, dB", [(p.step, p.psnr) for p in points],
            color=BLUE, reference=("bicubic", self.bench.bicubic_psnr),
        )  # fmt: skip
        return [loss, psnr, *([self._map()] if self._has_map else [])]

    def _map(self) -> Image.Image:
        """The path of this photograph's figures: sharpness over PSNR."""
        bench = self.bench
        points = [p for p in bench.history.points if p.photo_name == bench.photo_name]
        kept = {s.name: s.figures for s in self._snapshots_of_this_photo()}
        return map_chart(
            "sharpness over PSNR, dB; truth: 1",
            [(p.psnr, p.sharpness) for p in (*points, self.figures)],
            {
                "bicubic": (bench.bicubic_psnr, bench.bicubic_sharpness),
                **{name: (f.psnr, f.sharpness) for name, f in kept.items()},
            },
            color=BLUE,
        )

    def _sentence(self) -> str:
        figures, bicubic = self.figures, self.bench.bicubic_psnr
        gain = f"{figures.psnr - bicubic:+z.2f} dB"  # z: never -0.00
        return (
            f"step {figures.step}, PSNR {figures.psnr:.2f} dB, bicubic {bicubic:.2f} dB "
            f"({gain}), sharpness {figures.sharpness:.2f}"
        )

    def _numbers_html(self, state: State) -> str:
        bench, figures = self.bench, self.figures
        data = {
            "step": figures.step,
            "state": state,
            **{f"w-{name}": f"{weight:g}" for name, weight in self._weights().items()},
            "learning-rate": f"{bench.present_learning_rate:g}",
            "psnr": f"{figures.psnr:.4f}",
            "bicubic": f"{bench.bicubic_psnr:.4f}",
        }
        attributes = " ".join(f'data-{key}="{value}"' for key, value in data.items())
        return (
            f'<div class="srlab-numbers" style="{TEXT}" {attributes}>'
            f"<b>{html.escape(self._sentence())}</b><br>"
            f"loss {figures.loss_text} = {self._sum()} · {_rate(bench.steps_per_second)} · "
            f"{bench.precision} on {bench.device} · Y, border of {bench.data.scale} px left out"
            f"</div>"
        )

    def _weights(self) -> dict[str, float]:
        """Every weight in use: of the terms, and of their layers."""
        weights = dict(self.bench.loss.weights)
        for term in self.bench.loss.terms.values():
            weights |= layers_of(term)
        return weights

    def _sum(self) -> str:
        """The loss as the sum that it is, such as ``1 · pixel + 0.1 · content``."""
        loss = self.bench.loss
        parts = []
        for name, weight in loss.weights.items():
            term, shown = loss.terms[name], {"l1": "L1", "l2": "L2"}.get(name, name)
            if of_layers := layers_of(term):
                layers = [f"{w:.3g} {n}" for n, w in of_layers.items() if w]
                shown += f" ({' + '.join(layers) or 'no layer'})"
            parts += [f"{weight:.3g} · {shown}"] if weight else []
        return " + ".join(parts) or "nothing"


def _rate(steps_per_second: float) -> str:
    digits = 0 if steps_per_second >= 10 else 1
    return f"{steps_per_second:.{digits}f} steps/s"
