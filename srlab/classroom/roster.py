"""Names as teachers have them: one a line, or a table that a university's system wrote.

Of a table the column that tells people apart is taken: a user name, else an
e-mail address, else a number, else the name. Whatever it is becomes an account
name, of which a folder and a web address can be made.
"""

import csv
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
LONGEST = 31  # letters of an account name
ENCODINGS = ("utf-8-sig", "cp1252")  # what spreadsheets write, without saying which
MAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+")
WORD = re.compile(r"[\w .,'’`@+()-]*\w[\w .,'’`@+()-]*")

# What the first line of a table may call a column, as far as it matters.
LOGINS = {"username", "user name", "user", "login", "account", "benutzername", "kennung"}
MAILS = {"mail", "email", "e-mail", "email address", "e-mail address", "e-mail-adresse"}
NUMBERS = {"id", "number", "student id", "student number", "matrikelnummer", "matriculation"}
OTHERS = {"name", "full name", "first name", "last name", "surname", "vorname", "nachname"}

SPELLED = str.maketrans({
    "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "ł": "l",
    "đ": "d",
})  # fmt: skip
OURS = {"root", "admin", "hub", "jupyterhub"}  # on every machine
FIRST_OF_PEOPLE = 1000  # smaller user numbers are the system's own


class Learner(NamedTuple):
    """Somebody on the teacher's list."""

    name: str  # that the account should have, unless another has it
    word: str  # what stands on the list; it tells learners apart


def read_roster(path: Path) -> list[Learner]:
    """The learners of a text file or a table; ``#`` begins a comment.

    Raises:
        ValueError: if a line cannot be used, with all such lines, or none can.
        OSError: if the file cannot be read.
    """
    learners: dict[str, tuple[int, Learner]] = {}
    bad = []
    for number, word in _words(_text(path)):
        learner = Learner(account_name(word), word)
        if trouble := _trouble(learner):
            bad.append(f"line {number} ({word[:40]!r} {trouble})")
        elif before := learners.get(word.casefold()):
            bad.append(
                f"line {number} ({word[:40]!r} is there twice, first in line {before[0]})"
            )
        else:
            learners[word.casefold()] = number, learner
    if bad:
        raise ValueError(
            f"{path}: {', '.join(bad)} cannot be used; correct every such line, or begin it "
            f"with a #."
        )
    if not learners:
        raise ValueError(f"{path} names no learner; write one name a line, such as ada.")
    return [learner for _, learner in learners.values()]


def on_the_list(word: str) -> Learner:
    """Whom the teacher names at the command line.

    Raises:
        ValueError: if nobody can be called so.
    """
    learner = Learner(account_name(word), word)
    if trouble := _trouble(learner):
        raise ValueError(f"{word[:40]!r} {trouble}.")
    return learner


def account_name(word: str) -> str:
    """An account name for a name, an address or a number; "" if there is none."""
    start = word.partition("@")[0] if MAIL.fullmatch(word) else word
    spelled = unicodedata.normalize("NFKD", start.casefold().translate(SPELLED))
    letters = spelled.encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9_]+", "-", letters).strip("-_")
    return (f"s{name}" if name[:1].isdigit() else name)[:LONGEST].rstrip("-_")


def _trouble(learner: Learner) -> str:
    """Why nobody can be called so; "" if somebody can."""
    if not WORD.fullmatch(learner.word) or not NAME.fullmatch(learner.name):
        return "makes no name; use letters, digits, spaces and . - _ @"
    return "is an account of the system" if learner.name in _system_names() else ""


def _system_names() -> set[str]:
    import pwd  # not on Windows, where there is no JupyterHub either

    users = {user.pw_name for user in pwd.getpwall() if user.pw_uid < FIRST_OF_PEOPLE}
    return OURS | users


def _text(path: Path) -> str:
    data = path.read_bytes()
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))  # "Unicode text" of a spreadsheet
    for encoding in ("utf-16",) if wide else ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ValueError(f"{path} is no plain text; save it as CSV or as text, in UTF-8.")


def _words(text: str) -> list[tuple[int, str]]:
    """Line number and word of everybody who is named."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    rows = [
        (number, _cells(line)) for number, line in enumerate(lines, 1) if line.strip(",;\t ")
    ]
    heads = [cell.casefold() for cell in rows[0][1]] if rows else []
    known = LOGINS | MAILS | NUMBERS | OTHERS
    if any(head in known for head in heads) and not any("@" in head for head in heads):
        return [(number, _word(cells, heads)) for number, cells in rows[1:]]
    return [(number, _word(cells, [])) for number, cells in rows]


def _cells(line: str) -> list[str]:
    counts = Counter(char for char in line if char in ",;\t")
    mark = counts.most_common(1)[0][0] if counts else ","
    return [
        cell.strip() for cell in next(csv.reader([line], delimiter=mark, skipinitialspace=True))
    ]


def _word(cells: list[str], heads: list[str]) -> str:
    """What tells this row's learner from the others."""

    def under(names: set[str]) -> list[str]:
        return [
            cell for cell, head in zip(cells, heads, strict=False) if head in names and cell
        ]

    mails = [cell.casefold() for cell in cells if MAIL.fullmatch(cell)]
    digits = [cell for cell in cells if cell.isdigit()]
    whole = " ".join(cell for cell in cells if cell)
    return [*under(LOGINS), *mails, *under(NUMBERS), *digits, whole][0]
