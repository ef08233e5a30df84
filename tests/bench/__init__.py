"""The figures that the README gives, each measured anew by ``make bench``."""
