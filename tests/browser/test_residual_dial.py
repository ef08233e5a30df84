"""ResidualDial: its view without a kernel, and a person with it in JupyterLab."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from srlab.data import get_data
from srlab.widgets.residual_dial import ResidualDial
from tests.browser.lab import LabPage, wait_until
from tests.browser.still import Still, drawn

pytestmark = pytest.mark.browser

DIAL = """\
from srlab.data import get_data
from srlab.widgets.residual_dial import ResidualDial
dial = ResidualDial(get_data(2, (12, 48)), num_features=8)
dial"""
STATUS = ".srlab-dial .status"
KINDS = ("plain", "fixed", "learned", "gates")


# Without a kernel


@pytest.fixture(scope="module")
def dial() -> ResidualDial:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRLAB_PRECISION", "fp32")  # spares the trial run
        dial = ResidualDial(get_data(2, (12, 48)), num_features=8)
        dial.choose(depth=3)
        dial.run_steps(2)
    return dial


@pytest.fixture
def still(browser: Browser, dial: ResidualDial) -> Iterator[Still]:
    dial.choose(kind="fixed", weight=0.5, depth=3, init="pytorch")
    yield from drawn(browser, dial)


def figure(still: Still, name: str) -> str:
    return still.page.locator(f".figure[data-name={name}] dd").inner_text()


@pytest.mark.parametrize(
    ("name", "by_key", "text", "by_pointer"),
    [("kind", "learned", "gates", "gates"), ("init", "he", "PyTorch’s", "pytorch")],
)
def test_choices(still: Still, name: str, by_key: str, text: str, by_pointer: str):
    choice = still.page.locator(f"[data-name={name}]")
    choice.locator("input:checked").press("ArrowRight")
    assert still.set == {name: by_key}
    choice.get_by_text(text, exact=True).click()
    assert still.set == {name: by_pointer}


@pytest.mark.parametrize(("name", "most", "typed"), [("weight", 2, 0.75), ("depth", 64, 17)])
def test_sliders_by_key_by_pointer_and_typed(
    still: Still, name: str, most: float, typed: float
):
    track = still.page.get_by_label(name, exact=True)
    track.press("End")
    assert still.set == {name: most}
    box = track.bounding_box()
    assert box is not None
    still.page.mouse.click(box["x"] + 1, box["y"] + box["height"] / 2)
    assert still.set[name] <= 1
    number = still.page.get_by_label(f"{name}, exact")
    number.fill(f"{typed}")
    number.press("Enter")
    assert still.set == {name: typed}


@pytest.mark.parametrize(
    ("kind", "words"),
    [("plain", "1 in every block"), ("learned", "0 in every block"), ("gates", "0 to 1")],
)
def test_no_slider_contradicts_a_weight_that_is_not_a_persons(
    still: Still, kind: str, words: str
):
    assert still.page.locator("[data-name=weight]").count() == 1
    still.widget.choose(kind=kind, weight=2)
    still.follow()
    assert still.page.locator("[data-name=weight]").count() == 0
    assert words in still.page.locator("[data-name=no-weight]").inner_text()


def test_every_number_of_the_dial_is_the_readings(still: Still):
    reading = still.widget.reading
    assert figure(still, "growth").split()[:2] == ["×", f"{reading.growth:.3g}"]
    assert figure(still, "theory").split() == ["×", f"{reading.expected_growth:.3g}"]
    assert f"{reading.gradient_ratio:.3g}" in figure(still, "ratio")
    assert (
        still.page.locator("[data-name=title]").inner_text()
        == f"Before training: {reading.title()}"
    )
    still.page.locator("summary").press("Enter")
    cells = still.page.locator("[data-name=blocks] tbody tr")
    assert cells.count() == 3
    for number, spread in enumerate(reading.spread):
        shown = float(cells.nth(number).locator("td").first.inner_text())
        assert shown == pytest.approx(spread, rel=0.01)


def test_a_gradient_that_no_float_holds_is_told(still: Still):
    still.widget.choose(weight=2, depth=64, init="he")
    still.follow()
    assert "larger than a float32 can be" in figure(still, "ratio")


def test_bars_of_64_blocks_are_read_one_by_one(still: Still):
    reading = still.widget.choose(weight=2, depth=64)
    still.follow()
    chart = still.page.locator("[data-name=spread]")
    assert "(log scale)" in chart.inner_text()
    assert chart.get_attribute("aria-label").endswith(f"× {reading.growth:.3g}.")
    plot = chart.locator(".u-over")
    box = plot.bounding_box()
    assert box is not None
    assert box["width"] / 64 > 4, "px of a bar"
    plot.hover(position={"x": box["width"] * 19.5 / 64, "y": 40})
    still.frame()
    legend = "".join(chart.locator(".legend").inner_text().split())
    assert legend.startswith(f"block20spread{reading.spread[19]:.4g}theory")


def test_the_race_in_a_table(still: Still):
    standings = still.widget.standings()
    rows = still.page.locator("[data-name=race] tbody tr")
    for number, kind in enumerate(KINDS):
        row = rows.nth(number).inner_text().split()
        assert row[0] == kind
        assert {"2", f"{standings[kind].loss:.4f}", f"{standings[kind].psnr:.2f}"} <= set(row)
    assert still.page.locator(".status .words").inner_text() == still.widget.race_now["said"]
    note = "dropped out after step 2: its loss is no number any more"
    changed = [{**row, "note": note} for row in still.widget.race_now["rows"]]
    still.receive(race_now={**still.widget.race_now, "rows": changed})
    assert note in rows.first.inner_text()


def test_each_kind_has_its_color(still: Still):
    swatches = still.page.locator("table[data-name=race] .swatch").all()
    colors = [each.evaluate("e => getComputedStyle(e).backgroundColor") for each in swatches]
    okabe_ito = [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167)]
    assert colors == [f"rgb({red}, {green}, {blue})" for red, green, blue in okabe_ito]


def test_without_a_race_there_is_no_table(still: Still):
    still.receive(race_now={}, step=0)
    assert still.page.locator("[data-name=race]").count() == 0
    assert (
        still.page.locator(".status .words").inner_text()
        == "not started; it will have 3 blocks"
    )


def test_an_older_message_does_not_undo_a_later_one(still: Still):
    old = dict(still.widget.numbers)
    new = still.widget.choose(weight=2).growth
    still.receive(numbers=old)
    still.follow()
    assert figure(still, "growth").split()[1] == f"{new:.3g}" != f"{old['growth']:.3g}"


@pytest.mark.parametrize("width", [360, 700, 1100, 1600])
def test_it_fits_any_page(still: Still, width: int):
    still.must_fit(width)


# In JupyterLab


def test_a_person_turns_the_dial_and_runs_the_race(lab: LabPage):
    lab.write("residual_dial.ipynb", DIAL)
    lab.open("residual_dial.ipynb")
    lab.run_all(timeout=180)
    the_dial_answers_to_each_control(lab)
    the_race_runs_and_obeys_the_slider(lab)
    pause_freezes_it_and_reset_takes_the_depth_anew(lab)
    assert lab.problems == []


def number(lab: LabPage, name: str) -> float:
    return float(lab.status(STATUS)[f"data-{name}"])


def psnrs(lab: LabPage) -> dict[str, str]:
    status = lab.status(STATUS)
    return {kind: status.get(f"data-psnr-{kind}", "") for kind in KINDS}


def the_dial_answers_to_each_control(lab: LabPage):
    spread = number(lab, "spread-last")
    lab.page.locator(".srlab [data-name=weight] input[type=range]").press("End")
    wait_until(lambda: number(lab, "spread-last") > spread, what="a larger spread")
    lab.page.locator(".srlab [data-name=init]").get_by_text("He’s").click()
    wait_until(lambda: lab.ask("print(dial.reading.init)") == "he", what="He's start")
    shown = lab.ask("print(dial.reading.spread[-1], dial.reading.gradient[0])").split()
    wait_until(lambda: number(lab, "spread-last") == float(shown[0]), what="the page to follow")
    assert number(lab, "gradient-first") == float(shown[1])
    lab.page.locator(".srlab [data-name=init]").get_by_text("PyTorch’s").click()
    exact = lab.page.get_by_label("depth, exact")
    exact.fill("4")
    exact.press("Enter")
    wait_until(
        lambda: lab.ask("print(dial.reading.title())").endswith(" 4 blocks"), what="4 blocks"
    )
    assert number(lab, "step") == 0, "the dial trains nothing"


def the_race_runs_and_obeys_the_slider(lab: LabPage):
    lab.click(".srlab-dial [data-name=start]")
    # The first race of a kernel makes its optimizers, for which torch loads much.
    lab.wait_for_status(STATUS, "data-state", "running", timeout=120)
    first = psnrs(lab)
    wait_until(lambda: number(lab, "step") > 5, what="five rounds", timeout=60)
    wait_until(
        lambda: all(now != first[kind] for kind, now in psnrs(lab).items()),
        what=lambda: f"all four to move on from {first}; they are at {psnrs(lab)}",
    )
    lab.page.locator(".srlab [data-name=weight] input[type=range]").press("Home")
    in_kernel = "print(dial.race.racers['fixed'].bench.model.body[0].weight.value)"
    wait_until(lambda: float(lab.ask(in_kernel)) == 0, what="the race to obey the slider")
    assert lab.status(STATUS)["data-state"] == "running", "the slider stops nothing"


def pause_freezes_it_and_reset_takes_the_depth_anew(lab: LabPage):
    lab.click(".srlab-dial [data-name=pause]")
    lab.wait_for_status(STATUS, "data-state", "paused")
    frozen = number(lab, "step"), psnrs(lab)
    time.sleep(1)
    assert (number(lab, "step"), psnrs(lab)) == frozen
    in_kernel = "print({k: f'{s.psnr}' for k, s in dial.standings().items()})"
    assert lab.ask(in_kernel) == f"{frozen[1]}"
    exact = lab.page.get_by_label("depth, exact")
    exact.fill("3")
    exact.press("Enter")
    lab.wait_for_status(STATUS, "data-depth", "3")
    assert lab.status(STATUS)["data-race-depth"] == "4", "the race keeps its own"
    lab.click(".srlab-dial [data-name=reset]")
    lab.wait_for_status(STATUS, "data-state", "ready")
    assert number(lab, "step") == 0
    assert lab.status(STATUS)["data-race-depth"] == ""
