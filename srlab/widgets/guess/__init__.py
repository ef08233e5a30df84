"""A guess before a cell shows the truth; it is kept, and compared."""

from srlab.widgets.guess.lab import Guess

__all__ = ["Guess"]
