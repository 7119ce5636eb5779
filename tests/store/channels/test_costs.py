"""Prices, spend and budgets as they stand in PostgreSQL."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from django.conf import LazySettings
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from channels import costs, store
from channels.checks import check_money
from channels.rules.rates import price_of
from channels.store import Spent
from channels.vocabulary import Channel, EmailMessage, Message, SendOutcome, SendResult, SmsMessage

pytestmark = pytest.mark.django_db

NAME = UUID("01a1fc48-b99e-7379-8664-edb07ebed9eb")


@pytest.fixture(autouse=True)
def _card() -> None:
    """A card of this test's own: a cent anywhere, ten in Germany, and a dearer account."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE channel_rate, channel_budget, channel_spend, channel_spend_month")
    lines = [
        ("sms", "", "", "0.01", "2020-01-01"),
        ("sms", "", "DE", "0.10", "2020-01-01"),
        ("sms", "dear", "", "0.25", "2020-01-01"),
        ("sms", "", "", "9", "2999-01-01"),
        ("email", "", "", "0.0001", "2020-01-01"),
    ]
    store.put_prices([price_of(*line) for line in lines], by="test")
    costs.forget()


def sms(to: str = "+33612345678", text: str = "Hi", *, test: bool = False) -> SmsMessage:
    return SmsMessage(id=NAME, to=to, text=text, test=test)


def taken(provider: str = "main", segments: int = 0, outcome: SendOutcome = SendOutcome.ACCEPTED) -> SendResult:
    return SendResult(id=NAME, outcome=outcome, provider=provider, segments=segments)


def micros(message: Message | None, result: SendResult | None, channel: Channel = Channel.SMS) -> int:
    return costs.costs(channel, [(message, result)])[0].micros


