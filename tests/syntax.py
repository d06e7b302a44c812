"""The source as trees, for tests of its names and arrows; parsed once for all of them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HOLDS_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)


@cache
def parsed(path: Path) -> ast.Module:
    """The tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def statements(path: Path) -> list[ast.AST]:
    """Each statement of a file, in functions and classes too; expressions are not looked into."""
    found: list[ast.AST] = [parsed(path)]
    for node in found:
        found += [child for child in ast.iter_child_nodes(node) if isinstance(child, HOLDS_STATEMENTS)]
    return found


def run_at_import(path: Path) -> Iterator[ast.AST]:
    """Each node of a file that is reached before a function is called."""
    waiting: list[ast.AST] = [parsed(path)]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
