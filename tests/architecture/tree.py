"""The repository as its own tests read it: files parsed once, functions with their sizes, comments by line."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("config", "campaigns", "notify", "preferences", "channels")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One parsed file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """As it is imported: `notify.store.pages`."""
        words = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(words[:-1] if words[-1] == "__init__" else words)

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    def at(self, node: ast.stmt | ast.expr | ast.ExceptHandler | int) -> str:
        """A place to click on."""
        line = node if isinstance(node, int) else node.lineno
        return f"{self.path.relative_to(ROOT)}:{line}"

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def comments(self) -> dict[int, str]:
        """What stands behind a hash sign, by line."""
        read = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {token.start[0]: token.string for token in read if token.type == tokenize.COMMENT}


@cache
def product() -> tuple[Source, ...]:
    """All code that runs in production, the demo's and the lab's too; migrations are history and not read."""
    alone = [ROOT / "manage.py", ROOT / "celeryconfig.py"]
    found = (file for app in APPS for file in sorted((ROOT / app).rglob("*.py")))
    return tuple(read(file) for file in (*alone, *found) if "migrations" not in file.parts)


@cache
def suite() -> tuple[Source, ...]:
    return tuple(read(file) for file in sorted((ROOT / "tests").rglob("*.py")))


def read(file: Path) -> Source:
    text = file.read_text(encoding="utf-8")
    return Source(file, text, _parsed(text, str(file)))


def _parsed(text: str, name: str) -> ast.Module:
    """CPython 3.11 counts the depth of trees for all threads together, and fails when another one runs (gh-106905)."""
    for _ in range(20):
        with suppress(SystemError):
            return ast.parse(text, name)
    return ast.parse(text, name)


def docstring_lines(node: Function) -> int:
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return 0
    return (first.end_lineno or first.lineno) - first.lineno + 1


def length(node: Function) -> int:
    """Lines from `def` to the last one, the docstring not counted."""
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)


def body_length(node: Function) -> int:
    """Lines below the signature, the docstring not counted."""
    last = node.end_lineno or node.lineno
    return last - node.body[0].lineno + 1 - docstring_lines(node)


def words(name: str) -> list[str]:
    """`_to_HTMLPage2` → to, html, page."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def imports(tree: ast.AST) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Every import statement with the full name of each thing it names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node, f"{node.module}.{one.name}") for one in node.names)


def decorators(node: Function | ast.ClassDef) -> list[str]:
    """The last word of each: `shared_task` for `@celery.shared_task(name=…)`."""
    called = (each.func if isinstance(each, ast.Call) else each for each in node.decorator_list)
    return [each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in called]
