"""What a lesson shows of a definition: without docstrings and argument checks.

The notebooks' build cells and the cards below them show the same text.
"""

import ast
from collections.abc import Iterator

Functions = ast.FunctionDef | ast.AsyncFunctionDef
STATEMENT_LISTS = ("body", "orelse", "finalbody")


def definitions(source: str) -> dict[str, ast.stmt]:
    """The functions, classes and assignments of a module, by name."""
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(source).body:
        if isinstance(node, Functions | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {
                part.id: node
                for target in targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            }
    return found


def taught_text(source: str, name: str, module: str = "the module") -> str:
    """The text of one definition as a lesson shows it.

    Raises:
        ValueError: if ``source`` does not define ``name``.
    """
    known = definitions(source)
    if name not in known:
        raise ValueError(f"A build cell names {name}, but {module} does not define it.")
    node, lines = known[name], source.splitlines()
    first, end = _first_line(node, lines), node.end_lineno or node.lineno
    changed = {number: lines[number - 1] for number in range(first, end + 1)}
    for statements in statement_lists(node):
        _drop_untaught(statements, changed)
    return "\n".join(changed.values()).rstrip()


def _drop_untaught(statements: list[ast.stmt], lines: dict[int, str]) -> None:
    """Take docstrings and argument checks of one block out of the numbered lines."""
    at_top = True
    for statement in statements:
        if not is_untaught(statement):
            at_top = False
            continue
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        while not _is_text(statement) and _is_comment(lines.get(first - 1)):
            first -= 1
        before = max((number for number in lines if number < first), default=first)
        while (at_top or not lines[before].strip()) and lines.get(last + 1) == "":
            last += 1
        for number in range(first, last + 1):
            lines.pop(number, None)
    if at_top:
        lines[statements[0].lineno] = " " * statements[0].col_offset + "pass"
        ordered = sorted(lines.items())
        lines.clear()
        lines.update(ordered)


def is_untaught(statement: ast.stmt) -> bool:
    """Whether it is a docstring, or a bare call of a function ``require_...``."""
    if not isinstance(statement, ast.Expr):
        return False
    call = statement.value
    if isinstance(call, ast.Call):
        function = call.func
        name = getattr(function, "id", getattr(function, "attr", ""))
        return name.startswith("require_")
    return _is_text(statement)


def _is_text(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _is_comment(line: str | None) -> bool:
    return line is not None and line.lstrip().startswith("#")


def _first_line(node: ast.stmt, lines: list[str]) -> int:
    """Where a definition begins, with its decorators and the comment above it."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    while first > 1 and _is_comment(lines[first - 2]):
        first -= 1
    return first


def statement_lists(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every block of statements in ``tree``."""
    for node in ast.walk(tree):
        for field in STATEMENT_LISTS:
            block = getattr(node, field, None)
            if isinstance(block, list) and block:
                yield block
