"""What goes wrong around campaigns, and what must not come of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from campaigns import control, fan_out, freeze, launch, watch
from campaigns.store import audiences, campaigns, runs, slices
from campaigns.store.runs import RunRow
from campaigns.vocabulary import Act, CampaignStatus, RunStatus
from notify import dispatch, sweep
from notify.rules.decision import UNTIL_RESUMED
from notify.store import halts
from notify.vocabulary import Halt
from preferences.errors import SegmentTooSlow
from tests.factories import Api, make_recipient, make_template, make_type
from tests.flow.campaigning import go, make_campaign, only_run, people, release_pages, start, status_of, told
from tests.flow.conftest import drain

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _newsletter(api: Api) -> None:
    make_template()
    make_type(template_id="order_shipped", category="social")
    halts.forget()


def raising(fault: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise fault

    return fail


def test_a_server_that_goes_away_while_the_audience_is_read_fails_no_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    people(2)
    campaign = make_campaign()
    run = start(campaign)
    with monkeypatch.context() as patch:
        patch.setattr(audiences, "window", raising(OperationalError("the connection is lost")))
        with pytest.raises(OperationalError):
            freeze.freeze(run.id)
    assert status_of(campaign) is CampaignStatus.RUNNING
    go(run)
    assert (told(), status_of(campaign)) == ({"u_0": 1, "u_1": 1}, CampaignStatus.COMPLETED)


def test_a_window_that_takes_too_long_is_told_from_a_lost_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiences, "_STATEMENT_TIMEOUT", 50)
    asked = "SELECT 1 AS id, '' AS zone FROM pg_sleep(5) WHERE %(after)s < %(upto)s"
    with pytest.raises(SegmentTooSlow), transaction.atomic():
        audiences.window(asked, {}, after=0, upto=1)


def test_what_was_cancelled_while_its_audience_could_not_be_read_stays_cancelled() -> None:
    people(1)
    campaign = make_campaign(audience={"segment": "this is no segment"})
    run = start(campaign)
    control.act_on(campaign.id, Act.CANCEL, actor="staff:ann", now=timezone.now())
    freeze._fail(run.id, SegmentTooSlow())
    assert (status_of(campaign), only_run(campaign).status) == (CampaignStatus.CANCELLED, RunStatus.CANCELLED)


def test_nobody_told_after_the_count_is_left_out_of_the_verdict_that_all_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slice is told between the count and the look at what is left: the run goes on."""
    people(2)
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    count = watch._count

    def counted_before_they_are_told(run: RunRow, now: Any) -> RunRow:
        found = count(run, now)
        list(fan_out.fan_out(run.id))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(watch, "_count", counted_before_they_are_told)
        watch.watch(timezone.now())
    assert (slices.left(run.id).people, only_run(campaign).status) == (0, RunStatus.RUNNING)
    release_pages()
    drain()
    watch.watch(timezone.now() + timedelta(hours=1))
    assert (only_run(campaign).status, only_run(campaign).counts.delivered) == (RunStatus.COMPLETED, 2)


