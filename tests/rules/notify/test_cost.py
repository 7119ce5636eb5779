from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.vocabulary import Channel, Platform
from notify.rules.cost import is_bound, is_justified
from notify.rules.decision import Moment, Told
from notify.rules.planning import PlannedDelivery, plan
from notify.rules.planning import plan_fallback as plan_fallback_at
from notify.vocabulary import DeliveryStatus, Priority, ReasonCode
from preferences.rules.quiet import QuietClock
from preferences.vocabulary import Category, ContactFact, DeviceFact, Preferences, RecipientFacts, RecipientStatus

PUSH, EMAIL, SMS, IN_APP = Channel.PUSH, Channel.EMAIL, Channel.SMS, Channel.IN_APP

PERSON = RecipientFacts(
    id=7,
    user_id="u_ana",
    status=RecipientStatus.ACTIVE,
    locale="",
    timezone="",
    country_code="",
    attributes={},
    preferences=Preferences(marketing_opt_in=True),
    email=ContactFact(21, b"", b"", "a…@example.com", usable=True),
    phone=ContactFact(22, b"", b"", "…0123", usable=True),
    devices=(DeviceFact(11, Platform.IOS, b"", b"", "…aaaa"),),
    suppressed=frozenset(),
    wrapped_key=b"",
)
TOLD = Told(
    id=UUID("01a1fc48-b99e-7379-8664-edb07ebed9eb"),
    recipient_id=7,
    type_key="T",
    category=Category.TRANSACTION,
    mandatory=False,
    priority=Priority.MEDIUM,
    expires_at=None,
    channels=[PUSH, EMAIL, SMS],
    fallback_channels=[],
    is_asked=False,
)


NOON = QuietClock(datetime(2026, 6, 1, 12, tzinfo=UTC))


def plan_fallback(told: Told, facts: RecipientFacts) -> list[PlannedDelivery]:
    return plan_fallback_at(told, facts, Moment(NOON))


def planned(told: dict[str, object] | None = None, person: dict[str, object] | None = None) -> dict[str, str]:
    """What becomes of each channel: planned, or the reason why not."""
    changes = dict(told or {})
    moment = Moment(NOON, exhausted=changes.pop("exhausted", frozenset()))
    legs = plan(msgspec.structs.replace(TOLD, **changes), msgspec.structs.replace(PERSON, **(person or {})), moment)
    return {leg.channel.value: leg.reason.value if leg.reason is not None else leg.status.value for leg in legs}


def test_a_text_message_is_not_sent_beside_a_push() -> None:
    assert planned() == {"push": "planned", "email": "planned", "sms": "sms_not_justified"}
    assert planned({"priority": Priority.HIGH})["sms"] == "sms_not_justified"


def test_beside_a_mail_it_is_sent_with_high_priority_only() -> None:
    no_device = {"devices": ()}
    assert planned(person=no_device)["sms"] == "sms_not_justified"
    assert planned({"priority": Priority.HIGH}, no_device)["sms"] == "planned"


def test_where_nothing_else_carries_it_a_text_message_is_sent() -> None:
    alone = {"devices": (), "email": None}
    assert planned(person=alone)["sms"] == "planned"
    assert planned({"channels": [SMS]})["sms"] == "planned"
    # The inbox shows it to whoever comes by: it reaches nobody.
    assert planned({"channels": [IN_APP, SMS]})["sms"] == "planned"


def test_a_channel_the_person_refuses_is_none_that_carries_it() -> None:
    only_sms = Preferences(channels={PUSH: False, EMAIL: False})
    assert planned(person={"preferences": only_sms})["sms"] == "planned"


def test_who_prefers_text_messages_gets_them() -> None:
    for preferences in (Preferences(types={"T": {SMS: True}}), Preferences(channel_order=(SMS, PUSH))):
        assert planned(person={"preferences": preferences})["sms"] == "planned"
    for preferences in (Preferences(channels={SMS: True}), Preferences(channel_order=(PUSH, SMS))):
        assert planned(person={"preferences": preferences})["sms"] == "sms_not_justified"


def test_a_caller_who_names_the_channel_gets_it() -> None:
    for category in Category:
        dear = {"category": category, "is_asked": True, "is_dear": True, "priority": Priority.LOW}
        assert planned(dear)["sms"] == "planned"


@pytest.mark.parametrize("category", [Category.MARKETING, Category.SOCIAL])
def test_what_nobody_waits_for_is_not_sent_where_it_is_dear(category: Category) -> None:
    alone = {"devices": (), "email": None, "preferences": Preferences(marketing_opt_in=True, channel_order=(SMS,))}
    assert planned({"category": category, "is_dear": True}, alone)["sms"] == "sms_not_justified"
    assert planned({"category": category}, alone)["sms"] == "planned"
    # A list of fallbacks is written for everybody, wherever they are.
    instead = {"category": category, "is_asked": True, "channels": [PUSH], "fallback_channels": [SMS]}
    assert planned({**instead, "is_dear": True}, alone)["sms"] == "sms_not_justified"
    assert planned(instead, alone)["sms"] == "planned"


def test_a_fallback_may_be_a_text_message() -> None:
    tried = msgspec.structs.replace(TOLD, fallback_channels=[SMS], tried=[PUSH], planned_before=1, is_asked=True)
    assert [(leg.channel, leg.status) for leg in plan_fallback(tried, PERSON)] == [(SMS, DeliveryStatus.PLANNED)]


