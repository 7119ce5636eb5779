"""Tables of recipients. Private to this app's store and admin; personal data only ever in sealed columns."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Now

from channels.vocabulary import Channel, Platform
from preferences.vocabulary import (
    ConsentActor,
    ConsentMeans,
    ConsentScope,
    ConsentState,
    ContactKind,
    ContactStatus,
    InactiveReason,
    RecipientStatus,
    SuppressionReason,
)

_Words = type[
    Channel
    | ConsentActor
    | ConsentMeans
    | ConsentScope
    | ConsentState
    | ContactKind
    | ContactStatus
    | InactiveReason
    | Platform
    | RecipientStatus
    | SuppressionReason
]


def _choices(words: _Words) -> list[tuple[str, str]]:
    return [(str(word), str(word).replace("_", " ")) for word in words]


def _one_of(column: str, words: _Words, name: str) -> models.CheckConstraint:
    """The vocabulary, repeated where no code can forget it."""
    return models.CheckConstraint(condition=Q(**{f"{column}__in": [str(word) for word in words]}), name=name)


class Recipient(models.Model):
    """A person the owner's system knows by `user_id`."""

    #: Byte order: the fastest comparison, and the order in which pages lock their rows.
    user_id = models.TextField(db_collation="C")
    status = models.TextField(choices=_choices(RecipientStatus), default=RecipientStatus.ACTIVE.value)
    locale = models.TextField(default="", blank=True)
    timezone = models.TextField(default="", blank=True)
    country_code = models.TextField(default="", blank=True)
    #: In clear: segments are counted over them.
    attributes = models.JSONField(default=dict, blank=True)
    #: Wrapped under a master key; null once destroyed. What was sealed under it is unreadable then.
    data_key = models.BinaryField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "preferences_recipient"
        permissions = [("reveal_contact", "Can see a recipient's address in clear")]
        constraints = [
            # Not `unique=True`, which would bring a second index for LIKE.
            models.UniqueConstraint(fields=["user_id"], name="recipient_user_id"),
            _one_of("status", RecipientStatus, "recipient_status_known"),
            models.CheckConstraint(
                condition=Q(status="erased", data_key__isnull=True) | (~Q(status="erased") & Q(data_key__isnull=False)),
                name="recipient_key_until_erased",
            ),
        ]


class ContactPoint(models.Model):
    """A recipient's e-mail address or phone number.

    Without a constraint to its recipient, whose row is written or held by every transaction that writes this one, and
    never deleted: to check it would take a quarter of PostgreSQL's time for an import.
    """

    recipient = models.ForeignKey(
        Recipient, on_delete=models.CASCADE, related_name="contact_points", db_index=False, db_constraint=False
    )
    kind = models.TextField(choices=_choices(ContactKind))
    sealed = models.BinaryField()
    #: Keyed hash of the normalised address: look-up and suppression.
    index = models.BinaryField(db_index=True)
    hint = models.TextField()
    status = models.TextField(choices=_choices(ContactStatus), default=ContactStatus.ACTIVE.value)
    #: Temporary failures since the last delivery, and when the first of them was.
    soft_bounces = models.SmallIntegerField(default=0, db_default=0)
    soft_bounced_since = models.DateTimeField(null=True, blank=True)
    #: Since when it is this address, or was released: a receipt about an earlier message says nothing of it.
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "preferences_contact_point"
        constraints = [
            models.UniqueConstraint(fields=["recipient", "kind"], name="contact_point_one_of_a_kind"),
            _one_of("kind", ContactKind, "contact_point_kind_known"),
            _one_of("status", ContactStatus, "contact_point_status_known"),
        ]


class Device(models.Model):
    """An app installation or browser, and its push token."""

    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="devices", db_index=False)
    #: The app's own name for itself; unique per recipient.
    device_id = models.TextField()
    platform = models.TextField(choices=_choices(Platform))
    sealed = models.BinaryField()
    index = models.BinaryField()
    hint = models.TextField()
    app_version = models.TextField(default="", blank=True)
    active = models.BooleanField(default=True)
    #: Empty while it is active.
    inactive_reason = models.TextField(choices=_choices(InactiveReason), default="", blank=True)
    #: When the app last said that this token is good; a provider's older verdict is out of date.
    registered_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        db_table = "preferences_device"
        constraints = [
            models.UniqueConstraint(fields=["recipient", "device_id"], name="device_id_per_recipient"),
            models.UniqueConstraint(
                fields=["platform", "index"], condition=Q(active=True), name="device_token_active_once"
            ),
            _one_of("platform", Platform, "device_platform_known"),
            models.CheckConstraint(condition=Q(active=Q(inactive_reason="")), name="device_inactive_why"),
        ]


