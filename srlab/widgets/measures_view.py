"""What is measured of the shown pictures, as a table."""

import html
from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from srlab.features import FeatureExtractor
from srlab.losses import ContentLoss
from srlab.machine import place
from srlab.metrics import lpips_distance
from srlab.scoring import MEASURES, Measure, Scene, directions
from srlab.widgets.parts import TEXT

COLUMNS = {
    **{name: about for name, about in MEASURES.items() if name not in ("ssim_y", "psnr_rgb")},
    "vgg": Measure("VGG distance", "lowest", "features of the VGG stand-in", 4),
    "lpips": Measure("LPIPS", "lowest", "features of a network, weighted by people", 3),
}
"""Name -> measure; a column each."""
NUMBER = "text-align: right; padding: 2px 10px; font-variant-numeric: tabular-nums;"
WORD = "text-align: left; padding: 2px 10px 2px 0; font-weight: normal;"

Measures = Mapping[str, float]


@torch.no_grad()
def vgg_distance(sr: Tensor, hr: Tensor) -> float:
    """How differently the VGG stand-in sees two pictures: content loss, weights fixed.

    Whatever a training's loss weighs, this stays as it is. But a training
    whose loss looks through the same network makes it small by design, more
    so than any other measure.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1].

    Returns:
        The mean over the two layers; 0 for equal pictures.
    """
    return _content_loss(str(sr.device))(sr, hr).item()


@cache
def _content_loss(device: str) -> ContentLoss:
    layers = {"relu2_2": 0.5, "relu3_3": 0.5}
    return place(ContentLoss(FeatureExtractor(layers), layers), device)


def every_measure(scene: Scene, sr: Tensor) -> Measures:
    """What is measured of an enlargement; LPIPS where its weights are at hand.

    Args:
        scene: of at least 32 px on each side.
        sr: ``(1, 3, h, w)``, about [0, 1].
    """
    sr = sr.clamp(0, 1)
    found = scene.judge(sr, COLUMNS) | {"vgg": vgg_distance(sr, scene.hr)}
    lpips = lpips_distance(sr, scene.hr)
    return found if lpips is None else {**found, "lpips": lpips}


def measures_html(rows: Mapping[str, Measures], protocol: str) -> str:
    """A row for each picture, a column for each measure that is at hand."""
    names = [name for name in COLUMNS if any(name in row for row in rows.values())]
    head = "".join(
        f'<th scope="col" title="{COLUMNS[n].about}" style="{NUMBER}">{COLUMNS[n].title}</th>'
        for n in names
    )
    body = "".join(_row(name, measures, names) for name, measures in rows.items())
    last = list(rows.values())[-1]
    data = " ".join(f'data-{name}="{last[name]:.6g}"' for name in names if name in last)
    best = directions({name: COLUMNS[name] for name in names})
    missing = "" if "lpips" in names else " LPIPS: its weights are not at hand."
    return (
        f'<div class="srlab-measures" style="{TEXT} overflow-x: auto" {data}>'
        f'<table aria-label="Measures of the shown picture" style="border-collapse: collapse">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<small>{html.escape(protocol)}{missing} Best: {html.escape(best)}.</small></div>"
    )


def measures_line(measures: Measures) -> str:
    """The same of one picture, as text."""
    return ", ".join(
        f"{COLUMNS[name].title} {_text(name, measures)}" for name in COLUMNS if name in measures
    )


def _row(name: str, measures: Measures, names: list[str]) -> str:
    cells = "".join(f'<td style="{NUMBER}">{_text(n, measures)}</td>' for n in names)
    return f'<tr><th scope="row" style="{WORD}">{html.escape(name)}</th>{cells}</tr>'


def _text(name: str, measures: Measures) -> str:
    return COLUMNS[name].text(measures[name]) if name in measures else ""
