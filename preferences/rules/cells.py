"""Cells of a table that somebody opens in a spreadsheet."""

from __future__ import annotations

from datetime import datetime

#: With one of these in front a spreadsheet takes a text for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(value: object) -> str:
    """The value as text that stays text: what looks like a formula gets an apostrophe in front."""
    text = "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
