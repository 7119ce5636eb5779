"""The consent ledger: every word about consent is in it, nothing in it changes, and it says where a person stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.vocabulary import Channel
from preferences import allow, store
from preferences.rules.ledger import Said, Subject, changes, fold, kept_marketing, standing
from preferences.rules.requests import PreferencesPatch
from preferences.store import consents, contacts
from preferences.vocabulary import (
    Category,
    ConsentActor,
    ConsentMeans,
    ConsentScope,
    ConsentState,
    ContactKind,
    Origin,
    Preferences,
    RecipientRef,
    SmsPreference,
    SuppressionReason,
)
from tests.architecture.tree import ROOT
from tests.factories import BY_APP, make_recipient

GIVEN, WITHDRAWN = ConsentState.GIVEN, ConsentState.WITHDRAWN
MARKETING = Subject(ConsentScope.MARKETING)
SWITCHES = st.dictionaries(st.sampled_from(Channel), st.booleans(), max_size=3)
DOCUMENTS = st.builds(
    Preferences,
    channels=SWITCHES,
    categories=st.dictionaries(st.sampled_from(Category), SWITCHES, max_size=2),
    types=st.dictionaries(st.sampled_from(["ORDER_SHIPPED", "NEWSLETTER"]), SWITCHES, max_size=2),
    global_opt_out=st.booleans(),
    marketing_opt_in=st.sampled_from([None, True, False]),
    sms_preference=st.sampled_from(SmsPreference),
)


def said_by(ref: RecipientRef) -> list[tuple[Subject, ConsentState]]:
    """The person's entries, oldest first."""
    return [
        (Subject(one.scope, one.channel or "", one.category or "", one.type or ""), one.state)
        for one in reversed(consents.page_of(ref, None, 1_000))
    ]


@pytest.fixture
def alice(db: None) -> RecipientRef:
    return make_recipient(email="alice@example.com", phone="+15559876543")


@given(st.lists(DOCUMENTS, max_size=8))
def test_the_entries_of_any_story_add_up_to_its_last_document(documents: list[Preferences]) -> None:
    present, entries = Preferences(), list[Said]()
    for document in documents:
        after = kept_marketing(present, document)
        entries += changes(present, after)
        present = after
    stands, holds = fold(entries), standing(present)
    assert {one for one, state in stands.items() if state is WITHDRAWN} == {one for one, on in holds.items() if not on}
    assert (stands.get(MARKETING) is GIVEN) is (present.marketing_opt_in is True)
    assert all(stands[one] is GIVEN for one, on in holds.items() if on)


@given(DOCUMENTS)
def test_writing_the_same_document_again_says_nothing(document: Preferences) -> None:
    assert changes(document, document) == []


@given(DOCUMENTS, DOCUMENTS)
def test_marketing_left_out_is_a_no_once_something_was_said_of_it(before: Preferences, after: Preferences) -> None:
    kept = kept_marketing(before, after)
    if before.marketing_opt_in is not None and after.marketing_opt_in is None:
        assert kept.marketing_opt_in is False
    else:
        assert kept == after


def test_every_change_of_the_document_is_told_with_how_we_know(alice: RecipientRef) -> None:
    origin = Origin(
        means=ConsentMeans.IMPORT,
        actor=ConsentActor.APPLICATION,
        actor_id="7",
        text_version="2026-11",
        ip_address="192.0.2.7",
        trace="4bf92f3577b34da6a3ce929d0e0e4736",
    )
    wanted = Preferences(marketing_opt_in=True, categories={Category.SOCIAL: {Channel.SMS: False}})
    allow.put_preferences("u_alice", wanted, lambda _: True, origin)
    told = {one.scope: one for one in consents.page_of(alice, None, 10)}
    marketing, social = told[ConsentScope.MARKETING], told[ConsentScope.CATEGORY]
    assert (marketing.state, marketing.address, marketing.ip_address) == (GIVEN, "a…@example.com", "192.0.2.7")
    assert (social.state, social.channel, social.category) == (WITHDRAWN, Channel.SMS, "social")
    assert (marketing.means, marketing.actor, marketing.actor_id) == ("import", "application", "7")
    assert (marketing.text_version, marketing.trace) == ("2026-11", origin.trace)
    assert social.address.endswith("43")


def test_the_place_somebody_wrote_from_is_stored_sealed_alone(alice: RecipientRef) -> None:
    origin = Origin(means=ConsentMeans.API, actor=ConsentActor.PERSON, ip_address="192.0.2.77")
    allow.patch_preferences("u_alice", PreferencesPatch(marketing_opt_in=True), lambda _: True, origin)
    with connection.cursor() as cursor:
        cursor.execute("SELECT c::text FROM preferences_consent c")
        assert "192.0.2.77" not in cursor.fetchone()[0]


