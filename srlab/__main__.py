"""``python -m srlab``: the same as the ``srlab`` command."""

from srlab.cli import main

main()
