"""Checks of the exercises: ``check_`` functions that answer with a verdict.

They need no network, never raise, and know the usual mistakes.
"""
