"""What a learner builds is checked at once; srlab's own stands in until it is right."""

from srlab.widgets.build.lab import BuildCard, built

__all__ = ["BuildCard", "built"]
