"""Who is told what, when: the rules in their order, and what holds whatever the facts are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.vocabulary import Channel, Platform
from notify.rules.decision import (
    ORDER,
    UNTIL_EASED,
    UNTIL_NORMAL,
    Answer,
    Leg,
    Moment,
    Told,
    answer,
    asked_until,
    decide,
    decide_fallback,
    is_exempt,
    wanted_channels,
)
from notify.vocabulary import Action, Priority, QuietHoursPolicy, ReasonCode, Rule, SystemMode
from preferences.rules.quiet import QuietClock
from preferences.rules.verdict import verdict
from preferences.vocabulary import (
    Allow,
    Category,
    ContactFact,
    DeviceFact,
    Ground,
    Preferences,
    QuietHours,
    RecipientFacts,
    RecipientStatus,
    SmsPreference,
)

PUSH, EMAIL, SMS, IN_APP = Channel.PUSH, Channel.EMAIL, Channel.SMS, Channel.IN_APP
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NIGHT = datetime(2026, 6, 1, 23, 30, tzinfo=UTC)
MORNING = datetime(2026, 6, 2, 7, tzinfo=UTC)
ASLEEP = Preferences(quiet_hours=QuietHours("22:00", "07:00"))

ALICE = RecipientFacts(
    id=7,
    user_id="u_alice",
    status=RecipientStatus.ACTIVE,
    locale="",
    timezone="",
    country_code="",
    attributes={},
    preferences=Preferences(),
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
    channels=[PUSH, EMAIL],
)

CHANNELS = st.sampled_from(Channel)
SWITCHES = st.dictionaries(CHANNELS, st.booleans())
#: One thing a person says of their preferences; a later one is laid over an earlier.
UPDATES = st.one_of(
    st.fixed_dictionaries({"channels": SWITCHES}),
    st.fixed_dictionaries({"categories": st.dictionaries(st.sampled_from(Category), SWITCHES)}),
    st.fixed_dictionaries({"types": st.dictionaries(st.sampled_from(["T", "OTHER"]), SWITCHES)}),
    st.fixed_dictionaries({"global_opt_out": st.booleans()}),
    st.fixed_dictionaries({"marketing_opt_in": st.booleans()}),
    st.fixed_dictionaries({"sms_preference": st.sampled_from(SmsPreference)}),
    st.fixed_dictionaries({"channel_order": st.permutations(list(Channel)).map(tuple)}),
    st.fixed_dictionaries({"critical_channel": CHANNELS}),
    st.fixed_dictionaries({"quiet_hours": st.just(QuietHours("22:00", "07:00"))}),
)
PEOPLE = st.builds(
    lambda updates, status, email, phone, devices, suppressed: msgspec.structs.replace(
        ALICE,
        preferences=msgspec.structs.replace(Preferences(), **{k: v for one in updates for k, v in one.items()}),
        status=status,
        email=ALICE.email if email else None,
        phone=ALICE.phone if phone else None,
        devices=ALICE.devices * devices,
        suppressed=suppressed,
    ),
    st.lists(UPDATES, max_size=6),
    st.sampled_from([RecipientStatus.ACTIVE, RecipientStatus.ACTIVE, *RecipientStatus]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2),
    st.frozensets(CHANNELS, max_size=1),
)
NOTICES = st.builds(
    lambda **fields: msgspec.structs.replace(TOLD, **fields),
    category=st.sampled_from(Category),
    mandatory=st.booleans(),
    priority=st.sampled_from(Priority),
    expires_at=st.sampled_from([None, NIGHT + timedelta(minutes=5), MORNING + timedelta(days=1)]),
    channels=st.lists(CHANNELS, min_size=1, unique=True),
    fallback_channels=st.lists(CHANNELS, unique=True),
    is_asked=st.booleans(),
    test=st.booleans(),
    quiet_hours=st.sampled_from(QuietHoursPolicy),
)
MOMENTS = st.builds(
    lambda now, mode, exhausted: Moment(QuietClock(now), mode, exhausted),
    st.sampled_from([NOON, NIGHT]),
    st.sampled_from(SystemMode),
    st.frozensets(CHANNELS, max_size=2),
)


def told(**changes: Any) -> Told:
    return msgspec.structs.replace(TOLD, **changes)


def alice(**changes: Any) -> RecipientFacts:
    return msgspec.structs.replace(ALICE, **changes)


def at(now: datetime, mode: SystemMode = SystemMode.NORMAL) -> Moment:
    return Moment(QuietClock(now), mode)


def said(legs: list[Leg]) -> dict[str, str]:
    return {leg.channel.value: leg.answer.action.value for leg in legs}


def test_by_day_it_is_sent() -> None:
    assert said(decide(TOLD, alice(preferences=ASLEEP), at(NOON))) == {"push": "send", "email": "send"}


def test_at_night_it_waits_for_the_morning_and_the_inbox_does_not() -> None:
    everywhere = told(channels=[PUSH, EMAIL, IN_APP])
    legs = decide(everywhere, alice(preferences=ASLEEP), at(NIGHT))
    assert said(legs) == {"push": "defer", "email": "defer", "in_app": "send"}
    assert {leg.answer.until for leg in legs[:2]} == {MORNING}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (QuietHoursPolicy.BYPASS, Answer(Action.SEND, overruled=(Rule.QUIET_HOURS,))),
        (QuietHoursPolicy.DEFER, Answer(Action.DEFER, Rule.QUIET_HOURS, until=MORNING)),
        (QuietHoursPolicy.DIGEST, Answer(Action.DIGEST, Rule.QUIET_HOURS, until=MORNING)),
        (QuietHoursPolicy.DROP, Answer(Action.SUPPRESS, Rule.QUIET_HOURS, ReasonCode.QUIET_HOURS)),
    ],
)
def test_the_type_says_what_becomes_of_it_at_night(policy: QuietHoursPolicy, expected: Answer) -> None:
    assert answer(told(quiet_hours=policy), alice(preferences=ASLEEP), PUSH, at(NIGHT)) == expected


@pytest.mark.parametrize("change", [{"priority": Priority.CRITICAL}, {"category": Category.SECURITY}])
def test_the_critical_and_security_go_at_any_hour_and_in_any_mode(change: dict[str, Any]) -> None:
    urgent = answer(told(**change), alice(preferences=ASLEEP), SMS, at(NIGHT, SystemMode.CRITICAL))
    assert urgent == Answer(Action.SEND, overruled=(Rule.QUIET_HOURS,))


def test_what_ends_before_the_morning_expires() -> None:
    short = told(expires_at=MORNING)
    assert answer(short, alice(preferences=ASLEEP), PUSH, at(NIGHT)).action is Action.EXPIRE
    long = told(expires_at=MORNING + timedelta(seconds=1))
    assert answer(long, alice(preferences=ASLEEP), PUSH, at(NIGHT)).until == MORNING


@pytest.mark.parametrize(
    ("mode", "change", "until"),
    [
        (SystemMode.DEGRADED, {}, None),
        (SystemMode.DEGRADED, {"priority": Priority.HIGH, "category": Category.MARKETING}, UNTIL_NORMAL),
        (SystemMode.DEGRADED, {"priority": Priority.LOW}, UNTIL_NORMAL),
        (SystemMode.CRITICAL, {"priority": Priority.LOW}, UNTIL_NORMAL),
        (SystemMode.CRITICAL, {"priority": Priority.HIGH}, UNTIL_EASED),
        (SystemMode.CRITICAL, {}, UNTIL_EASED),
        (SystemMode.CRITICAL, {"priority": Priority.CRITICAL}, None),
    ],
)
def test_the_systems_mode_lets_wait_and_loses_nothing(
    mode: SystemMode, change: dict[str, Any], until: datetime | None
) -> None:
    willing = alice(preferences=Preferences(marketing_opt_in=True))
    assert answer(told(**change), willing, EMAIL, at(NOON, mode)).until == until


def test_a_mode_outlasts_the_night() -> None:
    low = told(priority=Priority.LOW, expires_at=MORNING)
    assert answer(low, alice(preferences=ASLEEP), PUSH, at(NIGHT, SystemMode.DEGRADED)).rule is Rule.SYSTEM_MODE


def test_the_persons_favourite_comes_first() -> None:
    fond = alice(preferences=Preferences(channel_order=(EMAIL, PUSH)))
    assert wanted_channels(told(channels=[PUSH, IN_APP, EMAIL]), fond) == [EMAIL, PUSH, IN_APP]


def test_the_channel_for_what_is_critical_joins_those_of_the_type() -> None:
    wary = alice(preferences=Preferences(critical_channel=SMS))
    urgent = told(priority=Priority.CRITICAL, is_asked=False, worded=[PUSH, EMAIL, SMS])
    assert list(wanted_channels(urgent, wary)) == [SMS, PUSH, EMAIL]
    assert list(wanted_channels(msgspec.structs.replace(urgent, worded=[PUSH]), wary)) == [PUSH, EMAIL]
    assert list(wanted_channels(msgspec.structs.replace(urgent, is_asked=True), wary)) == [PUSH, EMAIL]
    assert list(wanted_channels(told(is_asked=False, worded=[SMS]), wary)) == [PUSH, EMAIL]


def test_the_rules_before_the_one_that_decided_were_all_asked() -> None:
    assert asked_until(Ground.CHANNEL_OFF, PUSH) == [
        Ground.ERASED,
        Ground.DELETED,
        Ground.GLOBAL_OPT_OUT,
        Ground.ADDRESS_SUPPRESSED,
        Ground.CHANNEL_OFF,
    ]
    assert set(ORDER) - set(asked_until(None, SMS)) == {Ground.NO_EMAIL, Ground.NO_DEVICE}


def _no(facts: RecipientFacts, channel: Channel, notice: Told) -> bool:
    """Whether the person said no to this, in other words than the rule's."""
    wishes = facts.preferences
    return (
        wishes.global_opt_out
        or wishes.channels.get(channel) is False
        or wishes.categories.get(notice.category, {}).get(channel) is False
        or wishes.types.get(notice.type_key, {}).get(channel) is False
        or (channel is SMS and wishes.sms_preference is SmsPreference.NEVER)
        or (notice.category is Category.MARKETING and not wishes.marketing_opt_in)
    )


