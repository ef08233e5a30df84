"""In the cage: run the cells that an answer needs, then be called.

Nothing here is trusted by anybody: a learner's code may change all of it.
"""

import ast
import sys
import types
from collections.abc import Iterator
from typing import Any

import srlab
from srlab.grader.peer import Peer
from srlab.grader.wire import Broken, Channel

HIDDEN = "srlab.checks"  # in its place stands an empty one


def serve_answer(channel: Channel, cells: list[str], name: str) -> None:
    """Define what ``name`` needs, say how that went, then answer calls.

    Args:
        channel: to the checker.
        cells: the notebook's code, in its order.
        name: of the answer, a function or a class.
    """
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
    """Let notebooks import and call checks, which do nothing here."""
    module = types.ModuleType(HIDDEN)
    module.__getattr__ = _quiet  # type: ignore[method-assign]
    sys.modules[HIDDEN] = srlab.checks = module  # type: ignore[attr-defined]


def _quiet(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return lambda *_, **__: None


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
        except Exception as error:  # a demonstration below an answer may fail
            trouble = trouble or f"cell {cell}, {type(error).__name__}: {error}"
        except BaseException as error:  # such as sys.exit()
            trouble = trouble or f"cell {cell}, {type(error).__name__}"
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

    A lesson trains for minutes; what an answer does not use is left out.
    Imports are all kept.
    """
    cells = {cell for cell, statement in statements if name in bound(statement)}
    wanted, kept = {name}, []
    for cell, statement in reversed(statements):
        imports = isinstance(statement, ast.Import | ast.ImportFrom)
        if imports or cell in cells or wanted & bound(statement):
            wanted |= used(statement)
            kept.append((cell, statement))
    return kept[::-1]


def bound(statement: ast.stmt) -> set[str]:
    """The names to which a statement of a cell gives something."""
    return set(_bound(statement))


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(
            node.ctx, ast.Store
        ):
            yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name))


def used(statement: ast.stmt) -> set[str]:
    """The names that a statement reads, also inside its functions."""
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
