"""What is told: the types, their words, and how often one person may be told. Data, for the program and the checker."""

from __future__ import annotations

from typing import Any

#: As CARILLON_CAPS and CARILLON_CAPS_SECURITY write it; the checker is told the same in numbers.
CAPS, CAPS_SECURITY = "push 6/1h, sms 3/1h, email 6/1d", "3/10m, 10/1d"
LIMITS = {
    "channels": {"push": [[6, 3_600]], "sms": [[3, 3_600]], "email": [[6, 86_400]]},
    "security": [[3, 600], [10, 86_400]],
}


def _kind(category: str, priority: str, channels: str, **more: Any) -> dict[str, Any]:
    """A type with everything said, so that the checker need know no default."""
    plain = {
        "category": category,
        "priority": priority,
        "channels": channels.split(),
        "mandatory": False,
        "exempt_from_caps": False,
        "caps": [],
        "quiet_hours": "defer",
        "digestible": False,
        "over_cap": "defer",
        "ttl_seconds": None,
    }
    return plain | more


def _cap(most: int, seconds: int) -> list[dict[str, int]]:
    return [{"max": most, "per_seconds": seconds}]


KINDS: dict[str, dict[str, Any]] = {
    "LOGIN_CODE": _kind(
        "security", "critical", "sms email", mandatory=True, exempt_from_caps=True, quiet_hours="bypass"
    ),
    "NEW_SIGN_IN": _kind("security", "high", "push email in_app", mandatory=True, quiet_hours="bypass"),
    "TERMS": _kind("transaction", "medium", "email push", mandatory=True),
    "ORDER": _kind("transaction", "medium", "push email in_app"),
    "RECEIPT": _kind("transaction", "medium", "email", over_cap="suppress", caps=_cap(2, 3_600)),
    "TABLE_READY": _kind("transaction", "high", "sms push", quiet_hours="bypass", ttl_seconds=1_800),
    "SCORE": _kind("social", "medium", "push in_app"),
    "FOLLOWED": _kind(
        "social", "medium", "push email", digestible=True, over_cap="digest", quiet_hours="digest", caps=_cap(4, 3_600)
    ),
    "COMMENT": _kind("social", "medium", "email push in_app", digestible=True, over_cap="digest"),
    "PARCEL": _kind("transaction", "medium", "sms", over_cap="digest"),
    "APPOINTMENT": _kind("reminder", "medium", "sms", ttl_seconds=14 * 3_600),
    "WATER": _kind("reminder", "low", "push", quiet_hours="drop", caps=_cap(3, 86_400), over_cap="suppress"),
    "OFFER": _kind("marketing", "low", "email push", quiet_hours="drop", caps=_cap(1, 86_400), over_cap="suppress"),
    "NEWS": _kind("marketing", "low", "email sms", caps=_cap(2, 86_400)),
}
#: Digests, one type a category; as docs/caps-and-digests.md has them, with words that name every member.
DIGESTS: dict[str, dict[str, Any]] = {
    f"DIGEST_{category.upper()}": _kind(category, "medium", "email")
    for category in ("transaction", "social", "reminder", "marketing")
}

_NUMBER = {"n": {"type": "string", "required": True, "default": None}}
_WORDS = {
    "push": {"en": {"title": "{{ n }}", "body": "Something has happened."}},
    "email": {"en": {"subject": "{{ n }}", "body": "Something has happened."}},
    "sms": {"en": {"body": "{{ n }}"}},
    "in_app": {"en": {"title": "{{ n }}", "body": "Something has happened."}},
}
_GATHERED = "Gathered {{ count }}, unlisted {{ unlisted }}:{% for item in items %} {{ item.title }}{% endfor %}"
_DIGEST_WORDS = {
    "push": {"en": {"title": "Digest", "body": _GATHERED}},
    "email": {"en": {"subject": "Digest", "body": _GATHERED}},
    "sms": {"en": {"body": _GATHERED}},
}
_MEMBERS = {
    "count": {"type": "number", "required": True, "default": None},
    "unlisted": {"type": "number", "required": True, "default": None},
    "items": {"type": "list", "required": True, "default": None},
}


def templates() -> dict[str, dict[str, Any]]:
    """The body of `POST /v1/templates` for each type."""
    told = {
        key: {"template_id": key.lower(), "type": key, "channels": _spoken(kind), "variables": _NUMBER}
        for key, kind in KINDS.items()
    }
    gathered = {
        key: {"template_id": key.lower(), "type": key, "channels": _DIGEST_WORDS, "variables": _MEMBERS}
        for key in DIGESTS
    }
    return told | gathered


def _spoken(kind: dict[str, Any]) -> dict[str, Any]:
    """Words on every channel: fallbacks and a person's critical channel may need them."""
    return dict(_WORDS)
