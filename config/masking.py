"""What must not leave by logs or error reports, by the name of its field and by how it looks.

Every line passes here once, so the patterns are cheap and anchored on a character that is rare in a log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

#: Fields that hold personal data or secrets, alone or as the last part of a name (`old_token`, `reply_to_email`).
_FIELDS = re.compile(
    r"(?:^|_)(?:authorization|password|passwd|secret|token|cookie|cookies|credential|credentials|dsn|api_key"
    r"|phone|email|address|to|variables|attributes|sealed|plain|body|html|html_body|text|subject|title|content"
    r"|data|args|kwargs|argsrepr|kwargsrepr|query_string|params|sql)$"
)
_E_MAIL = re.compile(r"[^\s\"'<>()\[\]{},;:=/\\@]{1,64}(?:@|%40)[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?")
_PHONE = re.compile(r"(?:\+|%2B)[1-9](?:[ ().-]{0,2}\d){6,14}")
_API_KEY = re.compile(r"(crl_(?:live|test)_[A-Za-z0-9]{8})_[A-Za-z0-9_-]+")
_BEARER = re.compile(r"\b(bearer|basic|key)([ =]+)[A-Za-z0-9._~+/-]{8,}=*", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*")
#: Push tokens and whatever else is long and random: their first 20 characters tell them apart (requirement R074).
_LONG = re.compile(
    r"\b(?:[0-9a-fA-F]{64,}"
    r"|[A-Za-z0-9_-]{8,}:[A-Za-z0-9_-]{50,}"
    r"|(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Z])[A-Za-z0-9_-]{40,}"
    r"|[A-Za-z0-9+/_-]{80,})[A-Za-z0-9+/_:=-]*"
)
#: PostgreSQL repeats values of the row in these lines of its errors.
_ROW = re.compile(r"(DETAIL|CONTEXT|HINT): .*?(?=\\n|\n|\"|$)")
_SHOWN_OF_LONG = 20


def is_private(field: str) -> bool:
    """Whether a field of this name is masked whatever it holds."""
    return _FIELDS.search(field.lower().replace("-", "_")) is not None


def mask_text(text: str) -> str:
    """The text without what looks like an address, a credential or a token."""
    if "@" in text or "%40" in text:
        text = _E_MAIL.sub(MASK, text)
    if "+" in text or "%2B" in text:
        text = _PHONE.sub(MASK, text)
    if "crl_" in text:
        text = _API_KEY.sub(r"\1_" + MASK, text)
    if "eyJ" in text:
        text = _JWT.sub(MASK, text)
    if ": " in text:
        text = _ROW.sub(r"\1: " + MASK, text)
    return _LONG.sub(_shorten, _BEARER.sub(r"\1\2" + MASK, text))


def mask_fields(value: Any) -> Any:
    """The value with its private fields masked, at any depth; texts are left to `mask_text`."""
    if isinstance(value, Mapping):
        return {key: MASK if is_private(str(key)) else mask_fields(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_fields(one) for one in value]
    return value


def mask_all(value: Any) -> Any:
    """The value with private fields and every text masked."""
    if isinstance(value, Mapping):
        return {key: MASK if is_private(str(key)) else mask_all(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_all(one) for one in value]
    return mask_text(value) if isinstance(value, str) else value


def _shorten(match: re.Match[str]) -> str:
    return f"{match[0][:_SHOWN_OF_LONG]}…"
