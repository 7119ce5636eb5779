"""This app's settings, read once."""

from __future__ import annotations

import hmac

from django.conf import settings

from channels.rules.sealing import Keyring

#: How long an idempotency key is remembered (api.md section 2).
IDEMPOTENCY_HOURS: int = settings.CARILLON["IDEMPOTENCY_HOURS"]
#: How long the log of notifications is kept before its partitions are dropped.
RETENTION_DAYS: int = settings.CARILLON["RETENTION_DAYS"]

#: Seals the rendered pages that travel through the broker; the same master keys wrap the recipients' keys.
KEYRING: Keyring = Keyring.parse(settings.CARILLON["MASTER_KEYS"])

#: Pepper of the stored hashes of API keys, and signing key of user tokens: both change with Django's secret.
KEY_PEPPER: bytes = hmac.digest(settings.SECRET_KEY.encode(), b"carillon.api-key", "sha256")
USER_TOKEN_KEY: bytes = hmac.digest(settings.SECRET_KEY.encode(), b"carillon.user-token", "sha256")
