"""TrainingLab: watch a network learn, steer it, and set two losses side by side."""

from srlab.widgets.training_lab.lab import TrainingLab

__all__ = ["TrainingLab"]
