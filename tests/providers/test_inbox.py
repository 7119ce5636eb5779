from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from channels import conf
from channels.models import InboxMessage
from channels.rules.accounts import Account
from channels.vocabulary import InAppMessage, ReceiptKind, SendOutcome
from tests.providers.conformance import ProviderConformance, build, delivery_id, soon

pytestmark = pytest.mark.django_db


def entry(number: int, text: str = "plain words") -> InAppMessage:
    return InAppMessage(
        id=delivery_id(number),
        recipient_id=number,
        notification_id=UUID(int=number),
        type="ORDER_SHIPPED",
        sealed=text.encode("utf-8", "surrogatepass"),
        expires_at=1_800_000_000.0,
    )


class TestInbox(ProviderConformance):
    private = ("plain words",)

    @pytest.fixture
    def account(self) -> Account:
        return conf.INBOX

    def message(self, number: int, text: str = "plain words") -> InAppMessage:
        return entry(number, text)


def test_a_page_is_one_statement_and_delivered_at_once(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    adapter = build(conf.INBOX)
    with django_assert_num_queries(1):
        results = adapter.send_many([entry(number) for number in range(500)], deadline=soon())
    assert {(one.outcome, one.receipt) for one in results} == {(SendOutcome.ACCEPTED, ReceiptKind.DELIVERED)}
    assert InboxMessage.objects.count() == 500


def test_a_page_sent_twice_shows_once_and_keeps_what_the_reader_did() -> None:
    adapter = build(conf.INBOX)
    adapter.send_many([entry(1)], deadline=soon())
    InboxMessage.objects.update(read_at="2026-11-21T00:00:00Z")
    results = adapter.send_many([entry(1, "other words"), entry(2)], deadline=soon())
    assert {one.outcome for one in results} == {SendOutcome.ACCEPTED}
    kept = InboxMessage.objects.get(id=delivery_id(1))
    assert (bytes(kept.sealed), kept.read_at is not None) == (b"plain words", True)
    assert InboxMessage.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_failing_database_is_transient_and_not_an_exception() -> None:
    adapter = build(conf.INBOX)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE inbox_message RENAME TO inbox_away")
    try:
        results = adapter.send_many([entry(1), entry(2)], deadline=soon())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE inbox_away RENAME TO inbox_message")
    assert [(one.outcome, one.code) for one in results] == [(SendOutcome.TRANSIENT, "database_unavailable")] * 2
