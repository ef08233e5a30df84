"""In the cage: run the cells that an answer needs, then be called.

Nothing here is trusted by anybody: a learner's code may change all of it.
"""

import ast
import symtable
import sys
import types
from collections.abc import Iterator
from functools import cache
from typing import Any

import srlab
from srlab.course.syllabus import Build, lessons
from srlab.grader.peer import Peer, text_of
from srlab.grader.wire import Broken, Channel

HIDDEN = "srlab.checks"  # in its place stands an empty one
CARDS = "srlab.widgets.build"  # and in its place one without cards


def serve_answer(channel: Channel, cells: list[str], name: str) -> None:
    """Define what ``name``, a function or a class, needs of the cells; then answer calls."""
    hide_checks()
    space, trouble = run_cells(cells, name)
    peer = Peer(channel, inside=True)
    answer: Any = space.get(name)
    peer.functions.append(answer)
    channel.send({"do": "ready", "found": callable(answer), "trouble": trouble[:500]})
    try:
        peer.serve()
    except Broken:
        return


def hide_checks() -> None:
    """Let notebooks import and call checks, which do nothing here.

    What a lesson lets one build is srlab's own here: an exercise that uses it
    is graded by itself.
    """
    module = types.ModuleType(HIDDEN)
    module.__getattr__ = _quiet  # type: ignore[method-assign]
    sys.modules[HIDDEN] = srlab.checks = module
    cards = types.ModuleType(CARDS)
    cards.built = lambda _, check: builds()[check.__name__].own()  # type: ignore[attr-defined]
    sys.modules[CARDS] = cards


def _quiet(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)

    def check(*_: Any, **__: Any) -> None: ...

    check.__name__ = name
    return check


@cache
def builds() -> dict[str, Build]:
    """A build's check -> the build. Called before the cage closes, which hides their words."""
    return {f"check_{build.id}": build for one in lessons() for build in one.builds}


def run_cells(cells: list[str], name: str) -> tuple[dict[str, Any], str]:
    """Run what the answer needs; what was defined, and the first trouble."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    space, trouble = vars(module), ""
    statements, unread = read_cells(cells, name)
    for cell, statement in needed_for(name, statements):
        code = ast.Module([statement], [])
        try:
            exec(compile(code, f"<cell {cell}>", "exec"), space)
        except BaseException as error:  # also sys.exit()
            # What only tries an answer may miss a name, as in lesson 04.
            counts = not isinstance(error, NameError) or name in bound(statement)
            told = f"cell {cell}, {type(error).__name__}: {text_of(error)}"
            trouble = trouble or (told if counts else "")
    return space, unread or trouble


Statement = tuple[int, ast.stmt]
"""The number of its cell, from 1, and the statement."""


def read_cells(cells: list[str], name: str) -> tuple[list[Statement], str]:
    """All statements, and what is wrong with a cell that names the answer."""
    statements, trouble = [], ""
    for number, source in enumerate(cells, 1):
        try:
            tree = ast.parse(without_magics(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if name in source:
                trouble = f"cell {number}, {type(error).__name__}: {error}"
        else:
            statements += [(number, one) for one in tree.body]
    return statements, trouble


def without_magics(source: str) -> str:
    """A cell without Jupyter's own lines, which Python does not know."""
    lines = source.splitlines()
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def needed_for(name: str, statements: list[Statement]) -> list[Statement]:
    """The cells of the answer, and every statement that defines what they use.

    A lesson trains for minutes; what an answer does not use is left out, and
    what only tries it in its own cell gets nothing defined. Imports are all kept.
    """
    cells = {cell for cell, statement in statements if name in bound(statement)}
    kept = [c in cells or isinstance(s, ast.Import | ast.ImportFrom) for c, s in statements]
    last = max(cells, default=0)
    wanted, before = {name}, set[str]()
    while before != wanted:
        before = set(wanted)
        for at in reversed(range(len(statements))):
            cell, statement = statements[at]
            # Below the answer only what is nowhere above it: names change later on.
            sought = wanted if cell <= last else wanted - _given(statements, kept)
            if sought & bound(statement):
                kept[at] = True
                wanted |= used(statement)
    return [one for one, keep in zip(statements, kept, strict=True) if keep]


def _given(statements: list[Statement], kept: list[bool]) -> set[str]:
    """The names that what is kept gives something to."""
    pairs = zip(statements, kept, strict=True)
    return {name for (_, statement), keep in pairs if keep for name in bound(statement)}


def bound(statement: ast.stmt) -> set[str]:
    """The names to which a statement of a cell gives something."""
    symbols = _scope(statement).get_symbols()
    own = {one.get_name() for one in symbols if one.is_assigned() or one.is_imported()}
    return own | set(_changed(statement))


def used(statement: ast.stmt) -> set[str]:
    """The names that a statement reads, also inside its functions, but no local ones."""
    scope = _scope(statement)
    own = {one.get_name() for one in scope.get_symbols() if one.is_referenced()}
    return own | {name for inner in scope.get_children() for name in _outer_names(inner)}


def _scope(statement: ast.stmt) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(statement), "<cell>", "exec")


def _outer_names(scope: symtable.SymbolTable) -> Iterator[str]:
    yield from (one.get_name() for one in scope.get_symbols() if one.is_global())
    for inner in scope.get_children():
        yield from _outer_names(inner)


def _changed(statement: ast.stmt) -> Iterator[str]:
    """Whose attributes or items a statement sets: ``table["x"] = 3``."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return
    for node in ast.walk(statement):
        part = isinstance(node, ast.Attribute | ast.Subscript)
        if part and isinstance(node.ctx, ast.Store):  # type: ignore[attr-defined]
            yield from (one.id for one in ast.walk(node) if isinstance(one, ast.Name))
