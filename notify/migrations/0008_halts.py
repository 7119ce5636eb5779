"""Batches that are stopped and counted as a whole, and the variables that their notifications share."""

from __future__ import annotations

from django.db import migrations, models

TABLES = """
CREATE TABLE notify_halt (
    batch_id uuid PRIMARY KEY,
    halt text NOT NULL CHECK (halt IN ('held', 'cancelled')),
    since timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE notify_batch ADD COLUMN sealed bytea;
ALTER TABLE notify_delivery ADD COLUMN batch_id uuid;
"""

DROP = """
ALTER TABLE notify_delivery DROP COLUMN batch_id;
ALTER TABLE notify_batch DROP COLUMN sealed;
DROP TABLE notify_halt;
"""


class Migration(migrations.Migration):
    """A table of few rows, and two columns that are null for what is told to few."""

    dependencies = [("notify", "0007_decisions")]

    operations = [
        migrations.RunSQL(
            TABLES,
            DROP,
            state_operations=[
                migrations.CreateModel(
                    "HaltedBatch",
                    [
                        ("batch_id", models.UUIDField(primary_key=True, serialize=False)),
                        ("halt", models.TextField(choices=[("held", "held"), ("cancelled", "cancelled")])),
                        ("since", models.DateTimeField(auto_now_add=True)),
                    ],
                    options={"db_table": "notify_halt"},
                ),
                migrations.AddField("batch", "sealed", models.BinaryField(null=True)),
                migrations.AddField("delivery", "batch_id", models.UUIDField(null=True)),
            ],
        )
    ]
