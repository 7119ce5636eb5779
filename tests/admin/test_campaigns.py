"""Campaigns through the pages for staff: written, tried, approved by somebody else, started, watched and stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import conf, control
from campaigns.drafts import variables_of
from campaigns.store import campaigns
from campaigns.store.campaigns import CampaignRow
from campaigns.vocabulary import Act, CampaignKind, CampaignStatus, PauseReason
from channels.vocabulary import Channel
from notify.models import Notification
from notify.store import halts
from notify.vocabulary import Priority
from tests.admin.conftest import Staff
from tests.factories import make_recipient, make_template, make_topic, make_type
from tests.flow.campaigning import go, make_campaign, only_run, people, start, status_of

pytestmark = pytest.mark.django_db

LIST = "/admin/campaigns/campaign/"
WRITTEN = {
    "name": "Spring sale",
    "type": "ORDER_SHIPPED",
    "channels": ["email"],
    "whom": "segment",
    "segment": "user_id STARTS WITH 'u_'",
    "variables": '{"order_id": "ORD-1"}',
    "priority": "low",
    "when": "by_hand",
    "zone": "UTC",
}


@pytest.fixture(autouse=True)
def _newsletter(db: None) -> None:
    make_template()
    make_type(template_id="order_shipped", category="social")
    halts.forget()


def place(campaign: CampaignRow, act: str = "change") -> str:
    return f"{LIST}{campaign.id}/{act}/"


def write(client: Client, **fields: Any) -> Any:
    return client.post(f"{LIST}add/", WRITTEN | fields)


def only() -> CampaignRow:
    (row,) = campaigns.listing(application_id=None, status=None, kind=None, before=None, limit=2)
    return row


def press(client: Client, campaign: CampaignRow, act: str, **typed: Any) -> str:
    """Do an act; what the page says after it."""
    return client.post(place(campaign, act), typed, follow=True).content.decode()


def large(**fields: Any) -> CampaignRow:
    """A draft for more people than one person may tell alone, though few of them are there."""
    return make_campaign(estimated=conf.APPROVAL_ABOVE + 1, **fields)


@pytest.fixture
def above_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people are many."""
    monkeypatch.setattr(conf, "APPROVAL_ABOVE", 1)


def shown(client: Client, campaign: CampaignRow) -> dict[str, Any]:
    """The fields of the form of a draft, as a browser would post them."""
    context = client.get(place(campaign, "edit")).context
    written = {name: value for name, value in context["form"].initial.items() if value is not None}
    return written | {"seen": context["seen"]}


# --- writing


def test_a_draft_is_kept_as_the_api_would_keep_it(staff: Staff) -> None:
    people(3)
    response = write(
        staff("editor"),
        max_per_second="50",
        window_hours="4",
        holdout_percent="10",
        variant_name=["A", "B", ""],
        variant_template=["order_shipped", "order_shipped", ""],
        variant_weight=["2", "1", "1"],
    )
    row = only()
    assert response["Location"] == place(row)
    assert (row.name, row.type_key, row.channels, row.estimated) == ("Spring sale", "ORDER_SHIPPED", [Channel.EMAIL], 3)
    assert (row.max_per_second, row.window_hours, row.holdout_percent, row.priority) == (50, 4.0, 10.0, Priority.LOW)
    assert [(one.name, one.weight) for one in row.variants] == [("A", 2), ("B", 1)]
    assert row.created_by == "staff:editor-0"
    assert variables_of(row) == {"order_id": "ORD-1"}
    assert LogEntry.objects.get().change_message == "written"


