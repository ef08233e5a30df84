"""ResidualDial: what a weight on the residual does to a deep network."""

from srlab.widgets.residual_dial.lab import ResidualDial

__all__ = ["ResidualDial"]
