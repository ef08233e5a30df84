"""Grading: answers run in a cage, and the checks judge them from outside.

Four kinds of process take part::

    srlab grade      reads the notebooks as text and writes the table
      nursery        has loaded torch, runs no learner's code, starts the two below
        checker      runs the check; of an answer it gets values alone
        sandbox      runs the learner's cells, in the cage

Checker and sandbox talk through a socket: JSON and Safetensors, no pickles.
"""
