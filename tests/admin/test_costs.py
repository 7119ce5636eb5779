"""What messages cost: seen, limited and priced in the admin, and read from a price list."""

from __future__ import annotations

from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection

from channels import costs, store
from channels.admin.costs import month_totals
from channels.store import Spent
from channels.vocabulary import Channel
from tests.admin.conftest import Staff

pytestmark = pytest.mark.django_db

LIST = "/admin/channels/rate/"
TODAY = costs._today()


@pytest.fixture(autouse=True)
def _empty(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE channel_rate, channel_budget, channel_spend, channel_spend_month")


def prices() -> list[tuple[str, str, str, int, str]]:
    return sorted(
        (one.channel.value, one.provider, one.destination, one.micros, one.valid_from.isoformat())
        for one in store.prices()
    )


def test_the_page_shows_the_month_against_its_budget_and_the_months_before(staff: Staff) -> None:
    store.set_budget(Channel.SMS, 1_000_000, 2_000_000, by="ops")
    store.book(Channel.SMS, TODAY, 0, [Spent("DE", "main", 10, 12, 1_200_000), Spent("FR", "main", 1, 1, 10_000)])
    before = TODAY.replace(day=1) - timedelta(days=1)
    store.book(Channel.EMAIL, before, 0, [Spent("", "mail", 7, 7, 700)])
    page = staff("auditor").get(LIST)
    budgets = {line.channel: (line.spent, line.percent, line.meaning) for line in page.context["budgets"]}
    assert budgets == {
        "push": ("0.00", None, "good"),
        "email": ("0.00", None, "good"),
        "sms": ("1.21", 60, "warn"),
        "in_app": ("0.00", None, "good"),
    }
    assert [(line.month, line.channel, line.units, line.amount, line.countries) for line in page.context["months"]] == [
        (TODAY.replace(day=1), "sms", 13, "1.21", "DE 1.20, FR 0.01"),
        (before.replace(day=1), "email", 7, "0.0007", ""),
    ]
    assert "over the soft limit" in page.content.decode()


def test_an_operator_sets_a_budget_on_record(staff: Staff) -> None:
    operator = staff("operator")
    operator.post(f"{LIST}budget/sms/", {"soft": "80", "hard": "100.50"})
    (row,) = store.budgets(TODAY)
    assert (row.soft_micros, row.hard_micros) == (80_000_000, 100_500_000)
    operator.post(f"{LIST}budget/sms/", {"soft": "", "hard": "much"})
    assert store.budgets(TODAY)[0].hard_micros == 100_500_000
    operator.post(f"{LIST}budget/sms/", {"soft": "", "hard": ""})
    assert store.budgets(TODAY)[0][1:3] == (None, None)
    assert list(LogEntry.objects.order_by("pk").values_list("object_id", "change_message")) == [
        ("budget-sms", "soft limit 80, hard limit 100.50"),
        ("budget-sms", "soft limit none, hard limit none"),
    ]
    assert operator.post(f"{LIST}budget/fax/", {}).status_code == 404


def test_an_operator_adds_a_price_and_the_one_before_stays(staff: Staff) -> None:
    operator = staff("operator")
    for price, day in (("0.07", "2026-01-01"), ("0.08", "2027-01-01"), ("0.09", "2027-01-01"), ("x", "2028-01-01")):
        typed = {"channel": "sms", "provider": "twilio", "destination": "DE", "price": price, "valid_from": day}
        operator.post(f"{LIST}price/", typed)
    assert prices() == [("sms", "twilio", "DE", 70_000, "2026-01-01"), ("sms", "twilio", "DE", 90_000, "2027-01-01")]
    assert LogEntry.objects.order_by("pk").first().change_message == "sms twilio DE 0.07 2026-01-01"
    assert "to come" in operator.get(LIST).content.decode()


def test_a_price_list_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    header = "destination,price,channel,provider,valid_from\n"
    file.write_text(header + "DE,0.0995,sms,twilio,2026-12-01\nDE,0.1,sms,twilio,2026-12-01\n,0.01,sms,,2026-12-01\n")
    said = StringIO()
    call_command("import_prices", str(file), "--check", stdout=said)
    assert prices() == []
    call_command("import_prices", str(file), stdout=said)
    assert prices() == [("sms", "", "", 10_000, "2026-12-01"), ("sms", "twilio", "DE", 100_000, "2026-12-01")]
    assert said.getvalue() == "2 prices are right.\n2 prices are on the card.\n"


def test_a_price_list_with_a_wrong_line_is_not_read_at_all(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("channel,provider,destination,price,valid_from\nsms,,,0.01,2026-12-01\nsms,,,dear,2026-12-01\n")
    with pytest.raises(CommandError) as fault:
        call_command("import_prices", str(file))
    assert "nothing was written.\nline 3: an amount is written like" in str(fault.value)
    assert prices() == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"channel,provider,destination,price,valid_from\n"])
def test_what_is_no_price_list_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "prices.csv"
    file.write_bytes(content)
    with pytest.raises(CommandError):
        call_command("import_prices", str(file))
    with pytest.raises(CommandError):
        call_command("import_prices", str(tmp_path / "missing.csv"))


def test_the_first_months_of_a_year_reach_into_the_last_one() -> None:
    for day in (date(2026, 8, 31), date(2026, 9, 1), date(2027, 2, 1)):
        store.book(Channel.SMS, day, 0, [Spent("DE", "main", 1, 1, 10_000)])
    assert [line.month for line in month_totals(date(2027, 2, 14))] == [date(2027, 2, 1), date(2026, 9, 1)]
