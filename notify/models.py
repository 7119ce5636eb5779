"""Tables of the pipeline. Private to this app's store and admin; hot tables are partitioned in the migration."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Cast, Now

from notify.vocabulary import (
    DeliveryStatus,
    Halt,
    NotificationStatus,
    OverCap,
    Priority,
    QuietHoursPolicy,
    SystemMode,
    Tier,
)


def _choices(
    words: type[Priority | DeliveryStatus | Halt | NotificationStatus | QuietHoursPolicy | OverCap | SystemMode | Tier],
) -> list[tuple[str, str]]:
    return [(str(word), str(word).replace("_", " ")) for word in words]


class Application(models.Model):
    """A system that may call the API."""

    name = models.TextField(unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    disabled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "notify_application"


class ApiKey(models.Model):
    """A credential of an application; only a hash of its secret is stored."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="keys")
    #: Eight characters, shown in lists and logs; finds the row.
    prefix = models.TextField(unique=True)
    secret_hash = models.BinaryField()
    last4 = models.TextField()
    scopes = ArrayField(models.TextField())
    tier = models.TextField(choices=_choices(Tier), default=Tier.STANDARD.value)
    is_test = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "notify_api_key"


class Template(models.Model):
    """The words of a notification type; what they say is in its versions."""

    template_id = models.TextField(primary_key=True)
    type_key = models.TextField()
    default_locale = models.TextField(default="en")
    #: Number of the version that new notifications pin; null until one is published.
    published_version = models.IntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "notify_template"


class TemplateVersion(models.Model):
    """One immutable wording of a template in every channel and language."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    #: {channel: {locale: {field: source}}} as its author wrote it.
    channels = models.JSONField()
    #: The same shape after MJML and CSS inlining: what is rendered.
    compiled = models.JSONField()
    #: {name: {"type", "required", "default"}}.
    variables = models.JSONField(default=dict)
    created_by = models.TextField(default="")
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.TextField(default="", blank=True)

    class Meta:
        db_table = "notify_template_version"
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="template_version_number")]


class NotificationType(models.Model):
    """What kinds of thing may be told, and the policy each is told by."""

    key = models.TextField(primary_key=True)
    category = models.TextField()
    priority = models.TextField(choices=_choices(Priority), default=Priority.MEDIUM.value)
    channels = ArrayField(models.TextField())
    exempt_from_caps = models.BooleanField(default=False)
    #: [{"max": 10, "per_seconds": 3600}].
    caps = models.JSONField(default=list, blank=True)
    quiet_hours = models.TextField(choices=_choices(QuietHoursPolicy), default=QuietHoursPolicy.DEFER.value)
    digestible = models.BooleanField(default=False)
    over_cap = models.TextField(choices=_choices(OverCap), default=OverCap.DEFER.value, db_default=OverCap.DEFER.value)
    mandatory = models.BooleanField(default=False)
    ttl_seconds = models.IntegerField(null=True, blank=True)
    #: Days after which its words go, before the log does; null: with the log.
    retention_days = models.IntegerField(null=True, blank=True)
    #: The notification up to which they are gone.
    cleared_until = models.UUIDField(null=True, editable=False)
    track_opens = models.BooleanField(default=False, db_default=False)
    track_clicks = models.BooleanField(default=False, db_default=False)
    template = models.ForeignKey(Template, null=True, blank=True, on_delete=models.PROTECT, related_name="types")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "notify_type"


class Batch(models.Model):
    """One accepted request: what its notifications share. Partitioned by id."""

    id = models.UUIDField(primary_key=True)
    application = models.ForeignKey(Application, on_delete=models.DO_NOTHING, db_constraint=False)
    type_key = models.TextField()
    priority = models.TextField()
    template_version = models.ForeignKey(TemplateVersion, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    channels = ArrayField(models.TextField(), null=True)
    fallback_channels = ArrayField(models.TextField(), default=list)
    collapse_key = models.TextField(null=True)
    metadata = models.JSONField(null=True)
    test = models.BooleanField()
    trace_id = models.TextField()
    request_id = models.TextField()
    total = models.IntegerField()
    #: A schedule by the wall clock as it was given, its zone ("recipient": each one's own), and the version of the zone
    #: data its instants were worked out with. Null: an instant, or none.
    local_time = models.TextField(null=True)
    local_zone = models.TextField(null=True)
    zone_data = models.TextField(null=True)
    #: Variables that all its notifications share, under the master key; null: each has its own.
    sealed = models.BinaryField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "notify_batch"


class Notification(models.Model):
    """What happened to whom: one recipient's share of a batch. Partitioned by id."""

    id = models.UUIDField(primary_key=True)
    batch = models.ForeignKey(Batch, on_delete=models.DO_NOTHING, db_constraint=False)
    recipient = models.ForeignKey("preferences.Recipient", on_delete=models.DO_NOTHING, db_constraint=False)
    type_key = models.TextField()
    priority = models.TextField()
    status = models.TextField(choices=_choices(NotificationStatus))
    #: This recipient's own channels; null: the batch's, else the type's.
    channels = ArrayField(models.TextField(), null=True)
    #: {"v": variables, "c": inline content} as JSON under the recipient's data key.
    sealed = models.BinaryField()
    scheduled_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "notify_notification"


