"""Notification types: edited as rows, refused with the cure."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from notify.store.types import read_type
from tests.admin.conftest import Staff
from tests.factories import make_template, make_type

ADD = "/admin/notify/notificationtype/add/"
FORM: dict[str, Any] = {
    "key": "PARCEL_LOST",
    "category": "transaction",
    "priority": "high",
    "channels": ["push", "sms"],
    "template": "",
    "quiet_hours": "defer",
    "caps": "10 per 1h\n2 per 1d\n",
    "over_cap": "suppress",
    "ttl_seconds": "600",
}


def edit_address(key: str) -> str:
    return reverse("admin:notify_notificationtype_change", args=[key.replace("_", "_5F")])


def test_a_new_type_is_kept_as_the_api_would_keep_it(staff: Staff) -> None:
    staff("editor").post(ADD, FORM)
    row = read_type("PARCEL_LOST")
    assert row is not None
    assert (row.priority, row.channels, row.ttl_seconds) == ("high", ["push", "sms"], 600)
    assert row.caps == [{"max": 10, "per_seconds": 3600}, {"max": 2, "per_seconds": 86400}]
    assert row.over_cap == "suppress"


@pytest.mark.parametrize(
    ("field", "value", "cure"),
    [
        ("key", "two words", "without spaces"),
        ("channels", [], "Tick at least one channel"),
        ("caps", "ten an hour", "such as “10 per 1h”"),
        ("caps", "0 per 1h", "A cap counts 1 to"),
        ("caps", "1 per 1s\n" * 11, "at most 10 caps"),
        ("ttl_seconds", "0", "at least one second"),
        ("ttl_seconds", "2592001", "at most 30 days"),
    ],
)
def test_a_refusal_names_the_cure(staff: Staff, field: str, value: Any, cure: str) -> None:
    page = staff("editor").post(ADD, {**FORM, field: value})
    assert cure in page.content.decode()
    assert read_type("PARCEL_LOST") is None


def test_a_template_of_another_type_does_not_fit(staff: Staff) -> None:
    make_template("order_shipped", "ORDER_SHIPPED")
    page = staff("editor").post(ADD, {**FORM, "template": "order_shipped"})
    assert "was made for the type ORDER_SHIPPED" in page.content.decode()


def test_an_edit_offers_the_templates_of_the_type_alone(staff: Staff) -> None:
    make_type("PARCEL_LOST")
    make_template("parcel_lost", "PARCEL_LOST")
    make_template("order_shipped", "ORDER_SHIPPED")
    page = staff("editor").get(edit_address("PARCEL_LOST")).content.decode()
    assert ">parcel_lost</option>" in page
    assert ">order_shipped</option>" not in page


def test_channels_that_were_there_keep_their_order(staff: Staff) -> None:
    make_type("PARCEL_LOST", channels=["sms", "push"])
    staff("editor").post(edit_address("PARCEL_LOST"), {**FORM, "channels": ["push", "email", "sms"]})
    row = read_type("PARCEL_LOST")
    assert row is not None
    assert row.channels == ["sms", "push", "email"]


def test_stored_caps_are_shown_as_people_write_them(staff: Staff) -> None:
    make_type("PARCEL_LOST", caps=[{"max": 3, "per_seconds": 90}, {"max": 2, "per_seconds": 172800}])
    page = staff("editor").get(edit_address("PARCEL_LOST")).content.decode()
    assert "3 per 90s\n2 per 2d" in page
