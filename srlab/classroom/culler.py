"""Stops servers in which nothing happens: jupyterhub-idle-culler, on the hub's socket."""

from jupyterhub_idle_culler import main  # type: ignore[import-untyped]

from srlab.classroom.sockets import use_sockets

if __name__ == "__main__":
    use_sockets()
    main()
