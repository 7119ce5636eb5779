"""What is due is looked for by priority, so that what is urgent is found among a morning's hundred thousands."""

from __future__ import annotations

from django.db import migrations

INDEXES = """
CREATE INDEX notify_delivery_due_first ON notify_delivery (priority, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX notify_delivery_texts_due ON notify_delivery (next_attempt_at)
    WHERE channel = 'sms' AND next_attempt_at IS NOT NULL;
DROP INDEX notify_delivery_due;
"""

BACK = """
CREATE INDEX notify_delivery_due ON notify_delivery (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
DROP INDEX notify_delivery_texts_due, notify_delivery_due_first;
"""


class Migration(migrations.Migration):
    """Two indexes in the place of one; both hold only what waits."""

    dependencies = [("notify", "0009_broadcasts")]

    operations = [migrations.RunSQL(INDEXES, BACK)]
