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
from srlab.checks.lesson02 import (
    check_content_loss,
    check_content_module,
    check_equal_shift,
    check_features,
    check_hooks,
    check_named_weights,
    check_normalize,
)
from srlab.checks.lesson03 import (
    check_channel_gates,
    check_channel_scale,
    check_learned_block,
    check_learned_weight,
    check_spread,
    check_variance,
    check_weighted_block,
)
from srlab.checks.lesson04 import (
    check_grid_energy,
    check_icnr,
    check_quiet_upsampler,
    check_resize_stage,
    check_shuffle,
    check_stamps,
)
from srlab.checks.lesson05 import (
    check_distance,
    check_expanded_loss,
    check_gram_matrix,
    check_gram_of_part,
    check_shares,
    check_style_loss,
    check_tv_loss,
)
from srlab.checks.lesson06 import (
    check_encoder,
    check_field,
    check_merge,
    check_muted,
    check_padding,
    check_unet,
)
from srlab.checks.lesson07 import (
    check_back_project,
    check_card,
    check_carry_weights,
    check_consistency,
    check_unwrapped,
)
from srlab.checks.steps import hint

__all__ = [
    "check_back_project",
    "check_bicubic_score",
    "check_byte_psnr",
    "check_card",
    "check_carry_weights",
    "check_channel_gates",
    "check_channel_scale",
    "check_charbonnier",
    "check_consistency",
    "check_content_loss",
    "check_content_module",
    "check_degrade",
    "check_distance",
    "check_encoder",
    "check_equal_shift",
    "check_expanded_loss",
    "check_features",
    "check_field",
    "check_gram_matrix",
    "check_gram_of_part",
    "check_grid_energy",
    "check_hooks",
    "check_icnr",
    "check_learned_block",
    "check_learned_weight",
    "check_luma",
    "check_merge",
    "check_muted",
    "check_named_weights",
    "check_normalize",
    "check_padding",
    "check_psnr",
    "check_published_psnr",
    "check_quiet_upsampler",
    "check_reach",
    "check_residual_block",
    "check_resize_stage",
    "check_shares",
    "check_sharpness",
    "check_shave",
    "check_shuffle",
    "check_spread",
    "check_sr_resnet",
    "check_stamps",
    "check_style_loss",
    "check_training_step",
    "check_tv_loss",
    "check_unet",
    "check_unwrapped",
    "check_upsampler_channels",
    "check_variance",
    "check_weighted_block",
    "hint",
]