def test_a_change_that_is_rolled_back_leaves_no_entry(alice: RecipientRef) -> None:
    with transaction.atomic():
        allow.patch_preferences("u_alice", PreferencesPatch(global_opt_out=True), lambda _: True, BY_APP)
        transaction.set_rollback(True)
    assert said_by(alice) == []


def test_a_complaint_withdraws_marketing_for_all_who_have_the_address(alice: RecipientRef) -> None:
    bob = make_recipient("u_bob", email="alice@example.com")
    allow.patch_preferences("u_bob", PreferencesPatch(marketing_opt_in=True), lambda _: True, BY_APP)
    index = contacts.index_of(ContactKind.EMAIL, "alice@example.com")
    origin = Origin(means=ConsentMeans.COMPLAINT, actor=ConsentActor.PROVIDER)
    store.suppress([index], Channel.EMAIL, SuppressionReason.COMPLAINT)
    assert store.stop_marketing([], [index], origin) == 2
    assert store.stop_marketing([], [index], origin) == 0
    address = Subject(ConsentScope.ADDRESS, Channel.EMAIL)
    assert said_by(alice) == [(address, WITHDRAWN), (MARKETING, WITHDRAWN)]
    assert said_by(bob) == [(MARKETING, GIVEN), (address, WITHDRAWN), (MARKETING, WITHDRAWN)]
    assert allow.get_preferences("u_alice").marketing_opt_in is False


def test_a_stop_and_its_release_are_told_and_a_bounce_is_nobodys_word(alice: RecipientRef) -> None:
    email, phone = (
        contacts.index_of(kind, value)
        for kind, value in ((ContactKind.EMAIL, "alice@example.com"), (ContactKind.PHONE, "+15559876543"))
    )
    store.suppress([email], Channel.EMAIL, SuppressionReason.HARD_BOUNCE)
    store.suppress([phone], Channel.SMS, SuppressionReason.UNSUBSCRIBE)
    store.release([email], Channel.EMAIL, BY_APP)
    store.release([phone], Channel.SMS, BY_APP)
    sms = Subject(ConsentScope.ADDRESS, Channel.SMS)
    assert said_by(alice) == [(sms, WITHDRAWN), (sms, GIVEN)]
    assert [one.means for one in consents.page_of(alice, None, 9)] == ["api", "stop"]


def test_an_address_that_is_nobodys_has_its_entry_too(db: None) -> None:
    store.suppress([b"x" * 16], Channel.EMAIL, SuppressionReason.MANUAL)
    with connection.cursor() as cursor:
        cursor.execute("SELECT recipient_id, scope, state, means, address_index FROM preferences_consent")
        assert cursor.fetchall() == [(None, "address", "withdrawn", "admin", b"x" * 16)]


def test_one_click_names_the_message_it_was_in(alice: RecipientRef) -> None:
    origin = Origin(means=ConsentMeans.UNSUBSCRIBE_LINK, actor=ConsentActor.PERSON)
    assert allow.leave(alice.id, Channel.EMAIL, category=Category.MARKETING, origin=origin)
    assert not allow.leave(alice.id, Channel.EMAIL, category=Category.MARKETING, origin=origin)
    assert said_by(alice) == [(Subject(ConsentScope.CATEGORY, Channel.EMAIL, Category.MARKETING), WITHDRAWN)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM preferences_consent",
        "UPDATE preferences_consent SET state = 'given'",
        "UPDATE preferences_consent SET at = now() - interval '1 day'",
        "UPDATE preferences_consent SET hint = ''",
        "UPDATE preferences_consent SET recipient_id = NULL",
        "UPDATE preferences_consent SET recipient_id = NULL, hint = '', trace = '', state = 'given'",
        "UPDATE preferences_consent SET recipient_id = NULL, hint = '', trace = '', address_index = NULL",
    ],
)
def test_the_database_refuses_to_change_an_entry(alice: RecipientRef, statement: str) -> None:
    allow.patch_preferences("u_alice", PreferencesPatch(global_opt_out=True), lambda _: True, BY_APP)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_anonymous_is_anonymous_for_good(alice: RecipientRef) -> None:
    allow.patch_preferences("u_alice", PreferencesPatch(global_opt_out=True), lambda _: True, BY_APP)
    assert (consents.anonymise(alice.id), consents.anonymise(alice.id)) == (1, 0)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_consent SET recipient_id = %s", (alice.id,))


