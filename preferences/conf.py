"""This app's section of the settings, read once."""

from __future__ import annotations

from django.conf import settings

from channels.rules.sealing import Keyring

#: The master keys that wrap data keys, the current one first.
KEYRING = Keyring.parse(settings.CARILLON["MASTER_KEYS"])
#: Key of the blind indexes. Unlike a master key it is not rotated: every index hangs on it.
HASH_KEY: bytes = settings.CARILLON["HASH_KEY"]
#: Whether people get marketing who have said neither yes nor no.
MARKETING_DEFAULT: bool = settings.CARILLON["MARKETING_DEFAULT"]
#: Whether marketing counts only once it was confirmed by the link in a mail.
DOUBLE_OPT_IN: bool = settings.CARILLON["DOUBLE_OPT_IN"]
