"""Campaigns from their launch to the last receipt, with the verbs that the clock calls."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import conf, control, fan_out, freeze, launch, watch
from campaigns.errors import ApprovalRequired, InvalidTransition, OwnApproval
from campaigns.store import campaigns, runs, slices
from campaigns.store.campaigns import Variant
from campaigns.vocabulary import Act, CampaignStatus, RunStatus
from channels.vocabulary import Channel
from notify import sweep
from notify.store import halts
from tests.factories import Api, make_recipient, make_template, make_type
from tests.flow.campaigning import go, make_campaign, only_run, people, release_pages, start, status_of, told
from tests.flow.conftest import drain

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _newsletter(api: Api) -> None:
    make_template()
    make_type(template_id="order_shipped", category="social")
    halts.forget()


def test_everybody_of_a_segment_is_told_once_and_counted() -> None:
    people(7)
    make_recipient("x_other", email="other@example.com")
    campaign = make_campaign()
    run = start(campaign)
    go(run)
    done = only_run(campaign)
    assert told() == {f"u_{at}": 1 for at in range(7)}
    assert (done.total, done.counts.sent, done.counts.delivered, done.status) == (7, 7, 7, RunStatus.COMPLETED)
    assert status_of(campaign) is CampaignStatus.COMPLETED
    assert slices.left(run.id).people == 0


def test_words_are_made_of_the_shared_variables_and_the_person() -> None:
    people(1)
    go(start(make_campaign()))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM notify_delivery WHERE status = 'delivered' AND batch_id IS NOT NULL")
        assert cursor.fetchone() == (1,)
        cursor.execute("SELECT sealed FROM notify_notification")
        assert bytes(cursor.fetchone()[0]) == b""


def test_what_was_told_is_never_told_again_however_often_the_verbs_are_called() -> None:
    people(3)
    campaign = make_campaign()
    run = start(campaign)
    for _ in range(3):
        launch.launch(timezone.now())
        go(run)
    assert (set(told().values()), len(runs.of_campaign(campaign.id))) == ({1}, 1)


def some_throttled() -> None:
    """Six people; the provider takes no message for the first two as yet."""
    for at in range(6):
        address = f"sandbox-throttled@{at}.example.com" if at < 2 else f"person{at}@example.com"
        make_recipient(f"u_{at}", email=address)


def wait_is_over() -> int:
    """Let what waits for an instant be due, and run it to its end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notify_delivery SET next_attempt_at = now() WHERE next_attempt_at < now() + interval '1 d'"
        )
    taken = sweep.collect_due()
    drain()
    return taken


def test_a_pause_holds_what_waits_and_what_is_not_told_and_resuming_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "SLICE_SIZE", 2)
    some_throttled()
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    assert list(fan_out.fan_out(run.id)) == [2]  # and it rests, since nobody took them
    control.act_on(campaign.id, Act.PAUSE, actor="staff:ann", now=timezone.now())
    assert wait_is_over() == 2
    watch.watch(timezone.now())
    paused = only_run(campaign)
    assert (paused.status, paused.counts.waiting, paused.counts.sent) == (RunStatus.PAUSED, 2, 0)
    assert (slices.left(run.id).people, list(fan_out.fan_out(run.id)), sweep.collect_due()) == (4, [], 0)
    control.act_on(campaign.id, Act.RESUME, actor="staff:ann", now=timezone.now())
    assert sweep.collect_due() == 2
    go(run)
    counts = only_run(campaign).counts
    assert (set(told().values()), counts.delivered, counts.open) == ({1}, 4, 2)


def test_a_cancel_ends_what_waits_and_tells_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "SLICE_SIZE", 2)
    some_throttled()
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    assert list(fan_out.fan_out(run.id)) == [2]
    control.act_on(campaign.id, Act.CANCEL, actor="staff:ann", now=timezone.now())
    wait_is_over()
    watch.watch(timezone.now())
    ended = only_run(campaign)
    assert (ended.status, ended.counts.cancelled, ended.counts.sent) == (RunStatus.CANCELLED, 2, 0)
    assert (slices.left(run.id).people, list(fan_out.fan_out(run.id))) == (0, [])
    with pytest.raises(InvalidTransition):
        control.act_on(campaign.id, Act.RESUME, actor="staff:ann", now=timezone.now())


