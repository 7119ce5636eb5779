"""Being forgotten, and getting a copy: over HTTP, with the whole database searched afterwards."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from channels import inbox, registry
from channels.vocabulary import Channel
from notify import dispatch, forget, plan, render, sweep
from preferences import store as people
from preferences.vocabulary import ContactKind
from tests.canaries import MAIL, PHONE
from tests.factories import Api, make_key, make_recipient, make_template, make_type
from tests.flow.conftest import Send, drain, plan_only, waiting_pages

pytestmark = pytest.mark.django_db(transaction=True)

#: Whatever of these is found after an erasure is a leak.
CANARIES = (MAIL, "c…@mail.example", PHONE, "…6543", "canary-word", "canary-plan", "canary-meta", "canary-token")


@pytest.fixture(autouse=True)
def _fresh_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._workshop, "pid", 0)


@pytest.fixture
def canary(shop: Api) -> Api:
    """A caller, and a person of whom everything is known."""
    wording = {
        "push": {"en": {"title": "Hello", "body": "{{ order_id }}"}},
        "email": {"en": {"subject": "Hello", "body": "{{ order_id }}"}},
        "in_app": {"en": {"title": "Hello", "body": "{{ order_id }}"}},
    }
    make_template("hello", "HELLO", channels=wording)
    make_type("HELLO", template_id="hello", channels=["push", "email", "in_app"])
    body = {
        "email": MAIL,
        "phone": PHONE,
        "locale": "en-GB",
        "timezone": "Europe/London",
        "country_code": "GB",
        "attributes": {"plan": "canary-plan"},
    }
    assert shop.put("/v1/users/u_alice", body).status_code == 201
    device = {"device_id": "d1", "platform": "android", "token": "canary-token-0123456789"}
    assert shop.post("/v1/users/u_alice/devices", device).status_code == 201
    shop.patch("/v1/users/u_alice/preferences", {"marketing_opt_in": True, "evidence": {"ip_address": "192.0.2.9"}})
    return shop


def tell(api: Api, key: str, **body: Any) -> str:
    request = {
        "type": "HELLO",
        "user_id": "u_alice",
        "variables": {"order_id": "canary-word"},
        "metadata": {"note": "canary-meta"},
        **body,
    }
    response = api.post("/v1/notifications", request, Idempotency_Key=key)
    assert response.status_code == 202, response.content
    return str(response.json()["notifications"][0]["id"])


def erase(api: Api, user_id: str = "u_alice") -> dict[str, Any]:
    response = api.post(f"/v1/users/{user_id}/erase")
    assert response.status_code == 202, response.content
    answer: dict[str, Any] = response.json()
    return answer


def everything() -> str:
    """Every row of every table as text: what a dump would hold."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname = 'public'"
        )
        tables = [row[0] for row in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows)


def leaks() -> list[str]:
    held = everything()
    return [one for one in CANARIES if one in held or one.encode().hex() in held]


def sent() -> int:
    folder = Path(settings.CARILLON["HOME"]) / "sandbox"
    return sum(len(file.read_text().splitlines()) for file in folder.glob("*.jsonl")) if folder.exists() else 0


def deliveries(api: Api, told: str) -> set[tuple[str, str | None]]:
    state = api.get(f"/v1/notifications/{told}/status").json()
    return {(one["status"], one["reason_code"]) for one in state["deliveries"]}


def test_nothing_of_an_erased_person_is_left_in_any_table(canary: Api) -> None:
    tell(canary, "one")
    drain()
    tell(canary, "two", schedule_at=(timezone.now() + timedelta(days=3)).isoformat())
    assert "canary-meta" in leaks()
    assert erase(canary)["status"] == "erased"
    assert leaks() == []


@pytest.mark.parametrize("reached", ["accepted", "planned", "rendered"])
def test_nothing_goes_out_once_the_erasure_is_answered(canary: Api, reached: str) -> None:
    told = tell(canary, "one")
    if reached == "planned":
        plan_only()
    waiting: list[tuple[UUID, str]] = []
    if reached == "rendered":
        plan_only()
        for page_id, _ in waiting_pages():
            rendered = render.render_page(page_id)
            assert rendered is not None
            waiting.append((page_id, render.hand_on(rendered)))
    erase(canary)
    for page_id, sealed in waiting:
        dispatch.dispatch_page(page_id, sealed)
    drain()
    assert sent() == 0
    assert deliveries(canary, told) == {("suppressed", "user_erased")}
    assert leaks() == []


