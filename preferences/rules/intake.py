"""Does what a caller sent make sense? Pure checks that end in a value ready to be stored, or in a refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from channels.errors import BadAddress
from channels.rules.addresses import normalise_email, normalise_phone, normalise_token
from channels.rules.wire import decode
from channels.vocabulary import Channel, Platform
from preferences.errors import InvalidField, invalid
from preferences.policy import MAX_ATTRIBUTES_BYTES, MAX_ATTRIBUTES_DEPTH, MAX_TYPE_SETTINGS
from preferences.rules.merging import merge
from preferences.rules.places import canonical_country, canonical_locale, is_zone
from preferences.rules.requests import BulkBody, PreferencesPatch, UserBody, UserPatch
from preferences.vocabulary import ID_PATTERN, TOPIC_PATTERN, Preferences, Profile, ProfileChange, QuietHours

_Empty = TypeVar("_Empty", None, str)
_ID = re.compile(ID_PATTERN)
_TOPIC = re.compile(TOPIC_PATTERN)
_encode = msgspec.json.Encoder().encode
_bulk = msgspec.json.Decoder(BulkBody).decode


def is_id(text: str) -> bool:
    """Whether a user or a device may bear this id."""
    return _ID.match(text) is not None


def invalid_id(name: str) -> InvalidField:
    """The refusal of an id in a path; `name` is the path's parameter."""
    return invalid(name, "An id has 1 to 128 visible ASCII characters, none of them a slash.")


def is_topic(text: str) -> bool:
    """Whether a topic may bear this key."""
    return _TOPIC.match(text) is not None


def invalid_topic() -> InvalidField:
    """The refusal of a key in a path."""
    return invalid("key", "A topic's key has 1 to 200 visible ASCII characters, none of them a slash.")


def bulk_bodies(body: bytes) -> list[bytes]:
    """The users of a bulk upsert, each still to be decoded; raises `Refusal` where the whole is no such list."""
    try:
        return [bytes(user) for user in _bulk(body).users]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        users = _loose_users(body)
        return [bytes(user) for user in decode(body, BulkBody).users] if users is None else users


def profile_of(body: UserBody) -> Profile:
    """A user as they are stored; raises `InvalidField` at the first field that makes no sense."""
    return Profile(
        email=None if body.email is None else _email(body.email),
        phone=None if body.phone is None else _phone(body.phone),
        locale="" if body.locale is None else _locale(body.locale),
        timezone="" if body.timezone is None else _zone(body.timezone),
        country_code="" if body.country_code is None else _country(body.country_code),
        attributes=encoded_attributes(body.attributes),
    )


def change_of(patch: UserPatch) -> ProfileChange:
    """The fields a patch touches, each checked; attributes are merged where the present ones are known."""
    return ProfileChange(
        email=_touched(patch.email, _email, None),
        phone=_touched(patch.phone, _phone, None),
        locale=_touched(patch.locale, _locale, ""),
        timezone=_touched(patch.timezone, _zone, ""),
        country_code=_touched(patch.country_code, _country, ""),
        attributes=patch.attributes,
    )


def encoded_attributes(attributes: Mapping[str, Any]) -> str:
    """The attributes as JSON, if they are neither too long nor too deep."""
    if _depth(attributes) > MAX_ATTRIBUTES_DEPTH:
        raise invalid("/attributes", f"Nest at most {MAX_ATTRIBUTES_DEPTH} levels deep.")
    text = _encode(attributes)
    if len(text) > MAX_ATTRIBUTES_BYTES:
        raise invalid("/attributes", f"At most {MAX_ATTRIBUTES_BYTES} bytes of JSON; keep the rest on your side.")
    return text.decode()


