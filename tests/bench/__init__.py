"""The figures of the README.md beside this file, each measured anew by ``make bench``."""
