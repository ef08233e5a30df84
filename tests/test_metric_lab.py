"""The lab's figures against srlab.metrics, and against figures made by hand."""

import io
import math
import threading

import pytest
import torch
from PIL import Image

from srlab.data import crop_to_multiple, degrade, embedded_photo
from srlab.metrics import Protocol, psnr, ssim
from srlab.models import enlarge
from srlab.widgets.metric_lab import MetricLab
from srlab.widgets.metric_lab.reading import MeasuredPair


@pytest.fixture
def lab() -> MetricLab:
    torch.manual_seed(0)
    hr = torch.rand(1, 3, 48, 64)
    return MetricLab((hr + 0.1 * torch.randn_like(hr)).clamp(0, 1), hr)


def flat_pair(side: int = 44) -> tuple[torch.Tensor, torch.Tensor]:
    """Black, and a gray of 51 of 255 over it."""
    return torch.full((1, 3, side, side), 51 / 255), torch.zeros(1, 3, side, side)


@pytest.mark.parametrize("channels", ["rgb", "y", "y-full"])
@pytest.mark.parametrize("border", [0, 3, 16])
def test_figures_are_those_of_the_metrics(lab: MetricLab, channels, border):
    sr, hr = lab._own.sr, lab._own.hr
    reading = lab.choose(channels=channels, shave=border)
    protocol, published = Protocol(channels, border), Protocol("y", 4)
    right = psnr(protocol.apply(sr), protocol.apply(hr)).item()
    assert reading.protocol == protocol
    assert reading.psnr == pytest.approx(right, abs=1e-4)
    similar = ssim(protocol.apply(sr), protocol.apply(hr)).item()
    assert reading.ssim == pytest.approx(similar, abs=1e-4)
    usual = psnr(published.apply(sr), published.apply(hr)).item()
    assert reading.delta == pytest.approx(right - usual, abs=1e-4)
    assert sorted(reading.table["rgb"]) == sorted({0, 2, 4, 8, 16, border})


def test_by_hand():
    # An error of 1/5 of the range is 20 log10(5) = 13.98 dB in RGB. Luma squeezes the
    # range to 219 of 255 steps and so the error: 20 log10(255 / 219) = 1.32 dB for free.
    reading = MetricLab(*flat_pair()).choose(channels="rgb", shave=0)
    found = reading.psnr, reading.published, reading.delta, reading.spread
    assert found == pytest.approx((13.979, 15.301, -1.322, 1.322), abs=1e-3)


def test_error_in_the_border_is_shaved_away():
    sr, hr = torch.zeros(1, 3, 40, 40), torch.zeros(1, 3, 40, 40)
    sr[..., :4, :] = 51 / 255  # a tenth of the pixels: 10 dB more
    lab = MetricLab(sr, hr)
    assert lab.choose(channels="rgb", shave=0).psnr == pytest.approx(23.979, abs=1e-3)
    assert lab.choose(shave=4).psnr == math.inf
    assert lab.reading.delta == 0  # the published protocol sees no error either
    assert "∞ dB" in repr(lab)
    assert (lab.numbers["psnr"], lab.numbers["delta"]) == ("∞", "+0.00")


@pytest.mark.parametrize("resampler", ["nearest", "bilinear", "bicubic"])
def test_photograph_is_reduced_and_enlarged_again(resampler):
    lab = MetricLab(scale=2)
    hr = crop_to_multiple(embedded_photo("astronaut-eileen-collins"), 2)
    lr = degrade(hr, 2)
    plain = {} if resampler == "bicubic" else {"scale_factor": 2, "mode": resampler}
    sr = torch.nn.functional.interpolate(lr, **plain) if plain else enlarge(lr, 2)
    reading = lab.choose(resampler=resampler, photograph="astronaut-eileen-collins")
    assert reading == MeasuredPair(sr, hr).reading(Protocol("y", 2), 2)


@pytest.mark.parametrize("channels", ["rgb", "y", "y-full"])
def test_one_map_of_similarity_serves_every_border(channels: str):
    hr = embedded_photo("coffee-cup")[..., :40, :60]
    sr = enlarge(degrade(hr, 2), 2)
    pair = MeasuredPair(sr, hr)
    for border in (0, 4, 13):
        protocol = Protocol(channels, border)
        expected = ssim(protocol.apply(sr), protocol.apply(hr)).item()
        assert pair.reading(protocol, 2).ssim == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="windows of 11 px, but the picture is 10 x 30 px"):
        pair.reading(Protocol(channels, 15), 2)