@pytest.mark.parametrize("people", [2, 40])
def test_a_page_of_complaints_costs_a_fixed_number_of_statements(
    db: None, people: int, count_statements: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    refs = [make_recipient(f"u_{n}", email=f"p{n}@example.com") for n in range(people)]
    indexes = [contacts.index_of(ContactKind.EMAIL, f"p{n}@example.com") for n in range(people)]
    with count_statements() as statements:
        store.suppress(indexes, Channel.EMAIL, SuppressionReason.COMPLAINT)
        store.stop_marketing([ref.id for ref in refs], [], BY_APP)
    assert len(statements) == 6


def writers() -> Iterator[tuple[str, str]]:
    """(module, function) of whatever writes what people allow, or which addresses are closed."""
    wanted = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) preferences_(preference|suppression|consent)\b")
    for file in sorted(ROOT.glob("*/**/*.py")):
        name = str(file.relative_to(ROOT))
        if name.startswith(("tests/", ".")) or "/migrations/" in name or ".venv" in name:
            continue
        text = file.read_text("utf-8")
        for found in wanted.finditer(text):
            yield name, found[0]


def test_consent_is_written_through_one_door_each() -> None:
    assert sorted(set(writers())) == [
        ("preferences/store/consents.py", "INSERT INTO preferences_consent"),
        ("preferences/store/consents.py", "UPDATE preferences_consent"),
        ("preferences/store/documents.py", "INSERT INTO preferences_preference"),
        ("preferences/store/suppressions.py", "DELETE FROM preferences_suppression"),
        ("preferences/store/suppressions.py", "INSERT INTO preferences_preference"),
        ("preferences/store/suppressions.py", "INSERT INTO preferences_suppression"),
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DOCUMENTS, min_size=1, max_size=5))
def test_what_the_ledger_says_is_what_the_document_says(alice: RecipientRef, documents: list[Preferences]) -> None:
    with transaction.atomic():
        for document in documents:
            allow.put_preferences("u_alice", document, lambda _: True, BY_APP)
        current = {
            Subject(one.scope, one.channel or "", one.category or "", one.type or ""): one.state
            for one in consents.current_of(alice)
        }
        holds = standing(allow.get_preferences("u_alice"))
        assert {one for one, state in current.items() if state is WITHDRAWN} == {
            one for one, on in holds.items() if not on
        }
        transaction.set_rollback(True)


SPOKEN_AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
BY_IMPORT = Origin(means=ConsentMeans.IMPORT, actor=ConsentActor.STAFF, actor_id="3")


def test_an_imported_yes_counts_and_is_written_with_its_proof(alice: RecipientRef) -> None:
    stays = allow.import_marketing(
        {"u_alice": allow.Spoken(agrees=True, text_version="v7", said_at=SPOKEN_AT)}, BY_IMPORT
    )
    assert stays == frozenset()
    assert allow.get_preferences("u_alice").marketing_opt_in is True
    (entry,) = consents.page_of(alice, None, 10)
    assert (entry.state, entry.means, entry.actor, entry.actor_id) == (GIVEN, "import", "staff", "3")
    assert (entry.text_version, entry.said_at, entry.address) == ("v7", SPOKEN_AT, "a…@example.com")


def test_an_imported_yes_never_takes_back_a_no(alice: RecipientRef) -> None:
    allow.patch_preferences("u_alice", PreferencesPatch(marketing_opt_in=False), lambda _: True, BY_APP)
    yes = {"u_alice": allow.Spoken(agrees=True, text_version="v7", said_at=SPOKEN_AT)}
    assert allow.import_marketing(yes, BY_IMPORT) == {"u_alice"}
    assert allow.get_preferences("u_alice").marketing_opt_in is False
    assert len(said_by(alice)) == 1


def test_an_imported_no_withdraws_and_the_same_again_says_nothing(alice: RecipientRef) -> None:
    allow.patch_preferences("u_alice", PreferencesPatch(marketing_opt_in=True), lambda _: True, BY_APP)
    no = {"u_alice": allow.Spoken(agrees=False, text_version="", said_at=None)}
    for _ in range(2):
        allow.import_marketing(no, BY_IMPORT)
    assert [one.state for one in consents.page_of(alice, None, 10)] == [WITHDRAWN, GIVEN]


@pytest.mark.parametrize("count", [1, 200])
def test_a_page_of_imported_words_takes_four_statements(
    count: int, count_statements: Callable[[], AbstractContextManager[list[str]]], db: None
) -> None:
    refs = [make_recipient(f"u{n}") for n in range(count)]
    page = {ref.user_id: allow.Spoken(agrees=True, text_version="v7", said_at=SPOKEN_AT) for ref in refs}
    with count_statements() as executed:
        allow.import_marketing(page, BY_IMPORT)
    assert len(executed) == 4
