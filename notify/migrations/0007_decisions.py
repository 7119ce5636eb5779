"""The changes of the system's mode; and what a schedule by the wall clock said, to work it out anew."""

from __future__ import annotations

from django.db import migrations, models

TABLES = """
CREATE TABLE notify_system_mode (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mode text NOT NULL CHECK (mode IN ('normal', 'degraded', 'critical')),
    reason text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE notify_batch ADD COLUMN local_time text, ADD COLUMN local_zone text, ADD COLUMN zone_data text;
CREATE INDEX notify_batch_by_wall_clock ON notify_batch (id) WHERE local_time IS NOT NULL;
"""

DROP = """
DROP INDEX notify_batch_by_wall_clock;
ALTER TABLE notify_batch DROP COLUMN zone_data, DROP COLUMN local_zone, DROP COLUMN local_time;
DROP TABLE notify_system_mode;
"""


class Migration(migrations.Migration):
    """A table of few rows, and three columns of the batches."""

    dependencies = [("notify", "0006_retention")]

    operations = [
        migrations.RunSQL(
            TABLES,
            DROP,
            state_operations=[
                migrations.CreateModel(
                    "SystemModeChange",
                    [
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "mode",
                            models.TextField(
                                choices=[("normal", "normal"), ("degraded", "degraded"), ("critical", "critical")]
                            ),
                        ),
                        ("reason", models.TextField()),
                        ("changed_by", models.TextField()),
                        ("changed_at", models.DateTimeField(auto_now_add=True)),
                    ],
                    options={"db_table": "notify_system_mode"},
                ),
                migrations.AddField("batch", "local_time", models.TextField(null=True)),
                migrations.AddField("batch", "local_zone", models.TextField(null=True)),
                migrations.AddField("batch", "zone_data", models.TextField(null=True)),
            ],
        )
    ]
