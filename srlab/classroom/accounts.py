"""Who may come in: names from the teacher, a code for the first login, a password.

Whoever is first with a name could take it, if a name alone were enough; so the
first login needs the code that the teacher hands out, once.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count, takewhile
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from srlab.classroom.roster import LONGEST, NAME, Learner
from srlab.files import replacing

SHORTEST = 8  # characters of a password
CODE_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none looks like another

ACCOUNTS, CODES, LOCK = "accounts.json", "codes.txt", "accounts.lock"

LEARNERS = 500  # learners in a room

WRONG = "Name or password is wrong; at the first login give your teacher's code as well."

Stored = TypeVar("Stored", bound=BaseModel)


class Account(BaseModel):
    """A learner's user number, which never changes, and what opens the door.

    Args:
        uid: the user number.
        enrolled: whether the teacher's list has the learner.
        password: its hash; empty: none chosen yet.
        session: what every cookie of the learner was made from; a new one ends
            them all.
        word: what the teacher's list calls the learner; empty: as the account.
        teacher: whether the admin page is theirs.
    """

    uid: int
    enrolled: bool = True
    password: str = ""
    session: str = ""
    word: str = ""
    teacher: bool = False


class Book(BaseModel):
    """All accounts, as they are stored."""

    accounts: dict[str, Account] = {}

    def name_of(self, word: str) -> str:
        """The account of whom the teacher's list calls so; "" if there is none."""
        wanted = word.strip().casefold()
        named = [n for n, a in self.accounts.items() if a.word.casefold() == wanted]
        return wanted if wanted in self.accounts else (named or [""])[0]

    def matched(self, learners: Sequence[Learner]) -> dict[str, str]:
        """Word -> account of those who have one; no account is given to two.

        First goes who is called by the very word; then who has the account's
        name, if no list has called that account anything else.
        """
        found: dict[str, str] = {}
        for one in learners:
            if (name := self.name_of(one.word)) not in ["", *found.values()]:
                found[one.word] = name
        for one in learners:
            account = self.accounts.get(one.name)
            plain = account and account.word in ("", one.name) and not account.teacher
            if plain and one.word not in found and one.name not in found.values():
                found[one.word] = one.name
        return found

    def free_name(self, name: str) -> str:
        """This name, or the first of ``ada-2``, ``ada-3`` ... that nobody has."""
        others = (f"{name[: LONGEST - 4]}-{n}" for n in count(2))
        return next(each for each in chain([name], others) if each not in self.accounts)