def test_every_schedule_is_kept_and_shown_again_as_it_was_written(staff: Staff) -> None:
    editor = staff("editor")
    day = f"{timezone.now().year + 1}-01-15"
    for fields in (
        {"when": "at", "day": day, "hour": "09:30", "zone": "Europe/Berlin"},
        {"when": "local", "day": day, "hour": "08:00", "zone": "Pacific/Auckland"},
        {"when": "again", "day": "", "hour": "10:00", "zone": "America/New_York", "cron": "0 0 * * 1"},
    ):
        write(editor, **fields)
        row = campaigns.listing(application_id=None, status=None, kind=None, before=None, limit=1)[0]
        page = editor.get(place(row, "edit")).context["form"]
        assert {name: page[name].value() for name in fields} == fields


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"name": ""}, "name", "Give it a name"),
        ({"type": "NOPE"}, "type", "no such notification type"),
        ({"template_id": "nope"}, "template_id", "no published template"),
        ({"variables": "{}"}, "variables", "order_id"),
        ({"variables": "[1"}, "variables", "Write an object"),
        ({"segment": "country = "}, "segment", "(line 1, column"),
        ({"segment": ""}, "segment", "Say what is true"),
        ({"whom": "topic", "topic": "nope"}, "topic", "no topic with this key"),
        ({"max_per_second": "soon"}, "max_per_second", "whole number"),
        ({"window_hours": "nan"}, "window_hours", "Enter a number"),
        ({"holdout_percent": "90"}, "holdout_percent", "50"),
        ({"when": "at", "day": "", "hour": "09:00"}, "day", "Choose a day"),
        ({"when": "at", "day": "2027-01-01", "hour": "", "zone": "Mars"}, "zone", "IANA zone"),
        ({"when": "again", "cron": "never"}, "cron", "cron expression"),
        (
            {"variant_name": ["A"], "variant_template": [""], "variant_weight": ["1"]},
            "variants",
            "needs a name and a template",
        ),
        ({"priority": "loud"}, "priority", "valid choice"),
        ({"priority": "critical"}, "__all__", "critical"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_nothing_is_kept(
    staff: Staff, fields: dict[str, Any], field: str, words: str
) -> None:
    response = write(staff("editor"), **fields)
    assert response.status_code == 422
    assert words in " ".join(response.context["form"].errors[field])
    assert campaigns.listing(application_id=None, status=None, kind=None, before=None, limit=1) == []
    assert LogEntry.objects.count() == 0


def test_everything_that_was_written_is_still_there_after_a_fault(staff: Staff) -> None:
    page = write(staff("editor"), name="Summer & sun", cron="0 9 * * 1", type="NOPE").content.decode()
    assert 'value="Summer &amp; sun"' in page
    assert 'value="0 9 * * 1"' in page


def test_an_edit_changes_what_was_touched_and_nothing_else(staff: Staff) -> None:
    editor = staff("editor")
    write(editor)
    row = only()
    answer = editor.post(place(row, "edit"), {**shown(editor, row), "name": "Autumn sale"})
    assert answer.status_code == 302
    assert msgspec.structs.replace(only(), name=row.name, updated_at=row.updated_at, sealed=row.sealed) == row
    assert LogEntry.objects.order_by("pk").values_list("change_message", flat=True)[1] == "changed name"


def test_whoever_writes_over_somebody_elses_words_is_told_first(staff: Staff) -> None:
    row = make_campaign()
    editor = staff("editor")
    mine = shown(editor, row) | {"name": "Mine"}
    campaigns.move(row.id, {"name": "Theirs"})
    refused = editor.post(place(row, "edit"), mine)
    assert "Somebody changed this draft since you opened it" in refused.content.decode()
    assert (refused.status_code, only().name) == (422, "Theirs")
    editor.post(place(row, "edit"), mine | {"seen": refused.context["seen"]})
    assert only().name == "Mine"


def test_the_people_of_a_list_stay_when_the_rest_is_edited(staff: Staff) -> None:
    row = make_campaign(audience={"user_ids": 3})
    editor = staff("editor")
    editor.post(place(row, "edit"), {**shown(editor, row), "name": "Other"})
    assert (only().name, only().audience) == ("Other", {"user_ids": 3})


def test_only_a_draft_is_edited(staff: Staff) -> None:
    row = make_campaign(status=CampaignStatus.RUNNING)
    answer = staff("editor").get(place(row, "edit"), follow=True)
    assert "Only a draft is changed" in answer.content.decode()


# --- what the form asks


def ask(client: Client, what: str, **question: Any) -> dict[str, Any]:
    answer = client.post(f"{LIST}preview/{what}/", json.dumps(question), content_type="application/json")
    found: dict[str, Any] = answer.json()
    return found


def test_a_segment_is_counted_and_a_fault_is_told_with_its_place(staff: Staff) -> None:
    people(3)
    editor = staff("editor")
    found = ask(editor, "audience", segment="user_id STARTS WITH 'u_'")
    assert (found["count"], found["is_estimate"], len(found["sample"])) == (3, False, 3)
    (fault,) = ask(editor, "audience", segment="user_id STARTS 'u_'")["faults"]
    assert (fault["line"], fault["column"]) == (1, 16)


def test_the_subscribers_of_a_topic_are_counted(staff: Staff) -> None:
    make_topic("news", make_recipient("u_one"), make_recipient("u_two"))
    editor = staff("editor")
    assert ask(editor, "audience", topic="news")["count"] == 2
    assert "no topic" in ask(editor, "audience", topic="nope")["faults"][0]["message"]


def test_the_variables_of_all_wordings_are_asked_for_once(staff: Staff) -> None:
    make_template("long", variables={"order_id": {"type": "string"}, "pieces": {"type": "number", "default": 2}})
    found = ask(staff("editor"), "outline", type="ORDER_SHIPPED", variants=["order_shipped", "long"])
    assert found["variables"] == [
        {"name": "order_id", "type": "string", "required": True, "default": None},
        {"name": "pieces", "type": "number", "required": False, "default": 2},
    ]


def test_the_next_three_times_are_told_in_their_zone(staff: Staff) -> None:
    planned = {"when": "again", "zone": "Europe/Berlin", "cron": "0 9 * * 1"}
    found = ask(staff("editor"), "outline", planned=planned)
    assert len(found["coming"]) == 3
    assert all(line.startswith("Mon ") and line.endswith("09:00 Europe/Berlin") for line in found["coming"])
    wrong = ask(staff("editor"), "outline", planned={**planned, "cron": "0 9 30 2 *"})
    assert [one["pointer"] for one in wrong["faults"]] == ["/recurrence/cron"]


# --- acts


def test_a_small_draft_is_started_by_its_writer(staff: Staff) -> None:
    people(2)
    row = make_campaign(estimated=2)
    assert "Started." in press(staff("editor"), row, "start")
    assert status_of(row) is CampaignStatus.RUNNING


def test_a_large_draft_is_not_offered_a_start_and_refuses_one(staff: Staff, above_one: None) -> None:
    people(2)
    row = make_campaign(estimated=2)
    editor = staff("editor")
    page = editor.get(place(row)).content.decode()
    assert place(row, "submit") in page
    assert place(row, "start") not in page
    assert "submitted, and approved by somebody" in press(editor, row, "start", typed="2")
    assert status_of(row) is CampaignStatus.DRAFT


def test_a_large_campaign_is_approved_by_somebody_else_who_typed_its_size(staff: Staff, above_one: None) -> None:
    people(2)
    row = make_campaign(estimated=2)
    both = staff("editor", "campaigns.approve_campaign")
    press(both, row, "submit")
    assert place(row, "approve") not in both.get(place(row)).content.decode()
    assert "approved by somebody other" in press(both, row, "approve", typed="2")
    operator = staff("operator")
    assert "type 2, the number of people" in press(operator, row, "approve", typed="20")
    assert status_of(row) is CampaignStatus.PENDING_APPROVAL
    assert "from now on its schedule holds" in press(operator, row, "approve", typed="2")
    assert (status_of(row), only().approved_by) == (CampaignStatus.SCHEDULED, "staff:operator-1")


def test_a_large_campaign_is_started_by_typing_its_size_with_separators(staff: Staff) -> None:
    row = large(status=CampaignStatus.SCHEDULED)
    editor = staff("editor")
    assert "Nothing was done: type 1,001" in press(editor, row, "start")
    press(editor, row, "start", typed="1,001")
    assert status_of(row) is CampaignStatus.RUNNING


def test_what_nobody_could_count_is_confirmed_by_its_name(staff: Staff) -> None:
    row = make_campaign(estimated=None, status=CampaignStatus.SCHEDULED)
    editor = staff("editor")
    assert "type the name of the campaign" in press(editor, row, "start", typed="10")
    press(editor, row, "start", typed="News")
    assert status_of(row) is CampaignStatus.RUNNING


def test_what_is_sent_back_is_a_draft_again_with_the_reason_in_its_log(staff: Staff) -> None:
    row = make_campaign(status=CampaignStatus.PENDING_APPROVAL, submitted_by="staff:ada")
    assert "it is a draft again" in press(staff("operator"), row, "reject", note="the link is wrong")
    assert campaigns.doings(row.id)[-1].note == "the link is wrong"
    assert status_of(row) is CampaignStatus.DRAFT


@pytest.mark.parametrize("group", ["editor", "operator"])
def test_the_switch_is_one_click_also_on_the_list(staff: Staff, group: str) -> None:
    people(2)
    row = make_campaign()
    start(row)
    client = staff(group)
    assert place(row, "pause") in client.get(LIST).content.decode()
    answer = client.post(place(row, "pause"), {"back": "list"})
    assert (answer["Location"], status_of(row)) == (LIST, CampaignStatus.PAUSED)
    press(client, row, "resume")
    assert status_of(row) is CampaignStatus.RUNNING


def test_a_cancel_is_confirmed_first(staff: Staff) -> None:
    row = make_campaign()
    editor = staff("editor")
    assert "confirm that you mean it" in press(editor, row, "cancel")
    assert status_of(row) is CampaignStatus.DRAFT
    press(editor, row, "cancel", sure="yes")
    assert status_of(row) is CampaignStatus.CANCELLED


def test_every_act_stands_in_both_logs_with_who_did_it(staff: Staff) -> None:
    people(2)
    row = make_campaign()
    editor = staff("editor")
    for act in ("submit", "cancel"):
        press(editor, row, act, sure="yes")
    assert [(one.act, one.actor) for one in campaigns.doings(row.id)] == [
        (Act.SUBMIT, "staff:editor-0"),
        (Act.CANCEL, "staff:editor-0"),
    ]
    said = list(LogEntry.objects.order_by("pk").values_list("object_id", "change_message"))
    assert said == [
        (str(row.id), "submit: it is pending approval, about 2 people"),
        (str(row.id), "cancel: it is cancelled"),
    ]


@pytest.mark.parametrize(
    ("group", "status", "offered"),
    [
        ("editor", CampaignStatus.DRAFT, {"submit", "start", "cancel"}),
        ("editor", CampaignStatus.PENDING_APPROVAL, {"cancel"}),
        ("operator", CampaignStatus.DRAFT, {"start", "cancel"}),
        ("operator", CampaignStatus.PENDING_APPROVAL, {"approve", "reject", "cancel"}),
        ("operator", CampaignStatus.RUNNING, {"pause", "cancel"}),
        ("editor", CampaignStatus.PAUSED, {"resume", "cancel"}),
        ("editor", CampaignStatus.COMPLETED, set()),
        ("auditor", CampaignStatus.RUNNING, set()),
    ],
)
def test_the_buttons_are_the_acts_of_its_state_that_are_mine(
    staff: Staff, group: str, status: CampaignStatus, offered: set[str]
) -> None:
    row = make_campaign(status=status)
    page = staff(group).get(place(row)).content.decode()
    assert {act for act in Act if f'action="{place(row, act)}"' in page} == offered


# --- looking beforehand


def test_an_estimate_says_who_is_left_out_and_sends_nothing(staff: Staff) -> None:
    people(2)
    make_recipient("u_nomail")
    row = make_campaign(estimated=3)
    answer = staff("auditor").post(place(row, "estimate"))
    found = answer.context["estimated"]["found"]
    assert (found.audience, found.reached.people, found.left_out.people) == (3, 2, 1)
    assert "Left out because" in answer.content.decode()
    assert Notification.objects.count() == 0


def test_a_test_goes_to_those_who_are_named_once_however_often_it_is_pressed(staff: Staff) -> None:
    people(2)
    row = make_campaign()
    editor = staff("editor")
    for _ in range(2):
        page = press(editor, row, "test", user_ids="u_0, u_gone", key="one")
    assert "On its way to 1 people" in page
    assert "u_gone: " in page
    assert Notification.objects.count() == 1
    assert "u_0" not in LogEntry.objects.values_list("change_message", flat=True)[0]


@pytest.mark.parametrize(
    ("named", "said"), [("", "Name one to 20"), ("x " * 21, "Name one to 20"), ("u_gone", "no user with this id")]
)
def test_a_test_to_nobody_is_refused_with_the_cure(staff: Staff, named: str, said: str) -> None:
    assert said in press(staff("editor"), make_campaign(), "test", user_ids=named)
    assert Notification.objects.count() == 0


# --- watching


def test_progress_is_counted_from_what_became_of_it(staff: Staff) -> None:
    people(3)
    make_recipient("u_nomail")
    row = make_campaign()
    start(row)
    auditor = staff("auditor")
    before = auditor.get(place(row, "progress")).context
    assert (before["view"].processed, before["view"].sent, before["is_live"]) == (0, 0, True)
    go(only_run(row))
    after = auditor.get(place(row, "progress")).context
    view = after["view"]
    assert (view.total_recipients, view.processed, view.sent, view.suppressed) == (4, 4, 3, 1)
    assert f"campaign={row.id}" in after["told"]
    assert after["reasons"] == [("no_address", 1)]
    found = auditor.get(after["told"])
    assert len(found.context["rows"]) == 4


def test_watching_takes_as_many_statements_for_many_people_as_for_few(staff: Staff) -> None:
    counted = []
    client = staff("operator")
    for size in (1, 40):
        for at in range(size):
            make_recipient(f"u_{size}_{at}", email=f"p{size}.{at}@example.com")
        row = make_campaign(audience={"segment": f"user_id STARTS WITH 'u_{size}_'"})
        start(row)
        go(only_run(row))
        with CaptureQueriesContext(
            connection,
        ) as statements:
            client.get(place(row, "progress"))
        counted.append(len(statements))
    assert counted[0] == counted[1] <= 12


def test_the_list_takes_as_many_statements_for_many_campaigns_as_for_few(staff: Staff) -> None:
    client = staff("operator")
    counted = []
    for _ in range(2):
        for _ in range(3):
            start(make_campaign())
        with CaptureQueriesContext(connection) as statements:
            assert client.get(LIST).status_code == 200
        counted.append(len(statements))
    assert counted[0] == counted[1] <= 14


def test_whoever_only_watches_is_idle(staff: Staff) -> None:
    row = make_campaign(status=CampaignStatus.RUNNING)
    client = staff("auditor")
    client.get(place(row))
    until = Session.objects.get().expire_date
    for address in (place(row, "progress"), f"{LIST}under-way/"):
        response = client.get(address)
        assert (response.status_code, "sessionid" in response.cookies) == (200, False)
    assert Session.objects.get().expire_date == until


def test_why_it_paused_by_itself_is_shown(staff: Staff) -> None:
    people(1)
    row = make_campaign()
    start(row)
    control.pause_for(row.id, PauseReason.ERRORS, "31.00% of errors: the limit is 30.00%")
    page = staff("operator").get(place(row)).content.decode()
    assert "It paused by itself (errors): 31.00% of errors" in page


def test_the_list_shows_campaigns_of_people_first_and_others_when_asked(staff: Staff) -> None:
    make_campaign(name="Written")
    make_campaign(name="Called", kind=CampaignKind.BULK)
    client = staff("auditor")
    rows: Callable[[str], set[str]] = lambda query: {  # noqa: E731 - a question asked four times
        one["view"].name for one in client.get(f"{LIST}{query}").context["rows"]
    }
    assert (rows(""), rows("?kind="), rows("?kind=bulk")) == ({"Written"}, {"Called", "Written"}, {"Called"})
    assert rows("?kind=&status=running") == set()


def test_an_id_that_names_no_campaign_is_not_found(staff: Staff) -> None:
    client = staff("root")
    for address in ("nonsense/change/", f"{UUID(int=7)}/change/", f"{UUID(int=7)}/progress/"):
        assert client.get(f"{LIST}{address}").status_code == 404


def test_what_people_wrote_is_found_by_an_index_among_all_that_applications_tell() -> None:
    with connection.cursor() as cursor, CaptureQueriesContext(connection) as statements:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        campaigns.listing(application_id=None, status=None, kind=CampaignKind.CAMPAIGN, before=None, limit=2)
        cursor.execute(f"EXPLAIN {statements[-1]['sql']}")
        assert "campaign_written" in "\n".join(row[0] for row in cursor.fetchall())
