"""Who asked for marketing and has not confirmed it yet."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    """Double opt-in."""

    dependencies = [("preferences", "0004_facts_epoch")]

    operations = [
        migrations.CreateModel(
            name="OptIn",
            fields=[
                (
                    "recipient",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="opt_in",
                        serialize=False,
                        to="preferences.recipient",
                    ),
                ),
                ("nonce", models.BigIntegerField()),
                ("requested_at", models.DateTimeField(db_default=Now())),
                ("mailed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "preferences_opt_in",
                "indexes": [
                    models.Index(
                        fields=["requested_at"], condition=models.Q(("mailed_at__isnull", True)), name="opt_in_to_mail"
                    )
                ],
            },
        ),
    ]
