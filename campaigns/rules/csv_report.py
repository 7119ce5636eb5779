"""The report of an import as somebody opens it in a spreadsheet."""

from __future__ import annotations

from typing import Final

from campaigns.rules.csv_rows import Refused
from preferences.rules.cells import safe_cell

HEADER: Final = ("line", "code", "reason")


def report_line(refused: Refused) -> list[str]:
    """Its cells, none of which can be taken for a formula."""
    return [safe_cell(one) for one in refused]
