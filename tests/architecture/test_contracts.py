"""Every import contract of pyproject.toml is kept, and each catches what it was written against.

The violations are added to a copy of the import graph, which is read from the tree once.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

import grimp
import pytest
from importlinter import configuration
from importlinter.application.use_cases import read_user_options
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract
from importlinter.domain.contract import Contract

from tests.architecture.tree import APPS, ROOT

TYPES: dict[str, type[Contract]] = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
    "layers": LayersContract,
    "protected": ProtectedContract,
}

#: A contract's number, and an import it must refuse. The importer "(new)" stands for a module that merely exists.
VIOLATIONS = [
    ("1", "channels.rules.bucket", "notify.vocabulary"),
    ("1", "preferences.store.facts", "notify.store.pages"),
    ("1", "notify.accept", "config.settings"),
    ("2a", "notify.plan", "notify.render"),
    ("2a", "notify.store.pages", "notify.queue"),
    ("2a", "notify.tasks", "notify.api.sending"),
    ("2a", "(new)", "notify.utils"),
    ("2b", "channels.transport", "channels.send"),
    ("2b", "(new)", "channels.helpers"),
    ("2c", "preferences.upsert", "preferences.allow"),
    ("2c", "(new)", "preferences.services"),
    ("2d", "(new)", "campaigns.misc"),
    ("3", "notify.rules.planning", "django"),
    ("3", "channels.rules.failover", "redis"),
    ("3", "preferences.vocabulary", "psycopg"),
    ("4", "notify.api.reading", "notify.models"),
    ("4", "notify.record", "preferences.models"),
    ("5a", "channels.providers.push.fcm", "channels.providers.in_app.inbox"),
    ("5a", "channels.providers.in_app.inbox", "channels.providers.sandbox"),
    ("5b", "channels.send", "channels.providers.sandbox"),
    ("6", "notify.dispatch", "celery"),
    ("6", "channels.send", "kombu"),
    ("7a", "channels.send", "channels.transport"),
    ("7a", "channels.registry", "channels.smtp_line"),
    ("7b", "notify.plan", "channels.redis_state"),
    ("8", "notify.dispatch", "channels.registry"),
    ("8", "notify.api.reading", "channels.redis_state"),
    ("8b", "notify.plan", "preferences.models"),
    ("8c", "preferences.register", "channels.send"),
    ("9", "notify.rules.backoff", "notify.rules.outcome"),
]


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*APPS, include_external_packages=True, cache_dir=None)


@cache
def contracts() -> dict[str, Contract]:
    """By the number with which its name begins."""
    configuration.configure()
    written = read_user_options(str(ROOT / "pyproject.toml"))
    made = (_contract(options, written.session_options) for options in written.contracts_options)
    return {contract.name.split()[0]: contract for contract in made}


def _contract(options: dict[str, Any], session: dict[str, Any]) -> Contract:
    return TYPES[options["type"]](options["name"], session, options)


def is_kept(number: str, tree: grimp.ImportGraph) -> bool:
    return contracts()[number].check(graph=deepcopy(tree), verbose=False).kept


def with_violation(importer: str, imported: str) -> grimp.ImportGraph:
    tree = deepcopy(graph())
    if importer == "(new)":
        tree.add_module(imported)
    else:
        assert {importer, imported} <= tree.modules | {"redis", "psycopg", "kombu"}, (
            "the example names no module of ours"
        )
        tree.add_import(importer=importer, imported=imported, line_number=1, line_contents="import")
    return tree


@pytest.mark.parametrize("number", contracts())
def test_the_tree_keeps_the_contract(number: str) -> None:
    assert is_kept(number, graph()), f"run lint-imports to see what breaks {contracts()[number].name}"


@pytest.mark.parametrize(("number", "importer", "imported"), VIOLATIONS)
def test_the_contract_catches_its_violation(number: str, importer: str, imported: str) -> None:
    assert not is_kept(number, with_violation(importer, imported))


def test_no_contract_is_without_an_example_of_what_it_catches() -> None:
    assert {number for number, _, _ in VIOLATIONS} == set(contracts())
