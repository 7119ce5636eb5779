"""When a person said it, beside when we were told; and addresses whose recipient nobody checks row by row."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

#: What of an entry never changes.
_KEPT = (
    "id, scope, channel, category, type_key, state, at, means, actor, actor_id, text_version, address_index".split(", ")
)


def _guard(kept: list[str]) -> str:
    new, old = (", ".join(f"{row}.{column}" for column in kept) for row in ("NEW", "OLD"))
    return f"""
CREATE OR REPLACE FUNCTION preferences_consent_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.recipient_id IS NOT NULL AND NEW.recipient_id IS NULL AND NEW.hint = ''
        AND NEW.ip_sealed IS NULL AND NEW.delivery_id IS NULL AND NEW.trace = ''
        AND ({new}) IS NOT DISTINCT FROM ({old})
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the consent ledger is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""


class Migration(migrations.Migration):
    """`said_at`, which the guard of the ledger keeps too."""

    dependencies = [("preferences", "0006_topics")]

    operations = [
        migrations.AddField("consent", "said_at", models.DateTimeField(null=True)),
        migrations.RunSQL(_guard([*_KEPT, "said_at"]), _guard(_KEPT)),
        migrations.AlterField(
            "contactpoint",
            "recipient",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="contact_points",
                to="preferences.recipient",
            ),
        ),
    ]
