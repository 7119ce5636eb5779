"""The accounts of the scenes."""

from __future__ import annotations

import shutil
from pathlib import Path

from config.lab.accounts import entry_of, providers_file
from tests.bench.lab import Lab
from tests.chaos.scene import Sizes


def accounts_of(lab: Lab, sizes: Sizes) -> str:
    """FCM twice, once with a rate for those who meet the storm, and two SMS providers of which one stands by."""
    places, key = lab.places, key_file(lab)
    shutil.copy(lab.fcm["service_account_file"], key)
    secrets, breaker = {"service_account": f"file:{key}"}, {"open_seconds": sizes.open_seconds}
    rated = {"name": "fcm-rated", "platforms": ["ios"], "rate_per_second": sizes.storm_rate}
    return providers_file(
        [
            entry_of("fcm", places, secrets=secrets),
            entry_of("fcm", places, secrets=secrets, **rated),
            entry_of("twilio", places, priority=1, breaker=breaker),
            entry_of("vonage", places, priority=2),
        ]
    )


def key_file(lab: Lab) -> Path:
    """Where the FCM account's key is read from: a file that may be replaced."""
    return lab.folder / "fcm-key.json"
