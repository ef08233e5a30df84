"""LossLab: steer the expanded loss while a network trains, and see what each term does."""

from srlab.widgets.loss_lab.lab import LossLab

__all__ = ["LossLab"]
