"""This app's settings, read once."""

from __future__ import annotations

import hmac
from datetime import time

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from channels.rules.sealing import Keyring
from notify.rules.caps import Limits, limits_of
from notify.rules.locales import canonical
from notify.rules.signed_links import SignedLinks


def _limits(*written: str) -> Limits:
    """The caps as the environment writes them; a wrong one is named, with its cure."""
    try:
        return limits_of(*written)
    except ValueError as wrong:
        text = f"CARILLON_CAPS, _SECURITY, _EVERYBODY: {wrong} is no limit. Write for example push 30/1h, and 3/10m."
        raise ImproperlyConfigured(text) from None


def _clock(written: str) -> time:
    try:
        return time.fromisoformat(written)
    except ValueError:
        raise ImproperlyConfigured(f"CARILLON_DIGEST_HOUR: '{written}' is no hour. Write for example 09:00.") from None


#: How long an idempotency key is remembered (api.md section 2).
IDEMPOTENCY_HOURS: int = settings.CARILLON["IDEMPOTENCY_HOURS"]
#: How long the log of notifications is kept before its partitions are dropped.
RETENTION_DAYS: int = settings.CARILLON["RETENTION_DAYS"]

#: Subscribers above which what a topic is told in the app is written once, and merged when an inbox is read.
FANOUT_THRESHOLD: int = settings.CARILLON["FANOUT_THRESHOLD"]

#: How a text message goes out (docs/sms.md).
SMS_MAX_SEGMENTS: int = settings.CARILLON["SMS_MAX_SEGMENTS"]
SMS_TRANSLITERATE: bool = settings.CARILLON["SMS_TRANSLITERATE"]

#: How often one person is told on a channel, and one address of security (docs/caps-and-digests.md).
CAPS: Limits = _limits(
    settings.CARILLON["CAPS"], settings.CARILLON["CAPS_SECURITY"], settings.CARILLON["CAPS_EVERYBODY"]
)

#: How much may wait before the system spares itself; 0: only operators change the mode.
AUTO_MODE_DEPTH: int = settings.CARILLON["AUTO_MODE_DEPTH"]

#: When daily and weekly digests are made, on each person's clock.
DIGEST_HOUR: time = _clock(settings.CARILLON["DIGEST_HOUR"])

#: Seals the rendered pages that travel through the broker; the same master keys wrap the recipients' keys.
KEYRING: Keyring = Keyring.parse(settings.CARILLON["MASTER_KEYS"])
#: Where the live streams are served, as callers reach it; without an address: this host, on that port.
STREAM_URL: str = settings.CARILLON["STREAM_URL"]
STREAM_PORT: int = settings.CARILLON["STREAM_PORT"]

#: Makes and reads the addresses of ours that stand in messages.
LINKS = SignedLinks(KEYRING, settings.CARILLON["PUBLIC_URL"])

#: Whose messages these are, for the pages for people; empty: nobody's.
BRAND_NAME: str = settings.CARILLON["BRAND_NAME"]
#: Languages that people may choose for their messages.
LANGUAGES: tuple[str, ...] = tuple(filter(None, map(canonical, settings.CARILLON["LANGUAGES"].split(","))))

#: Pepper of the stored hashes of API keys, and signing key of user tokens: both change with Django's secret.
KEY_PEPPER: bytes = hmac.digest(settings.SECRET_KEY.encode(), b"carillon.api-key", "sha256")
USER_TOKEN_KEY: bytes = hmac.digest(settings.SECRET_KEY.encode(), b"carillon.user-token", "sha256")
