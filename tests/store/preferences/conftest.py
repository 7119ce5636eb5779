"""People to ask about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from preferences import store
from preferences.vocabulary import Profile, RecipientRef

MakePerson = Callable[..., RecipientRef]


def profile(
    email: str | None = None,
    phone: str | None = None,
    locale: str = "",
    timezone: str = "",
    country_code: str = "",
    attributes: str = "{}",
) -> Profile:
    return Profile(
        email=email,
        phone=phone,
        locale=locale,
        timezone=timezone,
        country_code=country_code,
        attributes=attributes,
    )


@pytest.fixture
def make_profile() -> Callable[..., Profile]:
    return profile


@pytest.fixture
def make_person(db: None) -> MakePerson:
    """Creates a recipient and answers their reference."""

    def make(user_id: str = "u_alice", **fields: str) -> RecipientRef:
        store.upsert({user_id: profile(**fields)})
        return store.resolve([user_id])[user_id]

    return make


@pytest.fixture
def count_statements() -> Callable[[], object]:
    """A context that yields the SQL executed in it, without the test's own savepoints."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        seen: list[str] = []
        with CaptureQueriesContext(connection) as captured:
            yield seen
        seen += [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]

    return counting
