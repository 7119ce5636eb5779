"""May it go out on this channel? The order of the refusals, and never after no."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.vocabulary import Channel, Platform
from preferences.rules.verdict import verdict
from preferences.vocabulary import (
    Allow,
    Category,
    ContactFact,
    Deny,
    DenyReason,
    DeviceFact,
    Ground,
    Preferences,
    RecipientFacts,
    RecipientStatus,
    SmsPreference,
    Verdict,
)

EMAIL = ContactFact(1, b"", b"e" * 16, "a…@example.com", usable=True)
PHONE = ContactFact(2, b"", b"p" * 16, "…6543", usable=True)
PHONE_DEVICE = DeviceFact(3, Platform.IOS, b"", b"t" * 16, "…cdef")
REACHABLE = RecipientFacts(
    id=1,
    user_id="u_alice",
    status=RecipientStatus.ACTIVE,
    locale="en-GB",
    timezone="Europe/London",
    country_code="GB",
    attributes={},
    preferences=Preferences(),
    email=EMAIL,
    phone=PHONE,
    devices=(PHONE_DEVICE,),
    suppressed=frozenset(),
    wrapped_key=b"",
)
CHANNELS = st.sampled_from(Channel)
SWITCHES = st.dictionaries(CHANNELS, st.booleans())
PREFERENCES = st.builds(
    Preferences,
    channels=SWITCHES,
    categories=st.dictionaries(st.sampled_from(Category), SWITCHES),
    types=st.dictionaries(st.sampled_from(["ORDER_SHIPPED", "OTHER"]), SWITCHES),
    global_opt_out=st.booleans(),
    marketing_opt_in=st.booleans(),
    sms_preference=st.sampled_from(SmsPreference),
)
FACTS = st.builds(
    RecipientFacts,
    **{name: st.just(getattr(REACHABLE, name)) for name in ("id", "user_id", "locale", "timezone", "country_code")},
    attributes=st.just({}),
    wrapped_key=st.just(b""),
    status=st.sampled_from(RecipientStatus),
    preferences=PREFERENCES,
    email=st.sampled_from([None, EMAIL, msgspec.structs.replace(EMAIL, usable=False)]),
    phone=st.sampled_from([None, PHONE]),
    devices=st.sampled_from([(), (PHONE_DEVICE,)]),
    suppressed=st.frozensets(CHANNELS),
)


def person(**changes: Any) -> RecipientFacts:
    return msgspec.structs.replace(REACHABLE, **changes)


def allowing(**said: Any) -> RecipientFacts:
    return person(preferences=Preferences(**said))


def ask(
    facts: RecipientFacts,
    channel: Channel = Channel.EMAIL,
    *,
    category: Category = Category.TRANSACTION,
    mandatory: bool = False,
    among: tuple[Channel, ...] = (),
) -> Verdict:
    return verdict(
        facts, channel=channel, type_key="ORDER_SHIPPED", category=category, mandatory=mandatory, among=among
    )


@pytest.mark.parametrize("channel", Channel)
def test_who_said_nothing_is_told_everything_but_marketing(channel: Channel) -> None:
    assert ask(REACHABLE, channel) == Allow()
    assert ask(REACHABLE, channel, category=Category.MARKETING) == Deny(
        DenyReason.CATEGORY_OPTED_OUT, Ground.NO_MARKETING_CONSENT
    )


@pytest.mark.parametrize(
    ("facts", "channel", "reason", "ground"),
    [
        (person(status=RecipientStatus.ERASED), Channel.PUSH, "user_erased", Ground.ERASED),
        (person(status=RecipientStatus.DELETED), Channel.PUSH, "user_deleted", Ground.DELETED),
        (allowing(global_opt_out=True), Channel.IN_APP, "user_opted_out", Ground.GLOBAL_OPT_OUT),
        (person(suppressed=frozenset({Channel.EMAIL})), Channel.EMAIL, "suppressed_address", Ground.ADDRESS_SUPPRESSED),
        (
            person(email=msgspec.structs.replace(EMAIL, usable=False)),
            Channel.EMAIL,
            "suppressed_address",
            Ground.ADDRESS_SUPPRESSED,
        ),
        (allowing(channels={Channel.PUSH: False}), Channel.PUSH, "user_opted_out", Ground.CHANNEL_OFF),
        (allowing(sms_preference=SmsPreference.NEVER), Channel.SMS, "user_opted_out", Ground.SMS_NEVER),
        (
            allowing(types={"ORDER_SHIPPED": {Channel.EMAIL: False}}),
            Channel.EMAIL,
            "category_opted_out",
            Ground.TYPE_OFF,
        ),
        (
            allowing(categories={Category.TRANSACTION: {Channel.EMAIL: False}}),
            Channel.EMAIL,
            "category_opted_out",
            Ground.CATEGORY_OFF,
        ),
        (person(email=None), Channel.EMAIL, "no_address", Ground.NO_EMAIL),
        (person(phone=None), Channel.SMS, "no_address", Ground.NO_PHONE),
        (person(devices=()), Channel.PUSH, "no_device", Ground.NO_DEVICE),
    ],
)
def test_each_refusal_has_its_reason_code_and_its_ground(
    facts: RecipientFacts, channel: Channel, reason: str, ground: Ground
) -> None:
    assert ask(facts, channel) == Deny(DenyReason(reason), ground)


def test_the_first_refusal_wins() -> None:
    everything = person(
        status=RecipientStatus.DELETED,
        preferences=Preferences(global_opt_out=True, channels={Channel.EMAIL: False}),
        suppressed=frozenset({Channel.EMAIL}),
    )
    grounds = []
    for change in (
        {"status": RecipientStatus.ACTIVE},
        {"preferences": Preferences(channels={Channel.EMAIL: False})},
        {"suppressed": frozenset()},
        {"preferences": Preferences()},
    ):
        answer = ask(everything)
        assert isinstance(answer, Deny)
        grounds.append(answer.ground)
        everything = msgspec.structs.replace(everything, **change)
    assert grounds == [Ground.DELETED, Ground.GLOBAL_OPT_OUT, Ground.ADDRESS_SUPPRESSED, Ground.CHANNEL_OFF]
    assert ask(everything) == Allow()


def test_a_no_to_a_category_is_not_outweighed_by_a_yes_to_the_type() -> None:
    facts = allowing(
        categories={Category.SOCIAL: {Channel.EMAIL: False}}, types={"ORDER_SHIPPED": {Channel.EMAIL: True}}
    )
    assert isinstance(ask(facts, category=Category.SOCIAL), Deny)


def test_a_mandatory_type_cannot_be_switched_off_entirely() -> None:
    silent = allowing(
        global_opt_out=True,
        channels=dict.fromkeys(Channel, False),
        types={"ORDER_SHIPPED": dict.fromkeys(Channel, False)},
        sms_preference=SmsPreference.NEVER,
    )
    every = tuple(Channel)
    told = Allow(despite=Ground.GLOBAL_OPT_OUT)
    assert all(ask(silent, one, mandatory=True, among=every) == told for one in Channel)


def test_a_mandatory_type_goes_the_way_the_person_chose() -> None:
    facts = allowing(channels={Channel.SMS: False})
    both = (Channel.SMS, Channel.EMAIL)
    assert ask(facts, Channel.SMS, mandatory=True, among=both) == Deny(DenyReason.USER_OPTED_OUT, Ground.CHANNEL_OFF)
    assert ask(facts, Channel.EMAIL, mandatory=True, among=both) == Allow()


def test_a_choice_is_not_heeded_when_the_chosen_way_is_closed() -> None:
    facts = person(preferences=Preferences(channels={Channel.SMS: False}), suppressed=frozenset({Channel.EMAIL}))
    assert ask(facts, Channel.SMS, mandatory=True, among=(Channel.SMS, Channel.EMAIL)) == Allow(Ground.CHANNEL_OFF)


def test_marketing_needs_consent_even_where_it_is_called_mandatory() -> None:
    assert isinstance(ask(REACHABLE, category=Category.MARKETING, mandatory=True), Deny)
    assert isinstance(ask(allowing(global_opt_out=True, marketing_opt_in=True), category=Category.MARKETING), Deny)


@given(facts=FACTS, channel=CHANNELS, category=st.sampled_from(Category), mandatory=st.booleans())
def test_gone_and_suppressed_always_win(
    facts: RecipientFacts, channel: Channel, category: Category, *, mandatory: bool
) -> None:
    answer = ask(facts, channel, category=category, mandatory=mandatory, among=tuple(Channel))
    if facts.status is not RecipientStatus.ACTIVE or channel in facts.suppressed:
        assert isinstance(answer, Deny)


@given(facts=FACTS, channel=CHANNELS, category=st.sampled_from(Category))
def test_a_no_said_anywhere_holds_whatever_else_was_said(
    facts: RecipientFacts, channel: Channel, category: Category
) -> None:
    said = facts.preferences
    refused = (
        said.global_opt_out
        or said.channels.get(channel) is False
        or said.categories.get(category, {}).get(channel) is False
        or said.types.get("ORDER_SHIPPED", {}).get(channel) is False
    )
    if refused:
        assert isinstance(ask(facts, channel, category=category), Deny)


@given(facts=FACTS, channel=CHANNELS, category=st.sampled_from(Category), mandatory=st.booleans(), no=SWITCHES)
def test_one_more_no_never_lets_more_out(
    facts: RecipientFacts, channel: Channel, category: Category, *, mandatory: bool, no: dict[Channel, bool]
) -> None:
    noes = {one: False for one, on in no.items() if not on}
    stricter = msgspec.structs.replace(facts.preferences, channels=facts.preferences.channels | noes)
    before = ask(facts, channel, category=category, mandatory=mandatory)
    after = ask(msgspec.structs.replace(facts, preferences=stricter), channel, category=category, mandatory=mandatory)
    if isinstance(before, Deny):
        assert isinstance(after, Deny)


@given(facts=FACTS, channel=CHANNELS, category=st.sampled_from(Category), mandatory=st.booleans())
def test_what_is_allowed_has_somewhere_to_go(
    facts: RecipientFacts, channel: Channel, category: Category, *, mandatory: bool
) -> None:
    if isinstance(ask(facts, channel, category=category, mandatory=mandatory, among=tuple(Channel)), Allow):
        reach = {Channel.EMAIL: facts.email, Channel.SMS: facts.phone, Channel.PUSH: facts.devices}
        assert reach.get(channel, "inbox")
