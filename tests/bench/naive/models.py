"""Three plain tables."""

from __future__ import annotations

from django.db import models


class Person(models.Model):
    """Somebody with a device."""

    user_id = models.CharField(max_length=64, unique=True)
    locale = models.CharField(max_length=16)
    token = models.CharField(max_length=255)
    push_enabled = models.BooleanField(default=True)


class Wording(models.Model):
    """What a kind of notification says in a language."""

    kind = models.CharField(max_length=64)
    language = models.CharField(max_length=16)
    title = models.TextField()
    body = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "language"], name="wording_once")]


class Notification(models.Model):
    """What somebody was told."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    kind = models.CharField(max_length=64)
    order_id = models.CharField(max_length=64)
    title = models.TextField(default="")
    body = models.TextField(default="")
    status = models.CharField(max_length=16, default="pending", db_index=True)
    provider_id = models.CharField(max_length=255, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "kind", "order_id"], name="notification_once")]
