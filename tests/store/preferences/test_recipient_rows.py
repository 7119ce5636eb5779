"""Recipients are written and read by the page."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections

from channels.rules.sealing import Unreadable, unseal
from channels.vocabulary import Channel
from preferences import store
from preferences.store import recipients, records
from preferences.vocabulary import ContactKind, Profile, RecipientRef, RecipientStatus, SuppressionReason

MakePerson = Callable[..., RecipientRef]
MakeProfile = Callable[..., Profile]
Counting = Callable[[], AbstractContextManager[list[str]]]


def execute(sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall() if cursor.description else []


def erase(ref: RecipientRef) -> None:
    execute("UPDATE preferences_recipient SET status = 'erased', data_key = NULL WHERE id = %s", ref.id)


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 300])
def test_a_page_of_recipients_is_written_in_four_statements(
    count: int, make_profile: MakeProfile, count_statements: Counting
) -> None:
    page = {f"u{n}": make_profile(email=f"u{n}@example.com", phone=f"+4477009{n:05}") for n in range(count)}
    with count_statements() as created:
        done = store.upsert(page)
    with count_statements() as replaced:
        again = store.upsert(page)
    assert (len(created), len(replaced)) == (3, 4)
    assert (len(done.created), len(done.updated)) == (count, 0)
    assert (len(again.created), len(again.updated)) == (0, count)


def test_replacing_removes_what_is_left_out_and_keeps_id_and_key(
    make_person: MakePerson, make_profile: MakeProfile
) -> None:
    before = make_person(email="alice@example.com", phone="+15559876543", locale="en-GB", attributes='{"plan": "gold"}')
    store.upsert({"u_alice": make_profile(phone="+15559876543")})
    record = records.record_of("u_alice")
    assert record is not None
    assert (record.email, record.phone, record.locale, record.attributes) == (None, "+15559876543", None, {})
    assert store.resolve(["u_alice"])["u_alice"] == before


def test_addresses_are_stored_sealed_and_found_by_their_hash(make_person: MakePerson) -> None:
    ref = make_person(email="Alice@example.com", phone="+15559876543")
    dump = repr(execute("SELECT * FROM preferences_contact_point")) + repr(
        execute("SELECT * FROM preferences_recipient")
    )
    assert "lice@" not in dump.replace("a…@", "")
    assert "5559876543" not in dump
    assert store.find_by_address(store.index_of(ContactKind.EMAIL, "alice@EXAMPLE.com".lower())) == [ref.id]
    assert store.find_by_address(store.index_of(ContactKind.PHONE, "+15559876543")) == [ref.id]
    assert store.find_by_address(store.index_of(ContactKind.PHONE, "+15559876544")) == []


def test_two_people_have_different_ciphertexts_and_keys_for_one_address(make_person: MakePerson) -> None:
    alice, bob = make_person("u_alice", email="us@example.com"), make_person("u_bob", email="us@example.com")
    facts = store.facts_for([alice.id, bob.id])
    ours, theirs = facts[alice.id].email, facts[bob.id].email
    assert ours is not None
    assert theirs is not None
    assert ours.index == theirs.index
    assert ours.sealed != theirs.sealed
    with pytest.raises(Unreadable):
        store.address_of(theirs, store.data_key(alice.wrapped_key, alice.id))


def test_a_sealed_address_moved_to_another_row_of_the_same_person_does_not_open(make_person: MakePerson) -> None:
    ref = make_person(email="alice@example.com", phone="+15559876543")
    facts = store.facts_for([ref.id])[ref.id]
    assert facts.email is not None
    assert facts.phone is not None
    with pytest.raises(Unreadable):
        unseal(
            store.data_key(ref.wrapped_key, ref.id), facts.email.sealed, b"contact_point.sealed:" + facts.phone.index
        )


def test_a_wrapped_key_copied_to_another_recipient_does_not_open(make_person: MakePerson) -> None:
    alice, bob = make_person("u_alice"), make_person("u_bob")
    with pytest.raises(Unreadable):
        store.data_key(alice.wrapped_key, bob.id)


def test_a_deleted_recipient_is_active_again_once_put(make_person: MakePerson, make_profile: MakeProfile) -> None:
    make_person()
    assert recipients.mark_deleted("u_alice")
    assert recipients.mark_deleted("u_alice")
    assert store.resolve(["u_alice"])["u_alice"].status is RecipientStatus.DELETED
    assert store.upsert({"u_alice": make_profile()}).updated == {"u_alice"}
    assert store.resolve(["u_alice"])["u_alice"].status is RecipientStatus.ACTIVE


def test_an_erased_recipient_takes_no_data_and_opens_nothing(
    make_person: MakePerson, make_profile: MakeProfile
) -> None:
    ref = make_person(email="alice@example.com")
    erase(ref)
    done = store.upsert({"u_alice": make_profile(email="back@example.com"), "u_bob": make_profile()})
    assert (done.created, done.updated) == ({"u_bob"}, frozenset())
    assert recipients.mark_deleted("u_alice")
    after = store.resolve(["u_alice"])["u_alice"]
    assert after.status is RecipientStatus.ERASED
    with pytest.raises(Unreadable):
        store.data_key(after.wrapped_key, after.id)


def test_nobody_is_erased_with_a_key_left_or_lacks_one_otherwise(make_person: MakePerson) -> None:
    make_person()
    with pytest.raises(IntegrityError, match="recipient_key_until_erased"):
        execute("UPDATE preferences_recipient SET status = 'erased'")


def test_an_address_that_comes_back_keeps_what_became_of_it_and_a_new_one_starts_afresh(
    make_person: MakePerson, make_profile: MakeProfile
) -> None:
    ref = make_person(email="old@example.com")
    store.suppress([store.index_of(ContactKind.EMAIL, "old@example.com")], Channel.EMAIL, SuppressionReason.HARD_BOUNCE)
    seen = []
    for address in ("old@example.com", "new@example.com", "old@example.com"):
        store.upsert({"u_alice": make_profile(email=address)})
        facts = store.facts_for([ref.id])[ref.id]
        assert facts.email is not None
        seen.append((facts.email.usable, Channel.EMAIL in facts.suppressed))
    assert seen == [(False, True), (True, False), (True, True)]


def test_ids_resolve_both_ways_and_unknown_ones_are_missing(make_person: MakePerson) -> None:
    ref = make_person()
    assert store.resolve(["u_alice", "u_nobody"]) == {"u_alice": ref}
    assert store.user_ids_of([ref.id, ref.id + 1_000]) == {ref.id: "u_alice"}


@pytest.mark.django_db(transaction=True)
def test_pages_with_the_same_people_in_another_order_do_not_deadlock(make_profile: MakeProfile) -> None:
    names = [f"u{n:03}" for n in range(100)]

    def put(order: list[str]) -> int:
        try:
            done = store.upsert({name: make_profile(email=f"{name}@example.com") for name in order})
            return len(done.created) + len(done.updated)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(put, [names, names[::-1]] * 6))
    assert written == [100] * 12
    assert execute("SELECT count(*) FROM preferences_recipient") == [(100,)]


def test_a_merge_changes_what_is_given_and_leaves_the_rest(make_person: MakePerson, make_profile: MakeProfile) -> None:
    make_person(email="alice@example.com", locale="en-GB", attributes='{"plan": "gold", "age": 30}')
    done = store.merge_page(
        {
            "u_alice": make_profile(phone="+15559876543", attributes='{"age": 31}'),
            "u_bob": make_profile(email="bob@example.com"),
        }
    )
    assert done == recipients.Merged(frozenset({"u_bob"}), frozenset({"u_alice"}), frozenset())
    record = records.record_of("u_alice")
    assert record is not None
    assert (record.email, record.phone, record.locale) == ("alice@example.com", "+15559876543", "en-GB")
    assert record.attributes == {"plan": "gold", "age": 31}


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 300])
def test_a_page_is_merged_in_five_statements(count: int, make_profile: MakeProfile, count_statements: Counting) -> None:
    page = {f"u{n}": make_profile(email=f"u{n}@example.com", attributes='{"a": 1}') for n in range(count)}
    with count_statements() as created:
        store.merge_page(page)
    with count_statements() as merged:
        assert store.merge_page(page).updated == frozenset(page)
    assert (len(created), len(merged)) == (4, 3)


def test_a_merge_leaves_a_deleted_recipient_deleted_and_an_erased_one_alone(
    make_person: MakePerson, make_profile: MakeProfile
) -> None:
    make_person()
    erase(make_person("u_gone"))
    recipients.mark_deleted("u_alice")
    profile = make_profile(email="back@example.com")
    done = store.merge_page({"u_alice": profile, "u_gone": profile})
    assert (done.created, done.updated) == (frozenset(), {"u_alice"})
    assert store.resolve(["u_alice"])["u_alice"].status is RecipientStatus.DELETED


def test_a_merge_that_would_make_attributes_too_long_changes_nothing(
    make_person: MakePerson, make_profile: MakeProfile
) -> None:
    make_person(attributes=f'{{"a": "{"x" * 9_000}"}}')
    done = store.merge_page({"u_alice": make_profile(locale="de", attributes=f'{{"b": "{"y" * 9_000}"}}')})
    assert done.too_long == {"u_alice"}
    record = records.record_of("u_alice")
    assert record is not None
    assert record.locale is None
    assert list(record.attributes) == ["a"]