class Accounts:
    """The accounts in a folder that only the hub can read.

    Every call reads the files anew and writes them whole or not at all, so that
    the command line can change them beside a running hub, and a kill costs
    nothing.

    Args:
        folder: with ``accounts.json`` and ``codes.txt``.
        first_uid: of the first learner.
    """

    def __init__(self, folder: Path, first_uid: int = 0):
        self.folder, self.first_uid = folder, first_uid

    def enroll(self, learners: Sequence[str | Learner]) -> list[str]:
        """Make these, and no others, the learners; the new ones' accounts.

        Files and passwords of those who are no longer named stay, but they
        cannot log in.

        Raises:
            ValueError: if the room has no user number left.
        """
        named = [Learner(one, one) if isinstance(one, str) else one for one in learners]
        with self._changing() as (book, codes):
            here, new = self._accounts_for(named, book, codes)
            for name, account in book.accounts.items():
                account.enrolled = name in here or account.teacher
        return new

    def _accounts_for(
        self, named: Sequence[Learner], book: Book, codes: dict[str, str]
    ) -> tuple[set[str], list[str]]:
        """The accounts of these people, and those of them that are new."""
        here, new = book.matched(named), []
        for one in named:
            if one.word not in here:
                here[one.word] = name = book.free_name(one.name)
                book.accounts[name] = Account(uid=self._free_uid(book))
                codes[name] = new_code()
                new.append(name)
        for word, name in here.items():
            book.accounts[name].word = word
        return set(here.values()), new

    def _free_uid(self, book: Book) -> int:
        taken = {account.uid for account in book.accounts.values()}
        for uid in range(self.first_uid, self.first_uid + LEARNERS):
            if uid not in taken:
                return uid
        raise ValueError(
            f"All {LEARNERS} user numbers from {self.first_uid} on were given to somebody "
            f"once; name others with --first-uid."
        )

    def words(self, names: Sequence[str]) -> dict[str, str]:
        """Account -> what the teacher's list calls it, where that is something else."""
        book = self._read()
        words = {name: book.accounts[name].word for name in names}
        return {name: word for name, word in words.items() if word not in ("", name)}

    def forget(self, name: str) -> None:
        """Take a password away and make a new code, for who forgot it.

        Raises:
            ValueError: if nobody is called so.
        """
        with self._changing() as (book, codes):
            _require_account(book, name)
            book.accounts[name].password = ""
            book.accounts[name].session = secrets.token_hex()
            codes[name] = new_code()

    def appoint(self, teachers: Sequence[Learner]) -> list[str]:
        """Make these, and no others, the teachers; the new accounts among them.

        Who was a teacher stays enrolled.
        """
        with self._changing() as (book, codes):
            here, new = self._accounts_for(teachers, book, codes)
            for name, account in book.accounts.items():
                account.teacher = name in here
                account.enrolled = account.enrolled or account.teacher
        return new

    def all_names(self) -> list[str]:
        """Everybody with an account, also who may not log in now."""
        return sorted(filter(NAME.fullmatch, self._read().accounts))

    def teachers(self) -> list[str]:
        """Who may see the admin page."""
        return [name for name, a in self._read().accounts.items() if a.enrolled and a.teacher]

    def remove(self, name: str) -> str:
        """Take somebody off the list for good; the name that now holds the user number.

        It stays taken, since files that lie about still belong to it.

        Raises:
            ValueError: if nobody is called so.
        """
        with self._changing() as (book, codes):
            _require_account(book, name)
            aside = next(each for each in _removed(name) if each not in book.accounts)
            book.accounts[aside] = Account(uid=book.accounts.pop(name).uid, enrolled=False)
            codes.pop(name, None)
        return aside

    def learners(self) -> dict[str, int]:
        """Name -> user number of who may log in."""
        book = self._read()
        return {name: a.uid for name, a in book.accounts.items() if a.enrolled}

    def uids(self) -> list[int]:
        """The user numbers of all, also of who was here once."""
        return [account.uid for account in self._read().accounts.values()]

    def uid_of(self, name: str) -> int:
        """A user number, also of who may no longer log in, or was removed."""
        accounts = self._read().accounts
        names = [name] if name in accounts else takewhile(accounts.__contains__, _removed(name))
        return accounts[list(names)[-1]].uid

    def may_stay(self, name: str) -> bool:
        """Whether who logged in earlier is still welcome."""
        account = self._account(name)
        return account.enrolled and bool(account.password)

    def name_of(self, typed: str) -> str:
        """The account of who types a name, or the word of the teacher's list."""
        return self._read().name_of(typed)

    def session_of(self, name: str) -> str:
        """What the learner's cookies are made from; "" if that never changed."""
        return self._account(name).session

    def log_in(self, name: str, password: str, code: str) -> str:
        """Try to log in; "" if it worked, or else the sentence for the learner.

        At the first login ``password`` is the one chosen, and ``code`` the
        teacher's; later the code does not matter. Who guesses learns nothing,
        neither by the sentence nor by the time, about who has an account.
        """
        account = self._account(name)
        chosen = account.password if account.enrolled else ""
        right = fits(password, chosen or NOBODYS)
        if chosen:
            return "" if right else WRONG
        given = re.sub(r"[^a-z0-9]", "", code.lower())
        codes = self._read_codes() if account.enrolled else {}
        known = codes.get(name, "").replace("-", "")
        if not known or not secrets.compare_digest(given, known):
            return WRONG
        return self.set_password(name, password)

    def change_password(self, name: str, old: str, new: str) -> str:
        """Choose another password; "" if it worked, or else the sentence."""
        if not fits(old, self._account(name).password or NOBODYS):
            return "The old password is wrong."
        return self.set_password(name, new)

    def set_password(self, name: str, password: str) -> str:
        """Choose a password and end all sessions; "" if it worked, or else the sentence."""
        if len(password) < SHORTEST:
            return f"Choose a password of at least {SHORTEST} characters."
        with self._changing() as (book, codes):
            book.accounts[name].password = scramble(password)
            book.accounts[name].session = secrets.token_hex()
            codes.pop(name, None)
        return ""

    @contextmanager
    def _changing(self) -> Iterator[tuple[Book, dict[str, str]]]:
        """Give book and codes; write both back, unless the block raises."""
        import fcntl  # not on Windows, where there is no JupyterHub either

        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            book, codes = self._read(), self._read_codes()
            yield book, codes
            # A kill in between leaves a code that no longer counts.
            write_private(self.folder / ACCOUNTS, book.model_dump_json(indent=1))
            words = self.words(list(codes))
            lines = [f"{n}  {code}  {words.get(n, '')}".rstrip() for n, code in codes.items()]
            write_private(self.folder / CODES, "".join(f"{line}\n" for line in sorted(lines)))

    def _account(self, name: str) -> Account:
        """Who is called so; a stranger may do nothing."""
        return self._read().accounts.get(name, Account(uid=-1, enrolled=False))

    def _read(self) -> Book:
        advice = "bring it back from a copy, or move it away and every learner gets a new code"
        return read_stored(Book, self.folder / ACCOUNTS, advice)

    def _read_codes(self) -> dict[str, str]:
        path = self.folder / CODES
        lines = path.read_text().splitlines() if path.exists() else []
        return {fields[0]: fields[1] for line in lines if len(fields := line.split()) > 1}


def new_code() -> str:
    """Ten letters that can be read aloud: 49 bits."""
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(10))
    return f"{letters[:5]}-{letters[5:]}"


def scramble(password: str, salt: bytes | None = None) -> str:
    """A password's salted hash (scrypt, 16 MiB), as text."""
    salt = salt or secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
    return f"{salt.hex()}:{digest.hex()}"


def fits(password: str, scrambled: str) -> bool:
    salt = bytes.fromhex(scrambled.partition(":")[0])
    return secrets.compare_digest(scramble(password, salt), scrambled)


# A password that nobody has: to check one takes as long for a name that is not there.
NOBODYS = scramble(secrets.token_hex())


def read_stored(kind: type[Stored], path: Path, advice: str) -> Stored:
    """What a file of ours holds; an empty one of its kind if there is none."""
    try:
        return kind.model_validate_json(path.read_bytes()) if path.exists() else kind()
    except ValidationError:
        raise ValueError(f"{path} is damaged; {advice}.") from None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; the folder keeps others out meanwhile."""
    with replacing(path) as part:
        part.write_text(text)
    path.chmod(0o600)


def _removed(name: str) -> Iterator[str]:
    """Names that nobody can log in with: ``ada.removed``, ``ada.removed-2``, ..."""
    return chain([f"{name}.removed"], (f"{name}.removed-{n}" for n in count(2)))


def _require_account(book: Book, name: str) -> None:
    """Raise unless somebody is called so."""
    if name not in book.accounts:
        there = ", ".join(sorted(filter(NAME.fullmatch, book.accounts))) or "none yet"
        raise ValueError(f"No learner is called {name}; there are {there}.")
