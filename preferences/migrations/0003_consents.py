"""The consent ledger, which the database itself keeps append-only, and the erasures under way."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

_SCOPES = ["global", "marketing", "channel", "category", "type", "sms", "address"]
_STATES = ["given", "withdrawn", "requested"]
_MEANS = [
    "api",
    "preference_page",
    "unsubscribe_link",
    "complaint",
    "stop",
    "import",
    "admin",
    "double_opt_in",
    "erasure",
]
_ACTORS = ["application", "staff", "person", "provider"]
_REASONS = ["hard_bounce", "soft_bounce", "complaint", "unsubscribe", "invalid", "manual", "erasure"]

#: One change is allowed: whatever leads to the person goes, once, and nothing else changes.
GUARD = """
CREATE FUNCTION preferences_consent_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.recipient_id IS NOT NULL AND NEW.recipient_id IS NULL AND NEW.hint = ''
        AND NEW.ip_sealed IS NULL AND NEW.delivery_id IS NULL AND NEW.trace = ''
        AND (NEW.id, NEW.scope, NEW.channel, NEW.category, NEW.type_key, NEW.state, NEW.at, NEW.means, NEW.actor,
             NEW.actor_id, NEW.text_version, NEW.address_index)
            IS NOT DISTINCT FROM
            (OLD.id, OLD.scope, OLD.channel, OLD.category, OLD.type_key, OLD.state, OLD.at, OLD.means, OLD.actor,
             OLD.actor_id, OLD.text_version, OLD.address_index)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the consent ledger is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER preferences_consent_stays BEFORE UPDATE OR DELETE ON preferences_consent
    FOR EACH ROW EXECUTE FUNCTION preferences_consent_stays();
"""
UNGUARD = """
DROP TRIGGER preferences_consent_stays ON preferences_consent;
DROP FUNCTION preferences_consent_stays();
"""


def _choices(words: list[str]) -> list[tuple[str, str]]:
    return [(word, word.replace("_", " ")) for word in words]


def _known(column: str, words: list[str], name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=models.Q((f"{column}__in", words)), name=name)


class Migration(migrations.Migration):
    """Consents and erasures."""

    dependencies = [("preferences", "0002_soft_bounces")]

    operations = [
        migrations.CreateModel(
            name="Consent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "recipient",
                    models.ForeignKey(
                        null=True,
                        db_index=False,
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="consents",
                        to="preferences.recipient",
                    ),
                ),
                ("scope", models.TextField(choices=_choices(_SCOPES))),
                ("channel", models.TextField(default="")),
                ("category", models.TextField(default="")),
                ("type_key", models.TextField(default="")),
                ("state", models.TextField(choices=_choices(_STATES))),
                ("at", models.DateTimeField(db_default=Now())),
                ("means", models.TextField(choices=_choices(_MEANS))),
                ("actor", models.TextField(choices=_choices(_ACTORS))),
                ("actor_id", models.TextField(default="")),
                ("text_version", models.TextField(default="")),
                ("address_index", models.BinaryField(null=True)),
                ("hint", models.TextField(default="")),
                ("ip_sealed", models.BinaryField(null=True)),
                ("delivery_id", models.UUIDField(null=True)),
                ("trace", models.TextField(default="")),
            ],
            options={
                "db_table": "preferences_consent",
                "indexes": [
                    models.Index(
                        models.F("recipient"),
                        models.OrderBy(models.F("id"), descending=True),
                        name="consent_newest_first",
                    ),
                    models.Index(
                        fields=["address_index"],
                        condition=models.Q(("address_index__isnull", False)),
                        name="consent_by_address",
                    ),
                ],
                "constraints": [
                    _known("scope", _SCOPES, "consent_scope_known"),
                    _known("state", _STATES, "consent_state_known"),
                    _known("means", _MEANS, "consent_means_known"),
                    _known("actor", _ACTORS, "consent_actor_known"),
                ],
            },
        ),
        migrations.RunSQL(GUARD, UNGUARD),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                (
                    "recipient",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="erasure",
                        serialize=False,
                        to="preferences.recipient",
                    ),
                ),
                ("requested_at", models.DateTimeField(db_default=Now())),
                ("done_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "preferences_erasure",
                "indexes": [
                    models.Index(
                        fields=["requested_at"],
                        condition=models.Q(("done_at__isnull", True)),
                        name="erasure_under_way",
                    )
                ],
            },
        ),
        migrations.AlterField("suppression", "reason", models.TextField(choices=_choices(_REASONS))),
        migrations.RemoveConstraint("suppression", "suppression_reason_known"),
        migrations.AddConstraint("suppression", _known("reason", _REASONS, "suppression_reason_known")),
    ]
