"""A number that is raised when Redis could not be told of a change."""

from django.db import migrations


class Migration(migrations.Migration):
    """A sequence: raised without a lock, whoever else is writing, and never taken back."""

    dependencies = [("preferences", "0003_consents")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE preferences_facts_epoch AS bigint CYCLE",
            "DROP SEQUENCE preferences_facts_epoch",
        )
    ]
