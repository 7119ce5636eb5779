"""Valid rows with one call: people, devices, types, templates, keys, notifications. Nothing here checks anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.test import Client
from django.utils import timezone

from channels.rules.sealing import seal
from channels.store import insert_inbox
from channels.vocabulary import Channel, InAppMessage, Platform
from notify import broadcasts, conf
from notify.models import ApiKey, Application, Attempt, Batch, Delivery, Event, Template, TemplateVersion
from notify.rules.credentials import KEY_ENTROPY, new_key, secret_hash
from notify.rules.ids import ENTROPY, delivery_id, new_ids, sibling_ids
from notify.rules.ready import batch_place, entry_place
from notify.store import intake, keys, types
from notify.store.templates import forget_templates
from notify.vocabulary import EventKind, NotificationStatus, Priority, QuietHoursPolicy, Scope, Tier, TypeRow
from preferences import register
from preferences import store as people
from preferences.rules.requests import DeviceBody
from preferences.store import topics
from preferences.vocabulary import Category, ConsentActor, ConsentMeans, Origin, Profile, RecipientRef

#: Where words about consent come from in tests.
BY_APP = Origin(means=ConsentMeans.API, actor=ConsentActor.APPLICATION)


class Api:
    """A caller: JSON in and out, with a Bearer credential (empty: none)."""

    def __init__(self, credential: str = "", **headers: str) -> None:
        self._client = Client(raise_request_exception=False)
        self._headers = {**({"Authorization": f"Bearer {credential}"} if credential else {}), **headers}

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, None, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("PUT", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("DELETE", path, None, **headers)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A response; `body` bytes go out as they are. Header names are written with underscores."""
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.generic(
            method, path, raw, content_type="application/json", headers={**self._headers, **named}
        )


def make_key(
    application: str = "shop",
    scopes: Sequence[Scope] = tuple(Scope),
    *,
    tier: Tier = Tier.INTERNAL,
    is_test: bool = False,
    expires_at: datetime | None = None,
) -> str:
    """An API key as its holder keeps it; the tier is the one that is never refused."""
    parts = new_key(is_test=is_test, entropy=os.urandom(KEY_ENTROPY))
    keys.add_key(
        application,
        keys.NewKey(
            prefix=parts.prefix,
            secret_hash=secret_hash(parts.secret, conf.KEY_PEPPER),
            last4=parts.secret[-4:],
            scopes=scopes,
            tier=tier,
            is_test=is_test,
            expires_at=expires_at,
        ),
    )
    return parts.text


def key_row(text: str) -> ApiKey:
    """The stored row of a key."""
    return ApiKey.objects.get(prefix=text.split("_")[2])


def make_recipient(
    user_id: str = "u_alice",
    *,
    email: str | None = None,
    phone: str | None = None,
    locale: str = "",
    zone: str = "",
    tokens: Sequence[str] = (),
) -> RecipientRef:
    """A recipient with these addresses, and a device for each push token."""
    profile = Profile(email=email, phone=phone, locale=locale, timezone=zone, country_code="", attributes="{}")
    people.upsert({user_id: profile})
    for at, token in enumerate(tokens):
        body = DeviceBody(device_id=f"{user_id}-{at}", platform=Platform.ANDROID, token=token)
        register.register_device(user_id, body, now=timezone.now())
    return people.resolve([user_id])[user_id]


def make_type(key: str = "ORDER_SHIPPED", **changes: Any) -> TypeRow:
    """A notification type: a medium transaction on push and e-mail, unless `changes` says otherwise."""
    row = TypeRow(
        key=key,
        category=Category.TRANSACTION.value,
        priority=Priority.MEDIUM.value,
        channels=[Channel.PUSH.value, Channel.EMAIL.value],
        mandatory=False,
        exempt_from_caps=False,
        caps=[],
        quiet_hours=QuietHoursPolicy.DEFER.value,
        digestible=False,
        ttl_seconds=None,
        template_id=None,
    )
    row = msgspec.structs.replace(row, **changes)
    types.put_type(row)
    return row


def make_template(
    template_id: str = "order_shipped",
    type_key: str = "ORDER_SHIPPED",
    *,
    channels: dict[str, Any] | None = None,
    variables: dict[str, Any] | None = None,
) -> TemplateVersion:
    """A template with version 1 published; push and e-mail in English that name `order_id`."""
    wording = channels or {
        "push": {"en": {"title": "On its way", "body": "Order {{ order_id }}"}},
        "email": {"en": {"subject": "Order {{ order_id }}", "body": "Order {{ order_id }} is on its way."}},
    }
    schema = {"order_id": {"type": "string", "required": True, "default": None}} if variables is None else variables
    template = Template.objects.create(template_id=template_id, type_key=type_key, published_version=1)
    version = TemplateVersion.objects.create(
        template=template,
        number=1,
        channels=wording,
        compiled=wording,
        variables=schema,
        published_at=timezone.now(),
    )
    forget_templates()
    return version


