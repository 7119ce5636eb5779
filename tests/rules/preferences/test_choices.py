from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.vocabulary import Channel, Platform
from preferences.rules.choices import (
    DIGEST,
    LANGUAGE,
    MARKETING,
    OFF,
    ON,
    QUIET,
    QUIET_END,
    QUIET_START,
    STOP,
    ZONE,
    Fault,
    Form,
    Kind,
    Offer,
    applied,
    changed_since,
    faults_in,
    merged,
    offer_to,
    sent,
    shown,
)
from preferences.rules.intake import checked_preferences
from preferences.vocabulary import (
    Category,
    ContactFact,
    DeviceFact,
    DigestFrequency,
    Preferences,
    QuietHours,
    RecipientFacts,
    RecipientStatus,
    SmsPreference,
)

KINDS = [Kind(category, mandatory=False) for category in Category] + [Kind(Category.SECURITY, mandatory=True)]
EMAIL = ContactFact(1, b"", b"e", "a…@example.com", usable=True)
PHONE = ContactFact(2, b"", b"p", "…6543", usable=True)
DEVICE = DeviceFact(3, Platform.IOS, b"", b"d", "…cdef")

switches = st.dictionaries(st.sampled_from(Channel), st.booleans())
documents = st.builds(
    Preferences,
    channels=switches,
    categories=st.dictionaries(st.sampled_from(Category), switches),
    types=st.dictionaries(st.sampled_from(["SHIPPED", "a.b c", "é"]), switches),
    global_opt_out=st.booleans(),
    marketing_opt_in=st.none() | st.booleans(),
    sms_preference=st.sampled_from(SmsPreference),
    quiet_hours=st.none() | st.just(QuietHours("21:15", "06:45")),
    timezone=st.none() | st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "US/Eastern"]),
    locale=st.none() | st.sampled_from(["de", "pt-BR"]),
    digest_frequency=st.sampled_from(DigestFrequency),
)


def person(document: Preferences | None = None, **changes: Any) -> RecipientFacts:
    facts = RecipientFacts(
        id=7,
        user_id="u",
        status=RecipientStatus.ACTIVE,
        locale="en",
        timezone="Europe/London",
        country_code="",
        attributes={},
        preferences=document or Preferences(),
        email=EMAIL,
        phone=PHONE,
        devices=(DEVICE,),
        suppressed=frozenset(),
        wrapped_key=b"k",
    )
    return msgspec.structs.replace(facts, **changes)


def opened(facts: RecipientFacts) -> tuple[Offer, Form]:
    offer = offer_to(facts, KINDS, ("en", "es"))
    return offer, shown(offer, facts)


def posted(form: Form) -> dict[str, str]:
    """What a browser sends of a form: nothing of a box that is not ticked."""
    fields = {name: value for name, value in form.items() if value or name in {LANGUAGE, QUIET_START, QUIET_END}}
    return dict(parse_qsl(urlencode(fields), keep_blank_values=True))


@given(documents)
def test_a_form_that_comes_back_as_it_was_changes_nothing(document: Preferences) -> None:
    offer, now = opened(person(document))
    back = sent(now, posted(now))
    assert (back, faults_in(back, now, offer)) == (now, {})
    assert applied(document, offer, now, back) == document


@given(documents, st.data())
def test_what_was_chosen_is_what_the_page_shows_from_then_on(document: Preferences, data: st.DataObject) -> None:
    facts = person(document)
    offer, now = opened(facts)
    chosen = {name: data.draw(st.sampled_from([ON, OFF])) for name in now if "." in name or name in {MARKETING, STOP}}
    wanted = {**now, **chosen, DIGEST: "weekly", ZONE: "Asia/Kathmandu", LANGUAGE: "es"}
    after = applied(document, offer, now, sent(now, posted(wanted)))
    assert shown(offer, person(after)) == wanted
    assert checked_preferences(after) == after


@given(documents, st.sampled_from(["channel.email", "category.push.social", STOP, MARKETING]))
def test_one_change_leaves_everything_else_unsaid(document: Preferences, name: str) -> None:
    offer, now = opened(person(document))
    after = applied(document, offer, now, {**now, name: OFF if now[name] else ON})
    untouched = {"quiet_hours", "timezone", "locale", "digest_frequency", "types", "channel_order", "critical_channel"}
    assert {one for one in untouched if getattr(after, one) != getattr(document, one)} == set()
    if name != MARKETING:
        assert after.marketing_opt_in is document.marketing_opt_in


def test_only_what_reaches_a_person_is_offered() -> None:
    offer, now = opened(person(email=None, devices=()))
    assert offer.channels == {Channel.SMS: "…6543", Channel.IN_APP: ""}
    assert "channel.email" not in now
    assert sent(now, {"channel.email": ON}).keys() == now.keys()


