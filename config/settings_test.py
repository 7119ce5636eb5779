"""The few differences under test."""

from __future__ import annotations

import os
import re

from config.settings import *  # noqa: F403 - everything, with the differences below
from config.settings import CARILLON

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
#: Nobody has collected static files: whitenoise finds them in the packages, and would warn of the missing folder.
STATIC_ROOT = None  # type: ignore[assignment]  # Django takes None; the setting above is a path

#: Tests run in several processes have a database of Redis each, as pytest-django gives each one of PostgreSQL.
if _worker := os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw"):
    CARILLON["REDIS_URL"] = re.sub(
        r"/(\d*)$", lambda found: f"/{int(found[1] or 0) + 1 + int(_worker)}", CARILLON["REDIS_URL"]
    )
