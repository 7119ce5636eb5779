"""What an attempt cost: the segments it was billed as, and the price of that moment."""

from __future__ import annotations

from django.db import migrations, models

COLUMNS = """
ALTER TABLE notify_attempt ADD COLUMN segments smallint NOT NULL DEFAULT 0,
    ADD COLUMN cost_micros bigint NOT NULL DEFAULT 0;
"""

DROP = "ALTER TABLE notify_attempt DROP COLUMN cost_micros, DROP COLUMN segments;"


class Migration(migrations.Migration):
    """Two columns of the attempts, in all partitions."""

    dependencies = [("notify", "0003_tracking")]

    operations = [
        migrations.RunSQL(
            COLUMNS,
            DROP,
            state_operations=[
                migrations.AddField("attempt", "segments", models.SmallIntegerField(default=0)),
                migrations.AddField("attempt", "cost_micros", models.BigIntegerField(default=0)),
            ],
        )
    ]
