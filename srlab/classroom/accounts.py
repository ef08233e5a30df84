"""Who may come in: names from the teacher, a code for the first login, a password.

Whoever is first with a name could take it, if a name alone were enough; so the
first login needs the code that the teacher hands out, once.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count, takewhile
from pathlib import Path

from pydantic import BaseModel, ValidationError

from srlab.files import replacing

NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
SHORTEST = 8  # characters of a password
CODE_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none looks like another

ACCOUNTS, CODES, LOCK = "accounts.json", "codes.txt", "accounts.lock"

WRONG = "Name or password is wrong; at the first login give your teacher's code as well."


class Account(BaseModel):
    """A learner's user number, which never changes, and the password's hash."""

    uid: int
    enrolled: bool = True
    password: str = ""  # none chosen yet
    teacher: bool = False


class Book(BaseModel):
    """All accounts, as they are stored."""

    accounts: dict[str, Account] = {}


def read_names(path: Path) -> list[str]:
    """The learners of a text file, one name a line; ``#`` begins a comment.

    Raises:
        ValueError: if a name cannot be used, comes twice, or there is none.
        OSError: if the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin with a mark
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no plain text; save it as UTF-8.") from None
    names: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if name := line.split("#")[0].strip():
            _require_name(name, names, f"{path}, line {number}")
            names.append(name)
    if not names:
        raise ValueError(f"{path} names no learner; write one name a line, such as ada.")
    return names


def _require_name(name: str, before: list[str], where: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{where}: {name[:40]!r} cannot be a learner's name; use at most 31 of a-z, 0-9, "
            f"- and _, a letter first."
        )
    if name in before:
        raise ValueError(f"{where}: {name} is there twice; no two learners can share a name.")


class Accounts:
    """The accounts in a folder that only the hub can read.

    Every call reads the files anew and writes them whole or not at all, so that
    the command line can change them beside a running hub, and a kill costs
    nothing.

    Args:
        folder: with ``accounts.json`` and ``codes.txt``.
        first_uid: the user number of the first learner.
    """

    def __init__(self, folder: Path, first_uid: int = 0):
        self.folder, self.first_uid = folder, first_uid

    def enroll(self, names: list[str]) -> list[str]:
        """Make these, and no others, the learners; the new ones among them.

        Files and passwords of those who are no longer named stay, but they
        cannot log in.
        """
        with self._changing() as (book, codes):
            new = [name for name in names if name not in book.accounts]
            for name, account in book.accounts.items():
                account.enrolled = name in names or account.teacher
            for name in new:
                taken = {account.uid for account in book.accounts.values()}
                uid = next(n for n in range(self.first_uid, 2**31) if n not in taken)
                book.accounts[name] = Account(uid=uid)
                codes[name] = new_code()
        return new

    def forget(self, name: str) -> None:
        """Take a password away and make a new code, for who forgot it.

        Raises:
            ValueError: if nobody is called so.
        """
        with self._changing() as (book, codes):
            if name not in book.accounts:
                raise ValueError(f"No learner is called {name}; there are {_some(book)}.")
            book.accounts[name].password = ""
            codes[name] = new_code()

    def appoint(self, names: list[str]) -> list[str]:
        """Make these, and no others, the teachers; the new accounts among them.

        Who was a teacher stays enrolled.
        """
        with self._changing() as (book, codes):
            new = [name for name in names if name not in book.accounts]
            for name in new:
                taken = {account.uid for account in book.accounts.values()}
                uid = next(n for n in range(self.first_uid, 2**31) if n not in taken)
                book.accounts[name] = Account(uid=uid)
                codes[name] = new_code()
            for name, account in book.accounts.items():
                account.teacher = name in names
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
            if name not in book.accounts:
                raise ValueError(f"No learner is called {name}; there are {_some(book)}.")
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
        account = self._read().accounts.get(name)
        return bool(account and account.enrolled and account.password)

    def log_in(self, name: str, password: str, code: str) -> str:
        """Try to log in; "" if it worked, or else the sentence for the learner.

        At the first login ``password`` is the one chosen, and ``code`` the
        teacher's; later the code does not matter.
        """
        account = self._read().accounts.get(name)
        if not account or not account.enrolled:
            return WRONG
        if account.password:
            return "" if fits(password, account.password) else WRONG
        given = re.sub(r"[^a-z0-9]", "", code.lower())
        known = self._read_codes().get(name, "").replace("-", "")
        if not known or not secrets.compare_digest(given, known):
            return f"This is not the code that your teacher has for {name}."
        return self.set_password(name, password)

    def set_password(self, name: str, password: str) -> str:
        """Choose a password; "" if it worked, or else the sentence."""
        if len(password) < SHORTEST:
            return f"Choose a password of at least {SHORTEST} characters."
        with self._changing() as (book, codes):
            book.accounts[name].password = scramble(password)
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
            lines = [f"{name}  {code}\n" for name, code in sorted(codes.items())]
            write_private(self.folder / CODES, "".join(lines))

    def _read(self) -> Book:
        path = self.folder / ACCOUNTS
        try:
            return Book.model_validate_json(path.read_bytes()) if path.exists() else Book()
        except ValidationError:
            raise ValueError(
                f"{path} is damaged; bring it back from a copy, or move it away and every "
                f"learner gets a new code."
            ) from None

    def _read_codes(self) -> dict[str, str]:
        path = self.folder / CODES
        lines = path.read_text().splitlines() if path.exists() else []
        return {fields[0]: fields[1] for line in lines if len(fields := line.split()) == 2}


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


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; the folder keeps others out meanwhile."""
    with replacing(path) as part:
        part.write_text(text)
    path.chmod(0o600)


def _removed(name: str) -> Iterator[str]:
    """Names that nobody can log in with: ``ada.removed``, ``ada.removed-2``, ..."""
    return chain([f"{name}.removed"], (f"{name}.removed-{n}" for n in count(2)))


def _some(book: Book) -> str:
    return ", ".join(sorted(filter(NAME.fullmatch, book.accounts))) or "none yet"
