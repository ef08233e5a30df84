"""Two or three questions about a lesson; each answer, right or wrong, has its reason."""

from srlab.widgets.quiz.lab import Quiz

__all__ = ["Quiz"]