def test_a_slice_is_written_once_as_it_has_turned_out() -> None:
    make_recipient("u_0", email="person@example.com")
    make_recipient("u_1", email="sandbox-bad-message@example.com")
    make_recipient("u_2", email="sandbox-throttled@example.com")
    make_recipient("u_3")
    run = start(make_campaign())
    freeze.freeze(run.id)
    assert list(fan_out.fan_out(run.id)) == [4]
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT r.user_id, n.status, d.status, d.reason_code, d.attempts, d.sent_at IS NOT NULL,
                      d.next_attempt_at IS NOT NULL, (SELECT count(*) FROM notify_attempt a WHERE a.delivery_id = d.id)
               FROM notify_delivery d JOIN notify_notification n ON n.id = d.notification_id
               JOIN preferences_recipient r ON r.id = d.recipient_id ORDER BY 1"""
        )
        assert cursor.fetchall() == [
            ("u_0", "delivered", "delivered", None, 1, True, False, 1),
            ("u_1", "failed", "failed", "provider_rejected", 1, False, False, 1),
            ("u_2", "accepted", "retrying", None, 0, False, True, 1),
            ("u_3", "suppressed", "suppressed", "no_address", 0, False, False, 0),
        ]
        cursor.execute("SELECT count(*) FROM notify_page")
        assert cursor.fetchone() == (0,)


def test_a_killed_worker_leaves_its_slice_whole_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    people(3)
    run = start(make_campaign())
    freeze.freeze(run.id)
    first = slices.claim(run.id, timezone.now())
    assert first is not None
    assert slices.claim(run.id, timezone.now()) is None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_slice SET claimed_until = now() - interval '1 second'")
    go(run)
    assert not slices.finish(first, 3)
    assert told() == {"u_0": 1, "u_1": 1, "u_2": 1}


def test_a_slice_that_kills_its_workers_is_taken_apart_and_only_the_culprit_is_missing() -> None:
    people(3)
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_slice SET strikes = 3")
    assert next(fan_out.fan_out(run.id)) == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_slice SET strikes = 3 WHERE id = (SELECT min(id) FROM campaigns_slice)")
    go(run)
    assert (sum(told().values()), only_run(campaign).status) == (2, RunStatus.COMPLETED)


def test_a_pace_tells_half_a_second_of_it_at_a_time() -> None:
    people(5)
    run = start(make_campaign(max_per_second=4))
    freeze.freeze(run.id)
    list(fan_out.fan_out(run.id))
    assert (sum(told().values()), slices.left(run.id).people) == (2, 3)


def test_credit_ends_fanning_out_while_too_much_is_on_its_way(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "SLICE_SIZE", 1)
    monkeypatch.setattr(conf, "PAGES_AHEAD", 2)
    people(5)
    for at in range(2):
        one = {"type": "ORDER_SHIPPED", "user_id": f"u_{at}", "priority": "low", "variables": {"order_id": "1"}}
        assert api.post("/v1/notifications", one, Idempotency_Key=f"key-{at}").status_code == 202
    run = start(make_campaign())
    freeze.freeze(run.id)
    assert list(fan_out.fan_out(run.id)) == []
    drain()
    assert list(fan_out.fan_out(run.id)) == [1] * 5


def test_variants_and_the_holdout_are_the_same_in_every_run() -> None:
    people(60)
    variants = [Variant(name="A", template_id="order_shipped", weight=1), Variant(name="B", template_id="", weight=3)]
    campaign = make_campaign(variants=variants, holdout_percent=20.0)
    run = start(campaign)
    go(run)
    done = only_run(campaign)
    assert done.total + done.held_out == 60
    assert 2 <= done.held_out <= 24
    assert set(done.counts.variants) == {"A", "B"}
    assert sum(words["delivered"] for words in done.counts.variants.values()) == done.total
    assert done.counts.variants["B"]["delivered"] > done.counts.variants["A"]["delivered"]


def test_two_clocks_launch_an_occurrence_once_and_what_comes_again_waits_for_its_next_time() -> None:
    people(2)
    now = timezone.now()
    due = now - timedelta(minutes=5)
    campaign = make_campaign(recurrence="0 9 * * *", status=CampaignStatus.SCHEDULED, next_at=due)
    assert launch.launch(now) == 1
    with connection.cursor() as cursor:  # a beat that was killed before it could note that it had launched
        cursor.execute("UPDATE campaigns_campaign SET next_at = %s, status = 'scheduled'", (due,))
    launch.launch(now)
    go(only_run(campaign))
    found = campaigns.get(campaign.id)
    assert found is not None
    assert (found.status, found.next_at and found.next_at > now) == (CampaignStatus.SCHEDULED, True)
    assert set(told().values()) == {1}


def test_an_occurrence_nobody_could_launch_for_hours_is_skipped_and_noted() -> None:
    campaign = make_campaign(
        recurrence="0 9 * * *", status=CampaignStatus.SCHEDULED, next_at=timezone.now() - timedelta(hours=7)
    )
    launch.launch(timezone.now())
    assert runs.of_campaign(campaign.id) == []
    assert "was missed" in campaigns.doings(campaign.id)[-1].note


def test_everybody_is_told_at_their_own_hour() -> None:
    make_recipient("u_tokyo", email="t@example.com", zone="Asia/Tokyo")
    make_recipient("u_la", email="l@example.com", zone="America/Los_Angeles")
    make_recipient("u_none", email="n@example.com")
    day = datetime(2030, 3, 15, 12, tzinfo=UTC)
    campaign = make_campaign(local_time="09:00", schedule_at=day)
    run = start(campaign)
    freeze.freeze(run.id)
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT r.user_id, s.due_at FROM campaigns_slice s, unnest(s.recipient_ids) AS one
               JOIN preferences_recipient r ON r.id = one"""
        )
        found = dict(cursor.fetchall())
    assert found == {
        "u_tokyo": datetime(2030, 3, 15, 0, tzinfo=UTC),
        "u_la": datetime(2030, 3, 15, 16, tzinfo=UTC),
        "u_none": datetime(2030, 3, 15, 9, tzinfo=UTC),
    }
    assert list(fan_out.fan_out(run.id)) == []


