"""Drag plausible edges; watch what L1 and L2 answer."""

from srlab.widgets.edges.lab import Edges

__all__ = ["Edges"]
