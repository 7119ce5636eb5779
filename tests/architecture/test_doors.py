"""One door to each thing outside: what import contracts cannot say, because they take an outside package as a whole.

A module that is not listed may not. Adding one here is a decision: say why beside it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.tree import Source, imports, product, suite

#: Who may import what; an entry covers what lies below it, and `*` stands for one app.
DOORS: dict[str, tuple[str, ...]] = {
    "redis": ("channels.redis_state",),
    "pycurl": ("channels.transport", "channels.curl_handle"),
    # Rare calls for tokens (google-auth's own transport) and for SNS's certificates; the demo, which calls the API as
    # any application would; the lab's receipts, which come from outside as any provider's.
    "requests": ("channels.oauth", "channels.sns_fetch", "config.demo.client", "config.lab.callbacks"),
    "smtplib": ("channels.smtp_line",),
    "celery": ("config", "notify.queue", "notify.tasks", "campaigns.queue", "campaigns.tasks"),
    "kombu": ("celeryconfig", "config", "notify.queue"),
    "psycopg": ("*.store", "config"),
    "rest_framework": ("*.api", "config"),
    "drf_spectacular": ("notify.api", "config"),
    "unfold": ("*.admin", "config"),
    "sentry_sdk": ("config",),
    "prometheus_client": ("*.metrics", "config"),
    "subprocess": ("notify.trial", "config"),  # a template is tried out in a process of its own
    # To look at an address before libcurl connects to it.
    "socket": ("config", "channels.curl_handle"),
    "minijinja": ("notify.rules",),
}
#: `connection.cursor()` elsewhere than in a store: the one question of `/readyz` is whether PostgreSQL answers.
CURSORS = ("*.store", "config.health")
#: `Model.objects`; Django's admin is written in it.
QUERYSETS = ("*.store", "*.admin", "config.demo")
#: `os.environ`; channels.conf follows the `env:` references of the providers file.
ENVIRONMENT = ("config", "channels.conf", "manage")
#: `django.conf.settings`.
SETTINGS = ("*.conf", "config")


def may(name: str, allowed: tuple[str, ...]) -> bool:
    patterns = (re.escape(one).replace(r"\*", r"\w+") for one in allowed)
    return any(re.fullmatch(rf"{pattern}(\..*)?", name) for pattern in patterns)


def strangers(allowed: tuple[str, ...]) -> Iterator[Source]:
    return (source for source in product() if not may(source.name, allowed))


def attributes(source: Source, wanted: str, of: str = "") -> Iterator[str]:
    nodes = (node for node in ast.walk(source.tree) if isinstance(node, ast.Attribute) and node.attr == wanted)
    return (source.at(node) for node in nodes if not of or ast.unparse(node.value).split(".")[-1] == of)


@pytest.mark.parametrize("package", DOORS)
def test_an_outside_package_is_imported_by_its_doors_alone(package: str) -> None:
    found = [
        source.at(statement)
        for source in strangers(DOORS[package])
        for statement, name in imports(source.tree)
        if name.split(".")[0] == package
    ]
    assert found == []


@pytest.mark.parametrize("package", DOORS)
def test_a_door_that_is_listed_is_used(package: str) -> None:
    assert any(name.split(".")[0] == package for source in product() for _, name in imports(source.tree))


def test_sql_is_written_in_stores_alone() -> None:
    found = [where for source in strangers(CURSORS) for where in attributes(source, "cursor", of="connection")]
    for source in strangers(CURSORS):
        found += [source.at(statement) for statement, name in imports(source.tree) if name.endswith(".hot_cursor")]
    assert found == []


def test_querysets_stay_in_stores_and_admins() -> None:
    assert [where for source in strangers(QUERYSETS) for where in attributes(source, "objects")] == []


def test_the_environment_is_read_in_one_place() -> None:
    found = [where for source in strangers(ENVIRONMENT) for where in attributes(source, "environ")]
    assert found + [where for source in strangers(ENVIRONMENT) for where in attributes(source, "getenv")] == []


def test_settings_reach_an_app_through_its_conf_alone() -> None:
    found = [
        source.at(statement)
        for source in strangers(SETTINGS)
        for statement, name in imports(source.tree)
        if name == "django.conf.settings"
    ]
    assert found == []


def test_our_own_code_is_never_mocked() -> None:
    """Stand-ins are real: the lab's servers, the sandbox, a fake adapter in the registry."""
    found = [s.at(statement) for s in suite() for statement, name in imports(s.tree) if "mock" in name.split(".")]
    assert found == []
