"""Tables of recipients. Private to this app's store and admin; personal data only ever in sealed columns."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from channels.vocabulary import Channel, Platform
from preferences.vocabulary import (
    ContactKind,
    ContactStatus,
    InactiveReason,
    RecipientStatus,
    SuppressionReason,
)

_Words = type[Channel | ContactKind | ContactStatus | InactiveReason | Platform | RecipientStatus | SuppressionReason]


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
    """A recipient's e-mail address or phone number."""

    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="contact_points", db_index=False)
    kind = models.TextField(choices=_choices(ContactKind))
    sealed = models.BinaryField()
    #: Keyed hash of the normalised address: look-up and suppression.
    index = models.BinaryField(db_index=True)
    hint = models.TextField()
    status = models.TextField(choices=_choices(ContactStatus), default=ContactStatus.ACTIVE.value)
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