def test_controls_act_like_the_call(lab: MetricLab):
    lab.channels = "rgb"
    lab.shave = 7
    reading, numbers = lab.reading, lab.numbers
    assert reading == lab.choose(channels="rgb", shave=7)
    told = [numbers[name].replace("−", "-") for name in ("psnr", "ssim", "delta")]
    assert told == [f"{reading.psnr:.2f}", f"{reading.ssim:.4f}", f"{reading.delta:+.2f}"]
    assert repr(lab) == f"MetricLab: your pictures, {reading.figures()}"


def cells(lab: MetricLab) -> list[str]:
    return [cell for row in lab.table.values() for cell in row]


def test_no_answer_is_given_before_it_was_asked_for():
    lab = MetricLab()
    assert len(cells(lab)) == 15
    assert [cell for cell in cells(lab) if cell != "?"] == [lab.numbers["published"]]
    assert "highest" not in repr(lab)


def test_each_protocol_that_was_chosen_stays_in_sight(lab: MetricLab):
    lab.choose(channels="rgb", shave=0)
    lab.channels = "y-full"
    reading = lab.choose(shave=2)
    assert lab.borders == [0, 2, 4, 8, 16]
    chosen = [("rgb", 0), ("y", 4), ("y-full", 0), ("y-full", 2)]
    for channels, row in lab.table.items():
        for border, text in zip(lab.borders, row, strict=True):
            figure = f"{reading.table[channels][border]:.2f}"
            assert text == (figure if (channels, border) in chosen else "?")
    assert lab.numbers["seen"] == 4
    seen = [reading.table[channels][border] for channels, border in chosen]
    figures = {"highest": max(seen), "lowest": min(seen), "spread": max(seen) - min(seen)}
    assert {n: lab.numbers[n] for n in figures} == {n: f"{v:.2f}" for n, v in figures.items()}


def test_all_are_shown_on_request(lab: MetricLab):
    lab.presses["reveal"]()
    assert "?" not in cells(lab)
    assert lab.numbers["spread"] == f"{lab.reading.spread:.2f}"


def test_the_border_left_out_is_dark():
    white = torch.ones(1, 3, 40, 40)
    lab = MetricLab(white, white)
    lab.choose(channels="rgb", shave=10)
    picture = Image.open(io.BytesIO(lab.truth["data"])).convert("L")
    assert (picture.getpixel((5, 20)), picture.getpixel((20, 20))) == (76, 255)


def test_error_is_shown_and_goes_again():
    lab = MetricLab(*flat_pair(24))
    lab.shave = 12 - 6  # 12 px are left: enough for a window of 11
    assert lab.error == ""
    lab.shave = 8
    assert lab.error.startswith("SSIM looks through windows of 11 px")
    lab.shave = 16
    assert "24 x 24 px, so a border of 16 px leaves nothing to compare" in lab.error
    assert lab.reading.protocol.shave == 6  # the last that could be measured
    lab.shave = 0
    assert lab.error == ""


def test_page_and_notebook_at_once_wait_for_each_other(lab: MetricLab):
    def drag() -> None:
        for shave in (0, 2, 8, 16):
            lab.set_state({"shave": shave})

    page = threading.Thread(target=drag)
    page.start()
    for channels in ("rgb", "y", "y-full"):
        assert lab.choose(channels=channels).protocol.channels == channels
    page.join(30)
    assert not page.is_alive()
    assert lab.reading.protocol == Protocol(lab.channels, lab.shave)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"channels": "luma"}, r"channels must be one of y, y-full, rgb, but got 'luma'\."),
        ({"shave": 17}, r"shave must be 0 to 16, but got 17\."),
        ({"resampler": "lanczos"}, r"resampler must be one of nearest, bilinear, bicubic, but"),
        ({"photograph": "cat"}, r"photograph must be one of your pictures, .*but got 'cat'\."),
    ],
)
def test_wrong_choice_changes_nothing(lab: MetricLab, choice, message):
    before = lab.choose(channels="rgb")
    with pytest.raises(ValueError, match=message):
        lab.choose(**{"channels": "y", **choice})
    assert lab.choose() == before


def test_wrong_pictures():
    sr, hr = flat_pair()
    with pytest.raises(TypeError, match="takes sr and hr together, or neither"):
        MetricLab(sr)
    for pair, message in (
        ((sr[..., 1:], hr), "must have one shape"),
        ((sr.repeat(2, 1, 1, 1), hr.repeat(2, 1, 1, 1)), "was expected; pick one picture"),
        (flat_pair(8), "leaves nothing to compare; take larger pictures"),
    ):
        with pytest.raises(ValueError, match=message):
            MetricLab(*pair)


def test_large_pictures_travel_small():
    large = torch.rand(1, 3, 1000, 1500)
    lab = MetricLab(large, large)
    assert (lab.sr["width"], lab.sr["height"]) == (640, 427)
