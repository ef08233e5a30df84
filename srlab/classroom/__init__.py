"""A JupyterHub for a room of learners: ``srlab classroom``.

``accounts`` knows who may come in, ``room`` prepares the folder and runs the
hub, ``hub`` is what JupyterHub loads, ``limits`` and ``launch`` put each
learner's server under an account and limits of its own. The teacher's tools
are ``overview``, ``collect``, ``leaving`` and ``learner_files``; ``homes`` keeps
root from being led astray in a learner's home. JupyterHub itself is of the
extra ``srlab[classroom]``; only ``hub`` and what it loads import it.
"""
