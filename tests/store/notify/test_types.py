"""Notification types as the pipeline reads them."""

import pytest
from pytest_django import DjangoAssertNumQueries

from notify import author
from notify.models import NotificationType
from notify.rules.template_requests import Cap, TypeBody
from notify.store import types
from preferences.vocabulary import Category

pytestmark = pytest.mark.django_db


def defined(key: str) -> None:
    body = TypeBody(category=Category.SOCIAL, caps=[Cap(max=3, per_seconds=60)], ttl_seconds=60)
    author.define_type(key, body)


def test_types_of_a_page_take_one_query_and_then_none(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for key in ("A", "B"):
        defined(key)
    with django_assert_num_queries(1):
        for _ in range(3):
            known = types.types_for({"A", "B", "NONE"})
            assert types.type_for("NONE") is None
    assert known.keys() == {"A", "B"}
    assert known["A"].caps == [{"max": 3, "per_seconds": 60}]
    assert known["A"].channels == ["push", "in_app"]


def test_a_change_is_seen_at_once_by_the_process_that_made_it() -> None:
    defined("A")
    assert types.type_for("A")
    author.define_type("A", TypeBody(category=Category.SECURITY))
    row = types.type_for("A")
    assert row is not None
    assert (row.category, row.quiet_hours, row.ttl_seconds) == ("security", "bypass", None)


def test_a_change_by_another_process_is_seen_when_the_memory_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    defined("A")
    types.type_for("A")
    NotificationType.objects.update(priority="low")
    assert types.types_for(["A"])["A"].priority == "medium"
    monkeypatch.setattr(types.time, "monotonic", lambda: float("inf"))
    assert types.types_for(["A"])["A"].priority == "low"


def test_made_up_keys_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(types, "_MOST_KNOWN", 10)
    for number in range(50):
        types.type_for(f"X{number}")
    assert len(types._Known.types) <= 10


def test_putting_the_same_type_twice_creates_it_once() -> None:
    body = TypeBody(category=Category.REMINDER)
    assert author.define_type("A", body)[1]
    assert not author.define_type("A", body)[1]
    assert NotificationType.objects.count() == 1


def test_a_listing_begins_behind_a_key() -> None:
    for key in ("C", "A", "B"):
        defined(key)
    assert [row.key for row in types.list_types("A", 10)] == ["B", "C"]
