"""Whether opens and clicks of a type's e-mails are noticed: off until somebody asks for it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Two switches of a notification type."""

    dependencies = [("notify", "0002_receipts")]

    operations = [
        migrations.AddField("notificationtype", "track_opens", models.BooleanField(db_default=False, default=False)),
        migrations.AddField("notificationtype", "track_clicks", models.BooleanField(db_default=False, default=False)),
    ]
