"""What holds for every lab: it fits every page, axe finds nothing grave, errors are alerts.

And in JupyterLab: a key on the page moves Python, and the page follows.
"""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from srlab.checks.core import Verdict
from srlab.files import ASSETS
from srlab.unet import UNet
from srlab.widgets.build import BuildCard
from srlab.widgets.checkerboard_lab import CheckerboardLab
from srlab.widgets.class_board import ClassBoard
from srlab.widgets.edges import Edges
from srlab.widgets.feature_explorer import FeatureExplorer
from srlab.widgets.guess import Guess
from srlab.widgets.kit.lab import Lab
from srlab.widgets.metric_lab import MetricLab
from srlab.widgets.photo_desk import PhotoDesk
from srlab.widgets.quiz import Quiz
from srlab.widgets.residual_dial import ResidualDial
from srlab.widgets.skip_explorer import SkipExplorer
from srlab.widgets.training_lab import TrainingLab
from tests.browser.axe import grave_violations_on
from tests.browser.lab import LabPage, browser_page, wait_until
from tests.browser.still import Still, control

pytestmark = pytest.mark.browser

WIDTHS = (360, 390, 700, 1100, 1400, 1600)
TIGHT = ".srlab-photo_desk .panel, .desk, .answer, .reason, .cell"
WHOLE = "all => all.every(each => each.scrollWidth <= each.clientWidth + 1)"


def a_pair() -> FeatureExplorer:
    explorer = FeatureExplorer()
    explorer.choose(mode="pair")
    return explorer


def all_figures() -> MetricLab:
    lab = MetricLab()
    lab.reveal()
    return lab


def an_answer() -> Quiz:
    quiz = Quiz("03")
    quiz.choose(1, "A")
    return quiz


def taken() -> BuildCard:
    verdict = Verdict(False, "4 features", "0.5, 0.25", "0.5, 0", help=(("next", "Change."),))
    card = BuildCard("01/block", "Block", verdict, "class Block(nn.Module):\n    pass")
    card.taken = True
    return card


LABS: dict[str, Callable[[], Lab]] = {
    "build": taken,
    "checkerboard": CheckerboardLab,
    "board": lambda: ClassBoard([ASSETS / "cards" / "unet-x4.json"]),
    "edges": Edges,
    "features, one": FeatureExplorer,
    "features, a pair": a_pair,
    "guess": lambda: Guess("01/edge", "Which costs least?", ["a clean edge", "a ramp"]),
    "metric": all_figures,
    "photo desk": lambda: PhotoDesk("small-x4"),
    "quiz": an_answer,
    "skips": lambda: SkipExplorer(UNet(2, num_features=4, depth=3)),
}


@pytest.mark.parametrize("make", LABS.values(), ids=LABS)
def test_it_fits_any_page(browser: Browser, make: Callable[[], Lab]) -> None:
    with browser_page(browser) as page:
        still = Still(page, make())
        for width in WIDTHS:
            still.resize(width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator(TIGHT).evaluate_all(WHOLE), width
            assert grave_violations_on(page) == [], width


ONE_SCREEN = ("checkerboard", "photo desk", "skips")


@pytest.mark.parametrize("name", ONE_SCREEN)
def test_all_of_it_is_on_one_screen(browser: Browser, name: str) -> None:
    with browser_page(browser) as page:
        Still(page, LABS[name]()).resize(1400)
        assert page.evaluate("document.querySelector('.srlab').offsetHeight") <= 780


@pytest.mark.parametrize("name", [name for name in LABS if "features" not in name])
def test_what_went_wrong_is_an_alert_and_markup_is_text(browser: Browser, name: str) -> None:
    with browser_page(browser) as page:
        Still(page, LABS[name]()).receive(error="<b>a</b> is damaged")
        words = page.get_by_role("alert").all_inner_texts()
        assert any("<b>a</b> is damaged" in each for each in words)


@pytest.mark.parametrize("make", [CheckerboardLab, ResidualDial, TrainingLab])
def test_start_pause_and_reset(browser: Browser, make: Callable[[], Lab]) -> None:
    with browser_page(browser) as page:
        still = Still(page, make())
        page.get_by_role("button", name="Start").click()
        still.receive(state="running")
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Reset").click()
        assert [sent["press"] for sent in still.sent] == ["start", "pause", "reset"]


# What to make; the control and a key; where the page tells a number, and Python's.
IN_JUPYTERLAB = [
    ("checkerboard_lab", "CheckerboardLab", "init", "ArrowRight", ".status", "measure",
     "lab.reading.measure"),
    ("feature_explorer", "FeatureExplorer", "channel", "End", "[data-name=reading]", "mean",
     "lab.reading.mean"),
    ("metric_lab", "MetricLab", "shave", "End", ".figures", "psnr", "lab.reading.psnr"),
    ("skip_explorer", "SkipExplorer", "gain_1", "Home", ".status", "psnr-change",
     "lab.changes['psnr']"),
]  # fmt: skip


@pytest.mark.parametrize("case", IN_JUPYTERLAB, ids=[case[0] for case in IN_JUPYTERLAB])
def test_a_key_moves_python_and_the_page_follows(lab: LabPage, case: tuple[str, ...]) -> None:
    module, name, setting, key, css, told, asked = case
    lab.write("lab.ipynb", f"from srlab.widgets.{module} import {name}\nlab = {name}()\nlab")
    lab.open("lab.ipynb")
    lab.run_all(timeout=180)

    def shown() -> float:
        return float(lab.status(f".srlab {css}")[f"data-{told}"])

    cells, before = len(lab.cells()), shown()
    value = lab.ask(f"print(repr(lab.{setting}))")
    control(lab.page, setting).press(key)
    wait_until(lambda: shown() != before, what="the page to follow")
    assert shown() == pytest.approx(float(lab.ask(f"print({asked})")), abs=0.005)
    lab.ask(f"lab.{setting} = {value}")
    wait_until(lambda: shown() == before, what="the page to follow Python")
    assert len(lab.cells()) == cells, "no key reached JupyterLab"
    assert lab.problems == []
