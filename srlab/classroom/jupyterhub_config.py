"""What ``jupyterhub -f`` reads; everything is in srlab.classroom.hub."""

from srlab.classroom.hub import configure

configure(get_config())  # type: ignore[name-defined]  # noqa: F821, JupyterHub gives it
