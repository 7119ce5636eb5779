"""`/v1/receipts/{provider_name}`: who is heard, who is not, and what either leaves behind."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from channels import conf, receipts
from channels.vocabulary import ReceiptCall
from notify.policy import MAX_RECEIPT_BYTES
from tests.factories import Api
from tests.flow.receipts import SECRET, Gateway, declare, event, outcomes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _accounts(tmp_path: Path, settings: Any) -> None:
    file = declare(tmp_path, ("mail-a", "email"))
    file.write_text(file.read_text() + '[[provider]]\nname = "silent"\nadapter = "sandbox"\nchannel = "sms"\n')
    settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": file}


def code_of(response: Any) -> str:
    return str(response.json()["code"])


def test_a_genuine_callback_needs_no_key_and_is_kept() -> None:
    answer = Gateway("mail-a").post(b'{"events": [{"id": "e1", "event": "delivered", "message_id": "m"}]}')
    assert (answer.status_code, answer.content) == (200, b"")
    assert outcomes() == [None]


def test_a_forged_callback_is_403_without_a_word_and_leaves_nothing() -> None:
    forged = Gateway("mail-a").post(b'{"events": []}', key=b"\1" * 32)
    assert (forged.status_code, code_of(forged), forged.json()["detail"]) == (403, "not_genuine", "")
    assert Api().post("/v1/receipts/mail-a", {"events": []}).status_code == 403
    assert Gateway("mail-a").says(event("delivered", address="a@example.com"), key=b"\1" * 32) == 403
    assert outcomes() == []


@pytest.mark.parametrize("name", ["nobody", "silent", "inbox"])
def test_an_account_that_takes_no_callbacks_is_404(name: str) -> None:
    answer = Api().post(f"/v1/receipts/{name}", {})
    assert (answer.status_code, code_of(answer)) == (404, "unknown_provider")


def test_a_genuine_callback_nobody_understands_is_400() -> None:
    answer = Gateway("mail-a").post(b"[1, 2")
    assert (answer.status_code, code_of(answer)) == (400, "unreadable_receipt")
    assert outcomes() == []


def test_an_event_nobody_understands_is_kept_and_does_not_sink_its_neighbours() -> None:
    assert Gateway("mail-a").says({"id": "e1", "event": "teleported"}, event("delivered", message_id="m")) == 200
    assert len(outcomes()) == 2


def test_a_body_beyond_all_reason_is_413_and_a_large_one_is_read() -> None:
    gateway = Gateway("mail-a")
    assert gateway.post(b'{"events": []}' + b" " * (2 * 1024 * 1024)).status_code == 200
    answer = gateway.post(b" " * (MAX_RECEIPT_BYTES + 1))
    assert (answer.status_code, code_of(answer)) == (413, "body_too_large")


def test_an_account_whose_secret_is_missing_is_503_so_that_the_provider_comes_again(tmp_path: Path) -> None:
    (tmp_path / "receipts-secret").unlink()
    answer = Gateway("mail-a").post(b'{"events": []}')
    assert (answer.status_code, code_of(answer)) == (503, "not_accepting")


def test_the_signed_url_is_the_public_one_whatever_the_proxy_says(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CARILLON = {**settings.CARILLON, "PUBLIC_URL": "https://notify.example.com"}
    seen: list[ReceiptCall] = []

    class Reader:
        def read(self, call: ReceiptCall) -> list[Any]:
            seen.append(call)
            return []

    monkeypatch.setattr(receipts.registry, "receipt_reader", lambda _account: Reader())
    Client().get("/v1/receipts/mail-a?d=1&status=a%20b", headers={"Host": "10.0.0.7:8000"})
    Client().post("/api/v1/receipts/mail-a", b"x", content_type="text/plain", headers={"X-Test": "1"})
    assert [one.url for one in seen] == [
        "https://notify.example.com/v1/receipts/mail-a?d=1&status=a%20b",
        "https://notify.example.com/v1/receipts/mail-a",
    ]
    assert seen[0].query == [("d", "1"), ("status", "a b")]
    assert (seen[1].body, seen[1].headers["x-test"]) == (b"x", "1")
    assert conf.receipts_url("mail-a") == seen[1].url


def test_a_replaced_secret_is_taken_up_after_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway("mail-a")
    assert gateway.says() == 200
    key = bytes(range(1, 33))
    (tmp_path / "receipts-secret").write_text(f"{SECRET}\nwhsec_{base64.b64encode(key).decode()}")
    assert gateway.says(key=key) == 403
    monkeypatch.setattr(receipts.policy, "REBUILD_AFTER_SECONDS", 0.0)
    assert gateway.says(key=key) == 200
