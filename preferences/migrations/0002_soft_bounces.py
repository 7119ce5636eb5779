"""Temporary failures are counted per address; enough of them over enough days close it."""

from __future__ import annotations

from django.db import migrations, models

_REASONS = ["hard_bounce", "soft_bounce", "complaint", "unsubscribe", "invalid", "manual"]


class Migration(migrations.Migration):
    """Soft bounces."""

    dependencies = [("preferences", "0001_initial")]

    operations = [
        migrations.AddField("contactpoint", "soft_bounces", models.SmallIntegerField(default=0, db_default=0)),
        migrations.AddField("contactpoint", "soft_bounced_since", models.DateTimeField(null=True, blank=True)),
        migrations.AlterField(
            "suppression",
            "reason",
            models.TextField(choices=[(reason, reason.replace("_", " ")) for reason in _REASONS]),
        ),
        migrations.RemoveConstraint("suppression", "suppression_reason_known"),
        migrations.AddConstraint(
            "suppression",
            models.CheckConstraint(condition=models.Q(("reason__in", _REASONS)), name="suppression_reason_known"),
        ),
    ]