def test_an_address_that_is_closed_is_told_and_not_offered() -> None:
    offer, _ = opened(person(suppressed=frozenset({Channel.EMAIL}), phone=msgspec.structs.replace(PHONE, usable=False)))
    assert offer.closed == {Channel.EMAIL: "a…@example.com", Channel.SMS: "…6543"}
    assert set(offer.channels) == {Channel.PUSH, Channel.IN_APP}


def test_what_is_mandatory_is_told_and_not_offered() -> None:
    kinds = [Kind(Category.SECURITY, mandatory=True), Kind(Category.MARKETING, mandatory=True)]
    offer = offer_to(person(), kinds, ())
    assert (offer.binding, offer.categories) == ((Category.SECURITY,), (Category.MARKETING,))


def test_who_left_types_one_by_one_sees_them_and_can_come_back() -> None:
    document = Preferences(types={"SHIPPED": {Channel.EMAIL: False, Channel.PUSH: True}})
    offer, now = opened(person(document))
    assert now["type.email.SHIPPED"] == OFF
    assert "type.push.SHIPPED" not in now
    after = applied(document, offer, now, {**now, "type.email.SHIPPED": ON})
    assert after.types == {"SHIPPED": {Channel.PUSH: True}}


def test_text_messages_switched_on_are_no_longer_never() -> None:
    document = Preferences(sms_preference=SmsPreference.NEVER, channels={Channel.SMS: False})
    offer, now = opened(person(document))
    assert now["channel.sms"] == OFF
    assert applied(document, offer, now, {**now, "channel.sms": ON}) == Preferences()


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({QUIET: ON, QUIET_START: "22:00", QUIET_END: "22:00"}, {QUIET_END: Fault.SAME_TIME}),
        ({QUIET: ON, QUIET_START: "9.30", QUIET_END: "09:30"}, {QUIET_END: Fault.SAME_TIME}),
        ({QUIET: ON, QUIET_START: "", QUIET_END: "07:00"}, {QUIET_START: Fault.NO_TIME}),
        ({QUIET: ON, QUIET_START: "24:00", QUIET_END: "7"}, {QUIET_START: Fault.NO_TIME, QUIET_END: Fault.NO_TIME}),
        ({QUIET: ON, QUIET_START: "\u0662\u0662:15", QUIET_END: "07:00"}, {QUIET_START: Fault.NO_TIME}),
        ({QUIET_START: "never", QUIET_END: "never"}, {}),
        ({ZONE: "Mars/Olympus"}, {ZONE: Fault.UNKNOWN_ZONE}),
        ({ZONE: ""}, {ZONE: Fault.UNKNOWN_ZONE}),
        ({LANGUAGE: "tlh"}, {LANGUAGE: Fault.UNKNOWN_LANGUAGE}),
        ({LANGUAGE: ""}, {LANGUAGE: Fault.UNKNOWN_LANGUAGE}),
        ({DIGEST: "yearly"}, {DIGEST: Fault.UNKNOWN_CHOICE}),
    ],
)
def test_what_is_wrong_is_told_at_its_field(fields: dict[str, str], faults: dict[str, Fault]) -> None:
    offer, now = opened(person())
    form = sent(now, {**posted(now), **fields})
    assert faults_in(form, now, offer) == faults


def test_a_zone_that_is_gone_keeps_nobody_from_changing_something_else() -> None:
    offer, now = opened(person(Preferences(timezone="Europe/Atlantis")))
    assert faults_in({**now, DIGEST: "daily"}, now, offer) == {}


def test_hours_are_taken_as_people_write_them() -> None:
    offer, now = opened(person())
    form = sent(now, {**posted(now), QUIET: ON, QUIET_START: " 9:30 ", QUIET_END: "17.05"})
    assert applied(Preferences(), offer, now, form).quiet_hours == QuietHours("09:30", "17:05")


@given(documents, documents)
def test_who_comes_second_keeps_their_own_changes_and_sees_the_others(first: Preferences, second: Preferences) -> None:
    """Both began with the same empty document, and changed it each in their own way."""
    seen = opened(person())[1]
    now = opened(person(first))[1]
    mine = {name: opened(person(second))[1].get(name, now[name]) for name in now}
    both = merged(seen, mine, now)
    for name in now.keys() & seen.keys():
        assert both[name] == (mine[name] if mine[name] != seen[name] else now[name])
    assert set(changed_since(seen, now)) == {name for name in now.keys() & seen.keys() if now[name] != seen[name]}


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=200)), documents)
def test_whatever_is_sent_is_refused_or_makes_a_sound_document(form: dict[str, str], document: Preferences) -> None:
    offer, now = opened(person(document))
    taken = sent(now, form)
    if not faults_in(taken, now, offer):
        assert checked_preferences(applied(document, offer, now, taken)).version == document.version
