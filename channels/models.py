"""The two tables of this app: the operators' switches and the in-app inbox."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class ProviderSwitch(models.Model):
    """What an operator decided at run time about one provider account; no row means as the file says."""

    name = models.TextField(primary_key=True)
    enabled = models.BooleanField(default=True, db_default=True)
    #: Share of the traffic among accounts of equal priority; empty means the file's.
    weight = models.PositiveIntegerField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())
    updated_by = models.TextField(default="", db_default="", blank=True)

    class Meta:
        """Table name without the app's prefix twice."""

        db_table = "provider_switch"
        verbose_name = "provider switch"
        verbose_name_plural = "provider switches"


class InboxMessage(models.Model):
    """One entry of a recipient's inbox; the content is sealed under the recipient's key."""

    #: The delivery's id: delivering twice cannot show twice.
    id = models.UUIDField(primary_key=True)
    recipient_id = models.BigIntegerField()
    notification_id = models.UUIDField()
    type = models.TextField()
    sealed = models.BinaryField()
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        """One index: an inbox is read newest first."""

        db_table = "inbox_message"
        indexes = [models.Index(models.F("recipient_id"), models.F("id").desc(), name="inbox_newest_first")]
