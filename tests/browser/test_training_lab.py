"""TrainingLab in JupyterLab, as lesson 02 has it: each term of the loss is steered."""

import time

import pytest

from tests.browser.lab import LabPage, wait_until

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

TRAINING = ".srlab-training-lab"
NUMBERS = f"{TRAINING} .srlab-numbers"
MAP, PREVIEW = f"{TRAINING} .srlab-map", f"{TRAINING} .srlab-preview"


def test_a_person_weighs_the_terms(lab: LabPage):
    lab.write("terms.ipynb", LAB)
    lab.open("terms.ipynb")
    lab.run_all(timeout=300)
    the_widget_is_shown(lab)
    before = lab.status(NUMBERS), lab.picture_hash(MAP)
    start_draws_the_way_on_the_map(lab)
    sliders_act_on_the_running_training(lab)
    pause_freezes_it(lab)
    reset_gives_the_pixel_network(lab, *before)
    assert lab.problems == []


def step(lab: LabPage) -> int:
    return int(lab.status(NUMBERS)["data-step"])


def terms(lab: LabPage) -> str:
    """What the last step of the training added up."""
    return lab.ask("print(*sorted(lab.bench.terms()))")


def content_weight(lab: LabPage) -> str:
    return lab.ask("print(f\"{lab.bench.loss.weights['content']:g}\")")


def the_widget_is_shown(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    assert lab.page.locator(TRAINING).count() == 1


def start_draws_the_way_on_the_map(lab: LabPage):
    assert step(lab) == 0
    lab.enter(f"{TRAINING} .srlab-pixel", 1)
    lab.wait_for_status(NUMBERS, "data-w-pixel", "1")
    here = lab.picture_hash(MAP)
    lab.click(f"{TRAINING} .srlab-start")
    lab.wait_for_status(NUMBERS, "data-state", "running", timeout=60)
    wait_until(lambda: step(lab) > 1, what="two steps", timeout=60)
    lab.wait_for_new_picture(MAP, here)
    assert terms(lab) == "content pixel"


def sliders_act_on_the_running_training(lab: LabPage):
    assert lab.status(NUMBERS)["data-w-content"] == "0.05"
    lab.press(f"{TRAINING} .srlab-content", "ArrowRight", times=2)
    louder = "0.0631"  # two steps of a twentieth of a power of ten
    wait_until(
        lambda: f"{float(lab.status(NUMBERS)['data-w-content']):.3g}" == louder,
        what=lambda: f"a weight of {louder}; the status is {lab.status(NUMBERS)}",
    )
    assert content_weight(lab) == lab.status(NUMBERS)["data-w-content"]

    lab.drag(f"{TRAINING} .srlab-content", to=0)
    lab.wait_for_status(NUMBERS, "data-w-content", "0")
    wait_until(lambda: terms(lab) == "pixel", what="a step without the content loss")

    lab.enter(f"{TRAINING} .srlab-content", 0.123)
    lab.wait_for_status(NUMBERS, "data-w-content", "0.123")
    assert content_weight(lab) == "0.123"
    wait_until(lambda: terms(lab) == "content pixel", what="a step with both terms")

    lab.enter(f"{TRAINING} .srlab-relu2-2", 0.5)
    lab.wait_for_status(NUMBERS, "data-w-relu2_2", "0.5")
    assert lab.ask("print(every_layer.layer_weights['relu2_2'])") == "0.5"
    assert lab.status(NUMBERS)["data-state"] == "running", "sliders stop nothing"


def pause_freezes_it(lab: LabPage):
    lab.click(f"{TRAINING} .srlab-pause")
    lab.wait_for_status(NUMBERS, "data-state", "paused")
    frozen = step(lab), lab.picture_hash(PREVIEW), lab.picture_hash(MAP)
    time.sleep(1)
    assert (step(lab), lab.picture_hash(PREVIEW), lab.picture_hash(MAP)) == frozen
    assert lab.ask("print(lab.bench.step.number)") == str(frozen[0])


def reset_gives_the_pixel_network(lab: LabPage, start: dict[str, str], drawn: str):
    trained = lab.picture_hash(MAP)
    assert lab.status(NUMBERS)["data-psnr"] != start["data-psnr"]
    lab.click(f"{TRAINING} .srlab-reset")
    lab.wait_for_status(NUMBERS, "data-step", "0")
    assert lab.status(NUMBERS)["data-psnr"] == start["data-psnr"]
    assert lab.wait_for_new_picture(MAP, trained) == drawn, "the way is gone from the map"
    assert lab.ask("print(lab.figures.step, lab.bench.step)") == "0 None"
