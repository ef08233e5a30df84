"""A build's card and a guess: by keyboard and pointer, without a kernel."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from srlab.checks.core import Verdict
from srlab.widgets.build import BuildCard
from srlab.widgets.guess import Guess
from srlab.widgets.kit.lab import Lab
from tests.browser.lab import browser_page
from tests.browser.still import Still

pytestmark = pytest.mark.browser

Draw = Callable[[Lab], Still]

SOURCE = "class Block(nn.Module):\n    def forward(self, x):\n        return x + self.conv(x)"
HELP = (("nudge", "Where does the ReLU stand?"), ("next", "Change something."))
OPEN = Verdict(False, "4 features", "0.5, 0.25", "0.5, <b>0</b>", help=HELP)
CHOICES = ["a clean edge", "the gray ramp", "a checkerboard"]


@pytest.fixture
def draw(browser: Browser) -> Iterator[Draw]:
    with browser_page(browser) as page:
        drawn: list[Still] = []

        def drawn_on(lab: Lab) -> Still:
            drawn.append(Still(page, lab))
            return drawn[-1]

        yield drawn_on
        assert [still.problems for still in drawn] == [[]]


def card(verdict: Verdict) -> BuildCard:
    return BuildCard("01/block", "Block", verdict, SOURCE)


def guess() -> Guess:
    return Guess("01/edge", "Which single answer costs least on average?", CHOICES)


def test_a_card_says_what_the_check_found(draw: Draw):
    page = draw(card(OPEN)).page
    headline = "Not built yet. Until it is, the lesson uses srlab's own Block."
    assert page.locator("[data-name=headline]").inner_text() == headline
    assert page.locator("dt").all_inner_texts() == [
        "case", "expected", "got", "nudge", "next",
    ]  # fmt: skip
    assert page.locator("dd[data-name=got] code").inner_text() == "0.5, <b>0</b>"
    assert page.locator("dd[data-name=nudge] code").count() == 0, "words are no code"


def test_a_right_build_offers_to_compare(draw: Draw):
    page = draw(card(Verdict(True))).page
    assert page.locator("[data-name=headline]").inner_text().startswith("✓ Done. From here on")
    assert page.locator("summary").inner_text() == "Compare with srlab's"
    border = "each => getComputedStyle(each).borderLeftColor"
    assert page.locator("[data-name=card]").evaluate(border) == "rgb(0, 158, 115)"


@pytest.mark.parametrize("by_key", [True, False])
def test_taking_srlabs_own_is_told(draw: Draw, by_key: bool):
    still = draw(card(OPEN))
    summary = still.page.locator("summary")
    assert not still.page.locator("pre").is_visible()
    summary.press("Enter") if by_key else summary.click()
    still.frame()
    assert still.page.locator("pre").inner_text() == SOURCE
    assert still.set == {"taken": True}


def test_a_card_that_is_drawn_anew_stays_unfolded(draw: Draw):
    widget = card(OPEN)
    widget.taken = True
    assert draw(widget).page.locator("pre").is_visible()


@pytest.mark.parametrize("by_key", [True, False])
def test_a_choice_is_guessed(draw: Draw, by_key: bool):
    still = draw(guess())
    first = still.page.locator("input").first
    if by_key:
        first.focus()
        still.page.keyboard.press("ArrowDown")
    else:
        still.page.get_by_text("the gray ramp").click()
    assert still.set == {"guess": "the gray ramp"}
    assert still.page.get_by_role("status").inner_text() == "Kept. Now run the next cell."


def test_a_number_is_guessed(draw: Draw):
    still = draw(Guess("00/psnr", "How many decibels?", unit="dB"))
    field = still.page.locator("[data-name=number]")
    field.fill("12,5")
    field.press("Tab")
    assert still.set == {"guess": "12.5"}, "a comma is as good"
    assert "dB" in still.page.locator("label").inner_text()


def test_a_guess_that_was_kept_is_shown(draw: Draw):
    guess().guess = CHOICES[2]
    page = draw(guess()).page
    checked = page.locator("input:checked")
    assert checked.evaluate("each => each.value") == CHOICES[2]
