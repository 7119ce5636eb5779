"""The few differences under test."""

from __future__ import annotations

from config.settings import *  # noqa: F403 - everything, with the differences below

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
#: Nobody has collected static files: whitenoise finds them in the packages, and would warn of the missing folder.
STATIC_ROOT = None  # type: ignore[assignment]  # Django takes None; the setting above is a path