def spent(channel: Channel = Channel.SMS) -> list[tuple[str, str, int, int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT country, provider, sum(messages)::int, sum(units)::int, sum(micros)::int FROM channel_spend
               WHERE channel = %s GROUP BY 1, 2 ORDER BY 1, 2""",
            [channel.value],
        )
        return list(cursor.fetchall())


def test_a_text_message_costs_its_segments_at_the_price_of_its_country() -> None:
    assert micros(sms(), taken()) == 10_000
    assert micros(sms(to="+4915112345678"), taken()) == 100_000
    assert micros(sms(to="+4915112345678", text="я" * 71), taken()) == 200_000
    assert micros(sms(to="+4915112345678"), taken("dear")) == 250_000


def test_the_provider_knows_best_how_many_it_bills() -> None:
    assert micros(sms(), taken(segments=3)) == 30_000


def test_a_mail_costs_a_mail_and_a_push_nothing() -> None:
    mail = EmailMessage(id=NAME, to="ana@example.com", text="x" * 9_000)
    assert micros(mail, taken(), Channel.EMAIL) == 100
    assert costs.costs(Channel.PUSH, [(None, taken())]) == [costs.FREE]


@pytest.mark.parametrize("outcome", [one for one in SendOutcome if one is not SendOutcome.ACCEPTED])
def test_what_nobody_surely_took_costs_nothing(outcome: SendOutcome) -> None:
    assert micros(sms(), taken(outcome=outcome)) == 0


def test_a_test_message_and_one_that_was_never_sent_cost_nothing() -> None:
    assert micros(sms(test=True), taken()) == 0
    assert micros(None, None) == 0


def test_a_new_price_counts_from_its_day_on_and_what_was_booked_stays() -> None:
    costs.book(Channel.SMS, costs.costs(Channel.SMS, [(sms(), taken())]))
    today = costs._today().isoformat()
    store.put_prices([price_of("sms", "", "", "0.02", today)], by="test")
    costs.forget()
    costs.book(Channel.SMS, costs.costs(Channel.SMS, [(sms(), taken())]))
    assert spent() == [("FR", "main", 2, 2, 30_000)]


def test_a_page_is_priced_without_a_query_once_the_card_is_known() -> None:
    page = [(sms(), taken())] * 500
    with CaptureQueriesContext(connection) as first:
        costs.costs(Channel.SMS, page)
    with CaptureQueriesContext(connection) as later:
        costs.costs(Channel.SMS, page)
    assert (len(first), len(later)) == (1, 0)


def test_a_page_is_booked_in_one_statement_by_country_and_account() -> None:
    page = [
        (sms(), taken()),
        (sms(text="a" * 161), taken()),
        (sms(to="+4915112345678"), taken("dear")),
        (sms(), taken(outcome=SendOutcome.TRANSIENT)),
    ]
    found = costs.costs(Channel.SMS, page)
    with CaptureQueriesContext(connection) as asked:
        costs.book(Channel.SMS, found)
    assert len(asked) == 1
    costs.book(Channel.SMS, found)
    assert spent() == [("DE", "dear", 2, 2, 500_000), ("FR", "main", 4, 6, 60_000)]
    store.set_budget(Channel.SMS, None, None, by="test")
    assert store.budgets(costs._today())[0].spent_micros == 560_000


def test_a_page_that_cost_nothing_books_nothing() -> None:
    with CaptureQueriesContext(connection) as asked:
        costs.book(Channel.SMS, [costs.FREE] * 500)
        costs.book(Channel.PUSH, [])
    assert len(asked) == 0


def test_processes_add_to_rows_of_their_own() -> None:
    for slot in (3, 4, 3):
        store.book(Channel.SMS, costs._today(), slot, [Spent("FR", "main", 1, 1, 10)])
    store.set_budget(Channel.SMS, None, 100, by="test")
    assert store.budgets(costs._today())[0].spent_micros == 30
    with connection.cursor() as cursor:
        cursor.execute("SELECT slot, micros FROM channel_spend ORDER BY slot")
        assert cursor.fetchall() == [(3, 20), (4, 10)]


def test_a_budget_begins_anew_with_the_month() -> None:
    store.set_budget(Channel.SMS, None, 100, by="test")
    for day, amount in ((date(2026, 11, 1), 40), (date(2026, 11, 30), 60), (date(2026, 12, 1), 5)):
        store.book(Channel.SMS, day, 0, [Spent("FR", "main", 1, 1, amount)])
    of = {day: store.budgets(day)[0].spent_micros for day in (date(2026, 11, 15), date(2026, 12, 31), date(2027, 1, 1))}
    assert list(of.values()) == [100, 5, 0]


def test_over_budget_is_said_once_a_day_and_a_new_budget_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    # A logger that was used before goes on writing where it did then.
    monkeypatch.setattr(costs, "_log", structlog.get_logger())
    store.set_budget(Channel.SMS, 50, 100, by="test")
    with structlog.testing.capture_logs() as said:
        for amount, expected in ((60, frozenset()), (60, frozenset({Channel.SMS}))):
            store.book(Channel.SMS, costs._today(), 0, [Spent("FR", "main", 1, 1, amount)])
            for _ in range(2):
                costs.forget()
                assert costs.over_budget() == expected
    assert [(one["event"], one["log_level"], one["spent"]) for one in said] == [
        ("budget.soft_limit_reached", "warning", "0.00006"),
        ("budget.exhausted", "error", "0.00012"),
    ]
    store.set_budget(Channel.SMS, 50, 1_000, by="test")
    costs.forget()
    assert costs.over_budget() == frozenset()


def test_whoever_sends_asks_anew_and_only_for_what_has_a_limit() -> None:
    store.set_budget(Channel.SMS, None, 100, by="test")
    assert not costs.is_over_budget(Channel.SMS)
    store.book(Channel.SMS, costs._today(), 0, [Spent("FR", "main", 1, 1, 100)])
    with CaptureQueriesContext(connection) as asked:
        assert not costs.is_over_budget(Channel.PUSH)
    assert len(asked) == 0
    assert costs.is_over_budget(Channel.SMS)
    with CaptureQueriesContext(connection) as asked:
        assert costs.is_over_budget(Channel.SMS)
    assert len(asked) == 1


def test_a_budget_of_nothing_allows_nothing() -> None:
    store.set_budget(Channel.EMAIL, None, 0, by="test")
    assert costs.over_budget() == {Channel.EMAIL}


def test_a_number_is_dear_by_the_price_of_the_usual_account() -> None:
    assert costs.is_dear("+4915112345678")
    assert not costs.is_dear("+33612345678")


def test_the_card_refuses_what_is_no_price() -> None:
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO channel_rate (channel, provider, destination, price_micros, valid_from)"
            " VALUES ('sms', '', 'Germany', 1, now())"
        )


def test_what_was_sent_is_recorded_though_the_providers_file_broke(settings: LazySettings, tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text("[[provider]")
    settings.CARILLON = {**settings.CARILLON, "PROVIDERS_FILE": file}
    assert micros(sms(), taken("dear")) == 250_000


@pytest.mark.parametrize(("amount", "faults"), [("0.05", []), ("cheap", ["channels.E006"])])
def test_an_amount_that_is_none_is_found_at_the_start(settings: LazySettings, amount: str, faults: list[str]) -> None:
    settings.CARILLON = {**settings.CARILLON, "SMS_DEAR_ABOVE": amount}
    assert [one.id for one in check_money(None)] == faults