def test_what_was_held_back_is_sent_when_the_others_have_failed() -> None:
    first = plan(TOLD, PERSON, Moment(NOON))
    later = msgspec.structs.replace(
        TOLD, tried=[leg.channel for leg in first], planned_before=len(first), held_back=True
    )
    (leg,) = plan_fallback(later, PERSON)
    assert (leg.channel, leg.status, leg.fallback, leg.siblings) == (SMS, DeliveryStatus.PLANNED, 1, 4)
    assert leg.id not in {one.id for one in first}
    # The next to fail finds nothing more.
    assert plan_fallback(msgspec.structs.replace(later, held_back=False), PERSON) == []


def test_what_was_held_back_comes_after_the_named_fallbacks() -> None:
    later = msgspec.structs.replace(
        TOLD, channels=[PUSH, SMS], fallback_channels=[EMAIL], tried=[PUSH, SMS], planned_before=2, held_back=True
    )
    assert [leg.channel for leg in plan_fallback(later, PERSON)] == [EMAIL]
    without = msgspec.structs.replace(PERSON, email=None)
    assert [(leg.channel, leg.reason, leg.fallback) for leg in plan_fallback(later, without)] == [
        (EMAIL, ReasonCode.NO_ADDRESS, 1),
        (SMS, None, 2),
    ]


def test_what_is_dear_stays_held_back() -> None:
    later = msgspec.structs.replace(
        TOLD, category=Category.MARKETING, tried=[PUSH, SMS], planned_before=2, held_back=True, is_dear=True
    )
    assert plan_fallback(later, PERSON) == []


def test_over_its_budget_a_channel_carries_only_what_is_critical_or_about_security() -> None:
    spent = {"exhausted": frozenset({EMAIL, SMS}), "is_asked": True}
    assert planned(spent) == {"push": "planned", "email": "budget_exhausted", "sms": "budget_exhausted"}
    assert planned({**spent, "priority": Priority.CRITICAL})["sms"] == "planned"
    assert planned({**spent, "category": Category.SECURITY})["sms"] == "planned"
    assert planned({**spent, "test": True})["sms"] == "planned"


def test_a_fallback_joins_at_once_where_the_budget_is_used_up() -> None:
    assert planned({"channels": [SMS], "fallback_channels": [EMAIL], "exhausted": frozenset({SMS})}) == {
        "sms": "budget_exhausted",
        "email": "planned",
    }


def test_a_channel_without_budget_justifies_the_text_message_it_would_have_made_needless() -> None:
    assert planned({"exhausted": frozenset({EMAIL})}, {"devices": ()})["sms"] == "planned"


CASES = {
    "category": st.sampled_from(Category),
    "priority": st.sampled_from(Priority),
    "is_asked": st.booleans(),
    "is_dear": st.booleans(),
    "channels": st.permutations([PUSH, EMAIL, SMS, IN_APP]).map(lambda some: some[:3]),
    "fallback_channels": st.lists(st.sampled_from([EMAIL, SMS]), max_size=2, unique=True),
    "exhausted": st.frozensets(st.sampled_from([EMAIL, SMS])),
    "test": st.booleans(),
}
PEOPLE = {
    "devices": st.sampled_from([(), PERSON.devices]),
    "email": st.sampled_from([None, PERSON.email]),
    "phone": st.sampled_from([None, PERSON.phone]),
    "preferences": st.builds(
        Preferences,
        channels=st.dictionaries(st.sampled_from(Channel), st.booleans(), max_size=2),
        marketing_opt_in=st.just(True),
    ),
}


@given(st.fixed_dictionaries(CASES), st.fixed_dictionaries(PEOPLE))
def test_cost_alone_never_leaves_anybody_without_word(told: dict[str, object], person: dict[str, object]) -> None:
    """Where something would go out at any price, something goes out, unless money itself is the reason."""
    free = planned({**told, "exhausted": frozenset(), "test": True}, person)
    weighed = planned(told, person)
    dear = told["is_dear"] and told["category"] in (Category.MARKETING, Category.SOCIAL)
    if "planned" in free.values() and not told["exhausted"] and not dear:
        assert "planned" in weighed.values()


@given(st.fixed_dictionaries(CASES), st.fixed_dictionaries(PEOPLE))
def test_what_is_critical_or_about_security_is_never_weighed(
    told: dict[str, object], person: dict[str, object]
) -> None:
    category = Category(str(told["category"]))
    priority = Priority(str(told["priority"]))
    if not is_bound(category, priority, test=bool(told["test"])):
        reasons = set(planned(told, person).values())
        assert reasons.isdisjoint({"budget_exhausted", "sms_not_justified"})


@given(
    category=st.sampled_from(Category),
    priority=st.sampled_from(Priority),
    is_fallback=st.booleans(),
    is_dear=st.booleans(),
    others=st.frozensets(st.sampled_from([PUSH, EMAIL, IN_APP])),
)
def test_another_channel_less_never_speaks_against_a_text_message(
    *, category: Category, priority: Priority, is_fallback: bool, is_dear: bool, others: frozenset[Channel]
) -> None:
    def justified(among: frozenset[Channel]) -> bool:
        return is_justified(
            type_key="T",
            category=category,
            priority=priority,
            preferences=Preferences(),
            is_asked=False,
            is_fallback=is_fallback,
            is_dear=is_dear,
            others=among,
        )

    for one in others:
        assert justified(others - {one}) or not justified(others)
