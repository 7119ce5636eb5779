"""The accounts of the demo: every one a stand-in on this machine, and one of them down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from config.demo.client import Api
from config.lab.accounts import entry_of, providers_file

#: The first for SMS, which is down all the time, and the one that takes its place.
DOWN, STANDING_BY = "vonage", "twilio"
#: Where mails go through the SMTP server, which keeps them as files; everywhere else through SendGrid.
SMTP_COUNTRIES = ("AR", "ES", "MX")
#: They say nothing after they have taken a message.
SILENT = frozenset({"fcm", "apns", "webpush", "smtp"})


def accounts_file(places: Mapping[str, Any]) -> str:
    """The providers file; `places` is what the lab has printed."""
    entries = [entry_of(name, places) for name in ("fcm", "apns", "webpush")]
    entries += [
        entry_of("smtp", places, priority=1, regions=list(SMTP_COUNTRIES)),
        entry_of("sendgrid", places, priority=2),
        entry_of(DOWN, places, priority=1),
        entry_of(STANDING_BY, places, priority=2),
    ]
    return f"# Written by `make demo`.\n{providers_file(entries)}"


def prepare(places: Mapping[str, Any], platform_url: str) -> str:
    """Take one provider down and tell another where its events go; the answer is a browser's push subscription."""
    Api(places[DOWN]["plain_url"]).post("/__faults", {"faults": [{"answer": "unavailable"}]})
    Api(places["sendgrid"]["plain_url"]).post("/__webhook", {"url": f"{platform_url}/v1/receipts/sendgrid"})
    return json.dumps(Api(places["webpush"]["plain_url"]).post("/__subscribe", {}))
