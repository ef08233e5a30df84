"""ClassBoard: the run cards of a class, side by side."""

from srlab.widgets.class_board.lab import ClassBoard

__all__ = ["ClassBoard"]
