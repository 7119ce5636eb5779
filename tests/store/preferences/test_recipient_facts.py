"""Facts of a page in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest

from channels.vocabulary import Channel, Platform
from preferences import store
from preferences.store import contacts, devices, documents
from preferences.vocabulary import ContactKind, Preferences, Profile, RecipientRef, RecipientStatus, SuppressionReason
from tests.factories import BY_APP

MakePerson = Callable[..., RecipientRef]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def give_device(ref: RecipientRef, device_id: str, token: str = "tok-1234") -> None:  # noqa: S107 - no secret
    index = contacts.index_of_token(token)
    key = contacts.data_key(ref.wrapped_key, ref.id)
    devices.take_token(index, Platform.IOS, ref.id, device_id)
    devices.put_device(ref.id, device_id, Platform.IOS, contacts.seal_token(token, index, "…1234", key), "1.0", now=NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 500])
@pytest.mark.parametrize(
    ("channels", "queries"), [(tuple(Channel), 3), ((Channel.PUSH,), 2), ((Channel.EMAIL,), 2), ((Channel.IN_APP,), 1)]
)
def test_facts_cost_the_same_queries_for_any_page(
    count: int,
    channels: tuple[Channel, ...],
    queries: int,
    make_profile: Callable[..., Profile],
    count_statements: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    store.upsert({f"u{n}": make_profile(email=f"u{n}@example.com") for n in range(count)})
    ids = [ref.id for ref in store.resolve([f"u{n}" for n in range(count)]).values()]
    with count_statements() as seen:
        facts = store.facts_for(ids, channels)
    assert (len(facts), len(seen)) == (count, queries)


def test_facts_hold_all_that_is_decided_upon(make_person: MakePerson) -> None:
    ref = make_person(
        email="alice@example.com",
        phone="+15559876543",
        locale="en-GB",
        timezone="Europe/London",
        country_code="GB",
        attributes='{"plan": "gold"}',
    )
    give_device(ref, "d1")
    said = Preferences(marketing_opt_in=True, channels={Channel.SMS: False}, version=1)
    documents.save_preferences(ref, Preferences(), said, BY_APP)
    facts = store.facts_for([ref.id])[ref.id]
    assert (facts.user_id, facts.status, facts.preferences) == ("u_alice", RecipientStatus.ACTIVE, said)
    assert (facts.locale, facts.timezone, facts.country_code) == ("en-GB", "Europe/London", "GB")
    assert (facts.attributes, facts.suppressed) == ({"plan": "gold"}, frozenset())


def test_every_endpoint_opens_with_the_recipients_key(make_person: MakePerson) -> None:
    ref = make_person(email="alice@example.com", phone="+15559876543")
    give_device(ref, "d1")
    facts = store.facts_for([ref.id])[ref.id]
    key = store.data_key(facts.wrapped_key, facts.id)
    ends = [store.endpoint(facts, channel, facts.devices[0].id) for channel in Channel]
    assert [one and (store.address_of(one, key), one.hint) for one in ends] == [
        ("tok-1234", "…1234"),
        ("alice@example.com", "a…@example.com"),
        ("+15559876543", "…6543"),
        None,
    ]


def test_who_has_nothing_has_facts_all_the_same(make_person: MakePerson) -> None:
    ref = make_person()
    facts = store.facts_for([ref.id, ref.id + 1_000])
    assert list(facts) == [ref.id]
    assert (facts[ref.id].email, facts[ref.id].phone, facts[ref.id].devices) == (None, None, ())
    assert facts[ref.id].preferences == Preferences()
    assert store.facts_for([]) == {}


def test_a_device_that_has_gone_is_no_endpoint(make_person: MakePerson) -> None:
    ref = make_person()
    give_device(ref, "d1")
    before = store.facts_for([ref.id])[ref.id]
    devices.remove_device(ref.id, "d1")
    after = store.facts_for([ref.id])[ref.id]
    assert store.endpoint(after, Channel.PUSH, before.devices[0].id) is None


def test_a_suppressed_address_shuts_its_own_channel_only(make_person: MakePerson) -> None:
    ref = make_person(email="alice@example.com", phone="+15559876543")
    other = make_person("u_bob", email="bob@example.com")
    index = store.index_of(ContactKind.EMAIL, "alice@example.com")
    assert store.suppress([index], Channel.EMAIL, SuppressionReason.HARD_BOUNCE) == 1
    assert store.suppress([index], Channel.EMAIL, SuppressionReason.MANUAL) == 0
    facts = store.facts_for([ref.id, other.id])
    assert facts[ref.id].suppressed == {Channel.EMAIL}
    assert facts[other.id].suppressed == frozenset()
    assert [one.reason for one in store.suppressions_of([index])] == [SuppressionReason.HARD_BOUNCE]


def test_a_complaint_shuts_an_address_to_marketing_alone_until_it_bounces(make_person: MakePerson) -> None:
    ref = make_person(email="alice@example.com")
    index = store.index_of(ContactKind.EMAIL, "alice@example.com")
    store.suppress([index], Channel.EMAIL, SuppressionReason.COMPLAINT)
    facts = store.facts_for([ref.id])[ref.id]
    assert (facts.suppressed, facts.unwanted) == (frozenset(), {Channel.EMAIL})
    assert facts.email is not None
    assert facts.email.usable
    assert store.suppress([index], Channel.EMAIL, SuppressionReason.HARD_BOUNCE) == 1
    facts = store.facts_for([ref.id])[ref.id]
    assert (facts.suppressed, facts.unwanted) == ({Channel.EMAIL}, frozenset())
    assert store.suppress([index], Channel.EMAIL, SuppressionReason.COMPLAINT) == 0


def test_a_released_address_is_used_again(make_person: MakePerson) -> None:
    ref = make_person(phone="+15559876543")
    index = store.index_of(ContactKind.PHONE, "+15559876543")
    store.suppress([index], Channel.SMS, SuppressionReason.INVALID)
    assert store.release([index], Channel.SMS, BY_APP) == 1
    assert store.release([index], Channel.SMS, BY_APP) == 0
    facts = store.facts_for([ref.id])[ref.id]
    assert facts.suppressed == frozenset()
    assert facts.phone is not None
    assert facts.phone.usable


def test_an_address_stays_suppressed_for_the_next_person_who_has_it(make_person: MakePerson) -> None:
    make_person("u_old", email="alice@example.com")
    index = store.index_of(ContactKind.EMAIL, "alice@example.com")
    store.suppress([index], Channel.EMAIL, SuppressionReason.HARD_BOUNCE)
    ref = make_person("u_new", email="Alice@example.com")
    assert store.facts_for([ref.id])[ref.id].suppressed == {Channel.EMAIL}
