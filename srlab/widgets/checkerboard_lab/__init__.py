"""CheckerboardLab: who draws the grid, the upsampler or the loss?"""

from srlab.widgets.checkerboard_lab.lab import CheckerboardLab

__all__ = ["CheckerboardLab"]
