"""MetricLab: how many dB can you win without changing a pixel?"""

from srlab.widgets.metric_lab.lab import MetricLab
from srlab.widgets.metric_lab.reading import measure

__all__ = ["MetricLab", "measure"]
