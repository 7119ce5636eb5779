"""The pipeline's tables. Hot ones are range-partitioned by week on their UUIDv7 id, whose first bits are the time."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

#: A status with what its row must then hold: the life cycle's table, repeated where no code can forget it.
TABLES = """
CREATE TABLE notify_batch (
    id uuid PRIMARY KEY,
    application_id bigint NOT NULL,
    type_key text NOT NULL,
    priority text NOT NULL CHECK (priority IN ('critical', 'high', 'medium', 'low')),
    template_version_id bigint,
    channels text[],
    fallback_channels text[] NOT NULL DEFAULT '{}',
    collapse_key text,
    metadata jsonb,
    test boolean NOT NULL,
    trace_id text NOT NULL,
    request_id text NOT NULL,
    total integer NOT NULL,
    created_at timestamptz NOT NULL
) PARTITION BY RANGE (id);

CREATE TABLE notify_notification (
    id uuid PRIMARY KEY,
    batch_id uuid NOT NULL,
    recipient_id bigint NOT NULL,
    type_key text NOT NULL,
    priority text NOT NULL CHECK (priority IN ('critical', 'high', 'medium', 'low')),
    status text NOT NULL CHECK (status IN ('accepted', 'scheduled', 'deferred', 'processing', 'sent', 'delivered',
        'partially_delivered', 'suppressed', 'failed', 'expired', 'cancelled')),
    channels text[],
    sealed bytea NOT NULL,
    scheduled_at timestamptz,
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    CHECK (status <> 'scheduled' OR scheduled_at IS NOT NULL)
) PARTITION BY RANGE (id);
CREATE INDEX notify_notification_recipient ON notify_notification (recipient_id, id DESC);

