"""Checks of the exercises: ``check_`` functions that answer with a verdict.

They need no network, never raise, and know the usual mistakes.
"""

from srlab.checks.lesson00 import check_byte_psnr, check_full_luma, check_published_psnr

__all__ = [
    "check_byte_psnr",
    "check_full_luma",
    "check_published_psnr",
]
