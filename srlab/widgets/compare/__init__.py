"""Compare: pictures of one scene, laid over each other."""

from srlab.widgets.compare.lab import SETTINGS, Comparison, compare

__all__ = ["SETTINGS", "Comparison", "compare"]
