"""What was told to a topic once, and stands in the inbox of whoever subscribed."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models.functions import Cast, Now


class Migration(migrations.Migration):
    """A table of a row for each telling, whatever the number of readers."""

    dependencies = [("notify", "0008_halts")]

    operations = [
        migrations.CreateModel(
            name="Broadcast",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("batch_id", models.UUIDField()),
                ("topic_id", models.BigIntegerField()),
                ("type_key", models.TextField()),
                ("created_at", models.DateTimeField(db_default=Now())),
                ("expires_at", models.DateTimeField(null=True)),
                ("cancelled_at", models.DateTimeField(null=True)),
                (
                    "changed",
                    models.BigIntegerField(
                        db_default=Cast(
                            Cast(models.Func(function="pg_current_xact_id"), models.TextField()),
                            models.BigIntegerField(),
                        )
                    ),
                ),
            ],
            options={
                "db_table": "notify_broadcast",
                "constraints": [models.UniqueConstraint(fields=("batch_id", "topic_id"), name="broadcast_once")],
                "indexes": [
                    models.Index(models.F("topic_id"), models.F("created_at").desc(), name="broadcast_newest_first")
                ],
            },
        ),
    ]
