"""Many sharp pictures have one small picture."""

import pytest
import torch
import torch.nn.functional as F

from srlab.data import degrade, embedded_photo
from srlab.inference import back_project
from srlab.metrics import psnr

SCENE = embedded_photo("astronaut-eileen-collins")[..., 0:96, 40:168]


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_the_small_picture_is_exactly_the_one_asked_for(scale: int) -> None:
    lr = degrade(SCENE, scale)
    changed = SCENE.clone()
    changed[..., 46:60, 62:70] = 0.1
    found = back_project(changed, lr)
    assert torch.equal(degrade(found, scale), lr)
    assert 0 <= found.min() <= found.max() <= 1
    assert psnr(found, SCENE) < 45  # another picture all the same


@pytest.mark.parametrize("scale", [4, 8])
def test_also_when_it_is_stored_in_8_bits(scale: int) -> None:
    """At 2x too few pixels are averaged: there a value may be one step off."""
    lr = degrade(SCENE, scale)
    dark = SCENE.clone()
    dark[..., 46:60, 62:70] = 0.1
    assert torch.equal(degrade(to_stored(back_project(dark, lr)), scale), lr)


def to_stored(images: torch.Tensor) -> torch.Tensor:
    return images.mul(255).round().div(255)


def test_the_truth_stays_nearly_as_it_was() -> None:
    found = back_project(SCENE, degrade(SCENE, 4))
    assert psnr(found, SCENE) > 55


def test_fine_detail_is_kept() -> None:
    """What the small picture does not hold is nobody's business."""
    line = torch.tensor([1.0, -1.0]).repeat(64)
    fine = (SCENE + 0.1 * line).clamp(0, 1)
    found = back_project(fine, degrade(SCENE, 4))
    kept = (found - SCENE)[..., 8:-8, 8:-8]
    assert (
        F.cosine_similarity(kept.flatten(), (fine - SCENE)[..., 8:-8, 8:-8].flatten(), dim=0)
        > 0.9
    )


def test_the_given_picture_is_left_alone() -> None:
    given = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    before = given.clone()
    back_project(given, torch.full((1, 3, 8, 8), 0.5))
    assert torch.equal(given, before)


@pytest.mark.parametrize(
    "shape", [(1, 3, 16, 24), (1, 3, 24, 24), (1, 1, 16, 16), (1, 3, 8, 8)]
)
def test_pictures_that_do_not_belong_together(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sr must be lr enlarged 2, 4 or 8 times"):
        back_project(torch.zeros(shape), torch.zeros(1, 3, 8, 8))
