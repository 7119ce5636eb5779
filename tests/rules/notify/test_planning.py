"""From a notification and what its recipient allows to the deliveries that tell it."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from channels.vocabulary import Channel, Platform
from notify.rules.decision import Moment, Told
from notify.rules.planning import PlannedDelivery
from notify.rules.planning import plan as plan_at
from notify.rules.planning import plan_fallback as plan_fallback_at
from notify.vocabulary import DeliveryStatus, Priority, ReasonCode
from preferences.rules.quiet import QuietClock
from preferences.vocabulary import (
    Category,
    ContactFact,
    DeviceFact,
    Preferences,
    RecipientFacts,
    RecipientStatus,
)

NOTIFICATION = UUID("01a1fc48-b99e-7379-8664-edb07ebed9eb")
PHONE = DeviceFact(11, Platform.IOS, b"", b"", "…aaaa")
TABLET = DeviceFact(12, Platform.ANDROID, b"", b"", "…bbbb")
EMAIL = ContactFact(21, b"", b"", "a…@example.com", usable=True)

ALICE = RecipientFacts(
    id=7,
    user_id="u_alice",
    status=RecipientStatus.ACTIVE,
    locale="en",
    timezone="UTC",
    country_code="GB",
    attributes={},
    preferences=Preferences(),
    email=EMAIL,
    phone=None,
    devices=(PHONE, TABLET),
    suppressed=frozenset(),
    wrapped_key=b"",
)
TOLD = Told(
    id=NOTIFICATION,
    recipient_id=7,
    type_key="ORDER_SHIPPED",
    category=Category.TRANSACTION,
    mandatory=False,
    priority=Priority.MEDIUM,
    expires_at=None,
    channels=[Channel.PUSH, Channel.EMAIL],
    fallback_channels=[],
)


NOON = Moment(QuietClock(datetime(2026, 6, 1, 12, tzinfo=UTC)))


def plan(told: Told, facts: RecipientFacts) -> list[PlannedDelivery]:
    return plan_at(told, facts, NOON)


def plan_fallback(told: Told, facts: RecipientFacts) -> list[PlannedDelivery]:
    return plan_fallback_at(told, facts, NOON)


def told(**changes: object) -> Told:
    return msgspec.structs.replace(TOLD, **changes)


def alice(**changes: object) -> RecipientFacts:
    return msgspec.structs.replace(ALICE, **changes)


def shown(deliveries: list[PlannedDelivery]) -> list[tuple[str, int | None, str, str | None, int]]:
    return [(d.channel, d.device_id, d.status, d.reason, d.fallback) for d in deliveries]


def test_every_device_and_the_address_get_a_delivery_of_their_own() -> None:
    assert shown(plan(TOLD, ALICE)) == [
        ("push", 11, "planned", None, 0),
        ("push", 12, "planned", None, 0),
        ("email", None, "planned", None, 0),
    ]


def test_planning_twice_gives_the_same_ids_so_that_the_key_refuses_a_repeat() -> None:
    assert [d.id for d in plan(TOLD, ALICE)] == [d.id for d in plan(TOLD, ALICE)]
    assert len({d.id for d in plan(TOLD, ALICE)}) == 3


def test_every_delivery_knows_how_many_siblings_it_has() -> None:
    assert {d.siblings for d in plan(TOLD, ALICE)} == {3}


def test_a_channel_switched_off_is_written_down_with_its_reason() -> None:
    quiet = alice(preferences=Preferences(channels={Channel.PUSH: False}))
    assert shown(plan(TOLD, quiet)) == [
        ("push", None, "suppressed", "user_opted_out", 0),
        ("email", None, "planned", None, 0),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"devices": ()}, ReasonCode.NO_DEVICE),
        ({"status": RecipientStatus.DELETED}, ReasonCode.USER_DELETED),
        ({"status": RecipientStatus.ERASED}, ReasonCode.USER_ERASED),
        ({"suppressed": frozenset({Channel.PUSH})}, ReasonCode.SUPPRESSED_ADDRESS),
    ],
)
def test_what_cannot_be_reached_is_suppressed_with_the_reason(changes: dict[str, object], reason: ReasonCode) -> None:
    only_push = plan(told(channels=[Channel.PUSH]), alice(**changes))
    assert [(d.status, d.reason) for d in only_push] == [(DeliveryStatus.SUPPRESSED, reason)]


def test_a_fallback_channel_joins_at_once_when_no_other_can_be_reached() -> None:
    lost = alice(devices=())
    planned = plan(told(channels=[Channel.PUSH], fallback_channels=[Channel.SMS, Channel.EMAIL]), lost)
    assert shown(planned) == [
        ("push", None, "suppressed", "no_device", 0),
        ("sms", None, "suppressed", "no_address", 1),
        ("email", None, "planned", None, 2),
    ]


def test_a_fallback_channel_waits_while_another_can_be_reached() -> None:
    planned = plan(told(channels=[Channel.PUSH], fallback_channels=[Channel.EMAIL]), ALICE)
    assert {d.channel for d in planned} == {Channel.PUSH}


def test_after_a_failure_the_next_untried_channel_is_planned_with_all_siblings_counted() -> None:
    failed = told(
        channels=[Channel.PUSH],
        fallback_channels=[Channel.PUSH, Channel.EMAIL, Channel.IN_APP],
        tried=[Channel.PUSH, Channel.PUSH],
        planned_before=2,
    )
    planned = plan_fallback(failed, ALICE)
    assert shown(planned) == [("email", None, "planned", None, 2)]
    assert planned[0].siblings == 3


def test_when_every_channel_was_tried_nothing_is_planned() -> None:
    spent = told(fallback_channels=[Channel.EMAIL], tried=[Channel.PUSH, Channel.EMAIL], planned_before=2)
    assert plan_fallback(spent, ALICE) == []