def test_what_was_at_the_provider_meanwhile_leaves_no_trace_for_long(canary: Api) -> None:
    """An in-app entry written after the erasure, from words rendered before it, is unreadable and goes."""
    told = tell(canary, "one", channels=["in_app"])
    plan_only()
    page_id = waiting_pages()[0][0]
    rendered = render.render_page(page_id)
    assert rendered is not None
    recipient_id = ref_of_alice()
    erase(canary)
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO inbox_message (id, recipient_id, notification_id, type, sealed, created_at)
               VALUES (%s, %s, %s, 'HELLO', 'late', now())""",
            (rendered.ready[0].id, recipient_id, told),
        )
    assert forget.finish_erasures(now=timezone.now(), budget=timedelta(seconds=5)) == 0
    later = timezone.now() + timedelta(minutes=6)
    assert forget.finish_erasures(now=later, budget=timedelta(seconds=5)) == 1
    assert forget.finish_erasures(now=later, budget=timedelta(seconds=5)) == 0
    assert inbox.entry_page(recipient_id, before=None, limit=1, with_hidden=True) == []


def ref_of_alice() -> int:
    return people.resolve(["u_alice"])["u_alice"].id


def test_housekeeping_finishes_what_the_call_had_no_time_for(canary: Api) -> None:
    for number in range(3):
        tell(canary, str(number))
    drain()
    recipient_id = ref_of_alice()
    assert forget.clear_traces(recipient_id, budget=timedelta(0)) is False
    erase(canary)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_erasure SET requested_at = now() - interval '1 hour'")
        cursor.execute("UPDATE notify_delivery SET hint = 'c…@mail.example.co.uk'")
    assert sweep.maintain().erasures_finished == 1
    assert leaks() == []


def test_erasing_twice_is_harmless_and_nobody_is_404(canary: Api) -> None:
    assert erase(canary) == erase(canary)
    answer = canary.post("/v1/users/u_nobody/erase")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_user")


def test_an_erased_person_takes_no_data_and_no_messages_any_more(canary: Api) -> None:
    told = tell(canary, "one")
    drain()
    erase(canary)
    assert canary.put("/v1/users/u_alice", {"email": MAIL}).status_code == 409
    assert canary.patch("/v1/users/u_alice/preferences", {"marketing_opt_in": True}).status_code == 409
    again = canary.post("/v1/notifications", {"type": "HELLO", "user_id": "u_alice"}, Idempotency_Key="again")
    assert again.status_code == 422
    assert canary.post(f"/v1/notifications/{told}/resend").status_code == 404
    assert canary.get("/v1/users/u_alice").json()["email"] is None


def test_the_counts_stay_without_the_person(canary: Api) -> None:
    told = tell(canary, "one")
    drain()
    before = deliveries(canary, told)
    erase(canary)
    assert deliveries(canary, told) == before
    with connection.cursor() as cursor:
        cursor.execute("SELECT recipient_id, scope, state, means FROM preferences_consent ORDER BY id")
        assert cursor.fetchall() == [
            (None, "marketing", "given", "api"),
            (None, "address", "withdrawn", "erasure"),
            (None, "address", "withdrawn", "erasure"),
            (None, "global", "withdrawn", "erasure"),
        ]


def test_an_old_list_does_not_bring_the_person_back_into_marketing(canary: Api) -> None:
    erase(canary)
    make_type("OFFER", category="marketing", channels=["email"])
    make_recipient("u_again", email=MAIL)
    canary.patch("/v1/users/u_again/preferences", {"marketing_opt_in": True})
    offer = {"type": "OFFER", "user_id": "u_again", "content": {"subject": "S", "body": "b"}}
    told = canary.post("/v1/notifications", offer, Idempotency_Key="o").json()["notifications"][0]["id"]
    code = canary.post("/v1/notifications", offer | {"type": "HELLO", "channels": ["email"]}, Idempotency_Key="c")
    drain()
    assert deliveries(canary, told) == {("suppressed", "suppressed_address")}
    assert deliveries(canary, code.json()["notifications"][0]["id"]) == {("delivered", None)}


def test_an_address_that_somebody_else_has_too_stays_open_to_them(canary: Api) -> None:
    make_recipient("u_bob", email=MAIL)
    erase(canary)
    assert people.suppressions_of([people.index_of(ContactKind.EMAIL, MAIL)]) == []
    assert people.suppressions_of([people.index_of(ContactKind.PHONE, PHONE)])[0].channel is Channel.SMS


def test_the_neighbours_of_a_batch_keep_what_is_theirs(canary: Api, send: Send) -> None:
    make_recipient("u_bob", email="bob@example.com")
    both = [{"user_id": "u_alice"}, {"user_id": "u_bob"}]
    body = {"type": "HELLO", "recipients": both, "variables": {"order_id": "7"}, "metadata": {"note": "shared"}}
    answer = canary.post("/v1/notifications", body, Idempotency_Key="both").json()
    drain()
    erase(canary)
    bobs = next(one["id"] for one in answer["notifications"] if one["user_id"] == "u_bob")
    record = canary.get(f"/v1/notifications/{bobs}").json()
    assert record["metadata"] == {"note": "shared"}
    assert [one["address"] for one in record["deliveries"] if one["channel"] == "email"] == ["b…@example.com"]


def test_a_copy_holds_all_that_is_known_in_clear(canary: Api) -> None:
    told = tell(canary, "one")
    drain()
    response = canary.get("/v1/users/u_alice/export")
    copy = json.loads(b"".join(response.streaming_content))
    assert (copy["user"]["email"], copy["user"]["phone"], copy["complete"]) == (MAIL, PHONE, True)
    assert copy["devices"][0]["token"] == "canary-token-0123456789"
    assert (copy["consents"][0]["scope"], copy["consents"][0]["ip_address"]) == ("marketing", "192.0.2.9")
    assert copy["inbox"][0]["content"]["body"] == "canary-word"
    assert [one["id"] for one in copy["notifications"]] == [told]
    only = copy["notifications"][0]
    assert (only["variables"], only["metadata"]) == ({"order_id": "canary-word"}, {"note": "canary-meta"})
    assert {one["channel"] for one in only["deliveries"]} == {"push", "email", "in_app"}
    assert [try_["outcome"] for one in only["deliveries"] for try_ in one["attempts"]] == ["accepted"] * 3
    assert (response["Cache-Control"], response.status_code) == ("no-store", 200)


def test_a_copy_says_of_what_is_under_way_what_the_api_says(canary: Api) -> None:
    make_recipient("u_bob", email="sandbox-accepted@example.com")
    told = tell(canary, "sent", user_id="u_bob", channels=["email"])
    drain()
    copy = json.loads(b"".join(canary.get("/v1/users/u_bob/export").streaming_content))
    assert copy["notifications"][0]["status"] == canary.get(f"/v1/notifications/{told}").json()["status"] == "sent"


def test_a_copy_is_read_by_the_page_however_long_it_is(canary: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notify.export.EXPORT_PAGE", 2)
    monkeypatch.setattr("notify.export._PIECE_BYTES", 500)
    told = [tell(canary, str(number)) for number in range(5)]
    drain()
    pieces = list(canary.get("/v1/users/u_alice/export").streaming_content)
    copy = json.loads(b"".join(pieces))
    assert [one["id"] for one in copy["notifications"]] == told[::-1]
    assert len(copy["inbox"]) == 5
    assert len(pieces) > 5


def test_a_copy_of_an_erased_person_holds_nothing_of_them(canary: Api) -> None:
    tell(canary, "one")
    drain()
    erase(canary)
    raw = b"".join(canary.get("/v1/users/u_alice/export").streaming_content).decode()
    assert json.loads(raw)["user"]["status"] == "erased"
    assert [one for one in CANARIES if one in raw] == []


def test_erasing_and_copying_need_the_scope_users(canary: Api) -> None:
    sender = Api(make_key("other", scopes=("send", "read")))
    for answer in (sender.post("/v1/users/u_alice/erase"), sender.get("/v1/users/u_alice/export")):
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_facts_read_before_the_erasure_send_nothing_after_it(canary: Api) -> None:
    """Erased between planning and rendering in one process, with the facts still in its hands."""
    told = tell(canary, "one")
    planned = plan.plan_page(waiting_pages()[0][0])
    erase(canary)
    for one in planned:
        rendered = render.render_claimed(one.page, one.known)
        if rendered is not None:
            sealed = render.hand_on(rendered)
            dispatch.dispatch_page(one.page.page_id, sealed)
    assert sent() == 0
    assert deliveries(canary, told) == {("suppressed", "user_erased")}
