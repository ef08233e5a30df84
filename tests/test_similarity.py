"""HaarPSI and MDSI: which way they go, and what they refuse."""

from collections.abc import Callable

import piq
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.metrics import haarpsi, mdsi

BOTH = pytest.mark.parametrize("measure", [haarpsi, mdsi])


def softened(photo: Tensor, size: int) -> Tensor:
    return F.avg_pool2d(photo, size, 1, size // 2, count_include_pad=False)


def test_they_are_piqs_of_255(photo: Tensor) -> None:
    """The range is handed over as piq understands it."""
    soft = softened(photo, 5)
    of_255 = [x.double() * 255 for x in (soft, photo)]
    wanted = piq.haarpsi(*of_255, data_range=255.0).item()
    assert haarpsi(soft, photo).item() == pytest.approx(wanted, abs=1e-4)
    wanted = piq.mdsi(*of_255, data_range=255.0).item()
    assert mdsi(soft, photo).item() == pytest.approx(wanted, abs=1e-4)


@BOTH
def test_a_mean_over_the_batch(measure: Callable[..., Tensor], photo: Tensor) -> None:
    sr, hr = torch.cat([softened(photo, 3), softened(photo, 9)]), torch.cat([photo, photo])
    each = [measure(one[None], photo).item() for one in sr]
    assert measure(sr, hr).item() == pytest.approx(sum(each) / 2, abs=1e-5)


@BOTH
def test_a_networks_overshoot_is_clamped(measure: Callable[..., Tensor], photo: Tensor) -> None:
    loud = 1.5 * photo - 0.2
    assert loud.max() > 1
    assert measure(loud, photo).item() == pytest.approx(
        measure(loud.clamp(0, 1), photo).item(), abs=1e-6
    )


@BOTH
def test_what_is_refused(measure: Callable[..., Tensor], photo: Tensor) -> None:
    with pytest.raises(
        ValueError, match="is 15 x 40 px, but HaarPSI and MDSI can be measured f"
    ):
        measure(torch.zeros(1, 3, 15, 40), torch.zeros(1, 3, 15, 40))
    assert torch.isfinite(measure(torch.zeros(1, 3, 16, 17), torch.ones(1, 3, 16, 17)))
    with pytest.raises(ValueError, match="must have one shape"):
        measure(photo, photo[..., :-4])
    with pytest.raises(ValueError, match="divide 8-bit values by 255"):
        measure(photo * 255, photo)