class Delivery(models.Model):
    """One way of telling one recipient: a channel and an endpoint. Partitioned by id."""

    id = models.UUIDField(primary_key=True)
    notification = models.ForeignKey(Notification, on_delete=models.DO_NOTHING, db_constraint=False)
    recipient = models.ForeignKey("preferences.Recipient", on_delete=models.DO_NOTHING, db_constraint=False)
    channel = models.TextField()
    priority = models.TextField()
    #: The device of a push delivery; null on the other channels.
    device_id = models.BigIntegerField(null=True)
    hint = models.TextField(default="")
    status = models.TextField(choices=_choices(DeliveryStatus))
    reason_code = models.TextField(null=True)
    #: What the provider or the rule said, without personal data.
    detail = models.TextField(default="")
    #: 0: planned at first; n: the n-th fallback channel.
    fallback = models.SmallIntegerField(default=0)
    #: How many deliveries its notification had when this one was planned.
    siblings = models.SmallIntegerField(default=1)
    attempts = models.SmallIntegerField(default=0)
    #: The account that took it; its message id is on the attempt.
    provider = models.TextField(default="")
    #: The account that took it and said later that it had failed: the next try goes elsewhere, and there is only one.
    avoid = models.TextField(default="")
    #: Attempts whose fate nobody knows.
    ambiguous = models.SmallIntegerField(default=0)
    lease_token = models.BigIntegerField(null=True)
    lease_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    planned_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)
    #: The batch, where it is one that is counted and stopped as a whole: a campaign's. Else null.
    batch_id = models.UUIDField(null=True)

    class Meta:
        db_table = "notify_delivery"


class Attempt(models.Model):
    """One try at a provider, as it came out. Append-only, partitioned by id."""

    id = models.UUIDField(primary_key=True)
    delivery = models.ForeignKey(Delivery, on_delete=models.DO_NOTHING, db_constraint=False)
    number = models.SmallIntegerField()
    provider = models.TextField()
    outcome = models.TextField()
    code = models.TextField(default="")
    detail = models.TextField(default="")
    provider_message_id = models.TextField(default="")
    started_at = models.DateTimeField()
    latency_ms = models.IntegerField()
    #: Text messages it was billed as; 0 on other channels.
    segments = models.SmallIntegerField(default=0)
    #: By the rate card of that moment; 0 where nobody took it.
    cost_micros = models.BigIntegerField(default=0)

    class Meta:
        db_table = "notify_attempt"


class Event(models.Model):
    """What happened beside the ordinary way. Append-only, partitioned by id."""

    id = models.UUIDField(primary_key=True)
    notification = models.ForeignKey(Notification, on_delete=models.DO_NOTHING, db_constraint=False)
    delivery_id = models.UUIDField(null=True)
    at = models.DateTimeField()
    kind = models.TextField()
    detail = models.JSONField(default=dict)

    class Meta:
        db_table = "notify_event"


