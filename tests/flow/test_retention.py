"""Types whose words go before the log does."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from channels import registry
from notify import forget, sweep
from tests.factories import Api, make_recipient, make_template, make_type
from tests.flow.conftest import drain

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(days=8)
BUDGET = timedelta(seconds=5)


@pytest.fixture(autouse=True)
def _fresh_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._workshop, "pid", 0)


@pytest.fixture
def codes(api: Api) -> Api:
    """Codes are forgotten after a week, letters with the log."""
    for key in ("CODE", "LETTER"):
        make_template(key.lower(), key, channels={"in_app": {"en": {"title": "T", "body": "{{ order_id }}"}}})
        make_type(key, template_id=key.lower(), channels=["in_app"], retention_days=7 if key == "CODE" else None)
    make_recipient()
    return api


def tell(api: Api, type_key: str, key: str, **body: object) -> str:
    request = {"type": type_key, "user_id": "u_alice", "variables": {"order_id": "word"}, **body}
    answer = api.post("/v1/notifications", request, Idempotency_Key=key)
    assert answer.status_code == 202, answer.content
    return str(answer.json()["notifications"][0]["id"])


def told(api: Api) -> dict[str, object]:
    """What the person's copy still holds of each notification's variables."""
    copy = json.loads(b"".join(api.get("/v1/users/u_alice/export").streaming_content))
    return {one["id"]: one["variables"] for one in copy["notifications"]}


def inbox(api: Api) -> list[str]:
    return [one["type"] for one in api.get("/v1/users/u_alice/notifications").json()["data"]]


def test_words_and_entries_of_a_type_go_when_their_time_has_come(codes: Api) -> None:
    code, letter = tell(codes, "CODE", "a"), tell(codes, "LETTER", "b")
    drain()
    assert forget.clear_old_words(now=timezone.now(), budget=BUDGET) == 0
    assert forget.clear_old_words(now=timezone.now() + LATER, budget=BUDGET) == 1
    assert told(codes) == {code: None, letter: {"order_id": "word"}}
    assert inbox(codes) == ["LETTER"]
    assert codes.get(f"/v1/notifications/{code}/status").json()["status"] == "delivered"
    assert codes.post(f"/v1/notifications/{code}/resend").status_code == 404


def test_what_still_waits_keeps_its_words(codes: Api) -> None:
    at = (timezone.now() + timedelta(days=20)).isoformat()
    waiting, planned = tell(codes, "CODE", "a", schedule_at=at), tell(codes, "CODE", "b")
    drain()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_delivery SET status = 'planned', sent_at = NULL, provider = ''")
    assert forget.clear_old_words(now=timezone.now() + LATER, budget=BUDGET) == 0
    assert set(told(codes)) == {waiting, planned}


def test_a_long_log_is_cleared_a_stretch_at_a_time_and_gone_over_once(
    codes: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notify.forget.OLD_WORDS_SCAN", 2)
    for number in range(5):
        tell(codes, "CODE", str(number))
    drain()
    assert forget.clear_old_words(now=timezone.now() + LATER, budget=BUDGET) == 5
    assert inbox(codes) == []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT cleared_until = (SELECT id FROM notify_notification ORDER BY id DESC LIMIT 1)"
            " FROM notify_type WHERE key = 'CODE'"
        )
        assert cursor.fetchone() == (True,)
    codes.put("/v1/types/CODE", {"category": "security", "template_id": "code", "retention_days": 3})
    assert forget.clear_old_words(now=timezone.now() + LATER, budget=BUDGET) == 0


def test_housekeeping_clears_old_words(codes: Api) -> None:
    assert sweep.maintain().words_cleared == 0
