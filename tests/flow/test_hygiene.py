"""What answers prove of devices and addresses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from django.db import connection

from channels.vocabulary import Channel, Platform, ReceiptKind, SendOutcome, SendResult
from notify import hygiene
from notify.policy import BAD_TOKEN_MINIMUM
from notify.rules.ids import new_ids
from preferences import register
from preferences import store as people
from preferences.rules.requests import DeviceBody
from preferences.vocabulary import ContactKind, RecipientRef, SuppressionReason
from tests.factories import BY_APP, make_recipient

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _no_windows() -> None:
    hygiene._windows.clear()


def device(ref: RecipientRef, *, registered_at: datetime = NOW) -> int:
    """A device of a person, registered then; its number."""
    body = DeviceBody(device_id="d", platform=Platform.IOS, token="ab" * 32)
    register.register_device("u_alice", body, now=registered_at)
    return people.facts_for([ref.id])[ref.id].devices[0].id


def dead(number: int | None, account: str = "apns-a", **more: Any) -> hygiene.PushAnswer:
    name = new_ids(1, now=NOW, entropy=bytes(10))[0]
    started = {"started_at": (NOW + timedelta(seconds=1)).timestamp()}
    answer = SendResult(id=name, outcome=SendOutcome.BAD_RECIPIENT, provider=account, **{**started, **more})
    return hygiene.PushAnswer(number, answer)


def is_active(ref: RecipientRef) -> bool:
    return bool(people.facts_for([ref.id])[ref.id].devices)


def test_a_dead_token_takes_its_device_out_of_use() -> None:
    ref = make_recipient()
    hygiene.sort_out_devices([dead(device(ref))])
    assert not is_active(ref)


def test_a_device_that_registered_after_its_token_was_known_dead_stays() -> None:
    ref = make_recipient()
    number = device(ref)
    hygiene.sort_out_devices([dead(number, gone_since=(NOW - timedelta(hours=1)).timestamp())])
    assert is_active(ref)
    hygiene.sort_out_devices([dead(number, gone_since=(NOW + timedelta(hours=1)).timestamp())])
    assert not is_active(ref)


def test_an_account_that_calls_too_many_tokens_dead_is_doubted_and_reported() -> None:
    ref = make_recipient()
    number = device(ref)
    with structlog.testing.capture_logs() as logs:
        hygiene.sort_out_devices([dead(None) for _ in range(BAD_TOKEN_MINIMUM - 1)])
        hygiene.sort_out_devices([dead(number)])
    assert is_active(ref), "across pages, too"
    assert [one["event"] for one in logs] == ["push.tokens_doubted"]
    hygiene.sort_out_devices([dead(number, account="apns-b")])
    assert not is_active(ref), "another account is not doubted with it"


def test_a_bounce_reported_for_a_device_spares_what_registered_since() -> None:
    ref = make_recipient()
    number = device(ref)
    bounce = hygiene.Finding(
        channel=Channel.PUSH, kind=ReceiptKind.BOUNCED, at=NOW - timedelta(hours=1), device_id=number
    )
    hygiene.apply([bounce])
    assert is_active(ref)


def test_a_stop_known_at_once_closes_the_number_as_such() -> None:
    index = people.index_of(ContactKind.PHONE, "+15559876543")
    hygiene.apply([hygiene.Finding(channel=Channel.SMS, kind=ReceiptKind.UNSUBSCRIBED, at=NOW, index=index)])
    assert [one.reason for one in people.suppressions_of([index])] == [SuppressionReason.UNSUBSCRIBE]


def mailed_before(ref: RecipientRef) -> bool:
    """Whether a mail that went out an hour ago went to the address of now."""
    asked = (ref.id, Channel.EMAIL, datetime.now(UTC) - timedelta(hours=1))
    return asked[:2] in people.unchanged_since([asked])


@pytest.fixture
def alice() -> RecipientRef:
    """Somebody who has had her address since yesterday."""
    ref = make_recipient(email="alice@example.com")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_contact_point SET updated_at = now() - interval '1 day'")
    return ref


def test_an_address_that_is_written_again_is_the_one_it_was(alice: RecipientRef) -> None:
    make_recipient(email="alice@example.com", zone="Asia/Tokyo")
    assert mailed_before(alice)
    make_recipient(email="alice@example.org")
    assert not mailed_before(alice)


def test_what_becomes_of_an_address_makes_it_no_other(alice: RecipientRef) -> None:
    index = people.index_of(ContactKind.EMAIL, "alice@example.com")
    people.suppress([index], Channel.EMAIL, SuppressionReason.COMPLAINT)
    assert mailed_before(alice)
    people.release([index], Channel.EMAIL, BY_APP)
    assert not mailed_before(alice)  # who let it go again knew of the earlier ones
