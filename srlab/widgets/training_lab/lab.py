"""TrainingLab: watch a network learn, and steer it while it does."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from torch import Tensor, nn
from traitlets import Dict, Enum, Float, List, Unicode

from srlab.data import Pairs, get_data
from srlab.losses import WeightedLoss, pixel_loss
from srlab.machine import pick_device
from srlab.models import SrResNet
from srlab.require import require_known
from srlab.training import Step
from srlab.widgets.kit.lab import finite
from srlab.widgets.kit.live_lab import LiveLab, between_steps
from srlab.widgets.kit.pictures import input_tile, tile
from srlab.widgets.training_lab.bench import TrainingBench, formula, places
from srlab.widgets.workbench import OFF, RATES, VIEWS, Figures, Snapshot, require_reach

LARGEST_WEIGHT = 100.0
OF_B = "_b"
"""Ends the name of each setting of B: ``mix`` is A's, ``mix_b`` is B's."""


class TrainingLab(LiveLab):
    """Start, pause and reset a training; its sliders act while it runs.

    ``fork`` sets a network B beside it, with a loss of its own.

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

    Raises:
        ValueError: if a term has the name of something else in the lab.

    Example:
        >>> lab = TrainingLab(lambda: SrResNet(4, 16, 2), get_data(4, (12, 48)))
        >>> lab.run_steps(2)
        >>> lab.figures.step
        2
    """

    view = Unicode("training").tag(sync=True)
    learning_rate = Float(min=RATES[0], max=RATES[1]).tag(sync=True, setting=True)
    photograph = Enum(list(VIEWS), next(iter(VIEWS))).tag(sync=True, setting=True)
    photographs = List(Unicode(), list(VIEWS)).tag(sync=True)
    weights = List(Dict(), help="each slider of a loss, as the kit takes it").tag(sync=True)
    setup = Unicode(help="what it computes on, and how it measures").tag(sync=True)
    numbers = Dict(help="A, B, bicubic -> psnr, sharpness, loss, formula").tag(sync=True)
    diverged = Dict(help="run, step, back; empty while all is well").tag(sync=True)
    input = Dict().tag(sync=True)
    bicubic = Dict().tag(sync=True)
    kept = Dict(help="the last snapshot of this photograph").tag(sync=True)
    network = Dict().tag(sync=True)
    network_b = Dict().tag(sync=True)
    truth = Dict().tag(sync=True)

    def __init__(
        self,
        make_model: Callable[[], nn.Module] | None = None,
        data: Pairs | None = None,
        *,
        loss: WeightedLoss | None = None,
        learning_rate: float = 2e-3,
        seed: int = 0,
    ):
        data = data or get_data(8, (24, 96), device=pick_device())
        make_model = make_model or partial(SrResNet, data.scale, 32, 6)
        self._add_weights({"mix": 0.0} if loss is None else _weights(loss), mixed=loss is None)
        super().__init__(learning_rate=learning_rate, weights=self._controls)
        self.bench = TrainingBench(
            make_model, data, loss or pixel_loss(), learning_rate=learning_rate, seed=seed
        )
        self.setup = (
            f"{self.bench.precision} on {self.bench.device} · "
            f"Y, border of {data.scale} px left out"
        )
        self.presses |= {
            "snapshot": self.soon(TrainingLab.snapshot),
            "fork": self.soon(TrainingLab.fork),
            "drop": self.soon(TrainingLab.drop),
            "back": self.soon(TrainingLab.go_back),
        }
        self._show(self.photograph)
        self.draw("ready")

    # What notebooks and tests call

    def set(self, name: str, value: float) -> None:
        """Move a slider by its name; a weight of 0 is off.

        Raises:
            ValueError: if there is no such slider, or for a value beyond it.
        """
        self._require_reach(name, value)
        self.set_trait(name, value)
        self.live.settle()

    @between_steps
    def snapshot(self) -> None:
        """Keep the present network for comparison; of two, A."""
        self.bench.keep()

    @between_steps
    def fork(self, **weights: float) -> None:
        """Set B beside A: the same state and batches, and a loss of its own.

        Args:
            weights: B's, by the names of A's sliders. Without any, B's are
                A's; of L1 and L2, B takes the one that A does not.

        Raises:
            ValueError: if there is no such slider, or for a value beyond it.
        """
        for name, value in weights.items():
            require_known([name], self._names, "weight")
            self._require_reach(name, value)
        values = {n: v for n, v in self.trait_values().items() if n in self._names}
        if "mix" in values:
            values["mix"] = 0.0 if values["mix"] > 0.5 else 1.0
        values |= weights
        self.bench.fork()
        self._begin("B")
        self.tell(**{name + OF_B: value for name, value in values.items()})
        for name, value in values.items():
            self.bench.weigh("B", name, value)

    @between_steps
    def drop(self) -> None:
        """Go on with A alone."""
        self.bench.drop()
        self._begin("B")

    @between_steps
    def go_back(self) -> None:
        """Go back to before the divergence, with a smaller learning rate."""
        step = self.bench.go_back()
        for curve in [name for run in "AB" for name in (run, f"{run} loss")]:
            self.cut(curve, step)
        self.tell(learning_rate=self.bench.learning_rate)

    def pictures(self) -> dict[str, Tensor]:
        """What is shown, by name: made for ``Compare``."""
        kept = {f"snapshot {s.name}": s.picture for s in self._snapshots_of_this_photo()}
        seen = {self._name_of(run): sr for run, (sr, _) in self.seen.items()}
        scene = self.bench.scene
        return {"bicubic": scene.bicubic, **kept, **seen, "truth": scene.hr}

    @property
    def sr(self) -> Tensor:
        """What A makes of the photograph."""
        return self.seen["A"][0]

    @property
    def figures(self) -> Figures:
        """Where A stands."""
        return self.seen["A"][1]

    @property
    def figures_b(self) -> Figures:
        """Where B stands; without B, where A does."""
        return self.seen.get("B", self.seen["A"])[1]

    # What the live training calls, from one thread at a time

    def steps(self) -> Iterator[Step]:
        """Training steps, one for each item asked for."""
        return self.bench.steps()

    def change(self, name: str, value: Any) -> None:
        """Take over a new value of a setting."""
        if name == "photograph":
            self._show(value)
        elif name == "learning_rate":
            self.bench.set_learning_rate(value)
        else:
            run = "A" if name in self._names else "B"
            self.bench.weigh(run, name if run == "A" else name.removesuffix(OF_B), value)
            self.tell(numbers=self._numbers())  # the formula is shown before the next step

    def start_over(self) -> None:
        """Go back to the model at the start."""
        self.bench.reset()
        for run in "AB":
            self._begin(run)

    def moment(self) -> dict[str, Any]:
        """Pictures, curves and numbers of this moment."""
        bench = self.bench
        self.seen = {run: each.look() for run, each in bench.runs.items()}
        for run, (_, figures) in self.seen.items():
            self.add(f"{run} loss", figures.step, figures.loss)
            self.add(run, figures.step, figures.psnr, figures.sharpness)
        return {
            "step": bench.done,
            "said": self._sentence(),
            "topic": " ".join(bench.runs),
            "diverged": self._divergence(),
            "numbers": self._numbers(),
            **self._scene_tiles,
            "kept": self._kept_tile(),
            "network": self._tile("A"),
            "network_b": self._tile("B") if bench.rival else {},
        }

    # Notes

    def _show(self, name: str) -> None:
        bench = self.bench
        bench.show(name)
        bicubic = _caption(bench.bicubic_psnr, bench.bicubic_sharpness)
        self._scene_tiles = {
            "input": input_tile(bench.scene.lr, bench.data.scale),
            "bicubic": tile(bench.scene.bicubic, "bicubic", bicubic, kind="png"),
            "truth": tile(bench.scene.hr, "truth", "sharpness 1", kind="png"),
        }
        for run in "AB":  # figures of two photographs make no curve
            self.begin(run)

    def _begin(self, run: str) -> None:
        self.begin(run)
        self.begin(f"{run} loss")

    # Parts

    def _add_weights(self, values: dict[str, float], *, mixed: bool) -> None:
        """A trait for each slider of a loss, A's and B's, and how it is drawn."""
        most = 1.0 if mixed else LARGEST_WEIGHT
        traits = {name + end: value for name, value in values.items() for end in ("", OF_B)}
        for name in traits:
            if hasattr(type(self), name):
                raise ValueError(
                    f"A term of the loss is called {name!r}, as something else in the lab is; "
                    f"give it another name."
                )
        self._names = list(values)
        reach = {"min": 0, "max": 1, "step": 0.05}
        if not mixed:
            reach = {"min": OFF, "max": LARGEST_WEIGHT, "log": True, "off": True}
        label = {"mix": "L1 to L2"} if mixed else {}
        self._controls = [
            {"name": name, "label": label.get(name, name), **reach} for name in values
        ]
        self.add_traits(
            **{
                name: Float(value, min=0, max=most).tag(sync=True, setting=True)
                for name, value in traits.items()
            }
        )

    def _require_reach(self, name: str, value: float) -> None:
        sliders = [*self._names, "learning_rate"]
        if self.bench.rival:
            sliders += [each + OF_B for each in self._names]
        if name not in sliders:
            raise ValueError(f"There is no slider {name!r}; there are {', '.join(sliders)}.")
        weight = name != "learning_rate" and "mix" not in self._names
        reach = (OFF, LARGEST_WEIGHT) if weight else (0, 1)
        require_reach(name, value, RATES if name == "learning_rate" else reach, off=weight)

    def _snapshots_of_this_photo(self) -> list[Snapshot]:
        return [s for s in self.bench.snapshots if s.photo_name == self.bench.photo_name]

    def _name_of(self, run: str) -> str:
        return run if self.bench.rival else "network"

    def _tile(self, run: str) -> dict[str, Any]:
        """JPEG while it moves; at rest PNG, so that a difference is exact."""
        sr, figures = self.seen[run]
        caption = _caption(figures.psnr, figures.sharpness)
        moves = self.live.state == "running"
        return tile(sr, self._name_of(run), caption, kind="jpeg" if moves else "png")

    def _kept_tile(self) -> dict[str, Any]:
        for kept in self._snapshots_of_this_photo()[-1:]:
            figures = kept.figures
            caption = _caption(figures.psnr, figures.sharpness)
            return tile(kept.picture, kept.name, caption, kind="png")
        return {}

    def _divergence(self) -> dict[str, Any]:
        if not (found := self.bench.diverged):
            return {}
        name = found.run if self.bench.rival else ""
        return {"run": name, "step": found.step, "back": self.bench.way_back().step}

    def _numbers(self) -> dict[str, dict[str, Any]]:
        bench = self.bench
        of_runs = {
            run: {
                "psnr": figures.psnr,
                "sharpness": figures.sharpness,
                "loss": finite(figures.loss),
                "formula": formula(bench.runs[run].loss),
            }
            for run, (_, figures) in self.seen.items()
        }
        return {
            **of_runs,
            "bicubic": {"psnr": bench.bicubic_psnr, "sharpness": bench.bicubic_sharpness},
        }

    def _sentence(self) -> str:
        if not self.bench.rival:
            return f"step {self.figures.step}, {self.bench.quality(self.figures)}"
        each = [
            f"{run}: PSNR {figures.psnr:.2f} dB, sharpness {figures.sharpness:.2f}"
            for run, (_, figures) in self.seen.items()
        ]
        bicubic = f"bicubic {self.bench.bicubic_psnr:.2f} dB"
        return f"step {self.bench.done}, {'; '.join(each)}; {bicubic}"


def _weights(loss: WeightedLoss) -> dict[str, float]:
    """The weight of each term, and of each layer."""
    return {name: held[name] for name, held in places(loss).items()}


def _caption(psnr: float, sharpness: float) -> str:
    return f"{psnr:.2f} dB, sharpness {sharpness:.2f}"
