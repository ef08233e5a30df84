"""The lab's figures against srlab.metrics, and against figures made by hand."""

import io
import math

import pytest
import torch
from PIL import Image

from srlab.data import crop_to_multiple, degrade, embedded_photo
from srlab.metrics import Protocol, psnr, ssim
from srlab.models import enlarge
from srlab.widgets.metric_lab import MetricLab, measure


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
    sr, hr = lab._own
    reading = lab.choose(channels=channels, shave=border)
    protocol, published = Protocol(channels, border), Protocol("y", 4)
    right = psnr(protocol.apply(sr), protocol.apply(hr)).item()
    assert reading.protocol == protocol
    assert reading.psnr == pytest.approx(right, abs=1e-4)
    assert reading.ssim == pytest.approx(
        ssim(protocol.apply(sr), protocol.apply(hr)).item(), abs=1e-4
    )
    published_psnr = psnr(published.apply(sr), published.apply(hr)).item()
    assert reading.delta == pytest.approx(right - published_psnr, abs=1e-4)
    assert sorted(reading.table["rgb"]) == sorted({0, 2, 4, 8, 16, border})


def test_by_hand():
    # An error of 1/5 of the range is 20 log10(5) = 13.98 dB in RGB. Luma squeezes the
    # range to 219 of 255 steps and so the error: 20 log10(255 / 219) = 1.32 dB for free.
    reading = MetricLab(*flat_pair()).choose(channels="rgb", shave=0)
    assert reading.psnr == pytest.approx(20 * math.log10(5), abs=1e-3)
    assert reading.published == pytest.approx(13.979 + 1.322, abs=1e-3)
    assert reading.delta == pytest.approx(-1.322, abs=1e-3)
    assert reading.spread == pytest.approx(1.322, abs=1e-3)


def test_error_in_the_border_is_shaved_away():
    sr, hr = torch.zeros(1, 3, 40, 40), torch.zeros(1, 3, 40, 40)
    sr[..., :4, :] = 51 / 255  # a tenth of the pixels: 10 dB more
    lab = MetricLab(sr, hr)
    assert lab.choose(channels="rgb", shave=0).psnr == pytest.approx(23.979, abs=1e-3)
    assert lab.choose(shave=4).psnr == math.inf
    assert lab.reading.delta == 0  # the published protocol sees no error either
    assert "∞ dB" in repr(lab)


@pytest.mark.parametrize("resampler", ["nearest", "bilinear", "bicubic"])
def test_photograph_is_reduced_and_enlarged_again(resampler):
    lab = MetricLab(scale=2)
    hr = crop_to_multiple(embedded_photo("astronaut-eileen-collins"), 2)
    lr = degrade(hr, 2)
    if resampler == "bicubic":
        sr = enlarge(lr, 2)
    else:
        sr = torch.nn.functional.interpolate(lr, scale_factor=2, mode=resampler)
    reading = lab.choose(resampler=resampler, photograph="astronaut-eileen-collins")
    assert reading == measure(sr, hr, Protocol("y", 2), 2)
    assert not lab.resampler.disabled


def test_controls_act_like_the_call(lab: MetricLab):
    lab.channels.value = "rgb"
    lab.shave.value = 7
    shown = lab._status.value
    assert lab.reading == lab.choose(channels="rgb", shave=7)
    assert 'role="status"' in shown
    assert f'data-psnr="{lab.reading.psnr:.2f}"' in shown
    assert f'data-delta="{lab.reading.delta:.2f}"' in shown
    assert 'data-channels="rgb" data-shave="7"' in shown
    assert lab.resampler.disabled  # one's own pictures were not enlarged here


def test_table_marks_highest_lowest_chosen_and_published(lab: MetricLab):
    reading = lab.choose(channels="y-full", shave=2)
    figures = [value for row in reading.table.values() for value in row.values()]
    table = lab._table.value
    assert f"▲ {max(figures):.2f}" in table
    assert f"▼ {min(figures):.2f}" in table
    assert table.count("outline: 2px") == 1
    assert table.count("text-decoration: underline") == 1
    assert table.count("<td style") == 15


def test_error_is_shown_and_goes_again():
    lab = MetricLab(*flat_pair(24))
    lab.shave.value = 12 - 6  # 12 px are left: enough for a window of 11
    assert lab._alert.value == ""
    lab.shave.value = 8
    assert '<p role="alert">SSIM looks through windows of 11 px' in lab._alert.value
    lab.shave.value = 16
    assert "24 x 24 px, so a border of 16 px leaves nothing to compare" in lab._alert.value
    assert lab.reading.protocol.shave == 6  # the last that could be measured
    lab.shave.value = 0
    assert lab._alert.value == ""


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
    with pytest.raises(ValueError, match="must have one shape"):
        MetricLab(sr[..., 1:], hr)
    with pytest.raises(ValueError, match=r"\(1, 3, h, w\) was expected; pick one picture"):
        MetricLab(sr.repeat(2, 1, 1, 1), hr.repeat(2, 1, 1, 1))
    with pytest.raises(ValueError, match="leaves nothing to compare; take larger pictures"):
        MetricLab(*flat_pair(8))


def test_readers_without_kernel_get_a_picture_and_a_sentence(lab: MetricLab):
    data, _ = lab._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == repr(lab) == f"MetricLab: your pictures, {lab.reading}"
    assert f"{lab.reading.psnr:.2f} dB" in repr(lab)
    assert "0x" not in repr(lab)
    assert len(data["image/png"]) <= 150_000
    Image.open(io.BytesIO(data["image/png"])).verify()


def test_each_control_has_a_label_and_a_tooltip(lab: MetricLab):
    for control in (lab.channels, lab.shave, lab.resampler, lab.photograph):
        assert control.description
        assert control.tooltip