class Preference(models.Model):
    """What a recipient allows, as one document."""

    recipient = models.OneToOneField(Recipient, on_delete=models.CASCADE, primary_key=True, related_name="preference")
    #: `vocabulary.Preferences` without what equals the default, version included.
    document = models.JSONField(default=dict)
    version = models.IntegerField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "preferences_preference"
        constraints = [
            models.CheckConstraint(
                condition=Q(version__gte=1, version=Cast(KT("document__version"), models.IntegerField())),
                name="preference_version_counts",
            )
        ]


class Suppression(models.Model):
    """An address that nothing is sent to on a channel; outlives the recipient it was learnt from."""

    pk = models.CompositePrimaryKey("index", "channel")
    index = models.BinaryField()
    channel = models.TextField(choices=_choices(Channel))
    reason = models.TextField(choices=_choices(SuppressionReason))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "preferences_suppression"
        constraints = [
            _one_of("channel", Channel, "suppression_channel_known"),
            _one_of("reason", SuppressionReason, "suppression_reason_known"),
        ]


class Consent(models.Model):
    """An entry of the ledger: what a person allowed or forbade, when, and how we know. Append-only by a trigger."""

    id = models.BigAutoField(primary_key=True)
    #: Null: the address is nobody's, or the person was erased.
    recipient = models.ForeignKey(
        Recipient,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="consents",
        db_index=False,
        db_constraint=False,
    )
    scope = models.TextField(choices=_choices(ConsentScope))
    #: What of the scope; empty where the scope has no such part.
    channel = models.TextField(default="")
    category = models.TextField(default="")
    type_key = models.TextField(default="")
    state = models.TextField(choices=_choices(ConsentState))
    at = models.DateTimeField(db_default=Now())
    means = models.TextField(choices=_choices(ConsentMeans))
    actor = models.TextField(choices=_choices(ConsentActor))
    #: Our number of an application or of a member of staff, or the name of a provider account; else empty.
    actor_id = models.TextField(default="")
    #: Which wording the person agreed to, as the caller names it.
    text_version = models.TextField(default="")
    #: When the person said it, where whoever told us knows; `at` is when we were told.
    said_at = models.DateTimeField(null=True)
    #: Keyed hash of the address it was about at that moment, and what may be shown of it.
    address_index = models.BinaryField(null=True)
    hint = models.TextField(default="")
    #: From where the person said it, under their data key.
    ip_sealed = models.BinaryField(null=True)
    #: The message by which they said it.
    delivery_id = models.UUIDField(null=True)
    trace = models.TextField(default="")

    class Meta:
        db_table = "preferences_consent"
        indexes = [
            models.Index(models.F("recipient"), models.F("id").desc(), name="consent_newest_first"),
            models.Index(fields=["address_index"], condition=Q(address_index__isnull=False), name="consent_by_address"),
        ]
        constraints = [
            _one_of("scope", ConsentScope, "consent_scope_known"),
            _one_of("state", ConsentState, "consent_state_known"),
            _one_of("means", ConsentMeans, "consent_means_known"),
            _one_of("actor", ConsentActor, "consent_actor_known"),
        ]


class Erasure(models.Model):
    """A person was erased; what is unreadable since then is removed row by row until `done_at`."""

    recipient = models.OneToOneField(
        Recipient, on_delete=models.DO_NOTHING, primary_key=True, related_name="erasure", db_constraint=False
    )
    requested_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "preferences_erasure"
        indexes = [models.Index(fields=["requested_at"], condition=Q(done_at__isnull=True), name="erasure_under_way")]


class OptIn(models.Model):
    """Marketing that was asked for and not confirmed yet; the row goes with the answer."""

    recipient = models.OneToOneField(
        Recipient, on_delete=models.DO_NOTHING, primary_key=True, related_name="opt_in", db_constraint=False
    )
    #: What the link of the mail names: another request makes earlier links void.
    nonce = models.BigIntegerField()
    requested_at = models.DateTimeField(db_default=Now())
    #: When its mail was accepted for sending; null: it is still to be.
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "preferences_opt_in"
        indexes = [models.Index(fields=["requested_at"], condition=Q(mailed_at__isnull=True), name="opt_in_to_mail")]


class Topic(models.Model):
    """Something people subscribe to. A deleted one stays as long as there are subscriptions to remove."""

    id = models.BigAutoField(primary_key=True)
    key = models.TextField(db_collation="C")
    created_at = models.DateTimeField(db_default=Now())
    #: From then on nobody finds it by its key, which may name a new topic.
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "preferences_topic"
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=Q(deleted_at__isnull=True), name="topic_key"),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(deleted_at__isnull=False), name="topic_deleted")]


class Subscription(models.Model):
    """Who is told what a topic brings, and since when. Without foreign keys: nobody may wait for a topic's row."""

    pk = models.CompositePrimaryKey("topic", "recipient")
    topic = models.ForeignKey(Topic, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    recipient = models.ForeignKey(Recipient, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "preferences_subscription"
        # Whole, since an inbox asks for all of a reader's topics.
        indexes = [models.Index(fields=["recipient"], include=["topic", "since"], name="subscription_by_reader")]
