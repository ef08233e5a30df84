"""Checks of the exercises: ``check_`` functions that answer with a verdict.

They need no network, never raise, and know the usual mistakes.
"""

from srlab.checks.lesson00 import check_byte_psnr, check_full_luma, check_published_psnr
from srlab.checks.lesson01 import (
    check_charbonnier,
    check_residual_block,
    check_upsampler_channels,
)

__all__ = [
    "check_byte_psnr",
    "check_charbonnier",
    "check_full_luma",
    "check_published_psnr",
    "check_residual_block",
    "check_upsampler_channels",
]
