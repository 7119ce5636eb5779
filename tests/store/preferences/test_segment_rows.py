"""Segments on real rows: what PostgreSQL finds is what the language says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from preferences.errors import InvalidSegment
from preferences.rules.segment import parse
from preferences.store import audience
from preferences.store.segments import where
from tests.segments import KEYS, NOW, TEXTS, Drawn, Person, people, quoted, segments

EVERYBODY = people(300)
#: One database for all examples of a property: none of them changes it.
SHARED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = [
    *("and", "or", "not", "in", "(", ")", ",", "=", "!=", "<", ">=", "between", "exists", "is", "null", "contains"),
    *("starts with", "now", "today", "- 3 days", "+ 1 month", "true", "'x'", "'2026-01-01'", "5", "-1.5", "'"),
    *(
        "plan",
        "country",
        "'US'",
        "created_at",
        "has_push",
        "attributes.",
        '"my key"',
        ".",
        "%s",
        "%(after)s",
        ";",
        "--",
    ),
]


@pytest.fixture
def _everybody(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO preferences_recipient (id, user_id, status, locale, timezone, country_code, attributes,
                   data_key, created_at, updated_at)
               OVERRIDING SYSTEM VALUE
               VALUES (%s, %s, 'active', %s, %s, %s, %s::jsonb, '', %s, now())""",
            [row(number, person) for number, person in enumerate(EVERYBODY, start=1)],
        )
        for kind, flag in (("email", "has_email"), ("phone", "has_phone")):
            cursor.executemany(
                """INSERT INTO preferences_contact_point (recipient_id, kind, sealed, index, hint, status, soft_bounces,
                       updated_at) VALUES (%s, %s, '', '', '', %s, 0, now())""",
                [(at, kind, "active" if one[flag] else "bounced") for at, one in enumerate(EVERYBODY, start=1)],
            )
        cursor.executemany(
            """INSERT INTO preferences_device (recipient_id, device_id, platform, sealed, index, hint, app_version,
                   active, inactive_reason, registered_at, last_seen_at)
               VALUES (%s, 'd', 'ios', '', %s, '', '', true, '', now(), now())""",
            [(at, str(at).encode()) for at, one in enumerate(EVERYBODY, start=1) if one["has_push"]],
        )


def row(number: int, person: Person) -> tuple[Any, ...]:
    fields = ("user_id", "locale", "timezone", "country_code")
    attributes = msgspec.json.encode(person["attributes"]).decode()
    return (number, *(person[field] for field in fields), attributes, person["created_at"])


def found(text: str) -> set[str]:
    members = audience.of_segment(parse(text), NOW)
    with connection.cursor() as cursor:
        cursor.execute(members.sql, members.values | {"after": 0, "upto": 10_000})
        return {EVERYBODY[number - 1]["user_id"] for number, _ in cursor.fetchall()}


def meant(drawn: Drawn) -> set[str]:
    return {person["user_id"] for person in EVERYBODY if drawn.means(person)}


@pytest.mark.usefixtures("_everybody")
@SHARED
@given(drawn=segments)
def test_a_random_segment_finds_whom_it_means(drawn: Drawn) -> None:
    assert found(drawn.text) == meant(drawn)


@pytest.mark.usefixtures("_everybody")
@pytest.mark.parametrize("text", TEXTS)
def test_what_a_caller_wrote_travels_as_a_parameter(text: str) -> None:
    keys = '"' + text.replace('"', '""') + '".' if text else ""
    wanted = f"{keys}plan = {quoted(text)} or plan contains {quoted(text)} or plan in ({quoted(text)}, 1)"
    sql, values = where(parse(wanted).condition, NOW)
    assert "DROP" not in sql
    assert sql.replace("attributes", "").count("'") % 2 == 0
    assert any(text in str(value) for value in values.values())
    assert found(wanted) <= {person["user_id"] for person in EVERYBODY}


@pytest.mark.usefixtures("_everybody")
@SHARED
@given(pieces=st.lists(st.sampled_from(PIECES) | st.sampled_from(KEYS), max_size=12))
@example(pieces=["plan", ">=", "'x'", "or", "plan", "is", "null"])
def test_whatever_can_be_parsed_can_be_asked(pieces: list[str]) -> None:
    try:
        parse(" ".join(pieces))
    except InvalidSegment:
        return
    with transaction.atomic():
        assert found(" ".join(pieces)) is not None
