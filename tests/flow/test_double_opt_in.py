"""Marketing that is asked for and confirmed by mail: from the call to the first newsletter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from channels import registry
from notify import accept, confirm
from preferences import allow, store
from preferences.store import opt_ins, suppressions
from preferences.vocabulary import Category
from tests.factories import BY_APP, Api, make_recipient, make_type
from tests.flow.conftest import drain

pytestmark = pytest.mark.django_db(transaction=True)

PREFERENCES = "/v1/users/u_alice/preferences"


@pytest.fixture(autouse=True)
def _double(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is on; the sandbox keeps to this test's folder."""
    for module in (allow, opt_ins, suppressions):
        monkeypatch.setattr(module, "DOUBLE_OPT_IN", True)
    monkeypatch.setattr(registry._workshop, "pid", 0)


@pytest.fixture
def alice(api: Api) -> Api:
    """A caller, somebody with an address, and a newsletter."""
    make_recipient(email="alice@example.com", locale="de")
    make_type("NEWSLETTER", category=Category.MARKETING.value, channels=["email"], quiet_hours="bypass")
    return api


def ask(api: Api, **patch: Any) -> dict[str, Any]:
    answer = api.patch(PREFERENCES, {"marketing_opt_in": True, **patch})
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def work() -> None:
    """What beat and workers do."""
    confirm.ask_people(accept.accept)
    drain()


def mails() -> list[dict[str, Any]]:
    path = Path(settings.CARILLON["HOME"]) / "sandbox" / "email.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def link() -> str:
    """The path of the link in the last mail."""
    found = re.search(r"/c/[\w-]+", mails()[-1]["text"])
    assert found is not None
    return found[0]


def gets_marketing(api: Api, key: str) -> bool:
    body = {"type": "NEWSLETTER", "user_id": "u_alice", "content": {"subject": "News", "body": "b"}}
    told = api.post("/v1/notifications", body, Idempotency_Key=key).json()["notifications"][0]["id"]
    drain()
    return bool(api.get(f"/v1/notifications/{told}/status").json()["status"] == "delivered")


def ledger(api: Api) -> list[tuple[str, str]]:
    return [(one["state"], one["means"]) for one in api.get("/v1/users/u_alice/consents").json()["data"][::-1]]


def test_marketing_counts_once_it_is_confirmed_and_not_before(alice: Api) -> None:
    assert ask(alice)["marketing_opt_in"] is False
    work()
    assert mails()[-1]["subject"] == "Bitte bestätigen: Neuigkeiten und Angebote"
    assert not gets_marketing(alice, "before")
    path = link()
    assert Client().get(path).status_code == 200
    assert not gets_marketing(alice, "seen")
    answer = Client(enforce_csrf_checks=True).post(path)
    assert (answer.status_code, answer["Content-Language"], answer.cookies) == (200, "de", {})
    assert gets_marketing(alice, "after")
    assert alice.get(PREFERENCES).json()["marketing_opt_in"] is True
    assert ledger(alice) == [("requested", "api"), ("given", "double_opt_in")]
    entry = alice.get("/v1/users/u_alice/consents").json()["data"][0]
    assert (entry["actor"], entry["ip_address"], entry["text_version"]) == ("person", "127.0.0.1", "pages-1.de")


def test_a_link_is_good_once_and_nobody_can_make_another(alice: Api) -> None:
    ask(alice)
    work()
    path = link()
    assert Client().post(path).status_code == 200
    for address in (path, path[:-1], "/c/x", "/c/" + "A" * 60):
        assert (Client().get(address).status_code, Client().post(address).status_code) == (404, 404)


def test_a_link_is_too_old_after_a_week(alice: Api) -> None:
    ask(alice)
    work()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_opt_in SET requested_at = now() - interval '8 days'")
    assert (Client().get(link()).status_code, Client().post(link()).status_code) == (404, 404)
    ask(alice)
    work()
    assert len(mails()) == 2
    assert Client().post(link()).status_code == 200


@pytest.mark.parametrize("how", ["patch", "put", "complaint", "erase"])
def test_a_no_in_between_voids_the_link(alice: Api, how: str) -> None:
    ask(alice)
    work()
    if how == "patch":
        alice.patch(PREFERENCES, {"marketing_opt_in": False})
    elif how == "put":
        alice.put(PREFERENCES, {})
    elif how == "complaint":
        store.stop_marketing([store.resolve(["u_alice"])["u_alice"].id], [], BY_APP)
    else:
        alice.post("/v1/users/u_alice/erase")
    assert Client().post(link()).status_code == 404
    if how != "erase":
        assert ledger(alice)[-1][0] == "withdrawn"
        assert not gets_marketing(alice, "after")


def test_another_change_in_between_leaves_the_link_good(alice: Api) -> None:
    ask(alice)
    alice.patch(PREFERENCES, {"channels": {"sms": False}})
    work()
    assert Client().post(link()).status_code == 200
    assert gets_marketing(alice, "after")


def test_whoever_asks_again_and_again_causes_one_mail(alice: Api) -> None:
    for _ in range(5):
        ask(alice)
        work()
    assert len(mails()) == 1
    assert ledger(alice) == [("requested", "api")]


def test_an_import_that_was_confirmed_elsewhere_counts_at_once(alice: Api) -> None:
    assert ask(alice, evidence={"means": "import"})["marketing_opt_in"] is True
    work()
    assert mails() == []
    assert gets_marketing(alice, "import")


def test_who_confirmed_once_is_not_asked_again(alice: Api) -> None:
    ask(alice)
    work()
    Client().post(link())
    assert ask(alice)["marketing_opt_in"] is True
    work()
    assert len(mails()) == 1


def test_a_request_of_somebody_gone_or_without_an_address_harms_nobody_else(alice: Api) -> None:
    make_recipient("u_bob")
    alice.patch("/v1/users/u_bob/preferences", {"marketing_opt_in": True})
    ask(alice)
    work()
    assert len(mails()) == 1
    assert confirm.ask_people(accept.accept) == 0


def test_words_that_the_owner_has_changed_stay(alice: Api) -> None:
    ask(alice)
    work()
    words = {"channels": {"email": {"en": {"subject": "Mine", "body": "{{ confirm_url }}"}}}, "publish": True}
    words["variables"] = {"confirm_url": {"type": "string", "required": True}}
    assert alice.post("/v1/templates/confirm_marketing/versions", words).status_code == 201
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_opt_in SET requested_at = now() - interval '2 hours'")
    ask(alice)
    work()
    assert mails()[-1]["subject"] == "Mine"
