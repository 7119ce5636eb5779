"""Which counters a message stands on, and what becomes of it where one is full."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.rules.windows import Place, Window
from channels.vocabulary import Channel
from notify.rules.caps import Bound, answer_of, counters_of, limits_of, member_of, wish_of
from notify.vocabulary import Action, ReasonCode, TypeRow

_NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
_LIMITS = limits_of("push 30/1h, sms 5/1h, email 10/1d", "3/10m, 10/1d")


def bound(channel: Channel = Channel.PUSH, expires_at: datetime | None = None, **fields: Any) -> Bound:
    plain: dict[str, Any] = {
        "key": "NEW_FOLLOWER",
        "category": "social",
        "priority": "medium",
        "channels": ["push"],
        "mandatory": False,
        "exempt_from_caps": False,
        "caps": [],
        "quiet_hours": "defer",
        "digestible": False,
        "ttl_seconds": None,
        "template_id": None,
    }
    return Bound(
        notification_id=UUID(int=1),
        recipient_id=7,
        channel=channel,
        kind=TypeRow(**plain | fields),
        index=b"\x01\x02",
        expires_at=expires_at,
    )


def names(one: Bound) -> list[str]:
    return [counter.name for counter in counters_of(one, _LIMITS)]


def test_a_message_stands_on_its_channel_and_its_type() -> None:
    assert names(bound()) == ["p:push:7"]
    assert names(bound(caps=[{"max": 1, "per_seconds": 60}])) == ["p:push:7", "t:7:NEW_FOLLOWER"]
    assert names(bound(Channel.IN_APP, caps=[{"max": 1, "per_seconds": 60}])) == []
    assert names(bound(exempt_from_caps=True, caps=[{"max": 1, "per_seconds": 60}])) == []


def test_security_stands_on_its_address_whatever_the_type_says() -> None:
    assert names(bound(Channel.SMS, category="security", exempt_from_caps=True)) == ["a:sms:0102"]
    assert names(bound(Channel.EMAIL, category="security")) == ["a:email:0102"]
    assert names(bound(Channel.PUSH, category="security")) == []


def test_limits_are_read_as_they_are_written() -> None:
    assert _LIMITS.channels[Channel.EMAIL] == [Window(10, 86_400_000)]
    assert _LIMITS.security == [Window(3, 600_000), Window(10, 86_400_000)]
    assert limits_of("none", "none") == limits_of("", "")
    assert limits_of("", "").channels == {}
    assert limits_of("", "", "sms 9/2h").everybody == {Channel.SMS: [Window(9, 7_200_000)]}


@pytest.mark.parametrize(
    ("channels", "security"),
    [("push", ""), ("push 0/1h", ""), ("fax 1/1h", ""), ("in_app 1/1h", ""), ("push 1/0h", ""), ("", "sms 1/1h")],
)
def test_what_is_no_limit_is_refused(channels: str, security: str) -> None:
    with pytest.raises(ValueError, match="'"):
        limits_of(channels, security)


def test_who_may_wait_and_for_how_long() -> None:
    def waits(one: Bound, *, is_claim: bool = False) -> int:
        return wish_of(one, [], now=_NOW, is_claim=is_claim).wait_ms

    week = 7 * 86_400_000
    assert waits(bound(over_cap="defer")) == week
    assert waits(bound(over_cap="defer", expires_at=_NOW + timedelta(minutes=1))) == 60_000
    assert waits(bound(over_cap="defer", expires_at=_NOW - timedelta(minutes=1))) == 0
    assert waits(bound(over_cap="suppress")) == 0
    assert waits(bound(over_cap="digest")) == 0
    assert waits(bound(over_cap="digest"), is_claim=True) == week
    assert waits(bound(over_cap="defer", category="security")) == 0


def test_what_becomes_of_it() -> None:
    later = _NOW + timedelta(seconds=5)
    assert answer_of(bound(), Place(taken=True, in_ms=0), _NOW).action is Action.SEND
    waits = answer_of(bound(), Place(taken=True, in_ms=5_000), _NOW)
    assert (waits.action, waits.until) == (Action.DEFER, later)
    joins = answer_of(bound(over_cap="digest"), Place(taken=False, in_ms=5_000), _NOW)
    assert (joins.action, joins.until) == (Action.DIGEST, later)
    ends = answer_of(bound(over_cap="suppress"), Place(taken=False, in_ms=5_000), _NOW)
    assert (ends.action, ends.reason) == (Action.SUPPRESS, ReasonCode.FREQUENCY_CAP)
    code = answer_of(bound(over_cap="digest", category="security"), Place(taken=False, in_ms=5_000), _NOW)
    assert code.action is Action.SUPPRESS


def test_members_are_short_and_each_ones_own() -> None:
    assert len(member_of(UUID(int=5))) == 11
    assert member_of(UUID(int=5)) != member_of(UUID(int=6))
