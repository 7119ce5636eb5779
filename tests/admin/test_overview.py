"""The first page: true numbers, cheap ones, and only what the person may follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels import store
from channels.store import Switch
from channels.vocabulary import Channel
from notify.models import Template
from notify.store import modes
from notify.store.overview import recent_deliveries
from notify.vocabulary import SystemMode
from tests.admin.conftest import Staff, World
from tests.factories import make_delivery, make_key, make_notification

INDEX = "/admin/"


def told(world: World, at: datetime, *statuses: str) -> None:
    notification = make_notification(world.recipient, key=make_key(f"app-{at}"), created_at=at)
    for status in statuses:
        sent = {"sent_at": at, "provider": "sandbox"} if status == "sent" else {}
        make_delivery(notification, world.recipient, Channel.PUSH, status=status, **sent)


def test_deliveries_of_the_last_day_are_counted_by_channel_and_status(staff: Staff, world: World) -> None:
    now = datetime.now(UTC)
    told(world, now, "planned", "planned", "sent")
    told(world, now - timedelta(hours=25), "planned")
    lines = {line.channel: line for line in staff("auditor").get(INDEX).context["figures"]["lines"]}
    assert [(share.status, share.count) for share in lines["push"].shares] == [("sent", 1), ("planned", 2)]
    assert [(share.status, share.count) for share in lines["email"].shares] == [("dead", 1)]
    assert lines["sms"].total == 0


def test_too_many_are_cut_at_the_newest_and_it_is_said(world: World) -> None:
    now = datetime.now(UTC)
    told(world, now - timedelta(hours=2), "planned", "planned")
    told(world, now + timedelta(seconds=1), "planned", "planned", "planned")
    recent = recent_deliveries(now - timedelta(hours=24), most=3)
    assert sum(tally.count for tally in recent.tallies) == 3
    assert recent.is_cut
    assert recent.since > now


def test_a_bar_ends_at_a_hundred(staff: Staff, world: World) -> None:
    told(world, datetime.now(UTC), "planned", "planned", "sent")
    (line,) = [one for one in staff("auditor").get(INDEX).context["figures"]["lines"] if one.channel == "push"]
    assert [share.start for share in line.shares] == [0, 33.33]
    assert round(sum(share.width for share in line.shares), 1) == 100


def test_what_waits_and_what_is_switched_off_is_shown(staff: Staff, world: World) -> None:
    store.set_switch("sandbox-push", Switch(enabled=False, weight=None), by="somebody")
    page = staff("operator").get(INDEX)
    assert page.context["figures"]["dead_letters"] == 1
    assert page.context["figures"]["switched_off"] == ["sandbox-push"]
    assert "switched off: sandbox-push" in page.content.decode()


def test_a_mode_in_force_is_shown_with_its_reason(staff: Staff, world: World) -> None:
    modes.change_mode(SystemMode.DEGRADED, "the <printer> is on fire", by="API key 7")
    page = staff("operator").get(INDEX).content.decode()
    assert "mode <b>degraded</b>, because the &lt;printer&gt; is on fire" in page
    modes.change_mode(SystemMode.NORMAL, "", by="API key 7")
    assert "The system is spared" not in staff("operator").get(INDEX).content.decode()


def test_an_editor_sees_figures_of_the_words_alone(staff: Staff, world: World) -> None:
    page = staff("editor").get(INDEX)
    assert page.context["figures"] == {"templates": 1, "drafts": 0, "wordless": 1}
    assert "/admin/notify/deadletter/" not in page.content.decode()


def test_a_template_whose_newest_version_is_not_published_is_counted(staff: Staff, world: World) -> None:
    Template.objects.update(published_version=None)
    assert staff("editor").get(INDEX).context["figures"]["drafts"] == 1


def test_staff_without_a_group_are_told_whom_to_ask(staff: Staff, db: None) -> None:
    assert "ask for a group" in staff("nobody").get(INDEX).content.decode()


def test_the_first_page_costs_a_fixed_number_of_statements(staff: Staff, world: World) -> None:
    operator = staff("operator")
    with CaptureQueriesContext(connection) as few:
        operator.get(INDEX)
    told(world, datetime.now(UTC), *["planned"] * 30)
    with CaptureQueriesContext(connection) as many:
        operator.get(INDEX)
    assert len(many) == len(few)


def test_work_that_waits_is_listed_by_step_and_priority(staff: Staff, world: World) -> None:
    operator = staff("operator")
    operator.post("/admin/notify/deadletter/replay/", {"letter": [world.letter.pk]})
    page = operator.get("/admin/notify/page/")
    assert {(line.step, line.priority): line.count for line in page.context["steps"]}["send", "medium"] == 1
    assert [row.size for row in page.context["oldest"]] == [1]
