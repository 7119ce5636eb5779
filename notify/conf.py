"""This app's settings, read once."""

from __future__ import annotations

from django.conf import settings

from channels.rules.sealing import Keyring

#: How long an idempotency key is remembered (api.md section 2).
IDEMPOTENCY_HOURS: int = settings.CARILLON["IDEMPOTENCY_HOURS"]
#: How long the log of notifications is kept before its partitions are dropped.
RETENTION_DAYS: int = settings.CARILLON["RETENTION_DAYS"]

#: Seals the rendered pages that travel through the broker; the same master keys wrap the recipients' keys.
KEYRING: Keyring = Keyring.parse(settings.CARILLON["MASTER_KEYS"])