@given(notice=NOTICES, facts=PEOPLE, moment=MOMENTS)
def test_nothing_goes_out_after_a_no(notice: Told, facts: RecipientFacts, moment: Moment) -> None:
    heeds = not notice.mandatory or notice.category is Category.MARKETING
    for leg in decide(notice, facts, moment) + decide_fallback(notice, facts, moment):
        if leg.carries:
            assert facts.status is RecipientStatus.ACTIVE
            assert leg.channel not in facts.suppressed
            assert not (heeds and _no(facts, leg.channel, notice))


@given(notice=NOTICES, facts=PEOPLE, moment=MOMENTS)
def test_a_no_holds_in_whatever_order_it_was_said(notice: Told, facts: RecipientFacts, moment: Moment) -> None:
    """The engine has no memory: only what stands at last counts, so a no before or after another word is a no."""
    ordinary = msgspec.structs.replace(notice, mandatory=False)
    silent = msgspec.structs.replace(
        facts, preferences=msgspec.structs.replace(facts.preferences, channels=dict.fromkeys(Channel, False))
    )
    assert not any(leg.carries for leg in decide(ordinary, silent, moment))


@given(notice=NOTICES, facts=PEOPLE, moment=MOMENTS, channel=CHANNELS)
def test_nothing_goes_that_the_verdict_refuses_and_nothing_is_lost_that_it_allows(
    notice: Told, facts: RecipientFacts, moment: Moment, channel: Channel
) -> None:
    allowed = isinstance(
        verdict(
            facts,
            channel=channel,
            type_key=notice.type_key,
            category=notice.category,
            mandatory=notice.mandatory,
            among=notice.channels,
        ),
        Allow,
    )
    found = answer(notice, facts, channel, moment)
    assert allowed or found.action is Action.SUPPRESS
    if allowed and found.reason is not None:
        assert found.rule in (Rule.BUDGET, Rule.QUIET_HOURS)


