"""Accounts at the lab's stand-ins for text messages and for gateways, and what callbacks look like."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from channels import registry
from channels.provider import ReceiptReader
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import Channel, ReceiptCall, SmsMessage
from tests.providers.conformance import delivery_id
from tests.providers.conftest import Lab

PUBLIC = "https://carillon.example"


def sms(number: int, **changes: Any) -> SmsMessage:
    """A text message to a number of its own."""
    declared: dict[str, Any] = {"id": delivery_id(number), "to": f"+4915112{number:06}", "text": "plain words"}
    return SmsMessage(**{**declared, **changes})


def twilio(lab: Lab, **changes: Any) -> Account:
    """An account at the Twilio stand-in."""
    place = lab.places["twilio"]
    options = {key: place[key] for key in ("account_sid", "from")}
    return _account(lab, "twilio", options, {"auth_token": place["auth_token_file"]}, changes)


def vonage(lab: Lab, *, signed: bool = False, **changes: Any) -> Account:
    """An account at the Vonage stand-in, with or without its signature secret."""
    place = lab.places["vonage"]
    options = {key: place[key] for key in ("api_key", "from")}
    files = {"api_secret": place["api_secret_file"]}
    if signed:
        files["signature_secret"] = place["signature_secret_file"]
    return _account(lab, "vonage", options, files, changes)


def sns(lab: Lab, **changes: Any) -> Account:
    """An account at the SNS stand-in."""
    place = lab.places["sns"]
    options = {"region": place["region"], "access_key_id": place["access_key_id"], "sender_id": "Carillon"}
    return _account(lab, "sns", options, {"secret_access_key": place["secret_access_key_file"]}, changes)


def gateway(lab: Lab, **changes: Any) -> Account:
    """An account at a gateway, with receipts."""
    place = lab.places["http"]
    files = {key: place[f"{key}_file"] for key in ("signing_secret", "receipts_secret")}
    return _account(lab, "http", {}, files, changes)


def _account(
    lab: Lab, adapter: str, options: dict[str, Any], files: dict[str, str], changes: dict[str, Any]
) -> Account:
    declared: dict[str, Any] = {
        "name": f"{adapter}-lab",
        "adapter": adapter,
        "channel": Channel.SMS,
        "base_url": lab.places[adapter]["base_url"],
        "ca_file": lab.places["ca_file"],
        "options": options,
        "secrets": {key: SecretRef("file", path) for key, path in files.items()},
    }
    return Account(**{**declared, **changes})


def hush(lab: Lab, name: str) -> None:
    """No callbacks from a stand-in: nobody listens, and it would try for seconds."""
    lab.at(name).tell("__faults", receipts={"send": False})


def reader(account: Account) -> ReceiptReader:
    """What reads the account's callbacks, as the registry builds it."""
    return registry.receipt_reader(account)


def form_call(url: str, fields: dict[str, str], **headers: str) -> ReceiptCall:
    """A callback with a form; header names with underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = {"content-type": "application/x-www-form-urlencoded"}
    return ReceiptCall(url=url, headers=content | named, body=urlencode(fields).encode())
