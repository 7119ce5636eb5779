"""What providers say afterwards, and what a delivery must remember to be tried once more elsewhere."""

from __future__ import annotations

from django.db import migrations, models

TABLES = """
ALTER TABLE notify_delivery ADD COLUMN avoid text NOT NULL DEFAULT '', ADD COLUMN ambiguous smallint NOT NULL DEFAULT 0;

CREATE TABLE notify_receipt (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    event_id text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('push', 'email', 'sms', 'in_app')),
    kind text NOT NULL,
    delivery_id uuid,
    provider_message_id text NOT NULL DEFAULT '',
    address_index bytea NOT NULL DEFAULT '',
    code text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    by_machine boolean NOT NULL DEFAULT false,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz DEFAULT now(),
    tries smallint NOT NULL DEFAULT 0,
    done_at timestamptz,
    outcome text NOT NULL DEFAULT '',
    CONSTRAINT receipt_once UNIQUE (account, event_id),
    CONSTRAINT receipt_open_or_done CHECK (
        (due_at IS NULL) = (done_at IS NOT NULL) AND (due_at IS NULL) = (outcome <> ''))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX notify_receipt_due ON notify_receipt (due_at) WHERE due_at IS NOT NULL;
-- Rows come in the order of time: a few kilobytes find those that are old.
CREATE INDEX notify_receipt_age ON notify_receipt USING brin (received_at);
"""

DROP = """
DROP TABLE notify_receipt;
ALTER TABLE notify_delivery DROP COLUMN ambiguous, DROP COLUMN avoid;
"""


class Migration(migrations.Migration):
    """Receipts, and deliveries that know them."""

    dependencies = [("notify", "0001_initial")]

    operations = [
        migrations.RunSQL(
            TABLES,
            DROP,
            state_operations=[
                migrations.AddField("delivery", "avoid", models.TextField(default="")),
                migrations.AddField("delivery", "ambiguous", models.SmallIntegerField(default=0)),
                migrations.CreateModel(
                    name="Receipt",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("account", models.TextField()),
                        ("event_id", models.TextField()),
                        ("channel", models.TextField()),
                        ("kind", models.TextField()),
                        ("delivery_id", models.UUIDField(null=True)),
                        ("provider_message_id", models.TextField(default="")),
                        ("address_index", models.BinaryField(default=b"")),
                        ("code", models.TextField(default="")),
                        ("detail", models.TextField(default="")),
                        ("by_machine", models.BooleanField(default=False)),
                        ("occurred_at", models.DateTimeField()),
                        ("received_at", models.DateTimeField()),
                        ("due_at", models.DateTimeField(null=True)),
                        ("tries", models.SmallIntegerField(default=0)),
                        ("done_at", models.DateTimeField(null=True)),
                        ("outcome", models.TextField(default="")),
                    ],
                    options={"db_table": "notify_receipt"},
                ),
            ],
        ),
        migrations.AddIndex("deadletter", models.Index(fields=["delivery_id"], name="dead_letter_delivery")),
    ]
