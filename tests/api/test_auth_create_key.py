from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from notify.models import ApiKey, Application
from notify.rules.credentials import KEY_ENTROPY, new_key, parse_key
from tests.factories import Api, key_row


def created(*arguments: str) -> str:
    out = StringIO()
    call_command("create_api_key", *arguments, stdout=out)
    return out.getvalue()


def test_it_prints_the_key_and_nothing_else(db: None) -> None:
    printed = created("shop", "--scopes", "read,send")
    key = printed.strip()
    assert printed == key + "\n"
    assert key.startswith("crl_live_")
    assert Api(key).get("/v1/notifications").status_code == 200


def test_the_key_is_as_it_was_asked_for(db: None) -> None:
    row = key_row(created("shop", "--scopes", "send, users,send", "--tier", "bulk", "--test").strip())
    assert (row.application.name, row.scopes, row.tier, row.is_test) == ("shop", ["send", "users"], "bulk", True)
    assert row.expires_at is None


def test_a_key_can_be_made_to_end(db: None) -> None:
    row = key_row(created("shop", "--scopes", "send", "--expires-in-days", "30").strip())
    assert row.expires_at is not None
    assert abs(row.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


def test_a_second_key_belongs_to_the_same_application(db: None) -> None:
    created("shop", "--scopes", "send")
    created("shop", "--scopes", "read")
    assert (Application.objects.count(), ApiKey.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (("shop",), "none given"),
        (("shop", "--scopes", "sned"), "unknown: sned"),
        (("shop", "--scopes", "send", "--tier", "gold"), "invalid choice"),
        (("  ", "--scopes", "send"), "name the application"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(db: None, arguments: tuple[str, ...], cure: str) -> None:
    with pytest.raises(CommandError, match=cure):
        created(*arguments)
    assert ApiKey.objects.count() == 0


@given(st.binary(min_size=KEY_ENTROPY, max_size=KEY_ENTROPY), st.booleans())
def test_every_key_is_read_back_as_it_was_made(entropy: bytes, is_test: bool) -> None:  # noqa: FBT001 - Hypothesis names it
    made = new_key(is_test=is_test, entropy=entropy)
    assert parse_key(made.text) == made
    assert parse_key(made.text + "\n") is None
