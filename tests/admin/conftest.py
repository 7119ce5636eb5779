"""Staff of each group, and one of everything they may look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from channels.vocabulary import Channel
from notify.models import ApiKey, DeadLetter, Delivery
from preferences.vocabulary import RecipientRef
from tests.factories import (
    key_row,
    make_attempt,
    make_delivery,
    make_key,
    make_notification,
    make_recipient,
    make_template,
    make_type,
)

#: Personal data of the one recipient: never on a list, never in the log.
EMAIL = "zora.canary@example.com"
PHONE = "+447700900456"

Staff = Callable[..., Client]


@pytest.fixture
def staff(db: None) -> Staff:
    """Logs somebody in: `staff("editor")`, with further permissions by their full name."""

    def log_in(group: str, *permissions: str) -> Client:
        user = User.objects.create_user(f"{group}-{User.objects.count()}", password="x", is_staff=True)
        if group == "root":
            User.objects.filter(pk=user.pk).update(is_superuser=True)
        elif group != "nobody":
            user.groups.add(Group.objects.get(name=group))
        for name in permissions:
            app, codename = name.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        client = Client()
        client.force_login(user)
        return client

    return log_in


class World(NamedTuple):
    """One of everything."""

    recipient: RecipientRef
    key: ApiKey
    notification: UUID
    delivery: Delivery
    letter: DeadLetter


@pytest.fixture
def world(db: None) -> World:
    """A person who was told something that nobody could deliver."""
    text = make_key()
    recipient = make_recipient("u_zora", email=EMAIL, phone=PHONE, tokens=["token-of-zora-abcdef"])
    make_type()
    make_template()
    notification = make_notification(recipient, key=text)
    delivery = make_delivery(
        notification, recipient, Channel.EMAIL, status="dead", reason_code="retries_exhausted", attempts=6
    )
    make_attempt(delivery, outcome="transient", code="421", detail="service not available")
    letter = DeadLetter.objects.create(
        delivery_id=delivery.id,
        notification_id=notification,
        recipient_id=recipient.id,
        channel="email",
        type_key="ORDER_SHIPPED",
        reason_code="retries_exhausted",
        final_error="421: service not available",
        attempts=6,
        failed_at=datetime.now(UTC),
    )
    return World(recipient, key_row(text), notification, delivery, letter)