class Page(models.Model):
    """Work that remains: which ids wait for which step. The outbox; a row per page, not per notification."""

    id = models.UUIDField(primary_key=True)
    step = models.TextField()
    priority = models.TextField()
    channel = models.TextField(null=True)
    ids = ArrayField(models.UUIDField())
    #: When the sweeper puts the page into its queue (again).
    due_at = models.DateTimeField()
    #: How often the sweeper has done so.
    sweeps = models.SmallIntegerField(default=0)
    #: How often a worker has claimed it: the fencing token.
    claims = models.IntegerField(default=0)
    #: Claims since a worker last came through with it: many mean that something in it kills workers.
    strikes = models.SmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)
    trace_id = models.TextField(default="")

    class Meta:
        db_table = "notify_page"


class DigestItem(models.Model):
    """A delivery that is told inside a digest: waiting for one, or named by the one that tells it."""

    delivery_id = models.UUIDField(primary_key=True)
    notification_id = models.UUIDField()
    recipient_id = models.BigIntegerField()
    channel = models.TextField()
    #: When the digest is to be made that holds it.
    due_at = models.DateTimeField()
    #: The notification that tells it; null while it waits.
    digest_id = models.UUIDField(null=True)

    class Meta:
        db_table = "notify_digest_item"


class IdempotencyKey(models.Model):
    """The first answer to a key, kept 24 hours per application."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE)
    key = models.TextField()
    fingerprint = models.BinaryField()
    response = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "notify_idempotency_key"
        constraints = [models.UniqueConstraint(fields=["application", "key"], name="idempotency_key_once")]


class SystemModeChange(models.Model):
    """A change of what the whole system may do; the last one is in force."""

    mode = models.TextField(choices=_choices(SystemMode))
    reason = models.TextField()
    changed_by = models.TextField()
    changed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "notify_system_mode"


class HaltedBatch(models.Model):
    """A batch that was stopped as a whole."""

    batch_id = models.UUIDField(primary_key=True)
    halt = models.TextField(choices=_choices(Halt))
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "notify_halt"


class Receipt(models.Model):
    """What a provider said afterwards about a message or an address. The inbox of callbacks; kept for a month."""

    id = models.BigAutoField(primary_key=True)
    #: The provider account; together with the event id, what makes a repeat a repeat.
    account = models.TextField()
    event_id = models.TextField()
    channel = models.TextField()
    kind = models.TextField()
    delivery_id = models.UUIDField(null=True)
    provider_message_id = models.TextField(default="")
    #: Keyed hash of the address it is about; empty where the provider named none.
    address_index = models.BinaryField(default=b"")
    code = models.TextField(default="")
    detail = models.TextField(default="")
    by_machine = models.BooleanField(default=False)
    #: By the provider's clock, where it says; else when it came in.
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    #: When it is to be looked at (again); null once that is done.
    due_at = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    #: What came of it; empty while it is open.
    outcome = models.TextField(default="")

    class Meta:
        db_table = "notify_receipt"


class DeadLetter(models.Model):
    """A delivery nobody could make: kept with its reason until an operator replays or dismisses it."""

    delivery_id = models.UUIDField()
    notification_id = models.UUIDField()
    recipient = models.ForeignKey("preferences.Recipient", on_delete=models.DO_NOTHING, db_constraint=False)
    channel = models.TextField()
    type_key = models.TextField(default="")
    reason_code = models.TextField()
    final_error = models.TextField()
    attempts = models.SmallIntegerField()
    failed_at = models.DateTimeField()
    replayed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "notify_dead_letter"
        indexes = [
            models.Index(fields=["-failed_at"], name="dead_letter_newest"),
            models.Index(fields=["delivery_id"], name="dead_letter_delivery"),
        ]


class Broadcast(models.Model):
    """Something that was told to a topic once: its readers' inboxes show it without having a row of it."""

    #: A UUIDv7: the ids of its readers' notifications begin with the same millisecond.
    id = models.UUIDField(primary_key=True)
    batch_id = models.UUIDField()
    topic_id = models.BigIntegerField()
    type_key = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    #: Id of the transaction that wrote it, for listeners who ask what is new (`channels/store/inbox.py`).
    changed = models.BigIntegerField(
        db_default=Cast(Cast(models.Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField())
    )

    class Meta:
        db_table = "notify_broadcast"
        constraints = [models.UniqueConstraint(fields=["batch_id", "topic_id"], name="broadcast_once")]
        indexes = [
            models.Index(models.F("topic_id"), models.F("created_at").desc(), name="broadcast_newest_first"),
        ]
