from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Notify

from channels import inbox, store
from channels.models import InboxMessage
from channels.policy import INBOX_NEWS
from channels.rules.snapshots import Snapshot
from channels.vocabulary import InAppMessage, InboxMark

pytestmark = pytest.mark.django_db

ALICE, BOB = 7, 8


def message(number: int, recipient_id: int = ALICE, **fields: Any) -> InAppMessage:
    return InAppMessage(
        id=UUID(int=number),
        recipient_id=recipient_id,
        notification_id=UUID(int=number),
        type="T",
        sealed=b"\0x",
        **fields,
    )


def enter(*messages: InAppMessage) -> None:
    store.insert_inbox(messages)


def numbers(rows: list[inbox.EntryRow]) -> list[int]:
    return [row.id.int for row in rows]


def mark(number: int, what: InboxMark, recipient_id: int | None = ALICE) -> inbox.EntryRow | None:
    return inbox.mark((UUID(int=number), UUID(int=number)), UUID(int=number), what, recipient_id)


def everything(recipient_id: int = ALICE, limit: int = 100, **query: Any) -> list[int]:
    defaults: dict[str, Any] = {"before": None, "unread_only": False}
    return numbers(inbox.entry_page(recipient_id, limit=limit, **defaults | query))


@pytest.mark.parametrize("unread_only", [False, True])
def test_a_page_and_a_count_are_read_by_an_index_and_never_sorted(*, unread_only: bool) -> None:
    enter(*(message(number, number % 50) for number in range(5000)))
    condition = "AND read_at IS NULL" if unread_only else ""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE inbox_message")
        cursor.execute(
            f"""EXPLAIN SELECT id FROM inbox_message WHERE recipient_id = 7 AND archived_at IS NULL {condition}
                ORDER BY created_at DESC, id DESC LIMIT 20"""
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "inbox_" in plan
    assert "Sort" not in plan


def test_a_page_shows_one_inbox_and_goes_on_behind_a_position() -> None:
    enter(*(message(number, ALICE if number % 2 else BOB) for number in range(1, 11)))
    first = inbox.entry_page(ALICE, before=None, limit=3, unread_only=False)
    assert numbers(first) == [9, 7, 5]
    assert everything(before=(first[-1].created_at, first[-1].id)) == [3, 1]


def test_unread_counts_of_many_are_one_answer() -> None:
    enter(message(1), message(2), message(3, BOB))
    mark(2, InboxMark.READ)
    assert inbox.unread_counts([ALICE, BOB, 9]) == {ALICE: 1, BOB: 1, 9: 0}


def test_a_mark_belongs_to_its_owner() -> None:
    enter(message(1))
    assert mark(1, InboxMark.READ, BOB) is None
    marked = mark(1, InboxMark.READ, None)
    assert marked is not None
    assert (marked.recipient_id, marked.read_at is not None) == (ALICE, True)


def test_an_older_one_that_comes_late_or_again_does_not_push_out_the_newer() -> None:
    enter(message(2, collapse_key="k"))
    enter(message(1, collapse_key="k"))
    enter(message(2, collapse_key="k"))
    assert everything() == [2]
    enter(message(4, collapse_key="k"), message(3, collapse_key="k"), message(5))
    assert sorted(everything()) == [4, 5]


def test_a_key_counts_for_one_inbox_alone() -> None:
    enter(message(1, collapse_key="k"), message(2, BOB, collapse_key="k"))
    assert (everything(), everything(BOB)) == ([1], [2])


def fresh(known: Snapshot, news: inbox.News) -> list[int]:
    return numbers([row for row in news.entries if not known.has_seen(row.changed)])


@pytest.mark.django_db(transaction=True)
def test_news_are_what_changed_since_and_are_told_once() -> None:
    start = inbox.news_of({ALICE: 0}).seen
    enter(message(1), message(2), message(3, BOB))
    found = inbox.news_of({ALICE: start.low})
    assert fresh(start, found) == [1, 2]
    assert fresh(found.seen, inbox.news_of({ALICE: found.seen.low})) == []
    mark(1, InboxMark.READ)
    again = inbox.news_of({ALICE: found.seen.low})
    assert fresh(found.seen, again) == [1]
    assert inbox.news_of({}).entries == []


@pytest.mark.django_db(transaction=True)
def test_what_a_slow_transaction_wrote_is_not_passed_over() -> None:
    """It got its id before others, and commits after them."""
    slow = connections["default"].copy()
    with slow.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_current_xact_id()")
        enter(message(2))
        found = inbox.news_of({ALICE: 0})
        cursor.execute(
            """INSERT INTO inbox_message (id, recipient_id, notification_id, type, sealed, created_at)
               VALUES (%s, %s, %s, 'T', ''::bytea, now())""",
            [UUID(int=1), ALICE, UUID(int=1)],
        )
        cursor.execute("COMMIT")
    slow.close()
    assert numbers(found.entries) == [2]
    assert fresh(found.seen, inbox.news_of({ALICE: found.seen.low})) == [1]


def test_no_more_than_the_newest_are_told_to_who_was_long_away() -> None:
    enter(*(message(number) for number in range(1, INBOX_NEWS + 11)))
    assert len(inbox.news_of({ALICE: 0}).entries) == INBOX_NEWS


@pytest.mark.django_db(transaction=True)
def test_every_change_is_told_to_whoever_listens_once_it_is_committed() -> None:
    listener = connections["default"].copy()
    with listener.cursor() as cursor:
        cursor.execute("LISTEN carillon_inbox")
        enter(*(message(number, recipient_id=10**18 + number) for number in range(1, 701)))
        enter(message(800, collapse_key="k"))
        mark(800, InboxMark.UNREAD)
        mark(800, InboxMark.ARCHIVE)
        enter(message(801))
        inbox.read_all(ALICE, None)
        inbox.read_all(ALICE, None)
        told: list[Notify] = list(cursor.connection.notifies(timeout=0.5))
    listener.close()
    words = [one.payload for one in told]
    assert sorted(len(word.split(",")) for word in words[:3]) == [100, 300, 300]
    number = UUID(int=800)
    assert words[3:] == ["7", f"u7:{number}", f"a7:{number}", "7", "r7:*"]


@pytest.mark.django_db(transaction=True)
def test_two_devices_reading_everything_while_more_comes_in_lock_nobody_out() -> None:
    enter(*(message(number) for number in range(1, 201)))

    def work(start: int) -> int:
        try:
            marked = 0
            for number in range(start, start + 40):
                enter(message(number))
                marked += inbox.read_all(ALICE, None)
            return marked
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        marked = sum(threads.map(work, (1000, 2000)))
    assert inbox.unread_counts([ALICE]) == {ALICE: 0}
    assert marked == InboxMessage.objects.count() == 280


def test_reading_up_to_an_entry_leaves_what_is_newer() -> None:
    for number in (1, 2, 3):
        enter(message(number))
    InboxMessage.objects.filter(pk=UUID(int=3)).update(created_at=datetime.now(UTC) + timedelta(seconds=1))
    position = inbox.position_of((UUID(int=2), UUID(int=2)), UUID(int=2), ALICE)
    assert inbox.position_of((UUID(int=2), UUID(int=2)), UUID(int=2), BOB) is None
    assert inbox.read_all(ALICE, position) == 2
    assert everything(unread_only=True) == [3]


def test_old_entries_are_pruned_and_an_inbox_is_emptied() -> None:
    enter(message(1), message(2), message(3, BOB))
    InboxMessage.objects.filter(pk=UUID(int=1)).update(created_at=datetime.now(UTC) - timedelta(days=100))
    assert inbox.prune_inbox(datetime.now(UTC) - timedelta(days=90), 10) == 1
    assert inbox.empty_inbox(ALICE) == 1
    assert (everything(), everything(BOB)) == ([], [3])


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "page", "read", "archive"]), st.integers(1, 5)), min_size=1, max_size=40
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.integers(0, 12), steps=STEPS)
def test_a_walk_shows_each_entry_once_whatever_comes_in_meanwhile(before: int, steps: list[Step]) -> None:
    """What stood there at the start and was not archived is seen exactly once, newest first."""
    InboxMessage.objects.all().delete()
    clock = iter(range(10_000))
    made: list[int] = []

    def come_in() -> None:
        number = next(clock) + 1
        enter(message(number))
        # Entries of one transaction share an instant: give half of them one of their own.
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number // 2)
        InboxMessage.objects.filter(pk=UUID(int=number)).update(created_at=at)
        made.append(number)

    for _ in range(before):
        come_in()
    standing, archived = set(made), set()
    seen: list[int] = []
    position = None
    for kind, size in [*steps, *[("page", 5)] * 20]:
        if kind == "enter":
            come_in()
        elif kind == "page":
            rows = inbox.entry_page(ALICE, before=position, limit=size, unread_only=False)
            seen += numbers(rows)
            position = (rows[-1].created_at, rows[-1].id) if rows else position
        elif made:
            number = made[size % len(made)]
            mark(number, InboxMark(kind))
            archived |= {number} if kind == "archive" else set()
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen, reverse=True)
    if seen:
        newest = max(seen)
        assert {one for one in standing - archived if one <= newest} <= set(seen)
