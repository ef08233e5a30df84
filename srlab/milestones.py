"""Milestones: what the learner built trains a network, which finds its place.

After lessons 01, 02, 05 and 07::

    milestone = Milestone("01")
    result = milestone.train(SrResNet, train=train, loss=pixel_loss())
    milestone.show(result)

Everything that carries weight is passed in by the learner. What the networks
reached is kept beside the learner's progress, so a later lesson shows it too.
"""

import csv
import inspect
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam
from tqdm.auto import tqdm

from srlab.data import get_data, load_photos
from srlab.files import SHIPPED
from srlab.inference import enlarge_in_tiles
from srlab.learner.progress import SHOWN, Reached, note_milestone, read_progress
from srlab.machine import PRECISIONS, budget, pick_device, pick_precision, place
from srlab.models import Bicubic, evaluating
from srlab.plots import show_leads
from srlab.scoring import MEASURES, Scene, as_batch
from srlab.training import Batches, Loss, Step, cosine_schedule

SCALE = 4
RIDGE_SINCE = "05"  # the lesson that explains it
QUICK = "(Not with quick: after so few steps these figures say nothing.)"
TEST = "the three test photographs"  # as the networks' pages call them

Finish = Callable[[Tensor, Tensor], Tensor]
"""``(sr, lr)`` -> sr; such as ``back_project``."""


@dataclass(frozen=True)
class Plan:
    """How a milestone's network is trained.

    Args:
        title: of the network, on the figure.
        takes: what the learner passes in, in words.
        learning_rate: the highest; it falls along a cosine.
        batch_size: crops of 96 px in a step.
        quick, default, full: steps, as for ``srlab.machine.budget``.
    """

    title: str
    takes: str
    learning_rate: float
    batch_size: int
    quick: int
    default: int
    full: int


