"""MetricLab: how many dB can you win without changing a pixel?"""

from srlab.widgets.metric_lab.lab import MetricLab

__all__ = ["MetricLab"]
