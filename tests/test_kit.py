"""The kit: a lab's traits and messages, its curves, and the bundle of its views."""

import json
import os
import threading
from typing import Any

import pytest
from ipywidgets import FloatSlider, HBox, link
from traitlets import Dict, Float, Int, TraitError

from srlab.widgets.kit.lab import CURVE_LIMIT, Lab, finite
from srlab.widgets.kit.live_lab import LiveLab
from tests import kit


class Small(Lab):
    """A lab with one setting, that notes what it is told."""

    content = Float(0.1, min=0, max=100).tag(sync=True, setting=True)
    psnr = Float().tag(sync=True)
    network = Dict().tag(sync=True)

    def __init__(self, **traits: Any):
        self.told: list[tuple[str, Any]] = []
        super().__init__(**traits)
        self.sent: list[dict[str, Any]] = []
        self._send = lambda message, buffers=None: self.sent.append(message)  # noqa: ARG005

    def changed(self, name: str, value: Any) -> None:
        self.told.append((name, value))

    def summary(self) -> str:
        return f"Small: {self.psnr:.2f} dB"


@pytest.fixture
def lab() -> Small:
    return Small()


# Settings and messages


def test_whoever_moves_a_setting_is_heard(lab: Small):
    lab.content = 0.5
    lab.set_state({"content": 2.0})
    assert lab.told == [("content", 0.5), ("content", 2.0)]


def test_what_a_lab_tells_of_itself_comes_not_back(lab: Small):
    lab.tell(content=0.5, psnr=26.5)
    assert (lab.content, lab.told) == (0.5, [])
    lab.content = 0.6
    assert lab.told == [("content", 0.6)]


def test_another_thread_is_heard_while_a_lab_tells(lab: Small):
    """A hand that moves at this very moment must not be lost."""
    moved = threading.Event()

    def move(_: Any) -> None:
        thread = threading.Thread(target=lambda: (setattr(lab, "content", 7.0), moved.set()))
        thread.start()
        assert not moved.wait(0.05), "it waits until all is told"

    lab.observe(move, "psnr")
    lab.tell(psnr=1.0)
    assert moved.wait(5)
    assert lab.told == [("content", 7.0)]


def test_a_moment_is_one_message(lab: Small):
    lab.add("run", 1, 0.5)
    lab.tell(psnr=26.5, content=0.2, network={"data": b"jpeg"})
    (message,) = lab.sent
    assert set(message["state"]) == {"psnr", "content", "network", "added"}


def test_what_stands_still_does_not_travel_again(lab: Small):
    lab.tell(psnr=26.5, network={"data": b"jpeg"})
    lab.tell(psnr=26.6, network={"data": b"jpeg"})
    assert list(lab.sent[1]["state"]) == ["psnr"]


def test_a_setting_out_of_range_is_refused(lab: Small):
    with pytest.raises(TraitError):
        lab.content = 101


def test_a_setting_is_linked_to_a_plain_slider(lab: Small):
    """A lab stands in a box and is linked like any other widget."""
    slider = FloatSlider(min=0, max=100)
    link((lab, "content"), (slider, "value"))
    assert slider.value == 0.1
    slider.value = 5
    assert lab.told == [("content", 5.0)]
    lab.tell(content=0.5)
    assert slider.value == 0.5
    assert lab.told == [("content", 5.0)]
    assert HBox([slider, lab]).children[1] is lab


# Presses


def press(lab: Lab, **content: Any) -> None:
    lab._handle_custom_msg(content, [])


def test_a_press_calls_what_is_registered(lab: Small):
    pressed: list[tuple[str, Any]] = []
    lab.presses["keep"] = lambda name="none": pressed.append(("keep", name))
    press(lab, press="keep", name="mine")
    press(lab, press="keep")
    assert pressed == [("keep", "mine"), ("keep", "none")]


def test_what_goes_wrong_in_a_press_is_said(lab: Small):
    press(lab, press="fly")
    assert lab.error.startswith("There is no press fly")


# Curves


def test_a_curve_grows_by_what_was_added(lab: Small):
    lab.add("run", 0, 1.0)
    lab.tell()
    lab.add("run", 1, 0.5)
    lab.add("run", 1, 0.5)
    lab.add("run", 2, float("nan"))
    lab.tell()
    assert [list(message["state"]) for message in lab.sent] == [["added"], ["added"]]
    assert lab.added == {"run": {"from": 1, "rows": [[1, 0.5], [2, None]]}}
    whole = lab.get_state()["curves"]["run"]
    assert whole == {"count": 3, "rows": [[0, 1.0], [1, 0.5], [2, None]]}


def test_a_long_curve_is_thinned_and_then_travels_whole(lab: Small):
    for step in range(3 * CURVE_LIMIT):
        lab.add("run", step, 1.0)
        lab.tell()
    rows = lab.curves["run"]["rows"]
    assert len(rows) <= CURVE_LIMIT
    assert (rows[0][0], rows[-1][0]) == (0, 3 * CURVE_LIMIT - 1)
    assert lab.curves["run"]["count"] == 3 * CURVE_LIMIT
    assert 1 <= sum("curves" in message["state"] for message in lab.sent) <= 6


def test_a_view_that_opens_after_some_steps_has_the_whole_curve(lab: Small):
    for step in range(3):
        lab.add("run", step, 0.5)
        lab.tell(psnr=step)
    lab._repr_mimebundle_()
    assert len(lab.sent[-1]["state"]["curves"]["run"]["rows"]) == 3


