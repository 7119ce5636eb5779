"""The stand-ins as accounts of a providers file, so that nobody has to copy addresses and paths by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from json import dumps
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


def providers_file(entries: Iterable[Entry]) -> str:
    """The accounts as a providers file (TOML)."""
    return "".join(f"[[provider]]\n{_lines(entry)}\n" for entry in entries)


def entry_of(name: str, places: Mapping[str, Any], /, **changes: Any) -> Entry:
    """The account at one stand-in, named after it; `places` is what the lab prints, `changes` are keys of the entry."""
    place = places[name]
    usual = {"name": name, "adapter": name, "ca_file": places["ca_file"]}
    if "base_url" in place:  # browsers bring their own
        usual["base_url"] = place["base_url"]
    return usual | ENTRIES[name](place, Path(places["ca_file"]).parent) | changes


def _fcm(place: Mapping[str, Any], _: Path) -> Entry:
    secret = f"file:{place['service_account_file']}"
    return {
        "channel": "push",
        "platforms": ["android"],
        "options": {"project_id": place["project_id"]},
        "secrets": {"service_account": secret},
    }


def _smtp(place: Mapping[str, Any], folder: Path) -> Entry:
    password = folder / "smtp-password"
    password.touch(mode=0o600)
    password.write_text(place["password"], encoding="utf-8")
    sender = {"from_email": "shop@example.com", "from_name": "Carillon lab", "starttls": True}
    return {
        "channel": "email",
        "options": sender | {"username": place["username"]},
        "secrets": {"password": f"file:{password}"},
    }


def _sendgrid(place: Mapping[str, Any], _: Path) -> Entry:
    sender = {"from_email": "shop@example.com", "from_name": "Carillon lab"}
    return {
        "channel": "email",
        "options": sender | {"webhook_public_key": place["webhook_public_key"]},
        "secrets": {"api_key": f"file:{place['api_key_file']}"},
    }


def _twilio(place: Mapping[str, Any], _: Path) -> Entry:
    return {
        "channel": "sms",
        "options": {"account_sid": place["account_sid"], "from": place["from"]},
        "secrets": {"auth_token": f"file:{place['auth_token_file']}"},
    }


def _vonage(place: Mapping[str, Any], _: Path) -> Entry:
    secrets = {name: f"file:{place[f'{name}_file']}" for name in ("api_secret", "signature_secret")}
    return {"channel": "sms", "options": {"api_key": place["api_key"], "from": place["from"]}, "secrets": secrets}


def _apns(place: Mapping[str, Any], _: Path) -> Entry:
    options = {name: place[name] for name in ("key_id", "team_id", "topic")}
    return {"channel": "push", "options": options, "secrets": {"private_key": f"file:{place['private_key_file']}"}}


def _webpush(place: Mapping[str, Any], _: Path) -> Entry:
    return {
        "channel": "push",
        "options": {name: place[name] for name in ("subject", "allow_hosts")},
        "secrets": {"vapid_private_key": f"file:{place['vapid_private_key_file']}"},
    }


def _ses(place: Mapping[str, Any], _: Path) -> Entry:
    options = {name: place[name] for name in ("region", "access_key_id", "topic_arn")}
    return {
        "channel": "email",
        "options": options | {"from_email": "shop@example.com", "from_name": "Carillon lab"},
        "secrets": {"secret_access_key": f"file:{place['secret_access_key_file']}"},
    }


#: What differs from stand-in to stand-in.
ENTRIES: dict[str, Callable[[Mapping[str, Any], Path], Entry]] = {
    "fcm": _fcm,
    "apns": _apns,
    "webpush": _webpush,
    "smtp": _smtp,
    "sendgrid": _sendgrid,
    "ses": _ses,
    "twilio": _twilio,
    "vonage": _vonage,
}


def _lines(entry: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in entry.items())


def _value(value: Any) -> str:
    """A value as TOML writes it, which for texts, numbers, truths and lists of them is as JSON does."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + "}"
    return dumps(value, ensure_ascii=False)
