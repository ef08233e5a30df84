"""What the Loss Lab says of its bench in words and numbers."""

import html
from typing import Any

from srlab.runcard import ModelSpec
from srlab.widgets.kit.live import State
from srlab.widgets.ledger_view import swatch
from srlab.widgets.loss_bench import LossBench
from srlab.widgets.parts import TEXT
from srlab.widgets.workbench import Figures


def heading(bench: LossBench) -> str:
    """Network, scale, size, and what it runs on, in one line."""
    card = bench.start_card
    network = "SrResNet" if isinstance(card.model, ModelSpec) else "UNet"
    size = sum(parameter.numel() for parameter in bench.model.parameters())
    begins = "untrained" if card.start == "untrained" else f"from {card.start}"
    return (
        f"Loss Lab · {network} ×{card.scale}, {begins} · {size / 1e6:.2f} M parameters · "
        f"{bench.precision} on {bench.device}"
    )


def heading_html(bench: LossBench) -> str:
    """The heading as a line of the page."""
    return f'<div style="{TEXT} font-weight: bold">{html.escape(heading(bench))}</div>'


def sentence(bench: LossBench, figures: Figures) -> str:
    """Where the present run stands."""
    gain = f"{figures.psnr - bench.bicubic_psnr:+z.2f} dB"  # z: never -0.00
    return (
        f"{bench.branch.name}, {_step(bench, figures)}, PSNR {figures.psnr:.2f} dB, "
        f"bicubic {bench.bicubic_psnr:.2f} dB ({gain}), sharpness {figures.sharpness:.2f}"
    )


def numbers_html(bench: LossBench, figures: Figures, state: State) -> str:
    """The same with the loss as the sum that it is, and as data."""
    data: dict[str, Any] = {
        "run": bench.branch.name,
        "step": figures.step,
        "replay-left": bench.replay_left,
        "state": state,
        **{f"w-{name}": f"{weight:g}" for name, weight in weights_in_use(bench).items()},
        "learning-rate": f"{bench.present_learning_rate:g}",
        "psnr": f"{figures.psnr:.4f}",
        "bicubic": f"{bench.bicubic_psnr:.4f}",
    }
    attributes = " ".join(f'data-{key}="{html.escape(str(v))}"' for key, v in data.items())
    return (
        f'<div class="srlab-numbers" style="{TEXT}" {attributes}>'
        f"<b>{html.escape(sentence(bench, figures))}</b><br>"
        f"loss {figures.loss_text} = {_sum(bench)} · learning rate "
        f"{bench.present_learning_rate:.2g} · {_speed(bench.steps_per_second)}</div>"
    )


def weights_in_use(bench: LossBench) -> dict[str, float]:
    """Every weight, of terms and of layers."""
    return {**bench.loss.weights, **bench.loss.layer_weights}


def _step(bench: LossBench, figures: Figures) -> str:
    if bench.replay_left:
        return f"repeating step {figures.step} of {bench.branch.goal}"
    return f"step {figures.step}"


def _sum(bench: LossBench) -> str:
    """The loss as it is added up, with each term's color."""
    layers = [f"{w:.3g} {name}" for name, w in bench.loss.layer_weights.items() if w]
    looked_at = " + ".join(layers) or "no layer"
    parts = []
    for name, weight in bench.loss.weights.items():
        of_layers = f" ({looked_at})" if name in ("content", "style") else ""
        parts += [f"{weight:.3g} · {swatch(name)} {name}{of_layers}"] if weight else []
    return " + ".join(parts) or "nothing"


def _speed(steps_per_second: float) -> str:
    return f"{steps_per_second:.{0 if steps_per_second >= 10 else 1}f} steps/s"
