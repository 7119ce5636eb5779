"""Whoever writes what facts are made of says whose facts they are, so that the cache forgets them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.tree import Source, product

#: What `facts_for` reads.
_WRITES = re.compile(
    r"(UPDATE|INSERT INTO|DELETE FROM)\s+preferences_((recipient|contact_point|device|preference|suppression)\b|\{)"
)
_TELLS = {"changed", "addresses_changed"}
#: Writers of what no fact is made of.
QUIET = {
    "note_bounces": "counts failures; it is `suppress` that closes an address",
    "touch_device": "when a device was last seen",
    "trim_devices": "inactive devices alone",
    "delete_inactive": "inactive devices alone",
}


def test_every_public_writer_of_the_store_tells_whom_it_changes() -> None:
    silent = {
        name for source in product() if source.name.startswith("preferences.store.") for name in _silent_writers(source)
    }
    assert silent == QUIET.keys()


def test_people_are_written_in_the_store_alone() -> None:
    elsewhere = [
        source.name
        for source in product()
        if not re.match(r"preferences\.(store|migrations)\.", source.name)
        and any(_WRITES.search(text) for text in _texts(source.tree))
    ]
    assert elsewhere == []


def _silent_writers(source: Source) -> Iterator[str]:
    constants = {
        target.id: " ".join(_texts(node.value))
        for node in source.tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = {node.name: node for node in source.tree.body if isinstance(node, ast.FunctionDef)}
    for name in functions:
        if name.startswith("_"):
            continue
        reached = _reached(name, functions)
        names = {node.id for each in reached for node in ast.walk(functions[each]) if isinstance(node, ast.Name)}
        texts = [text for each in reached for text in _texts(functions[each])]
        texts += [constants[one] for one in names if one in constants]
        if any(_WRITES.search(text) for text in texts) and names.isdisjoint(_TELLS):
            yield name


def _reached(start: str, functions: dict[str, ast.FunctionDef]) -> set[str]:
    """The functions of the module that a function uses, itself among them."""
    found, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        found.add(name)
        used = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)}
        waiting += [one for one in used if one in functions and one not in found]
    return found


def _texts(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value
        elif isinstance(one, ast.JoinedStr):
            yield ast.unparse(one)
