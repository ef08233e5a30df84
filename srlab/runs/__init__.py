"""A run card carried out: stage by stage, looked at, saved, and gone on with."""

from srlab.runs.run import CARD, RunProgress, on_this_machine, run_card, scored

__all__ = ["CARD", "RunProgress", "on_this_machine", "run_card", "scored"]
