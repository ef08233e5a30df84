"""SkipExplorer in JupyterLab: mute a skip by keyboard and by mouse, and see it."""

import pytest

from tests.browser.lab import LabPage

pytestmark = pytest.mark.browser

EXPLORER = """\
import torch
from srlab.losses import pixel_loss
from srlab.training import train
from srlab.unet import UNet
from srlab.widgets.skip_explorer import SkipExplorer
from srlab.scoring import Scene
from srlab.widgets.skip_reading import embedded_views
torch.manual_seed(0)
model, scene = UNet(2, num_features=8), Scene(embedded_views()["raccoon-face"], 2)
class Repeated:
    def __getitem__(self, _):
        return scene.lr, scene.hr
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
for _ in train(model, Repeated(), pixel_loss(), optimizer, steps=60):
    pass
explorer = SkipExplorer(model)
explorer"""

STATUS = ".srlab-skip-status"
NOW, CARRIED, UNET = ".srlab-skips-now", ".srlab-skips-carried", ".srlab-unet"


def test_a_person_mutes_skips(lab: LabPage):
    lab.page.set_viewport_size({"width": 1100, "height": 1300})
    lab.write("skips.ipynb", EXPLORER)
    lab.open("skips.ipynb")
    lab.run_all()
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    every_control_and_picture_has_words(lab)
    a_slider_by_keyboard(lab)
    a_button_mutes_and_restores(lab)
    another_photograph(lab)
    all_as_trained(lab)
    assert lab.problems == []


def change(lab: LabPage) -> float:
    return float(lab.status(STATUS)["data-psnr-change"])


def every_control_and_picture_has_words(lab: LabPage):
    assert lab.page.get_by_label("Photograph", exact=True).is_visible()
    for name in ("Mute skip 1", "Mute skip 2", "All as trained"):
        assert lab.page.get_by_role("button", name=name).is_visible()
    pictures = lab.page.locator(".srlab-skip-explorer img >> visible=true")
    assert pictures.count() == 5
    assert all(picture.get_attribute("alt") for picture in pictures.all())


def a_slider_by_keyboard(lab: LabPage):
    now, carried, drawn = (lab.picture_hash(css) for css in (NOW, CARRIED, UNET))
    assert change(lab) == 0
    lab.press(".srlab-skip-1", "ArrowLeft", times=2)
    lab.wait_for_status(STATUS, "data-gain-1", "0.90")
    lab.wait_for_new_picture(NOW, now)
    lab.wait_for_new_picture(CARRIED, carried)
    lab.wait_for_new_picture(UNET, drawn)
    slight = change(lab)
    lab.enter(".srlab-skip-1", 0)
    lab.wait_for_status(STATUS, "data-gain-1", "0.00")
    assert change(lab) < min(slight, -0.1)
    assert lab.ask("print(f'{explorer.changes[\"psnr\"]:.4f}')") == f"{change(lab):.4f}"


def a_button_mutes_and_restores(lab: LabPage):
    drawn = lab.picture_hash(UNET)
    lab.click(".srlab-mute-2")
    lab.wait_for_status(STATUS, "data-gain-2", "0.00")
    assert lab.readout(".srlab-skip-2") == 0
    lab.wait_for_new_picture(UNET, drawn)
    assert lab.page.get_by_role("button", name="Restore skip 2").is_visible()
    lab.find(".srlab-mute-2").focus()
    lab.page.keyboard.press("Enter")
    lab.wait_for_status(STATUS, "data-gain-2", "1.00")
    assert lab.page.get_by_role("button", name="Mute skip 2").is_visible()


def another_photograph(lab: LabPage):
    now = lab.picture_hash(NOW)
    lab.choose(".srlab-photograph", "ArrowDown")
    lab.wait_for_status(STATUS, "data-photograph", "coffee-cup")
    lab.wait_for_new_picture(NOW, now)
    assert lab.status(STATUS)["data-gain-1"] == "0.00", "the skips stay as they are"


def all_as_trained(lab: LabPage):
    lab.click(".srlab-restore-all")
    lab.wait_for_status(STATUS, "data-gain-1", "1.00")
    assert lab.readout(".srlab-skip-1") == 1
    assert change(lab) == 0
