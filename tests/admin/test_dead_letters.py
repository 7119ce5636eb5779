"""Dead letters: grouped by reason, filtered, replayed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.models import LogEntry

from channels.vocabulary import Channel
from notify.models import DeadLetter, Delivery, Page
from tests.admin.conftest import Staff, World
from tests.factories import make_delivery, make_key, make_notification

LIST = "/admin/notify/deadletter/"


def bury(world: World, number: int, **fields: Any) -> DeadLetter:
    """Another dead letter of the same person."""
    notification = make_notification(world.recipient, key=make_key(f"app-{number}"))
    reason = fields.get("reason_code", "retries_exhausted")
    delivery = make_delivery(notification, world.recipient, Channel.PUSH, status="dead", reason_code=reason)
    defaults: dict[str, Any] = {
        "channel": "push",
        "type_key": "ORDER_SHIPPED",
        "reason_code": "retries_exhausted",
        "final_error": "503",
        "attempts": 6,
        "failed_at": datetime.now(UTC),
    }
    ids = {"delivery_id": delivery.id, "notification_id": notification, "recipient_id": world.recipient.id}
    return DeadLetter.objects.create(**defaults | ids | fields)


def test_letters_are_grouped_by_reason_channel_and_type(staff: Staff, world: World) -> None:
    bury(world, 1)
    bury(world, 2)
    bury(world, 3, reason_code="no_provider")
    groups = staff("auditor").get(LIST).context["groups"]
    assert [one["count"] for one in groups] == [2, 1, 1]
    assert {(one["reason_code"], one["channel"]): one["count"] for one in groups} == {
        ("retries_exhausted", "push"): 2,
        ("retries_exhausted", "email"): 1,
        ("no_provider", "push"): 1,
    }


def test_filters_narrow_the_list(staff: Staff, world: World) -> None:
    other = bury(world, 1, reason_code="no_provider")
    auditor = staff("auditor")
    shown = {letter.pk for letter, _ in auditor.get(LIST, {"reason": "no_provider"}).context["rows"]}
    assert shown == {other.pk}
    shown = {letter.pk for letter, _ in auditor.get(LIST, {"channel": "email"}).context["rows"]}
    assert shown == {world.letter.pk}
    assert auditor.get(LIST, {"reason": "made up"})["Location"] == LIST


def test_what_is_ticked_is_sent_again_and_the_rest_stays(staff: Staff, world: World) -> None:
    other = bury(world, 1)
    page = staff("operator").post(f"{LIST}replay/", {"letter": [world.letter.pk]}, follow=True).content.decode()
    assert "Replayed 1 of 1" in page
    assert Delivery.objects.get(pk=world.delivery.pk).status == "retrying"
    assert Delivery.objects.get(pk=other.delivery_id).status == "dead"
    assert Page.objects.get().ids == [world.delivery.pk]
    assert LogEntry.objects.get().change_message == f"replayed 1 of 1: {world.letter.pk}"


def test_a_group_is_replayed_as_a_whole(staff: Staff, world: World) -> None:
    bury(world, 1)
    bury(world, 2)
    form = {"reason": "retries_exhausted", "channel": "push", "type": "ORDER_SHIPPED"}
    staff("operator").post(f"{LIST}replay-group/", form)
    assert set(DeadLetter.objects.filter(replayed_at=None).values_list("pk", flat=True)) == {world.letter.pk}


def test_a_replayed_letter_is_not_replayed_again(staff: Staff, world: World) -> None:
    operator = staff("operator")
    operator.post(f"{LIST}replay/", {"letter": [world.letter.pk]})
    page = operator.post(f"{LIST}replay/", {"letter": [world.letter.pk]}, follow=True).content.decode()
    assert "Replayed 0 of 1" in page
    assert Page.objects.count() == 1
    assert [letter.pk for letter, _ in operator.get(LIST, {"state": "replayed"}).context["rows"]] == [world.letter.pk]


def test_nothing_ticked_is_said(staff: Staff, world: World) -> None:
    operator = staff("operator")
    assert "Tick the letters" in operator.post(f"{LIST}replay/", follow=True).content.decode()
    assert "Choose a group" in operator.post(f"{LIST}replay-group/", follow=True).content.decode()


def test_a_letter_leads_to_the_story_of_its_notification(staff: Staff, world: World) -> None:
    response = staff("auditor").get(f"{LIST}{world.letter.pk}/change/")
    assert response["Location"] == f"/admin/notify/notification/{world.notification}/change/"


def test_an_auditor_can_tick_nothing(staff: Staff, world: World) -> None:
    page = staff("auditor").get(LIST).content.decode()
    assert 'type="checkbox"' not in page
    assert "Replay group" not in page
