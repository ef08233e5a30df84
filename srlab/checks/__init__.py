"""Checks of the exercises: ``check_`` functions that answer with a verdict.

They need no network, never raise, know the usual mistakes, and help in steps:
``hint(check_icnr)`` shows again what was earned.
"""

from srlab.checks.lesson00 import (
    check_bicubic_score,
    check_byte_psnr,
    check_degrade,
    check_luma,
    check_psnr,
    check_published_psnr,
    check_shave,
)
from srlab.checks.lesson01 import (
    check_charbonnier,
    check_reach,
    check_residual_block,
    check_sharpness,
    check_sr_resnet,
    check_training_step,
    check_upsampler_channels,
)
from srlab.checks.lesson02 import check_content_loss, check_features, check_normalize
from srlab.checks.lesson03 import check_channel_gates, check_learned_block, check_variance
from srlab.checks.lesson04 import check_distinct_kernels, check_icnr, check_shuffle
from srlab.checks.lesson05 import check_balance, check_gram_of_part, check_isotropic_tv
from srlab.checks.lesson06 import check_field, check_merge, check_shapes
from srlab.checks.lesson07 import check_card, check_carry, check_consistency
from srlab.checks.steps import hint

__all__ = [
    "check_balance",
    "check_bicubic_score",
    "check_byte_psnr",
    "check_card",
    "check_carry",
    "check_channel_gates",
    "check_charbonnier",
    "check_consistency",
    "check_content_loss",
    "check_degrade",
    "check_distinct_kernels",
    "check_features",
    "check_field",
    "check_gram_of_part",
    "check_icnr",
    "check_isotropic_tv",
    "check_learned_block",
    "check_luma",
    "check_merge",
    "check_normalize",
    "check_psnr",
    "check_published_psnr",
    "check_reach",
    "check_residual_block",
    "check_shapes",
    "check_sharpness",
    "check_shave",
    "check_shuffle",
    "check_sr_resnet",
    "check_training_step",
    "check_upsampler_channels",
    "check_variance",
    "hint",
]
