"""Lesson 06 in JupyterLab: what the UNet's skips carry, once it has run."""

import pytest

from tests.browser.lab import LabPage

pytestmark = pytest.mark.browser

LESSON = "06_unet.ipynb"
EXPLORER, STATUS = ".srlab-skip-explorer", ".srlab-skip-status"
NOW, CARRIED, UNET = ".srlab-skips-now", ".srlab-skips-carried", ".srlab-unet"


def test_a_person_mutes_the_skips_of_the_unet_that_was_trained(lab: LabPage):
    lab.open(LESSON)
    lab.run_all(timeout=480)
    the_explorer_is_shown_as_the_lesson_left_it(lab)
    muting_skip_1_shows_what_it_carried(lab)
    without_skips_only_the_small_maps_are_left(lab)
    all_as_trained_is_one_key(lab)
    every_picture_says_what_it_shows(lab)
    assert lab.problems == []


def change(lab: LabPage) -> float:
    return float(lab.status(STATUS)["data-psnr-change"])


def the_explorer_is_shown_as_the_lesson_left_it(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(EXPLORER).count() == 1
    gains = [lab.status(STATUS)[f"data-gain-{number}"] for number in (1, 2)]
    assert gains == ["1.00", "1.00"], "the lesson's last line puts them back"
    assert change(lab) == 0


def muting_skip_1_shows_what_it_carried(lab: LabPage):
    before = [lab.picture_hash(css) for css in (NOW, CARRIED, UNET)]
    lab.find(".srlab-mute-1").focus()
    lab.page.keyboard.press("Enter")
    lab.wait_for_status(STATUS, "data-gain-1", "0.00")
    for css, picture in zip((NOW, CARRIED, UNET), before, strict=True):
        lab.wait_for_new_picture(css, picture)
    assert change(lab) != 0
    assert lab.ask("print(f'{explorer.changes[\"psnr\"]:.4f}')") == f"{change(lab):.4f}"


def without_skips_only_the_small_maps_are_left(lab: LabPage):
    lab.enter(".srlab-skip-2", 0)
    lab.wait_for_status(STATUS, "data-gain-2", "0.00")
    assert lab.ask("print(networks['UNet'].gains)") == "[1.0, 1.0]", "it is only looked at"
    now = lab.ask('print(f\'{explorer.figures["now"]["psnr"]:.4f}\')')
    assert lab.status(STATUS)["data-psnr"] == now


def all_as_trained_is_one_key(lab: LabPage):
    lab.find(".srlab-restore-all").focus()
    lab.page.keyboard.press("Enter")
    lab.wait_for_status(STATUS, "data-gain-1", "1.00")
    lab.wait_for_status(STATUS, "data-gain-2", "1.00")
    assert change(lab) == 0


def every_picture_says_what_it_shows(lab: LabPage):
    pictures = lab.page.locator(f"{EXPLORER} img")
    assert pictures.count() >= 5
    assert all(picture.get_attribute("alt") for picture in pictures.all())