def test_a_cancelled_batch_stays_halted_while_anything_of_it_is_in_hand() -> None:
    people(2)
    campaign = make_campaign()
    run = start(campaign)
    watch.watch(timezone.now())  # nothing is counted yet
    freeze.freeze(run.id)
    list(fan_out.fan_out(run.id))
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_delivery SET status = 'sending', lease_token = 1, lease_until = now() + interval '1 hour'
               WHERE id = (SELECT min(id::text)::uuid FROM notify_delivery)"""
        )
        cursor.execute("UPDATE notify_delivery SET status = 'planned' WHERE status = 'delivered'")
    control.act_on(campaign.id, Act.CANCEL, actor="staff:ann", now=timezone.now())
    watch.watch(timezone.now() + timedelta(minutes=1))
    assert (only_run(campaign).counts.cancelled, only_run(campaign).counts.open) == (1, 1)
    assert list(halts.halts().values()) == [Halt.CANCELLED]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notify_delivery SET status = 'retrying', lease_token = NULL, lease_until = NULL,"
            " next_attempt_at = now() WHERE status = 'sending'"
        )
    watch.watch(timezone.now() + timedelta(minutes=2))
    assert (only_run(campaign).counts.cancelled, only_run(campaign).counts.open) == (2, 0)
    assert halts.halts() == {}


def test_one_campaign_that_cannot_be_launched_keeps_no_other_from_it() -> None:
    people(1)
    broken, sound = make_campaign(sealed=b"nobody can open this"), make_campaign()
    for one in (broken, sound):
        control.act_on(one.id, Act.START, actor="staff:ann", now=timezone.now())
    launch.launch(timezone.now())
    assert runs.of_campaign(broken.id) == []
    go(only_run(sound))
    assert (told(), status_of(sound)) == ({"u_0": 1}, CampaignStatus.COMPLETED)


def test_one_run_that_cannot_be_counted_keeps_no_other_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    people(1)
    broken, sound = make_campaign(), make_campaign()
    first, second = start(broken), start(sound)
    count = watch._count

    def counted(run: RunRow, now: Any) -> RunRow:
        if run.id == first.id:
            raise OperationalError
        return count(run, now)

    monkeypatch.setattr(watch, "_count", counted)
    go(second)
    assert (status_of(broken), status_of(sound)) == (CampaignStatus.RUNNING, CampaignStatus.COMPLETED)


def test_who_is_left_when_the_window_is_over_is_told_after_a_resume() -> None:
    people(2)
    campaign = make_campaign(window_hours=1.0)
    run = start(campaign)
    freeze.freeze(run.id)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_run SET started_at = started_at - interval '2 hours'")
    watch.watch(timezone.now())
    found = campaigns.get(campaign.id)
    assert found is not None
    assert (found.status, found.pause_reason) == (CampaignStatus.PAUSED, "window_over")
    control.act_on(campaign.id, Act.RESUME, actor="staff:ann", now=timezone.now())
    watch.watch(timezone.now() + timedelta(minutes=1))
    assert status_of(campaign) is CampaignStatus.RUNNING
    go(run)
    assert (told(), status_of(campaign)) == ({"u_0": 1, "u_1": 1}, CampaignStatus.COMPLETED)


def test_a_resumed_run_is_judged_by_what_fails_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "JUDGED_FROM", 4)
    monkeypatch.setattr(freeze, "SLICE_SIZE", 4)
    for at in range(8):
        make_recipient(f"u_{at}", email=f"sandbox-bad-message@{at}.example.com" if at < 4 else f"p{at}@example.com")
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    next(fan_out.fan_out(run.id))
    release_pages()
    drain()
    watch.watch(timezone.now())
    assert status_of(campaign) is CampaignStatus.PAUSED
    control.act_on(campaign.id, Act.RESUME, actor="staff:ann", now=timezone.now())
    go(run)
    assert (status_of(campaign), only_run(campaign).counts.delivered) == (CampaignStatus.COMPLETED, 4)


def test_a_resumed_run_does_not_end_before_what_was_held_has_gone_out() -> None:
    people(2)
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    list(fan_out.fan_out(run.id))
    control.act_on(campaign.id, Act.PAUSE, actor="staff:ann", now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_delivery SET status = 'deferred', next_attempt_at = %s, attempts = 0, sent_at = NULL,
                      delivered_at = NULL""",
            (UNTIL_RESUMED,),
        )
    control.act_on(campaign.id, Act.RESUME, actor="staff:ann", now=timezone.now())
    watch.watch(timezone.now() + timedelta(minutes=1))
    assert (only_run(campaign).counts.waiting, only_run(campaign).status) == (2, RunStatus.RUNNING)
    assert sweep.collect_due() == 2
    go(run)
    assert (only_run(campaign).counts.delivered, only_run(campaign).status) == (2, RunStatus.COMPLETED)


@pytest.mark.parametrize("dies", [False, True])
def test_a_cancelled_batch_stays_halted_until_the_slice_in_hand_is_put_down(dies: bool) -> None:  # noqa: FBT001 - a case
    people(2)
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    held = slices.claim(run.id, timezone.now())
    assert held is not None
    control.act_on(campaign.id, Act.CANCEL, actor="staff:ann", now=timezone.now())
    watch.watch(timezone.now() + timedelta(seconds=3))
    assert (slices.left(run.id).people, list(halts.halts().values())) == (2, [Halt.CANCELLED])
    if dies:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE campaigns_slice SET claimed_until = now() - interval '1 second'")
    else:
        assert slices.finish(held, 2)
    watch.watch(timezone.now() + timedelta(seconds=6))
    assert (slices.left(run.id).people, halts.halts()) == (0, {})


@pytest.mark.parametrize(("act", "word"), [(Act.PAUSE, "waiting"), (Act.CANCEL, "cancelled")])
def test_a_slow_slice_stops_in_its_middle(monkeypatch: pytest.MonkeyPatch, act: Act, word: str) -> None:
    monkeypatch.setattr(dispatch, "SENT_AT_LEAST", 2)
    monkeypatch.setattr(dispatch._Speed, "known", {})
    people(6)
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    real = dispatch.send_page

    def stopped_meanwhile(*values: Any, **named: Any) -> Any:
        if status_of(campaign) is CampaignStatus.RUNNING:
            control.act_on(campaign.id, act, actor="staff:ann", now=timezone.now())
        return real(*values, **named)

    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "send_page", stopped_meanwhile)
        list(fan_out.fan_out(run.id))
    watch.watch(timezone.now() + timedelta(seconds=3))
    counts = only_run(campaign).counts
    assert (counts.delivered, getattr(counts, word)) == (2, 4)
    if act is Act.PAUSE:
        control.act_on(campaign.id, Act.RESUME, actor="staff:ann", now=timezone.now())
        assert sweep.collect_due() == 4
        go(run)
        assert (only_run(campaign).counts.delivered, status_of(campaign)) == (6, CampaignStatus.COMPLETED)