CREATE TABLE notify_delivery (
    id uuid PRIMARY KEY,
    notification_id uuid NOT NULL,
    recipient_id bigint NOT NULL,
    channel text NOT NULL CHECK (channel IN ('push', 'email', 'sms', 'in_app')),
    priority text NOT NULL CHECK (priority IN ('critical', 'high', 'medium', 'low')),
    device_id bigint,
    hint text NOT NULL DEFAULT '',
    status text NOT NULL,
    reason_code text,
    detail text NOT NULL DEFAULT '',
    fallback smallint NOT NULL DEFAULT 0,
    siblings smallint NOT NULL DEFAULT 1,
    attempts smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    provider text NOT NULL DEFAULT '',
    lease_token bigint,
    lease_until timestamptz,
    next_attempt_at timestamptz,
    expires_at timestamptz,
    planned_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    delivered_at timestamptz,
    opened_at timestamptz,
    clicked_at timestamptz,
    -- One CASE, the usual statuses first: five separate constraints cost every write two microseconds.
    CONSTRAINT delivery_status CHECK (CASE status
        WHEN 'planned' THEN reason_code IS NULL AND lease_until IS NULL AND next_attempt_at IS NULL
        WHEN 'sending' THEN reason_code IS NULL AND lease_until IS NOT NULL AND next_attempt_at IS NULL
        WHEN 'sent' THEN reason_code IS NULL AND lease_until IS NULL AND next_attempt_at IS NULL
            AND sent_at IS NOT NULL AND provider <> ''
        WHEN 'delivered' THEN reason_code IS NULL AND lease_until IS NULL AND next_attempt_at IS NULL
            AND sent_at IS NOT NULL AND provider <> ''
        WHEN 'retrying' THEN reason_code IS NULL AND lease_until IS NULL
        WHEN 'deferred' THEN reason_code IS NULL AND lease_until IS NULL
        WHEN 'suppressed' THEN reason_code IS NOT NULL AND lease_until IS NULL AND next_attempt_at IS NULL
        WHEN 'failed' THEN reason_code IS NOT NULL AND lease_until IS NULL AND next_attempt_at IS NULL
        WHEN 'bounced' THEN reason_code IS NOT NULL AND lease_until IS NULL AND next_attempt_at IS NULL
            AND sent_at IS NOT NULL AND provider <> ''
        WHEN 'expired' THEN reason_code IS NOT NULL AND lease_until IS NULL AND next_attempt_at IS NULL
        WHEN 'cancelled' THEN reason_code IS NOT NULL AND lease_until IS NULL AND next_attempt_at IS NULL
        WHEN 'dead' THEN reason_code IS NOT NULL AND lease_until IS NULL AND next_attempt_at IS NULL
        ELSE false END)
) PARTITION BY RANGE (id);
CREATE INDEX notify_delivery_due ON notify_delivery (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

CREATE TABLE notify_attempt (
    id uuid PRIMARY KEY,
    delivery_id uuid NOT NULL,
    number smallint NOT NULL,
    provider text NOT NULL,
    outcome text NOT NULL,
    code text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    provider_message_id text NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL,
    latency_ms integer NOT NULL
) PARTITION BY RANGE (id);

CREATE TABLE notify_event (
    id uuid PRIMARY KEY,
    notification_id uuid NOT NULL,
    delivery_id uuid,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
) PARTITION BY RANGE (id);

CREATE TABLE notify_page (
    id uuid PRIMARY KEY,
    step text NOT NULL CHECK (step IN ('plan', 'fallback', 'send')),
    priority text NOT NULL CHECK (priority IN ('critical', 'high', 'medium', 'low')),
    channel text,
    ids uuid[] NOT NULL CHECK (cardinality(ids) BETWEEN 1 AND 1000),
    due_at timestamptz NOT NULL,
    sweeps smallint NOT NULL DEFAULT 0,
    claims integer NOT NULL DEFAULT 0,
    strikes smallint NOT NULL DEFAULT 0,
    claimed_until timestamptz,
    trace_id text NOT NULL DEFAULT '',
    CHECK ((step = 'send') = (channel IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX notify_page_due ON notify_page (due_at);

-- The first id of an instant: 48 bits of milliseconds, then zeros.
CREATE FUNCTION notify_first_id(instant timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM instant) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Weekly partitions of every hot table from a week to a week, both included; those that exist stay as they are.
CREATE FUNCTION notify_ensure_partitions(first timestamptz, last timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    parent text; week timestamp; made integer := 0; name text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['notify_batch', 'notify_notification', 'notify_delivery', 'notify_attempt', 'notify_event'] LOOP
        week := date_trunc('week', first AT TIME ZONE 'UTC');
        WHILE week <= last AT TIME ZONE 'UTC' LOOP
            name := parent || '_' || to_char(week, 'YYYYMMDD');
            IF to_regclass(name) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = %s)',
                    name, parent, notify_first_id(week AT TIME ZONE 'UTC'),
                    notify_first_id((week + interval '7 days') AT TIME ZONE 'UTC'),
                    CASE WHEN parent IN ('notify_delivery', 'notify_notification') THEN 60 ELSE 100 END);
                made := made + 1;
            END IF;
            week := week + interval '7 days';
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- Drops the weeks that ended before an instant: retention without a DELETE.
CREATE FUNCTION notify_drop_partitions(before timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    part record; dropped integer := 0;
BEGIN
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.relname IN ('notify_batch', 'notify_notification', 'notify_delivery', 'notify_attempt', 'notify_event')
          AND to_date(right(c.relname, 8), 'YYYYMMDD') + 7 <= (before AT TIME ZONE 'UTC')::date
    LOOP
        EXECUTE format('DROP TABLE %I', part.relname);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

SELECT notify_ensure_partitions(now() - interval '7 days', now() + interval '56 days');
"""

DROP = """
DROP FUNCTION notify_drop_partitions(timestamptz);
DROP FUNCTION notify_ensure_partitions(timestamptz, timestamptz);
DROP FUNCTION notify_first_id(timestamptz);
DROP TABLE notify_page, notify_event, notify_attempt, notify_delivery, notify_notification, notify_batch;
"""


class Migration(migrations.Migration):
    """First tables."""

    initial = True

    dependencies = [("preferences", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Application",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField(unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("disabled_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "notify_application",
            },
        ),
        migrations.CreateModel(
            name="Template",
            fields=[
                ("template_id", models.TextField(primary_key=True, serialize=False)),
                ("type_key", models.TextField()),
                ("default_locale", models.TextField(default="en")),
                ("published_version", models.IntegerField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "notify_template",
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("prefix", models.TextField(unique=True)),
                ("secret_hash", models.BinaryField()),
                ("last4", models.TextField()),
                ("scopes", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                (
                    "tier",
                    models.TextField(
                        choices=[("standard", "standard"), ("bulk", "bulk"), ("internal", "internal")],
                        default="standard",
                    ),
                ),
                ("is_test", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="keys", to="notify.application"
                    ),
                ),
            ],
            options={
                "db_table": "notify_api_key",
            },
        ),
        migrations.CreateModel(
            name="NotificationType",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("category", models.TextField()),
                (
                    "priority",
                    models.TextField(
                        choices=[("critical", "critical"), ("high", "high"), ("medium", "medium"), ("low", "low")],
                        default="medium",
                    ),
                ),
                ("channels", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("exempt_from_caps", models.BooleanField(default=False)),
                ("caps", models.JSONField(blank=True, default=list)),
                (
                    "quiet_hours",
                    models.TextField(
                        choices=[("bypass", "bypass"), ("defer", "defer"), ("digest", "digest"), ("drop", "drop")],
                        default="defer",
                    ),
                ),
                ("digestible", models.BooleanField(default=False)),
                ("mandatory", models.BooleanField(default=False)),
                ("ttl_seconds", models.IntegerField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "template",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="types",
                        to="notify.template",
                    ),
                ),
            ],
            options={
                "db_table": "notify_type",
            },
        ),
        migrations.CreateModel(
            name="TemplateVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                ("channels", models.JSONField()),
                ("compiled", models.JSONField()),
                ("variables", models.JSONField(default=dict)),
                ("created_by", models.TextField(default="")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("published_at", models.DateTimeField(blank=True, null=True)),
                ("published_by", models.TextField(blank=True, default="")),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="notify.template"
                    ),
                ),
            ],
            options={
                "db_table": "notify_template_version",
            },
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("delivery_id", models.UUIDField()),
                ("notification_id", models.UUIDField()),
                ("channel", models.TextField()),
                ("type_key", models.TextField(default="")),
                ("reason_code", models.TextField()),
                ("final_error", models.TextField()),
                ("attempts", models.SmallIntegerField()),
                ("failed_at", models.DateTimeField()),
                ("replayed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "recipient",
                    models.ForeignKey(
                        db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, to="preferences.recipient"
                    ),
                ),
            ],
            options={
                "db_table": "notify_dead_letter",
                "indexes": [models.Index(fields=["-failed_at"], name="dead_letter_newest")],
            },
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.TextField()),
                ("fingerprint", models.BinaryField()),
                ("response", models.BinaryField()),
                ("created_at", models.DateTimeField()),
                (
                    "application",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="notify.application"),
                ),
            ],
            options={
                "db_table": "notify_idempotency_key",
                "constraints": [models.UniqueConstraint(fields=("application", "key"), name="idempotency_key_once")],
            },
        ),
        migrations.AddConstraint(
            model_name="templateversion",
            constraint=models.UniqueConstraint(fields=("template", "number"), name="template_version_number"),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(TABLES, DROP)],
            state_operations=[
                migrations.CreateModel(
                    name="Page",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("step", models.TextField()),
                        ("priority", models.TextField()),
                        ("channel", models.TextField(null=True)),
                        ("ids", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                        ("due_at", models.DateTimeField()),
                        ("sweeps", models.SmallIntegerField(default=0)),
                        ("claims", models.IntegerField(default=0)),
                        ("strikes", models.SmallIntegerField(default=0)),
                        ("claimed_until", models.DateTimeField(null=True)),
                        ("trace_id", models.TextField(default="")),
                    ],
                    options={
                        "db_table": "notify_page",
                    },
                ),
                migrations.CreateModel(
                    name="Batch",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("type_key", models.TextField()),
                        ("priority", models.TextField()),
                        (
                            "channels",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), null=True, size=None
                            ),
                        ),
                        (
                            "fallback_channels",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
                        ("collapse_key", models.TextField(null=True)),
                        ("metadata", models.JSONField(null=True)),
                        ("test", models.BooleanField()),
                        ("trace_id", models.TextField()),
                        ("request_id", models.TextField()),
                        ("total", models.IntegerField()),
                        ("created_at", models.DateTimeField()),
                        (
                            "application",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                to="notify.application",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "notify_batch",
                    },
                ),
                migrations.CreateModel(
                    name="Delivery",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("channel", models.TextField()),
                        ("priority", models.TextField()),
                        ("device_id", models.BigIntegerField(null=True)),
                        ("hint", models.TextField(default="")),
                        (
                            "status",
                            models.TextField(
                                choices=[
                                    ("planned", "planned"),
                                    ("deferred", "deferred"),
                                    ("sending", "sending"),
                                    ("retrying", "retrying"),
                                    ("sent", "sent"),
                                    ("delivered", "delivered"),
                                    ("failed", "failed"),
                                    ("bounced", "bounced"),
                                    ("suppressed", "suppressed"),
                                    ("expired", "expired"),
                                    ("cancelled", "cancelled"),
                                    ("dead", "dead"),
                                ]
                            ),
                        ),
                        ("reason_code", models.TextField(null=True)),
                        ("detail", models.TextField(default="")),
                        ("fallback", models.SmallIntegerField(default=0)),
                        ("siblings", models.SmallIntegerField(default=1)),
                        ("attempts", models.SmallIntegerField(default=0)),
                        ("provider", models.TextField(default="")),
                        ("lease_token", models.BigIntegerField(null=True)),
                        ("lease_until", models.DateTimeField(null=True)),
                        ("next_attempt_at", models.DateTimeField(null=True)),
                        ("expires_at", models.DateTimeField(null=True)),
                        ("planned_at", models.DateTimeField()),
                        ("sent_at", models.DateTimeField(null=True)),
                        ("delivered_at", models.DateTimeField(null=True)),
                        ("opened_at", models.DateTimeField(null=True)),
                        ("clicked_at", models.DateTimeField(null=True)),
                        (
                            "recipient",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                to="preferences.recipient",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "notify_delivery",
                    },
                ),
                migrations.CreateModel(
                    name="Attempt",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("number", models.SmallIntegerField()),
                        ("provider", models.TextField()),
                        ("outcome", models.TextField()),
                        ("code", models.TextField(default="")),
                        ("detail", models.TextField(default="")),
                        ("provider_message_id", models.TextField(default="")),
                        ("started_at", models.DateTimeField()),
                        ("latency_ms", models.IntegerField()),
                        (
                            "delivery",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                to="notify.delivery",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "notify_attempt",
                    },
                ),
                migrations.CreateModel(
                    name="Notification",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("type_key", models.TextField()),
                        ("priority", models.TextField()),
                        (
                            "status",
                            models.TextField(
                                choices=[
                                    ("accepted", "accepted"),
                                    ("scheduled", "scheduled"),
                                    ("deferred", "deferred"),
                                    ("processing", "processing"),
                                    ("sent", "sent"),
                                    ("delivered", "delivered"),
                                    ("partially_delivered", "partially delivered"),
                                    ("suppressed", "suppressed"),
                                    ("failed", "failed"),
                                    ("expired", "expired"),
                                    ("cancelled", "cancelled"),
                                ]
                            ),
                        ),
                        (
                            "channels",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), null=True, size=None
                            ),
                        ),
                        ("sealed", models.BinaryField()),
                        ("scheduled_at", models.DateTimeField(null=True)),
                        ("expires_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField()),
                        (
                            "batch",
                            models.ForeignKey(
                                db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, to="notify.batch"
                            ),
                        ),
                        (
                            "recipient",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                to="preferences.recipient",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "notify_notification",
                    },
                ),
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("delivery_id", models.UUIDField(null=True)),
                        ("at", models.DateTimeField()),
                        ("kind", models.TextField()),
                        ("detail", models.JSONField(default=dict)),
                        (
                            "notification",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                to="notify.notification",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "notify_event",
                    },
                ),
                migrations.AddField(
                    model_name="delivery",
                    name="notification",
                    field=models.ForeignKey(
                        db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, to="notify.notification"
                    ),
                ),
                migrations.AddField(
                    model_name="batch",
                    name="template_version",
                    field=models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="notify.templateversion",
                    ),
                ),
            ],
        ),
    ]
