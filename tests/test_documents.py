"""The pages for readers: short, linked, and true about commands and options."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from srlab.cli import app
from tests.lesson_cells import ROOT

# Not for a reader of the repository: it travels in a bundle.
ELSEWHERE = {"tests/bundle_files/README.md"}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SPOKEN = re.compile(r"^```\w*\n(.*?)^```$|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?<!from )\bsrlab ([a-z]+)\b([^#\n]*)")
MAKE = re.compile(r"\bmake ([a-z]+(?:-[a-z]+)*)\b")


def tracked_pages() -> list[str]:
    found = [*ROOT.glob("*.md"), *ROOT.glob("lessons/*.md")]
    found += [path for top in ("srlab", "tests") for path in (ROOT / top).rglob("*.md")]
    ours = [path for path in found if "node_modules" not in path.parts]
    return sorted({path.relative_to(ROOT).as_posix() for path in ours} - ELSEWHERE)


PAGES = tracked_pages()
each_page = pytest.mark.parametrize("page", PAGES)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def links_of(text: str) -> list[str]:
    """The links to other pages and places, without those to other hosts."""
    found = [one or other for one, other in LINK.findall(FENCE.sub("", text))]
    return [link for link in found if not re.match(r"https?:|mailto:", link)]


def place(heading: str) -> str:
    """What a heading is called in a link, as GitHub makes it."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")


def dead_links(page: str, text: str) -> list[str]:
    return [link for link in links_of(text) if not leads_somewhere(page, link)]


def leads_somewhere(page: str, link: str) -> bool:
    path, _, mark = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    if not target.exists() or not mark:
        return target.exists()
    return mark in map(place, HEADING.findall(target.read_text(encoding="utf-8")))


def code_of(text: str) -> Iterator[str]:
    """Each block of code and each piece of code in a line."""
    for block, piece in SPOKEN.findall(text):
        yield (block or piece).replace("\\\n", " ")


def called(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each srlab command in a text's code, and the options given to it."""
    for code in code_of(text):
        for name, rest in COMMAND.findall(code):
            yield name, re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest)


def options_of(command: Any) -> set[str]:
    """All that a command knows, those of its own commands included."""
    own = getattr(command, "commands", {}).values()
    params = [param for one in (command, *own) for param in one.params]
    return {name for one in params for name in (*one.opts, *one.secondary_opts)} | {"--help"}


COMMANDS = typer.main.get_command(app).commands


def wrong_calls(text: str) -> list[str]:
    """The commands and options that srlab does not know."""
    wrong = []
    for name, options in called(text):
        if name not in COMMANDS:
            wrong.append(name)
        elif not COMMANDS[name].context_settings.get("ignore_unknown_options"):
            known = options_of(COMMANDS[name])
            wrong += [f"{name} {option}" for option in options if option not in known]
    return wrong


def test_the_front_page_is_short() -> None:
    assert len(text_of("README.md").encode()) <= 9_000


@each_page
def test_every_link_leads_somewhere(page: str) -> None:
    assert dead_links(page, text_of(page)) == []


def linked(page: str) -> set[str]:
    """The pages to which a page leads."""
    paths = (link.partition("#")[0] for link in links_of(text_of(page)))
    targets = (((ROOT / page).parent / path).resolve() for path in paths)
    return {one.relative_to(ROOT.resolve()).as_posix() for one in targets} & set(PAGES)


def test_the_front_page_leads_to_every_page() -> None:
    reached, ahead = set(), {"README.md"}
    while ahead:
        reached |= ahead
        ahead = set().union(*map(linked, ahead)) - reached
    assert set(PAGES) == reached


@each_page
def test_every_command_and_option_exists(page: str) -> None:
    if page == "CHANGELOG.md":  # it tells of what was
        return
    assert wrong_calls(text_of(page)) == []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    said = {name for code in code_of(text_of(page)) for name in MAKE.findall(code)}
    assert said <= targets


def test_the_pages_were_read() -> None:
    assert {"README.md", "srlab/README.md", "srlab/classroom/README.md"} <= set(PAGES)
    assert len(list(called(text_of("srlab/README.md")))) > 10
    assert len(links_of(text_of("README.md"))) > 15


# -- the tests themselves --------------------------------------------------------


def test_a_dead_link_is_found() -> None:
    dead = ["../README.md#a-course", "nowhere.md"]
    good = ["../README.md#the-course", "README.md", "#the-course"]
    text = " ".join(f"see [x]({link})." for link in [*good, *dead])
    assert dead_links("lessons/README.md", text) == dead


def test_a_wrong_command_is_found() -> None:
    for text, wrong in {
        "`srlab upscale a.jpg --scale 4`": [],
        "`srlab enlarge a.jpg`": ["enlarge"],
        "```\nsrlab score A \\\n    --sort x  # why\n```": ["score --sort"],
        "`sudo srlab classroom collect 01 --to course --from y`": [],
        "`srlab classroom --learner names.txt`": ["classroom --learner"],
    }.items():
        assert wrong_calls(text) == wrong
