"""TrainingLab: its view without a kernel, and a person who sets two losses side by side."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from srlab.data import get_data
from srlab.losses import WeightedLoss, l1_loss, l2_loss
from srlab.models import SrResNet
from srlab.widgets.training_lab import TrainingLab
from tests.browser.lab import LabPage, wait_until
from tests.browser.still import Still, drawn

pytestmark = pytest.mark.browser

LAB = """\
from srlab.data import get_data
from srlab.features import FeatureExtractor
from srlab.zoo import load_model
from srlab.losses import ContentLoss, WeightedLoss, l1_loss
from srlab.widgets.training_lab import TrainingLab
layers = {"relu2_2": 1.0, "relu3_3": 1.0}
every_layer = ContentLoss(FeatureExtractor(list(layers)), layers)
terms = {"pixel": l1_loss, "content": every_layer}
loss = WeightedLoss(terms, {"pixel": 1.0, "content": 0.05})
make, data = lambda: load_model("small-x4", 4), get_data(4, (16, 64))
lab = TrainingLab(make, data, loss=loss, learning_rate=1e-3)
lab"""
STATUS = ".srlab-training .status"


def small_lab(loss: WeightedLoss | None = None) -> TrainingLab:
    return TrainingLab(lambda: SrResNet(4, 8, 1), get_data(2, (12, 48)), loss=loss)


@pytest.fixture
def still(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Still]:
    monkeypatch.setenv("SRLAB_PRECISION", "fp32")  # spares the trial run
    yield from drawn(browser, small_lab())


def exact(still: Still, label: str) -> str:
    return still.page.get_by_label(f"{label}, exact").input_value()


# Without a kernel


def test_sliders_by_key_pointer_and_number(still: Still):
    mix = still.page.get_by_role("slider", name="L1 to L2")
    mix.press("ArrowRight")
    assert still.set == {"mix": 0.05}
    box = mix.bounding_box()
    still.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert still.set == {"mix": 1}
    still.page.get_by_label("learning rate, exact").fill("0.03")
    still.page.get_by_label("learning rate, exact").press("Enter")
    still.page.get_by_label("photograph").select_option("coffee-cup")
    assert still.set == {"mix": 1, "learning_rate": 0.03, "photograph": "coffee-cup"}


def test_buttons_press(still: Still):
    for name in ("Start", "Snapshot", "Set B beside it", "Reset"):
        still.page.get_by_role("button", name=name).click()
    assert [sent["press"] for sent in still.sent] == ["start", "snapshot", "fork", "reset"]


def test_each_number_on_the_page_is_python_s(still: Still):
    lab = still.widget
    lab.run_steps(2)
    lab.fork()
    lab.run_steps(2)
    still.follow()
    page, numbers = still.page, lab.numbers
    for name in ("A", "B", "bicubic"):
        cells = page.locator(f"[data-name=numbers] td[data-key={name}]").all_inner_texts()
        assert cells[:2] == [f"{numbers[name][key]:.2f}" for key in ("psnr", "sharpness")]
        caption = page.locator(f".tile[data-name={name}] figcaption span").inner_text()
        assert caption == f"{cells[0]} dB, sharpness {cells[1]}"
    for name in ("A", "B"):
        formula = page.locator(f"[data-name=formula-{name}]").inner_text()
        assert formula == f"loss of {name} = {numbers[name]['formula']}"
    assert page.locator(STATUS).get_attribute("data-step") == "4"
    assert lab.said in page.locator(f"{STATUS} .words").inner_text()
    assert (exact(still, "A: L1 to L2"), exact(still, "B: L1 to L2")) == ("0", "1")


def test_a_slider_of_b_sets_b_alone(still: Still):
    still.widget.fork()
    still.follow()
    still.page.get_by_role("slider", name="B: L1 to L2").press("Home")
    assert still.set == {"mix_b": 0}
    still.page.get_by_role("button", name="A alone").click()
    assert still.sent == [{"press": "drop"}]


def test_the_difference_is_at_first_that_of_a_and_b(still: Still):
    lab = still.widget
    lab.fork(mix=0.0)
    lab.run_steps(1)
    still.follow()
    still.page.get_by_role("button", name="Difference").click()
    still.page.wait_for_selector(".difference canvas")
    caption = still.page.locator(".difference figcaption")
    caption.get_by_text("mean 0.00, largest 0 of 255").wait_for()
    assert "|A − B|" in caption.inner_text(), "equal losses, equal pictures"
    lab.set("mix_b", 1.0)
    lab.run_steps(2)
    still.follow()
    a, b = ((lab.pictures()[name] * 255).round() for name in "AB")
    largest = (a - b).abs().max().int().item()
    assert largest > 0
    caption.get_by_text(f"largest {largest} of 255").wait_for()


def test_curves_of_both_have_their_colors(still: Still):
    still.widget.fork()
    still.widget.run_steps(1)
    still.follow()
    markers = still.page.locator("[data-name=psnr] .u-marker")
    markers.last.wait_for()
    colors = markers.evaluate_all("all => all.map(e => getComputedStyle(e).backgroundColor)")
    assert colors[-2:] == ["rgb(0, 114, 178)", "rgb(213, 94, 0)"]
    swatches = still.page.locator(".bench .slider .swatch")
    shown = swatches.evaluate_all("all => all.map(e => getComputedStyle(e).backgroundColor)")
    assert shown == colors[-2:]


def test_a_divergence_is_an_alert_with_a_way_back(still: Still):
    assert still.page.get_by_role("alert").count() == 0
    still.receive(diverged={"run": "B", "step": 91, "back": 80})
    assert "B diverged at step 91." in still.page.get_by_role("alert").inner_text()
    still.page.get_by_role("button", name="Back to step 80").press("Enter")
    assert still.sent == [{"press": "back"}]


@pytest.mark.parametrize("loss", [1e30, 123456.789, None])
def test_no_loss_overflows(still: Still, loss: float | None):
    numbers = {**still.widget.numbers, "A": {**still.widget.numbers["A"], "loss": loss}}
    still.receive(numbers=numbers, curves={"A loss": {"count": 1, "rows": [[1, loss]]}})
    cell = still.page.locator("[data-name=numbers] tr:nth-child(3) td[data-key=A]")
    assert cell.inner_text() == {1e30: "1e30", 123456.789: "123000"}.get(loss, "–")
    box = still.page.locator(".table-box")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth"), "nothing is cut off"


@pytest.mark.parametrize("width", [360, 390, 700, 1100, 1400, 1600])
def test_it_fits_any_page(still: Still, width: int):
    lab = still.widget
    lab.snapshot()
    lab.fork()
    still.follow()
    still.receive(diverged={"run": "B", "step": 91, "back": 80})
    still.must_fit(width)
    box = still.page.locator(".numbers .table-box")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth"), "nothing is cut off"
    if width >= 1100:
        tops = {tile.bounding_box()["y"] for tile in still.page.locator(".stage .frame").all()}
        assert len(tops) == 1, "four pictures side by side"
        assert still.page.evaluate("document.querySelector('.srlab').offsetHeight") <= 780


def test_weights_of_a_and_b_take_turns(browser: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SRLAB_PRECISION", "fp32")
    lab = small_lab(WeightedLoss({"pixel": l1_loss, "other": l2_loss}, {"pixel": 1.0}))
    lab.fork(other=2.0)
    for still in drawn(browser, lab):
        assert (exact(still, "B: pixel"), exact(still, "B: other")) == ("1", "2")
        still.page.locator("[data-name=of] input:checked").press("ArrowLeft")
        still.frame()
        assert (exact(still, "A: pixel"), exact(still, "A: other")) == ("1", "off")
        still.page.get_by_role("switch", name="A: pixel on").click()
        assert still.set == {"pixel": 0}


# In JupyterLab


def test_a_person_weighs_the_terms(lab: LabPage):
    lab.write("terms.ipynb", LAB)
    lab.open("terms.ipynb")
    lab.run_all(timeout=300)
    start_trains_and_sliders_act(lab)
    b_is_set_beside_it(lab)
    pause_freezes_it_and_reset_begins_anew(lab)
    assert lab.problems == []


def step(lab: LabPage) -> int:
    return int(lab.status(STATUS)["data-step"])


def enter(lab: LabPage, label: str, value: str) -> None:
    field = lab.page.get_by_label(f"{label}, exact", exact=True)
    field.fill(value)
    field.press("Enter")


def start_trains_and_sliders_act(lab: LabPage):
    picture = ".srlab-training [data-name=network] .plane"
    before = lab.picture_hash(picture)
    lab.click(".srlab-training [data-name=start]")
    lab.wait_for_status(STATUS, "data-state", "running", timeout=120)
    wait_until(lambda: step(lab) > 1, what="two steps", timeout=120)
    assert lab.picture_hash(picture) != before
    enter(lab, "content", "0.123")
    lab.wait_for_status(
        STATUS, "data-formula", "1 · pixel + 0.123 · content (1 relu2_2 + 1 relu3_3)"
    )
    lab.page.get_by_role("switch", name="relu2_2 on").click()
    lab.wait_for_status(STATUS, "data-formula", "1 · pixel + 0.123 · content (1 relu3_3)")
    assert lab.ask("print(every_layer.layer_weights['relu2_2'])") == "0.0"
    assert lab.status(STATUS)["data-state"] == "running", "sliders stop nothing"


def b_is_set_beside_it(lab: LabPage):
    lab.page.get_by_role("button", name="Set B beside it").click()
    wait_until(lambda: lab.page.locator(".tile[data-name=B]").count() == 1, what="B's picture")
    enter(lab, "B: content", "2")
    formula = lab.page.locator("[data-name=formula-B]")
    wait_until(lambda: "2 · content" in formula.inner_text(), what="B's weight", timeout=60)
    assert lab.ask("print(lab.bench.loss.weights['content'], lab.content_b)") == "0.123 2.0"


def pause_freezes_it_and_reset_begins_anew(lab: LabPage):
    lab.click(".srlab-training [data-name=pause]")
    lab.wait_for_status(STATUS, "data-state", "paused")
    frozen = step(lab)
    time.sleep(1)
    assert step(lab) == frozen
    assert lab.ask("print(lab.bench.done)") == str(frozen)
    lab.click(".srlab-training [data-name=reset]")
    lab.wait_for_status(STATUS, "data-step", "0")
    assert lab.ask("print(lab.figures.step, lab.figures_b.step, lab.bench.step)") == "0 0 None"
