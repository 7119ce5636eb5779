"""Broadcasts as rules: ids that lead back, who sees what, and one order for rows and for what has none."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from channels.vocabulary import Channel
from notify.rules.broadcasts import (
    Entry,
    Live,
    Place,
    Reader,
    near,
    newest,
    notification_id_of,
    reader_of,
    shown_from,
    shown_to,
)
from notify.rules.ids import ENTROPY, instant_of, new_ids
from notify.vocabulary import TypeRow
from preferences.vocabulary import Category, Preferences, RecipientFacts, RecipientStatus

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
KIND = TypeRow(
    key="NEWS",
    category=Category.SOCIAL.value,
    priority="low",
    channels=["in_app"],
    mandatory=False,
    exempt_from_caps=False,
    caps=[],
    quiet_hours="defer",
    digestible=False,
    ttl_seconds=None,
    template_id=None,
)
people = st.integers(1, 2**47)


def broadcast() -> UUID:
    return new_ids(1, now=NOW, entropy=os.urandom(ENTROPY))[0]


def told(at: datetime, *, topic_id: int = 1, type_key: str = "NEWS") -> Live:
    return Live(broadcast(), broadcast(), topic_id, type_key, at, None, 1)


@given(people)
def test_an_id_leads_back_to_its_reader_and_looks_like_any_other(recipient_id: int) -> None:
    one = broadcast()
    found = notification_id_of(one, recipient_id)
    assert (found.version, found.variant, instant_of(found)) == (7, "specified in RFC 4122", instant_of(one))
    assert reader_of(one, found) == recipient_id
    assert notification_id_of(one, recipient_id) == found


@given(people, people)
def test_readers_and_broadcasts_have_ids_of_their_own(one: int, other: int) -> None:
    first, second = broadcast(), broadcast()
    ids = {notification_id_of(told_as, reader) for told_as in (first, second) for reader in (one, other)}
    assert len(ids) == 2 * len({one, other})


@given(st.uuids())
def test_an_id_of_another_make_is_nobodys(stranger: UUID) -> None:
    assert reader_of(broadcast(), stranger) is None


def test_a_reader_sees_what_was_told_while_they_subscribed_and_have_not_touched() -> None:
    early, touched, seen = (told(NOW - timedelta(hours=hours)) for hours in (3, 2, 1))
    elsewhere, unwanted = told(NOW, topic_id=2), told(NOW, type_key="PROMO")
    board = {1: [seen, touched, early, unwanted], 2: [elsewhere]}
    reader = Reader(7, {1: NOW - timedelta(hours=2)}, {"NEWS": NOW - timedelta(days=90)}, {touched.id})
    assert shown_to(reader, board) == [seen]


def test_what_a_type_forgets_is_not_shown_again() -> None:
    old, new = told(NOW - timedelta(days=8)), told(NOW - timedelta(days=6))
    brief = msgspec.structs.replace(KIND, retention_days=7)
    reader = Reader(7, {1: NOW - timedelta(days=90)}, shown_from(alice(), [brief], NOW), ())
    assert shown_to(reader, {1: [new, old]}) == [new]


def alice(status: RecipientStatus = RecipientStatus.ACTIVE, **allowed: object) -> RecipientFacts:
    return RecipientFacts(
        id=7,
        user_id="u_alice",
        status=status,
        locale="",
        timezone="",
        country_code="",
        attributes={},
        preferences=Preferences(**allowed),  # type: ignore[arg-type]  # whatever the case says
        email=None,
        phone=None,
        devices=(),
        suppressed=frozenset(),
        wrapped_key=b"",
    )


def test_whoever_wants_none_of_a_type_is_shown_none_of_it() -> None:
    unwilling = [
        alice(RecipientStatus.DELETED),
        alice(RecipientStatus.ERASED),
        alice(global_opt_out=True),
        alice(channels={Channel.IN_APP: False}),
        alice(categories={Category.SOCIAL: {Channel.IN_APP: False}}),
        alice(types={"NEWS": {Channel.IN_APP: False}}),
    ]
    assert [shown_from(one, [KIND], NOW) for one in unwilling] == [{}] * len(unwilling)
    assert list(shown_from(alice(), [KIND], NOW)) == ["NEWS"]


def test_marketing_is_shown_to_who_has_agreed_to_it() -> None:
    promo = msgspec.structs.replace(KIND, category=Category.MARKETING.value)
    assert shown_from(alice(), [promo], NOW) == {}
    assert list(shown_from(alice(marketing_opt_in=True), [promo], NOW)) == ["NEWS"]


places = st.builds(
    Place,
    st.integers(0, 20).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    st.integers(0, 50).map(lambda n: UUID(int=n)),
)


@given(st.lists(st.integers(0, 8)), st.none() | places, st.integers(1, 5))
def test_what_is_near_a_place_holds_all_that_may_come_next(
    seconds: list[int], before: Place | None, limit: int
) -> None:
    entries = [
        Entry(7, one, notification_id_of(one.id, 7)) for one in (told(NOW + timedelta(seconds=s)) for s in seconds)
    ]
    close = near([one.live for one in entries], before, limit)
    everything = newest({}, {one.place: one for one in entries}, before=before, limit=limit)
    chosen = newest({}, {one.place: one for one in entries if one.live in close}, before=before, limit=limit)
    assert chosen == everything


@given(st.sets(places), st.sets(places), st.integers(1, 7))
def test_pages_of_both_kinds_skip_nothing_and_repeat_nothing(rows: set[Place], fresh: set[Place], limit: int) -> None:
    walked: list[tuple[str, Place]] = []
    before: Place | None = None
    while True:
        # Rows come from a store that has cut them already.
        stored = sorted((one for one in rows if before is None or one < before), reverse=True)[: limit + 1]
        chosen = newest(
            {one: ("row", one) for one in stored},
            {one: ("fresh", one) for one in fresh},
            before=before,
            limit=limit + 1,
        )
        walked += chosen[:limit]
        if len(chosen) <= limit:
            break
        before = chosen[limit - 1][1]
    assert [place for _, place in walked] == sorted(rows | fresh, reverse=True)
    assert [kind for kind, place in walked] == ["row" if place in rows else "fresh" for _, place in walked]
