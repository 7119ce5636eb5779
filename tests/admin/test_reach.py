"""Who reaches what: each address of the admin, for each group, with none left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from campaigns.models import Import
from campaigns.rules.transitions import FOR_PEOPLE
from config.admin.groups import GROUPS
from tests.admin.conftest import Staff, World
from tests.flow.campaigning import make_campaign

BEAT = ("clockedschedule", "crontabschedule", "intervalschedule", "periodictask", "solarschedule")
#: Whose pages whoever sees: e(ditor), o(perator), a(uditor).
SEEN = {
    "notify_notificationtype": "ea",
    "notify_template": "ea",
    "notify_notification": "oa",
    "notify_deadletter": "oa",
    "notify_page": "oa",
    "notify_application": "oa",
    "notify_systemmodechange": "oa",
    "channels_providerswitch": "oa",
    "channels_rate": "oa",
    "preferences_recipient": "oa",
    "campaigns_campaign": "eoa",
    "campaigns_import": "oa",
    "auth_user": "a",
    "auth_group": "a",
    "admin_logentry": "a",
    **dict.fromkeys((f"django_celery_beat_{model}" for model in BEAT), "a"),
}
ADDED = {"notify_notificationtype": "e", "notify_template": "e", "campaigns_campaign": "e"}
#: Further pages, and actions (POST).
PAGES = {
    "notify_template_edit": "e",
    "notify_template_compare": "ea",
    "preferences_recipient_suppressions": "oa",
    "campaigns_campaign_edit": "e",
    "campaigns_campaign_progress": "eoa",
    "campaigns_campaign_under_way": "eoa",
    "campaigns_import_report": "oa",
    "auth_user_password_change": "",
}
ACTIONS = {
    "campaigns_campaign_audience": "e",
    "campaigns_campaign_outline": "e",
    "campaigns_campaign_estimate": "eoa",
    "campaigns_campaign_test": "eo",
    "campaigns_campaign_submit": "e",
    "campaigns_campaign_approve": "o",
    "campaigns_campaign_reject": "o",
    "campaigns_campaign_start": "eo",
    "campaigns_campaign_pause": "eo",
    "campaigns_campaign_resume": "eo",
    "campaigns_campaign_cancel": "eo",
    "campaigns_import_upload": "o",
    "campaigns_import_cancel": "o",
    "channels_providerswitch_set": "o",
    "channels_rate_budget": "o",
    "channels_rate_price": "o",
    "preferences_recipient_find": "oa",
    "preferences_recipient_reveal": "",
    "preferences_recipient_suppress": "o",
    "preferences_recipient_release": "o",
    "preferences_recipient_find_suppression": "oa",
    "preferences_recipient_add_suppression": "o",
    "preferences_recipient_remove_suppression": "o",
    "notify_systemmodechange_set": "o",
    "notify_application_issue": "o",
    "notify_application_disable": "o",
    "notify_application_enable": "o",
    "notify_application_rotate": "o",
    "notify_application_revoke": "o",
    "notify_deadletter_replay": "o",
    "notify_deadletter_replay_group": "o",
    "notify_notification_cancel": "o",
    "notify_template_preview": "e",
    "notify_template_publish": "e",
}
#: Django's and Unfold's own, for all staff; they show what the person's permissions allow.
COMMON = {"index", "login", "logout", "password_change", "password_change_done", "jsi18n", "search", "app_list"}
#: Answers of Django's that look for an object: nothing of ours hangs on them.
LOOKUPS = {"autocomplete", "view_on_site"}


def names_of(patterns: list[Any]) -> Iterator[str]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from names_of(one.url_patterns)
        elif isinstance(one, URLPattern) and one.name:
            yield one.name


def table() -> dict[str, str]:
    """Every address that must be in the table, and who reaches it."""
    rows = dict(PAGES | ACTIONS)
    for model, who in SEEN.items():
        rows |= {f"{model}_{page}": who for page in ("changelist", "change", "history")}
        rows |= {f"{model}_add": ADDED.get(model, ""), f"{model}_delete": ""}
    return rows


@pytest.fixture
def places(world: World) -> dict[str, list[Any]]:
    """The arguments of each address."""
    interval = IntervalSchedule.objects.create(every=1, period="hours")
    file = Import.objects.create(file_name="people.csv")
    campaign = make_campaign().id
    user = User.objects.create_user("somebody")
    entry = LogEntry.objects.create(user=user, object_id="1", object_repr="x", action_flag=CHANGE, change_message="y")
    rows = {
        "notify_notificationtype": "ORDER_5FSHIPPED",
        "notify_template": "order_shipped",
        "notify_notification": world.notification,
        "notify_deadletter": world.letter.pk,
        "notify_page": world.notification,
        "notify_application": world.key.application_id,
        "channels_providerswitch": "sandbox-push",
        "channels_rate": 1,
        "notify_systemmodechange": 1,
        "preferences_recipient": world.recipient.id,
        "campaigns_campaign": campaign,
        "campaigns_import": file.pk,
        "auth_user": user.pk,
        "auth_group": Group.objects.get(name="editor").pk,
        "admin_logentry": entry.pk,
        "django_celery_beat_intervalschedule": interval.pk,
        "django_celery_beat_crontabschedule": CrontabSchedule.objects.create().pk,
        "django_celery_beat_solarschedule": SolarSchedule.objects.create(event="sunset", latitude=1, longitude=1).pk,
        "django_celery_beat_clockedschedule": ClockedSchedule.objects.create(clocked_time=datetime.now(UTC)).pk,
        "django_celery_beat_periodictask": PeriodicTask.objects.create(name="x", task="y", interval=interval).pk,
    }
    found: dict[str, list[Any]] = {
        f"{m}_{page}": [key] for m, key in rows.items() for page in ("change", "history", "delete")
    }
    person, key = world.recipient.id, world.key.pk
    return found | {
        "auth_user_password_change": [user.pk],
        "notify_template_edit": ["order_shipped"],
        "notify_template_compare": ["order_shipped"],
        "notify_template_publish": ["order_shipped", 1],
        "channels_providerswitch_set": ["sandbox-push"],
        "channels_rate_budget": ["sms"],
        "preferences_recipient_reveal": [person, "email"],
        "preferences_recipient_suppress": [person, "email"],
        "preferences_recipient_release": [person, "email"],
        "notify_application_disable": [world.key.application_id],
        "notify_application_enable": [world.key.application_id],
        "notify_application_rotate": [key],
        "notify_application_revoke": [key],
        "notify_notification_cancel": [world.notification],
        **{f"campaigns_campaign_{page}": [campaign] for page in ("edit", "progress", "estimate", "test", *FOR_PEOPLE)},
        "campaigns_import_cancel": [file.pk],
        "campaigns_import_report": [file.pk],
    }


def status(client: Client, name: str, places: dict[str, list[Any]]) -> int:
    address = reverse(f"admin:{name}", args=places.get(name, []))
    response = client.post(address) if name in ACTIONS else client.get(address)
    return response.status_code


def test_every_address_stands_in_the_table() -> None:
    assert set(names_of(admin.site.get_urls())) == {*table(), *COMMON, *LOOKUPS}


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_a_group_reaches_what_the_table_says_and_nothing_else(
    group: str, staff: Staff, places: dict[str, list[Any]]
) -> None:
    client = staff(group)
    reached = {name for name in table() if status(client, name, places) != 403}
    assert reached == {name for name, who in table().items() if group[0] in who}


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_what_a_group_reaches_answers_without_a_fault(group: str, staff: Staff, places: dict[str, list[Any]]) -> None:
    client = staff(group)
    mine = [name for name, who in table().items() if group[0] in who]
    assert {status(client, name, places) for name in mine} <= {200, 302, 400, 422}


def test_staff_without_a_group_reaches_no_page_of_the_table(staff: Staff, places: dict[str, list[Any]]) -> None:
    client = staff("nobody")
    assert [name for name in table() if status(client, name, places) != 403] == []


def test_a_stranger_is_sent_to_the_login_from_everywhere(client: Client, places: dict[str, list[Any]]) -> None:
    for name in table():
        address = reverse(f"admin:{name}", args=places.get(name, []))
        response = client.post(address) if name in ACTIONS else client.get(address)
        assert (response.status_code, response["Location"].split("?")[0]) == (302, "/admin/login/")


def test_actions_are_refused_by_any_method_but_post(staff: Staff, places: dict[str, list[Any]]) -> None:
    client = staff("root")
    answers = {name: client.get(reverse(f"admin:{name}", args=places.get(name, []))).status_code for name in ACTIONS}
    assert set(answers.values()) == {405}


@pytest.mark.parametrize("group", ["operator", "auditor"])
def test_a_type_is_changed_by_editors_alone(group: str, staff: Staff, world: World) -> None:
    address = reverse("admin:notify_notificationtype_change", args=["ORDER_5FSHIPPED"])
    assert staff(group).post(address, {"category": "marketing"}).status_code == 403


def test_an_auditor_cannot_run_a_task_of_the_schedule(staff: Staff, places: dict[str, list[Any]]) -> None:
    address = reverse("admin:django_celery_beat_periodictask_changelist")
    task = PeriodicTask.objects.get(name="x")
    staff("auditor").post(address, {"action": "disable_tasks", "_selected_action": [task.pk]})
    task.refresh_from_db()
    assert task.enabled is True


def test_an_auditor_sees_no_hash_of_a_password(staff: Staff, db: None) -> None:
    user = User.objects.create_user("somebody", password="a password")
    page = staff("auditor").get(reverse("admin:auth_user_change", args=[user.pk])).content.decode()
    assert user.password.split("$")[-1] not in page


def test_groups_are_exactly_what_is_written(db: None) -> None:
    for name, wanted in GROUPS.items():
        held = Group.objects.get(name=name).permissions.values_list("content_type__app_label", "codename")
        assert {f"{app}.{codename}" for app, codename in held} == wanted


def test_no_group_may_reveal_an_address_or_delete() -> None:
    held = {permission for permissions in GROUPS.values() for permission in permissions}
    assert "preferences.reveal_contact" not in held
    assert {one for one in held if ".delete_" in one} == {"preferences.delete_suppression"}


def test_a_group_that_somebody_changed_is_itself_again_after_a_migrate(db: None) -> None:
    Group.objects.get(name="auditor").permissions.clear()
    call_command("migrate", verbosity=0)
    assert Group.objects.get(name="auditor").permissions.count() == len(GROUPS["auditor"])
