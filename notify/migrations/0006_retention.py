"""How long the words of a type are kept, where that is shorter than the log; and how far they have been cleared."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Two columns of the types."""

    dependencies = [("notify", "0005_digests")]

    operations = [
        migrations.AddField("notificationtype", "retention_days", models.IntegerField(blank=True, null=True)),
        migrations.AddField("notificationtype", "cleared_until", models.UUIDField(editable=False, null=True)),
    ]
