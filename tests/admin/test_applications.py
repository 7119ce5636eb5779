"""API keys: shown once, rotated with an overlap, revoked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from notify.models import ApiKey, Application
from tests.admin.conftest import Staff
from tests.factories import Api, key_row, make_key

LIST = "/admin/notify/application/"
FORM: dict[str, Any] = {"application": "shop", "scopes": ["send", "read"], "tier": "standard", "days": "30"}
_KEY = re.compile(r"crl_(?:live|test)_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}")


def shown_key(page: Any) -> str:
    (text,) = set(_KEY.findall(page.content.decode()))
    return str(text)


def works(key: str) -> bool:
    return bool(Api(key).get("/v1/notifications").status_code == 200)


def issue(client: Client, **changes: Any) -> str:
    return shown_key(client.post(f"{LIST}issue/", {**FORM, **changes}))


def test_a_new_key_works_and_is_never_shown_again(staff: Staff) -> None:
    operator = staff("operator")
    text = issue(operator)
    assert works(text)
    row = key_row(text)
    assert (row.application.name, row.scopes, row.tier, row.is_test) == ("shop", ["send", "read"], "standard", False)
    later = operator.get(LIST).content.decode()
    assert not _KEY.search(later)
    assert row.prefix in later
    assert f"…{text[-4:]}" in later


def test_the_end_of_a_key_is_counted_in_days(staff: Staff) -> None:
    end = key_row(issue(staff("operator"))).expires_at
    assert end is not None
    assert abs(end - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=1)


def test_a_test_key_says_so(staff: Staff) -> None:
    text = issue(staff("operator"), is_test="on")
    assert text.startswith("crl_test_")
    assert key_row(text).is_test


@pytest.mark.parametrize(
    ("field", "value", "cure"),
    [
        ("application", "", "Name the application"),
        ("scopes", [], "Tick what the key may do"),
        ("days", "0", "at least one day"),
    ],
)
def test_a_refusal_names_the_cure_and_makes_no_key(staff: Staff, field: str, value: Any, cure: str) -> None:
    page = staff("operator").post(f"{LIST}issue/", {**FORM, field: value})
    assert cure in page.content.decode()
    assert ApiKey.objects.count() == 0


def test_a_rotated_key_lives_on_for_the_overlap(staff: Staff) -> None:
    old = make_key("shop")
    new = shown_key(staff("operator").post(f"{LIST}keys/{key_row(old).pk}/rotate/", {"overlap": "24"}))
    assert works(old)
    assert works(new)
    assert (key_row(new).scopes, key_row(new).tier) == (sorted(key_row(old).scopes), key_row(old).tier)
    end = key_row(old).expires_at
    assert end is not None
    assert abs(end - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=1)


def test_without_an_overlap_the_old_key_ends_at_once(staff: Staff) -> None:
    old = make_key("shop")
    staff("operator").post(f"{LIST}keys/{key_row(old).pk}/rotate/", {"overlap": "0"})
    assert not works(old)


def test_an_overlap_never_lengthens_a_keys_life(staff: Staff) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    old = make_key("shop", expires_at=soon)
    staff("operator").post(f"{LIST}keys/{key_row(old).pk}/rotate/", {"overlap": "168"})
    assert key_row(old).expires_at == soon


def test_a_revoked_key_is_refused_and_not_rotated(staff: Staff) -> None:
    text = make_key("shop")
    operator = staff("operator")
    operator.post(f"{LIST}keys/{key_row(text).pk}/revoke/")
    assert not works(text)
    page = operator.post(f"{LIST}keys/{key_row(text).pk}/rotate/", {"overlap": "24"}, follow=True)
    assert "issue a new one" in page.content.decode()
    assert ApiKey.objects.count() == 1


def test_a_disabled_application_is_refused_until_it_is_enabled(staff: Staff) -> None:
    make_key("shop")
    operator = staff("operator")
    number = Application.objects.get().pk
    operator.post(f"{LIST}{number}/disable/")
    assert Application.objects.get().disabled_at is not None
    operator.post(f"{LIST}{number}/enable/")
    assert Application.objects.get().disabled_at is None


def test_the_log_names_keys_by_their_prefix_alone(staff: Staff) -> None:
    operator = staff("operator")
    text = issue(operator)
    operator.post(f"{LIST}keys/{key_row(text).pk}/revoke/")
    entries = [f"{one.object_repr} {one.change_message}" for one in LogEntry.objects.order_by("pk")]
    assert entries == [
        f"key {key_row(text).prefix} issued with send, read, tier standard",
        f"key {key_row(text).prefix} revoked",
    ]


def test_an_auditor_sees_keys_and_no_button(staff: Staff) -> None:
    text = make_key("shop")
    page = staff("auditor").get(LIST).content.decode()
    assert key_row(text).prefix in page
    assert "/revoke/" not in page
    assert "Make the key" not in page
