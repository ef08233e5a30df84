"""GrowthLab: how variance grows where each block adds something to its input."""

from srlab.widgets.growth.lab import GrowthLab
from srlab.widgets.growth.reading import GrowthReading, read_growth

__all__ = ["GrowthLab", "GrowthReading", "read_growth"]
