"""Which entries are a reader's own row of what a topic was told."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """A column that is null for what was sent to one person, and an index of the others."""

    dependencies = [("channels", "0004_inbox")]

    operations = [
        migrations.AddField("inboxmessage", "broadcast_id", models.UUIDField(null=True)),
        migrations.AddIndex(
            "inboxmessage",
            models.Index(
                condition=models.Q(("broadcast_id__isnull", False)),
                fields=["recipient_id", "broadcast_id"],
                name="inbox_touched",
            ),
        ),
    ]