def checked_preferences(wanted: Preferences) -> Preferences:
    """The document with its names spelt as they are everywhere; raises `InvalidField`."""
    if len(set(wanted.channel_order)) < len(wanted.channel_order):
        raise invalid("/channel_order", "Name each channel once.")
    if len(wanted.types) > MAX_TYPE_SETTINGS:
        raise invalid("/types", f"At most {MAX_TYPE_SETTINGS} types.")
    window = wanted.quiet_hours
    if window is not None and window.start == window.end:
        raise invalid("/quiet_hours", "Start and end are the same; give null for no quiet hours.")
    return msgspec.structs.replace(
        wanted,
        timezone=_zone(wanted.timezone) if wanted.timezone is not None else None,
        locale=_locale(wanted.locale) if wanted.locale is not None else None,
    )


def merged_preferences(present: Preferences, patch: PreferencesPatch) -> Preferences:
    """The document after a merge patch; raises `InvalidField`."""
    document = merge(msgspec.to_builtins(present), msgspec.to_builtins(patch))
    document.pop("evidence", None)
    _check_window(document.get("quiet_hours"))
    return checked_preferences(msgspec.convert(document, Preferences))


def normalised_token(platform: Platform, token: str | Mapping[str, Any], pointer: str = "/token") -> str:
    """The token as it is kept; raises `InvalidField`."""
    try:
        return normalise_token(platform, token)
    except BadAddress as fault:
        raise InvalidField(pointer, f"invalid_{pointer[1:]}", _sentence(fault.cure)) from None


def address_on(channel: Channel, address: str) -> str:
    """An address as it is kept; raises `InvalidField`."""
    try:
        return normalise_email(address) if channel is Channel.EMAIL else normalise_phone(address)
    except BadAddress as fault:
        raise InvalidField("/address", fault.code, _sentence(fault.cure)) from None


def _loose_users(body: bytes) -> list[bytes] | None:
    """The same by a parser that lets half a surrogate pair or NaN pass, so that only its own user falls for it."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict) or [*parsed] != ["users"] or not isinstance(parsed["users"], list):
        return None
    return [json.dumps(user).encode() for user in parsed["users"]]


def _check_window(window: Mapping[str, Any] | None) -> None:
    """Both ends of a merged window are there and are times of day."""
    if window is None:
        return
    try:
        msgspec.convert(window, QuietHours)
    except msgspec.ValidationError:
        raise invalid("/quiet_hours", "Give start and end, each as HH:MM from 00:00 to 23:59.") from None


def _touched(value: str | UnsetType | None, check: Callable[[str], str], empty: _Empty) -> str | _Empty | UnsetType:
    if isinstance(value, UnsetType):
        return UNSET
    return empty if value is None else check(value)


def _email(text: str) -> str:
    try:
        return normalise_email(text)
    except BadAddress as fault:
        raise InvalidField("/email", fault.code, _sentence(fault.cure)) from None


def _phone(text: str) -> str:
    try:
        return normalise_phone(text)
    except BadAddress as fault:
        raise InvalidField("/phone", fault.code, _sentence(fault.cure)) from None


def _zone(name: str) -> str:
    if not is_zone(name):
        raise invalid("/timezone", "Not an IANA time zone; write for example Europe/London.")
    return name


def _locale(tag: str) -> str:
    canonical = canonical_locale(tag)
    if canonical is None:
        raise invalid("/locale", "Not a BCP 47 language tag that we know; write for example en-GB.")
    return canonical


def _country(code: str) -> str:
    canonical = canonical_country(code)
    if canonical is None:
        raise invalid("/country_code", "Not an ISO 3166-1 country; write two letters, for example GB.")
    return canonical


def _sentence(cure: str) -> str:
    return f"{cure[:1].upper()}{cure[1:]}."


def _depth(value: Any, level: int = 1) -> int:
    """Levels of nesting, counted no further than one beyond what is allowed."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    if level > MAX_ATTRIBUTES_DEPTH:
        return level
    return max((_depth(one, level + 1) for one in inner if isinstance(one, (dict, list))), default=level)