def make_notification(
    recipient: RecipientRef,
    *,
    key: str,
    type_key: str = "ORDER_SHIPPED",
    status: NotificationStatus = NotificationStatus.ACCEPTED,
    created_at: datetime | None = None,
    metadata: dict[str, Any] | None = None,
) -> UUID:
    """A notification as `accept` would have written it, in the name of the key's application; no page waits for it."""
    now = created_at or datetime.now(UTC)
    batch = _batch(key_row(key).application_id, type_key, metadata, now)
    notification_id = new_ids(1, now=now, entropy=os.urandom(ENTROPY))[0]
    place = b"notification.sealed:" + notification_id.bytes
    one = intake.NewNotification(
        id=notification_id,
        recipient_id=recipient.id,
        status=status,
        channels=None,
        sealed=seal(people.data_key(recipient.wrapped_key, recipient.id), b'{"v":{}}', place),
        scheduled_at=now if status is NotificationStatus.SCHEDULED else None,
        expires_at=None,
    )
    intake.insert_batch(batch)
    intake.insert_notifications(batch, [one])
    return notification_id


def _batch(application_id: int, type_key: str, metadata: dict[str, Any] | None, now: datetime) -> intake.NewBatch:
    return intake.NewBatch(
        id=new_ids(1, now=now, entropy=os.urandom(ENTROPY))[0],
        application_id=application_id,
        type_key=type_key,
        priority=Priority.MEDIUM,
        template_version_id=None,
        channels=None,
        fallback_channels=[],
        collapse_key=None,
        metadata=metadata,
        test=False,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        request_id="req-1",
        total=1,
        created_at=now,
    )


def make_delivery(notification_id: UUID, recipient: RecipientRef, channel: Channel, **fields: Any) -> Delivery:
    """A delivery of a notification; `fields` as the model has them."""
    at = datetime.now(UTC) - timedelta(seconds=10)
    defaults: dict[str, Any] = {"hint": "…cdef", "status": "planned", "priority": "medium", "planned_at": at}
    return Delivery.objects.create(
        id=delivery_id(notification_id, channel, len(fields), salt=Delivery.objects.count()),
        notification_id=notification_id,
        recipient_id=recipient.id,
        channel=channel.value,
        **defaults | fields,
    )


def make_entries(recipient: RecipientRef, *titles: str, **fields: Any) -> list[UUID]:
    """Inbox entries as dispatch writes them, one after the other; the ids are their notifications'.

    `fields` are those of `InAppMessage`.
    """
    key = people.data_key(recipient.wrapped_key, recipient.id)
    found = []
    for title in titles:
        told = fields.get("notification_id") or new_ids(1, now=datetime.now(UTC), entropy=os.urandom(ENTROPY))[0]
        entry_id = delivery_id(told, Channel.IN_APP, 0)
        content = msgspec.json.encode({"title": title, "body": f"{title}, in full", "action_url": "https://shop/1"})
        defaults: dict[str, Any] = {"type": "ORDER_SHIPPED", "notification_id": told}
        message = InAppMessage(
            id=entry_id,
            recipient_id=recipient.id,
            sealed=seal(key, content, entry_place(entry_id)),
            **defaults | fields,
        )
        insert_inbox([message])
        found.append(told)
    return found


def make_attempt(delivery: Delivery, **fields: Any) -> Attempt:
    """An accepted attempt at a delivery."""
    defaults: dict[str, Any] = {"number": 1, "provider": "sandbox", "outcome": "accepted", "latency_ms": 12}
    return Attempt.objects.create(
        id=sibling_ids([delivery.id], entropy=os.urandom(6))[0],
        delivery=delivery,
        started_at=delivery.planned_at + timedelta(seconds=1),
        **defaults | fields,
    )


def make_event(notification_id: UUID, kind: EventKind, delivery: Delivery | None = None, **detail: Any) -> Event:
    """An event beside the ordinary way."""
    return Event.objects.create(
        id=sibling_ids([notification_id], entropy=os.urandom(6))[0],
        notification_id=notification_id,
        delivery_id=delivery.id if delivery is not None else None,
        at=datetime.now(UTC),
        kind=kind.value,
        detail=detail,
    )


def make_topic(key: str = "news", *subscribers: RecipientRef) -> int:
    """A topic that these people subscribe to; answers our number of it."""
    row, _ = topics.put_topic(key)
    topics.add_subscribers(row.id, [one.id for one in subscribers])
    return row.id


def make_told(topic_id: int, *titles: str, type_key: str = "NEWS", test: bool = False, **fields: Any) -> list[UUID]:
    """Things told to a topic, one after the other, as a fan-out does it; the ids are their batches'.

    The words name the reader. The type must be there; `fields` are those of `broadcasts.publish`.
    """
    version = TemplateVersion.objects.filter(template_id=f"t_{type_key}").first() or make_template(
        f"t_{type_key}",
        type_key,
        channels={"in_app": {"en": {"title": "{{ title }}", "body": "{{ title }} for {{ user.user_id }}"}}},
        variables={"title": {"type": "string", "required": True, "default": None}},
    )
    application, _ = Application.objects.get_or_create(name="shop")
    found = []
    for title in titles:
        now = datetime.now(UTC)
        batch = msgspec.structs.replace(
            _batch(application.id, type_key, None, now), template_version_id=version.pk, test=test
        )
        intake.insert_batch(batch)
        sealed = conf.KEYRING.seal_blob(msgspec.json.encode({"title": title}), batch_place(batch.id))
        Batch.objects.filter(pk=batch.id).update(sealed=sealed)
        broadcasts.publish(batch.id, topic_id, **{"expires_at": None, "now": now} | fields)
        found.append(batch.id)
    return found
