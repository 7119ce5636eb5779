"""The parts of a push that are more than one text: its data, its buttons, its badge.

Callers and authors write them as objects. Templates keep each part as a field of its own (`data.order_id`,
`actions.0.title`), so that it is checked, rendered and compared like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from notify.policy import MAX_ACTIONS, MAX_DATA_KEYS
from notify.vocabulary import Content

#: One field of a wording as it is written: a text, a badge's number, data, buttons.
Source = str | int | dict[str, str] | list[dict[str, str]]
#: {channel: {locale: {field: source}}} as callers and authors write it.
Written = dict[str, dict[str, dict[str, Source]]]

#: Of a button: what the app is told, what the person reads, and where it leads (nothing: the app decides).
_PARTS = ("id", "title", "url")
_ACTION = re.compile(rf"actions\.(0|[1-9][0-9]?)\.({'|'.join(_PARTS)})")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
#: Keys that push services keep for themselves, and ours. APNs puts data beside its own `aps`.
_RESERVED = re.compile(r"(?:from|notification|message_type|aps|google.*|gcm.*|carillon_.*)\Z", re.IGNORECASE)

ACTION_ID = r"^[A-Za-z0-9_.-]{1,64}$(?!\n)"


def flattened(wording: Mapping[str, Source]) -> dict[str, str]:
    """A wording with a field for every part."""
    flat: dict[str, str] = {}
    for field, source in wording.items():
        if isinstance(source, dict):
            flat.update({f"{field}.{key}": text for key, text in source.items()})
        elif isinstance(source, list):
            flat.update({f"{field}.{at}.{part}": text for at, one in enumerate(source) for part, text in one.items()})
        else:
            flat[field] = str(source)
    return flat


def gathered(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a wording put together again, as they are written."""
    whole: dict[str, Any] = {field: text for field, text in fields.items() if "." not in field}
    data = {field.partition(".")[2]: text for field, text in fields.items() if field.startswith("data.")}
    buttons: dict[int, dict[str, str]] = {}
    for field, text in fields.items():
        if match := _ACTION.fullmatch(field):
            buttons.setdefault(int(match[1]), {})[match[2]] = text
    if data:
        whole["data"] = data
    if buttons:
        whole["actions"] = [buttons[at] for at in sorted(buttons)]
    return whole


def all_flattened(channels: Written) -> dict[str, dict[str, dict[str, str]]]:
    """Every wording with a field for every part."""
    return {
        channel: {locale: flattened(wording) for locale, wording in locales.items()}
        for channel, locales in channels.items()
    }


def all_gathered(channels: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Written:
    """Every wording as it is written."""
    return {
        channel: {locale: gathered(fields) for locale, fields in locales.items()}
        for channel, locales in channels.items()
    }


def content_of(fields: Mapping[str, str]) -> Content:
    """Rendered fields as content; a button whose title came out empty is left out."""
    whole = gathered(fields)
    whole["actions"] = [
        {part: text for part, text in one.items() if text} for one in whole.get("actions", ()) if one.get("title")
    ]
    badge = whole.pop("badge", "")
    return Content(**whole, badge=int(badge) if badge else None)


def path_of(field: str) -> tuple[str, ...]:
    """A field as the steps of a JSON pointer."""
    if field.startswith("data."):
        return ("data", field.removeprefix("data."))
    return tuple(field.split("."))


def faults_in(fields: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the parts of a wording: the field, a code, and the cure."""
    keys = [field.removeprefix("data.") for field in fields if field.startswith("data.")]
    for key in sorted(keys):
        if fault := key_fault(key):
            yield f"data.{key}", "invalid_data", fault
    if len(keys) > MAX_DATA_KEYS:
        yield "data", "invalid_data", f"data may have {MAX_DATA_KEYS} keys"
    for field in sorted(fields):
        if not field.startswith("data.") and not _ACTION.fullmatch(field):
            yield field, "unknown_field", "write data as {key: text}, and actions as [{id, title, url}]"
    yield from _button_faults(gathered(fields).get("actions", ()))


def _button_faults(buttons: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, str, str]]:
    if len(buttons) > MAX_ACTIONS:
        yield "actions", "invalid_actions", f"a push may have {MAX_ACTIONS} buttons: few devices show more"
    for at, one in enumerate(buttons):
        if not one.get("title") or not re.fullmatch(ACTION_ID, one.get("id", "")):
            text = "a button needs a title to be read, and an id without variables by which the app knows it"
            yield f"actions.{at}", "invalid_actions", text
    if len({one.get("id") for one in buttons}) < len(buttons):
        yield "actions", "invalid_actions", "every button needs an id of its own"


def key_fault(key: str) -> str:
    """Why data cannot have this key; empty if it can."""
    if not _KEY.fullmatch(key):
        return "a key of data is up to 64 letters, digits, _ . and -, and begins with a letter or _"
    if _RESERVED.match(key):
        return (
            "from, notification, message_type, aps, google…, gcm… and carillon_… are the push services' own, and ours"
        )
    return ""
