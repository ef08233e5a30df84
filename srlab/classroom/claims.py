"""Which room of this machine has which user numbers: no two may share one.

Whoever has a learner's number can read what is the learner's. So each room
claims its numbers for good, in a file of root's, and takes none that anything
else of the machine has: an account, a group, a container's range, a process.
"""

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel

from srlab.classroom.accounts import LEARNERS, read_stored, write_private
from srlab.classroom.limits import users_of_processes

FOLDER = Path("/var/lib/srlab")
FIRST_UID = 50_000  # above the accounts of a usual system, below its reserved ones
LAST_TRIED = 60_000
CONTAINERS = [Path("/etc/subuid"), Path("/etc/subgid")]
MARK = "claim"  # file in the hub's folder that tells a room from one at the same place
WORTH = LEARNERS + 1  # numbers of a room: one more, to try things out


class Claim(BaseModel):
    """A room, and the first and last of each stretch of its numbers."""

    room: Path
    mark: str
    numbers: list[tuple[int, int]]

    def has(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.numbers)

    def meets(self, numbers: list[tuple[int, int]]) -> bool:
        return any(
            first <= last_own and first_own <= last
            for first_own, last_own in self.numbers
            for first, last in numbers
        )

    def stands(self) -> bool:
        """Whether the room is still where it was, and still that room."""
        return _mark(self.room) == self.mark


class Claims(BaseModel):
    """All of this machine."""

    rooms: list[Claim] = []


def first_number(state: Path, learners: Collection[int] = ()) -> int:
    """The first number of the room that lies there, or one for a new room.

    Raises:
        ValueError: if the machine has none left.
    """
    with _opened() as claims:
        if own := _own(claims, state):
            return own.numbers[0][0]
        if learners:  # numbers given away before rooms claimed theirs
            return min(learners)
        stretches = [range(n, n + WORTH) for n in range(FIRST_UID, LAST_TRIED, WORTH)]
        free = [each for each in stretches if not _user_of(each, claims, state)]
        # Files of a room that is gone may lie elsewhere: its numbers come last.
        free.sort(key=lambda each: any(one.has(each[0]) for one in claims.rooms))
        if free:
            return free[0][0]
    raise ValueError("All user numbers are taken; name free ones with --first-uid.")


def is_free(number: int) -> bool:
    """Whether nothing of the machine has this user number, rooms included."""
    with _opened() as claims:
        return not _user_of([number], claims, Path("/no-room"))


def claim(state: Path, first: int, others: Collection[int] = ()) -> None:
    """Take a room's numbers, and others of its learners, for as long as its folder is there.

    Raises:
        ValueError: if somebody else has one of them.
        OSError: if the claim cannot be written.
    """
    stretch = range(first, first + WORTH)
    with _opened() as claims:
        own = _own(claims, state)
        apart = [uid for uid in others if uid not in stretch]
        if user := _user_of([*stretch, *apart], claims, state):
            raise ValueError(
                f"{user} has one of the user numbers {first} to {stretch[-1]}; "
                f"choose others for this room with --first-uid."
            )
        numbers = [(first, stretch[-1]), *((uid, uid) for uid in apart)]
        mark = own.mark if own else secrets.token_hex()
        write_private(state / "hub" / MARK, mark)
        kept = [each for each in claims.rooms if each is not own]
        claims.rooms = [each for each in kept if each.stands() or not each.meets(numbers)]
        claims.rooms.append(Claim(room=state, mark=mark, numbers=numbers))


def _own(claims: Claims, state: Path) -> Claim | None:
    """The room's claim, also if it was moved; a copy has none beside its original."""
    mark = _mark(state)
    own = (one for one in claims.rooms if one.mark == mark)
    return next((one for one in own if one.room == state or not one.stands()), None)


def _user_of(numbers: Collection[int], claims: Claims, state: Path) -> str:
    """What else has one of the numbers; "" if nothing has."""
    wanted, own = set(numbers), _own(claims, state)
    for each in claims.rooms:
        if each is not own and each.stands() and any(map(each.has, wanted)):
            return f"The classroom {each.room}"
    for kind, name, stretch in _given_by_system():
        if not wanted.isdisjoint(stretch):
            return f"The {kind} {name}"
    for uid, homes in users_of_processes().items():
        known = own is not None and own.has(uid)
        ours = known or all(home.is_relative_to(state / "homes") for home in homes)
        if uid in wanted and not ours:
            return f"A process of user {uid}"
    return ""


def _given_by_system() -> Iterator[tuple[str, str, range]]:
    """Kind, name and numbers of the system's accounts, groups and containers."""
    import grp  # not on Windows, where there is no JupyterHub either
    import pwd

    for user in pwd.getpwall():
        yield "user", user.pw_name, range(user.pw_uid, user.pw_uid + 1)
    for group in grp.getgrall():
        yield "group", group.gr_name, range(group.gr_gid, group.gr_gid + 1)
    for home in Path("/home").glob("*"):
        owner = home.lstat().st_uid
        yield "owner of", str(home), range(owner, owner + 1)
    for path in CONTAINERS:
        for line in path.read_text().splitlines() if path.exists() else []:
            with suppress(ValueError):
                name, first, count = line.split("#")[0].split(":")
                yield "containers' user", name, range(int(first), int(first) + int(count))


@contextmanager
def _opened() -> Iterator[Claims]:
    """All claims, locked; changes are kept."""
    import fcntl  # not on Windows, where there is no JupyterHub either

    FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = FOLDER / "classrooms.json"
    with (FOLDER / "classrooms.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        claims = read_stored(Claims, path, "move it away, and start every classroom again")
        yield claims
        write_private(path, claims.model_dump_json(indent=1))


def _mark(state: Path) -> str | None:
    try:
        return (state / "hub" / MARK).read_text()
    except OSError:
        return None