@given(notice=NOTICES, facts=PEOPLE, moment=MOMENTS)
def test_nobody_is_woken_but_for_what_may_wake(notice: Told, facts: RecipientFacts, moment: Moment) -> None:
    asleep = moment.quiet.until(facts) is not None
    may_wake = notice.quiet_hours is QuietHoursPolicy.BYPASS or is_exempt(notice.category, notice.priority)
    for leg in decide(notice, facts, moment):
        if asleep and leg.answer.action is Action.SEND and leg.channel is not IN_APP:
            assert may_wake
            assert Rule.QUIET_HOURS in leg.answer.overruled


@given(notice=NOTICES, facts=PEOPLE, moment=MOMENTS, channel=CHANNELS)
def test_an_answer_is_complete(notice: Told, facts: RecipientFacts, moment: Moment, channel: Channel) -> None:
    found = answer(notice, facts, channel, moment)
    assert (found.until is not None) == (found.action in (Action.DEFER, Action.DIGEST))
    assert (found.reason is not None) == (found.action in (Action.SUPPRESS, Action.EXPIRE))
    assert (found.rule is None) == (found.action is Action.SEND)
    assert found.until is None or found.until > moment.quiet.now
    assert found.rule is None or asked_until(found.rule, channel)[-1] is found.rule


@given(notice=NOTICES, facts=PEOPLE, moment=MOMENTS)
def test_every_channel_is_answered_for(notice: Told, facts: RecipientFacts, moment: Moment) -> None:
    assert {leg.channel for leg in decide(notice, facts, moment)} >= set(notice.channels)