def test_a_run_that_fails_too_often_stops_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
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
    found = campaigns.get(campaign.id)
    assert found is not None
    assert (found.status, found.pause_reason, slices.left(run.id).people) == (CampaignStatus.PAUSED, "errors", 4)


def test_a_large_campaign_takes_two_people() -> None:
    campaign = make_campaign(estimated=conf.APPROVAL_ABOVE + 1)
    with pytest.raises(ApprovalRequired):
        control.act_on(campaign.id, Act.START, actor="staff:ann", now=timezone.now())
    control.act_on(campaign.id, Act.SUBMIT, actor="staff:ann", now=timezone.now())
    with pytest.raises(OwnApproval):
        control.act_on(campaign.id, Act.APPROVE, actor="staff:ann", now=timezone.now())
    control.act_on(campaign.id, Act.APPROVE, actor="staff:bob", now=timezone.now())
    assert control.act_on(campaign.id, Act.START, actor="staff:ann", now=timezone.now()).status == "running"
    assert [(one.act, one.actor) for one in campaigns.doings(campaign.id)] == [
        (Act.SUBMIT, "staff:ann"),
        (Act.APPROVE, "staff:bob"),
        (Act.START, "staff:ann"),
    ]


def test_who_says_no_or_is_erased_in_the_middle_is_not_told(api: Api) -> None:
    people(3)
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    assert api.put("/v1/users/u_0/preferences", {"global_opt_out": True}).status_code == 200
    assert api.post("/v1/users/u_1/erase").status_code == 202
    go(run)
    counts = only_run(campaign).counts
    assert (counts.delivered, counts.suppressed) == (1, 2)
    assert counts.reasons == {"user_opted_out": 1, "user_erased": 1}


def test_a_segment_that_cannot_be_read_any_more_fails_the_campaign_and_says_why() -> None:
    people(1)
    campaign = make_campaign(audience={"segment": "this is no segment"})
    run = start(campaign)
    freeze.freeze(run.id)
    found = campaigns.get(campaign.id)
    assert found is not None
    assert (found.status, bool(found.error), told()) == (CampaignStatus.FAILED, True, Counter())


def test_a_large_topic_is_told_in_the_inbox_by_one_row_and_everywhere_else_one_by_one(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "FANOUT_THRESHOLD", 2)
    people(3)
    api.put("/v1/topics/user:star")
    added = api.post("/v1/topics/user:star/subscribers", {"add": ["u_0", "u_1", "u_2"]})
    assert added.status_code == 200
    make_template("star", channels={"in_app": {"en": {"title": "Hi", "body": "Hello"}}})
    make_type("STAR", template_id="star", category="social", channels=["in_app"])
    campaign = make_campaign(type_key="STAR", channels=[Channel.IN_APP], audience={"topic": "user:star"})
    go(start(campaign))
    run = only_run(campaign)
    assert (run.total, run.shown_to, run.status, told()) == (0, 3, RunStatus.COMPLETED, Counter())
    shown = api.get("/v1/users/u_1/notifications").json()
    assert ([one["title"] for one in shown["data"]], shown["unread_count"]) == (["Hi"], 1)


def test_a_small_topic_is_written_into_every_inbox(api: Api) -> None:
    people(3)
    api.put("/v1/topics/user:star")
    api.post("/v1/topics/user:star/subscribers", {"add": ["u_0", "u_1"]})
    campaign = make_campaign(audience={"topic": "user:star"})
    go(start(campaign))
    assert (told(), only_run(campaign).shown_to) == ({"u_0": 1, "u_1": 1}, None)
