"""When a campaign is told, from fields and back: what is kept is shown as it was written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from campaigns.errors import InvalidCampaign
from campaigns.rules.planned import AGAIN, AT, BY_HAND, LOCAL, Planned, coming, planned_of, schedule_of
from campaigns.rules.requests import Written
from campaigns.store.campaigns import CampaignRow
from channels.errors import FieldError
from notify.rules.schedule import instant_of_local

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Apia"]
DAYS = st.dates(date(2026, 1, 1), date(2036, 12, 31)).map(date.isoformat)
HOURS = st.times().map(lambda at: f"{at:%H:%M}")
TEXTS = st.text(max_size=12)


def kept(planned: Planned) -> CampaignRow:
    """The row that its fields make, as `drafts.row_of` writes it."""
    said = msgspec.convert({"name": "x", "type": "y", **schedule_of(planned)}, Written, strict=False)
    again = said.recurrence
    return CampaignRow(
        id=UUID(int=1),
        name="x",
        type_key="y",
        audience={},
        schedule_at=said.schedule_at,
        local_time=said.local_time or "",
        recurrence=again.cron if again else "",
        timezone=(again.timezone if again else said.timezone) or "UTC",
        created_at=NOW,
        updated_at=NOW,
    )


def faults(planned: Planned) -> Sequence[FieldError]:
    """What is wrong with its fields; nothing, where they say when."""
    try:
        schedule_of(planned)
    except InvalidCampaign as refusal:
        return refusal.errors
    return ()


@given(st.sampled_from([AT, LOCAL, AGAIN]), DAYS, HOURS, st.sampled_from(ZONES))
def test_what_is_kept_is_shown_again_as_it_was_written(when: str, day: str, hour: str, zone: str) -> None:
    planned = Planned(when=when, day=day, hour=hour, zone=zone, cron="0 9 * * 1" if when == AGAIN else "")
    at = datetime.combine(date.fromisoformat(day), time.min if when == AGAIN else time.fromisoformat(hour))
    local = instant_of_local(at, zone).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    # An hour, or a day, that the clocks skip is kept as the one they show instead.
    assume(local == at or when == LOCAL)
    assert planned_of(kept(planned)) == planned


@given(st.sampled_from([BY_HAND, AT, LOCAL, AGAIN]), TEXTS, TEXTS, TEXTS, TEXTS)
def test_whatever_is_typed_is_read_or_refused_at_a_field(when: str, day: str, hour: str, zone: str, cron: str) -> None:
    planned = Planned(when=when, day=day, hour=hour, zone=zone, cron=cron)
    blamed = {"/schedule_at", "/local_time", "/timezone", "/recurrence/cron"}
    assert {one.pointer for one in faults(planned)} <= blamed


@pytest.mark.parametrize(
    ("planned", "lines"),
    [
        ({}, []),
        (
            {"when": AT, "day": "2027-03-28", "hour": "02:30", "zone": "Europe/Berlin"},
            ["Sun 2027-03-28 03:30 Europe/Berlin"],
        ),
        ({"when": LOCAL, "day": "2027-01-02", "hour": "08:00"}, ["Sat 2027-01-02 at 08:00 on each reader's own clock"]),
        (
            {"when": AGAIN, "cron": "0 9 * * 1", "day": "2026-12-01"},
            ["Mon 2026-12-07 09:00 UTC", "Mon 2026-12-14 09:00 UTC", "Mon 2026-12-21 09:00 UTC"],
        ),
    ],
)
def test_the_next_times_are_told_in_words(planned: dict[str, Any], lines: list[str]) -> None:
    assert coming(Planned(**planned), NOW) == lines
