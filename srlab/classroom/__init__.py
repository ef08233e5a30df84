"""A JupyterHub for a room of learners: ``srlab classroom``.

``roster`` reads the teacher's list, ``accounts`` knows who may come in,
``claims`` which user numbers are the room's, ``room`` prepares the folder and
runs the hub, ``port`` holds the site's port meanwhile. ``hub`` and ``proxy``
are what JupyterHub loads, ``limits`` and ``launch`` put each learner's
``server`` under an account and limits of its own, ``sockets`` is where they
all meet, ``activity`` and ``culler`` end what is idle.

The teacher's tools are ``overview``, ``collect``, ``leaving`` and
``learner_files``; ``homes`` keeps root from being led astray in a learner's
home. JupyterHub itself is of the extra ``srlab[classroom]``; only ``hub``,
``proxy``, ``server``, ``culler`` and ``learner_files`` import it.
"""