def test_a_curve_begins_anew(lab: Small):
    lab.add("run", 0, 1.0)
    lab.add("other", 0, 1.0)
    lab.tell()
    lab.begin("run")
    lab.add("run", 0, 2.0)
    lab.tell()
    assert set(lab.sent[-1]["state"]) == {"curves", "added"}
    assert lab.curves["run"]["rows"] == [[0, 2.0]]
    assert lab.curves["other"]["rows"] == [[0, 1.0]]


def test_no_message_carries_what_is_no_number(lab: Small):
    lab.add("run", 0, float("inf"))
    lab.tell()
    assert json.dumps(lab.curves, allow_nan=False)
    assert (finite(1.5), finite(float("nan"))) == (1.5, None)


def test_the_text_of_a_lab_is_its_summary(lab: Small):
    lab.psnr = 26.5
    data, _ = lab._repr_mimebundle_()
    assert data["text/plain"] == repr(lab) == "Small: 26.50 dB"
    assert "image/png" not in data
    assert "application/vnd.jupyter.widget-view+json" in data


# A lab that trains


class Counting(LiveLab):
    """Counts its steps; a setting says by how much."""

    by = Int(1, min=1, max=9).tag(sync=True, setting=True)

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.used = 1
        self.draw("ready")

    def steps(self) -> Any:
        while True:
            self.count += self.used
            yield self.count

    def change(self, name: str, value: Any) -> None:
        assert name == "by"
        self.used = value

    def start_over(self) -> None:
        self.count = 0

    def moment(self) -> dict[str, Any]:
        return {"step": self.count, "said": f"step {self.count}"}


def test_a_live_lab_trains_steers_and_starts_over():
    lab = Counting()
    lab.run_steps(2)
    assert (lab.step, lab.state, repr(lab)) == (2, "paused", "Counting: step 2")
    lab.by = 5
    lab.settle()
    lab.run_steps(1)
    assert lab.step == 7
    press(lab, press="reset")
    lab.live.wait(20)
    assert (lab.step, lab.state) == (0, "ready")


def test_a_long_step_takes_changes_on_its_way_and_leaves_actions_for_later():
    lab, seen = Counting(), []

    def steps() -> Any:
        lab.live.do(lambda: seen.append("action"))
        lab.by = 5
        lab.live.take_changes()
        seen.append(f"used {lab.used}")
        yield
        seen.append("next step")

    lab.steps = steps
    lab.run_steps(1)
    assert seen == ["used 5", "action"]


def test_an_error_of_the_training_is_a_trait():
    lab = Counting()

    def fails(*_: Any) -> Any:
        raise ValueError("The loss is no number.")

    lab.steps = fails
    lab.start()
    lab.live.wait(20)
    assert (lab.state, lab.error) == ("failed", "The loss is no number.")
    del lab.steps
    lab.run_steps(1)
    assert (lab.state, lab.error) == ("paused", "")


class Heavy(Counting):
    """Each moment has a picture of 40 kB, as two side by side may be."""

    picture = Dict().tag(sync=True)

    def moment(self) -> dict[str, Any]:
        return {**super().moment(), "picture": {"data": os.urandom(40_000)}}


def bytes_of(lab: LiveLab) -> list[int]:
    """Of each message that the lab sends from now on."""
    sizes: list[int] = []

    def send(data: Any, buffers: Any) -> None:
        sizes.append(len(json.dumps(data)) + sum(memoryview(each).nbytes for each in buffers))

    lab.comm.send = send
    return sizes


@pytest.mark.parametrize("make", [Counting, Heavy])
def test_a_moment_is_not_followed_before_its_bytes_are_due(make: type[LiveLab]):
    lab = make()
    sizes = bytes_of(lab)
    lab.draw("running")
    assert len(sizes) == 1
    assert sizes[0] / lab.live.between <= 60_000
    assert (lab.live.between > lab.seconds_between_frames) is (make is Heavy)


# The bundle


@pytest.mark.parametrize("name", ["labs.js", "labs.css"])
def test_the_bundle_is_of_these_sources(name: str):
    first = (kit.BUNDLE / name).read_text().partition("\n")[0]
    assert first == kit.banner(), "run `make kit`, and commit the bundle with its sources"


@pytest.mark.parametrize("name", ["labs.js", "labs.css"])
def test_the_bundle_is_made_anew_byte_for_byte(name: str, tmp_path):
    if not kit.can_bundle():
        pytest.skip("Node and the packages are not here; `make kit` fetches them")
    kit.bundle(tmp_path)
    assert (tmp_path / name).read_bytes() == (kit.BUNDLE / name).read_bytes()


def test_the_bundle_is_small_and_asks_no_other_host():
    text = "".join(path.read_text() for path in kit.BUNDLE.iterdir())
    assert len(text) <= kit.LIMIT
    assert "fetch(" not in text
    assert "XMLHttpRequest" not in text


def test_third_parties_are_named_with_their_versions():
    locked = json.loads((kit.KIT / "package-lock.json").read_text())["packages"]
    told = (kit.KIT / "THIRD_PARTY.md").read_text()
    for name in ("lit-html", "uplot"):
        assert f"| {locked[f'node_modules/{name}']['version']} |" in told, name
    assert "registry" not in json.dumps(locked)
