"""What becomes of a type over a cap, and the rows of what waits for a digest."""

from __future__ import annotations

from django.db import migrations, models

INDEXES = """
CREATE INDEX notify_digest_item_due ON notify_digest_item (due_at) WHERE digest_id IS NULL;
CREATE INDEX notify_digest_item_person ON notify_digest_item (recipient_id, channel) WHERE digest_id IS NULL;
CREATE INDEX notify_digest_item_digest ON notify_digest_item (digest_id) WHERE digest_id IS NOT NULL;
"""

DROP = """
DROP INDEX notify_digest_item_due, notify_digest_item_person, notify_digest_item_digest;
"""


class Migration(migrations.Migration):
    """A column of the types, and a table."""

    dependencies = [("notify", "0004_costs")]

    operations = [
        migrations.AddField(
            "notificationtype",
            "over_cap",
            models.TextField(
                choices=[("digest", "digest"), ("defer", "defer"), ("suppress", "suppress")],
                db_default="defer",
                default="defer",
            ),
        ),
        migrations.CreateModel(
            "DigestItem",
            [
                ("delivery_id", models.UUIDField(primary_key=True, serialize=False)),
                ("notification_id", models.UUIDField()),
                ("recipient_id", models.BigIntegerField()),
                ("channel", models.TextField()),
                ("due_at", models.DateTimeField()),
                ("digest_id", models.UUIDField(null=True)),
            ],
            options={"db_table": "notify_digest_item"},
        ),
        migrations.RunSQL(INDEXES, DROP),
    ]