PLANS = {
    "01": Plan(
        "pixel loss", "your SrResNet, your train and your pixel_loss", 2e-3, 8, 8, 2400, 8000
    ),
    "02": Plan(
        "content loss", "a network to go on from, and your ContentLoss", 5e-4, 4, 2, 200, 1000
    ),
    "05": Plan(
        "expanded loss", "a network to go on from, and your ExpandedLoss", 5e-4, 4, 2, 200, 1000
    ),
    "07": Plan(
        "2x carried to 4x",
        "a network that your carry_weights filled, pixel_loss, and your back_project",
        1e-3, 8, 8, 1500, 8000,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """A trained network and what it reached.

    Args:
        lesson: such as ``"01"``.
        network: lr -> sr, trained.
        reached: its figures, as they are kept.
        seconds: how long the training took.
    """

    lesson: str
    network: nn.Module
    reached: Reached
    seconds: float

    def __str__(self) -> str:
        figures = self.reached.figures
        return (
            f"{name_of(self.lesson)}: {figures['psnr_y']:.2f} dB, {self.reached.lead:+.2f} "
            f"against bicubic, {_note(figures, self.lesson)}"
        )


class Milestone:
    """The end of a lesson: a small network by the learner's own functions.

    Args:
        lesson: ``"01"``, ``"02"``, ``"05"`` or ``"07"``.

    Raises:
        ValueError: for another lesson; the message lists those that have one.

    Example:
        >>> Milestone("01").plan.title
        'pixel loss'
    """

    def __init__(self, lesson: str):
        if lesson not in PLANS:
            raise ValueError(
                f"Lesson {lesson!r} has no milestone; there are {', '.join(PLANS)}."
            )
        self.lesson, self.plan = lesson, PLANS[lesson]

    @property
    def steps(self) -> int:
        """Of the training, as ``SRLAB_BUDGET`` wants them."""
        return budget(quick=self.plan.quick, default=self.plan.default, full=self.plan.full)

    def __repr__(self) -> str:
        return (
            f"Milestone {self.lesson}, {self.plan.title}: it takes {self.plan.takes}. "
            f"{self.steps:,} steps of {self.plan.batch_size} crops, at most three minutes on "
            f"two cores."
        )

    def train(
        self,
        network: nn.Module | Callable[[], nn.Module],
        *,
        train: Callable[..., Iterator[Step]],
        loss: Loss,
        get_data: Callable[..., Batches] = get_data,
        finish: Finish | None = None,
        steps: int | None = None,
    ) -> Result:
        """Train a network, with a bar, then measure and keep what it reached.

        Args:
            network: lr -> sr at x4, or what makes one, such as ``SrResNet``.
            train: the learner's, as in ``srlab.training``; a simpler one
                without ``schedule`` and ``precision`` will do.
            loss: ``(sr, hr)`` -> named terms.
            get_data: the learner's, as in ``srlab.data``.
            finish: changes sr after the training, such as ``back_project``.
            steps: another number than the milestone's.

        Raises:
            ValueError: if the network does not enlarge four times.
            DivergedError: as ``srlab.training.train``.
        """
        device = pick_device()
        torch.manual_seed(0)
        model = place(network if isinstance(network, nn.Module) else network(), device)
        _require_enlarging(model, device)
        if isinstance(loss, nn.Module):
            place(loss, device)
        rate, steps = self.plan.learning_rate, self.steps if steps is None else steps
        pairs = get_data(self.plan.batch_size, (96 // SCALE, 96), device=device)
        options = {
            "schedule": cosine_schedule(rate),
            "precision": PRECISIONS[pick_precision(device)],
        }
        adam = Adam(model.parameters(), lr=rate)
        training = train(model, pairs, loss, adam, steps=steps, **_known(train, options))
        began = time.perf_counter()
        for step in (bar := tqdm(training, total=steps, unit="step")):
            if step.number % 20 == 0:
                bar.set_postfix_str(f"loss {step.loss:.4f}", refresh=False)
        seconds = time.perf_counter() - began
        return self._placed(model, finish, steps, seconds)

    def place(self, network: nn.Module, *, finish: Finish | None = None) -> Result:
        """Measure and keep a network that was trained elsewhere in the lesson.

        Raises:
            ValueError: if it does not enlarge four times.
        """
        device = pick_device()
        _require_enlarging(place(network, device), device)
        return self._placed(network, finish, 0, 0.0)

    def show(self, result: Result | None = None) -> None:
        """Show one's networks beside the shipped and the published ones.

        Args:
            result: of ``train`` or ``place``; None for what was kept.
        """
        kept = read_progress()[0].milestones
        if result:
            kept |= {result.lesson: result.reached}
        networks, known = shipped_scores(), published_leads()
        notes = {name: _note(on[TEST], self.lesson) for name, on in networks.items()}
        notes |= {
            name_of(lesson): _note(one.figures, self.lesson) for lesson, one in kept.items()
        }
        both = {name: (on[TEST]["lead"], on["Set5"]["lead"]) for name, on in networks.items()}
        own = {name_of(lesson): kept[lesson].lead for lesson in sorted(kept)}
        show_leads(own, both, known, notes=notes)
        if self.lesson in kept:
            words = where_it_stands(kept[self.lesson], both, known, lesson=self.lesson)
            print(words, QUICK) if self.steps == self.plan.quick else print(words)

    def _placed(
        self, network: nn.Module, finish: Finish | None, steps: int, seconds: float
    ) -> Result:
        """Measure, keep, and say if it could not be kept."""
        reached = Reached(
            figures=_measured(Whole(network, finish).eval()),
            bicubic=_measured(Bicubic(SCALE)),
            steps=steps,
            when=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if trouble := note_milestone(self.lesson, reached):
            print(trouble)
        return Result(self.lesson, network, reached, seconds)


class Whole(nn.Module):
    """A network that sees each picture as a whole, with what comes after it.

    It need say nothing of its reach.
    """

    reach, scale = math.inf, SCALE

    def __init__(self, network: nn.Module, finish: Finish | None = None):
        super().__init__()
        self.network, self.finish = network, finish

    def forward(self, lr: Tensor) -> Tensor:
        sr: Tensor = self.network(lr)
        return self.finish(sr, lr) if self.finish else sr


def name_of(lesson: str) -> str:
    """What a learner's network is called: ``your 01, pixel loss``."""
    return f"your {lesson}, {PLANS[lesson].title}" if lesson in PLANS else f"your {lesson}"


def shipped_scores() -> dict[str, dict[str, dict[str, float]]]:
    """What the networks' pages say: name -> pictures -> measure, with ``lead`` in dB.

    Example:
        >>> round(shipped_scores()["small-x4"]["Set5"]["lead"], 2)
        3.0
    """
    pages = sorted(SHIPPED.glob(f"*-x{SCALE}.md"))
    networks = {page.stem: _scores_of(page) for page in pages}
    return dict(sorted(networks.items(), key=lambda item: item[1][TEST]["psnr_y"]))


def _scores_of(page: Path) -> dict[str, dict[str, float]]:
    """The rows of the page's table of scores: a column each measure, bicubic first."""
    lines = page.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    (head,) = (row for row in rows if row[0] == "on")
    names = {measure.title: name for name, measure in MEASURES.items()}
    scores: dict[str, dict[str, float]] = {}
    for on, network, *cells in (row for row in rows if len(row) == len(head)):
        if network not in ("bicubic", page.stem):
            continue
        values = zip(head[2:], cells, strict=True)
        figures = {names[title]: float(cell.split()[0]) for title, cell in values}
        if network == "bicubic":
            base = figures["psnr_y"]
        else:
            scores[on] = figures | {"lead": figures["psnr_y"] - base}
    return scores


def published_leads() -> dict[str, float]:
    """Published networks with their years -> dB over bicubic on Set5, x4."""
    with (SHIPPED / "published.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        f"{row['name']} ({row['year']})": float(row["psnr_y"]) - float(row["bicubic"])
        for row in rows
    }


def where_it_stands(
    reached: Reached,
    networks: Mapping[str, tuple[float, float]],
    published: Mapping[str, float],
    *,
    lesson: str,
) -> str:
    """Where a network stands, in words.

    Set5 is not in the package, so what a network would lead by there is
    estimated: the median of what the shipped networks gain by the change.

    Args:
        reached: on the course's test photographs.
        networks: name -> leads in dB there and on Set5.
        published: name -> lead in dB on Set5.
        lesson: that tells it; a measure is told of from the lesson on that explains it.
    """
    figures, lead = reached.figures, reached.lead
    beside = (
        f"Its sharpness is {figures['sharpness']:.2f}, where bicubic has "
        f"{reached.bicubic['sharpness']:.2f} and the truth 1"
    )
    if lesson >= RIDGE_SINCE:
        beside += f"; its ridge is {figures['ridge']:.1f}, where the truth has 1"
    if lead <= 0:
        return f"By PSNR it stands {-lead:.2f} dB below bicubic. {beside}."
    times = statistics.median(there / here for here, there in networks.values())
    between = _between(times * lead, {"bicubic": 0.0, **published})
    return (
        f"By PSNR it stands {lead:.2f} dB above bicubic on the course's test photographs. "
        f"The shipped networks' lead is {times:.2f} times as large on Set5, so expect about "
        f"{times * lead:.1f} dB there: {between}. {beside}."
    )


def _between(lead: float, ladder: Mapping[str, float]) -> str:
    """``between bicubic and SRCNN (2014)``, or ``above`` the last."""
    lower = max((name for name in ladder if ladder[name] <= lead), key=ladder.__getitem__)
    higher = [name for name in ladder if ladder[name] > lead]
    if not higher:
        return f"above {lower}"
    return f"between {lower} and {min(higher, key=ladder.__getitem__)}"


def _note(figures: Mapping[str, float], lesson: str) -> str:
    """What is told of a network beside its lead, in this lesson."""
    ridge = f", ridge {figures['ridge']:.1f}" if lesson >= RIDGE_SINCE else ""
    return f"sharpness {figures['sharpness']:.2f}{ridge}"


def _measured(network: nn.Module) -> dict[str, float]:
    """What is shown of a milestone, by the published protocol: means over photographs."""
    rows = []
    for photo in load_photos("embedded", "test").values():
        scene = Scene(as_batch(photo), SCALE)
        sr = enlarge_in_tiles(network, scene.lr, scale=SCALE)
        rows.append(scene.judge(as_batch(sr), only=SHOWN))
    return {name: statistics.fmean(row[name] for row in rows) for name in SHOWN}


def _known(function: Callable[..., object], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a function takes."""
    taken = inspect.signature(function).parameters
    return {name: value for name, value in options.items() if name in taken}


def _require_enlarging(network: nn.Module, device: torch.device) -> None:
    """Raise unless 8 x 8 px become 32 x 32 px."""
    with evaluating(network), torch.no_grad():
        size = tuple(network(torch.zeros(1, 3, 8, 8, device=device)).shape)
    if size != (wanted := (1, 3, 8 * SCALE, 8 * SCALE)):
        raise ValueError(
            f"The network makes {size} of (1, 3, 8, 8), but a milestone enlarges {SCALE} times "
            f"and expects {wanted}; build it for scale {SCALE}."
        )
