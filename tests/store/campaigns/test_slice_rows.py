"""Slices: whatever becomes of those who take them, each person is struck off once, with the telling."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.store import campaigns, runs, slices
from campaigns.store.campaigns import CampaignRow
from campaigns.store.runs import RunBatch, RunRow
from campaigns.store.slices import ClaimedSlice, NewSlice
from campaigns.vocabulary import RunStatus
from notify.rules.ids import ENTROPY, new_ids

pytestmark = pytest.mark.django_db

#: What a worker may do with the slice it holds: strike so many off, give it back, die, wake too late, or take it apart.
_FATES = st.one_of(st.integers(1, 7), st.sampled_from(["back", "dies", "late", "apart"]))


def make_run(people: int = 0, size: int = 5) -> UUID:
    """A run with slices of these people, 1 and so on."""
    now = timezone.now()
    names = new_ids(3, now=now, entropy=os.urandom(3 * ENTROPY))
    campaigns.insert(
        CampaignRow(id=names[0], name="News", type_key="NEWS", audience={}, created_at=now, updated_at=now)
    )
    run = RunRow(
        id=names[1],
        campaign_id=names[0],
        occurrence=now,
        status=RunStatus.RUNNING,
        batches=[RunBatch(variant="", batch_id=names[2])],
        started_at=now,
    )
    assert runs.insert(run)
    everybody = list(range(1, people + 1))
    slices.insert(run.id, [NewSlice(now, at, everybody[at : at + size]) for at in range(0, people, size)])
    return run.id


def claim(run_id: UUID) -> ClaimedSlice | None:
    return slices.claim(run_id, timezone.now() + timedelta(seconds=1))


def end_leases(run_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_slice SET claimed_until = now() - interval '1 second'"
            " WHERE run_id = %s AND claimed_until IS NOT NULL",
            (run_id,),
        )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=st.integers(0, 17), fates=st.lists(_FATES, max_size=25))
def test_whatever_becomes_of_workers_everybody_is_struck_off_once(people: int, fates: list[int | str]) -> None:
    run_id = make_run(people)
    told: Counter[int] = Counter()
    for fate in [*fates, *[5] * 60]:
        held = claim(run_id)
        if held is None:
            break
        _meet(held, fate, told)
    assert told == dict.fromkeys(range(1, people + 1), 1)
    assert slices.left(run_id) == slices.Remaining(0)


def _meet(held: ClaimedSlice, fate: int | str, told: Counter[int]) -> None:
    """What a worker does with the slice it holds."""
    if isinstance(fate, int):
        assert slices.finish(held, fate)
        told.update(held.recipient_ids[:fate])
    elif fate == "back":
        slices.release(held)
    elif fate == "apart":
        slices.take_apart(held)
    else:
        end_leases(held.run_id)
    if fate == "late":
        later = claim(held.run_id)
        assert later is not None
        assert not slices.finish(held, 1)
        slices.release(held)
        slices.take_apart(held)
        assert slices.finish(later, 3)
        told.update(later.recipient_ids[:3])


def test_the_numbers_of_a_slice_are_those_of_its_people() -> None:
    run_id = make_run(12)
    held = claim(run_id)
    assert held is not None
    assert slices.left(run_id).people == 12
    assert slices.finish(held, 2)
    assert slices.left(run_id).people == 10
    rest = claim(run_id)
    assert rest is not None
    slices.take_apart(rest)
    assert slices.left(run_id).people == 10
    with connection.cursor() as cursor:
        cursor.execute("SELECT bool_and(size = cardinality(recipient_ids)), count(*) FROM campaigns_slice")
        assert cursor.fetchone() == (True, 3 + 2)
    assert slices.drop(run_id) == 10


def test_only_claims_from_which_nobody_came_back_are_strikes() -> None:
    run_id = make_run(5)
    for release in (True, True, False, True):
        held = claim(run_id)
        assert held is not None
        if release:
            slices.release(held)
        else:
            end_leases(run_id)
    last = claim(run_id)
    assert last is not None
    assert (last.claims, last.strikes) == (5, 2)
    assert slices.finish(last, 1)
    fresh = claim(run_id)
    assert fresh is not None
    assert fresh.strikes == 1


def test_a_slice_is_claimed_when_it_is_due_and_the_earliest_first() -> None:
    run_id, now = make_run(), timezone.now()
    slices.insert(run_id, [NewSlice(now + timedelta(hours=2), 2, [2]), NewSlice(now + timedelta(hours=1), 1, [1])])
    assert slices.claim(run_id, now) is None
    first = slices.claim(run_id, now + timedelta(hours=3))
    assert first is not None
    in_one, in_two = now + timedelta(hours=1), now + timedelta(hours=2)
    assert (first.recipient_ids, slices.left(run_id)) == ([1], slices.Remaining(2, in_one, in_two))


def test_what_is_struck_off_in_a_transaction_that_fails_is_still_there() -> None:
    run_id = make_run(3)
    held = claim(run_id)
    assert held is not None
    with transaction.atomic():
        assert slices.finish(held, 3)
        transaction.set_rollback(True)
    assert slices.left(run_id).people == 3


def count_statements(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as caught:
        act()
    return len(caught)


def test_each_question_is_one_statement_however_many_people() -> None:
    run_id = make_run(500, size=500)
    assert count_statements(lambda: claim(run_id)) == 1
    assert count_statements(lambda: slices.left(run_id)) == 1
    end_leases(run_id)
    held = claim(run_id)
    assert held is not None
    assert count_statements(lambda: slices.finish(held, 100)) == 1


def test_a_pace_lets_one_of_two_through_and_saves_up_little() -> None:
    run_id = make_run(5)
    assert [runs.take(run_id, 50, 1.0) for _ in range(2)] == [True, False]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_run SET next_take_at = now() - interval '1 hour'")
    taken = 0
    while runs.take(run_id, 1, 1.0) and taken < 100:
        taken += 1
    assert taken == 3
