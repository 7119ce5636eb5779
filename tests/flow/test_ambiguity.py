"""Attempts whose fate nobody knows: repeated once where that costs nothing, named where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from notify.replay import replay_dead_letters
from tests.factories import make_recipient, make_template, make_type
from tests.flow.conftest import Send, drain
from tests.flow.receipts import Gateway, apply, declare, event
from tests.flow.test_retry import dead_letters, first_delivery, letter_ids, run_retries

pytestmark = pytest.mark.django_db

MAIL, NUMBER = "sandbox-ambiguous@example.com", "+15005550008"


@pytest.fixture(autouse=True)
def _accounts(tmp_path: Path, settings: Any) -> None:
    file = declare(tmp_path, ("mail-a", "email"), ("text-a", "sms"))
    settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": file}


def tell(send: Send, category: str, *channels: str, **body: Any) -> str:
    """Send a type of this category to Alice; the notification's id."""
    wording = {"email": {"en": {"subject": "s", "body": "b"}}, "sms": {"en": {"body": "b"}}}
    make_template("any", "ANY", channels=wording, variables={})
    make_type("ANY", template_id="any", category=category, channels=list(channels))
    make_recipient(email=MAIL, phone=NUMBER)
    told: str = send("u_alice", type="ANY", variables={}, **body)["notifications"][0]["id"]
    drain()
    return told


def asked() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM notify_attempt")
        return int(cursor.fetchone()[0])


def shown(status: Any, told: str) -> tuple[str, str | None]:
    only = first_delivery(status(told))
    return only["status"], only["reason_code"]


def test_a_mail_of_unknown_fate_is_repeated_once_and_no_more(send: Send, status: Any) -> None:
    told = tell(send, "transaction", "email")
    assert shown(status, told) == ("retrying", None)
    run_retries(6)
    assert shown(status, told) == ("dead", "outcome_unknown")
    assert asked() == 2
    assert [reason for _, reason, _ in dead_letters()] == ["outcome_unknown"]


def test_a_text_message_of_unknown_fate_is_not_repeated_and_no_other_channel_repeats_it(
    send: Send, status: Any
) -> None:
    told = tell(send, "transaction", "sms", fallback_channels=["email"])
    run_retries(2)
    assert len(status(told)["deliveries"]) == 1
    assert shown(status, told) == ("dead", "outcome_unknown")
    assert asked() == 1


def test_a_code_by_text_message_is_repeated_all_the_same(send: Send, status: Any) -> None:
    told = tell(send, "security", "sms")
    run_retries(2)
    assert shown(status, told) == ("dead", "outcome_unknown")
    assert asked() == 2


@pytest.mark.parametrize(("kind", "becomes"), [("delivered", "delivered"), ("bounced", "bounced")])
def test_a_later_receipt_knows_better_and_takes_it_out_of_the_dead_letters(
    send: Send, status: Any, kind: str, becomes: str
) -> None:
    told = tell(send, "transaction", "sms")
    assert status(told)["status"] == "failed"
    Gateway("text-a").says(event(kind, first_delivery(status(told))["id"]))
    apply()
    assert first_delivery(status(told))["status"] == becomes
    assert dead_letters() == []


def test_a_delivery_reported_while_the_repeat_waits_stops_it(send: Send, status: Any) -> None:
    told = tell(send, "transaction", "email")
    Gateway("mail-a").says(event("delivered", first_delivery(status(told))["id"]))
    apply()
    run_retries(2)
    assert shown(status, told) == ("delivered", None)
    assert asked() == 1


def test_an_operator_may_send_it_again(send: Send, status: Any) -> None:
    told = tell(send, "transaction", "sms")
    assert replay_dead_letters(letter_ids()) == 1
    drain()
    assert asked() == 2
    assert shown(status, told) == ("dead", "outcome_unknown")
